"""Processes of their own that number documents and register arrivals, in threads, as services would; for the race.

`python -m tests.exchange.take_numbers DATA DATABASE DAY THREADS WORK…`: each WORK, JSON as [[document, delivery],
…], is done by one process, and what was given is written to WORK.given. Every act is done once in vain first: it comes
as far as its number, then everything is undone.
"""

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from api.idempotency import Answer, Asked
from api.settings import load_settings
from api.wiring import Parts, Writing, build_parts
from exchange.acts import issue, receive
from exchange.errors import NumberMoved
from exchange.rules.model import Actor
from exchange.storage.store import Store
from tests.exchange.values import CLERK, RECEIVER, arrival_report, file

PARENT = os.getpid()


class InVainError(Exception):
    """Something goes wrong after the number was taken."""


def main(data: str, database: str, day: str, threads: str, *works: str) -> int:
    """Forks before anything is opened: the programs are read once, the processes are real."""
    children = [os.fork() for _ in works if os.getpid() == PARENT]
    if 0 in children:
        do(data, database, day, int(threads), Path(works[len(children) - 1]))
        return 0
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def do(data: str, database: str, day: str, threads: int, work: Path) -> None:
    parts = build_parts(load_settings(data=Path(data), database_url=database))
    parts.sandbox.close()  # no PDF is opened here
    with ThreadPoolExecutor(threads) as pool:
        pairs = json.loads(work.read_text())
        given = list(pool.map(lambda pair: both(parts, date.fromisoformat(day), *pair), pairs))
    parts.close()
    work.with_suffix(".given").write_text(json.dumps(given))


def both(parts: Parts, day: date, document: str, delivery: str) -> tuple[str, int, str, int]:
    return document, numbered(parts, day, document), delivery, registered(parts, day, delivery)


def numbered(parts: Parts, day: date, document: str) -> int:
    def work() -> issue.NextNumber:
        with parts.read() as reading:
            return issue.next_number(reading.exchange, CLERK, "qd", day)

    def act(writing: Writing, expected: issue.NextNumber) -> Answer:
        after, _ = issue.number(
            writing.tx, CLERK, document, 1, "qd", day, file(), expected, at=parts.now()
        )  # fmt: skip
        assert after.number is not None
        return Answer(200, {"n": after.number.n}, {})

    return once_in_vain(parts, CLERK, work, act)


def registered(parts: Parts, day: date, delivery: str) -> int:
    def act(writing: Writing, _: Any) -> Answer:
        store: Store = writing.tx.store
        here = store.delivery(delivery)
        assert here is not None
        after, _event = receive.register(
            writing.tx, RECEIVER, delivery, here.version, sha256=file().sha256,
            report=arrival_report(), incoming_date=day, at=parts.now(),
        )  # fmt: skip
        assert after.incoming is not None
        return Answer(200, {"n": after.incoming.number}, {})

    return once_in_vain(parts, RECEIVER, lambda: None, act)


def once_in_vain(parts: Parts, actor: Actor, work: Callable[[], Any], act: Callable[[Writing, Any], Answer]) -> int:
    def failing(writing: Writing, made: Any) -> Answer:
        act(writing, made)
        raise InVainError

    try:
        until_it_holds(parts, actor, work, failing)
    except InVainError:
        return int(until_it_holds(parts, actor, work, act).body["n"])
    raise AssertionError("it should have failed")


def until_it_holds(parts: Parts, actor: Actor, work: Callable[[], Any], act: Callable[..., Answer]) -> Answer:
    """As people do: somebody was faster again and again, so they press the button again."""
    while True:
        try:
            return parts.run(actor, Asked(None, ""), work, act)
        except NumberMoved:
            continue


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
