"""Alembic over the tables of every room: `upgrade` brings a database to this version of the program."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

OWN = ("keys_", "exchange_", "api_")
"""Prefixes of our tables: the job engine keeps its own beside them."""


def configuration() -> Config:
    """Alembic's configuration, without any file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine) -> None:
    """Bring the database behind `engine` to the newest schema; does nothing when it is there."""
    config = configuration()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_ours(name: str | None, kind: str) -> bool:
    """Whether a table belongs to this program (for Alembic's `include_name`)."""
    return kind != "table" or name is None or name.startswith(OWN)
