"""May we open it? What the raw bytes say, before any parser touches them (signing.md §3.2)."""

import re

from signing.errors import NotAPdf, PdfEncrypted, PdfTooComplex, TooLarge

MOST_REVISIONS = 40
MOST_SIGNATURES = 20
MOST_CONTENTS = 256 << 10
"""Bytes of the file that one /Contents may take."""

_HEADER = re.compile(rb"%PDF-[12]\.\d")
_ENCRYPT = re.compile(rb"/Encrypt\s*(?:\d+\s+\d+\s+R\b|<<)")
_BYTE_RANGE = re.compile(rb"/ByteRange\s*\[")
_LONG_CONTENTS = re.compile(rb"/Contents\s*<[0-9A-Fa-f\s]{%d}" % (MOST_CONTENTS - 1))
_BLANK = b" \t\r\n\x0c\x00"


def check_bytes(pdf: bytes, *, limit_mb: int = 50) -> None:
    """Let `pdf` pass only when its raw bytes look like one whole, open PDF of bearable size.

    The header stands at byte 0 and nothing but blanks follows the last `%%EOF`: a file that is two formats at once
    (polyglot) has to put the other one before or after. `limit_mb` counts 1 048 576 bytes each.
    Raises `TooLarge`, `NotAPdf`, `PdfEncrypted`, `PdfTooComplex`. Source: signing.md §3.2.
    """
    if len(pdf) > limit_mb << 20:
        raise TooLarge(limit_mb=limit_mb)
    _check_ends(pdf)
    if _ENCRYPT.search(pdf):
        raise PdfEncrypted()
    if over := over_limit(pdf):
        raise PdfTooComplex(what=over)


def over_limit(pdf: bytes) -> str | None:
    """Which limit the raw bytes go beyond: `revisions`, `signatures`, `contents` (one signature too long), or none.

    The cost of a verdict grows with these, so they are counted before any parser meets the file.
    """
    if many_revisions(pdf):
        return "revisions"
    if len(_BYTE_RANGE.findall(pdf)) > MOST_SIGNATURES:
        return "signatures"
    return "contents" if _LONG_CONTENTS.search(pdf) else None


def many_revisions(pdf: bytes) -> bool:
    """Whether the file has more revisions than are read. Reading them is the first thing that any parser does."""
    return pdf.count(b"startxref") > MOST_REVISIONS


def was_signed(pdf: bytes) -> bool:
    """Whether the raw bytes hold a signature, even one that the newest revision no longer shows."""
    return _BYTE_RANGE.search(pdf) is not None


def _check_ends(pdf: bytes) -> None:
    if not _HEADER.match(pdf):
        raise NotAPdf()
    end = pdf.rfind(b"%%EOF")
    if end < 0 or pdf[end + len(b"%%EOF") :].strip(_BLANK):
        raise NotAPdf()


_PART = re.compile(rb"pdfaid:part(?:\s*=\s*[\"']|>)\s*([1-4])")
_PART_NEAR = 64


def part_declared(data: bytes) -> int | None:
    """The part of ISO 19005 (1 to 4) that XMP metadata, or a whole file with plain metadata in it, declares.

    Files that `prepare_document` wrote have plain metadata.
    """
    at = data.find(b"pdfaid:part")
    found = _PART.match(data[at : at + _PART_NEAR]) if at >= 0 else None
    return int(found[1]) if found else None
