"""The exchange's store on real databases, migrated as a service would, one of each kind for a file of tests."""

from collections.abc import Callable, Iterator

import pytest

from api.engine import migrate_jobs
from api.migrations import upgrade
from api.settings import load_settings
from api.wiring import Database, build_parts
from tests.exchange.walk import Walk


@pytest.fixture(scope="session")
def migrated(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgresql: Callable[[], str]
) -> Iterator[Callable[[str], Database]]:
    """`migrated("sqlite")` is a new database of that kind, brought to the newest schema by the migrations."""
    made: list[Database] = []

    def make(kind: str) -> Database:
        url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'congvan.sqlite'}"
        database = Database(url if kind == "sqlite" else fresh_postgresql())
        upgrade(database.writer)
        made.append(database)
        return database

    yield make
    for database in made:
        database.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, migrated: Callable[[str], Database]) -> Database:
    """One database of each kind for the whole file: its tests use offices of their own."""
    return migrated(request.param)


@pytest.fixture(scope="module")
def walk(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The real parts on that database, with a small district; no PDF is opened here."""
    migrate_jobs(database)
    parts = build_parts(load_settings(data=tmp_path_factory.mktemp("data"), database_url=database.url))
    parts.sandbox.close()
    yield Walk(parts)
    parts.close()
