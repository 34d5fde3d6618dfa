"""Work inside the receiving office: assign, start, complete (exchange page §5.2; R22, R27)."""

from dataclasses import replace
from datetime import date, datetime

from exchange.acts import clock
from exchange.acts.receive import moving, sent_files
from exchange.acts.record import record_delivery
from exchange.rules.acceptance import require_due
from exchange.rules.calendar import local_day
from exchange.rules.lifecycle import Move
from exchange.rules.model import Actor, Assignment, DeadlineKind, Delivery, DeliveryState, Event, Role
from exchange.storage.store import Transaction


def assign(
    tx: Transaction,
    actor: Actor,
    delivery: str,
    version: int,
    *,
    lead: str,
    cooperating: tuple[str, ...] = (),
    for_information: tuple[str, ...] = (),
    due: date | None = None,
    instruction: str | None = None,
    at: datetime,
) -> tuple[Delivery, Event]:
    """Act: put somebody in charge. Who and what stay inside; outside only that it happened (code 04).

    Raises `DueInvalid` for a day that is over.
    """
    before, move = moving(tx.store, "assign", actor, delivery, version)
    if due is not None:
        require_due(due, local_day(at))
    after = tx.store.change_delivery(before, replace(before, state=DeliveryState(move.target), since=at))
    assignment = Assignment(after.id, after.version, lead, cooperating, for_information, due, instruction, at)
    tx.store.add_assignment(assignment)
    role, files = _role(actor), sent_files(tx.store, before)
    record_delivery(
        tx, "desk.assigned", actor, after, role=role, before=before, at=at, files=files,
        data={
            "lead": lead, "cooperating": list(cooperating), "for_information": list(for_information),
            "due": due.isoformat() if due else None, "instruction": instruction,
        },
    )  # fmt: skip
    event = record_delivery(tx, move.event, actor, after, role=role, before=before, at=at, files=files)
    if due is not None:
        clock.start_deadline(tx, DeadlineKind.PROCESS, after, at=at, day=due, inward=True)
    return after, event


def start(tx: Transaction, actor: Actor, delivery: str, version: int, *, at: datetime) -> tuple[Delivery, Event]:
    """Act: the one in charge begins (code 05)."""
    before, move = moving(tx.store, "start", actor, delivery, version)
    return _on(tx, actor, before, move, at)


def complete(tx: Transaction, actor: Actor, delivery: str, version: int, *, at: datetime) -> tuple[Delivery, Event]:
    """Act: the work is finished (code 06)."""
    before, move = moving(tx.store, "complete", actor, delivery, version)
    return _on(tx, actor, before, move, at)


def _on(tx: Transaction, actor: Actor, before: Delivery, move: Move, at: datetime) -> tuple[Delivery, Event]:
    after = tx.store.change_delivery(before, replace(before, state=DeliveryState(move.target), since=at))
    files = sent_files(tx.store, before)
    return after, record_delivery(tx, move.event, actor, after, role=_role(actor), before=before, at=at, files=files)


def _role(actor: Actor) -> Role:
    """The strongest role held, as it is named in the event."""
    order = (Role.LEADER, Role.CLERK, Role.OFFICER, Role.CLIENT)
    return next((role for role in order if role in actor.roles), sorted(actor.roles)[0])
