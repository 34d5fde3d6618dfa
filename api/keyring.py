"""What is done with keys and certificates outside the road of a document: the master key changed, keys brought in.

Each function takes the running parts; what must hold, its transaction holds.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from api.errors import KeyFileUnreadable
from api.factors import open_factor, seal_factor
from api.masters import keep_masters, load_masters, one_rotation
from api.wiring import Parts, Writing
from exchange.errors import PersonUnknown
from keys.certificates import fingerprint, signed_by
from keys.errors import KeyUnavailable, RevocationUnavailable, Words
from keys.intake import require_fit
from keys.masters import new_master
from keys.model import (
    Certificate,
    Elsewhere,
    KeyPlace,
    KeyRecord,
    OneTimeCode,
    Purpose,
    RevocationData,
    Signer,
    TrustMaterial,
)
from keys.remote import credential_of
from keys.signer import KIND, NOT_ITS_CERTIFICATE, Pkcs11Signer, PrivateKey, VaultSigner
from keys.trust import chain_of, world_of
from keys.vault import rewrap, wrap

MOST_AT_ONCE = 100
"""Keys in one transaction of a rotation."""


PERSON_ALONE = Words(
    "khóa của cá nhân chỉ mở bằng mã PIN do chính người đó nhập", "a person's key is opened by the PIN that they type"
)


@dataclass(frozen=True, slots=True)
class For:
    """Whose key it is to be: the login of who uses it, their office (code), and what it signs as."""

    login: str
    office: str
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """A key that was brought in; `unchecked`: nobody could say whether its certificate is revoked."""

    key: str
    certificate: Certificate
    unchecked: bool
    replaced: tuple[str, ...]


def bring_in_file(parts: Parts, whose: For, data: bytes, password: str, pin: str) -> BroughtIn:
    """Put the private key of a PKCS#12 file into the vault, sealed under `pin`, which its holder alone knows.

    Raises `KeyFileUnreadable`, `PinTooShort`, `CertificateUnfit`, `PersonUnknown`, `KeyUnavailable`.
    """
    private, certificate, more = _opened(data, password)
    checked = _checked(parts, whose, certificate, more)
    _require_belonging(VaultSigner(private, certificate, ()))
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    key = _id_of(parts, checked.certificate)
    sealed = wrap(der, pin=pin, masters=parts.masters, key=key, holder=checked.holder)
    keep: Callable[[Writing], None] = lambda w: w.keys.add_wrapping(key, checked.holder, sealed, parts.now())  # noqa: E731
    return _kept(parts, whose, checked, key, keep)


def bring_in_token(parts: Parts, whose: For, there: Elsewhere, pin: str, certificates: list[bytes]) -> BroughtIn:
    """Let its holder sign with a key on a token; `certificates` (DER): its own, then others that help the chain.

    The token signs once to show that the certificate is its own. Raises as `bring_in_file`, and `TokenPinWrong`,
    `TokenPinLocked`.
    """
    if there.pin_from is not None and whose.purpose is Purpose.PERSON:
        raise KeyUnavailable(why=PERSON_ALONE)
    own, more = certificates[0], tuple(certificates[1:])
    checked = _checked(parts, whose, own, more)
    with Pkcs11Signer(parts.pkcs11_module(there.service), there.token, there.key, pin, own, ()) as signer:
        _require_belonging(signer)
    return _kept_elsewhere(parts, whose, checked, there)


def bring_in_remote(parts: Parts, whose: For, service: str, credential: str) -> BroughtIn:
    """Let its holder sign with a key at a remote service, whose certificate the service itself hands out.

    Nothing is signed now: that would spend a code. Every signature is checked with the certificate when it is made.
    """
    told = credential_of(parts.remote_service(service), parts.call, credential)
    checked = _checked(parts, whose, told.certificate, told.chain)
    otp = (OneTimeCode.SENT if told.sends_otp else OneTimeCode.OWN) if told.needs_otp else None
    there = Elsewhere(KeyPlace.REMOTE, service, "", credential, asks_pin=told.needs_pin or otp is None, otp=otp)
    return _kept_elsewhere(parts, whose, checked, there)


def bring_in_desk(parts: Parts, whose: For, certificates: list[bytes]) -> BroughtIn:
    """Record that its holder has this certificate's key at the desk, where a program of theirs signs with it.

    Nothing is signed now: every signature that comes from there is checked with the certificate. Raises
    `CertificateUnfit`, `PersonUnknown`.
    """
    checked = _checked(parts, whose, certificates[0], tuple(certificates[1:]))
    read, at = checked.certificate, parts.now()
    with parts.write() as writing:
        world = world_of(read.der, checked.material)
        writing.keys.add_holder(read, world, checked.holder, whose.purpose, whose.office, at)
    return BroughtIn("desk", read, checked.unchecked, ())


def end_desk(parts: Parts, login: str, certificate: bytes) -> bool:
    """Nothing signed with this certificate is that person's any more; False when it was not recorded."""
    with parts.write() as writing:
        account = writing.people.account_by_login(login)
        if account is None:
            raise PersonUnknown
        return writing.keys.end_holder(fingerprint(certificate), account.id, parts.now())


def keys_in_use(parts: Parts, office: str | None) -> list[tuple[KeyRecord, list[str]]]:
    """Every key that is in use, of one office or of all, with the logins of who may use it."""
    with parts.read() as reading:
        return [
            (record, [_login(reading.people.account(one)) for one in reading.keys.holders(record.id)])
            for record in reading.keys.keys_in_use(office)
        ]


def retire(parts: Parts, key: str) -> None:
    """Nobody signs with this key any more; its certificate stays as evidence."""
    with parts.write() as writing:
        writing.keys.retire_key(key, parts.now())


@dataclass(frozen=True, slots=True)
class _Checked:
    holder: str
    certificate: Certificate
    material: TrustMaterial
    unchecked: bool


def _checked(parts: Parts, whose: For, der: bytes, more: tuple[bytes, ...]) -> _Checked:
    """The certificate and its holder, when they fit each other and what is trusted; no transaction is open."""
    with parts.read() as reading:
        account = reading.people.account_by_login(whose.login)
        roles = reading.people.roles(account.id) if account else {}
        trusted = reading.keys.material()
    if account is None or whose.office not in roles:
        raise PersonUnknown
    material = TrustMaterial(trusted.anchors, (*trusted.intermediates, *more))
    revocation, unchecked = _revocation(parts, der, material)
    certificate = require_fit(
        der, material, purpose=whose.purpose, name=account.name, office=whose.office, revocation=revocation,
        at=parts.now(),
    )  # fmt: skip
    return _Checked(account.id, certificate, material, unchecked)


def _revocation(parts: Parts, der: bytes, material: TrustMaterial) -> tuple[RevocationData, bool]:
    """The answers about a certificate, and whether some could not be had: signing asks again, and insists."""
    try:
        return parts.revocation.about([der], material, at=parts.now()), False
    except RevocationUnavailable as missing:
        return missing.found, True


def _opened(data: bytes, password: str) -> tuple[PrivateKey, bytes, tuple[bytes, ...]]:
    try:
        store = load_pkcs12(data, password.encode() or None)
    except (ValueError, TypeError) as error:
        raise KeyFileUnreadable from error
    if store.key is None or store.cert is None:
        raise KeyFileUnreadable
    if not isinstance(store.key, PrivateKey):
        raise KeyUnavailable(why=KIND)
    own = store.cert.certificate.public_bytes(Encoding.DER)
    return store.key, own, tuple(one.certificate.public_bytes(Encoding.DER) for one in store.additional_certs)


def _require_belonging(signer: Signer) -> None:
    """The key shows once that the certificate is its own."""
    challenge = os.urandom(32)
    if not signed_by(signer.certificate, challenge, signer.sign(challenge)):
        raise KeyUnavailable(why=NOT_ITS_CERTIFICATE)


def _id_of(parts: Parts, certificate: Certificate) -> str:
    """The key with that certificate, when another holder has brought it in before, else a new one."""
    with parts.read() as reading:
        known = reading.keys.key_of_certificate(certificate.fingerprint)
    return known.id if known else f"key_{secrets.token_hex(16)}"


def _kept_elsewhere(parts: Parts, whose: For, checked: _Checked, there: Elsewhere) -> BroughtIn:
    key = _id_of(parts, checked.certificate)
    return _kept(parts, whose, checked, key, lambda w: w.keys.add_elsewhere(key, checked.holder, there))


def _kept(parts: Parts, whose: For, checked: _Checked, key: str, keep: Callable[[Writing], None]) -> BroughtIn:
    """Write the key down; what its holder signed with before as the same is given up, its certificate stays."""
    at, certificate = parts.now(), checked.certificate
    with parts.write() as writing:
        anchors = {fingerprint(anchor.der) for anchor in checked.material.anchors}
        for der in chain_of(certificate.der, checked.material):
            if fingerprint(der) not in anchors:
                writing.keys.add_intermediate(der, at)
        before = [
            record.id
            for record in writing.keys.keys_for(checked.holder)
            if (record.purpose, record.office) == (whose.purpose, whose.office) and record.id != key
        ]
        for old in before:
            writing.keys.drop_holder(old, checked.holder, at)
        name = writing.keys.add_certificate(certificate, world_of(certificate.der, checked.material), at)
        if writing.keys.key(key) is None:
            writing.keys.add_key(key, name, whose.purpose, whose.office, at)
        keep(writing)
    return BroughtIn(key, certificate, checked.unchecked, tuple(before))


def _login(account: object) -> str:
    return str(getattr(account, "login", "–"))


def rotate_master(parts: Parts, told: Callable[[str, int], None] = lambda *_: None) -> int:
    """Put every key, and every second factor, under a new master key and forget the old one; says how many were moved.

    PINs stay as they are.

    Killed anywhere it leaves every key openable: the old key is forgotten only when nothing is under it. Called again
    it goes on where it was. `told(step, keys)` is called along the way. Raises `MasterKeyFixed`, `KeyUnavailable`.
    """
    settings = parts.settings
    with one_rotation(settings):
        held = load_masters(settings)
        if len(held) == 1:
            keep_masters(settings, (*held, new_master()))
        parts.masters.reload()
        told("kept", 0)
        with parts.write() as writing:
            writing.keys.retire_masters(parts.masters.newest, parts.masters.names, parts.now())
        told("retired", 0)
        moved = 0
        while step := _move_some(parts):
            moved += step
            told("moved", moved)
        if settings.master_key != "credential":
            keep_masters(settings, load_masters(settings)[-1:])
            parts.masters.reload()
        told("forgotten", moved)
        return moved


def _move_some(parts: Parts) -> int:
    newest, masters = parts.masters.newest, parts.masters
    with parts.read() as reading:
        found = reading.keys.wrappings_of_others(newest, MOST_AT_ONCE)
        factors = reading.people.factors_of_others(newest, MOST_AT_ONCE)
    made = [(key, who, old, rewrap(old, masters=masters, key=key, holder=who)) for key, who, old in found]
    again = [(who, old, seal_factor(masters, who, open_factor(masters, who, old))) for who, old in factors]
    with parts.write() as writing:
        for key, holder, old, new in made:
            writing.keys.replace_wrapping(key, holder, old, new)
        for holder, former, fresh in again:
            writing.people.replace_factor(holder, former, fresh)
    return len(made) + len(again)
