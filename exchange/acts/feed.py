"""The feed of an office: extended by the sequencer, read in pages by whoever keeps a cursor (exchange page §13.1)."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from exchange.errors import FeedDiverged
from exchange.rules.feed import Head, audience, cursor_of, read_cursor
from exchange.storage.feed_store import FeedItem, FeedStore
from exchange.storage.ledger_store import PendingEvent


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Items in order, the cursor after all that was looked at, and whether there is more already."""

    items: list[FeedItem]
    cursor: str
    more: bool


def extend(feeds: FeedStore, placed: Sequence[PendingEvent]) -> None:
    """Number events, just placed in this order, in the feed of each office that may see them."""
    for_whom = [(one, audience(json.loads(one.body), inward=one.inward, office=one.office)) for one in placed]
    before = feeds.heads(office for _, offices in for_whom for office in offices)
    now, items = dict(before), []
    for one, offices in for_whom:
        for office in sorted(offices):
            now[office] = now[office].then(one.leaf)
            items.append((office, one.id, now[office]))
    feeds.add(items, before, now)


def page(feeds: FeedStore, office: str, after: str | None, limit: int, types: Collection[str] = ()) -> FeedPage:
    """The items of an office's feed after a cursor, from its beginning without one.

    `types` leaves items out, never their numbers: the cursor moves over them. Raises `CursorInvalid`; `FeedDiverged`
    when the cursor fits no place of this feed, because the past was changed or the service restored.
    """
    start = _place(feeds, office, after)
    rows = feeds.after(office, start.seq, limit + 1)
    shown = rows[:limit]
    end = Head(shown[-1].seq, shown[-1].chain) if shown else start
    items = [row for row in shown if not types or json.loads(row.body)["type"] in types]
    return FeedPage(items, cursor_of(end), len(rows) > limit)


def _place(feeds: FeedStore, office: str, after: str | None) -> Head:
    if not after:
        return Head(0, bytes(32))
    known = read_cursor(after)
    held = bytes(32) if known.seq == 0 else feeds.chain_at(office, known.seq)
    if held != known.chain:
        raise FeedDiverged(seq=known.seq)
    return known
