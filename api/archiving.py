"""The worker's round over the archive: enrol what was issued, look after what is due, one file after the other."""

from datetime import timedelta

import structlog

from api.wiring import Parts
from exchange.acts import archive
from exchange.errors import ExchangeError
from exchange.storage.archive_store import Archived, ArchiveStore
from keys.errors import KeysError, TsaUnavailable
from signing.errors import SigningError

MOST = 100
"""Files enrolled, and files looked after, in one step."""

log = structlog.get_logger("congvan.archive")


def tend(parts: Parts) -> int:
    """Look after every file that is due now; how many archive time stamps were renewed."""
    with parts.write() as writing:
        while ArchiveStore.of(writing.tx.store).enrol(parts.now(), MOST) == MOST:
            pass
    renewed = 0
    while True:
        with parts.read() as reading:
            due = ArchiveStore.of(reading.exchange).due(parts.now(), MOST)
        for seen in due:
            try:
                renewed += _tend_one(parts, seen)
            except TsaUnavailable:
                return renewed  # the others stay due: nobody waits out a dead authority once for each file
        if len(due) < MOST:
            return renewed


def _tend_one(parts: Parts, seen: Archived) -> bool:
    at, lead = parts.now(), timedelta(days=parts.settings.archive_lead_days)
    with parts.write() as writing:
        if not ArchiveStore.of(writing.tx.store).claim(seen, at + archive.CLAIMED_FOR):
            return False
    try:
        looked = archive.look_after(parts.tools(), seen, lead=lead, at=at)
    except (KeysError, SigningError, ExchangeError) as refusal:
        log.warning("archive-later", file=seen.file, code=refusal.code, failures=seen.failures + 1)
        with parts.write() as writing:
            archive.postpone(writing.tx, seen, refusal.code, at=at)
        if isinstance(refusal, TsaUnavailable):
            raise
        return False
    with parts.write() as writing:
        kept = archive.keep(writing.tx, seen, looked, lead=lead, at=at)
    return kept and looked.renewal is not None
