"""The years that come with the program: `holidays.toml` beside this file, as values."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files
from typing import Any

from exchange.rules.calendar import CalendarYear, DayKind, DayMark, Grade


def shipped_years() -> tuple[CalendarYear, ...]:
    """Every year of the file, in order."""
    text = files("exchange.rules").joinpath("holidays.toml").read_text("utf-8")
    told: dict[str, dict[str, Any]] = tomllib.loads(text)
    return tuple(
        CalendarYear(int(year), one["source"], Grade(one["grade"]), tuple(_marks(one)))
        for year, one in sorted(told.items())
    )


def _marks(year: Mapping[str, Any]) -> Iterator[DayMark]:
    for kind in (DayKind.REST, DayKind.MAKE_UP):
        for named in year[kind]:
            for day in named["days"]:
                yield DayMark(date.fromisoformat(day), kind, named["name"])
