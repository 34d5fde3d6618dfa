"""Is a certificate still good? Fetches OCSP answers and revocation lists, and hands on only those that were checked.

The answers are bytes, so that a verdict made from them can be replayed. *Revoked* is an answer, not an error: what it
means at which moment is for the verifier (`signing`).
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from keys.certificates import (
    BROKEN,
    crl_urls,
    extension,
    fingerprint,
    is_authority,
    issued_by,
    may,
    ocsp_urls,
    read_certificate,
    verifies,
)
from keys.errors import CertificateUnreadable, RevocationUnavailable
from keys.model import Fetch, Purpose, RevocationData, TrustMaterial
from keys.trust import chain_of

LONGEST_OCSP = 64 * 1024
LONGEST_CRL = 10_000_000
MOST_REQUESTS = 10
"""For one call of `about`: the addresses stand in certificates that a stranger may have chosen."""

MOST_KEPT = 4096
KEPT_FOR = timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=5)
UNDATED_LIFE = timedelta(hours=1)
"""How long an answer without nextUpdate is believed."""

OLD_NAMES = {"ocsp.ca.ptc": "ocsp.ca.gov.vn"}
"""Internal host names in old VGCA certificates, and where the service is reached now (law-and-practice R80)."""


class RevocationSource(Protocol):
    """Says what is known about revocation at a moment."""

    def about(self, certificates: Sequence[bytes], material: TrustMaterial, *, at: datetime) -> RevocationData:
        """Answers for each certificate (DER) and each of its issuers below the anchor, good at `at`.

        A certificate without a chain to an anchor gets no answer. Raises `RevocationUnavailable` when one is missing.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Answer:
    """One checked answer: `kind` is `ocsp` or `crl`; `start` and `end` bound the time in which it is good."""

    kind: str
    der: bytes
    start: datetime
    end: datetime
    responder: bytes | None = None

    def good(self, at: datetime) -> bool:
        return self.start - CLOCK_SKEW <= at <= self.end


@dataclass(slots=True)
class _Round:
    """One call of `about`: its moment, how often it may still ask, and what failed in it already."""

    at: datetime
    left: int = MOST_REQUESTS
    failed: set[str] = field(default_factory=set)


class OnlineRevocation:
    """Revocation from the addresses in the certificates: OCSP first, then the list. Implements `RevocationSource`.

    All requests go through `fetch`, which keeps the allow-list. Answers are kept until their nextUpdate, at most one
    hour. Safe to share between threads.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kept: dict[tuple[str, str], tuple[_Answer, datetime]] = {}
        self._lock = threading.Lock()

    def about(self, certificates: Sequence[bytes], material: TrustMaterial, *, at: datetime) -> RevocationData:
        """See `RevocationSource.about`. Raises `RevocationUnavailable`; its `found` holds the answers that did come."""
        round_ = _Round(at)
        answers: dict[bytes, _Answer] = {}
        complete = True
        for certificate, issuer in _steps(certificates, material):
            answer = self._one(certificate, issuer, round_)
            if answer:
                answers[answer.der] = answer
            complete = complete and answer is not None
        found = _data(answers.values())
        if not complete:
            raise RevocationUnavailable(found=found)
        return found

    def _one(self, certificate: bytes, issuer: bytes, round_: _Round) -> _Answer | None:
        """The answer about one certificate: kept, by OCSP, or by list."""
        by_ocsp = [
            ((fingerprint(issuer), fingerprint(certificate)), partial(self._ask, url, certificate, issuer, round_))
            for url in ocsp_urls(certificate)
        ]
        # one list answers for many, but a list for authorities not for people
        kind = read_certificate(certificate).purpose is Purpose.AUTHORITY
        by_list = [
            ((fingerprint(issuer), f"{kind} {url}"), partial(self._list, url, certificate, issuer, round_))
            for url in crl_urls(certificate)
        ]
        ways = (*by_ocsp, *by_list)
        return next((answer for name, way in ways if (answer := self._remembered(name, way, round_.at))), None)

    def _remembered(self, name: tuple[str, str], way: Callable[[], _Answer | None], at: datetime) -> _Answer | None:
        with self._lock:
            kept = self._kept.get(name)
        if kept and kept[1] <= at < kept[1] + KEPT_FOR and kept[0].good(at):
            return kept[0]
        # asked outside the lock: two threads may ask twice, none waits for the other's network
        answer = way()
        if answer:
            with self._lock:
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()
                self._kept[name] = (answer, at)
        return answer

    def _ask(self, url: str, certificate: bytes, issuer: bytes, round_: _Round) -> _Answer | None:
        request = _ocsp_request(certificate, issuer)
        got = self._get(url, round_, body=request, content_type="application/ocsp-request", limit=LONGEST_OCSP)
        answer = checked_ocsp(got, certificate, issuer) if got else None
        return answer if answer and answer.good(round_.at) else None

    def _list(self, url: str, certificate: bytes, issuer: bytes, round_: _Round) -> _Answer | None:
        got = self._get(url, round_, limit=LONGEST_CRL)
        answer = checked_crl(got, certificate, issuer) if got else None
        return answer if answer and answer.good(round_.at) else None

    def _get(
        self,
        url: str,
        round_: _Round,
        *,
        limit: int,
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> bytes | None:
        url = _present(url)
        if url in round_.failed or round_.left == 0:
            return None
        round_.left -= 1
        try:
            return self._fetch(url, body=body, content_type=content_type, limit=limit)
        except ConnectionError:
            # a dead responder is not asked again for the next certificate
            round_.failed.add(url)
            return None


def revoked(certificate: bytes, material: TrustMaterial, answers: RevocationData) -> bool:
    """Whether checked answers say that `certificate` (DER), or an issuer of it below the anchor, was revoked."""
    return any(
        any(_says_revoked(der, child, parent) for der in answers.ocsps)
        or any(_lists(der, child, parent) for der in answers.crls)
        for child, parent in _steps([certificate], material)
    )


def _says_revoked(der: bytes, certificate: bytes, issuer: bytes) -> bool:
    if checked_ocsp(der, certificate, issuer) is None:
        return False
    response = ocsp.load_der_ocsp_response(der)
    return any(
        one.certificate_status == ocsp.OCSPCertStatus.REVOKED and _is_about(one, certificate, issuer)
        for one in response.responses
    )


def _lists(der: bytes, certificate: bytes, issuer: bytes) -> bool:
    if checked_crl(der, certificate, issuer) is None:
        return False
    serial = x509.load_der_x509_certificate(certificate).serial_number
    return x509.load_der_x509_crl(der).get_revoked_certificate_by_serial_number(serial) is not None


def revoked_at(certificate: bytes, material: TrustMaterial, answers: RevocationData) -> datetime | None:
    """Since when `certificate` (DER) is revoked, by checked answers of its issuer alone; None where none says so."""
    issuers = chain_of(certificate, material)
    if not issuers:
        return None
    serial, issuer = x509.load_der_x509_certificate(certificate).serial_number, issuers[0]
    found = []
    for der in answers.ocsps:
        if checked_ocsp(der, certificate, issuer):
            singles = ocsp.load_der_ocsp_response(der).responses
            found += [one.revocation_time_utc for one in singles if _is_about(one, certificate, issuer)]
    for der in answers.crls:
        if checked_crl(der, certificate, issuer):
            row = x509.load_der_x509_crl(der).get_revoked_certificate_by_serial_number(serial)
            found.append(row.revocation_date_utc if row else None)
    return min((moment for moment in found if moment), default=None)


def checked_ocsp(der: bytes, certificate: bytes, issuer: bytes) -> _Answer | None:
    """The OCSP answer, if it is about `certificate` and from `issuer` or a responder that it appointed; else None.

    Checked: status, certificate id, signature, responder (the issuer itself, or issued by it with EKU OCSPSigning and
    ocsp-nocheck), good or revoked. A responder without ocsp-nocheck would need revocation data of its own; then the
    list decides. An answer `unknown` is none.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        single = next((one for one in response.responses if _is_about(one, certificate, issuer)), None)
        if single is None or single.certificate_status == ocsp.OCSPCertStatus.UNKNOWN:
            return None
        responder = _responder(response, issuer)
        if responder is None or not _signed(response, responder):
            return None
        start = single.this_update_utc
        end = single.next_update_utc or start + UNDATED_LIFE
    except (*BROKEN, CertificateUnreadable):
        return None
    return _Answer("ocsp", der, start, end, None if responder == issuer else responder)


def checked_crl(der: bytes, certificate: bytes, issuer: bytes) -> _Answer | None:
    """The revocation list, if it is a complete one of `issuer` that covers `certificate`; else None.

    Checked: issuer's name, key usage cRLSign, signature, nextUpdate present, no delta, indirect or partial list.
    """
    try:
        crl = x509.load_der_x509_crl(der)
        parent = x509.load_der_x509_certificate(issuer)
        key = parent.public_key()
        covers = _covers(crl, is_authority(x509.load_der_x509_certificate(certificate)))
        # a key that X.509 allows but lists never use makes cryptography raise TypeError
        fits = crl.issuer == parent.subject and may(parent, "crl_sign") and crl.is_signature_valid(key)  # type: ignore[arg-type]
        start, end = crl.last_update_utc, crl.next_update_utc
    except BROKEN:
        return None
    return _Answer("crl", der, start, end) if fits and covers and end else None


def _steps(certificates: Sequence[bytes], material: TrustMaterial) -> Iterator[tuple[bytes, bytes]]:
    """Each certificate below an anchor, once, with its issuer."""
    seen: set[bytes] = set()
    for certificate in certificates:
        issuers = chain_of(certificate, material)
        for child, parent in zip((certificate, *issuers), issuers, strict=False):
            if child not in seen:
                seen.add(child)
                yield child, parent


def _data(answers: Iterable[_Answer]) -> RevocationData:
    listed = list(answers)
    responders = dict.fromkeys(answer.responder for answer in listed if answer.responder)
    return RevocationData(
        crls=tuple(answer.der for answer in listed if answer.kind == "crl"),
        ocsps=tuple(answer.der for answer in listed if answer.kind == "ocsp"),
        certificates=tuple(responder for responder in responders if responder),
    )


def _ocsp_request(certificate: bytes, issuer: bytes) -> bytes:
    child, parent = x509.load_der_x509_certificate(certificate), x509.load_der_x509_certificate(issuer)
    # SHA-1 only names the certificate here, nothing is proven by it, and old responders know no other
    builder = ocsp.OCSPRequestBuilder().add_certificate(child, parent, SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def _is_about(single: ocsp.OCSPSingleResponse, certificate: bytes, issuer: bytes) -> bool:
    child, parent = x509.load_der_x509_certificate(certificate), x509.load_der_x509_certificate(issuer)
    ours = ocsp.OCSPRequestBuilder().add_certificate(child, parent, single.hash_algorithm).build()
    return (
        single.serial_number == child.serial_number
        and single.issuer_name_hash == ours.issuer_name_hash
        and single.issuer_key_hash == ours.issuer_key_hash
    )


def _responder(response: ocsp.OCSPResponse, issuer: bytes) -> bytes | None:
    """The certificate that the answer names as its maker, when `issuer` may stand for it."""
    inside = [certificate.public_bytes(Encoding.DER) for certificate in response.certificates]
    for candidate in (issuer, *inside):
        if _is_named(response, candidate) and (candidate == issuer or _appointed(candidate, issuer)):
            return candidate
    return None


def _is_named(response: ocsp.OCSPResponse, candidate: bytes) -> bool:
    certificate = x509.load_der_x509_certificate(candidate)
    if response.responder_key_hash is not None:
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest == response.responder_key_hash
    return certificate.subject == response.responder_name


def _appointed(candidate: bytes, issuer: bytes) -> bool:
    certificate = x509.load_der_x509_certificate(candidate)
    uses = extension(certificate, x509.ExtendedKeyUsage) or ()
    return (
        ExtendedKeyUsageOID.OCSP_SIGNING in uses
        and extension(certificate, x509.OCSPNoCheck) is not None
        and issued_by(candidate, issuer)
    )


def _signed(response: ocsp.OCSPResponse, responder: bytes) -> bool:
    certificate = x509.load_der_x509_certificate(responder)
    digest = response.signature_hash_algorithm
    produced = response.produced_at_utc
    in_time = certificate.not_valid_before_utc <= produced <= certificate.not_valid_after_utc
    return (
        digest is not None
        and in_time
        and verifies(certificate.public_key(), response.tbs_response_bytes, response.signature, digest)
    )


def _covers(crl: x509.CertificateRevocationList, authority: bool) -> bool:
    for one in crl.extensions:
        if isinstance(one.value, x509.DeltaCRLIndicator):
            return False
        if isinstance(one.value, x509.IssuingDistributionPoint):
            point = one.value
            partial = point.only_some_reasons or point.indirect_crl or point.only_contains_attribute_certs
            other = point.only_contains_user_certs if authority else point.only_contains_ca_certs
            if partial or other:
                return False
        elif one.critical:
            return False
    return True


def _present(url: str) -> str:
    parts = urlsplit(url)
    new = OLD_NAMES.get(parts.hostname or "")
    return urlunsplit(parts._replace(netloc=new)) if new else url
