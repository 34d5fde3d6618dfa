"""Makes every file of this folder, always the same bytes: `python tests/vectors/bad/make.py`.

What is too big to keep (bombs, files over the limit) and what cannot be the same twice (a foreign signature) has a
function here and is made when a test asks for it.
"""

import datetime
import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pikepdf
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from pikepdf import Array, Dictionary, Name, Stream, String
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

HERE = Path(__file__).parent
FONT = HERE.parents[2] / "signing" / "fonts" / "LiberationSerif-Regular.ttf"
MIB = 1 << 20


# -- plain files --


def raw(objects: Mapping[int, bytes], *, root: int = 1) -> bytes:
    """A PDF written by hand from whole objects by number, with a right cross-reference table."""
    out, offsets = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), {}
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    size, start = max(objects) + 1, len(out)
    entries = (b"%010d 00000 n \n" % offsets[n] if n in offsets else b"0000000000 65535 f \n" for n in range(size))
    out += b"xref\n0 %d\n%b" % (size, b"".join(entries))
    out += b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, root, start)
    return bytes(out)


def plain(catalog: bytes = b"", page: bytes = b"", more: Mapping[int, bytes] | None = None) -> bytes:
    """One page that says nothing wrong, with `catalog` and `page` added to those dictionaries."""
    content = b"BT /F1 12 Tf 100 700 Td (V/v thu nghiem) Tj ET"
    return raw(
        {
            1: b"<</Type/Catalog/Pages 2 0 R%b>>" % catalog,
            2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>%b>>" % page,
            4: b"<</Length %d>>\nstream\n%b\nendstream" % (len(content), content),
            5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            **(more or {}),
        }
    )


def marked(mark: str) -> bytes:
    """A letter with a line of its own near the top of page one."""
    pdfmetrics.registerFont(TTFont("Serif", FONT))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    canvas.setFont("Serif", 13)
    canvas.drawCentredString(180, 780, "ỦY BAN NHÂN DÂN")
    canvas.drawCentredString(180, 735, "Số:          /UBND-VP")
    canvas.drawCentredString(120, 705, mark)
    canvas.drawCentredString(180, 680, "V/v thử nghiệm")
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def packed() -> bytes:
    """A ZIP with one entry."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("run.js"), "1")
    return out.getvalue()


def encrypted(*, user: str) -> bytes:
    """Locked for everybody (`user` given) or only against changes (`user` empty)."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(plain())) as document:
        locked = pikepdf.Encryption(user=user, owner="chu", R=3, aes=False, metadata=False)
        document.save(out, encryption=locked, static_id=True)
    return out.getvalue()


def embedded(name: str, data: bytes) -> bytes:
    """A letter with another file inside."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(plain())) as document:
        stream = Stream(document, data, Type=Name.EmbeddedFile)
        file = Dictionary(Type=Name.Filespec, F=String(name), UF=String(name), EF=Dictionary(F=stream))
        document.Root.Names = Dictionary(
            EmbeddedFiles=Dictionary(Names=Array([String(name), document.make_indirect(file)]))
        )
        document.save(out, deterministic_id=True)
    return out.getvalue()


def broken_signature() -> bytes:
    """A field that says that it is signed; what it holds is no signature."""
    pdf = plain(
        catalog=b"/AcroForm<</SigFlags 3/Fields[6 0 R]>>",
        page=b"/Annots[6 0 R]",
        more={
            6: b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Ky)/Rect[0 0 0 0]/P 3 0 R/V 7 0 R>>",
            7: b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached"
            b"/ByteRange[0 0000000000 0000000000 0000000000]/Contents<%b>>>" % (b"30" * 64),
        },
    )
    start = pdf.index(b"<3030")
    end = pdf.index(b">", start) + 1
    told = b"/ByteRange[0 %010d %010d %010d]" % (start, end, len(pdf) - end)
    return pdf.replace(b"/ByteRange[0 0000000000 0000000000 0000000000]", told)


FILES: Mapping[str, Callable[[], bytes]] = {
    "not-a-pdf.pdf": lambda: "Đây là văn bản thường, không phải PDF.\n".encode(),
    "empty.pdf": lambda: b"",
    "truncated.pdf": lambda: plain()[: len(plain()) * 6 // 10],
    "no-pages.pdf": lambda: raw({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[]/Count 0>>"}),
    "page-tree-loop.pdf": lambda: raw(
        {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[2 0 R]/Count 1/Parent 2 0 R>>"}
    ),
    "million-pages-told.pdf": lambda: plain().replace(b"/Count 1>>", b"/Count 1000000>>"),
    "encrypted-user.pdf": lambda: encrypted(user="khach"),
    "encrypted-owner.pdf": lambda: encrypted(user=""),
    "zip-before.pdf": lambda: packed() + plain(),
    "zip-after.pdf": lambda: plain() + packed(),
    "html-before.pdf": lambda: b"<html><script>1</script></html>\n" + plain(),
    "html-after.pdf": lambda: plain() + b"<html><script>1</script></html>\n",
    "junk-before.pdf": lambda: b"\x00\x01\x02junk\r\n" + plain(),
    "javascript.pdf": lambda: plain(catalog=b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"),
    "launch.pdf": lambda: plain(catalog=b"/OpenAction<</S/Launch/F(cmd.exe)>>"),
    "submit.pdf": lambda: plain(
        page=b"/Annots[6 0 R]",
        more={6: b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/SubmitForm/F(http://127.0.0.1/)>>>>"},
    ),
    "xfa.pdf": lambda: plain(
        catalog=b"/AcroForm<</Fields[]/XFA 6 0 R>>", more={6: b"<</Length 6>>\nstream\n<xdp/>\nendstream"}
    ),
    "embedded-exe.pdf": lambda: embedded("hoa-don.exe", b"MZ\x90\x00"),
    "embedded-disguised.pdf": lambda: embedded("hoa-don.txt", b"MZ\x90\x00"),
    "broken-signature.pdf": broken_signature,
    "mat.pdf": lambda: marked("MẬT"),
    "toi-mat.pdf": lambda: marked("TỐI MẬT"),
    "tuyet-mat.pdf": lambda: marked("TUYỆT MẬT"),
}


# -- made when asked for --


def over_limit(limit_mb: int) -> bytes:
    """A good letter that is one byte too long: blanks may follow the end of a PDF."""
    pdf = plain()
    return pdf + b"\n" * (limit_mb * MIB + 1 - len(pdf))


def zeros(length_mib: int) -> bytes:
    """A zlib stream of that many MiB of zeros, without ever holding them: a block is repeated."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeeze.compress(bytes(MIB)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    checksum = (length_mib * MIB % 65521) << 16 | 1
    return b"\x78\xda" + block * length_mib + last + checksum.to_bytes(4, "big")


def flate_bomb(length_mib: int = 64 * 1024) -> bytes:
    """A page whose content unfolds twice, to that many MiB."""
    content = zlib.compress(zeros(length_mib), 9)
    return raw(
        {
            1: b"<</Type/Catalog/Pages 2 0 R>>",
            2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<>>>>",
            4: b"<</Filter[/FlateDecode/FlateDecode]/Length %d>>\nstream\n%b\nendstream" % (len(content), content),
        }
    )


def many_objects(count: int = 300_100) -> bytes:
    """A letter with that many objects that nothing needs."""
    return plain(more=dict.fromkeys(range(6, count), b"0"))


def many_pages(count: int = 2_001) -> bytes:
    """That many pages, each an object of its own."""
    kids = b" ".join(b"%d 0 R" % n for n in range(3, 3 + count))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"
    return raw(
        {
            1: b"<</Type/Catalog/Pages 2 0 R>>",
            2: b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, count),
            **dict.fromkeys(range(3, 3 + count), page),
        }
    )


def deep_nesting(depth: int = 100_000) -> bytes:
    """A letter with an array in an array in an array …"""
    return plain(catalog=b"/Deep %b%b" % (b"[" * depth, b"]" * depth))


def deep_page_tree(depth: int = 5_000) -> bytes:
    """One page at the end of a very long stem."""
    stem = {n: b"<</Type/Pages/Kids[%d 0 R]/Count 1/Parent %d 0 R>>" % (n + 1, n - 1) for n in range(3, depth)}
    return raw(
        {
            1: b"<</Type/Catalog/Pages 2 0 R>>",
            2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            **stem,
            depth: b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 595 842]>>" % (depth - 1),
        }
    )


def foreign_signature() -> bytes:
    """A letter signed, quite rightly, by somebody whom no trusted authority knows."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import PdfSignatureMetadata, SimpleSigner, sign_pdf

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Người lạ")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.KeyUsage(True, True, False, False, False, False, False, False, False), critical=True)
        .sign(key, SHA256())
    )
    signer = SimpleSigner.load_pkcs12_data(_packed_key(key, certificate), [], b"x")
    out = io.BytesIO()
    sign_pdf(IncrementalPdfFileWriter(io.BytesIO(plain())), PdfSignatureMetadata("Ky"), signer, output=out)
    return out.getvalue()


def _packed_key(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
    from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

    return serialize_key_and_certificates(b"x", key, certificate, None, BestAvailableEncryption(b"x"))


if __name__ == "__main__":
    for file, make in FILES.items():
        (HERE / file).write_bytes(make())
        print(file)
