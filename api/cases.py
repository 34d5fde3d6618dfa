"""What people and programs do, as every way in calls it: work first (files, keys, network), then one act.

Each function takes the running parts, who calls, which request it is (`Asked`) and checked values; it returns the
`Answer` that is stored under the request's key and given again for a repeat. The acts stand in `exchange.acts`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Protocol, TypeVar

import structlog

from api import schemas
from api.accounts import Caller
from api.idempotency import Answer, Asked
from api.marking import mark_attachments
from api.wiring import Parts, Writing
from exchange.acts import desk, issue, prove, receive, send, sequence
from exchange.acts.copy import seal_lines
from exchange.acts.signature import (
    MadeSignature,
    SignedFile,
    check_file,
    check_kept,
    complete_signature,
    make_signature,
)
from exchange.errors import (
    CertificateMissing,
    ClassifiedMarkSuspected,
    ClassifiedRefused,
    CopyNotAllowed,
    ExchangeError,
    NotFound,
    PersonUnknown,
    SignerUnknown,
    StateChanged,
    StorageFull,
    UploadIncomplete,
    UploadOffset,
)
from exchange.rules.acceptance import require_name, require_unclassified
from exchange.rules.attachments import require_uploadable
from exchange.rules.calendar import local_day
from exchange.rules.copies import require_fitting, seal_field
from exchange.rules.feed import audience
from exchange.rules.ids import new_id
from exchange.rules.model import (
    Delivery,
    Document,
    DocumentKind,
    Draft,
    Event,
    NamedPerson,
    Part,
    Role,
    StoredReport,
    Upload,
)
from exchange.rules.signing_order import WishedHand, signing_order
from exchange.storage.store import found_arrival
from keys.errors import RevocationUnavailable, TimestampRejected, TsaUnavailable
from keys.model import KeyRecord, Purpose, Signer
from signing.errors import (
    AlreadySigned,
    NotAPdf,
    PdfActiveContent,
    PdfEncrypted,
    PdfTooComplex,
    SigningError,
    TooLarge,
)
from signing.model import Report, SignaturePurpose
from signing.pictures import page_picture
from signing.stamp import draw_initials_image

log = structlog.get_logger("congvan.cases")
T = TypeVar("T")
AWAY = (TsaUnavailable, RevocationUnavailable, TimestampRejected)
"""What may pass: a signature already made waits for it."""
UPLOAD_LIVES = timedelta(hours=24)
"""How long an upload may take."""
NEVER_A_DOCUMENT = (
    ClassifiedRefused, ClassifiedMarkSuspected, NotAPdf, PdfEncrypted, PdfActiveContent, PdfTooComplex, AlreadySigned,
)  # fmt: skip
"""Refusals of a file that no other words mend."""
ACTS_OF_KEYS = {"sign": SignaturePurpose.LEADER, "seal": SignaturePurpose.SEAL}
"""What a key is used for, and as what it then signs."""
SHOWN_AGAIN = timedelta(minutes=10)
"""How long a verdict on the same file, from the same trust, revocation answers and sender, is shown again."""


# -- uploads --


def begin_upload(parts: Parts, caller: Caller, asked: Asked, body: schemas.NewUpload) -> Answer:
    """Promise bytes; they come in pieces."""
    issue.require_author(caller.actor)
    require_name(body.name)
    require_uploadable(body.name, body.media_type)
    if body.size == 0:
        raise NotAPdf
    if body.size > parts.settings.upload_limit_mb * 1024 * 1024:
        raise TooLarge(limit_mb=parts.settings.upload_limit_mb)
    at = parts.now()
    upload = Upload(
        new_id("upl", at), caller.actor.office, caller.actor.id, body.name, body.size, body.sha256, body.media_type,
        done=False, created_at=at,
    )  # fmt: skip

    def act(writing: Writing, _: None) -> Answer:
        writing.tx.store.add_upload(upload)
        return Answer(201, upload_json(upload, 0), {"Location": f"/api/v1/uploads/{upload.id}"})

    return parts.run(caller.actor, asked, lambda: None, act)


def append_upload(parts: Parts, caller: Caller, upload_id: str, offset: int, piece: bytes) -> dict[str, Any]:
    """Take one piece; when all have come, keep them under their digest."""
    upload = found_upload(parts, caller, upload_id)
    held = upload.size if upload.done else parts.blobs.upload_size(upload.id)
    if offset != held or held + len(piece) > upload.size:
        raise UploadOffset(offset=held)
    if not upload.done:
        held = parts.blobs.upload_append(upload.id, offset, piece)
        if held == upload.size:
            _finish_upload(parts, upload)
        elif found_upload(parts, caller, upload_id).done:
            parts.blobs.upload_drop(upload.id)  # a late twin began anew what had just become whole
            raise UploadOffset(offset=upload.size)
    return upload_json(upload, held)


def upload_state(parts: Parts, caller: Caller, upload_id: str) -> dict[str, Any]:
    """How far an upload has come."""
    upload = found_upload(parts, caller, upload_id)
    return upload_json(upload, upload.size if upload.done else parts.blobs.upload_size(upload.id))


def drop_upload(parts: Parts, caller: Caller, upload_id: str) -> None:
    """Forget an upload: its row, the answers that name it, and its bytes, unless something else refers to them."""
    upload = found_upload(parts, caller, upload_id)
    parts.blobs.upload_drop(upload.id)
    with parts.read() as reading:
        needed = reading.exchange.refers_to(upload.sha256, but=upload.id)
    if upload.done and not needed:
        parts.blobs.drop(upload.sha256)
    with parts.write() as writing:
        writing.tx.store.drop_upload(upload.id)
        writing.people.forget_answers(upload.person, upload.office, upload.id)


def found_upload(parts: Parts, caller: Caller, upload_id: str) -> Upload:
    """The caller's own upload; anybody else's is `NotFound`."""
    with parts.read() as reading:
        upload = reading.exchange.upload(upload_id)
    if upload is None or (upload.person, upload.office) != (caller.actor.id, caller.actor.office):
        raise NotFound
    return upload


def upload_json(upload: Upload, offset: int) -> dict[str, Any]:
    """An upload as it is answered."""
    return {"id": upload.id, "name": upload.name, "size": upload.size, "sha256": upload.sha256, "offset": offset}


@contextmanager
def forgotten_when_refused(parts: Parts, caller: Caller, upload_id: str | None) -> Iterator[None]:
    """A file that can never become a document goes with its refusal; of a document marked mật nothing is kept."""
    try:
        yield
    except NEVER_A_DOCUMENT:
        if upload_id is not None:
            with suppress(NotFound):
                drop_upload(parts, caller, upload_id)
        raise


def _finish_upload(parts: Parts, upload: Upload) -> None:
    parts.blobs.upload_finish(upload.id, upload.sha256)
    with parts.write() as writing:
        writing.tx.store.finish_upload(upload.id)


# -- documents --


def draft(parts: Parts, caller: Caller, asked: Asked, body: schemas.NewDocument) -> Answer:
    """Make a draft of an upload that is whole."""
    issue.require_author(caller.actor)
    with forgotten_when_refused(parts, caller, body.upload):
        wanted, signer_name = _draft_words(parts, caller, body)
        named = _order(parts, caller, wanted.signer, body.signers)

    def work() -> issue.PreparedFile:
        with forgotten_when_refused(parts, caller, body.upload):
            return _prepared_upload(parts, caller, body.upload, body.places, wanted, named)

    def act(writing: Writing, prepared: issue.PreparedFile) -> Answer:
        document, event = issue.draft(
            writing.tx, caller.actor, wanted, signer_name, prepared, at=parts.now(), named=named
        )
        answer = document_answer(writing, document, event)
        return replace(answer, status=201, headers={**answer.headers, "Location": f"/api/v1/documents/{document.id}"})

    return parts.run(caller.actor, asked, work, act)


def draft_of_bytes(parts: Parts, caller: Caller, asked: Asked, name: str, data: bytes, words: dict[str, Any]) -> Answer:
    """Make a draft of bytes that came in one form: an upload and a draft in one."""
    issue.require_author(caller.actor)
    require_name(name)
    if len(data) > parts.settings.upload_limit_mb * 1024 * 1024:
        raise TooLarge(limit_mb=parts.settings.upload_limit_mb)
    body = schemas.NewDocument(upload="", **words)
    wanted, signer_name = _draft_words(parts, caller, body)

    def act(writing: Writing, prepared: issue.PreparedFile) -> Answer:
        document, event = issue.draft(writing.tx, caller.actor, wanted, signer_name, prepared, at=parts.now())
        return replace(document_answer(writing, document, event), status=201)

    def work() -> issue.PreparedFile:
        return issue.prepare_draft(
            parts.tools(), data, name=name, accept=lambda read: issue.require_draft(wanted, read, caller.actor)
        )

    return parts.run(caller.actor, asked, work, act)


def edit(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, body: schemas.DocumentChange
) -> Answer:
    """Change a draft, its file, its places or who signs; a returned document becomes a draft again."""

    def work() -> _Edited:
        return _edited(parts, caller, document, version, body)

    def act(writing: Writing, made: _Edited) -> Answer:
        return document_answer(writing, *_edit(writing, parts, caller, document, version, made))

    return parts.run(caller.actor, asked, work, act)


def submit(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, body: schemas.SubmitAsked | None = None
) -> Answer:
    """Ask for the signatures; with an order of signers the draft gets their fields first, in the same transaction."""
    signers = body.signers if body else None

    def work() -> _Edited | None:
        if signers is None:
            return None
        with parts.read() as reading:
            issue.moving(reading.exchange, "submit", caller.actor, document, version)
        return _edited(parts, caller, document, version, schemas.DocumentChange(signers=signers))

    def act(writing: Writing, made: _Edited | None) -> Answer:
        seen = version
        if made is not None:
            seen = _edit(writing, parts, caller, document, version, made)[0].version
        return document_answer(writing, *issue.submit(writing.tx, caller.actor, document, seen, at=parts.now()))

    return parts.run(caller.actor, asked, work, act)


def sign(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, pin: "str | Opener", otp: str | None = None
) -> Answer:
    """Whose turn it is initials or signs with the key in the vault."""
    return _signed(parts, caller, asked, document, version, pin, SignaturePurpose.LEADER, otp)


def seal(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, pin: "str | Opener", otp: str | None = None
) -> Answer:
    """The clerk seals with the office's key, opened by the clerk's own PIN."""
    return _signed(parts, caller, asked, document, version, pin, SignaturePurpose.SEAL, otp)


def number(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, series: str, day: date | None
) -> Answer:
    """Take the next number: fill it in first, take it in the transaction, and do both again when it moved."""
    on = day or local_day(parts.now())

    def work() -> tuple[issue.NextNumber, Any]:
        with parts.read() as reading:
            before = issue.moving(reading.exchange, "number", caller.actor, document, version)
            following = issue.next_number(reading.exchange, caller.actor, series, on)
            require_fitting(following.series, before)
            issue.require_day(reading.exchange, before, series, on, at=parts.now())
            revision = issue.current(reading.exchange, before)
        return following, issue.number_file(parts.tools(), before, revision, following.written, on)

    def act(writing: Writing, made: tuple[issue.NextNumber, Any]) -> Answer:
        following, filled = made
        numbered = issue.number(
            writing.tx, caller.actor, document, version, series, on, filled, following, at=parts.now()
        )
        return document_answer(writing, *numbered)

    # the file is filled before the number is taken: clerks who race would fill theirs again and again
    with parts.turn(f"number {caller.actor.office} {series}"):
        return parts.run(caller.actor, asked, work, act)


def give_back(parts: Parts, caller: Caller, asked: Asked, document: str, version: int, reason: str) -> Answer:
    """Return to the author."""

    def act(writing: Writing, _: None) -> Answer:
        return document_answer(
            writing, *issue.return_(writing.tx, caller.actor, document, version, reason, at=parts.now())
        )

    return parts.run(caller.actor, asked, lambda: None, act)


def cancel(parts: Parts, caller: Caller, asked: Asked, document: str, version: int, reason: str) -> Answer:
    """Give a document up before issue."""

    def act(writing: Writing, _: None) -> Answer:
        return document_answer(
            writing, *issue.cancel(writing.tx, caller.actor, document, version, reason, at=parts.now())
        )

    return parts.run(caller.actor, asked, lambda: None, act)


def send_out(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, body: schemas.IssueAsked
) -> Answer:
    """Issue to recipients; what the sealed file says is checked once more before."""

    def work() -> Report:
        with parts.read() as reading:
            before = issue.moving(reading.exchange, "issue", caller.actor, document, version)
            revision = issue.current(reading.exchange, before)
        pdf = parts.blobs.get(revision.file.sha256)
        return check_file(parts.tools(), pdf, office_code=caller.actor.office, at=parts.now())[0]

    def act(writing: Writing, report: Report) -> Answer:
        at = parts.now()
        after, consignment, deliveries, event = send.issue(
            writing.tx, caller.actor, document, version, body.specs(), report=report,
            certificates=writing.keys.seals_of(caller.actor.office), on=local_day(at), at=at,
            due=body.due, sender_reference=body.sender_reference, partial=body.partial,
        )  # fmt: skip
        told = schemas.consignment_json(consignment, after, deliveries)
        told["event"] = {"id": event.id, "leaf": event.leaf.hex()}
        return Answer(201, told, {"Location": f"/api/v1/consignments/{consignment.id}"})

    return parts.run(caller.actor, asked, work, act)


def make_group(parts: Parts, caller: Caller, asked: Asked, body: schemas.NewGroup) -> Answer:
    """Save a list of recipients."""

    def act(writing: Writing, _: None) -> Answer:
        group = send.make_group(writing.tx, caller.actor, body.name, body.members, at=parts.now())
        return Answer(201, {"id": group.id, "name": group.name, "members": list(group.members)})

    return parts.run(caller.actor, asked, lambda: None, act)


# -- arrivals --


def open_arrival(parts: Parts, caller: Caller, delivery: str) -> Delivery:
    """A person looks at an arrival: the first look is a fact."""
    with parts.read() as reading:
        here = found_arrival(reading.exchange, delivery, caller.actor)
    if here.opened_at is not None or caller.actor.roles <= {Role.AUDITOR}:
        return here
    with parts.write() as writing:
        return receive.opened(writing.tx, caller.actor, delivery, at=parts.now())[0]


def register(
    parts: Parts, caller: Caller, asked: Asked, delivery: str, version: int, body: schemas.RegisterAsked
) -> Answer:
    """Take an arrival on with its number; the check on arrival is kept as evidence."""
    on = body.incoming_date or local_day(parts.now())

    def work() -> tuple[Report, StoredReport]:
        with parts.read() as reading:
            receive.moving(reading.exchange, "register", caller.actor, delivery, version)
        return check_arrival(parts, caller, delivery)

    def act(writing: Writing, checked: tuple[Report, StoredReport]) -> Answer:
        report, stored = checked
        after, event = receive.register(
            writing.tx, caller.actor, delivery, version, sha256=body.sha256, report=stored, incoming_date=on,
            at=parts.now(), book=body.book,
        )  # fmt: skip
        answer = _delivery(after, event)
        return replace(answer, body=answer.body | {"report": schemas.report_json(report, stored.sha256)})

    return parts.run(caller.actor, asked, work, act)


def shown_report(parts: Parts, caller: Caller, delivery: str) -> Report:
    """The verdict to show beside an arrival: a kept report of the last minutes that was made from the same inputs, else
    a new one, which is kept.

    Registering always checks anew.
    """
    with parts.read() as reading:
        here = found_arrival(reading.exchange, delivery, caller.actor)
        file = receive.sent_file(reading.exchange, here)
        kept = reading.exchange.newest_report(file.sha256, parts.now() - SHOWN_AGAIN)
    report, stored = check_kept(parts.tools(), file, office_code=here.sender, at=parts.now(), kept=kept)
    if stored != kept:
        with parts.write() as writing:
            writing.tx.store.add_report(stored)
    return report


def check_arrival(parts: Parts, caller: Caller, delivery: str) -> tuple[Report, StoredReport]:
    """The verdict on what arrived, as of now."""
    with parts.read() as reading:
        here = found_arrival(reading.exchange, delivery, caller.actor)
        file = receive.sent_file(reading.exchange, here)
    return check_file(parts.tools(), parts.blobs.get(file.sha256), office_code=here.sender, at=parts.now())


def refuse(
    parts: Parts, caller: Caller, asked: Asked, delivery: str, version: int, body: schemas.RefuseAsked
) -> Answer:
    """Send an arrival back with a reason."""

    def act(writing: Writing, _: None) -> Answer:
        refused = receive.refuse(
            writing.tx, caller.actor, delivery, version, reason_code=body.reason_code, reason=body.reason,
            at=parts.now(),
        )  # fmt: skip
        return _delivery(*refused)

    return parts.run(caller.actor, asked, lambda: None, act)


def assign(
    parts: Parts, caller: Caller, asked: Asked, delivery: str, version: int, body: schemas.AssignAsked
) -> Answer:
    """Put somebody of the office in charge."""
    named = {body.lead, *body.cooperating, *body.for_information}
    with parts.read() as reading:
        known = {person.id for person in reading.people.people_of(caller.actor.office)}
    if not named <= known:
        raise PersonUnknown

    def act(writing: Writing, _: None) -> Answer:
        assigned = desk.assign(
            writing.tx, caller.actor, delivery, version, lead=body.lead, cooperating=tuple(body.cooperating),
            for_information=tuple(body.for_information), due=body.due, instruction=body.instruction, at=parts.now(),
        )  # fmt: skip
        return _delivery(*assigned)

    return parts.run(caller.actor, asked, lambda: None, act)


def start(parts: Parts, caller: Caller, asked: Asked, delivery: str, version: int) -> Answer:
    """Begin the work."""

    def act(writing: Writing, _: None) -> Answer:
        return _delivery(*desk.start(writing.tx, caller.actor, delivery, version, at=parts.now()))

    return parts.run(caller.actor, asked, lambda: None, act)


def complete(parts: Parts, caller: Caller, asked: Asked, delivery: str, version: int) -> Answer:
    """End the work."""

    def act(writing: Writing, _: None) -> Answer:
        return _delivery(*desk.complete(writing.tx, caller.actor, delivery, version, at=parts.now()))

    return parts.run(caller.actor, asked, lambda: None, act)


# -- checking and proving --


def verify(parts: Parts, pdf: bytes) -> Report:
    """The verdict on any PDF; nothing is kept."""
    return check_file(parts.tools(), pdf, office_code=None, at=parts.now())[0]


def verify_kept(parts: Parts, caller: Caller, sha256: str) -> tuple[Report, StoredReport]:
    """The verdict on a file of the caller's office, kept as evidence; any other is `NotFound`, the same as none."""
    with parts.read() as reading:
        found = reading.exchange.file_of_office(caller.actor.office, sha256)
        kept = reading.exchange.newest_report(sha256, parts.now() - SHOWN_AGAIN)
    if found is None:
        raise NotFound
    file, sender = found
    report, stored = check_kept(parts.tools(), file, office_code=sender, at=parts.now(), kept=kept)
    if stored != kept:
        with parts.write() as writing:
            writing.tx.store.add_report(stored)
    return report, stored


def evidence_pack(parts: Parts, caller: Caller, document: str) -> bytes:
    """The pack of a document for the caller's office; what still waits for its place or its outside time gets it now.

    With the time authority away the pack says so: its time is pending.
    """
    with parts.read() as reading:
        prove.require_party(reading.exchange, document, caller.actor)  # who has nothing to see here sets nothing off
    while sequence_once(parts):
        pass
    stamp_newest(parts)
    with parts.read() as reading:
        return prove.make_pack(parts.tools(), reading.exchange, document, caller.actor, at=parts.now())


def visible_event(parts: Parts, caller: Caller, event: str) -> Event:
    """An event that the caller's office may see, placed in the ledger now if it was not yet; else `NotFound`."""
    with parts.read() as reading:
        found = reading.exchange.event(event)
    if found is None:
        raise NotFound
    if caller.actor.office not in audience(json.loads(found.body), inward=found.inward, office=found.office):
        raise NotFound
    if found.index is not None:
        return found
    while sequence_once(parts):
        pass
    with parts.read() as reading:
        placed = reading.exchange.event(event)
    return placed or found


def picture(parts: Parts, sha256: str, page: int, width: int) -> bytes:
    """A page as a PNG, drawn in the limited process."""
    png: bytes = parts.sandbox.run(page_picture, parts.blobs.get(sha256), page, width=width)
    return png


# -- what the worker does --


def sequence_once(parts: Parts) -> bool:
    """Give waiting events their places; True while there may be more."""
    try:
        with parts.write() as writing:
            made = sequence.sequence(writing.tx, log_key=parts.log_key, origin=parts.origin, at=parts.now())
    except StateChanged:
        return True
    return made is not None


def stamp_newest(parts: Parts) -> None:
    """Have the newest checkpoint stamped, if it is not yet; an authority that is away leaves it for the next time."""
    with parts.read() as reading:
        checkpoint = sequence.to_stamp(reading.exchange)
    if checkpoint is None:
        return
    try:
        token = sequence.stamp(parts.tools(), checkpoint)
    except (TsaUnavailable, TimestampRejected):
        return
    with parts.write() as writing:
        sequence.keep_stamp(writing.tx, checkpoint.size, token, at=parts.now())


def sweep_uploads(parts: Parts) -> None:
    """Forget uploads that nobody finished within a day, what writers left that were killed, and visitors' files."""
    before = parts.now() - UPLOAD_LIVES
    with parts.write() as writing:
        stale = writing.tx.store.drop_uploads(before)
    for upload in stale:
        parts.blobs.upload_drop(upload)
    parts.blobs.sweep(before)
    parts.visitor_files.sweep(parts.now())


def finish_signature(parts: Parts, payload: Mapping[str, Any]) -> None:
    """Job: finish a file whose signature was made while the TSA was away. Raises what is still away.

    A signature that can never be finished (its certificate was revoked meanwhile, its file is gone) is given up,
    so that its person may sign again.
    """
    tools = parts.tools()
    with parts.read() as reading:
        session = reading.exchange.session(str(payload["session"]))
        if session is None or session.state != "signed":
            return
    try:
        with parts.read() as reading:
            made = issue.held_signature(tools, reading.exchange, session)
        signed = complete_signature(tools, made, office_code=session.actor.office, at=parts.now())
        with parts.write() as writing:
            issue.finish_held(writing.tx, session.id, signed, at=parts.now())
    except (PdfTooComplex, StorageFull):
        raise  # a limit of this moment
    except (ExchangeError, SigningError) as refusal:
        log.error("kept-signature-given-up", session=session.id, document=session.document, code=refusal.code)
        with parts.write() as writing:
            issue.give_up_held(writing.tx, session.id, at=parts.now())


JOBS: Mapping[str, Callable[[Parts, Mapping[str, Any]], None]] = {"finish_signature": finish_signature}
"""Kind of job → act."""


# -- inside --


def _signed(
    parts: Parts,
    caller: Caller,
    asked: Asked,
    document: str,
    version: int,
    pin: "str | Opener",
    purpose: SignaturePurpose,
    otp: str | None = None,
) -> Answer:
    act_name, act_of = ("sign", issue.sign) if purpose is SignaturePurpose.LEADER else ("seal", issue.seal)

    def work() -> tuple[MadeSignature, SignedFile | None]:
        with parts.read() as reading:
            before = issue.moving(reading.exchange, act_name, caller.actor, document, version)
            revision = issue.current(reading.exchange, before)
            made_for, field = _hand(before, purpose)
            key = _key(reading.keys.keys_for(caller.actor.id), purpose, caller)
            image = reading.people.picture(*_picture_of(purpose, caller)) or _drawn(made_for, caller)
            office = reading.exchange.office(caller.actor.office)
        tools = parts.tools()
        name = caller.name if purpose is SignaturePurpose.LEADER or office is None else office.name
        with parts.open_key(key.id, caller.actor.id, pin, otp) if isinstance(pin, str) else pin.open(key) as signer:
            if purpose is SignaturePurpose.SEAL:
                mark_attachments(parts, caller, document, version, signer, name)
            at = parts.now()
            made = make_signature(
                tools, revision.file, made_for, signer, image=image, name=name, at=at, field=field,
                lines=seal_lines(before, purpose, name, at),
            )  # fmt: skip
        try:
            signed = complete_signature(tools, made, office_code=caller.actor.office, at=parts.now())
        except AWAY:
            tools.blobs.put(made.prepared.pdf)
            return made, None
        return made, signed

    def act(writing: Writing, done: tuple[MadeSignature, SignedFile | None]) -> Answer:
        made, signed = done
        at = parts.now()
        if signed is not None:
            return document_answer(writing, *act_of(writing.tx, caller.actor, document, version, signed, at=at))
        held = _hold(writing, caller, document, version, made, parts)
        return replace(document_answer(writing, held, None), status=202)

    return parts.run(caller.actor, asked, work, act)


class Opener(Protocol):
    """What opens keys in the place of a PIN: a batch keeps them open from one document to the next."""

    def open(self, key: KeyRecord) -> AbstractContextManager[Signer]: ...


def key_of(parts: Parts, caller: Caller, purpose: SignaturePurpose) -> KeyRecord:
    """The key that the caller would sign or seal with. Raises `CertificateMissing`."""
    with parts.read() as reading:
        return _key(reading.keys.keys_for(caller.actor.id), purpose, caller)


def _hand(document: Document, purpose: SignaturePurpose) -> tuple[SignaturePurpose, str | None]:
    """What is made now, and in which field: initials and each leader's signature have one of their own."""
    if purpose is SignaturePurpose.SEAL:
        return purpose, seal_field(document)
    named = issue.whose_turn(document)
    return SignaturePurpose.INITIAL if named.part is Part.INITIAL else purpose, named.field


def _hold(writing: Writing, caller: Caller, document: str, version: int, made: MadeSignature, parts: Parts) -> Document:
    prepared = parts.blobs.put(made.prepared.pdf)
    return issue.hold_signature(writing.tx, caller.actor, document, version, made, prepared, at=parts.now())


def _picture_of(purpose: SignaturePurpose, caller: Caller) -> tuple[str, str]:
    if purpose is SignaturePurpose.LEADER:
        return "signature", caller.actor.id
    return "seal", caller.actor.office


def _drawn(purpose: SignaturePurpose, caller: Caller) -> bytes:
    """What stands for a picture that nobody brought: initials are the name, a signature or a seal needs its own."""
    return draw_initials_image(caller.name) if purpose is SignaturePurpose.INITIAL else b""


def _key(keys: list[KeyRecord], purpose: SignaturePurpose, caller: Caller) -> KeyRecord:
    wanted = Purpose.PERSON if purpose is SignaturePurpose.LEADER else Purpose.ORGANISATION
    here = [key for key in keys if key.purpose is wanted and key.office == caller.actor.office]
    if not here:
        raise CertificateMissing(who=caller.name)
    return here[-1]


def _draft_words(parts: Parts, caller: Caller, body: schemas.NewDocument) -> tuple[Draft, str]:
    wanted = Draft(body.type, body.subject, body.signer, body.urgency, body.secrecy, body.not_classified)
    require_unclassified(wanted)
    return wanted, _signer_name(parts, caller, body.signer)


@dataclass(frozen=True, slots=True)
class _Edited:
    """What the work before a change made: the words, the file when it is a new one, the order when it is another."""

    wanted: Draft
    signer_name: str
    prepared: issue.PreparedFile | None
    named: tuple[NamedPerson, ...] | None


def _edited(parts: Parts, caller: Caller, document: str, version: int, body: schemas.DocumentChange) -> _Edited:
    with parts.read() as reading:
        before = issue.moving(reading.exchange, "edit", caller.actor, document, version)
        revision = issue.current(reading.exchange, before)
        known = reading.exchange.revisions(before.id)
    if before.kind is DocumentKind.COPY and (body.upload or body.places or body.signers or body.signer):
        raise CopyNotAllowed(why="bản sao chỉ sửa trích yếu, loại / of a copy only subject and type change")
    drafts = [r for r in known if r.chain == before.chain and r.made_by == "draft"]
    with forgotten_when_refused(parts, caller, body.upload):
        wanted = _changed_words(before, body)
        signer_name = _signer_of(parts, caller, before, wanted.signer)
        named = _order(parts, caller, wanted.signer, body.signers) if body.signers is not None else None
        order = before.named if named is None else named
        if body.upload is not None:
            prepared = _prepared_upload(parts, caller, body.upload, body.places, wanted, order)
            return _Edited(wanted, signer_name, prepared, named)
    if body.places is None and named is None:
        return _Edited(wanted, signer_name, None, None)
    places = body.places.value() if body.places else issue.places_of(before.places)
    base = drafts[-1] if drafts else revision
    again = issue.prepare_again(parts.tools(), base, places, issue.other_fields(order))
    return _Edited(wanted, signer_name, again, named)


def _edit(
    writing: Writing, parts: Parts, caller: Caller, document: str, version: int, made: _Edited
) -> tuple[Document, Event]:
    return issue.edit(
        writing.tx, caller.actor, document, version, made.wanted, made.signer_name, made.prepared, at=parts.now(),
        named=made.named,
    )  # fmt: skip


def _order(parts: Parts, caller: Caller, signer: str, asked: Sequence[schemas.NamedIn]) -> tuple[NamedPerson, ...]:
    """The order of signing with names; raises `SignerUnknown`, `PersonUnknown`, `SigningOrderInvalid`."""
    with parts.read() as reading:
        people = {person.id: person for person in reading.people.people_of(caller.actor.office)}
        leaders = {person.id for person in reading.people.people_of(caller.actor.office, Role.LEADER)}
    for one in asked:
        if one.person not in people:
            raise PersonUnknown
        if one.part is Part.SIGN and one.person not in leaders:
            raise SignerUnknown
    return signing_order(signer, [WishedHand(one.person, people[one.person].name, one.part) for one in asked])


def _changed_words(before: Document, body: schemas.DocumentChange) -> Draft:
    """What a document says after a change; raises `ClassifiedRefused`."""
    wanted = Draft(
        type=body.type or before.type,
        subject=body.subject or before.subject,
        signer=body.signer or before.signer,
        urgency=body.urgency or before.urgency,
        secrecy=body.secrecy or before.secrecy,
        not_classified=bool(body.not_classified),
    )
    require_unclassified(wanted)
    return wanted


def _prepared_upload(
    parts: Parts, caller: Caller, upload_id: str, places: schemas.PlacesIn | None, wanted: Draft,
    named: Sequence[NamedPerson] = (),
) -> issue.PreparedFile:  # fmt: skip
    """A whole upload made ready, if it may be a document at all."""
    upload = found_upload(parts, caller, upload_id)
    if not upload.done:
        raise UploadIncomplete(held=parts.blobs.upload_size(upload.id), size=upload.size)
    issue.require_pdf(upload.media_type)
    return issue.prepare_draft(
        parts.tools(), parts.blobs.get(upload.sha256), name=upload.name, places=places.value() if places else None,
        more=issue.other_fields(named), accept=lambda read: issue.require_draft(wanted, read, caller.actor),
    )  # fmt: skip


def _signer_of(parts: Parts, caller: Caller, before: Document, signer: str) -> str:
    return "" if before.kind is DocumentKind.COPY and not signer else _signer_name(parts, caller, signer)


def _signer_name(parts: Parts, caller: Caller, signer: str) -> str:
    with parts.read() as reading:
        leaders = {person.id: person.name for person in reading.people.people_of(caller.actor.office, Role.LEADER)}
    if signer not in leaders:
        raise SignerUnknown
    return leaders[signer]


def document_answer(writing: Writing, document: Document, event: Event | None) -> Answer:
    """A document as every act on it answers."""
    revision = issue.current(writing.tx.store, document)
    attachments = writing.tx.store.attachments(document.id)
    return Answer(200, schemas.document_json(document, revision, event, attachments), {"ETag": f'"{document.version}"'})


def _delivery(delivery: Delivery, event: Event) -> Answer:
    told = schemas.delivery_json(delivery) | {"event": {"id": event.id, "leaf": event.leaf.hex()}}
    return Answer(200, told, {"ETag": f'"{delivery.version}"'})
