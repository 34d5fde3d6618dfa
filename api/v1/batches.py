"""One confirmation for many documents; the answer is read line by line while it is made."""

from fastapi import APIRouter, Request, Response

from api import batches, schemas
from api.auth import Me, Running
from api.idempotency import asked_of
from api.pages.render import language_of
from api.v1.asked import Key

router = APIRouter(prefix="/batches", tags=["batches"])


@router.post("", response_class=Response, responses={200: {"content": {schemas.LINES: {}}}})
def batch(request: Request, parts: Running, caller: Me, key: Key, body: schemas.BatchAsked) -> Response:
    """Sign or seal many documents with one PIN: one line (NDJSON) for each as it is done, then one with the counts.

    A refusal of one document is its own line. Repeated with the same key, it goes on where it stopped.
    """
    asked_of(request.method, request.url.path, {}, key)  # a key that cannot be is refused before anything happens
    return schemas.lines_response(batches.batch(parts, caller, key, body, language_of(request)))
