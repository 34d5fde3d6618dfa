"""What the work before an act needs: files, the limited process, outside time, revocation, trust."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exchange.storage.blobs import Blobs
from keys.model import TimestampAuthority, TrustMaterial
from keys.revocation import RevocationSource


@dataclass(frozen=True, slots=True)
class Tools:
    """`run(function, *args, **kwargs)` is `signing.sandbox.Sandbox.run`: nothing else may open a PDF."""

    blobs: Blobs
    run: Callable[..., Any]
    tsa: TimestampAuthority
    revocation: RevocationSource
    trust: TrustMaterial
