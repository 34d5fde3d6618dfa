"""A field that a program at the desk made for its own signature: where it stands, and what it shows there.

Place and picture are its user's choice, so both are looked at. What letters a picture draws nobody can read: it may
only stand where nothing stood, and be no larger than a signature.
"""

import io
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import pikepdf
import pypdfium2 as pdfium

from signing.errors import NotAPdf
from signing.prepare import sheet_of

_MM = 72 / 25.4
MOST_LONG, MOST_SHORT = 100 * _MM, 60 * _MM
"""A person's signature with its lines of text is no larger (points)."""
_SCALE = 2
_INK = 200
"""From 0 (black) to 255: what is darker was drawn; paper, and a watermark that one reads through, are lighter."""
_SPECKS = 2.0
"""So much ink under it (square points) is dust of a scan; one letter of a text has more."""
_EDGE = 2.0
"""The edge of a box (points) may touch what stands beside it."""
_MOMENT = re.compile(
    r"(\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{4}-\d{2}-\d{2})?[T ]?(\d{1,2}:\d{2}(:\d{2})?)?([+-]\d{2}:?\d{2}|Z)?"
)
_Box = tuple[float, float, float, float]


def stands_top_right(pdf: bytes, field: str) -> bool:
    """Whether a signature is seen top right of page one: the middle of its box in the right half and the top quarter.

    `pdf` was judged before; run it in the limited process. Where a copy and an attachment are signed: R41, R42.
    """
    with pikepdf.open(io.BytesIO(pdf)) as document:
        sheet = sheet_of(document.pages[0])
        for page, (x1, y1, x2, y2) in _boxes(document, field):
            x, y = sheet.to_view((x1 + x2) / 2, (y1 + y2) / 2)
            if page == 0 and sheet.width / 2 < x < sheet.width and 0.75 * sheet.height < y < sheet.height:
                return True
    return False


def shows_more(pdf: bytes, size: int, field: str, about: Collection[str]) -> str | None:
    """What the picture of `field` shows beside a signature in a free place, None when nothing: `covers`, `large`,
    `several` places, or `words`.

    The first `size` bytes are the file before it came; `about` is what may be said: the signer's names and the labels
    before them, word for word. Days and times may always be. `pdf` was judged before; run it in the limited process.
    """
    with pikepdf.open(io.BytesIO(pdf)) as document:
        boxes = [(page, box) for page, box in _boxes(document, field) if min(box[2] - box[0], box[3] - box[1]) > 1]
    if len(boxes) > 1:
        return "several"
    for page, box in boxes:
        sides = sorted((box[2] - box[0], box[3] - box[1]))
        if sides[0] > MOST_SHORT or sides[1] > MOST_LONG:
            return "large"
        if _ink(pdf[:size], page, box) > _SPECKS:
            return "covers"
        if any(not _may_be_said(word, about) for word in _words_added(pdf, size, page)):
            return "words"
    return None


def _boxes(document: pikepdf.Pdf, field: str) -> Iterator[tuple[int, _Box]]:
    """Pages (from 0) and boxes on which a field is listed."""
    for number, page in enumerate(document.pages):
        for one in page.obj.get("/Annots", pikepdf.Array()):
            if isinstance(one, pikepdf.Dictionary) and _name(one) == field and "/Rect" in one:
                x1, y1, x2, y2 = (float(n) for n in one.Rect)
                yield number, (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def _name(widget: Any) -> str:
    parts: list[str] = []
    while isinstance(widget, pikepdf.Dictionary) and len(parts) < 20:
        if "/T" in widget:
            parts.append(str(widget["/T"]))
        widget = widget.get("/Parent")
    return ".".join(reversed(parts))


def _ink(pdf: bytes, number: int, box: _Box) -> float:
    """How much was drawn within a box of a page, stamps and fields too: in square points."""
    with _opened(pdf) as document:
        document.init_forms()
        page = document[number]
        bitmap = page.render(scale=_SCALE, may_draw_forms=True)
        place = bitmap.get_posconv(page)
        corners = (place.to_bitmap(box[0], box[1]), place.to_bitmap(box[2], box[3]))
        picture, edge = bitmap.to_pil().convert("L"), int(_EDGE * _SCALE)
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(*corners, strict=True))
    inner = (
        max(left + edge, 0),
        max(top + edge, 0),
        min(right - edge, picture.width),
        min(bottom - edge, picture.height),
    )
    if inner[0] >= inner[2] or inner[1] >= inner[3]:
        return 0.0
    dark: int = sum(picture.crop(inner).histogram()[:_INK])
    return dark / _SCALE**2


def _words_added(pdf: bytes, size: int, number: int) -> list[str]:
    """The words that stand on a page now and did not before; what lies on the page counts like the page."""
    return list((_words(pdf, number) - _words(pdf[:size], number)).elements())


def _words(pdf: bytes, number: int) -> Counter[str]:
    import pypdfium2.raw as raw

    with _opened(pdf) as document:
        page = document[number]
        raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
        page.close()
        text = document[number].get_textpage().get_text_range()
    return Counter(unicodedata.normalize("NFC", text).split())


def _may_be_said(word: str, about: Collection[str]) -> bool:
    known = {_plain(one) for line in about for one in unicodedata.normalize("NFC", line).split()}
    return _MOMENT.fullmatch(word) is not None or _plain(word) in known | {""}


def _plain(word: str) -> str:
    return word.strip(".,;:()\"'“”-–").casefold()


def _opened(pdf: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(pdf)
    except pdfium.PdfiumError as error:
        raise NotAPdf from error
