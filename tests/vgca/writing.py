"""What the fake sign service does to a PDF, with every axis on which real programs may differ. For tests only."""

import io
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pikepdf
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.font.opentype import GlyphAccumulatorFactory
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.text import TextBoxStyle
from pyhanko.sign import fields, signers
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.stamp import TextStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signing.stamp import FONT
from tests.fixtures.tokens import Token

BOXES = {
    "SignApproved": [(-1, (330, 220, 520, 280))],
    "SignIssued": [(-1, (240, 220, 340, 320)), (0, (60, 725, 250, 745)), (0, (300, 725, 520, 745))],
    "SignIncome": [(0, (60, 760, 200, 800))],
    "SignAppendix": [(0, (380, 790, 560, 830))],
    "SignCopy": [(0, (380, 790, 560, 830))],
    "SignFile": [(-1, (330, 220, 520, 280))],
    "Comment": [(0, (60, 60, 200, 100))],
}
"""Where each operation draws (page from 0, the last is -1; points): no such place is known of the real program."""


@dataclass(frozen=True)
class Style:
    """How it signs: the defaults are those of the specification, §11.5."""

    subfilter: str = "adbe"
    certifies: bool = True
    rewrites: bool = False
    producer: bool = True
    signatures: int = 1
    tsa: TimeStamper | None = None
    signing_time: str = "utc"
    chain: tuple[bytes, ...] = ()
    annotates: bool = False
    box: tuple[int, ...] | None = None
    """Where its user puts the first signature, on the page of the operation."""
    says: str | None = None
    """The lines drawn instead of the usual ones, in a font that has all letters."""


def sign(pdf: bytes, token: Token, operation: str, at: datetime, style: Style = Style()) -> bytes:
    """`pdf` with the signatures of one operation, as one incremental update each."""
    if style.rewrites:
        out = io.BytesIO()
        with pikepdf.open(io.BytesIO(pdf)) as document:
            document.save(out)
        pdf = out.getvalue()
    if style.annotates:
        pdf = with_annotation(pdf)
    for page, box in BOXES[operation][: style.signatures]:
        pdf = _one(pdf, token, page, style.box or box, at, style)
        style = replace(style, certifies=False, box=None)
    return pdf


def _one(pdf: bytes, token: Token, page: int, box: tuple[int, ...], at: datetime, style: Style) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False)
    taken = {name: value for name, value, _ in fields.enumerate_sig_fields(writer)}
    name = next(f"Signature{n}" for n in range(1, 99) if f"Signature{n}" not in taken)
    first = not any(value is not None for value in taken.values())
    if style.producer:
        _set_producer(writer)
    adobe = style.subfilter == "adbe"
    signer = _Signer(token, style.chain, at, style.signing_time)
    meta = signers.PdfSignatureMetadata(
        field_name=name, md_algorithm="sha256", certify=first and style.certifies,
        subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED if adobe else SigSeedSubFilter.PADES,
        docmdp_permissions=MDPPerm.FILL_FORMS,
    )  # fmt: skip
    last = int(writer.root["/Pages"]["/Count"]) - 1
    spec = SigFieldSpec(name, on_page=last if page < 0 else page, box=box)
    words = TextStampStyle(stamp_text=f"Người ký: thử\n{at:%d.%m.%Y %H:%M:%S} +07:00")
    if style.says is not None:
        font = GlyphAccumulatorFactory(str(FONT))
        words = TextStampStyle(stamp_text=style.says, text_box_style=TextBoxStyle(font=font, font_size=10))
    made = signers.PdfSigner(meta, signer=signer, timestamper=style.tsa, new_field_spec=spec, stamp_style=words)
    return bytes(made.sign_pdf(writer).getvalue())


class _Signer(signers.SimpleSigner):
    def __init__(self, token: Token, chain: tuple[bytes, ...], at: datetime, signing_time: str) -> None:
        own = asn1_x509.Certificate.load(token.certificate)
        key = token.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        known = SimpleCertificateStore.from_certs([own, *(asn1_x509.Certificate.load(der) for der in chain)])
        super().__init__(own, asn1_keys.PrivateKeyInfo.load(key), known)
        self._at = {"utc": at, "local": at + timedelta(hours=7), "absent": None}[signing_time]

    async def async_sign(self, *args: Any, signed_attr_settings: Any = None, **more: Any) -> Any:
        if signed_attr_settings is not None and not more.get("use_pades"):
            signed_attr_settings = replace(signed_attr_settings, signing_time=self._at)
        return await super().async_sign(*args, signed_attr_settings=signed_attr_settings, **more)


def _set_producer(writer: IncrementalPdfFileWriter) -> None:
    writer.set_info(
        generic.DictionaryObject({generic.pdf_name("/Producer"): generic.pdf_string("VGCASignService")})
    )  # fmt: skip


# -- what a program must not do --


def with_annotation(pdf: bytes) -> bytes:
    """A note over page one, before the signature."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False)
    page = writer.find_page_for_modification(0)[0]
    name = generic.pdf_name
    note = writer.add_object(
        generic.DictionaryObject(
            {
                name("/Type"): name("/Annot"), name("/Subtype"): name("/FreeText"),
                name("/Rect"): generic.ArrayObject(map(generic.FloatObject, (60, 400, 200, 430))),
                name("/Contents"): generic.pdf_string("Đồng ý"), name("/DA"): generic.pdf_string("/Helv 12 Tf"),
            }
        )
    )  # fmt: skip
    writer.register_annotation(page, note)
    return _written(writer)


def with_empty_field(pdf: bytes) -> bytes:
    """One more field, which nobody signs."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False)
    fields.append_signature_field(writer, SigFieldSpec("Signature9", on_page=0, box=(60, 120, 200, 160)))
    return _written(writer)


def with_other_page(pdf: bytes) -> bytes:
    """Another content on page one, as one more revision."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False)
    page = writer.find_page_for_modification(0)[0].get_object()
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"BT /F1 20 Tf 100 500 Td (1000) Tj ET"))
    writer.update_container(page)
    return _written(writer)


def without_first_signature(pdf: bytes) -> bytes:
    """One more revision that takes the value of the first signed field away."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False)
    for _, value, reference in fields.enumerate_sig_fields(writer):
        if value is not None:
            field = reference.get_object()
            del field["/V"]
            writer.mark_update(reference)
            break
    return _written(writer)


def with_old_bytes_changed(pdf: bytes) -> bytes:
    """One byte of an earlier revision is another one."""
    at = pdf.index(b"/MediaBox") + 1
    return pdf[:at] + b"m" + pdf[at + 1 :]


def _written(writer: IncrementalPdfFileWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
