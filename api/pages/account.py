"""Tài khoản: who I am, my second factor; for administrators the rules of the office: factors, proof in signatures."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from api import accounts, levels, schemas
from api.accounts import Caller
from api.auth import Known, Running
from api.errors import ApiError
from api.pages.page import after, form_of, page
from api.pages.render import language_of
from api.problems import STATUS
from api.wiring import Parts
from exchange.errors import NotFound
from exchange.rules.model import Role
from signing.model import Level

router = APIRouter(prefix="/account")


@router.get("")
def show(request: Request, parts: Running, caller: Known) -> Response:
    """The page."""
    return _page(request, parts, caller)


@router.post("/{act}")
async def act(request: Request, parts: Running, caller: Known, act: str) -> Response:
    """One change of the account; then the page again, or the form with what was wrong."""
    form = {name: str(value) for name, value in (await form_of(request)).items()}
    try:
        return await run_in_threadpool(_act, request, parts, caller, act, form)
    except ApiError as error:
        problem = {"problem": error.sentence(language_of(request)), "secret": form.get("secret")}
        return await run_in_threadpool(_page, request, parts, caller, problem, status=STATUS[type(error)])


def _act(request: Request, parts: Parts, caller: Caller, act: str, form: dict[str, str]) -> Response:
    password, code = form.get("password", ""), form.get("code", "")
    if act == "begin":
        secret, address = accounts.begin_second_factor(parts, caller, password)
        return _page(request, parts, caller, {"secret": secret, "address": address})
    if act == "confirm":
        accounts.confirm_second_factor(parts, caller, form.get("secret", ""), code)
    elif act == "drop":
        accounts.drop_second_factor(parts, caller, password, code)
    elif act == "rule":
        accounts.require_second_factor(parts, caller, required=form.get("required") == "1")
    elif act == "levels":
        words = {one: form.get(one) or None for one in ("leader", "seal")}
        chosen = schemas.SignatureLevels.model_validate(words)
        levels.choose(parts, caller, caller.actor.office, chosen.leader, chosen.seal)
    else:
        raise NotFound
    return after("/account", f"account_{act}")


def _page(
    request: Request, parts: Parts, caller: Caller, told: dict[str, Any] | None = None, *, status: int = 200
) -> Response:
    with parts.read() as reading:
        required = reading.people.second_factor_required(caller.actor.office)
    values = {
        "problem": None,
        "secret": None,
        "address": None,
        "required": required,
        "must_enrol": caller.must_enrol,
        "has_factor": caller.account.factor is not None,
        "levels": levels.told(parts, caller.actor.office),
        "all_levels": list(Level),
        "may_choose": bool(caller.actor.roles & levels.DECIDE),
        "may_rule": Role.OFFICE_ADMIN in caller.actor.roles,
        "roles": sorted(caller.actor.roles),
    }
    return page(request, "account.html", caller, values | (told or {}), status=status)
