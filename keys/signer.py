"""Keys that sign, behind one face (`keys.model.Signer`): a vault key that was opened, or a PKCS#11 token.

Both are context managers and sign only between entering and leaving. Remote signing services come later.
"""

import hashlib
import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import pkcs11
import pkcs11.util.ec
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from keys.errors import KeyUnavailable, Words

CLOSED = Words("khóa đã đóng", "the key is closed")
KIND = Words("loại khóa không được hỗ trợ", "this kind of key is not supported")
MODULE = Words("không mở được thư viện PKCS#11", "the PKCS#11 library does not open")
TOKEN = Words("không thấy thiết bị ký", "the token is not there")
TOKEN_PIN = Words("thiết bị ký từ chối mã PIN", "the token refuses the PIN")
TOKEN_KEY = Words("không thấy khóa trong thiết bị", "the key is not on the token")
TOKEN_SIGNING = Words("thiết bị ký báo lỗi khi ký", "the token failed while signing")

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

    `module` is the path of the vendor's PKCS#11 library; `certificate` and `chain` are DER and must belong to the key.
    Raises `KeyUnavailable` with the cause when library, token, PIN or key do not work.
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
        self._session: Any = None
        self._key: Any = None
        self._lock = threading.Lock()

    @property
    def certificate(self) -> bytes:
        return self._certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self._chain

    def __enter__(self) -> Self:
        token = self._find_token()
        self._session = self._log_in(token)
        try:
            self._key = self._session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self._key_label)
        except pkcs11.PKCS11Error as e:
            self._close()
            raise KeyUnavailable(why=TOKEN_KEY) from e
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`, SHA-256. Raises `KeyUnavailable` when closed, unplugged or refused."""
        with self._lock:
            if self._key is None:
                raise KeyUnavailable(why=CLOSED)
            try:
                return self._sign(data)
            except pkcs11.PKCS11Error as e:
                raise KeyUnavailable(why=TOKEN_SIGNING) from e

    def _sign(self, data: bytes) -> bytes:
        if self._key.key_type == pkcs11.KeyType.RSA:
            return bytes(self._key.sign(data, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))
        if self._key.key_type == pkcs11.KeyType.EC:
            # few tokens know ECDSA_SHA256, so the digest is made here; X.509 wants DER, PKCS#11 gives r || s
            raw = self._key.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA)
            return bytes(pkcs11.util.ec.encode_ecdsa_signature(raw))
        raise KeyUnavailable(why=KIND)

    def _find_token(self) -> Any:
        try:
            library = pkcs11.lib(self._module)
        except (pkcs11.PKCS11Error, RuntimeError, OSError) as e:
            raise KeyUnavailable(why=MODULE) from e
        try:
            return library.get_token(token_label=self._token_label)
        except pkcs11.PKCS11Error as e:
            raise KeyUnavailable(why=TOKEN) from e

    def _log_in(self, token: Any) -> Any:
        try:
            return token.open(user_pin=self._pin)
        except pkcs11.PinIncorrect as e:
            raise KeyUnavailable(why=TOKEN_PIN) from e
        except pkcs11.PinLocked as e:
            raise KeyUnavailable(why=TOKEN_PIN) from e
        except pkcs11.PKCS11Error as e:
            raise KeyUnavailable(why=TOKEN) from e

    def _close(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except pkcs11.PKCS11Error:
                # an unplugged token cannot log out; nothing is left open on our side
                return
