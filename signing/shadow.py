"""Documents that were prepared before signing so that a small later change shows something else ("shadow" documents).

Such a file is signed honestly, and its signature is right: these are notes for people, beside the verdict. No rule
knows a file or a program; each looks for what a class of the attack needs: text that something hides, a second document
that nobody is shown, fields on top of each other or on no page, fonts that could be exchanged. Source: signing page
§3.8.
"""

import contextlib
import ctypes
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image, ImageChops

from signing.model import Finding

MOST_PAGES = 50
MOST_OBJECTS = 20_000
MOST_DRAWN = 20
"""How far the look goes: pages read, objects of the file and of one page, pages drawn. What lies behind has no note."""
_MOST_FIELDS = 5000
_MOST_TEXTS = 3000
_MOST_COVERS = 100
_WIDTH = 500
_COVERED = 0.9
_SAME_PLACE = 0.8
_HALF = 0.5
_HIDDEN_OR_NO_VIEW = 0b100010
_STANDARD_FONTS = ("Helvetica", "Times-", "Courier", "Symbol", "ZapfDingbats")
_BROKEN = (pikepdf.PdfError, pikepdf.PasswordError, ValueError, TypeError, LookupError, AttributeError, RuntimeError)
_Ref = tuple[int, int]
_Box = tuple[float, float, float, float]


def shadow_notes(*, shown_otherwise: Sequence[str], unlisted: int) -> tuple[Finding, ...]:
    """The notes about what was seen while the file was read.

    `shown_otherwise` names the fields that show something else than their value, `unlisted` counts the objects that no
    table of the file names.
    """
    found: list[Finding] = []
    if shown_otherwise:
        found.append(_note("shadow-value-differs", fields=_named(shown_otherwise)))
    if unlisted:
        found.append(_note("shadow-unlisted-objects", count=str(unlisted)))
    return tuple(found)


def shadow_warnings(pdf: bytes) -> tuple[Finding, ...]:
    """What in a PDF looks as if it waited to be switched: notes, at most one of a kind.

    What cannot be read has no notes here: the verdict speaks of it. Opens a foreign file: to be run in the limited
    process.
    """
    found: list[Finding] = []
    with contextlib.suppress(*_BROKEN), pikepdf.open(io.BytesIO(pdf)) as document:
        for look in (_second_document, _stacked_fields, _fields_on_no_page, _fonts_with_two_names, _fonts_from_outside):
            with contextlib.suppress(*_BROKEN):
                found.extend(look(document))
    with contextlib.suppress(pdfium.PdfiumError, ValueError, OSError):
        found.extend(_hidden_text(pdf))
    return tuple(found)


def _note(code: str, **gaps: str) -> Finding:
    return Finding(code, "note", gaps)


# -- what the objects of the file say --


def _second_document(document: pikepdf.Pdf) -> Iterator[Finding]:
    """Catalogs, page trees and drawn pages that the document itself does not use."""
    used = {document.Root.objgen}
    _walk_pages(document.Root.get("/Pages"), used, 0)
    spare = 0
    for one in _dictionaries(document):
        kind = one.get("/Type")
        roots = kind in ("/Catalog", "/Pages") or (kind == "/Page" and "/Contents" in one)
        spare += roots and one.objgen not in used
    if spare:
        yield _note("shadow-second-document", count=str(spare))


def _dictionaries(document: pikepdf.Pdf) -> Iterator[pikepdf.Dictionary]:
    for number in range(1, min(int(document.trailer.get("/Size", 0)), MOST_OBJECTS)):
        one = document.get_object(number, 0)
        if isinstance(one, pikepdf.Dictionary):
            yield one


def _walk_pages(top: Any, used: set[_Ref], depth: int) -> None:
    if not isinstance(top, pikepdf.Dictionary) or depth > 50 or (top.is_indirect and top.objgen in used):
        return
    used.add(top.objgen)
    for kid in top.get("/Kids", []):
        _walk_pages(kid, used, depth + 1)


def _stacked_fields(document: pikepdf.Pdf) -> Iterator[Finding]:
    """Pages where one visible field lies over another; stamps of signatures may, they are seen to be stamps."""
    found = []
    for number, page in enumerate(document.pages[:MOST_PAGES]):
        fields = [one for one in _annotations(page) if one.get("/Subtype") == "/Widget" and _shown(one)]
        boxes = [_box(one) for one in fields[:_MOST_TEXTS] if not _signed(one)]
        boxes.sort()
        if any(_same_place(a, b) for n, a in enumerate(boxes) for b in boxes[n + 1 : n + 20]):
            found.append(number + 1)
    if found:
        yield _note("shadow-fields-stacked", pages=_listed(found))


def _fields_on_no_page(document: pikepdf.Pdf) -> Iterator[Finding]:
    """Fields of the form that have a picture and a place, and that no page shows: one entry would put them there."""
    on_page = {one.objgen for page in document.pages for one in _annotations(page)}
    off = [one for one in _leaves(document) if one.objgen not in on_page and _shown(one) and not _signed(one)]
    if off:
        yield _note("shadow-field-off-page", count=str(len(off)))


def _fonts_with_two_names(document: pikepdf.Pdf) -> Iterator[Finding]:
    """Composite fonts whose parts are called differently: those were put together by hand, to be exchanged."""
    found = []
    for one in _dictionaries(document):
        if one.get("/Type") == "/Font" and "/DescendantFonts" in one:
            below: Any = one["/DescendantFonts"][0]
            name = below.get("/FontDescriptor", {}).get("/FontName")
            if name is not None and name != below.get("/BaseFont"):
                found.append(str(name))
    if found:
        yield _note("shadow-font-names", fonts=_named(found))


def _fonts_from_outside(document: pikepdf.Pdf) -> Iterator[Finding]:
    """Fonts of filled fields that the file does not hold; the standard ones are in every reader."""
    found = []
    for one in _leaves(document):
        if one.get("/FT") == "/Tx" and "/V" in one:
            fonts = one.get("/AP", {}).get("/N", {}).get("/Resources", {}).get("/Font", {})
            found += [str(font.get("/BaseFont", "")) for font in fonts.values() if _away(font)]
    if found:
        yield _note("shadow-font-missing", fonts=_named(found))


def _away(font: Any) -> bool:
    """Whether a font is neither in the file nor in every reader."""
    if font.get("/Subtype") == "/Type3" or str(font.get("/BaseFont", "")).lstrip("/").startswith(_STANDARD_FONTS):
        return False
    below = font["/DescendantFonts"][0] if "/DescendantFonts" in font else font
    described = below.get("/FontDescriptor", {})
    return not any(key in described for key in ("/FontFile", "/FontFile2", "/FontFile3"))


def _annotations(page: Any) -> Iterator[Any]:
    listed = page.obj.get("/Annots", [])
    return (one for one in listed if isinstance(one, pikepdf.Dictionary))


def _leaves(document: pikepdf.Pdf) -> Iterator[Any]:
    form = document.Root.get("/AcroForm")
    level = list(form.get("/Fields", [])) if isinstance(form, pikepdf.Dictionary) else []
    for _ in range(20):
        below: list[Any] = []
        for one in level[:_MOST_FIELDS]:
            if "/Kids" in one:
                below += list(one["/Kids"])
            else:
                yield one
        level = below


def _box(one: Any) -> _Box:
    x1, y1, x2, y2 = (float(n) for n in one.get("/Rect", (0, 0, 0, 0)))
    return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def _shown(one: Any) -> bool:
    x1, y1, x2, y2 = _box(one)
    return min(x2 - x1, y2 - y1) > 1 and not int(one.get("/F", 0)) & _HIDDEN_OR_NO_VIEW and "/N" in one.get("/AP", {})


def _signed(one: Any) -> bool:
    above: Any = one.get("/Parent", {})
    return one.get("/FT", above.get("/FT")) == "/Sig" and ("/V" in one or "/V" in above)


def _same_place(a: _Box, b: _Box) -> bool:
    return _shared(a, b) >= _SAME_PLACE * max(_size(a), _size(b))


def _shared(a: _Box, b: _Box) -> float:
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return wide * tall if wide > 0 and tall > 0 else 0.0


def _size(box: _Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _named(names: Sequence[str]) -> str:
    """A few names out of a foreign file, made fit to be read."""
    first = list(dict.fromkeys(names))[:3]
    return ", ".join("".join(c for c in name.lstrip("/")[:60] if c.isprintable()) for name in first)


def _listed(pages: list[int]) -> str:
    return ", ".join(map(str, pages[:10]))


# -- what the pages show --


@dataclass(slots=True)
class _Part:
    """One thing that a page draws: its number in the drawing order, None for what lies on the page; and its box."""

    order: int | None
    box: _Box
    signed: bool = False


def _hidden_text(pdf: bytes) -> Iterator[Finding]:
    """Pages with text that would be seen if something drawn over it went away."""
    document = pdfium.PdfDocument(pdf)
    try:
        document.init_forms()
        doubtful = (n for n in range(min(len(document), MOST_PAGES)) if _lying_under(*_parts(document[n])))
        found = [n + 1 for n in islice(doubtful, MOST_DRAWN) if _hides(document, n)]
    finally:
        document.close()
    if found:
        yield _note("shadow-hidden-text", pages=_listed(found))


def _hides(document: pdfium.PdfDocument, number: int) -> bool:
    page = document[number]
    texts, covers = _parts(page)
    under = _lying_under(texts, covers)
    hidden = [text for text, seen in zip(under, _seen(page, under), strict=True) if not seen]
    if not hidden:
        return False
    page.close()
    page = document[number]
    # without whatever may hide it: text that shows nothing even then (white, the text layer of a scan) is not hidden
    _take_out(page, [cover.order for cover in covers if cover.order is not None])
    gone = sorted(cover.order for cover in covers if cover.order is not None)
    moved = [_Part((text.order or 0) - sum(n < (text.order or 0) for n in gone), text.box) for text in hidden]
    waiting = [text for text, seen in zip(hidden, _seen(page, moved, alone=True), strict=True) if seen]
    stamped = [text for text in waiting if all(cover.signed for cover in covers if _lies_over(cover, text))]
    if len(waiting) > len(stamped):
        return True
    return sum(_size(text.box) for text in stamped) >= _HALF * sum(_size(text.box) for text in texts) > 0


def _lying_under(texts: list[_Part], covers: list[_Part]) -> list[_Part]:
    """The texts that something else lies over, see-through or not."""
    return [text for text in texts if any(_lies_over(cover, text) for cover in covers)]


def _seen(page: Any, texts: list[_Part], *, alone: bool = False) -> list[bool]:
    """Whether the page looks different without each of the texts, which are gone from it afterwards."""
    scale = _WIDTH / page.get_width()
    how = {"scale": scale, "may_draw_forms": not alone, "draw_annots": not alone}
    bitmap = page.render(**how)
    place, whole = bitmap.get_posconv(page), bitmap.to_pil()
    _take_out(page, [text.order for text in texts if text.order is not None])
    differing = ImageChops.difference(whole, page.render(**how).to_pil())
    return [differing.crop(_pixels(place, text.box, whole)).getbbox() is not None for text in texts]


def _take_out(page: Any, orders: Sequence[int]) -> None:
    objects = [raw.FPDFPage_GetObject(page, order) for order in orders]
    for one in objects:
        if raw.FPDFPage_RemoveObject(page, one):
            raw.FPDFPageObj_Destroy(one)


def _parts(page: Any) -> tuple[list[_Part], list[_Part]]:
    """The text that a page draws, and what may lie over it: pictures, drawings, annotations."""
    texts: list[_Part] = []
    covers: list[_Part] = []
    for order in range(min(raw.FPDFPage_CountObjects(page), MOST_OBJECTS)):
        one = raw.FPDFPage_GetObject(page, order)
        sides = [ctypes.c_float() for _ in range(4)]
        if not raw.FPDFPageObj_GetBounds(one, *map(ctypes.byref, sides)):
            continue
        box: _Box = (sides[0].value, sides[1].value, sides[2].value, sides[3].value)
        if raw.FPDFPageObj_GetType(one) != raw.FPDF_PAGEOBJ_TEXT:
            covers.append(_Part(order, box))
        elif _size(box) > 1 and len(texts) < _MOST_TEXTS:
            texts.append(_Part(order, box))
    covers += _on_page(page)
    return texts, sorted(covers, key=lambda cover: -_size(cover.box))[:_MOST_COVERS]


def _on_page(page: Any) -> Iterator[_Part]:
    for number in range(min(raw.FPDFPage_GetAnnotCount(page), _MOST_FIELDS)):
        one, box = raw.FPDFPage_GetAnnot(page, number), raw.FS_RECTF()
        if not one:
            continue
        if raw.FPDFAnnot_GetRect(one, ctypes.byref(box)):
            x1, x2 = sorted((box.left, box.right))
            y1, y2 = sorted((box.bottom, box.top))
            yield _Part(None, (x1, y1, x2, y2), _is_signature(page, one))
        raw.FPDFPage_CloseAnnot(one)


def _is_signature(page: Any, one: Any) -> bool:
    if page.formenv is None:
        return False
    kind = raw.FPDFAnnot_GetFormFieldType(page.formenv, one)
    return bool(kind == raw.FPDF_FORMFIELD_SIGNATURE and raw.FPDFAnnot_HasKey(one, b"V"))


def _lies_over(cover: _Part, text: _Part) -> bool:
    later = cover.order is None or (text.order is not None and cover.order > text.order)
    return later and _shared(cover.box, text.box) >= _COVERED * _size(text.box)


def _pixels(place: Any, box: _Box, picture: Image.Image) -> tuple[int, int, int, int]:
    (x1, y1), (x2, y2) = place.to_bitmap(box[0], box[1]), place.to_bitmap(box[2], box[3])
    wide, tall = picture.size
    return (
        min(max(min(x1, x2) - 1, 0), wide - 1), min(max(min(y1, y2) - 1, 0), tall - 1),
        max(min(max(x1, x2) + 1, wide), 1), max(min(max(y1, y2) + 1, tall), 1),
    )  # fmt: skip
