"""What raw bytes are let in."""

import pytest

from signing.errors import NotAPdf, PdfEncrypted, PdfTooComplex, TooLarge
from signing.intake import check_bytes

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nstartxref\n0\n%%EOF\n"


def test_a_letter_passes(letter):
    check_bytes(letter())
    check_bytes(PDF)


@pytest.mark.parametrize(
    "pdf",
    [
        b"",
        b"PK\x03\x04" + PDF,
        b"\n" + PDF,
        PDF[:-8],
        PDF + b"PK\x05\x06" + bytes(18),
        PDF + b"<script>",
        b"%PDF-" + PDF[8:],
        b"<html>%PDF-1.7 %%EOF",
    ],
    ids=["empty", "zip before", "blank before", "cut", "zip after", "html after", "no version", "html"],
)
def test_what_is_not_one_whole_pdf_is_refused(pdf):
    with pytest.raises(NotAPdf):
        check_bytes(pdf)


def test_blanks_after_the_end_are_no_harm():
    check_bytes(PDF + b"\r\n\x00\x00 ")


def test_size_encryption_and_heaps_of_revisions_have_errors_of_their_own():
    with pytest.raises(TooLarge):
        check_bytes(PDF + bytes(1 << 20), limit_mb=1)
    with pytest.raises(PdfEncrypted):
        check_bytes(PDF.replace(b"startxref", b"trailer <</Encrypt 5 0 R>>\nstartxref"))
    with pytest.raises(PdfTooComplex):
        check_bytes(PDF * 41)
    with pytest.raises(PdfTooComplex):
        check_bytes(PDF.replace(b"<<>>", b"<</ByteRange [0 1 2 3]>>" * 21))
