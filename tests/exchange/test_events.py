"""Events are canonical JSON (RFC 8785): the same act gives the same bytes, and those bytes give the ledger's leaf."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
import rfc8785
from sqlalchemy import create_engine

from exchange.acts import record
from exchange.acts.record import record_delivery, record_document
from exchange.proof.ledger import leaf_hash
from exchange.rules.events import ETSI_NAMES, INWARD, TYPES, WORDS, uri, words
from exchange.rules.lifecycle import DELIVERY_MOVES, DOCUMENT_MOVES
from exchange.rules.model import DeliveryState, Document, DocumentState, Role
from exchange.storage import tables
from exchange.storage.jobs import Queue
from exchange.storage.store import Store, Transaction
from tests.exchange.values import AT, CLERK, OFFICER, RECEIVER, delivery, document, file


@pytest.fixture
def tx() -> Iterator[Transaction]:
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as connection:
        yield Transaction(Store(connection), cast(Queue, None))  # events start no jobs


@pytest.fixture
def known_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are random; with a known one the whole event is known."""
    monkeypatch.setattr(record, "new_id", lambda prefix, _: f"{prefix}_1")


def returned(tx: Transaction, reason: str, at: datetime = AT) -> Any:
    before = document(DocumentState.SIGNED, version=3)
    after = replace(before, state=DocumentState.RETURNED, version=4)
    return record_document(
        tx, "document.returned", CLERK, after, role=Role.CLERK, before=before, at=at, files=[file()], reason=reason
    )


RETURNED = (
    '{"actor":{"client":null,"id":"p_clerk","mandate":null,"office":"H99.05","role":"clerk"},'
    '"at":"2026-08-05T02:12:44.310Z","data":{},"declared_at":null,"etsi":"urn:congvan:event:document.returned",'
    '"files":[{"sha256":"86edbaa24831badfa0a8b04bb410141e2ee4182b6d0014493fe262a7a331c20b","size":8}],'
    '"from":"signed","id":"evt_1","parties":{"sender":"H99.05"},"reason":"Thiếu phụ lục \\"A\\"\\n€",'
    '"subject":{"document":"doc_1"},"to":"returned","type":"document.returned","v":1,"version":4}'
)
REGISTERED = (
    '{"actor":{"client":null,"id":"p_receiver","mandate":null,"office":"H99.05.11","role":"clerk"},'
    '"at":"2026-08-05T02:12:44.310Z","code":"03","data":{"incoming_book":"den","incoming_number":128},'
    '"declared_at":null,"etsi":"http://uri.etsi.org/19522/Event/ConsignmentAcceptance",'
    '"files":[{"sha256":"86edbaa24831badfa0a8b04bb410141e2ee4182b6d0014493fe262a7a331c20b","size":8}],'
    '"from":"consigned","id":"evt_1","parties":{"recipient":"H99.05.11","sender":"H99.05"},"prev":null,"reason":null,'
    '"subject":{"consignment":"con_1","delivery":"dlv_1","document":"doc_1"},"to":"registered",'
    '"type":"delivery.registered","v":1,"version":2}'
)


def test_a_documents_event_has_known_bytes_and_a_known_leaf(tx, known_id):
    event = returned(tx, 'Thiếu phụ lục "A"\n€')
    assert event.body.decode() == RETURNED
    assert event.leaf.hex() == "eccb8c5ea0189b9f879201d260b6b8c746b62e2d8a6f123f121eeba8e0572b41"


def test_a_deliverys_event_has_known_bytes_and_a_known_leaf(tx, known_id):
    before = delivery()
    after = replace(before, state=DeliveryState.REGISTERED, version=2)
    event = record_delivery(
        tx, "delivery.registered", RECEIVER, after, role=Role.CLERK, before=before, at=AT, files=[file()],
        data={"incoming_number": 128, "incoming_book": "den"},
    )  # fmt: skip
    assert event.body.decode() == REGISTERED
    assert event.leaf.hex() == "06fae7394276ef3ef18795abbff9309c4b3579a463aac62dd20a6c3c109c8658"


def test_writing_canonical_json_again_changes_no_byte(tx):
    body = returned(tx, "Thiếu phụ lục").body
    assert rfc8785.dumps(json.loads(body)) == body


def test_text_typed_in_pieces_and_text_typed_whole_are_the_same_event(tx, known_id):
    whole = unicodedata.normalize("NFC", "Thiếu phụ lục")
    pieces = unicodedata.normalize("NFD", whole)
    assert whole != pieces
    one = returned(tx, whole).body
    tx.store.connection.rollback()
    tables.metadata.create_all(tx.store.connection)
    assert returned(tx, pieces).body == one


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC), "2026-01-02T03:04:05.999Z"),  # never rounded up
        (datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=7))), "2026-12-31T17:30:00.000Z"),
    ],
)
def test_instants_are_utc_with_milliseconds(tx, at, written):
    assert json.loads(returned(tx, "x", at).body)["at"] == written


def test_an_event_is_stored_as_it_was_made_and_waits_for_its_place(tx):
    event = returned(tx, "x")
    (kept,) = tx.store.events_of(document="doc_1")
    assert kept == event
    assert leaf_hash(kept.body) == kept.leaf
    assert kept.index is None


def test_outward_events_of_a_delivery_name_the_one_before_and_inward_ones_stay_out_of_the_chain(tx):
    def step(type_: str, here: Any, before: Any) -> Any:
        return record_delivery(tx, type_, RECEIVER, here, role=Role.CLERK, before=before, at=AT, files=[file()])

    box = delivery()
    registered = replace(box, state=DeliveryState.REGISTERED, version=2)
    assigned = replace(box, state=DeliveryState.ASSIGNED, version=3)
    first = step("delivery.consigned", box, None)
    second = step("delivery.registered", registered, box)
    inward = step("desk.assigned", assigned, registered)
    third = step("delivery.assigned", assigned, registered)
    links = [json.loads(event.body)["prev"] for event in (first, second, inward, third)]
    assert links == [None, first.leaf.hex(), None, second.leaf.hex()]


def test_events_of_one_instant_come_back_in_the_order_in_which_they_were_written(tx):
    made = [returned(tx, f"lần {n}").id for n in range(20)]
    assert [event.id for event in tx.store.events_of(document="doc_1")] == made


def test_a_clock_that_jumps_back_does_not_turn_the_order_of_events_round(tx):
    made = [returned(tx, f"lần {n}", AT - timedelta(minutes=n)).id for n in range(5)]
    assert [event.id for event in tx.store.events_of(document="doc_1")] == made


def test_every_type_has_its_words_and_its_name_outside():
    assert set(WORDS) == set(TYPES)
    assert len(set(TYPES)) == len(TYPES)
    for type_ in TYPES:
        assert words(type_, "vi") != words(type_, "en")
    assert set(ETSI_NAMES) <= set(TYPES)
    assert uri("delivery.refused") == "http://uri.etsi.org/19522/Event/ConsignmentRejection"
    assert uri("document.signed") == "urn:congvan:event:document.signed"


def test_what_other_offices_may_read_says_nothing_of_the_inside():
    outward = {move.event for move in DELIVERY_MOVES} | {"consignment.submitted", "delivery.consigned"}
    assert not outward & INWARD
    assert {move.event for move in (*DOCUMENT_MOVES, *DELIVERY_MOVES)} <= set(TYPES)
    assert all(type_ in INWARD for type_ in TYPES if type_.startswith("desk."))


def test_an_event_never_holds_the_name_of_a_person(tx):
    named: Document = document(DocumentState.DRAFT, signer_name="Nguyễn Văn An")
    event = record_document(tx, "document.drafted", OFFICER, named, role=Role.OFFICER, before=None, at=AT)
    assert "Nguyễn" not in event.body.decode()
