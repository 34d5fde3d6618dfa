"""What an office may read next: whose feed an event enters, the chain over it, and cursors (exchange page §13.1). Pure.

A feed is numbered 1…n without hole. `chain(n) = SHA-256(chain(n−1) ‖ leaf(n))`, so that a reader that kept its cursor
notices a past that was changed or restored.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from exchange.errors import CursorInvalid


class Head(NamedTuple):
    """A place in a feed: the number of its item, and the chain hash (32 bytes) up to it."""

    seq: int
    chain: bytes

    def then(self, leaf: bytes) -> "Head":
        """The place of the next item, whose leaf hash this is."""
        return Head(self.seq + 1, hashlib.sha256(self.chain + leaf).digest())


FIRST = Head(0, bytes(32))
"""Before the first item of every feed."""


def audience(body: Mapping[str, Any], *, inward: bool, office: str) -> frozenset[str]:
    """The offices whose feed holds this event: its own for an inward one, else the parties it names.

    `body` is the event's own JSON, `office` the one that acted.
    """
    if inward:
        return frozenset({office})
    parties = body.get("parties") or {}
    named = {parties.get("sender"), parties.get("recipient")}
    return frozenset(name for name in named if isinstance(name, str) and name) or frozenset({office})


def cursor_of(head: Head) -> str:
    """The opaque word with which a reader goes on from this place."""
    inside = json.dumps({"s": head.seq, "h": _coded(head.chain)}, separators=(",", ":"))
    return f"cur_{_coded(inside.encode())}"


def read_cursor(text: str) -> Head:
    """The place that a cursor means. Raises `CursorInvalid` for anything that `cursor_of` did not write."""
    try:
        inside = json.loads(_decoded(text.removeprefix("cur_")))
        head = Head(inside["s"], _decoded(inside["h"]))
    except (ValueError, binascii.Error, KeyError, TypeError, RecursionError) as error:
        raise CursorInvalid from error
    if type(head.seq) is not int or not 0 <= head.seq < 2**53 or cursor_of(head) != text:
        raise CursorInvalid
    return head


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
