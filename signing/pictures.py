"""Pages as pictures, with every filled field drawn."""

import io

import pypdfium2 as pdfium

from signing.errors import NotAPdf, PlaceInvalid

WIDEST = 4000


def page_picture(pdf: bytes, page: int, *, width: int) -> bytes:
    """A PNG, `width` pixels wide, of the page (from 0) as a reader shows it: upright, on white, fields and stamps
    drawn.

    `width` is cut at 4 000; a page that is very tall for its width gets narrower, so that no side passes 4 000.
    Raises `NotAPdf`, and `PlaceInvalid` when there is no such page.
    """
    try:
        document = pdfium.PdfDocument(pdf)
    except pdfium.PdfiumError as error:
        raise NotAPdf() from error
    try:
        if not 0 <= page < len(document):
            raise PlaceInvalid(field=f"{page + 1}")
        document.init_forms()
        return _drawn(document, page, width)
    except pdfium.PdfiumError as error:
        raise NotAPdf() from error
    finally:
        document.close()


def _drawn(document: pdfium.PdfDocument, number: int, width: int) -> bytes:
    page = document[number]
    across, down = page.get_size()
    if across <= 0 or down <= 0:
        raise NotAPdf()
    scale = min(min(max(width, 1), WIDEST) / across, WIDEST / down)
    picture = page.render(scale=scale, may_draw_forms=True).to_pil()
    out = io.BytesIO()
    picture.convert("RGB").save(out, "PNG")
    return out.getvalue()


def page_sizes(pdf: bytes) -> tuple[tuple[float, float], ...]:
    """Width and height of every page in points, as a reader shows it (after /Rotate). Raises `NotAPdf`."""
    try:
        document = pdfium.PdfDocument(pdf)
    except pdfium.PdfiumError as error:
        raise NotAPdf() from error
    try:
        return tuple(tuple(document.get_page_size(n)) for n in range(len(document)))
    except pdfium.PdfiumError as error:
        raise NotAPdf() from error
    finally:
        document.close()
