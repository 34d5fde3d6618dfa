"""Bytes under their SHA-256, written once and never changed: on the local disk or in an S3-compatible store.

A local blob is on the disk before its row is committed: temporary file, fsync, link, fsync of the folder
(obstore's own local store does not fsync, so it is not used for that).
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
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


class LocalBlobs:
    """Blobs and uploads in a folder of the local disk."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._uploads = folder / "uploads"
        for made in (self._blobs, self._uploads):
            made.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.has(sha256):
            with _room():
                temporary = self._uploads / f"{uuid4().hex}.tmp"
                try:
                    with temporary.open("xb") as file:
                        file.write(data)
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
        with _room(), self._upload(upload).open("ab") as file:
            held = file.tell()
            if held != offset:
                raise UploadOffset(offset=held)
            file.write(data)
            _sync(file.fileno())
            return held + len(data)

    def upload_finish(self, upload: str, sha256: str) -> None:
        file = self._upload(upload)
        if not file.is_file():
            if self.has(sha256):
                return
            raise NotFound
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != sha256:
            file.unlink()
            raise DigestMismatch
        self._link(file, sha256)
        file.unlink(missing_ok=True)

    def upload_drop(self, upload: str) -> None:
        self._upload(upload).unlink(missing_ok=True)

    def _link(self, file: Path, sha256: str) -> None:
        target = self._path(sha256)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):  # somebody else kept the same bytes: that is the same blob
            os.link(file, target)
        for folder in (target.parent, self._blobs):
            handle = os.open(folder, os.O_RDONLY)
            try:
                _sync(handle)
            finally:
                os.close(handle)

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise NotFound
        return self._blobs / sha256[:2] / sha256

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
            data = bytes(obstore.get(self._store, sha256).bytes())
        except (obstore.exceptions.NotFoundError, FileNotFoundError) as error:
            raise NotFound from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DigestMismatch
        return data

    def has(self, sha256: str) -> bool:
        try:
            obstore.head(self._store, sha256)
        except (obstore.exceptions.NotFoundError, FileNotFoundError):
            return False
        return True

    def upload_size(self, upload: str) -> int:
        return self._local.upload_size(upload)

    def upload_append(self, upload: str, offset: int, data: bytes) -> int:
        return self._local.upload_append(upload, offset, data)

    def upload_finish(self, upload: str, sha256: str) -> None:
        if self._local.upload_size(upload) == 0 and self.has(sha256):
            return
        self._local.upload_finish(upload, sha256)
        self.put(self._local.get(sha256))

    def upload_drop(self, upload: str) -> None:
        self._local.upload_drop(upload)


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
