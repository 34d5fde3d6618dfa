"""What must hold before a document moves: no secrets, good names, the right signatures (R7, R58)."""

from collections.abc import Collection, Sequence
from datetime import date

from exchange.errors import (
    AttachmentUnsigned,
    ClassifiedMarkSuspected,
    ClassifiedRefused,
    DueInvalid,
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
from exchange.rules.model import Actor, Attachment, Draft, Role, Secrecy
from keys.model import Purpose
from signing.changes import FIELD_ADDED
from signing.model import (
    ATTACHMENT_FIELD,
    INITIAL_FIELD,
    LEADER_FIELD,
    SEAL_FIELD,
    OfficeMatch,
    PageReading,
    Report,
    SignatureReport,
    Verdict,
)

LAST_DUE = date(2999, 12, 31)
MOST_REASON = 1000
MOST_NAME_BYTES = 255


def require_unclassified(draft: Draft) -> None:
    """Raises `ClassifiedRefused` for everything but `unclassified`."""
    if draft.secrecy is not Secrecy.UNCLASSIFIED:
        raise ClassifiedRefused


def require_due(due: date, today: date) -> None:
    """Raises `DueInvalid` for a day that is over, or beyond any calendar."""
    if not today <= due <= LAST_DUE:
        raise DueInvalid(first=today.isoformat(), last=LAST_DUE.isoformat())


def require_no_mark(draft: Draft, reading: PageReading, actor: Actor) -> bool:
    """True when a clerk declared a suspicious line on page one harmless; raises `ClassifiedMarkSuspected` else."""
    return require_no_marked_line(draft.not_classified, reading.classified_mark, actor)


def require_no_marked_line(not_classified: bool, mark: str | None, actor: Actor) -> bool:
    """The same for a file of which only the suspicious line (`mark`) is known."""
    if mark is None:
        return False
    if not_classified and Role.CLERK in actor.roles:
        return True
    raise ClassifiedMarkSuspected(mark=mark)


def require_name(name: str) -> None:
    """A file name is text to show, never a path. Raises `NameTooLong`, `NameNotAllowed`."""
    if len(name.encode("utf-8", "surrogatepass")) > MOST_NAME_BYTES:
        raise NameTooLong
    bad = not name.strip() or name in (".", "..") or "/" in name or "\\" in name
    if bad or any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 or _hides(c) for c in name):
        raise NameNotAllowed


def _hides(character: str) -> bool:
    """Signs that turn the direction of text make `fdp.exe` look like `exe.pdf`."""
    return character in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c"


def require_reason(reason: str) -> str:
    """The reason without blanks around it; raises `ReasonRequired` when it is empty or too long."""
    told = reason.strip()
    if not told or len(told) > MOST_REASON:
        raise ReasonRequired(most=MOST_REASON)
    return told


def require_leader_signed(report: Report, signer: str, field: str = LEADER_FIELD) -> SignatureReport:
    """The valid signature in a leader's or an initials' field, made with the certificate (fingerprint) `signer`.

    A program at the desk makes a field of its own: then it is the newest signature by that certificate.
    Raises what is wrong with it.
    """
    found = _in_field(report, field) or _by(report, signer)
    if found is None:
        raise SignatureMissing
    require_valid_so_far(report)
    if found.certificate_sha256 != signer:
        raise SignerNotAuthorised
    return found


def require_sealed(report: Report, certificate: str | None = None, *, known: Collection[str] = ()) -> SignatureReport:
    """The organisation's valid seal, of the sending office; raises what is wrong with it.

    `known` are certificates (fingerprints) recorded for the office: theirs may name no office code (VGCA's do not).
    """
    found = _in_field(report, SEAL_FIELD) or _newest_seal(report)
    if found is None:
        raise SealMissing
    require_valid(report)
    recorded = report.office_match is OfficeMatch.UNKNOWN and found.certificate_sha256 in known
    if report.office_match is not OfficeMatch.MATCH and not recorded:
        raise SealWrongOffice
    if certificate and found.certificate_sha256 != certificate:
        raise SealWrongOffice
    return found


def require_attachment_sealed(report: Report, attachment: Attachment, certificate: str) -> SignatureReport:
    """The organisation's valid mark on a separate attachment, made with its `certificate` (fingerprint).

    A program at the desk makes a field of its own: then it is the newest signature by that certificate. Raises what is
    wrong with it. A certificate of the office's own key may name no office code.
    """
    found = _in_field(report, ATTACHMENT_FIELD) or _by(report, certificate)
    if found is None:
        raise AttachmentUnsigned(name=attachment.file.name)
    require_valid(report)
    if report.office_match is OfficeMatch.MISMATCH or found.certificate_sha256 != certificate:
        raise SealWrongOffice
    return found


def require_attachments_sealed(attachments: Sequence[Attachment]) -> None:
    """Raises `AttachmentUnsigned` while a separate PDF lacks the organisation's mark (R41)."""
    for one in attachments:
        if one.needs_seal and one.sealed is None:
            raise AttachmentUnsigned(name=one.file.name)


def require_valid(report: Report) -> None:
    """Raises `SignatureInvalid` or `SignatureUnknown`."""
    if report.verdict is Verdict.INVALID:
        raise SignatureInvalid
    if report.verdict is Verdict.UNKNOWN:
        raise SignatureUnknown


def require_valid_so_far(report: Report) -> None:
    """The same while people sign one after another: a program at the desk makes a field for each of them, which is an
    addition to the signatures before it until the seal covers it. Nothing else may be open.

    Each of those fields was accepted by itself when it came (`rules.returned`).
    """
    signed = {one.field for one in report.signatures if one.kind == "signature" and one.purpose == Purpose.PERSON}
    open_ = [one for one in report.signatures if one.verdict is not Verdict.VALID]
    if report.verdict is not Verdict.UNKNOWN or not open_ or not all(_only_added(one, signed) for one in open_):
        require_valid(report)


def _only_added(one: SignatureReport, signed: Collection[str]) -> bool:
    """Whether nothing is open about a signature but that people signed after it, in fields of their own."""
    doubts = [finding.code for finding in one.findings if finding.severity != "note"]
    added = [change for change in one.changes if change.kind == "addition"]
    only_fields = all(change.what == FIELD_ADDED and change.field in signed for change in added)
    return one.verdict is Verdict.UNKNOWN and doubts == ["later-addition"] and only_fields


def _in_field(report: Report, field: str) -> SignatureReport | None:
    return next((s for s in report.signatures if s.field == field), None)


def _by(report: Report, certificate: str) -> SignatureReport | None:
    """The newest signature by that certificate in a field that is none of ours: ours each wait for somebody."""
    ours = (LEADER_FIELD, INITIAL_FIELD, SEAL_FIELD)
    signatures = [s for s in report.signatures if s.kind == "signature" and not s.field.startswith(ours)]
    return next((s for s in reversed(signatures) if s.certificate_sha256 == certificate), None)


def _newest_seal(report: Report) -> SignatureReport | None:
    seals = [s for s in report.signatures if s.kind == "signature" and s.purpose == Purpose.ORGANISATION]
    return seals[-1] if seals else None
