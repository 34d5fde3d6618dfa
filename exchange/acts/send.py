"""Issue to a frozen list of recipients; each gets its delivery in the same transaction (exchange page §4)."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime

from exchange.acts.issue import current, moving
from exchange.acts.record import record_consigned, record_document
from exchange.errors import (
    ExchangeError,
    NotAllowed,
    RecipientIsHub,
    RecipientLocked,
    RecipientNotCapable,
    RecipientPaused,
    RecipientsEmpty,
    RecipientUnknown,
    TooManyRecipients,
)
from exchange.proof.ledger import merkle_root, recipient_entry
from exchange.rules import directory
from exchange.rules.acceptance import require_attachments_sealed, require_due, require_sealed
from exchange.rules.ids import new_id
from exchange.rules.lifecycle import clerk_role
from exchange.rules.model import (
    Actor,
    Channel,
    Consignment,
    Delivery,
    DeliveryState,
    Document,
    DocumentState,
    Event,
    Group,
    RecipientSpec,
    ResolvedRecipient,
    Role,
)
from exchange.storage.store import Store, Transaction
from signing.model import Report

MOST_RECIPIENTS = 10_000
GROUP_KEEPERS = frozenset({Role.CLERK, Role.OFFICE_ADMIN})
"""Who keeps an office's lists of recipients (desk page §1)."""

_REFUSALS: dict[str, type[ExchangeError]] = {
    error.code: error
    for error in (RecipientUnknown, RecipientIsHub, RecipientLocked, RecipientPaused, RecipientNotCapable)
}


def make_group(tx: Transaction, actor: Actor, name: str, members: Sequence[str], *, at: datetime) -> Group:
    """Act: save a list of recipients of the actor's office. Raises `NotAllowed`, `RecipientUnknown`."""
    if not actor.roles & GROUP_KEEPERS:
        raise NotAllowed(needed=", ".join(sorted(GROUP_KEEPERS)))
    known = tx.store.offices()
    for code in members:
        if code not in known:
            raise RecipientUnknown(office=code)
    group = Group(new_id("grp", at), actor.office, " ".join(name.split()), tuple(dict.fromkeys(members)))
    tx.store.add_group(group)
    return group


def resolve(store: Store, actor: Actor, specs: Sequence[RecipientSpec], *, on: date) -> list[ResolvedRecipient]:
    """Who a specification means on that day, each good or with what stands in its way; nothing is written."""
    return directory.resolve(specs, store.offices(), store.groups(actor.office), on=on)


def issue(
    tx: Transaction,
    actor: Actor,
    document: str,
    version: int,
    specs: Sequence[RecipientSpec],
    *,
    report: Report,
    certificates: Collection[str] = (),
    on: date,
    at: datetime,
    due: date | None = None,
    sender_reference: str | None = None,
    partial: bool = False,
) -> tuple[Document, Consignment, list[Delivery], Event]:
    """Act: send to everybody the specification means now; `report` is the verdict on the sealed file.

    `certificates` (fingerprints) are those recorded for the office, whose names may not say so.
    Bad recipients refuse the whole call unless `partial`. Raises the refusals of the exchange page §4.
    """
    before = moving(tx.store, "issue", actor, document, version)
    if due is not None:
        require_due(due, on)
    require_sealed(report, known=certificates)
    recipients = _accepted(resolve(tx.store, actor, specs, on=on), partial)
    attached = tx.store.attachments(before.id)
    require_attachments_sealed(attached)
    files = [current(tx.store, before).file, *(one.newest for one in attached)]
    after = tx.store.change_document(before, replace(before, state=DocumentState.ISSUED, changed_at=at))
    if before.number is not None:
        tx.store.change_number(before.number.id, "used")
    consignment = _freeze(tx, actor, after, recipients, specs, due, sender_reference, at)
    record_document(
        tx, "document.issued", actor, after, role=clerk_role(actor), before=before, at=at, files=files,
        consignment=consignment.id,
    )  # fmt: skip
    submitted = record_document(
        tx, "consignment.submitted", actor, after, role=clerk_role(actor), before=before, at=at, files=files,
        consignment=consignment.id,
        data={
            "recipients_count": consignment.recipients_count,
            "recipients_root": consignment.recipients_root,
            "due": due.isoformat() if due else None,
        },
    )  # fmt: skip
    deliveries = [_delivery(consignment, recipient, at) for recipient in recipients]
    tx.store.add_deliveries(deliveries)
    service = replace(actor, id="service", roles=frozenset({Role.SERVICE}))
    record_consigned(tx, service, deliveries, at=at, files=files)
    return after, consignment, deliveries, submitted


def _accepted(resolved: list[ResolvedRecipient], partial: bool) -> list[ResolvedRecipient]:
    for recipient in resolved:
        if recipient.problem is not None and not partial:
            raise _REFUSALS[recipient.problem](office=recipient.office, channel=recipient.channel)
    good = [recipient for recipient in resolved if recipient.problem is None]
    if not good:
        raise RecipientsEmpty
    if len(good) > MOST_RECIPIENTS:
        raise TooManyRecipients(most=MOST_RECIPIENTS)
    return good


def _freeze(
    tx: Transaction,
    actor: Actor,
    document: Document,
    recipients: Sequence[ResolvedRecipient],
    specs: Sequence[RecipientSpec],
    due: date | None,
    sender_reference: str | None,
    at: datetime,
) -> Consignment:
    """Write the list for good: every line salted and hashed, the root in the event, the specification beside it."""
    entries = [(r.office, recipient_entry(r.office, secrets.token_bytes(16))) for r in recipients]
    consignment = Consignment(
        id=new_id("con", at),
        document=document.id,
        revision=document.revision,
        office=actor.office,
        recipients_count=len(entries),
        recipients_root=merkle_root([entry for _, entry in entries]).hex(),
        sender_reference=sender_reference,
        due=due,
        submitted_at=at,
    )
    tx.store.add_consignment(consignment, [asdict(spec) for spec in specs], entries)
    return consignment


def _delivery(consignment: Consignment, recipient: ResolvedRecipient, at: datetime) -> Delivery:
    return Delivery(
        id=new_id("dlv", at),
        consignment=consignment.id,
        document=consignment.document,
        sender=consignment.office,
        office=recipient.office,
        channel=recipient.channel or Channel.LOCAL,
        state=DeliveryState.CONSIGNED,
        version=1,
        since=at,
    )
