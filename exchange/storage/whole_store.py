"""SQL over a store as a whole, for those who copy it and for those who prove it: every file's name, every leaf, every
run of numbers. Rows come in pieces, so that memory stays flat however much there is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, String, cast, func, literal, select, union
from sqlalchemy.sql.elements import ColumnElement

from exchange.rules.model import Checkpoint
from exchange.storage import tables as t
from exchange.storage.store import SESSION_GOES_ON

PIECE = 1000


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that rows name; `kept` is false when they may lose it: an upload, a file prepared for a signature."""

    sha256: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf of the ledger: its place, the node that stands there, and the event that it should be of."""

    index: int
    node: bytes | None
    event: str
    body: bytes | None
    leaf: bytes | None


@dataclass(frozen=True, slots=True)
class Run:
    """A series of numbers or an arrival book: how far it counted, and what stands in it."""

    name: str
    last: int
    entries: int
    lowest: int | None
    highest: int | None

    @property
    def whole(self) -> bool:
        """Whether it is 1…n, each once: the entries are unique, so their count and their ends say it."""
        return self.entries == self.last and (not self.last or (self.lowest, self.highest) == (1, self.last))


class WholeStore:
    """The store as a whole, on one connection that sees one state."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- copying --

    def share_snapshot(self) -> str:
        """PostgreSQL: a name under which another program sees the same state, as long as this transaction is open."""
        return str(self._connection.scalar(select(func.pg_export_snapshot())))

    def files(self) -> Iterator[NamedFile]:
        """Every file that a row names, once each, in the order of their names."""
        kept, passing = _names_kept(), _names_passing()
        both = union(
            *(select(one.label("sha256"), literal(1).label("kept")).where(one.is_not(None)) for one in kept),
            *(query.add_columns(literal(0).label("kept")) for query in passing),
        ).subquery()
        wanted = select(both.c.sha256, func.max(both.c.kept)).group_by(both.c.sha256).order_by(both.c.sha256)
        for row in self._connection.execute(wanted.execution_options(yield_per=PIECE)):
            yield NamedFile(row[0], bool(row[1]))

    def forget_files(self, names: Iterable[str]) -> None:
        """Forget uploads and prepared signatures whose bytes are not there."""
        gone = list(names)
        sessions = t.signing_sessions.c
        for start in range(0, len(gone), PIECE):
            some = gone[start : start + PIECE]
            self._connection.execute(t.uploads.delete().where(t.uploads.c.sha256.in_(some)))
            prepared = sessions.prepared.in_(some) & (sessions.state == "prepared")
            self._connection.execute(t.signing_sessions.delete().where(prepared))

    def is_empty(self) -> bool:
        """Whether nobody has ever put anything in: no office, no event."""
        held = (select(t.offices.c.code).limit(1), select(t.events.c.id).limit(1))
        return all(self._connection.execute(one).first() is None for one in held)

    # -- the ledger --

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf in order, with its node and its event, each None where it is missing."""
        leaves, nodes = t.ledger.leaves, t.ledger.nodes
        here = (nodes.c.level == 0) & (nodes.c.index == leaves.c.index)
        wanted = (
            select(leaves.c.index, nodes.c.hash, leaves.c.event, t.events.c.body, t.events.c.leaf)
            .join_from(leaves, nodes, here, isouter=True)
            .join(t.events, t.events.c.id == leaves.c.event, isouter=True)
            .order_by(leaves.c.index)
        )
        for row in self._connection.execute(wanted.execution_options(yield_per=PIECE)):
            yield Leaf(row[0], _bytes(row[1]), row[2], _bytes(row[3]), _bytes(row[4]))

    def nodes_above(self) -> int:
        """How many inner nodes of the tree are kept."""
        return int(self._connection.scalar(select(func.count()).where(t.ledger.nodes.c.level > 0)) or 0)

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Every checkpoint, with its stamp if it has one, by size."""
        made, stamps = t.ledger.checkpoints, t.ledger.stamps
        wanted = (
            select(made, stamps.c.token)
            .join_from(made, stamps, stamps.c.size == made.c.size, isouter=True)
            .order_by(made.c.size)
        )
        for row in self._connection.execute(wanted.execution_options(yield_per=PIECE)):
            at = datetime.fromisoformat(row.at)
            yield Checkpoint(row.size, bytes(row.root), bytes(row.note), at, _bytes(row.token))

    def waiting(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Events that wait for their place: id, body and leaf hash."""
        here = t.events.c
        wanted = select(here.id, here.body, here.leaf).join(t.pending_events, t.pending_events.c.event == here.id)
        for row in self._connection.execute(wanted.execution_options(yield_per=PIECE)):
            yield row[0], bytes(row[1]), bytes(row[2])

    def unplaced(self) -> list[str]:
        """Events that have no leaf and do not wait for one either: nothing would ever place them."""
        leaves, waiting = t.ledger.leaves, t.pending_events
        wanted = (
            select(t.events.c.id)
            .join(leaves, leaves.c.event == t.events.c.id, isouter=True)
            .join(waiting, waiting.c.event == t.events.c.id, isouter=True)
            .where(leaves.c.event.is_(None), waiting.c.event.is_(None))
            .order_by(t.events.c.id)
        )
        return list(self._connection.scalars(wanted.limit(PIECE)))

    # -- runs of numbers --

    def series(self) -> list[Run]:
        """Every series of numbers."""
        here, entries = t.series.c, t.numbers.c
        name = here.office + " " + cast(here.year, String) + " " + here.name
        wanted = (
            select(name, here.last, func.count(entries.id), func.min(entries.n), func.max(entries.n))
            .join_from(t.series, t.numbers, entries.series == here.id, isouter=True)
            .group_by(here.id, here.office, here.year, here.name, here.last)
            .order_by(name)
        )
        return [Run(*row) for row in self._connection.execute(wanted)]

    def books(self) -> list[Run]:
        """Every arrival book."""
        here, entries = t.books.c, t.incoming.c
        name = here.office + " " + cast(here.year, String) + " " + here.book
        same = (entries.office == here.office) & (entries.book == here.book) & (entries.year == here.year)
        wanted = (
            select(name, here.last, func.count(entries.id), func.min(entries.number), func.max(entries.number))
            .join_from(t.books, t.incoming, same, isouter=True)
            .group_by(here.office, here.book, here.year, here.last)
            .order_by(name)
        )
        return [Run(*row) for row in self._connection.execute(wanted)]


def _names_kept() -> tuple[ColumnElement[str], ...]:
    """Columns that name files for ever."""
    return (t.revisions.c.sha256, t.attachments.c.sha256, t.attachments.c.sealed_sha256, t.archive_files.c.sha256)


def _names_passing() -> tuple[Select[tuple[str]], ...]:
    """Names of files that may go while somebody copies: uploads that are whole, files prepared for a signature."""
    sessions = t.signing_sessions.c
    goes_on = select(sessions.prepared.label("sha256")).where(sessions.state.in_(SESSION_GOES_ON))
    return (select(t.uploads.c.sha256.label("sha256")).where(t.uploads.c.done), goes_on)


def _bytes(value: object) -> bytes | None:
    return None if value is None else bytes(value)  # type: ignore[call-overload]
