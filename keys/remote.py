"""Keys of a remote signing service (Cloud Signature Consortium API, versions 1.0.4 and 2), behind the face of a key.

Only hashes leave the house. Each signature has an authorisation of its own (SAD), bound to its hash where the service
can (SCAL 2), and is checked with the public key of the certificate before it counts: a service that is slow, silent or
lying makes no signature. Nothing here opens a socket: `Call` is handed in.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keys.access import AWAY, LARGEST_ANSWER, NONSENSE, NOT_LET_IN, ClientAccess, json_object
from keys.certificates import BROKEN, read_certificate, signed_by
from keys.errors import (
    KeysError,
    KeyUnavailable,
    OtpMissing,
    OtpWrong,
    RemotePinWrong,
    SigningAuthorisationEnded,
    Words,
)
from keys.model import Call

SHA256_OID = "2.16.840.1.101.3.4.2.1"
SHA256_WITH_RSA = "1.2.840.113549.1.1.11"
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"

REFUSED = Words("dịch vụ ký số từ xa từ chối ({said})", "the remote signing service refuses ({said})")
LYING = Words("chữ ký trả về không khớp với chứng thư", "the signature that came back does not fit the certificate")
OTHER_CERTIFICATE = Words("dịch vụ ký số từ xa đã đổi chứng thư", "the remote service has another certificate now")
CLOSED = Words("khóa đã đóng", "the key is closed")
DISABLED = Words("khóa ở dịch vụ ký số từ xa đã bị khóa", "the key at the remote signing service is disabled")
ALGORITHM = Words("khóa từ xa không ký được SHA-256", "the remote key cannot sign SHA-256")

OTP_ERRORS = frozenset({"invalid_otp", "expired_otp"})
PIN_ERRORS = frozenset({"invalid_pin", "invalid_auth_data", "authentication_error"})
TOKEN_ERRORS = frozenset({"invalid_token", "access_denied", "unauthorized"})
CODE = re.compile(r"[a-z0-9_]{1,40}")


@dataclass(frozen=True, slots=True)
class RemoteService:
    """Where a service is (`https://…/csc/v1`), our access to it, and which version of the API it speaks.

    `token` never changes; `access` asks for tokens by itself and wins.
    """

    url: str
    token: str | None = None
    version: int = 1
    access: ClientAccess | None = None


@dataclass(frozen=True, slots=True)
class RemoteCredential:
    """What a service says about one key: certificate and issuers (DER), and what its person has to type.

    `sends_otp`: the one-time code is sent when it is asked for; otherwise the person's own device makes it. `at_once`:
    how many hashes one authorisation may be for.
    """

    id: str
    certificate: bytes
    chain: tuple[bytes, ...]
    enabled: bool
    algorithm: str
    needs_pin: bool
    needs_otp: bool
    sends_otp: bool = False
    at_once: int = 1


def credential_of(service: RemoteService, call: Call, credential: str) -> RemoteCredential:
    """Ask the service about one key (credentials/info). Raises `KeyUnavailable`, `CertificateUnreadable`."""
    told = _ask(service, call, "credentials/info", {"credentialID": credential, "certificates": "chain"})
    try:
        certificates = [base64.b64decode(one, validate=True) for one in told["cert"]["certificates"]]
        return RemoteCredential(
            id=credential,
            certificate=read_certificate(certificates[0]).der,
            chain=tuple(certificates[1:]),
            enabled=told["key"]["status"] == "enabled",
            algorithm=_algorithm(certificates[0], told["key"].get("algo") or ()),
            needs_pin=_presence(told, "PIN"),
            needs_otp=_presence(told, "OTP"),
            sends_otp=_presence(told, "OTP") and told["OTP"].get("type") == "online",
            at_once=max(1, int(told.get("multisign") or 1)),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise KeyUnavailable(why=NONSENSE) from error


def send_otp(service: RemoteService, call: Call, credential: str) -> None:
    """Have the service send its person a one-time code (credentials/sendOTP). Raises `KeyUnavailable`."""
    _ask(service, call, "credentials/sendOTP", {"credentialID": credential})


class RemoteSigner(AbstractContextManager["RemoteSigner"]):
    """A key at a remote signing service. Entering asks whether the key is still the one of the certificate.

    `pin` and `otp` are what the person typed; both go to the service once, and nowhere else. Raises `OtpMissing` on
    entering, `RemotePinWrong`, `OtpWrong`, `SigningAuthorisationEnded`, and `KeyUnavailable` with the cause.
    """

    def __init__(
        self,
        service: RemoteService,
        call: Call,
        credential: str,
        certificate: bytes,
        chain: tuple[bytes, ...],
        *,
        pin: str | None = None,
        otp: str | None = None,
    ) -> None:
        self._service = service
        self._call = call
        self._credential = credential
        self._certificate = certificate
        self._chain = chain
        self._pin = pin
        self._otp = otp
        self._known: RemoteCredential | None = None
        self._wrong: RemotePinWrong | OtpWrong | None = None

    @property
    def certificate(self) -> bytes:
        return self._certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self._chain

    def __enter__(self) -> "RemoteSigner":
        known = credential_of(self._service, self._call, self._credential)
        if known.certificate != self._certificate:
            raise KeyUnavailable(why=OTHER_CERTIFICATE)
        if not known.enabled:
            raise KeyUnavailable(why=DISABLED)
        if known.needs_otp and not self._otp:
            raise OtpMissing
        self._known = known
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._known = self._pin = self._otp = None

    @property
    def needs_otp(self) -> bool:
        """Whether each authorisation takes a one-time code."""
        return self._opened.needs_otp

    @property
    def at_once(self) -> int:
        """How many hashes one authorisation may be for."""
        return self._opened.at_once

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`, SHA-256: authorised for this hash alone, and checked with the public key."""
        [signature] = self.sign_together([data])
        return signature

    def sign_together(self, many: Sequence[bytes]) -> list[bytes]:
        """The raw signatures over each of `many`, SHA-256: one authorisation for just these hashes, each checked.

        At most `at_once`. A PIN that the service calls wrong is not sent to it again.
        """
        digests = [base64.b64encode(hashlib.sha256(data).digest()).decode() for data in many]
        if self._wrong is not None:
            raise self._wrong
        try:
            sad = self._authorised(digests)
        except (RemotePinWrong, OtpWrong) as error:
            self._wrong = error
            raise
        asked = self._signing(digests, sad)
        told = _ask(self._service, self._call, "signatures/signHash", asked, spends_sad=True)
        try:
            signatures = [base64.b64decode(one, validate=True) for one in told["signatures"]]
            pairs = list(zip(many, signatures, strict=True))
        except (KeyError, ValueError, TypeError, binascii.Error) as error:
            raise KeyUnavailable(why=NONSENSE) from error
        return [_checked(self._certificate, data, signature) for data, signature in pairs]

    @property
    def _opened(self) -> RemoteCredential:
        if self._known is None:
            raise KeyUnavailable(why=CLOSED)
        return self._known

    def _authorised(self, digests: list[str]) -> str:
        """The SAD for these hashes."""
        asked: dict[str, Any] = {"credentialID": self._opened.id, "numSignatures": len(digests)}
        typed = {name: word for name, word in (("PIN", self._pin), ("OTP", self._otp)) if word}
        if self._service.version == 1:
            asked |= {"hash": digests, **typed}
        else:
            asked |= {"hashes": digests, "hashAlgorithmOID": SHA256_OID}
            asked["authData"] = [{"id": name, "value": word} for name, word in typed.items()]
        sad = _ask(self._service, self._call, "credentials/authorize", asked).get("SAD")
        if not isinstance(sad, str) or not sad:
            raise KeyUnavailable(why=NONSENSE)
        return sad

    def _signing(self, digests: list[str], sad: str) -> dict[str, Any]:
        known = self._opened
        asked: dict[str, Any] = {"credentialID": known.id, "SAD": sad, "signAlgo": known.algorithm}
        if self._service.version == 1:
            return asked | {"hash": digests, "hashAlgo": SHA256_OID}
        return asked | {"hashes": digests, "hashAlgorithmOID": SHA256_OID, "operationMode": "S"}


def _ask(
    service: RemoteService, call: Call, method: str, asked: Mapping[str, Any], *, spends_sad: bool = False
) -> dict[str, Any]:
    """One call: the JSON object that it answers. `spends_sad`: a refusal that names no cause is about the SAD."""
    status, answer = _called(service, call, method, asked)
    told = json_object(answer)
    if status == 204:
        return {}
    if status != 200:
        raise _refusal(status, told, spends_sad=spends_sad)
    if told is None:
        raise KeyUnavailable(why=NONSENSE)
    return told


def _called(service: RemoteService, call: Call, method: str, asked: Mapping[str, Any]) -> tuple[int, bytes]:
    """Status and body; an access token of ours that is not taken any more is renewed, once."""
    token = service.access.token() if service.access else service.token
    answer = _posted(service, call, method, asked, token)
    if service.access is None or token is None or not _not_let_in(*answer):
        return answer
    service.access.refused(token)
    return _posted(service, call, method, asked, service.access.token())


def _posted(
    service: RemoteService, call: Call, method: str, asked: Mapping[str, Any], token: str | None
) -> tuple[int, bytes]:
    try:
        return call(
            f"{service.url.rstrip('/')}/{method}",
            body=json.dumps(asked).encode(),
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            limit=LARGEST_ANSWER,
        )
    except ConnectionError as error:
        raise KeyUnavailable(why=AWAY) from error


def _not_let_in(status: int, answer: bytes) -> bool:
    said = str((json_object(answer) or {}).get("error", ""))
    return said not in PIN_ERRORS | OTP_ERRORS and (status == 401 or said in TOKEN_ERRORS)


def _refusal(status: int, told: Mapping[str, Any] | None, *, spends_sad: bool) -> KeysError:
    said = str((told or {}).get("error", ""))
    if said in OTP_ERRORS:
        return OtpWrong()
    if said in PIN_ERRORS:
        return RemotePinWrong()
    if status == 401 or said in TOKEN_ERRORS:
        return KeyUnavailable(why=NOT_LET_IN)
    if spends_sad and status < 500:
        return SigningAuthorisationEnded()
    # only a word of the protocol is repeated, never a text that somebody else wrote
    word = said if CODE.fullmatch(said) else str(status)
    return KeyUnavailable(why=Words(REFUSED.vi.format(said=word), REFUSED.en.format(said=word)))


def _algorithm(certificate: bytes, offered: Any) -> str:
    """The algorithm to ask for, for a key of that certificate."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except BROKEN as error:
        raise KeyUnavailable(why=NONSENSE) from error
    fitting: tuple[str, ...] = ()
    if isinstance(key, rsa.RSAPublicKey):
        fitting = (SHA256_WITH_RSA, RSA_ENCRYPTION)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        fitting = (ECDSA_WITH_SHA256,)
    for algorithm in fitting:
        if algorithm in offered or not offered:
            return algorithm
    raise KeyUnavailable(why=ALGORITHM)


def _presence(told: Mapping[str, Any], name: str) -> bool:
    return str((told.get(name) or {}).get("presence", "false")).lower() == "true"


def _checked(certificate: bytes, data: bytes, signature: bytes) -> bytes:
    """The signature, when it was made over `data` with the key of the certificate.

    Services give ECDSA as r || s or as DER; X.509 wants DER.
    """
    for form in (signature, _as_der(signature)):
        if form is not None and signed_by(certificate, data, form):
            return form
    raise KeyUnavailable(why=LYING)


def _as_der(signature: bytes) -> bytes | None:
    half = len(signature) // 2
    if half not in (32, 48, 66):
        return None
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
