"""What was good when an archive time stamp was put over it: each is judged as of the moment that a later one proves.

The chain of document time stamps is read from the newest backwards (the idea of RFC 4998 §5.3): the newest is judged at
the moment of the check, each older one, and then each signature, as of the moment of a later one that holds, with
nothing but the proof that lies in the file below that later one. What ended afterwards – a certificate, an algorithm –
takes nothing away; what was added afterwards helps nothing, so that a list forged with a key broken in between is of no
use.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from asn1crypto import x509
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation.ades import (
    ades_basic_validation,
    ades_timestamp_validation,
    ades_with_time_validation,
)
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.policy_decl import LocalKnowledge, SignatureValidationSpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

from keys.certificates import issued_by, signed_list, verifies_with
from signing._pyhanko.mending import clock_at

if TYPE_CHECKING:
    from signing._pyhanko.judging import Judged

Opened = tuple["Judged", EmbeddedPdfSignature]


@dataclass(frozen=True, slots=True)
class _Cover:
    """A document time stamp that holds: all bytes before `end` existed at `moment`; `rules` know what lay there."""

    end: int
    moment: datetime
    rules: SignatureValidationSpec


async def judge_past(
    opened: Sequence[Opened], at: datetime, rules_of: Callable[[EmbeddedPdfSignature], SignatureValidationSpec]
) -> None:
    """Judge once more, as of later time stamps that hold, what is not good now; and say which moment they prove.

    `rules_of(stamp)` are the rules with the certificates and answers that the file held in the stamp's revision.
    """
    stamps = sorted((pair for pair in opened if pair[0].kind == "timestamp"), key=_end, reverse=True)
    holding: list[_Cover] = []
    for stamp in stamps:
        found, embedded = stamp
        if found.intact and found.correct and not found.passed and not found.untimely:
            for cover in _over(stamp, holding):
                with suppress(Exception):  # what cannot be judged as of then stays as it is now: not good
                    await _judge_stamp(found, embedded, cover)
                if found.passed:
                    break
        if found.passed and found.proven_at is not None and _in_order(found.proven_at, at, holding):
            holding.append(_Cover(_end(stamp), found.proven_at, rules_of(embedded)))
    for pair in opened:
        if pair[0].kind == "signature":
            with suppress(Exception):  # the same
                await _judge_signature(pair, _over(pair, holding))


def _end(pair: Opened) -> int:
    return pair[0].byte_range[2] + pair[0].byte_range[3]


def _over(pair: Opened, holding: Sequence[_Cover]) -> list[_Cover]:
    """The time stamps that cover all of this one, the nearest first."""
    return sorted((cover for cover in holding if cover.end > _end(pair)), key=lambda cover: cover.end)


def _in_order(moment: datetime, at: datetime, later: Sequence[_Cover]) -> bool:
    return moment <= min([at, *(cover.moment for cover in later)])


async def _judge_stamp(found: "Judged", embedded: EmbeddedPdfSignature, cover: _Cover) -> None:
    with clock_at(cover.moment):
        result: Any = await ades_timestamp_validation(
            embedded.signed_data,
            cover.rules,
            expected_tst_imprint=lambda _: embedded.compute_digest(),
            timing_info=_timing(cover.moment),
        )
    if isinstance(result.ades_subindic, AdESPassed):
        found.passed, found.sub_indication, found.weak = True, None, []
        found.proven_at = result.api_status.timestamp


async def _judge_signature(pair: Opened, covers: Sequence[_Cover]) -> None:
    found, embedded = pair
    for cover in covers:
        if found.passed or found.failed:
            break
        process: Any = ades_with_time_validation if found.has_timestamp else ades_basic_validation
        with clock_at(cover.moment):
            result: Any = await process(
                embedded.signed_data,
                cover.rules,
                raw_digest=embedded.compute_digest(),
                timing_info=_timing(cover.moment),
            )
        known = cover.rules.local_knowledge
        if isinstance(result.ades_subindic, AdESPassed) and not ended_unproven(
            embedded.signer_cert, known, result, cover.moment
        ):
            found.passed, found.sub_indication = True, None
            found.intact, found.correct = bool(result.api_status.intact), bool(result.api_status.valid)
            if found.has_timestamp and not found.untimely and result.best_signature_time < cover.moment:
                found.proven_at = result.best_signature_time
    if found.proven_at is None and covers:
        found.proven_at = covers[0].moment


def ended_unproven(certificate: x509.Certificate, known: LocalKnowledge, result: Any, at: datetime) -> bool:
    """Whether a certificate that had ended at `at` lacks what is needed to believe it all the same.

    pyHanko's process with time stamps passes it without a look at revocation ("we don't have access"). Needed are a
    proven moment before its end, and an answer made while it still had to be listed: in force at that moment or later.
    """
    if certificate.not_valid_after >= at:
        return False
    proven = getattr(result, "best_signature_time", None)
    if proven is None or proven > certificate.not_valid_after:
        return True
    if not (certificate.ocsp_urls or certificate.crl_distribution_points):
        return False  # nobody can be asked: said beside the verdict
    spans = (*_listed(certificate, known), *_answered(certificate, known))
    return not any(begin <= certificate.not_valid_after and end >= proven for begin, end in spans)


def answered_for(certificate: x509.Certificate, known: LocalKnowledge) -> bool:
    """Whether there is an answer about a certificate that names a place to ask; one that names none needs none."""
    if not (certificate.ocsp_urls or certificate.crl_distribution_points):
        return True
    return any((*_listed(certificate, known), *_answered(certificate, known)))


def _listed(certificate: x509.Certificate, known: LocalKnowledge) -> Iterator[tuple[datetime, datetime]]:
    for one in known.known_crls:
        body = one.crl_data["tbs_cert_list"]
        if body["issuer"].dump() == certificate.issuer.dump() and _vouched(one, certificate, known):
            begin = body["this_update"].native
            yield begin, body["next_update"].native or begin


def _vouched(one: CRLContainer, certificate: x509.Certificate, known: LocalKnowledge) -> bool:
    """Whether the issuer's key signed that list; an issuer that is no part of the file is an anchor's own business."""
    issuers = _issuers(certificate, known)
    return not issuers or any(signed_list(one.crl_data.dump(), issuer.dump()) for issuer in issuers)


def _issuers(certificate: x509.Certificate, known: LocalKnowledge) -> list[x509.Certificate]:
    """Those of that name that signed the certificate: others may bear the same name."""
    name, der = certificate.issuer.dump(), certificate.dump()
    return [one for one in known.known_certs if one.subject.dump() == name and issued_by(der, one.dump())]


def _answered(certificate: x509.Certificate, known: LocalKnowledge) -> Iterator[tuple[datetime, datetime]]:
    issuers = _issuers(certificate, known)
    for container in known.known_ocsps:
        basic = container.extract_basic_ocsp_response()
        if issuers and not answer_signed(container, issuers):
            continue  # anybody may append one
        for one in basic["tbs_response_data"]["responses"] if basic is not None else ():
            same = one["cert_id"]["serial_number"].native == certificate.serial_number
            if same and one["cert_status"].name == "good":
                begin = one["this_update"].native
                yield begin, one["next_update"].native or begin


def answer_signed(container: OCSPContainer, issuers: list[x509.Certificate]) -> bool:
    """Whether an OCSP answer was signed by an issuer, or by a certificate in it that the issuer signed."""
    basic = container.extract_basic_ocsp_response()
    if basic is None:
        return False
    data, signature = basic["tbs_response_data"].dump(), basic["signature"].native
    digest = basic["signature_algorithm"].hash_algo
    carried = [one.dump() for one in basic["certs"] or ()]
    signers = [i.dump() for i in issuers]
    signers += [one for one in carried if any(issued_by(one, i.dump()) for i in issuers)]
    return any(verifies_with(one, data, signature, digest) for one in signers)


def _timing(moment: datetime) -> ValidationTimingInfo:
    return ValidationTimingInfo(validation_time=moment, best_signature_time=moment, point_in_time_validation=True)
