"""This room's SQL about programs: clients, their tokens, the assertions they have used. Never commits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api import tables as t


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may act for offices within scopes; `id` stands in events."""

    id: str
    name: str
    secret_sha256: str | None
    public_key: str | None
    """PEM, for `private_key_jwt`."""
    scopes: frozenset[str]
    offices: frozenset[str]
    disabled: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is good for."""

    client: Client
    scopes: frozenset[str]
    expires_at: datetime


class ClientStore:
    """The drawers of programs, opened on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, client: Client, at: datetime) -> None:
        """A new program."""
        self._connection.execute(
            insert(t.clients).values(
                id=client.id, name=client.name, secret_sha256=client.secret_sha256, public_key=client.public_key,
                scopes=_words(client.scopes), offices=_words(client.offices), created_at=at,
            )
        )  # fmt: skip

    def client(self, id_: str) -> Client | None:
        """A program by id."""
        row = self._connection.execute(select(t.clients).where(t.clients.c.id == id_)).first()
        return _client(row) if row else None

    def clients(self) -> list[Client]:
        """Every program, oldest first."""
        return [_client(row) for row in self._connection.execute(select(t.clients).order_by(t.clients.c.created_at))]

    def set_secret(self, id_: str, secret_sha256: str) -> None:
        """Give a program another secret; its tokens end."""
        self._connection.execute(update(t.clients).where(t.clients.c.id == id_).values(secret_sha256=secret_sha256))
        self._connection.execute(delete(t.client_tokens).where(t.client_tokens.c.client == id_))

    def disable(self, id_: str, at: datetime) -> None:
        """From now on it may do nothing; its tokens end."""
        self._connection.execute(update(t.clients).where(t.clients.c.id == id_).values(disabled_at=at))
        self._connection.execute(delete(t.client_tokens).where(t.client_tokens.c.client == id_))

    def add_token(self, token_sha256: str, client: str, scopes: Iterable[str], expires_at: datetime) -> None:
        """Keep a token's digest."""
        self._connection.execute(
            insert(t.client_tokens).values(
                token_sha256=token_sha256, client=client, scopes=_words(scopes), expires_at=expires_at
            )
        )

    def grant(self, token_sha256: str) -> Grant | None:
        """What a token stands for, ended or not."""
        row = self._connection.execute(
            select(t.clients, t.client_tokens.c.scopes.label("granted"), t.client_tokens.c.expires_at)
            .join_from(t.client_tokens, t.clients, t.clients.c.id == t.client_tokens.c.client)
            .where(t.client_tokens.c.token_sha256 == token_sha256)
        ).first()
        return Grant(_client(row), frozenset(row.granted.split()), row.expires_at) if row else None

    def use_assertion(self, client: str, jti: str, expires_at: datetime) -> bool:
        """Mark an assertion as used; False when it was: then the transaction must be rolled back."""
        used = insert(t.client_assertions).values(client=client, jti=jti, expires_at=expires_at)
        try:
            self._connection.execute(used)
        except IntegrityError:
            return False
        return True

    def sweep(self, before: datetime) -> None:
        """Forget tokens and assertions that ended before that moment."""
        for table in (t.client_tokens, t.client_assertions):
            self._connection.execute(delete(table).where(table.c.expires_at < before))


def _words(words: Iterable[str]) -> str:
    return " ".join(sorted(words))


def _client(row: Row[tuple[object, ...]]) -> Client:
    told = row._mapping
    return Client(
        told["id"], told["name"], told["secret_sha256"], told["public_key"], frozenset(told["scopes"].split()),
        frozenset(told["offices"].split()), told["disabled_at"] is not None,
    )  # fmt: skip
