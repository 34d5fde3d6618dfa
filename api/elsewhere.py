"""Signing with a key that is elsewhere, as every way in calls it: prepare → the hash is signed there → finish."""

import base64
from dataclasses import replace
from datetime import timedelta

from api import schemas
from api.accounts import Caller
from api.cases import AWAY
from api.errors import IdempotencyKeyReused
from api.idempotency import Answer, Asked
from api.wiring import Parts, Reading, Writing
from exchange.acts import elsewhere, issue
from exchange.acts.signature import MadeSignature, SignedFile, complete_signature
from exchange.errors import SigningFinished
from exchange.rules.model import Document, Event, SigningSession
from keys.model import Certificate, Purpose
from signing.model import SignaturePurpose
from signing.stamp import draw_initials_image

KEPT_AFTER = timedelta(hours=1)
"""How long what was never finished stays after its time, so that a late answer is told why."""


def prepare(
    parts: Parts,
    caller: Caller,
    asked: Asked,
    document: str,
    version: int,
    body: schemas.PrepareAsked,
    act_name: str,
    image: bytes | None = None,
) -> Answer:
    """Prepare the current revision for a key at the caller's desk; the answer says what to sign, and until when.

    `act_name` is `sign` or `seal`.
    """

    def work() -> elsewhere.PreparedElsewhere:
        with parts.read() as reading:
            before = issue.moving(reading.exchange, act_name, caller.actor, document, version)
            revision = issue.current(reading.exchange, before)
            own = own_certificates(reading, caller, act_name)
            by = elsewhere.hand(before, act_name)
            picture = image or _picture(reading, caller, by[0])
            name = _name(reading, caller, by[0])
        tools = parts.tools()
        chain = elsewhere.require_signer(tools, body.certificate, body.chain, own, act_name, at=parts.now())
        return elsewhere.prepare_elsewhere(
            tools, revision, act_name, by, body.certificate, chain, image=picture, name=name, at=parts.now()
        )

    def act(writing: Writing, made: elsewhere.PreparedElsewhere) -> Answer:
        at = parts.now()
        until = at + timedelta(minutes=parts.settings.desk_minutes)
        session = elsewhere.keep_prepared(
            writing.tx, caller.actor, document, version, made, at=at, expires_at=until
        )  # fmt: skip
        return Answer(201, _session_json(session), {"ETag": f'"{version}"'})

    return parts.run(caller.actor, asked, work, act)


def finish(
    parts: Parts, caller: Caller, asked: Asked, document: str, body: schemas.FinishAsked, act_name: str
) -> Answer:
    """Finish a prepared signature. The same signature again gives the same answer, another one is `SigningFinished`.

    A time-stamp authority that is away keeps the signature for the job, as with a key that is here (202).
    """
    # the session is its own key: a repeat under another one gets the same answer. No caller's key holds a blank
    by_session = replace(asked, key=f"finish {body.signing}"[:64])

    def work() -> tuple[SigningSession, MadeSignature, SignedFile | None]:
        at = parts.now()
        with parts.read() as reading:
            session = elsewhere.prepared_session(reading.exchange, caller.actor, document, act_name, body.signing)
            before = elsewhere.require_finishable(reading.exchange, caller.actor, session, at=at)
            revision = issue.current(reading.exchange, before)
            own = own_certificates(reading, caller, act_name)
        tools = parts.tools()
        made = elsewhere.made_elsewhere(tools, revision, session, body.signature)
        try:
            elsewhere.require_signer(tools, session.certificate, session.chain, own, act_name, at=at)
            return session, made, complete_signature(tools, made, office_code=caller.actor.office, at=at)
        except AWAY:
            return session, made, None

    def act(writing: Writing, done: tuple[SigningSession, MadeSignature, SignedFile | None]) -> Answer:
        session, made, signed = done
        at = parts.now()
        if signed is not None:
            moved = elsewhere.finish_prepared(writing.tx, caller.actor, session, made.signature, signed, at=at)
            return _document(writing, *moved)
        held = elsewhere.hold_prepared(writing.tx, caller.actor, session, made.signature, at=at)
        return replace(_document(writing, held, None), status=202)

    try:
        return parts.run(caller.actor, by_session, work, act)
    except IdempotencyKeyReused as error:
        raise SigningFinished from error


def sweep(parts: Parts) -> None:
    """Forget what was prepared and never finished, with its file, and loans that ended."""
    before = parts.now() - KEPT_AFTER
    with parts.write() as writing:
        dropped = writing.tx.store.drop_prepared(before)
        writing.tx.store.drop_loans(before)
        unused = [sha256 for sha256 in dropped if not writing.tx.store.refers_to(sha256, but="")]
    for sha256 in unused:
        parts.blobs.drop(sha256)


def own_certificates(reading: Reading, caller: Caller, act_name: str) -> list[Certificate]:
    """The certificates with which the caller may sign as a person, or seal for the office."""
    wanted = Purpose.ORGANISATION if act_name == elsewhere.SEAL else Purpose.PERSON
    return reading.keys.certificates_of(caller.actor.id, wanted, caller.actor.office)


def _picture(reading: Reading, caller: Caller, purpose: SignaturePurpose) -> bytes:
    if purpose is SignaturePurpose.INITIAL:
        return draw_initials_image(caller.name)
    leads = purpose is SignaturePurpose.LEADER
    kind, owner = ("signature", caller.actor.id) if leads else ("seal", caller.actor.office)
    return reading.people.picture(kind, owner) or b""


def _name(reading: Reading, caller: Caller, purpose: SignaturePurpose) -> str:
    office = reading.exchange.office(caller.actor.office)
    return office.name if purpose is SignaturePurpose.SEAL and office is not None else caller.name


def _session_json(session: SigningSession) -> schemas.Json:
    digest = elsewhere.digest_to_sign(session)
    return {
        "signing": session.id,
        "document": session.document,
        "attributes": base64.b64encode(session.attributes).decode(),
        "hash": base64.b64encode(digest).decode(),
        "hash_hex": digest.hex(),
        "hash_function": "SHA-256",
        "expires_at": schemas.instant(session.expires_at),
    }


def _document(writing: Writing, document: Document, event: Event | None) -> Answer:
    revision = issue.current(writing.tx.store, document)
    return Answer(200, schemas.document_json(document, revision, event), {"ETag": f'"{document.version}"'})
