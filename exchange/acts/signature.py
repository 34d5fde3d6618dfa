"""Making a signature, in two halves: the key signs at once, the time stamp may come later.

No transaction is open here. What the limited process prepared is hashed again outside before the key signs.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from exchange.acts.tools import Levels, Tools
from exchange.errors import SignatureInvalid
from exchange.rules.model import FileRef, StoredReport
from keys.errors import RevocationUnavailable
from keys.model import RevocationData, Signer
from keys.timestamps import token_certificates, token_time
from signing.errors import NotAPdf, PdfTooComplex
from signing.model import (
    ATTACHMENT_FIELD,
    LEADER_FIELD,
    SEAL_FIELD,
    Level,
    PreparedSignature,
    Report,
    SignaturePurpose,
    SignIntent,
)
from signing.report import report_from_json, report_json
from signing.sign import (
    check_prepared,
    finish_signature,
    finish_timestamp,
    prepare_signature,
    prepare_timestamp,
    unsigned_token_digest,
)
from signing.verify import certificates_in, inputs_digest, limited_report, verify_pdf

FIELDS = {
    SignaturePurpose.LEADER: LEADER_FIELD,
    SignaturePurpose.SEAL: SEAL_FIELD,
    SignaturePurpose.ATTACHMENT: ATTACHMENT_FIELD,
}
PERSONAL = frozenset({SignaturePurpose.LEADER, SignaturePurpose.INITIAL})
"""Signatures of people: others follow, so their level is that of the leader."""
PROVEN = frozenset({Level.LT, Level.LTA})
"""Levels with certificates and answers in the file."""
MEDIA_TYPE = "application/pdf"
MOST_NAMED = 4096
"""Files whose certificates are remembered; when there are more, all are forgotten."""


@dataclass(frozen=True, slots=True)
class MadeSignature:
    """A raw signature over a prepared PDF: all that is needed to finish the file without the key."""

    purpose: SignaturePurpose
    base: FileRef
    prepared: PreparedSignature
    signature: bytes
    certificate: bytes
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A finished signed PDF that was kept, and what our own verifier said about it."""

    file: FileRef
    certificate: bytes
    report: Report
    stored: StoredReport


def make_signature(
    tools: Tools,
    base: FileRef,
    purpose: SignaturePurpose,
    signer: Signer,
    *,
    image: bytes,
    name: str,
    at: datetime,
    reason: str | None = None,
    field: str | None = None,
    lines: tuple[str, ...] = (),
) -> MadeSignature:
    """Prepare the file as it stands (`base`), make sure of what was prepared, and let the key sign it.

    `field` is where one of several people signs, `lines` what is drawn in place of the image. Raises the errors of
    `signing` (the file) and of `keys` (the key).
    """
    pdf = tools.blobs.get(base.sha256)
    intent = SignIntent(purpose, field or FIELDS[purpose], image, name, at, reason, lines)
    prepared = tools.run(prepare_signature, pdf, intent, signer.certificate, signer.chain)
    check_prepared(prepared, signer.certificate, extends=pdf)
    signature = signer.sign(prepared.attributes)
    return MadeSignature(purpose, base, prepared, signature, signer.certificate, signer.chain)


def complete_signature(tools: Tools, made: MadeSignature, *, office_code: str, at: datetime) -> SignedFile:
    """Stamp the signature, put it and its proof into the file (as much as its office wants), check and keep the result.

    Raises `TsaUnavailable` or `RevocationUnavailable` when an authority is away: `made` can be completed later.
    """
    levels = tools.levels_of(office_code)
    level = levels.leader if made.purpose in PERSONAL else levels.seal
    token = None if level is Level.B else tools.tsa.stamp(unsigned_token_digest(made.signature))
    revocation = _proof(tools, made, token, levels, at) if token is not None and level in PROVEN else None
    pdf = tools.run(
        finish_signature, made.prepared, signature=made.signature, certificate=made.certificate, chain=made.chain,
        token=token, revocation=revocation,
    )  # fmt: skip
    if level is Level.LTA:
        pdf = _stamped_for_the_long_term(tools, pdf)
    return _checked(tools, made, pdf, office_code, at if token is None else max(at, token_time(token)))


def _proof(tools: Tools, made: MadeSignature, token: bytes, levels: Levels, at: datetime) -> RevocationData:
    """Answers about signer and time authority, and about earlier signers whose own level left theirs out."""
    asked = [made.certificate, token_certificates(token)[0]]
    # an office may have chosen another level since the leader signed: the file says whether proof is in it
    bare = levels.leader not in PROVEN or made.prepared.pdf.rfind(b"/DSS") < 0
    if made.purpose is SignaturePurpose.SEAL and bare:
        asked += tools.run(certificates_in, tools.blobs.get(made.base.sha256))
    return tools.revocation.about(list(dict.fromkeys(asked)), tools.trust, at=at)


def check_file(tools: Tools, pdf: bytes, *, office_code: str | None, at: datetime) -> tuple[Report, StoredReport]:
    """The verdict on a PDF with whatever revocation answers can be had now, as a report to keep.

    A file that the limited process could not finish is unknown, with that reason: it is nobody's mistake to ask.
    """
    try:
        revocation = known_revocation(tools, pdf, at)
        report = tools.run(verify_pdf, pdf, at=at, trust=tools.trust, revocation=revocation, office_code=office_code)
    except PdfTooComplex as error:
        report = limited_report(pdf, at=at, what=str(error.gaps["what"]))
    return report, stored_report(report, at)


def check_kept(
    tools: Tools, file: FileRef, *, office_code: str | None, at: datetime, kept: StoredReport | None
) -> tuple[Report, StoredReport]:
    """The verdict on a stored PDF: the report `kept` where all that it was made from, but for the moment, is the same.

    That is: trust, revocation answers, sender and rules.
    """
    if kept is not None:
        answers = _answers(tools, _certificates(tools, file.sha256), at)
        if kept.inputs_sha256 == inputs_digest(kept.at, tools.trust, answers, office_code):
            return report_from_json(kept.body), kept
    return check_file(tools, tools.blobs.get(file.sha256), office_code=office_code, at=at)


def known_revocation(tools: Tools, pdf: bytes, at: datetime) -> RevocationData:
    """Fresh answers about every certificate in the file; what could not be asked is left to the proof in the file."""
    return _answers(tools, _certificates(tools, hashlib.sha256(pdf).hexdigest(), pdf), at)


def _answers(tools: Tools, certificates: tuple[bytes, ...], at: datetime) -> RevocationData:
    try:
        return tools.revocation.about(certificates, tools.trust, at=at)
    except RevocationUnavailable as missing:
        return missing.found or RevocationData()


def _certificates(tools: Tools, sha256: str, pdf: bytes | None = None) -> tuple[bytes, ...]:
    """Whom to ask about a file: it is opened once in this process for that, because its bytes never say another thing.

    A file that cannot be read names nobody; the verifier looks further, and says what it can read or that it cannot.
    """
    found = tools.named.get(sha256)
    if found is None:
        try:
            found = tools.run(certificates_in, pdf if pdf is not None else tools.blobs.get(sha256))
        except NotAPdf:
            found = ()
        if len(tools.named) >= MOST_NAMED:
            tools.named.clear()
        tools.named[sha256] = found
    return found


def stored_report(report: Report, at: datetime) -> StoredReport:
    """A report as evidence: its canonical bytes under their digest."""
    body = report_json(report)
    digest = hashlib.sha256(body).hexdigest()
    return StoredReport(digest, report.file_sha256, report.inputs_sha256, report.verdict, body, at)


def _stamped_for_the_long_term(tools: Tools, pdf: bytes) -> bytes:
    prepared = tools.run(prepare_timestamp, pdf)
    return finish_timestamp(prepared, token=tools.tsa.stamp(prepared.digest))


def _checked(tools: Tools, made: MadeSignature, pdf: bytes, office_code: str, at: datetime) -> SignedFile:
    """Our own verifier is the first reader of what we made; what it does not find valid never leaves."""
    if hashlib.sha256(pdf[: made.base.size]).hexdigest() != made.base.sha256:
        raise SignatureInvalid
    report, stored = check_file(tools, pdf, office_code=office_code, at=at)
    file = FileRef(tools.blobs.put(pdf), len(pdf), MEDIA_TYPE, made.base.name)
    return SignedFile(file, made.certificate, report, stored)
