"""The organisation's mark on an attachment with a key that is elsewhere: prepare → sign the hash → finish (R41)."""

from datetime import timedelta

from api import schemas
from api.accounts import Caller
from api.cases import document_answer
from api.elsewhere import own_certificates, run_once, session_json
from api.idempotency import Answer, Asked
from api.wiring import Parts, Writing
from exchange.acts import attach, elsewhere, issue
from exchange.acts.signature import MadeSignature, SignedFile, complete_signature
from exchange.rules.model import SigningSession
from signing.model import SignaturePurpose
from signing.stamp import attachment_mark


def prepare(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, attachment: str, body: schemas.PrepareAsked
) -> Answer:
    """Prepare the mark on one attachment for the office's key at the clerk's desk; the answer says what to sign.

    The document stays as it is. What the mark says is fixed now: number and symbol, and this moment.
    """

    def work() -> elsewhere.PreparedElsewhere:
        with parts.read() as reading:
            before = issue.moving(reading.exchange, elsewhere.MARK, caller.actor, document, version)
            here = attach.to_mark(reading.exchange, before.id, attachment)
            own = own_certificates(reading, caller.actor, elsewhere.MARK)
            office = reading.exchange.office(caller.actor.office)
        assert before.number is not None  # noqa: S101 - `numbered` has a number
        tools, at = parts.tools(), parts.now()
        chain = elsewhere.require_signer(tools, body.certificate, body.chain, own, elsewhere.MARK, at=at)
        return elsewhere.prepare_elsewhere(
            tools, here.file, elsewhere.MARK, (SignaturePurpose.ATTACHMENT, None), body.certificate, chain, image=b"",
            name=office.name if office else caller.name, at=at, lines=attachment_mark(before.number.written, at),
            attachment=here.id,
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
    parts: Parts, caller: Caller, asked: Asked, document: str, attachment: str, body: schemas.FinishAsked
) -> Answer:
    """Finish a prepared mark. The same signature again gives the same answer, another one is `SigningFinished`.

    With an authority away nothing is used up: the same signature may be sent again. Raises what a signature raises.
    """

    def work() -> tuple[SigningSession, MadeSignature, SignedFile]:
        at = parts.now()
        with parts.read() as reading:
            session = elsewhere.prepared_session(
                reading.exchange, caller.actor, document, elsewhere.MARK, body.signing, attachment
            )
            elsewhere.require_finishable(reading.exchange, caller.actor, session, at=at)
            base = elsewhere.base_of(reading.exchange, session)
            own = own_certificates(reading, caller.actor, elsewhere.MARK)
        tools = parts.tools()
        made = elsewhere.made_elsewhere(tools, base, session, body.signature)
        elsewhere.require_signer(tools, session.certificate, session.chain, own, elsewhere.MARK, at=at)
        return session, made, complete_signature(tools, made, office_code=caller.actor.office, at=at)

    def act(writing: Writing, done: tuple[SigningSession, MadeSignature, SignedFile]) -> Answer:
        session, made, signed = done
        marked = elsewhere.finish_mark(writing.tx, caller.actor, session, made.signature, signed, at=parts.now())
        return document_answer(writing, *marked)

    return run_once(parts, caller, asked, body.signing, work, act)
