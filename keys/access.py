"""Our own way into a remote signing service: a token that it gives for our id and secret, renewed when it ends.

OAuth 2.0 client credentials (RFC 6749 §4.4), as the Cloud Signature Consortium's API has them (1.0.4, oauth2/token).
Nothing here opens a socket or looks at a clock: both are handed in.
"""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from keys.errors import KeyUnavailable, Words
from keys.model import Call

LARGEST_ANSWER = 256 * 1024
EARLY = timedelta(seconds=30)
"""A token is not used in its last seconds: it would end on the way."""
SHORTEST = timedelta(minutes=5)
"""How long a token counts whose service does not say when it ends."""

AWAY = Words("dịch vụ ký số từ xa không trả lời", "the remote signing service does not answer")
NOT_LET_IN = Words(
    "dịch vụ ký số từ xa không nhận quyền truy cập của hệ thống", "the remote signing service refuses our access"
)
NONSENSE = Words("dịch vụ ký số từ xa trả lời sai", "the answer of the remote signing service makes no sense")


class ClientAccess:
    """Access tokens for our id and secret, asked for at `url` when one is needed. Safe to share by threads."""

    def __init__(self, url: str, client: str, secret: str, call: Call, now: Callable[[], datetime]) -> None:
        self._url, self._client, self._secret = url, client, secret
        self._call, self._now = call, now
        self._lock = threading.Lock()
        self._token = ""
        self._until: datetime | None = None

    def token(self) -> str:
        """A token that is good now. Raises `KeyUnavailable` when the service gives none."""
        with self._lock:
            if self._until is None or self._now() >= self._until:
                self._token, lives = self._asked()
                self._until = self._now() + lives - EARLY
            return self._token

    def refused(self, token: str) -> None:
        """The service does not take that token any more: the next one is asked for anew."""
        with self._lock:
            if token == self._token:
                self._until = None

    def _asked(self) -> tuple[str, timedelta]:
        told = {"grant_type": "client_credentials", "client_id": self._client, "client_secret": self._secret}
        try:
            status, answer = self._call(
                self._url, body=urlencode(told).encode(), content_type="application/x-www-form-urlencoded",
                headers={"Accept": "application/json"}, limit=LARGEST_ANSWER,
            )  # fmt: skip
        except ConnectionError as error:
            raise KeyUnavailable(why=AWAY) from error
        if status in (400, 401, 403):
            raise KeyUnavailable(why=NOT_LET_IN)
        said = json_object(answer) or {}
        token, seconds = said.get("access_token"), said.get("expires_in")
        kind = str(said.get("token_type", "")).lower()
        if status != 200 or not isinstance(token, str) or not _may_stand_in_a_header(token) or kind != "bearer":
            raise KeyUnavailable(why=NONSENSE)
        if isinstance(seconds, int) and 0 < seconds < 10**7:
            return token, timedelta(seconds=seconds)
        return token, SHORTEST


def json_object(answer: bytes) -> dict[str, Any] | None:
    """The JSON object that an answer is, None when it is none."""
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _may_stand_in_a_header(token: str) -> bool:
    return 0 < len(token) <= 8192 and all("!" <= letter <= "~" for letter in token)
