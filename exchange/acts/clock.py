"""Deadlines start and end in the transaction of the act that starts or ends them (exchange page §7).

`record.py` calls `ended` and `started` with every event, by the tables of `rules/deadlines.py`; an act that names an
end (a due day, an expiry) starts that deadline itself with `start_deadline`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from heapq import heapify, heappop, heappush

from exchange.rules.calendar import Calendar, passed
from exchange.rules.deadlines import (
    OVERDUE,
    OWN_OFFICE,
    SENDERS,
    SOON,
    WARNED,
    end_of,
    ended_by,
    mark_at,
    moments,
    starts,
    state_after,
    to_come,
)
from exchange.rules.ids import new_id
from exchange.rules.model import Deadline, DeadlineKind, DeadlineState, Delivery, Document, Event
from exchange.storage.deadline_store import DeadlineStore
from exchange.storage.store import Transaction

EVENTS = {WARNED: "clock.warned", SOON: "clock.warned", OVERDUE: "clock.overdue"}
SERVICE = "service"
"""The subject of the deadlines that are about no document: the ledger's own."""

About = Document | Delivery | None
Write = Callable[[Transaction, str, Deadline, About, datetime], Event]
"""Records that a deadline did something: `record.record_clock`."""


def start_deadline(
    tx: Transaction,
    kind: DeadlineKind,
    about: About,
    *,
    at: datetime,
    until: datetime | None = None,
    day: date | None = None,
    inward: bool = False,
) -> Deadline | None:
    """Start one deadline of a document or delivery; None when one of that kind runs already.

    `until` or `day` is the end that somebody named (`process`, `expires_at`, another schedule for `hand_over`).
    `inward` keeps a delivery's deadline inside the receiving office, as an instruction's.
    """
    store = DeadlineStore.of(tx.store)
    made = computed(kind, about, store.calendar(), at=at, until=until, day=day, inward=inward)
    if store.running(made.subject, [kind], inward=made.inward):
        return None
    store.add([made])
    return made


def started(tx: Transaction, type_: str, about: Document | Delivery, at: datetime) -> None:
    """Start what an event of a document or delivery starts by itself, unless it runs already."""
    kinds = list(starts(type_, about))
    if kinds:
        store = DeadlineStore.of(tx.store)
        running, calendar = {one.kind for one in store.running(about.id, kinds)}, store.calendar()
        store.add([computed(kind, about, calendar, at=at) for kind in kinds if kind not in running])


def started_together(tx: Transaction, type_: str, new: Sequence[Delivery], at: datetime) -> None:
    """Start what an event starts for all recipients of an issue, in one statement however many there are."""
    store = DeadlineStore.of(tx.store)
    calendar = store.calendar()
    store.add([computed(kind, one, calendar, at=at) for one in new for kind in starts(type_, one)])


def ended(tx: Transaction, type_: str, about: Document | Delivery, at: datetime, write: Write) -> None:
    """End what an event ends. What a deadline should have done before, and nobody was there to do it, it does first."""
    kinds = ended_by(type_)
    if not kinds:
        return
    store = DeadlineStore.of(tx.store)
    running = store.running(about.id, kinds)
    if running:
        catch_up(tx, [(deadline, about) for deadline in running], at, write)
        store.end(running, at)


def catch_up(tx: Transaction, late: Iterable[tuple[Deadline, About]], now: datetime, write: Write) -> list[Event]:
    """Let deadlines do what they should have done by now, the longest missed first and each once.

    Only their own state changes.
    """
    waiting = {deadline.id: (deadline, about) for deadline, about in late}
    line = [(at, id_) for id_, (deadline, _) in waiting.items() if (at := deadline.next_at) and passed(at, now)]
    heapify(line)
    events = []
    while line:
        _, id_ = heappop(line)
        deadline, about = waiting[id_]
        after, event = _next_mark(tx, deadline, about, now, write)
        waiting[id_] = after, about
        events.append(event)
        if after.next_at is not None and passed(after.next_at, now):
            heappush(line, (after.next_at, id_))
    return events


def _next_mark(
    tx: Transaction, deadline: Deadline, about: About, now: datetime, write: Write
) -> tuple[Deadline, Event]:
    store, mark = DeadlineStore.of(tx.store), mark_at(deadline)
    event = write(tx, EVENTS[mark], deadline, about, now)
    store.mark(deadline.id, mark, event.id)
    late = now if mark == OVERDUE else deadline.overdue_at
    following = to_come(deadline, store.marks(deadline.id))
    after = replace(deadline, state=state_after(mark), next_at=following, overdue_at=late)
    store.change(deadline, after)
    return after, event


def computed(
    kind: DeadlineKind,
    about: About,
    calendar: Calendar,
    *,
    at: datetime,
    until: datetime | None = None,
    day: date | None = None,
    inward: bool = False,
) -> Deadline:
    """The deadline with its moments, frozen with the version of the calendar."""
    found = moments(kind, at, calendar, end_of(day, calendar) if day is not None else until)
    office, other = _who(kind, about)
    made = Deadline(
        id=new_id("dln", at), kind=kind, subject=about.id if about else SERVICE, office=office,
        other=None if inward else other, inward=inward or kind in OWN_OFFICE, started_at=at, warn=found.warn,
        soon=found.soon, due=found.due, calendar=calendar.version, state=DeadlineState.RUNNING, next_at=None,
        until=until, day=day,
    )  # fmt: skip
    return replace(made, next_at=to_come(made, frozenset()))


def moved(deadline: Deadline, calendar: Calendar, done: frozenset[str]) -> Deadline:
    """The same deadline by another calendar: what it did stays done."""
    until = end_of(deadline.day, calendar) if deadline.day is not None else deadline.until
    found = moments(deadline.kind, deadline.started_at, calendar, until)
    after = replace(deadline, warn=found.warn, soon=found.soon, due=found.due, calendar=calendar.version)
    return replace(after, next_at=to_come(after, done))


def _who(kind: DeadlineKind, about: About) -> tuple[str, str | None]:
    """Whose act it waits for, and the other side where it is told too."""
    if about is None:
        return SERVICE, None
    if isinstance(about, Document):
        return about.office, None
    if kind in SENDERS:
        return about.sender, None
    return about.office, None if kind in OWN_OFFICE else about.sender


def about(tx: Transaction, deadline: Deadline) -> About:
    """The document or delivery of a deadline, as it is now; None for the ledger's own."""
    if deadline.subject.startswith("dlv_"):
        return tx.store.delivery(deadline.subject)
    return tx.store.document(deadline.subject)
