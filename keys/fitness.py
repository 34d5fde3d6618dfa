"""May this certificate sign a document now? Pure: the answers about revocation are handed in.

Its dates are left to the caller, who has a word of its own for a certificate that is out of its time.
"""

from datetime import date

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from keys.algorithms import DOCUMENT_USES, key_good
from keys.certificates import BROKEN, extension, is_authority, may
from keys.errors import CertificateNotForSigning, CertificateUnreadable, CertificateUntrusted, SignerRevoked
from keys.model import RevocationData, TrustMaterial
from keys.revocation import revoked
from keys.trust import world_of


def require_for_signing(certificate: bytes, *, on: date) -> None:
    """Raises `CertificateNotForSigning` unless `certificate` (DER) is somebody's for signing documents (R69).

    That is: no authority, key usage nonRepudiation, an extended use that fits where there is one, and a key that is
    good enough on that day. Raises `CertificateUnreadable`.
    """
    try:
        read = x509.load_der_x509_certificate(certificate)
        uses = extension(read, x509.ExtendedKeyUsage)
        for_documents = uses is None or not DOCUMENT_USES.isdisjoint(use.dotted_string for use in uses)
        usage = extension(read, x509.KeyUsage)
        fits = usage is not None and may(read, "content_commitment") and for_documents and not is_authority(read)
        key = read.public_key()
    except BROKEN as error:
        raise CertificateUnreadable from error
    if not fits or not _good(key, on):
        raise CertificateNotForSigning


def require_trusted(certificate: bytes, material: TrustMaterial, answers: RevocationData) -> None:
    """Raises `CertificateUntrusted` without a chain to an anchor, `SignerRevoked` when an answer says so."""
    if world_of(certificate, material) is None:
        raise CertificateUntrusted
    if revoked(certificate, material, answers):
        raise SignerRevoked


def der_signature(certificate: bytes, signature: bytes) -> bytes:
    """The raw signature as CMS wants it: Web eID gives ECDSA as r and s side by side, CMS has DER.

    Raises `CertificateUnreadable`.
    """
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except BROKEN as error:
        raise CertificateUnreadable from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or _is_der(signature):
        return signature
    half = (key.key_size + 7) // 8
    if len(signature) != 2 * half:
        return signature
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


def _good(key: object, on: date) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key_good("rsa", key.key_size, on)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key_good("ec", key.key_size, on, key.curve.name)
    return False


def _is_der(signature: bytes) -> bool:
    try:
        decode_dss_signature(signature)
    except ValueError:
        return False
    return True
