"""One more revision of a file that we prepared ourselves: only its tail is made, from what is known of the file.

`read_plan` looks once at the few objects that a signature touches; `append_signature` writes from that plan, and never
sees the file again. It knows files as `signing.prepare` makes them and as we leave them after each step, and says None
to everything else: encrypted or hybrid files, cross-reference streams, forms with hierarchy, seed values, locks,
anything that forbids another signature. Those go pyHanko's way (`signing._pyhanko.writing`). Bytes in, bytes out.
"""

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import datetime

from signing.errors import SignatureWrong

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
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)

_TRAILER = frozenset({b"/Size", b"/Root", b"/Info", b"/ID", b"/Prev", b"/DocChecksum"})
"""What a trailer may hold. The last is LibreOffice's own, true only for the file that it wrote; it is left out."""

Entries = dict[bytes, bytes]
"""A dictionary's keys with their values as they are written."""


_EXTENSION = b" /Extensions << /ESIC << /Type /DeveloperExtensions /BaseVersion /1.7 /ExtensionLevel 1 >> >>"
"""Says that PAdES signatures are in use, as EN 319 142-1 wants of files before PDF 2.0."""


class _Unknown(Exception):
    """The file holds something that this file does not know."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """An empty signature field: its object, what is in it, its size in points, and how its page is turned."""

    number: int
    written: bytes
    width: float
    height: float
    rotation: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the next revision needs to know of a file. Small, pickles, and true only for exactly that file.

    `catalog` and each field are held as written, without their brackets. `extended`: the catalog has /Extensions,
    `restricted`: it has /Perms, `signed`: a signature field is filled.
    """

    length: int
    ends_line: bool
    last_table: int
    size: int
    root: int
    catalog: bytes
    extended: bool
    restricted: bool
    info: bytes
    identity: bytes
    fields: dict[str, FieldPlan]
    signed: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as PDF holds it: size in pixels, and its colours and its transparency, both deflated.

    `points` are width and height beyond which it is not drawn (a seal's real size); None: as large as its field.
    """

    width: int
    height: int
    colours: bytes
    alpha: bytes
    points: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Tail:
    """A revision around a hole: `before` ends in front of its `<`, `after` begins behind its `>`.

    `start` and `end` bound the hole in the whole file, which is the planned one with this behind it.
    """

    before: bytes
    after: bytes
    start: int
    end: int

    def whole(self, content: bytes = b"") -> bytes:
        """The revision with the DER `content` in its hole. Raises `SignatureWrong` when it does not fit."""
        room = self.end - self.start - 2
        digits = content.hex().encode()
        if len(digits) > room:
            raise SignatureWrong()
        return b"".join((self.before, b"<", digits, b"0" * (room - len(digits)), b">", self.after))


def read_plan(pdf: bytes) -> Plan | None:
    """What a signature has to know of `pdf`, or None where it is no file that this appender knows. Never raises."""
    try:
        return _File(pdf).plan()
    except (_Unknown, ValueError, IndexError, RecursionError):
        return None


def append_signature(
    plan: Plan,
    name: str,
    picture: Picture,
    *,
    certifies: bool,
    at: datetime,
    signer: str,
    reason: str | None,
    room: int,
) -> Tail | None:
    """One revision that shows `picture` in the empty field `name` and leaves a hole of `room` hexadecimal digits.

    `certifies` writes DocMDP P=2 and names the signature in the catalog (ISO 32000-2 §12.8.2.2); `at` is the moment to
    claim, in the zone to show. None when there is no such empty field, or certifying comes too late.
    """
    field = plan.fields.get(name)
    if field is None or (certifies and (plan.signed or plan.restricted)):
        return None
    colours, alpha, look, signature = range(plan.size, plan.size + 4)
    revision = _Revision(plan)
    revision.stream(alpha, _image(picture, b"/DeviceGray"), picture.alpha)
    revision.stream(colours, _image(picture, b"/DeviceRGB", alpha), picture.colours)
    revision.stream(look, *_appearance(field, picture, colours))
    revision.object(field.number, b"%s /AP << /N %d 0 R >> /V %d 0 R" % (field.written, look, signature))
    if certifies or not plan.extended:
        permission = b" /Perms << /DocMDP %d 0 R >>" % signature if certifies else b""
        revision.object(plan.root, b"".join((plan.catalog, b"" if plan.extended else _EXTENSION, permission)))
    said = _said(at, signer, reason, certifies=certifies)
    return revision.with_hole(signature, said, room)


class _File:
    """Reads of a file what its plan needs, and no more; whatever is written in an uncommon way is unknown."""

    def __init__(self, pdf: bytes) -> None:
        self._pdf = pdf
        end = _END.search(pdf, max(0, len(pdf) - _HEAD))
        if end is None or not pdf.startswith(b"%PDF-"):
            raise _Unknown
        self._last = int(end[1])
        self._rotations: dict[int, int] = {}
        self._sections: list[tuple[int, int, int]] = []  # first object, how many, where its first line is; newest first
        self._trailer = self._read_tables()

    def plan(self) -> Plan:
        root = self._reference(self._trailer[b"/Root"])
        catalog = self._dictionary(root)
        fields, signed = self._fields(catalog)
        return Plan(
            length=len(self._pdf),
            ends_line=self._pdf.endswith((b"\n", b"\r")),
            last_table=self._last,
            size=int(self._trailer[b"/Size"]),
            root=root,
            catalog=_written(catalog),
            extended=b"/Extensions" in catalog,
            restricted=b"/Perms" in catalog,
            info=self._trailer.get(b"/Info", b""),
            identity=self._identity(),
            fields=fields,
            signed=signed,
        )

    def _read_tables(self) -> Entries:
        """All cross-reference tables, the newest first; the newest trailer."""
        trailers: list[Entries] = []
        at = self._last
        while True:
            trailer = self._read_table(at)
            if trailers and trailer.get(b"/Root") != trailers[0][b"/Root"]:
                raise _Unknown
            trailers.append(trailer)
            if b"/Prev" not in trailer:
                return trailers[0]
            before = int(trailer[b"/Prev"])
            if before >= at or len(trailers) == MOST_REVISIONS:
                raise _Unknown
            at = before

    def _read_table(self, at: int) -> Entries:
        if self._pdf[at : at + 4] != b"xref":
            raise _Unknown
        at = self._blank(at + 4)
        while not self._pdf.startswith(b"trailer", at):
            section = _SECTION.match(self._pdf, at)
            if section is None:
                raise _Unknown
            first, count = int(section[1]), int(section[2])
            self._sections.append((first, count, section.end()))
            at = section.end() + 20 * count
        trailer, _ = self._entries(self._blank(at + 7))
        if trailer.keys() - _TRAILER or b"/Root" not in trailer:
            raise _Unknown
        return trailer

    def _identity(self) -> bytes:
        """The first, lasting part of /ID as written."""
        if b"/ID" not in self._trailer:
            return b""
        parts = _VALUE.findall(self._trailer[b"/ID"][1:-1])
        if len(parts) != 2 or not parts[0].startswith((b"<", b"(")):
            raise _Unknown
        return bytes(parts[0])

    def _fields(self, catalog: Entries) -> tuple[dict[str, FieldPlan], bool]:
        """The empty signature fields by name, and whether another one is filled."""
        form = self._dictionary(self._reference(catalog[b"/AcroForm"]))
        if form.keys() & {b"/XFA", b"/NeedAppearances"} or form.get(b"/SigFlags") != b"3":
            raise _Unknown
        found: dict[str, FieldPlan] = {}
        signed = False
        for number in self._references(form[b"/Fields"]):
            entries = self._dictionary(number)
            if b"/Kids" in entries or b"/Parent" in entries or b"/FT" not in entries:
                raise _Unknown
            if entries[b"/FT"] != b"/Sig":
                continue
            if b"/V" in entries:
                self._require_open(self._reference(entries[b"/V"]))
                signed = True
                continue
            name = _text(entries[b"/T"])
            if name in found:
                raise _Unknown
            found[name] = self._field(number, entries)
        if b"/Perms" in catalog and not signed:
            raise _Unknown
        return found, signed

    def _field(self, number: int, entries: Entries) -> FieldPlan:
        if entries.keys() & {b"/SV", b"/Lock", b"/AP", b"/MK", b"/Ff"} or entries.get(b"/Subtype") != b"/Widget":
            raise _Unknown
        box = [float(n) for n in _NUMBER.findall(entries[b"/Rect"])]
        x1, y1, x2, y2 = box
        return FieldPlan(
            number, _written(entries), abs(x2 - x1), abs(y2 - y1), self._rotation(self._reference(entries[b"/P"]))
        )

    def _rotation(self, page: int) -> int:
        """Of the page or, inherited, of a node above it."""
        if page not in self._rotations:
            self._rotations[page] = self._read_rotation(page)
        return self._rotations[page]

    def _read_rotation(self, page: int) -> int:
        for _ in range(_DEEPEST):
            entries = self._dictionary(page)
            if b"/Rotate" in entries:
                rotation = int(entries[b"/Rotate"]) % 360
                if rotation % 90:
                    raise _Unknown
                return rotation
            if b"/Parent" not in entries:
                return 0
            page = self._reference(entries[b"/Parent"])
        raise _Unknown

    def _require_open(self, number: int) -> None:
        """The signature there forbids no further one: it locks nothing, or DocMDP with P=2 or P=3."""
        entries = self._dictionary(number)
        if entries.get(b"/Type") not in (b"/Sig", b"/DocTimeStamp"):
            raise _Unknown
        if b"/Reference" in entries and _MAY_SIGN.fullmatch(entries[b"/Reference"]) is None:
            raise _Unknown

    # --- objects ---

    def _place(self, number: int) -> int:
        """Where the newest version of an object begins."""
        for first, count, lines in self._sections:
            if first <= number < first + count:
                at = lines + 20 * (number - first)
                entry = _ENTRY.fullmatch(self._pdf, at, at + 20)
                if entry is None or entry[2] != b"00000":
                    raise _Unknown
                return int(entry[1])
        raise _Unknown

    def _body(self, number: int) -> int:
        head = _OBJECT.match(self._pdf, self._place(number))
        if head is None or int(head[1]) != number:
            raise _Unknown
        return head.end()

    def _dictionary(self, number: int) -> Entries:
        """An indirect dictionary that is no stream."""
        entries, end = self._entries(self._body(number))
        if not self._pdf.startswith(b"endobj", self._blank(end)):
            raise _Unknown
        return entries

    def _references(self, value: bytes) -> list[int]:
        """The object numbers in an array of references, itself direct or indirect."""
        if not value.startswith(b"["):
            body = self._body(self._reference(value))
            if not self._pdf.startswith(b"[", body):
                raise _Unknown
            value = self._pdf[body : self._value(body)]
        inner = value[1:-1]
        found = [int(number) for number in _REFERENCE.findall(inner)]
        if _REFERENCE.sub(b"", inner).strip() or len(found) > MOST_FIELDS:
            raise _Unknown
        return found

    @staticmethod
    def _reference(value: bytes) -> int:
        found = _REFERENCE.fullmatch(value)
        if found is None:
            raise _Unknown
        return int(found[1])

    def _entries(self, at: int) -> tuple[Entries, int]:
        """The dictionary that begins at `at`, and where it ends. A key that is disguised or comes twice is unknown."""
        if not self._pdf.startswith(b"<<", at):
            raise _Unknown
        entries: Entries = {}
        at = self._blank(at + 2)
        while not self._pdf.startswith(b">>", at):
            pair = _PAIR.match(self._pdf, at)
            if pair is not None:
                key, value, at = pair[1], pair[2], pair.end()
            else:
                name = _NAME.match(self._pdf, at)
                if name is None:
                    raise _Unknown
                end = self._value(name.end())
                key, value, at = name[1], self._pdf[name.end() : end], self._blank(end)
            if key in entries:
                raise _Unknown
            entries[key] = value
        return entries, at + 2

    def _value(self, at: int, depth: int = 0) -> int:
        """Where the value that begins at `at` ends."""
        if depth > _DEEPEST:
            raise _Unknown
        simple = _VALUE.match(self._pdf, at)
        if simple is not None:
            return simple.end()
        for opening, closing in ((b"<<", b">>"), (b"[", b"]")):
            if self._pdf.startswith(opening, at):
                at = self._blank(at + len(opening))
                while not self._pdf.startswith(closing, at):
                    at = self._blank(self._value(at, depth + 1))
                return at + len(closing)
        raise _Unknown

    def _blank(self, at: int) -> int:
        found = _SPACE.match(self._pdf, at)
        return at if found is None else found.end()


class _Revision:
    """A revision in the making: objects one after the other, and where each begins."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._parts = [] if plan.ends_line else [b"\n"]
        self._at = plan.length + len(self._parts)
        self._places: dict[int, int] = {}

    def object(self, number: int, entries: bytes) -> None:
        self._add(number, b"%d 0 obj\n<< %s >>\nendobj\n" % (number, entries))

    def stream(self, number: int, entries: bytes, data: bytes) -> None:
        head = b"%d 0 obj\n<< %s /Length %d >>\nstream\n" % (number, entries, len(data))
        self._add(number, b"".join((head, data, b"\nendstream\nendobj\n")))

    def with_hole(self, number: int, entries: bytes, room: int) -> Tail:
        """The last object is a signature dictionary; then table and trailer, and the /ByteRange around the hole."""
        head = b"%d 0 obj\n<< %s /Contents " % (number, entries)
        self._add(number, head)
        start, end = self._at, self._at + room + 2
        # what follows the range has a fixed length, so that its own length can stand in it
        range_room = 44
        table = end + len(b" /ByteRange ") + range_room + len(b" >>\nendobj\n")
        ending = self._ending(table)
        length = len(b" /ByteRange ") + range_room + len(b" >>\nendobj\n") + len(ending)
        written = b"[0 %d %d %d]" % (start, end, length)
        after = b" /ByteRange %s >>\nendobj\n%s" % (written.ljust(range_room), ending)
        return Tail(b"".join(self._parts), after, start, end)

    def _add(self, number: int, written: bytes) -> None:
        self._places[number] = self._at
        self._parts.append(written)
        self._at += len(written)

    def _ending(self, table: int) -> bytes:
        """Cross-reference table, trailer, `startxref`."""
        plan, lines = self._plan, [b"xref\n"]
        numbers = sorted(self._places)
        begin = 0
        for place, number in enumerate(numbers, 1):
            if place == len(numbers) or numbers[place] != number + 1:
                section = numbers[begin:place]
                lines.append(b"%d %d\n" % (section[0], len(section)))
                lines += [b"%010d 00000 n \n" % self._places[one] for one in section]
                begin = place
        size = max(plan.size, numbers[-1] + 1)
        trailer = [b"trailer\n<< /Size %d /Root %d 0 R /Prev %d" % (size, plan.root, plan.last_table)]
        if plan.info:
            trailer.append(b"/Info " + plan.info)
        if plan.identity:
            own = hashlib.sha256(b"".join((*self._parts[-2:], *lines))).hexdigest()[:32].encode()
            trailer.append(b"/ID [%s <%s>]" % (plan.identity, own))
        return b"%s%s >>\nstartxref\n%d\n%%%%EOF\n" % (b"".join(lines), b" ".join(trailer), table)


def _image(picture: Picture, space: bytes, mask: int | None = None) -> bytes:
    soft = b"" if mask is None else b" /SMask %d 0 R" % mask
    size = b"/Width %d /Height %d" % (picture.width, picture.height)
    return b"/Type /XObject /Subtype /Image %s /ColorSpace %s /BitsPerComponent 8%s /Filter /FlateDecode" % (
        size, space, soft,
    )  # fmt: skip


def _appearance(field: FieldPlan, picture: Picture, image: int) -> tuple[bytes, bytes]:
    """The picture as large as its proportions allow, in the middle of the field, upright for the reader; one of a real
    size at the right edge, so that a small seal still covers the signature's left third."""
    width, height = field.width, field.height
    if field.rotation in (90, 270):
        width, height = height, width
    natural = picture.points or (picture.width, picture.height)
    scale = min(width / natural[0], height / natural[1], 1.0 if picture.points else math.inf)
    wide, high = natural[0] * scale, natural[1] * scale
    left = width - wide if picture.points else (width - wide) / 2
    turn = {0: b"1 0 0 1", 90: b"0 1 -1 0", 180: b"-1 0 0 -1", 270: b"0 -1 1 0"}[field.rotation]
    entries = (
        b"/Type /XObject /Subtype /Form /BBox [0 0 %.3f %.3f] /Matrix [%s 0 0]"
        b" /Resources << /XObject << /Hinh %d 0 R >> >>"
    ) % (width, height, turn, image)
    drawn = b"q %.3f 0 0 %.3f %.3f %.3f cm /Hinh Do Q" % (wide, high, left, (height - high) / 2)
    return entries, drawn


def _said(at: datetime, signer: str, reason: str | None, *, certifies: bool) -> bytes:
    """What a signature dictionary says beside hole and range (ISO 32000-2 table 255)."""
    zone = at.strftime("%z")
    moment = f"D:{at:%Y%m%d%H%M%S}{zone[:3]}'{zone[3:5]}'".encode()
    said = b"/Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /M (%s) /Name %s" % (
        moment,
        _string(signer),
    )
    if reason:
        said += b" /Reason " + _string(reason)
    if certifies:
        said += (
            b" /Reference [<< /Type /SigRef /TransformMethod /DocMDP"
            b" /TransformParams << /Type /TransformParams /V /1.2 /P 2 >> >>]"
        )
    return said


def _written(entries: Entries) -> bytes:
    return b" ".join(b"%s %s" % entry for entry in entries.items())


def _string(text: str) -> bytes:
    return b"<%s>" % ("\ufeff" + text).encode("utf-16-be").hex().encode()


def _text(written: bytes) -> str:
    """A field's name as written: a literal or hexadecimal string, Latin or UTF-16."""
    if written.startswith(b"<"):
        raw = bytes.fromhex(written[1:-1].decode("ascii"))
    elif written.startswith(b"("):
        raw = _ESCAPE.sub(lambda found: _unescaped(found[1]), written[1:-1])
    else:
        raise _Unknown
    return raw[2:].decode("utf-16-be") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")


def _unescaped(sign: bytes) -> bytes:
    if sign.isdigit():
        return bytes([int(sign, 8) & 255])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b""}.get(sign, sign)
