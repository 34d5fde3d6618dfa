"""All SQL of the offices' feeds: numbered items are only ever added, by the sequencer alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, bindparam, column, insert, select, table, update

from exchange.rules.feed import FIRST, Head
from exchange.storage.ledger_store import HasConnection
from exchange.storage.ledger_tables import define

_made = define(MetaData())
_events = table("exchange_events", *(column(name) for name in ("id", "body")))


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One event in the feed of an office: its number there, the chain up to it, its place in the ledger."""

    seq: int
    chain: bytes
    event: str
    body: bytes
    index: int


class FeedStore:
    """The feeds, read and added through one connection, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def of(cls, store: HasConnection) -> "FeedStore":
        """The feeds in the same transaction as the room's store."""
        return cls(store.connection)

    def heads(self, offices: Iterable[str]) -> dict[str, Head]:
        """How far each feed has come; `FIRST` for an office that has none yet."""
        heads, wanted = _made.feed_heads.c, sorted(set(offices))
        rows = self._connection.execute(select(_made.feed_heads).where(heads.office.in_(wanted)))
        return dict.fromkeys(wanted, FIRST) | {row.office: Head(row.seq, bytes(row.chain)) for row in rows}

    def add(self, items: Sequence[tuple[str, str, Head]], before: dict[str, Head], after: dict[str, Head]) -> None:
        """Add (office, event, its number and chain), and move the heads of their offices on."""
        self._connection.execute(
            insert(_made.feed),
            [{"office": office, "event": event, "seq": at.seq, "chain": at.chain} for office, event, at in items],
        )
        new = {office for office in after if before[office] == FIRST}
        if new:
            fresh = [{"office": office, "seq": after[office].seq, "chain": after[office].chain} for office in new]
            self._connection.execute(insert(_made.feed_heads), fresh)
        moved = [{"whose": office, "to": at.seq, "with": at.chain} for office, at in after.items() if office not in new]
        if moved:
            heads = _made.feed_heads
            move = update(heads).where(heads.c.office == bindparam("whose"))
            self._connection.execute(move.values(seq=bindparam("to"), chain=bindparam("with")), moved)

    def head(self, office: str) -> Head:
        """How far the feed of an office has come."""
        return self.heads([office])[office]

    def chain_at(self, office: str, seq: int) -> bytes | None:
        """The chain hash up to an item; None when the feed has no such item."""
        here = _made.feed.c
        chain = self._connection.scalar(select(here.chain).where(here.office == office, here.seq == seq))
        return bytes(chain) if chain is not None else None

    def after(self, office: str, seq: int, limit: int) -> list[FeedItem]:
        """Up to `limit` items that follow item `seq`, in order."""
        feed, leaves = _made.feed, _made.leaves
        rows = self._connection.execute(
            select(feed.c.seq, feed.c.chain, feed.c.event, _events.c.body, leaves.c.index.label("place"))
            .join_from(feed, _events, _events.c.id == feed.c.event)
            .join(leaves, leaves.c.event == feed.c.event)
            .where(feed.c.office == office, feed.c.seq > seq)
            .order_by(feed.c.seq)
            .limit(limit)
        )
        return [FeedItem(row.seq, bytes(row.chain), row.event, bytes(row.body), row.place) for row in rows]
