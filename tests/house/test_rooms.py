"""What only one place may do: read the environment, tell the time, begin and commit. Each exception has its reason."""

import ast
import importlib
import tomllib
from collections.abc import Callable
from types import ModuleType

import pytest

from tests.house.reading import ROOMS, ROOT, Use, imports, sources, uses

Places = dict[tuple[str, str], str]

ENVIRONMENT = {f"os.{name}" for name in ("environ", "environb", "getenv", "getenvb", "putenv", "unsetenv")}
ENVIRONMENT_PLACES: Places = {
    ("api/settings.py", "settings_customise_sources"): "reads which TOML file",
    ("api/settings.py", "load_settings"): "reads which folder of secrets",
    ("api/cli/service.py", "_pilot_settings"): "writes: the pilot's children read their settings there, as any service",
}

CLOCK = {
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "ctime")),
    "datetime.date.today",
    "sqlalchemy.func.now",
    "sqlalchemy.func.current_timestamp",
}
"""What tells the time of day. `time.monotonic` tells none: it measures waiting."""
CLOCK_PLACES: Places = {("api/wiring.py", "now"): "the clock"}

TRANSACTIONS = {"begin", "begin_nested", "begin_transaction", "begin_twophase", "commit", "rollback"}
TRANSACTION_PLACES: Places = {
    ("api/wiring.py", "read"): "one state of the database for all stores",
    ("api/wiring.py", "write"): "one transaction for all stores",
    ("api/wiring.py", "change"): "what a restored database must forget, before anything runs on it",
    ("api/wiring.py", "state"): "one state of the database for a copy of it, and for the proof that it is whole",
    ("exchange/storage/store.py", "_insert_unless_there"): "a savepoint in the caller's transaction; commits nothing",
    ("api/migrations/env.py", "-"): "Alembic's own: the whole upgrade or nothing",
}

ENGINES = {"sqlalchemy.create_engine", "sqlalchemy.engine.create_engine", "sqlite3.connect", "psycopg.connect"}
ENGINE_PLACES: Places = {
    ("api/wiring.py", "_engine"): "the writer's and the reader's",
    ("api/wiring.py", "copy_to"): "the file that an online copy goes into",
    ("api/engine.py", "job_engine"): "the job engine's own: it cannot share one that begins immediately",
}

ARGUMENTS_PLACES: Places = {
    ("api/cli/__init__.py", "main"): "the command line",
    ("api/samples/make.py", "-"): "a script that draws the sample letters anew; no part of the program",
}

RULES: dict[str, tuple[Callable[[Use], bool], Places]] = {
    "the environment is read in settings": (lambda use: use.name in ENVIRONMENT, ENVIRONMENT_PLACES),
    "the clock stands in wiring": (lambda use: use.name in CLOCK, CLOCK_PLACES),
    "wiring begins and commits": (
        lambda use: use.called and use.name.rpartition(".")[2] in TRANSACTIONS and "." in use.name,
        TRANSACTION_PLACES,
    ),
    "wiring opens engines": (lambda use: use.name in ENGINES, ENGINE_PLACES),
    "the command line reads its arguments": (lambda use: use.name == "sys.argv", ARGUMENTS_PLACES),
}


@pytest.mark.parametrize("rule", RULES)
def test_only_the_named_places_do_it(rule: str) -> None:
    breaks, allowed = RULES[rule]
    found = {use.place: f"{use.file}:{use.line} uses {use.name}" for use in uses() if breaks(use)}

    assert not [told for place, told in found.items() if place not in allowed], f"{rule}, and nowhere else"
    assert not allowed.keys() - found.keys(), "an exception that nothing needs any more"


def test_settings_are_declared_once() -> None:
    readers = {file for file in sources() if any(name.startswith("pydantic_settings") for name in imports(file))}

    assert readers == {"api/settings.py"}


def test_the_test_folders_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py")), "tests/exchange/__init__.py would hide the real package"


def test_there_is_no_fifth_package() -> None:
    folders = {f.name for f in ROOT.iterdir() if f.is_dir() and f.name[0] != "." and any(f.rglob("*.py"))}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert folders <= {*ROOMS, "tests", "bench", "docs"}, "what belongs nowhere is probably two lines"
    assert tuple(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == ROOMS


def test_each_room_begins_with_its_map() -> None:
    for room in ROOMS:
        assert ast.get_docstring(sources()[f"{room}/__init__.py"]), f"{room}/__init__.py says what stands in the room"


def test_verify_stays_a_module_of_signing() -> None:
    first = sources()["signing/__init__.py"].body
    assert len(first) == 1, "nothing is re-exported from signing: `verify` would hide the module of that name"

    assert isinstance(importlib.import_module("signing.verify"), ModuleType)
