"""What the verifier says about our own letters, step by step, and about copies that somebody touched."""

from datetime import UTC, datetime, timedelta

import pytest

from keys.authority import PilotAuthority
from keys.certificates import read_certificate
from keys.model import RevocationData, TrustMaterial
from signing.errors import NotAPdf
from signing.model import OfficeMatch, Report, TwoSignatures, Verdict
from signing.report import report_from_json, report_json, sentences
from signing.verify import verify_pdf
from tests.fixtures.pilot import OFFICE_CODE


@pytest.fixture
def check(trust: TrustMaterial, authority: PilotAuthority):  # type: ignore[no-untyped-def]
    def verdict_on(pdf: bytes, *, office_code: str | None = OFFICE_CODE, at: datetime | None = None) -> Report:
        moment = at or datetime.now(UTC) + timedelta(seconds=5)
        fresh = RevocationData(crls=(authority.crl(moment), authority.root_crl(moment)))
        return verify_pdf(pdf, at=moment, trust=trust, revocation=fresh, office_code=office_code)

    return verdict_on


def test_a_letter_on_its_whole_way_is_valid_and_complete(steps, check) -> None:  # type: ignore[no-untyped-def]
    report = check(steps["stamped"])
    assert report.verdict is Verdict.VALID, [s.findings for s in report.signatures]
    assert report.two_signatures is TwoSignatures.COMPLETE
    assert report.office_match is OfficeMatch.MATCH
    assert report.number == "15/QĐ-UBND"
    assert any("thử nghiệm" in sentence for sentence in sentences(report, "vi"))


def test_a_leader_alone_is_valid_but_not_issued(steps, check) -> None:  # type: ignore[no-untyped-def]
    report = check(steps["led"])
    assert report.verdict is Verdict.VALID, [s.findings for s in report.signatures]
    assert report.two_signatures is TwoSignatures.INCOMPLETE


def test_filling_number_and_date_keeps_the_leaders_signature(steps, check) -> None:  # type: ignore[no-untyped-def]
    report = check(steps["numbered"])
    assert report.verdict is Verdict.VALID
    assert {change.kind for change in report.signatures[0].changes} <= {"expected", "long_term", "note"}
    assert {change.field for change in report.signatures[0].changes if change.kind == "expected"} == {
        "so_ky_hieu", "ngay_thang",
    }  # fmt: skip


def test_each_signature_has_the_level_that_the_file_makes_up(steps, check) -> None:  # type: ignore[no-untyped-def]
    assert [s.level for s in check(steps["led"]).signatures] == ["B-LT"]
    assert [s.level for s in check(steps["stamped"]).signatures] == ["B-LTA", "B-LTA", "timestamp"]


def test_the_world_is_known_by_the_root_alone(steps, authority) -> None:  # type: ignore[no-untyped-def]
    at = datetime.now(UTC) + timedelta(seconds=5)
    root = TrustMaterial((next(a for a in authority.trust.anchors),))
    report = verify_pdf(steps["stamped"], at=at, trust=root, revocation=RevocationData())
    assert {s.world for s in report.signatures} == {"pilot"}


def test_an_unknown_verdict_says_why_in_words(steps) -> None:  # type: ignore[no-untyped-def]
    at = datetime.now(UTC) + timedelta(seconds=5)
    report = verify_pdf(steps["stamped"], at=at, trust=TrustMaterial(()), revocation=RevocationData())
    assert "tin cậy" in " ".join(sentences(report, "vi"))
    assert "trusted" in " ".join(sentences(report, "en"))


def test_an_unsigned_letter_is_said_to_be_unsigned(steps, check) -> None:  # type: ignore[no-untyped-def]
    report = check(steps["prepared"])
    assert (report.verdict, report.indication) == (Verdict.INVALID, None)
    assert [f.code for f in report.findings] == ["signature-missing"]


@pytest.mark.parametrize("place", [0.02, 0.1, 0.3])
def test_one_changed_byte_is_invalid(steps, check, place: float) -> None:  # type: ignore[no-untyped-def]
    pdf = bytearray(steps["stamped"])
    at = pdf.index(b"stream\n", int(len(steps["prepared"]) * place)) + 12
    pdf[at] ^= 1
    assert check(bytes(pdf)).verdict is Verdict.INVALID


@pytest.mark.parametrize("junk", [b"xx", b"\n%%EOF\nxx", b"\n%%EOF\n%%EOF\n", b"\nstartxref\n9\n"])
def test_bytes_after_the_end_are_invalid_and_hide_no_signature(steps, check, junk: bytes) -> None:  # type: ignore[no-untyped-def]
    report = check(steps["stamped"] + junk)
    assert report.verdict is Verdict.INVALID
    assert len(report.signatures) == 3
    assert "bytes-after-end" in {finding.code for finding in report.findings}


def test_a_signed_file_that_is_cut_off_is_invalid(steps, check) -> None:  # type: ignore[no-untyped-def]
    report = check(steps["stamped"][:-200])
    assert report.verdict is Verdict.INVALID
    assert "bytes-after-end" in {finding.code for finding in report.findings}


def test_an_unknown_root_is_unknown(steps) -> None:  # type: ignore[no-untyped-def]
    at = datetime.now(UTC) + timedelta(seconds=5)
    report = verify_pdf(steps["stamped"], at=at, trust=TrustMaterial(()), revocation=RevocationData())
    assert report.verdict is Verdict.UNKNOWN


def test_another_sender_is_a_mismatch_beside_the_verdict(steps, check) -> None:  # type: ignore[no-untyped-def]
    report = check(steps["stamped"], office_code="H99.99")
    assert (report.verdict, report.office_match) == (Verdict.VALID, OfficeMatch.MISMATCH)


def test_the_same_inputs_give_the_same_report(steps, check) -> None:  # type: ignore[no-untyped-def]
    at = datetime.now(UTC) + timedelta(seconds=5)
    one, other = check(steps["stamped"], at=at), check(steps["stamped"], at=at)
    assert one.signatures == other.signatures
    assert report_from_json(report_json(one)) == one


def test_a_leader_revoked_before_signing_is_not_valid(desk, letter, trust, authority) -> None:  # type: ignore[no-untyped-def]
    revoked_before = PilotAuthority.from_bytes(authority.to_bytes())
    serial = read_certificate(desk.leader.certificate).serial
    revoked_before.revoke(serial, datetime.now(UTC) - timedelta(days=0, hours=0, seconds=1))
    at = datetime.now(UTC) + timedelta(seconds=5)
    pdf = desk.issue(letter())["numbered"]
    fresh = RevocationData(crls=(revoked_before.crl(at), revoked_before.root_crl(at)))
    report = verify_pdf(pdf, at=at, trust=trust, revocation=fresh)
    assert report.verdict is not Verdict.VALID


@pytest.mark.parametrize("pdf", [b"", b"not a pdf", b"%PDF-1.7\n%%EOF\n"])
def test_what_cannot_be_read_is_no_verdict(check, pdf: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NotAPdf):
        check(pdf)
