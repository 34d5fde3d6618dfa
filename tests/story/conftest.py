"""A real service for the stories: `congvan demo` as its own process tree, on either database, that can be killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from api.client import Congvan
from api.pilot.walk import Login


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """One pilot service in a folder of its own; the folder outlives every kill."""

    def __init__(self, folder: Path, *, offices: int, database_url: str | None, walk: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._accounts = folder / "accounts.json"
        self._environment = dict(os.environ)
        if database_url:
            self._environment["CONGVAN_DATABASE_URL"] = database_url
        self._arguments = [
            *("demo", "--folder", str(folder), "--port", str(self.port), "--offices", str(offices)),
            *("--accounts-file", str(self._accounts), *([] if walk else ["--no-walk"])),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder.parent / f"{folder.name}.log"

    def start(self, seconds: float = 120) -> None:
        """Start it and return when it says that it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", *self._arguments],
                env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                raise AssertionError(f"the service ended: {self.log.read_text()[-4000:]}")
            try:
                if httpx2.get(f"{self.address}/readyz", timeout=2).status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"the service is not ready: {self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """`kill -9` of the service itself; its children must end by themselves."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def logins(self) -> dict[str, Login]:
        """Who can log in, as `demo` wrote it down when it made the pilot."""
        rows = json.loads(self._accounts.read_text("utf-8"))
        return {row["login"]: Login(**row) for row in rows}

    @property
    def anchor(self) -> bytes:
        """The pilot's root certificate (DER)."""
        return (self.folder / "pilot" / "root.cer").read_bytes()

    def connect(self) -> httpx2.Client:
        """A fresh HTTP client."""
        return httpx2.Client(base_url=self.address, timeout=60)

    def person(self, login: str) -> Congvan:
        """That person, logged in over HTTP."""
        client = Congvan(self.connect())
        client.log_in(login, self.logins[login].password)
        return client


MakeService = Callable[..., Service]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Every story is told on both databases."""
    return str(request.param)


@pytest.fixture(scope="session")
def make_service(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgresql: Callable[[], str]
) -> Iterator[MakeService]:
    """`make_service(kind="sqlite", offices=4)` starts a service; all of them end with the run."""
    made: list[Service] = []

    def make(*, kind: str = "sqlite", offices: int = 4, walk: bool = False) -> Service:
        url = fresh_postgresql() if kind == "postgresql" else None
        service = Service(tmp_path_factory.mktemp("pilot") / "data", offices=offices, database_url=url, walk=walk)
        made.append(service)
        service.start()
        return service

    yield make
    for service in made:
        service.stop()


@pytest.fixture(scope="session")
def service(make_service: MakeService, database_kind: str) -> Service:
    """One running service with a district of four, on the database of the run."""
    return make_service(kind=database_kind)
