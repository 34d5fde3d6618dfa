"""Leader's signature, organisation's seal, document time stamp: each is prepare → key or TSA somewhere else → finish.

What pyHanko does runs in the limited process; `check_prepared` runs outside, right before the key signs, and believes
nothing that came out of that process. pyHanko is imported inside the functions, so that the web process never loads it.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from asn1crypto import cms, ocsp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import load_der_x509_certificate

from keys.model import RevocationData
from signing.append import Tail, append_proof, append_signature
from signing.cms import signed_attributes, signed_data
from signing.errors import RevisionNotExtension, SignatureWrong
from signing.known import Plan, read_plan
from signing.model import VIETNAM, PreparedSignature, PreparedTimestamp, SignaturePurpose, SignIntent

BYTES_RESERVED = 49152
"""Hexadecimal digits kept free for one signature: 24 KiB of CMS, the least that is safe (signing.md §1.2)."""


@dataclass(frozen=True, slots=True)
class PreparedTail:
    """A revision with a hole: `attributes` are the DER bytes to be signed, `digest` is what they promise."""

    tail: Tail
    digest: bytes
    attributes: bytes


def prepare_signature(
    pdf: bytes, intent: SignIntent, certificate: bytes, chain: tuple[bytes, ...]
) -> PreparedSignature:
    """Draw the signature in its prepared field and leave a hole for it: one more revision of `pdf`.

    The file's first signature certifies with DocMDP P=2 (filling forms and signing stay allowed), whoever makes it;
    every other one approves. `certificate` and `chain` are DER.
    Raises `FieldMissing`, `NotAPdf`, and `SignatureWrong` when the file forbids another signature. Source: signing.md
    §1.1, §1.3.
    """
    tail = prepare_tail(read_plan(pdf), hashlib.sha256(pdf), intent, certificate)
    if tail is not None:
        hole = tail.tail
        return PreparedSignature(pdf + hole.whole(), tail.digest, hole.start, hole.end, tail.attributes, planned=True)
    from signing._pyhanko.writing import make_hole

    return make_hole(pdf, intent, certificate, chain, reserved=BYTES_RESERVED)


def prepare_tail(
    plan: Plan | None, state: "hashlib._Hash", intent: SignIntent, certificate: bytes
) -> PreparedTail | None:
    """The same revision from what is known of the file, without the file: it takes no longer for 50 MB than for 50 KB.

    `state` is the running SHA-256 over exactly the bytes that `plan` was read from; it is not changed. None where our
    appender does not know the file or the wish (`signing.append`): then `prepare_signature` asks pyHanko. Raises
    `SignatureWrong` for an image that is no PNG.
    """
    if plan is None or intent.lines:
        return None
    from signing.stamp import picture_of

    tail = append_signature(
        plan,
        intent.field,
        picture_of(intent.image, real_size=intent.purpose is SignaturePurpose.SEAL, hard=plan.hard),
        certifies=not plan.signed,
        at=intent.at.astimezone(VIETNAM),
        signer=intent.name,
        reason=intent.reason,
        room=BYTES_RESERVED,
    )
    if tail is None:
        return None
    digest = _digest_behind(state, tail)
    return PreparedTail(tail, digest, signed_attributes(digest, certificate))


def check_tail(prepared: PreparedTail, state: "hashlib._Hash", certificate: bytes) -> None:
    """`check_prepared` for a tail that another process made; `state` as for `prepare_tail`. Raises `SignatureWrong`."""
    tail = prepared.tail
    if not tail.after.startswith(b" /ByteRange [0 %d %d %d]" % (tail.start, tail.end, len(tail.after))):
        raise SignatureWrong()
    digest = _digest_behind(state, tail)
    if digest != prepared.digest or prepared.attributes != signed_attributes(digest, certificate):
        raise SignatureWrong()


def finish_tail(
    prepared: PreparedTail,
    *,
    signature: bytes,
    certificate: bytes,
    chain: tuple[bytes, ...],
    token: bytes | None = None,
) -> bytes:
    """`finish_signature` for a tail: the bytes to put behind the planned file. PAdES B-T, without a token B-B.

    Raises `SignatureWrong` when signature, certificate or token do not belong together.
    """
    _check_signature(prepared.attributes, signature, certificate)
    if token is not None:
        _check_token(token, unsigned_token_digest(signature))
    return prepared.tail.whole(signed_data(prepared.attributes, signature, certificate, chain, token))


def check_prepared(
    prepared: PreparedSignature, certificate: bytes | None = None, *, extends: bytes | None = None
) -> None:
    """Make sure that signing `prepared.attributes` signs exactly `prepared.pdf`.

    Where they are given, it is also made sure that `certificate` (DER) is the one named in the attributes, and that the
    file only appends to `extends`, the file that the signer was shown. Pure arithmetic on bytes, meant to run outside
    the limited process right before the key signs. Raises `SignatureWrong`, `RevisionNotExtension`.
    """
    if extends is not None and (not prepared.pdf.startswith(extends) or prepared.start <= len(extends)):
        raise RevisionNotExtension()
    _check_hole(prepared.pdf, prepared.start, prepared.end)
    digest = _digest_around(prepared.pdf, prepared.start, prepared.end)
    if certificate is not None and prepared.attributes == signed_attributes(digest, certificate):
        if digest != prepared.digest:
            raise SignatureWrong()
        return  # exactly what we would write for this digest and this certificate
    attributes = _attributes(prepared.attributes)
    if not digest == prepared.digest == attributes.get("message_digest"):
        raise SignatureWrong()
    if attributes.get("content_type") != "data":
        raise SignatureWrong()
    hashes_of_certificates = attributes.get("signing_certificate_v2")
    if hashes_of_certificates is None:
        raise SignatureWrong()
    if certificate is not None and hashes_of_certificates != hashlib.sha256(certificate).digest():
        raise SignatureWrong()


def finish_signature(
    prepared: PreparedSignature,
    *,
    signature: bytes,
    certificate: bytes,
    chain: tuple[bytes, ...],
    token: bytes | None = None,
    revocation: RevocationData | None = None,
) -> bytes:
    """Put the signature into its hole and the proof beside it, without any network: PAdES B-LT, with everything given.

    `signature` is raw (RSA PKCS#1 v1.5 or ECDSA, SHA-256) over `prepared.attributes`; `token` the TimeStampToken over
    `unsigned_token_digest(signature)`, without which the level is B-B; `revocation` speaks about signer, TSA and their
    issuers and goes into the DSS; without it the level is B-T.
    Raises `SignatureWrong` when signature, certificate, attributes or token do not belong together.
    """
    check_prepared(prepared, certificate)
    _check_signature(prepared.attributes, signature, certificate)
    if token is not None:
        _check_token(token, unsigned_token_digest(signature))
    content = signed_data(prepared.attributes, signature, certificate, chain, token)
    pdf = _filled(prepared.pdf, prepared.start, prepared.end, content)
    if token is None or revocation is None:
        return pdf
    contents = pdf[prepared.start + 1 : prepared.end - 1]
    known = (certificate, *chain, *revocation.certificates, *_certificates_inside(token, revocation.ocsps))
    tail = append_proof(pdf, contents, known, revocation.ocsps, revocation.crls)
    if tail is not None:
        return pdf + tail
    from signing._pyhanko.writing import add_proof

    return add_proof(pdf, contents, known, revocation)


def prepare_timestamp(pdf: bytes) -> PreparedTimestamp:
    """Leave a hole for a document time stamp over all of `pdf`, in an invisible field of its own. Raises `NotAPdf`."""
    from signing._pyhanko.writing import make_timestamp_hole

    return make_timestamp_hole(pdf, reserved=BYTES_RESERVED)


def finish_timestamp(prepared: PreparedTimestamp, *, token: bytes) -> bytes:
    """Put the TimeStampToken over `prepared.digest` into its hole.

    PAdES B-LTA when the DSS already holds what is needed to judge the TSA (`finish_signature` put it there). Raises
    `SignatureWrong` when the token is about something else.
    """
    _check_hole(prepared.pdf, prepared.start, prepared.end)
    if _digest_around(prepared.pdf, prepared.start, prepared.end) != prepared.digest:
        raise SignatureWrong()
    _check_token(token, prepared.digest)
    return _filled(prepared.pdf, prepared.start, prepared.end, token)


def unsigned_token_digest(signature: bytes) -> bytes:
    """The SHA-256 digest over which the TSA stamps a raw signature."""
    return hashlib.sha256(signature).digest()


def _check_hole(pdf: bytes, start: int, end: int) -> None:
    """The hole is one empty hexadecimal string, and the /ByteRange in the last revision is everything around it."""
    if not 0 < start < end < len(pdf) or pdf[start : start + 1] != b"<" or pdf[end - 1 : end] != b">":
        raise SignatureWrong()
    if pdf[start + 1 : end - 1].strip(b"0"):
        raise SignatureWrong()
    written = b"/ByteRange [%d %d %d %d]" % (0, start, end, len(pdf) - end)
    if pdf.rfind(b"/ByteRange") < 0 or not pdf.startswith(written, pdf.rfind(b"/ByteRange")):
        raise SignatureWrong()


def _digest_around(pdf: bytes, start: int, end: int) -> bytes:
    view = memoryview(pdf)
    digest = hashlib.sha256(view[:start])
    digest.update(view[end:])
    return digest.digest()


def _digest_behind(state: "hashlib._Hash", tail: Tail) -> bytes:
    running = state.copy()
    running.update(tail.before)
    running.update(tail.after)
    return running.digest()


def _attributes(der: bytes) -> dict[str, object]:
    """Three signed attributes as plain values; an attribute that comes twice, or is unknown to us, is refused."""
    found: dict[str, object] = {}
    try:
        for attribute in cms.CMSAttributes.load(der, strict=True):
            name = attribute["type"].native
            (value,) = attribute["values"]
            if name in found:
                raise SignatureWrong()
            found[name] = _signing_certificate(value) if name == "signing_certificate_v2" else value.native
    except (ValueError, TypeError, KeyError) as error:
        raise SignatureWrong() from error
    if set(found) - {"content_type", "message_digest", "signing_certificate_v2", "cms_algorithm_protection"}:
        raise SignatureWrong()
    return found


def _signing_certificate(value: object) -> bytes | None:
    first = value["certs"][0]  # type: ignore[index]
    if first["hash_algorithm"]["algorithm"].native != "sha256":
        return None
    digest = first["cert_hash"].native
    return digest if isinstance(digest, bytes) else None


@lru_cache(64)
def _public_key(certificate: bytes) -> object:
    return load_der_x509_certificate(certificate).public_key()


def _check_signature(data: bytes, signature: bytes, certificate: bytes) -> None:
    try:
        key = _public_key(certificate)
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        else:
            raise SignatureWrong()
    except (InvalidSignature, ValueError) as error:
        raise SignatureWrong() from error


def _check_token(token: bytes, digest: bytes) -> None:
    """Only that the token speaks about `digest`; whether to trust it was checked where it was fetched."""
    try:
        content = cms.ContentInfo.load(token, strict=True)["content"]["encap_content_info"]["content"].parsed
        imprint = content["message_imprint"]
        right = imprint["hash_algorithm"]["algorithm"].native == "sha256" and imprint["hashed_message"].native == digest
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SignatureWrong() from error
    if not right:
        raise SignatureWrong()


def _certificates_inside(token: bytes, ocsps: tuple[bytes, ...]) -> list[bytes]:
    """Those that a time-stamp token and answers about revocation bring along, DER."""
    try:
        found = [
            one.chosen for one in cms.ContentInfo.load(token)["content"]["certificates"] if one.name == "certificate"
        ]
        for answer in ocsps:
            found += ocsp.OCSPResponse.load(answer).basic_ocsp_response["certs"] or ()
        return [certificate.dump() for certificate in found]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SignatureWrong() from error


def _filled(pdf: bytes, start: int, end: int, content: bytes) -> bytes:
    room = end - start - 2
    digits = content.hex().upper().encode()
    if len(digits) > room:
        raise SignatureWrong()
    return pdf[: start + 1] + digits.ljust(room, b"0") + pdf[end - 1 :]
