"""Give events their place: indexes and tree, signed checkpoints, and the outside time above them.

One sequencer runs at a time; a second one by accident loses its transaction, never the order. Nothing leaves the
service before its event has a place.
"""

import hashlib
from datetime import datetime
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.acts.feed import extend
from exchange.errors import RestoredBehind
from exchange.proof.evidence import LogKey, vouch
from exchange.proof.ledger import (
    VerifierKey,
    append,
    checkpoint_text,
    note_text,
    open_note,
    read_checkpoint,
    root_of,
    sign_note,
    verifier_key,
)
from exchange.rules.model import Checkpoint
from exchange.storage.feed_store import FeedStore
from exchange.storage.ledger_store import HasConnection, LedgerStore
from keys.model import Signer, TimestampAuthority

BATCH = 1000


class InTransaction(Protocol):
    """The part of a transaction that the ledger needs."""

    @property
    def store(self) -> HasConnection: ...


class CanStamp(Protocol):
    """The part of the tools that stamping needs."""

    @property
    def tsa(self) -> TimestampAuthority: ...


def sequence(
    tx: InTransaction, *, log_key: Ed25519PrivateKey, origin: str, at: datetime, batch: int = BATCH
) -> Checkpoint | None:
    """Place up to `batch` pending events at the end of the ledger and sign its new root; None when nothing waits.

    Each also gets its number in the feed of every office that may see it.

    `origin` is the ledger's name, the first line of each checkpoint. Call it again while it returns a checkpoint.
    Raises `StateChanged` when another sequencer placed the same events first: roll back, they have their place.
    """
    ledger = LedgerStore.of(tx.store)
    waiting = ledger.pending(batch)
    if not waiting:
        return None
    first = ledger.size()
    ledger.place(first, [one.id for one in waiting], append(first, [one.leaf for one in waiting], ledger.node))
    extend(FeedStore.of(tx.store), waiting)
    ledger.keep_log_key(LogKey(verifier_key(origin, log_key).text), at)
    checkpoint = _signed(ledger, first + len(waiting), log_key, origin, at)
    ledger.add_checkpoint(checkpoint)
    return checkpoint


def _signed(ledger: LedgerStore, size: int, key: Ed25519PrivateKey, origin: str, at: datetime) -> Checkpoint:
    root = root_of(size, ledger.node)
    return Checkpoint(size, root, sign_note(checkpoint_text(origin, size, root), origin, key), at)


def publish_log_key(
    tx: InTransaction, *, log_key: Ed25519PrivateKey, origin: str, service: Signer, at: datetime
) -> LogKey:
    """Let the service's certificate vouch for the log key; to be done once, before the first event is sequenced.

    Packs carry that word, so that whoever trusts the certificate's authority needs no other key.
    """
    key = vouch(service, verifier_key(origin, log_key))
    LedgerStore.of(tx.store).keep_log_key(key, at)
    return key


def to_stamp(store: HasConnection) -> Checkpoint | None:
    """The checkpoint that wants outside time now: the newest, unless it has it. One stamp covers everything below."""
    latest = LedgerStore.of(store).latest()
    return latest if latest and latest.stamp is None else None


def stamp(tools: CanStamp, checkpoint: Checkpoint) -> bytes:
    """Ask the time authority for a token over the SHA-256 of the checkpoint's text; no transaction may be open.

    Raises `TsaUnavailable` or `TimestampRejected`; nothing is lost then, the next call covers everything since.
    """
    return tools.tsa.stamp(hashlib.sha256(note_text(checkpoint.note)).digest())


def keep_stamp(tx: InTransaction, checkpoint_size: int, token: bytes, *, at: datetime) -> bool:
    """Keep the token for the checkpoint of that size; False, and no change, when it has one already."""
    return LedgerStore.of(tx.store).add_stamp(checkpoint_size, token, at)


def check_not_behind(store: HasConnection, note: bytes, key: VerifierKey) -> None:
    """The start-up check: the ledger must hold what a checkpoint kept elsewhere says. `key` opens that `note`.

    Raises `RestoredBehind` when the ledger is shorter, or is another one; a note that `key` did not sign says nothing.
    """
    text = open_note(note, key)
    known = read_checkpoint(text) if text else None
    if known is None:
        return
    ledger, (_, size, root) = LedgerStore.of(store), known
    held = ledger.size()
    if held < size or root_of(size, ledger.node) != root:
        raise RestoredBehind(size=held, known=size)
