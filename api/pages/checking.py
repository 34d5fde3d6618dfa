"""Xác thực: anybody checks PDFs, without an account.

A report can be taken along in other forms: the page carries it, sealed, and gives it back when a form is asked for.
A file that was written on after a signature is kept for some minutes, for this browser only, so that the signed
revision can be looked at beside it; of any other file nothing is kept.
"""

import hashlib
import hmac
import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from api import cases, changes
from api.auth import Anyone, Running, require_same_site
from api.changes import Checked, stem
from api.errors import Malformed
from api.pages.changes import changes_page, signed_response
from api.pages.page import form_of, page
from api.pages.render import html, language_of
from api.pages.shared import report_values
from api.problems import ROOM_ERRORS, STATUS
from api.reports import FORMS
from api.schemas import file_response
from api.v1.evidence import MOST_FILES
from api.visiting import LIVES, VisitorFile
from api.wiring import Parts
from signing.model import Report
from signing.report import report_from_json, report_json

router = APIRouter(prefix="/verify")
VISITOR = "congvan_visitor"
"""The cookie by which a browser finds again what it had checked; it says nothing about who that is."""


@router.get("")
def ask(request: Request, parts: Running, caller: Anyone) -> Response:
    """The form."""
    return page(request, "verify.html", caller, _form_values(parts, []))


@router.post("")
async def check(request: Request, parts: Running) -> Response:
    """The verdicts under the form, or alone for the page's own script, which sends one file after the other."""
    require_same_site(request)
    visitor = request.cookies.get(VISITOR) or secrets.token_urlsafe(24)
    async with request.form(max_files=MOST_FILES, max_fields=MOST_FILES) as form:
        results = [await _result(request, parts, visitor, name, data) for name, data in await _files(form)]
    # of several files each has its own answer
    status = results[0]["status"] if len(results) == 1 else 200
    if "hx-request" in request.headers:
        language = language_of(request)
        response = await run_in_threadpool(html, "verified.html", language, {"results": results}, status=status)
    else:
        values = _form_values(parts, results)
        response = await run_in_threadpool(page, request, "verify.html", None, values, status=status)
    if any(one.get("changes") for one in results):
        response.set_cookie(VISITOR, visitor, path="/verify", httponly=True, samesite="strict")
    return response


@router.get("/files/{file}/signatures/{n}")
def changed(request: Request, parts: Running, caller: Anyone, file: str, n: int, page: int | None = None) -> Response:
    """What changed after a signature of a file that this browser had checked."""
    checked, pages = _found(request, parts, file), changes.PUBLIC_PAGES
    return changes_page(request, parts, caller, checked, n, shown=page, back=None, pages=pages)


@router.get("/files/{file}/signatures/{n}/file")
def signed_file(request: Request, parts: Running, file: str, n: int) -> Response:
    """The signed revision of a file that this browser had checked."""
    return signed_response(_found(request, parts, file), n)


@router.post("/report")
async def take(request: Request, parts: Running) -> Response:
    """The report that the page carried, in the form asked for. Raises `Malformed` for one that we did not make."""
    require_same_site(request)
    form = await form_of(request)
    told, seal, kind = (str(form.get(name, "")) for name in ("report", "seal", "form"))
    if kind not in FORMS or not hmac.compare_digest(seal.encode(), _seal(parts, told.encode()).encode()):
        raise Malformed(what="report")
    report = report_from_json(told.encode())
    data = await run_in_threadpool(FORMS[kind].write, report, language_of(request))
    name = stem(str(form.get("name", "")))
    return file_response(data, FORMS[kind].media_type, f"bao-cao-{name}.{kind}")


async def _files(form: FormData) -> list[tuple[str, bytes]]:
    """Names and bytes of the files that were chosen; no file is one without a name, which is refused as no PDF."""
    uploads = [one for one in form.getlist("file") if isinstance(one, UploadFile)]
    return [(one.filename or "", await one.read()) for one in uploads] or [("", b"")]


async def _result(request: Request, parts: Parts, visitor: str, name: str, data: bytes) -> dict[str, Any]:
    language = language_of(request)
    try:
        report = await run_in_threadpool(cases.verify, parts, data)
    except ROOM_ERRORS as error:
        problem = {"code": error.code, "sentence": error.sentence(language)}
        return {"name": name, "status": STATUS[type(error)], "problem": problem, "report": None}
    told = report_json(report)
    carried = {"carried": told.decode(), "seal": _seal(parts, told), "forms": list(FORMS)}
    kept = await run_in_threadpool(_kept, parts, visitor, VisitorFile(name, told, data), report)
    looked_at = {"changes": kept and f"/verify/files/{kept}/signatures", "minutes": LIVES.seconds // 60}
    return {"name": name, "status": 200, "problem": None} | carried | looked_at | report_values(report, language)


def _kept(parts: Parts, visitor: str, file: VisitorFile, report: Report) -> str | None:
    """The id under which the browser finds the file again; None when there is nothing to be seen beside it."""
    if not any(one.signed_bytes is not None and one.signed_bytes < len(file.pdf) for one in report.signatures):
        return None
    return parts.visitor_files.keep(visitor, file, at=parts.now())


def _found(request: Request, parts: Parts, file: str) -> Checked:
    """What this browser had checked. Raises `CheckedFileGone`."""
    kept = parts.visitor_files.find(request.cookies.get(VISITOR, ""), file, at=parts.now())
    return Checked(kept.pdf, report_from_json(kept.report), kept.name)


def _form_values(parts: Parts, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"results": results, "most": MOST_FILES, "limit_mb": parts.settings.upload_limit_mb}


def _seal(parts: Parts, told: bytes) -> str:
    """Proof that this service made a report, so that it never prints one that somebody else wrote."""
    key = parts.masters.derive(b"reports on the page /verify")
    return hmac.new(key, told, hashlib.sha256).hexdigest()
