"""What an administrator decides about time: a year of the calendar, the working hours, and that open deadlines follow.

A decision is a new version and changes no deadline by itself: each was frozen with the version it was computed with.
"""

from datetime import datetime

from exchange.acts import clock
from exchange.acts.record import record_clock
from exchange.errors import CalendarInvalid, NotAllowed
from exchange.rules.calendar import CalendarYear, DayKind, Hours
from exchange.rules.model import Actor, Deadline, Role
from exchange.storage.deadline_store import DeadlineStore
from exchange.storage.store import Transaction

MOST_NAME = 200
MOST_SOURCE = 500


def decide_year(tx: Transaction, actor: Actor, year: CalendarYear, *, at: datetime) -> int:
    """Act: what a year is from now on; the number of the calendar's new version.

    Raises `NotAllowed` for anybody but the system administrator, `CalendarInvalid`, and `StateChanged` when another
    decision was made at the same moment.
    """
    _require_administrator(actor)
    _require_whole(year)
    return DeadlineStore.of(tx.store).decide_year(year, actor.id, at)


def decide_hours(tx: Transaction, actor: Actor, hours: Hours, source: str, *, at: datetime) -> int:
    """Act: when offices work from now on; the number of the calendar's new version. Raises as `decide_year`."""
    _require_administrator(actor)
    _require_source(source)
    ends = [moment for span in hours.spans for moment in span]
    if not ends or ends != sorted(set(ends)):
        raise CalendarInvalid(what="giờ làm việc / hours")
    return DeadlineStore.of(tx.store).decide_hours(hours, source, actor.id, at)


def move_deadlines(tx: Transaction, actor: Actor, *, at: datetime) -> list[tuple[Deadline, Deadline]]:
    """Act: open deadlines follow the calendar as it stands now; those that move, before and after.

    What is overdue stays so: it was, by the calendar of its time. Each that moves is an event with old and new.
    """
    _require_administrator(actor)
    store = DeadlineStore.of(tx.store)
    calendar = store.calendar()
    moved = []
    for id_ in store.open_before(calendar.version):
        before = store.deadline(id_)
        assert before is not None  # noqa: S101 - deadlines are never deleted
        after = clock.moved(before, calendar, store.marks(id_))
        if (after.warn, after.soon, after.due) == (before.warn, before.soon, before.due):
            continue
        if not store.change(before, after):
            continue  # it ended, or became overdue, at this very moment
        data = {"was_due": before.due.isoformat(), "was_calendar": before.calendar}
        about = clock.about(tx, after)
        record_clock(tx, "clock.moved", after, about, at, actor=actor, role=Role.SYSTEM_ADMIN, data=data)
        moved.append((before, after))
    return moved


def _require_administrator(actor: Actor) -> None:
    if Role.SYSTEM_ADMIN not in actor.roles:
        raise NotAllowed(needed=Role.SYSTEM_ADMIN)


def _require_whole(year: CalendarYear) -> None:
    """A year says each day once, in itself, and no more than it must."""
    _require_source(year.source)
    days = [mark.day for mark in year.days]
    if not 2000 <= year.year <= 2999 or any(day.year != year.year for day in days):
        raise CalendarInvalid(what="ngày ngoài năm / a day of another year")
    if len(set(days)) < len(days):
        raise CalendarInvalid(what="một ngày ghi hai lần / a day twice")
    for mark in year.days:
        if not 0 < len(mark.name) <= MOST_NAME:
            raise CalendarInvalid(what="tên ngày / name of a day")
        if mark.kind is DayKind.MAKE_UP and mark.day.weekday() < 5:
            raise CalendarInvalid(what=f"làm bù vào ngày thường / make-up on a weekday: {mark.day}")


def _require_source(source: str) -> None:
    if not 0 < len(source.strip()) <= MOST_SOURCE:
        raise CalendarInvalid(what="căn cứ / source")
