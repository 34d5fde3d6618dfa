"""Bytes under their SHA-256, written once and never changed: on the local disk or in an S3-compatible store.

A local blob is on the disk before its row is committed: temporary file, fsync, link, fsync of the folder
(obstore's own local store does not fsync, so it is not used for that).
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import uuid4

import obstore
from obstore.store import S3Store

from exchange.errors import DigestMismatch, NotFound, StorageFull, UploadOffset


class Blobs(Protocol):
    """Where files are kept. Raises `StorageFull` when there is no room, `NotFound` for unknown names."""

    def put(self, data: bytes) -> str:
        """Keep bytes and return their SHA-256 (hexadecimal); keeping the same again changes nothing."""
        ...

    def get(self, sha256: str) -> bytes:
        """The bytes; raises `DigestMismatch` when the disk no longer holds what was put."""
        ...

    def has(self, sha256: str) -> bool:
        """Says whether they are there."""
        ...

    def drop(self, sha256: str) -> None:
        """Forget bytes that nothing refers to (nothing of a document marked mật is kept)."""
        ...

    def names(self) -> Iterator[str]:
        """The name of everything that is kept, in order, each once."""
        ...

    def keep_mark(self, name: str, data: bytes) -> None:
        """Keep a few bytes under a name of ours (letters and dashes) beside the blobs, in the place of the former."""
        ...

    def mark(self, name: str) -> bytes | None:
        """What `keep_mark` kept last under that name."""
        ...

    def upload_size(self, upload: str) -> int:
        """How many bytes of an upload have come, 0 for a new one."""
        ...

    def upload_append(self, upload: str, offset: int, data: bytes) -> int:
        """Add a piece at `offset` and return the new size. Raises `UploadOffset` when something else is held."""
        ...

    def upload_finish(self, upload: str, sha256: str) -> None:
        """Keep a whole upload as a blob. Raises `DigestMismatch` (and drops the bytes) when it is not `sha256`."""
        ...

    def upload_drop(self, upload: str) -> None:
        """Forget an upload."""
        ...

    def sweep(self, before: datetime) -> int:
        """Forget what nobody has touched since `before`: uploads never finished, files of writers that were killed."""
        ...


class LocalBlobs:
    """Blobs and uploads in a folder of the local disk."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._uploads = folder / "uploads"
        self._marks = folder / "marks"
        for made in (self._blobs, self._uploads, self._marks):
            made.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        if self.has(sha256):
            self._keep_names(sha256)  # a twin may have linked it this instant, and our caller commits next
            return sha256
        with _room():
            temporary = self._uploads / f"{uuid4().hex}.tmp"
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()  # what is still in this process is not synced
                    _sync(file.fileno())
                self._link(temporary, sha256)
            finally:
                temporary.unlink(missing_ok=True)
        return sha256

    def get(self, sha256: str) -> bytes:
        try:
            data = self._path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise NotFound from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DigestMismatch
        return data

    def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    def upload_size(self, upload: str) -> int:
        file = self._upload(upload)
        return file.stat().st_size if file.is_file() else 0

    def upload_append(self, upload: str, offset: int, data: bytes) -> int:
        with _room(), self._piece(upload, new=offset == 0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # a twin that saw the same size must find another one
            held = file.seek(0, os.SEEK_END)
            if held != offset:
                raise UploadOffset(offset=held)
            try:
                file.write(data)
                file.flush()
                _sync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(file.fileno(), held)  # nothing of a piece that did not fit
                raise
            return held + len(data)

    def upload_finish(self, upload: str, sha256: str) -> None:
        file = self._upload(upload)
        try:
            with file.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
            if found != sha256:
                file.unlink()
                raise DigestMismatch
            self._link(file, sha256)
            file.unlink()
        except FileNotFoundError as error:  # finished before, by a twin or before a crash
            if not self.has(sha256):
                raise NotFound from error
            self._keep_names(sha256)

    def upload_drop(self, upload: str) -> None:
        self._upload(upload).unlink(missing_ok=True)

    def drop(self, sha256: str) -> None:
        self._path(sha256).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        for shelf in sorted(self._blobs.iterdir()):
            yield from sorted(file.name for file in shelf.iterdir())

    def keep_mark(self, name: str, data: bytes) -> None:
        with _room():
            temporary = self._uploads / f"{uuid4().hex}.tmp"
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    _sync(file.fileno())
                temporary.replace(self._marks / name)
            finally:
                temporary.unlink(missing_ok=True)
        _keep_name(self._marks)

    def mark(self, name: str) -> bytes | None:
        try:
            return (self._marks / name).read_bytes()
        except FileNotFoundError:
            return None

    def _piece(self, upload: str, *, new: bool) -> BinaryIO:
        """The file to append to; only the first piece makes one, so that a late piece leaves nothing behind."""
        try:
            return self._upload(upload).open("ab" if new else "r+b")
        except FileNotFoundError as error:
            raise UploadOffset(offset=0) from error

    def upload_path(self, upload: str) -> Path:
        """The file that holds what has come of an upload."""
        return self._upload(upload)

    def sweep(self, before: datetime) -> int:
        swept = 0
        for file in self._uploads.iterdir():
            with contextlib.suppress(FileNotFoundError):  # finished meanwhile
                if file.stat().st_mtime < before.timestamp():
                    file.unlink()
                    swept += 1
        return swept

    def _link(self, file: Path, sha256: str) -> None:
        target = self._path(sha256)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):  # somebody else kept the same bytes: that is the same blob
            os.link(file, target)
        self._keep_names(sha256)

    def _keep_names(self, sha256: str) -> None:
        """A name outlives a power cut only when its folder was synced."""
        for folder in (self._path(sha256).parent, self._blobs):
            _keep_name(folder)

    def _path(self, sha256: str) -> Path:
        return self._blobs / sha256[:2] / _digest(sha256)

    def _upload(self, upload: str) -> Path:
        if not upload.replace("_", "").isalnum():
            raise NotFound
        return self._uploads / upload


class S3Blobs:
    """Blobs in an S3-compatible store; uploads on their way in stay on the local disk until they are whole."""

    def __init__(self, store: S3Store, folder: Path) -> None:
        self._store = store
        self._local = LocalBlobs(folder)

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        with contextlib.suppress(obstore.exceptions.AlreadyExistsError):
            obstore.put(self._store, sha256, data, mode="create")
        return sha256

    def get(self, sha256: str) -> bytes:
        try:
            data = bytes(obstore.get(self._store, _digest(sha256)).bytes())
        except (obstore.exceptions.NotFoundError, FileNotFoundError) as error:
            raise NotFound from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DigestMismatch
        return data

    def has(self, sha256: str) -> bool:
        try:
            obstore.head(self._store, _digest(sha256))
        except (obstore.exceptions.NotFoundError, FileNotFoundError):
            return False
        return True

    def upload_size(self, upload: str) -> int:
        return self._local.upload_size(upload)

    def upload_append(self, upload: str, offset: int, data: bytes) -> int:
        return self._local.upload_append(upload, offset, data)

    def upload_finish(self, upload: str, sha256: str) -> None:
        try:
            data = self._local.upload_path(upload).read_bytes()
        except FileNotFoundError as error:  # finished before, by a twin or before a crash
            if not self.has(sha256):
                raise NotFound from error
            return
        good = hashlib.sha256(data).hexdigest() == sha256
        if good:
            self.put(data)
        self._local.upload_drop(upload)
        if not good:
            raise DigestMismatch

    def upload_drop(self, upload: str) -> None:
        self._local.upload_drop(upload)

    def sweep(self, before: datetime) -> int:
        return self._local.sweep(before)

    def names(self) -> Iterator[str]:
        for batch in obstore.list(self._store):
            yield from (name for item in batch if _is_digest(name := str(item["path"])))

    def keep_mark(self, name: str, data: bytes) -> None:
        obstore.put(self._store, f"marks/{name}", data)

    def mark(self, name: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._store, f"marks/{name}").bytes())
        except (obstore.exceptions.NotFoundError, FileNotFoundError):
            return None

    def drop(self, sha256: str) -> None:
        self._local.drop(sha256)
        with contextlib.suppress(obstore.exceptions.NotFoundError, FileNotFoundError):
            obstore.delete(self._store, _digest(sha256))


def _digest(sha256: str) -> str:
    """The name of a blob; anything else names none, and is never a path."""
    if not _is_digest(sha256):
        raise NotFound
    return sha256


def _is_digest(name: str) -> bool:
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def _keep_name(folder: Path) -> None:
    """A name outlives a power cut only when its folder was synced."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        _sync(handle)
    finally:
        os.close(handle)


def _sync(handle: int) -> None:
    os.fsync(handle)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """A full disk is said as such."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise
