"""The port to the job engine: work that must happen after the commit, asked for inside the transaction."""

from collections.abc import Mapping
from typing import Protocol


class Queue(Protocol):
    """Takes jobs in the caller's transaction: a rollback leaves none, a commit exactly one for each key.

    `kind` names an act of `api.engine`, `payload` holds ids only (no secrets, no bytes), `key` makes a repeat harmless.
    """

    def enqueue(
        self, kind: str, payload: Mapping[str, str | int | None], *, key: str, delay_seconds: int = 0
    ) -> None: ...
