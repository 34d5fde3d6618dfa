"""A real service for the stories: `congvan demo` as its own process tree, on either database, that can be killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from api.client import Congvan
from api.pilot.walk import Login
from api.wiring import now
from keys.authority import PilotAuthority


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(held: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait until something holds; fail with `what` when it does not in time."""
    give_up = time.monotonic() + seconds
    while not held():
        assert time.monotonic() < give_up, f"not in {seconds:.0f} s: {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether that process still runs (one that only waits to be counted by its parent does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> dict[int, str]:
    """All processes below one, by number: their command lines."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and alive(int(entry.name)):
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    wanted = {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted} - found.keys()
        for child in wanted:
            with contextlib.suppress(OSError):
                found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
    return found


class Service:
    """One pilot service in a folder of its own; the folder outlives every kill."""

    def __init__(self, folder: Path, *, offices: int, database_url: str | None, walk: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._accounts = folder / "accounts.json"
        # compiled once for all starts of a run: a test that restarts ten times must not compile ten times
        self.environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder.parent.parent / "compiled")}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.database_url = database_url or f"sqlite:///{folder / 'congvan.sqlite'}"
        if database_url:
            self.environment["CONGVAN_DATABASE_URL"] = database_url
        self._arguments = [
            *("demo", "--folder", str(folder), "--port", str(self.port), "--offices", str(offices)),
            *("--accounts-file", str(self._accounts), *([] if walk else ["--no-walk"])),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._beside = contextlib.ExitStack()
        self.log = folder.parent / f"{folder.name}.log"

    def start(self, seconds: float = 240) -> None:
        """Start it and return when it says that it is ready."""
        self._beside.close()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", *self._arguments],
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                raise AssertionError(f"the service ended: {self.log.read_text()[-4000:]}")
            try:
                if httpx2.get(f"{self.address}/readyz", timeout=2).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"the service is not ready: {self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """`kill -9` of the service itself; its children must end by themselves."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """End it in good order."""
        self._beside.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def family(self) -> dict[int, str]:
        """Every process below the service now, by number: what it runs."""
        return descendants(self.pid)

    def child(self, command: str) -> int:
        """The process of one command that the service started beside itself, `worker` or `authority`; 0 for none."""
        return next((pid for pid, line in self.family().items() if f"api.cli {command}" in line), 0)

    @contextmanager
    def authority_away(self) -> Iterator["StandIn"]:
        """Kill the pilot authority; a `StandIn` on its port answers as it is told, and truthfully in the end."""
        self._beside.close()
        killed = self.child("authority")
        if killed:
            os.kill(killed, signal.SIGKILL)
            until(lambda: not alive(killed), "the authority lives on")
        folder = self.folder / "pilot"
        kept = PilotAuthority.from_bytes((folder / "authority.json").read_bytes())
        stand_in = StandIn(int((folder / "port").read_text()), kept)
        try:
            yield stand_in
        finally:
            # until the service is started again, which brings the authority's own process back
            self._beside.enter_context(stand_in.answering(stand_in.truth))

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


Reply = tuple[int, str, bytes]
"""Status, content type, body."""


class StandIn:
    """In the place of the killed pilot authority, on its port: nobody answers, except within `answering`."""

    def __init__(self, port: int, authority: PilotAuthority) -> None:
        self._port = port
        self._released = threading.Event()
        self.authority = authority
        self.asked: list[str] = []

    @contextmanager
    def answering(self, reply: Callable[[str, bytes], Reply]) -> Iterator[None]:
        """Answer every request so; `asked` holds the paths of this time."""
        self.asked = []
        self._released.clear()
        server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler(reply))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._released.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def truth(self, path: str, body: bytes) -> Reply:
        """What the authority itself answers."""
        found = self.authority.answer(path, body, now())
        return (200, *found) if found else (404, "text/plain", b"")

    def silence(self, path: str, body: bytes) -> Reply:  # noqa: ARG002
        """Take the request and say nothing."""
        self._released.wait(60)
        raise ConnectionAbortedError

    def _handler(self, reply: Callable[[str, bytes], Reply]) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                stand_in.asked.append(self.path)
                with contextlib.suppress(ConnectionError):
                    status, kind, told = reply(self.path, body)
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(told)))
                    self.end_headers()
                    self.wfile.write(told)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:  # noqa: ARG002
                return

        return Handler


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
