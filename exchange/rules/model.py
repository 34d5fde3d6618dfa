"""The values of the exchange, under its public names. Frozen: only a store writes their rows.

Instants are aware datetimes in UTC. Ids are prefixed UUIDv7: opaque to everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from signing.model import LEADER_FIELD


class Role(StrEnum):
    """The nine roles an act can be done in; the first six belong to people."""

    CLERK = "clerk"
    LEADER = "leader"
    OFFICER = "officer"
    OFFICE_ADMIN = "office_admin"
    SYSTEM_ADMIN = "system_admin"
    AUDITOR = "auditor"
    CLIENT = "client"
    PEER = "peer"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `id` is an opaque pseudonym (`p_…`), `office` the code acted for, `roles` those held *there*."""

    id: str
    office: str
    roles: frozenset[Role]
    scopes: frozenset[str] = frozenset()
    """What a program may do (`documents:write` …); people have roles instead."""


class DocumentState(StrEnum):
    DRAFT = "draft"
    WAITING_SIGNATURE = "waiting_signature"
    SIGNED = "signed"
    NUMBERED = "numbered"
    SEALED = "sealed"
    ISSUED = "issued"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    QUEUED = "queued"
    HANDED_OVER = "handed_over"
    FAILED = "failed"
    CONSIGNED = "consigned"
    REGISTERED = "registered"
    ASSIGNED = "assigned"
    PROCESSING = "processing"
    COMPLETED = "completed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REDIRECTED = "redirected"
    REPLACED = "replaced"


class Phase(StrEnum):
    OPEN = "open"
    DONE = "done"
    ENDED = "ended"


class Channel(StrEnum):
    LOCAL = "local"
    NATIVE = "native"
    EDXML = "edxml"
    PAPER = "paper"


class Urgency(StrEnum):
    NORMAL = "normal"
    URGENT = "urgent"
    VERY_URGENT = "very_urgent"
    EXPRESS = "express"
    EXPRESS_TIMED = "express_timed"


class Secrecy(StrEnum):
    UNCLASSIFIED = "unclassified"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"  # noqa: S105 - a marking, not a password
    TOP_SECRET = "top_secret"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Office:
    """A sender or recipient. `code` is opaque text (at most 64 characters); on `valid_to` it no longer holds."""

    code: str
    name: str
    parent: str | None
    channel: Channel
    valid_from: date
    valid_to: date | None = None
    paused: bool = False
    kind: str = "office"
    """`office`, or `hub` for an axis that is no recipient."""


@dataclass(frozen=True, slots=True)
class Group:
    """A saved list of recipients of one office."""

    id: str
    office: str
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """A run of numbers of one office in one year; `form` writes a number, as in `{n}/QĐ-UBND`."""

    id: str
    office: str
    year: int
    name: str
    title: str
    form: str
    state: str = "open"


@dataclass(frozen=True, slots=True)
class Number:
    """One entry of a series, for good: `taken`, then `used` or `void`."""

    id: str
    series: str
    office: str
    year: int
    n: int
    written: str
    date: date
    state: str
    document: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FileRef:
    """Bytes under their SHA-256; `name` is as it was given, shown and never used as a path."""

    sha256: str
    size: int
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One PDF of a document; `made_by` is the act (`draft`, `sign`, `number`, `seal`), `n` counts all of them from 1.

    `chain` says which of them extend each other byte for byte: each return to draft begins a new one.
    """

    document: str
    n: int
    file: FileRef
    made_by: str
    report_sha256: str | None
    at: datetime
    chain: int = 1


class DocumentKind(StrEnum):
    """What an office issues: a document of its own, or a copy of another."""

    ORIGINAL = "original"
    COPY = "copy"


class CopyKind(StrEnum):
    """Sao y (from paper), sao lục (of a certified copy), trích sao (an extract): R35."""

    SY = "SY"
    SL = "SL"
    TRS = "TrS"


class Part(StrEnum):
    """What a named person is asked for: initials on the way (ký nháy), or a signature that the document needs."""

    INITIAL = "initial"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """Somebody asked to initial or to sign: account id, name, and the signature field made for that hand."""

    person: str
    name: str
    part: Part
    field: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person says about a new document."""

    type: str
    subject: str
    signer: str
    """Account id of the leader asked to sign."""
    urgency: Urgency = Urgency.NORMAL
    secrecy: Secrecy = Secrecy.UNCLASSIFIED
    not_classified: bool = False
    """A clerk's word that a suspicious line on page one is no secrecy mark."""


@dataclass(frozen=True, slots=True)
class Document:
    """What an office issues."""

    id: str
    office: str
    author: str
    type: str
    subject: str
    signer: str
    signer_name: str
    urgency: Urgency
    secrecy: Secrecy
    state: DocumentState
    version: int
    revision: int
    """`n` of the current revision."""
    chain: int
    """Which chain of revisions: each return to draft begins a new one."""
    number: Number | None
    places: Mapping[str, object]
    created_at: datetime
    changed_at: datetime
    pending_signature: str | None = None
    """Id of a signing session that waits for its time stamp, if any."""
    named: tuple[NamedPerson, ...] = ()
    """Who initials and signs, in order; empty means the signer alone."""
    turn: int = 0
    """How many of them have done so."""
    kind: DocumentKind = DocumentKind.ORIGINAL
    copy_kind: CopyKind | None = None
    copies: str | None = None
    """The document that this is a copy of, where it is here."""
    issue_place: str | None = None
    """Where a copy was made, as its date line says it."""

    @property
    def order(self) -> tuple[NamedPerson, ...]:
        """Who initials and signs, in order."""
        return self.named or (NamedPerson(self.signer, self.signer_name, Part.SIGN, LEADER_FIELD),)

    @property
    def next_named(self) -> NamedPerson | None:
        """Whose turn it is while it waits for signatures."""
        waits = self.state is DocumentState.WAITING_SIGNATURE and self.turn < len(self.order)
        return self.order[self.turn] if waits else None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A separate file of a document (phụ lục): `n` is its order, `sealed` the same with the organisation's mark.

    Only a PDF gets a mark; anything else goes with its digest alone.
    """

    id: str
    document: str
    n: int
    file: FileRef
    sealed: FileRef | None = None
    report_sha256: str | None = None

    @property
    def needs_seal(self) -> bool:
        """Whether the organisation has to sign it."""
        return self.file.media_type == "application/pdf"

    @property
    def newest(self) -> FileRef:
        """The file as it stands now: what is sent."""
        return self.sealed or self.file


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes on their way in; `sha256` and `size` are what was promised, `done` when all came and fit the promise."""

    id: str
    office: str
    person: str
    name: str
    size: int
    sha256: str
    media_type: str
    done: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SigningSession:
    """A file prepared for a signature that is made elsewhere, or one that waits for its time stamp.

    It is not yet a revision of the document.
    """

    id: str
    document: str
    document_version: int
    purpose: str
    actor: Actor
    """Who signed, with the roles held then."""
    certificate: bytes
    """DER; `chain` its issuers."""
    chain: tuple[bytes, ...]
    base: str
    """SHA-256 of the revision or attachment that it extends."""
    prepared: str
    """SHA-256 of the stored PDF with the hole."""
    digest: bytes
    start: int
    end: int
    attributes: bytes
    signature: bytes
    state: str
    """`prepared` (waits for the signature), `signed` (waits for its time stamp), `finished`, `given_up`."""
    created_at: datetime
    expires_at: datetime | None = None
    """Until when a prepared one may be finished."""
    attachment: str | None = None
    """The attachment whose file `base` is; None: a revision of the document itself."""


@dataclass(frozen=True, slots=True)
class Loan:
    """A file lent to a program at the signer's desk: fetched by one address, brought back signed by another.

    Only digests of the words in those addresses are kept.
    """

    id: str
    document: str
    document_version: int
    base: str
    """SHA-256 of the file that was lent: a revision, or an attachment."""
    purpose: str
    actor: Actor
    """For whom, with the roles held then."""
    source_sha256: str
    upload_sha256: str
    fetched: int
    """How often it was fetched."""
    returned: str | None
    """SHA-256 of what came back and was accepted."""
    refusal: str | None
    """Why the newest thing that came back was refused: an error's code."""
    created_at: datetime
    expires_at: datetime
    attachment: str | None = None
    """The attachment whose file was lent, when it is for the organisation's mark on that one."""


@dataclass(frozen=True, slots=True)
class RecipientSpec:
    """One line of a recipient specification: exactly one of `office`, `group`, `under` is set."""

    office: str | None = None
    group: str | None = None
    under: str | None = None
    depth: int | None = 1
    """With `under`: levels below, None for all."""
    excepting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolvedRecipient:
    """One line of a dry run: an office, or why it cannot be one."""

    office: str
    name: str | None
    channel: Channel | None
    problem: str | None
    """Error code, None when it is good."""
    detail_vi: str | None = None
    detail_en: str | None = None


@dataclass(frozen=True, slots=True)
class Consignment:
    """One issue of one document to a frozen list."""

    id: str
    document: str
    revision: int
    office: str
    recipients_count: int
    recipients_root: str
    sender_reference: str | None
    due: date | None
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient of a consignment."""

    id: str
    consignment: str
    document: str
    sender: str
    office: str
    channel: Channel
    state: DeliveryState
    version: int
    since: datetime
    """When it came into its present state."""
    incoming: "IncomingEntry | None" = None
    reason_code: str | None = None
    reason: str | None = None
    opened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IncomingEntry:
    """A row of the arrival register."""

    id: str
    office: str
    book: str
    year: int
    number: int
    date: date
    delivery: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who works on an arrival inside."""

    delivery: str
    version: int
    lead: str
    cooperating: tuple[str, ...]
    for_information: tuple[str, ...]
    due: date | None
    instruction: str | None
    at: datetime


class DeadlineKind(StrEnum):
    """The clocks of the exchange (page §7)."""

    ISSUE = "issue"
    ISSUE_URGENT = "issue_urgent"
    REGISTER_OUT = "register_out"
    RECEIPT_NOTICE = "receipt_notice"
    PASS_ON = "pass_on"  # noqa: S105 - a deadline
    PROCESS = "process"
    CHANGE_ANSWER = "change_answer"
    HAND_OVER = "hand_over"
    ARRIVAL = "arrival"
    FIX_FAILED = "fix_failed"
    NUMBER_UNUSED = "number_unused"
    EXPIRES_AT = "expires_at"
    STAMP = "stamp"


class DeadlineState(StrEnum):
    """How far a deadline is; `ended` when what it waited for happened, in time or not."""

    RUNNING = "running"
    WARNED = "warned"
    OVERDUE = "overdue"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Deadline:
    """One clock running: computed once, with the calendar of that `calendar` version, and frozen.

    `subject` is the id of what it is about, `office` has to act, `other` is the other side where it is told too.
    """

    id: str
    kind: DeadlineKind
    subject: str
    office: str
    other: str | None
    inward: bool
    """Its events are seen by `office` only."""
    started_at: datetime
    warn: datetime | None
    soon: datetime | None
    due: datetime
    calendar: int
    state: DeadlineState
    next_at: datetime | None
    """When it does something by itself next: warn, or be overdue."""
    until: datetime | None = None
    """The end that somebody named, where one did."""
    day: date | None = None
    """The same where it was named by a day."""
    overdue_at: datetime | None = None
    """When it was recorded as overdue."""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One act that happened: `leaf` is the hash of `body`, the canonical JSON (RFC 8785) that stands in the ledger."""

    id: str
    type: str
    at: datetime
    body: bytes
    leaf: bytes
    inward: bool
    """Seen only by `office` when true."""
    office: str
    document: str | None
    consignment: str | None
    delivery: str | None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed root of the ledger (C2SP signed note) and, once it came, its RFC 3161 token."""

    size: int
    root: bytes
    note: bytes
    at: datetime
    stamp: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report kept as evidence, re-used by (file, inputs)."""

    sha256: str
    """Digest of `body`."""
    file: str
    inputs_sha256: str
    verdict: str
    body: bytes
    at: datetime
