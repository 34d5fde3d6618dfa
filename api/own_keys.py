"""The keys with which somebody signs here: where each lies, what they type for it, and a code that is sent to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from api import schemas
from api.accounts import Caller
from api.cases import ACTS_OF_KEYS, key_of
from api.wiring import Parts
from exchange.errors import CertificateMissing, NotAllowed
from keys.errors import OtpNotSent
from keys.model import Certificate, Elsewhere, KeyPlace, OneTimeCode
from keys.remote import send_otp


@dataclass(frozen=True, slots=True)
class OwnKey:
    """The key for one act (`sign` or `seal`), and what its person types; `place` is `vault`, `token` or `remote`."""

    act: str
    place: str
    asks_pin: bool
    otp: OneTimeCode | None
    certificate: Certificate


def own_keys(parts: Parts, caller: Caller) -> list[OwnKey]:
    """The caller's keys at this service, by act; one that is at the caller's desk is not among them."""
    found = []
    for act in ACTS_OF_KEYS:
        try:
            found.append(own_key(parts, caller, act))
        except CertificateMissing:
            continue
    return found


def own_key(parts: Parts, caller: Caller, act: str) -> OwnKey:
    """The key with which the caller would do that act. Raises `CertificateMissing`."""
    record = key_of(parts, caller, ACTS_OF_KEYS[act])
    there = _there(parts, caller, record.id)
    if there is None:
        return OwnKey(act, "vault", True, None, record.certificate)
    return OwnKey(act, there.place, there.pin_from is None and there.asks_pin, there.otp, record.certificate)


def for_acts(parts: Parts, caller: Caller, acts: Iterable[str]) -> OwnKey | None:
    """The key for the first of these acts that takes one; None where none does, or where the caller has none here."""
    act = next((one for one in acts if one in ACTS_OF_KEYS), None)
    try:
        return own_key(parts, caller, act) if act else None
    except CertificateMissing:
        return None


def send_code(parts: Parts, caller: Caller, act: str) -> None:
    """Have the remote service send the caller the one-time code for that act; nothing is signed.

    Raises `CertificateMissing`, `OtpNotSent` for a key without such a code, `KeyUnavailable`, and `NotAllowed`.
    """
    if act not in ACTS_OF_KEYS:
        raise NotAllowed(needed="sign, seal")
    there = _there(parts, caller, key_of(parts, caller, ACTS_OF_KEYS[act]).id)
    if there is None or there.place is not KeyPlace.REMOTE or there.otp is not OneTimeCode.SENT:
        raise OtpNotSent
    send_otp(parts.remote_service(there.service), parts.call, there.key)


def _there(parts: Parts, caller: Caller, key: str) -> Elsewhere | None:
    with parts.read() as reading:
        return reading.keys.elsewhere(key, caller.actor.id)


def own_key_json(key: OwnKey) -> dict[str, Any]:
    """A key of one's own: for which act, where it lies, what is typed for it, and its certificate in short."""
    return {
        "act": key.act, "place": key.place, "pin": key.asks_pin, "otp": key.otp,
        "certificate": {
            "name": key.certificate.common_name, "sha256": key.certificate.fingerprint,
            "not_after": schemas.instant(key.certificate.not_after),
        },
    }  # fmt: skip
