"""What a person types at the terminal."""

import sys

import typer


def typed(given: str | None, what: str) -> str:
    """A secret: as given, else asked for unseen; without a terminal it is the next line of standard input."""
    if given is not None:
        return given
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True))
    line = sys.stdin.readline()
    if not line:
        raise typer.BadParameter(f"Thiếu / missing: {what}")
    return line.rstrip("\r\n")
