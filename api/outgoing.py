"""The one guarded way out of the service: allow-list, no redirects, short waits, bounded answers. A `keys.model.Fetch`.

A certificate names where to ask about it, and a stranger may have written that certificate: nothing is asked that the
operator did not allow by host and port.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx2

WAIT = httpx2.Timeout(10, connect=5)


class Outgoing:
    """Asks allowed hosts; `allowed` holds `host:port` pairs as they are written in addresses."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = frozenset(allowed)
        self._client = httpx2.Client(timeout=WAIT, follow_redirects=False, trust_env=False)

    def __call__(
        self, url: str, *, body: bytes | None = None, content_type: str | None = None, limit: int = 10_000_000
    ) -> bytes:
        """The body of a 200 answer of at most `limit` bytes; raises `ConnectionError` for everything else."""
        self._require_allowed(url)
        headers = {"Content-Type": content_type} if content_type else {}
        method = "GET" if body is None else "POST"
        try:
            with self._client.stream(method, url, content=body, headers=headers) as answer:
                if answer.status_code != 200:
                    raise ConnectionError(f"{urlsplit(url).netloc} answered {answer.status_code}")
                return _bounded(answer, limit)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise ConnectionError(f"{urlsplit(url).netloc}: {type(error).__name__}") from error

    def _require_allowed(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (KeyError, ValueError) as error:
            raise ConnectionError("only http and https are asked") from error
        if parts.username is not None or f"{parts.hostname}:{port}" not in self._allowed:
            raise ConnectionError(f"{parts.hostname}:{port} is not on the allow-list")


def _bounded(answer: httpx2.Response, limit: int) -> bytes:
    got = bytearray()
    for piece in answer.iter_bytes():
        got += piece
        if len(got) > limit:
            raise ConnectionError("the answer is too long")
    return bytes(got)
