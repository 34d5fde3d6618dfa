"""Proof for the long term: time stamps renewed before they end keep a letter valid for thirty years; without, it ends.

The clock is the test's own. Three pilot authorities follow one another, as real ones do. The story lies in the past, so
that programs with a clock of their own can judge its end: signed thirty years ago with keys (RSA-1024) that were good
until 2013, renewed before the first authority's certificate ended, and again before the second's did.
"""

import dataclasses
import io
import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from asn1crypto import cms, crl, x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, Signer
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore

from keys.authority import PilotAuthority
from keys.model import RevocationData, TrustMaterial
from keys.revocation import OnlineRevocation
from keys.signer import VaultSigner
from keys.timestamps import OnlineTsa
from signing.archive import Means, archive_end, extend, prepare_archive
from signing.errors import ArchiveWorse, AugmentInvalid, CertifiedUnchangeable, RevisionNotExtension, SignatureWrong
from signing.model import Level, SignaturePurpose, Verdict
from signing.sign import finish_timestamp, prepare_timestamp
from signing.verify import verify_pdf
from tests.fixtures.letters import draw_letter
from tests.signing.conftest import Desk, here

SIGNED = datetime(1996, 11, 5, 2, 30, tzinfo=UTC)
TODAY = datetime(2026, 11, 25, tzinfo=UTC)
RENEWALS = (datetime(2010, 6, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC))
YEAR = timedelta(days=365)


@dataclass
class World:
    """Authorities by their address, one clock, and nothing that opens a socket."""

    at: datetime
    authorities: list[PilotAuthority] = field(default_factory=list)

    def found(self, begins: datetime, key_size: int) -> PilotAuthority:
        name = f"http://ca{len(self.authorities)}.example"
        self.authorities.append(PilotAuthority.create(begins, key_size=key_size, base_url=name))
        return self.authorities[-1]

    def fetch(self, url, *, body=None, content_type=None, limit=0):  # noqa: ARG002
        for authority in self.authorities:
            if url.startswith(authority.base_url + "/"):
                answer = authority.answer(url.removeprefix(authority.base_url), body or b"", self.at)
                if answer:
                    return answer[1]
        raise ConnectionError(url)

    @property
    def trust(self) -> TrustMaterial:
        all_of_them = [authority.trust for authority in self.authorities]
        return TrustMaterial(
            tuple(anchor for one in all_of_them for anchor in one.anchors),
            tuple(der for one in all_of_them for der in one.intermediates),
        )

    def means(self, authority: PilotAuthority) -> Means:
        anchors = [anchor.der for anchor in self.trust.anchors]
        tsa = OnlineTsa(authority.tsa_url, self.fetch, anchors)
        return Means(here, tsa, OnlineRevocation(self.fetch), self.trust)

    def verdict(self, pdf: bytes):
        """What our verifier says now, with the answers that can be had now about the newest stamp."""
        answers = RevocationData(crls=tuple(one.root_crl(self.at) for one in self.authorities))
        return verify_pdf(pdf, at=self.at, trust=self.trust, revocation=answers)


@dataclass
class Letter:
    world: World
    desk: Desk
    steps: dict[str, bytes]


def desk_of(world: World, authority: PilotAuthority, at: datetime, *, key_size: int) -> Desk:
    """Leader and seal with certificates of three years from that authority; the clock is set to `at`."""
    world.at = at

    def key(issue, *who):
        private = rsa.generate_private_key(65537, key_size)
        return VaultSigner(private, issue(*who, private.public_key(), at - timedelta(days=1)), authority.chain)

    return Desk(
        OnlineTsa(authority.tsa_url, world.fetch, [authority.certificate]),
        RevocationData(crls=(authority.crl(at), authority.root_crl(at))),
        key(authority.person, "Nguyễn Văn An", "UBND huyện", "000.00.16.H15", "Chủ tịch"),
        key(authority.organisation, "UBND huyện", "000.00.16.H15"),
        at=at,
    )


@pytest.fixture(scope="module")
def letter() -> Letter:
    """A letter signed in 1996, by the authority of that time."""
    world = World(SIGNED)
    desk = desk_of(world, world.found(SIGNED - timedelta(days=30), 1024), SIGNED, key_size=1024)
    return Letter(world, desk, desk.issue(draw_letter()))


@pytest.fixture(scope="module")
def renewed(letter: Letter) -> bytes:
    """Renewed in good time: before the algorithm of the first stamp ended, and before the second's certificate did."""
    pdf = letter.steps["stamped"]
    for at in RENEWALS:
        letter.world.at = at
        pdf = extend(pdf, letter.world.means(letter.world.found(at - YEAR, 2048)), at=at).pdf
    return pdf


def test_thirty_years_later_the_renewed_letter_is_valid_and_its_twin_is_not_known(letter, renewed):
    letter.world.at = TODAY
    report = letter.world.verdict(renewed)
    assert report.verdict is Verdict.VALID, report.findings
    assert [one.proven_at.year for one in report.signatures] == [1996, 1996, 1996, 2010, 2023]
    assert [one.level for one in report.signatures[:2]] == ["B-LTA", "B-LTA"]
    twin = letter.world.verdict(letter.steps["stamped"])
    assert twin.verdict is Verdict.UNKNOWN
    assert {"timestamp-ended", "weak-algorithm"} <= {finding.code for finding in twin.findings}


def test_the_moment_when_a_letter_needs_renewal_is_told(letter, renewed):
    first, last = archive_end(letter.steps["stamped"]), archive_end(renewed)
    assert first.ends == first.certificate_end < datetime(2012, 1, 1, tzinfo=UTC)
    assert first.algorithm_end == date(2013, 12, 31)
    assert last.ends == datetime(2031, 1, 1, tzinfo=UTC) < last.certificate_end
    assert archive_end(letter.steps["sealed"]) is None


def test_every_renewal_only_appends(letter, renewed):
    assert renewed.startswith(letter.steps["stamped"])
    assert len(PdfFileReader(io.BytesIO(renewed)).embedded_timestamp_signatures) == 3


def test_a_renewal_that_comes_too_late_proves_nothing_of_what_had_ended(letter):
    letter.world.at = late = datetime(2012, 6, 1, tzinfo=UTC)
    means = letter.world.means(letter.world.found(late - YEAR, 2048))
    report = extend(letter.steps["stamped"], means, at=late).after
    assert report.verdict is Verdict.UNKNOWN
    assert {one.field: one.verdict for one in report.signatures}["DauThoiGian1"] is Verdict.UNKNOWN


@pytest.mark.parametrize("covered", [True, False])
def test_answers_help_only_where_a_time_stamp_covers_them(letter, renewed, covered):
    first, second = letter.world.authorities[:2]
    lists = [crl.CertificateList.load(one) for one in (first.crl(SIGNED), first.root_crl(RENEWALS[0]))]

    def with_answers(pdf: bytes) -> bytes:
        out = io.BytesIO(pdf)
        DocumentSecurityStore.add_dss(out, None, certs=[], crls=lists)
        return out.getvalue()

    letter.world.at = SIGNED
    pdf = letter.desk.sign(letter.steps["prepared"], SignaturePurpose.LEADER, Level.T)
    letter.world.at = RENEWALS[0]
    later = dataclasses.replace(letter.desk, tsa=letter.world.means(second).tsa)
    pdf = later.stamp(with_answers(pdf)) if covered else with_answers(later.stamp(pdf))
    # by now all keys of the first authority have ended: who broke one could have forged its lists
    letter.world.at = datetime(2015, 6, 1, tzinfo=UTC)
    assert letter.world.verdict(pdf).verdict is (Verdict.VALID if covered else Verdict.UNKNOWN)


# --- programs that are not ours ---


@pytest.fixture(scope="module")
def levels(desk, steps) -> dict[Level, bytes]:
    """The leader's signature at each level."""
    return {level: desk.sign(steps["prepared"], SignaturePurpose.LEADER, level) for level in Level}


@pytest.fixture(scope="module")
def ended_leader(letter, renewed) -> bytes:
    """A letter whose leader's certificate has ended by now, stamped twice by an authority that has not."""
    begun, third = datetime(2022, 7, 1, tzinfo=UTC), letter.world.authorities[2]
    pdf = desk_of(letter.world, third, begun, key_size=2048).sign(
        letter.steps["prepared"], SignaturePurpose.LEADER, Level.LTA
    )
    letter.world.at = begun + YEAR
    return extend(pdf, letter.world.means(third), at=letter.world.at).pdf


def plain(folder, letters, authorities, lists):
    """What plain pyHanko says of each letter's signatures, now, trusting those authorities."""
    files = {f"{n}.pdf": pdf for n, pdf in enumerate(letters)}
    files |= {f"{n}.cer": one.certificate for n, one in enumerate(authorities)}
    files |= {f"{n}.crl": one for n, one in enumerate(lists)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    command = [sys.executable, "-m", "tests.signing.plain_pyhanko", *(folder / name for name in files)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in said.splitlines()]


@pytest.fixture(scope="module")
def plainly(levels, authority, tmp_path_factory):
    """Its word on each level, by one process."""
    now = datetime.now(UTC)
    lists = [authority.crl(now), authority.root_crl(now)]
    return dict(zip(levels, plain(tmp_path_factory.mktemp("plain"), levels.values(), [authority], lists), strict=True))


def test_plain_pyhanko_agrees_while_authorities_last_and_stops_where_an_issuer_ended(
    letter, ended_leader, renewed, tmp_path
):
    third = letter.world.authorities[2]
    lists = [third.root_crl(datetime.now(UTC))]  # the newest stamp is judged now: somebody must have asked about it
    assert plain(tmp_path, [ended_leader], [third], lists) == [["AdESPassed.OK", True]]
    # pyHanko 0.38 judges no past of a chain with an issuer that ended, whatever proves it; ours goes on
    after = plain(tmp_path, [renewed], letter.world.authorities[:3], lists)
    assert after == [["AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE", True]] * 2


@pytest.mark.parametrize("level", Level)
def test_a_signature_has_the_level_asked_for_by_everybodys_word(
    level, levels, plainly, authority, trust, tmp_path, program
):
    at, file = datetime.now(UTC) + timedelta(seconds=5), tmp_path / "letter.pdf"
    answers = RevocationData(crls=(authority.crl(at), authority.root_crl(at)))
    report = verify_pdf(levels[level], at=at, trust=trust, revocation=answers)
    assert (report.verdict, report.signatures[0].level) == (Verdict.VALID, level)
    assert plainly[level] == ["AdESPassed.OK", True]
    file.write_bytes(levels[level])
    said = subprocess.run([program("pdfsig"), "-nocert", file], capture_output=True, text=True, check=False).stdout
    assert said.count("Signature is Valid.") == 1


# --- signatures of others ---


class Theirs(Signer):
    """pyHanko's signer over one of our keys: it writes the CMS as it likes."""

    def __init__(self, key) -> None:
        chain = SimpleCertificateStore.from_certs([x509.Certificate.load(der) for der in key.chain])
        super().__init__(signing_cert=x509.Certificate.load(key.certificate), cert_registry=chain)
        self._key = key

    async def async_sign_raw(self, data, digest_algorithm, dry_run=False):  # noqa: ARG002
        return self._key.sign(data)


class Stamping(TimeStamper):
    """pyHanko's time stamper over one of our authorities."""

    def __init__(self, tsa) -> None:
        super().__init__()
        self._tsa = tsa

    async def async_timestamp(self, message_digest, md_algorithm):  # noqa: ARG002
        return cms.ContentInfo.load(self._tsa.stamp(message_digest))


def foreign(key, tsa, *, permission: MDPPerm | None = None) -> bytes:
    """A letter signed now as desk programs do: adbe.pkcs7.detached, nothing for the long term; certified if asked."""
    meta = PdfSignatureMetadata(
        field_name="Signature1", subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED, md_algorithm="sha256",
        certify=permission is not None, docmdp_permissions=permission or MDPPerm.FILL_FORMS,
    )  # fmt: skip
    session = PdfSigner(meta, signer=Theirs(key), timestamper=Stamping(tsa) if tsa else None)
    return session.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(draw_letter()))).getvalue()


@pytest.fixture
def today(authority) -> World:
    """The pilot authority of all tests, at this moment."""
    return World(datetime.now(UTC) + timedelta(seconds=2), [authority])


@pytest.mark.parametrize("stamped", [True, False], ids=["with a time stamp", "without any time"])
def test_somebody_elses_signature_is_carried_over_the_end_of_its_certificate(today, desk, private_key, stamped):
    (authority,) = today.authorities
    names = ("Trần Văn Bình", "Sở Tài chính", "000.00.17.H15", None)
    short = authority.person(*names, private_key.public_key(), today.at - timedelta(hours=1), days=30)
    pdf = foreign(VaultSigner(private_key, short, authority.chain), desk.tsa if stamped else None)
    signed_at = today.at
    today.at = augmented_at = signed_at + timedelta(days=20)
    done = extend(pdf, today.means(authority), at=today.at)
    assert done.pdf.startswith(pdf)
    assert done.complete
    assert len(PdfFileReader(io.BytesIO(done.pdf)).embedded_timestamp_signatures) == 1
    today.at = signed_at + timedelta(days=60)
    twin, report = today.verdict(pdf), today.verdict(done.pdf)
    assert (twin.verdict, report.verdict) == (Verdict.UNKNOWN, Verdict.VALID)
    assert report.signatures[0].level == "CMS"
    # augmenting proves no more than that the signature was there then: the claimed time stays a claim
    proven = report.signatures[0].proven_at
    assert abs(proven - (signed_at if stamped else augmented_at)) < timedelta(minutes=5)


def test_time_is_not_put_over_a_broken_signature(letter):
    pdf = bytearray(letter.steps["stamped"])
    pdf[pdf.index(b"stream\n") + 12] ^= 1
    letter.world.at = SIGNED
    for broken in (bytes(pdf), letter.steps["prepared"]):
        with pytest.raises(AugmentInvalid) as refused:
            extend(broken, letter.world.means(letter.world.authorities[0]), at=SIGNED)
        assert refused.value.gaps["why"] in ("content-changed", "signature-missing")


def test_a_file_whose_signer_forbade_every_change_is_left_alone(today, desk):
    pdf = foreign(desk.leader, desk.tsa, permission=MDPPerm.NO_CHANGES)
    with pytest.raises(CertifiedUnchangeable):
        extend(pdf, today.means(today.authorities[0]), at=today.at)


def test_a_result_that_is_judged_worse_is_not_given_out(letter):
    means = letter.world.means(letter.world.authorities[0])
    letter.world.at = SIGNED

    def breaking(function, *args, **kwargs):
        made = function(*args, **kwargs)
        if function is not prepare_archive:
            return made
        # as if the limited process had been taken over: something else comes with the proof
        changed = made.pdf.replace(b"/ByteRange [0 ", b"/X[/ByteRange] /ByteRange [0 ", 1)
        return dataclasses.replace(made, pdf=changed)

    with pytest.raises((ArchiveWorse, SignatureWrong, RevisionNotExtension)):
        extend(letter.steps["stamped"], dataclasses.replace(means, run=breaking), at=SIGNED)


def test_an_answer_that_cannot_be_had_is_said_and_the_time_is_proven_all_the_same(letter):
    letter.world.at = SIGNED
    means = letter.world.means(letter.world.authorities[0])

    def unreachable(*_args, **_kwargs):
        raise ConnectionError

    done = extend(
        letter.steps["sealed"], dataclasses.replace(means, revocation=OnlineRevocation(unreachable)), at=SIGNED
    )
    assert not done.complete
    assert done.end.stamped_at == SIGNED


def test_a_signature_made_after_its_certificate_had_ended_is_not_valid(today, desk, private_key):
    (authority,) = today.authorities
    names = ("Trần Văn Bình", "Sở Tài chính", "000.00.17.H15", None)
    ended = authority.person(*names, private_key.public_key(), today.at - timedelta(days=40), days=30)
    pdf = foreign(VaultSigner(private_key, ended, authority.chain), desk.tsa)
    answers = RevocationData(crls=(authority.crl(today.at), authority.root_crl(today.at)))
    report = verify_pdf(pdf, at=today.at, trust=authority.trust, revocation=answers)
    assert (report.verdict, report.sub_indication) == (Verdict.UNKNOWN, "OUT_OF_BOUNDS_NO_POE")


def test_a_document_time_stamp_proves_nothing_while_nobody_answers_for_its_authority(today, desk):
    ours, other = today.authorities[0], today.found(today.at - YEAR, 2048)
    pdf = here(prepare_timestamp, foreign(desk.leader, None))
    tsa = OnlineTsa(other.tsa_url, today.fetch, [other.certificate])
    stamped = finish_timestamp(pdf, token=tsa.stamp(pdf.digest))
    answers = (ours.crl(today.at), ours.root_crl(today.at))
    told = {"at": today.at, "trust": today.trust}
    known = verify_pdf(stamped, **told, revocation=RevocationData(crls=(*answers, other.root_crl(today.at))))
    unknown = verify_pdf(stamped, **told, revocation=RevocationData(crls=answers))
    assert (known.verdict, known.signatures[1].proven_at) == (Verdict.VALID, today.at.replace(microsecond=0))
    assert (unknown.verdict, unknown.signatures[1].proven_at) == (Verdict.UNKNOWN, None)
    assert unknown.signatures[1].sub_indication == "TRY_LATER"
    assert "timestamp-untrusted" not in {finding.code for finding in unknown.signatures[1].findings}
