"""What waits for an authority of others: signatures and ledger for their time stamps, files for their renewal."""

from api.logs import WAITING
from api.wiring import Parts
from exchange.acts.sequence import to_stamp
from exchange.storage.archive_store import ArchiveStore

SIGNATURE, RENEWAL, LEDGER = "signature", "renewal", "ledger"


def counts(parts: Parts) -> dict[str, int]:
    """How many wait now: signatures made and not finished, files not renewed when they were due, the ledger's end."""
    with parts.read() as reading:
        return {
            SIGNATURE: reading.exchange.waiting_signatures()[0],
            RENEWAL: ArchiveStore.of(reading.exchange).waiting(),
            LEDGER: int(to_stamp(reading.exchange) is not None),
        }


def measure(parts: Parts) -> None:
    """The same as numbers for Prometheus."""
    for what, many in counts(parts).items():
        WAITING.labels(what).set(many)
