"""A copy of everything while the service runs, and its way back: database first, then the files that it names.

A backup is a folder: `database.sqlite` or `database.dump`, `files/`, `files.txt` (their digests and sizes) and, written
last, `manifest.json`. Without a manifest it is none. Secrets are never in it: neither the master key nor the log key.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, make_url

from api.errors import BackupFailed, BackupUnreadable, NotEmpty, SecretsMissing
from api.settings import Settings
from api.wiring import LOG_KEY, ORIGIN, Database, Parts, blobs_of
from exchange.errors import DigestMismatch, NotFound
from exchange.proof.ledger import verifier_key
from exchange.storage.blobs import Blobs
from exchange.storage.ledger_store import LedgerStore
from exchange.storage.whole_store import WholeStore

FORMAT = 1
MANIFEST, LIST, FILES = "manifest.json", "files.txt", "files"
SQLITE, POSTGRESQL = "database.sqlite", "database.dump"
NOT_TOLD = frozenset(
    {"database_url", "master_token_pin", "remote_secrets", "remote_tokens", "s3_access_key", "s3_secret_key"}
)
"""Settings that hold secrets, or may: a backup does not repeat them."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup as its manifest says; `missing` are files that the store had lost already."""

    folder: Path
    told: dict[str, Any]

    @property
    def missing(self) -> list[str]:
        """Files that rows name and that were not there, or not what their names say."""
        return list(self.told["files"]["missing"])

    def names(self) -> Iterator[tuple[str, int]]:
        """Digest and size of every file in it."""
        with (self.folder / LIST).open() as lines:
            for line in lines:
                sha256, size = line.split()
                yield sha256, int(size)

    def path(self, sha256: str) -> Path:
        """Where one of its files lies."""
        return self.folder / FILES / sha256[:2] / sha256


# -- making one --


def make_backup(parts: Parts, folder: Path) -> Backup:
    """Copy the installation into a new folder while it runs: one state of the database, and every file that it names.

    Raises `NotEmpty` for a folder that holds anything, `BackupFailed`; then nothing of it stays.
    """
    if folder.exists() and any(folder.iterdir()):
        raise NotEmpty(what=str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _made(parts, folder)
    except OSError as error:
        raise BackupFailed(what=f"{error.strerror}: {error.filename or folder}") from error
    finally:
        if not (folder / MANIFEST).is_file():
            shutil.rmtree(folder, ignore_errors=True)


def _made(parts: Parts, folder: Path) -> Backup:
    with _database_copied(parts, folder) as (file, connection):
        ledger = _ledger_head(parts, LedgerStore(connection))
        files = _copy_files(WholeStore(connection), parts.blobs, folder)
    told = {
        "format": FORMAT,
        "made_at": parts.now().isoformat(timespec="seconds"),
        "database": {"file": file.name, "size": file.stat().st_size, "sha256": _digest_of(file)},
        "files": files,
        "ledger": ledger,
        "settings": parts.settings.model_dump(mode="json", include=parts.settings.model_fields_set - NOT_TOLD),
    }
    _write(folder / MANIFEST, json.dumps(told, indent=1, ensure_ascii=False).encode())
    return Backup(folder, told)


@contextmanager
def _database_copied(parts: Parts, folder: Path) -> Iterator[tuple[Path, Connection]]:
    """The copy of the database, and a connection that sees the very state that was copied."""
    if parts.database.is_sqlite:
        file = folder / SQLITE
        parts.database.copy_to(file)
        copy = Database(f"sqlite:///{file}")
        try:
            with copy.state() as connection:
                yield file, connection
        finally:
            copy.close()
            _sync(file)
        return
    file = folder / POSTGRESQL
    with parts.database.state() as connection:
        snapshot = WholeStore(connection).share_snapshot()
        _postgresql(
            parts.settings, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}",
            f"--file={file}",
        )  # fmt: skip
        _sync(file)
        yield file, connection


def _ledger_head(parts: Parts, ledger: LedgerStore) -> dict[str, Any]:
    head = ledger.latest()
    return {
        "size": ledger.size(),
        "root": head.root.hex() if head else None,
        "note": head.note.decode() if head else None,
        "log": verifier_key(parts.origin, parts.log_key).text,
    }


def _copy_files(store: WholeStore, blobs: Blobs, folder: Path) -> dict[str, Any]:
    """Every file that a row names. What may go while we copy and went is written down, to be forgotten on the way back;
    what should be there and is not is written down as missing."""
    count, size, passed, missing = 0, 0, list[str](), list[str]()
    digest = hashlib.sha256()
    with (folder / LIST).open("xb") as names:
        for named in store.files():
            try:
                data = blobs.get(named.sha256)
            except (NotFound, DigestMismatch):
                (missing if named.kept else passed).append(named.sha256)
                continue
            path = folder / FILES / named.sha256[:2] / named.sha256
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(path, data)
            line = f"{named.sha256} {len(data)}\n".encode()
            digest.update(line)
            names.write(line)
            count, size = count + 1, size + len(data)
        names.flush()
        os.fsync(names.fileno())
    return {
        "count": count, "bytes": size, "list_sha256": digest.hexdigest(), "passed": passed, "missing": missing,
    }  # fmt: skip


# -- the way back --


def read_backup(folder: Path) -> Backup:
    """A backup whose every byte is what its manifest says. Raises `BackupUnreadable`."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        if told["format"] != FORMAT:
            raise BackupUnreadable(what=f"format {told['format']}")
        backup = Backup(folder, told)
        database = told["database"]
        if database["file"] not in (SQLITE, POSTGRESQL):
            raise BackupUnreadable(what=database["file"])
        _require(_digest_of(folder / database["file"]) == database["sha256"], database["file"])
        _require(_digest_of(folder / LIST) == told["files"]["list_sha256"], LIST)
        for sha256, size in backup.names():
            path = backup.path(sha256)
            _require(path.stat().st_size == size and _digest_of(path) == sha256, sha256)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupUnreadable(what=f"{type(error).__name__}: {error}") from error
    return backup


def restore(settings: Settings, folder: Path, *, secrets_lost: bool = False, files_there: bool = False) -> Backup:
    """Put a backup into an installation that holds nothing yet: first the files, the database last and at once.

    `files_there` says that the file store outlived the database (S3): what lies there stays. Interrupted, run it
    again. Raises `BackupUnreadable`, `NotEmpty`, `SecretsMissing`, `BackupFailed`; then what it put there is gone.
    """
    backup = read_backup(folder)
    _require_fitting(settings, backup)
    _require_empty(settings)
    if not secrets_lost:
        _require_secrets(settings, backup)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    blobs = blobs_of(settings)
    if not files_there:
        _require_own_files_only(blobs, backup)
    try:
        for sha256, _ in backup.names():
            _require(blobs.put(backup.path(sha256).read_bytes()) == sha256, sha256)
        _put_database(settings, backup)
    except BaseException as error:
        if not files_there:
            for sha256, _ in backup.names():
                blobs.drop(sha256)
        if isinstance(error, OSError):
            raise BackupFailed(what=f"{error.strerror}: {error.filename}") from error
        raise
    return backup


def _put_database(settings: Settings, backup: Backup) -> None:
    source = backup.folder / backup.told["database"]["file"]
    passed = backup.told["files"]["passed"]
    if source.name == SQLITE:
        target = Path(make_url(settings.database).database or "")
        fresh = target.with_name(f"{target.name}.restoring")
        for beside in ("", "-wal", "-shm"):
            fresh.with_name(fresh.name + beside).unlink(missing_ok=True)  # of a restore that was interrupted
        shutil.copyfile(source, fresh)
        _forget(Database(f"sqlite:///{fresh}"), passed)
        fresh.chmod(0o600)
        _sync(fresh)
        fresh.replace(target)
        _sync(target.parent)
        return
    _postgresql(
        settings, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges",
        str(source),
    )  # fmt: skip
    _forget(Database(settings.database), passed)


def _forget(database: Database, passed: list[str]) -> None:
    """Rows of files that went while the backup was made: uploads to be repeated, signatures to be prepared again."""
    try:
        with database.change() as connection:
            WholeStore(connection).forget_files(passed)
    finally:
        database.close()


def _require_fitting(settings: Settings, backup: Backup) -> None:
    sqlite = settings.database.startswith("sqlite")
    if sqlite != (backup.told["database"]["file"] == SQLITE):
        raise BackupUnreadable(
            what=f"{backup.told['database']['file']}: CONGVAN_DATABASE_URL={settings.database[:10]}…"
        )


def _require_empty(settings: Settings) -> None:
    """A database that only migrated is not empty either: the copy brings its tables along."""
    if settings.database.startswith("sqlite"):
        file = Path(make_url(settings.database).database or "")
        if file.exists():
            raise NotEmpty(what=str(file))
        return
    database = Database(settings.database)
    try:
        if database.has_tables():
            raise NotEmpty(what=make_url(settings.database).render_as_string(hide_password=True))
    finally:
        database.close()


def _require_own_files_only(blobs: Blobs, backup: Backup) -> None:
    """Files of this very backup may lie there, from a restore that was interrupted; others may not."""
    known = (sha256 for sha256, _ in backup.names())
    here = next(known, None)
    for name in blobs.names():
        while here is not None and here < name:
            here = next(known, None)
        if name != here:
            raise NotEmpty(what=f"files/{name}")


def _require_secrets(settings: Settings, backup: Backup) -> None:
    """The log key must be the one that signed this ledger: with another one it could not go on under its name."""
    secrets = settings.data / "secrets"
    try:
        origin, key = (secrets / ORIGIN).read_text(), (secrets / LOG_KEY).read_bytes()
        here = verifier_key(f"congvan/{origin}", Ed25519PrivateKey.from_private_bytes(key)).text
    except (OSError, ValueError) as error:
        raise SecretsMissing(folder=str(secrets)) from error
    if here != backup.told["ledger"]["log"]:
        raise SecretsMissing(folder=str(secrets))


# -- inside --


def _postgresql(settings: Settings, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs on the database of the settings; the password stands in no command line."""
    beside = settings.postgresql_bin / program if settings.postgresql_bin else None
    path = str(beside) if beside and beside.is_file() else shutil.which(program)
    if path is None:
        raise BackupFailed(what=f"{program}: CONGVAN_POSTGRESQL_BIN")
    url = make_url(settings.database).set(drivername="postgresql")
    with NamedTemporaryFile("w", prefix="congvan-", suffix=".pgpass") as passwords:  # made for its owner only
        escaped = str(url.password or "").replace("\\", "\\\\").replace(":", "\\:")
        passwords.write(f"*:*:*:*:{escaped}\n")
        passwords.flush()
        where = url.set(password=None).update_query_dict({"passfile": passwords.name})
        address = where.render_as_string(hide_password=False)
        done = subprocess.run([path, f"--dbname={address}", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupFailed(what=f"{program}: {done.stderr.strip()[:500]}")


def _require(held: bool, what: str) -> None:
    if not held:
        raise BackupUnreadable(what=f"{what} ≠")


def _write(file: Path, data: bytes) -> None:
    with file.open("xb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
