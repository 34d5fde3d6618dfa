"""The values of the room `keys`. All are frozen; a certificate *is* its SHA-256 fingerprint."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol

Fingerprint = NewType("Fingerprint", str)
"""Lower-case hexadecimal SHA-256 of a certificate's DER bytes."""


class TrustWorld(StrEnum):
    """Which family of authorities vouches for a certificate (law-and-practice R78)."""

    VGCA = "vgca"
    NEAC = "neac"
    PILOT = "pilot"
    OFFICE = "office"


class Purpose(StrEnum):
    """What a certificate is for."""

    PERSON = "person"
    ORGANISATION = "organisation"
    TIMESTAMP = "timestamp"
    SERVICE = "service"
    AUTHORITY = "authority"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an X.509 certificate says, read once.

    `organisation` is the subject's O, `office_code` its organizationIdentifier (2.5.4.97) where there is one.
    """

    der: bytes
    fingerprint: Fingerprint
    common_name: str
    organisation: str | None
    office_code: str | None
    title: str | None
    serial: int
    issuer: str
    not_before: datetime
    not_after: datetime
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Anchor:
    """A certificate trusted by decision, and the world it stands for."""

    der: bytes
    world: TrustWorld


@dataclass(frozen=True, slots=True)
class TrustMaterial:
    """All that is trusted at one moment: anchors, and intermediates that help to build chains (DER)."""

    anchors: tuple[Anchor, ...]
    intermediates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class RevocationData:
    """Answers about revocation as bytes (DER): what a verdict was made from, so that it can be replayed."""

    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Wrapping:
    """A private key sealed under a PIN and a master key (`keys/vault.py`), with the cost of guessing that PIN.

    `memory_kib`, `iterations` and `lanes` are the argon2id parameters with which it was sealed: stored with it, so that
    new wrappings can cost more while old ones still open. `master` is the name of the master key (`keys/masters.py`).
    """

    salt: bytes
    nonce: bytes
    sealed: bytes
    memory_kib: int
    iterations: int
    lanes: int
    master: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key that we keep: its certificate, what it is for, and the office it belongs to.

    `chain` holds the issuers (DER) from the certificate's own up to and including the anchor.
    """

    id: str
    certificate: Certificate
    purpose: Purpose
    office: str
    chain: tuple[bytes, ...] = ()
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InUse:
    """A certificate with which somebody signs now: a key that we know of, or one at somebody's desk."""

    certificate: Certificate
    purpose: Purpose
    office: str
    revoked_at: datetime | None
    asked_at: datetime | None
    warned_days: int | None


class KeyPlace(StrEnum):
    """Where a private key lies that is not in the vault."""

    TOKEN = "token"  # noqa: S105 - a word, no secret
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """How to reach a key on a token or at a remote service.

    `service` is a name of the settings: of a PKCS#11 library (its path never comes out of a database) or of a remote
    service. `token` is the token's label (empty for a service), `key` the key's label or the credential's id.
    `pin_from` names a credential that holds the PIN; None: the person types it, unless `asks_pin` says that there is
    none. `otp`: where a one-time code comes from that the person types too.
    """

    place: KeyPlace
    service: str
    token: str
    key: str
    pin_from: str | None = None
    asks_pin: bool = True
    otp: "OneTimeCode | None" = None


class OneTimeCode(StrEnum):
    """Where the one-time code of a remote key comes from: the service sends it, or the person's own device makes it."""

    SENT = "sent"
    OWN = "own"


class Signer(Protocol):
    """One face for every key: a vault key that was opened, a PKCS#11 token, a remote service.

    `certificate` and `chain` are DER; `sign(data)` gives the raw signature over `data`
    (RSA PKCS#1 v1.5 or ECDSA, SHA-256).
    """

    @property
    def certificate(self) -> bytes: ...

    @property
    def chain(self) -> tuple[bytes, ...]: ...

    def sign(self, data: bytes) -> bytes: ...


class Fetch(Protocol):
    """The one way out to the network, handed in by whoever may open sockets (allow-list, addresses, timeouts there).

    A GET, or with `body` a POST of `content_type`; returns the body of the answer, at most `limit` bytes.
    Raises `ConnectionError` when there is no good answer, whatever the reason.
    """

    def __call__(
        self, url: str, *, body: bytes | None = None, content_type: str | None = None, limit: int = 10_000_000
    ) -> bytes: ...


class Call(Protocol):
    """The same way out, for services that explain a refusal: a POST, and the status and body of whatever comes back.

    `headers` may hold secrets: they go to the host of `url` and into no log. Raises `ConnectionError` when there is no
    answer.
    """

    def __call__(
        self, url: str, *, body: bytes, content_type: str, headers: Mapping[str, str], limit: int
    ) -> tuple[int, bytes]: ...


class TimestampAuthority(Protocol):
    """Gives RFC 3161 tokens.

    `stamp(digest)` takes a SHA-256 digest and returns a checked TimeStampToken (ContentInfo DER).
    Raises `TsaUnavailable` when there is no answer, `TimestampRejected` when the answer is wrong.
    """

    def stamp(self, digest: bytes) -> bytes: ...
