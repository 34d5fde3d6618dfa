"""Rows on both databases: of two writers one wins, lists have no gaps, what is evidence is never changed."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, and_, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from api.wiring import Database
from exchange.errors import CursorInvalid, DuplicateReference, NumberTaken, RegisterNumberTaken, StateChanged
from exchange.rules.model import (
    Consignment,
    DeliveryState,
    DocumentState,
    Event,
    IncomingEntry,
    Series,
    StoredReport,
    Upload,
)
from exchange.storage import tables
from exchange.storage.store import Page, Store
from exchange.storage.tables import GUARDED
from tests.exchange.values import AT, DAY, delivery, document, number

Write = Callable[[], Any]


@pytest.fixture
def office() -> str:
    """An office that no other test knows."""
    return f"H99.{uuid4().hex[:8]}"


@pytest.fixture
def write(database: Database) -> Write:
    """`with write() as store:` is one transaction."""
    return lambda: Writing(database)


class Writing:
    def __init__(self, database: Database) -> None:
        self._begun = database.writer.begin()

    def __enter__(self) -> Store:
        return Store(self._begun.__enter__())

    def __exit__(self, *raised: Any) -> Any:
        return self._begun.__exit__(*raised)


@pytest.fixture
def read(database: Database) -> Iterator[Store]:
    with database.reader.connect() as connection:
        yield Store(connection)


def fresh(kind: str) -> str:
    return f"{kind}_{uuid4().hex}"


# -- compare and set --


def test_of_two_clerks_who_change_the_same_version_one_wins_and_the_other_learns_the_state(write, office):
    before = document(DocumentState.SIGNED, id=fresh("doc"), office=office)
    with write() as store:
        store.add_document(before)
    with write() as store:
        won = store.change_document(before, replace(before, state=DocumentState.NUMBERED))
    assert won.version == before.version + 1
    with pytest.raises(StateChanged) as lost, write() as store:
        store.change_document(before, replace(before, state=DocumentState.RETURNED))
    assert lost.value.gaps == {"state": DocumentState.NUMBERED}


@pytest.mark.parametrize("what", ["document", "delivery"])
def test_of_ten_writers_at_once_exactly_one_wins(database, write, read, office, what):
    doc, dlv = document(id=fresh("doc"), office=office), delivery(id=fresh("dlv"), office=office)
    with write() as store:
        store.add_document(doc)
        store.add_deliveries([replace(dlv, consignment=fresh("con"))])
    start, won, lost = threading.Barrier(10), [], []

    def race(n: int) -> None:
        start.wait()
        try:
            with write() as store:
                if what == "document":
                    here = store.document(doc.id)
                    store.change_document(doc, replace(here, subject=f"người thứ {n}"))
                else:
                    here = store.delivery(dlv.id)
                    store.change_delivery(replace(here, version=1), replace(here, reason=f"người thứ {n}"))
            won.append(f"người thứ {n}")
        except StateChanged as error:
            lost.append(error)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 9)
    kept = read.document(doc.id).subject if what == "document" else read.delivery(dlv.id).reason
    assert [kept] == won


def test_the_version_counts_for_equal_states_too(write, office):
    before = document(DocumentState.DRAFT, id=fresh("doc"), office=office)
    with write() as store:
        store.add_document(before)
    with write() as store:
        store.change_document(before, replace(before, subject="khác"))
    with pytest.raises(StateChanged), write() as store:
        store.change_document(before, replace(before, subject="khác nữa"))


def test_a_row_that_is_gone_is_said_as_changed(write, office):
    missing = document(id=fresh("doc"), office=office)
    with pytest.raises(StateChanged), write() as store:
        store.change_document(missing, missing)


def test_only_the_first_opening_counts(write, office):
    dlv = delivery(id=fresh("dlv"), office=office, consignment=fresh("con"))
    with write() as store:
        store.add_deliveries([dlv])
    with write() as store:
        assert store.mark_opened(dlv.id, AT)
        assert not store.mark_opened(dlv.id, AT + timedelta(hours=1))
        assert store.delivery(dlv.id).opened_at == AT


# -- values go in and come out the same --


def test_what_goes_in_comes_out_with_moments_in_utc_and_every_letter(write, read, office):
    wanted = document(
        id=fresh("doc"), office=office, subject="V/v “tiếp dân” – 5 % 🟥",
        places={"number": {"page": 1, "box": [1.5]}},
        changed_at=AT + timedelta(microseconds=7),
    )  # fmt: skip
    with write() as store:
        store.add_document(wanted)
    assert read.document(wanted.id) == wanted


def test_a_report_is_kept_once(write, read):
    report = StoredReport(uuid4().hex * 2, "f" * 64, "0" * 64, "valid", b"\x00{}", AT)
    with write() as store:
        store.add_report(report)
        store.add_report(report)
    with write() as store:
        store.add_report(report)
    assert read.report(report.sha256) == report


# -- cursors --


def walked(page_after: Callable[[str | None], Page]) -> list[str]:
    """Ids of a whole list, page by page."""
    seen, cursor = [], None
    for _ in range(100):
        page = page_after(cursor)
        seen += [row.id for row in page.rows]
        cursor = page.next
        if cursor is None:
            return seen
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20, 21])
def test_pages_tile_a_list_also_where_rows_share_an_instant(write, read, office, limit):
    # three instants for twenty rows, one of them a microsecond after another
    moments = [AT, AT + timedelta(microseconds=1), AT + timedelta(seconds=1)]
    rows = [document(id=fresh("doc"), office=office, changed_at=moments[n % 3]) for n in range(20)]
    with write() as store:
        for row in rows:
            store.add_document(row)
    order = [row.id for row in sorted(rows, key=lambda row: (row.changed_at, row.id), reverse=True)]
    assert walked(lambda after: read.documents(office, after=after, limit=limit)) == order


@pytest.mark.parametrize("box", ["in", "out"])
@pytest.mark.parametrize("states", [(), (DeliveryState.CONSIGNED,)])
def test_both_boxes_tile(write, read, office, box, states):
    mine = {"office": office} if box == "in" else {"sender": office}
    rows = [
        delivery(
            DeliveryState.CONSIGNED if n % 2 else DeliveryState.REGISTERED,
            **{"id": fresh("dlv"), "consignment": fresh("con"), **mine},
        )
        for n in range(9)
    ]
    with write() as store:
        store.add_deliveries(rows)
    wanted = sorted((row.id for row in rows if not states or row.state in states), reverse=True)
    assert walked(lambda after: read.deliveries(box, office, states, after=after, limit=2)) == wanted


def test_rows_that_come_while_somebody_reads_neither_repeat_nor_hide_others(write, read, office):
    rows = [document(id=fresh("doc"), office=office, changed_at=AT + timedelta(seconds=n)) for n in range(6)]
    with write() as store:
        for row in rows:
            store.add_document(row)
    first = read.documents(office, limit=3)
    read.connection.rollback()
    with write() as store:
        store.add_document(document(id=fresh("doc"), office=office, changed_at=AT + timedelta(hours=1)))
    rest = read.documents(office, after=first.next, limit=9)
    assert [row.id for row in [*first.rows, *rest.rows]] == [row.id for row in reversed(rows)]


def cursor(of: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(of).encode()).decode()


@pytest.mark.parametrize(
    "given",
    [
        "", "x", "đ", "%%%", "AAAA", "!" * 50,
        cursor([]), cursor({}), cursor(7), cursor("x"), cursor(["x", "y"]), cursor([1, 2]), cursor([None, None]),
        cursor([AT.isoformat()]), cursor([AT.isoformat(), 7]), cursor([AT.isoformat(), "a", "b"]),
        cursor([AT.isoformat(), "\0"]), cursor([AT.isoformat(), "\ud800"]),
        cursor(["0001-01-01T00:00:00+14:00", "a"]),
        base64.urlsafe_b64encode(b"[" * 20_000).decode(),
    ],
)  # fmt: skip
def test_a_cursor_that_we_never_gave_is_invalid(read, office, given):
    if given == "":
        assert read.documents(office, after=given).rows == []  # the same as none
        return
    with pytest.raises(CursorInvalid):
        read.documents(office, after=given)


# -- what is there once --


def test_a_written_number_is_given_once_in_a_year(write, office):
    first = number(id=fresh("num"), series=fresh("ser"), office=office)
    with write() as store:
        store.add_number(first)
    with pytest.raises(NumberTaken) as refused, write() as store:
        store.add_number(replace(first, id=fresh("num"), series=fresh("ser"), n=8))
    assert first.written in refused.value.sentence("vi")
    with write() as store:  # another year, another office
        store.add_number(replace(first, id=fresh("num"), series=fresh("ser"), year=2027))
        store.add_number(replace(first, id=fresh("num"), series=fresh("ser"), office=f"{office}.1"))


def test_a_place_in_a_series_is_given_once_also_after_it_was_voided(write, office):
    first = number(id=fresh("num"), series=fresh("ser"), office=office)
    with write() as store:
        store.add_number(first)
        store.change_number(first.id, "void", "in sai")
    with pytest.raises(NumberTaken), write() as store:
        store.add_number(replace(first, id=fresh("num"), written="07A/QĐ-UBND"))


def test_a_voided_number_stays_void(write, read, office):
    first = number(id=fresh("num"), series=fresh("ser"), office=office)
    with write() as store:
        store.add_number(first)
        store.change_number(first.id, "void", "in sai")
        store.change_number(first.id, "used")
    (kept,) = read.numbers_of(first.series)
    assert (kept.state, kept.reason) == ("void", "in sai")


def consignment(office: str, reference: str | None) -> Consignment:
    return Consignment(fresh("con"), "doc_1", 1, office, 1, "00" * 32, reference, None, AT)


def test_a_senders_reference_is_used_once_by_an_office(write, office):
    entries = [("H99.1", b"entry")]
    with write() as store:
        store.add_consignment(consignment(office, "CV-1"), [], entries)
    with pytest.raises(DuplicateReference) as refused, write() as store:
        store.add_consignment(consignment(office, "CV-1"), [], entries)
    assert "CV-1" in refused.value.sentence("en")
    with write() as store:
        store.add_consignment(consignment(office, None), [], entries)
        store.add_consignment(consignment(office, None), [], entries)
        store.add_consignment(consignment(f"{office}.1", "CV-1"), [], entries)


def test_an_office_is_a_recipient_of_a_consignment_once(write, office):
    first = delivery(id=fresh("dlv"), office=office, consignment=fresh("con"))
    with write() as store:
        store.add_deliveries([first])
    with pytest.raises(DBAPIError), write() as store:
        store.add_deliveries([replace(first, id=fresh("dlv"))])


def test_an_arrival_number_is_given_once_and_an_arrival_has_one(write, office):
    entry = IncomingEntry(fresh("inc"), office, "den", 2026, 1, DAY, fresh("dlv"))
    with write() as store:
        store.add_incoming(entry)
    for twin in (replace(entry, delivery=fresh("dlv")), replace(entry, number=2)):
        with pytest.raises(RegisterNumberTaken), write() as store:
            store.add_incoming(replace(twin, id=fresh("inc")))


def test_two_books_count_by_themselves(write, office):
    with write() as store:
        taken = [store.take_incoming(office, *book, DAY)[0] for book in (("den", 2026), ("den", 2027), ("mat", 2026))]
        assert taken == [1, 1, 1]
        assert store.take_incoming(office, "den", 2026, DAY + timedelta(days=1)) == (2, DAY)


def test_a_rollback_gives_the_number_back(database, write, office):
    series = Series(fresh("ser"), office, 2026, "qd", "Quyết định", "{n}/QĐ")
    with write() as store:
        store.add_series(series)
    with database.writer.connect() as connection, connection.begin() as begun:
        store = Store(connection)
        assert store.take_next(series.id, DAY)[0] == 1
        assert store.take_incoming(office, "den", 2026, DAY)[0] == 1
        begun.rollback()
    with write() as store:
        assert store.take_next(series.id, DAY) == (1, None)
        assert store.take_incoming(office, "den", 2026, DAY) == (1, None)


def test_a_series_that_somebody_began_at_the_same_moment_is_not_begun_twice(write, read, office):
    series = Series(fresh("ser"), office, 2026, "qd", "Quyết định", "{n}/QĐ")
    with write() as store:
        store.add_series(series)
        store.add_series(replace(series, id=fresh("ser")))
        store.take_next(series.id, DAY)
    assert [one.series.id for one in read.series_of(office, 2026)] == [series.id]


# -- add-only --


def event(type_: str = "document.drafted", **different: Any) -> Event:
    leaf = uuid4().bytes * 2
    made = Event(fresh("evt"), type_, AT, b"{}", leaf, False, "H99", fresh("doc"), None, None)
    return replace(made, **different)


@pytest.fixture
def kept(write: Write) -> dict[str, dict[str, Any]]:
    """One row in each table that is add-only, by the table's name."""
    made, n = event(), uuid4().int % 10**15
    rows = {
        "exchange_leaves": {"index": n, "event": fresh("evt")},
        "exchange_ledger_nodes": {"level": 1, "index": n, "hash": b"1" * 32},
        "exchange_checkpoints": {"size": n, "root": b"1" * 32, "note": b"x", "at": "x"},
        "exchange_stamps": {"size": n, "token": b"x", "at": "x"},
        "exchange_log_keys": {"key": fresh("key"), "at": "x"},
        "exchange_calendar": {
            "version": n % 10**9, "year": 1999, "at": AT, "told": [], "person": "p", "grade": "check", "source": "x",
        },
        "exchange_deadline_marks": {"deadline": fresh("dln"), "event": fresh("evt"), "mark": "warned"},
        "exchange_feed": {"office": fresh("H99"), "seq": n, "event": fresh("evt"), "chain": b"1" * 32},
    }  # fmt: skip
    with write() as store:
        store.add_events([made])
        for name, values in rows.items():
            store.connection.execute(insert(tables.metadata.tables[name]).values(values))
    rows["exchange_events"] = {"id": made.id, "inward": False}
    rows["exchange_calendar"] = {"version": n % 10**9, "source": "x"}
    return rows


def overwrite(database: Database, table: Table, values: dict[str, Any]) -> Any:
    """The way of each database to put a row over another."""
    if database.is_sqlite:
        return text(f"INSERT OR REPLACE INTO {table.name} SELECT * FROM {table.name}")  # noqa: S608
    same = {column.name: column for column in table.c if column.name == list(values)[-1]}
    upsert = postgresql.insert(table).from_select(table.c.keys(), select(table))
    return upsert.on_conflict_do_update(constraint=f"{table.name}_pkey", set_=same)


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("way", ["one row changed", "one row deleted", "all deleted", "one row put over another"])
def test_evidence_is_never_changed_or_deleted(database, write, read, kept, name, way):
    table, values = tables.metadata.tables[name], kept[name]
    here = and_(*(table.c[column] == value for column, value in values.items()))
    last = list(values)[-1]
    statement = {
        "one row changed": update(table).where(here).values({last: values[last]}),
        "one row deleted": delete(table).where(here),
        "all deleted": delete(table) if database.is_sqlite else text(f"TRUNCATE {name} CASCADE"),
        "one row put over another": overwrite(database, table, values),
    }[way]
    with pytest.raises(DBAPIError) as refused, write() as store:
        store.connection.execute(statement)
    assert "add-only" in str(refused.value)
    assert read.connection.scalar(select(func.count()).select_from(table).where(here)) == 1


@pytest.mark.parametrize("second", ["delivery.refused", "delivery.withdrawn"])
def test_a_delivery_ends_once(write, second):
    dlv = fresh("dlv")
    with write() as store:
        store.add_events([event("delivery.registered", delivery=dlv)])
        store.add_events([event("delivery.refused", delivery=dlv)])
    with pytest.raises(DBAPIError), write() as store:
        store.add_events([event(second, delivery=dlv)])


def test_readers_of_a_sqlite_file_cannot_write(database):
    if not database.is_sqlite:
        return
    with pytest.raises(DBAPIError), database.reader.begin() as connection:
        connection.execute(text("DELETE FROM exchange_offices"))


# -- uploads --


def test_uploads_that_were_not_finished_in_time_are_forgotten_and_named(write, office):
    def upload(hours: int, *, done: bool = False) -> Upload:
        return Upload(
            fresh("upl"), office, "p_1", "a.pdf", 9, "0" * 64, "application/pdf", done, AT - timedelta(hours=hours)
        )

    old, young, whole = upload(25), upload(23), upload(25, done=True)
    with write() as store:
        for one in (old, young, whole):
            store.add_upload(one)
    with write() as store:
        assert old.id in store.drop_uploads(AT - timedelta(hours=24))
        assert [store.upload(one.id) is not None for one in (old, young, whole)] == [False, True, True]


def test_the_year_of_a_series_is_found_by_name_and_the_newest_is_the_pattern(write, read, office):
    for year in (2024, 2026, 2025):
        with write() as store:
            store.add_series(Series(fresh("ser"), office, year, "qd", f"Năm {year}", "{n}/QĐ"))
    assert read.latest_series(office, "qd").year == 2026
    assert read.series(office, 2024, "qd").series.title == "Năm 2024"
    assert read.series(office, 2023, "qd") is None
    assert read.latest_series(office, "cv") is None
