"""Copies: sao y from paper, sao lục of a sao y, trích sao of anything, signed by the organisation alone (R35, R42)."""

import io

import pikepdf
import pypdfium2 as pdfium
import pytest

from api.client import Json
from tests.fixtures.letters import draw_letter
from tests.fixtures.service import (
    ADMIN,
    AUDITOR,
    CLERK,
    COMMUNE,
    COMMUNE_CLERK,
    LEADER,
    OTHER_CLERK,
    ApiService,
    letter,
    refusal,
)
from tests.fixtures.tokens import hash_of


def scan(service: ApiService, login: str = CLERK, pdf: bytes | None = None) -> str:
    return str(service.person(login).upload(pdf or draw_letter(pages=2), "ban-quet.pdf")["id"])


def road(service: ApiService, login: str, document: Json, series: str, to: str | None = None) -> Json:
    """Numbered, sealed and, with `to`, issued by the clerk alone."""
    clerk = service.person(login)
    document = clerk.seal(clerk.number(document, series), service.pin(login))
    if to:
        clerk.issue(document, [{"office": to}])
    return clerk.document(document["id"])


@pytest.fixture(scope="module")
def certified(api_service: ApiService) -> Json:
    """A certified copy of a scan, issued to the commune."""
    draft = api_service.person(CLERK).copy(
        "SY", upload=scan(api_service), subject="Quyết định cũ trên giấy", issue_place="Cư M'gar"
    )
    assert (draft["state"], draft["kind"], draft["copy_kind"]) == ("draft", "copy", "SY")
    return road(api_service, CLERK, draft, "sy", COMMUNE)


def test_the_clerk_alone_brings_a_certified_copy_to_its_recipients(api_service, certified):
    assert certified["state"] == "issued"
    assert certified["number"]["written"].endswith("/SY-UBND")
    types = [one["type"] for one in api_service.person(CLERK).events(certified["id"])]
    assert types[:4] == ["document.drafted", "document.numbered", "document.sealed", "document.issued"]
    delivery = api_service.arrival(certified)
    assert (delivery["document"]["kind"], delivery["document"]["copy_kind"]) == ("copy", "SY")


def test_it_is_valid_to_a_stranger_without_a_leaders_signature_and_says_its_number(api_service, certified):
    report = api_service.person(CLERK).verify(api_service.person(CLERK).file(certified["id"]))
    assert (report["verdict"], report["two_signatures"]) == ("valid", "not_required")
    assert report["number"] == certified["number"]["written"]
    (signed,) = [one for one in report["signatures"] if one["kind"] == "signature"]
    assert (signed["field"], signed["purpose"], signed["level"]) == ("SaoY", "organisation", "B-LTA")


def test_its_first_page_shows_form_office_time_number_and_place_and_no_picture(api_service, certified):
    require_shown(api_service.person(CLERK).file(certified["id"]), certified)


def require_shown(pdf: bytes, copied: Json) -> None:
    """The mark of a certified copy is text, and page one as readers draw it says all of it (R42)."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        names = {str(f.T) for f in document.Root.AcroForm.Fields}
        assert names >= {"SaoY", "so_ky_hieu", "ngay_thang"}
        assert "ChuKyLanhDao" not in names
        assert all(
            "/Image" not in str(f.AP.N.get("/Resources", "")) for f in document.Root.AcroForm.Fields if "/AP" in f
        )
    shown = pdfium.PdfDocument(pdf)
    shown.init_forms()
    shown[0].flatten()
    out = io.BytesIO()
    shown.save(out)
    text = pdfium.PdfDocument(out.getvalue())[0].get_textpage().get_text_range()
    for words in ("SAO Y", "UBND huyện Cư M'gar", "+07:00", f"Số: {copied['number']['written']}", "Cư M'gar, ngày"):
        assert words in text, words


def test_a_copy_that_is_sealed_with_a_key_at_the_desk_looks_the_same(api_service, make_token):
    clerk, token = api_service.person(CLERK), make_token(CLERK, seal=True)
    draft = clerk.copy("SY", upload=scan(api_service), subject="Thử", issue_place="Cư M'gar")
    numbered = clerk.number(draft, "sy")
    prepared = clerk.prepare(numbered, "seal", token.certificate)
    sealed = clerk.finish(numbered, "seal", prepared["signing"], token.sign_hash(hash_of(prepared)))
    assert sealed["state"] == "sealed"
    pdf = clerk.file(sealed["id"])
    assert [one["field"] for one in clerk.verify(pdf)["signatures"]][:1] == ["SaoY"]
    require_shown(pdf, sealed)


def test_of_a_certified_copy_that_arrived_an_electronic_copy_is_made(api_service, certified):
    arrival = api_service.arrival(certified)
    clerk = api_service.person(COMMUNE_CLERK)
    draft = clerk.copy("SL", delivery=arrival["id"])
    assert (draft["copies"], draft["subject"]) == (certified["id"], certified["subject"])
    done = road(api_service, COMMUNE_CLERK, draft, "sl", "H99.05")
    report = clerk.verify(clerk.file(done["id"]))
    assert (report["verdict"], report["two_signatures"]) == ("valid", "not_required")
    pack = clerk.evidence_pack(done["id"])
    assert pack.startswith(b"PK")


def test_an_extract_holds_the_chosen_pages_of_an_issued_document_as_they_look(api_service):
    issued = api_service.document("issued")
    clerk = api_service.person(CLERK)
    extract = clerk.copy("TrS", document=issued["id"], pages=[1])
    pdf = pdfium.PdfDocument(clerk.file(extract["id"]))
    assert len(pdf) == 1
    assert issued["number"]["written"].split("/")[0] in pdf[0].get_textpage().get_text_range()
    assert clerk.verify(clerk.file(extract["id"]))["signatures"] == [], "the source's signatures do not come along"
    assert refusal(lambda: clerk.copy("TrS", document=issued["id"], pages=[7])).code == "place-invalid"
    done = road(api_service, CLERK, extract, "trs")
    assert done["number"]["written"].endswith("/TrS-UBND")


def test_what_the_decree_does_not_know_is_refused(api_service, certified):
    issued = api_service.standing("issued")
    clerk = api_service.person(CLERK)
    for kind, source in (
        ("SY", {"document": issued["id"]}),
        ("SL", {"document": issued["id"]}),
        ("TrS", {"document": api_service.standing("sealed")["id"]}),
        ("SY", {"document": certified["id"]}),
    ):
        with api_service.nothing_left():
            refused = refusal(lambda kind=kind, source=source: clerk.copy(kind, **source))
        assert (refused.code, refused.status) == ("copy-not-allowed", 422)


def test_copies_and_documents_are_numbered_in_their_own_series(api_service):
    clerk = api_service.person(CLERK)
    draft = clerk.copy("SY", upload=scan(api_service), subject="Thử")
    for series in ("qd", "sl", "trs"):
        with api_service.nothing_left():
            assert refusal(lambda series=series: clerk.number(draft, series)).code == "series-not-fitting"
    signed = api_service.document("signed")
    assert refusal(lambda: clerk.number(signed, "sy")).code == "series-not-fitting"


def test_a_copy_is_never_submitted_or_signed_and_not_sealed_without_its_number(api_service):
    clerk = api_service.person(CLERK)
    draft = clerk.copy("SY", upload=scan(api_service), subject="Thử")
    for call in (
        lambda: clerk.submit(draft),
        lambda: api_service.person(LEADER).sign(draft, "00000000"),
        lambda: clerk.seal(draft, "00000000"),
        lambda: clerk.issue(draft, [{"office": COMMUNE}]),
    ):
        assert refusal(call).code in ("not-allowed", "wrong-state")


def test_a_numbered_copy_goes_back_and_comes_again_under_the_next_number(api_service):
    clerk = api_service.person(CLERK)
    numbered = clerk.number(clerk.copy("SY", upload=scan(api_service), subject="Thử"), "sy")
    again = clerk.edit(clerk.give_back(numbered, "Sai trang"), subject="Thử lại")
    assert (again["state"], again["subject"], again["number"]) == ("draft", "Thử lại", None)
    assert clerk.number(again, "sy")["number"]["n"] == numbered["number"]["n"] + 1
    assert refusal(lambda: clerk.edit(clerk.give_back(clerk.document(again["id"]), "x"), signer="p_x")).code


@pytest.mark.parametrize(("login", "code"), [(LEADER, "not-allowed"), (AUDITOR, "not-allowed"), (ADMIN, "not-allowed")])
def test_only_authors_make_copies(api_service, login, code):
    issued = api_service.standing("issued")
    with api_service.nothing_left():
        assert refusal(lambda: api_service.person(login).copy("TrS", document=issued["id"])).code == code


def test_what_another_office_holds_cannot_be_copied(api_service, certified):
    stranger = api_service.person(OTHER_CLERK)
    arrival = api_service.arrival(certified)
    for source in ({"document": certified["id"]}, {"delivery": arrival["id"]}, {"upload": scan(api_service)}):
        assert refusal(lambda source=source: stranger.copy("SL", **source)).code == "not-found"


def test_a_repeat_with_the_same_key_makes_one_copy(api_service):
    upload = scan(api_service)
    clerk = api_service.person(CLERK)
    first = clerk.copy("SY", upload=upload, subject="Thử", key="sao-1")
    assert clerk.copy("SY", upload=upload, subject="Thử", key="sao-1") == first


def test_of_a_scan_that_is_marked_secret_nothing_is_kept(api_service):
    upload = scan(api_service, pdf=letter("V/v", mark="TỐI MẬT"))
    refused = refusal(lambda: api_service.person(CLERK).copy("SY", upload=upload, subject="Thử"))
    assert refused.code == "classified-mark-suspected"
    assert refusal(lambda: api_service.person(CLERK).copy("SY", upload=upload, subject="Thử")).code == "not-found"


def test_the_pages_make_a_copy_and_lead_the_clerk_to_its_number(api_service, certified):
    browser = api_service.browser(COMMUNE_CLERK)
    arrival = api_service.arrival(certified)
    assert f"/documents/copy?delivery={arrival['id']}" in browser.http.get(f"/deliveries/{arrival['id']}").text
    form = browser.http.get(f"/documents/copy?delivery={arrival['id']}")
    assert form.status_code == 200
    made = browser.post("/documents/copy", {"copy_kind": "SL", "delivery": arrival["id"], "pages": "1"})
    assert made.status_code == 303, made.text
    shown = browser.http.get(made.headers["location"]).text
    assert "Bản sao lục" in shown
    assert 'id="act-number"' in shown
    assert 'id="act-submit"' not in shown
    wrong = browser.post("/documents/copy", {"copy_kind": "SY", "delivery": arrival["id"]})
    assert (wrong.status_code, "copy-not-allowed" in wrong.text) == (422, True)
    paper = browser.post(
        "/documents/copy", {"copy_kind": "SY", "subject": "Bản quét"}, files={"file": ("q.pdf", draw_letter())}
    )
    assert paper.status_code == 303, paper.text
