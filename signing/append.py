"""One more revision of a file that we prepared ourselves: only its tail is made, from what is known of the file.

`append_signature` writes from a plan (`signing.known`) and never sees the file; `append_proof` reads of it what the DSS
holds already. Both say None where they do not know the file or the wish: then pyHanko writes.
Bytes in, bytes out.
"""

import hashlib
import itertools
import math
from binascii import hexlify
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from signing.errors import SignatureWrong
from signing.known import UNKNOWN, Base, Entries, FieldPlan, File, Plan, Unknown, written_entries

_EXTENSION = b" /Extensions << /ESIC << /Type /DeveloperExtensions /BaseVersion /1.7 /ExtensionLevel 1 >> >>"
"""Says that PAdES signatures are in use, as EN 319 142-1 wants of files before PDF 2.0."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as PDF holds it: size in pixels, and its colours and its transparency, both deflated.

    `points` are width and height beyond which it is not drawn (a seal's real size); None: as large as its field.
    `hard`: its transparency is a mask of one bit a pixel, 1 where nothing is drawn; else a byte.
    """

    width: int
    height: int
    colours: bytes
    alpha: bytes
    points: tuple[float, float] | None = None
    hard: bool = False


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
        digits = hexlify(content)
        if len(digits) > room:
            raise SignatureWrong()
        return b"".join((self.before, b"<", digits, b"0" * (room - len(digits)), b">", self.after))


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
    base = plan.base
    colours, alpha, look, signature = range(base.size, base.size + 4)
    revision = _Revision(base)
    revision.stream(alpha, _mask(picture), picture.alpha)
    revision.stream(colours, _image(picture, b"/DeviceRGB", alpha), picture.colours)
    revision.stream(look, *_appearance(field, picture, colours))
    revision.object(field.number, b"%s /AP << /N %d 0 R >> /V %d 0 R" % (field.written, look, signature))
    if certifies or not plan.extended:
        permission = b" /Perms << /DocMDP %d 0 R >>" % signature if certifies else b""
        revision.object(base.root, b"".join((base.catalog, b"" if plan.extended else _EXTENSION, permission)))
    said = _said(at, signer, reason, certifies=certifies)
    return revision.with_hole(signature, said, room)


def append_proof(
    pdf: bytes, contents: bytes, certificates: Sequence[bytes], ocsps: Sequence[bytes], crls: Sequence[bytes]
) -> bytes | None:
    """One revision that puts what is handed in (DER) into the DSS, each once, and files it under its signature (VRI).

    `contents` are the hexadecimal digits of that signature as they stand in `pdf`. Gives the tail alone; None for a
    file, or a DSS in it, that was not written here. Source: ETSI EN 319 142-1 §5.4.
    """
    try:
        file = File(pdf)
        catalog = file.catalog()
        return _proven(file, catalog, contents, {b"/Cert": certificates, b"/OCSP": ocsps, b"/CRL": crls})
    except UNKNOWN:
        return None


def _proven(file: File, catalog: Entries, contents: bytes, given: Mapping[bytes, Sequence[bytes]]) -> bytes:
    base = file.base(catalog)
    revision, free = _Revision(base), itertools.count(base.size)
    held: Entries = {}
    number = next(free)
    if b"/DSS" in catalog:
        number = file.reference(catalog[b"/DSS"])
        held = file.dictionary(number)
    else:
        revision.object(base.root, b"%s /DSS %d 0 R" % (base.catalog, number))
    if held.keys() - {b"/Type", b"/VRI", *(kind + b"s" for kind in given)}:
        raise Unknown
    index = [b"/Type /VRI"]
    lists: Entries = {}
    for kind, values in given.items():
        known = {file.stream(one): one for one in file.references(held.get(kind + b"s", b"[]"))}
        used = []
        for der in dict.fromkeys(values):
            if der not in known:
                known[der] = next(free)
                revision.stream(known[der], b"", der)
            used.append(known[der])
        if known:
            lists[kind + b"s"] = _list(known.values())
        if used:
            index.append(b"%s %s" % (kind, _list(used)))
    by_signature = next(free)
    revision.object(by_signature, b" ".join(index))
    # the key is the SHA-1 of the digits as they stand (ISO 32000-2 §12.8.4.3); nothing rests on its strength
    name = hashlib.sha1(contents, usedforsecurity=False).hexdigest().upper().encode()
    earlier = held.get(b"/VRI", b"<< >>")
    if not earlier.startswith(b"<<"):
        raise Unknown
    lists[b"/VRI"] = b"<< %s /%s %d 0 R >>" % (earlier[2:-2].strip(), name, by_signature)
    revision.object(number, written_entries(lists))
    return revision.whole()


def _list(numbers: Iterable[int]) -> bytes:
    return b"[%s]" % b" ".join(b"%d 0 R" % number for number in numbers)


class _Revision:
    """A revision in the making: objects one after the other, and where each begins."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._parts = [] if base.ends_line else [b"\n"]
        self._at = base.length + len(self._parts)
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

    def whole(self) -> bytes:
        """The revision without any hole."""
        ending = self._ending(self._at)
        return b"".join((*self._parts, ending))

    def _add(self, number: int, written: bytes) -> None:
        self._places[number] = self._at
        self._parts.append(written)
        self._at += len(written)

    def _ending(self, table: int) -> bytes:
        """Cross-reference table, trailer, `startxref`."""
        base, places = self._base, self._places
        numbers = sorted(places)
        lines, begin = [b"xref\n"], 0
        for place, number in enumerate(numbers, 1):
            if place == len(numbers) or numbers[place] != number + 1:
                section = numbers[begin:place]
                lines.append(b"%d %d\n" % (section[0], len(section)))
                lines.append(b"%010d 00000 n \n" * len(section) % tuple([places[one] for one in section]))
                begin = place
        info = b" /Info " + base.info if base.info else b""
        identity = b""
        if base.identity:
            # another file, another second part: its signature dictionary and its places are its own
            own = hashlib.sha256(b"".join((self._parts[-1], *lines))).hexdigest()[:32].encode()
            identity = b" /ID [%s <%s>]" % (base.identity, own)
        return b"%strailer\n<< /Size %d /Root %d 0 R /Prev %d%s%s >>\nstartxref\n%d\n%%%%EOF\n" % (
            b"".join(lines), max(base.size, numbers[-1] + 1), base.root, base.last_table, info, identity, table,
        )  # fmt: skip


def _mask(picture: Picture) -> bytes:
    if not picture.hard:
        return _image(picture, b"/DeviceGray")
    size = b"/Width %d /Height %d" % (picture.width, picture.height)
    return b"/Type /XObject /Subtype /Image %s /ImageMask true /BitsPerComponent 1 /Filter /FlateDecode" % size


def _image(picture: Picture, space: bytes, mask: int | None = None) -> bytes:
    soft = b"" if mask is None else b" /%s %d 0 R" % (b"Mask" if picture.hard else b"SMask", mask)
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
    said = b"/Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /M (%s) /Name %s" % (
        _moment(at), _string(signer),
    )  # fmt: skip
    if reason:
        said += b" /Reason " + _string(reason)
    if certifies:
        said += (
            b" /Reference [<< /Type /SigRef /TransformMethod /DocMDP"
            b" /TransformParams << /Type /TransformParams /V /1.2 /P 2 >> >>]"
        )
    return said


def _moment(at: datetime) -> bytes:
    """`D:20260305093000+07'00'`; put together by hand, because strftime takes as long as all the rest of a tail."""
    ahead = at.utcoffset() or timedelta()
    hours, minutes = divmod(abs(ahead) // timedelta(minutes=1), 60)
    day = b"%04d%02d%02d%02d%02d%02d" % (at.year, at.month, at.day, at.hour, at.minute, at.second)
    return b"D:%s%s%02d'%02d'" % (day, b"-" if ahead < timedelta() else b"+", hours, minutes)


@lru_cache(256)
def _string(text: str) -> bytes:
    return b"<%s>" % ("\ufeff" + text).encode("utf-16-be").hex().encode()
