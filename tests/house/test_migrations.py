"""Migrations make exactly the tables that the rooms declare, on both databases, and leave the job engine's alone."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from api.engine import migrate_jobs
from api.migrations import OWN, configuration, is_ours, upgrade
from api.wiring import METADATA, Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database of each kind."""
    database = Database(database_url)
    yield database
    database.close()


def differences(database: Database) -> list[object]:
    """What Alembic would still change."""
    with database.writer.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_name": lambda name, kind, _: is_ours(name, kind)},
        )
        return list(compare_metadata(context, list(METADATA)))


def test_a_freshly_migrated_database_is_what_the_rooms_declare(database: Database) -> None:
    upgrade(database.writer)

    assert differences(database) == []


def test_the_comparison_sees_a_table_a_column_and_an_index_that_nobody_declared(database: Database) -> None:
    upgrade(database.writer)
    with database.writer.begin() as connection:
        connection.execute(text("CREATE TABLE keys_extra (id INTEGER PRIMARY KEY)"))
        connection.execute(text("ALTER TABLE api_accounts ADD COLUMN extra INTEGER"))
        connection.execute(text("CREATE INDEX ix_extra ON api_accounts (name)"))

    assert len(differences(database)) == 3


def test_the_job_engines_tables_stand_beside_ours_and_are_left_alone(database: Database) -> None:
    upgrade(database.writer)
    migrate_jobs(database)

    assert differences(database) == []
    foreign = [name for name in _tables(database) if not name.startswith(OWN)]
    assert "alembic_version" in foreign


def test_every_table_of_a_room_carries_its_name() -> None:
    names = [name for metadata in METADATA for name in metadata.tables]

    assert len(names) == len(set(names))
    assert all(name.startswith(OWN) for name in names)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    upgrade(database.writer)
    before = _tables(database)
    upgrade(database.writer)

    assert _tables(database) == before
    assert differences(database) == []


def test_an_upgrade_ends_at_the_newest_revision_and_there_is_only_one(database: Database) -> None:
    upgrade(database.writer)
    heads = ScriptDirectory.from_config(configuration()).get_heads()

    with database.reader.connect() as connection:
        assert [MigrationContext.configure(connection).get_current_revision()] == heads


def _tables(database: Database) -> list[str]:
    with database.reader.connect() as connection:
        return sorted(inspect(connection).get_table_names())
