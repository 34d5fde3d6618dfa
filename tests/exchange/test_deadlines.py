"""Deadlines: when each warns and is due (exchange page §7), what starts and ends it, and that each does it once."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.acts import desk, receive, send, watch
from exchange.acts.calendar import decide_hours
from exchange.acts.clock import start_deadline
from exchange.errors import DueInvalid, StateChanged
from exchange.rules.calendar import ORDINARY_HOURS, ZONE, Calendar
from exchange.rules.deadlines import ACTS_ITSELF, ENDS, moments, starts, timetable
from exchange.rules.events import TYPES
from exchange.rules.holidays import shipped_years
from exchange.rules.model import Actor, Channel, Deadline, DeadlineKind, DeadlineState, Delivery, RecipientSpec, Role
from exchange.storage.deadline_store import DeadlineStore
from tests.exchange.values import CLERK, DAY, OFFICE, OTHER, RECEIVER, arrival_report, delivery, document, sealed
from tests.exchange.walk import LEAD, Walk

K, S = DeadlineKind, DeadlineState
ADMINISTRATOR = Actor("p_administrator", OFFICE, frozenset({Role.SYSTEM_ADMIN}))
CALENDAR = Calendar.of(4, ORDINARY_HOURS, shipped_years())


def at(text: str) -> datetime:
    """A moment as a clock in Vietnam shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


@pytest.fixture
def together() -> Callable[[Sequence[Callable[[], None]]], None]:
    """`together(acts)` does them in threads of their own, begun at the same moment."""

    def run(acts: Sequence[Callable[[], None]]) -> None:
        barrier = Barrier(len(acts))

        def one(act: Callable[[], None]) -> None:
            barrier.wait()
            act()

        with ThreadPoolExecutor(len(acts)) as pool:
            for done in [pool.submit(one, act) for act in acts]:
                done.result()

    return run


# -- moments --

TABLE = [
    # kind, start, warns, due
    (K.ISSUE, "2026-08-05 09:12", "2026-08-05 17:00", "2026-08-06 11:30"),
    (K.ISSUE, "2026-08-07 16:00", "2026-08-07 17:00", "2026-08-10 11:30"),
    (K.ISSUE, "2026-08-09 10:00", "2026-08-10 09:30", "2026-08-10 11:30"),
    (K.ISSUE, "2026-02-13 08:00", "2026-02-13 17:00", "2026-02-23 11:30"),
    (K.ISSUE, "2025-12-31 10:00", "2025-12-31 17:00", "2026-01-05 11:30"),
    (K.ISSUE_URGENT, "2026-02-17 03:00", "2026-02-17 03:10", "2026-02-17 03:30"),
    (K.REGISTER_OUT, "2026-08-05 09:12", "2026-08-05 17:00", "2026-08-06 17:00"),
    (K.REGISTER_OUT, "2026-08-21 09:00", "2026-08-21 17:00", "2026-08-22 17:00"),
    (K.RECEIPT_NOTICE, "2026-08-05 09:12", "2026-08-05 15:00", "2026-08-05 17:00"),
    (K.RECEIPT_NOTICE, "2026-08-05 15:00", "2026-08-05 16:00", "2026-08-05 17:00"),
    (K.RECEIPT_NOTICE, "2026-08-05 18:00", "2026-08-06 15:00", "2026-08-06 17:00"),
    (K.RECEIPT_NOTICE, "2026-02-14 09:00", "2026-02-23 15:00", "2026-02-23 17:00"),
    (K.RECEIPT_NOTICE, "2024-02-29 23:30", "2024-03-01 15:00", "2024-03-01 17:00"),
    (K.PASS_ON, "2026-08-05 09:12", "2026-08-05 17:00", "2026-08-06 17:00"),
    (K.CHANGE_ANSWER, "2026-08-05 09:30", "2026-08-06 08:30", "2026-08-06 17:00"),
    (K.ARRIVAL, "2026-08-05 09:12", "2026-08-05 17:00", "2026-08-06 17:00"),
    (K.FIX_FAILED, "2026-08-05 09:12", "2026-08-05 09:12", "2026-08-06 17:00"),
    (K.NUMBER_UNUSED, "2026-12-31 16:59", "2026-12-31 17:00", "2027-01-04 17:00"),
    (K.HAND_OVER, "2026-02-13 16:00", "2026-02-13 16:15", "2026-02-15 16:00"),
    (K.STAMP, "2026-02-17 00:00", "2026-02-17 00:05", "2026-02-17 00:15"),
]


@pytest.mark.parametrize(("kind", "start", "warn", "due"), TABLE)
def test_each_kind_warns_and_is_due_when_the_design_says(kind, start, warn, due):
    found = moments(kind, at(start), CALENDAR)

    assert (found.warn, found.due, found.soon) == (at(warn), at(due), None)


def test_every_kind_without_an_end_that_somebody_names_is_in_that_table():
    assert {kind for kind, *_ in TABLE} == set(K) - {K.PROCESS, K.EXPIRES_AT}


@pytest.mark.parametrize(
    ("start", "day", "warn"),
    [
        ("2026-08-05 09:12", "2026-08-20", "2026-08-18 17:00"),
        ("2026-02-10 09:00", "2026-02-23", "2026-02-12 17:00"),
        ("2026-08-20 09:12", "2026-08-20", "2026-08-20 09:12"),
    ],
    ids=["two working days before", "before Tết", "there is no time left to warn"],
)
def test_work_is_due_at_the_end_of_the_day_that_was_named(start, day, warn):
    found = moments(K.PROCESS, at(start), CALENDAR, CALENDAR.end_of_day(date.fromisoformat(day)))

    assert (found.warn, found.due) == (at(warn), at(f"{day} 17:00"))


def test_what_expires_warns_at_half_time_and_a_working_day_before():
    found = moments(K.EXPIRES_AT, at("2026-08-03 07:30"), CALENDAR, at("2026-08-14 17:00"))

    assert (found.warn, found.soon, found.due) == (
        at("2026-08-07 17:00"), at("2026-08-13 17:00"), at("2026-08-14 17:00"),
    )  # fmt: skip


starts_at = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 20), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=60, deadline=None)
@given(starts_at, st.sampled_from(sorted(K)), st.timedeltas(timedelta(hours=1), timedelta(days=60)))
def test_i26_moments_are_pure_and_in_order(start, kind, ahead):
    until = start + ahead if kind in (K.PROCESS, K.EXPIRES_AT) else None
    found = moments(kind, start, CALENDAR, until)

    assert found == moments(kind, start.astimezone(ZONE), CALENDAR, until)
    assert start < found.due
    planned = [one for one in (found.warn, found.soon, found.due) if one is not None]
    assert planned == sorted(set(planned))
    assert planned[0] >= start


# -- what starts and ends them --


def test_what_starts_or_ends_a_deadline_is_a_declared_event():
    later = {"delivery.queued", "delivery.requeued", "delivery.handed_over", "delivery.failed", "delivery.expired"}
    later |= {"delivery.withdrawn", "delivery.redirected", "delivery.replaced"}
    later |= {f"{change}.{word}" for change in ("recall", "update", "replace") for word in ("agreed", "declined")}

    assert {type_ for types in ENDS.values() for type_ in types} <= set(TYPES) | later
    assert ENDS.keys() == set(K)


def test_a_deadline_waits_for_the_side_that_has_to_act():
    there = delivery(channel=Channel.EDXML)

    assert list(starts("delivery.handed_over", there)) == [K.ARRIVAL]
    assert list(starts("delivery.handed_over", delivery(channel=Channel.PAPER))) == []
    assert list(starts("delivery.registered", there)) == [], "how another system passes it on is its own affair"
    assert list(starts("document.signed", document())) == [K.ISSUE, K.REGISTER_OUT]


def of(walk: Walk, subject: str) -> dict[tuple[K, bool], Deadline]:
    """All deadlines of a subject by kind, and whether only their office sees them."""
    with walk.parts.read() as reading:
        return {(one.kind, one.inward): one for one in DeadlineStore.of(reading.exchange).every(subject)}


def states(walk: Walk, subject: str) -> dict[str, S]:
    return {kind.value: one.state for (kind, _), one in of(walk, subject).items()}


def told(walk: Walk, subject: str) -> list[tuple[str, str]]:
    """The clock's events about a document or delivery, in order: type and kind of deadline."""
    with walk.parts.read() as reading:
        mine = {"delivery": subject} if subject.startswith("dlv_") else {"document": subject}
        events = [event for event in reading.exchange.events_of(**mine) if event.type.startswith("clock.")]
    return [(event.type, json.loads(event.body)["data"]["kind"]) for event in events]


def tick(walk: Walk, moment: datetime) -> None:
    """What the worker does at that moment."""
    while True:
        with walk.parts.write() as writing:
            if not watch.deadlines_due(writing.tx, at=moment, most=200):
                return


def test_a_signed_document_waits_to_be_registered_and_issued_and_each_act_ends_its_own(walk):
    here = walk.up_to("sign")
    assert states(walk, here.id) == {"issue": S.RUNNING, "register_out": S.RUNNING}
    here = walk.do("number", here)
    assert states(walk, here.id) == {"issue": S.RUNNING, "register_out": S.ENDED, "number_unused": S.RUNNING}
    here = walk.do("issue", walk.do("seal", here))
    assert set(states(walk, here.id).values()) == {S.ENDED}
    assert of(walk, here.id)[K.ISSUE, True].calendar == 4, "frozen with the version of the calendar"


@pytest.mark.parametrize("back", ["return_", "cancel"])
def test_going_back_ends_every_clock_of_a_document(walk, back):
    here = walk.after("submit", "sign", "number", back)

    assert set(states(walk, here.id).values()) == {S.ENDED}


def test_a_second_signature_after_a_return_starts_anew(walk):
    here = walk.after("submit", "sign", "return_", "edit", "submit", "sign")
    with walk.parts.read() as reading:
        every = DeadlineStore.of(reading.exchange).every(here.id)

    assert [one.state for one in every if one.kind is K.ISSUE] == [S.ENDED, S.RUNNING]


def arrival_due(walk: Walk, day: date) -> Delivery:
    """An arrival whose sender asks for an answer by that day."""
    here = walk.up_to("seal")
    with walk.parts.write() as writing:
        _, _, (made,), _ = send.issue(
            writing.tx, CLERK, here.id, here.version, [RecipientSpec(office=OTHER)], report=sealed(), on=DAY,
            at=walk.at(), due=day,
        )  # fmt: skip
    return made


def test_an_arrival_is_to_be_registered_passed_on_and_worked_on_by_the_day_that_was_asked(walk):
    here = arrival_due(walk, DAY + timedelta(days=9))
    assert states(walk, here.id) == {"receipt_notice": S.RUNNING}
    notice = of(walk, here.id)[K.RECEIPT_NOTICE, False]
    assert (notice.office, notice.other) == (OTHER, OFFICE)

    here = walk.do_delivery("register", here)
    assert states(walk, here.id) == {"receipt_notice": S.ENDED, "pass_on": S.RUNNING, "process": S.RUNNING}
    with walk.parts.write() as writing:
        here, _ = desk.assign(
            writing.tx, RECEIVER, here.id, here.version, lead=LEAD.id, due=DAY + timedelta(days=5), at=walk.at()
        )
    both = of(walk, here.id)
    assert both[K.PASS_ON, True].state is S.ENDED
    assert both[K.PROCESS, False].due == at("2026-08-14 17:00")
    assert both[K.PROCESS, True].due == at("2026-08-10 17:00"), "the instruction's day is the office's own affair"
    assert both[K.PROCESS, True].other is None

    walk.do_delivery("complete", here)
    assert set(states(walk, here.id).values()) == {S.ENDED}


def test_a_day_that_is_over_is_no_due_date(walk):
    with pytest.raises(DueInvalid):
        arrival_due(walk, DAY - timedelta(days=1))
    here = walk.arrival("register")
    for day in (DAY - timedelta(days=1), date(9999, 12, 31)):
        with pytest.raises(DueInvalid), walk.parts.write() as writing:
            desk.assign(writing.tx, RECEIVER, here.id, here.version, lead=LEAD.id, due=day, at=walk.at())


# -- what the clock does --


def test_a_late_recipient_is_warned_then_overdue_on_both_sides_and_nothing_moves(walk):
    here = walk.arrival()
    tick(walk, at("2026-08-05 14:59"))
    assert told(walk, here.id) == []
    tick(walk, at("2026-08-05 15:00"))
    tick(walk, at("2026-08-05 16:59"))
    assert told(walk, here.id) == [("clock.warned", "receipt_notice")]
    tick(walk, at("2026-08-05 17:00"))
    tick(walk, at("2026-08-06 17:00"))

    assert told(walk, here.id) == [("clock.warned", "receipt_notice"), ("clock.overdue", "receipt_notice")]
    with walk.parts.read() as reading:
        after = reading.exchange.delivery(here.id)
        body = json.loads(reading.exchange.events_of(delivery=here.id)[-1].body)
    assert (after.state, after.version) == (here.state, here.version)
    assert (body["from"], body["to"], body["version"]) == ("consigned", "consigned", 1)
    assert body["parties"] == {"sender": OFFICE, "recipient": OTHER}
    assert body["data"]["due"] == "2026-08-05T10:00:00.000Z"
    assert body["actor"]["role"] == "service"


def test_what_was_missed_while_nobody_was_there_is_caught_up_in_order_and_each_once(walk):
    here = walk.up_to("number")
    tick(walk, at("2026-09-30 12:00"))

    assert sorted(told(walk, here.id)[:2]) == [("clock.warned", "issue"), ("clock.warned", "number_unused")]
    assert told(walk, here.id)[2:] == [("clock.overdue", "issue"), ("clock.overdue", "number_unused")]


def test_an_act_that_comes_too_late_says_first_that_it_was_late(walk):
    here = walk.arrival()
    with walk.parts.write() as writing:
        sent = receive.sent_file(writing.tx.store, here)
        report = replace(arrival_report(), file=sent.sha256, sha256=here.id[-32:] * 2)
        receive.register(
            writing.tx, RECEIVER, here.id, here.version, sha256=sent.sha256, report=report,
            incoming_date=DAY, at=at("2026-08-05 17:00"),
        )  # fmt: skip
    with walk.parts.read() as reading:
        types = [event.type for event in reading.exchange.events_of(delivery=here.id)]

    assert types == ["delivery.consigned", "clock.warned", "clock.overdue", "delivery.registered"]
    assert of(walk, here.id)[K.RECEIPT_NOTICE, False].overdue_at == at("2026-08-05 17:00")


def test_the_clocks_events_are_links_of_the_chain_that_both_sides_see(walk):
    here = walk.arrival()
    tick(walk, at("2026-08-05 17:00"))
    walk.do_delivery("register", here)
    with walk.parts.read() as reading:
        events = [one for one in reading.exchange.events_of(delivery=here.id) if not one.inward]
    before = None
    for event in events:
        assert json.loads(event.body)["prev"] == before
        before = event.leaf.hex()


def test_what_is_an_offices_own_affair_is_not_told_outside(walk):
    here = walk.arrival("register")
    tick(walk, at("2026-08-06 17:00"))
    with walk.parts.read() as reading:
        late = [one for one in reading.exchange.events_of(delivery=here.id) if one.type == "clock.overdue"]

    assert [(one.inward, one.office) for one in late] == [(True, OTHER)]


def test_an_expiry_warns_and_leaves_its_end_to_the_act_that_ends(walk):
    here = walk.arrival()
    with walk.parts.write() as writing:
        made = start_deadline(writing.tx, K.EXPIRES_AT, here, at=here.since, until=at("2026-08-14 17:00"))
        again = start_deadline(writing.tx, K.EXPIRES_AT, here, at=here.since, until=at("2026-08-15 17:00"))
    assert again is None, "one of a kind runs at a time"
    assert {mark for _, mark in timetable(made)} == {"warned", "soon"}
    tick(walk, at("2026-09-14 17:00"))

    assert [kind for _, kind in told(walk, here.id)].count("expires_at") == 2
    assert K.EXPIRES_AT in ACTS_ITSELF
    assert of(walk, here.id)[K.EXPIRES_AT, False].state is S.WARNED


def test_two_workers_at_once_say_everything_once(walk, together: Callable[[Sequence[Callable[[], None]]], None]):
    arrivals = [walk.arrival() for _ in range(6)]
    moment = at("2026-08-06 09:00")
    together([lambda: tick(walk, moment)] * 4)
    tick(walk, moment)

    for here in arrivals:
        assert told(walk, here.id) == [("clock.warned", "receipt_notice"), ("clock.overdue", "receipt_notice")]


def test_a_registration_and_the_worker_at_once_leave_one_story(walk, together):
    arrivals = [walk.arrival() for _ in range(6)]
    moment = at("2026-08-05 17:00")
    acts = [lambda: tick(walk, moment), lambda: tick(walk, moment)]
    acts += [lambda one=one: walk.do_delivery("register", one) for one in arrivals]
    together(acts)
    tick(walk, moment)

    for here in arrivals:
        with walk.parts.read() as reading:
            events = [one for one in reading.exchange.events_of(delivery=here.id) if not one.inward]
        late = [one.type for one in events if one.type == "clock.overdue"]
        prevs = [json.loads(one.body)["prev"] for one in events]
        assert len(late) <= 1
        assert prevs == [None, *(one.leaf.hex() for one in events[:-1])], "the chain has no fork"


def test_of_two_decisions_at_once_on_postgresql_one_is_told_to_look_again_and_each_version_is_one_decision(
    walk, together
):
    def decide() -> None:
        try:
            with walk.parts.write() as writing:
                decide_hours(writing.tx, ADMINISTRATOR, ORDINARY_HOURS, "Thử", at=walk.at())
        except StateChanged:
            refused.append(True)

    refused: list[bool] = []
    before = versions(walk)
    together([decide] * 8)
    assert len(versions(walk)) == len(before) + 8 - len(refused)
    assert versions(walk) == list(range(len(versions(walk)), 0, -1))


def versions(walk) -> list[int]:
    with walk.parts.read() as reading:
        return [change.version for change in DeadlineStore.of(reading.exchange).changes()]
