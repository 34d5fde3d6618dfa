"""Days in Vietnam and the working time on them, from a calendar that is handed in as a value (exchange page §7).

Days and hours are those of Asia/Ho_Chi_Minh; instants go in and out in UTC. `in_time` and `passed` are the only
comparison of an act, or of now, with a deadline.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SATURDAY = 5


class DayKind(StrEnum):
    """An ordinary working day, a day of rest, or a day of rest that is worked in exchange for another (làm bù)."""

    WORK = "work"
    REST = "rest"
    MAKE_UP = "make_up"


class Grade(StrEnum):
    """How sure a year is: two independent sources or the decision itself, one source, or to be checked."""

    CONFIRMED = "confirmed"
    ONE_SOURCE = "one_source"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class DayMark:
    """A day that is not what its weekday says, or the name of one that is."""

    day: date
    kind: DayKind
    name: str


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """What was decided for a year; `source` names the decision. Days that are not marked follow their weekday."""

    year: int
    source: str
    grade: Grade
    days: tuple[DayMark, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """When offices work on a working day: spans of local time, in order. The first one ends with the morning."""

    spans: tuple[tuple[time, time], ...]

    @property
    def opening(self) -> time:
        return self.spans[0][0]

    @property
    def end_of_morning(self) -> time:
        return self.spans[0][1]

    @property
    def end(self) -> time:
        return self.spans[-1][1]


ORDINARY_HOURS = Hours(((time(7, 30), time(11, 30)), (time(13, 30), time(17, 0))))
"""Until an administrator says otherwise: our choice, no decree names them."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """All years as they stood at a version; the same version says the same for ever."""

    version: int
    hours: Hours
    years: Mapping[int, CalendarYear]
    marks: Mapping[date, DayKind]

    @classmethod
    def of(cls, version: int, hours: Hours, years: Iterable[CalendarYear]) -> "Calendar":
        """The calendar of these years."""
        known = {year.year: year for year in years}
        marks = {mark.day: mark.kind for year in known.values() for mark in year.days}
        return cls(version, hours, known, marks)

    def kind(self, day: date) -> DayKind:
        """What a day is. A year without data has its weekdays, nothing else."""
        marked = self.marks.get(day)
        if marked is not None:
            return marked
        return DayKind.REST if day.weekday() >= SATURDAY else DayKind.WORK

    def is_working(self, day: date) -> bool:
        """Whether offices work on that day."""
        return self.kind(day) is not DayKind.REST

    def next_working_day(self, day: date) -> date:
        """The first working day after `day`."""
        return next(d for d in _days_from(day + timedelta(days=1)) if self.is_working(d))

    def working_day_before(self, day: date, count: int = 1) -> date:
        """The working day `count` of them before `day`."""
        found = day
        while count:
            found -= timedelta(days=1)
            count -= self.is_working(found)
        return found

    def end_of_morning(self, day: date) -> datetime:
        """When the morning of a day ends."""
        return instant(day, self.hours.end_of_morning)

    def end_of_day(self, day: date) -> datetime:
        """When the working hours of a day end."""
        return instant(day, self.hours.end)

    def counts_from(self, at: datetime) -> datetime:
        """The moment itself within working hours, else the next opening: what comes in the night has come then."""
        return next(max(at, begin) for begin, end in self._spans_from(at) if at < end)

    def end_of_its_day(self, at: datetime) -> datetime:
        """The end of the working day that a moment counts to."""
        return self.end_of_day(local_day(self.counts_from(at)))

    def add_working_time(self, at: datetime, amount: timedelta) -> datetime:
        """The moment at which that much working time has gone by; a whole span ends it, never the next opening."""
        left = amount
        for begin, end in self._spans_from(at):
            free = end - max(at, begin)
            if timedelta(0) < free and left <= free:
                return max(at, begin) + left
            left -= max(free, timedelta(0))
        raise AssertionError  # the spans never end

    def working_time(self, begin: datetime, end: datetime) -> timedelta:
        """How much working time lies between two moments; none when the second is not later."""
        total = timedelta(0)
        for opens, closes in self._spans_from(begin):
            if opens >= end:
                break
            total += max(min(closes, end) - max(opens, begin), timedelta(0))
        return total

    def half_way(self, begin: datetime, end: datetime) -> datetime:
        """The moment, in whole seconds, at which half of the working time between the two is gone.

        Half of the time by the clock where no working time lies between them.
        """
        working = self.working_time(begin, end)
        if not working:
            return begin + _whole((end - begin) / 2)
        return self.add_working_time(begin, _whole(working / 2))

    def _spans_from(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Spans of working time on the day of `at` and after, for ever."""
        for day in _days_from(local_day(at)):
            if self.is_working(day):
                for begin, end in self.hours.spans:
                    yield instant(day, begin), instant(day, end)


def in_time(at: datetime, due: datetime) -> bool:
    """Whether an act at that moment is in time. Exactly at the deadline is too late."""
    return at < due


def passed(due: datetime, now: datetime) -> bool:
    """Whether the moment has come: the other side of `in_time`."""
    return not in_time(now, due)


def instant(day: date, at: time) -> datetime:
    """A day and time in Vietnam as an instant."""
    return datetime.combine(day, at, ZONE).astimezone(UTC)


def local_day(at: datetime) -> date:
    """The day in Vietnam on which an instant falls."""
    return at.astimezone(ZONE).date()


def missing_year(calendar: Calendar, today: date, ahead: timedelta = timedelta(days=92)) -> int | None:
    """The first year without data that is here or less than three months away; None when there is no such year."""
    near = sorted({today.year, (today + ahead).year})
    return next((year for year in near if year not in calendar.years), None)


def _days_from(day: date) -> Iterator[date]:
    while True:
        yield day
        day += timedelta(days=1)


def _whole(amount: timedelta) -> timedelta:
    return timedelta(seconds=amount // timedelta(seconds=1))
