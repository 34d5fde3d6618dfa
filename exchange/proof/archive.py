"""The zip around an evidence pack: written the same for the same files, read only within bounds and without tricks."""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from exchange.errors import PackUnreadable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_OLDEST = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class PackLimits:
    """What a pack may hold when it is read: entries, and bytes unpacked of all of them and of one."""

    entries: int = 100_000
    total: int = 5_000_000_000
    one: int = 1_000_000_000


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """A zip of `files` (path → bytes), sorted by path, without dates: equal files give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _OLDEST), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def read_archive(pack: bytes, limits: PackLimits | None = None) -> dict[str, bytes]:
    """All files of a zip by path. Never unpacks more than `limits` allow, whatever the zip says about itself.

    Raises `PackUnreadable`: not a zip from its first byte on, a name that is a path trick or stands twice, encrypted,
    a method other than stored and deflated, larger than the limits, or damaged.
    """
    limits = limits or PackLimits()
    if not pack.startswith(b"PK\x03\x04"):
        raise PackUnreadable(why="zip")
    try:
        with zipfile.ZipFile(io.BytesIO(pack)) as archive:
            entries = archive.infolist()
            _check_entries(entries, limits)
            return {entry.filename: _read(archive, entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as e:
        raise PackUnreadable(why="zip") from e


def _check_entries(entries: list[zipfile.ZipInfo], limits: PackLimits) -> None:
    if len(entries) > limits.entries or sum(entry.file_size for entry in entries) > limits.total:
        raise PackUnreadable(why="zip > limits")
    if len({entry.filename.lower() for entry in entries}) != len(entries):
        raise PackUnreadable(why="zip: names")
    for entry in entries:
        plain = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if not plain or entry.flag_bits & _ENCRYPTED or not _NAME.fullmatch(entry.filename):
            raise PackUnreadable(why="zip: names")
        if entry.file_size > limits.one:
            raise PackUnreadable(why="zip > limits")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    # one byte more than promised, so that a bomb that lies about its size is noticed before it grows
    with archive.open(entry) as file:
        data = file.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise PackUnreadable(why="zip: sizes")
    return data
