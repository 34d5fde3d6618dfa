"""Is every signature really over what a reader shows? Checks on raw bytes, before and beside any engine's verdict.

Any miss makes the signature fail (EN 319 102-1: FORMAT_FAILURE), whatever else says "valid". Rules: signing page §3.3.
"""

import binascii
import re
from collections.abc import Sequence
from itertools import pairwise

_HEX = re.compile(rb"<[0-9A-Fa-f\s]*>")
_DIGITS_AND_BLANKS = b"0123456789abcdefABCDEF \t\r\n\x0b\x0c"
_RANGE = re.compile(rb"/ByteRange\s*\[\s*0\s+(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})\s*\]")
_LITERAL = re.compile(rb"\((?:\\.|[^\\()])*\)", re.DOTALL)
_BLANK = b"\r\n\t \x00"
_NEAR = 4096
"""Bytes at an edge that are looked at first. A header stands in the first 1024 of every file that is judged."""
RANGE_MISSES = frozenset({"byte-range-malformed", "gap-not-signature", "range-not-revision", "key-twice"})
"""Misses after which nobody can say what the signed bytes are."""

MOST_BLANKS = 65536
"""More than these at a file's end are not read."""
_END = re.compile(rb"startxref\s+\d+\s+%%EOF")


def whole_part(pdf: bytes) -> bytes:
    """The file up to its last complete end, as readers find it; `file_misses` says what stands behind.

    A reader looks for the last `startxref` and ignores what follows, so an engine that stumbles over junk at the end
    must not hide the signatures that a reader shows. A sea of blanks is left out too: engines read it backwards.
    """
    end = _END.match(pdf, max(pdf.rfind(b"startxref"), 0))
    if end is None:
        return pdf
    junk = len(pdf) - end.end() > MOST_BLANKS or pdf[end.end() :].strip(_BLANK)
    line = pdf[end.end() : end.end() + 2]  # the end of the last line belongs to what may have been signed
    return pdf[: end.end() + len(line) - len(line.lstrip(b"\r\n"))] if junk else pdf


def misses(pdf: bytes, byte_range: Sequence[int], contents: bytes) -> list[str]:
    """Which rules one signature breaks: its range, and whether the gap holds exactly its own signature."""
    if len(byte_range) != 4 or any(n < 0 for n in byte_range):
        return ["byte-range-malformed"]
    start, first, second, rest = byte_range
    if start != 0 or first > second or second + rest > len(pdf):
        return ["byte-range-malformed"]
    held = _held(pdf[first:second])
    if held is None:
        return ["gap-not-signature"]
    if not contents or held.rstrip(b"\x00") != contents.rstrip(b"\x00"):
        return ["gap-not-signature"]
    if not pdf[: min(second, _NEAR)].rstrip(_BLANK) or not _ends_revision(pdf, second + rest):
        return ["range-not-revision"]
    return []


def _held(gap: bytes) -> bytes | None:
    """What the hexadecimal string says that is all of a gap; None when the gap is something else."""
    if gap[:1] != b"<" or gap[-1:] != b">" or gap[1:-1].translate(None, _DIGITS_AND_BLANKS):
        return None
    digits = gap[1:-1].translate(None, b" \t\r\n\x0b\x0c")
    return binascii.unhexlify(digits + b"0" * (len(digits) % 2))


def keys_twice(pdf: bytes, place: int | None) -> bool:
    """Whether the signature dictionary that begins at `place` says /ByteRange or /Contents more than once."""
    if place is None:
        return False
    end = pdf.find(b"endobj", place)
    body = pdf[place : end if end >= 0 else len(pdf)]
    if body.count(b"/ByteRange") < 2 and body.count(b"/Contents") < 2:
        return False
    body = _HEX.sub(b"", body)
    body = _LITERAL.sub(b"", body)
    return any(len(re.findall(key + rb"(?![A-Za-z0-9])", body)) > 1 for key in (rb"/ByteRange", rb"/Contents"))


def file_misses(pdf: bytes, ranges: Sequence[Sequence[int]]) -> list[str]:
    """Which rules the file breaks as a whole: what follows its end, and how signatures lie in each other."""
    found = []
    end = pdf.rfind(b"%%EOF")
    signed = max((r[2] + r[3] for r in ranges if len(r) == 4), default=0)
    unsigned = pdf[max(len(whole_part(pdf)), signed) :]  # not even more lines of %%EOF, unless somebody signed them
    if end < 0 or pdf[end + 5 :].strip(_BLANK) or unsigned.strip(_BLANK):
        found.append("bytes-after-end")
    # two fields may show one signature: that is one range
    good = sorted({tuple(r) for r in ranges if len(r) == 4}, key=lambda r: r[2] + r[3])
    for before, after in pairwise(good):
        if before[2] + before[3] > after[1]:
            found.append("ranges-overlap")
            break
    return found


def signed_ends(pdf: bytes) -> list[int]:
    """Where the ranges end that raw bytes speak of, the newest first; for a file whose newest part cannot be read."""
    ranges = re.findall(rb"/ByteRange\s*\[\s*0\s+\d+\s+(\d+)\s+(\d+)\s*\]", pdf)
    return sorted({int(a) + int(b) for a, b in ranges[:20] if int(a) + int(b) <= len(pdf)}, reverse=True)


def hidden_signatures(pdf: bytes, ranges: Sequence[Sequence[int]]) -> int:
    """How many signatures lie whole in the file that none of `ranges`, those of the shown ones, belongs to.

    A later revision that points back past them hides them from every reader, but not from whoever reads the bytes.
    Numbers of a file that lies in this one count from another place and do not fit here.
    """
    shown = {tuple(one) for one in ranges}
    found = {(0, int(a), int(b), int(c)) for a, b, c in _RANGE.findall(pdf)}
    return sum(
        second + rest <= len(pdf) and not misses(pdf, one, _held(pdf[first:second]) or b"")
        for one in found - shown
        for _, first, second, rest in [one]
    )


def signature_removed(pdf: bytes, signatures: int) -> bool:
    """Whether raw bytes speak of a signature that no field of the newest revision holds."""
    return signatures == 0 and re.search(rb"/ByteRange\s*\[", pdf) is not None


def _ends_revision(pdf: bytes, end: int) -> bool:
    near = pdf[max(0, end - _NEAR) : end].rstrip(_BLANK)  # the end of a big file, not a copy of all of it
    return (near if len(near) >= len(b"%%EOF") else pdf[:end].rstrip(_BLANK)).endswith(b"%%EOF")
