"""One key, one answer: what identifies a request, and the answer that is stored with its effect (RFC draft, §9.2).

A refusal is never stored: the client may mend and repeat with the same key. PINs, passwords and one-time codes stay
out of the fingerprint: a digest of a short secret gives it away.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rfc8785

from api.errors import Malformed

SECRET_FIELDS = frozenset({"pin", "otp", "password", "code"})
MOST_KEY = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """Which request this is; without a key nothing is stored and nothing replayed."""

    key: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told; `replayed` when it was told so before."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    replayed: bool = False


def asked_of(method: str, path: str, body: Mapping[str, Any], key: str | None) -> Asked:
    """The identity of a request. Raises `Malformed` for a key not of 1–64 visible ASCII, or a strange body."""
    if key is not None and not (0 < len(key) <= MOST_KEY and all("!" <= c <= "~" for c in key)):
        raise Malformed(what="Idempotency-Key")
    told = {name: value for name, value in body.items() if name not in SECRET_FIELDS}
    try:
        canonical = rfc8785.dumps([method, path, told])
    except rfc8785.CanonicalizationError as error:  # numbers and text that JSON between systems cannot carry
        raise Malformed(what="JSON") from error
    return Asked(key, hashlib.sha256(canonical).hexdigest())
