"""Prove: make the evidence pack of a document for one of its parties."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol

from exchange.errors import EvidencePending, NotFound
from exchange.proof.evidence import Consistency, PackContents, PackedEvent, PackedRecipient, build_pack
from exchange.proof.ledger import audit_paths, consistency_proof, inclusion_proof
from exchange.rules.model import Actor, Checkpoint
from exchange.storage.ledger_store import HasConnection, LedgerStore, PlacedEvent
from keys.model import TrustMaterial

SHARED = ("document.numbered", "document.issued", "consignment.submitted")
"""Events about no single recipient that every party of a document may hold."""


class Bytes(Protocol):
    """The part of the file store that a pack needs."""

    def get(self, sha256: str) -> bytes: ...

    def has(self, sha256: str) -> bool: ...


class ForProof(Protocol):
    """The part of the tools that a pack needs."""

    @property
    def blobs(self) -> Bytes: ...

    @property
    def trust(self) -> TrustMaterial: ...


class EvidenceStore(HasConnection, Protocol):
    """The part of the room's store that a pack needs: the frozen list of a consignment as entries, in its order."""

    def recipient_entries(self, consignment: str) -> Sequence[bytes]: ...


def require_party(store: EvidenceStore, document_id: str, actor: Actor) -> None:
    """Nothing, for an actor whose office is a party to the document; `NotFound` for any other, as for none."""
    if not _visible(LedgerStore.of(store).events_of(document_id), actor.office):
        raise NotFound


def make_pack(tools: ForProof, store: EvidenceStore, document_id: str, actor: Actor, *, at: datetime) -> bytes:
    """The evidence pack of a document as zip bytes, as far as the actor's office is a party to it.

    The sender's pack holds every recipient's outward events and the whole list; a recipient's its own only. Raises
    `NotFound` for an office that is no party, `EvidencePending` while an event has no place under a checkpoint.
    """
    ledger = LedgerStore.of(store)
    events = _visible(ledger.events_of(document_id), actor.office)
    if not events:
        raise NotFound
    checkpoints = _checkpoints(ledger, events)
    contents = PackContents(
        document=document_id,
        made_for=actor.office,
        made_at=at,
        events=tuple(_packed(ledger, event, checkpoints) for event in events),
        checkpoints=tuple(checkpoints),
        consistency=tuple(
            Consistency(old.size, new.size, consistency_proof(old.size, new.size, ledger.node))
            for old, new in pairwise(checkpoints)
        ),
        log_keys=ledger.log_keys(),
        pdf=_issued_file(tools.blobs, events),
        attachments=tuple(_attachments(tools.blobs, events)),
        recipients=tuple(_recipients(store, events, actor.office)),
        certificates=(*(anchor.der for anchor in tools.trust.anchors), *tools.trust.intermediates),
    )
    return build_pack(contents)


def _visible(events: Sequence[PlacedEvent], office: str) -> list[PlacedEvent]:
    """What a party may hold of a document's events: the sender all that is not inward, a recipient what is its own."""
    outward = [event for event in events if event.type in SHARED or not event.inward]
    if any(_parties(event).get("sender") == office for event in outward):
        return outward
    own = {event.delivery for event in outward if event.delivery and _parties(event).get("recipient") == office}
    return [event for event in outward if event.delivery in own or event.type in SHARED] if own else []


def _parties(event: PlacedEvent) -> dict[str, Any]:
    return _json(event).get("parties") or {}


def _json(event: PlacedEvent) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(event.body)
    return body


def _checkpoints(ledger: LedgerStore, events: Sequence[PlacedEvent]) -> list[Checkpoint]:
    """The newest checkpoint, with outside time if one above all events has it, and the tightest one for each issue."""
    indexes = [event.index for event in events if event.index is not None]
    stamped, latest = ledger.latest_stamped(), ledger.latest()
    top = stamped if stamped and stamped.size > max(indexes, default=0) else latest
    if top is None or len(indexes) < len(events) or top.size <= max(indexes):
        raise EvidencePending
    chosen = {top.size: top}
    for event in events:
        if event.type == "consignment.submitted" and event.index is not None:
            tightest = ledger.first_stamped_above(event.index)
            if tightest and tightest.size <= top.size:
                chosen[tightest.size] = tightest
    return [chosen[size] for size in sorted(chosen)]


def _packed(ledger: LedgerStore, event: PlacedEvent, checkpoints: Iterable[Checkpoint]) -> PackedEvent:
    index = event.index or 0
    sizes = [checkpoint.size for checkpoint in checkpoints if checkpoint.size > index]
    return PackedEvent(event.body, index, {size: inclusion_proof(index, size, ledger.node) for size in sizes})


def _issued_file(blobs: Bytes, events: Sequence[PlacedEvent]) -> bytes | None:
    issued = [_json(event) for event in events if event.type == "document.issued"]
    files = (issued[-1].get("files") or []) if issued else []
    return blobs.get(files[0]["sha256"]) if files and blobs.has(files[0]["sha256"]) else None


def _attachments(blobs: Bytes, events: Sequence[PlacedEvent]) -> Iterable[tuple[str, bytes]]:
    """The separate files that went with the document: all that the event of the issue names after the first."""
    issued = [_json(event) for event in events if event.type == "document.issued"]
    for file in (issued[-1].get("files") or [])[1:] if issued else []:
        if blobs.has(file["sha256"]):
            data = blobs.get(file["sha256"])
            yield "pdf" if data.startswith(b"%PDF-") else "bin", data


def _recipients(store: EvidenceStore, events: Sequence[PlacedEvent], office: str) -> Iterable[PackedRecipient]:
    """Lines of the frozen lists: all of them for the sender, its own for a recipient."""
    for event in events:
        if event.type != "consignment.submitted":
            continue
        entries = store.recipient_entries(_json(event)["subject"]["consignment"])
        sender = _parties(event).get("sender") == office
        for index, (entry, path) in enumerate(zip(entries, audit_paths(entries), strict=True)):
            if sender or json.loads(entry).get("office") == office:
                yield PackedRecipient(entry, index, len(entries), path)
