"""An office's feed is numbered without hole, tells each event once, and notices a changed past; on both databases."""

import hashlib
import json
import threading
from collections.abc import Iterator

import pytest

from api.cases import sequence_once
from api.wiring import Parts
from exchange.acts import feed
from exchange.errors import CursorInvalid, FeedDiverged
from exchange.proof.ledger import leaf_hash
from exchange.rules.feed import FIRST, Head, audience, cursor_of, read_cursor
from exchange.storage.feed_store import FeedItem, FeedStore
from tests.exchange.walk import OFFICE, OTHER, Walk


def page(parts: Parts, office: str, after: str | None = None, limit: int = 500, types: tuple[str, ...] = ()):
    with parts.read() as reading:
        return feed.page(FeedStore.of(reading.exchange), office, after, limit, types)


def everything(parts: Parts, office: str, after: str | None = None, limit: int = 500) -> Iterator[FeedItem]:
    while True:
        got = page(parts, office, after, limit)
        yield from got.items
        after = got.cursor
        if not got.more:
            return


def settle(parts: Parts) -> None:
    while sequence_once(parts):
        pass


def test_i36_a_reader_sees_each_event_once_in_order_and_without_hole_while_four_sequencers_race(walk: Walk):
    before = len(list(everything(walk.parts, OTHER)))
    arrivals = [walk.arrival("open", "register") for _ in range(5)]
    threads = [threading.Thread(target=settle, args=[walk.parts]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle(walk.parts)
    seen = list(everything(walk.parts, OTHER, limit=3))
    assert [item.seq for item in seen] == list(range(1, len(seen) + 1))
    assert len({item.event for item in seen}) == len(seen) == before + 15
    told = [(json.loads(item.body)["subject"]["delivery"], json.loads(item.body)["type"]) for item in seen[before:]]
    for arrival in arrivals:
        own = [type_ for delivery, type_ in told if delivery == arrival.id]
        assert own == ["delivery.consigned", "delivery.opened", "delivery.registered"]


def test_the_chain_of_a_feed_is_what_the_leaves_say(walk: Walk):
    walk.arrival("register")
    settle(walk.parts)
    chain = bytes(32)
    for item in everything(walk.parts, OFFICE):
        chain = hashlib.sha256(chain + leaf_hash(item.body)).digest()
        assert item.chain == chain
    with walk.parts.read() as reading:
        assert FeedStore.of(reading.exchange).head(OFFICE).chain == chain


def test_a_cursor_goes_on_where_its_reader_stopped_whatever_came_meanwhile(walk: Walk):
    walk.arrival("register")
    settle(walk.parts)
    got = page(walk.parts, OTHER)
    walk.arrival()
    settle(walk.parts)
    (item,) = everything(walk.parts, OTHER, got.cursor)
    assert json.loads(item.body)["type"] == "delivery.consigned"
    assert item.seq == read_cursor(got.cursor).seq + 1


def test_types_leave_items_out_and_the_cursor_still_moves_over_them(walk: Walk):
    start = page(walk.parts, OTHER).cursor
    walk.arrival("open", "register")
    settle(walk.parts)
    got = page(walk.parts, OTHER, start, types=("delivery.registered",))
    assert [json.loads(item.body)["type"] for item in got.items] == ["delivery.registered"]
    none = page(walk.parts, OTHER, start, limit=1, types=("delivery.registered",))
    assert (none.items, none.more) == ([], True)
    assert page(walk.parts, OTHER, got.cursor).items == []


def test_an_office_hears_of_its_own_work_and_of_nothing_inside_another(walk: Walk):
    start = {office: page(walk.parts, office).cursor for office in (OFFICE, OTHER)}
    walk.arrival("register", "assign")
    settle(walk.parts)
    heard = {o: [json.loads(i.body)["type"] for i in everything(walk.parts, o, start[o])] for o in start}
    assert "document.drafted" in heard[OFFICE]
    assert "desk.assigned" not in heard[OFFICE]
    assert heard[OTHER] == ["delivery.consigned", "delivery.registered", "desk.assigned", "delivery.assigned"]


def test_a_cursor_of_another_past_or_of_a_longer_feed_is_told_so(walk: Walk):
    walk.arrival()
    settle(walk.parts)
    known = read_cursor(page(walk.parts, OTHER).cursor)
    with pytest.raises(FeedDiverged):
        page(walk.parts, OTHER, cursor_of(Head(known.seq, bytes(reversed(known.chain)))))
    with pytest.raises(FeedDiverged):
        page(walk.parts, OTHER, cursor_of(known.then(b"\1" * 32)))
    with pytest.raises(FeedDiverged):
        page(walk.parts, OTHER, cursor_of(Head(0, known.chain)))


@pytest.mark.parametrize(
    "text",
    ["cur_", "x", "cur_e30", "cur_WzFd", "cur_eyJzIjotMX0", "cur_" + "A" * 300, "cur_eyJzIjoxLCJoIjoiIn0=", "cur_ế"],
)
def test_what_is_no_cursor_is_refused(text: str):
    with pytest.raises(CursorInvalid):
        read_cursor(text)


def test_a_cursor_says_what_was_put_into_it():
    head = FIRST.then(b"\7" * 32).then(b"\10" * 32)
    assert read_cursor(cursor_of(head)) == head
    assert head.seq == 2


def test_an_event_enters_the_feeds_of_its_parties_or_an_inward_one_its_own():
    body = {"parties": {"sender": "A", "recipient": "B"}}
    assert audience(body, inward=False, office="A") == {"A", "B"}
    assert audience(body, inward=True, office="B") == {"B"}
    assert audience({"parties": {"sender": "A"}}, inward=False, office="A") == {"A"}
