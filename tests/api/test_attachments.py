"""Separate attachments: added to a draft, signed by the organisation before the seal, sent with the document (R41)."""

import hashlib
import io
import json
import zipfile

import pikepdf
import pypdfium2 as pdfium
import pytest
import rfc8785

from api.client import Json
from api.wiring import now
from exchange.proof.archive import read_archive, write_archive
from exchange.proof.claims import Outcome
from exchange.proof.evidence import check_pack
from exchange.rules.model import FileRef
from signing.verify import verify_pdf
from tests.fixtures.service import (
    ADMIN,
    AUDITOR,
    CLERK,
    COMMUNE_CLERK,
    LEADER,
    OFFICER,
    OTHER_CLERK,
    ApiService,
    at_once,
    letter,
    refusal,
)

SHEET = b"stt,don vi,kinh phi\n1,xa A,100\n"


def attach(service: ApiService, document: Json, data: bytes, name: str, media_type: str = "application/pdf", **more):
    person = service.person(OFFICER)
    upload = person.upload(data, name, media_type=media_type)
    return person.attach(document, upload["id"], **more)


def with_attachments(service: ApiService) -> Json:
    document = attach(service, service.draft(), letter("PHỤ LỤC I"), "phu-luc-1.pdf")
    document = attach(service, document, SHEET, "so-lieu.csv", "text/csv")
    return attach(service, document, letter("PHỤ LỤC II", pages=2), "phu-luc-2.pdf")


@pytest.fixture(scope="module")
def sealed(api_service: ApiService) -> Json:
    document = with_attachments(api_service)
    for step in ("waiting_signature", "signed", "numbered", "sealed"):
        document = api_service.on(step, document)
    return document


@pytest.fixture(scope="module")
def issued(api_service: ApiService, sealed: Json) -> Json:
    return api_service.on("issued", sealed)


def files(service: ApiService, document: Json) -> list[bytes]:
    return [service.person(CLERK).attachment(document["id"], one["id"]) for one in document["attachments"]]


def test_attachments_stand_in_the_order_in_which_they_came(sealed):
    assert [(one["n"], one["name"], one["media_type"], one["sealed"]) for one in sealed["attachments"]] == [
        (1, "phu-luc-1.pdf", "application/pdf", True),
        (2, "so-lieu.csv", "text/csv", False),
        (3, "phu-luc-2.pdf", "application/pdf", True),
    ]


def test_every_pdf_has_the_organisations_mark_as_text_top_right_of_page_one(api_service, sealed):
    first, _, second = files(api_service, sealed)
    for pdf in (first, second):
        report = api_service.person(CLERK).verify(pdf)
        assert (report["verdict"], report["two_signatures"]) == ("valid", "not_required")
        (signed,) = [one for one in report["signatures"] if one["kind"] == "signature"]
        assert (signed["field"], signed["purpose"], signed["level"]) == ("PhuLuc", "organisation", "B-LTA")
        with pikepdf.open(io.BytesIO(pdf)) as document:
            (field,) = [f for f in document.Root.AcroForm.Fields if str(f.T) == "PhuLuc"]
            x1, y1, x2, y2 = (float(n) for n in field.Rect)
            assert x2 > 0.9 * 595
            assert y1 > 0.9 * 842
            assert "/Image" not in str(field.AP.N.get("/Resources", ""))
        shown = pdfium.PdfDocument(pdf)
        shown.init_forms()
        shown[0].flatten()
        text = pdfium.PdfDocument(_saved(shown))[0].get_textpage().get_text_bounded(x1, y1, x2, y2)
        assert sealed["number"]["written"] in text
        assert "+07:00" in text


def _saved(document: pdfium.PdfDocument) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_what_is_no_pdf_stays_byte_for_byte_as_it_came(api_service, sealed):
    assert files(api_service, sealed)[1] == SHEET


def test_the_events_name_every_file_and_each_mark(api_service, issued):
    with api_service.parts.read() as reading:
        events = {one.type: one.body for one in reading.exchange.events_of(document=issued["id"])}
    digests = [issued["revision"]["sha256"], *(one["sha256"] for one in issued["attachments"])]
    for kind in ("document.sealed", "document.issued", "consignment.submitted", "delivery.consigned"):
        body = events[kind].decode()
        assert all(digest in body for digest in digests), kind
    types = [one["type"] for one in api_service.person(CLERK).events(issued["id"])]
    assert types.count("document.attached") == 3
    assert types.count("document.attachment_sealed") == 2


def test_the_receiver_sees_their_verdicts_and_takes_the_very_files(api_service, issued):
    clerk = api_service.person(COMMUNE_CLERK)
    delivery = clerk.delivery(api_service.arrival(issued)["id"])
    verdicts = [one["report"] and one["report"]["verdict"] for one in delivery["attachments"]]
    assert verdicts == ["valid", None, "valid"]
    for one, sent in zip(delivery["attachments"], files(api_service, issued), strict=True):
        got = clerk.delivery_file(delivery["id"], one["n"])
        assert got == sent
        assert hashlib.sha256(got).hexdigest() == one["sha256"]
    assert refusal(lambda: clerk.delivery_file(delivery["id"], 5)).code == "not-found"
    page = api_service.browser(COMMUNE_CLERK).http
    assert "so-lieu.csv" in page.get(f"/deliveries/{delivery['id']}").text
    taken = page.get(f"/deliveries/{delivery['id']}/files/3")
    assert (taken.content, taken.headers["content-type"].partition(";")[0]) == (SHEET, "text/csv")
    assert api_service.browser(OTHER_CLERK).http.get(f"/deliveries/{delivery['id']}/files/2").status_code == 404


def test_the_evidence_pack_holds_them(api_service, issued):
    for login in (CLERK, COMMUNE_CLERK):
        pack = zipfile.ZipFile(io.BytesIO(api_service.person(login).evidence_pack(issued["id"])))
        held = {hashlib.sha256(pack.read(name)).hexdigest() for name in pack.namelist() if "/attachments/" in name}
        assert held == {one["sha256"] for one in issued["attachments"]}, login


def claimed(pack: bytes, service: ApiService) -> Outcome:
    """What a stranger's check says about the attachments in a pack."""
    anchor = service.authority.authority.certificate
    report = check_pack(pack, [anchor], verify=verify_pdf, at=now())
    return next(one.outcome for one in report.claims if one.code == "attachments")


def test_a_stranger_is_told_whether_the_attachments_of_a_pack_are_those_that_were_sent(api_service, issued):
    pack = api_service.person(COMMUNE_CLERK).evidence_pack(issued["id"])
    assert claimed(pack, api_service) is Outcome.PROVEN
    entries = read_archive(pack)
    name = next(name for name in entries if "/attachments/002" in name)
    assert claimed(resealed({k: v for k, v in entries.items() if k != name}), api_service) is Outcome.NOT_PROVEN
    assert claimed(resealed(entries | {name: b"other"}), api_service) is Outcome.CONTRADICTED


def resealed(entries: dict[str, bytes]) -> bytes:
    """The pack with a manifest that fits what is in it: whoever forges writes that too."""
    manifest = json.loads(entries["META-INF/manifest.json"])
    others = {name: data for name, data in sorted(entries.items()) if not name.startswith("META-INF/")}
    manifest["files"] = [
        {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in others.items()
    ]
    return write_archive(others | {"META-INF/manifest.json": rfc8785.dumps(manifest)})


def test_a_number_that_is_void_takes_the_marks_with_it(api_service):
    document = attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "a.pdf")
    for step in ("waiting_signature", "signed", "numbered"):
        document = api_service.on(step, document)
    attached = document["attachments"][0]
    with api_service.parts.write() as writing:
        ref = FileRef("ab" * 32, 5, "application/pdf", "a.pdf")
        assert writing.tx.store.seal_attachment(attached["id"], ref, "cd" * 32)
        assert not writing.tx.store.seal_attachment(attached["id"], ref, "cd" * 32)
    back = api_service.person(CLERK).give_back(document, "Sai số")
    assert [one["sealed"] for one in api_service.person(CLERK).document(back["id"])["attachments"]] == [False]


def test_a_seal_that_ends_in_the_middle_goes_on_where_it_stopped(api_service):
    document = with_attachments(api_service)
    for step in ("waiting_signature", "signed", "numbered"):
        document = api_service.on(step, document)
    clerk, pin = api_service.person(CLERK), api_service.pin(CLERK)
    api_service.authority.stop()
    try:
        refused = refusal(lambda: clerk.seal(document, pin, key="seal-mid"))
    finally:
        api_service.authority.start()
    assert (refused.code, refused.problem["retryable"]) == ("tsa-unavailable", True)
    assert clerk.document(document["id"])["version"] == document["version"]
    done = clerk.seal(document, pin, key="seal-mid")
    assert done["state"] == "sealed"


def test_two_seals_at_once_mark_each_attachment_once(api_service):
    document = attach(api_service, api_service.draft(), letter("PHỤ LỤC"), "a.pdf")
    for step in ("waiting_signature", "signed", "numbered"):
        document = api_service.on(step, document)
    clerk, pin = api_service.person(CLERK), api_service.pin(CLERK)
    both = at_once(*(lambda: clerk.seal(document, pin) for _ in range(2)))
    assert sum(isinstance(one, dict) for one in both) == 1
    types = [one["type"] for one in clerk.events(document["id"])]
    assert (types.count("document.attachment_sealed"), types.count("document.sealed")) == (1, 1)


def test_after_submitting_nothing_is_added_or_taken_away(api_service):
    document = attach(api_service, api_service.draft(), SHEET, "a.csv", "text/csv")
    attached = document["attachments"][0]["id"]
    waiting = api_service.on("waiting_signature", document)
    with api_service.nothing_left():
        assert refusal(lambda: api_service.person(OFFICER).detach(waiting, attached)).code == "wrong-state"
    upload = api_service.person(OFFICER).upload(SHEET, "b.csv", media_type="text/csv")
    with api_service.nothing_left():
        assert refusal(lambda: api_service.person(OFFICER).attach(waiting, upload["id"])).code == "wrong-state"


def test_an_attachment_of_a_draft_can_be_taken_away(api_service):
    document = attach(api_service, api_service.draft(), SHEET, "a.csv", "text/csv")
    document = attach(api_service, document, SHEET + b"2", "b.csv", "text/csv")
    document = api_service.person(OFFICER).detach(document, document["attachments"][0]["id"])
    assert [one["name"] for one in document["attachments"]] == ["b.csv"]
    assert refusal(lambda: api_service.person(OFFICER).detach(document, "att_none")).code == "not-found"


@pytest.mark.parametrize("login", [CLERK, LEADER, AUDITOR, ADMIN, OTHER_CLERK])
def test_only_the_author_attaches(api_service, login):
    draft = api_service.standing("draft")
    upload = api_service.person(OFFICER).upload(SHEET, "a.csv", media_type="text/csv")
    code = "not-found" if login == OTHER_CLERK else "not-allowed"
    with api_service.nothing_left():
        refused = refusal(lambda: api_service.person(login).attach(draft, upload["id"]))
        assert refused.code == code
        assert refusal(lambda: api_service.person(login).detach(draft, "att_none")).code == code


@pytest.mark.parametrize(
    ("name", "data", "media_type", "code"),
    [
        ("virus.exe", b"MZ", "application/pdf", "type-not-allowed"),
        ("a.csv", b"MZ\x90\x00", "text/csv", "type-not-allowed"),
        ("a.pdf", b"no pdf at all", "application/pdf", "not-a-pdf"),
        ("a.pdf", letter("V/v", mark="MẬT"), "application/pdf", "classified-mark-suspected"),
    ],
)
def test_a_file_that_may_not_be_attached_leaves_nothing(api_service, name, data, media_type, code):
    document = api_service.standing("draft")
    before = api_service.kept().rows["exchange_attachments"]
    person = api_service.person(OFFICER)
    upload = person.upload(data, name, media_type=media_type)
    assert refusal(lambda: person.attach(document, upload["id"])).code == code
    assert api_service.kept().rows["exchange_attachments"] == before
    assert person.document(document["id"])["version"] == document["version"]


def test_only_a_pdf_becomes_a_document(api_service):
    person = api_service.person(OFFICER)
    upload = person.upload(SHEET, "a.csv", media_type="text/csv")
    refused = refusal(lambda: person.draft(upload["id"], signer=api_service.account(LEADER), subject="x"))
    assert (refused.code, refused.status) == ("type-not-allowed", 415)


def test_the_page_attaches_and_takes_away(api_service):
    draft = api_service.draft()
    browser = api_service.browser(OFFICER)
    url = f"/documents/{draft['id']}"
    answer = browser.post(
        f"{url}/attach", {"version": draft["version"]}, files={"file": ("bảng.csv", SHEET, "text/csv")}
    )
    assert answer.status_code == 303, answer.text
    shown = browser.http.get(url).text
    assert "bảng.csv" in shown
    (one,) = api_service.person(OFFICER).document(draft["id"])["attachments"]
    assert browser.http.get(f"{url}/attachments/{one['id']}").content == SHEET
    assert browser.post(f"{url}/detach", {"version": draft["version"] + 1, "attachment": one["id"]}).status_code == 303
    assert api_service.person(OFFICER).document(draft["id"])["attachments"] == []
