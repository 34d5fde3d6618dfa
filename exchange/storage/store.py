"""This room's SQL, in the caller's transaction; nothing here commits. Rows go in and out as frozen values."""

import base64
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from exchange.errors import CursorInvalid, DuplicateReference, NotFound, NumberTaken, RegisterNumberTaken, StateChanged
from exchange.rules.model import (
    Actor,
    Assignment,
    Attachment,
    Channel,
    Consignment,
    CopyKind,
    Delivery,
    DeliveryState,
    Document,
    DocumentKind,
    DocumentState,
    Event,
    FileRef,
    Group,
    IncomingEntry,
    Loan,
    NamedPerson,
    Number,
    Office,
    Part,
    Revision,
    Role,
    Secrecy,
    Series,
    SigningSession,
    StoredReport,
    Upload,
    Urgency,
)
from exchange.storage import tables as t
from exchange.storage.jobs import Queue


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: rows, and the cursor of the next page, None on the last."""

    rows: list[Any]
    next: str | None


@dataclass(frozen=True, slots=True)
class NumberedSeries:
    """A series with how far it has come."""

    series: Series
    last: int
    last_date: date | None


SESSION_GOES_ON = ("prepared", "signed")
"""States of a signing session that still need its prepared file."""


class Store:
    """The drawers of the exchange, opened on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    # -- offices and groups --

    def add_office(self, office: Office) -> None:
        """Put an office into the directory."""
        self._insert(t.offices, _values(office))

    def office(self, code: str) -> Office | None:
        """The office with that code."""
        row = self._row(select(t.offices).where(t.offices.c.code == code))
        return _office(row) if row else None

    def offices(self) -> dict[str, Office]:
        """The whole directory by code."""
        rows = self.connection.execute(select(t.offices).order_by(t.offices.c.code))
        return {row.code: _office(row) for row in rows}

    def office_names(self, codes: Iterable[str]) -> dict[str, str]:
        """Names of some offices."""
        wanted = select(t.offices.c.code, t.offices.c.name).where(t.offices.c.code.in_(list(codes)))
        return {row.code: row.name for row in self.connection.execute(wanted)}

    def add_group(self, group: Group) -> None:
        """Save a list of recipients."""
        self._insert(t.groups, {**_values(group), "members": list(group.members)})

    def groups(self, office: str) -> dict[str, Group]:
        """The groups of an office by id."""
        rows = self.connection.execute(select(t.groups).where(t.groups.c.office == office).order_by(t.groups.c.name))
        return {row.id: Group(row.id, row.office, row.name, tuple(row.members)) for row in rows}

    # -- series and numbers --

    def add_series(self, series: Series) -> None:
        """Begin a run of numbers; nothing happens when somebody else began it at the same moment."""
        self._insert_unless_there(t.series, {**_values(series), "last": 0, "last_date": None})

    def series_of(self, office: str, year: int) -> list[NumberedSeries]:
        """The runs of an office in a year."""
        wanted = select(t.series).where(t.series.c.office == office, t.series.c.year == year)
        return [_series(row) for row in self.connection.execute(wanted.order_by(t.series.c.name))]

    def series(self, office: str, year: int, name: str) -> NumberedSeries | None:
        """One run by its short name."""
        here = (t.series.c.office == office) & (t.series.c.year == year) & (t.series.c.name == name)
        row = self._row(select(t.series).where(here))
        return _series(row) if row else None

    def latest_series(self, office: str, name: str) -> Series | None:
        """The run of that name in the newest year that has one: the pattern for a new year."""
        wanted = select(t.series).where(t.series.c.office == office, t.series.c.name == name)
        row = self._row(wanted.order_by(t.series.c.year.desc()).limit(1))
        return _series(row).series if row else None

    def take_next(self, series: str, day: date) -> tuple[int, date | None]:
        """Lock the run, count it up, and return the number taken and the date of the one before."""
        before = self.connection.execute(
            select(t.series.c.last, t.series.c.last_date).where(t.series.c.id == series).with_for_update()
        ).one()
        self.connection.execute(
            update(t.series).where(t.series.c.id == series).values(last=before.last + 1, last_date=day)
        )
        return before.last + 1, before.last_date

    def add_number(self, number: Number) -> None:
        """Enter a number for good. Raises `NumberTaken` when its written form was used before."""
        try:
            self._insert(t.numbers, _values(number))
        except IntegrityError as error:
            raise NumberTaken(written=number.written) from error

    def change_number(self, number: str, state: str, reason: str | None = None) -> None:
        """`taken` to `used` or `void`, once."""
        here = (t.numbers.c.id == number) & (t.numbers.c.state == "taken")
        self.connection.execute(update(t.numbers).where(here).values(state=state, reason=reason))

    def numbers_of(self, series: str) -> list[Number]:
        """Every number of a run, in order."""
        rows = self.connection.execute(select(t.numbers).where(t.numbers.c.series == series).order_by(t.numbers.c.n))
        return [_number(row) for row in rows]

    # -- uploads --

    def add_upload(self, upload: Upload) -> None:
        """Begin an upload."""
        self._insert(t.uploads, _values(upload))

    def upload(self, upload: str) -> Upload | None:
        """An upload by id."""
        row = self._row(select(t.uploads).where(t.uploads.c.id == upload))
        return Upload(**row._mapping) if row else None

    def finish_upload(self, upload: str) -> None:
        """All bytes came and fit the promise."""
        self.connection.execute(update(t.uploads).where(t.uploads.c.id == upload).values(done=True))

    def drop_upload(self, upload: str) -> None:
        """Forget an upload."""
        self.connection.execute(t.uploads.delete().where(t.uploads.c.id == upload))

    def refers_to(self, sha256: str, *, but: str) -> bool:
        """Whether a row still needs these bytes, beside the upload `but`."""
        uploads = select(t.uploads.c.id).where(t.uploads.c.sha256 == sha256, t.uploads.c.id != but)
        revisions = select(t.revisions.c.document).where(t.revisions.c.sha256 == sha256)
        session = t.signing_sessions.c
        prepared = select(session.id).where(session.prepared == sha256, session.state.in_(SESSION_GOES_ON))
        attached = t.attachments.c
        attachments = select(attached.id).where((attached.sha256 == sha256) | (attached.sealed_sha256 == sha256))
        archived = select(t.archive_files.c.file).where(t.archive_files.c.sha256 == sha256)
        needers = (uploads, revisions, prepared, attachments, archived)
        return any(self._row(needed.limit(1)) is not None for needed in needers)

    def drop_uploads(self, before: datetime) -> list[str]:
        """Forget uploads that were not finished in time, and name them."""
        stale = (t.uploads.c.created_at < before) & t.uploads.c.done.is_(False)
        return list(self.connection.scalars(t.uploads.delete().where(stale).returning(t.uploads.c.id)))

    # -- documents --

    def add_document(self, document: Document) -> None:
        """Write a new document."""
        self._insert(t.documents, _document_values(document))

    def document(self, document: str) -> Document | None:
        """A document by id, with its number."""
        row = self._row(_documents().where(t.documents.c.id == document))
        return _document(row) if row else None

    def change_document(self, before: Document, after: Document) -> Document:
        """Write `after` where the row is still `before` (state and version); the version counts up by one.

        Raises `StateChanged` with the state that is there now.
        """
        after = replace(after, version=before.version + 1)
        here = t.documents.c
        done = self.connection.execute(
            update(t.documents)
            .where(here.id == before.id, here.state == before.state, here.version == before.version)
            .values(_document_values(after))
        )
        if done.rowcount != 1:
            now = self.document(before.id)
            raise StateChanged(state=now.state if now else "–")
        return after

    def documents(
        self,
        office: str,
        states: Sequence[DocumentState] = (),
        after: str | None = None,
        limit: int = 50,
        *,
        waits_for: str | None = None,
    ) -> Page:
        """An office's documents, newest change first, by cursor; with `waits_for` those that this person is to sign."""
        here = t.documents.c
        wanted = _documents().where(here.office == office)
        if states:
            wanted = wanted.where(here.state.in_(states))
        if waits_for:
            wanted = wanted.where(here.waits_for == waits_for)
        if after:
            wanted = wanted.where(tuple_(here.changed_at, here.id) < _cursor_in(after))
        rows = self.connection.execute(wanted.order_by(here.changed_at.desc(), here.id.desc()).limit(limit + 1)).all()
        return _page([_document(row) for row in rows], limit, lambda d: (d.changed_at, d.id))

    def add_revision(self, revision: Revision) -> None:
        """Write a new PDF of a document."""
        file = revision.file
        self._insert(
            t.revisions,
            {
                "document": revision.document, "n": revision.n, "chain": revision.chain, "sha256": file.sha256,
                "size": file.size, "media_type": file.media_type, "name": file.name, "made_by": revision.made_by,
                "report_sha256": revision.report_sha256, "at": revision.at,
            },
        )  # fmt: skip

    def revision(self, document: str, n: int) -> Revision | None:
        """One PDF of a document."""
        row = self._row(select(t.revisions).where(t.revisions.c.document == document, t.revisions.c.n == n))
        return _revision(row) if row else None

    def revisions(self, document: str) -> list[Revision]:
        """All PDFs of a document, oldest first."""
        rows = self.connection.execute(
            select(t.revisions).where(t.revisions.c.document == document).order_by(t.revisions.c.n)
        )
        return [_revision(row) for row in rows]

    # -- attachments --

    def add_attachment(self, attachment: Attachment) -> None:
        """Write a separate file of a document."""
        row = {"id": attachment.id, "document": attachment.document, "n": attachment.n}
        self._insert(t.attachments, row | _values(attachment.file))

    def drop_attachment(self, attachment: str) -> None:
        """Forget a separate file of a draft."""
        self.connection.execute(t.attachments.delete().where(t.attachments.c.id == attachment))

    def attachments(self, document: str) -> list[Attachment]:
        """The separate files of a document, in order."""
        return self.attachments_of([document]).get(document, [])

    def attachments_of(self, documents: Iterable[str]) -> dict[str, list[Attachment]]:
        """The separate files of several documents, in order."""
        here = t.attachments.c
        rows = self.connection.execute(
            select(t.attachments).where(here.document.in_(list(documents))).order_by(here.document, here.n)
        )
        found: dict[str, list[Attachment]] = {}
        for row in rows:
            found.setdefault(row.document, []).append(_attachment(row))
        return found

    def seal_attachment(self, attachment: str, sealed: FileRef, report_sha256: str) -> bool:
        """Keep the file with the organisation's mark; False when it had one."""
        here = (t.attachments.c.id == attachment) & t.attachments.c.sealed_sha256.is_(None)
        values = {"sealed_sha256": sealed.sha256, "sealed_size": sealed.size, "report_sha256": report_sha256}
        return self.connection.execute(update(t.attachments).where(here).values(values)).rowcount == 1

    def unseal_attachments(self, document: str) -> None:
        """The marks named a number that is void now."""
        nothing = {"sealed_sha256": None, "sealed_size": None, "report_sha256": None}
        self.connection.execute(update(t.attachments).where(t.attachments.c.document == document).values(nothing))

    def hold_document(self, document: Document) -> None:
        """Keep others from moving a document until the transaction ends. Raises `StateChanged` when it has moved."""
        here = t.documents.c
        same = (here.id == document.id) & (here.state == document.state) & (here.version == document.version)
        if self.connection.execute(update(t.documents).where(same).values(version=here.version)).rowcount != 1:
            now = self.document(document.id)
            raise StateChanged(state=now.state if now else "–")

    # -- signatures that wait --

    def add_session(self, session: SigningSession) -> None:
        """Keep a file prepared for a signature, or a signature that waits for its time stamp."""
        values = _values(session)
        actor = session.actor
        values.pop("actor")
        self._insert(
            t.signing_sessions,
            values
            | {
                "person": actor.id, "office": actor.office, "roles": sorted(actor.roles),
                "chain": [base64.b64encode(der).decode() for der in session.chain],
            },
        )  # fmt: skip

    def session(self, session: str) -> SigningSession | None:
        """A kept signature."""
        row = self._row(select(t.signing_sessions).where(t.signing_sessions.c.id == session))
        return _session(row) if row else None

    def sign_session(self, session: str, signature: bytes, state: str) -> bool:
        """Give a prepared session its signature and the state after it; False when it had ended."""
        here = (t.signing_sessions.c.id == session) & (t.signing_sessions.c.state == "prepared")
        signed = update(t.signing_sessions).where(here).values(signature=signature, state=state)
        return self.connection.execute(signed).rowcount == 1

    def drop_prepared(self, before: datetime) -> list[str]:
        """Forget prepared sessions that ended before that moment, and name their files (SHA-256).

        Finished ones are kept, so that the same signature again gets the same answer; only their files are named.
        """
        here = t.signing_sessions.c
        over = func.coalesce(here.expires_at, here.created_at) < before
        dropped = t.signing_sessions.delete().where(over, here.state == "prepared").returning(here.prepared)
        files = list(self.connection.scalars(dropped))
        done = over & here.state.not_in(SESSION_GOES_ON) & (here.prepared != "")
        files += self.connection.scalars(select(here.prepared).where(done))
        self.connection.execute(update(t.signing_sessions).where(done).values(prepared=""))
        return files

    def end_session(self, session: str, state: str) -> bool:
        """Finish or give up a kept signature; False when that was done before."""
        here = (t.signing_sessions.c.id == session) & (t.signing_sessions.c.state == "signed")
        return self.connection.execute(update(t.signing_sessions).where(here).values(state=state)).rowcount == 1

    def waiting_signatures(self) -> tuple[int, datetime | None]:
        """How many signatures were made and wait to be finished, and since when the first of them does."""
        here = t.signing_sessions.c
        wanted = select(func.count(), func.min(here.created_at)).where(here.state == "signed")
        many, since = self.connection.execute(wanted).one()
        return many, since

    # -- revisions lent to a program at the desk --

    def add_loan(self, loan: Loan) -> None:
        """Keep a loan."""
        values = _values(loan)
        actor = values.pop("actor")
        own = {"person": actor.id, "office": actor.office, "roles": sorted(actor.roles)}
        self._insert(t.loans, values | own)

    def loan(self, loan: str) -> Loan | None:
        """A loan by id."""
        return self._loan(t.loans.c.id == loan)

    def loan_by_source(self, sha256: str) -> Loan | None:
        """A loan by the digest of the word in its source address."""
        return self._loan(t.loans.c.source_sha256 == sha256)

    def loan_by_upload(self, sha256: str) -> Loan | None:
        """A loan by the digest of the word in its upload address."""
        return self._loan(t.loans.c.upload_sha256 == sha256)

    def count_fetch(self, loan: str, most: int) -> bool:
        """Count that it was fetched; False when that was done as often as it may be."""
        here = (t.loans.c.id == loan) & (t.loans.c.fetched < most)
        return self.connection.execute(update(t.loans).where(here).values(fetched=t.loans.c.fetched + 1)).rowcount == 1

    def return_loan(self, loan: str, sha256: str) -> bool:
        """Note what came back and was accepted; False when something had."""
        here = (t.loans.c.id == loan) & t.loans.c.returned.is_(None)
        return self.connection.execute(update(t.loans).where(here).values(returned=sha256, refusal=None)).rowcount == 1

    def refuse_loan(self, loan: str, code: str) -> None:
        """Note why what came back was refused, as long as nothing was accepted."""
        here = (t.loans.c.id == loan) & t.loans.c.returned.is_(None)
        self.connection.execute(update(t.loans).where(here).values(refusal=code))

    def drop_loans(self, before: datetime) -> None:
        """Forget loans that ended before that moment."""
        self.connection.execute(t.loans.delete().where(t.loans.c.expires_at < before))

    def _loan(self, condition: Any) -> Loan | None:
        row = self._row(select(t.loans).where(condition))
        if row is None:
            return None
        values = dict(row._mapping)
        values["actor"] = _actor(values)
        return Loan(**values)

    # -- reports --

    def add_report(self, report: StoredReport) -> None:
        """Keep a report as evidence; the same report again changes nothing."""
        known = self.connection.scalar(select(t.reports.c.sha256).where(t.reports.c.sha256 == report.sha256))
        if known is None:
            self._insert_unless_there(t.reports, _values(report))

    def report(self, sha256: str) -> StoredReport | None:
        """A kept report by its digest."""
        row = self._row(select(t.reports).where(t.reports.c.sha256 == sha256))
        return StoredReport(**row._mapping) if row else None

    def newest_report(self, file: str, since: datetime) -> StoredReport | None:
        """The newest kept report on a file (SHA-256) that was made at `since` or later."""
        here = t.reports.c
        wanted = select(t.reports).where(here.file == file, here.at >= since).order_by(here.at.desc()).limit(1)
        row = self._row(wanted)
        return StoredReport(**row._mapping) if row else None

    def file_of_office(self, office: str, sha256: str) -> tuple[FileRef, str] | None:
        """A PDF that an office may ask about by digest, with its sender: its own document's, or one sent to it."""
        own = select(t.revisions, t.documents.c.office.label("sender")).where(
            t.documents.c.id == t.revisions.c.document, t.documents.c.office == office
        )
        delivered = select(t.revisions, t.deliveries.c.sender).where(
            t.consignments.c.document == t.revisions.c.document,
            t.consignments.c.revision == t.revisions.c.n,
            t.deliveries.c.consignment == t.consignments.c.id,
            t.deliveries.c.office == office,
            t.deliveries.c.channel == Channel.LOCAL,
        )
        for query in (own, delivered):
            row = self._row(query.where(t.revisions.c.sha256 == sha256).limit(1))
            if row:
                return FileRef(row.sha256, row.size, row.media_type, row.name), row.sender
        return None

    # -- consignments and deliveries --

    def add_consignment(
        self, consignment: Consignment, specification: list[dict[str, Any]], entries: Sequence[tuple[str, bytes]]
    ) -> None:
        """Write an issue and its frozen list (office, hashed entry). Raises `DuplicateReference`."""
        try:
            self._insert(t.consignments, {**_values(consignment), "specification": specification})
        except IntegrityError as error:
            raise DuplicateReference(reference=consignment.sender_reference) from error
        self.connection.execute(
            insert(t.recipient_entries),
            [
                {"consignment": consignment.id, "position": n, "office": office, "entry": entry}
                for n, (office, entry) in enumerate(entries)
            ],
        )

    def consignment(self, consignment: str) -> Consignment | None:
        """An issue by id."""
        row = self._row(select(t.consignments).where(t.consignments.c.id == consignment))
        return _consignment(row) if row else None

    def consignment_of(self, document: str) -> Consignment | None:
        """The first issue of a document."""
        wanted = select(t.consignments).where(t.consignments.c.document == document)
        row = self._row(wanted.order_by(t.consignments.c.submitted_at, t.consignments.c.id).limit(1))
        return _consignment(row) if row else None

    def recipient_entries(self, consignment: str) -> list[bytes]:
        """The frozen list as hashed entries, in its order."""
        wanted = select(t.recipient_entries.c.entry).where(t.recipient_entries.c.consignment == consignment)
        return [bytes(e) for e in self.connection.scalars(wanted.order_by(t.recipient_entries.c.position))]

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Write the recipients of an issue."""
        self.connection.execute(insert(t.deliveries), [_delivery_values(delivery) for delivery in deliveries])

    def delivery(self, delivery: str) -> Delivery | None:
        """A recipient by id, with its arrival number."""
        row = self._row(_deliveries().where(t.deliveries.c.id == delivery))
        return _delivery(row) if row else None

    def change_delivery(self, before: Delivery, after: Delivery) -> Delivery:
        """Write `after` where the row is still `before`; the version counts up by one. Raises `StateChanged`."""
        after = replace(after, version=before.version + 1)
        here = t.deliveries.c
        done = self.connection.execute(
            update(t.deliveries)
            .where(here.id == before.id, here.state == before.state, here.version == before.version)
            .values(_delivery_values(after))
        )
        if done.rowcount != 1:
            now = self.delivery(before.id)
            raise StateChanged(state=now.state if now else "–")
        return after

    def mark_opened(self, delivery: str, at: datetime) -> bool:
        """Remember the first opening; False when somebody opened it before. No version: it is a fact, not a state."""
        here = (t.deliveries.c.id == delivery) & t.deliveries.c.opened_at.is_(None)
        return self.connection.execute(update(t.deliveries).where(here).values(opened_at=at)).rowcount == 1

    def deliveries(
        self,
        box: str,
        office: str,
        states: Sequence[DeliveryState] = (),
        after: str | None = None,
        limit: int = 50,
    ) -> Page:
        """What came to an office (`in`) or went out from it (`out`), newest first, by cursor."""
        here = t.deliveries.c
        wanted = _deliveries().where((here.office if box == "in" else here.sender) == office)
        if states:
            wanted = wanted.where(here.state.in_(states))
        if after:
            wanted = wanted.where(tuple_(here.since, here.id) < _cursor_in(after))
        rows = self.connection.execute(wanted.order_by(here.since.desc(), here.id.desc()).limit(limit + 1)).all()
        return _page([_delivery(row) for row in rows], limit, lambda d: (d.since, d.id))

    def deliveries_of(self, consignment: str) -> list[Delivery]:
        """All recipients of an issue, by office."""
        rows = self.connection.execute(
            _deliveries().where(t.deliveries.c.consignment == consignment).order_by(t.deliveries.c.office)
        )
        return [_delivery(row) for row in rows]

    def documents_by_id(self, ids: Iterable[str]) -> dict[str, Document]:
        """Several documents at once, for lists."""
        rows = self.connection.execute(_documents().where(t.documents.c.id.in_(list(ids))))
        return {row.id: _document(row) for row in rows}

    # -- signers of what is not registered --

    def unwatched(self, not_asked_since: datetime, most: int = 500) -> list[tuple[str, str]]:
        """Deliveries in the box since then whose signers were not asked about after it, with their file (SHA-256)."""
        here, asked = t.deliveries.c, t.watched.c.asked_at
        rows = self.connection.execute(
            select(here.id, t.revisions.c.sha256)
            .join(t.consignments, t.consignments.c.id == here.consignment)
            .join(
                t.revisions,
                (t.revisions.c.document == here.document) & (t.revisions.c.n == t.consignments.c.revision),
            )
            .join(t.watched, t.watched.c.delivery == here.id, isouter=True)
            .where(here.state == DeliveryState.CONSIGNED, here.since <= not_asked_since)
            .where(asked.is_(None) | (asked <= not_asked_since))
            .order_by(here.id)
            .limit(most)
        )
        return [(row.id, row.sha256) for row in rows]

    def watched(self, delivery: str) -> frozenset[str]:
        """The revoked certificates that both sides were told of."""
        told = self.connection.scalar(select(t.watched.c.told).where(t.watched.c.delivery == delivery))
        return frozenset((told or "").split())

    def keep_watched(self, delivery: str, told: Collection[str], at: datetime) -> None:
        """The signers of a delivery were asked about."""
        values = {"asked_at": at, "told": " ".join(sorted(told))}
        known = update(t.watched).where(t.watched.c.delivery == delivery).values(**values)
        if self.connection.execute(known).rowcount == 0:
            self._insert_unless_there(t.watched, {"delivery": delivery, **values})

    # -- arrivals --

    def take_incoming(self, office: str, book: str, year: int, day: date) -> tuple[int, date | None]:
        """Lock the book, count it up, and return the arrival number and the date of the one before."""
        here = (t.books.c.office == office) & (t.books.c.book == book) & (t.books.c.year == year)
        locked = select(t.books).where(here).with_for_update()
        if self._row(locked) is None:
            self._insert_unless_there(
                t.books, {"office": office, "book": book, "year": year, "last": 0, "last_date": None}
            )
        before = self.connection.execute(locked).one()
        self.connection.execute(update(t.books).where(here).values(last=before.last + 1, last_date=day))
        return before.last + 1, before.last_date

    def add_incoming(self, entry: IncomingEntry) -> None:
        """Enter an arrival for good. Raises `RegisterNumberTaken`."""
        try:
            self._insert(t.incoming, _values(entry))
        except IntegrityError as error:
            raise RegisterNumberTaken(number=entry.number) from error

    def arrivals(self, office: str, book: str, year: int) -> list[IncomingEntry]:
        """A book's rows in order."""
        here = (t.incoming.c.office == office) & (t.incoming.c.book == book) & (t.incoming.c.year == year)
        rows = self.connection.execute(select(t.incoming).where(here).order_by(t.incoming.c.number))
        return [IncomingEntry(**row._mapping) for row in rows]

    def add_assignment(self, assignment: Assignment) -> None:
        """Write who works on an arrival; each change is a new version."""
        values = _values(assignment)
        values |= {"cooperating": list(assignment.cooperating), "for_information": list(assignment.for_information)}
        self._insert(t.assignments, values)

    def assignment(self, delivery: str) -> Assignment | None:
        """Who works on an arrival now."""
        wanted = select(t.assignments).where(t.assignments.c.delivery == delivery)
        row = self._row(wanted.order_by(t.assignments.c.version.desc()).limit(1))
        if row is None:
            return None
        values = dict(row._mapping)
        values |= {"cooperating": tuple(row.cooperating), "for_information": tuple(row.for_information)}
        return Assignment(**values)

    # -- events --

    def add_events(self, events: Sequence[Event]) -> None:
        """Append events in this order, and their marks for the sequencer; two statements, however many there are."""
        rows = [_values(event) for event in events]
        for row in rows:
            row.pop("index")
        self.connection.execute(insert(t.events), rows)
        self.connection.execute(insert(t.pending_events), [{"event": event.id} for event in events])

    def last_outward_leaf(self, delivery: str) -> bytes | None:
        """The leaf hash of the newest outward event of a delivery: what the next one names as `prev`."""
        here = (t.events.c.delivery == delivery) & t.events.c.inward.is_(False)
        wanted = (
            select(t.events.c.leaf)
            .join_from(t.events, t.pending_events, t.pending_events.c.event == t.events.c.id, isouter=True)
            .join(t.ledger.leaves, t.ledger.leaves.c.event == t.events.c.id, isouter=True)
            .where(here)
        )
        # not yet placed events are newer than placed ones; among them the order of writing counts
        newest = wanted.order_by(
            t.pending_events.c.n.is_(None), t.pending_events.c.n.desc(), t.ledger.leaves.c.index.desc()
        )
        leaf = self.connection.scalar(newest.limit(1))
        return bytes(leaf) if leaf is not None else None

    def events_of(self, *, document: str | None = None, delivery: str | None = None) -> list[Event]:
        """The events of a document (its deliveries' too) or of one delivery, in the ledger's order.

        Those without a place yet come last, as they were written: several share an instant, and clocks jump.
        """
        here = t.events.c.document == document if document else t.events.c.delivery == delivery
        leaves, pending = t.ledger.leaves, t.pending_events
        rows = self.connection.execute(
            select(t.events, leaves.c.index.label("index"))
            .join_from(t.events, leaves, leaves.c.event == t.events.c.id, isouter=True)
            .join(pending, pending.c.event == t.events.c.id, isouter=True)
            .where(here)
            .order_by(leaves.c.index.is_(None), leaves.c.index, pending.c.n)
        )
        return [Event(**{**row._mapping, "body": bytes(row.body), "leaf": bytes(row.leaf)}) for row in rows]

    def event(self, event: str) -> Event | None:
        """One event by id."""
        leaves = t.ledger.leaves
        row = self._row(
            select(t.events, leaves.c.index.label("index"))
            .join_from(t.events, leaves, leaves.c.event == t.events.c.id, isouter=True)
            .where(t.events.c.id == event)
        )
        return Event(**{**row._mapping, "body": bytes(row.body), "leaf": bytes(row.leaf)}) if row else None

    # -- the desk --

    def document_counts(self, office: str) -> dict[str, int]:
        """How many documents of an office stand in each state."""
        here = t.documents.c
        rows = self.connection.execute(
            select(here.state, func.count()).where(here.office == office).group_by(here.state)
        )
        return {row[0]: row[1] for row in rows}

    def waiting_for_signer(self, office: str, signer: str) -> int:
        """How many documents wait for this person to initial or to sign."""
        here = t.documents.c
        wanted = select(func.count()).where(
            here.office == office, here.state == DocumentState.WAITING_SIGNATURE, here.waits_for == signer
        )
        return int(self.connection.scalar(wanted) or 0)

    def delivery_counts(self, box: str, office: str) -> dict[str, int]:
        """How many deliveries stand in each state, in one box of an office."""
        here = t.deliveries.c
        mine = (here.office if box == "in" else here.sender) == office
        rows = self.connection.execute(select(here.state, func.count()).where(mine).group_by(here.state))
        return {row[0]: row[1] for row in rows}

    # -- inside --

    def _insert(self, table: Any, values: dict[str, Any]) -> None:
        self.connection.execute(insert(table).values(values))

    def _insert_unless_there(self, table: Any, values: dict[str, Any]) -> bool:
        """False when a twin's row was there first; the transaction goes on (PostgreSQL needs a savepoint for that)."""
        try:
            with self.connection.begin_nested():
                self._insert(table, values)
        except IntegrityError:
            return False
        return True

    def _row(self, query: Select[Any]) -> Row[Any] | None:
        return self.connection.execute(query).first()


@dataclass(frozen=True, slots=True)
class Transaction:
    """What an act writes with: rows, and jobs for after the commit. The caller commits."""

    store: Store
    jobs: Queue


def found_document(store: Store, document: str, actor: Actor) -> Document:
    """The actor's office's document; another office's is `NotFound`, the same as none."""
    here = store.document(document)
    if here is None or here.office != actor.office:
        raise NotFound
    return here


def found_arrival(store: Store, delivery: str, actor: Actor) -> Delivery:
    """A delivery to the actor's office; another's is `NotFound`, the same as none."""
    here = store.delivery(delivery)
    if here is None or here.office != actor.office or here.channel is not Channel.LOCAL:
        raise NotFound
    return here


def _values(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _office(row: Row[Any]) -> Office:
    return Office(**{**row._mapping, "channel": Channel(row.channel)})


def _series(row: Row[Any]) -> NumberedSeries:
    series = Series(row.id, row.office, row.year, row.name, row.title, row.form, row.state)
    return NumberedSeries(series, row.last, row.last_date)


def _number(row: Row[Any]) -> Number:
    return Number(**row._mapping)


_NUMBER = [column.label(f"number_{column.name}") for column in t.numbers.c]


def _documents() -> Select[Any]:
    return select(t.documents, *_NUMBER).join_from(
        t.documents, t.numbers, t.numbers.c.id == t.documents.c.number, isouter=True
    )


def _document(row: Row[Any]) -> Document:
    values = {
        column.name: getattr(row, column.name) for column in t.documents.c if column is not t.documents.c.waits_for
    }
    number = None
    if row.number is not None:
        number = Number(**{column.name: getattr(row, f"number_{column.name}") for column in t.numbers.c})
    values |= {
        "state": DocumentState(row.state), "urgency": Urgency(row.urgency), "secrecy": Secrecy(row.secrecy),
        "number": number,
        "kind": DocumentKind(row.kind),
        "copy_kind": CopyKind(row.copy_kind) if row.copy_kind else None,
        "named": tuple(NamedPerson(**{**one, "part": Part(one["part"])}) for one in row.named),
    }  # fmt: skip
    return Document(**values)


def _document_values(document: Document) -> dict[str, Any]:
    values = _values(document)
    turn = document.next_named
    return values | {
        "number": document.number.id if document.number else None,
        "places": dict(document.places),
        "named": [_values(one) for one in document.named],
        "waits_for": turn.person if turn else None,
    }


def _revision(row: Row[Any]) -> Revision:
    file = FileRef(row.sha256, row.size, row.media_type, row.name)
    return Revision(row.document, row.n, file, row.made_by, row.report_sha256, row.at, row.chain)


def _actor(values: dict[str, Any]) -> Actor:
    """Who acted, taken out of a row's values."""
    person, office, roles = values.pop("person"), values.pop("office"), values.pop("roles")
    return Actor(person, office, frozenset(Role(role) for role in roles))


def _attachment(row: Row[Any]) -> Attachment:
    sealed = FileRef(row.sealed_sha256, row.sealed_size, row.media_type, row.name) if row.sealed_sha256 else None
    file = FileRef(row.sha256, row.size, row.media_type, row.name)
    return Attachment(row.id, row.document, row.n, file, sealed, row.report_sha256)


def _session(row: Row[Any]) -> SigningSession:
    values = dict(row._mapping)
    values["actor"] = _actor(values)
    values["chain"] = tuple(base64.b64decode(der) for der in row.chain)
    for name in ("certificate", "digest", "attributes", "signature"):
        values[name] = bytes(values[name])
    return SigningSession(**values)


def _consignment(row: Row[Any]) -> Consignment:
    values = dict(row._mapping)
    values.pop("specification")
    return Consignment(**values)


_ENTRY = [column.label(f"incoming_{column.name}") for column in t.incoming.c]


def _deliveries() -> Select[Any]:
    return select(t.deliveries, *_ENTRY).join_from(
        t.deliveries, t.incoming, t.incoming.c.delivery == t.deliveries.c.id, isouter=True
    )


def _delivery(row: Row[Any]) -> Delivery:
    values = {column.name: getattr(row, column.name) for column in t.deliveries.c}
    entry = None
    if row.incoming_id is not None:
        entry = IncomingEntry(**{column.name: getattr(row, f"incoming_{column.name}") for column in t.incoming.c})
    values |= {"state": DeliveryState(row.state), "channel": Channel(row.channel), "incoming": entry}
    return Delivery(**values)


def _delivery_values(delivery: Delivery) -> dict[str, Any]:
    values = _values(delivery)
    values.pop("incoming")
    return values


def _page(rows: list[Any], limit: int, key: Any) -> Page:
    if len(rows) <= limit:
        return Page(rows, None)
    at, id_ = key(rows[limit - 1])
    cursor = base64.urlsafe_b64encode(json.dumps([at.isoformat(), id_]).encode()).decode()
    return Page(rows[:limit], cursor)


def _cursor_in(cursor: str) -> tuple[datetime, str]:
    """What a cursor says; anybody can send one, so it is held against the form of those that were given."""
    try:
        at, id_ = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(at).astimezone(UTC)
        if not id_.isascii() or not id_.isprintable():
            raise CursorInvalid
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise CursorInvalid from error
    return moment, id_
