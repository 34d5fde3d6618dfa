"""What must hold before a document moves: no secrets, good names, reasons, the right signatures (R7, R45, R58)."""

from dataclasses import replace

import pytest

from exchange.errors import (
    ClassifiedMarkSuspected,
    ClassifiedRefused,
    NameNotAllowed,
    NameTooLong,
    ReasonRequired,
    SealMissing,
    SealWrongOffice,
    SignatureInvalid,
    SignatureMissing,
    SignatureUnknown,
    SignerNotAuthorised,
)
from exchange.rules.acceptance import (
    require_leader_signed,
    require_name,
    require_no_mark,
    require_reason,
    require_sealed,
    require_unclassified,
)
from exchange.rules.model import Draft, Role, Secrecy
from keys.certificates import fingerprint
from signing.model import LEADER_FIELD, Change, Finding, OfficeMatch, Report, Verdict
from tests.exchange.values import (
    CLERK,
    LEADER,
    LEADER_CERTIFICATE,
    OFFICER,
    SEAL_CERTIFICATE,
    led,
    person,
    reading,
    sealed,
    signature,
)

GOOD_NAMES = [
    "15-QĐ-UBND.pdf", "Quyết định số 15 (bản ký).pdf", "a", "văn bản.PDF", "'; DROP TABLE x.pdf", "x" * 255,
    "đ" * 127, "báo cáo 5%.pdf",
]  # fmt: skip
BAD_NAMES = [
    "", "   ", ".", "..", "../../etc/passwd", "a/b.pdf", "..\\a.pdf", "C:\\a.pdf", "a\x00.pdf", "a\nb.pdf", "a\x1b.pdf",
    "a\x7f.pdf", "a\x85.pdf", "\u202efdp.exe", "a\u200f.pdf", "a\u2066.pdf", "a\u061c.pdf", "\ud800.pdf",
]  # fmt: skip


@pytest.mark.parametrize("secrecy", list(Secrecy))
def test_only_an_unclassified_document_is_taken(secrecy):
    draft = Draft("QĐ", "Về việc", LEADER.id, secrecy=secrecy)
    if secrecy is Secrecy.UNCLASSIFIED:
        require_unclassified(draft)
    else:
        with pytest.raises(ClassifiedRefused):
            require_unclassified(draft)


@pytest.mark.parametrize("mark", ["MẬT", "TỐI MẬT", "TUYỆT MẬT"])
@pytest.mark.parametrize(
    ("actor", "declared", "passes"),
    [(CLERK, True, True), (CLERK, False, False), (OFFICER, True, False), (LEADER, True, False)],
)
def test_a_suspicious_line_passes_only_on_a_clerks_word(mark, actor, declared, passes):
    draft = Draft("QĐ", "Về việc", LEADER.id, not_classified=declared)
    if passes:
        assert require_no_mark(draft, reading(mark), actor) is True
    else:
        with pytest.raises(ClassifiedMarkSuspected) as refused:
            require_no_mark(draft, reading(mark), actor)
        assert mark in refused.value.sentence("vi")


def test_without_a_mark_nothing_needs_declaring():
    for declared in (True, False):
        draft = Draft("QĐ", "Về việc", LEADER.id, not_classified=declared)
        assert require_no_mark(draft, reading(), CLERK) is False


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_a_file_name_is_any_text_of_at_most_255_bytes(name):
    require_name(name)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_file_name_is_never_a_path_and_hides_nothing(name):
    with pytest.raises(NameNotAllowed):
        require_name(name)


@pytest.mark.parametrize("name", ["x" * 256, "đ" * 128, "/" * 300])
def test_a_file_name_is_counted_in_bytes(name):
    with pytest.raises(NameTooLong):
        require_name(name)


@pytest.mark.parametrize("reason", ["", " \n\t ", "x" * 1001])
def test_a_way_back_needs_a_reason_of_at_most_1000_characters(reason):
    with pytest.raises(ReasonRequired) as refused:
        require_reason(reason)
    assert "1000" in refused.value.sentence("vi")


def test_a_reason_is_kept_without_blanks_around_it():
    assert require_reason("  thiếu phụ lục \n") == "thiếu phụ lục"
    assert len(require_reason(f" {'đ' * 1000} ")) == 1000


def test_a_good_leaders_signature_is_found_by_its_field():
    found = require_leader_signed(led(), fingerprint(LEADER_CERTIFICATE))
    assert found.field == LEADER_FIELD


@pytest.mark.parametrize(
    ("report", "refusal"),
    [
        (led(signatures=()), SignatureMissing),
        (led(signatures=sealed().signatures[1:]), SignatureMissing),  # the seal alone
        (led(verdict=Verdict.INVALID), SignatureInvalid),
        (led(verdict=Verdict.UNKNOWN), SignatureUnknown),
    ],
)
def test_a_leaders_signature_that_is_missing_or_bad_stops(report, refusal):
    with pytest.raises(refusal):
        require_leader_signed(report, fingerprint(LEADER_CERTIFICATE))


ADDED = Change("signature-field-added", "addition", 3, 0, "Signature1")
DOUBT = Finding("later-addition", "warning")


def led_twice(*changes: Change, findings: tuple[Finding, ...] = (DOUBT,), purpose: str = "person") -> Report:
    """Somebody else signed, and then the leader in a field `Signature1`, which is open about the first signature."""
    first = signature("KyNhay1", b"somebody else", Verdict.UNKNOWN)
    second = replace(signature("Signature1", LEADER_CERTIFICATE), purpose=purpose)
    both = (replace(first, changes=changes, findings=findings), second)
    return led(signatures=both, verdict=Verdict.UNKNOWN)


def test_a_person_who_signs_after_another_in_a_field_of_the_programs_leaves_only_that_open():
    found = require_leader_signed(led_twice(ADDED), fingerprint(LEADER_CERTIFICATE), "ChuKyLanhDao")
    assert found.field == "Signature1"


@pytest.mark.parametrize(
    "report",
    [
        led_twice(ADDED, Change("annotation-added", "addition", 3, 0)),
        led_twice(replace(ADDED, field="Signature2")),  # which nobody signed
        led_twice(ADDED, purpose="organisation"),
        led_twice(ADDED, findings=(DOUBT, Finding("weak-algorithm", "warning"))),
        led_twice(ADDED, findings=(Finding("not-determined", "warning"),)),
        led_twice(ADDED, findings=()),
    ],
)
def test_whatever_else_is_open_about_an_earlier_signature_stops(report):
    with pytest.raises(SignatureUnknown):
        require_leader_signed(report, fingerprint(LEADER_CERTIFICATE), "ChuKyLanhDao")


def test_a_leaders_signature_of_somebody_else_stops():
    with pytest.raises(SignerNotAuthorised):
        require_leader_signed(led(), fingerprint(SEAL_CERTIFICATE))


def test_a_good_seal_is_the_sending_offices():
    require_sealed(sealed())
    require_sealed(sealed(), fingerprint(SEAL_CERTIFICATE))


@pytest.mark.parametrize(
    ("report", "refusal"),
    [
        (led(), SealMissing),
        (sealed(verdict=Verdict.INVALID), SignatureInvalid),
        (sealed(verdict=Verdict.UNKNOWN), SignatureUnknown),
        (sealed(office_match=OfficeMatch.MISMATCH), SealWrongOffice),
        (sealed(office_match=OfficeMatch.UNKNOWN), SealWrongOffice),
    ],
)
def test_a_seal_that_is_missing_bad_or_foreign_stops(report, refusal):
    with pytest.raises(refusal):
        require_sealed(report)


def test_a_seal_made_with_another_certificate_than_the_one_opened_stops():
    with pytest.raises(SealWrongOffice):
        require_sealed(sealed(), fingerprint(LEADER_CERTIFICATE))


def test_a_clerk_who_is_also_an_officer_keeps_the_clerks_word():
    draft = Draft("QĐ", "Về việc", LEADER.id, not_classified=True)
    assert require_no_mark(draft, reading("MẬT"), person("p_both", Role.OFFICER, Role.CLERK))
