"""What an X.509 certificate says: who, for which office, until when, and what it is for. Pure: bytes in, values out."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from keys.errors import CertificateUnreadable
from keys.model import Certificate, Fingerprint, Purpose

E = TypeVar("E", bound=x509.ExtensionType)

KEPT = 1024
"""Certificates, and pairs of them, whose answers are kept by their exact bytes: what bytes say never changes."""
KEPT_LISTS = 32

MACHINE_USES = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.OCSP_SIGNING})

BROKEN = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""All that cryptography raises over bytes that are not what they should be."""

_DIGESTS: dict[str, type[HashAlgorithm]] = {"sha1": SHA1, "sha256": SHA256, "sha384": SHA384, "sha512": SHA512}

OFFICE_WORDS = re.compile(
    r"^(ubnd|hđnd|ủy ban|uỷ ban|hội đồng|sở|phòng|ban|bộ|cục|chi cục|tổng cục|vụ|văn phòng|trung tâm|trường|bệnh viện"
    r"|viện|thanh tra|công ty|tòa án|toà án|kho bạc|bảo hiểm|đảng ủy|đảng uỷ|huyện ủy|tỉnh ủy|thành ủy"
    r"|hdnd|uy ban nhan dan|hoi dong nhan dan|van phong|trung tam|chi cuc|tong cuc|benh vien)\b"
)
"""How names of offices begin, in lower case.

Unaccented only where no surname looks alike (Vũ is not Vụ, Trương not Trường).
"""


def fingerprint(der: bytes) -> Fingerprint:
    """The name of a certificate everywhere in the house: SHA-256 of its DER bytes, lower-case hexadecimal."""
    return Fingerprint(hashlib.sha256(der).hexdigest())


@lru_cache(maxsize=KEPT)
def read_certificate(der: bytes) -> Certificate:
    """Read a certificate (DER) once into plain values. Raises `CertificateUnreadable` on anything that is not one.

    `purpose`, first rule that fits:

    1. basicConstraints CA → authority;
    2. extended key usage timeStamping → timestamp;
    3. extended key usage serverAuth or OCSPSigning, or nothing but clientAuth → service;
    4. subject with surname, given name or UID → person;
    5. subject with organizationIdentifier (2.5.4.97) → organisation;
    6. common name that begins like the name of an office (UBND, Sở, Văn phòng …) → organisation;
    7. else → person.

    Rules 4 and 5 are those of our pilot authority and of ETSI EN 319 412. Certificates of VGCA often carry neither:
    rule 6 is a guess there, and the directory of offices decides.
    """
    with _readable():
        certificate = x509.load_der_x509_certificate(der)
        return Certificate(
            der=der,
            fingerprint=fingerprint(der),
            common_name=_first(certificate.subject, NameOID.COMMON_NAME) or "",
            organisation=_first(certificate.subject, NameOID.ORGANIZATION_NAME),
            office_code=_first(certificate.subject, NameOID.ORGANIZATION_IDENTIFIER),
            title=_first(certificate.subject, NameOID.TITLE),
            serial=certificate.serial_number,
            issuer=certificate.issuer.rfc4514_string(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            purpose=_purpose(certificate),
        )


def subject_values(der: bytes) -> tuple[str, ...]:
    """Everything that a certificate (DER) says of its subject in words, e-mail addresses with it.

    Raises `CertificateUnreadable`.
    """
    with _readable():
        certificate = x509.load_der_x509_certificate(der)
        said = [str(one.value) for one in certificate.subject]
        with suppress(x509.ExtensionNotFound):
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            said += names.get_values_for_type(x509.RFC822Name)
        return tuple(said)


def read_certificates(data: bytes) -> list[bytes]:
    """The certificates (DER) in a file: PEM, one or many, or DER. Raises `CertificateUnreadable`."""
    with _readable():
        if b"-----BEGIN CERTIFICATE-----" in data:
            return [c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(data)]
        return [x509.load_der_x509_certificate(data).public_bytes(Encoding.DER)]


def signed_by(certificate: bytes, data: bytes, signature: bytes) -> bool:
    """Whether `signature` over `data` was made with the key of `certificate` (DER).

    RSA PKCS#1 v1.5 or ECDSA, both with SHA-256. Any other kind of key gives False. Raises `CertificateUnreadable`.
    """
    with _readable():
        key = x509.load_der_x509_certificate(certificate).public_key()
    return verifies(key, data, signature, SHA256())


def verifies(key: object, data: bytes, signature: bytes, digest: HashAlgorithm) -> bool:
    """Whether a raw signature fits `data` under a public key; False for kinds of keys not used here."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(digest))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def verifies_with(certificate: bytes, data: bytes, signature: bytes, digest: str) -> bool:
    """Whether `signature` over `data` was made with the key of `certificate` (DER) and that digest (`sha256`, …).

    Any kind of key or digest that is not used here gives False. Raises `CertificateUnreadable`.
    """
    with _readable():
        key = x509.load_der_x509_certificate(certificate).public_key()
    algorithm = _DIGESTS.get(digest)
    return algorithm is not None and verifies(key, data, signature, algorithm())


@lru_cache(maxsize=KEPT_LISTS)
def signed_list(revocation_list: bytes, issuer: bytes) -> bool:
    """Whether a revocation list (DER) was signed with the key of `issuer` (DER). False for what cannot be read."""
    try:
        key = x509.load_der_x509_certificate(issuer).public_key()
        return bool(x509.load_der_x509_crl(revocation_list).is_signature_valid(key))  # type: ignore[arg-type]
    except (*BROKEN, InvalidSignature):
        return False


@lru_cache(maxsize=KEPT)
def issued_by(certificate: bytes, issuer: bytes) -> bool:
    """Whether `issuer` is an authority that signed `certificate` (both DER): names, signature, CA flag and keyCertSign.

    Dates and revocation are not looked at. Raises `CertificateUnreadable`.
    """
    with _readable():
        child = x509.load_der_x509_certificate(certificate)
        parent = x509.load_der_x509_certificate(issuer)
        if not (is_authority(parent) and may(parent, "key_cert_sign")):
            return False
    try:
        child.verify_directly_issued_by(parent)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints says that this certificate may issue others."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def may(certificate: x509.Certificate, use: str) -> bool:
    """Whether keyUsage allows `use` (a field name of `x509.KeyUsage`); without keyUsage everything is allowed."""
    usage = extension(certificate, x509.KeyUsage)
    return usage is None or bool(getattr(usage, use))


def extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """The extension of that kind, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


@lru_cache(maxsize=KEPT)
def ocsp_urls(certificate: bytes) -> tuple[str, ...]:
    """Where the certificate (DER) says that its status can be asked (AIA, OCSP)."""
    return _access(certificate, AuthorityInformationAccessOID.OCSP)


@lru_cache(maxsize=KEPT)
def issuer_urls(certificate: bytes) -> tuple[str, ...]:
    """Where the certificate (DER) says that its issuer's certificate lies (AIA, caIssuers)."""
    return _access(certificate, AuthorityInformationAccessOID.CA_ISSUERS)


@lru_cache(maxsize=KEPT)
def crl_urls(certificate: bytes) -> tuple[str, ...]:
    """Where the certificate (DER) says that its revocation list lies (CRL distribution points, http and https only)."""
    with _readable():
        points = extension(x509.load_der_x509_certificate(certificate), x509.CRLDistributionPoints) or ()
        return tuple(_web(name for point in points for name in point.full_name or ()))


def _access(der: bytes, method: x509.ObjectIdentifier) -> tuple[str, ...]:
    with _readable():
        access = extension(x509.load_der_x509_certificate(der), x509.AuthorityInformationAccess) or ()
        return tuple(_web(entry.access_location for entry in access if entry.access_method == method))


def _web(names: Iterator[x509.GeneralName]) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://")):
            yield name.value


def _purpose(certificate: x509.Certificate) -> Purpose:
    if is_authority(certificate):
        return Purpose.AUTHORITY
    uses = set(extension(certificate, x509.ExtendedKeyUsage) or ())
    if ExtendedKeyUsageOID.TIME_STAMPING in uses:
        return Purpose.TIMESTAMP
    if uses & MACHINE_USES or uses == {ExtendedKeyUsageOID.CLIENT_AUTH}:
        return Purpose.SERVICE
    return _person_or_office(certificate.subject)


def _person_or_office(subject: x509.Name) -> Purpose:
    if any(_first(subject, oid) for oid in (NameOID.SURNAME, NameOID.GIVEN_NAME, NameOID.USER_ID)):
        return Purpose.PERSON
    name = unicodedata.normalize("NFC", _first(subject, NameOID.COMMON_NAME) or "").lower()
    if _first(subject, NameOID.ORGANIZATION_IDENTIFIER) or OFFICE_WORDS.match(name):
        return Purpose.ORGANISATION
    return Purpose.PERSON


def _first(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    values = name.get_attributes_for_oid(oid)
    if not values:
        return None
    value = values[0].value
    return value if isinstance(value, str) else value.decode("latin-1")


@contextmanager
def _readable() -> Iterator[None]:
    # cryptography reads extensions and names late, so any access may show that the bytes are broken
    try:
        yield
    except BROKEN as e:
        raise CertificateUnreadable from e
