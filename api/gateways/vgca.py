"""The two addresses of the VGCA Sign Service: it fetches what is to be signed, and uploads what it signed.

It has no login: the word `t` in the address is its key. Nothing that names it is logged: the log has paths only. The
answer to an upload is what such programs read: HTTP 200 whatever happened, and a JSON object whose `Status` is a
boolean, with exactly these keys. Source: the notes on VGCA Sign Service in the design, §2, §5, §8.
"""

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api import elsewhere
from api.auth import Running
from api.errors import Malformed
from api.problems import ROOM_ERRORS, RoomError
from exchange.errors import DeskLinkInvalid

router = APIRouter(prefix="/vgca", include_in_schema=False)
log = structlog.get_logger("congvan.vgca")
UPLOAD = "/vgca/upload"
PART = "uploadfile"
MOST_FIELDS = 50
LONGEST_WORD = 200


@router.get("/source")
def source(request: Request, parts: Running, t: str = "") -> Response:
    """The PDF that was lent."""
    _note_credentials(request)
    try:
        pdf, file = elsewhere.fetch_lent(parts, t[:LONGEST_WORD])
    except DeskLinkInvalid as refusal:
        return PlainTextResponse(refusal.sentence("vi"), 404)
    name = f"{file.sha256[:12]}.pdf"  # a plain name: it becomes one on the disk of the signer's computer
    return Response(
        pdf, media_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.post("/upload")
async def upload(request: Request, parts: Running, t: str = "") -> Response:
    """What the program signed."""
    _note_credentials(request)
    try:
        data = await _file_in(request)
        here, document, name = await run_in_threadpool(elsewhere.take_back, parts, t[:LONGEST_WORD], data)
    except ROOM_ERRORS as refusal:
        return refused(refusal)
    number = document.number if here.purpose in ("seal", "attachment") else None
    return _answer(
        True,
        file_name=name,
        file_server=here.id,
        number=number.written if number else "",
        date=number.date.isoformat() if number else "",
    )


def refused(error: RoomError) -> Response:
    """A refusal as the program reads it; its user sees the sentence."""
    return _answer(False, message=error.sentence("vi"))


def _answer(
    status: bool, *, message: str = "", file_name: str = "", file_server: str = "", number: str = "", date: str = ""
) -> Response:
    told = {"Status": status, "Message": message, "FileName": file_name, "FileServer": file_server}
    return JSONResponse(told | {"DocumentNumber": number, "DocumentDate": date})


async def _file_in(request: Request) -> bytes:
    """The file part; other fields are what the page put into MetaData, and mean nothing here."""
    try:
        form = await request.form(max_files=1, max_fields=MOST_FIELDS)
    except HTTPException as error:
        raise Malformed(what="multipart") from error
    file = form.get(PART)
    if not isinstance(file, UploadFile):
        raise Malformed(what=PART)
    return await file.read()


def _note_credentials(request: Request) -> None:
    """A cookie or a login that such a program sends is not used; that it came is worth knowing, what it was is not."""
    came = [name for name in ("authorization", "cookie") if name in request.headers]
    if came:
        log.info("credentials-ignored", path=request.url.path, headers=came)
