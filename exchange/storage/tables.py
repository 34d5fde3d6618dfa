"""This room's drawers. Only `store.py` and `ledger_store.py` open them; `api/migrations` creates them.

Events, leaves, nodes, checkpoints and stamps are add-only: triggers refuse every update and delete, whoever asks.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    text,
)

from exchange.storage.ledger_tables import ADD_ONLY, define, guards

metadata = MetaData()
ledger = define(metadata)


class Instant(TypeDecorator[datetime]):
    """An aware UTC moment; SQLite keeps no zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> Column[str]:
    return Column("id", String(64), primary_key=True)


offices = Table(
    "exchange_offices",
    metadata,
    Column("code", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("parent", String(64), index=True),
    Column("channel", String(16), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("paused", Boolean, nullable=False, default=False),
    Column("kind", String(16), nullable=False, default="office"),
)

groups = Table(
    "exchange_groups",
    metadata,
    _id(),
    Column("office", String(64), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("members", JSON, nullable=False),
)

series = Table(
    "exchange_series",
    metadata,
    _id(),
    Column("office", String(64), nullable=False),
    Column("year", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("form", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("last", Integer, nullable=False, default=0),
    Column("last_date", Date),
    UniqueConstraint("office", "year", "name", name="exchange_series_once"),
)

numbers = Table(
    "exchange_numbers",
    metadata,
    _id(),
    Column("series", String(64), nullable=False),
    Column("office", String(64), nullable=False),
    Column("year", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("written", String(160), nullable=False),
    Column("date", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("document", String(64), index=True),
    Column("reason", Text),
    UniqueConstraint("series", "n", name="exchange_numbers_once"),
    UniqueConstraint("office", "year", "written", name="exchange_numbers_written_once"),
)

uploads = Table(
    "exchange_uploads",
    metadata,
    _id(),
    Column("office", String(64), nullable=False),
    Column("person", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("done", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False, index=True),
)

documents = Table(
    "exchange_documents",
    metadata,
    _id(),
    Column("office", String(64), nullable=False),
    Column("author", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("signer", String(64), nullable=False),
    Column("signer_name", Text, nullable=False),
    Column("urgency", String(32), nullable=False),
    Column("secrecy", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("chain", Integer, nullable=False),
    Column("number", String(64)),
    Column("places", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("pending_signature", String(64)),
    Column("named", JSON, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("waits_for", String(64)),
    Column("kind", String(16), nullable=False),
    Column("copy_kind", String(8)),
    Column("copies", String(64)),
    Column("issue_place", Text),
    Index("exchange_documents_list", "office", "changed_at", "id"),
    Index("exchange_documents_states", "office", "state", "changed_at", "id"),
)

attachments = Table(
    "exchange_attachments",
    metadata,
    _id(),
    Column("document", String(64), nullable=False),
    Column("n", Integer, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("sealed_sha256", String(64), index=True),
    Column("sealed_size", Integer),
    Column("report_sha256", String(64)),
    UniqueConstraint("document", "n", name="exchange_attachments_once"),
)

revisions = Table(
    "exchange_revisions",
    metadata,
    Column("document", String(64), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("chain", Integer, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("made_by", String(32), nullable=False),
    Column("report_sha256", String(64)),
    Column("at", Instant, nullable=False),
)

signing_sessions = Table(
    "exchange_signing_sessions",
    metadata,
    _id(),
    Column("document", String(64), nullable=False, index=True),
    Column("document_version", Integer, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("person", String(64), nullable=False),
    Column("office", String(64), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("chain", JSON, nullable=False),
    Column("base", String(64), nullable=False),
    Column("prepared", String(64), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("attributes", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("attachment", String(64)),
    Index(
        "exchange_signing_sessions_waiting", "created_at", sqlite_where=text("state = 'signed'"),
        postgresql_where=text("state = 'signed'"),
    ),
)  # fmt: skip

loans = Table(
    "exchange_loans",
    metadata,
    _id(),
    Column("document", String(64), nullable=False, index=True),
    Column("document_version", Integer, nullable=False),
    Column("base", String(64), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("person", String(64), nullable=False),
    Column("office", String(64), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("source_sha256", String(64), nullable=False, unique=True),
    Column("upload_sha256", String(64), nullable=False, unique=True),
    Column("fetched", Integer, nullable=False),
    Column("returned", String(64)),
    Column("refusal", String(64)),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("attachment", String(64)),
)

reports = Table(
    "exchange_reports",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("file", String(64), nullable=False, index=True),
    Column("inputs_sha256", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)

archives = Table(
    "exchange_archives",
    metadata,
    Column("file", String(64), primary_key=True),
    Column("n", Integer, nullable=False),
    Column("newest", String(64), nullable=False),
    Column("ends_at", Instant),
    Column("due_at", Instant, nullable=False, index=True),
    Column("failures", Integer, nullable=False),
    Column("code", String(64)),
    Index(
        "exchange_archives_waiting", "ends_at", sqlite_where=text("failures > 0"), postgresql_where=text("failures > 0")
    ),
)

archive_files = Table(
    "exchange_archive_files",
    metadata,
    Column("file", String(64), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("stamped_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("report_sha256", String(64), nullable=False),
    Column("at", Instant, nullable=False),
)

consignments = Table(
    "exchange_consignments",
    metadata,
    _id(),
    Column("document", String(64), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("office", String(64), nullable=False),
    Column("specification", JSON, nullable=False),
    Column("recipients_count", Integer, nullable=False),
    Column("recipients_root", String(64), nullable=False),
    Column("sender_reference", String(128)),
    Column("due", Date),
    Column("submitted_at", Instant, nullable=False),
    UniqueConstraint("office", "sender_reference", name="exchange_consignments_reference_once"),
)

recipient_entries = Table(
    "exchange_recipient_entries",
    metadata,
    Column("consignment", String(64), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("office", String(64), nullable=False),
    Column("entry", LargeBinary, nullable=False),
)

deliveries = Table(
    "exchange_deliveries",
    metadata,
    _id(),
    Column("consignment", String(64), nullable=False),
    Column("document", String(64), nullable=False, index=True),
    Column("sender", String(64), nullable=False),
    Column("office", String(64), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("state", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("reason_code", String(64)),
    Column("reason", Text),
    Column("opened_at", Instant),
    UniqueConstraint("consignment", "office", name="exchange_deliveries_once"),
    Index("exchange_deliveries_in", "office", "since", "id"),
    Index("exchange_deliveries_in_states", "office", "state", "since", "id"),
    Index("exchange_deliveries_out", "sender", "since", "id"),
    Index("exchange_deliveries_out_states", "sender", "state", "since", "id"),
)

watched = Table(
    "exchange_watched",
    metadata,
    Column("delivery", String(64), primary_key=True),
    Column("asked_at", Instant, nullable=False),
    Column("told", Text, nullable=False),
)
"""When the signers of what is not registered were last asked about, and which revoked ones were told of."""

calendar = Table(
    "exchange_calendar",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("year", Integer),
    Column("source", Text, nullable=False),
    Column("grade", String(16), nullable=False),
    Column("told", JSON, nullable=False),
    Column("person", String(64), nullable=False),
    Column("at", Instant, nullable=False),
)
"""Each version is one decision: a year with its days, or (without a year) the working hours. Rows are only added."""

deadlines = Table(
    "exchange_deadlines",
    metadata,
    _id(),
    Column("kind", String(32), nullable=False),
    Column("subject", String(64), nullable=False, index=True),
    Column("office", String(64), nullable=False),
    Column("other", String(64)),
    Column("inward", Boolean, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("warn", Instant),
    Column("soon", Instant),
    Column("due", Instant, nullable=False),
    Column("calendar", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("next_at", Instant),
    Column("until", Instant),
    Column("day", Date),
    Column("overdue_at", Instant),
    Column("ended_at", Instant),
    Index("exchange_deadlines_office", "office", "state", "due", "id"),
    Index("exchange_deadlines_other", "other", "state", "due", "id"),
)
_waits = text("next_at IS NOT NULL")
Index("exchange_deadlines_next", deadlines.c.next_at, sqlite_where=_waits, postgresql_where=_waits)
_runs = text("state <> 'ended'")
Index(
    "exchange_deadlines_one_runs", deadlines.c.subject, deadlines.c.kind, deadlines.c.inward, unique=True,
    sqlite_where=_runs, postgresql_where=_runs,
)  # fmt: skip

deadline_marks = Table(
    "exchange_deadline_marks",
    metadata,
    Column("deadline", String(64), primary_key=True),
    Column("mark", String(16), primary_key=True),
    Column("event", String(64), nullable=False, unique=True),
)
"""What a deadline did, each once: its warnings, and that it was overdue."""

books = Table(
    "exchange_books",
    metadata,
    Column("office", String(64), primary_key=True),
    Column("book", String(64), primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
    Column("last_date", Date),
)

incoming = Table(
    "exchange_incoming",
    metadata,
    _id(),
    Column("office", String(64), nullable=False),
    Column("book", String(64), nullable=False),
    Column("year", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("date", Date, nullable=False),
    Column("delivery", String(64), nullable=False, unique=True),
    UniqueConstraint("office", "book", "year", "number", name="exchange_incoming_once"),
)

assignments = Table(
    "exchange_assignments",
    metadata,
    Column("delivery", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("lead", String(64), nullable=False),
    Column("cooperating", JSON, nullable=False),
    Column("for_information", JSON, nullable=False),
    Column("due", Date),
    Column("instruction", Text),
    Column("at", Instant, nullable=False),
)

events = Table(
    "exchange_events",
    metadata,
    _id(),
    Column("type", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("leaf", LargeBinary(32), nullable=False, unique=True),
    Column("inward", Boolean, nullable=False),
    Column("office", String(64), nullable=False),
    Column("document", String(64), index=True),
    Column("consignment", String(64), index=True),
    Column("delivery", String(64), index=True),
)

FINAL_EVENTS = tuple(f"delivery.{end}" for end in ("refused", "withdrawn", "redirected", "replaced", "expired"))
_final = text(f"type IN ({', '.join(repr(name) for name in FINAL_EVENTS)})")
Index("exchange_events_one_end", events.c.delivery, unique=True, sqlite_where=_final, postgresql_where=_final)

pending_events = Table(
    "exchange_pending_events",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("event", String(64), nullable=False, unique=True),
)

for _dialect in ("sqlite", "postgresql"):
    for _table in (events, calendar, deadline_marks):
        for _statement in guards(_table.name, _dialect):
            event.listen(_table, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]

GUARDED = ("exchange_events", "exchange_calendar", "exchange_deadline_marks", *ADD_ONLY)
"""Tables that triggers keep add-only; migrations create the triggers with `guards`."""
