"""Numbers and arrival numbers under race: processes and threads, undone acts in between, the first of a year; no hole,
no double, on both databases."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from api.engine import migrate_jobs
from api.migrations import upgrade
from api.wiring import Database
from exchange.rules.model import Consignment, DeliveryState, DocumentState, Revision, Series
from exchange.storage.store import Store
from tests.exchange.values import AT, DAY, OFFICE, OTHER, delivery, document, file

PROCESSES, THREADS, EACH = 4, 4, 2
COUNT = PROCESSES * THREADS * EACH
ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(database_url: str):
    made = Database(database_url)
    upgrade(made.writer)
    migrate_jobs(made)
    yield made
    made.close()


def ready(store: Store) -> tuple[str, str]:
    """A document that was signed, and a delivery that arrived."""
    doc, dlv, con = (f"{kind}_{uuid4().hex}" for kind in ("doc", "dlv", "con"))
    store.add_document(document(DocumentState.SIGNED, id=doc))
    store.add_revision(Revision(doc, 1, file(), "sign", None, AT, 1))
    store.add_consignment(Consignment(con, doc, 1, OFFICE, 1, "00" * 32, None, None, AT), [], [(OTHER, b"x")])
    store.add_deliveries([delivery(id=dlv, document=doc, consignment=con)])
    return doc, dlv


def test_racing_processes_leave_no_hole_and_no_double_also_at_the_first_number_of_a_year(database, tmp_path):
    day = DAY + timedelta(days=1)
    with database.writer.begin() as connection:
        store = Store(connection)
        pairs = [ready(store) for _ in range(COUNT)]
        # the run of last year is the pattern: whoever is first begins this year's
        store.add_series(Series("ser_2025", OFFICE, DAY.year - 1, "qd", "Quyết định", "{n}/QĐ-UBND"))
    works = [tmp_path / f"work-{n}.json" for n in range(PROCESSES)]
    for n, work in enumerate(works):
        work.write_text(json.dumps(pairs[n::PROCESSES]))
    arguments = [str(tmp_path / "data"), database.url, day.isoformat(), str(THREADS), *map(str, works)]
    subprocess.run([sys.executable, "-m", "tests.exchange.take_numbers", *arguments], cwd=ROOT, check=True)
    given = [row for work in works for row in json.loads(work.with_suffix(".given").read_text())]

    everything = list(range(1, COUNT + 1))
    assert sorted(n for _, n, _, _ in given) == everything
    assert sorted(n for _, _, _, n in given) == everything
    with database.reader.connect() as connection:
        store = Store(connection)
        (run,) = store.series_of(OFFICE, DAY.year)
        assert run.last == COUNT
        numbers = store.numbers_of(run.series.id)
        assert [number.n for number in numbers] == everything
        assert len({number.written for number in numbers}) == COUNT
        assert [entry.number for entry in store.arrivals(OTHER, "den", DAY.year)] == everything
        for doc, n, dlv, incoming in given:
            numbered, registered = store.document(doc), store.delivery(dlv)
            assert (numbered.state, numbered.version, numbered.number.n) == (DocumentState.NUMBERED, 2, n)
            assert (registered.state, registered.version) == (DeliveryState.REGISTERED, 2)
            assert registered.incoming.number == incoming
            assert [event.type for event in store.events_of(document=doc)] == [
                "document.numbered", "delivery.registered",
            ]  # fmt: skip
