"""Long-term proof and its renewal: what is needed to judge a file later goes into it, and a time stamp over all that.

One increment each time – certificates and revocation answers (DSS), then a document time stamp that covers them –
(ETSI EN 319 142-1 §6.3, level B-LTA), for our own signatures and for those of others. Nothing before it changes. It
proves what is true now: that all these bytes exist, and what the answers say today. It never mends a signature.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from asn1crypto import cms, x509

from keys.algorithms import digest_until, key_until
from keys.certificates import read_certificate
from keys.errors import RevocationUnavailable
from keys.model import RevocationData, TimestampAuthority, TrustMaterial
from keys.revocation import RevocationSource
from keys.timestamps import token_certificates, token_time
from keys.trust import chain_of
from signing.errors import ArchiveWorse, AugmentInvalid, RevisionNotExtension
from signing.model import ArchiveEnd, PreparedTimestamp, Report, Verdict
from signing.sign import BYTES_RESERVED, finish_timestamp
from signing.verify import certificates_in, verify_pdf

_BADNESS = {Verdict.VALID: 0, Verdict.UNKNOWN: 1, Verdict.INVALID: 2}


@dataclass(frozen=True, slots=True)
class Means:
    """What extending a file needs: where PDF work runs, who gives time and answers, whom to trust."""

    run: Callable[..., Any]
    tsa: TimestampAuthority
    revocation: RevocationSource
    trust: TrustMaterial


@dataclass(frozen=True, slots=True)
class Extended:
    """A file with one more increment of proof, and the verdict on it before and after.

    `complete` is False when an answer about revocation could not be had: the file then proves its time, not that.
    """

    pdf: bytes
    before: Report
    after: Report
    end: ArchiveEnd
    complete: bool


def prepare_archive(pdf: bytes, certificates: tuple[bytes, ...], revocation: RevocationData) -> PreparedTimestamp:
    """Add what is handed in to the DSS of `pdf` and leave a hole for a document time stamp over all: one increment.

    `certificates` are DER. To be finished by `signing.sign.finish_timestamp`. Raises `NotAPdf`, and
    `CertifiedUnchangeable` when a certification (DocMDP P=1) allows no change at all.
    """
    from signing._pyhanko.writing import make_archive_hole

    return make_archive_hole(pdf, certificates, revocation, reserved=BYTES_RESERVED)


def extend(pdf: bytes, means: Means, *, at: datetime, office_code: str | None = None) -> Extended:
    """Augment a signed file, or renew its archive time stamp: the same increment serves both.

    Raises `AugmentInvalid` when the file is invalid now (time would be put over a forgery), `CertifiedUnchangeable`,
    the errors of the time-stamp authority (`TsaUnavailable`, `TimestampRejected`), and `ArchiveWorse` when the result
    is judged worse than the file was; then nothing of it may be kept.
    """
    asked, _ = _answers(means, means.run(certificates_in, pdf), at)
    before = _judged(pdf, means, asked, at, office_code)
    if before.verdict is Verdict.INVALID:
        raise AugmentInvalid(why=", ".join(f.code for f in before.findings if f.severity == "failure") or "–")
    # whose time stamp it will be is only known from one: its certificate belongs into the proof, too
    stamper = token_certificates(means.tsa.stamp(hashlib.sha256(pdf).digest()))
    certificates = tuple(dict.fromkeys((*means.run(certificates_in, pdf), *stamper[:1])))
    found, complete = _answers(means, certificates, at)
    issuers = (issuer for one in certificates for issuer in chain_of(one, means.trust))
    every = tuple(dict.fromkeys((*certificates, *issuers)))
    prepared: PreparedTimestamp = means.run(prepare_archive, pdf, every, found)
    if not prepared.pdf.startswith(pdf):
        raise RevisionNotExtension
    token = means.tsa.stamp(prepared.digest)
    extended = finish_timestamp(prepared, token=token)
    after = _judged(extended, means, found, max(at, token_time(token)), office_code)
    _require_not_worse(before, after)
    return Extended(extended, before, after, end_of_token(token), complete)


def archive_end(pdf: bytes) -> ArchiveEnd | None:
    """Until when the newest document time stamp of `pdf` proves by itself; None without one. Raises `NotAPdf`."""
    from signing._pyhanko.judging import newest_stamp

    token = newest_stamp(pdf)
    return end_of_token(token) if token is not None else None


def end_of_token(token: bytes) -> ArchiveEnd:
    """Until when a time-stamp token (DER) proves by itself: the end of its certificate, or of one of its algorithms.

    Raises `TimestampRejected` when it cannot be read.
    """
    stamper = token_certificates(token)[0]
    weakest = _algorithm_end(token, stamper)
    return ArchiveEnd(token_time(token), read_certificate(stamper).not_after, weakest)


def _algorithm_end(token: bytes, stamper: bytes) -> date | None:
    """The last good day of the first of its algorithms to end (`keys/algorithms.py`); None: no end is known."""
    signed = cms.ContentInfo.load(token)["content"]
    info = signed["signer_infos"][0]
    imprint = signed["encap_content_info"]["content"].parsed["message_imprint"]
    key = x509.Certificate.load(stamper).public_key
    curve = key.curve[1] if key.algorithm == "ec" and key.curve[0] == "named" else None
    ends = (
        digest_until(info["digest_algorithm"]["algorithm"].native),
        digest_until(imprint["hash_algorithm"]["algorithm"].native),
        key_until(key.algorithm, key.bit_size, curve),
    )
    return min((end for end in ends if end is not None), default=None)


def _answers(means: Means, certificates: tuple[bytes, ...], at: datetime) -> tuple[RevocationData, bool]:
    """Today's answers about all of them; those that could be had when one could not."""
    try:
        return means.revocation.about(certificates, means.trust, at=at), True
    except RevocationUnavailable as missing:
        return missing.found, False


def _judged(pdf: bytes, means: Means, found: RevocationData, at: datetime, office_code: str | None) -> Report:
    report: Report = means.run(verify_pdf, pdf, at=at, trust=means.trust, revocation=found, office_code=office_code)
    return report


def _require_not_worse(before: Report, after: Report) -> None:
    """More proof must not make anything worse: neither the file nor one of its signatures."""
    then = {one.field: one.verdict for one in before.signatures}
    now = {one.field: one.verdict for one in after.signatures}
    worse = [field for field, verdict in then.items() if _BADNESS[now.get(field, Verdict.INVALID)] > _BADNESS[verdict]]
    if worse or _BADNESS[after.verdict] > _BADNESS[before.verdict]:
        raise ArchiveWorse(what=", ".join(worse) or after.verdict)
