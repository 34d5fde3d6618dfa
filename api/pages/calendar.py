"""Lịch làm việc: the days off of a year, and for the system administrator the forms to change them."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from api import schemas, times
from api.accounts import Caller
from api.auth import Me, Running
from api.errors import Malformed
from api.idempotency import Answer
from api.pages.page import after, form_asked, form_of, page
from api.pages.render import language_of
from api.wiring import Parts
from exchange.errors import NotFound
from exchange.rules.calendar import DayKind, Grade, local_day
from exchange.rules.model import Role

router = APIRouter(prefix="/calendar")
YEARS = range(2000, 3000)
_LINE = re.compile(r"(\d{4}-\d{2}-\d{2})\s+([+-])\s*(.+)")


@router.get("")
def calendar(request: Request, parts: Running, caller: Me, year: str = "") -> Response:
    """A year of it; for the administrator also the forms."""
    today = local_day(parts.now())
    shown = int(year) if year.isdecimal() and len(year) == 4 and int(year) in YEARS else today.year
    known, missing = times.calendar(parts), times.missing(parts)
    told = known.years.get(shown)
    values = {
        "year": shown,
        "years": sorted({*known.years, today.year, today.year + 1, shown}),
        "told": told,
        "hours": times.hours_json(known.hours),
        "version": known.version,
        "missing": times.missing_words(missing, language_of(request)) if missing else None,
        "changes": times.changes(parts)[:10],
        "may_decide": Role.SYSTEM_ADMIN in caller.actor.roles,
        "lines": "\n".join(_lines(told.days)) if told else "",
        "grades": list(Grade),
    }
    return page(request, "calendar.html", caller, values)


@router.post("/{act}")
async def decide(request: Request, parts: Running, caller: Me, act: str) -> Response:
    """One decision; then the calendar again, saying what was done."""
    form = await form_of(request)
    answer = await run_in_threadpool(_decide, request, parts, caller, act, form)
    back = f"/calendar?year={answer.body['year']}" if act == "year" else "/calendar"
    return after(back, f"calendar_{act}", **({"count": answer.body["moved"]} if act == "move" else {}))


def _decide(request: Request, parts: Parts, caller: Caller, act: str, form: dict[str, Any]) -> Answer:
    asked = form_asked(request, form)
    if act == "move":
        return times.move_deadlines(parts, caller, asked)
    source = str(form.get("source", ""))
    if act == "hours":
        spans = [{"begin": form.get(f"begin_{n}"), "end": form.get(f"end_{n}")} for n in (1, 2) if form.get(f"end_{n}")]
        return times.decide_hours(
            parts, caller, asked, schemas.HoursIn.model_validate({"hours": spans, "source": source})
        )
    if act == "year":
        year = str(form.get("year", ""))
        if not year.isdecimal() or len(year) != 4 or int(year) not in YEARS:
            raise Malformed(what="year")
        told = {"source": source, "grade": form.get("grade"), "days": list(_days(str(form.get("days", ""))))}
        return times.decide_year(parts, caller, asked, int(year), schemas.CalendarYearIn.model_validate(told))
    raise NotFound


def _lines(days: Any) -> Iterator[str]:
    """Days as the form has them: `2027-02-04 - Tết` is off, `2026-08-22 + Làm bù` is worked."""
    for mark in days:
        yield f"{mark.day.isoformat()} {'-' if mark.kind is DayKind.REST else '+'} {mark.name}"


def _days(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise Malformed(what=line.strip()[:80])
        try:
            day = date.fromisoformat(found[1])
        except ValueError as error:
            raise Malformed(what=line.strip()[:80]) from error
        kind = DayKind.REST
        if found[2] == "+":
            kind = DayKind.MAKE_UP if day.weekday() >= 5 else DayKind.WORK
        yield {"date": day, "kind": kind, "name": found[3]}
