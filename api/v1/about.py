"""Sessions, who I am, and what this service is: problems, limits."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.accounts import log_in, log_out
from api.auth import Me, Running, require_same_site, token_of
from api.problems import registry
from api.schemas import Body, Json

router = APIRouter(tags=["about"])


class Credentials(Body):
    login: str
    password: str
    code: str | None = None


@router.post("/session", status_code=201)
def begin_session(request: Request, parts: Running, body: Credentials) -> Json:
    """Log in; the token goes into `Authorization: Bearer …`."""
    require_same_site(request)
    token, caller = log_in(parts, body.login, body.password, body.code)
    return {"token": token, "csrf": caller.csrf, "office": caller.actor.office, "roles": sorted(caller.actor.roles)}


@router.delete("/session", status_code=204)
def end_session(request: Request, parts: Running, _: Me) -> Response:
    """Log out."""
    log_out(parts, token_of(request) or "")
    return Response(status_code=204)


@router.get("/me")
def me(caller: Me) -> Json:
    """Who is logged in."""
    return {
        "id": caller.actor.id, "login": caller.account.login, "name": caller.name, "title": caller.account.title,
        "office": caller.actor.office, "roles": sorted(caller.actor.roles),
    }  # fmt: skip


@router.get("/problems")
def problems() -> dict[str, list[dict[str, Any]]]:
    """Every code that this service can refuse with."""
    return {"items": list(registry())}


@router.get("/limits")
def limits(parts: Running) -> Json:
    """The limits of this service."""
    return {"pdf_mb": parts.settings.upload_limit_mb, "pages": 2000, "file_name_bytes": 255, "recipients": 10_000}
