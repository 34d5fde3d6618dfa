"""Checking by API and page: anybody's files without a trace, files of one's own office by digest, kept as evidence."""

import hashlib
import json
import re
from html import unescape
from typing import Any

import pytest

from keys.model import TrustWorld
from tests.fixtures.service import CLERK, COMMUNE_CLERK, OTHER_CLERK, ApiService, letter

VERIFY = "/api/v1/verify"


@pytest.fixture(scope="module")
def issued(api_service: ApiService) -> dict[str, Any]:
    """A document that went from the district to the commune."""
    return api_service.standing("issued")


@pytest.fixture(scope="module")
def pdf(api_service: ApiService, issued: dict[str, Any]) -> bytes:
    return api_service.person(CLERK).file(issued["id"])


def post(service: ApiService, *files: tuple[str, bytes], path: str = VERIFY, **headers: str) -> Any:
    """A visitor sends files."""
    return service.http().post(path, files=[("file", (name, data)) for name, data in files], headers=headers)


def by_digest(service: ApiService, login: str, sha256: str) -> Any:
    token = service.person(login).token
    return service.http().post(VERIFY, json={"sha256": sha256}, headers={"Authorization": f"Bearer {token}"})


def kept_reports(service: ApiService) -> int:
    return service.kept().rows["exchange_reports"]


# -- uploads --


def test_anybody_has_one_file_checked_and_nothing_is_kept(api_service, pdf):
    with api_service.nothing_left():
        answer = post(api_service, ("qd.pdf", pdf), **{"Accept-Language": "en"})

    told = answer.json()
    assert (answer.status_code, told["verdict"], told["office_match"]) == (200, "valid", "unknown")
    assert told["file_sha256"] == hashlib.sha256(pdf).hexdigest()
    assert told["sentences"][0].startswith("Valid")


def test_of_several_files_each_has_its_report_or_its_problem(api_service, pdf):
    with api_service.nothing_left():
        answer = post(api_service, ("qd.pdf", pdf), ("thu.pdf", letter()), ("hỏng.pdf", b"no pdf"))

    items = answer.json()["items"]
    assert [one["name"] for one in items] == ["qd.pdf", "thu.pdf", "hỏng.pdf"]
    assert [one["report"]["verdict"] for one in items[:2]] == ["valid", "invalid"]
    assert (items[2]["problem"]["code"], items[2]["problem"]["status"]) == ("not-a-pdf", 422)


def test_one_file_that_cannot_be_read_is_a_problem(api_service):
    answer = post(api_service, ("x.pdf", b"no pdf"))
    assert (answer.status_code, answer.json()["code"]) == (422, "not-a-pdf")


def test_more_than_twenty_files_are_refused(api_service):
    answer = post(api_service, *[(f"{n}.pdf", b"no pdf") for n in range(21)])
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert len(post(api_service, *[(f"{n}.pdf", b"no pdf") for n in range(20)]).json()["items"]) == 20


def test_files_are_together_no_larger_than_one_may_be(api_service):
    service = api_service.quick(upload_limit_mb=1)
    try:
        answer = post(service, *[(f"{n}.pdf", b"%PDF-" + bytes(800_000)) for n in range(3)])
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    finally:
        service.parts.sandbox.close()


@pytest.mark.parametrize(
    "how",
    [
        {}, {"data": {"file": "no file"}}, {"files": {"other": ("a.pdf", b"%PDF-")}}, {"content": b"%PDF-"},
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}},
        {"files": [("file", ("a.pdf", b"%PDF-"))], "data": {"file": "and a word"}},
    ],
    ids=range(7),
)  # fmt: skip
def test_what_is_no_upload_is_malformed(api_service, how):
    answer = api_service.http().post(VERIFY, **how)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_an_upload_needs_no_token_and_no_word_of_a_form(api_service, pdf):
    browser = api_service.browser(CLERK)
    assert browser.http.post(VERIFY, files={"file": ("qd.pdf", pdf)}).json()["verdict"] == "valid"


# -- by digest --


def test_both_sides_check_their_file_by_digest_and_the_report_is_kept(api_service, pdf):
    sha256 = hashlib.sha256(pdf).hexdigest()
    for login in (CLERK, COMMUNE_CLERK):
        answer = by_digest(api_service, login, sha256)
        told = answer.json()
        assert (answer.status_code, told["verdict"], told["office_match"]) == (200, "valid", "match")
        with api_service.parts.read() as reading:
            stored = reading.exchange.report(told["report"])
        assert stored is not None
        assert (stored.file, stored.verdict) == (sha256, "valid")
        assert json.loads(stored.body)["inputs_sha256"] == told["inputs_sha256"]


def test_every_version_of_an_own_document_is_found(api_service):
    draft = api_service.standing("draft")
    told = by_digest(api_service, CLERK, draft["revision"]["sha256"]).json()
    assert (told["verdict"], [one["code"] for one in told["findings"]]) == ("invalid", ["signature-missing"])


def test_a_file_of_others_is_not_found_the_same_as_none(api_service, pdf):
    draft = api_service.standing("draft")
    before = kept_reports(api_service)
    for login, sha256 in (
        (OTHER_CLERK, hashlib.sha256(pdf).hexdigest()),
        (COMMUNE_CLERK, draft["revision"]["sha256"]),
        (CLERK, "0" * 64),
    ):
        answer = by_digest(api_service, login, sha256)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert kept_reports(api_service) == before


def test_a_recipient_knows_only_the_version_that_was_sent(api_service, issued):
    with api_service.parts.read() as reading:
        first, *_, sent = reading.exchange.revisions(issued["id"])
    assert by_digest(api_service, COMMUNE_CLERK, first.file.sha256).status_code == 404
    assert by_digest(api_service, COMMUNE_CLERK, sent.file.sha256).status_code == 200
    assert by_digest(api_service, CLERK, first.file.sha256).status_code == 200


def test_a_visitor_learns_nothing_by_digest(api_service, pdf):
    for sha256 in (hashlib.sha256(pdf).hexdigest(), "0" * 64, "x"):
        answer = api_service.http().post(VERIFY, json={"sha256": sha256})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_another_site_cannot_ask_with_a_browsers_cookie(api_service, pdf):
    browser = api_service.browser(CLERK)
    sha256 = hashlib.sha256(pdf).hexdigest()
    assert browser.http.post(VERIFY, json={"sha256": sha256}).status_code == 403
    answer = browser.http.post(VERIFY, json={"sha256": sha256}, headers={"X-CSRF-Token": browser.csrf})
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"nonsense", b'{"sha256": 1}', b'{"sha256": "ABC"}', b'"\\ud800"'])
def test_a_digest_that_is_none_is_malformed(api_service, body):
    token = api_service.person(CLERK).token
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = api_service.http().post(VERIFY, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_the_same_inputs_give_the_same_kept_report_and_other_trust_a_new_one(api_service, pdf):
    sha256, root = hashlib.sha256(pdf).hexdigest(), api_service.authority.authority.certificate
    first = by_digest(api_service, CLERK, sha256).json()
    before = kept_reports(api_service)
    assert by_digest(api_service, CLERK, sha256).json() == first
    assert kept_reports(api_service) == before

    with api_service.parts.write() as writing:
        assert writing.keys.remove_anchor(hashlib.sha256(root).hexdigest())
    try:
        without = by_digest(api_service, CLERK, sha256).json()
        assert (without["verdict"], without["report"] != first["report"]) == ("unknown", True)
        assert kept_reports(api_service) == before + 1
    finally:
        with api_service.parts.write() as writing:
            writing.keys.add_anchor(root, TrustWorld.PILOT, api_service.parts.now())


# -- the page --


def cards(text: str) -> list[str]:
    """What the page says about each file."""
    return text.split("data-checked")[1:]


def carried(card: str) -> dict[str, str]:
    """The hidden fields of the form that gives the report along."""
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', card)}


def test_the_page_says_what_each_of_several_files_is(api_service, pdf):
    with api_service.nothing_left():
        answer = post(api_service, ("qd.pdf", pdf), ("<b>.pdf", b"no pdf"), path="/verify", **{"Accept-Language": "en"})

    good, bad = cards(answer.text)
    assert answer.status_code == 200
    assert 'data-verdict="valid"' in good
    assert "qd.pdf" in good
    assert 'data-code="not-a-pdf"' in bad
    assert "&lt;b&gt;.pdf" in bad


def test_one_file_that_is_no_pdf_keeps_its_status_on_the_page(api_service):
    answer = post(api_service, ("x.pdf", b"no pdf"), path="/verify")
    assert (answer.status_code, 'data-code="not-a-pdf"' in answer.text) == (422, True)
    assert api_service.http().post("/verify", data={"file": ""}).status_code == 422


def test_the_pages_script_gets_the_answer_alone(api_service, pdf):
    for data, status in ((pdf, 200), (b"no pdf", 422)):
        answer = post(api_service, ("qd.pdf", data), path="/verify", **{"HX-Request": "true"})
        assert (answer.status_code, len(cards(answer.text))) == (status, 1)
        assert "<html" not in answer.text


def test_the_page_takes_no_more_than_twenty_files(api_service):
    answer = post(api_service, *[(f"{n}.pdf", b"no pdf") for n in range(21)], path="/verify")
    assert (answer.status_code, 'data-code="malformed"' in answer.text) == (400, True)


def test_the_report_can_be_taken_along_in_every_form(api_service, pdf):
    fields = carried(cards(post(api_service, ("Quyết định.pdf", pdf), path="/verify").text)[0])
    for form, beginning in (("pdf", b"%PDF-"), ("html", b"<!doctype"), ("xml", b"<"), ("json", b"{")):
        with api_service.nothing_left():
            answer = api_service.http().post("/verify/report", data={**fields, "form": form})
        assert answer.status_code == 200
        assert answer.content.lower().startswith(beginning.lower()), form
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-disposition"].endswith(f"%E1%BB%8Bnh.{form}")
    assert answer.json()["file_sha256"] == hashlib.sha256(pdf).hexdigest()


def test_a_report_that_somebody_else_wrote_is_never_printed(api_service, pdf):
    fields = carried(cards(post(api_service, ("qd.pdf", pdf), path="/verify").text)[0]) | {"form": "json"}
    forged = fields["report"].replace('"verdict":"valid"', '"verdict":"invalid"')
    assert forged != fields["report"]
    for change in (
        {"report": forged}, {"seal": "0" * 64}, {"seal": ""}, {"seal": "ệ"}, {"report": ""}, {"form": "exe"},
        {"form": ""},
    ):  # fmt: skip
        answer = api_service.http().post("/verify/report", data={**fields, **change})
        assert (answer.status_code, 'data-code="malformed"' in answer.text) == (400, True), change
    answer = api_service.http().post("/verify/report", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
