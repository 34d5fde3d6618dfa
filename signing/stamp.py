"""What a signature, a seal, a number, a date and a mark look like on the page (Decree 30; law-and-practice R38–R43)."""

import hashlib
import io
import itertools
import math
import random
import unicodedata
import zlib
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from signing.append import Picture
from signing.errors import FieldMissing, SignatureWrong
from signing.model import DATE_FIELD, NUMBER_FIELD, VIETNAM
from signing.place import MILLIMETRE, WHITE, Cover, Line, Piece, read_under_fields

FONT = Path(__file__).parent / "fonts" / "LiberationSerif-Regular.ttf"
ITALIC = Path(__file__).parent / "fonts" / "LiberationSerif-Italic.ttf"
BLUE = (0, 51, 153)
RED = (206, 17, 38)
SAMPLE = "MẪU"
MARK_FONT = FONT
"""Liberation Serif has the widths of Times New Roman, which R41 asks for."""
MARK_SIZE = 10.0
"""Point size of a mark (R41, R42)."""
MARK_WIDTH = 80 * MILLIMETRE
"""The widest that a mark gets; a longer line is broken."""

_SEAL_PIXELS = 510  # 36 mm at 360 dpi
_SIGNATURE_PIXELS = (640, 360)
_FONT_SIZE = 13.0  # Decree 30: number, place and date in 13 point
_LEAST_SHRINK = 0.6
_MARK_LEADING = 11.5
_MARK_SPARE = 1.0


def fill_number_date(pdf: bytes, *, number: str, date: date, place_name: str | None = None) -> bytes:
    """Write number and date into their empty fields, read-only from then on: one appended revision that DocMDP P=2
    allows.

    `number` is the whole number as written (`15/QĐ-UBND`). The field's value is the whole text; drawn is only what the
    letter leaves blank (`15` before a printed `/QĐ-UBND`; day and month between printed `ngày`, `tháng`, `năm`), so
    nothing of the signed page gets hidden but dots. Where the letter prints something else (on a scan: where nothing
    printed is cut by the field's edge), the whole text stands on the colour of the paper. Without `place_name` a place
    printed before `ngày` is taken over, and one that a scan shows stays as it is. Raises `FieldMissing` when a field is
    not empty or not there, `NotAPdf`. Source: signing.md §1.1 step 4; Decree 30 (two digits for days below 10, January
    and February).
    """
    from signing._pyhanko.writing import FilledField, fill_fields

    lines = read_under_fields(pdf, (NUMBER_FIELD, DATE_FIELD))
    for name in (NUMBER_FIELD, DATE_FIELD):
        if name not in lines:
            raise FieldMissing(field=name)
    line = lines[DATE_FIELD]
    written_date = date_in_words(date, place_name or line.before("ngày"))
    drawn = _drawn(line, written_date, ITALIC)
    if place_name is None and not line.glyphs and line.paper is not None:
        written_date, drawn = _after_town(line, date)
    return fill_fields(
        pdf,
        [
            FilledField(NUMBER_FIELD, number, *_drawn(lines[NUMBER_FIELD], number, FONT), FONT),
            FilledField(DATE_FIELD, written_date, *drawn, ITALIC),
        ],
    )


def _after_town(line: Line, date: date) -> tuple[str, tuple[tuple[Piece, ...], tuple[Cover, ...]]]:
    """The date on a picture whose place nobody told: what stands before `ngày` stays as the picture shows it.

    The value names the place where a machine read it; drawn is the date alone, over what the picture shows of it.
    """
    town, begin = line.town
    left, low, right, high = line.box
    covered = replace(line, box=(max(begin - 1, left), low, right, high))
    return date_in_words(date, town), _drawn(covered, date_in_words(date), ITALIC)


def date_in_words(date: date, place_name: str | None = None) -> str:
    """`Cư M'gar, ngày 05 tháng 3 năm 2026`: Decree 30 puts a 0 before days below 10 and before months 1 and 2."""
    month = f"{date.month:02d}" if date.month < 3 else str(date.month)
    words = f"ngày {date.day:02d} tháng {month} năm {date.year}"
    return f"{place_name}, {words}" if place_name else words


def attachment_mark(number: str, at: datetime) -> tuple[str, ...]:
    """The text of the organisation's signature on a separate attachment: number and symbol, and the time.

    `number` as written on the document that it belongs to (`15/QĐ-UBND`); `at` with its zone. Source: R41, R43.
    """
    return _broken((number, time_text(at)))


def copy_mark(form: str, office: str, at: datetime) -> tuple[str, ...]:
    """The text of the organisation's signature on an electronic copy: form of the copy, office, time.

    `form` in words (`SAO Y`, `SAO LỤC`, `TRÍCH SAO`), `office` as in its certificate. Source: R42, R43.
    """
    return _broken((form, office, time_text(at)))


def time_text(at: datetime) -> str:
    """`2026-03-05T09:30:15+07:00`: ISO 8601 with seconds, always in Vietnam's zone (R43)."""
    return at.astimezone(VIETNAM).isoformat(timespec="seconds")


def mark_size(lines: tuple[str, ...]) -> tuple[float, float]:
    """Width and height in points of the box that a mark needs: nothing of it is cut off, whatever the time is."""
    return max(_width(MARK_FONT, line, MARK_SIZE) for line in lines) + 2 * _MARK_SPARE, _MARK_LEADING * len(lines)


def mark_pieces(lines: tuple[str, ...], width: float, height: float) -> tuple[Piece, ...]:
    """The lines of a mark in a box of that size, set to the right from the top; smaller only when it is too small."""
    wide, high = mark_size(lines)
    size = MARK_SIZE * min(1.0, width / wide, height / high)
    leading, top = _MARK_LEADING * size / MARK_SIZE, height
    return tuple(
        Piece(width - _MARK_SPARE - _width(MARK_FONT, line, size), top - leading * turn - 0.9 * size, size, line)
        for turn, line in enumerate(lines)
    )


def _broken(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines, each broken between words where it is wider than a mark may be."""
    found: list[str] = []
    for line in lines:
        words = unicodedata.normalize("NFC", line).split() or [""]
        current = words[0]
        for word in words[1:]:
            longer = f"{current} {word}"
            if _width(MARK_FONT, longer, MARK_SIZE) > MARK_WIDTH:
                found.append(current)
                current = word
            else:
                current = longer
        found.append(current)
    return tuple(found)


def draw_signature_image(name: str) -> bytes:
    """A PNG, 640 × 360, transparent: a made-up blue signature marked MẪU. The same name gives the same picture."""
    picture = Image.new("RGBA", _SIGNATURE_PIXELS, (*BLUE, 0))
    pen = ImageDraw.Draw(picture)
    chance = random.Random(hashlib.sha256(name.encode()).digest())  # noqa: S311 - a drawing, not a secret
    points = _stroke(chance)
    for one, other in itertools.pairwise(points):
        thickness = 5 + 4 * abs(math.sin(one[0] / 60))
        pen.line((one, other), fill=(*BLUE, 255), width=round(thickness), joint="curve")
    pen.line(((60, 270), (560, 235)), fill=(*BLUE, 255), width=5)
    font = ImageFont.truetype(FONT, 44)
    pen.text((610, 350), SAMPLE, font=font, fill=(*BLUE, 255), anchor="rs")
    return _png(picture)


def draw_initials_image(name: str) -> bytes:
    """A PNG, transparent: the given name in blue slanted letters, for initials of somebody without a picture."""
    font = ImageFont.truetype(ITALIC, 96)
    word = name.split()[-1] if name.split() else name
    picture = Image.new("RGBA", (round(font.getlength(word)) + 40, 150), (*BLUE, 0))
    ImageDraw.Draw(picture).text((20, 110), word, font=font, fill=(*BLUE, 255), anchor="ls")
    return _png(picture)


def draw_seal_image(office: str) -> bytes:
    """A PNG, 510 × 510 (36 mm at 360 dpi), transparent: a round red seal with the office's name, marked MẪU."""
    picture = Image.new("RGBA", (_SEAL_PIXELS, _SEAL_PIXELS), (*RED, 0))
    pen = ImageDraw.Draw(picture)
    middle, edge = _SEAL_PIXELS / 2, _SEAL_PIXELS - 3
    pen.ellipse((3, 3, edge, edge), outline=(*RED, 255), width=11)
    pen.ellipse((24, 24, edge - 21, edge - 21), outline=(*RED, 255), width=4)
    pen.ellipse((120, 120, edge - 117, edge - 117), outline=(*RED, 255), width=4)
    _write_round(picture, office.upper(), middle, 161)
    pen.polygon(_star(middle, middle - 30, 62), fill=(*RED, 255))
    font = ImageFont.truetype(FONT, 64)
    pen.text((middle, middle + 88), SAMPLE, font=font, fill=(*RED, 255), anchor="ms")
    return _png(picture)


@lru_cache(64)
def picture_of(png: bytes, *, real_size: bool = False, hard: bool = False) -> Picture:
    """The picture as PDF holds it, made once for each image of a signature or seal. Raises `SignatureWrong`.

    With `real_size` a picture that says how large it is (pHYs) is drawn no larger than that (R39). `hard`:
    each of its pixels is drawn or not, as PDF/A-1 wants (ISO 19005-1 6.4).
    """
    try:
        opened = Image.open(io.BytesIO(png), formats=["PNG"])
        picture = opened.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise SignatureWrong() from error
    colours, clear = picture.convert("RGB").tobytes(), picture.getchannel("A")
    if hard:
        clear = clear.point([255] * 128 + [0] * 128).convert("1", dither=Image.Dither.NONE)
    alpha = clear.tobytes()
    points = said_size(opened) if real_size else None
    return Picture(picture.width, picture.height, zlib.compress(colours, 9), zlib.compress(alpha, 9), points, hard)


def said_size(picture: Image.Image) -> tuple[float, float] | None:
    """Width and height in points that a PNG says it has (pHYs); None when it does not say."""
    across, down = picture.info.get("dpi", (0, 0))
    return (picture.width * 72 / across, picture.height * 72 / down) if across > 1 and down > 1 else None


def _drawn(line: Line, text: str, font: Path) -> tuple[tuple[Piece, ...], tuple[Cover, ...]]:
    """What to draw for `text` on this line, and what has to be painted over first."""
    filled = _missing_pieces(line, text, font)
    if filled is not None:
        return filled
    size = line.size or _FONT_SIZE
    size *= min(1.0, (line.box[2] - line.box[0] - 2) / _width(font, text, size))
    covers = () if line.paper is None else (Cover(line.box, line.paper),)
    return (Piece(line.box[0] + 1, line.baseline, size, text),), covers


def _missing_pieces(line: Line, text: str, font: Path) -> tuple[tuple[Piece, ...], tuple[Cover, ...]] | None:
    """The runs of `text` that the line does not print, each in its gap, and the dots of these gaps; None when line and
    text do not fit together."""
    if not line.glyphs:
        return None
    printed = iter([*line.glyphs, None])
    awaited = next(printed)
    left, run, pieces, covers = line.box[0], "", [], []
    for letter in text:
        if awaited is not None and letter == awaited.letter:
            pieces.append(_in_gap(line, left, awaited.left, run, font, tight=letter == "/"))
            covers += _dots_between(line, left, awaited.left) if run.strip() else []
            left, run, awaited = awaited.right, "", next(printed)
        elif letter != " " or run:
            run += letter
    pieces.append(_in_gap(line, left, line.box[2], run, font, last=True))
    covers += _dots_between(line, left, line.box[2]) if run.strip() else []
    if awaited is not None or any(piece is None for piece in pieces):
        return None
    return tuple(piece for piece in pieces if piece and piece.text), tuple(covers)


def _dots_between(line: Line, left: float, right: float) -> list[Cover]:
    """The dotted leader of a gap, as one box: what is written there would be hard to read on it."""
    dots = [dot for dot in line.dots if left < (dot.left + dot.right) / 2 < right]
    if not dots:
        return []
    lowest, highest = line.baseline - 0.15 * line.size, line.baseline + 0.3 * line.size
    return [Cover((dots[0].left, lowest, dots[-1].right, highest), line.paper or WHITE)]


def _in_gap(
    line: Line, left: float, right: float, run: str, font: Path, *, tight: bool = False, last: bool = False
) -> Piece | None:
    """`run` between two printed letters: against a slash, else in the middle; None when it would get too small."""
    run = run.strip()
    if not run:
        return Piece(left, line.baseline, line.size, "")
    width = _width(font, run, line.size)
    shrink = min(1.0, (right - left - 1) / width)
    if shrink < _LEAST_SHRINK:
        return None
    width *= shrink
    start = right - width if tight else (left + 0.25 * line.size if last else (left + right - width) / 2)
    return Piece(min(start, right - width), line.baseline, line.size * shrink, run)


def _width(font: Path, text: str, size: float) -> float:
    return ImageFont.truetype(font, 1000).getlength(text) * size / 1000


def _stroke(chance: random.Random) -> list[tuple[float, float]]:
    """A pen's way: loops that get smaller towards the right."""
    turns, tall = chance.uniform(3.2, 5.2), chance.uniform(80, 115)
    lean, phase = chance.uniform(20, 45), chance.uniform(0, math.pi)
    points = []
    for step in range(401):
        part = step / 400
        angle = phase + part * turns * 2 * math.pi
        size = tall * (1 - 0.65 * part)
        x = 90 + 430 * part + lean * math.cos(angle) + 0.25 * size * math.sin(angle)
        points.append((x, 170 - size * math.sin(angle + 0.6 * math.sin(angle / 2))))
    return points


def _write_round(picture: Image.Image, text: str, middle: float, radius: float) -> None:
    """`text` along the upper and both side arcs, letter by letter; smaller when it is long."""
    widest = 1.65 * math.pi * (radius + 30)
    size = 56
    while size > 14 and ImageFont.truetype(FONT, size).getlength(text + " ") > widest:
        size -= 2
    font = ImageFont.truetype(FONT, size)
    base = radius + (90 - size) / 2 - 12
    angle = -font.getlength(text) / (base + size / 3) / 2
    # each letter on a tile of its own: turning the whole picture for each takes ten times as long
    reach = 3 * size // 2
    for letter in text:
        step = font.getlength(letter) / (base + size / 3)
        turn = angle + step / 2
        tile = Image.new("RGBA", (2 * reach, 2 * reach), (*RED, 0))
        ImageDraw.Draw(tile).text((reach, reach), letter, font=font, fill=(*RED, 255), anchor="ms")
        turned = tile.rotate(-math.degrees(turn), Image.Resampling.BICUBIC)
        left, top = middle + base * math.sin(turn) - reach, middle - base * math.cos(turn) - reach
        picture.alpha_composite(turned, (round(left), round(top)))
        angle += step


def _star(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    corners = []
    for corner in range(10):
        reach = radius if corner % 2 == 0 else radius * 0.382
        angle = corner * math.pi / 5
        corners.append((x + reach * math.sin(angle), y - reach * math.cos(angle)))
    return corners


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
