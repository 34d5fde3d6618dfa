"""Make a foreign PDF ready to be signed: refuse what may not be, write it anew, create every field beforehand."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from signing.beside import with_others
from signing.errors import (
    AlreadySigned,
    NotAPdf,
    PdfActiveContent,
    PdfEncrypted,
    PdfTooComplex,
    PlaceInvalid,
)
from signing.intake import check_bytes, was_signed
from signing.model import (
    ATTACHMENT_FIELD,
    COPY_FIELDS,
    DATE_FIELD,
    INITIAL_FIELD,
    LEADER_FIELD,
    NUMBER_FIELD,
    SEAL_FIELD,
    PageReading,
    Place,
    Places,
    PreparedAttachment,
    PreparedDocument,
)
from signing.pdfa import empty_look, part_of, tag_field, untag_field
from signing.place import Sheet, mark_place, read_page_one
from signing.stamp import attachment_mark, mark_size

MOST_PAGES = 2000
MOST_OBJECTS = 300_000
_DEEPEST = 100
_LONG_NUMBER = "0000/NQLT-HĐND-UBND-UBMTTQ"
_MOST_POINTS = 75_000
_PRINT = 4  # annotation flag
_APPEND_ONLY = 3  # SignaturesExist | AppendOnly: nobody may save this file anew

_RUNNING_ACTIONS = {"/JavaScript", "/Launch", "/ImportData", "/SubmitForm", "/Rendition", "/Movie", "/GoToE"}
_RUNNING_ANNOTATIONS = {"/RichMedia", "/3D", "/Movie", "/Screen", "/Sound"}
_PROGRAM_NAMES = re.compile(
    r"\.(exe|com|scr|bat|cmd|msi|ps1|vbs?|vbe|jse?|jar|wsf|hta|lnk|dll|sh|py|app|apk|docm|xlsm|pptm)$", re.IGNORECASE
)
_WORDS = {
    NUMBER_FIELD: "Số, ký hiệu văn bản",
    DATE_FIELD: "Ngày, tháng, năm ban hành",
    LEADER_FIELD: "Chữ ký số của người ký",
    SEAL_FIELD: "Chữ ký số của cơ quan",
}
"""What a reader says aloud for a field of a tagged document."""
_OTHERS = re.compile(rf"({INITIAL_FIELD}|{LEADER_FIELD})[0-9]+")
_PROGRAM_BYTES = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe")


def prepare_document(pdf: bytes, places: Places | None = None, more: tuple[str, ...] = ()) -> PreparedDocument:
    """Turn an uploaded PDF into one that only ever gets appended to: one revision, every empty field, nothing that
    runs.

    `places` are boxes in page space before /Rotate; None means: as page one was read. `more` are the fields of those
    who initial or sign beside the leader; a place that `places.others` does not name is looked for, with a confidence
    that says whether it was found free. The same input gives the same bytes. Raises `NotAPdf`, `TooLarge`,
    `PdfEncrypted`, `AlreadySigned`, `PdfActiveContent`, `PdfTooComplex`, `PlaceInvalid`. Source: signing.md §1.1
    (steps 1 and 2).
    """
    check_bytes(pdf)
    if was_signed(pdf):
        raise AlreadySigned()
    clean = _written_anew(pdf)
    reading = read_page_one(clean)
    if places is not None:
        reading = _with_places(reading, places)
    reading = _with_places(reading, _with_others(clean, reading.places, more))
    return PreparedDocument(pdf=_with_fields(clean, reading.places), reading=reading)


def prepare_mark(pdf: bytes, lines: tuple[str, ...], field: str = SEAL_FIELD) -> bytes:
    """Turn a separate attachment or a digitised copy into a PDF with one empty signature field: top right of page one,
    as large as the mark `lines` needs (`signing.stamp.attachment_mark`, `copy_mark`; any time takes the same room).

    The same checks and the same rewriting as `prepare_document`, and its errors. Source: R41, R42.
    """
    check_bytes(pdf)
    if was_signed(pdf):
        raise AlreadySigned()
    clean = _written_anew(pdf)
    place = mark_place(clean, mark_size(lines))
    with _opened(clean) as document:
        _add_field(document, _form(document), field, "/Sig", place)
        return _saved(document)


def prepare_attachment(pdf: bytes) -> PreparedAttachment:
    """Turn an uploaded separate attachment into a PDF with one empty field for the organisation's mark.

    The number is not known yet: the field has room for a long one. Errors of `prepare_mark`. Source: R41.
    """
    lines = attachment_mark(_LONG_NUMBER, datetime.fromtimestamp(0, UTC))
    prepared = prepare_mark(pdf, lines, ATTACHMENT_FIELD)
    return PreparedAttachment(prepared, read_page_one(prepared).classified_mark)


def written_anew(pdf: bytes) -> bytes:
    """An unsigned PDF as one revision without anything that runs; the checks and errors of `prepare_document`."""
    check_bytes(pdf)
    if was_signed(pdf):
        raise AlreadySigned()
    return _written_anew(pdf)


def add_fields(pdf: bytes, fields: tuple[tuple[str, str, Place], ...]) -> bytes:
    """The same with empty fields: name, kind (`/Tx`, `/Sig`), place. Raises `PlaceInvalid`."""
    with _opened(pdf) as document:
        form = _form(document)
        for name, kind, place in fields:
            _add_field(document, form, name, kind, place)
        return _saved(document)


def _written_anew(pdf: bytes) -> bytes:
    with _opened(pdf) as document:
        if document.is_encrypted:
            raise PdfEncrypted()
        if len(document.pages) > MOST_PAGES:
            raise PdfTooComplex(what="pages")
        if not len(document.pages):
            raise NotAPdf()
        _refuse_what_runs(document)
        for page in document.pages:
            _draw_in_points(page)
        return _saved(document)


def _opened(pdf: bytes) -> pikepdf.Pdf:
    try:
        document = pikepdf.open(io.BytesIO(pdf))
        len(document.pages)  # the page tree is read here, so that a broken one is found here
        return document
    except pikepdf.PasswordError as error:
        raise PdfEncrypted() from error
    except (pikepdf.PdfError, ValueError, TypeError, RuntimeError) as error:
        raise NotAPdf() from error


def _saved(document: pikepdf.Pdf) -> bytes:
    out = io.BytesIO()
    try:
        document.save(
            out,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            deterministic_id=True,
            force_version=max(document.pdf_version, "1.7"),
            fix_metadata_version=False,  # writing XMP anew loses what PDF/A wants in it
        )
    except (pikepdf.PdfError, ValueError, RuntimeError) as error:
        raise NotAPdf() from error
    return out.getvalue()


def _draw_in_points(page: pikepdf.Page) -> None:
    """Without /UserUnit: a page says its lengths in points, so that a seal of 36 mm is one for every reader."""
    if "/UserUnit" not in page.obj:
        return
    try:
        unit = float(page.obj.UserUnit)
        if not 0 < unit <= _MOST_POINTS:
            raise NotAPdf()
        for key, box in (("/MediaBox", page.mediabox), ("/CropBox", page.cropbox)):
            page.obj[key] = Array([float(length) * unit for length in box])
        for annotation in page.obj.get("/Annots", Array()):
            if "/Rect" in annotation:
                annotation.Rect = Array([float(length) * unit for length in annotation.Rect])
    except (ValueError, TypeError, AttributeError) as error:
        raise NotAPdf() from error
    page.contents_add(b"q %f 0 0 %f 0 0 cm" % (unit, unit), prepend=True)
    page.contents_add(b"Q")
    del page.obj.UserUnit


def _refuse_what_runs(document: pikepdf.Pdf) -> None:
    objects = document.objects
    if len(objects) > MOST_OBJECTS:
        raise PdfTooComplex(what="objects")
    for number in range(len(objects)):
        for dictionary in _dictionaries(objects[number]):
            _refuse_dictionary(dictionary)


def _dictionaries(indirect: Any) -> Iterator[Any]:
    """Every dictionary of one indirect object, without following references (those are visited on their own)."""
    waiting = [(indirect, 0)]
    while waiting:
        thing, depth = waiting.pop()
        if depth > _DEEPEST:
            raise PdfTooComplex(what="nesting")
        if isinstance(thing, pikepdf.Stream):
            thing = thing.stream_dict
        if isinstance(thing, Dictionary):
            yield thing
            waiting.extend((value, depth + 1) for value in thing.as_dict().values() if _direct(value))
        elif isinstance(thing, Array):
            waiting.extend((value, depth + 1) for value in thing if _direct(value))


def _direct(value: Any) -> bool:
    return isinstance(value, Dictionary | Array) and not value.is_indirect


def _refuse_dictionary(found: Any) -> None:
    keys = found.keys()
    if "/ByteRange" in keys and "/Contents" in keys:
        raise AlreadySigned()
    if "/JS" in keys and isinstance(found["/JS"], String | pikepdf.Stream):
        raise PdfActiveContent(what="JavaScript")
    if "/XFA" in keys:
        raise PdfActiveContent(what="XFA")
    if "/S" in keys and str(found["/S"]) in _RUNNING_ACTIONS:
        raise PdfActiveContent(what=str(found["/S"])[1:])
    if "/Subtype" in keys and str(found["/Subtype"]) in _RUNNING_ANNOTATIONS:
        raise PdfActiveContent(what=str(found["/Subtype"])[1:])
    if "/EF" in keys:
        _refuse_program(found)


def _refuse_program(specification: Any) -> None:
    names = [str(specification[key]) for key in ("/F", "/UF") if key in specification.keys()]  # noqa: SIM118
    files = [value for value in specification["/EF"].as_dict().values() if isinstance(value, pikepdf.Stream)]
    if any(_PROGRAM_NAMES.search(name.strip()) for name in names):
        raise PdfActiveContent(what="EmbeddedFile")
    for file in files:
        try:
            start = file.read_bytes()[:4]
        except (pikepdf.PdfError, RuntimeError) as error:
            raise PdfActiveContent(what="EmbeddedFile") from error
        if start.startswith(_PROGRAM_BYTES):
            raise PdfActiveContent(what="EmbeddedFile")


def _with_places(reading: PageReading, places: Places) -> PageReading:
    return PageReading(
        places=places,
        pages=reading.pages,
        type=reading.type,
        subject=reading.subject,
        notation=reading.notation,
        signer=reading.signer,
        position=reading.position,
        classified_mark=reading.classified_mark,
    )


def _with_others(pdf: bytes, places: Places, more: tuple[str, ...]) -> Places:
    if not more:
        return replace(places, others=())
    with _opened(pdf) as document:
        if places.signature.page >= len(document.pages):
            raise PlaceInvalid(field=LEADER_FIELD)
        sheet = sheet_of(document.pages[places.signature.page])
    return with_others(pdf, sheet, places, more)


def _with_fields(pdf: bytes, places: Places) -> bytes:
    with _opened(pdf) as document:
        form = _form(document)
        # the seal comes after the signature, so that readers draw it on top (R39)
        for name, kind, place in (
            (NUMBER_FIELD, "/Tx", places.number),
            (DATE_FIELD, "/Tx", places.date),
            *((other.field, "/Sig", other.place) for other in places.others),
            (LEADER_FIELD, "/Sig", places.signature),
            (SEAL_FIELD, "/Sig", places.seal),
        ):
            _add_field(document, form, name, kind, place)
        return _saved(document)


def _form(document: pikepdf.Pdf) -> Any:
    """The document's form, an own object, without fields of our names (a prepared file that was uploaded again)."""
    root = document.Root
    if "/AcroForm" not in root or not isinstance(root.AcroForm, Dictionary):
        root.AcroForm = document.make_indirect(Dictionary(Fields=Array()))
    elif not root.AcroForm.is_indirect:
        root.AcroForm = document.make_indirect(root.AcroForm)
    form = root.AcroForm
    if "/NeedAppearances" in form:
        del form.NeedAppearances  # a reader would draw number and date anew, in a font of its own
    _drop_own_fields(document, form)
    form.SigFlags = _APPEND_ONLY
    return form


def _drop_own_fields(document: pikepdf.Pdf, form: Any) -> None:
    ours = {NUMBER_FIELD, DATE_FIELD, LEADER_FIELD, SEAL_FIELD, ATTACHMENT_FIELD, *COPY_FIELDS.values()}
    fields = list(form.get("/Fields", Array()))
    dropped = {
        field.objgen for field in fields if (name := str(field.get("/T", ""))) in ours or _OTHERS.fullmatch(name)
    }
    for field in fields:
        if field.objgen in dropped:
            untag_field(document, field)
    form.Fields = document.make_indirect(Array([field for field in fields if field.objgen not in dropped]))
    if not dropped:
        return
    for page in document.pages:
        if "/Annots" in page.obj:
            page.obj.Annots = Array([one for one in page.obj.Annots if one.objgen not in dropped])


def _add_field(document: pikepdf.Pdf, form: Any, name: str, kind: str, place: Place) -> None:
    if not 0 <= place.page < len(document.pages) or not sheet_of(document.pages[place.page]).holds(place.box):
        raise PlaceInvalid(field=name)
    page = document.pages[place.page].obj
    field = document.make_indirect(
        Dictionary(
            Type=Name.Annot,
            Subtype=Name.Widget,
            FT=Name(kind),
            T=String(name),
            F=_PRINT,
            P=page,
            Rect=Array([round(float(length), 3) for length in place.box]),
        )
    )
    if part_of(document) is not None:
        x1, y1, x2, y2 = place.box
        field.AP = empty_look(document, x2 - x1, y2 - y1)
    tag_field(document, field, _WORDS.get(name, "Chữ ký số"))
    form.Fields.append(field)
    annotations = list(page.get("/Annots", Array()))
    page.Annots = document.make_indirect(Array([*annotations, field]))


def sheet_of(page: pikepdf.Page) -> Sheet:
    """What of a page a reader sees: the crop box within the media box, and /Rotate, both also when inherited."""
    try:
        crop, media = ([float(n) for n in box] for box in (page.cropbox, page.mediabox))
        rotation = int(page.get("/Rotate", 0) or _inherited_rotation(page.obj)) % 360
    except (ValueError, TypeError, AttributeError, pikepdf.PdfError) as error:
        raise NotAPdf() from error
    if rotation % 90:
        raise NotAPdf()
    (cx1, cx2), (cy1, cy2) = sorted((crop[0], crop[2])), sorted((crop[1], crop[3]))
    (mx1, mx2), (my1, my2) = sorted((media[0], media[2])), sorted((media[1], media[3]))
    return Sheet((max(cx1, mx1), max(cy1, my1), min(cx2, mx2), min(cy2, my2)), rotation)


def _inherited_rotation(page: Any) -> int:
    for _ in range(_DEEPEST):
        if "/Rotate" in page:
            return int(page.Rotate)
        if "/Parent" not in page:
            break
        page = page.Parent
    return 0
