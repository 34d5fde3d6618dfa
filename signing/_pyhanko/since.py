"""What the newest revisions of a file did to the objects of the ones before, read by our own reader of revisions."""

import io

from signing._pyhanko.judging import LIMITS
from signing._pyhanko.mending import Reader
from signing._pyhanko.revisions import Revisions
from signing.errors import NotAPdf, PdfEncrypted, PdfTooComplex
from signing.model import Change


def changes_since(pdf: bytes, size: int) -> tuple[Change, ...]:
    """See `signing.returned.changes_since`."""
    try:
        reader = Reader(io.BytesIO(pdf), decode_limits=LIMITS)
        if reader.encrypted:
            raise PdfEncrypted
        revisions = Revisions(reader)
        starts = [reader.xrefs.get_startxref_for_revision(n) for n in range(revisions.count)]
        first = max((n for n, start in enumerate(starts) if start < size), default=0)
        return tuple(revisions.changes(first))
    except PdfEncrypted:
        raise
    except OverflowError as error:
        raise PdfTooComplex(what="objects") from error
    except Exception as error:  # whatever the parser stumbles over, this is no file to keep
        raise NotAPdf from error
