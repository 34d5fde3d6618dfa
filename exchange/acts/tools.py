"""What the work before an act needs: files, the limited process, outside time, revocation, trust."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from exchange.storage.blobs import Blobs
from keys.model import TimestampAuthority, TrustMaterial
from keys.revocation import RevocationSource
from signing.model import Level


@dataclass(frozen=True, slots=True)
class Levels:
    """How much proof each kind of signature gets; the seal comes last, so its archive time covers the leader's, too."""

    leader: Level = Level.LT
    seal: Level = Level.LTA


@dataclass(frozen=True, slots=True)
class Tools:
    """`run(function, *args, **kwargs)` is `signing.sandbox.Sandbox.run`: nothing else may open a PDF.

    `named` remembers the certificates (DER) in files by their SHA-256, for as long as the process lives; `levels_of`
    says what the signatures of an office get.
    """

    blobs: Blobs
    run: Callable[..., Any]
    tsa: TimestampAuthority
    revocation: RevocationSource
    trust: TrustMaterial
    named: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    levels_of: Callable[[str], Levels] = lambda _: Levels()
