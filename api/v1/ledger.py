"""The ledger for everybody: signed roots, tiles, consistency and outside time. No event is told here, only hashes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Running
from api.schemas import Json
from exchange.acts.prove_event import prove_growth, tile_bytes
from exchange.errors import NotFound
from exchange.proof.ledger import TILE_WIDTH, read_tile_path

router = APIRouter(prefix="/ledger", tags=["ledger"])

FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/checkpoint")
def checkpoint(parts: Running) -> Response:
    """The newest signed root of the ledger, as a C2SP signed note."""
    with parts.read() as reading:
        latest = reading.ledger.latest()
    if latest is None:
        raise NotFound
    return _note(latest.note)


@router.get("/checkpoints/{size}")
def checkpoint_of(parts: Running, size: int) -> Response:
    """The signed root of the tree of that size, if one was kept."""
    with parts.read() as reading:
        known = reading.ledger.checkpoint(size) if size < 2**53 else None
    if known is None:
        raise NotFound
    return _note(known.note)


@router.get("/checkpoints/{size}/stamp")
def stamp(parts: Running, size: int) -> Response:
    """The RFC 3161 token over the SHA-256 of that note's text (all above the signatures)."""
    with parts.read() as reading:
        known = reading.ledger.checkpoint(size) if size < 2**53 else None
    if known is None or known.stamp is None:
        raise NotFound
    return Response(known.stamp, media_type="application/timestamp-reply", headers={"Cache-Control": FOR_EVER})


@router.get("/consistency")
def consistency(
    parts: Running, old: Annotated[int, Query(alias="from", ge=0)], new: Annotated[int, Query(alias="to", ge=0)]
) -> Json:
    """The proof that the tree of `to` leaves begins with the tree of `from` (RFC 6962 §2.1.2), in hexadecimal."""
    with parts.read() as reading:
        path = prove_growth(reading.ledger, old, new)
    return {"from": old, "to": new, "path": [one.hex() for one in path]}


@router.get("/tile/{place:path}")
def tile(parts: Running, place: str) -> Response:
    """A tile of leaf and node hashes, `<L>/<N>` or `<L>/<N>.p/<W>` as C2SP tlog-tiles names them."""
    wanted = read_tile_path(place)
    if wanted is None:
        raise NotFound
    with parts.read() as reading:
        data = tile_bytes(reading.ledger, wanted)
    headers = {"Cache-Control": FOR_EVER} if wanted.width == TILE_WIDTH else {}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _note(note: bytes) -> Response:
    return Response(note, media_type="text/plain; charset=utf-8")
