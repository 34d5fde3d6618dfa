"""A signature made elsewhere: the file is prepared here, its hash signed at the desk, the file finished here.

One back end for every key that is not here (signing page §1.3): a token behind a local program, a card behind Web eID,
a phone. What was prepared is kept, so that it can be finished after a restart; it is good for one document, revision,
person, certificate, purpose and time.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from exchange.acts.attach import seal_attachment, to_mark
from exchange.acts.issue import current, moving, seal, sign, whose_turn
from exchange.acts.signature import FIELDS, MEDIA_TYPE, MadeSignature, SignedFile, check_file
from exchange.acts.tools import Tools
from exchange.errors import (
    CertificateExpired,
    ExchangeError,
    NotFound,
    SealWrongOffice,
    SignatureMisplaced,
    SignatureShowsMore,
    SignerNotAuthorised,
    SigningExpired,
    SigningFinished,
    StateChanged,
)
from exchange.rules.acceptance import require_attachments_sealed
from exchange.rules.copies import seal_field
from exchange.rules.ids import new_id
from exchange.rules.model import (
    Actor,
    Document,
    DocumentState,
    Event,
    FileRef,
    Loan,
    Part,
    SigningSession,
    StoredReport,
)
from exchange.rules.returned import require_returned
from exchange.storage.store import Store, Transaction
from keys.certificates import read_certificate, signed_by, subject_values
from keys.errors import KeysError, RevocationUnavailable
from keys.fitness import der_signature, require_for_signing, require_trusted
from keys.model import Certificate
from keys.trust import chain_of
from signing.errors import SignatureWrong, SigningError
from signing.model import ORGANISATION_ALONE, Change, PreparedSignature, Report, SignaturePurpose, SignIntent
from signing.own_field import shows_more, stands_top_right
from signing.returned import changes_since
from signing.sign import check_prepared, prepare_signature

SIGN, SEAL, MARK = "sign", "seal", "seal_attachment"
"""The acts that a key elsewhere may do; initials are given by signing when it is one's turn."""
_SHOWN = {
    "covers": "che nội dung khác / it covers something",
    "large": "quá lớn / too large",
    "several": "ở nhiều nơi / in several places",
    "words": "có chữ khác / it says something else",
}
BY_OFFICE = frozenset({SEAL, MARK})
"""Those that need a key of the organisation."""
PURPOSES = {
    SIGN: SignaturePurpose.LEADER,
    SEAL: SignaturePurpose.SEAL,
    MARK: SignaturePurpose.ATTACHMENT,
}


@dataclass(frozen=True, slots=True)
class PreparedElsewhere:
    """A file prepared for a key that is not here, and who is to sign it: certificate and issuers as DER."""

    act: str
    purpose: SignaturePurpose
    base: FileRef
    prepared: PreparedSignature
    file: str
    """SHA-256 of the prepared file, which is kept."""
    certificate: bytes
    chain: tuple[bytes, ...]
    attachment: str | None = None
    """The attachment whose file `base` is, when the act is `MARK`."""


def hand(document: Document, act: str) -> tuple[SignaturePurpose, str | None]:
    """What kind of signature is made now, and in which field where one of several people signs. Raises `WrongState`."""
    if act == SEAL:
        return SignaturePurpose.SEAL, seal_field(document)
    if act == MARK:
        return SignaturePurpose.ATTACHMENT, None
    named = whose_turn(document)
    return SignaturePurpose.INITIAL if named.part is Part.INITIAL else SignaturePurpose.LEADER, named.field


def require_signer(
    tools: Tools,
    certificate: bytes,
    chain: Collection[bytes],
    own: Collection[Certificate],
    act: str,
    *,
    at: datetime,
) -> tuple[bytes, ...]:
    """Work: the issuers of a certificate with which this person may sign now; `chain` may help to find them.

    `own` are the certificates recorded for the person, act and office. Raises `SignerNotAuthorised` or
    `SealWrongOffice`, `CertificateExpired`, the errors of `keys.fitness`, and `RevocationUnavailable`.
    """
    read = read_certificate(certificate)
    if read.fingerprint not in {one.fingerprint for one in own}:
        raise SealWrongOffice if act in BY_OFFICE else SignerNotAuthorised
    if not read.not_before <= at <= read.not_after:
        raise CertificateExpired
    require_for_signing(certificate, on=at.date())
    helped = replace(tools.trust, intermediates=tuple(dict.fromkeys((*tools.trust.intermediates, *chain))))
    answers = tools.revocation.about([certificate], helped, at=at)
    require_trusted(certificate, helped, answers)
    return chain_of(certificate, helped)


def prepare_elsewhere(
    tools: Tools,
    base: FileRef,
    act: str,
    by: tuple[SignaturePurpose, str | None],
    certificate: bytes,
    chain: tuple[bytes, ...],
    *,
    image: bytes,
    name: str,
    at: datetime,
    lines: tuple[str, ...] = (),
    attachment: str | None = None,
) -> PreparedElsewhere:
    """Work: draw the signature, leave its hole, and keep the file; `by` is what `hand` says. Errors of `signing`.

    `lines` are drawn in place of the image where there are any.
    """
    purpose, field = by
    pdf = tools.blobs.get(base.sha256)
    intent = SignIntent(purpose, field or FIELDS[purpose], image, name, at, lines=lines)
    prepared: PreparedSignature = tools.run(prepare_signature, pdf, intent, certificate, chain)
    check_prepared(prepared, certificate, extends=pdf)
    file = tools.blobs.put(prepared.pdf)
    return PreparedElsewhere(act, purpose, base, prepared, file, certificate, chain, attachment)


def keep_prepared(
    tx: Transaction,
    actor: Actor,
    document: str,
    version: int,
    made: PreparedElsewhere,
    *,
    at: datetime,
    expires_at: datetime,
) -> SigningSession:
    """Act: note what waits for its signature; the document stays as it is, and others may prepare beside it."""
    before = moving(tx.store, made.act, actor, document, version)
    if made.attachment is not None:
        to_mark(tx.store, before.id, made.attachment)
    prepared = made.prepared
    session = SigningSession(
        id=new_id("sgn", at),
        document=before.id,
        document_version=before.version,
        purpose=made.purpose,
        actor=actor,
        certificate=made.certificate,
        chain=made.chain,
        base=made.base.sha256,
        prepared=made.file,
        digest=prepared.digest,
        start=prepared.start,
        end=prepared.end,
        attributes=prepared.attributes,
        signature=b"",
        state="prepared",
        created_at=at,
        expires_at=expires_at,
        attachment=made.attachment,
    )
    tx.store.add_session(session)
    return session


def prepared_session(
    store: Store, actor: Actor, document: str, act: str, id_: str, attachment: str | None = None
) -> SigningSession:
    """The caller's own session on that document (and attachment) for that act; anything else is `NotFound`."""
    session = store.session(id_)
    if session is None or session.expires_at is None:
        raise NotFound
    theirs = (session.actor.id, session.actor.office, session.document, act_for(session.purpose), session.attachment)
    if theirs != (actor.id, actor.office, document, act, attachment):
        raise NotFound
    return session


def require_finishable(store: Store, actor: Actor, session: SigningSession, *, at: datetime) -> Document:
    """The document, if the session may still be finished now.

    Raises `SigningFinished`, `SigningExpired`, `StateChanged` when the document has moved on or the attachment has its
    mark, `AttachmentUnsigned` for a seal that comes before a mark, and what the act raises.
    """
    if session.state != "prepared":
        raise SigningFinished
    if session.expires_at is None or at > session.expires_at:
        raise SigningExpired
    act = act_for(session.purpose)
    document = moving(store, act, actor, session.document, session.document_version)
    if base_of(store, session).sha256 != session.base:
        raise StateChanged(state=document.state)
    if act == SEAL:
        require_attachments_sealed(store.attachments(document.id))
    return document


def base_of(store: Store, made: SigningSession | Loan) -> FileRef:
    """The file that a session's or loan's signature goes into, as it stands now. Raises what `lent_file` raises."""
    return lent_file(store, made.document, made.attachment)


def lent_file(store: Store, document: str, attachment: str | None) -> FileRef:
    """The current file of a document or of one of its attachments.

    Raises for an attachment `NotFound`, `TypeNotAllowed`, and `StateChanged` when it has its mark.
    """
    if attachment is not None:
        return to_mark(store, document, attachment).file
    here = store.document(document)
    assert here is not None  # noqa: S101 - documents are never deleted
    return current(store, here).file


def made_elsewhere(tools: Tools, base: FileRef, session: SigningSession, signature: bytes) -> MadeSignature:
    """Work: the prepared file with the signature that came, once that fits the certificate. Raises `SignatureWrong`."""
    raw = der_signature(session.certificate, signature)
    if not signed_by(session.certificate, session.attributes, raw):
        raise SignatureWrong
    prepared = PreparedSignature(
        tools.blobs.get(session.prepared), session.digest, session.start, session.end, session.attributes
    )
    purpose = SignaturePurpose(session.purpose)
    return MadeSignature(purpose, base, prepared, raw, session.certificate, session.chain)


def finish_prepared(
    tx: Transaction, actor: Actor, session: SigningSession, signature: bytes, signed: SignedFile, *, at: datetime
) -> tuple[Document, Event]:
    """Act: the move that the session was made for. Raises `SigningFinished` when somebody was first."""
    if not tx.store.sign_session(session.id, signature, "finished"):
        raise SigningFinished
    move = seal if act_for(session.purpose) == SEAL else sign
    return move(tx, actor, session.document, session.document_version, signed, at=at)


def finish_mark(
    tx: Transaction, actor: Actor, session: SigningSession, signature: bytes, signed: SignedFile, *, at: datetime
) -> tuple[Document, Event]:
    """Act: the mark on the attachment that the session was made for; the document keeps its state and version.

    Raises `SigningFinished` or `StateChanged` when somebody was first.
    """
    before = require_finishable(tx.store, actor, session, at=at)
    if session.attachment is None or not tx.store.sign_session(session.id, signature, "finished"):
        raise SigningFinished
    event = seal_attachment(
        tx, actor, session.document, session.document_version, session.attachment, signed, at=at
    )  # fmt: skip
    return before, event


def hold_prepared(
    tx: Transaction, actor: Actor, session: SigningSession, signature: bytes, *, at: datetime
) -> Document:
    """Act: keep a signature whose time stamp did not come, as with a key that is here: a job finishes the file."""
    before = require_finishable(tx.store, actor, session, at=at)
    if not tx.store.sign_session(session.id, signature, "signed"):
        raise SigningFinished
    tx.jobs.enqueue("finish_signature", {"session": session.id}, key=session.id)
    return tx.store.change_document(before, replace(before, pending_signature=session.id, changed_at=at))


def digest_to_sign(session: SigningSession) -> bytes:
    """The SHA-256 that a program signs which takes a digest: of the signed attributes, not of the PDF."""
    return hashlib.sha256(session.attributes).digest()


def act_for(purpose: str) -> str:
    """The act that a kept preparation or a loan with that purpose was made for."""
    return next((act for act, its in PURPOSES.items() if its == purpose), SIGN)


# -- a file that was signed elsewhere --


@dataclass(frozen=True, slots=True)
class JudgedReturn:
    """What was found about a file that came back: its report is kept, whatever it says; `refusal` is why it is not."""

    stored: StoredReport
    signed: SignedFile | None
    refusal: ExchangeError | SigningError | KeysError | None


def judge_returned(
    tools: Tools,
    lent: FileRef,
    pdf: bytes,
    *,
    act: str,
    field: str,
    earlier: Report | None,
    own: Collection[Certificate],
    office_code: str,
    at: datetime,
    labels: Collection[str] = (),
) -> JudgedReturn:
    """Work: may `pdf` be what comes after the file `lent`? What may is kept.

    `earlier` is the report on the newest signed revision up to `lent`, `own` the certificates of person or office,
    `labels` the words that a program writes before a signer's name.
    Raises what makes it no PDF to judge, and `RevocationUnavailable` when nobody can say whether the signer is good.
    """
    report, stored = check_file(tools, pdf, office_code=office_code, at=at)
    try:
        found = require_returned(
            report,
            _changes(tools, lent, pdf),
            act=act,
            field=field,
            earlier=earlier.signatures if earlier else (),
            own={one.fingerprint for one in own},
        )
        certificate = next(one.der for one in own if one.fingerprint == found.certificate_sha256)
        if field in ORGANISATION_ALONE and not tools.run(stands_top_right, pdf, found.field):
            raise SignatureMisplaced
        if act == SIGN and earlier is not None and found.field != field:
            _require_only_a_signature(tools, lent, pdf, found.field, (*labels, *subject_values(certificate)))
        require_signer(tools, certificate, (), own, act, at=at)
    except RevocationUnavailable:
        raise
    except (ExchangeError, SigningError, KeysError) as refusal:
        return JudgedReturn(stored, None, refusal)
    file = FileRef(tools.blobs.put(pdf), len(pdf), MEDIA_TYPE, lent.name)
    return JudgedReturn(stored, SignedFile(file, certificate, report, stored), None)


def _require_only_a_signature(tools: Tools, lent: FileRef, pdf: bytes, field: str, about: Collection[str]) -> None:
    """A field that a person's program adds after somebody signed covers nothing and speaks of its signer alone."""
    more: str | None = tools.run(shows_more, pdf, lent.size, field, tuple(about))
    if more is not None:
        raise SignatureShowsMore(what=_SHOWN[more])


def _changes(tools: Tools, lent: FileRef, pdf: bytes) -> tuple[Change, ...] | None:
    if hashlib.sha256(pdf[: lent.size]).hexdigest() != lent.sha256:
        return None
    changes: tuple[Change, ...] = tools.run(changes_since, pdf, lent.size)
    return changes


def act_now(document: Document) -> str:
    """Which act a file signed elsewhere would be: the seal once it has its number, a signature before that."""
    return SEAL if document.state is DocumentState.NUMBERED else SIGN


def accept_returned(
    tx: Transaction,
    actor: Actor,
    act: str,
    document: str,
    version: int,
    signed: SignedFile,
    *,
    at: datetime,
    attachment: str | None = None,
) -> tuple[Document, Event]:
    """Act: the move that the file was signed for, or the mark on an attachment, which leaves the document as it is."""
    if attachment is not None:
        before = moving(tx.store, act, actor, document, version)
        return before, seal_attachment(tx, actor, document, version, attachment, signed, at=at)
    move = seal if act == SEAL else sign
    return move(tx, actor, document, version, signed, at=at)
