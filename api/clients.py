"""Programs that act for offices: OAuth 2 client credentials (RFC 6749 §4.4), tokens of ten minutes.

A program proves itself by a secret (`client_secret_basic`) or by a signed assertion (`private_key_jwt`, RFC 7523). Only
digests of secrets and tokens are kept. A granted scope is never wider than the client's.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from api.accounts import Caller
from api.client_store import Client, Grant
from api.errors import AlreadyThere, PublicKeyUnreadable, ScopeUnknown, SenderMismatch, Unauthenticated
from api.scopes import SCOPES
from api.store import Account
from api.wiring import Parts
from exchange.errors import NotFound, RecipientUnknown
from exchange.rules.model import Actor, Role

TOKEN_LIVES = timedelta(minutes=10)
ASSERTION_LIVES = timedelta(minutes=5)
ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "PS256", "RS256")
LEAST_RSA = 2048
PREFIX = "cvt_"
"""Begins every token of a program, so that it is never looked for among people's sessions."""
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class OAuthError(Exception):
    """A refusal at the token endpoint, in the words of RFC 6749 §5.2."""

    def __init__(self, error: str, status: int = 400) -> None:
        self.error, self.status = error, status
        super().__init__(error)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came to the token endpoint: the form, and the name and secret of the header, if any."""

    form: Mapping[str, str]
    basic: tuple[str, str] | None


def new_client(
    parts: Parts, name: str, offices: Collection[str], scopes: Collection[str], public_key: str | None = None
) -> tuple[Client, str | None]:
    """A new program; its secret, told this once, or None when it brought a public key (PEM) instead.

    Raises `ScopeUnknown`, `RecipientUnknown` for an office that is not there, `PublicKeyUnreadable`.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ScopeUnknown(scope=", ".join(unknown) or "–", known=", ".join(SCOPES))
    if public_key is not None:
        _public_key(public_key)
    secret = None if public_key else secrets.token_urlsafe(32)
    client = Client(
        f"cli_{secrets.token_hex(12)}", name, _digest(secret) if secret else None, public_key, frozenset(scopes),
        frozenset(offices), disabled=False,
    )  # fmt: skip
    with parts.write() as writing:
        for office in offices:
            if writing.tx.store.office(office) is None:
                raise RecipientUnknown(office=office)
        if any(known.name == name and not known.disabled for known in writing.clients.clients()):
            raise AlreadyThere(what=name)
        writing.clients.add(client, parts.now())
    return client, secret


def new_secret(parts: Parts, client: str) -> str:
    """Another secret for a program; the old one and its tokens end. Raises `NotFound`."""
    secret = secrets.token_urlsafe(32)
    with parts.write() as writing:
        if writing.clients.client(client) is None:
            raise NotFound
        writing.clients.set_secret(client, _digest(secret))
    return secret


def disable(parts: Parts, client: str) -> None:
    """End a program's right to act, at once. Raises `NotFound`."""
    with parts.write() as writing:
        if writing.clients.client(client) is None:
            raise NotFound
        writing.clients.disable(client, parts.now())


def grant(parts: Parts, asked: Asked) -> dict[str, Any]:
    """A token for a program that proved itself (RFC 6749 §4.4.3). Raises `OAuthError`."""
    if asked.form.get("grant_type") != "client_credentials":
        raise OAuthError("unsupported_grant_type" if asked.form.get("grant_type") else "invalid_request")
    client = _proven(parts, asked)
    wanted = frozenset(asked.form.get("scope", "").split()) or client.scopes
    if not wanted <= client.scopes:
        raise OAuthError("invalid_scope")
    token, at = PREFIX + secrets.token_urlsafe(32), parts.now()
    with parts.write() as writing:
        writing.clients.sweep(at)
        writing.clients.add_token(_digest(token), client.id, wanted, at + TOKEN_LIVES)
    return {
        "access_token": token, "token_type": "Bearer", "expires_in": int(TOKEN_LIVES.total_seconds()),
        "scope": " ".join(sorted(wanted)),
    }  # fmt: skip


def caller_of_token(parts: Parts, token: str, office: str | None) -> Caller:
    """The program behind a token, acting for `office`, which may be left out when it has one only.

    Raises `Unauthenticated`, `SenderMismatch`.
    """
    with parts.read() as reading:
        granted = reading.clients.grant(_digest(token))
    if granted is None or granted.client.disabled or parts.now() >= granted.expires_at:
        raise Unauthenticated
    return _caller(granted, office)


def _caller(granted: Grant, office: str | None) -> Caller:
    client = granted.client
    chosen = office or (next(iter(client.offices)) if len(client.offices) == 1 else "")
    if chosen not in client.offices:
        raise SenderMismatch(offices=", ".join(sorted(client.offices)))
    actor = Actor(client.id, chosen, frozenset({Role.CLIENT}), granted.scopes)
    account = Account(client.id, client.id, client.name, "", "", None, None, 0, None, locked=False)
    return Caller(actor, account, "")


def _proven(parts: Parts, asked: Asked) -> Client:
    """The client that the request proves to be; one way at a time (RFC 6749 §2.3)."""
    assertion = asked.form.get("client_assertion")
    if assertion is not None and asked.basic is None:
        if asked.form.get("client_assertion_type") != ASSERTION_TYPE:
            raise OAuthError("invalid_request")
        return _by_assertion(parts, assertion)
    if asked.basic is None or assertion is not None:
        raise OAuthError("invalid_client", 401)
    with parts.read() as reading:
        client = reading.clients.client(asked.basic[0])
    right = hmac.compare_digest(_digest(asked.basic[1]), (client.secret_sha256 if client else None) or "-" * 64)
    if client is None or client.disabled or not right:
        raise OAuthError("invalid_client", 401)
    return client


def _by_assertion(parts: Parts, assertion: str) -> Client:
    """RFC 7523 §3: issuer and subject are the client, the audience is this endpoint, it ends soon, it is used once."""
    with parts.read() as reading:
        client = reading.clients.client(_issuer(assertion))
    if client is None or client.disabled or client.public_key is None:
        raise OAuthError("invalid_client", 401)
    try:
        claims = jwt.decode(assertion, _public_key(client.public_key), algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError) as error:
        raise OAuthError("invalid_client", 401) from error
    at, expires = parts.now(), _moment(claims.get("exp"))
    audience = claims.get("aud")
    meant = token_address(parts) in (audience if isinstance(audience, list) else [audience])
    jti = claims.get("jti")
    if claims.get("iss") != client.id or claims.get("sub") != client.id or not meant:
        raise OAuthError("invalid_client", 401)
    if expires is None or not at < expires <= at + ASSERTION_LIVES or not isinstance(jti, str) or len(jti) > 128:
        raise OAuthError("invalid_client", 401)
    with parts.write() as writing:
        if not jti or not writing.clients.use_assertion(client.id, jti, expires):
            raise OAuthError("invalid_client", 401)
    return client


def token_address(parts: Parts) -> str:
    """The address of the token endpoint: what an assertion names as its audience."""
    return f"{parts.settings.address.rstrip('/')}/api/v1/oauth/token"


def _issuer(assertion: str) -> str:
    """Who an assertion says it is from, unchecked."""
    try:
        middle = assertion.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return str(claims["iss"])
    except (IndexError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise OAuthError("invalid_client", 401) from error


def _public_key(pem: str) -> ECKey | OKPKey | RSAKey:
    for kind in (ECKey, OKPKey, RSAKey):
        try:
            key = kind.import_key(pem)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private or (isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA):
            break
        return key
    raise PublicKeyUnreadable


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
