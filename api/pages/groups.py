"""Nhóm đơn vị: the saved lists of recipients of one's own office."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from api import cases, schemas
from api.accounts import Caller
from api.auth import Me, Running
from api.errors import Malformed
from api.pages.page import after, form_asked, form_of, page
from api.wiring import Parts
from exchange.acts.send import GROUP_KEEPERS

router = APIRouter(prefix="/groups")
MOST_NAME = 200


@router.get("")
def groups(request: Request, parts: Running, caller: Me) -> Response:
    """The lists, and the form for a new one."""
    with parts.read() as reading:
        found = reading.exchange.groups(caller.actor.office)
        offices = reading.exchange.offices()
    rows = [{"name": g.name, "members": [_name(offices, code) for code in g.members]} for g in found.values()]
    choices = [(o.code, o.name) for o in offices.values() if o.code != caller.actor.office]
    values = {"groups": rows, "offices": choices, "may_make": bool(caller.actor.roles & GROUP_KEEPERS)}
    return page(request, "groups.html", caller, values)


@router.post("")
async def make(request: Request, parts: Running, caller: Me) -> Response:
    """A new list."""
    form = await form_of(request)
    return await run_in_threadpool(_make, request, parts, caller, form)


def _make(request: Request, parts: Parts, caller: Caller, form: dict[str, Any]) -> Response:
    name, members = str(form.get("name", "")).strip(), form.get("members[]", [])
    if not 0 < len(name) <= MOST_NAME or not members:
        raise Malformed(what="name, members")
    cases.make_group(parts, caller, form_asked(request, form), schemas.NewGroup(name=name, members=members))
    return after("/groups", "group")


def _name(offices: dict[str, Any], code: str) -> str:
    return offices[code].name if code in offices else code
