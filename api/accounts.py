"""People who log in: passwords (argon2, NFC), the second factor, sessions. Only digests of session tokens are kept."""

import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
from pwdlib import PasswordHash

from api.errors import RateLimited, SecondFactorRequired, Unauthenticated
from api.store import Account, Session
from api.wiring import Parts
from exchange.rules.model import Actor, Role

FREE_FAILURES = 5
LONGEST_WAIT = timedelta(minutes=15)
LEAST_PASSWORD = 10
TOTP_STEP = 30

_passwords = PasswordHash.recommended()
_NOBODY = _passwords.hash(secrets.token_hex())
"""Checked when there is no such account, so that the time taken does not tell."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the person, the office and roles acted in, and the session's word against forged forms."""

    actor: Actor
    account: Account
    csrf: str

    @property
    def name(self) -> str:
        """The person's name, for the page."""
        return self.account.name


def new_account_id() -> str:
    """A pseudonym that tells nothing: it is all that events say about a person."""
    return f"p_{secrets.token_hex(16)}"


def hash_password(password: str) -> str:
    """The argon2 hash of a password; text is normalised (NFC), so that any keyboard's way of typing it fits."""
    return _passwords.hash(unicodedata.normalize("NFC", password))


def log_in(parts: Parts, login: str, password: str, code: str | None) -> tuple[str, Caller]:
    """A new session: its token, and who it is. Raises `Unauthenticated`, `SecondFactorRequired`, `RateLimited`."""
    at = parts.now()
    with parts.read() as reading:
        account = reading.people.account_by_login(login)
        roles = reading.people.roles(account.id) if account else {}
        office = min(roles, default="")
        required = bool(account) and reading.people.second_factor_required(office)
    if account is not None:
        _wait(account, at)
    right = _passwords.verify(unicodedata.normalize("NFC", password), account.password_hash if account else _NOBODY)
    if account is None or not right or not roles or account.locked:
        _remember_failure(parts, account, at)
        raise Unauthenticated
    _second_factor(parts, account, code, required, at)
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with parts.write() as writing:
        writing.people.forget_failures(account.id)
        writing.people.add_session(_digest(token), account.id, office, csrf, at)
    return token, Caller(Actor(account.id, office, roles[office]), account, csrf)


def log_out(parts: Parts, token: str) -> None:
    """End the session of a token."""
    with parts.write() as writing:
        writing.people.end_session(_digest(token))


def caller_of(parts: Parts, token: str) -> Caller:
    """Who a session token stands for. Raises `Unauthenticated` when the session has ended."""
    at, digest = parts.now(), _digest(token)
    with parts.read() as reading:
        session = reading.people.session(digest)
        account = reading.people.account(session.account) if session else None
        roles = reading.people.roles(session.account) if session else {}
    if session is None or account is None or account.locked or session.office not in roles:
        raise Unauthenticated
    if _ended(parts, session, at):
        log_out(parts, token)
        raise Unauthenticated
    if at - session.seen_at > timedelta(minutes=1):
        with parts.write() as writing:
            writing.people.touch_session(digest, at)
    return Caller(Actor(account.id, session.office, roles[session.office]), account, session.csrf)


def same_word(one: str, other: str) -> bool:
    """Compare two secrets without telling by the time taken where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def leaders(parts: Parts, office: str) -> list[Account]:
    """The people of an office who can be asked to sign."""
    with parts.read() as reading:
        return reading.people.people_of(office, Role.LEADER)


def _ended(parts: Parts, session: Session, at: datetime) -> bool:
    idle = timedelta(minutes=parts.settings.session_idle_minutes)
    whole = timedelta(hours=parts.settings.session_hours)
    return at - session.seen_at > idle + timedelta(minutes=1) or at - session.created_at > whole


def _wait(account: Account, at: datetime) -> None:
    """After five wrong passwords each further try must wait, twice as long every time."""
    if account.failures < FREE_FAILURES or account.failed_at is None:
        return
    wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(account.failures - FREE_FAILURES + 1, 20)))
    left = account.failed_at + wait - at
    if left > timedelta(0):
        raise RateLimited(seconds=max(1, round(left.total_seconds())))


def _remember_failure(parts: Parts, account: Account | None, at: datetime) -> None:
    if account is not None:
        with parts.write() as writing:
            writing.people.count_failure(account.id, at)


def _second_factor(parts: Parts, account: Account, code: str | None, required: bool, at: datetime) -> None:
    """A code counts once: its step is spent. One step of clock difference is allowed."""
    if account.totp_secret is None:
        if required:
            raise SecondFactorRequired
        return
    if not code:
        raise SecondFactorRequired
    step = _step_of(account.totp_secret, code, at)
    with parts.write() as writing:
        spent = step is not None and writing.people.use_totp_step(account.id, step)
    if not spent:
        _remember_failure(parts, account, at)
        raise Unauthenticated


def _step_of(secret: str, code: str, at: datetime) -> int | None:
    now_step = int(at.timestamp()) // TOTP_STEP
    totp = pyotp.TOTP(secret)
    for step in (now_step, now_step - 1, now_step + 1):
        if same_word(totp.generate_otp(step), code.strip()):
            return step
    return None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
