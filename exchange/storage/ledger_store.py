"""All SQL of the ledger: pending events in, leaves, nodes, checkpoints and stamps out. Rows are only ever added."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Connection, MetaData, Row, Select, column, delete, func, insert, select, table
from sqlalchemy.exc import IntegrityError

from exchange.errors import StateChanged
from exchange.proof.evidence import LogKey
from exchange.proof.ledger import Node
from exchange.rules.model import Checkpoint
from exchange.storage.ledger_tables import define

_made = define(MetaData())
"""The ledger's own tables; `tables.py` has them again, in the metadata that creates them."""
_events = table(
    "exchange_events",
    *(column(name) for name in ("id", "type", "body", "leaf", "inward", "office", "document", "delivery")),
)
_pending = table("exchange_pending_events", column("n"), column("event"))


class HasConnection(Protocol):
    """The room's store: what the ledger needs of it is its connection, and so its transaction."""

    @property
    def connection(self) -> Connection: ...


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """A committed event without a place."""

    id: str
    leaf: bytes
    body: bytes
    inward: bool
    office: str


@dataclass(frozen=True, slots=True)
class PlacedEvent:
    """An event with its place in the ledger; `index` is None until the sequencer gave one."""

    id: str
    type: str
    body: bytes
    inward: bool
    office: str
    delivery: str | None
    index: int | None


class LedgerStore:
    """The ledger's rows, read and added through one connection, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def of(cls, store: HasConnection) -> "LedgerStore":
        """The ledger in the same transaction as the room's store."""
        return cls(store.connection)

    # -- sequencing --

    def size(self) -> int:
        """How many leaves there are."""
        last = self._connection.scalar(select(func.max(_made.leaves.c.index)))
        return 0 if last is None else int(last) + 1

    def pending(self, limit: int) -> list[PendingEvent]:
        """Committed events without a place, in the order in which they were written."""
        wanted = (_events.c.id, _events.c.leaf, _events.c.body, _events.c.inward, _events.c.office)
        rows = self._connection.execute(
            select(*wanted).join(_pending, _pending.c.event == _events.c.id).order_by(_pending.c.n).limit(limit)
        )
        return [PendingEvent(row.id, bytes(row.leaf), bytes(row.body), bool(row.inward), row.office) for row in rows]

    def place(self, first: int, events: Sequence[str], nodes: Iterable[Node]) -> None:
        """Give `events` the indexes from `first` on, add the tree's new nodes, take the events off the pending list.

        Raises `StateChanged` when another sequencer was faster: then the transaction must be rolled back.
        """
        leaves = [{"index": first + n, "event": id_} for n, id_ in enumerate(events)]
        try:
            self._connection.execute(insert(_made.leaves), leaves)
        except IntegrityError as e:
            raise StateChanged(state="sequenced") from e
        rows = [{"level": node.level, "index": node.place, "hash": node.hash} for node in nodes]
        self._connection.execute(insert(_made.nodes), rows)
        self._connection.execute(delete(_pending).where(_pending.c.event.in_(events)))

    def node(self, level: int, index: int) -> bytes:
        """The hash of one complete subtree (a `NodeReader`). Raises `KeyError` when it is not there."""
        nodes = _made.nodes
        value = self._connection.scalar(select(nodes.c.hash).where(nodes.c.level == level, nodes.c.index == index))
        if value is None:
            raise KeyError((level, index))
        return bytes(value)

    def nodes(self, level: int, first: int, count: int) -> list[bytes]:
        """The hashes of up to `count` complete subtrees of a level from `first` on, without a gap."""
        nodes = _made.nodes.c
        here = (nodes.level == level) & (nodes.index >= first) & (nodes.index < first + count)
        return [
            bytes(value) for value in self._connection.scalars(select(nodes.hash).where(here).order_by(nodes.index))
        ]

    # -- checkpoints --

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a signed root; each size has one, for ever."""
        self._connection.execute(
            insert(_made.checkpoints).values(
                size=checkpoint.size, root=checkpoint.root, note=checkpoint.note, at=_text(checkpoint.at)
            )
        )

    def latest(self) -> Checkpoint | None:
        """The checkpoint of the largest tree."""
        return self._one(_checkpoints().order_by(_made.checkpoints.c.size.desc()))

    def checkpoint(self, size: int) -> Checkpoint | None:
        """The checkpoint of exactly that size."""
        return self._one(_checkpoints().where(_made.checkpoints.c.size == size))

    def latest_stamped(self) -> Checkpoint | None:
        """The largest checkpoint that has outside time."""
        stamped = _checkpoints().where(_made.stamps.c.token.is_not(None))
        return self._one(stamped.order_by(_made.checkpoints.c.size.desc()))

    def first_stamped_above(self, index: int) -> Checkpoint | None:
        """The smallest stamped checkpoint that holds the leaf `index`: the tightest outside time for it."""
        above = _checkpoints().where(_made.stamps.c.token.is_not(None), _made.checkpoints.c.size > index)
        return self._one(above.order_by(_made.checkpoints.c.size))

    def add_stamp(self, size: int, token: bytes, at: datetime) -> bool:
        """Keep the token over a checkpoint; False when it has one already, which stays."""
        known = self._connection.scalar(select(_made.stamps.c.size).where(_made.stamps.c.size == size))
        if known is not None:
            return False
        self._connection.execute(insert(_made.stamps).values(size=size, token=token, at=_text(at)))
        return True

    def _one(self, query: Select[tuple[int, bytes, bytes, str, bytes | None]]) -> Checkpoint | None:
        row = self._connection.execute(query.limit(1)).first()
        return _checkpoint(row) if row else None

    # -- log keys --

    def keep_log_key(self, key: LogKey, at: datetime) -> bool:
        """Publish a log key, with the certificate that vouches for it if there is one; False when it is known."""
        keys = _made.log_keys
        if self._connection.scalar(select(keys.c.key).where(keys.c.key == key.key)) is not None:
            return False
        chain = json.dumps([der.hex() for der in key.chain]).encode()
        self._connection.execute(
            insert(keys).values(
                key=key.key, certificate=key.certificate, chain=chain, signature=key.signature, at=_text(at)
            )
        )
        return True

    def log_keys(self) -> tuple[LogKey, ...]:
        """Every log key ever used, oldest first."""
        rows = self._connection.execute(select(_made.log_keys).order_by(_made.log_keys.c.at, _made.log_keys.c.key))
        return tuple(
            LogKey(
                row.key,
                bytes(row.certificate) if row.certificate else None,
                tuple(bytes.fromhex(der) for der in json.loads(row.chain or "[]")),
                bytes(row.signature) if row.signature else None,
            )
            for row in rows
        )

    # -- what a pack is made of --

    def events_of(self, document: str) -> list[PlacedEvent]:
        """All events about a document and its deliveries, in the ledger's order, those without a place last."""
        leaves = _made.leaves
        rows = self._connection.execute(
            select(_events, leaves.c.index.label("place"))
            .join_from(_events, leaves, leaves.c.event == _events.c.id, isouter=True)
            .where(_events.c.document == document)
            .order_by(leaves.c.index.is_(None), leaves.c.index, _events.c.id)
        )
        return [
            PlacedEvent(row.id, row.type, bytes(row.body), bool(row.inward), row.office, row.delivery, row.place)
            for row in rows
        ]


def _checkpoints() -> Select[tuple[int, bytes, bytes, str, bytes | None]]:
    made, stamps = _made.checkpoints, _made.stamps
    return select(made.c.size, made.c.root, made.c.note, made.c.at, stamps.c.token).join_from(
        made, stamps, stamps.c.size == made.c.size, isouter=True
    )


def _checkpoint(row: Row[tuple[int, bytes, bytes, str, bytes | None]]) -> Checkpoint:
    token = bytes(row.token) if row.token is not None else None
    return Checkpoint(row.size, bytes(row.root), bytes(row.note), datetime.fromisoformat(row.at), token)


def _text(at: datetime) -> str:
    """An instant as text that sorts: SQLite keeps no time zones."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
