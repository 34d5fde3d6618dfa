"""Several hands on one document: who may, in which order, and what the rows and events say, on both databases."""

import json
from dataclasses import replace

import pytest

from exchange.acts import issue
from exchange.acts.signature import MadeSignature
from exchange.errors import NotAllowed, NotYourTurn, SignatureMissing, SigningOrderInvalid
from exchange.rules.lifecycle import document_acts, document_move
from exchange.rules.model import DocumentState, Draft, Part, Role
from exchange.rules.signing_order import MOST_NAMED, WishedHand, signing_order, with_signer
from signing.model import PreparedSignature, SignaturePurpose
from tests.exchange.values import (
    CLERK,
    LEADER,
    LEADER_CERTIFICATE,
    OFFICER,
    document,
    file,
    led,
    person,
    reading,
    signature,
    signed_file,
)

HEAD, DEPUTY = person("p_head", Role.OFFICER), person("p_deputy", Role.LEADER)
WISH = [
    WishedHand(HEAD.id, "Chánh Văn phòng", Part.INITIAL),
    WishedHand(DEPUTY.id, "Phó Chủ tịch", Part.SIGN),
    WishedHand(LEADER.id, "Nguyễn Văn An", Part.SIGN),
]
ORDER = signing_order(LEADER.id, WISH)
WAITING = DocumentState.WAITING_SIGNATURE


def test_each_hand_gets_a_field_of_its_own_and_the_signer_the_one_under_the_printed_name():
    assert [one.field for one in ORDER] == ["KyNhay1", "ChuKyLanhDao2", "ChuKyLanhDao"]
    turned = signing_order(DEPUTY.id, WISH)
    assert [one.field for one in turned] == ["KyNhay1", "ChuKyLanhDao", "ChuKyLanhDao2"]
    assert signing_order(LEADER.id, []) == ()


@pytest.mark.parametrize(
    "wish",
    [
        WISH[:2],
        [*WISH, WISH[0]],
        [WISH[2], WISH[0]],
        [replace(WISH[2], part=Part.INITIAL), WISH[1]],
        [*(replace(WISH[0], person=f"p_{n}") for n in range(MOST_NAMED)), WISH[2]],
    ],
    ids=["no signer", "twice", "initials last", "the signer only initials", "too many"],
)
def test_an_order_that_cannot_be_is_refused(wish):
    with pytest.raises(SigningOrderInvalid):
        signing_order(LEADER.id, wish)


def test_another_signer_takes_the_place_of_the_one_before():
    before = document(named=signing_order(LEADER.id, [WISH[0], WISH[2]]))
    assert [one.person for one in with_signer(before, "p_new", "Mới")] == [HEAD.id, "p_new"]
    with pytest.raises(SigningOrderInvalid):
        with_signer(document(named=ORDER), DEPUTY.id, "Phó Chủ tịch")


@pytest.mark.parametrize(
    ("turn", "actor", "event", "target"),
    [
        (0, HEAD, "document.initialled", WAITING),
        (1, DEPUTY, "document.partly_signed", WAITING),
        (2, LEADER, "document.signed", DocumentState.SIGNED),
    ],
)
def test_only_the_one_whose_turn_it_is_moves_it_and_is_offered_to(turn, actor, event, target):
    here = document(WAITING, named=ORDER, turn=turn)
    move = document_move("sign", here, actor)
    assert (move.event, move.target) == (event, target)
    for other in (HEAD, DEPUTY, LEADER):
        assert ("sign" in document_acts(here, other)) == (other is actor)
        if other is not actor:
            with pytest.raises(NotYourTurn):
                document_move("sign", here, other)
    for stranger in (CLERK, OFFICER, person("p_x", Role.LEADER), replace(actor, roles=frozenset({Role.AUDITOR}))):
        with pytest.raises(NotAllowed):
            document_move("sign", here, stranger)


def submitted(walk, writing):
    wanted = Draft("QĐ", "Về việc tiếp công dân", LEADER.id)
    prepared = issue.PreparedFile(file(), reading())
    here, _ = issue.draft(writing.tx, OFFICER, wanted, "Nguyễn Văn An", prepared, at=walk.at(), named=ORDER)
    return issue.submit(writing.tx, OFFICER, here.id, here.version, at=walk.at())[0]


def report_on(*fields):
    return led(signatures=tuple(signature(field, LEADER_CERTIFICATE) for field in fields))


def test_rows_and_events_follow_the_order_and_the_state_is_their_fold(walk):
    with walk.parts.write() as writing:
        here = submitted(walk, writing)
        for turn, (actor, one) in enumerate(zip((HEAD, DEPUTY, LEADER), ORDER, strict=True)):
            assert writing.tx.store.waiting_for_signer(here.office, actor.id) == 1
            report = report_on(*(other.field for other in ORDER[: turn + 1]))
            made = signed_file(report, LEADER_CERTIFICATE, f"{here.id} {one.field}".encode())
            here, _ = issue.sign(writing.tx, actor, here.id, here.version, made, at=walk.at())
            assert writing.tx.store.waiting_for_signer(here.office, actor.id) == 0
    with walk.parts.read() as reading_:
        kept = reading_.exchange.document(here.id)
        bodies = [json.loads(event.body) for event in reading_.exchange.events_of(document=here.id)]
        made_by = [revision.made_by for revision in reading_.exchange.revisions(here.id)]
    assert kept == here
    assert (kept.state, kept.turn, kept.named) == ("signed", 3, ORDER)
    assert [(b["type"], b["to"], b["actor"]["role"]) for b in bodies[2:]] == [
        ("document.initialled", "waiting_signature", "officer"),
        ("document.partly_signed", "waiting_signature", "leader"),
        ("document.signed", "signed", "leader"),
    ]
    assert bodies[1]["data"]["signers"] == [{"person": one.person, "part": one.part} for one in ORDER]
    assert made_by == ["draft", "initial", "sign", "sign"]


def test_a_signature_in_another_ones_field_counts_for_nobody(walk):
    with walk.parts.write() as writing:
        here = submitted(walk, writing)
        made = signed_file(report_on("ChuKyLanhDao2"), LEADER_CERTIFICATE, b"wrong field")
        with pytest.raises(SignatureMissing):
            issue.sign(writing.tx, HEAD, here.id, here.version, made, at=walk.at())


def test_initials_whose_time_stamp_came_late_are_finished_as_initials(walk):
    prepared = PreparedSignature(b"prepared", b"d" * 32, 1, 2, b"attributes")
    made = MadeSignature(SignaturePurpose.INITIAL, file(), prepared, b"signature", LEADER_CERTIFICATE, (b"ca",))
    with walk.parts.write() as writing:
        here = submitted(walk, writing)
        held = issue.hold_signature(writing.tx, HEAD, here.id, here.version, made, "cd" * 32, at=walk.at())
        signed = signed_file(report_on("KyNhay1"), LEADER_CERTIFICATE, b"held initials")
        after = issue.finish_held(writing.tx, held.pending_signature, signed, at=walk.at())
    assert (after.state, after.turn, after.pending_signature) == ("waiting_signature", 1, None)
