"""Sessions, who I am, and what this service is: problems, limits."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import StringConstraints

from api import accounts
from api.accounts import log_in, log_out
from api.auth import Known, Me, Running, require_same_site, token_of
from api.problems import registry
from api.schemas import Body, Json, Secret

router = APIRouter(tags=["about"])


class Credentials(Body):
    login: Annotated[str, StringConstraints(max_length=128)]
    password: Secret
    code: Secret | None = None


class WithPassword(Body):
    password: str


class NewFactor(Body):
    secret: str
    code: str


class OldFactor(Body):
    password: str
    code: str


class FactorRule(Body):
    required: bool


@router.post("/session", status_code=201)
def begin_session(request: Request, parts: Running, body: Credentials) -> Json:
    """Log in; the token goes into `Authorization: Bearer …`."""
    require_same_site(request)
    token, caller = log_in(parts, body.login, body.password, body.code)
    return {
        "token": token, "csrf": caller.csrf, "office": caller.actor.office, "roles": sorted(caller.actor.roles),
        "second_factor_setup": caller.must_enrol,
    }  # fmt: skip


@router.delete("/session", status_code=204)
def end_session(request: Request, parts: Running, _: Known) -> Response:
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


@router.post("/me/second-factor")
def begin_second_factor(parts: Running, caller: Known, body: WithPassword) -> Json:
    """A fresh TOTP secret; it counts once `PUT` shows a code of it."""
    secret, address = accounts.begin_second_factor(parts, caller, body.password)
    return {"secret": secret, "otpauth": address}


@router.put("/me/second-factor", status_code=204)
def confirm_second_factor(parts: Running, caller: Known, body: NewFactor) -> Response:
    """Switch the second factor on."""
    accounts.confirm_second_factor(parts, caller, body.secret, body.code)
    return Response(status_code=204)


@router.delete("/me/second-factor", status_code=204)
def drop_second_factor(parts: Running, caller: Me, body: OldFactor) -> Response:
    """Switch the second factor off, where the office lets its people choose."""
    accounts.drop_second_factor(parts, caller, body.password, body.code)
    return Response(status_code=204)


@router.put("/office/second-factor", status_code=204)
def second_factor_rule(parts: Running, caller: Me, body: FactorRule) -> Response:
    """Whether everybody in my office needs a second factor; its administrator decides."""
    accounts.require_second_factor(parts, caller, required=body.required)
    return Response(status_code=204)


@router.get("/problems")
def problems() -> dict[str, list[dict[str, Any]]]:
    """Every code that this service can refuse with."""
    return {"items": list(registry())}


@router.get("/limits")
def limits(parts: Running) -> Json:
    """The limits of this service."""
    return {"pdf_mb": parts.settings.upload_limit_mb, "pages": 2000, "file_name_bytes": 255, "recipients": 10_000}
