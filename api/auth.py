"""Who is calling: session cookie or bearer token, and the checks that a form came from our own page."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api.accounts import Caller, caller_of, same_word
from api.clients import PREFIX, caller_of_token
from api.errors import CsrfRefused, PeopleOnly, ScopeMissing, SecondFactorSetup, Unauthenticated
from api.scopes import ANY, needed
from api.wiring import Parts

API = "/api/v1"
COOKIE = "congvan_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def parts_of(request: Request) -> Parts:
    """The running parts behind this application."""
    parts: Parts = request.app.state.parts
    return parts


def token_of(request: Request) -> str | None:
    """The session token of a request, from its header or cookie."""
    return _bearer(request) or request.cookies.get(COOKIE)


async def current_caller(request: Request) -> Caller:
    """Who calls and may act; raises what `known_caller` raises, and `SecondFactorSetup` before an enrolment that the
    office requires.
    """
    caller = await known_caller(request)
    if caller.must_enrol:
        raise SecondFactorSetup
    return caller


async def known_caller(request: Request) -> Caller:
    """Who calls; raises `Unauthenticated`, or `CsrfRefused` for a cookie call that another site could have made."""
    token = token_of(request)
    if token is None:
        raise Unauthenticated
    if token.startswith(PREFIX):
        return await _program(request, token)
    caller = await run_in_threadpool(caller_of, parts_of(request), token)
    if request.method not in SAFE and _bearer(request) is None:
        require_same_site(request)
        sent = request.headers.get("x-csrf-token") or await _form_word(request)
        if not same_word(sent or "", caller.csrf):
            raise CsrfRefused
    return caller


async def _program(request: Request, token: str) -> Caller:
    """The program behind a token, if it may call this route: by its header, on the JSON API, within its scope."""
    path = str(getattr(request.scope.get("route"), "path", ""))
    if _bearer(request) is None or not request.url.path.startswith(f"{API}/"):
        raise Unauthenticated
    office = request.headers.get("congvan-office")
    caller = await run_in_threadpool(caller_of_token, parts_of(request), token, office)
    scope = needed(request.method, path)
    if scope is None:
        raise PeopleOnly
    if scope != ANY and scope not in caller.actor.scopes:
        raise ScopeMissing(scope=scope)
    return caller


async def optional_caller(request: Request) -> Caller | None:
    """Who calls, or None for a visitor."""
    try:
        return await known_caller(request)
    except Unauthenticated:
        return None


def require_same_site(request: Request) -> None:
    """Raises `CsrfRefused` when the browser says that the request came from elsewhere."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise CsrfRefused
    origin = request.headers.get("origin")
    if origin == "null" and site is not None:
        return  # a browser that hides where its own page lives has said so in the other header
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise CsrfRefused


def _bearer(request: Request) -> str | None:
    """The token in the header; another scheme (a proxy's password) says nothing about who calls us."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def set_session_cookie(request: Request, response: Response, token: str) -> None:
    """Give the browser its session."""
    parts = parts_of(request)
    response.set_cookie(
        COOKIE, token, max_age=parts.settings.session_hours * 3600, path="/", httponly=True, samesite="strict",
        secure=parts.settings.secure_cookies,
    )  # fmt: skip


def drop_session_cookie(response: Response) -> None:
    """Take the browser's session away."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


async def _form_word(request: Request) -> str | None:
    if not request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        return None
    value = (await request.form()).get("csrf")
    return value if isinstance(value, str) else None


Me = Annotated[Caller, Depends(current_caller)]
Known = Annotated[Caller, Depends(known_caller)]
"""For what somebody may do who still has to set up the second factor: that, and to leave."""
Anyone = Annotated[Caller | None, Depends(optional_caller)]
Running = Annotated[Parts, Depends(parts_of)]
