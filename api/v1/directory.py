"""Offices, people of one's own office, series, groups, and the dry run of recipients."""

from fastapi import APIRouter, Request, Response

from api import cases, levels, schemas
from api.auth import Me, Running
from api.pages.render import language_of
from api.schemas import Json
from api.v1.asked import Key, answered, asked
from exchange.acts.issue import next_number
from exchange.acts.send import resolve
from exchange.errors import NotFound
from exchange.rules.calendar import local_day
from exchange.rules.directory import subordinates
from exchange.rules.model import Role

router = APIRouter(tags=["directory"])


@router.get("/offices")
def offices(parts: Running, _: Me, under: str | None = None, q: str = "") -> Json:
    """The directory, or the offices directly under one, or those whose name or code holds `q`."""
    with parts.read() as reading:
        known = reading.exchange.offices()
    codes = subordinates(under, known.values(), 1) if under else set(known)
    word = q.casefold()
    rows = [o for code, o in known.items() if code in codes and (word in o.name.casefold() or word in code.casefold())]
    return {"items": [schemas.office_json(office) for office in rows]}


@router.get("/offices/{code}")
def office(parts: Running, _: Me, code: str) -> Json:
    """One office."""
    with parts.read() as reading:
        found = reading.exchange.office(code)
    if found is None:
        raise NotFound
    return schemas.office_json(found)


@router.get("/offices/{code}/signature-levels")
def signature_levels(parts: Running, caller: Me, code: str) -> Json:
    """How much proof the signatures of an office get: what it chose (null: nothing), and what holds."""
    return levels.levels(parts, caller, code)


@router.put("/offices/{code}/signature-levels")
def choose_signature_levels(parts: Running, caller: Me, code: str, body: schemas.SignatureLevels) -> Json:
    """Choose it, for people's signatures and for the organisation's; its administrator decides, or the service's."""
    return levels.choose(parts, caller, code, body.leader, body.seal)


@router.get("/people")
def people(parts: Running, caller: Me, role: Role | None = None) -> Json:
    """The people of my own office."""
    with parts.read() as reading:
        rows = reading.people.people_of(caller.actor.office, role)
        roles = {person.id: reading.people.roles(person.id).get(caller.actor.office, frozenset()) for person in rows}
    return {
        "items": [
            {"id": p.id, "login": p.login, "name": p.name, "title": p.title, "roles": sorted(roles[p.id])} for p in rows
        ]
    }


@router.get("/series")
def series(parts: Running, caller: Me) -> Json:
    """My office's series of this year, each with the number that comes next."""
    day = local_day(parts.now())
    with parts.read() as reading:
        rows = reading.exchange.series_of(caller.actor.office, day.year)
        following = {r.series.name: next_number(reading.exchange, caller.actor, r.series.name, day) for r in rows}
    return {
        "items": [
            {
                "name": r.series.name, "title": r.series.title, "year": r.series.year, "state": r.series.state,
                "last": r.last, "next": following[r.series.name].written,
            }
            for r in rows
        ]
    }  # fmt: skip


@router.get("/groups")
def groups(parts: Running, caller: Me) -> Json:
    """My office's saved lists of recipients."""
    with parts.read() as reading:
        rows = reading.exchange.groups(caller.actor.office).values()
    return {"items": [{"id": g.id, "name": g.name, "members": list(g.members)} for g in rows]}


@router.post("/groups", status_code=201)
def make_group(request: Request, parts: Running, caller: Me, key: Key, body: schemas.NewGroup) -> Response:
    """Save a list of recipients."""
    return answered(cases.make_group(parts, caller, asked(request, key, body), body))


@router.post("/recipients/resolve")
def resolve_recipients(request: Request, parts: Running, caller: Me, body: schemas.Recipients) -> Json:
    """Who would receive it, and what stands in the way of each; nothing is written."""
    with parts.read() as reading:
        rows = resolve(reading.exchange, caller.actor, body.specs(), on=local_day(parts.now()))
    language = language_of(request)
    return {
        "count": sum(row.problem is None for row in rows),
        "items": [schemas.resolved_json(row, language) for row in rows],
    }
