"""Each act is all or nothing: whatever statement fails, also the commit itself, nothing of it remains (I1, I5, I8)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, event, select

from api.wiring import METADATA, Database
from tests.exchange.walk import Walk

Stage = Callable[[Walk], Any]
JOBS = "workflow_status"
"""The job engine's table of what is to be done."""

ACTS: dict[str, tuple[Stage, str, str]] = {
    # what is done: how far it has come before, the act, the event that must be there afterwards
    "a draft": (lambda _: None, "draft", "document.drafted"),
    "an edit": (lambda walk: walk.up_to("draft"), "edit", "document.edited"),
    "a returned document taken up again": (
        lambda walk: walk.after("submit", "sign", "number", "return_"), "edit", "document.reopened",
    ),
    "a submission": (lambda walk: walk.up_to("draft"), "submit", "document.submitted_for_signature"),
    "a signature": (lambda walk: walk.up_to("submit"), "sign", "document.signed"),
    "a signature held for its time stamp": (lambda walk: walk.up_to("submit"), "hold", ""),
    "a held signature finished": (lambda walk: walk.after("submit", "hold"), "finish_held", "document.signed"),
    "a number": (lambda walk: walk.up_to("sign"), "number", "document.numbered"),
    "a seal": (lambda walk: walk.up_to("number"), "seal", "document.sealed"),
    "an issue": (lambda walk: walk.up_to("seal"), "issue", "delivery.consigned"),
    "a return that voids a number": (lambda walk: walk.up_to("number"), "return_", "number.voided"),
    "a return of a held signature": (lambda walk: walk.after("submit", "hold"), "return_", "document.returned"),
    "a cancellation that voids a number": (lambda walk: walk.up_to("seal"), "cancel", "number.voided"),
    "an opening": (lambda walk: walk.arrival(), "open", "delivery.opened"),
    "a registration": (lambda walk: walk.arrival(), "register", "delivery.registered"),
    "an assignment": (lambda walk: walk.arrival("register"), "assign", "delivery.assigned"),
    "a start": (lambda walk: walk.arrival("register", "assign"), "start", "delivery.processing"),
    "a completion": (lambda walk: walk.arrival("register"), "complete", "delivery.completed"),
    "a refusal": (lambda walk: walk.arrival("register"), "refuse", "delivery.refused"),
}  # fmt: skip


class PowerCutError(Exception):
    """Something outside broke in the middle of a transaction."""


@pytest.fixture(scope="module")
def every_row(database: Database, walk: Walk) -> Callable[[], dict[str, list[str]]]:
    """`every_row()` is the whole content of the database, the queue of jobs included."""
    jobs = Table(JOBS, MetaData(), schema=None if database.is_sqlite else "dbos", autoload_with=database.reader)
    tables = {table.name: table for metadata in METADATA for table in metadata.sorted_tables} | {JOBS: jobs}

    def rows() -> dict[str, list[str]]:
        with database.reader.connect() as connection:
            return {
                name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
                for name, table in tables.items()
            }

    return rows


@contextmanager
def broken_at(walk: Walk, statement: int) -> Iterator[list[str]]:
    """The statement of that number fails before it reaches the database; one past the last: the commit does."""
    engine, seen = walk.parts.database.writer, []

    def before(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("BEGIN"):
            return
        seen.append(sql)
        if len(seen) == statement:
            raise PowerCutError(sql)

    def commit(_conn: Any) -> None:
        if len(seen) == statement - 1:
            seen.append("COMMIT")
            raise PowerCutError("COMMIT")

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "commit", commit)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "commit", commit)


@pytest.mark.parametrize("name", ACTS)
def test_an_act_that_breaks_anywhere_leaves_nothing_and_can_be_done_afterwards(walk, every_row, name):
    stage, act, event_type = ACTS[name]
    here = stage(walk)
    before = every_row()
    broken: list[str] = []
    for statement in range(1, 60):
        with broken_at(walk, statement) as seen:
            try:
                walk.do(act, here)
                break
            except PowerCutError as cut:
                broken.append(str(cut))
        assert every_row() == before, f"something is left after a failure at: {seen[-1]}"
    assert broken[-1] == "COMMIT"
    assert sum("INSERT" in sql or "UPDATE" in sql for sql in broken) >= 2
    after = every_row()
    assert after != before
    new = {table: [row for row in rows if row not in before[table]] for table, rows in after.items()}
    if event_type:
        assert any(event_type in row for row in new["exchange_events"])
    else:
        assert len(new[JOBS]) == 1


def test_a_number_undone_again_and_again_is_the_next_one_in_the_end(walk):
    first = walk.do("number", walk.up_to("sign"))
    here = walk.up_to("sign")
    for statement in (6, 7, 8, 9):
        with broken_at(walk, statement), pytest.raises(PowerCutError):
            walk.do("number", here)
    second = walk.do("number", here)
    assert second.number.n == first.number.n + 1
