"""A process of its own that numbers documents and registers arrivals, in threads, as a service would; for the race.

`python take_numbers.py DATA DATABASE DAY THREADS WORK`: WORK is a file of JSON, [[document, delivery], …]; what was
given is printed as JSON. Every act is done once in vain first: it comes
as far as its number, then everything is undone.
"""

import json
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


class InVainError(Exception):
    """Something goes wrong after the number was taken."""


def main(data: str, database: str, day: str, threads: str, work: str) -> None:
    parts = build_parts(load_settings(data=Path(data), database_url=database))
    parts.sandbox.close()  # no PDF is opened here
    pairs = json.loads(Path(work).read_text())
    with ThreadPoolExecutor(int(threads)) as pool:
        given = list(pool.map(lambda pair: both(parts, date.fromisoformat(day), *pair), pairs))
    parts.close()
    sys.stdout.write(json.dumps(given))


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
    main(*sys.argv[1:])
