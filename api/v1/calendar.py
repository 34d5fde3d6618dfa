"""The working calendar: every day of a year, and what a system administrator decides about it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api import schemas, times
from api.auth import Me, Running
from api.pages.render import language_of
from api.schemas import Json
from api.v1.asked import Key, answered, asked
from exchange.rules.calendar import local_day

router = APIRouter(prefix="/calendar", tags=["calendar"])
FIRST, LAST = 2000, 2999


@router.get("")
def calendar(
    request: Request, parts: Running, _: Me, year: Annotated[int | None, Query(ge=FIRST, le=LAST)] = None
) -> Json:  # fmt: skip
    """Every day of a year (this one when left out): working, of rest, or worked in exchange; by which decision."""
    return times.year_json(parts, year or local_day(parts.now()).year, language_of(request))


@router.put("/hours")
def hours(request: Request, parts: Running, caller: Me, key: Key, body: schemas.HoursIn) -> Response:
    """Say when offices work. System administrators only."""
    return answered(times.decide_hours(parts, caller, asked(request, key, body), body))


@router.put("/{year}")
def decide(
    request: Request, parts: Running, caller: Me, key: Key, year: Annotated[int, Path(ge=FIRST, le=LAST)],
    body: schemas.CalendarYearIn,
) -> Response:  # fmt: skip
    """Say what a year is: its days off and make-up days. System administrators only; open deadlines stay."""
    return answered(times.decide_year(parts, caller, asked(request, key, body), year, body))


@router.post("/move")
def move(request: Request, parts: Running, caller: Me, key: Key) -> Response:
    """Let open deadlines follow the calendar as it stands now. System administrators only."""
    return answered(times.move_deadlines(parts, caller, asked(request, key)))
