"""Xác thực: anybody checks PDFs, without an account; nothing is kept.

A report can be taken along in other forms: the page carries it, sealed, and gives it back when a form is asked for.
"""

import hashlib
import hmac
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from api import cases
from api.auth import Anyone, Running, require_same_site
from api.errors import Malformed
from api.pages.page import form_of, page
from api.pages.render import html, language_of
from api.pages.shared import report_values
from api.problems import ROOM_ERRORS, STATUS
from api.reports import FORMS
from api.schemas import file_response
from api.v1.evidence import MOST_FILES
from api.wiring import Parts
from signing.report import report_from_json, report_json

router = APIRouter(prefix="/verify")


@router.get("")
def ask(request: Request, parts: Running, caller: Anyone) -> Response:
    """The form."""
    return page(request, "verify.html", caller, _form_values(parts, []))


@router.post("")
async def check(request: Request, parts: Running) -> Response:
    """The verdicts under the form, or alone for the page's own script, which sends one file after the other."""
    require_same_site(request)
    async with request.form(max_files=MOST_FILES, max_fields=MOST_FILES) as form:
        results = [await _result(request, parts, name, data) for name, data in await _files(form)]
    # of several files each has its own answer
    status = results[0]["status"] if len(results) == 1 else 200
    if "hx-request" in request.headers:
        return await run_in_threadpool(html, "verified.html", language_of(request), {"results": results}, status=status)
    return await run_in_threadpool(
        page, request, "verify.html", None, _form_values(parts, results), status=status
    )  # fmt: skip


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
    name = PurePath(str(form.get("name", ""))).stem[:100] or "van-ban"
    return file_response(data, FORMS[kind].media_type, f"bao-cao-{name}.{kind}")


async def _files(form: FormData) -> list[tuple[str, bytes]]:
    """Names and bytes of the files that were chosen; no file is one without a name, which is refused as no PDF."""
    uploads = [one for one in form.getlist("file") if isinstance(one, UploadFile)]
    return [(one.filename or "", await one.read()) for one in uploads] or [("", b"")]


async def _result(request: Request, parts: Parts, name: str, data: bytes) -> dict[str, Any]:
    language = language_of(request)
    try:
        report = await run_in_threadpool(cases.verify, parts, data)
    except ROOM_ERRORS as error:
        problem = {"code": error.code, "sentence": error.sentence(language)}
        return {"name": name, "status": STATUS[type(error)], "problem": problem, "report": None}
    told = report_json(report)
    carried = {"carried": told.decode(), "seal": _seal(parts, told), "forms": list(FORMS)}
    return {"name": name, "status": 200, "problem": None} | carried | report_values(report, language)


def _form_values(parts: Parts, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"results": results, "most": MOST_FILES, "limit_mb": parts.settings.upload_limit_mb}


def _seal(parts: Parts, told: bytes) -> str:
    """Proof that this service made a report, so that it never prints one that somebody else wrote."""
    key = parts.masters.derive(b"reports on the page /verify")
    return hmac.new(key, told, hashlib.sha256).hexdigest()
