"""Bytes on their way in: promised, sent in pieces, resumed after a lost connection."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from api import cases, schemas
from api.auth import Me, Running
from api.schemas import Json
from api.v1.asked import Key, answered, asked

router = APIRouter(prefix="/uploads", tags=["uploads"])


@router.post("", status_code=201)
def begin(request: Request, parts: Running, caller: Me, key: Key, body: schemas.NewUpload) -> Response:
    """Promise bytes: name, size, SHA-256."""
    return answered(cases.begin_upload(parts, caller, asked(request, key, body), body))


@router.patch("/{upload}")
async def append(
    request: Request, parts: Running, caller: Me, upload: str, upload_offset: Annotated[int, Header(ge=0)]
) -> Json:
    """One piece at `Upload-Offset`; 409 `upload-offset` names the right one. A cut connection keeps nothing of it."""
    piece = await request.body()
    return await run_in_threadpool(cases.append_upload, parts, caller, upload, upload_offset, piece)


@router.get("/{upload}")
def state(parts: Running, caller: Me, upload: str) -> Json:
    """How far it has come."""
    return cases.upload_state(parts, caller, upload)


@router.delete("/{upload}", status_code=204)
def drop(parts: Running, caller: Me, upload: str) -> Response:
    """Forget it."""
    cases.drop_upload(parts, caller, upload)
    return Response(status_code=204)
