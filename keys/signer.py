"""Keys that sign, behind one face (`keys.model.Signer`): a vault key that was opened, or a PKCS#11 token.

Both are context managers and sign only between entering and leaving. Keys of a remote service: `keys.remote`.
"""

import hashlib
import threading
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Self

import pkcs11
import pkcs11.util.ec
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from keys.certificates import signed_by
from keys.errors import KeyUnavailable, Words
from keys.tokens import FAILED, key_on_token, token_session

CLOSED = Words("khóa đã đóng", "the key is closed")
KIND = Words("loại khóa không được hỗ trợ", "this kind of key is not supported")
NOT_ITS_CERTIFICATE = Words("chứng thư không khớp với khóa", "the certificate does not belong to the key")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class VaultSigner(AbstractContextManager["VaultSigner"]):
    """A private key in memory for as long as the `with` block lasts; `keys.vault.open_wrapping` opens it.

    `certificate` and `chain` are DER. Python cannot wipe memory: leaving the block drops the only reference of ours.
    """

    def __init__(self, private_key: PrivateKey, certificate: bytes, chain: tuple[bytes, ...]) -> None:
        self._key: PrivateKey | None = private_key
        self._certificate = certificate
        self._chain = chain

    @property
    def certificate(self) -> bytes:
        return self._certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self._chain

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`, SHA-256. Raises `KeyUnavailable` once closed."""
        if self._key is None:
            raise KeyUnavailable(why=CLOSED)
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), SHA256())
        return self._key.sign(data, ec.ECDSA(SHA256()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._key = None


class Pkcs11Signer(AbstractContextManager["Pkcs11Signer"]):
    """A key on a token or in an HSM, named by its label. Entering logs in, leaving logs out.

    `module` is the path of the vendor's PKCS#11 library; `certificate` and `chain` are DER. Raises `TokenPinWrong`,
    `TokenPinLocked`, and `KeyUnavailable` with the cause when library, token or key do not work. Whatever the token
    signs is checked with the certificate before it is given out.
    """

    def __init__(
        self,
        module: str,
        token_label: str,
        key_label: str,
        pin: str,
        certificate: bytes,
        chain: tuple[bytes, ...],
    ) -> None:
        self._module = module
        self._token_label = token_label
        self._key_label = key_label
        self._pin = pin
        self._certificate = certificate
        self._chain = chain
        self._opened = ExitStack()
        self._key: Any = None
        self._lock = threading.Lock()

    @property
    def certificate(self) -> bytes:
        return self._certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self._chain

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            session = opening.enter_context(token_session(self._module, self._token_label, self._pin))
            self._key = key_on_token(session, pkcs11.ObjectClass.PRIVATE_KEY, self._key_label)
            self._opened = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._key = None
        self._opened.close()

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`, SHA-256. Raises `KeyUnavailable` when closed, unplugged or refused, and when
        the certificate is not that of the key.
        """
        with self._lock:
            if self._key is None:
                raise KeyUnavailable(why=CLOSED)
            try:
                signature = self._sign(data)
            except pkcs11.PKCS11Error as e:
                raise KeyUnavailable(why=FAILED) from e
        if not signed_by(self._certificate, data, signature):
            raise KeyUnavailable(why=NOT_ITS_CERTIFICATE)
        return signature

    def _sign(self, data: bytes) -> bytes:
        if self._key.key_type == pkcs11.KeyType.RSA:
            return bytes(self._key.sign(data, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))
        if self._key.key_type == pkcs11.KeyType.EC:
            # few tokens know ECDSA_SHA256, so the digest is made here; X.509 wants DER, PKCS#11 gives r || s
            raw = self._key.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA)
            return bytes(pkcs11.util.ec.encode_ecdsa_signature(raw))
        raise KeyUnavailable(why=KIND)
