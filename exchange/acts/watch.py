"""What time brings to what was sent: a signer revoked since is told to both sides, once (exchange page §5.3)."""

from collections.abc import Sequence
from datetime import datetime

from exchange.acts.receive import sent_files
from exchange.acts.record import record_delivery
from exchange.rules.model import Actor, DeliveryState, Role
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
