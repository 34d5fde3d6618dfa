"""Writes the tables of `docs/*.md` from the code; `--check` only says which page has fallen behind.

A table stands between `<!-- made: NAME -->` and `<!-- end -->`. Everything outside these marks is written by hand.
Files that are no pages (`FILES`) are written whole.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # this checkout's code, also when another one is installed

import typer  # noqa: E402
from fastapi import FastAPI  # noqa: E402
from pydantic_core import PydanticUndefined  # noqa: E402

import api.v1  # noqa: E402
from api import errors as api_errors  # noqa: E402
from api import problems, scopes, settings  # noqa: E402
from api.cli import app  # noqa: E402
from exchange import errors as exchange_errors  # noqa: E402
from exchange.rules import events, lifecycle  # noqa: E402
from keys import errors as keys_errors  # noqa: E402
from signing import errors as signing_errors  # noqa: E402
from signing.report import report_schema  # noqa: E402

MARKED = re.compile(r"(<!-- made: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
ROOMS = (api_errors, exchange_errors, signing_errors, keys_errors)


def main(arguments: list[str]) -> int:
    """Write every page, or with `--check` name the stale ones; 0 when all is well."""
    checking = "--check" in arguments
    stale = [page for page in pages() if not page.exists() or made(page) != page.read_text("utf-8")]
    for page in stale:
        if checking:
            sys.stderr.write(f"docs/{page.relative_to(HERE)} has fallen behind the code: make docs\n")
        else:
            page.write_text(made(page), "utf-8")
    return 1 if checking and stale else 0


def pages() -> list[Path]:
    """Every page of this folder, and the files that are written whole."""
    return [*sorted(HERE.rglob("*.md")), *(HERE / name for name in FILES)]


def made(page: Path) -> str:
    """The page with its tables as the code has them; an unknown table is a `KeyError`."""
    if page.name in FILES:
        return FILES[page.name]()
    return MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found['name']]()}\n{found[3]}", page.read_text("utf-8"))


# -- commands --


def commands() -> str:
    """Every command that people call, with its arguments and options."""
    return "\n".join(_command(name, command) for name, command in _walk(typer.main.get_command(app), "congvan"))


def _walk(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _walk(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([name, *(p.name.upper() for p in arguments)])
    told = f"### `{usage}`\n\n{_line(command.help)}\n"
    if arguments or options:
        told += "\n" + table(
            ("", "default", ""), [(_spelled(p), _default_of(p), _line(p.help)) for p in arguments + options]
        )
    return told


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    words = " / ".join(f"`{word}`" for word in [*parameter.opts, *parameter.secondary_opts])
    return f"{words}, may be repeated" if parameter.multiple else words


def _default_of(parameter: Any) -> str:
    if getattr(parameter, "prompt", None):
        return "asked for"
    if parameter.required:
        return "required"
    if parameter.default is None:
        return "–"
    if isinstance(parameter.default, bool):
        return "on" if parameter.default else "off"
    return f"`{parameter.default}`" if str(parameter.default) else "empty"


# -- settings --


def settings_() -> str:
    """Every setting: its name in the environment, its default, what it is for."""
    rows = []
    for name, field in settings.Settings.model_fields.items():
        default = "–" if field.default in (None, PydanticUndefined) else f"`{field.default}`"
        rows.append((f"`CONGVAN_{name.upper()}`", f"`{name}`", default, field.description or ""))
    return table(("environment", "TOML key", "default", "is"), rows)


# -- errors --


def errors() -> str:
    """Every code that the service answers with, room by room."""
    parts = []
    for room in ROOMS:
        rows = [
            (f"`{kind.code}`", str(status), "↻" if kind.code in problems.RETRYABLE else "", kind.vi, kind.en)
            for kind, status in problems.STATUS.items()
            if kind.__module__ == room.__name__ and "code" in vars(kind)
        ]
        title = f"### {room.__name__.partition('.')[0]}"
        parts.append(f"{title}\n\n{table(('code', 'HTTP', '', 'tiếng Việt', 'English'), rows)}")
    return "\n".join(parts)


# -- events and moves --


def events_() -> str:
    """Every type of event."""
    rows = [
        (f"`{type_}`", f"`{events.uri(type_)}`", "own office" if type_ in events.INWARD else "both sides", vi, en)
        for type_ in events.TYPES
        for vi, en in [events.WORDS[type_]]
    ]
    return table(("type", "name outside", "seen by", "tiếng Việt", "English"), rows)


def document_moves() -> str:
    """Every move of a document."""
    return _moves(lifecycle.DOCUMENT_MOVES, {})


def delivery_moves() -> str:
    """Every move of a delivery, with the codes of its states between systems."""
    return _moves(lifecycle.DELIVERY_MOVES, lifecycle.DELIVERY_CODES)


def _moves(moves: Iterable[lifecycle.Move], codes: Any) -> str:
    def state(word: str) -> str:
        return f"`{word}` ({codes[word]})" if word in codes else f"`{word}`"

    rows = [
        (
            f"`{move.act}`",
            ", ".join(state(source) for source in sorted(move.sources)),
            state(move.target),
            ", ".join(sorted(move.who)),
            f"`{move.event}`",
        )
        for move in moves
    ]
    return table(("act", "from", "to", "by", "event"), rows)


# -- the JSON API --


def routes() -> str:
    """Every route of the JSON API, resource by resource."""
    asked = FastAPI()
    asked.include_router(api.v1.router)
    found: dict[str, list[tuple[str, str]]] = {}
    for path, methods in asked.openapi()["paths"].items():
        for method, route in methods.items():
            row = (f"`{method.upper()} {path}`", _line(route.get("description", "")))
            found.setdefault(route["tags"][0], []).append(row)
    return "\n".join(f"### {tag}\n\n{table(('route', ''), rows)}" for tag, rows in found.items())


def scopes_() -> str:
    """Every scope of a program, and the routes that it opens."""
    rows = [
        (
            f"`{scope}`",
            vi,
            en,
            ", ".join(f"`{method} {path}`" for (method, path), needed in scopes.ROUTES.items() if needed == scope),
        )
        for scope, (vi, en) in scopes.SCOPES.items()
    ]
    return table(("scope", "tiếng Việt", "English", "opens"), rows)


# -- the report of the verifier --


def report_schema_json() -> str:
    """The JSON schema of a report."""
    return json.dumps(report_schema(), ensure_ascii=False, indent=2) + "\n"


# -- Markdown --


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings_,
    "errors": errors,
    "events": events_,
    "document-moves": document_moves,
    "delivery-moves": delivery_moves,
    "routes": routes,
    "scopes": scopes_,
}

FILES: dict[str, Callable[[], str]] = {"verify-report.schema.json": report_schema_json}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
