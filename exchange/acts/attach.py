"""Separate attachments (phụ lục): added to a draft, signed by the organisation before the seal (R41)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from exchange.acts.issue import moving
from exchange.acts.record import record_document
from exchange.acts.signature import MEDIA_TYPE, SignedFile
from exchange.acts.tools import Tools
from exchange.errors import NotFound, StateChanged, TooManyAttachments, TypeNotAllowed
from exchange.rules.acceptance import require_attachment_sealed, require_name
from exchange.rules.attachments import MOST_ATTACHMENTS, media_type_of, require_no_program
from exchange.rules.ids import new_id
from exchange.rules.lifecycle import author_role
from exchange.rules.model import Actor, Attachment, Document, DocumentState, Event, FileRef, Role
from exchange.storage.store import Store, Transaction, found_document
from keys.certificates import fingerprint
from signing.model import PreparedAttachment
from signing.prepare import prepare_attachment


def prepare(tools: Tools, data: bytes, *, name: str, accept: Callable[[str | None], object]) -> FileRef:
    """Work: make an uploaded attachment ready and keep it; a PDF gets the field for the organisation's mark.

    `accept` sees the secrecy mark that page one seems to carry and raises what refuses it. Raises `TypeNotAllowed`, the
    errors of names, and for a PDF those of `signing`.
    """
    require_name(name)
    kind = media_type_of(name)
    require_no_program(data)
    if kind == MEDIA_TYPE:
        prepared: PreparedAttachment = tools.run(prepare_attachment, data)
        accept(prepared.classified_mark)
        data = prepared.pdf
    return FileRef(tools.blobs.put(data), len(data), kind, name)


def attach(
    tx: Transaction, actor: Actor, document: str, version: int, file: FileRef, *, at: datetime
) -> tuple[Document, Event]:
    """Act: one more file of a draft, after the others. Raises `TooManyAttachments`."""
    before = moving(tx.store, "attach", actor, document, version)
    known = tx.store.attachments(document)
    if len(known) >= MOST_ATTACHMENTS:
        raise TooManyAttachments(most=MOST_ATTACHMENTS)
    after = tx.store.change_document(before, replace(before, changed_at=at))
    n = known[-1].n + 1 if known else 1
    tx.store.add_attachment(Attachment(new_id("att", at), document, n, file))
    event = record_document(
        tx, "document.attached", actor, after, role=author_role(actor), before=before, at=at, files=[file],
        data={"n": n},
    )  # fmt: skip
    return after, event


def detach(
    tx: Transaction, actor: Actor, document: str, version: int, attachment: str, *, at: datetime
) -> tuple[Document, Event]:
    """Act: take a file of a draft away again."""
    before = moving(tx.store, "detach", actor, document, version)
    here = found(tx.store, document, attachment)
    after = tx.store.change_document(before, replace(before, changed_at=at))
    tx.store.drop_attachment(here.id)
    event = record_document(
        tx, "document.detached", actor, after, role=author_role(actor), before=before, at=at, files=[here.file],
        data={"n": here.n},
    )  # fmt: skip
    return after, event


def unsealed(store: Store, actor: Actor, document: str, version: int) -> list[Attachment]:
    """The attachments that still need the organisation's mark before the document may be sealed."""
    before = moving(store, "seal_attachment", actor, document, version)
    return [one for one in store.attachments(before.id) if one.needs_seal and one.sealed is None]


def to_mark(store: Store, document: str, attachment: str) -> Attachment:
    """One attachment that still needs the organisation's mark.

    Raises `NotFound`, `TypeNotAllowed` for what is no PDF, and `StateChanged` when it has its mark.
    """
    here = found(store, document, attachment)
    if not here.needs_seal:
        raise TypeNotAllowed(media_type=here.file.media_type)
    if here.sealed is not None:
        raise StateChanged(state=DocumentState.NUMBERED)
    return here


def seal_attachment(
    tx: Transaction, actor: Actor, document: str, version: int, attachment: str, signed: SignedFile, *, at: datetime
) -> Event:
    """Act: the organisation's mark is on one attachment, by the clerk personally (R41, R44).

    The document keeps its state and version. Raises what is wrong with the signature, and `StateChanged` when the
    document moved or the attachment has its mark.
    """
    before = moving(tx.store, "seal_attachment", actor, document, version)
    tx.store.hold_document(before)
    here = found(tx.store, document, attachment)
    found_signature = require_attachment_sealed(signed.report, here, fingerprint(signed.certificate))
    tx.store.add_report(signed.stored)
    if not tx.store.seal_attachment(here.id, signed.file, signed.stored.sha256):
        raise StateChanged(state=before.state)
    return record_document(
        tx, "document.attachment_sealed", actor, before, role=Role.CLERK, before=before, at=at, files=[signed.file],
        data={
            "n": here.n,
            "attached_sha256": here.file.sha256,
            "certificate": found_signature.certificate_sha256,
            "report_sha256": signed.stored.sha256,
            "level": found_signature.level,
        },
    )  # fmt: skip


def found(store: Store, document: str, attachment: str) -> Attachment:
    """One attachment of a document; another document's is `NotFound`, the same as none."""
    here = next((one for one in store.attachments(document) if one.id == attachment), None)
    if here is None:
        raise NotFound
    return here


def own(store: Store, actor: Actor, document: str, attachment: str) -> Attachment:
    """An attachment of a document of the actor's office."""
    return found(store, found_document(store, document, actor).id, attachment)


def sent(attachments: Sequence[Attachment]) -> list[FileRef]:
    """The files as they are sent: marked where they are PDF, else as attached."""
    return [one.newest for one in attachments]
