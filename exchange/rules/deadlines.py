"""The deadlines of the exchange (page §7), as data: what starts each, when it warns, when it is due, what ends it.

Pure: the calendar and every moment are handed in, so that the same start gives the same moments for ever.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from exchange.rules.calendar import Calendar, local_day
from exchange.rules.model import Channel, Deadline, DeadlineKind, DeadlineState, Delivery, Document, Urgency

K = DeadlineKind

WARNED, SOON, OVERDUE = "warned", "soon", "overdue"
"""What a deadline does by itself, each once: it warns, warns again shortly before its end, and is overdue."""


@dataclass(frozen=True, slots=True)
class Moments:
    """When a deadline warns and is due; a warning that would come no earlier than the end is left out."""

    due: datetime
    warn: datetime | None = None
    soon: datetime | None = None


URGENT_DUE, URGENT_WARN = timedelta(minutes=30), timedelta(minutes=10)
RECEIPT_WARN_HOUR = 15
PROCESS_LEAD_DAYS = 2
HAND_OVER_LASTS, HAND_OVER_WARN = timedelta(hours=48), timedelta(minutes=15)
STAMP_DUE, STAMP_WARN = timedelta(minutes=15), timedelta(minutes=5)
"""All of these are our choice: no decree names them (exchange page §7)."""


def _next_morning(calendar: Calendar, at: datetime, _: datetime | None) -> Moments:
    """QĐ 28, R9: the morning of the working day after the day of signing."""
    today = local_day(at)
    due = calendar.end_of_morning(calendar.next_working_day(today))
    return Moments(due, _same_day(calendar, at, due))


def _next_day(calendar: Calendar, at: datetime, _: datetime | None) -> Moments:
    """NĐ 30, R8 and R27: that day, at the latest the next working day."""
    due = calendar.end_of_day(calendar.next_working_day(local_day(at)))
    return Moments(due, _same_day(calendar, at, due))


def _same_working_day(calendar: Calendar, at: datetime, _: datetime | None) -> Moments:
    """NĐ 30 art. 21.2.c, R26: within the day; what comes outside working hours has come at the next opening."""
    begins = calendar.counts_from(at)
    due = calendar.end_of_its_day(at)
    afternoon = due.replace(hour=RECEIPT_WARN_HOUR - 7, minute=0, second=0, microsecond=0)  # 15:00 in Vietnam
    warn = afternoon if begins < afternoon < due else calendar.half_way(begins, due)
    return Moments(due, warn)


def _urgent(_: Calendar, at: datetime, __: datetime | None) -> Moments:
    return Moments(at + URGENT_DUE, at + URGENT_WARN)


def _process(calendar: Calendar, at: datetime, until: datetime | None) -> Moments:
    due = _told(until)
    warn = calendar.end_of_day(calendar.working_day_before(local_day(due), PROCESS_LEAD_DAYS))
    return Moments(due, max(warn, at))


def _answer(calendar: Calendar, at: datetime, _: datetime | None) -> Moments:
    due = calendar.end_of_day(calendar.next_working_day(local_day(at)))
    return Moments(due, calendar.half_way(at, due))


def _hand_over(_: Calendar, at: datetime, until: datetime | None) -> Moments:
    return Moments(until or at + HAND_OVER_LASTS, at + HAND_OVER_WARN)


def _fix(calendar: Calendar, at: datetime, _: datetime | None) -> Moments:
    return Moments(calendar.end_of_day(calendar.next_working_day(local_day(at))), at)


def _expiry(calendar: Calendar, at: datetime, until: datetime | None) -> Moments:
    due = _told(until)
    soon = calendar.end_of_day(calendar.working_day_before(local_day(due)))
    return Moments(due, calendar.half_way(at, due), soon)


def _stamp(_: Calendar, at: datetime, __: datetime | None) -> Moments:
    return Moments(at + STAMP_DUE, at + STAMP_WARN)


_MOMENTS: Mapping[DeadlineKind, Callable[[Calendar, datetime, datetime | None], Moments]] = {
    K.ISSUE: _next_morning,
    K.ISSUE_URGENT: _urgent,
    K.REGISTER_OUT: _next_day,
    K.RECEIPT_NOTICE: _same_working_day,
    K.PASS_ON: _next_day,
    K.PROCESS: _process,
    K.CHANGE_ANSWER: _answer,
    K.HAND_OVER: _hand_over,
    K.ARRIVAL: _next_day,
    K.FIX_FAILED: _fix,
    K.NUMBER_UNUSED: _next_day,
    K.EXPIRES_AT: _expiry,
    K.STAMP: _stamp,
}

ACTS_ITSELF = frozenset({K.HAND_OVER, K.EXPIRES_AT})
"""Kinds whose end is an act of its own (`delivery.failed`, `delivery.expired`) and so never overdue."""

OWN_OFFICE = frozenset(
    {K.ISSUE, K.ISSUE_URGENT, K.REGISTER_OUT, K.NUMBER_UNUSED, K.PASS_ON, K.HAND_OVER, K.ARRIVAL, K.FIX_FAILED, K.STAMP}
)
"""Kinds that are nobody's business but the office's own; the others are told to both sides."""

SENDERS = frozenset({K.HAND_OVER, K.ARRIVAL, K.FIX_FAILED})
"""Kinds of a delivery in which the sender has to act."""

_OVER = frozenset(f"delivery.{end}" for end in ("refused", "withdrawn", "redirected", "replaced", "expired"))
_TAKEN_ON = frozenset(f"delivery.{act}" for act in ("registered", "assigned", "processing", "completed")) | _OVER
_GIVEN_BACK = frozenset({"document.returned", "document.cancelled"})
_CHANGES = ("recall", "update", "replace")

ENDS: Mapping[DeadlineKind, frozenset[str]] = {
    K.ISSUE: frozenset({"document.issued"}) | _GIVEN_BACK,
    K.ISSUE_URGENT: frozenset({"document.issued"}) | _GIVEN_BACK,
    K.REGISTER_OUT: frozenset({"document.numbered", "document.issued"}) | _GIVEN_BACK,
    K.NUMBER_UNUSED: frozenset({"document.issued", "number.voided"}) | _GIVEN_BACK,
    K.RECEIPT_NOTICE: _TAKEN_ON,
    K.PASS_ON: _TAKEN_ON - {"delivery.registered"},
    K.PROCESS: _OVER | {"delivery.completed"},
    K.CHANGE_ANSWER: _OVER | {f"{change}.{answer}" for change in _CHANGES for answer in ("agreed", "declined")},
    K.HAND_OVER: _TAKEN_ON | {"delivery.handed_over", "delivery.failed", "delivery.consigned"},
    K.ARRIVAL: _TAKEN_ON | {"delivery.consigned", "delivery.failed"},
    K.FIX_FAILED: _TAKEN_ON | {"delivery.requeued", "delivery.handed_over", "delivery.consigned"},
    K.EXPIRES_AT: _TAKEN_ON,
    K.STAMP: frozenset(),
}
"""The events that end a running deadline of their own document or delivery. A stamp is ended by the stamp itself."""


def moments(kind: DeadlineKind, at: datetime, calendar: Calendar, until: datetime | None = None) -> Moments:
    """When a deadline that starts at `at` warns and is due.

    `until` is the end that somebody named: of `process` and `expires_at` always, of `hand_over` where the schedule is
    another. A warning before the start is given at half of the working time instead, none at or after the end.
    """
    found = _MOMENTS[kind](calendar, at, until)
    warn = found.warn if found.warn is not None and found.warn < found.due else None
    soon = found.soon if found.soon is not None and max(warn or at, at) < found.soon < found.due else None
    return Moments(found.due, warn, soon)


def starts(type_: str, about: Document | Delivery) -> Iterator[DeadlineKind]:
    """The deadlines that an event starts by itself; those with an end that somebody named are started by its act."""
    if isinstance(about, Document):
        if type_ == "document.signed":
            yield K.ISSUE if about.urgency is Urgency.NORMAL else K.ISSUE_URGENT
            yield K.REGISTER_OUT
        elif type_ == "document.numbered":
            yield K.NUMBER_UNUSED
        return
    here = about.channel is Channel.LOCAL
    if type_ == "delivery.consigned":
        yield K.RECEIPT_NOTICE
    elif type_ == "delivery.registered" and here:
        yield K.PASS_ON
    elif type_ in ("delivery.queued", "delivery.requeued"):
        yield K.HAND_OVER
    elif type_ == "delivery.handed_over" and about.channel is not Channel.PAPER:
        yield K.ARRIVAL
    elif type_ == "delivery.failed":
        yield K.FIX_FAILED
    elif type_ in {f"{change}.requested" for change in _CHANGES}:
        yield K.CHANGE_ANSWER


def ended_by(type_: str) -> frozenset[DeadlineKind]:
    """The kinds that an event ends."""
    return frozenset(kind for kind, events in ENDS.items() if type_ in events)


def timetable(deadline: Deadline) -> list[tuple[datetime, str]]:
    """What it does and when, in order: at most two warnings, then the end unless that is an act of its own."""
    ends = None if deadline.kind in ACTS_ITSELF else deadline.due
    planned = ((deadline.warn, WARNED), (deadline.soon, SOON), (ends, OVERDUE))
    return sorted((at, mark) for at, mark in planned if at is not None)


def to_come(deadline: Deadline, done: frozenset[str]) -> datetime | None:
    """When it has something to do next, None when it has not."""
    return next((at for at, mark in timetable(deadline) if mark not in done), None)


def mark_at(deadline: Deadline) -> str:
    """What it does at its `next_at`."""
    return next(mark for at, mark in timetable(deadline) if at == deadline.next_at)


def state_after(mark: str) -> DeadlineState:
    """The state of a deadline that has done so."""
    return DeadlineState.OVERDUE if mark == OVERDUE else DeadlineState.WARNED


def end_of(day: date, calendar: Calendar) -> datetime:
    """The end that somebody named by a day: that of its working hours."""
    return calendar.end_of_day(day)


def _same_day(calendar: Calendar, at: datetime, due: datetime) -> datetime:
    """The end of the working day on which it began; half of the time when there is none left of it."""
    today = local_day(at)
    closing = calendar.end_of_day(today)
    return closing if calendar.is_working(today) and at < closing else calendar.half_way(at, due)


def _told(until: datetime | None) -> datetime:
    if until is None:
        raise ValueError("this deadline ends when somebody said")
    return until
