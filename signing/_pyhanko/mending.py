"""What is mended in pyHanko while it judges: its clock is ours, and long strings and object streams are read once.

Importing this module does it, once, for this process. It is needed for what the room promises: a report that is the
same for the same inputs (pyHanko asks the machine's clock in four places of the past validation), and an answer in
time (it reads words, /Contents and the file's end one character at a time, an object stream anew for each object in
it, and makes up entries of a cross-reference stream as long as /Index asks for them). It also keeps the first of two
equal keys of a dictionary, where other readers keep the last: what it says of that is heard here. Names in
certificates are compared by their bytes before they are prepared letter by letter, which took half of a check.
"""

import binascii
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any

from asn1crypto import x509
from cryptography.exceptions import InvalidSignature
from pyhanko.pdf_utils import generic, xref
from pyhanko.pdf_utils import reader as backwards
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.misc import PdfReadError, PdfStreamError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import ades
from pyhanko_certvalidator import context, sig_validate
from pyhanko_certvalidator.ltv import ades_past, poe, types

_COMPARED: dict[tuple[bytes, bytes], bool] = {}
MOST_COMPARED = 4096
MOST_MADE_UP = 4096
"""Entries that a cross-reference stream may lack: honest ones say a /Size that is one too large."""
_TWICE: ContextVar[list[str] | None] = ContextVar("twice", default=None)
_MOMENT: ContextVar[datetime | None] = ContextVar("moment", default=None)
_BLANKS = bytes.maketrans(b"", b"")
_CHUNK = 64 * 1024
_WORD = 32
"""Bytes read at once where a name or a reference is expected; longer ones take another turn."""
_BLANK_OR_COMMENT = b" \n\r\t\x0c\x00%"
_DELIMITER = re.compile(rb"[ \n\r\t\x0c\x00()<>\[\]{}/%]")
_REFERENCE = re.compile(rb"(\d{1,10})[ \n\r\t\x0c]+(\d{1,5})[ \n\r\t\x0c]+R(?=[^A-Za-z0-9])")


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """While this lasts, pyHanko finds `moment` when it asks for the time."""
    token = _MOMENT.set(moment)
    try:
        yield
    finally:
        _MOMENT.reset(token)


@contextmanager
def keys_said_twice() -> Iterator[list[str]]:
    """While this lasts, a list of what pyHanko says of keys that a dictionary holds twice."""
    heard: list[str] = []
    token = _TWICE.set(heard)
    try:
        yield heard
    finally:
        _TWICE.reset(token)


class _Heard:
    """pyHanko's log in the module that reads objects; its word about keys said twice is listened to."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def warning(self, message: str, *arguments: object) -> None:
        heard = _TWICE.get()
        if heard is not None and message.startswith("Multiple definitions in dictionary"):
            heard.append(message)
        self._log.warning(message, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def _validate_raw(*arguments: Any, **named: Any) -> Any:
    """A key of another kind than the signature is a signature that does not fit, not a broken program."""
    try:
        return _validate_raw_as_it_was(*arguments, **named)
    except AssertionError as error:
        raise InvalidSignature from error


def _same_name(one: x509.Name, other: object) -> bool:
    """Equal bytes are equal names; only others are prepared for comparison (RFC 4518), once for each pair."""
    if not isinstance(other, x509.Name):
        return False
    pair = one.dump(), other.dump()
    if pair[0] == pair[1]:
        return True
    if pair not in _COMPARED:
        if len(_COMPARED) > MOST_COMPARED:
            _COMPARED.clear()
        _COMPARED[pair] = bool(_name_equal_as_it_was(one, other))
    return _COMPARED[pair]


def _hashable(one: x509.Name) -> str:
    """The prepared form of a name under which issuers are found, made once for the same bytes."""
    return _prepared(one.chosen.untag().dump())  # an OCSP answer tags the name of its responder


@lru_cache(maxsize=MOST_COMPARED)
def _prepared(name: bytes) -> str:
    return str(_name_hashable_as_it_was(x509.Name.load(name)))


def _other_name(one: x509.Name, other: object) -> bool:
    return not _same_name(one, other)


class _AnyDatetime(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, datetime)


class _Handed(datetime, metaclass=_AnyDatetime):
    """`datetime` for those modules: the moment that was handed in is the present."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        moment = _MOMENT.get()
        if moment is None:
            raise RuntimeError("pyHanko asks for the time, and no moment was handed in")
        return moment.astimezone(tz or UTC)


def read_hex_string(stream: Any) -> Any:
    """A hexadecimal string from `<` to `>`, as a PDF string: the same answer as pyHanko's own reader, sooner."""
    stream.read(1)
    begin, parts = stream.tell(), []
    while True:
        chunk = stream.read(_CHUNK)
        end = chunk.find(b">")
        parts.append(chunk if end < 0 else chunk[:end])
        if end >= 0:
            break
        if not chunk:
            raise PdfStreamError("Stream has ended unexpectedly")
    read = b"".join(parts)
    stream.seek(begin + len(read) + 1)
    digits = read.translate(_BLANKS, b" \t\r\n\x0c\x00")
    try:
        return generic.pdf_string(binascii.unhexlify(digits + b"0" * (len(digits) % 2)))
    except binascii.Error as error:
        raise PdfStreamError("Unexpected token in hex string") from error


def read_until_delimiter(stream: Any) -> bytes:
    """The bytes up to a blank or delimiter, which stays unread: pyHanko's answer, by chunks and not by letters."""
    begin, parts = stream.tell(), []
    while chunk := stream.read(_WORD):
        end = _DELIMITER.search(chunk)
        parts.append(chunk if end is None else chunk[: end.start()])
        if end is not None:
            break
    read = b"".join(parts)
    stream.seek(begin + len(read))
    return read


def read_non_whitespace(stream: Any, seek_back: bool = False, allow_eof: bool = False) -> bytes:
    """The next byte that is no blank; only where there are blanks or a comment before it, pyHanko looks for it."""
    first: bytes = stream.read(1)
    if not first or first in _BLANK_OR_COMMENT:
        stream.seek(-len(first), io.SEEK_CUR)
        return bytes(_non_whitespace_as_it_was(stream, seek_back, allow_eof))
    if seek_back:
        stream.seek(-1, io.SEEK_CUR)
    return first


def _decode_name(name: bytes) -> generic.NameObject:
    return generic.NameObject(_decoded_name(name))


@lru_cache(maxsize=MOST_COMPARED)
def _decoded_name(name: bytes) -> str:
    return str(_decode_name_as_it_was(name))


def _read_reference(stream: Any, container_ref: Any) -> Any:
    begin = stream.tell()
    found = _REFERENCE.match(stream.read(_WORD))
    if found is None or int(found[1]) == 0:
        stream.seek(begin)
        return _read_reference_as_it_was(stream, container_ref)
    stream.seek(begin + found.end())
    return _words.IndirectObject(int(found[1]), int(found[2]), container_ref.get_pdf_handler())


def _parse_xref_stream(section: Any, strict: bool = True) -> Iterator[Any]:
    """The entries of a cross-reference stream; one that names more objects than it has bytes is no section at all.

    What it does not hold pyHanko makes up, one entry after another: /Index may speak of thousands of millions.
    """
    most = MOST_MADE_UP
    for n, entry in enumerate(_parse_xref_stream_as_it_was(section, strict=strict)):
        if n == MOST_MADE_UP:
            most += len(section.data)  # it was unpacked, within the limits, for the first entry
        if n > most:
            raise PdfReadError("a cross-reference stream names more objects than it holds")
        yield entry


def read_next_end_line(stream: Any) -> bytes:
    """The line that ends here, read backwards: pyHanko takes a minute for fifty million bytes without a line end."""
    end, parts = stream.tell() + 1, [b""]
    while (cut := max(parts[-1].rfind(b"\n"), parts[-1].rfind(b"\r"))) < 0:
        begin = max(1, end - _CHUNK)  # it never looks at the first byte of a file
        stream.seek(begin)
        parts.append(stream.read(max(end - begin, 0)))
        if not parts[-1] or len(parts[-1]) < end - begin:
            raise PdfReadError("no line ends here")
        if begin == 1 and b"\n" not in parts[-1] and b"\r" not in parts[-1]:
            raise PdfReadError("no line ends here")
        end = begin
    stream.seek(end + cut - 1)
    parts[-1] = parts[-1][cut + 1 :]
    _leave_line_ends(stream)
    return b"".join(reversed(parts))


def _leave_line_ends(stream: Any) -> None:
    """Go back over what ends the line before, in pyHanko's own steps; a sea of line ends is no file's end."""
    for n in range(_CHUNK):
        if stream.read(1) not in (b"\n", b"\r"):
            stream.seek(-2, io.SEEK_CUR)
            stream.seek(2 if n else 1, io.SEEK_CUR)
            return
        stream.seek(-1, io.SEEK_CUR)
        stream.seek(-2, io.SEEK_CUR)
    raise PdfReadError("too many line ends")


class Reader(PdfFileReader):
    """pyHanko's reader; the head of each object stream is read once, and `/Encrypt null` is no encryption."""

    def __init__(self, stream: Any, **how: Any) -> None:
        self._heads: dict[int, tuple[bytes, dict[int, int], list[int]]] = {}
        super().__init__(stream, strict=False, **how)

    @property
    def encrypt_dict(self) -> Any:
        try:
            said = self.trailer.raw_get("/Encrypt")
        except KeyError:
            return None
        return None if isinstance(said, generic.NullObject) else super().encrypt_dict

    def _get_object_from_stream(self, idnum: int, stmnum: int, idx: int) -> Any:
        if stmnum not in self._heads:
            self._heads[stmnum] = self._head(stmnum)
        data, places, order = self._heads[stmnum]
        heard = _TWICE.get()
        if heard is not None and (order[idx : idx + 1] != [idnum] or order.count(idnum) > 1):
            heard.append("some readers look for an object's number, others for its index, and find something else")
        if idnum not in places:
            return generic.NullObject()
        try:
            found = io.BytesIO(data)
            found.seek(places[idnum])
            return generic.read_object(found, generic.Reference(idnum, 0, self))
        except (PdfStreamError, PdfReadError):
            return generic.NullObject()

    def _head(self, stmnum: int) -> tuple[bytes, dict[int, int], list[int]]:
        stream = generic.Reference(stmnum, 0, self).get_object()
        if not isinstance(stream, generic.StreamObject) or stream["/Type"] != "/ObjStm":
            raise PdfReadError("not an object stream")
        data, first = stream.read_data(DecodePurpose.OBJECT_STREAM), int(stream["/First"])
        numbers = [int(n) for n in re.findall(rb"\d+", data[:first])][: 2 * int(stream["/N"])]
        places: dict[int, int] = {}
        for number, offset in zip(numbers[::2], numbers[1::2], strict=False):
            places.setdefault(number, first + offset)
        return data, places, numbers[::2]


for _module in (ades, context, ades_past, poe, types):
    _module.datetime = _Handed  # type: ignore[attr-defined]
_words: Any = generic
_non_whitespace_as_it_was = _words.read_non_whitespace
_decode_name_as_it_was = _words._decode_name
_read_reference_as_it_was = generic.IndirectObject.read_from_stream
_hex_string_as_it_was = _words.read_hex_string_from_stream
_words.read_hex_string_from_stream = read_hex_string
_words.read_until_delimiter = read_until_delimiter
_words.read_non_whitespace = read_non_whitespace
_words._decode_name = _decode_name
_words.IndirectObject.read_from_stream = staticmethod(_read_reference)
_next_end_line_as_it_was = backwards.read_next_end_line
backwards.read_next_end_line = read_next_end_line
_parse_xref_stream_as_it_was = xref.parse_xref_stream
xref.parse_xref_stream = _parse_xref_stream  # type: ignore[assignment]
_name_equal_as_it_was = x509.Name.__eq__
x509.Name.__eq__ = _same_name
x509.Name.__ne__ = _other_name
_name_hashable_as_it_was = x509.Name.hashable.fget
x509.Name.hashable = property(_hashable)
generic.logger = _Heard(generic.logger)  # type: ignore[assignment]
_validate_raw_as_it_was = sig_validate._validate_raw
sig_validate._validate_raw = _validate_raw
