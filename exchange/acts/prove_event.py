"""Prove one event, or the ledger's growth, to whoever asks: audit paths, consistency, tiles (exchange page §8.3).

Tiles and checkpoints are laid out as C2SP tlog-tiles has it (https://c2sp.org/tlog-tiles): leaf hashes only, so that a
witness or a mirror can follow the ledger without being shown an event.
"""

from dataclasses import dataclass

from exchange.errors import EvidencePending, NotFound
from exchange.proof.ledger import TILE_WIDTH, Tile, consistency_proof, inclusion_proof
from exchange.rules.model import Checkpoint, Event
from exchange.storage.ledger_store import LedgerStore


@dataclass(frozen=True, slots=True)
class EventProof:
    """Where an event stands: `path` leads from its leaf at `index` to the root of `checkpoint`."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


def prove_event(ledger: LedgerStore, event: Event) -> EventProof:
    """The proof under the tightest stamped checkpoint, under the newest one while none above is stamped.

    Raises `EvidencePending` for an event without a place.
    """
    if event.index is None:
        raise EvidencePending
    checkpoint = ledger.first_stamped_above(event.index) or ledger.latest()
    if checkpoint is None or checkpoint.size <= event.index:
        raise EvidencePending
    return EventProof(event.index, inclusion_proof(event.index, checkpoint.size, ledger.node), checkpoint)


def prove_growth(ledger: LedgerStore, old: int, new: int) -> tuple[bytes, ...]:
    """The proof that the tree of `new` leaves begins with that of `old`. Raises `NotFound` for sizes it has not."""
    if not 0 <= old <= new <= ledger.size():
        raise NotFound
    return consistency_proof(old, new, ledger.node)


def tile_bytes(ledger: LedgerStore, tile: Tile) -> bytes:
    """The hashes of a tile, one after the other. Raises `NotFound` for one that the ledger does not fill that far."""
    hashes = ledger.nodes(tile.level * 8, tile.place * TILE_WIDTH, tile.width)
    if len(hashes) < tile.width:
        raise NotFound
    return b"".join(hashes)
