"""Pages as pictures, with every filled field drawn; and the signed revision beside the newest one.

Opens foreign files: to be run in the limited process, `signed_revision` and `filled_as_allowed` excepted.
"""

import io
from collections.abc import Collection, Iterable, Iterator
from ctypes import byref
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image, ImageChops, ImageDraw, ImageFont

from signing.errors import NotAPdf, PlaceInvalid, SignedRevisionMissing
from signing.model import Area, Comparison, PageDifference, Report, SignatureReport

WIDEST = 4000
MOST_PAGES = 200
"""Pages that are compared; what lies behind is said to be not compared."""
COMPARED_WIDTH = 800
_MOST_AREAS = 100
_TILE = 8
_NEAR = 2
"""Tiles between two differences that are still shown as one: about the gap between words."""
_Pixels = tuple[int, int, int, int]
_Named = tuple[str, _Pixels]
_RED = (208, 0, 0)
_GREEN = (0, 128, 64)


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
        return _png(_drawn(document[page], width).picture)
    except pdfium.PdfiumError as error:
        raise NotAPdf() from error
    finally:
        document.close()


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


# -- the signed revision beside the newest one --


def signed_revision(pdf: bytes, report: Report, field: str) -> bytes:
    """The file as it was when `field` was signed, a file of its own; `report` is the verdict about `pdf`.

    Raises `SignedRevisionMissing` when the signature there does not cover a whole revision.
    """
    for signature in report.signatures:
        if signature.field == field and signature.signed_bytes is not None and signature.signed_bytes <= len(pdf):
            return pdf[: signature.signed_bytes]
    raise SignedRevisionMissing(field=field)


def filled_as_allowed(signature: SignatureReport) -> frozenset[str]:
    """The fields that were only filled or signed after this signature as it allows: number, date, seal.

    What else changed, also within the same field, keeps a field off the list.
    """
    effects: dict[str, set[str]] = {}
    for change in signature.changes:
        if change.field is not None:
            effects.setdefault(change.field, set()).add(change.kind)
    harmless = {"expected", "covered", "long_term", "note"}
    return frozenset(field for field, kinds in effects.items() if kinds <= harmless)


def compare_pages(pdf: bytes, end: int, *, pages: int = MOST_PAGES, width: int = COMPARED_WIDTH) -> Comparison:
    """Which pages look different in `pdf` than in its first `end` bytes (the signed revision), and where.

    At most the first `pages` pages, at most 200, are drawn, `width` pixels wide. Raises `NotAPdf` when one of the two
    cannot be drawn.
    """
    with _Pair(pdf, end) as pair:
        compared = min(max(pages, 0), MOST_PAGES, pair.longer)
        found = [difference for n in range(compared) if (difference := pair.difference(n, width)) is not None]
        return Comparison(len(pair.then), len(pair.now), pair.longer - compared, tuple(found))


def difference_pictures(
    pdf: bytes, end: int, page: int, *, width: int = COMPARED_WIDTH, allowed: Collection[str] = ()
) -> tuple[bytes | None, bytes | None]:
    """Two PNGs of a page, as signed (the first `end` bytes) and newest, with a red box around whatever differs.

    What only the fields `allowed` make different has a green box. Beside each box stands its number, from 1 in the
    order of the areas that `compare_pages` names. None for the side that has no such page.
    Raises `NotAPdf`, and `PlaceInvalid` when neither has.
    """
    with _Pair(pdf, end) as pair:
        if not 0 <= page < pair.longer:
            raise PlaceInvalid(field=f"{page + 1}")
        difference = pair.difference(page, width)
        areas = difference.areas if difference is not None else ()
        sides = (_drawn(d[page], width).picture if page < len(d) else None for d in (pair.then, pair.now))
        then, now = (None if side is None else _png(_boxed(side, areas, allowed)) for side in sides)
        return then, now


def _boxed(picture: Image.Image, areas: Iterable[Area], allowed: Collection[str]) -> Image.Image:
    boxed = picture.convert("RGB")
    draw = ImageDraw.Draw(boxed)
    thick = max(2, picture.width // 400)
    font = ImageFont.load_default(max(12, picture.width // 48))
    # red ones last: they are never hidden under a green one
    for n, area in sorted(enumerate(areas, 1), key=lambda one: one[1].field not in allowed):
        colour = _GREEN if area.field in allowed else _RED
        left, top, right, bottom = area.pixels
        outer = (max(left - thick - 1, 0), max(top - thick - 1, 0))
        inner = (min(right + thick, picture.width - 1), min(bottom + thick, picture.height - 1))
        draw.rectangle((*outer, *inner), outline=colour, width=thick)
        _tag(draw, outer, str(n), colour, font)
    return boxed


def _tag(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], told: str, colour: tuple[int, int, int], font: Any
) -> None:
    """A number on a ground of the box's colour, left of its upper left corner: what lies in the box stays readable."""
    _, _, wide, tall = draw.textbbox((0, 0), told, font=font)
    left = max(corner[0] - wide - 3, 0)
    draw.rectangle((left, corner[1], left + wide + 3, corner[1] + tall + 3), fill=colour)
    draw.text((left + 2, corner[1] + 1), told, fill=(255, 255, 255), font=font)


@dataclass(slots=True)
class _Drawn:
    """A page in pixels, and how to get back to points."""

    picture: Image.Image
    place: Any

    def points(self, pixels: _Pixels) -> tuple[float, float, float, float]:
        left, top, right, bottom = pixels
        (x1, y1), (x2, y2) = (self.place.to_page(*corner) for corner in ((left, bottom), (right, top)))
        x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)  # a turned page swaps corners
        return (round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2))

    def pixels(self, box: tuple[float, float, float, float]) -> _Pixels:
        x1, y1, x2, y2 = box
        (left, bottom), (right, top) = (self.place.to_bitmap(*corner) for corner in ((x1, y1), (x2, y2)))
        left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
        wide, tall = self.picture.size  # two pixels more: lines are drawn across the edge
        return (max(left - 2, 0), max(top - 2, 0), min(right + 2, wide), min(bottom + 2, tall))


class _Pair:
    """Two revisions of one file, opened for drawing."""

    def __init__(self, pdf: bytes, end: int) -> None:
        self._opened: list[pdfium.PdfDocument] = []
        try:
            for part in (pdf[:end], pdf):
                self._opened.append(pdfium.PdfDocument(part))
                self._opened[-1].init_forms()
        except pdfium.PdfiumError as error:
            self._close()
            raise NotAPdf() from error
        self.then, self.now = self._opened
        self.longer = max(len(self.then), len(self.now))

    def __enter__(self) -> "_Pair":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._close()
        if isinstance(error, pdfium.PdfiumError):
            raise NotAPdf() from error

    def _close(self) -> None:
        for document in self._opened:
            document.close()

    def difference(self, number: int, width: int) -> PageDifference | None:
        if number >= len(self.then):
            return PageDifference(number, "added")
        if number >= len(self.now):
            return PageDifference(number, "removed")
        pages = self.then[number], self.now[number]
        then, now = (_drawn(page, width) for page in pages)
        if then.picture.size != now.picture.size:
            whole = (0, 0, *now.picture.size)
            return PageDifference(number, "changed", (Area(now.points(whole), whole),))
        differing = _differing(then.picture, now.picture)
        if differing is None:
            return None
        found = sorted(_areas(pages, now, differing, width), key=lambda one: (one.pixels[1], one.pixels[0]))
        return PageDifference(number, "changed", tuple(found))


def _areas(pages: tuple[Any, Any], now: _Drawn, differing: Image.Image, width: int) -> Iterator[Area]:
    """Where two pages differ, first what fields alone make different.

    Whether it is the field is seen by drawing both without any field: what differs still is the page's own.
    """
    fields = {(name, now.pixels(box)) for page in pages for name, box in _fields(page)}
    touched = sorted((name, box) for name, box in fields if differing.crop(box).getbbox() is not None)
    rest = differing.copy()
    if touched:
        bare = _differing(*(_drawn(page, width, fields=False).picture for page in pages))
        of_fields = differing if bare is None else ImageChops.subtract(differing, bare)
        for name, box in _explaining(touched, of_fields):
            pixels = _moved(of_fields.crop(box).getbbox() or (0, 0, 0, 0), box)
            yield Area(now.points(pixels), pixels, name or None)
        for _, box in touched:
            rest.paste(0, box)
        if bare is not None:
            rest = ImageChops.lighter(rest, bare)
    for pixels in _boxes(rest):
        yield Area(now.points(pixels), pixels)


def _explaining(fields: list[_Named], of_fields: Image.Image) -> list[_Named]:
    """The fields that must have changed for the pixels that differ: a seal lies partly over the leader's signature, and
    that one is not to blame for it.
    """
    found: list[_Named] = []
    for others in (fields, found):  # first who has a pixel for itself; then whoever is needed for what is left
        for name, box in fields:
            left = of_fields.copy()
            for other, covered in others:
                if other != name:
                    left.paste(0, covered)
            if left.crop(box).getbbox() is not None and (name, box) not in found:
                found.append((name, box))
    return found


def _fields(page: Any) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """Name and box of every form field that a page shows."""
    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        one = raw.FPDFPage_GetAnnot(page, number)
        if not one:
            continue
        box = raw.FS_RECTF()
        if raw.FPDFAnnot_GetSubtype(one) == raw.FPDF_ANNOT_WIDGET and raw.FPDFAnnot_GetRect(one, byref(box)):
            x1, x2 = sorted((box.left, box.right))
            y1, y2 = sorted((box.bottom, box.top))
            yield _field_name(page, one), (x1, y1, x2, y2)
        raw.FPDFPage_CloseAnnot(one)


def _field_name(page: Any, one: Any) -> str:
    if page.formenv is None:
        return ""
    size = raw.FPDFAnnot_GetFormFieldName(page.formenv, one, None, 0)
    held = (raw.FPDF_WCHAR * (size // 2 + 1))()
    raw.FPDFAnnot_GetFormFieldName(page.formenv, one, held, size)
    return bytes(held).decode("utf-16-le", "replace").rstrip("\x00")


def _differing(then: Image.Image, now: Image.Image) -> Image.Image | None:
    """White where two pictures of one size differ at all, None where they are the same."""
    difference = ImageChops.difference(then, now)
    if difference.getbbox() is None:
        return None
    most = difference.getchannel(0)
    for channel in range(1, len(difference.getbands())):
        most = ImageChops.lighter(most, difference.getchannel(channel))
    return most.point(lambda value: 255 if value else 0)


def _boxes(differing: Image.Image) -> list[_Pixels]:
    """Boxes around what is white, things close to each other in one, in reading order."""
    small = differing.reduce(_TILE)
    across = small.width
    left = {n for n, value in enumerate(small.tobytes()) if value}
    boxes: list[_Pixels] = []
    while left and len(boxes) < _MOST_AREAS:
        group = _group(left, across)
        columns, rows = [n % across for n in group], [n // across for n in group]
        tiles = (min(columns) * _TILE, min(rows) * _TILE, (max(columns) + 1) * _TILE, (max(rows) + 1) * _TILE)
        box = (tiles[0], tiles[1], min(tiles[2], differing.width), min(tiles[3], differing.height))
        boxes.append(_moved(differing.crop(box).getbbox() or (0, 0, box[2] - box[0], box[3] - box[1]), box))
    if left and (whole := differing.getbbox()) is not None:
        return [whole]
    return sorted(_merged(boxes), key=lambda box: (box[1], box[0]))


def _group(left: set[int], across: int) -> list[int]:
    """One tile out of `left` and all that hang together with it, taken out of there."""
    group = [left.pop()]
    for one in group:
        row, column = divmod(one, across)
        for y in range(max(row - 1, 0), row + 2):
            for x in range(max(column - _NEAR, 0), min(column + _NEAR + 1, across)):
                if (near := y * across + x) in left:
                    left.remove(near)
                    group.append(near)
    return group


def _merged(boxes: list[_Pixels]) -> list[_Pixels]:
    """The boxes, those that overlap made one."""
    found: list[_Pixels] = []
    for box in boxes:
        while (other := next((one for one in found if _overlap(one, box)), None)) is not None:
            found.remove(other)
            box = (min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3]))
        found.append(box)
    return found


def _overlap(a: _Pixels, b: _Pixels) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _moved(inner: _Pixels, outer: _Pixels) -> _Pixels:
    return (inner[0] + outer[0], inner[1] + outer[1], inner[2] + outer[0], inner[3] + outer[1])


def _drawn(page: Any, width: int, *, fields: bool = True) -> _Drawn:
    across, down = page.get_size()
    if across <= 0 or down <= 0:
        raise NotAPdf()
    scale = min(min(max(width, 1), WIDEST) / across, WIDEST / down)
    bitmap = page.render(scale=scale, may_draw_forms=fields)
    return _Drawn(bitmap.to_pil(), bitmap.get_posconv(page))


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.convert("RGB").save(out, "PNG")
    return out.getvalue()
