"""How pyHanko writes for us: holes for signatures, the CMS, the DSS. Nothing here asks a network or a clock."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asn1crypto import crl, ocsp, x509
from PIL import Image
from pyhanko.pdf_utils import generic, layout
from pyhanko.pdf_utils.content import AppearanceContent, ResourceType
from pyhanko.pdf_utils.font.opentype import GlyphAccumulator, GlyphAccumulatorFactory
from pyhanko.pdf_utils.form_tools import annot_width_height, find_existing_empty_field
from pyhanko.pdf_utils.images import PdfImage
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import FormFillingError, PdfError
from pyhanko.sign import fields, signers
from pyhanko.sign.general import SigningError as PyHankoSigningError
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp
from pyhanko.sign.signers.pdf_cms import ExternalSigner
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.stamp.base import BaseStampStyle
from pyhanko.stamp.static import StaticContentStamp, StaticStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore

from keys.model import RevocationData
from signing.cms import signed_attributes
from signing.errors import CertifiedUnchangeable, FieldMissing, NotAPdf, SignatureWrong, SigningError
from signing.intake import part_declared
from signing.model import VIETNAM, PreparedSignature, PreparedTimestamp, SignaturePurpose, SignIntent
from signing.place import Cover, Piece
from signing.stamp import MARK_FONT, mark_pieces, picture_of, said_size

_TIMESTAMP_FIELD = "DauThoiGian"
# it announces every table of a font that it leaves out of the embedded part
logging.getLogger("fontTools.subset").setLevel(logging.ERROR)


def make_hole(
    pdf: bytes, intent: SignIntent, certificate: bytes, chain: tuple[bytes, ...], *, reserved: int
) -> PreparedSignature:
    """See `signing.sign.prepare_signature`."""
    with _translated():
        writer = writer_for(pdf)
        field = _empty_field(writer, intent.field)
        rotation = rotation_of(field)
        certifies = not _has_signature(writer)  # the file's first signature, whoever makes it (signing.md §1.1)
        session = signers.PdfSigner(
            signers.PdfSignatureMetadata(
                field_name=intent.field,
                subfilter=fields.SigSeedSubFilter.PADES,
                md_algorithm="sha256",
                name=intent.name,
                reason=intent.reason,
                certify=certifies,
                docmdp_permissions=fields.MDPPerm.FILL_FORMS,
            ),
            signer=_signer(certificate, chain),
            stamp_style=_look(intent, _seen_size(field, rotation), rotation, hard=part_declared(pdf) == 1),
        ).init_signing_session(writer, existing_fields_only=True)
        # pyHanko would read the machine's clock; the moment is handed in, shown in Vietnam's zone (R43)
        session.system_time = intent.at.astimezone(VIETNAM)
        document = session.prepare_tbs_document(validation_info=None, bytes_reserved=reserved)
        out = io.BytesIO()
        digest, _ = document.digest_tbs_document(output=out)
        attributes = signed_attributes(digest.document_digest, certificate)
    return PreparedSignature(
        pdf=out.getvalue(),
        digest=digest.document_digest,
        start=digest.reserved_region_start,
        end=digest.reserved_region_end,
        attributes=attributes,
    )


def add_proof(pdf: bytes, contents: bytes, certificates: tuple[bytes, ...], revocation: RevocationData) -> bytes:
    """The same file with certificates and revocation data in its DSS, filed under their signature (VRI).

    `contents` are the hexadecimal digits of that signature, padding included; `certificates` all that belong to it.
    """
    with _translated():
        writer = writer_for(pdf)
        DocumentSecurityStore.supply_dss_in_writer(
            writer,
            contents,
            certs=[x509.Certificate.load(der) for der in dict.fromkeys(certificates)],
            ocsps=[ocsp.OCSPResponse.load(der) for der in revocation.ocsps],
            crls=[crl.CertificateList.load(der) for der in revocation.crls],
        )
        out = io.BytesIO()
        writer.write(out)  # type: ignore[no-untyped-call]
        return out.getvalue()


def make_timestamp_hole(pdf: bytes, *, reserved: int) -> PreparedTimestamp:
    """See `signing.sign.prepare_timestamp`."""
    with _translated():
        return _stamp_hole(writer_for(pdf), reserved, looks=part_declared(pdf) is not None)


def make_archive_hole(
    pdf: bytes, certificates: tuple[bytes, ...], revocation: RevocationData, *, reserved: int
) -> PreparedTimestamp:
    """See `signing.archive.prepare_archive`."""
    with _translated():
        writer = writer_for(pdf)
        if _forbids_all(writer):
            raise CertifiedUnchangeable
        DocumentSecurityStore.supply_dss_in_writer(
            writer,
            None,
            certs=[x509.Certificate.load(der) for der in dict.fromkeys((*certificates, *revocation.certificates))],
            ocsps=[ocsp.OCSPResponse.load(der) for der in revocation.ocsps],
            crls=[crl.CertificateList.load(der) for der in revocation.crls],
        )
        return _stamp_hole(writer, reserved, looks=part_declared(pdf) is not None)


def _forbids_all(writer: IncrementalPdfFileWriter) -> bool:
    """Whether a signature certifies with DocMDP P=1."""
    for name, _, reference in fields.enumerate_sig_fields(writer.prev, filled_status=True):
        try:
            level = EmbeddedPdfSignature(writer.prev, reference.get_object(), name).docmdp_level
        except (PdfError, ValueError, TypeError, LookupError, AttributeError):
            continue  # not a signature that certifies; the verdict before said what it is
        if level == fields.MDPPerm.NO_CHANGES:
            return True
    return False


def _stamp_hole(writer: IncrementalPdfFileWriter, reserved: int, *, looks: bool) -> PreparedTimestamp:
    """`looks`: the field gets a look, though it has no size, as PDF/A-1 wants of every field (ISO 19005-1 6.9)."""
    name = _free_timestamp_name(writer)
    embedder = PdfCMSEmbedder(new_field_spec=fields.SigFieldSpec(name))
    steps = embedder.write_cms(field_name=name, writer=writer)
    field: Any = next(steps)
    if looks:
        _NoLook(writer=writer, box=layout.BoxConstraints(width=1, height=1)).apply_appearance(field.get_object())
    steps.send(SigObjSetup(sig_placeholder=DocumentTimestamp(bytes_reserved=reserved)))  # type: ignore[no-untyped-call]
    digest, out = steps.send(SigIOSetup(md_algorithm="sha256"))
    return PreparedTimestamp(
        pdf=out.getvalue(),
        digest=digest.document_digest,
        start=digest.reserved_region_start,
        end=digest.reserved_region_end,
    )


class _NoLook(AppearanceContent):
    def render(self) -> bytes:
        return b""


def writer_for(pdf: bytes) -> IncrementalPdfFileWriter:
    """A writer that appends one revision; not strict, because the structure guard judges files, not this writer."""
    return _Writer(io.BytesIO(pdf), strict=False)


class _Writer(IncrementalPdfFileWriter):
    """Leaves the document's metadata alone: pyHanko would read the machine's clock, name itself as the producer, and
    write XMP anew without what PDF/A wants in it."""

    def _update_meta(self) -> None:
        pass


def rotation_of(annotation: generic.DictionaryObject) -> int:
    """By how many degrees (0, 90, 180, 270; clockwise) a reader turns the page on which `annotation` stands."""
    try:
        page: Any = annotation["/P"]
    except KeyError:
        return 0
    for _ in range(50):  # /Rotate is inherited; the bound ends a looping page tree
        if "/Rotate" in page:
            return int(page["/Rotate"]) % 360
        if "/Parent" not in page:
            break
        page = page["/Parent"]
    return 0


def upright_matrix(rotation: int) -> generic.ArrayObject:
    """The /Matrix of an appearance that is to look upright on a page turned by `rotation` degrees."""
    turns = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
    return generic.ArrayObject(_number(n) for n in (*turns[rotation], 0, 0))


def _number(value: int) -> generic.NumberObject:
    return generic.NumberObject(value)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class _PictureStyle(StaticStampStyle):
    """A picture that fills the field as far as its proportions allow, upright for the reader."""

    rotation: int = 0

    def create_stamp(self, writer: Any, box: layout.BoxConstraints, text_params: object) -> StaticContentStamp:  # noqa: ARG002
        if self.rotation in (90, 270):
            box = layout.BoxConstraints(width=box.height, height=box.width)
        return _TurnedStamp(writer=writer, style=self, box=box)


class _TurnedStamp(StaticContentStamp):
    def as_form_xobject(self) -> generic.StreamObject:
        drawn = super().as_form_xobject()
        drawn["/Matrix"] = upright_matrix(self.style.rotation)
        return drawn


@dataclass(frozen=True)
class _TextStyle(BaseStampStyle):
    """Lines of text, without frame or picture, upright for the reader."""

    lines: tuple[str, ...] = ()
    size: tuple[float, float] = (0.0, 0.0)
    rotation: int = 0
    listed: bool = False

    def create_stamp(self, writer: Any, box: layout.BoxConstraints, text_params: object) -> "_Lettering":  # type: ignore[override]  # noqa: ARG002
        pieces = mark_pieces(self.lines, *self.size)
        return _Lettering(writer, self.size, pieces, (), MARK_FONT, self.rotation, listed=self.listed)


def _look(intent: SignIntent, size: tuple[float, float], rotation: int, *, hard: bool) -> _PictureStyle | _TextStyle:
    if intent.lines:
        return _TextStyle(lines=intent.lines, size=size, rotation=rotation, listed=hard)
    return _picture_style(intent.image, rotation, real_size=intent.purpose is SignaturePurpose.SEAL, hard=hard)


class _HardPicture(PdfImage):
    """A picture each of whose pixels is drawn or not: PDF/A-1 has no transparency."""

    def __init__(self, png: bytes, picture: Image.Image, box: layout.BoxConstraints | None) -> None:
        super().__init__(picture, box=box)
        self._png = png

    @property
    def image_ref(self) -> generic.IndirectObject:
        drawn = picture_of(self._png, hard=True)
        mask, image = (generic.StreamObject(encoded_data=data) for data in (drawn.alpha, drawn.colours))
        for stream, depth in ((mask, 1), (image, 8)):
            stream["/Type"], stream["/Subtype"] = generic.pdf_name("/XObject"), generic.pdf_name("/Image")
            stream["/Width"], stream["/Height"] = _number(drawn.width), _number(drawn.height)
            stream["/BitsPerComponent"], stream["/Filter"] = _number(depth), generic.pdf_name("/FlateDecode")
        mask["/ImageMask"] = generic.BooleanObject(value=True)  # type: ignore[no-untyped-call]
        image["/ColorSpace"] = generic.pdf_name("/DeviceRGB")
        writer: Any = self.writer
        image["/Mask"] = writer.add_object(mask)
        reference: generic.IndirectObject = writer.add_object(image)
        return reference


def _picture_style(png: bytes, rotation: int, *, real_size: bool, hard: bool) -> _PictureStyle:
    """The picture as large as its field; of a seal that says how large it is (pHYs) no larger than that (R39).

    A smaller seal stands at the right edge of its field, so that it still covers the signature's left third.
    """
    try:
        opened = Image.open(io.BytesIO(png), formats=["PNG"])
        picture = opened.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise SignatureWrong() from error
    middle, scaling, box = layout.AxisAlignment.ALIGN_MID, layout.InnerScaling.STRETCH_TO_FIT, None
    across = middle
    points = said_size(opened) if real_size else None
    if points is not None:
        box = layout.BoxConstraints(*points)
        across, scaling = layout.AxisAlignment.ALIGN_MAX, layout.InnerScaling.SHRINK_TO_FIT
    return _PictureStyle(
        background=_HardPicture(png, picture, box) if hard else PdfImage(picture, box=box),
        background_opacity=1,
        background_layout=layout.SimpleBoxLayoutRule(x_align=across, y_align=middle, inner_content_scaling=scaling),
        border_width=0,
        rotation=rotation,
    )


def _signer(certificate: bytes, chain: tuple[bytes, ...]) -> ExternalSigner:
    """A signer that pyHanko may ask for its name; it never signs."""
    others = [x509.Certificate.load(der) for der in chain]
    known = SimpleCertificateStore.from_certs(others)  # type: ignore[no-untyped-call]
    return ExternalSigner(x509.Certificate.load(certificate), known, signature_value=bytes(512))


def _empty_field(writer: IncrementalPdfFileWriter, name: str) -> Any:
    for found, value, reference in fields.enumerate_sig_fields(writer):
        if found == name and value is None:
            return reference.get_object()
    raise FieldMissing(field=name)


def _seen_size(field: Any, rotation: int) -> tuple[float, float]:
    """Width and height of a field as a reader sees it, in points."""
    width, height = (float(length) for length in annot_width_height(field))
    return (height, width) if rotation in (90, 270) else (width, height)


def _has_signature(writer: IncrementalPdfFileWriter) -> bool:
    return any(True for _ in fields.enumerate_sig_fields(writer, filled_status=True))


def _free_timestamp_name(writer: IncrementalPdfFileWriter) -> str:
    taken = {name for name, _, _ in fields.enumerate_sig_fields(writer)}
    return next(name for n in range(1, len(taken) + 2) if (name := f"{_TIMESTAMP_FIELD}{n}") not in taken)


@contextmanager
def _translated() -> Iterator[None]:
    """No exception of the library leaves the room."""
    try:
        yield
    except (SigningError, MemoryError):
        raise
    except PyHankoSigningError as error:
        raise SignatureWrong() from error
    except (PdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OSError) as error:
        raise NotAPdf() from error


@dataclass(frozen=True)
class FilledField:
    """A text field's whole value, and what is drawn for it: pieces of text in the view, over what `covers` hides."""

    name: str
    value: str
    pieces: tuple[Piece, ...]
    covers: tuple[Cover, ...]
    font: Path


def fill_fields(pdf: bytes, filled: list[FilledField]) -> bytes:
    """One revision that fills empty text fields and makes them read-only. Raises `FieldMissing`, `NotAPdf`."""
    with _translated():
        writer = writer_for(pdf)
        for one in filled:
            _fill_field(writer, one, listed=part_declared(pdf) == 1)
        out = io.BytesIO()
        writer.write(out)  # type: ignore[no-untyped-call]
        return out.getvalue()


def _fill_field(writer: IncrementalPdfFileWriter, filled: FilledField, *, listed: bool) -> None:
    try:
        reference = find_existing_empty_field(writer, filled.name, "/Tx")
    except FormFillingError as error:
        raise FieldMissing(field=filled.name) from error
    field: Any = reference.get_object()
    rotation = rotation_of(field)
    size = _seen_size(field, rotation)
    look = _Lettering(writer, size, filled.pieces, filled.covers, filled.font, rotation, listed=listed)
    look.apply_appearance(field)
    field["/V"] = generic.TextStringObject(filled.value)
    field["/Ff"] = _number(int(field.get("/Ff", 0)) | 1)
    writer.mark_update(reference)


_CODES = re.compile(rb"(?<=<)[0-9a-f]+(?=>)")


def _scale_widths(engine: GlyphAccumulator) -> None:
    """PDF counts widths in 1/1000 em; pyHanko 0.38 writes the font's own units (2 048), which sets letters apart."""
    per_em = engine.units_per_em
    engine._glyphs = {glyph: (code, round(1000 * width / per_em)) for glyph, (code, width) in engine._glyphs.items()}


def _drop_layout(engine: GlyphAccumulator) -> None:
    """The text is set; the embedded part holds no layout tables anyway, but fontTools would first read all of them."""
    for table in ("GSUB", "GPOS", "GDEF"):
        if table in engine.tt:
            del engine.tt[table]


def _list_glyphs(engine: GlyphAccumulator) -> None:
    """Name the glyphs that the embedded part of the font has (/CIDSet), as PDF/A-1 wants (ISO 19005-1 6.3.5)."""
    engine._extract_subset()
    engine._subset_created = True
    font: Any = engine.cidfont_obj
    table = font.tt_font["glyf"]
    held = {gid for gid, name in enumerate(font.tt_font.getGlyphOrder()) if table[name].numberOfContours}
    held |= {0, *(code for code, _ in engine._glyphs.values())}
    bits = bytearray(max(held) // 8 + 1)
    for code in held:
        bits[code // 8] |= 0x80 >> code % 8
    writer: Any = engine.writer
    font._font_descriptor["/CIDSet"] = writer.add_object(generic.StreamObject(stream_data=bytes(bits)))


class _Lettering(AppearanceContent):
    """Pieces of text at given points of a field's box, upright for the reader. `listed`: with the font's /CIDSet."""

    def __init__(
        self,
        writer: IncrementalPdfFileWriter,
        size: tuple[float, float],
        pieces: tuple[Piece, ...],
        covers: tuple[Cover, ...],
        font: Path,
        rotation: int,
        *,
        listed: bool = False,
    ) -> None:
        whole = layout.BoxConstraints(width=max(size[0], 1), height=max(size[1], 1))
        super().__init__(writer=writer, box=whole)
        self._size, self._listed = size, listed
        self._pieces, self._covers, self._font, self._rotation = pieces, covers, font, rotation

    def render(self) -> bytes:
        # no object streams: a later reader should find every new object in the plain file
        fonts = GlyphAccumulatorFactory(str(self._font), create_objstream_if_needed=False)
        engine = fonts.create_font_engine(self._ensure_writer)
        self.set_resource(category=ResourceType.FONT, name=generic.pdf_name("/Chu"), value=engine.as_resource())
        drawn = [b"q"]
        for cover in self._covers:
            x1, y1, x2, y2 = cover.box
            drawn.append(b"%g %g %g rg %g %g %g %g re f" % (*cover.paper, x1, y1, x2 - x1, y2 - y1))
        for piece in self._pieces:
            codes = b"".join(_CODES.findall(engine.shape(piece.text, with_actual_text=False).graphics_ops))
            drawn.append(
                b"BT 0 g /Chu %g Tf 1 0 0 1 %g %g Tm <%s> Tj ET" % (piece.size, piece.left, piece.baseline, codes)
            )
        _scale_widths(engine)
        _drop_layout(engine)
        if self._listed:
            _list_glyphs(engine)
        return b" ".join([*drawn, b"Q"])

    def as_form_xobject(self) -> generic.StreamObject:
        drawn = super().as_form_xobject()
        # pyHanko counts boxes in whole points: a reader would stretch the letters to the field's real size
        drawn["/BBox"] = generic.ArrayObject(
            generic.FloatObject(length)  # type: ignore[no-untyped-call]
            for length in (0, 0, *self._size)
        )
        drawn["/Matrix"] = upright_matrix(self._rotation)
        return drawn
