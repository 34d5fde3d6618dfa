"""What a text field shows, beside what it says: the words that its appearance draws, against its value."""

import io
import re
import struct
import zlib
from collections.abc import Iterable
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

_TOKEN = re.compile(rb"%[^\r\n]*|<<|>>|<[0-9A-Fa-f\s]*>|/[^\s()<>\[\]{}/%]*|[^\s()<>\[\]{}/%]+|[()<>\[\]{}]")
_IN_STRING = re.compile(rb"\\.|[()]", re.DOTALL)
_CHAR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]*)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(<[0-9A-Fa-f]*>|\[[^\]]*\])")
_PICTURES = frozenset({b"Do", b"BI", b"sh"})
_CURVES = frozenset({b"c", b"v", b"y"})
"""What letters can be drawn with beside text; frames and lines of a field need none of it."""
_SHOWS = frozenset({b"Tj", b"TJ", b"'", b'"'})
_NO_LETTERS = frozenset({"/Symbol", "/ZapfDingbats"})
_UNREADABLE = (zlib.error, PdfError, ArithmeticError, RuntimeError, LookupError, TypeError, AttributeError, ValueError)
_COMBO = 1 << 17
_MOST_CODES = 200_000
"""Codes that a font may map; no honest one has more than Unicode's first plane, but a range of four bytes could."""
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b"", b"\r": b"", b"\r\n": b""}


def differing_fields(reader: PdfFileReader) -> list[str]:
    """The text fields whose appearance draws words that their value does not have, as far as that can be read."""
    return list(dict.fromkeys(name for name, field in _fields(reader) if _differs(field)))


def wrongly_filled(reader: PdfFileReader, names: Iterable[str]) -> list[str]:
    """Those of the fields `names`, filled after a signature, of which it cannot be read that they show their value:
    its words, in their order, no number of it cut. Who fills a field chooses its font too, so doubt counts.
    """
    wanted, met, wrong = set(names), set[str](), dict[str, None]()
    if not wanted:
        return []
    try:
        for name, field in (*_fields(reader), *_widgets(reader)):
            if name in wanted:
                met.add(name)
                if _differs(field, doubt=True):
                    wrong[name] = None
    except _UNREADABLE:
        return sorted(wanted)
    return [*wrong, *sorted(wanted - met)]


def _entry(value: Any, key: str, absent: Any = None) -> Any:
    """An entry, references followed; `get` of these dictionaries does not follow them."""
    found = value[key] if key in value else absent  # noqa: SIM401
    return absent if isinstance(found, generic.NullObject) else found


def _fields(reader: Any) -> Iterable[tuple[str, Any]]:
    """The fields of the form, each with its full name."""
    try:
        listed = reader.root["/AcroForm"]["/Fields"]
    except (LookupError, TypeError, AttributeError):
        return
    yield from _below(listed, "")


def _below(level: Any, above: str, depth: int = 0) -> Iterable[tuple[str, Any]]:
    if depth > 20:
        return
    for ref in level:
        field = ref.get_object()
        if not isinstance(field, generic.DictionaryObject):
            continue
        own = str(_entry(field, "/T", ""))
        name = f"{above}.{own}" if above and own else own or above
        if "/Kids" in field:
            yield from _below(field["/Kids"], name, depth + 1)
        yield name, field


def _widgets(reader: Any) -> Iterable[tuple[str, Any]]:
    """What the pages show of fields, also where no form lists it."""
    waiting, seen = [reader.root.raw_get("/Pages")], set[tuple[int, int]]()
    while waiting:
        ref = waiting.pop()
        node = ref.get_object()
        if not isinstance(ref, generic.IndirectObject) or not isinstance(node, generic.DictionaryObject):
            continue
        if (ref.idnum, ref.generation) in seen:
            continue
        seen.add((ref.idnum, ref.generation))
        waiting.extend(_entry(node, "/Kids", ()))
        for ref in _entry(node, "/Annots", ()):
            widget = ref.get_object()
            if isinstance(widget, generic.DictionaryObject) and (
                "/FT" in widget or _entry(widget, "/Subtype") == "/Widget"
            ):
                yield ".".join(str(one["/T"]) for one in reversed(_line(widget)) if "/T" in one), widget


def _line(field: Any) -> list[Any]:
    """A field and those above it."""
    line: list[Any] = []
    while isinstance(field, generic.DictionaryObject) and len(line) < 20:
        line.append(field)
        field = _entry(field, "/Parent")
    return line


def _said(field: Any, key: str, absent: Any = None) -> Any:
    """An entry of a field that it may have from above."""
    return next((_entry(one, key, absent) for one in _line(field) if key in one), absent)


def _differs(field: Any, *, doubt: bool = False) -> bool:
    """Words that are drawn and are no part of the value; with `doubt` also what cannot be decoded, and numbers that are
    cut. A look that cannot even be unpacked is none that an honest program wrote: readers may show anything.
    """
    try:
        if _said(field, "/FT", "/Tx") not in ("/Tx", "/Ch") or "/N" not in _entry(field, "/AP", {}):
            return False
        if not doubt and _said(field, "/FT", "/Tx") == "/Ch":
            return False
        plain = "".join(_values(field).split())
        drawn = _drawn(field["/AP"]["/N"], doubt=doubt)
    except (zlib.error, PdfError, ArithmeticError, NotImplementedError):
        return True
    except _UNREADABLE:
        return doubt
    if drawn is None:
        return True  # what a picture shows, no value says
    words = ["".join(word.split()) for word in drawn]
    return not _made_of(words, plain) if doubt else any(word not in plain for word in words)


def _values(field: Any) -> str:
    """What a field says; of a choice, how its options are called."""
    value = _said(field, "/V", "")
    values = [str(one) for one in value] if isinstance(value, generic.ArrayObject) else [str(value)]
    if _said(field, "/FT") == "/Ch":
        options = [one for one in _said(field, "/Opt", ()) if isinstance(one, generic.ArrayObject) and len(one) > 1]
        called = {str(one[0]): str(one[1]) for one in options}
        several = not int(_said(field, "/Ff", 0)) & _COMBO
        shown = [str(one) for one in _said(field, "/Opt", ()) if not isinstance(one, generic.ArrayObject)]
        values = [*shown, *called.values()] if several else [called.get(one, one) for one in values]
    return " ".join(values)


def _made_of(words: list[str], value: str) -> bool:
    """Whether the words stand in the value in their order, and no number in it is shown in part."""

    def cut(at: int) -> bool:
        return 0 < at < len(value) and value[at - 1].isdigit() and value[at].isdigit()

    ends = {0}
    for word in words:
        free = min((end for end in ends if not cut(end)), default=len(value) + 1)
        found, at = set[int](), value.find(word, min(ends))
        while at >= 0:
            if at in ends or (at >= free and not cut(at)):
                found.add(at + len(word))
            at = value.find(word, at + 1)
        if not found:
            return False
        ends = found
    return any(not cut(end) for end in ends)


def _drawn(appearance: Any, *, doubt: bool) -> list[str] | None:
    """The strings that an appearance shows, in order; None when it shows pictures.

    With `doubt`, curves, patterns and fonts that hide in a graphics state are pictures too.
    """
    resources = _entry(appearance, "/Resources", {})
    fonts = _entry(resources, "/Font", {})
    states = _entry(resources, "/ExtGState", {})
    if doubt and (_entry(resources, "/Pattern") or any("/Font" in states[name] for name in states)):
        return None
    words: list[str] = []
    font: Any = None
    strings: list[bytes] = []
    name = b""
    for token in _tokens(appearance.data):
        if token in _PICTURES or (doubt and token in _CURVES):
            return None
        if token[:1] == b"/":
            name = token
        elif token == b"Tf":
            font = _entry(fonts, name.decode("latin-1"))
        elif token[:1] == b"(" or (token[:1] == b"<" and token != b"<<"):
            strings.append(_bytes(token))
        elif token in _SHOWS:
            if font is None and strings:
                raise ValueError("text without a font")
            shown = "".join(_decoded(one, font, doubt=doubt) for one in strings)
            if shown.strip():
                words.append(shown)
            strings = []
    return words


def _tokens(content: bytes) -> Iterable[bytes]:
    """The words of a content stream; strings whole, comments left out."""
    at = 0
    while (found := _TOKEN.search(content, at)) is not None:
        at = found.end()
        if found[0] == b"(":
            at = _end_of_string(content, at)
            yield content[found.start() : at]
        elif found[0][:1] != b"%":
            yield found[0]


def _end_of_string(content: bytes, at: int) -> int:
    """Where the literal string ends that has begun before `at`: brackets in it are balanced."""
    open_ = 1
    while open_ and (found := _IN_STRING.search(content, at)) is not None:
        at = found.end()
        open_ += {b"(": 1, b")": -1}.get(found[0], 0)
    return at if not open_ else len(content)


def _bytes(token: bytes) -> bytes:
    if token.startswith(b"<"):
        digits = b"".join(token[1:-1].split())
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    return re.sub(rb"\\([0-7]{1,3}|\r\n|.)", _unescaped, token[1:-1], flags=re.DOTALL)


def _unescaped(match: re.Match[bytes]) -> bytes:
    sign = match.group(1)
    return bytes([int(sign, 8) & 255]) if sign[:1] in b"01234567" else _ESCAPES.get(sign, sign)


def _decoded(data: bytes, font: Any, *, doubt: bool) -> str:
    font = font.get_object()
    kind = str(_entry(font, "/Subtype"))
    if doubt and (kind == "/Type3" or str(_entry(font, "/BaseFont")) in _NO_LETTERS):
        raise ValueError("a font that draws what it likes")
    if doubt and kind == "/Type0":
        _require_letters(font, data)
    if kind != "/Type0" and (named := _named_codes(font)):
        return "".join(named.get(code, bytes([code]).decode("cp1252", "replace")) for code in data)
    if "/ToUnicode" in font:
        table, width = _unicode(font["/ToUnicode"].data)
        codes = [data[n : n + width] for n in range(0, len(data), width)]
        return "".join(table.get(code, "�" if doubt else "") for code in codes)
    if kind == "/Type0":
        raise ValueError("a font without a way back to text")
    return data.decode("cp1252", "replace")


def _require_letters(font: Any, data: bytes) -> None:
    """Make sure that a composite font has a program that can be read, and in it an outline for each code but blanks.

    Whether the outline is the letter that it is called is not looked at. Raises `ValueError` or what reading raises.
    """
    from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped] # slow to load, few fields are filled

    below = font["/DescendantFonts"][0]
    descriptor = below["/FontDescriptor"]
    program = next(
        (descriptor[key].data for key in ("/FontFile2", "/FontFile3", "/FontFile") if key in descriptor), b""
    )
    if not program:
        raise ValueError("a font without letters")
    if "/FontFile2" not in descriptor or not str(_entry(font, "/Encoding")).startswith("/Identity"):
        return
    glyphs = below["/CIDToGIDMap"].data if hasattr(_entry(below, "/CIDToGIDMap"), "data") else None
    try:
        places = TTFont(io.BytesIO(program), lazy=True)["loca"]
    except (TTLibError, struct.error, AssertionError) as error:
        raise ValueError("a font that cannot be read") from error
    table, _ = _unicode(font["/ToUnicode"].data)
    for code in (data[n : n + 2] for n in range(0, len(data), 2)):
        glyph = int.from_bytes(code if glyphs is None else glyphs[2 * int.from_bytes(code) :][:2])
        if table.get(code, "–").strip() and places[glyph] == places[glyph + 1]:
            raise ValueError("a letter that draws nothing")


def _named_codes(font: Any) -> dict[int, str]:
    """What the codes mean that a simple font gives other letters by name: what it draws, whatever else it says."""
    from fontTools import agl  # type: ignore[import-untyped] # only few fonts name their letters

    encoding = _entry(font, "/Encoding")
    if not isinstance(encoding, generic.DictionaryObject):
        return {}
    named, code = {}, 0
    for one in _entry(encoding, "/Differences", ()):
        if isinstance(one, generic.NameObject):
            named[code] = agl.toUnicode(str(one)[1:])
            code += 1
        else:
            code = int(one)
    return named


def _unicode(cmap: bytes) -> tuple[dict[bytes, str], int]:
    """The table of a ToUnicode map, and how many bytes a code has."""
    table: dict[bytes, str] = {}
    told = 0
    for kind, body in re.findall(rb"begin(bfchar|bfrange)(.*?)endbf", cmap, re.DOTALL):
        for found in (_CHAR if kind == b"bfchar" else _RANGE).findall(body):
            first, second, third = (*found, b"")[:3]
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
