"""Where those sign who sign beside the leader: initials near the leader's title, a second leader in the other column.

A place counts as found when nothing is printed there and no other field lies there; else it is a guess to look at.
"""

from collections.abc import Iterator
from dataclasses import replace

import pypdfium2 as pdfium
from PIL import Image

from signing.errors import NotAPdf
from signing.model import INITIAL_FIELD, NamedPlace, Place, Places
from signing.place import Box, Sheet

FOUND = 0.7
GUESSED = 0.2
_INITIAL = (56.0, 28.0)
_MARGIN = 24.0
_DARK = 200  # of 255: lighter is paper


def with_others(pdf: bytes, sheet: Sheet, places: Places, names: tuple[str, ...]) -> Places:
    """The same places with one for each field of `names`, in this order; those that were given stay as they are.

    They are looked for on the page of the leader's signature, whose `sheet` it is. Raises `NotAPdf`.
    """
    given = {other.field: other for other in places.others}
    page = places.signature.page
    taken = [p for p in (places.number, places.date, places.signature, places.seal) if p.page == page]
    taken += [given[name].place for name in names if name in given and given[name].place.page == page]
    boxes = [sheet.box_to_view(place.box) for place in taken]
    picture = _picture(pdf, page) if set(names) - given.keys() else None
    others = []
    for name in names:
        if name in given or picture is None:
            others.append(given[name])
            continue
        box, confidence = _place(name, sheet, sheet.box_to_view(places.signature.box), picture, boxes)
        boxes.append(box)
        others.append(NamedPlace(name, Place(page, sheet.box_to_page(box), confidence)))
    return replace(places, others=tuple(others))


def _place(name: str, sheet: Sheet, signature: Box, picture: Image.Image, taken: list[Box]) -> tuple[Box, float]:
    ways = list((_for_initials if name.startswith(INITIAL_FIELD) else _for_leader)(signature, sheet))
    for box in ways:
        if not any(_touch(box, other) for other in taken) and _blank(picture, box, sheet):
            return box, FOUND
    apart = (box for box in ways if not any(_touch(box, other) for other in taken))
    return next(apart, ways[0]), GUESSED


def _for_initials(signature: Box, sheet: Sheet) -> Iterator[Box]:
    """Beside the leader's title, right of it first; then along the right and the left margin; then the foot."""
    x1, _, x2, y2 = signature
    width, height = _INITIAL
    right, left = sheet.width - _MARGIN - width, _MARGIN
    for u in (min(x2 + 4, right), right, left, x1 - width - 4):
        for step in (*range(9), -2, -3, -4, -5):
            v = y2 + 2 + 14 * step
            if u >= 0 and v + height <= sheet.height:
                yield u, v, u + width, v + height
    for step in range(8):
        u = _MARGIN + step * (width + 6)
        yield u, _MARGIN, u + width, _MARGIN + height


def _for_leader(signature: Box, sheet: Sheet) -> Iterator[Box]:
    """As large as the leader's, in the left column at the same height; then lower, then higher, in both columns."""
    x1, y1, x2, y2 = signature
    width, height = x2 - x1, y2 - y1
    column = max(0.28 * sheet.width - width / 2, _MARGIN)
    for rise in (0.0, -110.0, -150.0, 110.0, 150.0, 200.0):
        for u in (column, x1):
            v = y1 + rise
            if v >= _MARGIN and v + height <= sheet.height - _MARGIN:
                yield u, v, u + width, v + height
    yield column, _MARGIN, column + width, _MARGIN + height


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _blank(picture: Image.Image, box: Box, sheet: Sheet) -> bool:
    """Whether nothing is printed in a box of the view; the picture has one pixel for each point."""
    across, down = picture.width / sheet.width, picture.height / sheet.height
    cut = picture.crop(
        (
            int(box[0] * across), int((sheet.height - box[3]) * down),
            int(box[2] * across) + 1, int((sheet.height - box[1]) * down) + 1,
        )
    )  # fmt: skip
    darkest, _ = cut.getextrema()
    return isinstance(darkest, int | float) and darkest >= _DARK


def _picture(pdf: bytes, page: int) -> Image.Image:
    try:
        document = pdfium.PdfDocument(pdf)
        try:
            drawn: Image.Image = document[page].render(scale=1).to_pil().convert("L")
            return drawn
        finally:
            document.close()
    except (pdfium.PdfiumError, ValueError, OSError) as error:
        raise NotAPdf() from error
