"""May this picture stand for a signature or a seal? PNG, transparent, blue or red, of a size that prints well.

Source: law-and-practice R38 (signature blue, .png, transparent) and R39 (seal red, real size, .png transparent).
Made for the limited process: a stranger may have made the picture.
"""

import io
from typing import Literal

from PIL import Image, UnidentifiedImageError

from keys.errors import Words
from signing.errors import ImageUnfit

Kind = Literal["signature", "seal"]

LARGEST_BYTES = 1024 * 1024
MOST_PIXELS = 3000
LEAST_PIXELS = {"signature": (120, 40), "seal": (280, 280)}
"""Width and height: 36 mm at 200 dpi for a seal."""
SEAL_MM = (20.0, 45.0)
"""A seal whose file says how large it is must say something near its real size."""
LEAST_CLEAR = 0.2
LEAST_COLOURED = 0.8
VISIBLE = 128
INCH_MM = 25.4

TOO_MANY_BYTES = Words("lớn hơn 1 MB", "it is larger than 1 MB")
NOT_PNG = Words("không phải tệp PNG", "it is no PNG file")
MOVING = Words("là ảnh động", "it is animated")
TOO_LARGE = Words("lớn hơn {most} điểm ảnh mỗi chiều", "it has more than {most} pixels a side")
TOO_SMALL = Words("nhỏ hơn {width}×{height} điểm ảnh", "it is smaller than {width}×{height} pixels")
NOT_CLEAR = Words("nền không trong suốt", "its background is not transparent")
EMPTY = Words("không có nét nào", "nothing is drawn on it")
NOT_BLUE = Words("chữ ký phải màu xanh", "a signature must be blue")
NOT_RED = Words("con dấu phải màu đỏ", "a seal must be red")
NOT_ROUND = Words("con dấu phải vừa khung vuông", "a seal must fill a square")
NOT_TRUE_SIZE = Words("con dấu {mm} mm không đúng kích thước thật", "a seal of {mm} mm is not of real size")


def checked_image(data: bytes, kind: Kind) -> bytes:
    """The picture as a plain PNG with transparency, the size that it says it has, and nothing else in it.

    Raises `ImageUnfit` with the first cause.
    """
    if len(data) > LARGEST_BYTES:
        raise ImageUnfit(why=TOO_MANY_BYTES)
    picture = _opened(data, kind)
    _require_clear(picture)
    _require_colour(picture, kind)
    out = io.BytesIO()
    said = picture.info.get("dpi")  # a seal is drawn in real size (R39)
    picture.save(out, "PNG", optimize=True, **({"dpi": said} if said else {}))
    return out.getvalue()


def _opened(data: bytes, kind: Kind) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            # known before any pixel is unpacked
            _require_size(picture, kind)
            if getattr(picture, "n_frames", 1) > 1:
                raise ImageUnfit(why=MOVING)
            if not (picture.has_transparency_data):
                raise ImageUnfit(why=NOT_CLEAR)
            return picture.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageUnfit(why=NOT_PNG) from error


def _require_size(picture: Image.Image, kind: Kind) -> None:
    width, height = picture.size
    least_width, least_height = LEAST_PIXELS[kind]
    if max(width, height) > MOST_PIXELS:
        raise ImageUnfit(why=_filled(TOO_LARGE, most=MOST_PIXELS))
    if width < least_width or height < least_height:
        raise ImageUnfit(why=_filled(TOO_SMALL, width=least_width, height=least_height))
    if kind == "seal":
        if not 0.9 <= width / height <= 1.1:
            raise ImageUnfit(why=NOT_ROUND)
        dpi = picture.info.get("dpi")
        mm = width / dpi[0] * INCH_MM if dpi and dpi[0] else None
        if mm is not None and not SEAL_MM[0] <= mm <= SEAL_MM[1]:
            raise ImageUnfit(why=_filled(NOT_TRUE_SIZE, mm=round(mm)))


def _require_clear(picture: Image.Image) -> None:
    alpha = picture.getchannel("A")
    width, height = picture.size
    corners = [alpha.getpixel((x, y)) for x in (0, width - 1) for y in (0, height - 1)]
    clear = sum(alpha.histogram()[:16]) / (width * height)
    if any(isinstance(value, int) and value > VISIBLE for value in corners) or clear < LEAST_CLEAR:
        raise ImageUnfit(why=NOT_CLEAR)


def _require_colour(picture: Image.Image, kind: Kind) -> None:
    counted = picture.getcolors(maxcolors=MOST_PIXELS * MOST_PIXELS) or []
    seen = [(count, pixel) for count, pixel in counted if isinstance(pixel, tuple) and pixel[3] > VISIBLE]
    whole = sum(count for count, _ in seen)
    if not whole:
        raise ImageUnfit(why=EMPTY)
    right = sum(count for count, pixel in seen if (_is_blue if kind == "signature" else _is_red)(*pixel[:3]))
    if right / whole < LEAST_COLOURED:
        raise ImageUnfit(why=NOT_BLUE if kind == "signature" else NOT_RED)


def _is_blue(red: float, green: float, blue: float) -> bool:
    return blue >= red + 30 and blue >= green + 15


def _is_red(red: float, green: float, blue: float) -> bool:
    return red >= green + 40 and red >= blue + 40


def _filled(words: Words, **gaps: object) -> Words:
    return Words(words.vi.format(**gaps), words.en.format(**gaps))
