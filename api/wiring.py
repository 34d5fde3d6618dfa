"""Settings to running parts: engines, transactions, files, trust, clock. The only place that begins and commits.

SQLite: one writer at a time with `BEGIN IMMEDIATE` (the driver's own transactions lose updates silently), and readers
on an engine that cannot write. PostgreSQL: psycopg 3, the same code.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from obstore.store import S3Store
from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import OperationalError

from api import tables
from api.client_store import ClientStore
from api.engine import DbosQueue, job_client
from api.errors import DatabaseUnavailable, IdempotencyInProgress, IdempotencyKeyReused
from api.idempotency import Answer, Asked
from api.masters import handed_pin, held_ring, kept_secret
from api.outgoing import Outgoing, WithinBudget
from api.settings import Settings
from api.store import AccountStore
from api.visiting import VisitorFiles
from exchange.acts.tools import Levels, Tools
from exchange.errors import NumberMoved
from exchange.rules.model import Actor
from exchange.storage import tables as exchange_tables
from exchange.storage.blobs import Blobs, LocalBlobs, S3Blobs
from exchange.storage.ledger_store import LedgerStore
from exchange.storage.store import Store, Transaction
from keys import tables as keys_tables
from keys.access import ClientAccess
from keys.errors import KeyUnavailable, TsaUnavailable, Words
from keys.model import KeyPlace, Signer, TimestampAuthority, TrustMaterial
from keys.remote import RemoteService, RemoteSigner
from keys.revocation import OnlineRevocation, RevocationSource
from keys.signer import Pkcs11Signer, VaultSigner
from keys.store import KeyStore
from keys.timestamps import OnlineTsa
from keys.tokens import MODULE
from keys.vault import open_wrapping, unseal
from signing.sandbox import Sandbox

METADATA = (keys_tables.metadata, exchange_tables.metadata, tables.metadata)
MOST_REDOS = 40
LOG_KEY, ORIGIN = "log.key", "origin"
"""The secrets that sign the ledger's roots and name it."""
NO_PIN = Words("không có mã PIN trong credential", "the credential with its PIN is missing")
UNKNOWN_SERVICE = Words("dịch vụ ký số từ xa chưa được cấu hình", "the remote signing service is not set up")
T = TypeVar("T")


def now() -> datetime:
    """The clock: an aware moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Reading:
    """Every room's store on one reading connection."""

    exchange: Store
    keys: KeyStore
    people: AccountStore
    ledger: LedgerStore
    clients: ClientStore


@dataclass(frozen=True, slots=True)
class Writing:
    """Every room's store in one transaction, and the jobs that its commit starts."""

    tx: Transaction
    keys: KeyStore
    people: AccountStore
    ledger: LedgerStore
    clients: ClientStore


class Database:
    """The two engines of one database."""

    def __init__(self, url: str) -> None:
        self.url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        self.is_sqlite = self.url.startswith("sqlite")
        self.writer = self._engine(reading=False)
        self.reader = self._engine(reading=True) if self.is_sqlite else self.writer

    def close(self) -> None:
        """Let every connection go."""
        self.writer.dispose()
        self.reader.dispose()

    def has_tables(self) -> bool:
        """Whether anything was ever made in it."""
        return bool(inspect(self.reader).get_table_names())

    def copy_to(self, file: Path) -> None:
        """SQLite: copy one state of the whole database into a new file, while others read and write."""
        raw = self.reader.raw_connection()
        copy = sqlite3.connect(file)
        try:
            connection: Any = raw.driver_connection
            connection.backup(copy)  # in one step: it never has to begin anew because somebody wrote
        finally:
            copy.close()
            raw.close()

    @contextmanager
    def state(self) -> Iterator[Connection]:
        """One connection that sees one state of the database until it is let go, whatever others write meanwhile."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with _said(), self.reader.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """One transaction on a database that no service runs on yet."""
        with _said(), self.writer.begin() as connection:
            yield connection

    def _engine(self, *, reading: bool) -> Engine:
        if not self.is_sqlite:
            return create_engine(self.url, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True)
        # parameters are hidden: an error of the database must not carry a secret into the log
        engine = create_engine(
            self.url, connect_args={"timeout": 30}, pool_size=10, max_overflow=20, hide_parameters=True
        )
        _own_transactions(engine, reading=reading)
        return engine


def _own_transactions(engine: Engine, *, reading: bool) -> None:
    """Take `BEGIN` out of the driver's hands."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        # without recursive triggers `INSERT OR REPLACE` would delete a row of evidence behind its guard's back
        pragmas = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON")
        for pragma in (*pragmas, "recursive_triggers=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if reading:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def create_schema(engine: Engine) -> None:
    """Make every room's tables straight from their definitions; for tests (a service migrates)."""
    for metadata in METADATA:
        metadata.create_all(engine)


class Parts:
    """The running service: what every way in calls. Safe to share by threads."""

    def __init__(self, settings: Settings, database: Database, blobs: Blobs, outgoing: Outgoing) -> None:
        self.settings = settings
        self.database = database
        self.blobs = blobs
        self.outgoing = outgoing
        self.sandbox = Sandbox(
            workers=settings.sandbox_workers,
            memory_mb=settings.sandbox_memory_mb,
            cpu_seconds=settings.sandbox_seconds,
            wall_seconds=settings.sandbox_seconds,
        )
        self.revocation: RevocationSource = WithinBudget(OnlineRevocation(outgoing), outgoing)
        self.masters = held_ring(settings)
        self.log_key = Ed25519PrivateKey.from_private_bytes(
            kept_secret(settings.data / "secrets" / LOG_KEY, _new_log_key)
        )
        self.origin = f"congvan/{kept_secret(settings.data / 'secrets' / ORIGIN, _new_origin).decode()}"
        self.named: dict[str, tuple[bytes, ...]] = {}
        self.visitor_files = VisitorFiles(settings.data / "visiting")
        self._access: dict[str, ClientAccess] = {}
        self._jobs = job_client(database)
        self._turns = tuple(threading.Lock() for _ in range(64))

    def now(self) -> datetime:
        """The clock."""
        return now()

    def close(self) -> None:
        """End the limited processes and let every connection go."""
        self.sandbox.close()
        self._jobs.destroy()
        self.database.close()

    # -- transactions --

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """Every room's store, reading one state of the database."""
        with _said(), self.database.reader.connect() as connection, connection.begin():
            yield Reading(
                Store(connection), KeyStore(connection), AccountStore(connection), LedgerStore(connection),
                ClientStore(connection),
            )  # fmt: skip

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """Every room's store in one transaction: committed at the end, rolled back when anything is raised."""
        with _said(), self.database.writer.begin() as connection:
            tx = Transaction(Store(connection), DbosQueue(self._jobs, connection))
            yield Writing(
                tx, KeyStore(connection), AccountStore(connection), LedgerStore(connection), ClientStore(connection)
            )

    def run(self, actor: Actor, asked: Asked, work: Callable[[], T], act: Callable[[Writing, T], Answer]) -> Answer:
        """The one runner: stored answer? → work → begin → act → store the answer → commit.

        A number that moved while the file was filled means: work and act again. Raises `IdempotencyKeyReused`, and
        `IdempotencyInProgress` when a twin with the same key won.
        """
        stored = self._stored(actor, asked)
        if stored is not None:
            return stored
        for redo in range(MOST_REDOS):
            try:
                made = work()
                with self.write() as writing:
                    answer = act(writing, made)
                    if asked.key is not None:
                        writing.people.keep_answer(actor.id, actor.office, asked, answer, self.now())
                    return answer
            except NumberMoved:
                if redo == MOST_REDOS - 1:
                    raise
            except Exception:
                # a twin may have done it first: then its answer is the answer, not our refusal
                stored = self._stored(actor, asked)
                if stored is not None:
                    return stored
                raise
        raise IdempotencyInProgress

    def _stored(self, actor: Actor, asked: Asked) -> Answer | None:
        if asked.key is None:
            return None
        with self.read() as reading:
            found = reading.people.answer(actor.id, actor.office, asked.key)
        if found is None:
            return None
        if found[0] != asked.fingerprint:
            raise IdempotencyKeyReused
        return found[1]

    @contextmanager
    def turn(self, about: str) -> Iterator[None]:
        """One thread at a time about this: saves work that would be done again. What must hold, the database holds."""
        with self._turns[hash(about) % len(self._turns)]:
            yield

    # -- parts for work --

    def trust(self) -> TrustMaterial:
        """All that is trusted now."""
        with self.read() as reading:
            return reading.keys.material()

    def tools(self) -> Tools:
        """What the work before an act needs."""
        trust = self.trust()
        return Tools(self.blobs, self.sandbox.run, self._tsa(trust), self.revocation, trust, self.named, self.levels_of)

    def levels_of(self, office: str) -> Levels:
        """How much proof an office's signatures get: what it chose, else what the settings say."""
        with self.read() as reading:
            leader, seal = reading.people.levels(office)
        return Levels(leader or self.settings.sign_level_leader, seal or self.settings.sign_level_seal)

    def open_key(self, key: str, holder: str, pin: str, otp: str | None = None) -> AbstractContextManager[Signer]:
        """A key, opened by its holder for one use (`with`): from the vault, on a token, at a remote service.

        Raises `PinWrong`, `PinLocked`, `KeyUnavailable`; a token and a service on entering.
        """
        with self.read() as reading:
            there, record = reading.keys.elsewhere(key, holder), reading.keys.key(key)
        if there is None or record is None:
            return self._from_vault(key, holder, pin)
        certificate, chain = record.certificate.der, record.chain
        if there.place is KeyPlace.REMOTE:
            service = self.remote_service(there.service)
            return RemoteSigner(service, self.call, there.key, certificate, chain, pin=pin or None, otp=otp)
        typed = pin if there.pin_from is None else handed_pin(self.settings, there.pin_from)
        if typed is None:
            raise KeyUnavailable(why=NO_PIN)
        return Pkcs11Signer(self.pkcs11_module(there.service), there.token, there.key, typed, certificate, chain)

    def pkcs11_module(self, name: str) -> str:
        """The path of a PKCS#11 library by its name. Raises `KeyUnavailable` for one that the settings do not name."""
        module = self.settings.pkcs11_modules.get(name)
        if module is None:
            raise KeyUnavailable(why=MODULE)
        return str(module)

    def remote_service(self, name: str) -> RemoteService:
        """A remote signing service by its name. Raises `KeyUnavailable` for one that the settings do not name."""
        url = self.settings.remote_services.get(name)
        if url is None:
            raise KeyUnavailable(why=UNKNOWN_SERVICE)
        version = 2 if url.rstrip("/").endswith("/v2") else 1
        return RemoteService(url, self.settings.remote_tokens.get(name), version, self._access_to(name, url))

    def _access_to(self, name: str, url: str) -> ClientAccess | None:
        """Tokens for our id at that service, kept between signatures; None where the settings name no id."""
        client, secret = self.settings.remote_clients.get(name), self.settings.remote_secrets.get(name)
        if client is None or secret is None:
            return None
        gives = self.settings.remote_token_urls.get(name) or f"{url.rstrip('/')}/oauth2/token"
        made = ClientAccess(gives, client, secret, self.call, self.now)
        return self._access.setdefault(name, made)

    def call(
        self, url: str, *, body: bytes, content_type: str, headers: Mapping[str, str], limit: int
    ) -> tuple[int, bytes]:
        """The way out to remote services. Implements `keys.model.Call`."""
        return self.outgoing.call(
            url, body=body, content_type=content_type, headers=headers, limit=limit,
            seconds=self.settings.remote_seconds,
        )  # fmt: skip

    def _from_vault(self, key: str, holder: str, pin: str) -> VaultSigner:
        """The try is counted, and committed, before it is made."""
        with self.read() as reading:
            wrapping, record = reading.keys.wrapping(key, holder), reading.keys.key(key)
        assert record is not None  # noqa: S101 - a wrapping has its key
        unseal(wrapping, masters=self.masters, key=key, holder=holder)  # what no PIN opens costs no try
        with self.write() as writing:
            left = writing.keys.count_try(key, holder)
        private = open_wrapping(wrapping, pin=pin, masters=self.masters, key=key, holder=holder, left=left)
        with self.write() as writing:
            writing.keys.reset_tries(key, holder)
        return VaultSigner(private, record.certificate.der, record.chain)

    def _tsa(self, trust: TrustMaterial) -> TimestampAuthority:
        if self.settings.tsa_url is None:
            return _NoTsa()
        return OnlineTsa(self.settings.tsa_url, self.outgoing, tuple(anchor.der for anchor in trust.anchors))


class _NoTsa:
    """No authority is set: the same as one that is away."""

    def stamp(self, digest: bytes) -> bytes:  # noqa: ARG002
        raise TsaUnavailable


def build_parts(settings: Settings) -> Parts:
    """The running parts that the settings ask for; makes the data folder and its secrets on the first start."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    outgoing = Outgoing(settings.outgoing_allowed, settings.outgoing_private)
    return Parts(settings, Database(settings.database), blobs_of(settings), outgoing)


def blobs_of(settings: Settings) -> Blobs:
    """The file store that the settings name."""
    files = settings.data / "files"
    if settings.s3_bucket is None:
        return LocalBlobs(files)
    store = S3Store(
        settings.s3_bucket,
        endpoint=settings.s3_endpoint,
        access_key_id=settings.s3_access_key,
        secret_access_key=settings.s3_secret_key,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": bool(settings.s3_endpoint and settings.s3_endpoint.startswith("http://"))},
    )
    return S3Blobs(store, files)


def _new_log_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def _new_origin() -> bytes:
    return os.urandom(8).hex().encode()


@contextmanager
def _said() -> Iterator[None]:
    """A database that does not answer is said as such."""
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailable from error
