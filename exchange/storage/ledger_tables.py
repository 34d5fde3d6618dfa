"""The ledger's tables: rows are only ever added. `define` puts them into the room's metadata, with their guards."""

from dataclasses import dataclass

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    event,
)

ADD_ONLY = (
    "exchange_leaves",
    "exchange_ledger_nodes",
    "exchange_checkpoints",
    "exchange_stamps",
    "exchange_log_keys",
    "exchange_feed",
)
"""Tables whose rows nobody changes or deletes; the guards below refuse it."""


@dataclass(frozen=True, slots=True)
class LedgerTables:
    """The tables, by what they hold."""

    leaves: Table
    nodes: Table
    checkpoints: Table
    stamps: Table
    log_keys: Table
    feed: Table
    feed_heads: Table


def define(metadata: MetaData) -> LedgerTables:
    """Add the ledger's tables to `metadata`, each made together with the triggers that keep it add-only."""
    made = LedgerTables(
        leaves=Table(
            "exchange_leaves",
            metadata,
            Column("index", BigInteger, primary_key=True, autoincrement=False),
            Column("event", String(64), nullable=False, unique=True),
        ),
        nodes=Table(
            "exchange_ledger_nodes",
            metadata,
            Column("level", Integer, primary_key=True, autoincrement=False),
            Column("index", BigInteger, primary_key=True, autoincrement=False),
            Column("hash", LargeBinary(32), nullable=False),
        ),
        checkpoints=Table(
            "exchange_checkpoints",
            metadata,
            Column("size", BigInteger, primary_key=True, autoincrement=False),
            Column("root", LargeBinary(32), nullable=False),
            Column("note", LargeBinary, nullable=False),
            Column("at", String(32), nullable=False),
        ),
        stamps=Table(
            "exchange_stamps",
            metadata,
            Column("size", BigInteger, ForeignKey("exchange_checkpoints.size"), primary_key=True, autoincrement=False),
            Column("token", LargeBinary, nullable=False),
            Column("at", String(32), nullable=False),
        ),
        log_keys=Table(
            "exchange_log_keys",
            metadata,
            Column("key", String(512), primary_key=True),
            Column("certificate", LargeBinary),
            Column("chain", LargeBinary),
            Column("signature", LargeBinary),
            Column("at", String(32), nullable=False),
        ),
        feed=Table(
            "exchange_feed",
            metadata,
            Column("office", String(64), primary_key=True),
            Column("seq", BigInteger, primary_key=True, autoincrement=False),
            Column("event", String(64), nullable=False),
            Column("chain", LargeBinary(32), nullable=False),
        ),
        feed_heads=Table(
            "exchange_feed_heads",
            metadata,
            Column("office", String(64), primary_key=True),
            Column("seq", BigInteger, nullable=False),
            Column("chain", LargeBinary(32), nullable=False),
        ),
    )
    for name in ADD_ONLY:
        for dialect in ("sqlite", "postgresql"):
            for statement in guards(name, dialect):
                ddl = DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
                event.listen(metadata.tables[name], "after_create", ddl)
    return made


def guards(table: str, dialect: str) -> tuple[str, ...]:
    """The SQL that makes `table` add-only (`dialect` is `sqlite` or `postgresql`), for after it was created."""
    if dialect == "sqlite":
        return tuple(
            f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is add-only'); END"
            for act in ("update", "delete")
        )
    return (
        f"CREATE OR REPLACE FUNCTION {table}_keep() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is add-only'; END $$",
        f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_keep()",
    )
