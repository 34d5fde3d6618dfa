"""A file lent to a program at the signer's desk, which fetches it by one address and brings it back by another.

The words in those addresses are the only keys that such a program has: each is good for one document, file (a revision
or an attachment), person, act and time, one to read and one to write. Only their digests are kept.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from exchange.acts.attach import found
from exchange.acts.elsewhere import PURPOSES, SEAL, act_for, base_of, lent_file
from exchange.acts.issue import moving
from exchange.errors import DeskFileTaken, DeskLinkInvalid, ExchangeError, SigningExpired, StateChanged
from exchange.rules.acceptance import require_attachments_sealed
from exchange.rules.ids import new_id
from exchange.rules.model import Actor, Document, FileRef, Loan
from exchange.storage.store import Store, Transaction

MOST_FETCHES = 3
"""A program asks again after a line that broke; an address that leaks is soon worth nothing."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A new loan and the two words for its addresses, which are told once and kept nowhere."""

    loan: Loan
    document: Document
    source: str
    upload: str


def lend(
    tx: Transaction,
    actor: Actor,
    act: str,
    document: str,
    version: int,
    *,
    at: datetime,
    expires_at: datetime,
    attachment: str | None = None,
) -> Lent:
    """Act: lend the current revision for `sign` or `seal`, or an attachment for its mark; the document stays as it is.

    Raises what the act raises. A document whose attachments lack their marks is not lent for the seal: nobody signs in
    vain (`AttachmentUnsigned`).
    """
    before = moving(tx.store, act, actor, document, version)
    if act == SEAL:
        require_attachments_sealed(tx.store.attachments(before.id))
    source, upload = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    loan = Loan(
        id=new_id("lnd", at),
        document=before.id,
        document_version=before.version,
        base=lent_file(tx.store, before.id, attachment).sha256,
        purpose=PURPOSES[act],
        actor=actor,
        source_sha256=_digest(source),
        upload_sha256=_digest(upload),
        fetched=0,
        returned=None,
        refusal=None,
        created_at=at,
        expires_at=expires_at,
        attachment=attachment,
    )
    tx.store.add_loan(loan)
    return Lent(loan, before, source, upload)


def act_of(loan: Loan) -> str:
    """What the loan is for: `sign`, `seal` or `seal_attachment`."""
    return act_for(loan.purpose)


def fetched(tx: Transaction, word: str, *, at: datetime) -> FileRef:
    """Act: the program fetches what was lent; counted. Raises `DeskLinkInvalid` for everything that is not good now."""
    loan = tx.store.loan_by_source(_digest(word))
    if loan is None or at > loan.expires_at or loan.returned is not None:
        raise DeskLinkInvalid
    document = tx.store.document(loan.document)
    if document is None or document.version != loan.document_version:
        raise DeskLinkInvalid
    if not tx.store.count_fetch(loan.id, MOST_FETCHES):
        raise DeskLinkInvalid
    try:
        return base_of(tx.store, loan)
    except ExchangeError as error:
        raise DeskLinkInvalid from error  # the attachment got its mark meanwhile


def loan_of(store: Store, word: str) -> Loan:
    """The loan that an upload address belongs to. Raises `DeskLinkInvalid`."""
    loan = store.loan_by_upload(_digest(word))
    if loan is None:
        raise DeskLinkInvalid
    return loan


def name_of(store: Store, loan: Loan) -> str:
    """What the lent file is called."""
    if loan.attachment is not None:
        return found(store, loan.document, loan.attachment).file.name
    return base_of(store, loan).name


def require_open(store: Store, actor: Actor, loan: Loan, sha256: str, *, at: datetime) -> Document | None:
    """The document that what came back may still become a revision of; None when these very bytes were accepted.

    Raises `DeskFileTaken` for other bytes after that, `SigningExpired`, `StateChanged`, and what the act raises.
    """
    if loan.returned is not None:
        if loan.returned != sha256:
            raise DeskFileTaken
        return None
    if at > loan.expires_at:
        raise SigningExpired
    document = moving(store, act_of(loan), actor, loan.document, loan.document_version)
    if base_of(store, loan).sha256 != loan.base:
        raise StateChanged(state=document.state)
    return document


def give_back(tx: Transaction, loan: Loan, sha256: str) -> None:
    """Act: note what was accepted. Raises `DeskFileTaken` when something was first."""
    if not tx.store.return_loan(loan.id, sha256):
        raise DeskFileTaken


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()
