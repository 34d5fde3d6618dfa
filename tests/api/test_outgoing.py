"""The way out asks allowed hosts only, at addresses outside only, once, briefly, and reads no more than it wants.

Real sockets on loopback; only the system's resolver is told what a name means.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from api.outgoing import MOST_REQUESTS, Outgoing, WithinBudget, is_outside
from keys.model import RevocationData, TrustMaterial
from keys.revocation import OnlineRevocation
from tests.fixtures.pilot import OFFICE_CODE, OFFICE_NAME, now


class Server:
    """A server on loopback that counts requests and answers as its path says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hosts: list[str | None] = []
        self.bodies: list[bytes] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.hosts.append(self.headers.get("Host"))
                server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                if self.path == "/away":
                    self.send_response(302)
                    self.send_header("Location", "/good")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = b"x" * 2_000_000 if self.path == "/long" else b"answer"
                self.send_response(404 if self.path == "/none" else 200)
                self.send_header("Content-Length", str(len(body) + (5 if self.path == "/short" else 0)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:  # noqa: ARG002
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.pair = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.pair}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def server(running: Server) -> Server:
    for kept in (running.asked, running.hosts, running.bodies):
        kept.clear()
    return running


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names mean; a name that is not here is not found. Addresses mean themselves."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *more: object, **how: object) -> list[object]:
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]
        if host.replace(".", "").isdigit():
            return list(real(host, port, *more, **how))  # type: ignore[arg-type]
        raise socket.gaierror(f"{host} is unknown")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@contextmanager
def dripping(piece: bytes, first: bytes = b"") -> Iterator[str]:
    """A server that sends `first` and then `piece` again and again, so that no single wait is long."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        line, _ = listening.accept()
        with line:
            line.recv(4096)
            try:
                line.sendall(first)
                while not over.wait(0.02):
                    line.sendall(piece)
            except OSError:
                pass

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    over.set()
    thread.join(10)
    listening.close()


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ConnectionError) as error:
        call()
    return str(error.value)


# -- the list --


def test_an_allowed_host_is_asked_with_get_and_post(server):
    way = Outgoing([server.pair])

    assert way(f"{server.url}/good") == b"answer"
    assert way(f"{server.url}/good?a=b", body=b"question", content_type="application/ocsp-request") == b"answer"
    assert (server.asked, server.bodies) == (["/good", "/good?a=b"], [b"", b"question"])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/", "http://other.example/", "https://127.0.0.1:{port}x/", "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd", "http://user@127.0.0.1:{port}/", "http://user:word@127.0.0.1:{port}/", "http:///x",
        "http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://127.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
        "http://127.0.0.1:{port}/a b", "http://127.0.0.1:{port}/\u1ea1", "", "http://[::1", "http://127.0.0.1:99999/",
    ],
)  # fmt: skip
def test_everything_else_is_refused_unasked(server, url):
    refused(lambda: Outgoing([server.pair])(url.format(port=server.port)))
    assert server.asked == []


def test_a_line_break_in_an_address_cannot_write_a_header(server):
    way = Outgoing([server.pair])
    with pytest.raises(ConnectionError):
        way(f"{server.url}/good%0d%0a HTTP/1.1\r\nX: y")
    assert server.asked == []


def test_nothing_is_allowed_by_default(server):
    assert "allow-list" in refused(lambda: Outgoing([])(f"{server.url}/good"))
    assert server.asked == []


# -- addresses --


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "::1"]
)
def test_an_allowed_name_that_leads_inside_is_refused_unasked(server, names, address):
    names["ocsp.example.vn"] = [address]

    told = refused(lambda: Outgoing([f"ocsp.example.vn:{server.port}"])(f"http://ocsp.example.vn:{server.port}/good"))

    assert "inside" in told
    assert server.asked == []


def test_a_name_on_the_private_list_may_lead_inside(server, names):
    names["ocsp.example.vn"] = ["127.0.0.1"]
    pair = f"ocsp.example.vn:{server.port}"

    assert Outgoing([pair], [pair])(f"http://{pair}/good") == b"answer"
    assert server.hosts == [pair]
    assert "allow-list" in refused(lambda: Outgoing([], [pair])(f"http://{pair}/good"))


def test_the_connection_goes_to_the_address_that_was_checked(server, names, monkeypatch):
    """A name that means something else the second time (rebinding) is looked up only once."""
    names["ocsp.example.vn"] = ["8.8.8.8"]
    dialled = []
    look_up = socket.getaddrinfo

    def rebinding(host: str, *more: object, **how: object) -> list[object]:
        found = look_up(host, *more, **how)  # type: ignore[arg-type]
        names["ocsp.example.vn"] = ["127.0.0.1"]
        return list(found)

    def dial(where: tuple[str, int], *_: object, **__: object) -> None:
        dialled.append(where)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", dial)
    refused(lambda: Outgoing([f"ocsp.example.vn:{server.port}"])(f"http://ocsp.example.vn:{server.port}/good"))

    assert dialled == [("8.8.8.8", server.port)]


def test_of_several_addresses_only_those_outside_are_tried(names, monkeypatch):
    names["ocsp.example.vn"] = ["10.0.0.1", "8.8.8.8"]
    dialled = []

    def dial(where: tuple[str, int], *_: object, **__: object) -> None:
        dialled.append(where[0])
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", dial)
    refused(lambda: Outgoing(["ocsp.example.vn:80"])("http://ocsp.example.vn/good"))

    assert dialled == ["8.8.8.8"]


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("::1", False), ("fe80::1", False),
        ("fd00::1", False), ("224.0.0.1", False), ("ff02::1", False), ("255.255.255.255", False), ("::", False),
        ("::ffff:10.0.0.1", False), ("::ffff:8.8.8.8", True), ("2002:7f00:1::", False), ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True), ("192.0.2.1", False), ("198.18.0.1", False), ("240.0.0.1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_outside(address, outside):
    assert is_outside(address) is outside


def test_a_name_that_nobody_knows_is_a_refusal(names):
    assert "not found" in refused(lambda: Outgoing(["nobody.example:80"])("http://nobody.example/"))


# -- answers --


def test_a_redirect_is_not_followed(server):
    assert "302" in refused(lambda: Outgoing([server.pair])(f"{server.url}/away"))
    assert server.asked == ["/away"]


def test_only_a_whole_good_answer_within_the_limit_is_read(server):
    way = Outgoing([server.pair])

    assert "404" in refused(lambda: way(f"{server.url}/none"))
    assert "too long" in refused(lambda: way(f"{server.url}/long", limit=1_999_999))
    assert len(way(f"{server.url}/long", limit=2_000_000)) == 2_000_000
    refused(lambda: way(f"{server.url}/short"))


def test_a_server_that_is_gone_is_a_connection_error():
    with socket.create_server(("127.0.0.1", 0)) as free:
        pair = f"127.0.0.1:{free.getsockname()[1]}"
    refused(lambda: Outgoing([pair])(f"http://{pair}/"))


@pytest.mark.parametrize(
    "first", ["", *(f"HTTP/1.1 200 OK\r\n{rest}" for rest in ("X-A: ", "\r\n", "Content-Length: 99999\r\n\r\n"))]
)  # fmt: skip
def test_a_server_that_drips_is_cut_when_the_time_is_over(first):
    with dripping(b"a", first.encode()) as pair:
        way = Outgoing([pair])
        with way.budget(seconds=0.3):
            refused(lambda: way(f"http://{pair}/"))


def test_a_tls_server_that_says_nothing_is_cut_when_the_time_is_over():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pair = f"127.0.0.1:{silent.getsockname()[1]}"
        way = Outgoing([pair])
        with way.budget(seconds=0.3):
            refused(lambda: way(f"https://{pair}/"))


# -- the budget of one verification --


def test_a_verification_asks_no_more_than_ten_times(server):
    way = Outgoing([server.pair])
    with way.budget():
        for _ in range(MOST_REQUESTS):
            way(f"{server.url}/good")
        assert "enough" in refused(lambda: way(f"{server.url}/good"))
    assert len(server.asked) == MOST_REQUESTS
    assert way(f"{server.url}/good") == b"answer"


def test_after_its_time_a_verification_asks_nothing_more(server):
    way = Outgoing([server.pair])
    with way.budget(seconds=0):
        refused(lambda: way(f"{server.url}/good"))
    assert server.asked == []


def test_each_question_about_a_file_has_a_budget_of_its_own(server):
    way = Outgoing([server.pair])

    class Greedy:
        def about(self, *_: object, at: object) -> RevocationData:  # noqa: ARG002
            for _ in range(MOST_REQUESTS):
                way(f"{server.url}/good")
            refused(lambda: way(f"{server.url}/good"))
            return RevocationData()

    asking = WithinBudget(Greedy(), way)
    for _ in range(2):
        asking.about([], TrustMaterial(()), at=now())
    assert len(server.asked) == 2 * MOST_REQUESTS


def test_answers_of_a_real_authority_come_through(pilot_server, authority):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    person = authority.person("Trần Thị Bình", OFFICE_NAME, OFFICE_CODE, None, key.public_key(), now())
    way = Outgoing([pilot_server.url.removeprefix("http://")])

    found = WithinBudget(OnlineRevocation(way), way).about([person], authority.trust, at=now())

    assert found.ocsps or found.crls
