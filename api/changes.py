"""What changed after a signature of a checked file: the signed revision, and both revisions as pictures.

Everything is about one `Checked`: bytes and the verdict about exactly these bytes. Pages are drawn in the limited
process only.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePath

from api import cases
from api.accounts import Caller
from api.wiring import Parts
from exchange.acts.receive import sent_file
from exchange.errors import NotFound
from exchange.storage.store import found_arrival, found_document
from signing.errors import SignedRevisionMissing
from signing.model import Area, Comparison, Report, SignatureReport
from signing.pictures import MOST_PAGES, compare_pages, difference_pictures, filled_as_allowed, signed_revision
from signing.report import report_from_json

MOST_REMEMBERED = 256
PUBLIC_PAGES = 40
"""Pages that are compared for somebody without an account."""
Pictures = tuple[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file, the verdict about it and what it is called."""

    pdf: bytes
    report: Report
    name: str

    def signature(self, n: int) -> SignatureReport:
        """The `n`-th signature of the report, from 1. Raises `NotFound`."""
        if not 1 <= n <= len(self.report.signatures):
            raise NotFound
        return self.report.signatures[n - 1]

    def signed_file(self, n: int) -> bytes:
        """The file as it was when it was signed. Raises `NotFound`, `SignedRevisionMissing`."""
        one = self.signature(n)
        return signed_revision(self.pdf, replace(self.report, signatures=(one,)), one.field)

    def signed_name(self, n: int) -> str:
        """What that revision is called."""
        return f"{stem(self.name)}-ban-da-ky-{n}.pdf"


def of_document(parts: Parts, caller: Caller, document: str) -> Checked:
    """The newest signed revision of a document of the caller's office, with the verdict that was kept about it.

    Raises `NotFound`, also for a document that nobody has signed.
    """
    with parts.read() as reading:
        found = found_document(reading.exchange, document, caller.actor)
        signed = [r for r in reading.exchange.revisions(found.id) if r.report_sha256 and r.chain == found.chain]
        stored = reading.exchange.report(signed[-1].report_sha256 or "") if signed else None
    if stored is None:
        raise NotFound
    return Checked(parts.blobs.get(stored.file), report_from_json(stored.body), signed[-1].file.name)


def of_arrival(parts: Parts, caller: Caller, delivery: str) -> Checked:
    """What was delivered to the caller's office, with the verdict that is shown beside it. Raises `NotFound`."""
    with parts.read() as reading:
        file = sent_file(reading.exchange, found_arrival(reading.exchange, delivery, caller.actor))
    return Checked(parts.blobs.get(file.sha256), cases.shown_report(parts, caller, delivery), file.name)


def comparison(parts: Parts, checked: Checked, n: int, *, pages: int = MOST_PAGES) -> Comparison:
    """Which of the first `pages` pages look different today than in the `n`-th signature's revision, and where.

    Raises `NotFound`, `SignedRevisionMissing`, and `NotAPdf` or `PdfTooComplex` when they cannot be drawn.
    """
    end = _end(checked, n)
    about = (checked.report.file_sha256, end, pages)
    return _remembered(about, lambda: parts.sandbox.run(compare_pages, checked.pdf, end, pages=pages))


def pictures(parts: Parts, checked: Checked, n: int, page: int) -> Pictures:
    """A page (from 0) as it was signed and as it is, PNGs with a box around each difference; None where it is missing.

    Green is what only was filled in or signed as the signature allows, red the rest. Raises what `comparison` raises,
    and `PlaceInvalid` when neither has such a page.
    """
    end, allowed = _end(checked, n), filled_as_allowed(checked.signature(n))
    return parts.sandbox.run(difference_pictures, checked.pdf, end, page, allowed=allowed)


def is_allowed(signature: SignatureReport, area: Area) -> bool:
    """Whether an area differs only by a field that was filled in or signed as the signature allows."""
    return area.field is not None and area.field in filled_as_allowed(signature)


def stem(name: str) -> str:
    """A file's name without its ending, of bounded length."""
    return PurePath(name).stem[:100] or "van-ban"


def _end(checked: Checked, n: int) -> int:
    one = checked.signature(n)
    if one.signed_bytes is None or one.signed_bytes > len(checked.pdf):
        raise SignedRevisionMissing(field=one.field)
    return one.signed_bytes


# Turning the pages of one comparison must not draw all of them anew; it is the same for the same bytes for ever.
_known: OrderedDict[tuple[str, int, int], Comparison] = OrderedDict()
_lock = threading.Lock()


def _remembered(about: tuple[str, int, int], make: Callable[[], Comparison]) -> Comparison:
    with _lock:
        if about in _known:
            _known.move_to_end(about)
            return _known[about]
    made = make()
    with _lock:
        _known[about] = made
        while len(_known) > MOST_REMEMBERED:
            _known.popitem(last=False)
    return made
