"""Requests per second of the inbox, as a page and as JSON, of a real service process over HTTP on loopback.

The load comes from a process of its own with eight connections that stay open, on the same cores as the service: what
it takes, the service does not have. `/livez` is the same service answering with nothing to do: what HTTP itself costs.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from api.auth import COOKIE
from api.client import Congvan
from api.settings import Settings
from api.wiring import Parts, build_parts
from bench.district import OFFICES, free_port
from bench.tables import Table
from exchange.rules.ids import new_id
from exchange.rules.model import Channel, Consignment, Delivery, DeliveryState, Document, DocumentState

DELIVERIES = 1000
CONNECTIONS = 8
SECONDS = 3.0
CLERK, SENDER = "vanthu.cudliemnong", "vanthu.huyen"
SUMMARY = __doc__ or ""


@dataclass(frozen=True)
class Load:
    """What one round gave: answers each second, and seconds until an answer (half of them, 99 of 100)."""

    rate: float
    half: float
    late: float


def measure(*, rounds: int) -> tuple[str, str, list[Table]]:
    """Title, what was measured, and the tables."""
    with service() as (folder, address, passwords):
        parts = build_parts(Settings(data=folder))
        try:
            fill(parts, DELIVERIES)
        finally:
            parts.close()
        with Congvan.at(address) as clerk:
            clerk.log_in(CLERK, passwords[CLERK])
            paths = _paths(clerk)
            found = {name: [] for name in paths}
            for _ in range(rounds):
                for name, path in paths.items():
                    found[name].append(load(address, path, str(clerk.token)))
    rows = [
        [
            name,
            *(f"{median(of(one) for one in seen):{form}}" for of, form in COLUMNS.values()),
            f"{median(one.rate / bare.rate for one, bare in zip(seen, found['/livez'], strict=True)):.2f}",
        ]
        for name, seen in found.items()
    ]
    title = f"{DELIVERIES} deliveries in the box, {CONNECTIONS} connections (medians of {rounds} interleaved rounds)"
    return "The inbox: requests per second", SUMMARY.strip(), [Table(title, ["path", *COLUMNS, "/ livez"], rows)]


COLUMNS: dict[str, tuple[Callable[[Load], float], str]] = {
    "requests/s": (lambda one: one.rate, ".0f"),
    "p50 ms": (lambda one: 1000 * one.half, ".1f"),
    "p99 ms": (lambda one: 1000 * one.late, ".1f"),
}


def fill(parts: Parts, count: int) -> None:
    """Write that many issued documents of the district with a delivery each to the first commune."""
    at = parts.now()
    with parts.write() as writing:
        district, commune = list(writing.tx.store.offices())[:2]
        for n in range(count):
            document = Document(
                id=new_id("doc", at), office=district, author="bench", type="official_letter", signer="bench",
                subject=f"Về việc triển khai chuyển đổi số cấp xã, đợt {n + 1}", signer_name="Nguyễn Văn Bình",
                urgency="normal", secrecy="unclassified", state=DocumentState.ISSUED, version=6, revision=4, chain=1,
                number=None, places={}, created_at=at, changed_at=at,
            )  # fmt: skip
            consignment = Consignment(
                id=new_id("con", at), document=document.id, revision=4, office=district, recipients_count=1,
                recipients_root="00" * 32, sender_reference=None, due=None, submitted_at=at,
            )  # fmt: skip
            delivery = Delivery(
                id=new_id("dlv", at), consignment=consignment.id, document=document.id, sender=district,
                office=commune, channel=Channel.LOCAL, state=DeliveryState.CONSIGNED, version=1, since=at,
            )  # fmt: skip
            writing.tx.store.add_document(document)
            writing.tx.store.add_consignment(consignment, [], [(commune, b"entry")])
            writing.tx.store.add_deliveries([delivery])


def load(address: str, path: str, token: str, body: object = None) -> Load:
    """One round of load from a process of its own; with a body, posted as JSON."""
    told = {**os.environ, "BENCH_TOKEN": token, "BENCH_BODY": json.dumps(body) if body is not None else ""}
    command = [sys.executable, "-m", "bench.inbox", address.removeprefix("http://"), path]
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout))


def _paths(clerk: Congvan) -> dict[str, str]:
    """What is asked, and the address of a page in the middle of the box, ten pages down."""
    following = ""
    for _ in range(10):
        answer = clerk.request("GET", f"/deliveries?box=in{following}").json()
        following = f"&after={answer['next']}"
    return {
        "/livez": "/livez",
        "JSON, first 50": "/api/v1/deliveries?box=in",
        "JSON, 50 from the middle": f"/api/v1/deliveries?box=in{following}",
        "page, first 50": "/incoming",
        "page, 50 from the middle": f"/incoming?{following[1:]}",
    }


@contextmanager
def service(*, walk: bool = False) -> Iterator[tuple[Path, str, dict[str, str]]]:
    """`congvan demo` in a fresh folder: its data, its address, the passwords; with `walk` after one whole road."""
    with TemporaryDirectory(prefix="congvan-bench-") as temporary:
        folder, port = Path(temporary) / "data", free_port()
        accounts = Path(temporary) / "accounts.json"
        arguments = [
            *(
                "demo",
                *(() if walk else ("--no-walk",)),
                "--folder",
                str(folder),
                "--port",
                str(port),
                "--offices",
                str(OFFICES),
            ),
            *("--accounts-file", str(accounts)),
        ]
        running = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # its log is written, as always, to nowhere
        try:
            while not _ready(port):
                if running.poll() is not None:
                    raise RuntimeError("the service ended")
                time.sleep(0.1)
            rows = json.loads(accounts.read_text("utf-8"))
            yield folder, f"http://127.0.0.1:{port}", {row["login"]: row["password"] for row in rows}
        finally:
            running.terminate()
            running.wait(30)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


# -- the process that makes the load --


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("path")
    asked = parser.parse_args()
    token, body = os.environ["BENCH_TOKEN"], os.environ.get("BENCH_BODY") or None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if body else {}
    headers = headers or {"Cookie": f"{COOKIE}={token}"}
    stop = time.perf_counter() + SECONDS
    taken: list[float] = []
    threads = [
        threading.Thread(target=_one_connection, args=(asked.host, asked.path, headers, body, stop, taken))
        for _ in range(CONNECTIONS)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - begun
    taken.sort()
    done = Load(len(taken) / passed, taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 99 // 100)])
    print(json.dumps(asdict(done)))


def _one_connection(
    host: str, path: str, headers: dict[str, str], body: str | None, stop: float, taken: list[float]
) -> None:
    connection = http.client.HTTPConnection(host, timeout=30)
    while (begun := time.perf_counter()) < stop:
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        taken.append(time.perf_counter() - begun)


if __name__ == "__main__":
    _main()
