"""Checking for everybody: any PDF, and the ledger's newest signed root."""

from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile

from api import cases, schemas
from api.auth import Running
from api.pages.render import language_of
from api.schemas import Json
from exchange.errors import NotFound
from signing.report import report_json, sentences

router = APIRouter(tags=["evidence"])


@router.post("/verify")
def verify(request: Request, parts: Running, file: Annotated[UploadFile, File()]) -> Json:
    """The verdict on a PDF, in words and in full; nothing is kept."""
    report = cases.verify(parts, file.file.read())
    return schemas.full_report(report_json(report)) | {"sentences": sentences(report, language_of(request))}


@router.get("/ledger/checkpoint")
def checkpoint(parts: Running) -> Response:
    """The newest signed root of the ledger, as a C2SP signed note."""
    with parts.read() as reading:
        latest = reading.ledger.latest()
    if latest is None:
        raise NotFound
    return Response(latest.note, media_type="text/plain; charset=utf-8")
