"""All SQL of the clock: the calendar's versions, deadlines and what each has done, in the caller's transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from exchange.errors import StateChanged
from exchange.rules.calendar import (
    ORDINARY_HOURS,
    Calendar,
    CalendarYear,
    DayKind,
    DayMark,
    Grade,
    Hours,
)
from exchange.rules.model import Deadline, DeadlineKind, DeadlineState
from exchange.storage import tables as t
from exchange.storage.ledger_store import HasConnection

_here = t.deadlines.c
_OPEN = _here.state != DeadlineState.ENDED


@dataclass(frozen=True, slots=True)
class CalendarChange:
    """One version of the calendar: who decided what about a year, or (None) about the hours, and when."""

    version: int
    year: int | None
    source: str
    grade: Grade
    person: str
    at: datetime


class DeadlineStore:
    """The clock's rows."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def of(cls, store: HasConnection) -> "DeadlineStore":
        """The clock in the same transaction as the room's store."""
        return cls(store.connection)

    # -- the calendar --

    def calendar(self) -> Calendar:
        """The calendar as it stands now."""
        rows = self.connection.execute(select(t.calendar).order_by(t.calendar.c.version)).all()
        hours, years = ORDINARY_HOURS, {}
        for row in rows:
            if row.year is None:
                hours = _hours(row.told)
            else:
                years[row.year] = CalendarYear(row.year, row.source, Grade(row.grade), _days(row.told))
        return Calendar.of(rows[-1].version if rows else 0, hours, years.values())

    def decide_year(self, year: CalendarYear, person: str, at: datetime) -> int:
        """Add a version that says what that year is; the number of the version. Raises `StateChanged`."""
        told = [{"day": mark.day.isoformat(), "kind": mark.kind, "name": mark.name} for mark in year.days]
        return self._decide(year.year, year.source, year.grade, told, person, at)

    def decide_hours(self, hours: Hours, source: str, person: str, at: datetime) -> int:
        """Add a version that says when offices work; the number of the version. Raises `StateChanged`."""
        told = [[begin.isoformat("minutes"), end.isoformat("minutes")] for begin, end in hours.spans]
        return self._decide(None, source, Grade.CONFIRMED, told, person, at)

    def changes(self) -> list[CalendarChange]:
        """Every version, newest first."""
        rows = self.connection.execute(select(t.calendar).order_by(t.calendar.c.version.desc()))
        return [CalendarChange(r.version, r.year, r.source, Grade(r.grade), r.person, r.at) for r in rows]

    def _decide(self, year: int | None, source: str, grade: Grade, told: Any, person: str, at: datetime) -> int:
        version = int(self.connection.scalar(select(func.max(t.calendar.c.version))) or 0) + 1
        values = {"year": year, "source": source, "grade": grade, "told": told, "person": person, "at": at}
        try:
            self.connection.execute(insert(t.calendar).values(version=version, **values))
        except IntegrityError as error:  # somebody decided at the same moment, and saw the same calendar before
            raise StateChanged(state=f"v{version}") from error
        return version

    # -- deadlines --

    def add(self, deadlines: Sequence[Deadline]) -> None:
        """Start deadlines, in one statement however many there are."""
        if deadlines:
            self.connection.execute(insert(t.deadlines), [_values(deadline) for deadline in deadlines])

    def running(
        self, subject: str, kinds: Collection[DeadlineKind] | None = None, *, inward: bool | None = None
    ) -> list[Deadline]:
        """Those of a subject that have not ended, of some kinds or all; with `inward` only those so seen."""
        wanted = select(t.deadlines).where(_here.subject == subject, _OPEN)
        if kinds is not None:
            wanted = wanted.where(_here.kind.in_(list(kinds)))
        if inward is not None:
            wanted = wanted.where(_here.inward.is_(inward))
        return [_deadline(row) for row in self.connection.execute(wanted.order_by(_here.due, _here.id))]

    def of_subjects(self, subjects: Iterable[str]) -> dict[str, list[Deadline]]:
        """The deadlines of several subjects that have not ended, each list by due moment."""
        wanted = select(t.deadlines).where(_here.subject.in_(list(subjects)), _OPEN).order_by(_here.due, _here.id)
        found: dict[str, list[Deadline]] = {}
        for row in self.connection.execute(wanted):
            found.setdefault(row.subject, []).append(_deadline(row))
        return found

    def every(self, subject: str) -> list[Deadline]:
        """All deadlines of a subject, ended ones too, in the order in which they started."""
        wanted = select(t.deadlines).where(_here.subject == subject).order_by(_here.started_at, _here.id)
        return [_deadline(row) for row in self.connection.execute(wanted)]

    def open_before(self, calendar: int) -> list[str]:
        """Ids of those that have not ended and were not overdue, computed with an older calendar."""
        late = DeadlineState.OVERDUE
        wanted = select(_here.id).where(_OPEN, _here.state != late, _here.calendar < calendar)
        return list(self.connection.scalars(wanted.order_by(_here.id)))

    def deadline(self, deadline: str) -> Deadline | None:
        """One deadline as it is now."""
        row = self.connection.execute(select(t.deadlines).where(_here.id == deadline)).first()
        return _deadline(row) if row else None

    def due(self, now: datetime, most: int) -> list[Deadline]:
        """Those with something to do by now, the longest waiting first."""
        wanted = select(t.deadlines).where(_here.next_at <= now).order_by(_here.next_at, _here.id)
        return [_deadline(row) for row in self.connection.execute(wanted.limit(most))]

    def change(self, before: Deadline, after: Deadline) -> bool:
        """Write `after` where the row is still as it was; False when somebody else was faster."""
        same = _here.next_at.is_(None) if before.next_at is None else _here.next_at == before.next_at
        here = (_here.id == before.id) & (_here.state == before.state) & (_here.calendar == before.calendar) & same
        return self.connection.execute(update(t.deadlines).where(here).values(_values(after))).rowcount == 1

    def end(self, deadlines: Sequence[Deadline], at: datetime) -> None:
        """What they waited for happened."""
        ids = [deadline.id for deadline in deadlines]
        ended = update(t.deadlines).where(_here.id.in_(ids)).values(state="ended", next_at=None, ended_at=at)
        self.connection.execute(ended)

    def mark(self, deadline: str, mark: str, event: str) -> None:
        """It did so, once for good."""
        self.connection.execute(insert(t.deadline_marks).values(deadline=deadline, mark=mark, event=event))

    def marks(self, deadline: str) -> frozenset[str]:
        """What it did."""
        marks = t.deadline_marks.c
        return frozenset(self.connection.scalars(select(marks.mark).where(marks.deadline == deadline)))

    def take(self, subjects: Iterable[str]) -> frozenset[str]:
        """Those documents and deliveries that nobody else moves now: nobody will until the transaction ends.

        Whoever moves one has its row first, so nobody is waited for here. (SQLite has one writer anyway.)
        """
        wanted = list(subjects)
        taken: set[str] = {one for one in wanted if not one.startswith(("doc_", "dlv_"))}
        for table in (t.documents, t.deliveries):
            rows = select(table.c.id).where(table.c.id.in_(wanted)).order_by(table.c.id)
            taken.update(self.connection.scalars(rows.with_for_update(skip_locked=True)))
        return frozenset(taken)

    # -- lists --

    def counts(self, office: str) -> Mapping[str, int]:
        """How many of an office's own deadlines stand in each state but the ended."""
        wanted = select(_here.state, func.count()).where(_here.office == office, _OPEN).group_by(_here.state)
        return {row[0]: row[1] for row in self.connection.execute(wanted)}

    def late_recipients(self, office: str) -> int:
        """How many recipients of what an office sent are late with their notice of receipt."""
        wanted = select(func.count()).where(_here.other == office, _here.state == DeadlineState.OVERDUE)
        return int(self.connection.scalar(wanted.where(_here.kind == DeadlineKind.RECEIPT_NOTICE)) or 0)

    def of_office(
        self, office: str, state: DeadlineState, after: tuple[datetime, str] | None = None, most: int = 50
    ) -> list[Deadline]:
        """An office's own deadlines in a state, the first due first, after that one."""
        return self._listed(_here.office == office, state, after, most)

    def late_notices(self, office: str, after: tuple[datetime, str] | None = None, most: int = 50) -> list[Deadline]:
        """The overdue notices of receipt of what an office sent, the longest overdue first."""
        mine = (_here.other == office) & (_here.kind == DeadlineKind.RECEIPT_NOTICE)
        return self._listed(mine, DeadlineState.OVERDUE, after, most)

    def _listed(self, mine: Any, state: DeadlineState, after: tuple[datetime, str] | None, most: int) -> list[Deadline]:
        wanted = select(t.deadlines).where(mine, _here.state == state)
        if after is not None:
            moment, id_ = after
            wanted = wanted.where((_here.due > moment) | ((_here.due == moment) & (_here.id > id_)))
        return [_deadline(row) for row in self.connection.execute(wanted.order_by(_here.due, _here.id).limit(most))]


def _values(deadline: Deadline) -> dict[str, Any]:
    return {name: getattr(deadline, name) for name in deadline.__dataclass_fields__}


def _deadline(row: Row[Any]) -> Deadline:
    values = {column.name: getattr(row, column.name) for column in t.deadlines.c}
    made = Deadline(**values)
    return replace(made, kind=DeadlineKind(row.kind), state=DeadlineState(row.state))


def _hours(told: Any) -> Hours:
    return Hours(tuple((time.fromisoformat(begin), time.fromisoformat(end)) for begin, end in told))


def _days(told: Any) -> tuple[DayMark, ...]:
    return tuple(DayMark(date.fromisoformat(one["day"]), DayKind(one["kind"]), one["name"]) for one in told)
