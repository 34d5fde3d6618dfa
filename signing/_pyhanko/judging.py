"""pyHanko as a judge: integrity, changes and the AdES process for each signature field. Never the last word.

Nothing is fetched: certificates and revocation answers are handed in or stand in the file (DSS).
"""

import asyncio
import io
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from dataclasses import field as made_with
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from asn1crypto import cms, crl, ocsp, x509
from asn1crypto.algos import DigestAlgorithm, SignedDigestAlgorithm
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.sign.ades.report import AdESIndeterminate, AdESPassed
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, enumerate_sig_fields
from pyhanko.sign.validation.ades import (
    AdESBasicValidationResult,
    ades_basic_validation,
    ades_lta_validation,
    ades_with_time_validation,
)
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import (
    AlgorithmUsageConstraint,
    AlgorithmUsagePolicy,
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

from keys.algorithms import DOCUMENT_USES, digest_good, key_good
from keys.certificates import KEPT, KEPT_LISTS, signed_list
from keys.model import RevocationData, TrustMaterial
from signing._pyhanko.drawn import differing_fields, wrongly_filled
from signing._pyhanko.mending import Reader, clock_at, keys_said_twice
from signing._pyhanko.past import answer_signed, answered_for, ended_unproven, judge_past
from signing._pyhanko.places import unlisted_objects
from signing._pyhanko.revisions import Revisions
from signing.digests import Digests
from signing.errors import NotAPdf, PdfEncrypted, PdfTooComplex
from signing.intake import MOST_CONTENTS, MOST_SIGNATURES
from signing.model import Change

LIMITS = DecodeLimits(
    per_stream=StreamDecodeLimits(max_output_size=64 << 20),
    document_budget=DocumentDecodeBudget(base_allowance=128 << 20, max_ratio=20),
)
BROKEN = (
    ValueError, LookupError, TypeError, AttributeError, AssertionError, OSError, ArithmeticError, RuntimeError,
    PdfError, zlib.error,
)  # fmt: skip
CANNOT_BE_READ = "cannot be read"
STAMP = "/ETSI.RFC3161"
NEAR = 16
"""Bytes by which `startxref` may miss its section: readers forgive that, and so do honest writers' files."""
_STARTXREF = re.compile(rb"startxref\s+(\d+)")
DEEPEST_PAST = 320
"""Frames that the past validation may use; honest files of the corpora need fewer than 150."""


@dataclass(slots=True)
class Judged:
    """What was found out about one signature field, raw: `signing.verify` draws the conclusions."""

    field: str
    kind: str
    """`signature`, `timestamp`, or `unsupported` with the SubFilter in `error`."""
    byte_range: tuple[int, ...] = ()
    contents: bytes = b""
    intact: bool = False
    correct: bool = False
    passed: bool = False
    failed: bool = False
    sub_indication: str | None = None
    whole_file: bool = False
    whole_revision: bool = False
    revision: int = 0
    """The revision that the signed range ends."""
    permission: int | None = None
    """What DocMDP still allows after this signature, None when nothing was certified up to here."""
    changes: tuple[Change, ...] = ()
    """All that came after, as the revisions say it; `locked` holds the fields among them that must not be filled."""
    locked: frozenset[str] = frozenset()
    pades: bool = True
    """A PAdES signature (`ETSI.CAdES.detached`), not plain CMS."""
    infos: int = 1
    """How many SignerInfos the CMS has."""
    enclosed: bool = False
    """The CMS encloses content of its own, so that its digest says nothing about the file."""
    trailing: bool = False
    """Bytes that nobody signed are stored behind the CMS in /Contents."""
    place: int | None = None
    """Where the signature dictionary begins in the file, None when it is no plain object of its own."""
    future: bool = False
    """A time stamp tells a moment after that of the judgement."""
    untimely: bool = False
    """A time stamp tells a moment at which its authority's certificate was not valid, so it proves none."""
    unordered: bool = False
    """The signed attributes are not in the order of DER."""
    disagree: bool = False
    """The digest of the signature's algorithm is another one than the digest of the content."""
    declares: bool = True
    """The certificate names a place to ask about its revocation."""
    revocation_known: bool = False
    """The answer that says so was signed by the issuer, or for it."""
    revoked_at: datetime | None = None
    """When an answer at hand says that the signer's certificate was revoked."""
    certificate: bytes | None = None
    beside: tuple[bytes, ...] = ()
    """Certificates that came with the signature or stand in the file's long-term data (DER)."""
    claimed_at: datetime | None = None
    proven_at: datetime | None = None
    has_timestamp: bool = False
    named_certificate: bool = False
    non_repudiation: bool = False
    for_documents: bool = True
    """The extended key usage, where there is one, allows signing documents."""
    weak: list[str] = made_with(default_factory=list)
    error: str | None = None


@dataclass(slots=True)
class Seen:
    """A PDF as pyHanko reads it."""

    judged: list[Judged]
    pages: int | None
    values: dict[str, str]
    revisions: int
    proof: bool = False
    """The file carries answers about revocation (a DSS)."""
    views_differ: bool = False
    """Readers of the old and of the new kind of cross-references see different objects."""
    trailer_twice: bool = False
    """A trailer says one of its keys twice: readers may begin with different documents."""
    shown_otherwise: tuple[str, ...] = ()
    """Text fields that show something else than their value."""
    hidden: int = 0
    """Signatures that lie whole in the file and that no field shows."""
    unlisted: int = 0
    """Objects that lie in the file and that no table of it names."""


IF_DECLARED = RevocationCheckingPolicy(
    ee_certificate_rule=RevocationCheckingRule.CHECK_IF_DECLARED,
    intermediate_ca_cert_rule=RevocationCheckingRule.CHECK_IF_DECLARED,
)
"""A certificate that names a place to ask must be answered for; one that names none cannot be, which is said."""


class _Dated(AlgorithmUsagePolicy):
    """The face of `keys.algorithms` towards pyHanko."""

    def digest_algorithm_allowed(self, algo: DigestAlgorithm, moment: datetime | None) -> AlgorithmUsageConstraint:
        good = moment is None or digest_good(algo["algorithm"].native, moment.date())
        return AlgorithmUsageConstraint(good, failure_reason=None if good else "digest")

    def signature_algorithm_allowed(
        self,
        algo: SignedDigestAlgorithm,  # noqa: ARG002
        moment: datetime | None,
        public_key: Any,
    ) -> AlgorithmUsageConstraint:
        if moment is None or public_key is None:
            return AlgorithmUsageConstraint(allowed=True)
        good = _key_allowed(public_key, moment)
        return AlgorithmUsageConstraint(good, failure_reason=None if good else "key")


def look(
    pdf: bytes,
    *,
    at: datetime,
    trust: TrustMaterial,
    revocation: RevocationData,
    names: Iterable[str],
    digests: Digests | None = None,
) -> Seen:
    """Every filled signature field of a PDF, judged as of `at`, and the values of the text fields in `names`.

    `digests` are those of `pdf`, or of a longer file that begins with it.
    Raises `NotAPdf`, `PdfEncrypted`, `PdfTooComplex`.
    """
    try:
        with keys_said_twice() as twice:
            reader = Reader(io.BytesIO(pdf), decode_limits=LIMITS)
        if reader.encrypted:
            raise PdfEncrypted
        fields = _fields(reader)
        pages = _pages_said(reader)
        values = _text_values(reader, names)
        revisions = Revisions(reader)
    except PdfEncrypted:
        raise
    except Exception as error:
        raise NotAPdf from error
    if len(fields) > MOST_SIGNATURES:
        raise PdfTooComplex(what="signatures")
    opened = [_opened(reader, name, one) for name, one in fields]
    digests = digests or Digests(pdf)
    digests.prepare(
        # content of another kind than data and time has no digest that pyHanko knows of; that is said further down
        (one.byte_range, getattr(embedded, "external_md_algorithm", "–"))
        for one, embedded in opened
        if embedded is not None
    )
    _follow(reader, revisions, [(a, b) for a, b in opened if b is not None and len(a.byte_range) == 4], pdf)
    judged = [found for found, _ in opened]
    seen = Seen(
        judged, pages, values, revisions.count, views_differ=revisions.views_differ(), trailer_twice=bool(twice)
    )
    with suppress(*BROKEN):  # notes beside the verdict: what they cannot read stays without a note
        seen.shown_otherwise = tuple(differing_fields(reader))
        seen.unlisted = unlisted_objects(reader, pdf)
    with clock_at(at):
        known = _known(reader, trust, revocation)
        asyncio.run(_judge_all(opened, digests, trust, known, at))
    seen.proof = bool(known.known_crls or known.known_ocsps) and "/DSS" in reader.root
    return seen


def _fields(reader: PdfFileReader) -> list[tuple[str, Any]]:
    """Names and dictionaries of the filled signature fields; one more than is allowed tells that there are too many."""
    filled = islice(enumerate_sig_fields(reader, filled_status=True), MOST_SIGNATURES + 1)
    return [(name, ref.get_object()) for name, _, ref in filled]


def _pages_said(reader: PdfFileReader) -> int | None:
    """How many pages the file says it has; None when it cannot have so many, or says a number below nothing."""
    count = int(reader.root["/Pages"]["/Count"])
    return count if 0 <= count <= len(reader.stream.getvalue()) else None


def _follow(
    reader: PdfFileReader, revisions: Revisions, opened: list[tuple[Judged, EmbeddedPdfSignature]], pdf: bytes
) -> None:
    """What came after each signature, and what the signatures up to it still allow."""
    for found, _ in opened:
        found.revision = _revision_of(reader, revisions, found.byte_range[2] + found.byte_range[3])
        found.whole_revision = _ends_in_order(reader, revisions, found, pdf)
    rules = [(found.revision, _permission(embedded), _lock(embedded)) for found, embedded in opened]
    try:
        for found, _ in opened:
            changes = revisions.changes(found.revision)
            filled = {change.field: change for change in changes if change.what == "field-filled" and change.field}
            wrong = wrongly_filled(reader, filled)
            found.changes = (*changes, *(replace(filled[n], what="value-picture-differ", kind="seen") for n in wrong))
    except OverflowError as error:
        raise PdfTooComplex(what="objects") from error
    for found, _ in opened:
        before = [(permission, lock) for revision, permission, lock in rules if revision <= found.revision]
        found.permission = min((p for p, _ in before if p is not None), default=None)
        locks = [lock for _, lock in before if lock is not None]
        names = {change.field for change in found.changes if change.field is not None}
        found.locked = frozenset(name for name in names if any(lock.is_locked(name) for lock in locks))


def _revision_of(reader: PdfFileReader, revisions: Revisions, end: int) -> int:
    """The newest revision whose cross-reference section lies before `end`."""
    starts = [reader.xrefs.get_startxref_for_revision(n) for n in range(revisions.count)]
    return max((n for n, start in enumerate(starts) if start < end), default=0)


def _ends_in_order(reader: PdfFileReader, revisions: Revisions, found: Judged, pdf: bytes) -> bool:
    """Whether the signed range ends with the section that a reader of just that range would begin with, and holds
    all sections before it and none of a later one: no revision was skipped, none slipped in.
    """
    starts = [reader.xrefs.get_startxref_for_revision(n) for n in range(revisions.count)]
    end = found.byte_range[2] + found.byte_range[3]
    said = _STARTXREF.match(pdf, max(pdf.rfind(b"startxref", 0, end), 0))
    if said is None or abs(int(said.group(1)) - starts[found.revision]) > NEAR:
        return False
    return all((start < end) == (n <= found.revision) for n, start in enumerate(starts))


def _permission(embedded: EmbeddedPdfSignature) -> int | None:
    try:
        level = embedded.docmdp_level
    except BROKEN:
        return 1  # a certification that cannot be read allows nothing
    return None if level is None else int(level.value)


def _lock(embedded: EmbeddedPdfSignature) -> Any:
    try:
        return embedded.fieldmdp
    except BROKEN:
        return FieldMDPSpec(FieldMDPAction.ALL)  # a lock that cannot be read locks everything


def certificates(pdf: bytes) -> tuple[bytes, ...]:
    """The signer's and stampers' certificates in a PDF (DER), for asking about them."""
    try:
        reader = Reader(io.BytesIO(pdf), decode_limits=LIMITS)
        fields = _fields(reader)
    except Exception as error:
        raise NotAPdf from error
    found: dict[bytes, None] = {}
    for name, one in fields[:MOST_SIGNATURES]:
        try:
            embedded = EmbeddedPdfSignature(reader, one, name)
            found[embedded.signer_cert.dump()] = None
            for token in _stamps(embedded):
                found.update(dict.fromkeys(_leaf_of_token(token)))
        except BROKEN:
            continue  # what cannot be read names nobody to ask about; `look` says so in the verdict
    return tuple(found)


def newest_stamp(pdf: bytes) -> bytes | None:
    """The token (DER) of the last document time stamp in a PDF, None when it has none. Raises `NotAPdf`."""
    try:
        reader = Reader(io.BytesIO(pdf), decode_limits=LIMITS)
        fields = [(name, ref.get_object()) for name, _, ref in enumerate_sig_fields(reader, filled_status=True)]
        stamps = [EmbeddedPdfSignature(reader, one, name) for name, one in fields if _subfilter(one) == STAMP]
        newest = max(stamps, key=lambda stamp: stamp.signed_revision, default=None)
        return None if newest is None else cms.ContentInfo.load(newest.pkcs7_content).dump()
    except Exception as error:
        raise NotAPdf from error


async def _judge_all(
    opened: list[tuple[Judged, EmbeddedPdfSignature | None]],
    digests: Digests,
    trust: TrustMaterial,
    known: LocalKnowledge,
    at: datetime,
) -> None:
    stamped, rules = any(found.kind == "timestamp" for found, _ in opened), _rules(trust, known)
    for found, embedded in opened:
        if embedded is None:
            continue
        try:
            digest = digests.of(found.byte_range, embedded.external_md_algorithm)
            if digest is not None:
                embedded.external_digests[embedded.external_md_algorithm] = digest
            _read_integrity(found, embedded)
            _read_cms(found, embedded)
            await _run_process(found, embedded, trust, rules, at, stamped=stamped)
        except Exception as error:
            # one signature that cannot be read must not hide the others: it is reported as such, and never as good
            found.error = type(error).__name__
            found.passed = False
    if stamped:
        readable = [(a, b) for a, b in opened if b is not None and len(a.byte_range) == 4 and a.error is None]
        await judge_past(readable, at, lambda embedded: _rules_below(embedded, trust))


def _rules_below(stamp: EmbeddedPdfSignature, trust: TrustMaterial) -> SignatureValidationSpec:
    """The rules with what the file itself held in the revision of that time stamp."""
    known = _known(stamp.reader.get_historical_resolver(stamp.signed_revision), trust, RevocationData())
    return _rules(trust, known).signature_validation_spec


def _opened(reader: PdfFileReader, name: str, one: Any) -> tuple[Judged, EmbeddedPdfSignature | None]:
    """What a signature field holds, and pyHanko's view of it where it has one."""
    subfilter = _subfilter(one)
    kind = "timestamp" if subfilter == "/ETSI.RFC3161" else "signature"
    if subfilter == CANNOT_BE_READ:
        return Judged(_plain(name), kind, error="PdfReadError"), None
    if subfilter not in ("/ETSI.RFC3161", "/ETSI.CAdES.detached", "/adbe.pkcs7.detached"):
        return Judged(_plain(name), "unsupported", error=_plain(subfilter or "–")), None
    found = Judged(_plain(name), kind, place=_place_of(reader, one), pades=subfilter == "/ETSI.CAdES.detached")
    embedded = None
    try:
        contents = one["/V"].raw_get("/Contents")
        if 2 * len(contents) > MOST_CONTENTS:
            raise PdfTooComplex(what="contents")
        _read_shape(found, bytes(contents))
        embedded = EmbeddedPdfSignature(reader, one, name)
        found.byte_range = tuple(int(n) for n in embedded.byte_range)
        found.contents = bytes(embedded.pkcs7_content)
    except PdfTooComplex:
        raise
    except Exception as error:
        found.error = type(error).__name__  # as in `_judge_all`
        return found, embedded if found.byte_range else None
    return found, embedded


def _place_of(reader: PdfFileReader, one: Any) -> int | None:
    try:
        place = reader.xrefs[one.raw_get("/V").reference]
    except (KeyError, AttributeError):
        return None
    return place if isinstance(place, int) else None


def _read_integrity(found: Judged, embedded: EmbeddedPdfSignature) -> None:
    embedded.compute_integrity_info(skip_diff=True)  # type: ignore[no-untyped-call]
    coverage = str(getattr(embedded.coverage, "name", ""))
    found.whole_file = coverage == "ENTIRE_FILE"


def _read_shape(found: Judged, contents: bytes) -> None:
    """What a CMS is made of, before pyHanko looks at it."""
    signed = cms.ContentInfo.load(contents)["content"]
    found.infos = len(signed["signer_infos"])
    found.enclosed = found.kind == "signature" and signed["encap_content_info"]["content"].native is not None
    found.trailing = bool(contents[_der_length(contents) :].strip(b"\x00"))
    attributes = signed["signer_infos"][0]["signed_attrs"] if found.infos else None
    found.unordered = isinstance(attributes, cms.CMSAttributes) and _unordered(attributes)


def _unordered(attributes: cms.CMSAttributes) -> bool:
    """Whether signed attributes do not stand in the order of DER, so that verifiers disagree about what was signed."""
    each = [one.dump() for one in attributes]
    return each != sorted(each)


def _read_cms(found: Judged, embedded: EmbeddedPdfSignature) -> None:
    found.disagree = _algorithms_disagree(embedded.signer_info)
    certificate = embedded.signer_cert
    found.certificate = certificate.dump()
    found.beside = tuple(one.dump() for one in embedded.other_embedded_certs)
    found.declares = bool(certificate.ocsp_urls or certificate.crl_distribution_points)
    found.claimed_at = embedded.self_reported_timestamp
    attributes = {a["type"].native for a in embedded.signer_info["signed_attrs"]}
    found.named_certificate = bool({"signing_certificate_v2", "signing_certificate"} & attributes)
    usage = certificate.key_usage_value
    found.non_repudiation = usage is None or "non_repudiation" in usage.native
    extended = certificate.extended_key_usage_value
    found.for_documents = extended is None or not DOCUMENT_USES.isdisjoint(purpose.dotted for purpose in extended)
    found.has_timestamp = bool(_stamps(embedded)) and found.kind == "signature"
    if found.claimed_at is not None:
        found.weak = _weak(embedded, found.claimed_at)


def _weak(embedded: EmbeddedPdfSignature, moment: datetime) -> list[str]:
    """What of a signature or time stamp was not good enough at that moment."""
    key, weak = embedded.signer_cert.public_key, []
    if not digest_good(embedded.md_algorithm, moment.date()):
        weak.append(embedded.md_algorithm)
    if not _key_allowed(key, moment):
        weak.append(f"{key.algorithm}-{key.bit_size}")
    return weak


def _why_not(certificate: x509.Certificate, weak: list[str], at: datetime, *, revoked: bool, unasked: bool) -> str:
    """Why a time stamp that fits does not count now."""
    if revoked:
        return "REVOKED_NO_POE"
    if not certificate.not_valid_before <= at <= certificate.not_valid_after:
        return "OUT_OF_BOUNDS_NO_POE"
    if weak:
        return "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    return "TRY_LATER" if unasked else "CERTIFICATE_CHAIN_GENERAL_FAILURE"


def _algorithms_disagree(info: cms.SignerInfo) -> bool:
    try:
        implied = info["signature_algorithm"].hash_algo
    except ValueError:
        return False  # the name of the signature algorithm says nothing about a digest
    return bool(implied != info["digest_algorithm"]["algorithm"].native)


def _der_length(data: bytes) -> int:
    """Bytes of the first DER value; all of them when its length is indefinite or beyond the end."""
    if len(data) < 2 or data[1] == 0x80:
        return len(data)
    if data[1] < 0x80:
        return 2 + data[1]
    many = data[1] & 0x7F
    return 2 + many + int.from_bytes(data[2 : 2 + many])


async def _run_process(
    found: Judged,
    embedded: EmbeddedPdfSignature,
    trust: TrustMaterial,
    rules: PdfSignatureValidationSpec,
    at: datetime,
    *,
    stamped: bool,
) -> None:
    known = rules.signature_validation_spec.local_knowledge
    timing = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
    if found.kind == "timestamp":
        status = await _timestamp_status(embedded, rules, trust)
        found.intact, found.correct, found.passed, told = status
        found.untimely = told is not None and not _valid_at(embedded.signer_cert, told)
        found.passed = found.passed and not found.untimely
        found.weak = _weak(embedded, at)
        issuers = [one for one in (*known.known_certs, *_anchors(trust)) if one.subject == embedded.signer_cert.issuer]
        revoked, _ = _revoked_at(embedded.signer_cert, known, issuers)  # who has its key may stamp any past moment
        trusted, unasked = found.passed, not answered_for(embedded.signer_cert, known)
        found.passed = found.passed and not (found.weak or unasked) and revoked is None
        if found.intact and found.correct and not found.passed:
            found.sub_indication = _why_not(
                embedded.signer_cert, found.weak, at, revoked=revoked is not None, unasked=trusted and unasked
            )
        found.proven_at = told if found.passed else None  # a stamp that does not hold proves no moment
        return
    result: AdESBasicValidationResult[Any]
    process = ades_with_time_validation if found.has_timestamp else ades_basic_validation
    result = await process(
        embedded.signed_data,
        rules.signature_validation_spec,
        raw_digest=embedded.compute_digest(),
        timing_info=timing,
    )
    passed = isinstance(result.ades_subindic, AdESPassed)
    unproven = passed and ended_unproven(embedded.signer_cert, known, result, at)
    if stamped and (unproven or not passed):
        # what is not good now may have been good when a document time stamp was put over it
        past = await _long_term(embedded, rules, timing)
        result, unproven = (past, False) if past is not None else (result, unproven)
    sub: Any = result.ades_subindic
    found.passed = isinstance(sub, AdESPassed) and not unproven
    found.failed = not isinstance(sub, (AdESPassed, AdESIndeterminate))
    found.sub_indication = None if found.passed else "OUT_OF_BOUNDS_NO_POE" if unproven else sub.name
    _read_status(found, embedded, result.api_status)
    best = getattr(result, "best_signature_time", None)
    # where no time stamp held, the process tells the moment of the judgement instead
    found.future = any(_token_time(token) > at for token in _stamps(embedded))
    found.untimely = any(_untimely(token) for token in _stamps(embedded))
    found.proven_at = best if found.has_timestamp and best is not None and best < at and not found.untimely else None
    issuers = [one for one in (*known.known_certs, *_anchors(trust)) if one.subject == embedded.signer_cert.issuer]
    found.revoked_at, found.revocation_known = _revoked_at(embedded.signer_cert, known, issuers)
    found.beside = (*found.beside, *(one.dump() for one in known.known_certs))


async def _long_term(
    embedded: EmbeddedPdfSignature, rules: PdfSignatureValidationSpec, timing: ValidationTimingInfo
) -> AdESBasicValidationResult[Any] | None:
    """The process for long-term proof; None when its answers lead in a circle."""
    try:
        with _shallow():
            return await ades_lta_validation(embedded, rules, timing_info=timing)
    except RecursionError:
        return None


@contextmanager
def _shallow() -> Iterator[None]:
    """Past validation follows who vouches for whom without noticing circles: let it notice sooner."""
    before, frame, depth = sys.getrecursionlimit(), sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1  # type: ignore[assignment]
    sys.setrecursionlimit(min(before, depth + DEEPEST_PAST))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _read_status(found: Judged, embedded: EmbeddedPdfSignature, status: Any) -> None:
    """Whether digest and signature fit; where the process stopped before that, by the digest alone."""
    if status is not None:
        found.intact, found.correct = bool(status.intact), bool(status.valid)
        return
    told = [a["values"][0].native for a in embedded.signer_info["signed_attrs"] if a["type"].native == "message_digest"]
    found.intact = not told or told == [embedded.compute_digest()]
    found.correct = not found.failed


def _anchors(trust: TrustMaterial) -> list[x509.Certificate]:
    return [_certificate(anchor.der) for anchor in trust.anchors]


@lru_cache(maxsize=KEPT)
def _certificate(der: bytes) -> x509.Certificate:
    return x509.Certificate.load(der)


@lru_cache(maxsize=KEPT_LISTS)
def _revocation_list(der: bytes) -> crl.CertificateList:
    return crl.CertificateList.load(der)


def _revoked_at(
    certificate: x509.Certificate, known: LocalKnowledge, issuers: list[x509.Certificate]
) -> tuple[datetime | None, bool]:
    """When an answer at hand says that this certificate was revoked, and whether its issuer's key vouches for that.

    Where the issuer is at hand, an answer that it did not sign says nothing: anybody may append one.
    """
    found: list[datetime] = []
    for container in known.known_ocsps:
        moment = _revoked_by_answer(certificate, container)
        if moment is not None and (not issuers or answer_signed(container, issuers)):
            found.append(moment)
    for listed in known.known_crls:
        moment = _revoked_by_list(certificate, listed)
        if moment is not None and (not issuers or any(signed_list(listed.crl_data.dump(), i.dump()) for i in issuers)):
            found.append(moment)
    return min(found, default=None), bool(issuers)


def _revoked_by_answer(certificate: x509.Certificate, container: OCSPContainer) -> datetime | None:
    basic = container.extract_basic_ocsp_response()
    for one in basic["tbs_response_data"]["responses"] if basic is not None else ():
        if one["cert_id"]["serial_number"].native == certificate.serial_number and one["cert_status"].name == "revoked":
            moment: datetime = one["cert_status"].chosen["revocation_time"].native
            return moment
    return None


def _revoked_by_list(certificate: x509.Certificate, listed: CRLContainer) -> datetime | None:
    body = listed.crl_data["tbs_cert_list"]
    if body["issuer"].dump() != certificate.issuer.dump():
        return None
    for entry in body["revoked_certificates"]:
        if entry["user_certificate"].native == certificate.serial_number:
            moment: datetime = entry["revocation_date"].native
            return moment
    return None


async def _timestamp_status(
    embedded: EmbeddedPdfSignature, rules: PdfSignatureValidationSpec, trust: TrustMaterial
) -> tuple[bool, bool, bool, datetime | None]:
    """Is a document time stamp over these bytes, by a trusted authority? Its revocation is judged by the caller."""
    known = rules.signature_validation_spec.local_knowledge
    context = ValidationContext(
        trust_roots=_anchors(trust),
        other_certs=list(known.known_certs),
        allow_fetching=False,
        revocation_mode="soft-fail",
        algorithm_usage_policy=_Dated(),
    )
    try:
        kwargs = await validate_tst_signed_data(embedded.signed_data, context, lambda _: embedded.compute_digest())
    finally:
        await context.aclose()  # type: ignore[no-untyped-call]
    status = TimestampSignatureStatus(**kwargs)
    holds = bool(status.intact and status.valid)
    return bool(status.intact), bool(status.valid), holds and bool(status.trusted), status.timestamp


def _signer_of(token: cms.SignedData) -> x509.Certificate | None:
    sid = token["signer_infos"][0]["sid"].chosen
    for choice in token["certificates"]:
        certificate = choice.chosen
        if isinstance(sid, cms.IssuerAndSerialNumber) and (
            certificate.serial_number == sid["serial_number"].native and certificate.issuer == sid["issuer"]
        ):
            return certificate
    return None


def _rules(trust: TrustMaterial, known: LocalKnowledge) -> PdfSignatureValidationSpec:
    roots = _anchors(trust)
    chain = CertValidationPolicySpec(
        SimpleTrustManager.build(trust_roots=roots),
        CertRevTrustPolicy(IF_DECLARED),
        algorithm_usage_policy=_Dated(),
    )
    usage = KeyUsageConstraints(
        key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False,
        explicit_extd_key_usage_required=False,
    )  # fmt: skip
    return PdfSignatureValidationSpec(
        SignatureValidationSpec(
            cert_validation_policy=chain,
            ts_cert_validation_policy=chain,
            local_knowledge=known,
            revinfo_gathering_policy=RevocationInfoGatheringSpec(
                RevinfoOnlineFetchingRule.LOCAL_ONLY, certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH
            ),
            key_usage_settings=usage,
        ),
    )


def _known(reader: PdfHandler, trust: TrustMaterial, revocation: RevocationData) -> LocalKnowledge:
    # anchors, too: who has their name is not therefore they, and what they signed is known by their key
    certs = [*_anchors(trust), *(_certificate(der) for der in (*trust.intermediates, *revocation.certificates))]
    crls = [_revocation_list(der) for der in revocation.crls]
    ocsps = [ocsp.OCSPResponse.load(der) for der in revocation.ocsps]
    try:
        dss = DocumentSecurityStore.read_dss(reader)
        crls += [_revocation_list(stream.get_object().data) for stream in dss.crls]
        ocsps += [ocsp.OCSPResponse.load(stream.get_object().data) for stream in dss.ocsps]
        certs += list(dss.load_certs())
    except NoDSSFoundError:
        pass
    except BROKEN:
        pass  # a DSS that cannot be read proves nothing: the process finds its data missing and says so
    return LocalKnowledge(
        known_certs=certs,
        known_crls=[CRLContainer(one) for one in crls],
        known_ocsps=[part for one in ocsps for part in OCSPContainer.load_multi(one)],
    )


def _stamps(embedded: EmbeddedPdfSignature) -> list[cms.ContentInfo]:
    unsigned = embedded.signer_info["unsigned_attrs"]
    if not isinstance(unsigned, cms.CMSAttributes):  # `.native` would unfold whole tokens, which takes seconds
        return []
    return [token for a in unsigned if a["type"].native == "signature_time_stamp_token" for token in a["values"]]


def _token_time(token: cms.ContentInfo) -> datetime:
    moment: datetime = token["content"]["encap_content_info"]["content"].parsed["gen_time"].native
    return moment


def _untimely(token: cms.ContentInfo) -> bool:
    certificate = _signer_of(token["content"])
    return certificate is not None and not _valid_at(certificate, _token_time(token))


def _valid_at(certificate: x509.Certificate, moment: datetime) -> bool:
    return bool(certificate.not_valid_before <= moment <= certificate.not_valid_after)


def _leaf_of_token(token: cms.ContentInfo) -> list[bytes]:
    certificate = _signer_of(token["content"])
    return [certificate.dump()] if certificate is not None else []


def _key_allowed(public_key: Any, moment: datetime) -> bool:
    kind = public_key.algorithm
    curve = public_key.curve[1] if kind == "ec" and public_key.curve[0] == "named" else None
    return key_good(kind, public_key.bit_size, moment.date(), curve)


def _subfilter(one: Any) -> str | None:
    try:
        return str(one["/V"]["/SubFilter"])
    except (KeyError, TypeError, AttributeError):
        return None
    except BROKEN:
        return CANNOT_BE_READ


def _text_values(reader: PdfFileReader, names: Iterable[str]) -> dict[str, str]:
    wanted, found = set(names), {}
    try:
        fields = reader.root["/AcroForm"]["/Fields"]
    except KeyError:
        return {}
    for ref in fields:
        one = ref.get_object()
        name = str(one.get("/T", ""))
        if name in wanted and "/V" in one:
            found[_plain(name)] = _plain(one["/V"])
    return found


def _plain(text: str) -> str:
    """A plain `str`: pyHanko's own kinds of text must not leave the limited process."""
    return "".join(iter(str(text)))
