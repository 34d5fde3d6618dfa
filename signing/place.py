"""Where number, date, signature and seal go: read off the page, and turned between the reader's view and the page."""

import ctypes
import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageChops

from signing.errors import NotAPdf
from signing.model import PageReading, Place, Places

MILLIMETRE = 72 / 25.4
SEAL_SIDE = 36 * MILLIMETRE
"""An organisation's seal is 36 mm across and shown in real size (law-and-practice R39)."""
SEAL_COVERS = 1 / 3
"""How much of the signature's width the seal covers, on its left (R39)."""

Box = tuple[float, float, float, float]
Colour = tuple[float, float, float]
"""Red, green, blue from 0 to 1."""
WHITE = (1.0, 1.0, 1.0)


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
    """The seal's box for a signature's box, both in the view: real size, over its left third, kept on the page."""
    x1, y1, x2, y2 = signature
    right = x1 + (x2 - x1) * SEAL_COVERS
    left = min(max(right - SEAL_SIDE, 0), max(sheet.width - SEAL_SIDE, 0))
    bottom = min(max((y1 + y2 - SEAL_SIDE) / 2, 0), max(sheet.height - SEAL_SIDE, 0))
    return left, bottom, min(left + SEAL_SIDE, sheet.width), min(bottom + SEAL_SIDE, sheet.height)


def standard_places(first: Sheet, last: Sheet, last_page: int, *, confidence: float = 0.3) -> Places:
    """The places of a Decree-30 letter on which nothing could be read: heads of page one, foot of the last page."""
    signature = _on(last, (0.58, 0.155, 0.58, 0.155), (0, 0, 128, 72))
    return Places(
        number=Place(0, first.box_to_page(_on(first, (0.245, 0.851, 0.245, 0.851), (0, 0, 110, 18))), confidence),
        date=Place(0, first.box_to_page(_on(first, (0.515, 0.851, 0.515, 0.851), (0, 0, 235, 18))), confidence),
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


def mark_place(pdf: bytes, size: tuple[float, float]) -> Place:
    """Where a mark of that size (width, height in points) goes: top right of page one (R41, R42).

    In the margin where it has room, else moved down, 60 mm at most, until it lies on nothing printed; where all is
    printed on, it stays at the top with a confidence of 0.5. Raises `NotAPdf`.
    """
    document = _open(pdf)
    try:
        page = document[0]
        sheet = _sheet(page)
        boxes = list(_mark_boxes(sheet, size))
        free = next((box for box in boxes if not _printed_on(page, box)), None)
    finally:
        document.close()
    return Place(0, sheet.box_to_page(free or boxes[0]), READ if free else GUESSED)


_MARK_EDGE = 10 * MILLIMETRE
_DARK = 450  # red, green and blue together: black letters could not be read on it
_MARK_TOPS = tuple(top * MILLIMETRE for top in (8, 6, 4, *range(10, 60, 2)))


def _mark_boxes(sheet: Sheet, size: tuple[float, float]) -> Iterable[Box]:
    width, height = min(size[0], sheet.width - 2), min(size[1], sheet.height - 2)
    right = sheet.width - min(_MARK_EDGE, sheet.width - width)
    for down in _MARK_TOPS:
        top = max(sheet.height - down, height)
        yield right - width, top - height, right, top


def _printed_on(page: pdfium.PdfPage, box: Box) -> bool:
    picture = _cut_out(page, box)
    paper = max(_shades(picture))[1]
    return sum(paper) < _DARK or _inked(picture, paper)


@dataclass(frozen=True, slots=True)
class Glyph:
    """One letter in the view: `left` and `right` edge, `baseline`, font `size` in points.

    Not `printed`: invisible text that OCR laid over a picture. What it says is a guess, where it stands nearly right.
    """

    letter: str
    left: float
    right: float
    baseline: float
    size: float
    printed: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text to draw at a point of a field's box (view, origin lower left of the box)."""

    left: float
    baseline: float
    size: float
    text: str


@dataclass(frozen=True, slots=True)
class Cover:
    """A box to paint over in the colour of its paper before anything is drawn."""

    box: Box
    paper: Colour


@dataclass(frozen=True, slots=True)
class Line:
    """A printed line, or what of it lies in a box; `glyphs` from left to right, without blanks and dotted leaders,
    which are the `dots`. `paper` is the colour under it; None: nothing is printed in the box.

    On a picture `glyphs` is empty, and `words` are the left edges of the words that it shows, with the index of the one
    before its first blank; `guessed` are the invisible letters that a machine read.
    """

    box: Box
    baseline: float
    size: float
    glyphs: tuple[Glyph, ...]
    dots: tuple[Glyph, ...] = ()
    paper: Colour | None = None
    words: tuple[float, ...] = ()
    blank_after: int | None = None
    guessed: tuple[Glyph, ...] = ()

    @property
    def text(self) -> str:
        """What it says, with one blank wherever there is a gap."""
        return _text(self.glyphs)

    @property
    def town(self) -> tuple[str | None, float]:
        """On a picture of a date: the name of the place, where a machine read it, and where the word `ngày` begins.

        As read by a machine, else by the look: `ngày` is the word before the first blank; where there is none, the
        sixth from the end (`ngày 05 tháng 3 năm 2026`). Where there are fewer words, no place stands before it.
        """
        span = next(iter(_spans(self.guessed, _DATE)), None)
        if span is not None:
            town = _text(self.guessed[: span[0]]).strip(" ,.;") if span[0] else ""
            likely = all(c in " .'-" or unicodedata.category(c) in ("Lu", "Ll") for c in town)
            return (town or None) if likely else None, self.guessed[span[0]].left
        index = self.blank_after if self.blank_after is not None else len(self.words) - 6
        return None, self.words[index] if index > 0 else self.box[0]

    def before(self, word: str) -> str | None:
        """What stands before `word`, without comma; None when nothing does, or when the word is not there."""
        head, found, _ = self.text.partition(word)
        return (head.strip(" ,;") or None) if found else None


def read_under_fields(pdf: bytes, names: Sequence[str]) -> dict[str, Line]:
    """What the page prints under each form field with one of these names, in the field's own view."""
    document = _open(pdf)
    try:
        found = {}
        for page in document:
            widgets = _text_widgets(page, document, names)
            if widgets:
                sheet, glyphs = _sheet(page), _glyphs(page)
                for name, box in widgets.items():
                    line = _under(sheet.box_to_view(box), glyphs)
                    found[name] = line if line.glyphs else _pictured(line, page, sheet.box_to_view(box))
            if len(found) == len(names):
                break
        return found
    finally:
        document.close()


def read_page_one(pdf: bytes) -> PageReading:
    """What a Decree-30 letter says about itself, and where number, date, signature and seal belong.

    Heads are read off page one, the signer's block off the page that names the recipients (appendices may follow it),
    else off the last page that is not blank. What cannot be read (a scan) gets its standard place with a confidence of
    0.3; places that were read have 0.9. Raises `NotAPdf`. Source: Decree 30 Appendix I.
    """
    document = _open(pdf)
    try:
        pages = len(document)
        head = _Page.of(document[0])
        last, foot = _foot(document, head)
    finally:
        document.close()
    number, date = _heads(head)
    signer = _signer_block(foot)
    standard = standard_places(head.sheet, foot.sheet, last)
    return PageReading(
        places=_places(standard, head.sheet, foot.sheet, last, number, date, signer),
        pages=pages,
        type=_type(head),
        subject=_subject(head),
        notation=_notation(head),
        signer=signer.name if signer else None,
        position=signer.position if signer else None,
        classified_mark=_classified_mark(head),
    )


READ = 0.9
GUESSED = 0.5
"""How sure a place is that was read off invisible text: OCR mistakes letters and misses edges."""
_MOST_SEARCHED = 300
_MOST_SEARCHED_BACK = 30
_LITTLE_ROOM = 24.0  # points between title and name
_LEAST_ROOM = 10.0
_INK = 150  # how far red, green and blue of a letter are together from those of its paper
_LEAST_INK = 0.002
_DOT = 0.17  # of a line's height: what is lower fills no blank
_BETWEEN_WORDS = 0.13  # of a line's height
_BLANK = 0.8  # of a line's height
_OFF_CENTRE = 8.0
_SIGNATURE_SIZE = (128.0, 72.0)
_NUMBER = re.compile(r"\b(?:Số|SỐ)\s*:?\s*[\d_]*\s*([/-]\s?[\w\-./&–]+)?")
_READ_NUMBER = re.compile(r"\b[S5][ốóôo6ồổòỏ]\s?[:.;]\s*[\d_]*\s*([/-]\s?[\w\-./&–]+)?")
"""How machines read `Số:` off paper."""
_DATE = re.compile(r"\bngày\s*\d*\s*tháng\s*\d*\s*năm\s*\d*")
_MARKS = ("TUYỆT MẬT", "TỐI MẬT", "MẬT")
_TYPES = (
    "NGHỊ QUYẾT", "QUYẾT ĐỊNH", "CHỈ THỊ", "QUY CHẾ", "QUY ĐỊNH", "THÔNG CÁO", "THÔNG BÁO", "HƯỚNG DẪN", "CHƯƠNG TRÌNH",
    "KẾ HOẠCH", "PHƯƠNG ÁN", "ĐỀ ÁN", "DỰ ÁN", "BÁO CÁO", "BIÊN BẢN", "TỜ TRÌNH", "HỢP ĐỒNG", "CÔNG ĐIỆN",
    "BẢN GHI NHỚ", "BẢN THỎA THUẬN", "GIẤY ỦY QUYỀN", "GIẤY MỜI", "GIẤY GIỚI THIỆU", "GIẤY NGHỈ PHÉP", "PHIẾU GỬI",
    "PHIẾU CHUYỂN", "PHIẾU BÁO", "THƯ CÔNG",
)  # fmt: skip
_DOTS = ".…_"


@dataclass(frozen=True, slots=True)
class _Page:
    sheet: Sheet
    lines: tuple[tuple[Glyph, ...], ...]
    parts: tuple[tuple[Glyph, ...], ...]
    """The lines cut at wide gaps: the two columns of a head are lines of their own."""

    @classmethod
    def of(cls, page: pdfium.PdfPage) -> "_Page":
        lines = tuple(_lines(_glyphs(page)))
        return cls(_sheet(page), lines, tuple(part for line in lines for part in _parts(line)))


@dataclass(frozen=True, slots=True)
class _Signer:
    name: str | None
    position: str | None
    place: "_Read"


def _open(pdf: bytes) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(pdf)
        if not len(document):
            raise NotAPdf()
        return document
    except pdfium.PdfiumError as error:
        raise NotAPdf() from error


def _sheet(page: pdfium.PdfPage) -> Sheet:
    (cx1, cy1, cx2, cy2), (mx1, my1, mx2, my2) = page.get_cropbox(), page.get_mediabox()
    return Sheet((max(cx1, mx1), max(cy1, my1), min(cx2, mx2), min(cy2, my2)), page.get_rotation())


def _glyphs(page: pdfium.PdfPage) -> list[Glyph]:
    """Every printed letter of a page, in the view."""
    sheet, text = _sheet(page), page.get_textpage()
    found: list[Glyph] = []
    for index in range(text.count_chars()):
        letter = chr(pdfium_c.FPDFText_GetUnicode(text, index))
        if letter.isspace() or not letter.isprintable():
            continue
        if unicodedata.combining(letter) and found:
            found[-1] = replace(found[-1], letter=unicodedata.normalize("NFC", found[-1].letter + letter))
            continue
        left, _, right, _ = sheet.box_to_view(text.get_charbox(index, loose=True))
        baseline, size = _baseline(text, index, sheet), _size(text, index)
        found.append(Glyph(_plain(letter), left, right, baseline, size, _printed(text, index)))
    return found


def _plain(letter: str) -> str:
    """Look-alikes that fonts mix up: Icelandic Ð for Đ, long dashes, curly apostrophes."""
    return {"Ð": "Đ", "–": "-", "‐": "-", "‑": "-", "’": "'", "ʼ": "'"}.get(letter, letter)


def _baseline(text: pdfium.PdfTextPage, index: int, sheet: Sheet) -> float:
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium_c.FPDFText_GetCharOrigin(text, index, x, y)
    return sheet.to_view(x.value, y.value)[1]


def _size(text: pdfium.PdfTextPage, index: int) -> float:
    """The font size as it looks: programs put it into the font, into the matrix, or into both."""
    matrix = pdfium_c.FS_MATRIX()
    size: float = pdfium_c.FPDFText_GetFontSize(text, index)
    if pdfium_c.FPDFText_GetMatrix(text, index, matrix):
        size *= (matrix.c**2 + matrix.d**2) ** 0.5
    return size


def _printed(text: pdfium.PdfTextPage, index: int) -> bool:
    run = pdfium_c.FPDFText_GetTextObject(text, index)
    return not run or int(pdfium_c.FPDFTextObj_GetTextRenderMode(run)) != pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE


def _lines(glyphs: Iterable[Glyph]) -> list[tuple[Glyph, ...]]:
    """Letters on about one baseline, from the top of the page down, each from left to right."""
    lines: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda one: -one.baseline):
        if lines and lines[-1][0].baseline - glyph.baseline < 0.25 * max(glyph.size, 8):
            lines[-1].append(glyph)
        else:
            lines.append([glyph])
    return [tuple(sorted(line, key=lambda one: one.left)) for line in lines]


def _parts(line: tuple[Glyph, ...], gap: float = 2.5) -> list[tuple[Glyph, ...]]:
    """The line cut wherever it is empty for more than `gap` times the size of its letters."""
    parts, start = [], 0
    for index in range(1, len(line)):
        if line[index].left - line[index - 1].right > gap * max(line[index].size, 8):
            parts.append(line[start:index])
            start = index
    return [*parts, line[start:]]


def _text(glyphs: Sequence[Glyph]) -> str:
    words = []
    for index, glyph in enumerate(glyphs):
        if index and glyph.left - glyphs[index - 1].right > 0.12 * max(glyph.size, 1):
            words.append(" ")
        words.append(glyph.letter)
    return unicodedata.normalize("NFC", "".join(words))


def _under(box: Box, glyphs: Iterable[Glyph]) -> Line:
    """The line of letters in a box, moved to the box's own corner. Empty: where one would write by hand."""
    width, height = box[2] - box[0], box[3] - box[1]
    inside = [g for g in glyphs if box[0] - 1 < (g.left + g.right) / 2 < box[2] + 1 and box[1] < g.baseline < box[3]]
    whole = (0.0, 0.0, width, height)
    if not inside:
        size = min(13.0, height * 0.8)
        return Line(whole, max(0.28 * height, (height - size) / 2 + 0.2 * size), size, ())
    longest = max(_lines(inside), key=lambda line: (sum(g.letter not in _DOTS for g in line), len(line)))
    moved = [replace(g, left=g.left - box[0], right=g.right - box[0], baseline=g.baseline - box[1]) for g in longest]
    letters = tuple(g for g in moved if g.letter not in _DOTS and g.printed)
    first = (letters or moved)[0]
    dots = tuple(g for g in moved if g.letter in _DOTS and g.printed)
    guessed = tuple(g for g in moved if g.letter not in _DOTS and not g.printed)
    return Line(whole, first.baseline, first.size, letters, dots, WHITE if letters else None, guessed=guessed)


_PIXELS = 2
"""For each point, where a box is looked at."""


def _pictured(line: Line, page: pdfium.PdfPage, box: Box) -> Line:
    """The line with what a picture shows in its box (view): the paper's colour, and where words begin."""
    picture = _cut_out(page, box)
    paper = _paper(picture)
    if paper is None:
        return line
    words, blank_after = _words_shown(picture)
    return replace(line, paper=paper, words=words, blank_after=blank_after)


def _cut_out(page: pdfium.PdfPage, box: Box) -> Image.Image:
    """A box of the view as the page itself shows it, without fields and annotations."""
    width, height = page.get_size()
    crop = (max(box[0], 0), max(box[1], 0), max(width - box[2], 0), max(height - box[3], 0))
    drawn: Image.Image = page.render(scale=_PIXELS, crop=crop, may_draw_forms=False, draw_annots=False).to_pil()
    return drawn.convert("RGB")


def _words_shown(picture: Image.Image) -> tuple[tuple[float, ...], int | None]:
    """The left edge of each word, in points, and after which of them the first blank comes (dots do not fill it)."""
    paper = max(_shades(picture))[1]
    ink = ImageChops.difference(picture, Image.new("RGB", picture.size, paper)).convert("L")
    mask = ink.point([0] * (_INK // 3) + [255] * (256 - _INK // 3))
    whole = mask.getbbox()
    if whole is None:
        return (), None
    high = whole[3] - whole[1]
    columns = [mask.crop((x, 0, x + 1, mask.height)).getbbox() for x in range(mask.width)]
    inked = [x for x, one in enumerate(columns) if one]
    tall = [x for x, one in enumerate(columns) if one and one[3] - one[1] > _DOT * high]
    words = inked[:1]
    words += [other for one, other in itertools.pairwise(inked) if other - one - 1 > _BETWEEN_WORDS * high]
    blank = next((one for one, other in itertools.pairwise(tall) if other - one - 1 > _BLANK * high), None)
    blank_after = None if blank is None else sum(x <= blank for x in words) - 1
    return tuple(x / _PIXELS for x in words), blank_after


def _paper(picture: Image.Image) -> Colour | None:
    """The colour of the paper under what a picture shows.

    None when there is nothing but paper, and when its edge cuts what is printed: half a word is not to be painted over.
    """
    paper = max(_shades(picture))[1]
    right, bottom = picture.width - 1, picture.height - 1
    edges = (
        (0, 0, right + 1, 1),
        (0, bottom, right + 1, bottom + 1),
        (0, 0, 1, bottom + 1),
        (right, 0, right + 1, bottom + 1),
    )
    if not _inked(picture, paper) or any(_inked(picture.crop(edge), paper) for edge in edges):
        return None
    red, green, blue = (round(part / 255, 3) for part in paper)
    return red, green, blue


def _inked(picture: Image.Image, paper: tuple[int, int, int]) -> bool:
    ink = sum(n for n, shade in _shades(picture) if sum(abs(a - b) for a, b in zip(shade, paper, strict=True)) > _INK)
    return ink > _LEAST_INK * picture.width * picture.height


def _shades(picture: Image.Image) -> list[tuple[int, tuple[int, int, int]]]:
    """How many pixels are of which red, green, blue."""
    return picture.getcolors(picture.width * picture.height) or []  # type: ignore[return-value]


def _text_widgets(page: pdfium.PdfPage, document: pdfium.PdfDocument, names: Sequence[str]) -> dict[str, Box]:
    """Boxes (page space) of the text fields with these names on one page."""
    if document.formenv is None:
        document.init_forms()
    found = {}
    for index in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
        try:
            name = _string(annotation, b"T")
            rectangle = pdfium_c.FS_RECTF()
            if name in names and pdfium_c.FPDFAnnot_GetRect(annotation, rectangle):
                found[name] = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
        finally:
            pdfium_c.FPDFPage_CloseAnnot(annotation)
    return found


def _string(annotation: object, key: bytes) -> str:
    length = pdfium_c.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    buffer = (ctypes.c_ushort * (length // 2 + 1))()
    pdfium_c.FPDFAnnot_GetStringValue(annotation, key, buffer, length)
    return bytes(buffer)[: max(length - 2, 0)].decode("utf-16-le", "replace")


# --- the layout of Decree 30 ---


def _spans(line: tuple[Glyph, ...], pattern: re.Pattern[str]) -> Iterable[tuple[int, int, str | None]]:
    """First and one past the last letter of `line` wherever a pattern over its text matches, and its first group."""
    text = ""
    owners: list[int] = []
    for index, glyph in enumerate(line):
        if index and glyph.left - line[index - 1].right > 0.12 * max(glyph.size, 1):
            text, owners = text + " ", [*owners, index]
        if glyph.letter in _DOTS:
            text, owners = text + " ", [*owners, index]
            continue
        text, owners = text + glyph.letter, [*owners, *[index] * len(glyph.letter)]
    for match in pattern.finditer(text):
        last = match.start() + len(match.group().rstrip()) - 1
        yield owners[match.start()], owners[last] + 1, match.groups()[0] if match.groups() else None


def _upper(page: _Page, share: float) -> Iterable[tuple[Glyph, ...]]:
    return (line for line in page.lines if line[0].baseline > page.sheet.height * (1 - share))


@dataclass(frozen=True, slots=True)
class _Read:
    """A box in the view, and whether that is `sure`: printed letters, no guesses of OCR, and only one way to read."""

    box: Box
    sure: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What may be the number or the date: letters `first` to `last` (one past) of a line, and what speaks for it."""

    line: tuple[Glyph, ...]
    first: int
    last: int
    likely: int

    @property
    def baseline(self) -> float:
        return self.line[self.first].baseline


_CLEAR = 4
"""What speaks for a number or date that nobody needs to be asked about."""
_SAME_ROW = 2.2
"""Times the font size: number and date stand side by side, or nearly."""


def _heads(page: _Page) -> tuple[_Read | None, _Read | None]:
    """Number and date of the letter: of all that reads like one, the two that stand as the heads of a letter do."""
    numbers, dates = list(_numbers(page)), list(_dates(page))
    pairs = [
        (number.likely + date.likely + 3, number, date)
        for number in numbers
        for date in dates
        if _side_by_side(number, date)
    ]
    if pairs:
        _, number, date = max(pairs, key=lambda pair: (pair[0], pair[1].baseline))
        return _number_box(number, page, sure=True), _date_box(date, page, sure=True)
    one, other = (max(some, key=lambda c: (c.likely, c.baseline), default=None) for some in (numbers, dates))
    return (
        _number_box(one, page, sure=one.likely >= _CLEAR) if one else None,
        _date_box(other, page, sure=other.likely >= _CLEAR) if other else None,
    )


def _side_by_side(number: _Candidate, date: _Candidate) -> bool:
    size = max(number.line[number.first].size, 8)
    right_of = date.line[date.first].left > number.line[number.last - 1].right - size
    return right_of and abs(number.baseline - date.baseline) < _SAME_ROW * size


def _numbers(page: _Page) -> Iterable[_Candidate]:
    for line in _upper(page, 0.4):
        for pattern in (_NUMBER, *(() if line[0].printed else (_READ_NUMBER,))):
            for first, last, notation in _spans(line, pattern):
                left = line[first].left < page.sheet.width * 0.45
                likely = 2 * _begins(line, first) + 2 * bool(notation) + left
                yield _Candidate(line, first, last, likely)


def _dates(page: _Page) -> Iterable[_Candidate]:
    for line in _upper(page, 0.4):
        for day, last, _ in _spans(line, _DATE):
            first = _town(line, day)
            right = line[day].left > page.sheet.width * 0.4
            ends = last == len(line) or line[last].left - line[last - 1].right > 1.5 * line[day].size
            named = first < day and _text(line[first:day]).strip().endswith((",", "."))
            likely = 2 * right + ends + named + _begins(line, first)
            yield _Candidate(line, first, last, likely)


def _town(line: tuple[Glyph, ...], day: int) -> int:
    """Where the name of the place before `ngày` begins."""
    first = day
    while first > 0 and line[first].left - line[first - 1].right < 1.2 * line[first].size:
        first -= 1
    return first


def _begins(line: tuple[Glyph, ...], first: int) -> bool:
    """Whether a column begins there: nothing stands close to the left."""
    return first == 0 or line[first].left - line[first - 1].right > 1.5 * max(line[first].size, 8)


def _number_box(number: _Candidate, page: _Page, *, sure: bool) -> _Read:
    """From the blank after `Số:` to the end of the printed notation, in the view."""
    line, first, last = number.line, number.first, number.last
    head = first + 1  # the second letter of `Số`
    if head + 1 < last and line[head + 1].letter in ":.;":
        head += 1
    size = line[head].size
    rest = line[last].left - 4 if last < len(line) else page.sheet.width - 20
    left, right = line[head].right + 0.1 * size, line[last - 1].right + 1
    if last - 1 <= head:
        right = min(left + 110, rest)
    return _around(left, min(max(right, left + 20), max(rest, right)), line[head], sure=sure)


def _date_box(date: _Candidate, page: _Page, *, sure: bool) -> _Read:
    """From the place's name to the year, or to the blank for its last digits, in the view."""
    line, glyph, last = date.line, date.line[date.first], date.line[date.last - 1]
    year = "".join(one.letter for one in line[: date.last])[-4:]
    right = last.right + (1.0 if last.printed else 0.8 * last.size)
    if not year.isdigit():
        right = _dots_after(line, date.last) or last.right + (1.2 if year[-2:].isdigit() else 2.4) * last.size
    left = glyph.left - (1.0 if glyph.printed else 0.3 * glyph.size)  # machines cut the first letter
    return _around(left, min(right, page.sheet.width - 10), line[date.last - 1], sure=sure)


def _dots_after(line: tuple[Glyph, ...], last: int) -> float | None:
    """Where the dotted leader that follows ends, if one follows."""
    following = list(takewhile(lambda glyph: glyph.letter in _DOTS, line[last:]))
    return following[-1].right + 1 if following else None


def _around(left: float, right: float, glyph: Glyph, *, sure: bool) -> _Read:
    spare = 0.0 if glyph.printed else 0.2 * glyph.size  # lines on a scan are a little askew
    box = left, glyph.baseline - 0.3 * glyph.size - spare, right, glyph.baseline + 0.95 * glyph.size + spare
    return _Read(box, glyph.printed and sure)


def _notation(page: _Page) -> str | None:
    """What is printed behind the blank for the number: `QĐ-UBND` of `/QĐ-UBND`, as read from the same line."""
    ranked = sorted(_numbers(page), key=lambda one: (-one.likely, -one.baseline))
    for one in ranked[:1]:
        _, slash, notation = _text(one.line[one.first : one.last]).partition("/")
        return notation.replace(" ", "") or None if slash else None
    return None


def _classified_mark(page: _Page) -> str | None:
    """A secrecy mark that stands alone near the top (a word within a sentence is none)."""
    for part in page.parts:
        words = _text(part).strip(" .:").upper()
        if part[0].baseline > page.sheet.height * 0.55 and words in _MARKS:
            return words
    return None


def _type(page: _Page) -> str | None:
    line = _type_line(page)
    return None if line is None else _text(page.lines[line]).strip()


def _type_line(page: _Page) -> int | None:
    for index, line in enumerate(page.lines):
        if line[0].baseline > page.sheet.height * 0.45 and _text(line).strip(" :") in _TYPES:
            return index
    return None


def _subject(page: _Page) -> str | None:
    """After `V/v` under the number, or under the name of the type down to the first wide gap or the ruling text."""
    index = _type_line(page)
    if index is not None:
        return _paragraph(_centred(page.lines[index + 1 :], _middle(page.lines[index])), page.lines[index][0].baseline)
    for part_index, part in enumerate(page.parts):
        match = re.match(r"V\s?/\s?v:?\s*(.+)", _text(part), re.IGNORECASE)
        if match and part[0].baseline > page.sheet.height * 0.55:
            below = [p for p in page.parts[part_index + 1 :] if p[-1].right < page.sheet.width * 0.55]
            more = _paragraph(below, part[0].baseline)
            return " ".join(filter(None, (match.group(1).strip(), more)))
    return None


def _centred(lines: Sequence[tuple[Glyph, ...]], middle: float) -> list[tuple[Glyph, ...]]:
    """The lines down to the first that is not centred like the type above it: the body is set to the margin."""
    return list(takewhile(lambda line: abs(_middle(line) - middle) < _OFF_CENTRE, lines))


def _middle(line: tuple[Glyph, ...]) -> float:
    return (line[0].left + line[-1].right) / 2


def _paragraph(lines: Sequence[tuple[Glyph, ...]], above: float) -> str | None:
    said: list[str] = []
    for line in lines:
        text = _text(line).strip()
        if above - line[0].baseline > 2 * max(line[0].size, 8) or re.match(r"(Căn cứ|Kính gửi|Điều|Thực hiện)\b", text):
            break
        if text == text.upper() and any(c.isalpha() for c in text):
            break
        if any(c.isalnum() for c in text):
            said.append(text)
        above = line[0].baseline
    return " ".join(said) or None


def _foot(document: pdfium.PdfDocument, head: _Page) -> tuple[int, _Page]:
    """The page that the leader signs, and its number from 0.

    The page that names the recipients, or the one before it when the recipients went over to the next; else the last
    page with a signer's block; else the last one that is not blank.
    """
    known = {0: head}

    def page(index: int) -> _Page:
        if index not in known:
            known[index] = _Page.of(document[index])
        return known[index]

    for index in range(min(len(document), _MOST_SEARCHED)):
        if _names_recipients(document[index]):
            for near in (index, index - 1, index + 1):
                if 0 <= near < len(document) and _signer_block(page(near)):
                    return near, page(near)
    last = len(document) - 1
    while last and not pdfium_c.FPDFPage_CountObjects(document[last]):
        last -= 1  # a paragraph mark behind a table makes an empty page
    for index in range(last, max(last - _MOST_SEARCHED_BACK, -1), -1):
        if _signer_block(page(index)):
            return index, page(index)
    return last, page(last)


def _names_recipients(page: pdfium.PdfPage) -> bool:
    return "Nơi nhận" in unicodedata.normalize("NFC", page.get_textpage().get_text_bounded())


def _signer_block(page: _Page) -> _Signer | None:
    """The lowest name in the right half under a title in capitals, with room for a signature between them.

    Not sure: where another block stands beside it, where the title is not in capitals, where there is little room.
    """
    blocks = list(_signer_blocks(page, page.sheet.width * 0.4))
    if not blocks:
        return None
    name, title, room = min(blocks, key=lambda block: block[0][0].baseline)
    beside = any(
        abs(other[0].baseline - name[0].baseline) < 8 * name[0].size and not _overlap(other, name)
        for other, _, _ in _signer_blocks(page, 0)
    )
    sure = name[0].printed and room > _LITTLE_ROOM and not beside and _is_title(_text(title))
    said = _text(name).strip()
    return _Signer(
        said if _is_name(said) else None, _text(title).strip(), replace(_signature_box(name, room), sure=sure)
    )


def _signer_blocks(page: _Page, left: float) -> Iterable[tuple[tuple[Glyph, ...], tuple[Glyph, ...], float]]:
    """Every name right of `left` that stands under a title, the title's last line, and the room between them."""
    columns = [part for line in page.lines for part in _columns(line) if part[0].left > left]
    for index, name in enumerate(columns):
        if not (_is_name(_text(name)) or (not name[0].printed and _is_misread_name(_text(name)))):
            continue
        above = [part for part in columns[:index] if _overlap(name, part)]
        hints = list(takewhile(lambda part: _is_hint(_text(part)), reversed(above)))
        title = above[-1 - len(hints)] if len(above) > len(hints) else None
        if title is None or not (_is_title(_text(title)) or _is_common_title(_text(title))):
            continue
        lowest = hints[-1] if hints else title
        if hints:
            lowest = min(hints, key=lambda part: part[0].baseline)
        room = lowest[0].baseline - 0.3 * lowest[0].size - (name[0].baseline + name[0].size)
        if room > _LEAST_ROOM:
            yield name, title, room


def _columns(line: tuple[Glyph, ...]) -> list[tuple[Glyph, ...]]:
    """A line cut at gaps that no blank between two words makes: the foot's columns may stand close together."""
    return _parts(line, 1.15)


def _is_hint(text: str) -> bool:
    """`(Ký tên, đóng dấu)`, `(Đã ký)`: stands between title and name, and belongs to neither."""
    return text.strip().startswith("(") and text.strip().endswith(")")


def _signature_box(name: tuple[Glyph, ...], room: float) -> _Read:
    """In the middle between title and name (R38), as large as usual where there is room."""
    height = min(room - 4, _SIGNATURE_SIZE[1])
    width = height * _SIGNATURE_SIZE[0] / _SIGNATURE_SIZE[1]
    middle = (name[0].left + name[-1].right) / 2
    bottom = name[0].baseline + name[0].size + (room - height) / 2
    return _Read((middle - width / 2, bottom, middle + width / 2, bottom + height), name[0].printed)


_DEGREES = re.compile(r"^(?:(?:GS|PGS|TS|ThS|BS|BSCK|KS|CN|CKII|CKI|LS|DS|NGND|NGƯT)\b\.?\s?)+")


def _is_name(text: str) -> bool:
    words = _DEGREES.sub("", text.strip()).split()
    return 2 <= len(words) <= 6 and all(word[0].isupper() and word.replace("'", "").isalpha() for word in words)


def _is_misread_name(text: str) -> bool:
    """A name in which a machine mistook a sign: `H?Lan Ê Ban`. Good for a place, not for a name."""
    return _is_name(re.sub(r"(?<=\w)[^\w\s.,;:/()\-](?=\w)", "", text))


def _is_title(text: str) -> bool:
    letters = [c for c in text if c.isalpha()]
    return len(letters) >= 4 and all(c.isupper() for c in letters)


_COMMON_TITLE = re.compile(
    r"((KT|TL|TM|TUQ|Q)\.\s*)?(Phó )?(Chủ tịch|Bí thư|Giám đốc|Tổng giám đốc|Cục trưởng|Chi cục trưởng|Vụ trưởng|"
    r"Chánh [Vv]ăn phòng|Chánh [Tt]hanh tra|Trưởng|Hiệu trưởng|Viện trưởng|Bộ trưởng|Thứ trưởng)\b",
    re.IGNORECASE,
)


def _is_common_title(text: str) -> bool:
    """A title that is not set in capitals, as it should be."""
    return len(text.split()) <= 8 and _COMMON_TITLE.match(text.strip()) is not None


def _overlap(one: tuple[Glyph, ...], other: tuple[Glyph, ...]) -> bool:
    return one[0].left < other[-1].right and other[0].left < one[-1].right


def _places(
    standard: Places,
    head: Sheet,
    foot: Sheet,
    last: int,
    number: _Read | None,
    date: _Read | None,
    signer: _Signer | None,
) -> Places:
    def read(sheet: Sheet, page: int, found: _Read | None, otherwise: Place) -> Place:
        if found is None or not sheet.holds(sheet.box_to_page(found.box)):
            return otherwise
        return Place(page, sheet.box_to_page(found.box), READ if found.sure else GUESSED)

    signature = signer.place if signer else None
    seal = _Read(seal_beside(signature.box, foot), signature.sure) if signature else None
    return Places(
        number=read(head, 0, number, standard.number),
        date=read(head, 0, date, standard.date),
        signature=read(foot, last, signature, standard.signature),
        seal=read(foot, last, seal, standard.seal),
    )
