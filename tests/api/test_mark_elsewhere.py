"""Attached PDFs get the organisation's mark with a key at the desk; no key here is needed for the seal (R41)."""

import re
from datetime import timedelta
from typing import Any

import pytest

from api.client import Json
from tests.api.test_attachments import attach, files, with_attachments
from tests.api.test_desk_program import Desk
from tests.api.test_sign_elsewhere import later
from tests.fixtures.service import (
    CLERK,
    COMMUNE_CLERK,
    LEADER,
    OFFICER,
    ApiService,
    at_once,
    letter,
    refusal,
)
from tests.fixtures.tokens import MakeToken, Token, hash_of
from tests.vgca import writing
from tests.vgca.writing import Style


@pytest.fixture(scope="module")
def seal_token(make_token: MakeToken) -> Token:
    return make_token(CLERK, seal=True)


@pytest.fixture
def desk(api_service: ApiService) -> Desk:
    return Desk(api_service)


def numbered(service: ApiService, document: Json) -> Json:
    for step in ("waiting_signature", "signed", "numbered"):
        document = service.on(step, document)
    return document


@pytest.fixture(scope="module")
def waiting(api_service: ApiService) -> Json:
    """A numbered document with one PDF attached; the tests leave it there."""
    return numbered(api_service, attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "phu-luc.pdf"))


def seal_of(attachment: Json) -> str:
    return f"attachments/{attachment['id']}/seal"


def standing(service: ApiService, document: Json) -> tuple[Any, ...]:
    now = service.person(CLERK).document(document["id"])
    return now["state"], now["version"], [(one["sha256"], one["sealed"]) for one in now["attachments"]]


def mark(service: ApiService, document: Json, attachment: Json, token: Token) -> Json:
    clerk, act = service.person(CLERK), seal_of(attachment)
    prepared = clerk.prepare(document, act, token.certificate)
    return clerk.finish(document, act, prepared["signing"], token.sign_hash(hash_of(prepared)))


# -- it works --


def test_a_document_with_attachments_is_sealed_and_issued_with_a_key_at_the_desk_alone(api_service, seal_token):
    document = numbered(api_service, with_attachments(api_service))
    clerk = api_service.person(CLERK)
    pdfs = [one for one in document["attachments"] if one["media_type"] == "application/pdf"]
    for one in pdfs:
        told = mark(api_service, document, one, seal_token)
        assert (told["state"], told["version"]) == (document["state"], document["version"])
    assert [one["sealed"] for one in told["attachments"]] == [True, False, True]
    prepared = clerk.prepare(document, "seal", seal_token.certificate)
    sealed = clerk.finish(document, "seal", prepared["signing"], seal_token.sign_hash(hash_of(prepared)))
    assert (sealed["state"], sealed["attachments"]) == ("sealed", told["attachments"])
    for pdf in (files(api_service, sealed)[0], files(api_service, sealed)[2]):
        report = clerk.verify(pdf)
        (signed,) = [one for one in report["signatures"] if one["kind"] == "signature"]
        assert (report["verdict"], signed["field"], signed["purpose"], signed["level"]) == (
            "valid", "PhuLuc", "organisation", "B-LTA",
        )  # fmt: skip
    types = [one["type"] for one in clerk.events(document["id"])]
    assert types.count("document.attachment_sealed") == 2
    clerk.issue(sealed, [{"office": "H99.05.01"}])


def test_what_was_not_marked_at_the_desk_is_marked_by_the_key_in_the_vault(api_service, seal_token):
    document = numbered(api_service, with_attachments(api_service))
    marked = mark(api_service, document, document["attachments"][0], seal_token)["attachments"][0]
    sealed = api_service.on("sealed", document)
    assert [one["sealed"] for one in sealed["attachments"]] == [True, False, True]
    assert sealed["attachments"][0] == marked, "what the desk marked stays"


def test_the_seal_does_not_come_before_the_marks_by_hash_or_by_program_and_none_is_held(
    api_service, waiting, seal_token
):
    clerk, before = api_service.person(CLERK), standing(api_service, waiting)
    prepared = clerk.prepare(waiting, "seal", seal_token.certificate)
    signature = seal_token.sign_hash(hash_of(prepared))
    api_service.authority.stop()  # a seal that waits for its time must be one that can be finished
    try:
        refused = refusal(lambda: clerk.finish(waiting, "seal", prepared["signing"], signature))
    finally:
        api_service.authority.start()
    assert (refused.code, refused.status) == ("attachment-unsigned", 422)
    assert refusal(lambda: clerk.lend(waiting, "seal")).code == "attachment-unsigned"
    assert standing(api_service, waiting) == before


def test_a_prepared_seal_may_be_signed_beside_the_marks_and_finished_after_them(api_service, seal_token):
    document = numbered(api_service, attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "phu-luc.pdf"))
    clerk = api_service.person(CLERK)
    prepared = clerk.prepare(document, "seal", seal_token.certificate)
    signature = seal_token.sign_hash(hash_of(prepared))
    mark(api_service, document, document["attachments"][0], seal_token)
    assert clerk.finish(document, "seal", prepared["signing"], signature)["state"] == "sealed"


def test_the_page_names_the_attachments_that_are_marked_before_the_seal(api_service, waiting):
    browser = api_service.browser(CLERK).http
    page = browser.get(f"/documents/{waiting['id']}").text
    assert f'data-marks="[&#34;{waiting["attachments"][0]["id"]}&#34;]"' in page
    assert "Có 1 phụ lục PDF" in page
    assert re.search(r'data-way="program"', page), "the program marks them, too"
    other = browser.get(f"/documents/{api_service.standing('numbered')['id']}").text
    assert 'data-marks="[]"' in other


# -- by the program: SignAppendix --


def test_the_program_marks_the_attachments_and_seals_and_the_document_is_issued(desk, api_service, seal_token):
    document = numbered(api_service, with_attachments(api_service))
    clerk = api_service.person(CLERK)
    assert refusal(lambda: clerk.lend_attachment(document, document["attachments"][1])).code == "type-not-allowed"
    for one in (document["attachments"][0], document["attachments"][2]):
        lent = clerk.lend_attachment(document, one)
        assert (lent["operation"], lent["document_number"]) == ("SignAppendix", document["number"]["written"])
        assert desk.fetch(lent).content.startswith(b"%PDF-")
        told = desk.upload(lent, desk.signed(lent, seal_token))
        assert (told["Status"], told["FileName"]) == (True, one["name"])
        assert told["DocumentNumber"] == document["number"]["written"]
        assert clerk.loan(document["id"], lent["loan"])["state"] == "done"
    now = clerk.document(document["id"])
    assert (now["state"], now["version"]) == (document["state"], document["version"])
    assert [one["sealed"] for one in now["attachments"]] == [True, False, True]
    sealed = desk.lend(document, "seal")
    assert desk.upload(sealed, desk.signed(sealed, seal_token))["Status"] is True
    document = clerk.document(document["id"])
    for pdf in (files(api_service, document)[0], files(api_service, document)[2]):
        report = clerk.verify(pdf)
        assert (report["verdict"], [one["field"] for one in report["signatures"]]) == ("valid", ["Signature1"])
    types = [one["type"] for one in clerk.events(document["id"])]
    assert types.count("document.attachment_sealed") == 2
    clerk.issue(document, [{"office": "H99.05.01"}])


def test_what_is_no_mark_is_refused_and_the_attachment_stays_as_it_was(
    desk, api_service, waiting, seal_token, make_token
):
    clerk, before, at = api_service.person(CLERK), standing(api_service, waiting), api_service.parts.now()
    lent = clerk.lend_attachment(waiting, waiting["attachments"][0])
    pdf = desk.fetch(lent).content
    others = {
        "signature-misplaced": writing.sign(pdf, seal_token, "SignIssued", at),
        "signatures-unexpected": writing.sign(pdf, seal_token, "SignIssued", at, Style(signatures=3)),
        "seal-wrong-office": writing.sign(pdf, make_token("vanthu.cumgar", seal=True), "SignAppendix", at),
        "seal-missing": pdf,
        "changed-after-signing": writing.sign(pdf, seal_token, "SignAppendix", at, Style(annotates=True)),
        "revision-not-extension": writing.sign(clerk.file(waiting["id"]), seal_token, "SignAppendix", at),
        "not-a-pdf": b"<html></html>",
    }
    for code, wrong in others.items():
        assert desk.upload(lent, wrong)["Status"] is False, code
        assert clerk.loan(waiting["id"], lent["loan"])["refusal"]["code"] == code
    a_persons = writing.sign(pdf, make_token(CLERK), "SignAppendix", at)
    assert desk.upload(lent, a_persons)["Status"] is False
    assert clerk.loan(waiting["id"], lent["loan"])["refusal"]["code"] == "seal-wrong-office"
    assert standing(api_service, waiting) == before


def test_a_loan_of_an_attachment_is_for_that_one_and_ends_with_its_mark_or_its_time(
    desk, api_service, seal_token, monkeypatch
):
    document = numbered(api_service, attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "phu-luc.pdf"))
    clerk, one = api_service.person(CLERK), document["attachments"][0]
    lent, stale = clerk.lend_attachment(document, one), clerk.lend_attachment(document, one)
    signed, other = desk.signed(lent, seal_token), desk.signed(stale, seal_token)
    assert other != signed
    first = desk.upload(lent, signed)
    assert first["Status"] is True
    assert desk.upload(lent, signed) == first, "the same bytes again: the same answer"
    assert desk.upload(lent, other)["Status"] is False
    assert desk.upload(stale, other)["Status"] is False
    assert clerk.loan(document["id"], stale["loan"])["refusal"]["code"] == "state-changed"
    assert desk.fetch(stale).status_code == 404
    assert refusal(lambda: clerk.lend_attachment(document, one)).code == "state-changed"

    document = numbered(api_service, attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "phu-luc.pdf"))
    lent = clerk.lend_attachment(document, document["attachments"][0])
    signed, before = desk.signed(lent, seal_token), standing(api_service, document)
    later(api_service, monkeypatch, timedelta(minutes=21))
    assert desk.upload(lent, signed)["Status"] is False
    assert clerk.loan(document["id"], lent["loan"])["refusal"]["code"] == "signing-expired"
    assert standing(api_service, document) == before


def test_an_attachment_is_lent_to_the_clerk_who_may_seal(api_service, waiting):
    draft = with_attachments(api_service)
    for login, document, one, code in (
        (LEADER, waiting, waiting["attachments"][0], "not-allowed"),
        (COMMUNE_CLERK, waiting, waiting["attachments"][0], "not-found"),
        (CLERK, {**waiting, "version": waiting["version"] - 1}, waiting["attachments"][0], "state-changed"),
        (CLERK, draft, draft["attachments"][0], "wrong-state"),
        (CLERK, waiting, draft["attachments"][1], "not-found"),
    ):
        person = api_service.person(login)
        assert refusal(lambda p=person, d=document, a=one: p.lend_attachment(d, a)).code == code, (login, code)


# -- twice, late, stale --


def test_the_same_finish_again_gets_the_same_answer_and_another_signature_is_refused(api_service, seal_token):
    document = numbered(api_service, attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "phu-luc.pdf"))
    clerk, act = api_service.person(CLERK), seal_of(document["attachments"][0])
    mine = clerk.prepare(document, act, seal_token.certificate)
    late = clerk.prepare(document, act, seal_token.certificate)
    signature = seal_token.sign_hash(hash_of(mine))
    told = at_once(*(lambda: clerk.finish(document, act, mine["signing"], signature) for _ in range(3)))
    assert told[0] == told[1] == told[2]
    assert told[0]["attachments"][0]["sealed"]
    assert clerk.finish(document, act, mine["signing"], signature) == told[0]
    assert refusal(lambda: clerk.finish(document, act, mine["signing"], signature[::-1])).code == "signing-finished"
    other = seal_token.sign_hash(hash_of(late))
    assert refusal(lambda: clerk.finish(document, act, late["signing"], other)).code == "state-changed"
    assert refusal(lambda: clerk.prepare(document, act, seal_token.certificate)).code == "state-changed"
    types = [one["type"] for one in clerk.events(document["id"])]
    assert types.count("document.attachment_sealed") == 1

    returned = clerk.give_back(document, "Sai số")
    assert refusal(lambda: clerk.prepare(returned, act, seal_token.certificate)).code == "wrong-state"


def test_a_mark_prepared_for_a_number_that_is_void_now_is_refused(api_service, seal_token):
    document = numbered(api_service, attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "phu-luc.pdf"))
    clerk, act = api_service.person(CLERK), seal_of(document["attachments"][0])
    prepared = clerk.prepare(document, act, seal_token.certificate)
    signature = seal_token.sign_hash(hash_of(prepared))
    returned = clerk.give_back(document, "Sai số")
    again = numbered(api_service, api_service.person(OFFICER).edit(returned, subject="Đã sửa"))
    before = standing(api_service, again)
    refused = refusal(lambda: clerk.finish(document, act, prepared["signing"], signature))
    assert (refused.code, refused.status) == ("state-changed", 412)
    assert standing(api_service, again) == before


def test_a_preparation_ends_with_its_time(api_service, waiting, seal_token, monkeypatch):
    clerk, act = api_service.person(CLERK), seal_of(waiting["attachments"][0])
    prepared = clerk.prepare(waiting, act, seal_token.certificate)
    signature = seal_token.sign_hash(hash_of(prepared))
    later(api_service, monkeypatch, timedelta(minutes=21))
    assert refusal(lambda: clerk.finish(waiting, act, prepared["signing"], signature)).code == "signing-expired"


def test_with_the_time_authority_away_the_same_signature_may_be_sent_again(api_service, seal_token):
    document = numbered(api_service, attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "phu-luc.pdf"))
    clerk, act = api_service.person(CLERK), seal_of(document["attachments"][0])
    prepared = clerk.prepare(document, act, seal_token.certificate)
    signature = seal_token.sign_hash(hash_of(prepared))
    before = standing(api_service, document)
    api_service.authority.stop()
    try:
        refused = refusal(lambda: clerk.finish(document, act, prepared["signing"], signature))
    finally:
        api_service.authority.start()
    assert (refused.code, refused.problem["retryable"]) == ("tsa-unavailable", True)
    assert standing(api_service, document) == before
    assert clerk.finish(document, act, prepared["signing"], signature)["attachments"][0]["sealed"]


# -- the wrong key, person, office or file --


def test_only_the_offices_own_recorded_certificate_marks(api_service, waiting, make_token):
    act, before = seal_of(waiting["attachments"][0]), standing(api_service, waiting)
    clerk, at = api_service.person(CLERK), api_service.parts.now()
    over = make_token(CLERK, seal=True, began=at - timedelta(days=10), days=5)
    with api_service.nothing_left():
        for token, code in (
            (make_token(COMMUNE_CLERK, seal=True), "seal-wrong-office"),
            (make_token(CLERK), "seal-wrong-office"),
            (make_token(CLERK, seal=True, recorded=False), "seal-wrong-office"),
            (over, "certificate-expired"),
        ):
            assert refusal(lambda t=token: clerk.prepare(waiting, act, t.certificate)).code == code
    assert standing(api_service, waiting) == before


def test_a_certificate_revoked_between_prepare_and_finish_marks_nothing(api_service, waiting, make_token):
    token, clerk, act = make_token(CLERK, seal=True), api_service.person(CLERK), seal_of(waiting["attachments"][0])
    prepared = clerk.prepare(waiting, act, token.certificate)
    before = standing(api_service, waiting)
    api_service.authority.authority.revoke(token.serial, api_service.parts.now() - timedelta(seconds=1))
    api_service.parts.revocation._source._kept.clear()
    signature = token.sign_hash(hash_of(prepared))
    assert refusal(lambda: clerk.finish(waiting, act, prepared["signing"], signature)).code == "signer-revoked"
    assert standing(api_service, waiting) == before


def test_a_preparation_is_nobody_elses_and_for_no_other_file_or_act(api_service, waiting, seal_token, make_token):
    clerk, act = api_service.person(CLERK), seal_of(waiting["attachments"][0])
    other = numbered(api_service, with_attachments(api_service))
    prepared = clerk.prepare(waiting, act, seal_token.certificate)
    signing, signature = prepared["signing"], seal_token.sign_hash(hash_of(prepared))
    of_document = clerk.prepare(waiting, "seal", seal_token.certificate)
    tries = [
        lambda: api_service.person(COMMUNE_CLERK).finish(waiting, act, signing, signature),
        lambda: clerk.finish(waiting, "seal", signing, signature),
        lambda: clerk.finish(waiting, "sign", signing, signature),
        lambda: clerk.finish(waiting, seal_of(other["attachments"][0]), signing, signature),
        lambda: clerk.finish(other, seal_of(other["attachments"][0]), signing, signature),
        lambda: clerk.finish(waiting, act, of_document["signing"], seal_token.sign_hash(hash_of(of_document))),
        lambda: clerk.prepare(waiting, seal_of(other["attachments"][0]), seal_token.certificate),
        lambda: api_service.person(COMMUNE_CLERK).prepare(waiting, act, seal_token.certificate),
    ]
    assert [refusal(one).code for one in tries] == ["not-found"] * len(tries)
    wrong = make_token(CLERK, seal=True, curve=True).sign_hash(hash_of(prepared))
    assert refusal(lambda: clerk.finish(waiting, act, signing, wrong)).code == "signature-wrong"


def test_prepare_needs_the_role_the_state_the_version_and_a_pdf(api_service, waiting, seal_token):
    act = seal_of(waiting["attachments"][0])
    with_sheet = numbered(api_service, with_attachments(api_service))
    signed = api_service.on("signed", api_service.on("waiting_signature", with_attachments(api_service)))
    for login, document, what, code in (
        (LEADER, waiting, act, "not-allowed"),
        (OFFICER, waiting, act, "not-allowed"),
        (CLERK, {**waiting, "version": waiting["version"] - 1}, act, "state-changed"),
        (CLERK, signed, seal_of(signed["attachments"][0]), "wrong-state"),
        (CLERK, with_sheet, seal_of(with_sheet["attachments"][1]), "type-not-allowed"),
    ):
        person = api_service.person(login)
        told = refusal(lambda p=person, d=document, w=what: p.prepare(d, w, seal_token.certificate))
        assert told.code == code, (login, what)
