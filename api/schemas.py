"""JSON in and out of `/api/v1`: what requests may hold (checked), and how values are written in answers."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import date as Day
from datetime import datetime
from datetime import time as Time
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote

from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from exchange.proof.ledger import leaf_hash
from exchange.rules.calendar import DayKind, Grade
from exchange.rules.explain import Why
from exchange.rules.lifecycle import DELIVERY_CODES, phase_of_delivery, phase_of_document
from exchange.rules.model import (
    Assignment,
    Attachment,
    Consignment,
    CopyKind,
    Delivery,
    DeliveryState,
    Document,
    DocumentState,
    Event,
    FileRef,
    Number,
    Office,
    Part,
    RecipientSpec,
    ResolvedRecipient,
    Revision,
    Secrecy,
    Urgency,
)
from exchange.storage.feed_store import FeedItem
from signing.model import Level, NamedPlace, Place, Places, Report
from signing.report import explained, sentences

Json = dict[str, Any]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Secret = Annotated[str, StringConstraints(max_length=1024)]
Length = Annotated[float, Field(allow_inf_nan=False)]


def is_text(value: str) -> bool:
    """Whether a string can be kept and sent: no NUL, no half of a surrogate pair."""
    return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


class Body(BaseModel):
    """What comes in: unknown fields are ignored (additive versions), text is kept as typed.

    A NUL character and half a surrogate pair are no text: databases and UTF-8 refuse them, so the door does.
    """

    model_config = ConfigDict(extra="ignore")
    judged_by_rules: ClassVar[frozenset[str]] = frozenset()
    """Fields whose text a rule judges, with an error of its own."""

    @model_validator(mode="before")
    @classmethod
    def _texts(cls, told: Any) -> Any:
        fields = told.items() if isinstance(told, dict) else ()
        waiting = [value for name, value in fields if name not in cls.judged_by_rules]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                waiting += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                waiting += value
            elif isinstance(value, str) and not is_text(value):
                raise ValueError("no text")
        return told


class SignatureLevels(Body):
    leader: Level | None = None
    seal: Level | None = None


class NewUpload(Body):
    judged_by_rules = frozenset({"name"})

    name: str
    size: Annotated[int, Field(ge=0, le=2**53 - 1)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    media_type: str = "application/pdf"


class ByDigest(Body):
    """A file that is here already, by the SHA-256 of its bytes."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PlaceIn(Body):
    page: Annotated[int, Field(ge=0, le=100_000)]
    box: tuple[Length, Length, Length, Length]


class PlacesIn(Body):
    number: PlaceIn
    date: PlaceIn
    signature: PlaceIn
    seal: PlaceIn
    others: Annotated[dict[str, PlaceIn], Field(max_length=20)] = {}
    """By name of the signature field: initials, further leaders."""

    def value(self) -> Places:
        """The same as the value of `signing`."""
        number, date, signature, seal = (
            Place(p.page, p.box) for p in (self.number, self.date, self.signature, self.seal)
        )
        others = tuple(NamedPlace(name, Place(p.page, p.box)) for name, p in self.others.items())
        return Places(number, date, signature, seal, others)


class NamedIn(Body):
    """Somebody asked to initial or to sign, by account id."""

    person: str
    part: Part = Part.SIGN


Order = Annotated[list[NamedIn], Field(max_length=100)]


class NewDocument(Body):
    upload: str
    signer: str
    type: Code = "official_letter"
    subject: str = ""
    urgency: Urgency = Urgency.NORMAL
    secrecy: Secrecy = Secrecy.UNCLASSIFIED
    not_classified: bool = False
    places: PlacesIn | None = None
    signers: Order = []
    """Who initials and signs, in order, when it is not the signer alone."""


class NewCopy(Body):
    """A copy: of a scan (`upload`), or of an issued document or an arrival, whole or `pages` (from 1)."""

    copy_kind: CopyKind
    upload: str | None = None
    document: str | None = None
    delivery: str | None = None
    pages: Annotated[list[Annotated[int, Field(ge=1, le=100_000)]], Field(min_length=1, max_length=2000)] | None = None
    type: Code | None = None
    subject: str = ""
    issue_place: Annotated[str, StringConstraints(max_length=100)] | None = None
    not_classified: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.document and self.delivery) or not (self.upload or self.document or self.delivery):
            raise ValueError("a source, and only one of document and delivery")
        return self


class DocumentChange(Body):
    upload: str | None = None
    signer: str | None = None
    type: Code | None = None
    subject: Annotated[str, StringConstraints(min_length=1)] | None = None
    urgency: Urgency | None = None
    secrecy: Secrecy | None = None
    not_classified: bool | None = None
    places: PlacesIn | None = None
    signers: Order | None = None


class SubmitAsked(Body):
    """With `signers`, the draft gets their fields first."""

    signers: Order | None = None


class Nothing(Body):
    """A body may be left out."""


class WithPin(Body):
    pin: Secret
    otp: Secret | None = None


def _bytes_of(word: object) -> object:
    """Bytes written as base64; programs at the desk break it into lines."""
    if not isinstance(word, str):
        return word
    return base64.b64decode("".join(word.split()), validate=True)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=\s]*$")]
Bytes = Annotated[
    bytes, BeforeValidator(_bytes_of, json_schema_input_type=_Base64), PlainSerializer(_base64, when_used="json")
]
"""Bytes that go as base64 text."""


class PrepareAsked(Body):
    """Whose key will sign: the certificate (DER), and issuers that may help to build its chain."""

    certificate: Annotated[Bytes, Field(max_length=16 * 1024)]
    chain: Annotated[list[Annotated[Bytes, Field(max_length=16 * 1024)]], Field(max_length=8)] = []


class PrepareWithImage(PrepareAsked):
    """The same with the picture of the leader's signature (PNG), the recorded one when left out."""

    image: Annotated[Bytes, Field(max_length=2 * 1024 * 1024)] | None = None


class FinishAsked(Body):
    """A raw signature: RSA PKCS#1 v1.5, or ECDSA as DER or as r and s side by side."""

    signing: Code
    signature: Annotated[Bytes, Field(min_length=1, max_length=4096)]


class BatchItem(Body):
    """One document of a batch, as it was seen."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    version: Annotated[int, Field(ge=0, le=999_999_999)]
    key: str | None = None
    """Its own idempotency key; without one it is made of the batch's."""


class BatchAsked(WithPin):
    act: Literal["sign", "seal"]
    documents: Annotated[list[BatchItem], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({item.id for item in self.documents}) != len(self.documents):
            raise ValueError("a document twice")
        return self


class CodeAsked(Body):
    act: Literal["sign", "seal"]


class LoanAsked(Body):
    act: Literal["sign", "seal"]


class AttachAsked(Body):
    """An upload that becomes a separate attachment."""

    upload: str
    not_classified: bool = False


class WithReason(Body):
    reason: str = ""


class NumberAsked(Body):
    series: Code
    date: Day | None = None
    stamp: Literal["service"] = "service"


class RecipientIn(Body):
    office: Code | None = None
    group: str | None = None
    under: Code | None = None
    depth: Annotated[int, Field(ge=1, le=20)] | Literal["all"] = 1
    excepting: Annotated[list[Code], Field(alias="except")] = []

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        """A line that means nothing, or two things, is a mistake: nobody may be left out in silence."""
        if sum(told is not None for told in (self.office, self.group, self.under)) != 1:
            raise ValueError("exactly one of office, group, under")
        return self

    def value(self) -> RecipientSpec:
        """The same as the value of `exchange`."""
        depth = None if self.depth == "all" else self.depth
        return RecipientSpec(self.office, self.group, self.under, depth, tuple(self.excepting))


class Recipients(Body):
    recipients: list[RecipientIn]

    def specs(self) -> list[RecipientSpec]:
        """All lines as values."""
        return [line.value() for line in self.recipients]


class IssueAsked(Recipients):
    due: Day | None = None
    sender_reference: Annotated[str, StringConstraints(max_length=128)] | None = None
    partial: bool = False


class CalendarDayIn(Body):
    """A day that is not what its weekday says."""

    date: Day
    kind: DayKind
    name: Annotated[str, StringConstraints(max_length=200)]


class CalendarYearIn(Body):
    """What was decided about a year: by which decision, how sure it is, and its days."""

    source: Annotated[str, StringConstraints(max_length=500)]
    grade: Grade
    days: Annotated[list[CalendarDayIn], Field(max_length=366)]


class SpanIn(Body):
    """Working time from … to, in Vietnam."""

    begin: Time
    end: Time


class HoursIn(Body):
    """When offices work on a working day; the first span ends with the morning."""

    hours: Annotated[list[SpanIn], Field(min_length=1, max_length=4)]
    source: Annotated[str, StringConstraints(max_length=500)]


class NewGroup(Body):
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    members: Annotated[list[Code], Field(max_length=5000)]


class RegisterAsked(Body):
    book: Code = "den"
    incoming_date: Day | None = None
    sha256: str


class RefuseAsked(WithReason):
    reason_code: Code = "other"


class AssignAsked(Body):
    lead: str
    cooperating: list[str] = []
    for_information: list[str] = []
    due: Day | None = None
    instruction: Annotated[str, StringConstraints(max_length=4000)] | None = None


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, as in events."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def number_json(number: Number | None) -> Json | None:
    if number is None:
        return None
    return {
        "id": number.id, "n": number.n, "written": number.written, "date": number.date.isoformat(),
        "series": number.series, "year": number.year,
    }  # fmt: skip


def document_json(
    document: Document, revision: Revision, event: Event | None = None, attachments: Sequence[Attachment] = ()
) -> Json:
    """A document as its own office sees it."""
    body: Json = {
        "id": document.id,
        "office": document.office,
        "state": document.state,
        "phase": phase_of_document(document.state),
        "version": document.version,
        "kind": document.kind,
        "copy_kind": document.copy_kind,
        "copies": document.copies,
        "type": document.type,
        "subject": document.subject,
        "signer": {"id": document.signer, "name": document.signer_name},
        "signers": [
            {"person": one.person, "name": one.name, "part": one.part, "field": one.field, "done": n < document.turn}
            for n, one in enumerate(document.order)
        ],
        "urgency": document.urgency,
        "secrecy": document.secrecy,
        "number": number_json(document.number),
        "places": document.places,
        "revision": {
            "n": revision.n, "sha256": revision.file.sha256, "size": revision.file.size,
            "made_by": revision.made_by, "name": revision.file.name,
        },
        "attachments": [
            {"id": one.id, "n": one.n, "sealed": one.sealed is not None, **file_json(one.newest)} for one in attachments
        ],
        "pending_signature": document.pending_signature is not None,
        "created_at": instant(document.created_at),
        "changed_at": instant(document.changed_at),
    }  # fmt: skip
    return body | ({"event": {"id": event.id, "leaf": event.leaf.hex()}} if event else {})


def file_json(file: FileRef) -> Json:
    """A file by digest, size, kind and the name that it was given."""
    return {"sha256": file.sha256, "size": file.size, "media_type": file.media_type, "name": file.name}


def delivery_json(delivery: Delivery) -> Json:
    """A delivery as both sides may see it."""
    incoming = delivery.incoming
    return {
        "id": delivery.id,
        "consignment": delivery.consignment,
        "office": delivery.office,
        "sender": delivery.sender,
        "channel": delivery.channel,
        "state": delivery.state,
        "code": DELIVERY_CODES.get(delivery.state),
        "phase": phase_of_delivery(delivery.state),
        "version": delivery.version,
        "since": instant(delivery.since),
        "reason_code": delivery.reason_code,
        "reason": delivery.reason,
        "opened_at": instant(delivery.opened_at),
        "incoming": incoming
        and {
            "book": incoming.book, "year": incoming.year, "number": incoming.number, "date": incoming.date.isoformat(),
        },
    }  # fmt: skip


def carried_json(document: Document) -> Json:
    """What a recipient is told about the document that came."""
    return {
        "id": document.id, "type": document.type, "subject": document.subject, "signer": document.signer_name,
        "urgency": document.urgency, "written": document.number.written if document.number else None,
        "date": document.number.date.isoformat() if document.number else None, "office": document.office,
        "kind": document.kind, "copy_kind": document.copy_kind,
    }  # fmt: skip


def why_json(why: Why) -> Json:
    """Why it is still here (exchange page §5.4)."""
    return {
        "label": why.label, "who": why.who, "since": instant(why.since), "what": why.what, "next": why.next,
        "next_at": instant(why.next_at),
    }  # fmt: skip


def consignment_json(consignment: Consignment, document: Document, deliveries: list[Delivery]) -> Json:
    """The answer to `issue`."""
    return {
        "id": consignment.id,
        "document": consignment.document,
        "state": document.state,
        "version": document.version,
        "submitted_at": instant(consignment.submitted_at),
        "sender_reference": consignment.sender_reference,
        "due": consignment.due and consignment.due.isoformat(),
        "recipients": {"count": consignment.recipients_count, "root": consignment.recipients_root},
        "deliveries": [delivery_json(delivery) for delivery in deliveries],
    }


def resolved_json(recipient: ResolvedRecipient, language: str) -> Json:
    """One line of a dry run."""
    detail = recipient.detail_vi if language == "vi" else recipient.detail_en
    return {
        "office": recipient.office, "name": recipient.name, "channel": recipient.channel,
        "problem": recipient.problem and {"code": recipient.problem, "detail": detail},
    }  # fmt: skip


def report_json(report: Report, sha256: str | None) -> Json:
    """A verdict in short; the whole report is at its own address."""
    return {
        "verdict": report.verdict, "indication": report.indication, "sub_indication": report.sub_indication,
        "two_signatures": report.two_signatures, "office_match": report.office_match, "sha256": sha256,
    }  # fmt: skip


def event_json(event: Event) -> Json:
    """An event's place and type; its exact bytes are the ledger's leaf."""
    return {
        "id": event.id, "type": event.type, "at": instant(event.at), "leaf": event.leaf.hex(), "index": event.index,
    }  # fmt: skip


def feed_item_json(item: FeedItem) -> Json:
    """An event as the feed tells it (exchange page §11.3): what it is about, what it made of it, its place."""
    body = json.loads(item.body)
    to = body.get("to")
    return {
        "seq": item.seq, "event": item.event, "type": body["type"], "at": body["at"], "subject": body["subject"],
        "state": to, "phase": _phase_after(body["type"], to), "code": body.get("code"), "version": body.get("version"),
        "reason": body.get("reason"), "data": body.get("data"), "leaf": leaf_hash(item.body).hex(), "index": item.index,
    }  # fmt: skip


def _phase_after(type_: str, state: str | None) -> str | None:
    """The phase of the state that an event led to; None for a fact that led to none, or to one of another machine."""
    if type_.startswith("delivery.") and state in set(DeliveryState):
        return phase_of_delivery(DeliveryState(state))
    if type_.startswith("document.") and state in set(DocumentState):
        return phase_of_document(DocumentState(state))
    return None


def office_json(office: Office) -> Json:
    return {
        "code": office.code, "name": office.name, "parent": office.parent, "channel": office.channel,
        "paused": office.paused, "kind": office.kind,
        "valid_from": office.valid_from.isoformat(), "valid_to": office.valid_to and office.valid_to.isoformat(),
    }  # fmt: skip


def assignment_json(assignment: Assignment) -> Json:
    return {
        "lead": assignment.lead, "cooperating": list(assignment.cooperating),
        "for_information": list(assignment.for_information),
        "due": assignment.due and assignment.due.isoformat(), "instruction": assignment.instruction,
        "at": instant(assignment.at),
    }  # fmt: skip


def full_report(report: Report, language: str) -> Json:
    """A whole report, in words too: its `sentences`, and beside each finding its `sentence` and `advice`."""
    return explained(report, language) | {"sentences": sentences(report, language)}


def json_response(told: Json) -> Response:
    """Plain JSON."""
    return JSONResponse(told)


LINES = "application/x-ndjson"


def lines_response(told: Iterator[Json]) -> Response:
    """JSON lines, each sent as soon as it is there; no proxy is to keep them back."""
    lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in told)
    return StreamingResponse(lines, media_type=LINES, headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})


def pdf_response(data: bytes, file: FileRef) -> Response:
    """A PDF under its own name, never opened as a page of this service."""
    return _download(data, "application/pdf", file.name, file.sha256)


def attachment_response(data: bytes, file: FileRef) -> Response:
    """An attachment under its own name and kind, never opened as a page of this service."""
    return _download(data, file.media_type, file.name, file.sha256)


def zip_response(data: bytes, name: str) -> Response:
    """A pack to keep."""
    return _download(data, "application/zip", name, None)


def file_response(data: bytes, media_type: str, name: str) -> Response:
    """Bytes to keep under a name, never opened as a page of this service."""
    return _download(data, media_type, name, None)


def _download(data: bytes, media_type: str, name: str, sha256: str | None) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    if sha256:
        headers["ETag"] = f'"sha256:{sha256}"'
    return Response(data, media_type=media_type, headers=headers)
