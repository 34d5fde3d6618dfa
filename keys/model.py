"""The values of the room `keys`. All are frozen; a certificate *is* its SHA-256 fingerprint."""

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


class Signer(Protocol):
    """One face for every key: a vault key that was opened, a PKCS#11 token, a remote service.

    `certificate` and `chain` are DER; `sign(data)` gives the raw signature (RSA PKCS#1 v1.5 or ECDSA, SHA-256) over `data`.
    """

    @property
    def certificate(self) -> bytes: ...

    @property
    def chain(self) -> tuple[bytes, ...]: ...

    def sign(self, data: bytes) -> bytes: ...


class TimestampAuthority(Protocol):
    """Gives RFC 3161 tokens. `stamp(digest)` takes a SHA-256 digest and returns a checked TimeStampToken (ContentInfo DER).

    Raises `TsaUnavailable` when there is no answer, `TimestampRejected` when the answer is wrong.
    """

    def stamp(self, digest: bytes) -> bytes: ...
