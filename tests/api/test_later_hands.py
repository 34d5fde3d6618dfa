"""People who sign one after another with the program at their desks: each in a field that it makes, nothing beside."""

import pytest

from api.client import Json
from keys.certificates import read_certificate
from tests.api.test_desk_program import Desk
from tests.api.test_sign_elsewhere import standing
from tests.api.test_signing_order import DEPUTY, HEAD, wish
from tests.fixtures.letters import draw_letter
from tests.fixtures.service import CLERK, LEADER, OFFICER, ApiService
from tests.fixtures.tokens import MakeToken, Token
from tests.vgca import writing
from tests.vgca.writing import Style

FIRST, SECOND, THIRD = (60, 60, 200, 100), (220, 60, 360, 100), (380, 60, 520, 100)
"""Free places at the foot of the page."""


@pytest.fixture(scope="module")
def tokens(make_token: MakeToken) -> dict[str, Token]:
    made = {login: make_token(login) for login in (HEAD, DEPUTY, LEADER)}
    return made | {"seal": make_token(CLERK, seal=True), "stranger": make_token("chuyenvien.huyen")}


def waiting(service: ApiService, *lines: tuple[str, str]) -> Json:
    return service.person(OFFICER).submit(service.draft(draw_letter()), wish(service, *lines))


def by_program(service: ApiService, document: Json, login: str, token: Token, box: tuple[int, ...], says: str) -> Json:
    """What the service says when a person signs with the program; the document as it stands afterwards."""
    person, desk = service.person(login), Desk(service)
    lent = person.lend(person.document(document["id"]), "sign")
    pdf = desk.signed(lent, token, Style(box=box, says=says))
    told = desk.upload(lent, pdf)
    assert told["Status"], told
    return person.document(document["id"])


def refused_first(service: ApiService, document: Json, tokens: dict[str, Token]) -> None:
    """What the deputy does not get through; the document stays as it was."""
    deputy, desk, before = service.person(DEPUTY), Desk(service), standing(service, document)
    lent = deputy.lend(document, "sign")
    for token, style, code in (
        ("stranger", Style(box=SECOND), "signer-not-authorised"),
        (DEPUTY, Style(box=(60, 600, 340, 720)), "signature-shows-more"),
        (DEPUTY, Style(box=SECOND, says="Điều 6. Chi 900.000.000 đồng"), "signature-shows-more"),
        (DEPUTY, Style(box=SECOND, annotates=True), "changed-after-signing"),
    ):
        assert desk.upload(lent, desk.signed(lent, tokens[token], style))["Status"] is False
        assert deputy.loan(document["id"], lent["loan"])["refusal"]["code"] == code
        lent = deputy.lend(document, "sign")
    assert standing(service, document) == before


def test_initials_and_two_leaders_sign_by_program_and_the_sealed_document_is_valid(api_service, tokens):
    document = waiting(api_service, (HEAD, "initial"), (DEPUTY, "sign"), (LEADER, "sign"))
    for login, box, state in (
        (HEAD, FIRST, "waiting_signature"), (DEPUTY, SECOND, "waiting_signature"), (LEADER, THIRD, "signed"),
    ):  # fmt: skip
        name = read_certificate(tokens[login].certificate).common_name
        says = f"Người ký: {name}\nThời gian ký: 05.08.2026 09:00:00 +07:00"
        if login == DEPUTY:
            refused_first(api_service, document, tokens)
        document = by_program(api_service, document, login, tokens[login], box, says)
        assert document["state"] == state
    clerk = api_service.person(CLERK)
    report = clerk.report(document["id"])
    assert report["verdict"] == "unknown", "to a stranger it is an addition until the seal covers it"
    numbered = clerk.number(document, "qd")
    sealed = clerk.seal(numbered, api_service.pin(CLERK))
    report = clerk.report(sealed["id"])
    assert (report["verdict"], report["two_signatures"]) == ("valid", "complete")


# -- nothing but a signature in a free place, by the one whose turn it is --

GOOD = "Người ký: Trần Đức Thảo\nThời gian ký: 05.08.2026 09:00:00 +07:00"
"""What the deputy's program draws."""


@pytest.mark.long
def test_nothing_but_the_next_persons_signature_in_a_free_place_is_taken(api_service, tokens):
    document = waiting(api_service, (HEAD, "initial"), (DEPUTY, "sign"), (LEADER, "sign"))
    partly = by_program(api_service, document, HEAD, tokens[HEAD], FIRST, "Người ký: Phạm Thu Lan")
    deputy, desk, at = api_service.person(DEPUTY), Desk(api_service), api_service.parts.now()
    before, lent = standing(api_service, partly), deputy.lend(partly, "sign")
    pdf = desk.fetch(lent).content

    def signed(token: str, base: bytes = pdf, box: tuple[int, ...] = SECOND, says: str = GOOD, **more) -> bytes:
        return writing.sign(base, tokens[token], "SignApproved", at, Style(box=box, says=says, **more))

    wrong = {
        "by somebody who is not named": (signed("stranger"), "signer-not-authorised"),
        "by the one after": (signed(LEADER), "signer-not-authorised"),
        "by the one before": (signed(HEAD), "signer-not-authorised"),
        "and by another": (signed("stranger", signed(DEPUTY), THIRD), "signatures-unexpected"),
        "twice": (signed(DEPUTY, signed(DEPUTY), THIRD), "signatures-unexpected"),
        "with a note": (signed(DEPUTY, annotates=True), "changed-after-signing"),
        "with a note after it": (writing.with_annotation(signed(DEPUTY)), "changed-after-signing"),
        "with an empty field": (signed(DEPUTY, writing.with_empty_field(pdf)), "changed-after-signing"),
        "on another page": (signed(DEPUTY, writing.with_other_page(pdf)), "changed-after-signing"),
        "without the one before": (signed(DEPUTY, writing.without_first_signature(pdf)), "changed-after-signing"),
        "over the text": (signed(DEPUTY, box=(60, 600, 340, 720)), "signature-shows-more"),
        "over one letter": (signed(DEPUTY, box=(117, 778, 131, 793), says="."), "signature-shows-more"),
        "over a signature": (signed(DEPUTY, box=(150, 50, 290, 90)), "signature-shows-more"),
        "as large as a page": (signed(DEPUTY, box=(40, 110, 560, 180)), "signature-shows-more"),
        "as a paragraph": (signed(DEPUTY, says="Điều 4. Chi 900.000.000 đồng"), "signature-shows-more"),
        "as a number": (signed(DEPUTY, says="Số: 15/QĐ-UBND"), "signature-shows-more"),
    }
    for how, (file, code) in wrong.items():
        assert desk.upload(lent, file)["Status"] is False, how
        assert deputy.loan(partly["id"], lent["loan"])["refusal"]["code"] == code, how
        assert standing(api_service, partly) == before, how
    assert desk.upload(lent, signed(DEPUTY))["Status"] is True
