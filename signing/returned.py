"""A file that came back from a program at the desk: what did it do to the one that was lent (signing page §1.1)?

A signature covers everything in its own revision, so its report says nothing about what came in with it. That is asked
here: every change since the lent bytes must be one that signing needs.
"""

from collections.abc import Collection, Sequence

from signing.errors import NotAPdf
from signing.guard import whole_part
from signing.model import Change

_NEEDED = frozenset(
    {"long-term-data", "timestamp-added", "metadata", "unused-object", "written-again"}
)  # fmt: skip
_OF_SIGNATURES = frozenset({"field-signed", "signature-field-added"})
CERTIFIES = "permissions"


def changes_since(pdf: bytes, size: int) -> tuple[Change, ...]:
    """All that the revisions after the first `size` bytes changed; run it in the limited process.

    Raises `NotAPdf`, `PdfEncrypted`, `PdfTooComplex`.
    """
    from signing._pyhanko.since import changes_since as since

    if not pdf.startswith(b"%PDF-"):
        raise NotAPdf
    return since(whole_part(pdf), size)


def not_of_signing(changes: Sequence[Change], *, signed: Collection[str], first: bool) -> Change | None:
    """The first change that signing the fields `signed` does not need; None when there is none.

    `first`: the file had no signature before, so the new one may certify it.
    """
    for change in changes:
        ours = change.what in _OF_SIGNATURES and change.field in signed
        if not (ours or change.what in _NEEDED or (first and change.what == CERTIFIES)):
            return change
    return None
