"""Copies: of a scan, an issued document or an arrival, as a draft that the clerk numbers and seals (R35–R37)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from exchange.acts.issue import PreparedFile, places_json, subject_of
from exchange.acts.record import record_document
from exchange.acts.signature import MEDIA_TYPE
from exchange.acts.tools import Tools
from exchange.rules.acceptance import require_name, require_no_marked_line
from exchange.rules.ids import new_id
from exchange.rules.lifecycle import author_role
from exchange.rules.model import (
    Actor,
    CopyKind,
    Document,
    DocumentKind,
    DocumentState,
    Event,
    FileRef,
    Revision,
    Role,
    Secrecy,
    Urgency,
)
from exchange.storage.store import Transaction
from signing.copies import FORMS, prepare_copy
from signing.model import PreparedDocument, SignaturePurpose
from signing.stamp import copy_mark


@dataclass(frozen=True, slots=True)
class WantedCopy:
    """What a person says about a copy; `copies` is the source's document where it is here."""

    kind: CopyKind
    type: str
    subject: str
    copies: str | None = None
    issue_place: str | None = None
    not_classified: bool = False


def prepare(
    tools: Tools,
    pdf: bytes,
    wanted: WantedCopy,
    actor: Actor,
    *,
    name: str,
    office_name: str,
    pages: Sequence[int] | None,
    electronic: bool,
) -> PreparedFile:
    """Work: the copied pages with the copy's own fields, kept. Of what carries a secrecy mark nothing is kept."""
    require_name(name)
    made: PreparedDocument = tools.run(
        prepare_copy, pdf, wanted.kind.value, office_name, pages=pages, electronic=electronic
    )
    require_no_marked_line(wanted.not_classified, made.reading.classified_mark, actor)
    subject_of(wanted.subject, made.reading)
    return PreparedFile(FileRef(tools.blobs.put(made.pdf), len(made.pdf), MEDIA_TYPE, name), made.reading)


def draft_copy(
    tx: Transaction, actor: Actor, wanted: WantedCopy, prepared: PreparedFile, *, at: datetime
) -> tuple[Document, Event]:
    """Act: a new copy in `draft`, by a clerk or officer; nobody is asked to sign it."""
    role = author_role(actor)
    document = Document(
        id=new_id("doc", at),
        office=actor.office,
        author=actor.id,
        type=wanted.type,
        subject=subject_of(wanted.subject, prepared.reading),
        signer="",
        signer_name="",
        urgency=Urgency.NORMAL,
        secrecy=Secrecy.UNCLASSIFIED,
        state=DocumentState.DRAFT,
        version=1,
        revision=1,
        chain=1,
        number=None,
        places=places_json(prepared.reading.places),
        created_at=at,
        changed_at=at,
        kind=DocumentKind.COPY,
        copy_kind=wanted.kind,
        copies=wanted.copies,
        issue_place=wanted.issue_place,
    )
    tx.store.add_document(document)
    tx.store.add_revision(Revision(document.id, 1, prepared.file, "draft", None, at, 1))
    event = record_document(
        tx, "document.drafted", actor, document, role=role, before=None, at=at, files=[prepared.file],
        data={"type": document.type, "kind": document.kind, "copy_kind": wanted.kind, "copies": wanted.copies},
    )  # fmt: skip
    if prepared.reading.classified_mark is not None:
        record_document(tx, "document.mark_declared_harmless", actor, document, role=Role.CLERK, before=document, at=at)
    return document, event


def seal_lines(document: Document, purpose: SignaturePurpose, office_name: str, at: datetime) -> tuple[str, ...]:
    """What is drawn in place of the seal's picture: on a copy its form, the office and the time (R42); else nothing.

    The same for a key that is here and for one elsewhere; `at` is the moment of preparing.
    """
    if purpose is not SignaturePurpose.SEAL or document.copy_kind is None:
        return ()
    return copy_mark(FORMS[document.copy_kind], office_name, at)
