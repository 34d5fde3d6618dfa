"""Commands that work on the installation itself, on its own machine: its parts, and refusals as one sentence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import typer

from api.engine import migrate_jobs
from api.migrations import upgrade
from api.problems import ROOM_ERRORS
from api.settings import load_settings
from api.wiring import Database, Parts, build_parts

REFUSED = 1


@contextmanager
def installation() -> Iterator[Parts]:
    """The installation that the settings name, with its tables."""
    settings = load_settings()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        upgrade(database.writer)
        migrate_jobs(database)
    finally:
        database.close()
    parts = build_parts(settings)
    try:
        yield parts
    finally:
        parts.close()


def refusals_said(command: Callable[..., None]) -> Callable[..., int]:
    """A refusal of any room is one sentence in both languages, its code, and exit status 1."""

    @wraps(command)
    def said(*args: Any, **kwargs: Any) -> int:
        try:
            command(*args, **kwargs)
        except ROOM_ERRORS as refusal:
            typer.echo(f"{refusal.sentence('vi')} / {refusal.sentence('en')} [{refusal.code}]", err=True)
            return REFUSED
        return 0

    return said
