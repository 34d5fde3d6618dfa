"""The web application: every way in by HTTP, with what holds for all of them (ids, headers, limits, errors, health)."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import api.pages
import api.v1
from api import waiting, watch
from api.errors import BodyTooLarge, DatabaseUnavailable, Internal, Malformed
from api.gateways import vgca
from api.logs import ENDING, REQUESTS, SECONDS, registry
from api.pages.problems import show
from api.pages.render import language_of
from api.problems import ROOM_ERRORS, RoomError, problem_of
from api.wiring import Parts
from exchange.errors import NotFound

log = structlog.get_logger("congvan.http")
STATIC = Path(__file__).parent / "pages" / "static"
MOST_JSON_MB = 4
OVER_LIMIT = "congvan.over_limit"
WORKER_SILENT = timedelta(seconds=30)
POLICY = "Content-Security-Policy"
HEADERS = {
    POLICY: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
Next = Callable[[Request], Awaitable[Response]]


def create_app(parts: Parts) -> FastAPI:
    """The service as an ASGI application over running parts."""
    app = FastAPI(title="Công Văn", version="1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.state.parts = parts
    app.middleware("http")(_every_request)
    for kind in ROOM_ERRORS:
        app.add_exception_handler(kind, _refused)
    app.add_middleware(_BoundedBody)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(ValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http_error)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.get("/livez", include_in_schema=False)(_alive)
    app.get("/readyz", include_in_schema=False)(_ready)
    app.get("/metrics", include_in_schema=False)(_metrics)
    app.include_router(api.v1.router)
    app.include_router(vgca.router)
    app.include_router(api.pages.router)
    return app


async def _every_request(request: Request, follow: Next) -> Response:
    """A trace id, a size limit, security headers, one log line and the numbers of each request."""
    trace = uuid4().hex
    request.state.trace = trace
    structlog.contextvars.bind_contextvars(trace=trace)
    begun = time.monotonic()
    try:
        response = _unreadable(request) or await follow(request)
    except ClientDisconnect:
        response = Response(status_code=400)  # nobody reads it: the line was cut, nothing was kept
    except Exception:
        log.exception("unknown-error", method=request.method, path=request.url.path)
        response = answer_error(request, Internal())
    finally:
        structlog.contextvars.unbind_contextvars("trace")
    if request.scope.get(OVER_LIMIT):
        response = answer_error(request, BodyTooLarge(limit_mb=_limit_mb(request.scope)))
    seconds = time.monotonic() - begun
    route = _pattern(request)
    REQUESTS.labels(request.method, route, response.status_code).inc()
    SECONDS.labels(route).observe(seconds)
    log.info(
        "request", method=request.method, path=request.url.path, status=response.status_code,
        milliseconds=round(seconds * 1000, 1), trace=trace,
    )  # fmt: skip
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if hasattr(request.state, "connect"):
        policy = response.headers[POLICY].replace("connect-src 'self'", f"connect-src 'self' {request.state.connect}")
        response.headers[POLICY] = policy
    if request.app.state.parts.settings.secure_cookies:
        _make_cookies_secure(response)
    response.headers["X-Request-Id"] = trace
    if "cache-control" not in response.headers and not request.url.path.startswith("/static"):
        response.headers["Cache-Control"] = "no-store"
    return response


def _pattern(request: Request) -> str:
    """The path as the route has it: numbers must not count by what somebody typed. Pages and API have routes alike."""
    path = str(getattr(request.scope.get("route"), "path", "–"))
    prefix = api.v1.router.prefix
    inside = request.url.path.startswith(f"{prefix}/") and path.startswith("/") and not path.startswith(prefix)
    return prefix + path if inside else path


class _BoundedBody:
    """Stops reading a body that is longer than this kind of request may be, announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        left = _most_bytes(scope)

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                scope[OVER_LIMIT] = True
                raise ClientDisconnect
            return message

        await self._app(scope, bounded, send)


def _unreadable(request: Request) -> Response | None:
    """Refuse a body by the length that is announced, and an address that no database can look up."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or len(length) > 15 or int(length) > _most_bytes(request.scope):
        return answer_error(request, BodyTooLarge(limit_mb=_limit_mb(request.scope)))
    if "\x00" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        return answer_error(request, Malformed(what="%00"))
    return None


def _limit_mb(scope: Scope) -> int:
    """Files may be large, words may not."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    files = kind.startswith(b"multipart/form-data") or scope["path"].startswith("/api/v1/uploads/")
    return int(scope["app"].state.parts.settings.upload_limit_mb) if files else MOST_JSON_MB


def _most_bytes(scope: Scope) -> int:
    return (_limit_mb(scope) + 1) * 1024 * 1024  # what stands around a file in its request counts too


def _make_cookies_secure(response: Response) -> None:
    """No cookie of this service goes over an open line."""
    response.raw_headers = [
        (name, value + b"; Secure" if name == b"set-cookie" and b"secure" not in value.lower() else value)
        for name, value in response.raw_headers
    ]


def answer_error(request: Request, error: RoomError) -> Response:
    """A problem document for programs, a page for people."""
    if request.url.path == vgca.UPLOAD:
        return vgca.refused(error)
    if not request.url.path.startswith("/api/"):
        return show(request, error)
    status, problem = problem_of(error, language_of(request), instance=request.url.path, trace=request.state.trace)
    headers = {"Retry-After": str(error.gaps.get("seconds", 2))} if problem["retryable"] else None
    return JSONResponse(problem, status, headers, media_type="application/problem+json")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ROOM_ERRORS)  # noqa: S101 - registered for these only
    return answer_error(request, error)


def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError | ValidationError)  # noqa: S101 - registered for these only
    where = ", ".join(sorted({".".join(str(step) for step in one["loc"]) for one in error.errors()}))
    return answer_error(request, Malformed(what=where[:200]))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this only
    if error.status_code == 404:
        return answer_error(request, NotFound())
    return answer_error(request, Malformed(what=str(error.detail)[:200]))


def _alive() -> Response:
    return PlainTextResponse("ok")


def _ready(request: Request) -> Response:
    """Ready when the database answers and a worker is alive."""
    parts: Parts = request.app.state.parts
    with parts.read() as reading:
        beat = reading.people.latest_beat()
    if beat is None or parts.now() - beat > WORKER_SILENT:
        return PlainTextResponse("no worker", 503)
    return PlainTextResponse("ok")


def _metrics(request: Request) -> Response:
    with suppress(DatabaseUnavailable):  # what was counted last stands then
        for days, certificates in watch.counts(request.app.state.parts).items():
            ENDING.labels(str(days)).set(certificates)
        waiting.measure(request.app.state.parts)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
