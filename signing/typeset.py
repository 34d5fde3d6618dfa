"""A template and values become a PDF: typst, our own fonts, no clock, no network, no files but those of this room.

Values enter a template as data (`json(bytes(sys.inputs.values))`), never as markup: text from a hostile file stays so.
"""

import json
import unicodedata
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

FONTS = Path(__file__).parent / "fonts"
TEMPLATES = Path(__file__).parent / "templates"

NOT_DRAWN = "□"
"""Stands for a character that our fonts do not have: PDF/A refuses a text that cannot be shown."""


def typeset(template: str, values: dict[str, Any], *, at: datetime) -> bytes:
    """The PDF (PDF/A-2b, tagged) that `templates/<template>.typ` makes of JSON values.

    `at` is the moment that the PDF names as its making: the same template, values and moment give the same bytes.
    """
    pdf = typst.compile(
        str(TEMPLATES / f"{template}.typ"),
        root=str(TEMPLATES),
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"values": json.dumps(_drawable(values))},
        pdf_standards="a-2b",
        timestamp=at.astimezone(UTC).replace(microsecond=0),
        package_path=str(TEMPLATES),  # no packages: none is fetched, none of the machine's is used
        package_cache_path=str(TEMPLATES),
    )
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no single file")
    return pdf


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])


@cache
def _letters() -> frozenset[int]:
    """The characters that every one of our fonts has."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped] # slow to load, and few programs set a page

    having = []
    for file in sorted(FONTS.glob("*.ttf")):
        with TTFont(file, lazy=True) as font:
            having.append(frozenset(font.getBestCmap()))
    return frozenset.intersection(*having)


def _drawable(value: Any) -> Any:
    """The same values, with every text as our fonts can show it."""
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value)
        return "".join(one if ord(one) in _letters() and one.isprintable() else NOT_DRAWN for one in text)
    if isinstance(value, dict):
        return {name: _drawable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_drawable(one) for one in value]
    return value
