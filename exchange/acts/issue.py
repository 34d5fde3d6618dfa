"""From draft to seal (exchange page §3): each act, and the work that precedes it outside the transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from exchange.acts.record import record_document
from exchange.acts.signature import MEDIA_TYPE, MadeSignature, SignedFile
from exchange.acts.tools import Tools
from exchange.errors import (
    NumberMoved,
    SeriesUnknown,
    SigningPending,
    StateChanged,
    SubjectMissing,
    SubjectTooLong,
    TypeNotAllowed,
    WrongState,
)
from exchange.rules.acceptance import (
    require_attachments_sealed,
    require_leader_signed,
    require_name,
    require_no_mark,
    require_reason,
    require_sealed,
    require_unclassified,
)
from exchange.rules.calendar import local_day
from exchange.rules.copies import require_fitting
from exchange.rules.ids import new_id
from exchange.rules.lifecycle import WAYS_BACK, Move, author_role, clerk_role, document_move, named_role
from exchange.rules.model import (
    Actor,
    Document,
    DocumentKind,
    DocumentState,
    Draft,
    Event,
    FileRef,
    NamedPerson,
    Number,
    Part,
    Revision,
    Role,
    Series,
    SigningSession,
    StoredReport,
)
from exchange.rules.numbering import require_date, require_open, written
from exchange.rules.signing_order import with_signer
from exchange.storage.store import Store, Transaction, found_document
from keys.certificates import fingerprint
from signing.copies import fill_copy
from signing.model import (
    LEADER_FIELD,
    NamedPlace,
    PageReading,
    Place,
    Places,
    PreparedDocument,
    PreparedSignature,
    SignaturePurpose,
)
from signing.prepare import prepare_document
from signing.stamp import fill_number_date

MOST_SUBJECT = 500
GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """An uploaded PDF made ready for signing and kept, and what its first page says."""

    file: FileRef
    reading: PageReading


@dataclass(frozen=True, slots=True)
class NextNumber:
    """The number that would be taken now: the work fills it in, the act takes it or says that it moved."""

    series: Series
    n: int
    written: str


# -- draft --


def prepare_draft(
    tools: Tools,
    pdf: bytes,
    *,
    name: str,
    places: Places | None = None,
    more: tuple[str, ...] = (),
    accept: Callable[[PageReading], object] = lambda _: None,
) -> PreparedFile:
    """Work: make an uploaded PDF ready (one revision, every field) and keep it. Raises the errors of `signing`.

    `more` are the fields of those who sign beside the leader. `accept` sees what page one says and raises what refuses
    it: of a refused document nothing is kept.
    """
    require_name(name)
    prepared: PreparedDocument = tools.run(prepare_document, pdf, places, more)
    accept(prepared.reading)
    sha256 = tools.blobs.put(prepared.pdf)
    return PreparedFile(FileRef(sha256, len(prepared.pdf), MEDIA_TYPE, name), prepared.reading)


def prepare_again(tools: Tools, revision: Revision, places: Places, more: tuple[str, ...] = ()) -> PreparedFile:
    """Work: the same draft with its fields at other places, or with other fields."""
    pdf = tools.blobs.get(revision.file.sha256)
    return prepare_draft(tools, pdf, name=revision.file.name, places=places, more=more)


def other_fields(named: Sequence[NamedPerson]) -> tuple[str, ...]:
    """The fields of those who sign beside the document's signer."""
    return tuple(one.field for one in named if one.field != LEADER_FIELD)


def require_draft(wanted: Draft, reading: PageReading, actor: Actor) -> None:
    """Raises what `draft` would, before anything is kept: mật, a mark on page one, no subject."""
    _require_draft(wanted, reading, actor)
    _subject(wanted, reading)


def draft(
    tx: Transaction,
    actor: Actor,
    wanted: Draft,
    signer_name: str,
    prepared: PreparedFile,
    *,
    at: datetime,
    named: tuple[NamedPerson, ...] = (),
) -> tuple[Document, Event]:
    """Act: a new document in `draft`, by a clerk or officer; `named` are those who sign, when they are several."""
    role = author_role(actor)
    harmless = _require_draft(wanted, prepared.reading, actor)
    document = Document(
        id=new_id("doc", at),
        office=actor.office,
        author=actor.id,
        type=wanted.type,
        subject=_subject(wanted, prepared.reading),
        signer=wanted.signer,
        signer_name=signer_name,
        urgency=wanted.urgency,
        secrecy=wanted.secrecy,
        state=DocumentState.DRAFT,
        version=1,
        revision=1,
        chain=1,
        number=None,
        places=places_json(prepared.reading.places),
        created_at=at,
        changed_at=at,
        named=named,
    )
    tx.store.add_document(document)
    tx.store.add_revision(Revision(document.id, 1, prepared.file, "draft", None, at, 1))
    event = record_document(
        tx, "document.drafted", actor, document, role=role, before=None, at=at, files=[prepared.file],
        data={"type": document.type, "signer": document.signer},
    )  # fmt: skip
    if harmless:
        _declare_harmless(tx, actor, document, at)
    return document, event


def edit(
    tx: Transaction,
    actor: Actor,
    document: str,
    version: int,
    wanted: Draft,
    signer_name: str,
    prepared: PreparedFile | None,
    *,
    at: datetime,
    named: tuple[NamedPerson, ...] | None = None,
) -> tuple[Document, Event]:
    """Act: change a draft; a returned document becomes a draft again, with a new chain of revisions.

    `named` is a new order of signing, whose fields `prepared` has; None leaves it as it is.
    """
    before, move = _moving(tx.store, "edit", actor, document, version)
    require_unclassified(wanted)
    harmless = prepared is not None and _require_draft(wanted, prepared.reading, actor)
    reopened = before.state is DocumentState.RETURNED
    file = prepared.file if prepared else _first_of_chain(tx.store, before).file
    new_file = prepared is not None or reopened
    after = replace(
        before,
        type=wanted.type,
        subject=_subject(wanted, prepared.reading if prepared else None),
        signer=wanted.signer,
        signer_name=signer_name,
        urgency=wanted.urgency,
        state=DocumentState(move.target),
        revision=_last_revision(tx.store, before) + 1 if new_file else before.revision,
        chain=before.chain + 1 if new_file else before.chain,
        number=None,
        places=places_json(prepared.reading.places) if prepared else before.places,
        named=_order_after(before, wanted, signer_name) if named is None else named,
        turn=0,
        changed_at=at,
    )
    after = tx.store.change_document(before, after)
    if new_file:
        tx.store.add_revision(Revision(after.id, after.revision, file, "draft", None, at, after.chain))
    event = record_document(tx, move.event, actor, after, role=author_role(actor), before=before, at=at, files=[file])
    if harmless:
        _declare_harmless(tx, actor, after, at)
    return after, event


def submit(tx: Transaction, actor: Actor, document: str, version: int, *, at: datetime) -> tuple[Document, Event]:
    """Act: the author asks the leader to sign; the content is frozen."""
    before, move = _moving(tx.store, "submit", actor, document, version)
    file = current(tx.store, before).file
    after = _to(tx, before, move, at)
    event = record_document(
        tx, move.event, actor, after, role=author_role(actor), before=before, at=at,
        files=[file, *_attached(tx, after)],
        data={"signers": [{"person": one.person, "part": one.part} for one in after.order]},
    )  # fmt: skip
    return after, event


# -- leader's signature --


def sign(
    tx: Transaction, actor: Actor, document: str, version: int, signed: SignedFile, *, at: datetime
) -> tuple[Document, Event]:
    """Act: the signature of the one whose turn it is is in the file, valid and made with the certificate that signed.

    Initials and all signatures but the last leave the state as it is.
    """
    before, move = _moving(tx.store, "sign", actor, document, version)
    named = whose_turn(before)
    role = named_role(named, actor)
    assert role is not None  # noqa: S101 - `_moving` let only somebody with such a role through
    found = require_leader_signed(signed.report, fingerprint(signed.certificate), named.field)
    made_by = "initial" if named.part is Part.INITIAL else "sign"
    after = _new_revision(tx, replace(before, turn=before.turn + 1), move, signed, made_by, at)
    event = record_document(
        tx, move.event, actor, after, role=role, before=before, at=at, files=[signed.file, *_attached(tx, after)],
        data={
            "certificate": found.certificate_sha256,
            "report_sha256": signed.stored.sha256,
            "level": found.level,
            "turn": after.turn,
            "of": len(after.order),
        },
    )  # fmt: skip
    return after, event


def whose_turn(document: Document) -> NamedPerson:
    """Who initials or signs next. Raises `WrongState` when the document waits for nobody."""
    named = document.next_named
    if named is None:
        raise WrongState(state=document.state)
    return named


def seal(
    tx: Transaction, actor: Actor, document: str, version: int, signed: SignedFile, *, at: datetime
) -> tuple[Document, Event]:
    """Act: the organisation's seal is in the file, by the clerk personally (R44, R45)."""
    before, move = _moving(tx.store, "seal", actor, document, version)
    own = fingerprint(signed.certificate)
    found = require_sealed(signed.report, own, known=[own])
    require_attachments_sealed(tx.store.attachments(before.id))
    after = _new_revision(tx, before, move, signed, "seal", at)
    assert before.number is not None  # noqa: S101 - `numbered` has a number
    event = record_document(
        tx, move.event, actor, after, role=Role.CLERK, before=before, at=at,
        files=[signed.file, *_attached(tx, after)],
        data={
            "certificate": found.certificate_sha256,
            "report_sha256": signed.stored.sha256,
            "level": found.level,
            "number_in_file": signed.report.number == before.number.written,
        },
    )  # fmt: skip
    return after, event


def hold_signature(
    tx: Transaction,
    actor: Actor,
    document: str,
    version: int,
    made: MadeSignature,
    prepared_sha256: str,
    *,
    at: datetime,
) -> Document:
    """Act: keep a signature whose time stamp did not come. The state stays; a job finishes the file without the PIN."""
    act = "seal" if made.purpose is SignaturePurpose.SEAL else "sign"
    before, _ = _moving(tx.store, act, actor, document, version)
    prepared = made.prepared
    session = SigningSession(
        id=new_id("sgn", at),
        document=before.id,
        document_version=before.version + 1,
        purpose=made.purpose,
        actor=actor,
        certificate=made.certificate,
        chain=made.chain,
        base=made.base.sha256,
        prepared=prepared_sha256,
        digest=prepared.digest,
        start=prepared.start,
        end=prepared.end,
        attributes=prepared.attributes,
        signature=made.signature,
        state="signed",
        created_at=at,
    )
    tx.store.add_session(session)
    tx.jobs.enqueue("finish_signature", {"session": session.id}, key=session.id)
    return tx.store.change_document(before, replace(before, pending_signature=session.id, changed_at=at))


def held_signature(tools: Tools, store: Store, session: SigningSession) -> MadeSignature:
    """Work: a kept signature as it was when the key made it."""
    document = store.document(session.document)
    if document is None or document.pending_signature != session.id:
        raise StateChanged(state=document.state if document else "–")
    prepared = PreparedSignature(
        tools.blobs.get(session.prepared), session.digest, session.start, session.end, session.attributes
    )
    base = current(store, document).file
    purpose = SignaturePurpose(session.purpose)
    return MadeSignature(purpose, base, prepared, session.signature, session.certificate, session.chain)


def finish_held(tx: Transaction, session_id: str, signed: SignedFile, *, at: datetime) -> Document | None:
    """Act: the move that a kept signature was made for, as the person who made it; None when it was finished before."""
    session = tx.store.session(session_id)
    if session is None or not tx.store.end_session(session_id, "finished"):
        return None
    document = tx.store.document(session.document)
    if document is None or document.pending_signature != session_id:
        raise StateChanged(state=document.state if document else "–")
    free = tx.store.change_document(document, replace(document, pending_signature=None))
    move = seal if session.purpose == SignaturePurpose.SEAL else sign
    after, _ = move(tx, session.actor, free.id, free.version, signed, at=at)
    return after


def give_up_held(tx: Transaction, session_id: str, *, at: datetime) -> Document | None:
    """Act: let a kept signature go that can never be finished; its document is free again. None when it had ended."""
    session = tx.store.session(session_id)
    if session is None or not tx.store.end_session(session_id, GIVEN_UP):
        return None
    document = tx.store.document(session.document)
    if document is None or document.pending_signature != session_id:
        return document
    return tx.store.change_document(document, replace(document, pending_signature=None, changed_at=at))


# -- number --


def next_number(store: Store, actor: Actor, series: str, day: date) -> NextNumber:
    """What the next number of a series would be; nothing is taken. Raises `SeriesUnknown`, `SeriesClosed`."""
    here = store.series(actor.office, day.year, series)
    if here is None:
        pattern = store.latest_series(actor.office, series)
        if pattern is None or pattern.year > day.year:
            raise SeriesUnknown(series=series)
        require_open(pattern)
        return NextNumber(replace(pattern, year=day.year), 1, written(pattern.form, 1))
    require_open(here.series)
    return NextNumber(here.series, here.last + 1, written(here.series.form, here.last + 1))


def require_day(store: Store, document: Document, series: str, day: date, *, at: datetime) -> None:
    """Raises `NumberDateInvalid` before a file is filled in vain; `number` looks again when none comes between."""
    here = store.series(document.office, day.year, series)
    require_date(day, today=local_day(at), signed=_signed_on(store, document), last=here.last_date if here else None)


def number_file(tools: Tools, document: Document, revision: Revision, number: str, day: date) -> FileRef:
    """Work: write number and date into the fields made for them, as one more revision; the leader's signature holds."""
    pdf = tools.blobs.get(revision.file.sha256)
    if document.kind is DocumentKind.COPY:
        filled = tools.run(fill_copy, pdf, number=number, date=day, place_name=document.issue_place)
    else:
        filled = tools.run(fill_number_date, pdf, number=number, date=day)
    return FileRef(tools.blobs.put(filled), len(filled), MEDIA_TYPE, revision.file.name)


def number(
    tx: Transaction,
    actor: Actor,
    document: str,
    version: int,
    series: str,
    day: date,
    filled: FileRef,
    expected: NextNumber,
    *,
    at: datetime,
) -> tuple[Document, Event]:
    """Act: take the next number of the series, in this very transaction, so that a rollback leaves no hole.

    Raises `NumberMoved` when somebody took the expected one: the file must be filled again.
    """
    before, move = _moving(tx.store, "number", actor, document, version)
    here = _series_of_year(tx, actor, series, day, at)
    require_open(here)
    require_fitting(here, before)
    n, last_date = tx.store.take_next(here.id, day)
    if n != expected.n:
        raise NumberMoved(written=expected.written, next_n=n)
    require_date(day, today=local_day(at), signed=_signed_on(tx.store, before), last=last_date)
    taken = Number(
        id=new_id("num", at), series=here.id, office=actor.office, year=day.year, n=n,
        written=written(here.form, n), date=day, state="taken", document=before.id,
    )  # fmt: skip
    tx.store.add_number(taken)
    after = replace(before, number=taken, state=DocumentState(move.target), revision=before.revision + 1, changed_at=at)
    after = tx.store.change_document(before, after)
    tx.store.add_revision(Revision(after.id, after.revision, filled, "number", None, at, after.chain))
    event = record_document(
        tx, move.event, actor, after, role=clerk_role(actor), before=before, at=at, files=[filled],
        data={
            "series": series, "n": n, "written": taken.written, "date": day.isoformat(), "number": taken.id,
            "copy_kind": before.copy_kind,
        },
    )  # fmt: skip
    return after, event


# -- ways back --


def return_(
    tx: Transaction, actor: Actor, document: str, version: int, reason: str, *, at: datetime
) -> tuple[Document, Event]:
    """Act: back to the author with a reason; a number taken is void, with its stub, a kept signature is given up."""
    told = require_reason(reason)
    before, move = _moving(tx.store, "return", actor, document, version)
    role = _role_of(move, actor, before)
    if before.pending_signature is not None:
        tx.store.end_session(before.pending_signature, GIVEN_UP)
    _void(tx, actor, before, role, told, at)
    after = _to(tx, before, move, at)
    event = record_document(tx, move.event, actor, after, role=role, before=before, at=at, reason=told)
    return after, event


def cancel(
    tx: Transaction, actor: Actor, document: str, version: int, reason: str, *, at: datetime
) -> tuple[Document, Event]:
    """Act: give it up before issue; a number taken is void, with its stub, a kept signature is given up."""
    told = require_reason(reason)
    before, move = _moving(tx.store, "cancel", actor, document, version)
    role = _role_of(move, actor, before)
    if before.pending_signature is not None:
        tx.store.end_session(before.pending_signature, GIVEN_UP)
    _void(tx, actor, before, role, told, at)
    after = _to(tx, before, move, at)
    event = record_document(tx, move.event, actor, after, role=role, before=before, at=at, reason=told)
    return after, event


# -- inside --


def current(store: Store, document: Document) -> Revision:
    """The newest PDF of a document."""
    revision = store.revision(document.id, document.revision)
    assert revision is not None  # noqa: S101 - written in the transaction that named it
    return revision


def newest_report(store: Store, document: Document) -> StoredReport | None:
    """The report on the newest signed revision of a document, as it stands now; None before the first signature."""
    signed = [r for r in store.revisions(document.id) if r.report_sha256 and r.chain == document.chain]
    return store.report(signed[-1].report_sha256 or "") if signed else None


def places_json(places: Places) -> dict[str, object]:
    """Places as they are kept and shown."""
    named = {name: getattr(places, name) for name in _FOUR} | {other.field: other.place for other in places.others}
    return {name: {"page": p.page, "box": list(p.box), "confidence": p.confidence} for name, p in named.items()}


def places_of(kept: Mapping[str, object]) -> Places:
    """The value of kept places."""

    def place(name: str) -> Place:
        one = kept[name]
        assert isinstance(one, Mapping)  # noqa: S101 - written by `places_json`
        x1, y1, x2, y2 = one["box"]
        return Place(int(one["page"]), (x1, y1, x2, y2), float(one["confidence"]))

    others = tuple(NamedPlace(name, place(name)) for name in kept if name not in _FOUR)
    return Places(place("number"), place("date"), place("signature"), place("seal"), others)


_FOUR = ("number", "date", "signature", "seal")


def require_pdf(media_type: str) -> None:
    """Raises `TypeNotAllowed` for everything but PDF."""
    if media_type != MEDIA_TYPE:
        raise TypeNotAllowed(media_type=media_type[:80])


def require_author(actor: Actor) -> None:
    """Only clerks and officers draft. Raises `NotAllowed`."""
    author_role(actor)


def moving(store: Store, act: str, actor: Actor, document: str, version: int) -> Document:
    """The document, if this act by this person is possible now; for work that must not begin in vain."""
    return _moving(store, act, actor, document, version)[0]


def _moving(store: Store, act: str, actor: Actor, document: str, version: int) -> tuple[Document, Move]:
    here = found_document(store, document, actor)
    move = document_move(act, here, actor)
    if here.pending_signature is not None and act not in WAYS_BACK:
        raise SigningPending
    if here.version != version:
        raise StateChanged(state=here.state)
    return here, move


def _to(tx: Transaction, before: Document, move: Move, at: datetime) -> Document:
    after = replace(before, state=DocumentState(move.target), pending_signature=None, changed_at=at)
    return tx.store.change_document(before, after)


def _new_revision(
    tx: Transaction, before: Document, move: Move, signed: SignedFile, made_by: str, at: datetime
) -> Document:
    tx.store.add_report(signed.stored)
    after = replace(before, state=DocumentState(move.target), revision=before.revision + 1, changed_at=at)
    after = tx.store.change_document(before, after)
    revision = Revision(after.id, after.revision, signed.file, made_by, signed.stored.sha256, at, after.chain)
    tx.store.add_revision(revision)
    return after


def _role_of(move: Move, actor: Actor, document: Document) -> Role:
    """The role in which a way back was taken: the clerk's and the leader's act by office, else the author's."""
    if Role.CLERK in move.who and Role.CLERK in actor.roles:
        return Role.CLERK
    turn = document.next_named
    if turn is not None and turn.person == actor.id and (role := named_role(turn, actor)) is not None:
        return role
    if actor.id == document.signer and Role.LEADER in actor.roles:
        return Role.LEADER
    return author_role(actor)


def _require_draft(wanted: Draft, reading: PageReading, actor: Actor) -> bool:
    require_unclassified(wanted)
    return require_no_mark(wanted, reading, actor)


def _subject(wanted: Draft, reading: PageReading | None) -> str:
    return subject_of(wanted.subject, reading)


def subject_of(told: str, reading: PageReading | None) -> str:
    """The subject as it is told, else as page one says it. Raises `SubjectMissing`, `SubjectTooLong`."""
    subject = " ".join(told.split()) or (reading.subject if reading else None) or ""
    if not subject:
        raise SubjectMissing
    if len(subject) > MOST_SUBJECT:
        raise SubjectTooLong(most=MOST_SUBJECT)
    return subject


def _declare_harmless(tx: Transaction, actor: Actor, document: Document, at: datetime) -> None:
    record_document(tx, "document.mark_declared_harmless", actor, document, role=Role.CLERK, before=document, at=at)


def _attached(tx: Transaction, document: Document) -> list[FileRef]:
    return [one.newest for one in tx.store.attachments(document.id)]


def _order_after(before: Document, wanted: Draft, signer_name: str) -> tuple[NamedPerson, ...]:
    if wanted.signer == before.signer or not before.named:
        return before.named
    return with_signer(before, wanted.signer, signer_name)


def _first_of_chain(store: Store, document: Document) -> Revision:
    return next(revision for revision in store.revisions(document.id) if revision.chain == document.chain)


def _last_revision(store: Store, document: Document) -> int:
    return store.revisions(document.id)[-1].n


def _signed_on(store: Store, document: Document) -> date:
    if document.kind is DocumentKind.COPY:
        return local_day(document.created_at)
    signed = [r for r in store.revisions(document.id) if r.chain == document.chain and r.made_by == "sign"]
    return local_day(signed[-1].at)


def _series_of_year(tx: Transaction, actor: Actor, series: str, day: date, at: datetime) -> Series:
    """The run of that year; the first number of a new year begins it in the form of the year before."""
    here = tx.store.series(actor.office, day.year, series)
    if here is not None:
        return here.series
    pattern = next_number(tx.store, actor, series, day).series
    tx.store.add_series(replace(pattern, id=new_id("ser", at)))
    begun = tx.store.series(actor.office, day.year, series)
    assert begun is not None  # noqa: S101 - by us or, at the same moment, by somebody else
    return begun.series


def _void(tx: Transaction, actor: Actor, document: Document, role: Role, reason: str, at: datetime) -> None:
    if document.number is None or document.number.state != "taken":
        return  # none, or voided when the document went back before
    tx.store.change_number(document.number.id, "void", reason)
    tx.store.unseal_attachments(document.id)
    record_document(
        tx, "number.voided", actor, document, role=role, before=document, at=at, reason=reason,
        data={"number": document.number.id, "written": document.number.written},
    )  # fmt: skip
