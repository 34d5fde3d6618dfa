"""A file that came back from a program at the desk: what did it do to the one that was lent (signing page §1.1)?

A signature covers everything in its own revision, so its report says nothing about what came in with it. That is asked
here: every change since the lent bytes must be one that signing needs.
"""

import io
from collections.abc import Collection, Sequence

from signing.errors import NotAPdf
from signing.guard import whole_part
from signing.model import Change

_NEEDED = frozenset(
    {"long-term-data", "timestamp-added", "metadata", "unused-object", "written-again"}
)  # fmt: skip
_OF_SIGNATURES = frozenset({"field-signed", "signature-field-added"})
CERTIFIES = "permissions"


def changes_since(pdf: bytes, size: int) -> tuple[Change, ...]:
    """All that the revisions after the first `size` bytes changed; run it in the limited process.

    Raises `NotAPdf`, `PdfEncrypted`, `PdfTooComplex`.
    """
    from signing._pyhanko.since import changes_since as since

    if not pdf.startswith(b"%PDF-"):
        raise NotAPdf
    return since(whole_part(pdf), size)


def stands_top_right(pdf: bytes, field: str) -> bool:
    """Whether a signature is seen top right of page one: the middle of its box in the right half and the top quarter.

    `pdf` was judged before; run it in the limited process. Where a copy and an attachment are signed: R41, R42.
    """
    import pikepdf

    from signing.prepare import sheet_of

    with pikepdf.open(io.BytesIO(pdf)) as document:
        page = document.pages[0]
        sheet = sheet_of(page)
        for box in page.obj.get("/Annots", pikepdf.Array()):
            if str(box.get("/T", "")) == field and "/Rect" in box:
                x1, y1, x2, y2 = (float(n) for n in box.Rect)
                x, y = sheet.to_view((x1 + x2) / 2, (y1 + y2) / 2)
                return sheet.width / 2 < x < sheet.width and 0.75 * sheet.height < y < sheet.height
    return False


def not_of_signing(changes: Sequence[Change], *, signed: Collection[str], first: bool) -> Change | None:
    """The first change that signing the fields `signed` does not need; None when there is none.

    `first`: the file had no signature before, so the new one may certify it.
    """
    for change in changes:
        ours = change.what in _OF_SIGNATURES and change.field in signed
        if not (ours or change.what in _NEEDED or (first and change.what == CERTIFIES)):
            return change
    return None
