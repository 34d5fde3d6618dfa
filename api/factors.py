"""Secrets of second factors at rest: under the master key, each for its own account, as private keys are.

Who has the database alone, or a backup of it, can make no codes. The service opens a secret for one code and drops it.
"""

from dataclasses import dataclass

from keys.masters import MasterRing

PURPOSE = b"congvan second factor 1 "


@dataclass(frozen=True, slots=True)
class SealedFactor:
    """A TOTP secret under the master key of that name: AES-256-GCM, nonce first, bound to its account."""

    master: str
    sealed: bytes


def seal_factor(masters: MasterRing, account: str, secret: str) -> SealedFactor:
    """Seal a secret (base32) for that account, under the newest master key."""
    return SealedFactor(*masters.seal(secret.encode(), _place(account)))


def open_factor(masters: MasterRing, account: str, factor: SealedFactor) -> str:
    """The secret (base32). Raises `KeyUnavailable` when it was altered or another's, or its master key is not here."""
    return masters.open(factor.master, factor.sealed, _place(account)).decode()


def _place(account: str) -> bytes:
    return PURPOSE + account.encode()
