"""Which copies may be made of what, and in which series they are numbered (law R35–R37)."""

from exchange.errors import CopyNotAllowed, SeriesNotFitting
from exchange.rules.model import CopyKind, Document, DocumentKind, DocumentState, Series
from signing.model import COPY_FIELDS


def require_copy(kind: CopyKind, source: Document | None, *, electronic: bool) -> None:
    """Raises `CopyNotAllowed` for a combination that the decree does not know.

    `source` is the document that is copied where it is here; `electronic` when its own file is, not a scan of paper.
    There is no certified copy of an electronic original: sending it on is forwarding. A copy of a copy is made of a
    certified copy; an extract of anything.
    """
    if source is not None and source.state is not DocumentState.ISSUED:
        raise CopyNotAllowed(why="văn bản gốc chưa phát hành / the source has not been issued")
    if kind is CopyKind.SY and electronic:
        raise CopyNotAllowed(why="sao y chỉ từ bản giấy / a certified copy is made from paper")
    if kind is CopyKind.SL and electronic and (source is None or source.copy_kind is not CopyKind.SY):
        raise CopyNotAllowed(why="sao lục chỉ từ bản sao y / a copy of a copy is made of a certified copy")


def require_fitting(series: Series, document: Document) -> None:
    """Copies have series of their own, told by their notation (`{n}/SY-UBND`). Raises `SeriesNotFitting`."""
    marks = {kind: f"/{kind}-" in series.form for kind in CopyKind}
    wanted = document.copy_kind if document.kind is DocumentKind.COPY else None
    if {kind for kind, found in marks.items() if found} != ({wanted} if wanted else set()):
        raise SeriesNotFitting(series=series.name)


def seal_field(document: Document) -> str | None:
    """Where the organisation signs a copy; None for a document of one's own, whose seal has the usual field."""
    return COPY_FIELDS[document.copy_kind] if document.copy_kind is not None else None
