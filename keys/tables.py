"""The drawers of this room. Only `keys/store.py` opens them; `api` creates them (migrations)."""

from datetime import UTC, datetime

from sqlalchemy import Boolean, Column, DateTime, Dialect, Index, Integer, LargeBinary, MetaData, String, Table
from sqlalchemy.types import TypeDecorator

metadata = MetaData()


class UtcTime(TypeDecorator[datetime]):
    """A moment: aware going in, aware UTC coming out, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


certificates = Table(
    "keys_certificates",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("world", String(16)),
    Column("office_code", String(200)),
    Column("not_after", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Column("asked_at", UtcTime),
    Column("warned_days", Integer),
    Column("added_at", UtcTime, nullable=False),
    Index("keys_certificates_office", "office_code"),
    Index("keys_certificates_not_after", "not_after"),
)
"""Certificates met or issued. Never deleted: they are evidence.

`asked_at`: when its issuer was last asked whether it is revoked; `warned_days`: of which nearness people were told.
"""

anchors = Table(
    "keys_anchors",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("world", String(16), nullable=False),
    Column("added_at", UtcTime, nullable=False),
)

intermediates = Table(
    "keys_intermediates",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("added_at", UtcTime, nullable=False),
)

keys = Table(
    "keys_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("certificate", String(64), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("office", String(200), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("retired_at", UtcTime),
    Index("keys_keys_office", "office"),
)

holders = Table(
    "keys_holders",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("holder", String(64), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("office", String(200), nullable=False),
    Column("added_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Index("keys_holders_holder", "holder"),
)
"""Who holds the key of a certificate elsewhere: on a token at the desk, in a phone."""

wrappings = Table(
    "keys_wrappings",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("holder", String(64), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("memory_kib", Integer, nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("lanes", Integer, nullable=False),
    Column("master", String(16), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index("keys_wrappings_holder", "holder"),
    Index("keys_wrappings_master", "master"),
)
"""A key sealed for one holder; `tries` counts attempts with the PIN since the last good one."""

masters = Table(
    "keys_masters",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("used_from", UtcTime, nullable=False),
    Column("retired_at", UtcTime),
)
"""Master keys by name, never their bytes. Nothing new is sealed under one that is retired."""

elsewhere = Table(
    "keys_elsewhere",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("holder", String(64), primary_key=True),
    Column("place", String(16), nullable=False),
    Column("service", String(64), nullable=False),
    Column("token", String(64), nullable=False),
    Column("key", String(256), nullable=False),
    Column("pin_from", String(64)),
    Column("asks_pin", Boolean, nullable=False),
    Column("otp", String(8)),
    Index("keys_elsewhere_holder", "holder"),
)
"""A key on a token or at a remote service, who may use it, and what they type for it."""
