"""The signatures of stored files: what each of them signed, and what changed after it. `n` counts from 1 as reported.

For whoever may read the file itself: a document of one's own office, as it was last signed; what was delivered to it.
"""

from typing import Literal

from fastapi import APIRouter, Request, Response

from api import changes
from api.auth import Me, Running
from api.changes import Checked
from api.pages.render import language_of
from api.schemas import Json, file_response
from api.wiring import Parts
from exchange.errors import NotFound
from signing.changes import change_sentence
from signing.model import Comparison

router = APIRouter(tags=["signatures"])
Side = Literal["then", "now"]


@router.get("/documents/{document}/signatures/{n}/changes")
def document_changes(request: Request, parts: Running, caller: Me, document: str, n: int) -> Json:
    """What changed after a signature of my document: the changes in words, and where each page looks different."""
    return _changes(parts, changes.of_document(parts, caller, document), n, language_of(request))


@router.get("/documents/{document}/signatures/{n}/file")
def document_signed(parts: Running, caller: Me, document: str, n: int) -> Response:
    """The revision that a signature of my document signed, a PDF of its own."""
    return _file(changes.of_document(parts, caller, document), n)


@router.get("/documents/{document}/signatures/{n}/pages/{page}.png")
def document_picture(parts: Running, caller: Me, document: str, n: int, page: int, side: Side = "now") -> Response:
    """A page (from 0) of it, `then` or `now`, boxed: green what was filled in or signed as allowed, red the rest."""
    return _picture(parts, changes.of_document(parts, caller, document), n, page, side)


@router.get("/deliveries/{delivery}/signatures/{n}/changes")
def arrival_changes(request: Request, parts: Running, caller: Me, delivery: str, n: int) -> Json:
    """What changed after a signature of what was delivered to me."""
    return _changes(parts, changes.of_arrival(parts, caller, delivery), n, language_of(request))


@router.get("/deliveries/{delivery}/signatures/{n}/file")
def arrival_signed(parts: Running, caller: Me, delivery: str, n: int) -> Response:
    """The revision that a signature of what was delivered to me signed."""
    return _file(changes.of_arrival(parts, caller, delivery), n)


@router.get("/deliveries/{delivery}/signatures/{n}/pages/{page}.png")
def arrival_picture(parts: Running, caller: Me, delivery: str, n: int, page: int, side: Side = "now") -> Response:
    """A page (from 0) of it, `then` or `now`, boxed."""
    return _picture(parts, changes.of_arrival(parts, caller, delivery), n, page, side)


def _changes(parts: Parts, checked: Checked, n: int, language: str) -> Json:
    signature, compared = checked.signature(n), changes.comparison(parts, checked, n)
    return {
        "field": signature.field,
        "file_sha256": checked.report.file_sha256,
        "signed_bytes": signature.signed_bytes,
        "changes": [
            {
                "what": one.what, "kind": one.kind, "page": one.page, "field": one.field,
                "sentence": change_sentence(one, language),
            }
            for one in signature.changes
        ],
        **_compared(checked, n, compared),
    }  # fmt: skip


def _compared(checked: Checked, n: int, compared: Comparison) -> Json:
    signature = checked.signature(n)
    return {
        "pages_then": compared.pages_then,
        "pages_now": compared.pages_now,
        "not_compared": compared.not_compared,
        "differences": [
            {
                "page": one.page,
                "kind": one.kind,
                "areas": [
                    {
                        "box": list(area.box), "field": area.field,
                        "kind": "allowed" if changes.is_allowed(signature, area) else "other",
                    }
                    for area in one.areas
                ],
            }
            for one in compared.differences
        ],
    }  # fmt: skip


def _file(checked: Checked, n: int) -> Response:
    return file_response(checked.signed_file(n), "application/pdf", checked.signed_name(n))


def _picture(parts: Parts, checked: Checked, n: int, page: int, side: Side) -> Response:
    """Raises `NotFound` for a page that this side, or neither, has."""
    checked.signature(n)
    then, now = changes.pictures(parts, checked, n, page)
    png = then if side == "then" else now
    if png is None:
        raise NotFound
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})
