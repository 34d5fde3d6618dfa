"""Copies by their rules and rows, on both databases: the moves they have, the sources and the series they may have."""

import json
from itertools import product

import pytest

from exchange.acts import copy, issue
from exchange.errors import CopyNotAllowed, NotAllowed, SeriesNotFitting, WrongState
from exchange.rules.copies import require_copy, require_fitting, seal_field
from exchange.rules.lifecycle import document_acts, document_move
from exchange.rules.model import CopyKind, DocumentKind, DocumentState, Role, Series
from tests.exchange.values import CLERK, DAY, OFFICE, OFFICER, document, file, person, reading

D = DocumentState
CLERK_WHO_WROTE_IT = person(OFFICER.id, Role.CLERK)


def a_copy(state=D.DRAFT, **different):
    return document(state, **{"kind": DocumentKind.COPY, "copy_kind": CopyKind.SY, "signer": "", **different})


ACTS = {
    D.DRAFT: {"edit", "number", "cancel"},
    D.NUMBERED: {"return", "seal_attachment", "seal", "cancel"},
    D.SEALED: {"issue", "cancel"},
    D.RETURNED: {"edit", "cancel"},
}
"""What the clerk who made a copy may do with it."""


@pytest.mark.parametrize("state", [D.DRAFT, D.NUMBERED, D.SEALED, D.RETURNED, D.ISSUED, D.CANCELLED])
def test_a_copy_goes_by_the_clerk_alone_from_draft_to_number_to_seal_to_issue(state):
    assert set(document_acts(a_copy(state), CLERK_WHO_WROTE_IT)) == ACTS.get(state, set())


def test_nobody_signs_or_submits_a_copy_and_only_a_clerk_numbers_it():
    leader = person("", Role.LEADER)
    for act, actor in product(("submit", "sign", "attach"), (OFFICER, CLERK_WHO_WROTE_IT, leader)):
        with pytest.raises((NotAllowed, WrongState)):
            document_move(act, a_copy(), actor)
    with pytest.raises(NotAllowed):
        document_move("number", a_copy(), OFFICER)
    with pytest.raises(WrongState):
        document_move("number", document(D.DRAFT), CLERK)


ISSUED, CERTIFIED = document(D.ISSUED), a_copy(D.ISSUED)
EXTRACT = a_copy(D.ISSUED, copy_kind=CopyKind.TRS)


@pytest.mark.parametrize(
    ("kind", "source", "electronic", "allowed"),
    [
        ("SY", None, False, True),
        ("SY", ISSUED, False, True),
        ("SY", ISSUED, True, False),
        ("SY", CERTIFIED, True, False),
        ("SL", None, False, True),
        ("SL", CERTIFIED, True, True),
        ("SL", ISSUED, True, False),
        ("SL", EXTRACT, True, False),
        ("TrS", ISSUED, True, True),
        ("TrS", CERTIFIED, True, True),
        ("TrS", None, False, True),
        ("TrS", document(D.SEALED), True, False),
    ],
)
def test_only_the_combinations_of_the_decree_are_made(kind, source, electronic, allowed):
    if allowed:
        require_copy(CopyKind(kind), source, electronic=electronic)
        return
    with pytest.raises(CopyNotAllowed):
        require_copy(CopyKind(kind), source, electronic=electronic)


@pytest.mark.parametrize("form", ["{n}/QĐ-UBND", "{n}/SY-UBND", "{n}/SL-UBND", "{n}/TrS-UBND"])
def test_a_series_fits_the_one_kind_that_its_notation_says(form):
    series = Series("ser_1", OFFICE, 2026, "x", "X", form)
    for one, mark in ((document(), "/QĐ-"), *((a_copy(copy_kind=kind), f"/{kind}-") for kind in CopyKind)):
        if mark in form:
            require_fitting(series, one)
            continue
        with pytest.raises(SeriesNotFitting):
            require_fitting(series, one)


def test_the_field_of_the_organisation_says_the_form_of_the_copy():
    fields = [seal_field(a_copy(copy_kind=kind)) for kind in CopyKind]
    assert fields == ["SaoY", "SaoLuc", "TrichSao"]
    assert seal_field(document()) is None


def test_rows_and_events_say_what_it_is_a_copy_of(walk):
    wanted = copy.WantedCopy(CopyKind.SY, "QĐ", "Bản giấy cũ", copies="doc_source", issue_place="Cư M'gar")
    with walk.parts.write() as writing:
        writing.tx.store.add_series(Series("ser_sy", OFFICE, DAY.year, "sy", "Sao y", "{n}/SY-UBND"))
        made, _ = copy.draft_copy(
            writing.tx, CLERK, wanted, issue.PreparedFile(file(content=b"copy"), reading()), at=walk.at()
        )
        expected = issue.next_number(writing.tx.store, CLERK, "sy", DAY)
        filled = file(content=b"copy filled")
        after, _ = issue.number(
            writing.tx, CLERK, made.id, made.version, "sy", DAY, filled, expected, at=walk.at()
        )  # fmt: skip
    with walk.parts.read() as reading_:
        kept = reading_.exchange.document(made.id)
        drafted, numbered = (json.loads(one.body) for one in reading_.exchange.events_of(document=made.id))
    assert kept == after
    assert (kept.kind, kept.copy_kind, kept.copies, kept.issue_place) == ("copy", "SY", "doc_source", "Cư M'gar")
    assert (drafted["data"]["copy_kind"], drafted["data"]["copies"]) == ("SY", "doc_source")
    assert (numbered["from"], numbered["to"], numbered["data"]["written"]) == ("draft", "numbered", "01/SY-UBND")
