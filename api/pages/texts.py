"""The words of the pages: one catalogue for each language, keyed by identifier (`menu.desk`), with named gaps."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("vi", "en")
_FOLDER = Path(__file__).parent / "locales"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language by their dotted key."""
    tables = tomllib.loads((_FOLDER / f"{language}.toml").read_text("utf-8"))
    return {f"{table}.{key}": text for table, texts in tables.items() for key, text in texts.items()}


def text(language: str, key: str, **gaps: object) -> str:
    """One text with its gaps filled; raises `KeyError` for an unknown key, since a page must never show a key."""
    return catalogue(language)[key].format(**gaps)
