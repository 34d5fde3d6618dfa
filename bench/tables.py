"""Numbers as tables of Markdown, and the few sums that the measurements need."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Table:
    """A title, what each column is, and the rows; numbers are already text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table, with its numbers to the right."""
        rule = ["---", *["---:"] * (len(self.head) - 1)]
        lines = [f"| {' | '.join(row)} |" for row in (self.head, rule, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines])


def machine() -> str:
    """The machine as far as it matters: cores, Python, and how busy it was with other things when this began."""
    busy = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}; load when it began: {busy:.1f}."


def rate(seconds: Sequence[float]) -> str:
    """How many fit into one second, from the median."""
    return f"{1 / median(seconds):.2f}"


def milliseconds(seconds: Sequence[float]) -> str:
    """The median in milliseconds."""
    return f"{1000 * median(seconds):.0f}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """How many times as fast as theirs we are: the median of the rounds' own ratios, so that drift cancels."""
    return f"{median(b / a for a, b in zip(ours, theirs, strict=True)):.2f}"
