"""What a program at the desk brings back: accepted only when it adds the signature that is due, and nothing else."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from api import elsewhere
from api import tables as people_tables
from api.client import Json, Refused
from api.store import AccountStore
from exchange.rules.model import Actor, Role
from exchange.storage import tables as exchange_tables
from tests.api.test_sign_elsewhere import later, standing
from tests.fixtures.service import CLERK, COMMUNE_LEADER, LEADER, ApiService, at_once, letter, refusal
from tests.fixtures.tokens import MakeToken, Token
from tests.vgca import writing
from tests.vgca.writing import Style

SHAPE = {"Status": bool, "Message": str, "FileName": str, "FileServer": str, "DocumentNumber": str, "DocumentDate": str}


@pytest.fixture(scope="module")
def leader_token(make_token: MakeToken) -> Token:
    return make_token(LEADER)


@pytest.fixture(scope="module")
def seal_token(make_token: MakeToken) -> Token:
    return make_token(CLERK, seal=True)


@dataclass
class Desk:
    """A signer's computer: fetches by the address it was given, signs, brings back."""

    service: ApiService

    def lend(self, document: Json, act: str = "sign") -> Json:
        return self.service.person(LEADER if act == "sign" else CLERK).lend(document, act)

    def fetch(self, lent: Json, **more: Any) -> Any:
        return self.service.http().get(lent["source"].replace("http://127.0.0.1:8000", ""), **more)

    def upload(
        self, lent: Json, pdf: bytes, *, name: str = "a.pdf", kind: str = "application/octet-stream", **more: Any
    ) -> Json:
        address = lent["upload"].replace("http://127.0.0.1:8000", "")
        answer = self.service.http().post(address, files={"uploadfile": (name, pdf, kind)}, **more)
        return told(answer)

    def signed(self, lent: Json, token: Token, style: Style = Style()) -> bytes:
        return writing.sign(self.fetch(lent).content, token, lent["operation"], self.service.parts.now(), style)


def told(answer: Any) -> Json:
    """The JSON of an upload's answer, which is HTTP 200 and of one shape, whatever it says."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert {name: type(value) for name, value in body.items()} == SHAPE
    assert bool(body["Message"]) is not body["Status"]
    return body


@pytest.fixture
def desk(api_service: ApiService) -> Desk:
    return Desk(api_service)


# -- it works --


def test_leader_and_clerk_sign_with_their_program_and_the_document_is_issued(desk, leader_token, seal_token):
    service = desk.service
    document = service.document("waiting_signature")
    lent = desk.lend(document)
    assert (lent["operation"], lent["document_number"], lent["issued_date"]) == ("SignApproved", "", "")
    got = desk.fetch(lent)
    assert got.headers["content-type"] == "application/pdf"
    assert got.content == service.person(LEADER).file(document["id"])
    answer = desk.upload(lent, desk.signed(lent, leader_token))
    assert (answer["Status"], answer["FileServer"], answer["DocumentNumber"]) == (True, lent["loan"], "")
    leader = service.person(LEADER)
    assert leader.loan(document["id"], lent["loan"])["state"] == "done"

    numbered = service.person(CLERK).number(service.person(CLERK).document(document["id"]), "qd")
    lent = desk.lend(numbered, "seal")
    written, day = numbered["number"]["written"], numbered["number"]["date"]
    assert (lent["operation"], lent["document_number"]) == ("SignIssued", written)
    assert lent["issued_date"] == f"{day}T00:00:00+07:00"
    answer = desk.upload(lent, desk.signed(lent, seal_token, Style(signatures=3)))
    assert (answer["DocumentNumber"], answer["DocumentDate"]) == (written, day)
    sealed = service.person(CLERK).document(document["id"])
    assert sealed["state"] == "sealed"
    report = service.person(CLERK).report(document["id"])
    assert (report["verdict"], report["two_signatures"], report["office_match"]) == ("valid", "complete", "match")
    service.person(CLERK).issue(sealed, [{"office": "H99.05.01"}])


def test_what_our_own_key_signed_is_sealed_by_the_program_and_the_other_way_round(desk, leader_token, seal_token):
    service = desk.service
    lent = desk.lend(service.document("numbered"), "seal")
    assert desk.upload(lent, desk.signed(lent, seal_token))["Status"] is True
    document = service.document("waiting_signature")
    lent = desk.lend(document)
    assert desk.upload(lent, desk.signed(lent, leader_token, Style(certifies=False)))["Status"] is True
    clerk = service.person(CLERK)
    numbered = clerk.number(clerk.document(document["id"]), "qd")
    clerk.issue(clerk.seal(numbered, service.pin(CLERK)), [{"office": "H99.05.01"}])
    assert clerk.report(document["id"])["verdict"] == "valid"


def test_the_same_revision_can_be_put_by_an_integrating_program(api_service, desk, leader_token):
    document = api_service.document("waiting_signature")
    leader = api_service.person(LEADER)
    pdf = writing.sign(leader.file(document["id"]), leader_token, "SignApproved", api_service.parts.now())
    signed = leader.put_revision(document, pdf)
    assert signed["state"] == "signed"
    api_service.person(CLERK).number(signed, "qd")
    assert leader.put_revision(document, pdf) == signed, "the same bytes again: the same answer"
    other = writing.sign(pdf, leader_token, "SignApproved", api_service.parts.now())
    before = standing(api_service, document)
    assert refusal(lambda: leader.put_revision(document, other)).code == "not-allowed"
    assert standing(api_service, document) == before


# -- every way in which such programs may differ is judged, and those that are harmless are accepted --

ACCEPTED = {
    "etsi": Style(subfilter="etsi"),
    "not certified": Style(certifies=False),
    "producer kept": Style(producer=False),
    "local time": Style(signing_time="local"),
    "no time": Style(signing_time="absent"),
}


@pytest.fixture(scope="module")
def waiting(api_service: ApiService) -> Json:
    """A document that everything below leaves as it is."""
    return api_service.document("waiting_signature")


@pytest.fixture(scope="module")
def numbered(api_service: ApiService) -> Json:
    return api_service.document("numbered")


Judge = Callable[..., None]


@pytest.fixture
def judge(api_service: ApiService) -> Judge:
    """`judge(document, pdf)` is what the service thinks of a file, before any act. Raises its refusal."""

    def look(document: Json, pdf: bytes, act: str = "sign") -> None:
        login = LEADER if act == "sign" else CLERK
        with api_service.parts.read() as reading:
            before = reading.exchange.document(document["id"])
            account = reading.people.account_by_login(login)
            assert account is not None
            roles = reading.people.roles(account.id)
        actor = Actor(account.id, before.office, roles[before.office])
        elsewhere._judged(api_service.parts, actor, act, before, pdf)

    return look


@pytest.mark.parametrize("way", ACCEPTED)
def test_a_harmless_way_of_signing_is_accepted(api_service, judge, waiting, leader_token, way):
    pdf = api_service.person(LEADER).file(waiting["id"])
    judge(waiting, writing.sign(pdf, leader_token, "SignApproved", api_service.parts.now(), ACCEPTED[way]))


def test_a_chain_beside_the_certificate_and_a_seal_of_three_signatures_are_accepted(
    api_service, judge, waiting, numbered, leader_token, seal_token
):
    chain = api_service.authority.authority.chain
    pdf = api_service.person(LEADER).file(waiting["id"])
    judge(waiting, writing.sign(pdf, leader_token, "SignApproved", api_service.parts.now(), Style(chain=chain)))
    pdf = api_service.person(CLERK).file(numbered["id"])
    now = api_service.parts.now()
    judge(numbered, writing.sign(pdf, seal_token, "SignIssued", now, Style(signatures=3, chain=chain)), "seal")


# -- what is not accepted leaves the document as it was, and says why --


def wrong_files(service: ApiService, make_token: MakeToken, token: Token, pdf: bytes) -> Iterator[tuple[str, bytes]]:
    """Code and file of everything that a program, or somebody in its place, must not bring back for a signature."""
    at = service.parts.now()
    signed = writing.sign(pdf, token, "SignApproved", at)
    yield "signature-missing", pdf
    yield "signer-not-authorised", writing.sign(pdf, make_token(COMMUNE_LEADER), "SignApproved", at)
    yield "signer-not-authorised", writing.sign(pdf, make_token(CLERK, seal=True), "SignApproved", at)
    yield "signatures-unexpected", writing.sign(pdf, token, "SignIssued", at, Style(signatures=3))
    yield "revision-not-extension", writing.sign(letter("khác"), token, "SignApproved", at)
    yield "revision-not-extension", writing.sign(pdf, token, "SignApproved", at, Style(rewrites=True))
    yield "changed-after-signing", writing.sign(pdf, token, "SignApproved", at, Style(annotates=True))
    yield "changed-after-signing", writing.sign(writing.with_other_page(pdf), token, "SignApproved", at)
    yield "changed-after-signing", writing.with_other_page(signed)
    yield "signature-missing", signed[: len(pdf) + 400]
    yield "not-a-pdf", b"<html>loi</html>"
    yield "not-a-pdf", b""


def test_wrong_files_for_a_signature(desk, make_token, leader_token):
    service = desk.service
    waiting = service.document("waiting_signature")
    before = standing(service, waiting)
    lent = desk.lend(waiting)
    pdf = desk.fetch(lent).content
    for code, wrong in wrong_files(service, make_token, leader_token, pdf):
        answer = desk.upload(lent, wrong)
        now = service.person(LEADER).loan(waiting["id"], lent["loan"])
        assert (answer["Status"], now["state"], now["refusal"]["code"]) == (False, "refused", code), answer
        assert "{" not in now["refusal"]["sentence"]
        assert standing(service, waiting) == before
    put = service.person(LEADER)
    for code, wrong in wrong_files(service, make_token, leader_token, pdf):
        assert refusal(lambda w=wrong: put.put_revision(waiting, w)).code == code
    assert standing(service, waiting) == before
    assert desk.upload(lent, desk.signed(lent, leader_token))["Status"] is True, "the right one may still come"


def test_a_seal_that_takes_the_leaders_signature_away_or_changes_what_it_covers_is_refused(
    desk, make_token, seal_token, numbered
):
    service = desk.service
    at, before = service.parts.now(), standing(service, numbered)
    lent = desk.lend(numbered, "seal")
    pdf = desk.fetch(lent).content
    wrong = {
        "taken away": (writing.sign(writing.without_first_signature(pdf), seal_token, "SignIssued", at), "changed"),
        "old bytes": (writing.with_old_bytes_changed(writing.sign(pdf, seal_token, "SignIssued", at)), "revision-not"),
        "page": (writing.sign(writing.with_other_page(pdf), seal_token, "SignIssued", at), "changed"),
        "four": (
            writing.sign(
                writing.sign(pdf, seal_token, "SignIssued", at, Style(signatures=3)), seal_token, "SignFile", at
            ),
            "signatures-unexpected",
        ),
        "a person's": (writing.sign(pdf, make_token(CLERK), "SignIssued", at), "seal-wrong-office"),
        "another office's": (
            writing.sign(pdf, make_token("vanthu.cumgar", seal=True), "SignIssued", at), "seal-wrong-office"
        ),
    }  # fmt: skip
    for name, (file, code) in wrong.items():
        assert desk.upload(lent, file)["Status"] is False, name
        now = service.person(CLERK).loan(numbered["id"], lent["loan"])
        assert now["refusal"]["code"].startswith(code), (name, now)
        assert standing(service, numbered) == before


def test_the_report_on_a_refused_file_is_kept(api_service, waiting, leader_token):
    leader = api_service.person(LEADER)
    wrong = writing.with_other_page(
        writing.sign(leader.file(waiting["id"]), leader_token, "SignApproved", api_service.parts.now())
    )
    with capture_logs() as lines:
        refusal(lambda: leader.put_revision(api_service.person(LEADER).document(waiting["id"]), wrong))
    (line,) = [line for line in lines if line["event"] == "returned-file-refused"]
    with api_service.parts.read() as reading:
        assert reading.exchange.report(line["report"]) is not None


def test_a_revoked_certificate_and_one_nobody_can_ask_about_are_refused(desk, make_token):
    service = desk.service
    document = service.document("waiting_signature")
    before, token = standing(service, document), make_token(LEADER)
    lent = desk.lend(document)
    pdf = desk.signed(lent, token)
    service.authority.stop()
    try:
        desk.upload(lent, pdf)
    finally:
        service.authority.start()
    now = service.person(LEADER).loan(document["id"], lent["loan"])
    assert now["refusal"]["code"] in ("revocation-unavailable", "signature-unknown")
    service.authority.authority.revoke(token.serial, service.parts.now() - timedelta(seconds=1))
    assert desk.upload(lent, pdf)["Status"] is False
    assert standing(service, document) == before


# -- addresses --


def test_a_second_upload_of_the_same_bytes_is_told_the_same_and_other_bytes_are_refused_and_logged(desk, leader_token):
    service = desk.service
    document = service.document("waiting_signature")
    lent = desk.lend(document)
    pdf = desk.signed(lent, leader_token)
    first = desk.upload(lent, pdf)
    shapes: list[dict[str, Any]] = [
        {"name": "Quyết định số 15.pdf"}, {"name": "C:\\Users\\a\\b.pdf"}, {"name": "quy%E1%BA%BFt.pdf"},
        {"kind": "application/pdf"}, {"data": {"file_id": "7", "token": "x"}},
        {"headers": {"Authorization": "Bearer secret-word"}}, {"headers": {"Cookie": "ASP.NET_SessionId=secret-word"}},
    ]  # fmt: skip
    with capture_logs() as lines:
        for shape in shapes:
            assert desk.upload(lent, pdf, **shape) == first
    assert "secret-word" not in str(lines)
    assert [line["headers"] for line in lines if line["event"] == "credentials-ignored"] == [
        ["authorization"], ["cookie"]
    ]  # fmt: skip
    after = standing(service, document)
    with capture_logs() as lines:
        assert desk.upload(lent, pdf + b"\n")["Status"] is False
    assert [line["code"] for line in lines if line["event"] == "desk-file-refused"] == ["desk-file-taken"]
    assert standing(service, document) == after
    assert service.person(LEADER).loan(document["id"], lent["loan"])["state"] == "done"
    assert desk.fetch(lent).status_code == 404, "what came back need not be read again"


def test_the_same_bytes_brought_twice_at_once_make_one_revision(desk, leader_token):
    service = desk.service
    document = service.document("waiting_signature")
    lent = desk.lend(document)
    pdf = desk.signed(lent, leader_token)
    first, second = at_once(lambda: desk.upload(lent, pdf), lambda: desk.upload(lent, pdf))
    assert first == second
    assert first["Status"] is True
    types = [e["type"] for e in service.person(LEADER).events(document["id"])]
    assert types.count("document.signed") == 1


def test_what_comes_too_late_is_refused(desk, leader_token, monkeypatch):
    service = desk.service
    document = service.document("waiting_signature")
    before, lent = standing(service, document), desk.lend(document)
    pdf = desk.signed(lent, leader_token)
    later(service, monkeypatch, timedelta(minutes=21))
    assert desk.upload(lent, pdf)["Status"] is False
    assert desk.fetch(lent).status_code == 404
    assert service.person(LEADER).loan(document["id"], lent["loan"])["refusal"]["code"] == "signing-expired"
    assert standing(service, document) == before


def test_what_comes_after_the_document_moved_on_is_refused(desk, leader_token):
    service = desk.service
    document = service.document("waiting_signature")
    lent = desk.lend(document)
    pdf = desk.signed(lent, leader_token)
    service.person(LEADER).give_back(document, "Thử")
    before = standing(service, document)
    assert desk.upload(lent, pdf)["Status"] is False
    assert desk.fetch(lent).status_code == 404
    assert standing(service, document) == before


def test_an_address_reads_or_writes_and_only_a_few_times(desk, waiting):
    lent = desk.lend(desk.service.document("waiting_signature"))
    swapped = {
        "source": lent["upload"].replace("upload", "source"),
        "upload": lent["source"].replace("source", "upload"),
    }
    assert desk.fetch(swapped).status_code == 404
    assert desk.upload(swapped, b"%PDF-1.7")["Status"] is False
    assert [desk.fetch(lent).status_code for _ in range(4)] == [200, 200, 200, 404]
    for word in ("", "x", "é" * 99, "x" * 5000):
        assert desk.service.http().get("/vgca/source", params={"t": word}).status_code == 404


def test_the_words_in_the_addresses_are_in_no_log_and_in_no_table(desk, leader_token):
    service = desk.service
    with capture_logs() as lines:
        document = service.document("waiting_signature")
        lent = desk.lend(document)
        desk.upload(lent, b"nothing")
        desk.fetch(lent)
    words = [lent[name].partition("t=")[2] for name in ("source", "upload")]
    assert all(len(word) > 40 for word in words)
    kept = json.dumps([str(line) for line in lines])
    with service.parts.database.reader.connect() as connection:
        for table in (exchange_tables.loans, people_tables.answers):
            kept += str(connection.execute(select(table)).all())
    assert not any(word in kept for word in words)


def test_every_bad_upload_is_answered_in_the_programs_own_form(desk, waiting):
    service = desk.service
    lent = desk.lend(service.document("waiting_signature"))
    address = lent["upload"].replace("http://127.0.0.1:8000", "")
    small = service.quick(upload_limit_mb=1)
    for http, more in (
        (service.http(), {"content": b"no form"}),
        (service.http(), {"data": {"a": "b"}}),
        (service.http(), {"files": {"other": ("a.pdf", b"%PDF-1.7")}}),
        (service.http(), {"data": {"uploadfile": "text"}}),
        (service.http(), {"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}),
        (service.http(), {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}),
        (small.http(), {"files": {"uploadfile": ("a.pdf", b"%PDF-1.7" + bytes(3 << 20))}}),
        (service.http(), {"content": b"x", "headers": {"Content-Length": "99999999999"}}),
    ):
        assert told(http.post(address, **more))["Status"] is False


def test_a_person_who_lost_the_role_brings_nothing_back(desk, leader_token, monkeypatch):
    service = desk.service
    document = service.document("waiting_signature")
    lent = desk.lend(document)
    pdf = desk.signed(lent, leader_token)
    before = standing(service, document)
    monkeypatch.setattr(AccountStore, "roles", lambda *_: {"H99.05": frozenset({Role.CLERK})})
    assert desk.upload(lent, pdf)["Status"] is False
    monkeypatch.undo()
    assert standing(service, document) == before


def test_lending_needs_the_role_and_the_state_and_is_seen_by_its_person_only(desk, waiting):
    service = desk.service
    document = service.document("waiting_signature")
    for login, act, code in ((CLERK, "sign", "not-allowed"), (LEADER, "seal", "not-allowed"),
                             (COMMUNE_LEADER, "sign", "not-found")):  # fmt: skip
        assert refusal(lambda p=login, a=act: service.person(p).lend(document, a)).code == code
    lent = desk.lend(document)
    with pytest.raises(Refused, match="not-found"):
        service.person(CLERK).loan(document["id"], lent["loan"])


# -- copies --


def numbered_copy(service: ApiService) -> Json:
    clerk = service.person(CLERK)
    upload = clerk.upload(letter(), "ban-quet.pdf")["id"]
    return clerk.number(clerk.copy("SY", upload=upload, subject="Thử"), "sy")


def test_a_copy_is_lent_to_be_signed_as_one_and_comes_back_sealed_once(desk, seal_token, make_token):
    clerk, document = desk.service.person(CLERK), numbered_copy(desk.service)
    lent, stale = desk.lend(document, "seal"), desk.lend(document, "seal")
    assert (lent["operation"], lent["document_number"]) == ("SignCopy", document["number"]["written"])
    lent_pdf, at = desk.fetch(lent).content, desk.service.parts.now()
    before = standing(desk.service, document)
    for code, pdf in (
        ("signature-misplaced", writing.sign(lent_pdf, seal_token, "SignIssued", at)),
        ("signatures-unexpected", writing.sign(lent_pdf, seal_token, "SignIssued", at, Style(signatures=3))),
        ("seal-wrong-office", writing.sign(lent_pdf, make_token("vanthu.cumgar", seal=True), "SignCopy", at)),
        ("changed-after-signing", writing.sign(lent_pdf, seal_token, "SignCopy", at, Style(annotates=True))),
    ):
        assert desk.upload(lent, pdf)["Status"] is False
        assert clerk.loan(document["id"], lent["loan"])["refusal"]["code"] == code
        assert standing(desk.service, document) == before
    signed = desk.signed(lent, seal_token)
    assert desk.upload(lent, signed)["Status"] is True
    assert desk.upload(lent, signed)["Status"] is True, "the same bytes again change nothing"
    assert clerk.document(document["id"])["state"] == "sealed"
    assert clerk.report(document["id"])["verdict"] == "valid"
    assert desk.upload(stale, writing.sign(lent_pdf, seal_token, "SignCopy", at))["Status"] is False
    assert clerk.loan(document["id"], stale["loan"])["refusal"]["code"] in ("wrong-state", "state-changed")
