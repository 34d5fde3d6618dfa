"""The working calendar as people and programs see it, and what an administrator decides about it."""

from datetime import date, timedelta
from typing import Any

from api import schemas
from api.accounts import Caller
from api.idempotency import Answer, Asked
from api.wiring import Parts, Writing
from exchange.acts import calendar as acts
from exchange.rules.calendar import (
    Calendar,
    CalendarYear,
    DayMark,
    Hours,
    local_day,
    missing_year,
)
from exchange.rules.model import Deadline
from exchange.storage.deadline_store import CalendarChange, DeadlineStore

MOST_SHOWN = 100
MISSING_YEAR = "calendar-missing-year"
_MISSING = {
    "vi": "Lịch làm việc chưa có năm {year}: thời hạn chỉ trừ thứ Bảy, Chủ nhật. Hãy nhập khi có thông báo nghỉ lễ.",
    "en": "The working calendar lacks {year}: deadlines leave out weekends only. Enter the days off once announced.",
}


def calendar(parts: Parts) -> Calendar:
    """The calendar as it stands now."""
    with parts.read() as reading:
        return DeadlineStore.of(reading.exchange).calendar()


def changes(parts: Parts) -> list[CalendarChange]:
    """Every version of it, newest first."""
    with parts.read() as reading:
        return DeadlineStore.of(reading.exchange).changes()


def missing(parts: Parts) -> int | None:
    """The year that somebody has to enter within three months, if any."""
    return missing_year(calendar(parts), local_day(parts.now()))


def missing_words(year: int, language: str) -> str:
    """That a year is missing, for people."""
    return _MISSING["vi" if language == "vi" else "en"].format(year=year)


def year_json(parts: Parts, year: int, language: str) -> dict[str, Any]:
    """Every day of a year, with what was decided about it."""
    known = calendar(parts)
    told = known.years.get(year)
    names = {mark.day: mark.name for mark in told.days} if told else {}
    first, wanted = date(year, 1, 1), missing_year(known, local_day(parts.now()))
    days = [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]
    return {
        "year": year,
        "version": known.version,
        "source": told.source if told else None,
        "grade": told.grade if told else None,
        "hours": hours_json(known.hours),
        "days": [{"date": day.isoformat(), "kind": known.kind(day), "name": names.get(day)} for day in days],
        "warnings": [{"code": MISSING_YEAR, "detail": missing_words(wanted, language)}] if wanted else [],
    }


def hours_json(hours: Hours) -> list[list[str]]:
    """Working hours as pairs of local times."""
    return [[begin.isoformat("minutes"), end.isoformat("minutes")] for begin, end in hours.spans]


def decide_year(parts: Parts, caller: Caller, asked: Asked, year: int, body: schemas.CalendarYearIn) -> Answer:
    """Say what a year is; open deadlines stay as they are until `move`."""
    days = tuple(DayMark(one.date, one.kind, " ".join(one.name.split())) for one in body.days)
    told = CalendarYear(year, " ".join(body.source.split()), body.grade, tuple(sorted(days, key=lambda one: one.day)))

    def act(writing: Writing, _: None) -> Answer:
        version = acts.decide_year(writing.tx, caller.actor, told, at=parts.now())
        return Answer(200, {"year": year, "version": version})

    return parts.run(caller.actor, asked, lambda: None, act)


def decide_hours(parts: Parts, caller: Caller, asked: Asked, body: schemas.HoursIn) -> Answer:
    """Say when offices work; open deadlines stay as they are until `move`."""
    hours = Hours(tuple((span.begin, span.end) for span in body.hours))

    def act(writing: Writing, _: None) -> Answer:
        version = acts.decide_hours(writing.tx, caller.actor, hours, " ".join(body.source.split()), at=parts.now())
        return Answer(200, {"hours": hours_json(hours), "version": version})

    return parts.run(caller.actor, asked, lambda: None, act)


def move_deadlines(parts: Parts, caller: Caller, asked: Asked) -> Answer:
    """Let open deadlines follow the calendar as it stands now; each that moves is an event with old and new."""

    def act(writing: Writing, _: None) -> Answer:
        moved = acts.move_deadlines(writing.tx, caller.actor, at=parts.now())
        items = [_moved_json(before, after) for before, after in moved[:MOST_SHOWN]]
        return Answer(200, {"moved": len(moved), "items": items})

    return parts.run(caller.actor, asked, lambda: None, act)


def _moved_json(before: Deadline, after: Deadline) -> dict[str, Any]:
    return {
        "id": after.id, "kind": after.kind, "subject": after.subject, "was_due": schemas.instant(before.due),
        "due": schemas.instant(after.due), "version": after.calendar,
    }  # fmt: skip
