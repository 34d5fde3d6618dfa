"""The CMS of a PDF signature (RFC 5652, as PAdES baseline wants it) put together from parts that are DER already.

All of a signature but digest, raw signature and time stamp is the same for every file that one certificate signs. So
the constant parts are made once for each certificate and chain, and a signature only joins bytes. Nothing is parsed
here but certificates; what is joined was checked by `signing.sign`.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from asn1crypto import x509

from signing.errors import SignatureWrong

MOST_SIGNERS = 64
"""Certificates whose constant parts are kept; the one used longest ago goes first."""

_SEQUENCE, _SET, _OCTETS = 0x30, 0x31, 0x04
_FIRST, _SECOND, _DIRECTORY_NAME = 0xA0, 0xA1, 0xA4  # [0], [1], and [4] of GeneralName

_FIRST_TAG = bytes([_FIRST])
_DATA = bytes.fromhex("06092a864886f70d010701")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_SIGNING_CERTIFICATE_V2 = bytes.fromhex("060b2a864886f70d010910022f")
_TIME_STAMP_TOKEN = bytes.fromhex("060b2a864886f70d010910020e")
_SHA256 = bytes.fromhex("300d06096086480165030402010500")
_SIGNATURE_ALGORITHMS = {
    "rsa": bytes.fromhex("300d06092a864886f70d01010b0500"),  # sha256WithRSAEncryption, PKCS #1 v1.5
    "ec": bytes.fromhex("300a06082a8648ce3d040302"),  # ecdsa-with-SHA256
}
_VERSION_1 = bytes.fromhex("020101")


def signed_attributes(digest: bytes, certificate: bytes) -> bytes:
    """The DER to be signed for a file of this SHA-256 `digest`: content type, message digest, ESS certificate.

    A SET (tag 0x31) of exactly the attributes that PAdES baseline signatures must have (EN 319 142-1 §6.3), the
    certificate by its SHA-256 with issuer and serial number (RFC 5035). `certificate` is DER. Raises `SignatureWrong`
    for a certificate that cannot be read, or a key that is neither RSA nor EC.
    """
    parts = _parts(certificate)
    return parts.before_digest + digest + parts.after_digest


def signed_data(
    attributes: bytes, signature: bytes, certificate: bytes, chain: tuple[bytes, ...], token: bytes | None = None
) -> bytes:
    """The whole ContentInfo: SignedData over detached data with one signer, SHA-256.

    `attributes` is what `signed_attributes` gave, `signature` the raw signature over it, `token` the TimeStampToken
    (DER) for the unsigned attribute of level B-T. Raises `SignatureWrong` as above.
    """
    parts, head = _parts(certificate), _head(certificate, chain)
    proof = b"" if token is None else _der(_SECOND, _der(_SEQUENCE, _TIME_STAMP_TOKEN, _der(_SET, token)))
    signer = _der(
        _SEQUENCE, parts.signer, _FIRST_TAG, attributes[1:], parts.algorithm, _der(_OCTETS, signature), proof
    )  # fmt: skip
    # from outside to inside by lengths alone, so that the certificates are copied once
    signers = _lead(_SET, len(signer))
    body = _lead(_SEQUENCE, len(head) + len(signers) + len(signer))
    inner = len(body) + len(head) + len(signers) + len(signer)
    content = _lead(_FIRST, inner)
    whole = _lead(_SEQUENCE, len(_SIGNED_DATA) + len(content) + inner)
    return b"".join((whole, _SIGNED_DATA, content, body, head, signers, signer))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one certificate always brings: the attributes around the digest; version, identifier, digest algorithm."""

    before_digest: bytes
    after_digest: bytes
    signer: bytes
    algorithm: bytes


@lru_cache(MOST_SIGNERS)
def _parts(certificate: bytes) -> _Parts:
    try:
        body = x509.Certificate.load(certificate, strict=True)["tbs_certificate"]
        issuer, serial = body["issuer"].dump(), body["serial_number"].dump()
        algorithm = _SIGNATURE_ALGORITHMS[body["subject_public_key_info"].algorithm]
    except (ValueError, TypeError, KeyError) as error:
        raise SignatureWrong() from error
    # DER sorts a SET OF by its members' bytes, so by their length bytes first: 24 and 47, and the third is longer
    first = _der(_SEQUENCE, _CONTENT_TYPE, _der(_SET, _DATA))
    second = _der(_SEQUENCE, _MESSAGE_DIGEST, _der(_SET, _der(_OCTETS, bytes(32))))
    issuer_serial = _der(_SEQUENCE, _der(_SEQUENCE, _der(_DIRECTORY_NAME, issuer)), serial)
    # without a hash algorithm, because SHA-256 is the default and DER leaves defaults out
    named = _der(_SEQUENCE, _der(_OCTETS, hashlib.sha256(certificate).digest()), issuer_serial)
    third = _der(_SEQUENCE, _SIGNING_CERTIFICATE_V2, _der(_SET, _der(_SEQUENCE, _der(_SEQUENCE, named))))
    whole = _der(_SET, first, second, third)
    place = len(whole) - len(third) - 32
    signer = _VERSION_1 + _der(_SEQUENCE, issuer, serial) + _SHA256
    return _Parts(whole[:place], whole[place + 32 :], signer, algorithm)


@lru_cache(MOST_SIGNERS)
def _head(certificate: bytes, chain: tuple[bytes, ...]) -> bytes:
    """Version, digest algorithms, detached data, and every certificate once."""
    certificates = _der(_FIRST, *sorted({certificate, *chain}))
    return _VERSION_1 + _der(_SET, _SHA256) + _der(_SEQUENCE, _DATA) + certificates


def _der(tag: int, *contents: bytes) -> bytes:
    """One element: tag, length, contents."""
    body = b"".join(contents)
    return _lead(tag, len(body)) + body


def _lead(tag: int, size: int) -> bytes:
    """Tag and length, the length in the fewest bytes."""
    if size < 0x80:
        return bytes((tag, size))
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length
