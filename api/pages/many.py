"""Ký nhiều, đóng dấu nhiều: check boxes, one PIN, and each document's result as it comes."""

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from api import batches, own_keys, schemas
from api.accounts import Caller
from api.auth import Me, Running
from api.errors import Malformed
from api.pages.codes import code_sent
from api.pages.page import form_of, page
from api.pages.render import language_of
from api.pages.texts import text
from api.wiring import Parts
from exchange.errors import NotFound
from exchange.rules.model import DocumentState

router = APIRouter(prefix="/documents/batch")
MOST = 100
"""How many documents one page offers."""


@router.get("/{act}")
def offered(request: Request, parts: Running, caller: Me, act: str) -> Response:
    """What waits for this act by this person."""
    return _page(request, parts, caller, act, [])


@router.post("/{act}")
async def done(request: Request, parts: Running, caller: Me, act: str) -> Response:
    """The results: line by line for the page's own script, else the page again with a table of them."""
    form, language = await form_of(request), language_of(request)
    if act not in batches.ACTS:
        raise NotFound
    body = _asked(act, form)
    key = str(form.get("key") or uuid4().hex)
    lines = await run_in_threadpool(batches.batch, parts, caller, key, body, language)
    said = (_said(line, language) for line in lines)
    if request.headers.get("accept") == schemas.LINES:
        return schemas.lines_response(said)
    return await run_in_threadpool(lambda: _page(request, parts, caller, act, list(said)))


@router.post("/{act}/code")
def send_code(request: Request, parts: Running, caller: Me, act: str) -> Response:
    """Have the one-time code of the caller's remote key sent."""
    return code_sent(request, parts, caller, act, back=f"/documents/batch/{act}")


def _page(request: Request, parts: Parts, caller: Caller, act: str, results: list[dict[str, Any]]) -> Response:
    if act not in batches.ACTS:
        raise NotFound
    office, me = caller.actor.office, caller.actor.id
    with parts.read() as reading:
        store = reading.exchange
        if act == "sign":
            waiting = store.documents(office, [DocumentState.WAITING_SIGNATURE], limit=MOST, waits_for=me)
        else:
            waiting = store.documents(office, [DocumentState.NUMBERED], limit=MOST)
        known = store.documents_by_id(line["document"] for line in results if "document" in line)
    rows = [document for document in waiting.rows if document.pending_signature is None]
    subjects = {id_: document.subject for id_, document in known.items() if document.office == office}
    values = {
        "act": act, "rows": rows, "results": results, "subjects": subjects,
        "own_key": own_keys.for_acts(parts, caller, [act]),
    }  # fmt: skip
    return page(request, "many.html", caller, values)


def _asked(act: str, form: dict[str, Any]) -> schemas.BatchAsked:
    try:
        chosen = [schemas.BatchItem(id=one.rpartition(":")[0], version=int(one.rpartition(":")[2]))
                  for one in form.get("document[]", [])]  # fmt: skip
        pin, otp = str(form.get("pin", "")), str(form.get("otp", "")).strip() or None
        return schemas.BatchAsked(act=act, pin=pin, otp=otp, documents=chosen)  # type: ignore[arg-type]
    except ValueError as error:
        raise Malformed(what="document") from error


def _said(line: dict[str, Any], language: str) -> dict[str, Any]:
    """A line with its sentence for the page."""
    if "document" not in line:
        return line | {"said": text(language, "batch.finished", done=line["done"], failed=line["failed"])}
    if line["problem"] is not None:
        return line | {"said": line["problem"]["title"]}
    if line["status"] == 202:
        return line | {"said": text(language, "batch.pending")}
    return line | {"said": text(language, f"document_state.{line['state']}")}
