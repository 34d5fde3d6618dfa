"""One event for each act: canonical JSON (RFC 8785) whose bytes are the leaf of the ledger (exchange page §8.1)."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import rfc8785

from exchange.acts import clock
from exchange.proof.ledger import leaf_hash
from exchange.rules.events import INWARD, uri
from exchange.rules.ids import new_id
from exchange.rules.lifecycle import DELIVERY_CODES
from exchange.rules.model import Actor, Deadline, Delivery, Document, Event, FileRef, Role
from exchange.storage.store import Transaction


def record_document(
    tx: Transaction,
    type_: str,
    actor: Actor,
    document: Document,
    *,
    role: Role,
    before: Document | None,
    at: datetime,
    files: Sequence[FileRef] = (),
    consignment: str | None = None,
    reason: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Event:
    """Write what happened to a document; `role` is the one acted in, `before` the document before the act."""
    body = {
        "from": before.state if before else None,
        "to": document.state,
        "version": document.version,
        "reason": reason,
        "parties": {"sender": document.office},
        "data": dict(data or {}),
    }
    if before is not None:
        clock.ended(tx, type_, before, at, record_clock)
    event = _event(type_, actor, role, body, files, at, document=document.id, consignment=consignment)
    tx.store.add_events([event])
    clock.started(tx, type_, document, at)
    return event


def record_delivery(
    tx: Transaction,
    type_: str,
    actor: Actor,
    delivery: Delivery,
    *,
    role: Role,
    before: Delivery | None,
    at: datetime,
    files: Sequence[FileRef],
    reason: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Event:
    """Write what happened to one recipient; outward events of a delivery form a chain by `prev`."""
    if before is not None:
        clock.ended(tx, type_, before, at, record_clock)
    prev = None if type_ in INWARD or before is None else tx.store.last_outward_leaf(delivery.id)
    event = _delivery_event(type_, actor, delivery, role, before, at, files, reason, data, prev)
    tx.store.add_events([event])
    clock.started(tx, type_, delivery, at)
    return event


def record_consigned(
    tx: Transaction, actor: Actor, deliveries: Sequence[Delivery], *, at: datetime, files: Sequence[FileRef]
) -> None:
    """Write that each recipient of an issue has it in its box, in few statements however many there are."""
    tx.store.add_events(
        [
            _delivery_event("delivery.consigned", actor, delivery, Role.SERVICE, None, at, files, None, None, None)
            for delivery in deliveries
        ]
    )
    clock.started_together(tx, "delivery.consigned", deliveries, at)


def record_clock(
    tx: Transaction,
    type_: str,
    deadline: Deadline,
    about: Document | Delivery | None,
    at: datetime,
    *,
    actor: Actor | None = None,
    role: Role = Role.SERVICE,
    data: Mapping[str, Any] | None = None,
) -> Event:
    """Write what a deadline did: it warned, is overdue, was moved. It changes no state; `data` says which and when."""
    sender = about.sender if isinstance(about, Delivery) and not deadline.inward else deadline.office
    doer = actor or Actor("service", sender, frozenset({Role.SERVICE}))
    body: dict[str, Any] = {"data": {**_deadline_json(deadline), **(data or {})}, "reason": None}
    subject: dict[str, str | None] = {"document": None}
    if about is not None:
        body |= {
            "from": about.state,
            "to": about.state,
            "version": about.version,
            "parties": {"sender": deadline.office},
        }
        subject = {"document": about.id}
    if isinstance(about, Delivery):
        body["parties"] = {"sender": about.sender, "recipient": about.office}
        prev = None if deadline.inward else tx.store.last_outward_leaf(about.id)
        body["prev"] = prev.hex() if prev else None
        subject = {"document": about.document, "consignment": about.consignment, "delivery": about.id}
    seen_by = deadline.office if deadline.inward else None  # whoever moved it, it is that office's own affair
    event = _event(type_, doer, role, body, (), at, inside=seen_by, **subject)
    tx.store.add_events([event])
    return event


def _deadline_json(deadline: Deadline) -> dict[str, Any]:
    return {
        "deadline": deadline.id, "kind": deadline.kind, "due": _instant(deadline.due),
        "started_at": _instant(deadline.started_at), "calendar": deadline.calendar,
    }  # fmt: skip


def _delivery_event(
    type_: str,
    actor: Actor,
    delivery: Delivery,
    role: Role,
    before: Delivery | None,
    at: datetime,
    files: Sequence[FileRef],
    reason: str | None,
    data: Mapping[str, Any] | None,
    prev: bytes | None,
) -> Event:
    body = {
        "from": before.state if before else None,
        "to": delivery.state,
        "version": delivery.version,
        "code": DELIVERY_CODES.get(delivery.state),
        "reason": reason,
        "parties": {"sender": delivery.sender, "recipient": delivery.office},
        "data": dict(data or {}),
        "prev": prev.hex() if prev else None,
    }
    return _event(
        type_, actor, role, body, files, at,
        document=delivery.document, consignment=delivery.consignment, delivery=delivery.id,
    )  # fmt: skip


def _event(
    type_: str,
    actor: Actor,
    role: Role,
    body: Mapping[str, Any],
    files: Sequence[FileRef],
    at: datetime,
    *,
    document: str | None,
    consignment: str | None = None,
    delivery: str | None = None,
    inside: str | None = None,
) -> Event:
    """`inside`: the only office that sees it, when that does not follow from its type and who acted."""
    id_ = new_id("evt", at)
    subject = {"document": document, "consignment": consignment, "delivery": delivery}
    canonical = rfc8785.dumps(
        {
            **_composed(body),
            "v": 1,
            "id": id_,
            "type": type_,
            "etsi": uri(type_),
            "at": _instant(at),
            "declared_at": None,
            "subject": {kind: name for kind, name in subject.items() if name},
            "actor": {
                "office": actor.office,
                "role": role,
                "id": actor.id,
                "client": actor.id if role is Role.CLIENT else None,
                "mandate": None,
            },
            "files": [{"sha256": file.sha256, "size": file.size} for file in files],
        }
    )
    inward, office = inside is not None or type_ in INWARD, inside or actor.office
    leaf = leaf_hash(canonical)
    return Event(id_, type_, at, canonical, leaf, inward, office, document, consignment, delivery)


def _composed(value: Any) -> Any:
    """The same with all text in NFC: two keyboards' ways of typing a reason give one leaf."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return {key: _composed(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_composed(inner) for inner in value]
    return value


def _instant(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
