"""What is mended in pyHanko for speed gives pyHanko's own answers: the value, where reading goes on, or a refusal."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import ocsp, x509
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic, misc
from pyhanko.pdf_utils.generic import Reference

from signing._pyhanko import mending

TOKENS = st.sampled_from(
    [b"/", b"Name", b"#20", b"#2", b"#zz", b"#", b" ", b"\n", b"\r\n", b"\t", b"\x0c", b"\x00", b"\x0b", b"% note\n",
     b"<", b">", b"<<", b">>", b"(", b")", b"[", b"]", b"{", b"}",
     b"0", b"7", b"12", b"65535", b"R", b"RG", b"R/", b"00",
     b"fF", b"abc", b"\xc3\xa9", b"\xff", b"x" * 40]
)  # fmt: skip
PDF = st.lists(TOKENS, max_size=12).map(b"".join)
HANDLER = generic.Reference(1, 0, object())


def said(read: Callable[..., Any], pdf: bytes, *more: Any) -> tuple[Any, int | None]:
    """The answer and where reading would go on; only that it was refused, for a refusal."""
    stream = io.BytesIO(pdf)
    try:
        return read(stream, *more), stream.tell()
    except (misc.PdfError, ValueError, OSError, AssertionError):
        return "refused", None


@given(PDF)
@example(b"")
@example(b"Name")
@example(b"x" * 200 + b"/")
@settings(max_examples=200, deadline=None)
def test_words_end_where_they_ended(pdf: bytes) -> None:
    assert said(mending.read_until_delimiter, pdf) == said(misc.read_until_delimiter, pdf)


@given(PDF, st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_blanks_and_comments_are_left_out_as_before(pdf: bytes, seek_back: bool, allow_eof: bool) -> None:
    mine = said(mending.read_non_whitespace, pdf, seek_back, allow_eof)
    assert mine == said(misc.read_non_whitespace, pdf, seek_back, allow_eof)


def backwards(read: Callable[[Any], Any], lines_of_file: bytes) -> Any:
    """What is said by three lines in a row, from the last byte on; pyHanko never ends where line ends begin a file."""
    pdf = b"%PDF" + lines_of_file

    def lines(stream: Any) -> Any:
        stream.seek(len(pdf) - 1)
        return [(read(stream), stream.tell()) for _ in range(3)]

    return said(lines, pdf)


LINES = st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"x", b"startxref", b"%%EOF", b"7"]), max_size=16).map(
    b"".join
)


@given(LINES)
@example(b"")
@example(b"x")
@example(b"\n")
@example(b"1\n2\n3\n")
@example(b"\n\n\n3\n\n\n\n2\r\n1")
@example(b"1\n2\n3\n" + b"x" * 70_000)
@settings(max_examples=500, deadline=None)
def test_lines_are_read_backwards_as_before(pdf: bytes) -> None:
    assert backwards(mending.read_next_end_line, pdf) == backwards(mending._next_end_line_as_it_was, pdf)


@pytest.mark.parametrize("filling", [b"\0", b"\n", b"x", b"9"])
def test_a_sea_of_bytes_before_the_end_is_not_read_one_by_one(filling: bytes) -> None:
    for end in (b"", b"\n%%EOF", b"startxref\n9\n%%EOF\n", b"\n9\n%%EOF\n"):
        stream = CountedReads(b"%PDF-1.7\n" + filling * 5_000_000 + end)
        with pytest.raises(misc.PdfReadError):
            mending.Reader(stream)
        assert stream.reads < 200_000


class CountedReads(io.BytesIO):
    """Counts how often it is read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


@given(PDF)
@settings(max_examples=200, deadline=None)
def test_names_are_decoded_as_before(name: bytes) -> None:
    mine = said(lambda stream: generic._decode_name(stream.read()), name)
    assert mine == said(lambda stream: mending._decode_name_as_it_was(stream.read()), name)
    assert mine[0] == "refused" or type(mine[0]) is generic.NameObject


@given(PDF)
@example(b"1 0 R")
@example(b"1 0 R>>")
@example(b"0 0 R ")
@example(b"12\r\n0\tR/Next")
@example(b"1 0 obj")
@settings(max_examples=200, deadline=None)
def test_references_are_read_as_before(pdf: bytes) -> None:
    container = Reference(1, 0, None)
    mine = said(generic.IndirectObject.read_from_stream, pdf, container)
    theirs = said(mending._read_reference_as_it_was, pdf, container)
    if mine[0] == "refused":
        assert theirs == mine
    else:
        assert (mine[0].idnum, mine[0].generation, mine[1]) == (theirs[0].idnum, theirs[0].generation, theirs[1])


@given(PDF.map(lambda pdf: b"<" + pdf))
@settings(max_examples=200, deadline=None)
def test_hexadecimal_strings_are_read_as_before_but_no_comment_stands_in_a_string(pdf: bytes) -> None:
    if b"%" in pdf.partition(b">")[0]:  # ISO 32000-2, 7.2.4: a comment begins outside of strings
        assert said(generic.read_hex_string_from_stream, pdf)[0] == "refused"
        return
    mine, theirs = said(generic.read_hex_string_from_stream, pdf), said(mending._hex_string_as_it_was, pdf)
    assert (type(mine[0]), mine) == (type(theirs[0]), theirs)


def test_a_name_that_an_ocsp_answer_tags_is_prepared_as_the_certificate_says_it() -> None:
    name = x509.Name.build({"common_name": "Trả lời OCSP", "country_name": "VN"})
    tagged = ocsp.ResponderId(name="by_name", value=name)
    again = ocsp.ResponderId.load(tagged.dump()).chosen
    assert again.dump() != name.dump()
    assert again.hashable == name.hashable
