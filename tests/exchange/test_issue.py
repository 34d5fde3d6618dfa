"""The acts on real rows: states are a fold of events, numbers have one life, a mass send is one small transaction."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from exchange.acts import issue
from exchange.acts import send as sending
from exchange.errors import (
    DuplicateReference,
    NotFound,
    NumberMoved,
    RecipientLocked,
    RecipientsEmpty,
    RecipientUnknown,
    SigningPending,
    StateChanged,
    WrongState,
)
from exchange.rules.lifecycle import DELIVERY_CODES, delivery_acts, document_acts
from exchange.rules.model import Delivery, DeliveryState, Document, DocumentState, Event, RecipientSpec
from tests.exchange.values import AT, CLERK, DAY, LEADER, OFFICE, OFFICER, OTHER, RECEIVER, document, office, sealed
from tests.exchange.walk import LEAD, RECIPIENTS, ROAD, Walk

# -- states are a fold of events --


OF_ATTACHMENTS = {"detach", "seal_attachment"}
"""Acts that need an attachment: `test_attachments.py` takes them."""


def bodies(events: list[Event]) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in events]


def folded(events: list[Event]) -> dict[str, Any]:
    """What a reader of the events alone knows of a document."""
    known: dict[str, Any] = {"state": None, "version": 0, "number": None, "void": set()}
    for body in bodies(events):
        if body["type"] == "number.voided":
            known["void"].add(body["data"]["written"])
            continue
        if not body["type"].startswith("document."):
            continue
        assert body["from"] == known["state"] or body["from"] == body["to"]
        assert body["version"] >= known["version"]
        known |= {"state": body["to"], "version": body["version"]}
        if body["type"] == "document.numbered":
            known["number"] = body["data"]["written"]
        if body["type"] == "document.reopened":
            known["number"] = None
    return known


@pytest.mark.parametrize("seed", range(8))
def test_the_events_of_a_document_rebuild_its_state_its_version_and_its_number(walk, seed):
    chance = random.Random(seed)
    here = walk.do("draft")
    for _ in range(25):
        acts = sorted({act for actor in (OFFICER, LEADER, CLERK) for act in document_acts(here, actor)})
        # the road more often than the ways back, so that walks come far
        acts = [act for act in acts if act in ROAD or (act not in OF_ATTACHMENTS and chance.random() < 0.3)]
        if here.state in ("issued", "cancelled"):
            break
        if not acts:
            continue
        act = chance.choice(acts)
        here = walk.do({"return": "return_"}.get(act, act), here)
    with walk.parts.read() as reading:
        events = [one for one in reading.exchange.events_of(document=here.id) if one.delivery is None]
        numbers = {n.written: n.state for n in reading.exchange.numbers_of("ser_qd") if n.document == here.id}
        row = reading.exchange.document(here.id)
    known = folded(events)
    assert (known["state"], known["version"]) == (row.state, row.version)
    assert known["number"] == (row.number.written if row.number else None)
    assert known["void"] == {written for written, state in numbers.items() if state == "void"}
    live = {"used"} if row.state == "issued" else {"taken"}
    assert {state for written, state in numbers.items() if written not in known["void"]} <= live


@pytest.mark.parametrize("seed", range(6))
def test_the_events_of_a_delivery_rebuild_its_state_and_its_arrival_number(walk, seed):
    chance = random.Random(seed)
    here = walk.arrival()
    for _ in range(6):
        assigned = LEAD.id if here.state in ("assigned", "processing") else None
        acts = sorted({act for actor in (RECEIVER, LEAD) for act in delivery_acts(here.state, actor, assigned)})
        acts = [act for act in acts if act != "refuse" or chance.random() < 0.2]
        if not acts:
            break
        here = walk.do_delivery(chance.choice(["open", *acts]), here)
    with walk.parts.read() as reading:
        outward = [one for one in reading.exchange.events_of(delivery=here.id) if not one.inward]
        row = reading.exchange.delivery(here.id)
    state, version, incoming, prev = None, 1, None, None
    for one, body in zip(outward, bodies(outward), strict=True):
        assert body["from"] == state
        assert body["prev"] == prev
        assert body["code"] == DELIVERY_CODES[body["to"]]
        state, version, prev = body["to"], body["version"], one.leaf.hex()
        incoming = body["data"].get("incoming_number", incoming)
    assert (state, version) == (row.state, row.version)
    assert incoming == (row.incoming.number if row.incoming else None)


# -- numbers --


def test_a_number_is_void_once_also_when_its_document_is_cancelled_later(walk):
    returned = walk.after("submit", "sign", "number", "return_")
    cancelled = walk.do("cancel", returned)
    with walk.parts.read() as reading:
        types = [one.type for one in reading.exchange.events_of(document=cancelled.id)]
        number = next(n for n in reading.exchange.numbers_of("ser_qd") if n.document == cancelled.id)
    assert types.count("number.voided") == 1
    assert (number.state, number.reason) == ("void", "Thiếu phụ lục")


def test_a_document_that_went_back_gets_the_next_number_and_the_old_one_keeps_its_stub(walk):
    returned = walk.after("submit", "sign", "number", "return_")
    again = returned
    for act in ("edit", "submit", "sign", "number"):
        again = walk.do(act, again)
    with walk.parts.read() as reading:
        mine = [(n.n, n.state) for n in reading.exchange.numbers_of("ser_qd") if n.document == again.id]
        chains = [revision.chain for revision in reading.exchange.revisions(again.id)]
    assert [state for _, state in mine] == ["void", "taken"]
    assert mine[1][0] == mine[0][0] + 1
    assert chains == [1, 1, 1, 2, 2, 2]


def test_whoever_filled_the_file_for_a_number_that_is_gone_is_told_the_next(walk):
    slow, fast = walk.up_to("sign"), walk.up_to("sign")
    with walk.parts.read() as reading:
        expected = issue.next_number(reading.exchange, CLERK, "qd", DAY)
        revision = issue.current(reading.exchange, slow)
    taken = walk.do("number", fast)
    with pytest.raises(NumberMoved) as moved, walk.parts.write() as writing:
        issue.number(writing.tx, CLERK, slow.id, slow.version, "qd", DAY, revision.file, expected, at=walk.at())
    assert moved.value.next_n == taken.number.n + 1


# -- who may not --


def test_another_offices_document_is_not_there(walk):
    here = walk.up_to("sign")
    stranger = document(id=here.id)
    with pytest.raises(NotFound), walk.parts.write() as writing:
        issue.submit(writing.tx, RECEIVER, stranger.id, here.version, at=AT)


def test_a_signature_under_way_stops_everything_but_the_ways_back(walk):
    held = walk.after("submit", "hold")
    with pytest.raises(SigningPending):
        walk.do("sign", held)
    assert walk.do("return_", held).state is DocumentState.RETURNED


def test_of_clerks_who_register_one_arrival_at_once_one_does_and_the_others_learn_its_state(walk):
    here = walk.arrival()
    start, done, refused = threading.Barrier(6), [], []

    def register() -> None:
        start.wait()
        try:
            done.append(walk.do_delivery("register", here))
        except (StateChanged, WrongState) as error:
            refused.append(error.gaps["state"])

    threads = [threading.Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), refused) == (1, [DeliveryState.REGISTERED] * 5)
    after = walk.arrival("register")
    assert after.incoming.number == done[0].incoming.number + 1


# -- sending --


def test_every_recipient_gets_its_own_delivery_and_event_at_once(walk):
    issued = walk.up_to("issue")
    with walk.parts.read() as reading:
        store = reading.exchange
        consignment = store.consignment_of(issued.id)
        deliveries = store.deliveries_of(consignment.id)
        own = {one.delivery: one.type for one in store.events_of(document=issued.id) if one.delivery}
        assert len(store.recipient_entries(consignment.id)) == consignment.recipients_count == len(RECIPIENTS)
    assert [here.office for here in deliveries] == sorted(RECIPIENTS)
    assert own == {here.id: "delivery.consigned" for here in deliveries}
    assert issued.number is not None


def send(walk: Walk, here: Document, codes: list[str], **how: Any) -> list[Delivery]:
    with walk.parts.write() as writing:
        return sending.issue(
            writing.tx, CLERK, here.id, here.version, [RecipientSpec(office=code) for code in codes], report=sealed(),
            on=DAY, at=walk.at(), **how,
        )[2]  # fmt: skip


def test_one_bad_recipient_refuses_all_unless_the_sender_says_otherwise(walk):
    here = walk.up_to("seal")
    with pytest.raises(RecipientUnknown):
        send(walk, here, [OTHER, "khong-co"])
    with pytest.raises(RecipientsEmpty):
        send(walk, here, ["khong-co"], partial=True)
    with walk.parts.read() as reading:
        assert reading.exchange.document(here.id) == here
        assert reading.exchange.consignment_of(here.id) is None
    assert [one.office for one in send(walk, here, [OTHER, "khong-co"], partial=True)] == [OTHER]


def test_a_reference_used_before_refuses_the_whole_send(walk):
    first, second = walk.up_to("seal"), walk.up_to("seal")
    send(walk, first, [OTHER], sender_reference="CV-1")
    with pytest.raises(DuplicateReference):
        send(walk, second, [OTHER], sender_reference="CV-1")
    with walk.parts.read() as reading:
        assert reading.exchange.document(second.id).state is DocumentState.SEALED


def test_an_office_closed_today_is_refused_today(walk):
    code = f"{OFFICE}.99"
    with walk.parts.write() as writing:
        writing.tx.store.add_office(office(code, valid_to=DAY))
    with pytest.raises(RecipientLocked):
        send(walk, walk.up_to("seal"), [code])


@contextmanager
def counted(walk: Walk) -> Iterator[list[str]]:
    """The statements of the writer, each as it goes to the database."""
    seen: list[str] = []

    def before(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
        seen.append(sql)

    event.listen(walk.parts.database.writer, "before_cursor_execute", before)
    yield seen
    event.remove(walk.parts.database.writer, "before_cursor_execute", before)


def test_a_send_to_a_thousand_is_as_many_statements_as_a_send_to_one(walk):
    codes = [f"{OFFICE}.X.{n:04d}" for n in range(1000)]
    with walk.parts.write() as writing:
        for code in codes:
            writing.tx.store.add_office(office(code))
    one, thousand = walk.up_to("seal"), walk.up_to("seal")
    with counted(walk) as small:
        send(walk, one, codes[:1])
    with counted(walk) as big:
        deliveries = send(walk, thousand, codes)
    assert len(big) == len(small)
    with walk.parts.read() as reading:
        events = reading.exchange.events_of(document=thousand.id)
        box = reading.exchange.deliveries("in", codes[500]).rows
    assert [one.delivery for one in events if one.type == "delivery.consigned"] == [one.id for one in deliveries]
    assert {one.document for one in box} == {thousand.id}
