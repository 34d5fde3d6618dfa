"""This room's drawers: people, their roles and sessions, stored answers, pictures. Only `api/store.py` opens them."""

from sqlalchemy import Boolean, Column, Integer, LargeBinary, MetaData, String, Table, Text

from exchange.storage.tables import Instant

metadata = MetaData()

accounts = Table(
    "api_accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("login", String(128), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("totp_sealed", LargeBinary),
    Column("totp_master", String(16)),
    Column("totp_step", Integer),
    Column("failures", Integer, nullable=False, default=0),
    Column("failed_at", Instant),
    Column("locked", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
)

roles = Table(
    "api_roles",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("office", String(64), primary_key=True, index=True),
    Column("role", String(32), primary_key=True),
)

office_rules = Table(
    "api_office_rules",
    metadata,
    Column("office", String(64), primary_key=True),
    Column("second_factor_required", Boolean, nullable=False, default=False),
    Column("level_leader", String(8)),
    Column("level_seal", String(8)),
)

sessions = Table(
    "api_sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("account", String(64), nullable=False, index=True),
    Column("office", String(64), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)

clients = Table(
    "api_clients",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", String(64)),
    Column("public_key", Text),
    Column("scopes", Text, nullable=False),
    Column("offices", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)

client_tokens = Table(
    "api_client_tokens",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("client", String(64), nullable=False, index=True),
    Column("scopes", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

client_assertions = Table(
    "api_client_assertions",
    metadata,
    Column("client", String(64), primary_key=True),
    Column("jti", String(128), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

answers = Table(
    "api_answers",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("office", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

pictures = Table(
    "api_pictures",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("owner", String(64), primary_key=True),
    Column("png", LargeBinary, nullable=False),
)

workers = Table(
    "api_workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("seen_at", Instant, nullable=False),
)
