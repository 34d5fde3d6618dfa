"""The contracts between the rooms hold: import-linter's, and what it cannot say about tables and SQL."""

import subprocess
import sys
import tomllib

from tests.house.reading import ROOMS, ROOT, imports, sources, uses

MAY_KNOW_SQLALCHEMY = {
    "keys/tables.py": "drawers",
    "keys/store.py": "store",
    "exchange/storage/tables.py": "drawers",
    "exchange/storage/ledger_tables.py": "drawers of the ledger",
    "exchange/storage/store.py": "store",
    "exchange/storage/ledger_store.py": "store of the ledger",
    "exchange/storage/archive_store.py": "store of the archive",
    "exchange/storage/feed_store.py": "store of the feeds",
    "exchange/storage/whole_store.py": "the store as a whole",
    "exchange/storage/deadline_store.py": "store of the clock",
    "api/tables.py": "drawers",
    "api/store.py": "store",
    "api/client_store.py": "store of programs",
    "api/wiring.py": "opens engines and transactions",
    "api/engine.py": "gives the job engine an engine of its own",
    "api/doctor.py": "says what is wrong with the database",
    "api/migrations/__init__.py": "migrates",
    "api/backup.py": "tells other programs where the database is",
}
SQL = {
    f"sqlalchemy.{word}" for word in ("select", "insert", "update", "delete", "text", "union", "union_all", "exists")
}
STORES = {
    "keys/store.py",
    "exchange/storage/store.py",
    "exchange/storage/ledger_store.py",
    "exchange/storage/archive_store.py",
    "exchange/storage/feed_store.py",
    "exchange/storage/whole_store.py",
    "exchange/storage/deadline_store.py",
    "api/store.py",
    "api/client_store.py",
}
TABLES = ("keys.tables", "exchange.storage.tables", "exchange.storage.ledger_tables", "api.tables")
VERSIONS = "api/migrations/versions/"

BORROWED = {
    ("api/wiring.py", "keys.tables.metadata"),
    ("api/wiring.py", "exchange.storage.tables.metadata"),
    ("api/wiring.py", "api.tables.metadata"),
    ("api/tables.py", "exchange.storage.tables.Instant"),
    ("exchange/storage/tables.py", "exchange.storage.ledger_tables.ADD_ONLY"),
    ("exchange/storage/tables.py", "exchange.storage.ledger_tables.define"),
    ("exchange/storage/tables.py", "exchange.storage.ledger_tables.guards"),
    (f"{VERSIONS}0001_the_first_schema.py", "exchange.storage.ledger_tables.guards"),
}
"""What files beside the stores take from the drawers: whole MetaData to migrate, a column type, the ledger's rules."""


def test_every_contract_between_the_rooms_is_kept() -> None:
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contracts_look_at_the_four_rooms_and_all_that_they_import() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]

    assert tuple(linter["root_packages"]) == ROOMS
    assert linter["include_external_packages"] is True
    assert linter["contracts"][0]["layers"] == list(ROOMS)


def test_only_a_rooms_own_store_opens_its_tables() -> None:
    opened = {
        (use.file, use.name)
        for use in uses()
        if use.name.startswith(tuple(f"{table}." for table in TABLES)) and use.file not in STORES
    }

    assert opened == BORROWED


def test_a_store_opens_the_tables_of_its_own_room_only() -> None:
    for store in STORES:
        room = store.partition("/")[0]
        foreign = [name for name in imports(store) if "tables" in name and not name.startswith((room, "sqlalchemy"))]
        assert not foreign, f"{store} opens {foreign}"


def test_sql_is_written_in_stores_only() -> None:
    elsewhere = {
        (use.file, use.name)
        for use in uses()
        if use.name in SQL and use.file not in STORES and not use.file.startswith(VERSIONS)
    }

    assert elsewhere == {("exchange/storage/tables.py", "sqlalchemy.text")}, "only the condition of an index besides"


def test_whoever_knows_sqlalchemy_has_a_reason() -> None:
    know = {
        file
        for file in sources()
        if not file.startswith(VERSIONS) and any(name.startswith("sqlalchemy") for name in imports(file))
    }

    assert know == set(MAY_KNOW_SQLALCHEMY)
