"""Objects that lie in a file and that none of its tables names: one later table can put them in place of others."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader

_BEFORE = re.compile(rb"(?<![0-9])\d{1,9}[ \t\r\n\x00\x0c]+\d{1,5}[ \t\r\n\x00\x0c]*$")
_LENGTH = re.compile(rb"/Length\s+(\d+)(?!\s+\d+\s+R)(?![0-9])")
_NEAR = 4
"""Blanks by which a table may miss the object; readers forgive that, and so do honest writers' files."""
_MOST = 100
_MOST_LOOKED_AT = 20_000
_LONGEST_HEAD = 24
_WORD = len(b"stream\r\n")
_DICTIONARY = 4096


def unlisted_objects(reader: PdfFileReader, pdf: bytes) -> int:
    """How many objects lie open in `pdf` that no cross-reference section of any revision names, 100 at most.

    Cross-reference streams need no entry, and a file that lies in a stream is no part of this one.
    """
    if not pdf.startswith(b"%PDF-"):
        return 0  # the tables count from somewhere else, and the verdict speaks of it
    places = sorted(_places(reader))
    known, count, looked = set(places), 0, 0
    for at in _told(pdf, places):
        head = _BEFORE.search(pdf[max(at - _LONGEST_HEAD, 0) : at]) if not pdf[at + 3 : at + 4].isalnum() else None
        begin = at - len(head[0]) if head else 0
        if head and known.isdisjoint(range(begin - _NEAR, begin + 1)):
            looked += 1
            count += not _furniture(pdf, at) and not _in_stream(pdf, places, begin)
        if count >= _MOST or looked >= _MOST_LOOKED_AT:
            break
    return count


def _told(pdf: bytes, places: list[int]) -> Iterator[int]:
    """Where the word `obj` stands, but for the data of listed streams that say how long they are: most of a file."""
    for begin, end in pairwise([0, *places, len(pdf)]):
        data = pdf.find(b"stream", begin, end)
        said = _LENGTH.search(pdf, begin, data) if data >= 0 else None
        parts = [(begin, data), (min(data + _WORD + int(said[1]), end), end)] if said else [(begin, end)]
        for first, last in parts:
            at = pdf.find(b"obj", first, last + 2)
            while 0 <= at < last:
                yield at
                at = pdf.find(b"obj", at + 3, last + 2)


def _places(reader: PdfFileReader) -> set[int]:
    found: set[int] = set()
    xrefs: Any = reader.xrefs
    for revision in range(xrefs.total_revisions):
        data = xrefs.get_xref_data(revision)
        for one in (data, data.hybrid and data.hybrid.xref_data):
            if one is not None:
                found.update(place for _, place in one.standard_xrefs.values())
    return found


def _furniture(pdf: bytes, at: int) -> bool:
    """Whether the object is a cross-reference stream."""
    body = pdf[at : at + _DICTIONARY]
    return re.search(rb"/Type\s*/XRef\b", body.partition(b"stream")[0]) is not None


def _in_stream(pdf: bytes, places: list[int], at: int) -> bool:
    """Whether a place lies in the data of the listed object before it."""
    before = bisect_left(places, at)
    if before == 0:
        return False
    begin = places[before - 1]
    data = pdf.find(b"stream", begin, at)
    if data < 0:
        return False
    said = _LENGTH.search(pdf, begin, data)
    if said is not None:
        return at < data + _WORD + int(said[1])
    return pdf.find(b"endstream", data + 6, at) < 0
