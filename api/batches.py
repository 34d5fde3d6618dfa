"""Many documents signed or sealed with one confirmation: the key is opened once, each document is an act of its own.

What a batch does to one document is exactly what the single call does, in a transaction of its own: a refusal or a
crash touches that one alone, and the same batch under the same key goes on where it stopped.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import structlog

from api import cases, schemas
from api.accounts import Caller
from api.errors import Internal
from api.idempotency import asked_of
from api.problems import ROOM_ERRORS, RoomError, problem_of
from api.together import Round, Seat
from api.wiring import Parts
from exchange.errors import NotAllowed
from exchange.rules.model import Role
from keys.errors import TooManyForOneCode
from keys.model import KeyRecord, Signer
from keys.remote import RemoteSigner
from signing.model import SignaturePurpose

log = structlog.get_logger("congvan.batches")
MOST_TOGETHER = 20
"""Documents whose files are held in memory while they wait for one authorisation."""
ACTS: dict[str, tuple[Callable[..., Any], SignaturePurpose, frozenset[Role]]] = {
    "sign": (cases.sign, SignaturePurpose.LEADER, frozenset({Role.LEADER, Role.OFFICER, Role.CLERK})),
    "seal": (cases.seal, SignaturePurpose.SEAL, frozenset({Role.CLERK})),
}
"""What can be done in batches: the case, whose key it needs, and who may begin it."""


class OpenedKeys:
    """The caller's keys, each opened at most once with the PIN, until the stack ends."""

    def __init__(self, parts: Parts, caller: Caller, typed: schemas.WithPin, stack: ExitStack) -> None:
        self._parts, self._caller, self._typed, self._stack = parts, caller, typed, stack
        self._open: dict[str, Signer] = {}

    def open(self, key: KeyRecord) -> AbstractContextManager[Signer]:
        """The key, for one signature; it stays open after it. Raises what `Parts.open_key` does."""
        if key.id not in self._open:
            opened = self._parts.open_key(key.id, self._caller.actor.id, self._typed.pin, self._typed.otp)
            self._open[key.id] = self._stack.enter_context(opened)
        return nullcontext(self._open[key.id])


class OneSeat:
    """Opens a seat in a round, whichever key is asked for: the batch has looked up which one it is."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def open(self, _: KeyRecord) -> AbstractContextManager[Signer]:
        """The seat, for one signature."""
        return nullcontext(self._seat)


def batch(parts: Parts, caller: Caller, key: str, body: schemas.BatchAsked, language: str) -> Iterator[dict[str, Any]]:
    """Do an act to every document, in their order; one line for each as soon as it is done, and a last one with counts.

    A wrong PIN, a missing key or a role that may not refuse the whole, before the first line and before any document is
    touched; so do more documents than one code of a remote key is for (`TooManyForOneCode`). `key` makes each
    document's own idempotency key, unless its line brings one.
    """
    _, purpose, roles = ACTS[body.act]
    if not caller.actor.roles & roles:
        raise NotAllowed(needed=", ".join(sorted(roles)))
    stack = ExitStack()
    try:
        opened = OpenedKeys(parts, caller, body, stack)
        with opened.open(cases.key_of(parts, caller, purpose)) as signer:
            together = signer if isinstance(signer, RemoteSigner) and signer.needs_otp else None
        if together is not None and len(body.documents) > min(together.at_once, MOST_TOGETHER):
            raise TooManyForOneCode(most=min(together.at_once, MOST_TOGETHER))
    except BaseException:
        stack.close()
        raise
    if together is not None:
        return _lines_together(parts, caller, key, body, language, together, stack)
    return _lines(parts, caller, key, body, language, opened, stack)


def _lines(
    parts: Parts, caller: Caller, key: str, body: schemas.BatchAsked, language: str, opened: OpenedKeys,
    stack: ExitStack,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    done = 0
    with stack:
        for n, item in enumerate(body.documents):
            line = _one(parts, caller, key, body.act, item, language, opened)
            done += line["problem"] is None
            yield {"n": n} | line
    yield {"finished": True, "done": done, "failed": len(body.documents) - done}


def _lines_together(
    parts: Parts, caller: Caller, key: str, body: schemas.BatchAsked, language: str, signer: RemoteSigner,
    stack: ExitStack,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """The same under one authorisation of a remote key: the documents wait for each other there, and only there."""
    together = Round(signer, len(body.documents))

    def one(item: schemas.BatchItem, seat: Seat) -> dict[str, Any]:
        try:
            return _one(parts, caller, key, body.act, item, language, OneSeat(seat))
        finally:
            seat.leave()

    done = 0
    with stack, ThreadPoolExecutor(len(body.documents), "batch") as pool:
        for n, line in enumerate(pool.map(one, body.documents, [together.seat() for _ in body.documents])):
            done += line["problem"] is None
            yield {"n": n} | line
    yield {"finished": True, "done": done, "failed": len(body.documents) - done}


def _one(
    parts: Parts, caller: Caller, key: str, act: str, item: schemas.BatchItem, language: str, opened: cases.Opener
) -> dict[str, Any]:
    case, _, _ = ACTS[act]
    path = f"/api/v1/documents/{item.id}/{act}"
    told: dict[str, Any] = {"document": item.id, "state": None, "version": None, "problem": None}
    try:
        asked = asked_of("POST", path, {}, item.key or _key_for(key, item.id))
        answer = case(parts, caller, asked, item.id, item.version, opened)
    except ROOM_ERRORS as error:
        return told | _problem(error, language, path)
    except Exception:  # a mistake of ours about one document: logged, said, and the others still get their turn
        log.exception("batch-item-failed", document=item.id, act=act)
        return told | _problem(Internal(), language, path)
    state = {name: answer.body[name] for name in ("state", "version")}
    return told | {"status": answer.status} | state


def _problem(error: RoomError, language: str, path: str) -> dict[str, Any]:
    status, problem = problem_of(error, language, instance=path, trace="")
    return {"status": status, "problem": problem}


def _key_for(batch_key: str, document: str) -> str:
    return hashlib.sha256(f"{batch_key} {document}".encode()).hexdigest()
