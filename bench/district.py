"""A small pilot for measuring: real keys, certificates and pictures, its authority in a process of its own."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from api.accounts import Caller, log_in
from api.engine import migrate_jobs
from api.migrations import upgrade
from api.pilot import build
from api.pilot.authority import start_authority
from api.pilot.walk import Login
from api.settings import Settings
from api.wiring import Database, Parts, build_parts

OFFICES = 3


@dataclass(frozen=True)
class District:
    """The running parts on SQLite, and who can log in."""

    parts: Parts
    logins: dict[str, Login]

    def caller(self, login: str) -> Caller:
        """That person, logged in."""
        return log_in(self.parts, login, self.logins[login].password, None)[1]

    def pin(self, login: str) -> str:
        """That person's PIN."""
        return self.logins[login].pin or ""

    @property
    def root(self) -> bytes:
        """The pilot's root certificate (DER)."""
        return (self.parts.settings.pilot / "root.cer").read_bytes()


@contextmanager
def district() -> Iterator[District]:
    """A fresh one; nothing of it stays."""
    with TemporaryDirectory(prefix="congvan-bench-") as folder:
        port = free_port()
        authority = f"127.0.0.1:{port}"
        settings = Settings(data=Path(folder) / "data", tsa_url=f"http://{authority}/tsa", outgoing_allowed=[authority])
        settings.data.mkdir(mode=0o700)
        database = Database(settings.database)
        upgrade(database.writer)
        migrate_jobs(database)
        database.close()
        parts = build_parts(settings)
        made = build.make_authority(parts, settings.pilot, port)
        logins = build.build_district(parts, made, count=OFFICES, progress=lambda *_: None)
        beside = start_authority(settings.pilot / "authority.json", port)
        try:
            yield District(parts, {one.login: one for one in logins})
        finally:
            beside.stop()
            parts.close()


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
