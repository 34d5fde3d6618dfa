"""What a file that we prepared ourselves holds, as far as its next revision has to know: by a reader of our own.

It reads files as `signing.prepare` writes them and as we leave them after each step. Everything else is unknown to it:
encrypted or hybrid files, cross-reference streams, forms with hierarchy, seed values, locks, anything that forbids
another signature. That is no error; those files go pyHanko's way (`signing._pyhanko.writing`).
"""

import re
from dataclasses import dataclass

from signing.intake import part_declared

MOST_REVISIONS = 64
MOST_FIELDS = 500
_DEEPEST = 50
_HEAD = 1024
"""Bytes at the end in which the last `startxref` must stand."""

_BLANK = rb"[\x00\t\n\x0c\r ]"
_REGULAR = rb"[^\x00\t\n\x0c\r ()<>\[\]{}/%]"
_GAP = rb"(?:" + _BLANK + rb"|%[^\r\n]*[\r\n])*+"
_KEY = rb"(/" + _REGULAR[:-1] + rb"#]++)(?!#)"  # a name that hides no letter
_SIMPLE = (
    rb"((?>\d{1,10}" + _BLANK + rb"++0" + _BLANK + rb"++R(?!" + _REGULAR + rb")"  # a reference
    rb"|/" + _REGULAR + rb"*+"  # a name
    rb"|" + _REGULAR + rb"++"  # a number, true, false, null
    rb"|\((?:[^()\\]|\\.)*+\)"  # a literal string without brackets in it
    rb"|<[0-9A-Fa-f\x00\t\n\x0c\r ]*+>"  # a hexadecimal string
    rb"|\[[^()<>\[\]%]*+\]))"  # an array of names, numbers and references
)
_SPACE = re.compile(_GAP)
_PAIR = re.compile(_KEY + _GAP + _SIMPLE + _GAP, re.DOTALL)
_NAME = re.compile(_KEY + _GAP)
_VALUE = re.compile(_SIMPLE, re.DOTALL)
_REFERENCE = re.compile(rb"(\d{1,10})" + _BLANK + rb"+0" + _BLANK + rb"+R(?!" + _REGULAR + rb")")
_OBJECT = re.compile(rb"(\d{1,10})" + _BLANK + rb"+0" + _BLANK + rb"+obj(?!" + _REGULAR + rb")" + _GAP)
_END = re.compile(rb"startxref" + _BLANK + rb"+(\d{1,10})" + _BLANK + rb"+%%EOF" + _BLANK + rb"*\Z")
_SECTION = re.compile(rb"(\d{1,10}) (\d{1,10})[ ]?(?:\r\n|\n|\r)")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) n[ \r][\r\n]")
_NUMBER = re.compile(rb"[+-]?\d{1,9}(?:\.\d*)?|[+-]?\.\d+")
_MAY_SIGN = re.compile(
    rb"\[\s*<<(?=[^\[\]]*/TransformMethod\s*/DocMDP\b)(?=[^\[\]]*/P\s+[23]\b)"
    rb"(?![^\[\]]*/P\s.*/P\s)(?![^\[\]]*/Data\b)[^\[\]#]*>>\s*\]",
    re.DOTALL,
)
_STREAM = re.compile(_GAP + rb"stream\r?\n")
_STREAM_END = re.compile(rb"\r?\n?endstream")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)

_TRAILER = frozenset({b"/Size", b"/Root", b"/Info", b"/ID", b"/Prev", b"/DocChecksum"})
"""What a trailer may hold. The last is LibreOffice's own, true only for the file that it wrote; it is left out."""

Entries = dict[bytes, bytes]
"""A dictionary's keys with their values as they are written."""


class Unknown(Exception):
    """The file holds something that this reader does not know."""


UNKNOWN = (Unknown, LookupError, ValueError, RecursionError)
"""What reading a file that was not made here may end with; callers leave such a file to pyHanko."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """An empty signature field: its object, what is in it, its size in points, and how its page is turned."""

    number: int
    written: bytes
    width: float
    height: float
    rotation: int


@dataclass(frozen=True, slots=True)
class Base:
    """What every revision stands on: the file's length and last table, /Size, root, and the trailer's lasting entries.

    `catalog` is held as written, without its brackets.
    """

    length: int
    ends_line: bool
    last_table: int
    size: int
    root: int
    catalog: bytes
    info: bytes
    identity: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the next signature needs to know of a file. Small, pickles, and true only for exactly that file.

    `extended`: the catalog has /Extensions, `restricted`: it has /Perms, `signed`: a signature field is filled.
    `fields` are the empty signature fields by name. `hard`: no soft masks, for the file declares PDF/A-1.
    """

    base: Base
    extended: bool
    restricted: bool
    fields: dict[str, FieldPlan]
    signed: bool
    hard: bool


def read_plan(pdf: bytes) -> Plan | None:
    """What a signature has to know of `pdf`, or None where it is no file that this reader knows. Never raises."""
    try:
        return File(pdf).plan()
    except UNKNOWN:
        return None


class File:
    """Objects of a file by their numbers; whatever is written in an uncommon way raises `Unknown`."""

    def __init__(self, pdf: bytes) -> None:
        self._pdf = pdf
        end = _END.search(pdf, max(0, len(pdf) - _HEAD))
        if end is None or not pdf.startswith(b"%PDF-"):
            raise Unknown
        self.last_table = int(end[1])
        self._rotations: dict[int, int] = {}
        self._sections: list[tuple[int, int, int]] = []  # first object, how many, where its first line is; newest first
        self.trailer = self._read_tables()

    def plan(self) -> Plan:
        catalog = self.catalog()
        fields, signed = self._fields(catalog)
        return Plan(
            self.base(catalog),
            extended=b"/Extensions" in catalog,
            restricted=b"/Perms" in catalog,
            fields=fields,
            signed=signed,
            hard=part_declared(self._pdf) == 1,
        )

    def catalog(self) -> Entries:
        return self.dictionary(self.reference(self.trailer[b"/Root"]))

    def base(self, catalog: Entries) -> Base:
        return Base(
            length=len(self._pdf),
            ends_line=self._pdf.endswith((b"\n", b"\r")),
            last_table=self.last_table,
            size=int(self.trailer[b"/Size"]),
            root=self.reference(self.trailer[b"/Root"]),
            catalog=written_entries(catalog),
            info=self.trailer.get(b"/Info", b""),
            identity=self._identity(),
        )

    def _read_tables(self) -> Entries:
        """All cross-reference tables, the newest first; the newest trailer."""
        trailers: list[Entries] = []
        at = self.last_table
        while True:
            trailer = self._read_table(at)
            if trailers and trailer.get(b"/Root") != trailers[0][b"/Root"]:
                raise Unknown
            trailers.append(trailer)
            if b"/Prev" not in trailer:
                return trailers[0]
            before = int(trailer[b"/Prev"])
            if before >= at or len(trailers) == MOST_REVISIONS:
                raise Unknown
            at = before

    def _read_table(self, at: int) -> Entries:
        if self._pdf[at : at + 4] != b"xref":
            raise Unknown
        at = self._blank(at + 4)
        while not self._pdf.startswith(b"trailer", at):
            section = _SECTION.match(self._pdf, at)
            if section is None:
                raise Unknown
            first, count = int(section[1]), int(section[2])
            self._sections.append((first, count, section.end()))
            at = section.end() + 20 * count
        trailer, _ = self._entries(self._blank(at + 7))
        if trailer.keys() - _TRAILER or b"/Root" not in trailer:
            raise Unknown
        return trailer

    def _identity(self) -> bytes:
        """The first, lasting part of /ID as written."""
        if b"/ID" not in self.trailer:
            return b""
        parts = _VALUE.findall(self.trailer[b"/ID"][1:-1])
        if len(parts) != 2 or not parts[0].startswith((b"<", b"(")):
            raise Unknown
        return bytes(parts[0])

    def _fields(self, catalog: Entries) -> tuple[dict[str, FieldPlan], bool]:
        """The empty signature fields by name, and whether another one is filled."""
        form = self.dictionary(self.reference(catalog[b"/AcroForm"]))
        if form.keys() & {b"/XFA", b"/NeedAppearances"} or form.get(b"/SigFlags") != b"3":
            raise Unknown
        found: dict[str, FieldPlan] = {}
        signed = False
        for number in self.references(form[b"/Fields"]):
            entries = self.dictionary(number)
            if b"/Kids" in entries or b"/Parent" in entries or b"/FT" not in entries:
                raise Unknown
            if entries[b"/FT"] != b"/Sig":
                continue
            if b"/V" in entries:
                self._require_open(self.reference(entries[b"/V"]))
                signed = True
                continue
            name = _text(entries[b"/T"])
            if name in found:
                raise Unknown
            found[name] = self._field(number, entries)
        if b"/Perms" in catalog and not signed:
            raise Unknown
        return found, signed

    def _field(self, number: int, entries: Entries) -> FieldPlan:
        entries.pop(b"/AP", None)  # the empty look that PDF/A wants
        if entries.keys() & {b"/SV", b"/Lock", b"/MK", b"/Ff"} or entries.get(b"/Subtype") != b"/Widget":
            raise Unknown
        box = [float(n) for n in _NUMBER.findall(entries[b"/Rect"])]
        x1, y1, x2, y2 = box
        return FieldPlan(
            number, written_entries(entries), abs(x2 - x1), abs(y2 - y1), self._rotation(self.reference(entries[b"/P"]))
        )

    def _rotation(self, page: int) -> int:
        """Of the page or, inherited, of a node above it."""
        if page not in self._rotations:
            self._rotations[page] = self._read_rotation(page)
        return self._rotations[page]

    def _read_rotation(self, page: int) -> int:
        for _ in range(_DEEPEST):
            entries = self.dictionary(page)
            if b"/Rotate" in entries:
                rotation = int(entries[b"/Rotate"]) % 360
                if rotation % 90:
                    raise Unknown
                return rotation
            if b"/Parent" not in entries:
                return 0
            page = self.reference(entries[b"/Parent"])
        raise Unknown

    def _require_open(self, number: int) -> None:
        """The signature there forbids no further one: it locks nothing, or DocMDP with P=2 or P=3."""
        entries = self.dictionary(number)
        if entries.get(b"/Type") not in (b"/Sig", b"/DocTimeStamp"):
            raise Unknown
        if b"/Reference" in entries and _MAY_SIGN.fullmatch(entries[b"/Reference"]) is None:
            raise Unknown

    # --- objects ---

    def _place(self, number: int) -> int:
        """Where the newest version of an object begins."""
        for first, count, lines in self._sections:
            if first <= number < first + count:
                at = lines + 20 * (number - first)
                entry = _ENTRY.fullmatch(self._pdf, at, at + 20)
                if entry is None or entry[2] != b"00000":
                    raise Unknown
                return int(entry[1])
        raise Unknown

    def _body(self, number: int) -> int:
        head = _OBJECT.match(self._pdf, self._place(number))
        if head is None or int(head[1]) != number:
            raise Unknown
        return head.end()

    def dictionary(self, number: int) -> Entries:
        """An indirect dictionary that is no stream."""
        entries, end = self._entries(self._body(number))
        if not self._pdf.startswith(b"endobj", self._blank(end)):
            raise Unknown
        return entries

    def stream(self, number: int) -> bytes:
        """The bytes of a stream that is not packed in any way."""
        entries, end = self._entries(self._body(number))
        length = int(entries[b"/Length"])
        begin = _STREAM.match(self._pdf, end)
        if b"/Filter" in entries or begin is None or length < 0:
            raise Unknown
        data = self._pdf[begin.end() : begin.end() + length]
        if _STREAM_END.match(self._pdf, begin.end() + length) is None:
            raise Unknown
        return data

    def references(self, value: bytes) -> list[int]:
        """The object numbers in an array of references, itself direct or indirect."""
        if not value.startswith(b"["):
            body = self._body(self.reference(value))
            if not self._pdf.startswith(b"[", body):
                raise Unknown
            value = self._pdf[body : self._value(body)]
        inner = value[1:-1]
        found = [int(number) for number in _REFERENCE.findall(inner)]
        if _REFERENCE.sub(b"", inner).strip() or len(found) > MOST_FIELDS:
            raise Unknown
        return found

    @staticmethod
    def reference(value: bytes) -> int:
        found = _REFERENCE.fullmatch(value)
        if found is None:
            raise Unknown
        return int(found[1])

    def _entries(self, at: int) -> tuple[Entries, int]:
        """The dictionary that begins at `at`, and where it ends. A key that is disguised or comes twice is unknown."""
        if not self._pdf.startswith(b"<<", at):
            raise Unknown
        entries: Entries = {}
        at = self._blank(at + 2)
        while not self._pdf.startswith(b">>", at):
            pair = _PAIR.match(self._pdf, at)
            if pair is not None:
                key, value, at = pair[1], pair[2], pair.end()
            else:
                name = _NAME.match(self._pdf, at)
                if name is None:
                    raise Unknown
                end = self._value(name.end())
                key, value, at = name[1], self._pdf[name.end() : end], self._blank(end)
            if key in entries:
                raise Unknown
            entries[key] = value
        return entries, at + 2

    def _value(self, at: int, depth: int = 0) -> int:
        """Where the value that begins at `at` ends."""
        if depth > _DEEPEST:
            raise Unknown
        simple = _VALUE.match(self._pdf, at)
        if simple is not None:
            return simple.end()
        for opening, closing in ((b"<<", b">>"), (b"[", b"]")):
            if self._pdf.startswith(opening, at):
                at = self._blank(at + len(opening))
                while not self._pdf.startswith(closing, at):
                    at = self._blank(self._value(at, depth + 1))
                return at + len(closing)
        raise Unknown

    def _blank(self, at: int) -> int:
        found = _SPACE.match(self._pdf, at)
        return at if found is None else found.end()


def written_entries(entries: Entries) -> bytes:
    """A dictionary without its brackets."""
    return b" ".join(b"%s %s" % entry for entry in entries.items())


def _text(written: bytes) -> str:
    """A field's name as written: a literal or hexadecimal string, Latin or UTF-16."""
    if written.startswith(b"<"):
        raw = bytes.fromhex(written[1:-1].decode("ascii"))
    elif written.startswith(b"("):
        raw = _ESCAPE.sub(lambda found: _unescaped(found[1]), written[1:-1])
    else:
        raise Unknown
    return raw[2:].decode("utf-16-be") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")


def _unescaped(sign: bytes) -> bytes:
    if sign.isdigit():
        return bytes([int(sign, 8) & 255])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b""}.get(sign, sign)
