"""Electronic copies (sao y, sao lục, trích sao): pages of a source with room for the organisation's mark (R35, R42).

The organisation alone signs a copy, top right of page one; number and date of the copy stand in the left margin there.
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pikepdf
from pikepdf import Array, Pdf

from signing.errors import NotAPdf, PdfEncrypted, PlaceInvalid
from signing.model import COPY_FIELDS, DATE_FIELD, NUMBER_FIELD, Place, Places, PreparedDocument
from signing.place import MILLIMETRE, Piece, mark_place, read_page_one
from signing.prepare import add_fields, sheet_of, written_anew
from signing.stamp import MARK_FONT, MARK_SIZE, copy_mark, date_in_words, mark_size

FORMS = {"SY": "SAO Y", "SL": "SAO LỤC", "TrS": "TRÍCH SAO"}
"""What a copy is called in its mark."""
_LINE = 13.0
_WIDTH = 230.0


def prepare_copy(
    pdf: bytes, kind: str, office: str, *, pages: Sequence[int] | None = None, electronic: bool = False
) -> PreparedDocument:
    """A copy of `pages` (from 0; None: all) of a source, with the fields for number, date and the mark of its `kind`.

    A source that is `electronic` may be signed: what its fields show becomes part of the page, its signatures do not
    come along. Raises `PlaceInvalid` for a page that is not there, and the errors of `prepare_document`.
    """
    source = _plain(pdf, pages) if electronic or pages is not None else pdf
    clean = written_anew(source)
    read = read_page_one(clean)
    lines = copy_mark(FORMS[kind], office, datetime.fromtimestamp(0, UTC))
    mark = mark_place(clean, mark_size(lines))
    number, day = _margin(clean)
    places = Places(number=number, date=day, signature=mark, seal=mark)
    made = add_fields(
        clean, ((NUMBER_FIELD, "/Tx", number), (DATE_FIELD, "/Tx", day), (COPY_FIELDS[kind], "/Sig", mark))
    )
    return PreparedDocument(made, replace(read, places=places))


def fill_copy(pdf: bytes, *, number: str, date: date, place_name: str | None = None) -> bytes:
    """Write number and date of a copy into its fields, read-only from then on. Raises `FieldMissing`, `NotAPdf`."""
    from signing._pyhanko.writing import FilledField, fill_fields

    written = date_in_words(date, place_name)
    return fill_fields(
        pdf,
        [
            FilledField(NUMBER_FIELD, number, (Piece(1, 3.5, MARK_SIZE, f"Số: {number}"),), (), MARK_FONT),
            FilledField(DATE_FIELD, written, (Piece(1, 3.5, MARK_SIZE, written),), (), MARK_FONT),
        ],
    )


def _plain(pdf: bytes, pages: Sequence[int] | None) -> bytes:
    """The chosen pages alone, with what their annotations show drawn on them, and no form."""
    try:
        with pikepdf.open(io.BytesIO(pdf)) as source, Pdf.new() as target:
            source.flatten_annotations("print")
            if "/AcroForm" in source.Root:
                del source.Root.AcroForm
            chosen = range(len(source.pages)) if pages is None else pages
            for n in chosen:
                if not 0 <= n < len(source.pages):
                    raise PlaceInvalid(field=f"trang / page {n + 1}")
                _drop_widgets(source.pages[n].obj)
                target.pages.append(source.pages[n])
            out = io.BytesIO()
            target.save(out, deterministic_id=True)
            return out.getvalue()
    except pikepdf.PasswordError as error:
        raise PdfEncrypted from error
    except (pikepdf.PdfError, ValueError, TypeError, RuntimeError) as error:
        raise NotAPdf from error


def _drop_widgets(page: Any) -> None:
    """What a field shows is on the page already; the field itself would bring its signature along."""
    if "/Annots" in page:
        page.Annots = Array([one for one in page.Annots if str(one.get("/Subtype", "")) != "/Widget"])


def _margin(pdf: bytes) -> tuple[Place, Place]:
    """Two lines in the upper left margin of page one."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        sheet = sheet_of(document.pages[0])
    left, top = 20 * MILLIMETRE, sheet.height - 6 * MILLIMETRE
    right = min(left + _WIDTH, sheet.width / 2)
    lines = [(left, top - (n + 1) * _LINE, right, top - n * _LINE) for n in range(2)]
    number, day = (Place(0, sheet.box_to_page(box), 0.7) for box in lines)
    return number, day
