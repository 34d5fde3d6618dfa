"""RFC 3161 tokens checked again later, offline: the authority's word that a digest existed at a moment."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from asn1crypto import tsp
from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from keys.errors import KeysError
from keys.timestamps import token_certificates, token_time

SHA256 = "2.16.840.1.101.3.4.2.1"


def checked_time(token: bytes, digest: bytes, roots: Sequence[bytes], others: Iterable[bytes] = ()) -> datetime | None:
    """The moment (aware UTC) when `token` (ContentInfo DER) says that the SHA-256 `digest` existed, or None.

    None unless imprint, signature, critical EKU timeStamping, and the chain to one of `roots` at the token's own time
    all hold; `others` (DER) may help to build that chain. Revocation of the authority is not looked at.
    """
    if not roots:
        return None
    try:
        answer = decode_timestamp_response(_as_answer(token))
        known = [x509.load_der_x509_certificate(der) for der in roots]
        helpers = [x509.load_der_x509_certificate(der) for der in {*others, *token_certificates(token)}]
        if answer.tst_info.message_imprint.hash_algorithm.dotted_string != SHA256:
            return None
        VerifierBuilder(roots=known, intermediates=_issuers_only(known, helpers)).build().verify(answer, digest)
        return token_time(token)
    except (VerificationError, KeysError, ValueError, TypeError):
        return None


def _issuers_only(roots: list[x509.Certificate], helpers: list[x509.Certificate]) -> list[x509.Certificate]:
    """The helpers that a root stands behind: the engine takes every certificate it is given for trusted."""
    trusted, left, grew = list(roots), list(helpers), True
    while grew:
        grew = False
        for candidate in list(left):
            if any(_vouches(issuer, candidate) for issuer in trusted) and _is_authority(candidate):
                trusted.append(candidate)
                left.remove(candidate)
                grew = True
    return trusted[len(roots) :]


def _vouches(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # every kind of failure, from names to unknown algorithms, means the same: no
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _as_answer(token: bytes) -> bytes:
    # the engine only reads whole answers; status "granted" says nothing that the token's signature does not
    return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": _info(token)}).dump())


def _info(token: bytes) -> tsp.ContentInfo:
    return tsp.ContentInfo.load(token, strict=True)
