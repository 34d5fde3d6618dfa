"""Signing with a key that is elsewhere, as every way in calls it: prepare → the hash is signed there → finish."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import structlog

from api import schemas
from api.accounts import Caller
from api.cases import AWAY, document_answer
from api.errors import IdempotencyKeyReused, Malformed
from api.idempotency import Answer, Asked
from api.problems import ROOM_ERRORS, STATUS
from api.wiring import Parts, Reading, Writing
from exchange.acts import elsewhere, issue, lending
from exchange.acts.copy import seal_lines
from exchange.acts.signature import FIELDS, MadeSignature, SignedFile, complete_signature
from exchange.errors import (
    ExchangeError,
    NotAllowed,
    NotFound,
    SigningFinished,
)
from exchange.rules.model import Actor, Document, FileRef, Loan, SigningSession
from exchange.storage.store import found_document
from keys.model import Certificate, Purpose
from signing.errors import TooLarge
from signing.model import SignaturePurpose
from signing.report import report_from_json
from signing.stamp import draw_initials_image

log = structlog.get_logger("congvan.desk")
T = TypeVar("T")
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
            own = own_certificates(reading, caller.actor, act_name)
            by = elsewhere.hand(before, act_name)
            picture = image or _picture(reading, caller, by[0])
            name = _name(reading, caller, by[0])
        tools = parts.tools()
        chain = elsewhere.require_signer(tools, body.certificate, body.chain, own, act_name, at=parts.now())
        at = parts.now()
        return elsewhere.prepare_elsewhere(
            tools, revision.file, act_name, by, body.certificate, chain, image=picture, name=name, at=at,
            lines=seal_lines(before, by[0], name, at),
        )  # fmt: skip

    def act(writing: Writing, made: elsewhere.PreparedElsewhere) -> Answer:
        at = parts.now()
        until = at + timedelta(minutes=parts.settings.desk_minutes)
        session = elsewhere.keep_prepared(
            writing.tx, caller.actor, document, version, made, at=at, expires_at=until
        )  # fmt: skip
        return Answer(201, session_json(session), {"ETag": f'"{version}"'})

    return parts.run(caller.actor, asked, work, act)


def finish(
    parts: Parts, caller: Caller, asked: Asked, document: str, body: schemas.FinishAsked, act_name: str
) -> Answer:
    """Finish a prepared signature. The same signature again gives the same answer, another one is `SigningFinished`.

    A time-stamp authority that is away keeps the signature for the job, as with a key that is here (202).
    """

    def work() -> tuple[SigningSession, MadeSignature, SignedFile | None]:
        at = parts.now()
        with parts.read() as reading:
            session = elsewhere.prepared_session(reading.exchange, caller.actor, document, act_name, body.signing)
            before = elsewhere.require_finishable(reading.exchange, caller.actor, session, at=at)
            revision = issue.current(reading.exchange, before)
            own = own_certificates(reading, caller.actor, act_name)
        tools = parts.tools()
        made = elsewhere.made_elsewhere(tools, revision.file, session, body.signature)
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
            return document_answer(writing, *moved)
        held = elsewhere.hold_prepared(writing.tx, caller.actor, session, made.signature, at=at)
        return replace(document_answer(writing, held, None), status=202)

    return run_once(parts, caller, asked, body.signing, work, act)


def run_once(
    parts: Parts, caller: Caller, asked: Asked, signing: str, work: Callable[[], T], act: Callable[[Writing, T], Answer]
) -> Answer:
    """Finish a session with the request's signature; the same again is told the same, another `SigningFinished`.

    The session is its own key: a repeat under another one gets the same answer. No caller's key holds a blank.
    """
    try:
        return parts.run(caller.actor, replace(asked, key=f"finish {signing}"[:64]), work, act)
    except IdempotencyKeyReused as error:
        raise SigningFinished from error


def put_revision(parts: Parts, caller: Caller, asked: Asked, document: str, version: int, data: bytes | None) -> Answer:
    """Take a revision that was signed elsewhere: a signature, or the seal once the document has its number.

    The same bytes again get the same answer, whatever happened to the document since.
    """
    sha256 = hashlib.sha256(data or b"").hexdigest()
    by_file = Asked(f"file {sha256}"[:64], hashlib.sha256(f"{document} {sha256}".encode()).hexdigest())

    def work() -> tuple[str, SignedFile]:
        with parts.read() as reading:
            found = found_document(reading.exchange, document, caller.actor)
            act_name = elsewhere.act_now(found)
            before = issue.moving(reading.exchange, act_name, caller.actor, document, version)
        if data is None:
            raise Malformed(what="file")
        return act_name, _judged(parts, caller.actor, act_name, before, data)

    def act(writing: Writing, made: tuple[str, SignedFile]) -> Answer:
        act_name, signed = made
        moved = elsewhere.accept_returned(
            writing.tx, caller.actor, act_name, document, version, signed, at=parts.now()
        )  # fmt: skip
        return document_answer(writing, *moved)

    return parts.run(caller.actor, by_file if data is not None else asked, work, act)


# -- a program at the desk, which has no login --


def lend(
    parts: Parts, caller: Caller, act_name: str, document: str, version: int, attachment: str | None = None
) -> schemas.Json:
    """Lend the current revision, or an attachment, to a program at the caller's desk; each call makes two new
    addresses.

    The answer is kept nowhere, because its addresses are keys.
    """
    at = parts.now()
    until = at + timedelta(minutes=parts.settings.desk_minutes)
    with parts.write() as writing:
        lent = lending.lend(
            writing.tx, caller.actor, act_name, document, version, at=at, expires_at=until, attachment=attachment
        )
    number, address = lent.document.number, parts.settings.address
    return {
        **_loan_json(lent.loan),
        "program": parts.settings.desk_program,
        "operation": _operation(lent.document, act_name),
        "source": f"{address}/vgca/source?t={lent.source}",
        "upload": f"{address}/vgca/upload?t={lent.upload}",
        "document_number": number.written if number else "",
        "issued_date": f"{number.date.isoformat()}T00:00:00+07:00" if number else "",
    }


def _operation(document: Document, act_name: str) -> str:
    """The program's name for what is to be done."""
    if act_name not in elsewhere.BY_OFFICE:
        return "SignApproved"
    if act_name == elsewhere.MARK:
        return "SignAppendix"
    return "SignIssued" if document.copy_kind is None else "SignCopy"


def loan(parts: Parts, caller: Caller, document: str, id_: str, language: str) -> schemas.Json:
    """What has become of a loan: the page believes this, never the program. Another person's is `NotFound`."""
    with parts.read() as reading:
        found = reading.exchange.loan(id_)
        here = found_document(reading.exchange, document, caller.actor)
    if found is None or (found.document, found.actor.id) != (here.id, caller.actor.id):
        raise NotFound
    told = _loan_json(found) | {"document_state": here.state, "document_version": here.version}
    if found.returned is None and parts.now() > found.expires_at:
        told["state"] = "over"
    if found.refusal is not None:
        told["refusal"] = {"code": found.refusal, "sentence": _sentence(found.refusal, language)}
    return told


def fetch_lent(parts: Parts, word: str) -> tuple[bytes, FileRef]:
    """The lent file, by the word in its address. Raises `DeskLinkInvalid`."""
    with parts.write() as writing:
        file = lending.fetched(writing.tx, word, at=parts.now())
    return parts.blobs.get(file.sha256), file


def take_back(parts: Parts, word: str, data: bytes) -> tuple[Loan, Document, str]:
    """Take what a program brought back: checked, and the move it was lent for. The same bytes again change nothing.
    The answer ends with the name of the file.

    Whatever is refused leaves the document as it was; the loan says why, so that the page can.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    with parts.read() as reading:
        here = lending.loan_of(reading.exchange, word)
    try:
        _take_back(parts, here, sha256, data)
    except ROOM_ERRORS as refusal:
        log.warning("desk-file-refused", loan=here.id, document=here.document, code=refusal.code, sha256=sha256)
        with parts.write() as writing:
            writing.tx.store.refuse_loan(here.id, refusal.code)
        raise
    with parts.read() as reading:
        document = reading.exchange.document(here.document)
        assert document is not None  # noqa: S101 - documents are never deleted
        return here, document, lending.name_of(reading.exchange, here)


def _take_back(parts: Parts, here: Loan, sha256: str, data: bytes) -> None:
    at, act_name = parts.now(), lending.act_of(here)
    with parts.read() as reading:
        actor = _still(reading, here.actor)
        before = lending.require_open(reading.exchange, actor, here, sha256, at=at)
    if before is None:
        return
    signed = _judged(parts, actor, act_name, before, data, here.attachment)
    try:
        with parts.write() as writing:
            lending.give_back(writing.tx, here, sha256)
            elsewhere.accept_returned(
                writing.tx, actor, act_name, before.id, before.version, signed, at=parts.now(),
                attachment=here.attachment,
            )  # fmt: skip
    except ExchangeError:
        with parts.read() as reading:
            known = reading.exchange.loan(here.id)
        if known is None or known.returned != sha256:
            raise  # else a twin brought the same bytes first


def _still(reading: Reading, actor: Actor) -> Actor:
    """The same person with the roles held now. Raises `NotAllowed` when the account is closed or the roles are gone."""
    account = reading.people.account(actor.id)
    roles = reading.people.roles(actor.id).get(actor.office)
    if account is None or account.locked or not roles:
        raise NotAllowed(needed=", ".join(sorted(actor.roles)))
    return Actor(actor.id, actor.office, frozenset(roles))


def _judged(
    parts: Parts, actor: Actor, act_name: str, before: Document, data: bytes, attachment: str | None = None
) -> SignedFile:
    """What came back, if it may be the next revision. Its report is kept in any case."""
    if len(data) > parts.settings.upload_limit_mb * 1024 * 1024:
        raise TooLarge(limit_mb=parts.settings.upload_limit_mb)
    with parts.read() as reading:
        store = reading.exchange
        lent = elsewhere.lent_file(store, before.id, attachment)
        stored = issue.newest_report(store, before) if attachment is None else None  # an attachment has no signature
        own = own_certificates(reading, actor, act_name)
        purpose, field = elsewhere.hand(before, act_name)
    judged = elsewhere.judge_returned(
        parts.tools(), lent, data, act=act_name, field=field or FIELDS[purpose], own=own,
        earlier=report_from_json(stored.body) if stored else None, office_code=actor.office, at=parts.now(),
        labels=parts.settings.desk_labels,
    )  # fmt: skip
    if judged.signed is None or judged.refusal is not None:
        with parts.write() as writing:
            writing.tx.store.add_report(judged.stored)
        refusal = judged.refusal
        assert refusal is not None  # noqa: S101 - a file that was not kept was refused
        log.info("returned-file-refused", document=before.id, code=refusal.code, report=judged.stored.sha256)
        raise refusal
    return judged.signed


def _loan_json(here: Loan) -> schemas.Json:
    state = "done" if here.returned else "refused" if here.refusal else "open"
    return {
        "loan": here.id, "document": here.document, "attachment": here.attachment, "act": lending.act_of(here),
        "state": state, "expires_at": schemas.instant(here.expires_at),
    }  # fmt: skip


def _sentence(code: str, language: str) -> str:
    """What is said of a refusal of which only the code was kept: its sentence, without what stood in the gaps."""
    kind = next(kind for kind in STATUS if kind.code == code)  # type: ignore[attr-defined]
    pattern: str = kind.vi if language == "vi" else kind.en  # type: ignore[attr-defined]
    return re.sub(r"\s*[:(]?\s*\{\w+\}\)?", "", pattern)


def sweep(parts: Parts) -> None:
    """Forget what was prepared and never finished, with its file, and loans that ended."""
    before = parts.now() - KEPT_AFTER
    with parts.write() as writing:
        dropped = writing.tx.store.drop_prepared(before)
        writing.tx.store.drop_loans(before)
        unused = [sha256 for sha256 in dropped if not writing.tx.store.refers_to(sha256, but="")]
    for sha256 in unused:
        parts.blobs.drop(sha256)


def own_certificates(reading: Reading, actor: Actor, act_name: str) -> list[Certificate]:
    """The certificates with which a person may sign as a person, or seal for the office."""
    wanted = Purpose.ORGANISATION if act_name in elsewhere.BY_OFFICE else Purpose.PERSON
    return reading.keys.certificates_of(actor.id, wanted, actor.office)


def _picture(reading: Reading, caller: Caller, purpose: SignaturePurpose) -> bytes:
    if purpose is SignaturePurpose.INITIAL:
        return draw_initials_image(caller.name)
    leads = purpose is SignaturePurpose.LEADER
    kind, owner = ("signature", caller.actor.id) if leads else ("seal", caller.actor.office)
    return reading.people.picture(kind, owner) or b""


def _name(reading: Reading, caller: Caller, purpose: SignaturePurpose) -> str:
    office = reading.exchange.office(caller.actor.office)
    return office.name if purpose is SignaturePurpose.SEAL and office is not None else caller.name


def session_json(session: SigningSession) -> schemas.Json:
    """What is to be signed elsewhere, in every form that a key may want it."""
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
