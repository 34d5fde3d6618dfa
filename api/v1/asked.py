"""What headers of a request say: its idempotency key, the version it means, and how an answer goes back."""

from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from api.errors import IdempotencyKeyMissing, Malformed, PreconditionRequired
from api.idempotency import Answer, Asked, asked_of


def version_of(if_match: Annotated[str | None, Header()] = None) -> int:
    """The version that the caller saw. Raises `PreconditionRequired`, `Malformed`."""
    if if_match is None:
        raise PreconditionRequired
    word = if_match.strip().removeprefix("W/").strip('"')
    if not word.isdecimal() or len(word) > 9:
        raise Malformed(what="If-Match")
    return int(word)


def key_of(idempotency_key: Annotated[str | None, Header()] = None) -> str:
    """The idempotency key of a call that acts. Raises `IdempotencyKeyMissing`."""
    if idempotency_key is None:
        raise IdempotencyKeyMissing
    return idempotency_key


Version = Annotated[int, Depends(version_of)]
Key = Annotated[str, Depends(key_of)]


def asked(request: Request, key: str, body: BaseModel | None = None) -> Asked:
    """The identity of this request."""
    told: dict[str, Any] = body.model_dump(mode="json") if body else {}
    return asked_of(request.method, request.url.path, told, key)


def answered(answer: Answer) -> Response:
    """An answer as it goes out; a repeat says that it is one."""
    headers = dict(answer.headers)
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return JSONResponse(answer.body, answer.status, headers)
