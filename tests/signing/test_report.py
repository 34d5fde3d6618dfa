"""A report in every form: the same facts, in words a clerk understands, whatever a hostile file says."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pikepdf
import pypdfium2 as pdfium
import pytest

from keys.model import Purpose, RevocationData, TrustMaterial, TrustWorld
from signing.changes import WORDS
from signing.model import (
    Change,
    Finding,
    Indication,
    OfficeMatch,
    Report,
    SignatureReport,
    TwoSignatures,
    Verdict,
)
from signing.report import (
    ADVICE,
    FINDINGS,
    REASON_ADVICE,
    REASONS,
    explained,
    report_from_json,
    report_html,
    report_json,
    report_pdf,
    report_schema,
    report_xml,
)
from signing.report.sheet import LABELS, MOST_CHANGES, shown_moment
from signing.typeset import typeset
from signing.verify import verify_pdf

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 8, 5, 7, 3, 1, 250_000, tzinfo=UTC)
HOSTILE = "</style><script>alert(1)</script> #emph[x] $y$ & \x00\x1b\u202e漢 \ud800 " + "A" * 3000
LANGUAGES = ("vi", "en")
in_both_languages = pytest.mark.parametrize("language", LANGUAGES)

LEADER = SignatureReport(
    field="ChuKyLanhDao", kind="signature", verdict=Verdict.VALID, indication=Indication.TOTAL_PASSED,
    sub_indication=None, level="B-LTA", signer="Nguyễn Văn An", office="Ủy ban nhân dân huyện Cư M'gar",
    office_code="H99.05", purpose=Purpose.PERSON, world=TrustWorld.VGCA, certificate_sha256="ab" * 32,
    claimed_at=AT - timedelta(minutes=5), proven_at=AT - timedelta(minutes=4), covers_whole_file=False,
    changes=(Change("field-filled", "expected", 2, 0, "so_ky_hieu"), Change("long-term-data", "long_term", 3)),
    findings=(Finding("expected-change", "note"),),
)  # fmt: skip
CHANGED = replace(
    LEADER, verdict=Verdict.INVALID, indication=Indication.TOTAL_FAILED, sub_indication="FORMAT_FAILURE",
    changes=(Change("page-content", "forbidden", 2, 1),), findings=(Finding("forbidden-change", "failure"),),
)  # fmt: skip
UNASKED = replace(
    LEADER, verdict=Verdict.UNKNOWN, indication=Indication.INDETERMINATE, sub_indication="TRY_LATER", level="B-B",
    proven_at=None, findings=(Finding("not-determined", "warning", {"sub": "TRY_LATER"}),),
)  # fmt: skip
STAMP = replace(
    LEADER, field="Signature3", kind="timestamp", level="timestamp", signer="TSA", office=None, office_code=None,
    purpose=Purpose.TIMESTAMP, claimed_at=None, changes=(), findings=(),
)  # fmt: skip


def report_of(*signatures: SignatureReport, findings: tuple[Finding, ...] = ()) -> Report:
    worst = max(signatures, key=lambda one: ("valid", "unknown", "invalid").index(one.verdict), default=None)
    return Report(
        file_sha256="cd" * 32, file_size=1_234_567, at=AT, verdict=worst.verdict if worst else Verdict.INVALID,
        indication=worst.indication if worst else None, sub_indication=worst.sub_indication if worst else None,
        two_signatures=TwoSignatures.INCOMPLETE, office_match=OfficeMatch.UNKNOWN, number="15/QĐ-UBND", date=None,
        pages=3, signatures=signatures, findings=findings or tuple(f for s in signatures for f in s.findings),
        inputs_sha256="ef" * 32, policy="rules-1",
    )  # fmt: skip


SIGNED = report_of(LEADER, STAMP)
BROKEN = report_of(CHANGED, UNASKED)
UNSIGNED = report_of(findings=(Finding("signature-missing", "failure"),))
TOO_MUCH = replace(
    UNSIGNED, verdict=Verdict.UNKNOWN, indication=Indication.INDETERMINATE, sub_indication="POLICY_PROCESSING_ERROR",
    findings=(Finding("over-limit", "warning", {"what": "time"}),),
)  # fmt: skip
FOREIGN = report_of(
    replace(
        UNASKED, field=HOSTILE, signer=HOSTILE, office=HOSTILE, office_code=HOSTILE,
        changes=(Change("annotation-added", "addition", 2, 0, HOSTILE),),
        findings=(Finding("signature-unreadable", "warning", {"why": HOSTILE}),),
    ),
    findings=(Finding("signature-unsupported", "warning", {"kind": HOSTILE}),),
)  # fmt: skip
REPORTS = {"signed": SIGNED, "broken": BROKEN, "unsigned": UNSIGNED, "too-much": TOO_MUCH, "foreign": FOREIGN}
every_report = pytest.mark.parametrize("name", REPORTS)


@pytest.fixture(scope="module")
def real(steps, trust, authority) -> list[Report]:  # type: ignore[no-untyped-def]
    """What the verifier says about our own letter: signed, sealed and stamped; not signed; trusted by nobody."""
    at = datetime.now(UTC) + timedelta(seconds=5)
    fresh = RevocationData(crls=(authority.crl(at), authority.root_crl(at)))
    told = [
        (steps["stamped"], trust, fresh),
        (steps["prepared"], trust, fresh),
        (steps["sealed"], TrustMaterial(()), RevocationData()),
    ]
    return [verify_pdf(pdf, at=at, trust=worlds, revocation=known) for pdf, worlds, known in told]


# -- words --


def test_advice_is_about_reasons_that_exist() -> None:
    assert ADVICE.keys() <= FINDINGS.keys()
    assert REASON_ADVICE.keys() <= REASONS.keys()


def test_advice_says_the_same_in_both_languages_without_gaps() -> None:
    told = [*ADVICE.values(), *REASON_ADVICE.values()]

    assert all(vi.strip() and en.strip() and vi != en and "{" not in vi + en for vi, en in told)


DESIGNED_REASONS = (
    "SIG_CONSTRAINTS_FAILURE CHAIN_CONSTRAINTS_FAILURE CERTIFICATE_CHAIN_GENERAL_FAILURE "
    "NO_CERTIFICATE_CHAIN_FOUND NO_SIGNING_CERTIFICATE_FOUND CRYPTO_CONSTRAINTS_FAILURE "
    "CRYPTO_CONSTRAINTS_FAILURE_NO_POE REVOKED_NO_POE REVOKED_CA_NO_POE OUT_OF_BOUNDS_NO_POE "
    "OUT_OF_BOUNDS_NOT_REVOKED REVOCATION_OUT_OF_BOUNDS_NO_POE TIMESTAMP_ORDER_FAILURE NO_POE TRY_LATER "
    "SIGNED_DATA_NOT_FOUND POLICY_PROCESSING_ERROR FORMAT_FAILURE HASH_FAILURE SIG_CRYPTO_FAILURE REVOKED "
    "EXPIRED NOT_YET_VALID"
)


def test_every_sub_indication_that_is_used_has_words() -> None:
    assert not set(DESIGNED_REASONS.split()) - REASONS.keys()


def test_every_failure_says_what_to_do() -> None:
    """A clerk who reads *invalid* must not be left alone with it."""
    source = "".join((ROOT / "signing" / file).read_text("utf-8") for file in ("verify.py", "guard.py"))
    failing = set(re.findall(r'"([a-z-]+)", "failure"', source)) - {"failed"}

    assert {"content-changed", "signature-broken", "forbidden-change"} <= failing
    assert failing <= ADVICE.keys()


@in_both_languages
def test_the_full_json_has_sentence_and_advice_beside_each_finding(language: str) -> None:
    told = explained(BROKEN, language)

    assert [f["advice"] for f in told["findings"]] == [
        ADVICE["forbidden-change"][LANGUAGES.index(language)],
        REASON_ADVICE["TRY_LATER"][LANGUAGES.index(language)],
    ]
    assert all(f["sentence"] for one in (told, *told["signatures"]) for f in one["findings"])


def test_the_full_json_says_none_where_there_is_nothing_to_do() -> None:
    assert explained(SIGNED, "vi")["findings"][0]["advice"] is None


# -- JSON and its schema --


def breaches(value: Any, schema: dict[str, Any], kinds: dict[str, Any], at: str = "$") -> list[str]:
    """What in a value is not as the schema says; a property that the schema does not know is a breach too."""
    if "$ref" in schema:
        return breaches(value, kinds[schema["$ref"].rpartition("/")[2]], kinds, at)
    if "anyOf" in schema:
        tries = [breaches(value, one, kinds, at) for one in schema["anyOf"]]
        return [] if [] in tries else min(tries, key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{at}: {value!r}"]
    named = {"string": str, "integer": int, "boolean": bool, "null": type(None), "array": list, "object": dict}
    if type(value) is not named[schema["type"]]:
        return [f"{at}: {value!r} is no {schema['type']}"]
    if schema.get("format") == "date-time":
        return [] if datetime.fromisoformat(value).tzinfo else [f"{at}: {value}"]
    if isinstance(value, list):
        return [told for n, one in enumerate(value) for told in breaches(one, schema["items"], kinds, f"{at}[{n}]")]
    if isinstance(value, dict) and "properties" in schema:
        missing = [f"{at}.{name} is missing" for name in schema["required"] if name not in value]
        known, unknown = schema["properties"], value.keys() - schema["properties"].keys()
        below = [
            told for name in value.keys() & known for told in breaches(value[name], known[name], kinds, f"{at}.{name}")
        ]
        return [*missing, *(f"{at}.{name} is not declared" for name in unknown), *below]
    if isinstance(value, dict):
        return [
            t
            for name, one in value.items()
            for t in breaches(one, schema["additionalProperties"], kinds, f"{at}.{name}")
        ]
    return []


def committed_schema() -> dict[str, Any]:
    return json.loads((ROOT / "docs" / "verify-report.schema.json").read_text("utf-8"))


def test_real_reports_are_as_the_published_schema_says(real: list[Report]) -> None:
    schema = committed_schema()

    assert [one.verdict for one in real] == [Verdict.VALID, Verdict.INVALID, Verdict.UNKNOWN]
    for report in real:
        assert breaches(json.loads(report_json(report)), schema, schema["$defs"]) == []


def test_the_published_schema_is_that_of_the_code() -> None:
    assert committed_schema() == report_schema()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.pop("verdict"),
        lambda told: told.update(verdict="fine"),
        lambda told: told.update(file_size="1"),
        lambda told: told.update(at="yesterday at noon+"),
        lambda told: told["signatures"][0].update(more=1),
        lambda told: told["signatures"][0]["changes"].append("expected"),
        lambda told: told["findings"].append({"code": "x", "severity": "note", "gaps": {"a": 1}}),
    ],
)
def test_the_check_against_the_schema_sees_what_is_wrong(spoil) -> None:  # type: ignore[no-untyped-def]
    told, schema = json.loads(report_json(SIGNED)), committed_schema()
    spoil(told)

    try:
        found = breaches(told, schema, schema["$defs"])
    except ValueError:
        return  # no moment at all
    assert found


def test_a_report_that_was_kept_before_a_field_came_can_still_be_read(real: list[Report]) -> None:
    told = json.loads(report_json(real[0]))
    del told["policy"]
    for one in told["signatures"]:
        del one["signed_bytes"]

    kept = report_from_json(json.dumps(told).encode())

    assert (kept.verdict, kept.policy) == (Verdict.VALID, None)
    assert report_pdf(kept, "vi")


def test_a_report_comes_back_from_its_json(real: list[Report]) -> None:
    for report in (*real, SIGNED, BROKEN, UNSIGNED, TOO_MUCH):
        assert report_from_json(report_json(report)) == report


# -- HTML --


class Page(HTMLParser):
    """What a browser would find: the tags, their attributes and the visible text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, set[str]] = {}
        self.text = ""
        self.feed(page.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.text += f"{data}\n"


SHOWN = {
    "vi": ["Không hợp lệ", "Cần làm", "Nguyễn Văn An", "trang 2", "1.234.567 byte", "Chứng thư công vụ"],
    "en": ["Invalid", "What to do", "Nguyễn Văn An", "page 2", "1,234,567 bytes", "Public-duty certificates"],
}
IN_ANY_LANGUAGE = [
    "TOTAL-FAILED / FORMAT_FAILURE", "INDETERMINATE / TRY_LATER", "Ủy ban nhân dân huyện Cư M'gar (H99.05)",
    "05/8/2026 14:03", "05/8/2026 13:58", "05/8/2026 13:59", "PAdES B-LTA", "PAdES B-B", "[forbidden-change]",
    "[not-determined]", "cd" * 32, "ef" * 32, "rules-1",
]  # fmt: skip


@in_both_languages
def test_the_page_says_everything_that_matters(language: str) -> None:
    page = Page(report_html(BROKEN, language))

    assert page.attributes["lang"] == {language}
    assert not [words for words in [*SHOWN[language], *IN_ANY_LANGUAGE] if words not in page.text]


@every_report
@in_both_languages
def test_the_page_stands_alone_and_runs_nothing(name: str, language: str) -> None:
    page = Page(report_html(REPORTS[name], language))

    assert set(page.tags) <= {
        "html", "head", "meta", "title", "style", "body", "main", "section", "div", "span", "strong",
        "h1", "h2", "h3", "h4", "p", "ul", "li", "dl", "dt", "dd",
    }  # fmt: skip
    assert page.attributes.keys() <= {"lang", "charset", "name", "content", "class"}
    assert page.tags.count("style") == 1


def test_a_hostile_name_is_text_without_tricks_and_of_bounded_length() -> None:
    page = Page(report_html(FOREIGN, "vi"))

    assert "<script>alert(1)</script> #emph[x]" in page.text
    assert not set("\x00\x1b\u202e\ud800") & set(page.text)
    assert "A" * 300 not in page.text


def test_very_many_changes_are_counted_and_cut_off() -> None:
    same = [Change("written-again", "note", 2), *[Change("field-filled", "expected", n, 0, "a") for n in range(2, 9)]]
    many = [Change("field-filled", "expected", 2, 0, f"field {n}") for n in range(5000)]
    text = Page(report_html(report_of(replace(LEADER, changes=(*same, *many))), "vi")).text

    assert "trang 1 (a): được phép (×7)" in text
    assert "ghi lại y nguyên" not in text
    assert text.count("điền ô") == MOST_CHANGES
    assert "và 4961 thay đổi khác" in text


def test_a_moment_is_shown_in_vietnams_time() -> None:
    assert shown_moment(datetime(2026, 1, 31, 17, 30, tzinfo=UTC)) == "01/2/2026 00:30"


def test_every_label_has_both_languages_and_the_same_gaps() -> None:
    gaps = re.compile(r"\{\w+\}")

    assert not [name for name, (vi, en) in LABELS.items() if not vi or not en or gaps.findall(vi) != gaps.findall(en)]


# -- PDF --


def text_of(pdf: bytes) -> str:
    """The words on all pages, with one blank between them."""
    pages = [page.get_textpage().get_text_bounded() for page in pdfium.PdfDocument(pdf)]
    return " ".join(" ".join(pages).replace("\N{ZERO WIDTH SPACE}", "").split())


@in_both_languages
def test_the_pdf_says_what_the_page_says(language: str) -> None:
    text = text_of(report_pdf(BROKEN, language))

    assert not [words for words in [*SHOWN[language], *IN_ANY_LANGUAGE] if words not in text]


@every_report
@in_both_languages
def test_the_same_report_gives_the_same_pdf(name: str, language: str) -> None:
    assert report_pdf(REPORTS[name], language) == report_pdf(REPORTS[name], language)


@every_report
def test_the_pdf_is_made_for_keeping_with_our_fonts_alone(name: str) -> None:
    with pikepdf.open(io.BytesIO(report_pdf(REPORTS[name], "vi"))) as pdf:
        told = pdf.open_metadata()
        fonts = {str(f.BaseFont) for page in pdf.pages for f in page.Resources.get("/Font", {}).values()}
        assert (told["pdfaid:part"], told["pdfaid:conformance"]) == ("2", "B")
        assert fonts
        assert all("LiberationSerif" in font for font in fonts)
        assert str(pdf.Root.Lang) == "vi"


def test_the_pdf_takes_the_moment_of_the_check_for_its_date() -> None:
    with pikepdf.open(io.BytesIO(report_pdf(SIGNED, "vi"))) as pdf:
        assert "20260805" in str(pdf.docinfo["/CreationDate"])


def test_markup_in_a_hostile_name_stays_text_in_the_pdf() -> None:
    text = text_of(report_pdf(FOREIGN, "en"))

    assert "<script>alert(1)</script> #emph[x] $y$ &" in text


def test_a_template_reads_no_file_beyond_its_folder(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "inside" / "greedy.typ").write_text('#read("../secret.txt")')
    monkeypatch.setattr("signing.typeset.TEMPLATES", tmp_path / "inside")

    with pytest.raises(RuntimeError, match="root"):
        typeset("greedy", {}, at=AT)


# -- ETSI TS 119 102-2 --

VR = "{http://uri.etsi.org/19102/v1.4.1#}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
ORDER = {
    "ValidationReport": "SignatureValidationReport+ SignatureValidationObjects SignatureValidator",
    "SignatureValidationReport": "SignatureIdentifier? ValidationConstraintsEvaluationReport ValidationTimeInfo "
    "SignersDocument SignatureAttributes? SignerInformation? SignatureValidationProcess? SignatureValidationStatus",
    "SignatureIdentifier": "HashOnly DocHashOnly DAIdentifier",
    "ValidationConstraintsEvaluationReport": "SignatureValidationPolicy",
    "SignatureValidationPolicy": "SignaturePolicyIdentifier PolicyName",
    "SignaturePolicyIdentifier": "SignaturePolicyImplied",
    "ValidationTimeInfo": "ValidationTime BestSignatureTime",
    "BestSignatureTime": "POETime TypeOfProof",
    "SignersDocument": "SignersDocumentRepresentation",
    "SignatureAttributes": "SigningTime? Name?",
    "SigningTime": "Time",
    "Name": "NameElement",
    "SignerInformation": "SignerCertificate Signer",
    "SignatureValidationProcess": "SignatureValidationProcessID",
    "SignatureValidationStatus": "MainIndication SubIndication? AssociatedValidationReportData?",
    "AssociatedValidationReportData": "AdditionalValidationReportData",
    "AdditionalValidationReportData": "ReportData+",
    "ReportData": "Type Value",
    "SignatureValidationObjects": "ValidationObject+",
    "ValidationObject": "ObjectType ValidationObjectRepresentation",
    "ValidationObjectRepresentation": "DigestAlgAndValue",
    "DigestAlgAndValue": "DigestMethod DigestValue",
    "SignatureValidator": "DigitalId",
    "DigitalId": "Other",
}
"""Which children each element has, in their order: the part of the standard's schema (v1.4.1) that we write.

The schema itself may not be copied here; reports of every kind were held against it when this was written.
"""


def out_of_order(element: ElementTree.Element) -> list[str]:
    """Elements whose children are not those of the standard."""
    name = element.tag.rpartition("}")[2]
    children = "".join(f"{one.tag.rpartition('}')[2]} " for one in element)
    pattern = re.sub(r"(\w+)([?+]?) ?", r"(\1 )\2", ORDER.get(name, ""))
    wrong = [] if re.fullmatch(pattern, children) else [f"{name}: {children}"]
    return [*wrong, *(told for one in element for told in out_of_order(one))]


def parsed(report: Report, language: str = "vi") -> ElementTree.Element:
    return ElementTree.fromstring(report_xml(report, language))  # noqa: S314 - our own


@every_report
@in_both_languages
def test_the_xml_is_built_as_the_standard_wants_it(name: str, language: str) -> None:
    root = parsed(REPORTS[name], language)

    assert root.tag == f"{VR}ValidationReport"
    assert out_of_order(root) == []


@every_report
def test_every_reference_in_the_xml_leads_to_one_object(name: str) -> None:
    root = parsed(REPORTS[name])
    named = [one.attrib["id"] for one in root.iter() if "id" in one.attrib]
    asked = {one.attrib["VOReference"] for one in root.iter() if "VOReference" in one.attrib}

    assert len(named) == len(set(named))
    assert all(re.fullmatch(r"[SDC]-[0-9A-F]{64}", one) for one in named)
    assert asked <= set(named)


def test_the_xml_says_what_our_report_says() -> None:
    root = parsed(BROKEN)
    statuses = root.findall(f"{VR}SignatureValidationReport/{VR}SignatureValidationStatus")

    assert [(s.findtext(f"{VR}MainIndication"), s.findtext(f"{VR}SubIndication")) for s in statuses] == [
        ("urn:etsi:019102:mainindication:total-failed", "urn:etsi:019102:subindication:FORMAT_FAILURE"),
        ("urn:etsi:019102:mainindication:indeterminate", "urn:etsi:019102:subindication:TRY_LATER"),
    ]
    told = {one.findtext(f"{VR}Type"): one.findtext(f"{VR}Value") for one in root.iter(f"{VR}ReportData")}
    assert told["urn:congvan:finding:failure:forbidden-change"] == FINDINGS["forbidden-change"][0]
    assert told["urn:congvan:change:forbidden:page-content"] == f"{WORDS['page-content'][0]}, trang 2"


def test_the_best_time_is_the_proven_one_and_otherwise_that_of_the_check() -> None:
    times = [one.text for one in parsed(report_of(LEADER, UNASKED)).iter(f"{VR}POETime")]

    assert times == ["2026-08-05T06:59:01Z", "2026-08-05T07:03:01Z"]


@pytest.mark.parametrize(
    ("report", "indication"),
    [
        (SIGNED, "urn:etsi:019102:mainindication:total-passed"),
        (UNSIGNED, "urn:congvan:mainindication:no-signature-found"),
        (TOO_MUCH, "urn:etsi:019102:mainindication:indeterminate"),
    ],
)
def test_the_main_indication_is_never_better_than_the_report(report: Report, indication: str) -> None:
    assert {one.text for one in parsed(report).iter(f"{VR}MainIndication")} == {indication}


def test_the_xml_names_the_file_and_the_certificate_by_their_digests() -> None:
    objects = {
        one.findtext(f"{VR}ObjectType"): one.findtext(f".//{DS}DigestValue")
        for one in parsed(SIGNED).iter(f"{VR}ValidationObject")
    }

    assert objects == {
        "urn:etsi:019102:validationObject:signedData": "zc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc0=",
        "urn:etsi:019102:validationObject:certificate": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=",
    }
