"""From bytes to a report, in numbered steps. The same inputs give the same report for ever: time, trust and revocation
answers are handed in.

The verdict is the worst of structure guard, cryptography, AdES process, later changes, key usage, algorithms and the
signing-certificate attribute; never one engine's word (house §5.3). Beside it, never in it: the two signatures of
Decree 30 and the sender.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import astuple, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from keys.certificates import read_certificate
from keys.errors import KeysError
from keys.model import Certificate, Purpose, RevocationData, TrustMaterial, TrustWorld
from keys.trust import world_of
from signing.aside import aside
from signing.changes import FIELD_ADDED
from signing.changes import judged as judged_changes
from signing.changes import worst as worst_change
from signing.digests import Digests
from signing.errors import NotAPdf, PdfTooComplex, TooLarge
from signing.guard import (
    RANGE_MISSES,
    file_misses,
    hidden_signatures,
    keys_twice,
    misses,
    signature_removed,
    signed_ends,
    whole_part,
)
from signing.intake import many_revisions
from signing.model import (
    DATE_FIELD,
    NUMBER_FIELD,
    ORGANISATION_ALONE,
    Change,
    Finding,
    Indication,
    OfficeMatch,
    Report,
    SignatureReport,
    TwoSignatures,
    Verdict,
)
from signing.shadow import shadow_notes, shadow_warnings

if TYPE_CHECKING:
    from signing._pyhanko.judging import Judged, Seen

POLICY = "congvan-verify-2"
"""Changes when the rules change: part of what a report was made from."""
VERIFY_LIMIT_MB = 64

_BADNESS = {Verdict.VALID: 0, Verdict.UNKNOWN: 1, Verdict.INVALID: 2}
_INDICATION = {
    Verdict.VALID: Indication.TOTAL_PASSED,
    Verdict.UNKNOWN: Indication.INDETERMINATE,
    Verdict.INVALID: Indication.TOTAL_FAILED,
}


def verify_pdf(
    pdf: bytes,
    *,
    at: datetime,
    trust: TrustMaterial,
    revocation: RevocationData,
    office_code: str | None = None,
) -> Report:
    """What a PDF proves at the moment `at`, trusting `trust`, with the answers of `revocation` and those in the file.

    `office_code` is the sender whose seal is expected. A file without any signature is `invalid` (R53) with finding
    `signature-missing`. Raises `NotAPdf`, `PdfEncrypted`, `TooLarge` for what cannot be read. Source: signing page §3.
    """
    # 1 may it be opened at all
    _require_pdf(pdf)
    inputs = inputs_digest(at, trust, revocation, office_code)
    if many_revisions(pdf):
        return limited_report(pdf, at=at, what="revisions", inputs_sha256=inputs)
    # 2 what pyHanko finds in each signature field
    digests, whole = Digests(pdf), whole_part(pdf)
    shadows = partial(shadow_warnings, whole)
    try:
        with aside(shadows) if whole.rfind(b"/ByteRange") >= 0 else nullcontext(shadows) as warned:
            seen, hidden = _look(whole, at, trust, revocation, digests)
            notes = shadow_notes(shown_otherwise=seen.shown_otherwise, unlisted=seen.unlisted)
            notes += warned() if seen.judged else ()
    except PdfTooComplex as error:
        return limited_report(pdf, at=at, what=str(error.gaps["what"]), inputs_sha256=inputs)
    seen.judged.sort(key=lambda one: one.revision)  # who signed after whom; a form may list its fields in any order
    # 3 what the raw bytes say, whatever pyHanko found
    ranges = [one.byte_range for one in seen.judged]
    of_file = file_misses(pdf, ranges)
    if all(ranges):  # of a signature that cannot be read, nobody knows whether it is the one in the bytes
        seen.hidden = hidden_signatures(pdf, ranges)

    # 4 each signature by itself, and what came after it
    twice = ("key-twice",) if seen.trailer_twice else ()
    broken = [[*_misses(pdf, one), *of_file, *hidden, *twice] for one in seen.judged]
    covers = _covers(seen.judged, broken)
    signatures = tuple(
        _signature(one, misses_of_one, trust, _changes(one, covers), seen)
        for one, misses_of_one in zip(seen.judged, broken, strict=True)
    )
    # 5 the file: never better than its worst signature that matters
    findings = list(_file_findings(pdf, signatures))
    verdict = _worst([s.verdict for s in signatures]) if signatures else Verdict.INVALID
    two = _two_signatures(signatures)
    if signatures and two is TwoSignatures.INCOMPLETE:
        findings.append(Finding("two-signatures-incomplete", "warning"))
    if signatures:
        findings += notes
    # 6 the sender, beside the verdict
    match = _office_match(signatures, office_code)
    if match is OfficeMatch.MISMATCH:
        findings.append(Finding("office-mismatch", "warning"))
    worst = next((s for s in signatures if s.verdict is verdict), None)
    return Report(
        file_sha256=digests.whole().hex(),
        file_size=len(pdf),
        at=at,
        verdict=verdict,
        indication=_INDICATION[verdict] if signatures else None,
        sub_indication=worst.sub_indication if worst else None,
        two_signatures=two,
        office_match=match,
        number=seen.values.get(NUMBER_FIELD),
        date=seen.values.get(DATE_FIELD),
        pages=seen.pages,
        signatures=signatures,
        findings=tuple(findings),
        inputs_sha256=inputs,
        policy=POLICY,
    )


def limited_report(pdf: bytes, *, at: datetime, what: str, inputs_sha256: str = "") -> Report:
    """The answer about a file that is too much for its limits (`what`: size, signatures, time, …): unknown, and why."""
    return Report(
        file_sha256=hashlib.sha256(pdf).hexdigest(),
        file_size=len(pdf),
        at=at,
        verdict=Verdict.UNKNOWN,
        indication=Indication.INDETERMINATE,
        sub_indication="POLICY_PROCESSING_ERROR",
        two_signatures=TwoSignatures.INCOMPLETE,
        office_match=OfficeMatch.UNKNOWN,
        number=None,
        date=None,
        pages=None,
        signatures=(),
        findings=(Finding("over-limit", "warning", {"what": what}),),
        inputs_sha256=inputs_sha256,
        policy=POLICY,
    )


def _look(
    whole: bytes, at: datetime, trust: TrustMaterial, revocation: RevocationData, digests: Digests
) -> tuple["Seen", tuple[str, ...]]:
    """What pyHanko finds in the file or, where that cannot be read, in what its newest readable signature ends."""
    from signing._pyhanko.judging import look

    names = (NUMBER_FIELD, DATE_FIELD)
    try:
        return look(whole, at=at, trust=trust, revocation=revocation, names=names, digests=digests), ()
    except NotAPdf:
        for end in signed_ends(whole):
            try:
                seen = look(whole[:end], at=at, trust=trust, revocation=revocation, names=names)
            except NotAPdf:
                continue
            if seen.judged:
                return seen, ("later-part-unreadable",)
        raise


def _misses(pdf: bytes, one: "Judged") -> list[str]:
    found = misses(pdf, one.byte_range, one.contents) if one.byte_range else []
    return [*found, "key-twice"] if keys_twice(pdf, one.place) else found


def certificates_in(pdf: bytes) -> tuple[bytes, ...]:
    """The certificates (DER) of signers and time-stamp authorities in a PDF: whom to ask about. Raises `NotAPdf`."""
    from signing._pyhanko.judging import certificates

    _require_pdf(pdf)
    return certificates(whole_part(pdf))


def _require_pdf(pdf: bytes) -> None:
    """Only what no reader would open is refused; everything else gets a verdict, junk around the file included."""
    if len(pdf) > VERIFY_LIMIT_MB * 1024 * 1024:
        raise TooLarge(limit_mb=VERIFY_LIMIT_MB)
    if b"%PDF-" not in pdf[:1024]:
        raise NotAPdf


def _covers(judged: Sequence["Judged"], broken: Sequence[Sequence[str]]) -> list[tuple[int, str, str]]:
    """Where trusted signatures of organisations stand: the revision each ends, its office, its field."""
    found = []
    for one, misses_of_one in zip(judged, broken, strict=True):
        certificate = _read(one.certificate)
        good = one.kind == "signature" and one.passed and one.intact and not misses_of_one
        if good and certificate and certificate.purpose is Purpose.ORGANISATION and certificate.office_code:
            found.append((one.revision, certificate.office_code, one.field))
    return found


def _changes(one: "Judged", covers: Sequence[tuple[int, str, str]]) -> tuple[Change, ...]:
    """What came after one signature, with its effect on it.

    An addition is covered when the signer's own office signed it, as it signs the field that its own seal makes (a
    program at the desk makes one for each signature); nothing else about the field of that very signature.
    """
    certificate = _read(one.certificate)
    office = certificate.office_code if certificate else None
    return judged_changes(
        one.changes,
        permission=one.permission,
        locked=one.locked.__contains__,
        covered=lambda change: any(
            revision >= change.revision and code == office and (field != change.field or change.what == FIELD_ADDED)
            for revision, code, field in covers
        ),
    )


def _signature(
    one: "Judged", broken: Sequence[str], trust: TrustMaterial, changes: tuple[Change, ...], seen: "Seen"
) -> SignatureReport:
    certificate = _read(one.certificate)
    helped = replace(trust, intermediates=tuple(dict.fromkeys((*trust.intermediates, *one.beside))))
    world = world_of(one.certificate, helped) if one.certificate else None
    effect = worst_change(changes)
    findings = [*_failures(one, broken, effect), *_doubts(one, effect), *_notes(one, world, effect)]
    if seen.hidden:
        findings.append(Finding("signature-hidden", "warning"))
    if seen.views_differ:
        findings.append(Finding("views-differ", "warning"))
    verdict = Verdict.VALID
    if any(f.severity == "failure" for f in findings):
        verdict = Verdict.INVALID
    elif any(f.severity == "warning" for f in findings) or not one.passed:
        verdict = Verdict.UNKNOWN
    return SignatureReport(
        field=one.field,
        kind=one.kind,
        verdict=verdict,
        indication=_INDICATION[verdict],
        sub_indication=None if verdict is Verdict.VALID else _sub_indication(one, broken, effect),
        level=_level(one, seen),
        signer=certificate.common_name if certificate else None,
        office=certificate.organisation if certificate else None,
        office_code=certificate.office_code if certificate else None,
        purpose=certificate.purpose if certificate else None,
        world=world,
        certificate_sha256=certificate.fingerprint if certificate else None,
        claimed_at=one.claimed_at,
        proven_at=one.proven_at,
        covers_whole_file=one.whole_file,
        changes=changes,
        findings=tuple(findings),
        signed_bytes=_signed_bytes(one, broken),
    )


def _signed_bytes(one: "Judged", broken: Sequence[str]) -> int | None:
    """How many bytes are the file as it was signed; None when the range is not whole or those are not the bytes."""
    whole = one.whole_revision and one.intact and len(one.byte_range) == 4
    if not whole or RANGE_MISSES.intersection(broken):
        return None
    return one.byte_range[2] + one.byte_range[3]


def _failures(one: "Judged", broken: Sequence[str], effect: str) -> Iterable[Finding]:
    for code in dict.fromkeys(broken):
        yield Finding(code, "failure")
    if effect == "forbidden":
        yield Finding("forbidden-change", "failure")
    if one.error is not None or one.kind == "unsupported" or one.enclosed or one.infos != 1:
        return
    if one.disagree and not one.correct:
        return  # which of the two digests was meant cannot be told: a doubt, not a forgery
    if not one.intact:
        yield Finding("content-changed", "failure")
    elif not one.correct:
        yield Finding("signature-broken", "failure")
    if not one.whole_revision:
        yield Finding("range-not-revision", "failure")
    if _revoked_before(one) and one.revocation_known and one.proven_at is not None:
        yield Finding("failed", "failure", {"sub": "REVOKED"})
    if _signed_before_it_began(one):
        yield Finding("failed", "failure", {"sub": "NOT_YET_VALID"})
    if one.failed and one.intact and one.correct:
        yield Finding("failed", "failure", {"sub": one.sub_indication or "–"})


def _doubts(one: "Judged", effect: str) -> Iterable[Finding]:
    if effect == "addition":
        yield Finding("later-addition", "warning")
    if one.trailing:
        yield Finding("unsigned-bytes-in-signature", "warning")
    if one.enclosed:
        yield Finding("content-enclosed", "warning")
    if one.infos != 1:
        yield Finding("signer-infos", "warning", {"count": str(one.infos)})
    if one.kind == "unsupported":
        yield Finding("signature-unsupported", "warning", {"kind": one.error or "–"})
        return
    if one.error is not None:
        yield Finding("signature-unreadable", "warning", {"why": one.error})
        return
    if one.disagree:
        yield Finding("algorithms-disagree", "warning")
    if one.untimely:
        yield Finding("time-stamp-out-of-time", "warning")
    if one.kind == "timestamp":
        if not one.passed and one.intact and not one.untimely:
            yield from _doubts_about_stamp(one)
        return
    if not one.passed and not one.failed:
        yield Finding("not-determined", "warning", {"sub": one.sub_indication or "–"})
    if _revoked_before(one):
        yield Finding("signer-revoked", "warning")
    if one.future:
        yield Finding("time-stamp-in-future", "warning")
    if one.unordered:
        yield Finding("attributes-unordered", "warning")
    if not one.named_certificate:
        yield Finding("certificate-not-named", "warning")
    if not one.non_repudiation or not one.for_documents:
        yield Finding("key-usage-wrong", "warning")
    for what in one.weak:
        yield Finding("weak-algorithm", "warning", {"what": what})


def _doubts_about_stamp(one: "Judged") -> Iterable[Finding]:
    """Why a document time stamp that fits its bytes does not count."""
    ended = one.sub_indication == "OUT_OF_BOUNDS_NO_POE"
    for what in one.weak:
        yield Finding("weak-algorithm", "warning", {"what": what})
    if ended:
        yield Finding("timestamp-ended", "warning")
    if one.sub_indication == "TRY_LATER":
        yield Finding("not-determined", "warning", {"sub": "TRY_LATER"})
    elif not ended and not one.weak:
        yield Finding("timestamp-untrusted", "warning")


def _revoked_before(one: "Judged") -> bool:
    """Whether an answer says revoked at a moment that no proof of time precedes."""
    return one.revoked_at is not None and (one.proven_at is None or one.revoked_at <= one.proven_at)


def _signed_before_it_began(one: "Judged") -> bool:
    certificate = _read(one.certificate)
    if one.kind != "signature" or certificate is None or one.proven_at is None:
        return False
    return one.proven_at < certificate.not_before


def _notes(one: "Judged", world: TrustWorld | None, effect: str) -> Iterable[Finding]:
    if one.kind == "signature" and one.error is None and not one.has_timestamp:
        yield Finding("no-time-stamp", "note")
    if one.kind == "signature" and one.error is None and not one.declares:
        yield Finding("no-revocation-source", "note")
    if effect == "expected":
        yield Finding("expected-change", "note")
    if effect == "covered":
        yield Finding("added-then-sealed", "note")
    if effect == "note":
        yield Finding("unused-objects", "note")
    if world is TrustWorld.PILOT:
        yield Finding("pilot-certificate", "note")
    elif world is not None and world is not TrustWorld.VGCA:
        yield Finding("other-trust-world", "note")


def _sub_indication(one: "Judged", broken: Sequence[str], effect: str) -> str | None:
    if broken or effect == "forbidden" or not one.whole_revision:
        return "FORMAT_FAILURE"
    if one.error is None and not one.intact:
        return "HASH_FAILURE"
    if one.error is None and not one.correct:
        return "SIG_CRYPTO_FAILURE"
    if _signed_before_it_began(one):
        return "NOT_YET_VALID"
    if _revoked_before(one):
        return "REVOKED" if one.revocation_known and one.proven_at is not None else "REVOKED_NO_POE"
    return one.sub_indication or "SIG_CONSTRAINTS_FAILURE"


def _level(one: "Judged", seen: "Seen") -> str:
    """The baseline level that the parts of the file make up (EN 319 142-1), whatever they are worth, or `CMS`."""
    if one.kind != "signature":
        return one.kind
    if not one.pades:
        return "CMS"
    if not one.has_timestamp:
        return "B-B"
    if not seen.proof:
        return "B-T"
    stamped = any(other.kind == "timestamp" and other.revision > one.revision for other in seen.judged)
    return "B-LTA" if stamped else "B-LT"


def _file_findings(pdf: bytes, signatures: Sequence[SignatureReport]) -> Iterable[Finding]:
    if not signatures:
        removed = signature_removed(pdf, 0)
        yield Finding("signature-removed" if removed else "signature-missing", "failure")
    said = set()
    for finding in (finding for signature in signatures for finding in signature.findings):
        worth_saying = finding.severity != "note" or finding.code == "pilot-certificate"
        if worth_saying and finding.code not in said:
            said.add(finding.code)
            yield finding


def _two_signatures(signatures: Sequence[SignatureReport]) -> TwoSignatures:
    """A person has signed, and after that an organisation (R1), whatever their verdicts."""
    made = [s for s in signatures if s.kind == "signature"]
    if made and all(s.field in ORGANISATION_ALONE and s.purpose == Purpose.ORGANISATION for s in made):
        return TwoSignatures.NOT_REQUIRED
    order = [s.purpose for s in made]
    if Purpose.PERSON in order and Purpose.ORGANISATION in order[order.index(Purpose.PERSON) + 1 :]:
        return TwoSignatures.COMPLETE
    return TwoSignatures.INCOMPLETE


def _office_match(signatures: Sequence[SignatureReport], office_code: str | None) -> OfficeMatch:
    sealed = [s for s in signatures if s.purpose == Purpose.ORGANISATION and s.kind == "signature"]
    if office_code is None or not sealed or sealed[-1].office_code is None:
        return OfficeMatch.UNKNOWN
    return OfficeMatch.MATCH if sealed[-1].office_code == office_code else OfficeMatch.MISMATCH


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    return max(verdicts, key=_BADNESS.__getitem__)


def _read(der: bytes | None) -> Certificate | None:
    if der is None:
        return None
    try:
        return read_certificate(der)
    except KeysError:
        return None  # the signature's own findings already say that it cannot be trusted


def inputs_digest(at: datetime, trust: TrustMaterial, revocation: RevocationData, office_code: str | None) -> str:
    """A digest of everything besides the file that the report was made from."""
    parts = hashlib.sha256()
    for word in (POLICY, at.astimezone(UTC).isoformat(), office_code or ""):
        parts.update(hashlib.sha256(word.encode()).digest())
    for group in (
        sorted(anchor.der + anchor.world.encode() for anchor in trust.anchors),
        sorted(trust.intermediates),
        *(sorted(values) for values in astuple(revocation)),
    ):
        parts.update(len(group).to_bytes(4))
        for one in group:
            parts.update(hashlib.sha256(one).digest())
    return parts.hexdigest()
