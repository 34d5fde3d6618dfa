"""Đã thay đổi gì sau khi ký: the signed revision and today's side by side, for whoever may read the file."""

from base64 import b64encode
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from api import changes
from api.accounts import Caller
from api.changes import Checked
from api.pages.page import page
from api.pages.render import language_of
from api.pages.texts import text
from api.schemas import file_response
from api.wiring import Parts
from exchange.errors import NotFound
from signing.errors import NotAPdf, PdfTooComplex, SignedRevisionMissing
from signing.model import (
    DATE_FIELD,
    LEADER_FIELD,
    NUMBER_FIELD,
    SEAL_FIELD,
    Area,
    Comparison,
    PageDifference,
    SignatureReport,
)
from signing.pictures import MOST_PAGES
from signing.report.sheet import plain, sheet

FIELDS = {
    NUMBER_FIELD: "places.number",
    DATE_FIELD: "places.date",
    LEADER_FIELD: "places.signature",
    SEAL_FIELD: "places.seal",
}
"""The fields that this program makes, by the words that people know them under."""


def signed_response(checked: Checked, n: int) -> Response:
    """The revision that the `n`-th signature signed, as a file of its own."""
    return file_response(checked.signed_file(n), "application/pdf", checked.signed_name(n))


def changes_page(
    request: Request, parts: Parts, caller: Caller | None, checked: Checked, n: int, *, shown: int | None,
    back: str | None, pages: int = MOST_PAGES,
) -> Response:  # fmt: skip
    """What changed after the `n`-th signature: in words, and page `shown` (from 1; by default the first that differs).

    The address of the request is that of the page; the signed revision lies below it. Raises `NotFound` for a page that
    does not differ.
    """
    language, signature = language_of(request), checked.signature(n)
    values = {
        "signature": signature,
        "name": plain(signature.signer or signature.field),
        "told": sheet(checked.report, language).signatures[n - 1].changes,
        "url": request.url.path,
        "back": back,
        "has_file": signature.signed_bytes is not None,
        "problem": None,
        "compared": None,
        "one": None,
    }
    try:
        found = changes.comparison(parts, checked, n, pages=pages)
        values |= {"compared": found, "one": _one(parts, checked, n, found, shown, language)}
    except (SignedRevisionMissing, NotAPdf, PdfTooComplex) as error:
        values["problem"] = {"code": error.code, "sentence": error.sentence(language)}
    return page(request, "changed.html", caller, values)


def _one(
    parts: Parts, checked: Checked, n: int, found: Comparison, shown: int | None, language: str
) -> dict[str, Any] | None:
    """The page to show, drawn; None when there is none that differs."""
    if not found.differences and shown is None:
        return None
    numbers = [difference.page + 1 for difference in found.differences]
    if shown is not None and shown not in numbers:
        raise NotFound
    here = numbers.index(shown) if shown is not None else 0
    difference = found.differences[here]
    then, now = changes.pictures(parts, checked, n, difference.page)
    return {
        "page": difference.page + 1,
        "kind": difference.kind,
        "areas": _areas(checked.signature(n), difference, language),
        "sides": [("then", _data_uri(then)), ("now", _data_uri(now))],
        "before": numbers[here - 1] if here > 0 else None,
        "after": numbers[here + 1] if here + 1 < len(numbers) else None,
    }


def _areas(signature: SignatureReport, difference: PageDifference, language: str) -> list[dict[str, Any]]:
    """The boxes in words, by the numbers that stand beside them."""
    return [{"allowed": changes.is_allowed(signature, a), "label": _label(a, language)} for a in difference.areas]


def _label(area: Area, language: str) -> str:
    if area.field is None:
        return text(language, "changes.content")
    return text(language, FIELDS[area.field]) if area.field in FIELDS else plain(area.field)


def _data_uri(png: bytes | None) -> str | None:
    return None if png is None else f"data:image/png;base64,{b64encode(png).decode()}"
