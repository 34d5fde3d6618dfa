"""PKCS#11 tokens and HSMs: one person at a time logs in, and every failure has its sentence.

A token's login belongs to the whole process: while one session is logged in, every other may use its keys without a
PIN. So one session for each library is open at a time, and leaving it logs out.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import pkcs11

from keys.errors import KeyUnavailable, TokenPinLocked, TokenPinWrong, Words
from keys.masters import NONCE_BYTES, split_ring

MODULE = Words("không mở được thư viện PKCS#11", "the PKCS#11 library does not open")
TOKEN = Words("không thấy thiết bị ký", "the token is not there")
TWINS = Words("có hai thiết bị cùng nhãn", "two tokens have this label")
BUSY = Words("thiết bị ký đang được người khác dùng", "somebody else is using the token")
KEY = Words("không thấy khóa trong thiết bị", "the key is not on the token")
FAILED = Words("thiết bị ký báo lỗi hoặc đã bị rút ra", "the token failed or was pulled out")
SEALED_ELSEWHERE = Words(
    "khóa chủ không phải do thiết bị này niêm", "the master key was not sealed by this token"
)  # fmt: skip

BUSY_SECONDS = 30.0
"""How long somebody waits for another's signature to end."""
LAST_TRY = Words("Chỉ còn một lần thử.", "One try is left.")
FEW_TRIES = Words("Còn ít lần thử.", "Few tries may be left.")
SOME_TRIES = Words("Thiết bị không cho biết còn mấy lần thử.", "The token does not say how many tries are left.")
PIN_WRONG = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)


@contextmanager
def token_session(module: str, token_label: str, pin: str, *, writing: bool = False) -> Iterator[Any]:
    """A logged-in session with the token of that label, closed at the end.

    `module` is the path of the vendor's library. Raises `TokenPinWrong`, `TokenPinLocked`, and `KeyUnavailable` with
    the cause; what the token refuses inside is `KeyUnavailable`, too.
    """
    with _one_at_a_time(module):
        library = _library(module)
        session = _logged_in(library, _token(library, token_label), pin, writing=writing)
        try:
            yield session
        except pkcs11.PKCS11Error as error:
            raise KeyUnavailable(why=FAILED) from error
        finally:
            # a token that was pulled out cannot log out: then the next one to come starts the library anew
            with suppress(pkcs11.PKCS11Error):
                session.close()


def key_on_token(session: Any, kind: pkcs11.ObjectClass, label: str) -> Any:
    """The key of that class and label. Raises `KeyUnavailable` when there is none, or more than one."""
    try:
        return session.get_key(object_class=kind, label=label)
    except (pkcs11.NoSuchKey, pkcs11.MultipleObjectsReturned) as error:
        raise KeyUnavailable(why=KEY) from error


def seal_ring(session: Any, label: str, masters: Sequence[bytes]) -> bytes:
    """The master keys (oldest first) sealed under an AES key of the token, made there when it is missing.

    That key never leaves the token. AES-256-GCM, nonce first.
    """
    try:
        key = key_on_token(session, pkcs11.ObjectClass.SECRET_KEY, label)
    except KeyUnavailable:
        never_out = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
        key = session.generate_key(pkcs11.KeyType.AES, 256, label=label, store=True, template=never_out)
    nonce = os.urandom(NONCE_BYTES)
    sealed = key.encrypt(b"".join(masters), mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=_gcm(nonce, label))
    return nonce + bytes(sealed)


def open_ring(session: Any, label: str, sealed: bytes) -> tuple[bytes, ...]:
    """The master keys that `seal_ring` sealed. Raises `KeyUnavailable` when the key is missing or another one."""
    key = key_on_token(session, pkcs11.ObjectClass.SECRET_KEY, label)
    nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        opened = key.decrypt(body, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=_gcm(nonce, label))
    except pkcs11.PKCS11Error as error:
        raise KeyUnavailable(why=SEALED_ELSEWHERE) from error
    return split_ring(bytes(opened))


def _gcm(nonce: bytes, label: str) -> pkcs11.GCMParams:
    return pkcs11.GCMParams(nonce, label.encode())


@contextmanager
def _one_at_a_time(module: str) -> Iterator[None]:
    turn = _turn(module)
    if not turn.acquire(timeout=BUSY_SECONDS):
        raise KeyUnavailable(why=BUSY)
    try:
        yield
    finally:
        turn.release()


@cache
def _turn(module: str) -> threading.Lock:  # noqa: ARG001 - one lock for each
    return threading.Lock()


def _library(module: str) -> Any:
    try:
        return pkcs11.lib(module)
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        raise KeyUnavailable(why=MODULE) from error


def _token(library: Any, label: str) -> Any:
    """The token with that label; a library looks for tokens anew only when it starts, so it may have to."""
    try:
        return library.get_token(token_label=label)
    except pkcs11.MultipleTokensReturned as error:
        raise KeyUnavailable(why=TWINS) from error
    except pkcs11.PKCS11Error:
        return _token_after_restart(library, label)


def _token_after_restart(library: Any, label: str) -> Any:
    try:
        library.reinitialize()
        return library.get_token(token_label=label)
    except pkcs11.PKCS11Error as error:
        raise KeyUnavailable(why=TOKEN) from error


def _logged_in(library: Any, token: Any, pin: str, *, writing: bool) -> Any:
    if token.flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
        raise TokenPinLocked
    try:
        return token.open(user_pin=pin, rw=writing)
    except pkcs11.PinLocked as error:
        raise TokenPinLocked from error
    except PIN_WRONG as error:
        raise _pin_wrong(library, token.label) from error
    except pkcs11.PKCS11Error as error:
        raise KeyUnavailable(why=FAILED) from error


def _pin_wrong(library: Any, label: str) -> TokenPinWrong | TokenPinLocked:
    """What the token tells about the tries that are left, asked again: the flags of a token are read once."""
    with suppress(pkcs11.PKCS11Error):
        library.reinitialize()  # the session that was to log in stays open otherwise, and nothing else can close it
        flags = library.get_token(token_label=label).flags
        if flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
            return TokenPinLocked()
        if flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY:
            return TokenPinWrong(left=LAST_TRY)
        if flags & pkcs11.TokenFlag.USER_PIN_COUNT_LOW:
            return TokenPinWrong(left=FEW_TRIES)
    return TokenPinWrong(left=SOME_TRIES)
