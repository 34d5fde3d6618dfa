"""Checking for everybody: any PDF, and files of one's own office by digest."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api import cases, schemas
from api.auth import Running, current_caller
from api.errors import Malformed
from api.pages.render import language_of
from api.problems import ROOM_ERRORS, problem_of
from api.schemas import Json
from api.wiring import Parts

router = APIRouter(tags=["evidence"])

MOST_FILES = 20
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "maxItems": MOST_FILES,
                            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                        }
                    },
                }
            },
            "application/json": {"schema": schemas.ByDigest.model_json_schema()},
        },
    }
}


@router.post("/verify", openapi_extra=_BODY)
async def verify(request: Request, parts: Running) -> Json:
    """The verdict on a PDF, in words and in full; of several `file`s one item for each. Nothing of them is kept.

    With a JSON body and a session: on a file of the caller's office, by its SHA-256; that report is kept.
    """
    if _media_type(request) == "application/json":
        return await _by_digest(request, parts)
    async with request.form(max_files=MOST_FILES, max_fields=MOST_FILES) as form:
        files = form.getlist("file")
        uploads = [one for one in files if isinstance(one, UploadFile)]
        if not uploads or len(uploads) < len(files):
            raise Malformed(what="file")
        if len(uploads) == 1:
            return await _checked(request, parts, uploads[0])
        return {"items": [await _item(request, parts, one) for one in uploads]}


async def _by_digest(request: Request, parts: Parts) -> Json:
    caller = await current_caller(request)
    asked = schemas.ByDigest.model_validate_json(await request.body())
    report, stored = await run_in_threadpool(cases.verify_kept, parts, caller, asked.sha256)
    return schemas.full_report(report, language_of(request)) | {"report": stored.sha256}


async def _checked(request: Request, parts: Parts, upload: UploadFile) -> Json:
    report = await run_in_threadpool(cases.verify, parts, await upload.read())
    return schemas.full_report(report, language_of(request))


async def _item(request: Request, parts: Parts, upload: UploadFile) -> Json:
    """One of several: a file that cannot be read must not hide what is said about the others."""
    name = upload.filename or ""
    try:
        return {"name": name, "report": await _checked(request, parts, upload)}
    except ROOM_ERRORS as error:
        _, problem = problem_of(
            error, language_of(request), instance=request.url.path, trace=request.state.trace
        )  # fmt: skip
        return {"name": name, "problem": problem}


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
