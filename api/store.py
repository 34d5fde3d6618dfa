"""This room's SQL: accounts, roles, sessions, stored answers, pictures, worker heartbeats. Never commits."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from api import tables as t
from api.errors import IdempotencyInProgress
from api.factors import SealedFactor
from api.idempotency import Answer, Asked
from exchange.rules.model import Role
from signing.model import Level


@dataclass(frozen=True, slots=True)
class Account:
    """A person who can log in; `id` is the pseudonym that stands in events."""

    id: str
    login: str
    name: str
    title: str
    password_hash: str
    factor: SealedFactor | None
    totp_step: int | None
    failures: int
    failed_at: datetime | None
    locked: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A logged-in person, in one office."""

    account: str
    office: str
    csrf: str
    created_at: datetime
    seen_at: datetime


class AccountStore:
    """The drawers of this room, opened on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- people --

    def add_account(self, id_: str, login: str, name: str, title: str, password_hash: str, at: datetime) -> None:
        """A new person."""
        self._connection.execute(
            insert(t.accounts).values(
                id=id_, login=login, name=name, title=title, password_hash=password_hash, failures=0, locked=False,
                created_at=at,
            )
        )  # fmt: skip

    def account(self, id_: str) -> Account | None:
        """A person by pseudonym."""
        return self._account(t.accounts.c.id == id_)

    def account_by_login(self, login: str) -> Account | None:
        """A person by login name."""
        return self._account(t.accounts.c.login == login)

    def set_password(self, id_: str, password_hash: str) -> None:
        """Change the password and end every session."""
        self._change(id_, password_hash=password_hash, failures=0, failed_at=None)
        self._connection.execute(delete(t.sessions).where(t.sessions.c.account == id_))

    def set_factor(self, id_: str, factor: SealedFactor | None) -> None:
        """Set or remove the second factor. One that is set: first `KeyStore.use_master`, in the same transaction."""
        self._change(id_, **_factor_values(factor), totp_step=None)

    def factors_of_others(self, newest: str, most: int) -> list[tuple[str, SealedFactor]]:
        """Up to `most` second factors (account, sealed) under another master key than `newest`."""
        here = t.accounts.c
        rows = self._connection.execute(
            select(here.id, here.totp_master, here.totp_sealed)
            .where(here.totp_master != newest)
            .order_by(here.id)
            .limit(most)
        )
        return [(row.id, SealedFactor(row.totp_master, bytes(row.totp_sealed))) for row in rows]

    def replace_factor(self, id_: str, old: SealedFactor, new: SealedFactor) -> None:
        """Put the same secret under another master key; nothing where its person has set another meanwhile."""
        here = (t.accounts.c.id == id_) & (t.accounts.c.totp_sealed == old.sealed)
        self._connection.execute(update(t.accounts).where(here).values(**_factor_values(new)))

    def use_totp_step(self, id_: str, step: int) -> bool:
        """Spend one step of the second factor; False when it or a later one was spent before."""
        here = t.accounts.c
        fresh = (here.id == id_) & (here.totp_step.is_(None) | (here.totp_step < step))
        return self._connection.execute(update(t.accounts).where(fresh).values(totp_step=step)).rowcount == 1

    def count_failure(self, id_: str, seen: int, at: datetime) -> bool:
        """Count one more try after `seen` ones; False when somebody else counted meanwhile."""
        here = (t.accounts.c.id == id_) & (t.accounts.c.failures == seen)
        counted = update(t.accounts).where(here).values(failures=seen + 1, failed_at=at)
        return self._connection.execute(counted).rowcount == 1

    def take_back_failure(self, id_: str) -> None:
        """The newest try was no wrong one."""
        self._change(id_, failures=t.accounts.c.failures - 1)

    def forget_failures(self, id_: str) -> None:
        """The password was right."""
        self._change(id_, failures=0, failed_at=None)

    def give_role(self, account: str, office: str, role: Role) -> None:
        """Let a person act in a role for an office."""
        self._connection.execute(insert(t.roles).values(account=account, office=office, role=role))

    def roles(self, account: str) -> dict[str, frozenset[Role]]:
        """The roles of a person by office."""
        found: dict[str, set[Role]] = {}
        for row in self._connection.execute(select(t.roles).where(t.roles.c.account == account)):
            found.setdefault(row.office, set()).add(Role(row.role))
        return {office: frozenset(held) for office, held in found.items()}

    def people_of(self, office: str, role: Role | None = None) -> list[Account]:
        """The people of an office by name, all or those with a role."""
        member = select(t.roles.c.account).where(t.roles.c.office == office)
        if role is not None:
            member = member.where(t.roles.c.role == role)
        rows = self._connection.execute(
            select(t.accounts).where(t.accounts.c.id.in_(member)).order_by(t.accounts.c.name)
        )
        return [_account(row) for row in rows]

    def require_second_factor(self, office: str, required: bool) -> None:
        """An office decides whether its people need a second factor."""
        self._rule(office, second_factor_required=required)

    def second_factor_required(self, office: str) -> bool:
        """Whether an office's people need a second factor."""
        rule = select(t.office_rules.c.second_factor_required).where(t.office_rules.c.office == office)
        return bool(self._connection.scalar(rule))

    def choose_levels(self, office: str, leader: Level | None, seal: Level | None) -> None:
        """How much proof an office's signatures get; None: as the service does."""
        self._rule(office, level_leader=leader, level_seal=seal)

    def levels(self, office: str) -> tuple[Level | None, Level | None]:
        """What an office chose for its people's signatures, and for the organisation's own."""
        here = t.office_rules.c
        row = self._connection.execute(select(here.level_leader, here.level_seal).where(here.office == office)).first()
        leader, seal = row or (None, None)
        return (Level(leader) if leader else None, Level(seal) if seal else None)

    def _rule(self, office: str, **values: bool | str | None) -> None:
        kind = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        row = kind.insert(t.office_rules).values(office=office, **{"second_factor_required": False, **values})
        # its administrators may set two rules at the same moment
        self._connection.execute(row.on_conflict_do_update(index_elements=["office"], set_=values))

    # -- sessions --

    def add_session(self, token_sha256: str, account: str, office: str, csrf: str, at: datetime) -> None:
        """Begin a session; only the digest of its token is kept."""
        self._connection.execute(
            insert(t.sessions).values(
                token_sha256=token_sha256, account=account, office=office, csrf=csrf, created_at=at, seen_at=at
            )
        )

    def session(self, token_sha256: str) -> Session | None:
        """A session by the digest of its token."""
        row = self._connection.execute(select(t.sessions).where(t.sessions.c.token_sha256 == token_sha256)).first()
        return Session(row.account, row.office, row.csrf, row.created_at, row.seen_at) if row else None

    def touch_session(self, token_sha256: str, at: datetime) -> None:
        """The session was used."""
        self._connection.execute(update(t.sessions).where(t.sessions.c.token_sha256 == token_sha256).values(seen_at=at))

    def end_session(self, token_sha256: str) -> None:
        """The session is over."""
        self._connection.execute(delete(t.sessions).where(t.sessions.c.token_sha256 == token_sha256))

    def end_sessions(self, account: str, *, besides: str) -> None:
        """End every session of a person but the one with that word."""
        here = t.sessions.c
        self._connection.execute(delete(t.sessions).where(here.account == account, here.csrf != besides))

    def drop_sessions(self, seen_before: datetime, created_before: datetime) -> None:
        """Forget sessions that have ended."""
        here = t.sessions.c
        self._connection.execute(
            delete(t.sessions).where((here.seen_at < seen_before) | (here.created_at < created_before))
        )

    # -- stored answers --

    def answer(self, account: str, office: str, key: str) -> tuple[str, Answer] | None:
        """The fingerprint and the answer stored under a key."""
        here = t.answers.c
        row = self._connection.execute(
            select(t.answers).where(here.account == account, here.office == office, here.key == key)
        ).first()
        if row is None:
            return None
        answer = Answer(row.status, json.loads(row.body), json.loads(row.headers), replayed=True)
        return row.fingerprint, answer

    def keep_answer(self, account: str, office: str, asked: Asked, answer: Answer, at: datetime) -> None:
        """Store an answer with its effect. Raises `IdempotencyInProgress` when a twin stored one first."""
        try:
            self._connection.execute(
                insert(t.answers).values(
                    account=account, office=office, key=asked.key, fingerprint=asked.fingerprint,
                    status=answer.status, headers=json.dumps(answer.headers), body=json.dumps(answer.body), at=at,
                )
            )  # fmt: skip
        except IntegrityError as error:
            raise IdempotencyInProgress from error

    def forget_answers(self, account: str, office: str, named: str) -> None:
        """Forget the answers to a person that name a thing which is to leave no trace."""
        here = t.answers.c
        mine = (here.account == account) & (here.office == office)
        self._connection.execute(delete(t.answers).where(mine, here.body.contains(named, autoescape=True)))

    # -- pictures --

    def set_picture(self, kind: str, owner: str, png: bytes) -> None:
        """Keep the picture of a `signature` (owner: account) or a `seal` (owner: office)."""
        self._connection.execute(delete(t.pictures).where(t.pictures.c.kind == kind, t.pictures.c.owner == owner))
        self._connection.execute(insert(t.pictures).values(kind=kind, owner=owner, png=png))

    def picture(self, kind: str, owner: str) -> bytes | None:
        """A picture."""
        here = t.pictures.c
        png = self._connection.scalar(select(here.png).where(here.kind == kind, here.owner == owner))
        return bytes(png) if png is not None else None

    # -- workers --

    def beat(self, worker: str, at: datetime) -> None:
        """A worker is alive."""
        if self._connection.execute(update(t.workers).where(t.workers.c.id == worker).values(seen_at=at)).rowcount == 0:
            self._connection.execute(insert(t.workers).values(id=worker, seen_at=at))

    def silent_workers(self, before: datetime) -> list[str]:
        """Workers that have not been heard of since."""
        return list(self._connection.scalars(select(t.workers.c.id).where(t.workers.c.seen_at < before)))

    def latest_beat(self) -> datetime | None:
        """When any worker was last heard of."""
        return self._connection.scalar(select(t.workers.c.seen_at).order_by(t.workers.c.seen_at.desc()).limit(1))

    def bury(self, worker: str) -> None:
        """A worker is gone, its work was given to others."""
        self._connection.execute(delete(t.workers).where(t.workers.c.id == worker))

    # -- inside --

    def _account(self, condition: object) -> Account | None:
        row = self._connection.execute(select(t.accounts).where(condition)).first()  # type: ignore[arg-type]
        return _account(row) if row else None

    def _change(self, id_: str, **values: object) -> None:
        self._connection.execute(update(t.accounts).where(t.accounts.c.id == id_).values(**values))


def _factor_values(factor: SealedFactor | None) -> dict[str, object]:
    return {"totp_master": factor and factor.master, "totp_sealed": factor and factor.sealed}


def _account(row: Row[Any]) -> Account:
    values = {name: getattr(row, name) for name in Account.__dataclass_fields__ if name != "factor"}
    factor = SealedFactor(row.totp_master, bytes(row.totp_sealed)) if row.totp_master else None
    return Account(**values, factor=factor)
