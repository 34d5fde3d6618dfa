"""What time brings: deadlines that warn or are over (exchange page §7), and signers revoked since (§5.3)."""

from collections.abc import Sequence
from datetime import datetime

from exchange.acts import clock
from exchange.acts.receive import sent_files
from exchange.acts.record import record_clock, record_delivery
from exchange.rules.model import Actor, DeliveryState, Event, Role
from exchange.storage.deadline_store import DeadlineStore
from exchange.storage.store import Store, Transaction


def unregistered(store: Store, *, not_asked_since: datetime) -> dict[str, list[str]]:
    """What nobody has registered yet and whose signers were not asked about since: deliveries by file (SHA-256)."""
    found: dict[str, list[str]] = {}
    for delivery, file in store.unwatched(not_asked_since):
        found.setdefault(file, []).append(delivery)
    return found


def signers_asked(tx: Transaction, delivery: str, revoked: Sequence[tuple[str, datetime]], *, at: datetime) -> bool:
    """Act: its signers were asked about; `revoked` are those certificates that are, by fingerprint, and since when.

    The news is an event of both sides and changes no state: the recipient sees it before registering. True when there
    was news. Nothing happens to what has been registered or refused meanwhile.
    """
    here = tx.store.delivery(delivery)
    if here is None or here.state is not DeliveryState.CONSIGNED:
        return False
    told = tx.store.watched(delivery)
    news = [(name, since) for name, since in revoked if name not in told]
    tx.store.keep_watched(delivery, told | {name for name, _ in revoked}, at)
    if not news:
        return False
    service = Actor("service", here.sender, frozenset({Role.SERVICE}))
    record_delivery(
        tx, "delivery.signature_changed", service, here, role=Role.SERVICE, before=here, at=at,
        files=sent_files(tx.store, here),
        data={"revoked": [{"certificate": name, "since": since.isoformat()} for name, since in sorted(news)]},
    )  # fmt: skip
    return True


def deadlines_due(tx: Transaction, *, at: datetime, most: int) -> list[Event] | None:
    """Act: let deadlines do what they should have done by now, oldest first; None when none waits any more.

    Of what somebody else moves at this moment nothing is done: the act does it, or the next round. What was missed
    while nobody was there is done now, in order. Nothing but the deadlines' own state changes.
    """
    store = DeadlineStore.of(tx.store)
    waiting = store.due(at, most)
    if not waiting:
        return None
    free = store.take({one.subject for one in waiting})
    # read again: it may have ended, or done its part, before its document or delivery was ours
    held = [here for one in waiting if one.subject in free and (here := store.deadline(one.id)) is not None]
    return clock.catch_up(tx, [(one, clock.about(tx, one)) for one in held], at, record_clock)
