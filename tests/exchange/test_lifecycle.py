"""The moves of documents and deliveries are those of the tables below and no others, for everybody, in every state."""

from dataclasses import replace
from itertools import product

import pytest

from exchange.errors import AlreadyFinal, ExchangeError, NotAllowed, WrongState
from exchange.rules.events import TYPES
from exchange.rules.lifecycle import (
    DELIVERY_CODES,
    DELIVERY_MOVES,
    DOCUMENT_MOVES,
    delivery_acts,
    delivery_move,
    document_acts,
    document_move,
    phase_of_delivery,
    phase_of_document,
)
from exchange.rules.model import Actor, DeliveryState, DocumentState, Phase, Role
from tests.exchange.values import CLERK, LEADER, OFFICER, OTHER, document, person

D, R = DocumentState, DeliveryState

DOCUMENT_ACTS = (
    "edit", "attach", "detach", "submit", "sign", "return", "number", "seal_attachment", "seal", "issue", "cancel",
)  # fmt: skip
DELIVERY_ACTS = ("register", "assign", "start", "complete", "refuse")

DOCUMENT_TABLE = [
    # from, act, to, event, who
    ("draft", "edit", "draft", "document.edited", {"author"}),
    ("returned", "edit", "draft", "document.reopened", {"author"}),
    ("draft", "attach", "draft", "document.attached", {"author"}),
    ("draft", "detach", "draft", "document.detached", {"author"}),
    ("draft", "submit", "waiting_signature", "document.submitted_for_signature", {"author"}),
    ("waiting_signature", "sign", "waiting_signature", "document.initialled", {"asked to initial now"}),
    ("waiting_signature", "sign", "waiting_signature", "document.partly_signed", {"asked to sign before another"}),
    ("waiting_signature", "sign", "signed", "document.signed", {"named leader"}),
    ("waiting_signature", "return", "returned", "document.returned", {"named leader", "author"}),
    ("signed", "return", "returned", "document.returned", {"clerk"}),
    ("numbered", "return", "returned", "document.returned", {"clerk"}),
    ("signed", "number", "numbered", "document.numbered", {"clerk"}),
    ("numbered", "seal_attachment", "numbered", "document.attachment_sealed", {"clerk"}),
    ("numbered", "seal", "sealed", "document.sealed", {"clerk"}),
    ("sealed", "issue", "issued", "document.issued", {"clerk"}),
    ("draft", "cancel", "cancelled", "document.cancelled", {"author"}),
    ("waiting_signature", "cancel", "cancelled", "document.cancelled", {"author"}),
    ("returned", "cancel", "cancelled", "document.cancelled", {"author"}),
    ("signed", "cancel", "cancelled", "document.cancelled", {"clerk"}),
    ("numbered", "cancel", "cancelled", "document.cancelled", {"clerk"}),
    ("sealed", "cancel", "cancelled", "document.cancelled", {"clerk"}),
]

DELIVERY_TABLE = [
    ("consigned", "register", "registered", "delivery.registered", {"clerk"}),
    ("registered", "assign", "assigned", "delivery.assigned", {"leader", "clerk"}),
    ("registered", "start", "processing", "delivery.processing", {"lead"}),
    ("assigned", "start", "processing", "delivery.processing", {"lead"}),
    ("registered", "complete", "completed", "delivery.completed", {"lead", "leader", "clerk"}),
    ("assigned", "complete", "completed", "delivery.completed", {"lead", "leader", "clerk"}),
    ("processing", "complete", "completed", "delivery.completed", {"lead", "leader", "clerk"}),
    ("consigned", "refuse", "refused", "delivery.refused", {"clerk"}),
    ("registered", "refuse", "refused", "delivery.refused", {"clerk"}),
    ("assigned", "refuse", "refused", "delivery.refused", {"clerk"}),
    ("processing", "refuse", "refused", "delivery.refused", {"clerk"}),
]

SENDERS: dict[str, tuple[Actor, set[str]]] = {
    "the officer who wrote it": (OFFICER, {"author"}),
    "a clerk who wrote it": (person(OFFICER.id, Role.CLERK), {"author", "clerk"}),
    "another officer": (person("p_2", Role.OFFICER), set()),
    "a clerk": (CLERK, {"clerk"}),
    "the leader who is asked": (LEADER, {"named leader"}),
    "another leader": (person("p_3", Role.LEADER), set()),
    "the named person, leader no more": (person(LEADER.id, Role.OFFICER), set()),
    "the author, moved to administration": (person(OFFICER.id, Role.OFFICE_ADMIN), set()),
    "an auditor": (person("p_4", Role.AUDITOR), set()),
    "the author, auditor now": (person(OFFICER.id, Role.AUDITOR), set()),
    "the named person, auditor now": (person(LEADER.id, Role.AUDITOR), set()),
    "an administrator of the office": (person("p_5", Role.OFFICE_ADMIN), set()),
    "an administrator of the system": (person("p_6", Role.SYSTEM_ADMIN), set()),
    "somebody without a role": (person("p_7"), set()),
}

LEAD = "p_lead"
RECEIVERS: dict[str, tuple[Actor, set[str]]] = {
    "a clerk": (person("p_1", Role.CLERK, office=OTHER), {"clerk"}),
    "a leader": (person("p_2", Role.LEADER, office=OTHER), {"leader"}),
    "an officer": (person("p_3", Role.OFFICER, office=OTHER), set()),
    "the officer in charge": (person(LEAD, Role.OFFICER, office=OTHER), {"lead"}),
    "a clerk in charge": (person(LEAD, Role.CLERK, office=OTHER), {"lead", "clerk"}),
    "an auditor": (person("p_4", Role.AUDITOR, office=OTHER), set()),
    "the one in charge, auditor now": (person(LEAD, Role.AUDITOR, office=OTHER), set()),
    "the one in charge, without a role now": (person(LEAD, office=OTHER), set()),
    "an administrator of the office": (person("p_5", Role.OFFICE_ADMIN, office=OTHER), set()),
}


@pytest.mark.parametrize(("state", "act", "target", "event", "who"), DOCUMENT_TABLE)
def test_a_move_of_a_document_leads_where_the_table_says(state, act, target, event, who):
    for actor, places in SENDERS.values():
        if places & who:
            move = document_move(act, document(D(state)), actor)
            assert (move.target, move.event) == (target, event)


@pytest.mark.parametrize("name", SENDERS)
def test_nobody_moves_a_document_but_by_the_table(name):
    actor, places = SENDERS[name]
    allowed = {(state, act) for state, act, _, _, who in DOCUMENT_TABLE if who & places}
    for state, act in product(D, DOCUMENT_ACTS):
        if (state, act) in allowed:
            continue
        with pytest.raises((NotAllowed, WrongState, AlreadyFinal)):
            document_move(act, document(state), actor)


@pytest.mark.parametrize("name", SENDERS)
def test_the_page_offers_exactly_the_acts_that_would_succeed(name):
    actor, places = SENDERS[name]
    for state in D:
        wanted = {act for source, act, _, _, who in DOCUMENT_TABLE if source == state and who & places}
        assert set(document_acts(document(state), actor)) == wanted


@pytest.mark.parametrize(("state", "act", "target", "event", "who"), DELIVERY_TABLE)
def test_a_move_of_a_delivery_leads_where_the_table_says(state, act, target, event, who):
    for actor, places in RECEIVERS.values():
        if places & who:
            move = delivery_move(act, R(state), actor, LEAD)
            assert (move.target, move.event) == (target, event)


@pytest.mark.parametrize("name", RECEIVERS)
def test_nobody_moves_a_delivery_but_by_the_table(name):
    actor, places = RECEIVERS[name]
    allowed = {(state, act) for state, act, _, _, who in DELIVERY_TABLE if who & places}
    for state, act in product(R, DELIVERY_ACTS):
        if (state, act) in allowed:
            continue
        with pytest.raises((NotAllowed, WrongState, AlreadyFinal)):
            delivery_move(act, state, actor, LEAD)


@pytest.mark.parametrize("name", RECEIVERS)
def test_the_inbox_offers_exactly_the_acts_that_would_succeed(name):
    actor, places = RECEIVERS[name]
    for state in R:
        wanted = {act for source, act, _, _, who in DELIVERY_TABLE if source == state and who & places}
        assert set(delivery_acts(state, actor, LEAD)) == wanted


def test_the_code_has_no_move_beyond_the_tables():
    rows = {(state, act, target, event) for state, act, target, event, _ in [*DOCUMENT_TABLE, *DELIVERY_TABLE]}
    moves = [*DOCUMENT_MOVES, *DELIVERY_MOVES]
    assert {(state, m.act, m.target, m.event) for m in moves for state in m.sources} == rows
    assert sum(len(m.sources) for m in moves) == len(rows)
    assert all(m.event in TYPES for m in moves)


def outcome(act: str, state: DocumentState, actor: Actor) -> str:
    with pytest.raises(ExchangeError) as refused:
        document_move(act, document(state), actor)
    return refused.value.code


@pytest.mark.parametrize(
    ("state", "act", "actor", "code"),
    [
        (D.SIGNED, "seal", CLERK, "wrong-state"),  # the seal before the number
        (D.WAITING_SIGNATURE, "number", CLERK, "wrong-state"),  # the number before the leader's signature
        (D.NUMBERED, "issue", CLERK, "wrong-state"),  # sending before the seal
        (D.SEALED, "return", CLERK, "wrong-state"),  # a sealed original exists
        (D.SEALED, "issue", OFFICER, "not-allowed"),
        (D.WAITING_SIGNATURE, "sign", CLERK, "not-allowed"),
        (D.DRAFT, "submit", CLERK, "not-allowed"),
        (D.SIGNED, "cancel", OFFICER, "not-allowed"),  # the author's word ends with the signature
        (D.ISSUED, "cancel", CLERK, "already-final"),
        (D.ISSUED, "edit", OFFICER, "already-final"),
        (D.CANCELLED, "edit", OFFICER, "already-final"),
    ],
)
def test_a_refused_move_says_why(state, act, actor, code):
    assert outcome(act, state, actor) == code


def test_a_document_with_a_signature_under_way_goes_nowhere_but_back():
    pending = document(D.WAITING_SIGNATURE, pending_signature="sgn_1")
    assert set(document_acts(pending, LEADER)) <= {"return", "cancel"}
    assert set(document_acts(pending, OFFICER)) <= {"return", "cancel"}


def test_a_document_of_another_office_offers_nothing():
    assert document_acts(document(D.WAITING_SIGNATURE), replace(LEADER, office=OTHER)) == ()


def test_only_ended_and_done_states_wait_for_nobody():
    waiting = {state for state in D if phase_of_document(state) is Phase.OPEN}
    assert waiting == set(D) - {D.ISSUED, D.CANCELLED}
    assert {state for state in R if phase_of_delivery(state) is Phase.ENDED} == {
        R.REFUSED, R.WITHDRAWN, R.REDIRECTED, R.REPLACED,
    }  # fmt: skip
    assert phase_of_delivery(R.COMPLETED) is Phase.DONE


def test_the_codes_between_systems_are_those_of_the_standard():
    assert dict(DELIVERY_CODES) == {
        R.CONSIGNED: "01", R.REFUSED: "02", R.REGISTERED: "03", R.ASSIGNED: "04", R.PROCESSING: "05",
        R.COMPLETED: "06",
    }  # fmt: skip


def test_the_rank_of_an_open_delivery_never_falls():
    codes = [(DELIVERY_CODES[s], DELIVERY_CODES[m.target]) for m in DELIVERY_MOVES for s in m.sources]
    assert all(before < after for before, after in codes if after != DELIVERY_CODES[R.REFUSED])
