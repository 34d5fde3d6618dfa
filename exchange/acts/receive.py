"""What the receiving office does with an arrival: open, register with a số đến, or refuse with a reason (§5.2)."""

from dataclasses import replace
from datetime import date, datetime

from exchange.acts import clock
from exchange.acts.record import record_delivery
from exchange.errors import DigestMismatch, NumberDateInvalid, StateChanged
from exchange.rules.acceptance import require_reason
from exchange.rules.calendar import local_day
from exchange.rules.ids import new_id
from exchange.rules.lifecycle import Move, clerk_role, delivery_move
from exchange.rules.model import (
    Actor,
    DeadlineKind,
    Delivery,
    DeliveryState,
    Event,
    FileRef,
    IncomingEntry,
    StoredReport,
)
from exchange.storage.store import Store, Transaction, found_arrival

BOOK = "den"
"""The arrival register that every office has."""


def opened(tx: Transaction, actor: Actor, delivery: str, *, at: datetime) -> tuple[Delivery, Event | None]:
    """Act: a person opened it. The first opening is a fact in the ledger; it changes no state."""
    here = found_arrival(tx.store, delivery, actor)
    if not tx.store.mark_opened(here.id, at):
        return here, None
    seen = replace(here, opened_at=at)
    role = sorted(actor.roles)[0]
    event = record_delivery(
        tx, "delivery.opened", actor, seen, role=role, before=here, at=at, files=sent_files(tx.store, here)
    )
    return seen, event


def register(
    tx: Transaction,
    actor: Actor,
    delivery: str,
    version: int,
    *,
    sha256: str,
    report: StoredReport,
    incoming_date: date,
    at: datetime,
    book: str = BOOK,
) -> tuple[Delivery, Event]:
    """Act: take it on with the next arrival number of the book, in this very transaction (R21, R24).

    `sha256` is what the clerk holds: another file than the one sent is `DigestMismatch`. The report on arrival is kept;
    a bad verdict does not refuse by itself, the clerk decides (R25).
    """
    before, move = moving(tx.store, "register", actor, delivery, version)
    files = sent_files(tx.store, before)
    file = files[0]
    if sha256 != file.sha256 or report.file != file.sha256:
        raise DigestMismatch
    # the state first: of two clerks the slower learns that the other registered it, not that a number is taken
    after = tx.store.change_delivery(before, replace(before, state=DeliveryState(move.target), since=at))
    number, last_date = tx.store.take_incoming(actor.office, book, incoming_date.year, incoming_date)
    _require_date(incoming_date, local_day(at), last_date)
    entry = IncomingEntry(new_id("inc", at), actor.office, book, incoming_date.year, number, incoming_date, before.id)
    tx.store.add_incoming(entry)
    tx.store.add_report(report)
    after = replace(after, incoming=entry)
    event = record_delivery(
        tx, move.event, actor, after, role=clerk_role(actor), before=before, at=at, files=files,
        data={
            "incoming_book": book,
            "incoming_number": number,
            "incoming_date": incoming_date.isoformat(),
            "report_sha256": report.sha256,
        },
    )  # fmt: skip
    consignment = tx.store.consignment(after.consignment)
    if consignment is not None and consignment.due is not None:
        clock.start_deadline(tx, DeadlineKind.PROCESS, after, at=at, day=consignment.due)
    return after, event


def refuse(
    tx: Transaction,
    actor: Actor,
    delivery: str,
    version: int,
    *,
    reason_code: str,
    reason: str,
    at: datetime,
) -> tuple[Delivery, Event]:
    """Act: send it back with a reason; final. A số đến already given stays in the book."""
    told = require_reason(reason)
    before, move = moving(tx.store, "refuse", actor, delivery, version)
    after = replace(before, state=DeliveryState(move.target), since=at, reason_code=reason_code, reason=told)
    after = tx.store.change_delivery(before, after)
    event = record_delivery(
        tx, move.event, actor, after, role=clerk_role(actor), before=before, at=at, files=sent_files(tx.store, before),
        reason=told, data={"reason_code": reason_code},
    )  # fmt: skip
    return after, event


def moving(store: Store, act: str, actor: Actor, delivery: str, version: int) -> tuple[Delivery, Move]:
    """The arrival and the move, if this act by this person is possible now."""
    here = found_arrival(store, delivery, actor)
    assignment = store.assignment(here.id)
    move = delivery_move(act, here.state, actor, assignment.lead if assignment else None)
    if here.version != version:
        raise StateChanged(state=here.state)
    return here, move


def sent_file(store: Store, delivery: Delivery) -> FileRef:
    """The PDF that was sent: the revision that the consignment froze."""
    consignment = store.consignment(delivery.consignment)
    assert consignment is not None  # noqa: S101 - written with the delivery
    revision = store.revision(delivery.document, consignment.revision)
    assert revision is not None  # noqa: S101 - written before the consignment
    return revision.file


def sent_files(store: Store, delivery: Delivery) -> list[FileRef]:
    """All that was sent, in order: the document first, then its separate attachments."""
    return [sent_file(store, delivery), *(one.newest for one in store.attachments(delivery.document))]


def _require_date(day: date, today: date, last: date | None) -> None:
    if day > today:
        raise NumberDateInvalid(date=day.isoformat(), why="> hôm nay / today")
    if last is not None and day < last:
        raise NumberDateInvalid(date=day.isoformat(), why=f"< {last.isoformat()}, số trước / number before")
