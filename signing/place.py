"""Where number, date, signature and seal go: read off page one, and turned between the reader's view and the page."""

from dataclasses import dataclass

import pypdfium2 as pdfium

from signing.model import PageReading, Place, Places

MILLIMETRE = 72 / 25.4
SEAL_SIDE = 36 * MILLIMETRE
"""An organisation's seal is 36 mm across and shown in real size (law-and-practice R39)."""
SEAL_COVERS = 1 / 3
"""How much of the signature's width the seal covers, on its left (R39)."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page as a reader sees it: its visible `box` in page space, and by how many degrees it is turned clockwise.

    *View* coordinates are what a reader sees: origin lower left of the upright page, in points.
    """

    box: Box
    rotation: int

    @property
    def width(self) -> float:
        """Width in the view."""
        return self._size[self.rotation in (90, 270)]

    @property
    def height(self) -> float:
        """Height in the view."""
        return self._size[self.rotation not in (90, 270)]

    @property
    def _size(self) -> tuple[float, float]:
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """A point of page space, as seen."""
        width, height = self._size
        x, y = x - self.box[0], y - self.box[1]
        return {0: (x, y), 90: (y, width - x), 180: (width - x, height - y), 270: (height - y, x)}[self.rotation]

    def to_page(self, u: float, v: float) -> tuple[float, float]:
        """A point of the view, in page space."""
        width, height = self._size
        x, y = {0: (u, v), 90: (width - v, u), 180: (width - u, height - v), 270: (v, height - u)}[self.rotation]
        return x + self.box[0], y + self.box[1]

    def box_to_view(self, box: Box) -> Box:
        """A box of page space, as seen."""
        return _ordered(self.to_view(box[0], box[1]), self.to_view(box[2], box[3]))

    def box_to_page(self, box: Box) -> Box:
        """A box of the view, in page space; rounded to 1/1000 point."""
        x1, y1, x2, y2 = _ordered(self.to_page(box[0], box[1]), self.to_page(box[2], box[3]))
        return round(x1, 3), round(y1, 3), round(x2, 3), round(y2, 3)

    def holds(self, box: Box) -> bool:
        """Whether a box of page space lies on the visible page and has an area."""
        slack = 0.01  # boxes are rounded
        x1, y1, x2, y2 = box
        inside = x1 >= self.box[0] - slack and y1 >= self.box[1] - slack
        return inside and x2 <= self.box[2] + slack and y2 <= self.box[3] + slack and x1 < x2 and y1 < y2


def seal_beside(signature: Box, sheet: Sheet) -> Box:
    """The seal's box for a signature's box, both in the view: real size, over the signature's left third, on the page."""
    x1, y1, x2, y2 = signature
    right = x1 + (x2 - x1) * SEAL_COVERS
    left = min(max(right - SEAL_SIDE, 0), max(sheet.width - SEAL_SIDE, 0))
    bottom = min(max((y1 + y2 - SEAL_SIDE) / 2, 0), max(sheet.height - SEAL_SIDE, 0))
    return left, bottom, min(left + SEAL_SIDE, sheet.width), min(bottom + SEAL_SIDE, sheet.height)


def standard_places(first: Sheet, last: Sheet, last_page: int, *, confidence: float = 0.3) -> Places:
    """The places of a Decree-30 letter on which nothing could be read: heads of page one, foot of the last page."""
    signature = _on(last, (0.58, 0.155, 0.58, 0.155), (0, 0, 128, 72))
    return Places(
        number=Place(0, first.box_to_page(_on(first, (0.175, 0.858, 0.175, 0.858), (0, 0, 130, 18))), confidence),
        date=Place(0, first.box_to_page(_on(first, (0.52, 0.858, 0.52, 0.858), (0, 0, 220, 18))), confidence),
        signature=Place(last_page, last.box_to_page(signature), confidence),
        seal=Place(last_page, last.box_to_page(seal_beside(signature, last)), confidence),
    )


def _on(sheet: Sheet, shares: Box, points: Box) -> Box:
    """A box given in shares of the page plus points, pushed back where it would leave the page."""
    u1, v1 = sheet.width * shares[0] + points[0], sheet.height * shares[1] + points[1]
    u2, v2 = sheet.width * shares[2] + points[2], sheet.height * shares[3] + points[3]
    u2, v2 = min(u2, sheet.width), min(v2, sheet.height)
    return max(min(u1, u2 - 1), 0), max(min(v1, v2 - 1), 0), u2, v2


def _ordered(one: tuple[float, float], other: tuple[float, float]) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])


def read_page_one(pdf: bytes) -> PageReading:
    """What page one of a Decree-30 letter says, and where number, date, signature and seal belong; standard places else."""
    document = pdfium.PdfDocument(pdf)
    try:
        pages = len(document)
        places = standard_places(_sheet(document[0]), _sheet(document[pages - 1]), pages - 1)
    finally:
        document.close()
    return PageReading(places, pages, None, None, None, None, None, None)


def _sheet(page: pdfium.PdfPage) -> Sheet:
    return Sheet(page.get_cropbox(), page.get_rotation())
