"""People who log in: passwords (argon2, NFC), the second factor, sessions. Only digests of session tokens are kept."""

import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import pyotp
from pwdlib import PasswordHash

from api.errors import RateLimited, SecondFactorRequired, SecondFactorWrong, Unauthenticated
from api.factors import open_factor, seal_factor
from api.store import Account, AccountStore, Session
from api.wiring import Parts
from exchange.errors import NotAllowed
from exchange.rules.model import Actor, Role

FREE_FAILURES = 5
LONGEST_WAIT = timedelta(minutes=15)
LEAST_PASSWORD = 10
TOTP_STEP = 30

_passwords = PasswordHash.recommended()


@cache
def _nobody() -> str:
    """Checked when there is no such account, so that the time taken does not tell; not made by who only imports."""
    return _passwords.hash(secrets.token_hex())


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the person, the office and roles acted in, and the session's word against forged forms."""

    actor: Actor
    account: Account
    csrf: str
    must_enrol: bool = False
    """The office requires a second factor that this person has not set up: until then nothing else may be done."""

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
    """A new session: its token, and who it is. Raises `Unauthenticated`, `SecondFactorRequired`, `RateLimited`.

    Whoever has a second factor must show it. Where the office requires one that the person has not set up yet, the
    session is good for setting it up and for nothing else.
    """
    at = parts.now()
    with parts.read() as reading:
        account = reading.people.account_by_login(login)
        roles = reading.people.roles(account.id) if account else {}
        office = min(roles, default="")
        must_enrol = _must_enrol(reading.people, account, office)
    if account is not None:
        _count_try(parts, account, at)
    nobody = _nobody()  # whoever it is, so that its making does not tell either
    right = _passwords.verify(unicodedata.normalize("NFC", password), account.password_hash if account else nobody)
    if account is None or not right or not roles or account.locked:
        raise Unauthenticated
    if account.factor is not None and not code:
        with parts.write() as writing:
            writing.people.take_back_failure(account.id)  # the password was right, and nothing was guessed
        raise SecondFactorRequired
    if account.factor is not None:
        _require_code(parts, account, code, at)
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with parts.write() as writing:
        writing.people.forget_failures(account.id)
        writing.people.add_session(_digest(token), account.id, office, csrf, at)
    return token, Caller(Actor(account.id, office, roles[office]), account, csrf, must_enrol)


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
        must_enrol = _must_enrol(reading.people, account, session.office if session else "")
    if session is None or account is None or account.locked or session.office not in roles:
        raise Unauthenticated
    if _ended(parts, session, at):
        log_out(parts, token)
        raise Unauthenticated
    if at - session.seen_at > timedelta(minutes=1):
        with parts.write() as writing:
            writing.people.touch_session(digest, at)
    return Caller(Actor(account.id, session.office, roles[session.office]), account, session.csrf, must_enrol)


def begin_second_factor(parts: Parts, caller: Caller, password: str) -> tuple[str, str]:
    """A fresh TOTP secret (base32) and its `otpauth:` address for an authenticator; nothing is kept before a code of it
    is shown. Raises `Unauthenticated` for a wrong password.
    """
    _require_password(parts, caller, password)
    secret = pyotp.random_base32()
    return secret, pyotp.TOTP(secret).provisioning_uri(name=caller.account.login, issuer_name="Công Văn")


def confirm_second_factor(parts: Parts, caller: Caller, secret: str, code: str) -> None:
    """Keep a secret of which the person shows a code; all other sessions end. Raises `SecondFactorWrong`."""
    step = _step_of(secret, code, parts.now()) if _is_secret(secret) else None
    if step is None or caller.account.factor is not None:
        raise SecondFactorWrong
    sealed = seal_factor(parts.masters, caller.account.id, secret)
    with parts.write() as writing:
        writing.keys.use_master(sealed.master, parts.now())
        writing.people.set_factor(caller.account.id, sealed)
        writing.people.use_totp_step(caller.account.id, step)
        writing.people.end_sessions(caller.account.id, besides=caller.csrf)


def drop_second_factor(parts: Parts, caller: Caller, password: str, code: str) -> None:
    """Go back to the password alone. Raises `Unauthenticated`, and `NotAllowed` where the office requires two."""
    with parts.read() as reading:
        required = reading.people.second_factor_required(caller.actor.office)
    if required:
        raise NotAllowed(needed="office_admin")
    _require_password(parts, caller, password)
    _require_code(parts, caller.account, code, parts.now())
    with parts.write() as writing:
        writing.people.set_factor(caller.account.id, None)


def require_second_factor(parts: Parts, caller: Caller, *, required: bool) -> None:
    """The office's rule, set by its administrator; it binds sessions that are open too. Raises `NotAllowed`."""
    if Role.OFFICE_ADMIN not in caller.actor.roles:
        raise NotAllowed(needed=Role.OFFICE_ADMIN)
    with parts.write() as writing:
        writing.people.require_second_factor(caller.actor.office, required)


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


def _count_try(parts: Parts, account: Account, at: datetime) -> None:
    """Count a try before it is made: guesses that come at the same moment do not all pass the same count.

    It is forgotten when the try was right. Raises `RateLimited`.
    """
    _wait(account, at)
    with parts.write() as writing:
        first = writing.people.count_failure(account.id, account.failures, at)
    if not first:
        raise RateLimited(seconds=1)


def _must_enrol(people: AccountStore, account: Account | None, office: str) -> bool:
    return account is not None and account.factor is None and people.second_factor_required(office)


def _require_password(parts: Parts, caller: Caller, password: str) -> None:
    """The person at the keyboard is the one who logged in. Raises `Unauthenticated`, `RateLimited`."""
    _count_try(parts, caller.account, parts.now())
    if not _passwords.verify(unicodedata.normalize("NFC", password), caller.account.password_hash):
        raise Unauthenticated
    with parts.write() as writing:
        writing.people.forget_failures(caller.account.id)


def _require_code(parts: Parts, account: Account, code: str | None, at: datetime) -> None:
    """A code counts once: its step is spent. One step of clock difference is allowed. Raises `KeyUnavailable`, too."""
    if not code:
        raise SecondFactorRequired
    if account.factor is None:
        raise Unauthenticated
    step = _step_of(open_factor(parts.masters, account.id, account.factor), code, at)
    with parts.write() as writing:
        spent = step is not None and writing.people.use_totp_step(account.id, step)
    if not spent:
        raise Unauthenticated


def _step_of(secret: str, code: str, at: datetime) -> int | None:
    now_step = int(at.timestamp()) // TOTP_STEP
    totp = pyotp.TOTP(secret)
    for step in (now_step, now_step - 1, now_step + 1):
        if same_word(totp.generate_otp(step), code.strip()):
            return step
    return None


def _is_secret(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
