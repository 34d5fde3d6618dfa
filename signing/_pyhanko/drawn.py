"""What a text field shows, beside what it says: the words that its appearance draws, against its value."""

import re
import zlib
from collections.abc import Iterable
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

_TEXT = re.compile(rb"\((?:\\.|[^\\()])*\)|<[0-9A-Fa-f\s]*>|/[^\s/<>\[\]()]+|\b(?:Tf|Tj|TJ)\b|['\"]")
_MAPPED = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(<[0-9A-Fa-f]+>|\[[^\]]*\])?")
_PICTURE = re.compile(rb"(?:^|\s)(?:Do|BI|sh)(?=\s|$)")
_MOST_CODES = 200_000
"""Codes that a font may map; no honest one has more than Unicode's first plane, but a range of four bytes could."""
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def differing_fields(reader: PdfFileReader, names: Iterable[str] | None = None) -> list[str]:
    """The text fields among `names`, or of all, whose appearance draws words that their value does not have."""
    wanted, found = None if names is None else set(names), []
    if wanted is not None and not wanted:
        return []
    try:
        fields = list(_fields(reader.root["/AcroForm"]["/Fields"], ""))
    except (KeyError, TypeError, AttributeError):
        return []
    for name, field in fields:
        if (wanted is None or name in wanted) and _differs(field):
            found.append(name)
    return found


def _fields(level: Any, above: str, depth: int = 0) -> Iterable[tuple[str, Any]]:
    if depth > 20:
        return
    for ref in level:
        field = ref.get_object()
        if not isinstance(field, generic.DictionaryObject):
            continue
        own = str(field.get("/T", ""))
        name = f"{above}.{own}" if above and own else own or above
        if "/Kids" in field:
            yield from _fields(field["/Kids"], name, depth + 1)
        yield name, field


def _differs(field: Any) -> bool:
    """Words that are drawn and are no part of the value. What cannot be decoded is left to the pictures, but a look
    that cannot even be unpacked is none that an honest program wrote: readers may show anything.
    """
    try:
        if field.get("/FT", "/Tx") != "/Tx":
            return False
        value = str(field.get("/V", ""))
        appearance = field["/AP"]["/N"]
        if _PICTURE.search(appearance.data):
            return True  # what a picture shows, no value says
        drawn = _drawn(appearance)
    except (zlib.error, PdfError, OverflowError):
        return True
    except (LookupError, TypeError, AttributeError, ValueError):
        return False
    if drawn is None:
        return False
    plain = "".join(value.split())
    return any("".join(word.split()) not in plain for word in drawn)


def _drawn(appearance: Any) -> list[str] | None:
    """The strings that an appearance shows, in order; None when a font cannot be read."""
    fonts = appearance.get("/Resources", {}).get("/Font", {})
    words: list[str] = []
    font: Any = None
    strings: list[bytes] = []
    name = b""
    for token in _TEXT.findall(appearance.data):
        if token.startswith(b"/"):
            name = token
        elif token == b"Tf":
            font = fonts.get(name.decode("latin-1"))
        elif token[:1] in (b"(", b"<"):
            strings.append(_bytes(token))
        else:
            shown = "".join(_decoded(one, font) for one in strings) if font is not None else None
            if shown is None:
                return None
            if shown.strip():
                words.append(shown)
            strings = []
    return words


def _bytes(token: bytes) -> bytes:
    if token.startswith(b"<"):
        digits = b"".join(token[1:-1].split())
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    return re.sub(rb"\\(\d{1,3}|.)", _unescaped, token[1:-1], flags=re.DOTALL)


def _unescaped(match: re.Match[bytes]) -> bytes:
    sign = match.group(1)
    return bytes([int(sign, 8) & 255]) if sign.isdigit() else _ESCAPES.get(sign, sign)


def _decoded(data: bytes, font: Any) -> str:
    font = font.get_object()
    if "/ToUnicode" in font:
        table, width = _unicode(font["/ToUnicode"].data)
        codes = [data[n : n + width] for n in range(0, len(data), width)]
        return "".join(table.get(code, "") for code in codes)
    if str(font.get("/Subtype")) == "/Type0":
        raise ValueError("a font without a way back to text")
    return data.decode("cp1252", "replace")


def _unicode(cmap: bytes) -> tuple[dict[bytes, str], int]:
    """The table of a ToUnicode map, and how many bytes a code has."""
    table: dict[bytes, str] = {}
    told = 0
    for kind, body in re.findall(rb"begin(bfchar|bfrange)(.*?)endbf", cmap, re.DOTALL):
        for first, second, third in _MAPPED.findall(body):
            begin = bytes.fromhex(first.decode())
            told += int(second, 16) - int(first, 16) if kind == b"bfrange" else 1
            if told > _MOST_CODES:
                raise OverflowError("codes")
            if kind == b"bfchar":
                table[begin] = bytes.fromhex(second.decode()).decode("utf-16-be", "replace")
            elif third.startswith(b"<"):
                text = bytes.fromhex(third[1:-1].decode())
                for n in range(int(second, 16) - int(first, 16) + 1):
                    code = (int(first, 16) + n).to_bytes(len(begin))
                    shown = text[:-1] + bytes([(text[-1] + n) & 255])
                    table[code] = shown.decode("utf-16-be", "replace")
            else:
                each = re.findall(rb"<([0-9A-Fa-f]+)>", third)
                for n, text in enumerate(each):
                    code = (int(first, 16) + n).to_bytes(len(begin))
                    table[code] = bytes.fromhex(text.decode()).decode("utf-16-be", "replace")
    return table, max((len(code) for code in table), default=1)
