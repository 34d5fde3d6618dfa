"""pyHanko as a judge: integrity, changes and the AdES process for each signature field. Never the last word.

Nothing is fetched: certificates and revocation answers are handed in or stand in the file (DSS).
"""

import asyncio
import io
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as made_with
from datetime import datetime
from typing import Any

from asn1crypto import cms, crl, ocsp, x509
from asn1crypto.algos import DigestAlgorithm, SignedDigestAlgorithm
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESIndeterminate, AdESPassed
from pyhanko.sign.diff_analysis import (
    DEFAULT_DIFF_POLICY,
    ModificationLevel,
    ReferenceUpdate,
    StandardDiffPolicy,
    WhitelistRule,
)
from pyhanko.sign.fields import enumerate_sig_fields
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
    REQUIRE_REVINFO,
    AlgorithmUsageConstraint,
    AlgorithmUsagePolicy,
    CertRevTrustPolicy,
)
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

from keys.algorithms import digest_good, key_good
from keys.model import RevocationData, TrustMaterial
from signing.errors import NotAPdf, PdfEncrypted

LIMITS = DecodeLimits(
    per_stream=StreamDecodeLimits(max_output_size=64 << 20),
    document_budget=DocumentDecodeBudget(base_allowance=128 << 20, max_ratio=20),
)
BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, OSError, RecursionError, PdfError)
MOST_SIGNATURES = 20


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
    change: str = "none"
    """`none`, `long_term`, `expected`, `other`."""
    docmdp_ok: bool = True
    certificate: bytes | None = None
    claimed_at: datetime | None = None
    proven_at: datetime | None = None
    has_timestamp: bool = False
    named_certificate: bool = False
    non_repudiation: bool = False
    weak: list[str] = made_with(default_factory=list)
    error: str | None = None


@dataclass(slots=True)
class Seen:
    """A PDF as pyHanko reads it."""

    judged: list[Judged]
    pages: int
    values: dict[str, str]
    signed_revisions: int


class _FreedButNeverThere(WhitelistRule):
    """A number that was allocated and freed in one revision removes nothing."""

    def apply(self, old: Any, new: Any) -> Iterable[ReferenceUpdate]:
        for ref in new.refs_freed_in_revision():
            try:
                absent = isinstance(old.get_object(ref), generic.NullObject)
            except Exception:
                absent = True  # it cannot be read in the old revision: it was not there
            if absent:
                yield ReferenceUpdate(ref)


POLICY = StandardDiffPolicy(
    [*DEFAULT_DIFF_POLICY.global_rules, _FreedButNeverThere().as_qualified(ModificationLevel.LTA_UPDATES)],
    DEFAULT_DIFF_POLICY.form_rule,
    reject_object_freeing=False,
)

_CHANGES = {
    ModificationLevel.NONE: "none",
    ModificationLevel.LTA_UPDATES: "long_term",
    ModificationLevel.FORM_FILLING: "expected",
    ModificationLevel.ANNOTATIONS: "other",
    ModificationLevel.OTHER: "other",
}


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


def look(pdf: bytes, *, at: datetime, trust: TrustMaterial, revocation: RevocationData, names: Iterable[str]) -> Seen:
    """Every filled signature field of a PDF, judged as of `at`, and the values of the text fields in `names`.

    Raises `NotAPdf`, `PdfEncrypted`.
    """
    try:
        reader = PdfFileReader(io.BytesIO(pdf), strict=False, decode_limits=LIMITS)
        if reader.encrypted:
            raise PdfEncrypted
        fields = [(name, ref.get_object()) for name, _, ref in enumerate_sig_fields(reader, filled_status=True)]
        pages = int(reader.root["/Pages"]["/Count"])
        values = _text_values(reader, names)
    except PdfEncrypted:
        raise
    except Exception as error:
        raise NotAPdf from error
    known = _known(reader, trust, revocation)
    judged = asyncio.run(_judge_all(reader, fields[:MOST_SIGNATURES], trust, known, at))
    return Seen(judged, pages, values, len(fields))


def certificates(pdf: bytes) -> tuple[bytes, ...]:
    """The signer's and stampers' certificates in a PDF (DER), for asking about them."""
    try:
        reader = PdfFileReader(io.BytesIO(pdf), strict=False, decode_limits=LIMITS)
        fields = [(name, ref.get_object()) for name, _, ref in enumerate_sig_fields(reader, filled_status=True)]
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


async def _judge_all(
    reader: PdfFileReader, fields: list[tuple[str, Any]], trust: TrustMaterial, known: LocalKnowledge, at: datetime
) -> list[Judged]:
    stamped = any(_subfilter(one) == "/ETSI.RFC3161" for _, one in fields)
    return [await _judge(reader, name, one, trust, known, at, stamped=stamped) for name, one in fields]


async def _judge(
    reader: PdfFileReader,
    name: str,
    one: Any,
    trust: TrustMaterial,
    known: LocalKnowledge,
    at: datetime,
    *,
    stamped: bool,
) -> Judged:
    subfilter = _subfilter(one)
    kind = "timestamp" if subfilter == "/ETSI.RFC3161" else "signature"
    if subfilter not in ("/ETSI.RFC3161", "/ETSI.CAdES.detached", "/adbe.pkcs7.detached"):
        return Judged(_plain(name), "unsupported", error=_plain(subfilter or "–"))
    found = Judged(_plain(name), kind)
    try:
        embedded = EmbeddedPdfSignature(reader, one, name)
        found.byte_range = tuple(int(n) for n in embedded.byte_range)
        found.contents = bytes(embedded.pkcs7_content)
        _read_integrity(found, embedded)
        _read_cms(found, embedded)
        await _run_process(found, embedded, trust, known, at, stamped=stamped)
    except Exception as error:
        # one signature that cannot be read must not hide the others: it is reported as such, and never as good
        found.error = type(error).__name__
        found.passed = False
    return found


def _read_integrity(found: Judged, embedded: EmbeddedPdfSignature) -> None:
    embedded.compute_integrity_info(POLICY)  # type: ignore[no-untyped-call]
    summary = embedded.summarise_integrity_info()
    coverage = str(summary["coverage"].name)
    found.whole_file = coverage == "ENTIRE_FILE"
    found.whole_revision = coverage in ("ENTIRE_FILE", "ENTIRE_REVISION")
    found.docmdp_ok = bool(summary["docmdp_ok"])
    result = embedded.diff_result
    level = getattr(result, "modification_level", None) if result is not None else ModificationLevel.NONE
    found.change = "other" if level is None else _CHANGES[level]


def _read_cms(found: Judged, embedded: EmbeddedPdfSignature) -> None:
    certificate = embedded.signer_cert
    found.certificate = certificate.dump()
    found.claimed_at = embedded.self_reported_timestamp
    attributes = {a["type"].native for a in embedded.signer_info["signed_attrs"]}
    found.named_certificate = bool({"signing_certificate_v2", "signing_certificate"} & attributes)
    usage = certificate.key_usage_value
    found.non_repudiation = usage is None or "non_repudiation" in usage.native
    found.has_timestamp = bool(_stamps(embedded)) and found.kind == "signature"
    moment = found.claimed_at
    if moment is not None:
        if not digest_good(embedded.md_algorithm, moment.date()):
            found.weak.append(embedded.md_algorithm)
        if not _key_allowed(certificate.public_key, moment):
            found.weak.append(f"{certificate.public_key.algorithm}-{certificate.public_key.bit_size}")


async def _run_process(
    found: Judged,
    embedded: EmbeddedPdfSignature,
    trust: TrustMaterial,
    known: LocalKnowledge,
    at: datetime,
    *,
    stamped: bool,
) -> None:
    rules = _rules(trust, known)
    timing = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
    if found.kind == "timestamp":
        status = await _timestamp_status(embedded, rules, trust)
        found.intact, found.correct, found.passed, found.proven_at = status
        return
    result: AdESBasicValidationResult[Any]
    if stamped:
        result = await ades_lta_validation(embedded, rules, timing_info=timing)
    else:
        process = ades_with_time_validation if found.has_timestamp else ades_basic_validation
        result = await process(
            embedded.signed_data,
            rules.signature_validation_spec,
            raw_digest=embedded.compute_digest(),
            timing_info=timing,
        )
    status_ = result.api_status
    found.intact = bool(status_ is not None and status_.intact)
    found.correct = bool(status_ is not None and status_.valid)
    sub: Any = result.ades_subindic
    found.passed = isinstance(sub, AdESPassed)
    found.failed = not found.passed and not isinstance(sub, AdESIndeterminate)
    found.sub_indication = None if found.passed else sub.name
    best = getattr(result, "best_signature_time", None)
    found.proven_at = best if found.has_timestamp else None


async def _timestamp_status(
    embedded: EmbeddedPdfSignature, rules: PdfSignatureValidationSpec, trust: TrustMaterial
) -> tuple[bool, bool, bool, datetime | None]:
    """Is a document time stamp over these bytes, by a trusted authority? Revocation was judged before."""
    context = ValidationContext(
        trust_roots=[x509.Certificate.load(anchor.der) for anchor in trust.anchors],
        other_certs=list(rules.signature_validation_spec.local_knowledge.known_certs),
        allow_fetching=False,
        revocation_mode="soft-fail",
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
    roots = [x509.Certificate.load(anchor.der) for anchor in trust.anchors]
    chain = CertValidationPolicySpec(
        SimpleTrustManager.build(trust_roots=roots),
        CertRevTrustPolicy(REQUIRE_REVINFO),
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
        diff_policy=POLICY,
    )


def _known(reader: PdfFileReader, trust: TrustMaterial, revocation: RevocationData) -> LocalKnowledge:
    certs = [x509.Certificate.load(der) for der in (*trust.intermediates, *revocation.certificates)]
    crls = [crl.CertificateList.load(der) for der in revocation.crls]
    ocsps = [ocsp.OCSPResponse.load(der) for der in revocation.ocsps]
    try:
        dss = DocumentSecurityStore.read_dss(reader)
        crls += [crl.CertificateList.load(stream.get_object().data) for stream in dss.crls]
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
