"""Files that a visitor had checked, kept for some minutes so that the signed revision beside them can be looked at.

A file is found only by an id that nobody can guess together with the browser it was given to: its name on the disk is
a digest of both. All of them together are bounded in number and bytes; when there is no more room, the oldest go.
"""

import contextlib
import hashlib
import json
import os
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import structlog

from api.errors import CheckedFileGone

log = structlog.get_logger("congvan.visiting")
LIVES = timedelta(minutes=10)
MOST_FILES = 100
MOST_BYTES = 256 * 1024 * 1024
_LENGTH = 8


@dataclass(frozen=True, slots=True)
class VisitorFile:
    """A checked file under the name that it had on the visitor's machine; `report` is canonical JSON."""

    name: str
    report: bytes
    pdf: bytes


class VisitorFiles:
    """The folder in which they lie. Safe to share by threads and by processes."""

    def __init__(self, folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_files, self._most_bytes = most_files, most_bytes
        self._lock = threading.Lock()

    def keep(self, browser: str, file: VisitorFile, *, at: datetime) -> str | None:
        """The id under which this browser finds the file for `LIVES`. None when it was not kept: too large, disk full.

        Not keeping it is no error: the verdict was what the visitor came for.
        """
        head = json.dumps({"name": file.name, "report": file.report.decode()}).encode()
        size = _LENGTH + len(head) + len(file.pdf)
        if size > self._most_bytes:
            return None
        id_ = secrets.token_urlsafe(24)
        try:
            with self._lock:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._make_room(size, at)
                self._write(_name(browser, id_), (len(head).to_bytes(_LENGTH, "big"), head, file.pdf), at)
        except OSError as error:
            log.warning("visitor-file-not-kept", error=type(error).__name__)
            return None
        return id_

    def find(self, browser: str, id_: str, *, at: datetime) -> VisitorFile:
        """The file that this browser was given that id for. Raises `CheckedFileGone`, also when it never was."""
        path = self._folder / _name(browser, id_)
        try:
            if path.stat().st_mtime < (at - LIVES).timestamp():
                raise CheckedFileGone(minutes=LIVES.seconds // 60)
            held = path.read_bytes()
        except FileNotFoundError as error:
            raise CheckedFileGone(minutes=LIVES.seconds // 60) from error
        begins = _LENGTH + int.from_bytes(held[:_LENGTH], "big")
        head = json.loads(held[_LENGTH:begins])
        return VisitorFile(head["name"], head["report"].encode(), held[begins:])

    def sweep(self, at: datetime) -> None:
        """Delete whatever has lived its time."""
        for path in self._oldest_first():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < (at - LIVES).timestamp():
                    path.unlink()

    def _make_room(self, size: int, at: datetime) -> None:
        self.sweep(at)
        held = self._oldest_first()
        sizes = {path: _size(path) for path in held}
        while held and (len(held) >= self._most_files or sum(sizes[path] for path in held) + size > self._most_bytes):
            held.pop(0).unlink(missing_ok=True)

    def _write(self, name: str, parts: tuple[bytes, ...], at: datetime) -> None:
        temporary = self._folder / f"{uuid4().hex}.tmp"
        try:
            with temporary.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                for part in parts:
                    file.write(part)
            os.utime(temporary, (at.timestamp(), at.timestamp()))
            temporary.rename(self._folder / name)
        finally:
            temporary.unlink(missing_ok=True)

    def _oldest_first(self) -> list[Path]:
        held = []
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    held.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(held)]


def _name(browser: str, id_: str) -> str:
    return hashlib.sha256(f"{len(browser)}:{browser}{id_}".encode()).hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
