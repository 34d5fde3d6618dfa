"""The feed of an office, which is the truth for other programs, and what proves one event of it."""

import asyncio
import base64
import time
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api import cases, schemas
from api.auth import Me, Running
from api.schemas import Json
from api.wiring import Parts
from exchange.acts import feed
from exchange.acts.prove_event import prove_event
from exchange.errors import FeedDiverged
from exchange.rules.events import TYPES
from exchange.storage.feed_store import FeedStore

router = APIRouter(prefix="/events", tags=["feed"])
log = structlog.get_logger("congvan.feed")

LOOK_AGAIN = 0.25
"""Seconds between two looks of a long poll; a look is one row by its key."""


@router.get("")
async def events(
    request: Request,
    parts: Running,
    caller: Me,
    after: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    wait: Annotated[int, Query(ge=0, le=30)] = 0,
    types: Annotated[str | None, Query(max_length=4000)] = None,
) -> Json:
    """What happened in and around my office after the cursor `after`, in order, each event once, without a hole.

    Keep `cursor` after the items were applied. `wait`: seconds to wait for something new (long poll). `types`: only
    these, separated by commas; the cursor moves over the others. 409 `feed-diverged`: the past was changed.
    """
    wanted = frozenset(filter(None, (types or "").split(",")))
    until, office = time.monotonic() + wait, caller.actor.office
    page = await run_in_threadpool(_page, parts, office, after, limit, wanted)
    while not page.items and not page.more and time.monotonic() < until and not await request.is_disconnected():
        await asyncio.sleep(LOOK_AGAIN)
        page = await run_in_threadpool(_page, parts, office, page.cursor, limit, wanted)
    return {
        "office": office, "items": [schemas.feed_item_json(item) for item in page.items], "cursor": page.cursor,
        "more": page.more,
    }  # fmt: skip


@router.get("/types")
def types(_: Me) -> Json:
    """Every type of event there is."""
    return {"items": list(TYPES)}


@router.get("/{event}")
def event(parts: Running, caller: Me, event: str) -> Response:
    """The exact bytes of an event, which are the ledger's leaf."""
    found = cases.visible_event(parts, caller, event)
    return Response(found.body, media_type="application/json", headers={"ETag": f'"{found.leaf.hex()}"'})


@router.get("/{event}/proof")
def proof(parts: Running, caller: Me, event: str) -> Json:
    """The audit path of an event (RFC 6962 §2.1.1) to a checkpoint, with its outside time as far as it came."""
    found = cases.visible_event(parts, caller, event)
    with parts.read() as reading:
        proved = prove_event(reading.ledger, found)
    token = proved.checkpoint.stamp
    return {
        "event": found.id, "leaf": found.leaf.hex(), "index": proved.index, "size": proved.checkpoint.size,
        "path": [one.hex() for one in proved.path], "checkpoint": proved.checkpoint.note.decode(),
        "time": "stamped" if token else "pending", "stamp": base64.b64encode(token).decode() if token else None,
    }  # fmt: skip


def _page(parts: Parts, office: str, after: str | None, limit: int, types: frozenset[str]) -> feed.FeedPage:
    with parts.read() as reading:
        try:
            return feed.page(FeedStore.of(reading.exchange), office, after, limit, types)
        except FeedDiverged:
            log.error("feed-diverged", office=office, cursor=after)
            raise
