"""What the two screens of a document share: its pages as pictures, the verdict in words, its history."""

from collections.abc import Sequence
from typing import Any

from exchange.rules.events import words
from exchange.rules.model import Event
from signing.model import Report
from signing.report import sentences, signature_sentences

MOST_SHOWN = 20
PICTURE_WIDTH = 1000
A4 = (595.0, 842.0)


def report_values(report: Report | None, language: str) -> dict[str, Any]:
    """What the card of signatures needs."""
    if report is None:
        return {"report": None, "sentences": [], "signature_sentences": []}
    return {
        "report": report,
        "sentences": sentences(report, language),
        "signature_sentences": [signature_sentences(one, language) for one in report.signatures],
    }


def history(events: Sequence[Event], office: str, language: str) -> list[dict[str, Any]]:
    """What happened, as far as this office may know."""
    seen = [event for event in events if not event.inward or event.office == office]
    return [{"at": event.at, "words": words(event.type, language)} for event in seen]


def page_values(sizes: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """The pages to show; of a long document the first ones."""
    pages = [{"index": n, "width": w, "height": h} for n, (w, h) in enumerate(sizes[:MOST_SHOWN])]
    return {"pages": pages, "page_count": len(sizes)}
