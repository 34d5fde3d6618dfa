"""The one guarded way out of the service: allow-list, checked addresses, no redirects, short waits, bounded answers.

A certificate names where to ask about it, and a stranger may have written that certificate: nothing is asked that the
operator did not allow by host and port. A name is looked up once, an address inside (loopback, private, link-local,
multicast) is refused, and the connection goes to the address that was checked. Implements `keys.model.Fetch`.
"""

import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from keys.model import RevocationData, TrustMaterial
from keys.revocation import RevocationSource

MOST_REQUESTS = 10
MOST_SECONDS = 20.0
"""For one verification, and the seconds for any single request too."""
CONNECT_SECONDS = 5.0
PIECE = 64 * 1024
PORTS = {"http": 80, "https": 443}
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Target(NamedTuple):
    """Where a request goes, read off its address."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def spelled(self) -> str:
        """`host:port` as the allow-list has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(slots=True)
class Budget:
    """What one verification may still ask, and until when (`time.monotonic`)."""

    requests: int
    until: float


_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)


class Outgoing:
    """Asks allowed hosts. `allowed` holds `host:port` pairs as they are written in addresses; a host that is an address
    may be any. A name leads outside only, unless its pair stands in `private` too.
    """

    def __init__(self, allowed: Sequence[str], private: Sequence[str] = ()) -> None:
        self._allowed = frozenset(pair.lower() for pair in allowed)
        self._private = frozenset(pair.lower() for pair in private)
        self._tls = ssl.create_default_context()

    def __call__(
        self, url: str, *, body: bytes | None = None, content_type: str | None = None, limit: int = 10_000_000
    ) -> bytes:
        """The body of a 200 answer of at most `limit` bytes; raises `ConnectionError` for everything else."""
        more = {"Content-Type": content_type} if content_type else {}
        return self._asked(url, body, more, limit, only=200)[1]

    def call(
        self, url: str, *, body: bytes, content_type: str, headers: Mapping[str, str], limit: int = 10_000_000,
        seconds: float = MOST_SECONDS,
    ) -> tuple[int, bytes]:  # fmt: skip
        """Status and body of whatever a POST is answered with; raises `ConnectionError` where nothing comes back.

        Implements `keys.model.Call`. It counts in no budget: a person waits for it, and no stranger chose the address.
        """
        return self._asked(url, body, {"Content-Type": content_type, **headers}, limit, time.monotonic() + seconds)

    def _asked(
        self,
        url: str,
        body: bytes | None,
        more: Mapping[str, str],
        limit: int,
        until: float | None = None,
        only: int | None = None,
    ) -> tuple[int, bytes]:
        target = _target(url)
        if target.spelled not in self._allowed:
            raise ConnectionError(f"{target.spelled} is not on the allow-list")
        until = self._until() if until is None else until
        addresses = self._checked_addresses(target, until)
        headers = {"Connection": "close", **more}
        try:
            with self._connected(target, addresses, until) as connection:
                connection.request("GET" if body is None else "POST", target.path, body, headers)
                answer = connection.getresponse()
                if only is not None and answer.status != only:
                    raise ConnectionError(f"{target.spelled} answered {answer.status}")
                return answer.status, _bounded(answer, limit, until)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, ConnectionError) and not isinstance(error, http.client.HTTPException):
                raise
            raise ConnectionError(f"{target.spelled}: {type(error).__name__}") from error

    @contextmanager
    def budget(self, *, requests: int = MOST_REQUESTS, seconds: float = MOST_SECONDS) -> Iterator[None]:
        """What is asked inside belongs to one verification; more is refused unasked, and so is all after its time."""
        token = _budget.set(Budget(requests, time.monotonic() + seconds))
        try:
            yield
        finally:
            _budget.reset(token)

    @staticmethod
    def _until() -> float:
        """Until when this request may take; counts it."""
        now, budget = time.monotonic(), _budget.get()
        if budget is None:
            return now + MOST_SECONDS
        if budget.requests <= 0 or now >= budget.until:
            raise ConnectionError("this verification has asked enough")
        budget.requests -= 1
        return budget.until

    def _checked_addresses(self, target: Target, until: float) -> list[str]:
        """The addresses that may be connected to; raises `ConnectionError` when there is none."""
        if _is_address(target.host):
            return [target.host]  # listed as such by the operator
        found = _looked_up(target, until)
        if target.spelled not in self._private:
            found = [address for address in found if is_outside(address)]
        if not found:
            raise ConnectionError(f"{target.spelled} leads inside, and is not on the list of private hosts")
        return found

    @contextmanager
    def _connected(
        self, target: Target, addresses: Sequence[str], until: float
    ) -> Iterator[http.client.HTTPConnection]:
        """A connection to one of the addresses, cut when the time is over, whatever it is waiting for."""
        plain = _dialled(addresses, target.port, until)
        line: socket.socket = plain
        try:
            if target.secure:
                line = self._tls.wrap_socket(plain, server_hostname=target.host, do_handshake_on_connect=False)
            cut = threading.Timer(max(until - time.monotonic(), 0), _cut, [line])
            cut.daemon = True
            cut.start()
            try:
                if isinstance(line, ssl.SSLSocket):
                    line.do_handshake()
                connection = http.client.HTTPConnection(target.host, target.port)
                connection.sock = line
                if target.secure:
                    connection.default_port = PORTS["https"]  # so that the header Host has no needless port
                yield connection
            finally:
                cut.cancel()
        finally:
            line.close()


class WithinBudget:
    """A `RevocationSource` whose every question about a file keeps to one budget."""

    def __init__(self, source: RevocationSource, outgoing: Outgoing) -> None:
        self._source = source
        self._outgoing = outgoing

    def about(self, certificates: Sequence[bytes], material: TrustMaterial, *, at: datetime) -> RevocationData:
        """See `RevocationSource.about`."""
        with self._outgoing.budget():
            return self._source.about(certificates, material, at=at)


def is_outside(address: str) -> bool:
    """Whether an IP address belongs to the world outside: not loopback, private, link-local, multicast or reserved.

    An address that wraps another (IPv4 in IPv6, 6to4, NAT64) is as good as the one inside.
    """
    ip: Address = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_outside(str(inner))
    inside = ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_reserved
    return ip.is_global and not inside and not ip.is_unspecified


def _target(url: str) -> Target:
    try:
        parts = urlsplit(url)
        usual = PORTS[parts.scheme]
        port = parts.port or usual
        host = (parts.hostname or "").encode("idna" if not _is_address(parts.hostname or "") else "ascii").decode()
    except (KeyError, ValueError) as error:
        raise ConnectionError("only http and https are asked") from error
    if parts.username is not None or parts.password is not None or not host:
        raise ConnectionError("an address with a user name is not asked")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise ConnectionError("the address is malformed")
    return Target(parts.scheme == "https", host.lower(), port, path)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _looked_up(target: Target, until: float) -> list[str]:
    """The addresses of a name, from a thread of its own: the system's resolver keeps to no time limit."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(one[4][0]) for one in found)))
        except (OSError, UnicodeError) as error:
            answers.put(OSError(str(error)))

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=max(min(until - time.monotonic(), CONNECT_SECONDS), 0.001))
    except queue.Empty:
        raise ConnectionError(f"{target.spelled} is not found in time") from None
    if isinstance(answer, OSError):
        raise ConnectionError(f"{target.spelled} is not found") from answer
    return answer


def _dialled(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    """A line to the first address that answers."""
    last: OSError = TimeoutError()
    for address in addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            line = socket.create_connection((address, port), timeout=min(left, CONNECT_SECONDS))
        except OSError as error:
            last = error
            continue
        line.settimeout(max(left, MOST_SECONDS))
        return line
    raise ConnectionError(f"{addresses[0]}:{port}: {type(last).__name__}") from last


def _cut(line: socket.socket) -> None:
    """End a line under whoever waits on it."""
    with suppress(OSError):  # it has ended already
        socket.socket.shutdown(line, socket.SHUT_RDWR)


def _bounded(answer: http.client.HTTPResponse, limit: int, until: float) -> bytes:
    got = bytearray()
    while piece := answer.read1(PIECE):
        got += piece
        if len(got) > limit:
            raise ConnectionError("the answer is too long")
    if answer.length or time.monotonic() >= until:
        raise ConnectionError("the answer did not end in time")
    return bytes(got)
