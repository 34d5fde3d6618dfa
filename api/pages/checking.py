"""Xác thực: anybody checks a PDF, without an account; nothing is kept."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api import cases
from api.auth import Anyone, Running, require_same_site
from api.pages.page import form_of, page
from api.pages.render import language_of
from api.pages.shared import report_values
from api.problems import ROOM_ERRORS, STATUS

router = APIRouter(prefix="/verify")


@router.get("")
def ask(request: Request, caller: Anyone) -> Response:
    """The form."""
    return page(request, "verify.html", caller, {"problem": None, "report": None})


@router.post("")
async def check(request: Request, parts: Running) -> Response:
    """The verdict, under the form."""
    require_same_site(request)
    file = (await form_of(request)).get("file")
    data = await file.read() if isinstance(file, UploadFile) else b""
    name = file.filename if isinstance(file, UploadFile) else ""
    language = language_of(request)
    values: dict[str, Any] = {"problem": None, "report": None, "name": name}
    status = 200
    try:
        report = await run_in_threadpool(cases.verify, parts, data)
        values |= report_values(report, language)
    except ROOM_ERRORS as error:
        values["problem"] = {"code": error.code, "sentence": error.sentence(language)}
        status = STATUS[type(error)]
    return await run_in_threadpool(page, request, "verify.html", None, values, status=status)
