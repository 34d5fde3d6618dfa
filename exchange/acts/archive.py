"""Keeping proof alive: what was issued is looked at long before its newest time stamp ends, and renewed beside itself.

The issued file never changes; a renewed one lies beside it (R48). Pairs of work and act, as everywhere. Nothing is ever
dropped: what fails is tried again, less and less often, and said (`ArchiveStore.troubled`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange.acts.signature import stored_report
from exchange.acts.tools import Tools
from exchange.rules.model import StoredReport
from exchange.storage.archive_store import Archived, ArchiveStore, Renewal
from exchange.storage.store import Transaction
from keys.errors import RevocationUnavailable
from signing.archive import Extended, Means, archive_end, extend
from signing.model import ArchiveEnd

CLAIMED_FOR = timedelta(minutes=15)
"""How long a worker may take over one file; after that another may think it dead."""
FIRST_RETRY = timedelta(hours=1)
SLOWEST_RETRY = timedelta(days=1)
SOON = timedelta(days=30)
"""So near to the end a renewal without answers about revocation is better than none."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking at a file came to: how far its proof goes now, and the renewal if one was made."""

    end: ArchiveEnd
    renewal: Renewal | None = None
    report: StoredReport | None = None


def look_after(tools: Tools, seen: Archived, *, lead: timedelta, at: datetime) -> Looked:
    """Work: renew the newest file when its time stamp ends within `lead`, or when it has none; keep what was made.

    Raises the errors of the authorities (`TsaUnavailable`, `TimestampRejected`, `RevocationUnavailable`), of `signing`
    (a file that takes no more proof) and `StorageFull`.
    """
    pdf = tools.blobs.get(seen.newest)
    end: ArchiveEnd | None = tools.run(archive_end, pdf)
    if end is not None and end.ends - lead > at:
        return Looked(end)
    made = extend(pdf, Means(tools.run, tools.tsa, tools.revocation, tools.trust), at=at)
    if not made.complete and (end is None or end.ends - SOON > at):
        raise RevocationUnavailable
    return _kept(tools, seen, made, at)


def _kept(tools: Tools, seen: Archived, made: Extended, at: datetime) -> Looked:
    report = stored_report(made.after, at)
    sha256 = tools.blobs.put(made.pdf)
    renewal = Renewal(
        file=seen.file,
        n=seen.n + 1,
        sha256=sha256,
        size=len(made.pdf),
        stamped_at=made.end.stamped_at,
        ends_at=made.end.ends,
        report_sha256=report.sha256,
        at=at,
    )
    return Looked(made.end, renewal, report)


def keep(tx: Transaction, seen: Archived, looked: Looked, *, lead: timedelta, at: datetime) -> bool:
    """Act: enter what looking came to; False when another worker entered a renewal first, whose file is the one."""
    archive = ArchiveStore.of(tx.store)
    # a stamp that lasts no longer than the lead would be renewed without end
    due_at = max(looked.end.ends - lead, at + SLOWEST_RETRY)
    if looked.renewal is None or looked.report is None:
        archive.settle(seen, ends_at=looked.end.ends, due_at=due_at, code=None)
        return True
    if not archive.renew(seen, looked.renewal, due_at):
        return False
    tx.store.add_report(looked.report)
    return True


def postpone(tx: Transaction, seen: Archived, code: str, *, at: datetime) -> None:
    """Act: it could not be done now; try again, the later the more often it failed."""
    wait = min(SLOWEST_RETRY, FIRST_RETRY * 2 ** min(seen.failures, 20))
    ArchiveStore.of(tx.store).settle(seen, ends_at=seen.ends_at, due_at=at + wait, code=code)
