"""Time stamps (RFC 3161): ask an authority and believe only a token that was checked."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from rfc3161_client import PKIStatus, TimeStampResponse, VerificationError, VerifierBuilder, decode_timestamp_response

from keys.algorithms import digest_good, key_good
from keys.errors import TimestampRejected, TsaUnavailable, Words
from keys.model import Fetch

LONGEST_ANSWER = 256 * 1024

SHA256_NAME = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")

NOT_READABLE = Words("không đọc được", "it cannot be read")
REFUSED = Words("dịch vụ từ chối yêu cầu", "the service refused the request")
NOT_OURS = Words("không khớp yêu cầu hoặc không tin cậy", "it does not fit the request or is not trusted")
OTHER_CERTIFICATE = Words("chứng thư trong dấu không khớp", "it names another certificate")


class OnlineTsa:
    """A time-stamp authority at `url`, reached through `fetch`, trusted when it chains to one of `anchors` (DER).

    Implements `keys.model.TimestampAuthority`. Safe to share between threads.
    """

    def __init__(self, url: str, fetch: Fetch, anchors: Sequence[bytes]) -> None:
        self._url = url
        self._fetch = fetch
        self._anchors = tuple(anchors)

    def stamp(self, digest: bytes) -> bytes:
        """A checked TimeStampToken (ContentInfo DER) over a SHA-256 `digest`.

        Checked are imprint, nonce, signature, chain to an anchor at the token's time, critical EKU timeStamping
        on the signer, the certificate named in the signed attributes (RFC 5816), and that digest and key are good
        enough at the token's time (`keys/algorithms.py`): a stamp of ours must outlive much else. Whether the token's
        time is plausible and whether the authority was revoked is for the caller, who has a clock and revocation data.
        Raises `TsaUnavailable` when there is no answer or it asks to wait, `TimestampRejected` when it is wrong.
        """
        nonce = secrets.randbits(63)
        try:
            answer = self._fetch(
                self._url,
                body=_request(digest, nonce),
                content_type="application/timestamp-query",
                limit=LONGEST_ANSWER,
            )
        except ConnectionError as e:
            raise TsaUnavailable from e
        response = _granted(answer)
        _check(response, digest, nonce, self._anchors)
        token = response.time_stamp_token()
        _check_named_certificate(token)
        _check_strength(token)
        return token


def token_time(token: bytes) -> datetime:
    """The moment (aware UTC) that a token (ContentInfo DER) states. Raises `TimestampRejected` when unreadable."""
    try:
        content = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed
        moment: datetime = content["gen_time"].native
    except (ValueError, TypeError, KeyError) as e:
        raise TimestampRejected(why=NOT_READABLE) from e
    return moment


def token_certificates(token: bytes) -> tuple[bytes, ...]:
    """The certificates (DER) inside a token, the signer's first. Raises `TimestampRejected` when unreadable."""
    try:
        signed = cms.ContentInfo.load(token)["content"]
        signer = signed["signer_infos"][0]["sid"].chosen
        inside = [choice.chosen for choice in signed["certificates"]]
        inside.sort(key=lambda c: (c.issuer, c.serial_number) != (signer["issuer"], signer["serial_number"].native))
        return tuple(certificate.dump() for certificate in inside)
    except (ValueError, TypeError, KeyError, IndexError) as e:
        raise TimestampRejected(why=NOT_READABLE) from e


def _request(digest: bytes, nonce: int) -> bytes:
    # rfc3161-client only takes the data itself; the house only ever has its digest
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": digest}
    return bytes(tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "nonce": nonce, "cert_req": True}).dump())


def _granted(answer: bytes) -> TimeStampResponse:
    try:
        response = decode_timestamp_response(answer)
        status = PKIStatus(response.status)
    except ValueError as e:
        raise TimestampRejected(why=NOT_READABLE) from e
    if status == PKIStatus.WAITING:
        raise TsaUnavailable
    if status != PKIStatus.GRANTED:
        raise TimestampRejected(why=REFUSED)
    return response


def _check(response: TimeStampResponse, digest: bytes, nonce: int, anchors: tuple[bytes, ...]) -> None:
    roots = [x509.load_der_x509_certificate(der) for der in anchors]
    try:
        if response.tst_info.message_imprint.hash_algorithm != SHA256_NAME:
            raise TimestampRejected(why=NOT_OURS)
        VerifierBuilder(roots=roots, nonce=nonce).build().verify(response, digest)
    except (VerificationError, ValueError) as e:
        raise TimestampRejected(why=NOT_OURS) from e


def _check_named_certificate(token: bytes) -> None:
    """The signed attributes must name the signer's certificate, or another one with the same key could be put there."""
    signer = token_certificates(token)[0]
    try:
        info = cms.ContentInfo.load(token)["content"]["signer_infos"][0]
        named = [_names(attribute, signer) for attribute in info["signed_attrs"]]
    except (ValueError, TypeError, KeyError, IndexError) as e:
        raise TimestampRejected(why=NOT_READABLE) from e
    verdicts = [verdict for verdict in named if verdict is not None]
    if not verdicts or not all(verdicts):
        raise TimestampRejected(why=OTHER_CERTIFICATE)


def _weaknesses(token: bytes) -> tuple[str, ...]:
    """What of a token (DER) is not good enough at its own time, such as `sha1` or `rsa-1024`.

    Raises `TimestampRejected` when it cannot be read.
    """
    on = token_time(token).date()
    try:
        digest = cms.ContentInfo.load(token)["content"]["signer_infos"][0]["digest_algorithm"]["algorithm"].native
        key = asn1_x509.Certificate.load(token_certificates(token)[0]).public_key
        curve = key.curve[1] if key.algorithm == "ec" and key.curve[0] == "named" else None
        strong = key_good(key.algorithm, key.bit_size, on, curve)
    except (ValueError, TypeError, KeyError, IndexError) as e:
        raise TimestampRejected(why=NOT_READABLE) from e
    return (*(() if digest_good(digest, on) else (digest,)), *(() if strong else (f"{key.algorithm}-{key.bit_size}",)))


def _check_strength(token: bytes) -> None:
    weak = ", ".join(_weaknesses(token))
    if weak:
        raise TimestampRejected(why=Words(f"thuật toán yếu ({weak})", f"weak algorithm ({weak})"))


def _names(attribute: cms.CMSAttribute, certificate: bytes) -> bool | None:
    kind = attribute["type"].native
    if kind not in ("signing_certificate", "signing_certificate_v2"):
        return None
    first = attribute["values"][0]["certs"][0]
    # SHA-1 only where the old attribute fixes it; the newer one is demanded of our own tokens by the verifier's policy
    name = "sha1" if kind == "signing_certificate" else first["hash_algorithm"]["algorithm"].native
    return bool(hashlib.new(name, certificate).digest() == first["cert_hash"].native)
