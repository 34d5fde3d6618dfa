"""Lập bản sao: the form for sao y, sao lục, trích sao, of a scan or of a document that is here."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api import copies, schemas
from api.accounts import Caller
from api.auth import Me, Running
from api.errors import Malformed
from api.pages.page import after, form_asked, form_of, page
from api.pages.render import language_of
from api.pages.texts import catalogue, text
from api.problems import ROOM_ERRORS, STATUS, RoomError
from api.wiring import Parts
from exchange.rules.model import CopyKind, Document, Role
from exchange.storage.store import found_arrival, found_document

router = APIRouter(prefix="/documents/copy")
MOST_PAGES = 2000


@router.get("")
def ask(request: Request, parts: Running, caller: Me, document: str = "", delivery: str = "") -> Response:
    """The form, for a source that is here or for a scan."""
    return _form(request, parts, caller, {"document": document, "delivery": delivery}, None)


@router.post("")
async def made(request: Request, parts: Running, caller: Me) -> Response:
    """The copy as a draft, or the form again with what was wrong."""
    form = await form_of(request)
    file = form.pop("file", None)
    form.pop("file[]", None)
    scan = (file.filename, await file.read()) if isinstance(file, UploadFile) and file.filename else None
    asked = form_asked(request, {**form, "file": scan[0] if scan else ""})
    body = _asked(form, scan is not None)
    try:
        answer = await run_in_threadpool(copies.draft, parts, caller, asked, body, scan)
    except ROOM_ERRORS as error:
        return await run_in_threadpool(_form, request, parts, caller, form, error)
    return after(f"/documents/{answer.body['id']}", "copy")


def _asked(form: dict[str, Any], scanned: bool) -> schemas.NewCopy:
    told = {name: form[name] for name in ("copy_kind", "document", "delivery", "type", "subject") if form.get(name)}
    words = str(form.get("pages", "")).replace(",", " ").split()
    try:
        told |= {"pages": [n for word in words for n in _range(word)] or None, "upload": "scan" if scanned else None}
        told |= {"issue_place": form.get("issue_place") or None, "not_classified": form.get("not_classified") == "1"}
        return schemas.NewCopy.model_validate(told).model_copy(update={"upload": None})
    except ValueError as error:
        raise Malformed(what="pages" if words else "file") from error


def _range(word: str) -> range:
    """`3` or `2-5`, from 1."""
    first, _, last = word.partition("-")
    return range(int(first), min(int(last or first), int(first) + MOST_PAGES) + 1)


def _form(request: Request, parts: Parts, caller: Caller, form: dict[str, Any], error: RoomError | None) -> Response:
    language = language_of(request)
    problem = {"code": error.code, "sentence": error.sentence(language)} if error else None
    fields = ("copy_kind", "document", "delivery", "pages", "subject", "issue_place", "type")
    values = {
        "problem": problem,
        "source": _source(parts, caller, form),
        "values": {name: form.get(name, "") for name in fields},
        "kinds": [(kind.value, text(language, f"copy_kind.{kind}")) for kind in CopyKind],
        "types": [(k.removeprefix("type."), v) for k, v in catalogue(language).items() if k.startswith("type.")],
        "limit_mb": parts.settings.upload_limit_mb,
        "caller_is_clerk": Role.CLERK in caller.actor.roles,
    }
    return page(request, "copying.html", caller, values, status=STATUS[type(error)] if error else 200)


def _source(parts: Parts, caller: Caller, form: dict[str, Any]) -> Document | None:
    with parts.read() as reading:
        if form.get("document"):
            return found_document(reading.exchange, str(form["document"]), caller.actor)
        if form.get("delivery"):
            arrival = found_arrival(reading.exchange, str(form["delivery"]), caller.actor)
            return reading.exchange.document(arrival.document)
    return None
