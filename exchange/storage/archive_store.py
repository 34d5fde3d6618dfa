"""All SQL of the archive: the files in its care, until when their newest time stamp proves, and the renewed ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from exchange.storage import tables as t
from exchange.storage.ledger_store import HasConnection


@dataclass(frozen=True, slots=True)
class Archived:
    """A file that was issued, and how far its proof goes: `newest` is it or its last renewal, the `n`-th.

    `ends_at` is None until it was looked at. At `due_at` it is looked at again; `failures` and `code` say why the last
    tries came to nothing.
    """

    file: str
    n: int
    newest: str
    ends_at: datetime | None
    due_at: datetime
    failures: int
    code: str | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """A renewed file beside the issued one: that one's bytes, one or more increments of proof behind them."""

    file: str
    n: int
    sha256: str
    size: int
    stamped_at: datetime
    ends_at: datetime
    report_sha256: str
    at: datetime


class ArchiveStore:
    """The archive's rows, on the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def of(cls, store: HasConnection) -> "ArchiveStore":
        """On the same transaction as another store."""
        return cls(store.connection)

    def enrol(self, at: datetime, most: int) -> int:
        """Take up to `most` issued files, sealed attachments among them, into care that are not yet; how many."""
        known = select(t.archives.c.file)
        letters = select(t.revisions.c.sha256.label("file")).join(
            t.consignments,
            (t.consignments.c.document == t.revisions.c.document) & (t.consignments.c.revision == t.revisions.c.n),
        )
        sealed = t.attachments.c.sealed_sha256
        attached = select(sealed.label("file")).where(
            sealed.is_not(None), t.attachments.c.document.in_(select(t.consignments.c.document))
        )
        issued = union(letters, attached).subquery()
        wanted = select(issued.c.file).where(issued.c.file.not_in(known)).limit(most)
        files = list(self.connection.scalars(wanted))
        if files:
            rows = [{"file": file, "n": 0, "newest": file, "due_at": at, "failures": 0} for file in files]
            kind = postgresql if self.connection.dialect.name == "postgresql" else sqlite
            # a second worker may enrol the same files at this moment
            self.connection.execute(kind.insert(t.archives).on_conflict_do_nothing(), rows)
        return len(files)

    def due(self, at: datetime, most: int) -> list[Archived]:
        """Files to be looked at now, the longest overdue first."""
        here = t.archives.c
        wanted = select(t.archives).where(here.due_at <= at).order_by(here.due_at, here.file).limit(most)
        return [Archived(**row._mapping) for row in self.connection.execute(wanted)]

    def one(self, file: str) -> Archived | None:
        """The state of a file's proof."""
        row = self.connection.execute(select(t.archives).where(t.archives.c.file == file)).first()
        return Archived(**row._mapping) if row else None

    def claim(self, seen: Archived, until: datetime) -> bool:
        """Take a due file for this worker until that moment; False when another took it first."""
        here = t.archives.c
        mine = (here.file == seen.file) & (here.n == seen.n) & (here.due_at == seen.due_at)
        return self.connection.execute(update(t.archives).where(mine).values(due_at=until)).rowcount == 1

    def settle(self, seen: Archived, *, ends_at: datetime | None, due_at: datetime, code: str | None) -> None:
        """Nothing was added: look again at `due_at`; a `code` counts as one more failure."""
        here = t.archives.c
        same = (here.file == seen.file) & (here.n == seen.n)
        failures = seen.failures + 1 if code else 0
        values = {"ends_at": ends_at, "due_at": due_at, "failures": failures, "code": code}
        self.connection.execute(update(t.archives).where(same).values(**values))

    def renew(self, seen: Archived, made: Renewal, due_at: datetime) -> bool:
        """Enter a renewed file as the newest; False, and nothing written, when there is another one by now."""
        here = t.archives.c
        same = (here.file == seen.file) & (here.n == seen.n)
        values = {"n": made.n, "newest": made.sha256, "ends_at": made.ends_at, "due_at": due_at, "failures": 0}
        if self.connection.execute(update(t.archives).where(same).values(**values, code=None)).rowcount != 1:
            return False
        rows = {name: getattr(made, name) for name in Renewal.__dataclass_fields__}
        self.connection.execute(insert(t.archive_files).values(**rows))
        return True

    def renewals(self, file: str) -> list[Renewal]:
        """Every renewed file of an issued one, oldest first."""
        wanted = select(t.archive_files).where(t.archive_files.c.file == file).order_by(t.archive_files.c.n)
        return [Renewal(**row._mapping) for row in self.connection.execute(wanted)]

    def waiting(self) -> int:
        """How many files' last try came to nothing."""
        wanted = select(func.count()).select_from(t.archives).where(t.archives.c.failures > 0)
        return self.connection.scalar(wanted) or 0

    def troubled(self) -> Sequence[Archived]:
        """Files whose last try came to nothing, those whose proof ends first in front."""
        wanted = select(t.archives).where(t.archives.c.failures > 0).order_by(t.archives.c.ends_at)
        return [Archived(**row._mapping) for row in self.connection.execute(wanted)]
