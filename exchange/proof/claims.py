"""What checked evidence proves: each claim is proven, not proven or contradicted, with its reason. Pure.

Nothing here trusts a word of the pack by itself: the events handed in were found in the tree of a trusted log, the
report was made anew from the PDF. A claim is proven only by what is there; what is missing never helps one.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from exchange.proof.ledger import leaf_hash, root_from_path
from keys.errors import Words
from signing.model import OfficeMatch, Report, TwoSignatures, Verdict

CLOCK_ALLOWANCE = timedelta(seconds=60)
"""How far our clock and the time authority's may be apart before an event after its own stamp counts as a lie."""
FINAL = {
    "delivery.refused",
    "delivery.withdrawn",
    "delivery.replaced",
    "delivery.redirected",
    "delivery.expired",
}
ONCE = FINAL | {
    "document.issued",
    "consignment.submitted",
    "delivery.received",
    "delivery.consigned",
    "delivery.registered",
    "delivery.completed",
}
"""Types with multiplicity *once*, for their own subject."""


class Outcome(StrEnum):
    """The three answers to a claim."""

    PROVEN = "proven"
    NOT_PROVEN = "not_proven"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement and whether the evidence proves it. `words` say what is claimed, `why` how the answer came about.

    `code` is the kind of claim (`issued`, `sent`, `addressed`, `in_box`, …), `delivery` the recipient's where it is
    about one.
    """

    code: str
    words: Words
    outcome: Outcome
    why: Words
    delivery: str | None = None


@dataclass(frozen=True, slots=True)
class ProvenEvent:
    """An event found in the tree: its JSON, leaf hash (hexadecimal), index, and the earliest outside time above it."""

    body: Mapping[str, Any]
    leaf: str
    index: int
    stamped: datetime | None

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.body["at"])

    @property
    def data(self) -> Mapping[str, Any]:
        return self.body.get("data") or {}

    def subject(self, kind: str) -> str | None:
        """Id of the document, consignment or delivery that it is about."""
        return (self.body.get("subject") or {}).get(kind)

    def party(self, kind: str) -> str:
        """Code of the `sender` or `recipient`."""
        return str((self.body.get("parties") or {}).get(kind) or "?")

    @property
    def digests(self) -> tuple[str, ...]:
        return tuple(str(file["sha256"]) for file in self.body.get("files") or ())


@dataclass(frozen=True, slots=True)
class ListedRecipient:
    """A line of the frozen list as the pack shows it: entry bytes, the office named in it, and its path."""

    office: str
    entry: bytes
    index: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a pack holds after it was checked. `events` are in the order of the ledger."""

    events: tuple[ProvenEvent, ...]
    recipients: tuple[ListedRecipient, ...]
    pdf_sha256: str | None
    report: Report | None
    attachments: tuple[str, ...] = ()
    """Digests of the separate files in the pack."""

    def of(self, type_: str, **subject: str | None) -> list[ProvenEvent]:
        """Events of one type about that subject."""
        return [
            event
            for event in self.events
            if event.type == type_ and all(event.subject(kind) == value for kind, value in subject.items())
        ]


Answer = tuple[Outcome, Words]


def judge(facts: Facts, *, sent_before: datetime | None = None) -> tuple[Claim, ...]:
    """Every claim that the evidence could support, in the order of the story.

    `sent_before` asks for that very moment; without it the claim names the earliest outside time there is.
    """
    claims = [_issued(facts), *_attached(facts)]
    for submitted in facts.of("consignment.submitted"):
        claims.append(_sent(submitted, sent_before))
    for delivery in sorted({name for event in facts.events if (name := event.subject("delivery"))}):
        claims.extend(_about_delivery(facts, delivery))
    return tuple(claims)


def weakened(claims: Iterable[Claim], why: Words) -> tuple[Claim, ...]:
    """The same claims with nothing proven: what a pack that was altered or a ledger that split is worth."""
    return tuple(
        Claim(claim.code, claim.words, Outcome.NOT_PROVEN, why, claim.delivery)
        if claim.outcome is Outcome.PROVEN
        else claim
        for claim in claims
    )


# -- the document --


def _issued(facts: Facts) -> Claim:
    numbered, issued = _last(facts.of("document.numbered")), _last(facts.of("document.issued"))
    written, day = (str(numbered.data.get(name)) if numbered else "?" for name in ("written", "date"))
    sender = issued.party("sender") if issued else "?"
    words = Words(
        f"Văn bản do đơn vị {sender} phát hành, số {written}, ngày {day}",
        f"Issued by {sender} under number {written} on {day}",
    )
    outcome, why = _issued_answer(facts, numbered, issued)
    return Claim("issued", words, outcome, why)


def _issued_answer(facts: Facts, numbered: ProvenEvent | None, issued: ProvenEvent | None) -> Answer:
    if numbered is None or issued is None:
        return _not("thiếu sự kiện cấp số hoặc phát hành trong sổ cái", "no event of number or issue in the ledger")
    if numbered.subject("document") != issued.subject("document") or numbered.index > issued.index:
        return _against("cấp số và phát hành không cùng văn bản", "number and issue are not of one document, in order")
    report = facts.report
    if facts.pdf_sha256 is None or report is None:
        return _not("gói không có tệp văn bản đọc được", "the pack holds no readable document")
    if facts.pdf_sha256 not in issued.digests:
        return _against("tệp khác với tệp đã phát hành", "the file is not the one that was issued")
    return _said_in_file(report, numbered) or _signed_by_office(report)


def _attached(facts: Facts) -> list[Claim]:
    """That the separate files of the pack are those that were sent; no claim when none were."""
    issued = _last(facts.of("document.issued"))
    due = issued.digests[1:] if issued else ()
    if not due and not facts.attachments:
        return []
    words = Words(f"Gửi kèm {len(due)} phụ lục", f"Sent with {len(due)} separate attachments")
    if set(facts.attachments) - set(due):
        return [
            Claim(
                "attachments", words, *_against("có phụ lục khác với khi phát hành", "a file differs from those sent")
            )
        ]
    if set(due) - set(facts.attachments):
        return [Claim("attachments", words, *_not("gói thiếu phụ lục", "the pack lacks an attachment"))]
    return [Claim("attachments", words, *_yes("đúng mã băm trong sổ cái", "their digests agree with the ledger"))]


def _said_in_file(report: Report, numbered: ProvenEvent) -> Answer | None:
    """What speaks against the file carrying the number and date of the event, or leaves it open; None when it does."""
    if report.number is None or (day := _day(report.date)) is None:
        return _not("không đọc được số, ngày trong tệp", "number or date cannot be read in the file")
    if _squeezed(report.number) != _squeezed(str(numbered.data.get("written"))):
        return _against(f"trong tệp là số {report.number}", f"the file says number {report.number}")
    if day.isoformat() != numbered.data.get("date"):
        return _against(f"trong tệp là ngày {day}", f"the file says {day}")
    return None


def _signed_by_office(report: Report) -> Answer:
    if report.verdict is not Verdict.VALID:
        return _not("chữ ký số không được xác nhận hợp lệ", "the signatures were not found valid")
    if report.two_signatures is TwoSignatures.INCOMPLETE:
        return _not("chưa đủ chữ ký lãnh đạo và cơ quan", "leader's and organisation's signatures are not both there")
    if report.office_match is OfficeMatch.MISMATCH:
        return _against("chữ ký số của cơ quan khác", "the seal is another office's")
    if report.office_match is not OfficeMatch.MATCH:
        return _not("không rõ chữ ký số của cơ quan nào", "whose seal it is cannot be told")
    return _yes("chữ ký số hợp lệ, khớp sổ cái", "signatures are valid and agree with the ledger")


def _sent(submitted: ProvenEvent, before: datetime | None) -> Claim:
    limit = before or submitted.stamped
    said = _moment(limit) if limit else None
    words = Words(
        f"Đã gửi trước {said}" if said else "Đã gửi (chưa có dấu thời gian)",
        f"Sent before {said}" if said else "Sent (no outside time yet)",
    )
    return Claim("sent", words, *_sent_answer(submitted, before))


def _sent_answer(submitted: ProvenEvent, before: datetime | None) -> Answer:
    stamped = submitted.stamped
    if before is not None and submitted.at >= before:
        return _against(f"ghi nhận lúc {_moment(submitted.at)}", f"recorded at {_moment(submitted.at)}")
    if stamped is None:
        return _not("đang chờ dấu thời gian", "no time stamp yet (time: pending)")
    if submitted.at > stamped + CLOCK_ALLOWANCE:
        return _against("ghi giờ sau cả dấu thời gian", "it claims a time after its own time stamp")
    if before is not None and stamped >= before:
        return _not(f"dấu thời gian lúc {_moment(stamped)}", f"the time stamp is of {_moment(stamped)}")
    return _yes(f"dấu thời gian lúc {_moment(stamped)}", f"time-stamped at {_moment(stamped)}")


# -- one recipient --


def _about_delivery(facts: Facts, delivery: str) -> list[Claim]:
    chain = [event for event in facts.events if event.subject("delivery") == delivery]
    office = chain[0].party("recipient")
    claims = [_addressed(facts, chain[0], delivery, office)]
    for code, type_, say in _STORY:
        found = [event for event in chain if event.type == type_]
        if found or code in ("in_box", "registered"):
            vi, en = say(office, found[0] if found else None)
            claims.append(Claim(code, Words(vi, en), *_happened(facts, chain, found), delivery))
    return claims


def _addressed(facts: Facts, first: ProvenEvent, delivery: str, office: str) -> Claim:
    words = Words(f"Gửi cho đơn vị {office}", f"Addressed to {office}")
    return Claim("addressed", words, *_addressed_answer(facts, first, office), delivery)


def _addressed_answer(facts: Facts, first: ProvenEvent, office: str) -> Answer:
    submitted = facts.of("consignment.submitted", consignment=first.subject("consignment"))
    shown = [line for line in facts.recipients if line.office == office]
    if len(submitted) != 1 or not shown:
        return _not("thiếu dòng nơi nhận hoặc sự kiện phát hành", "no line of the list, or no event of the issue")
    data = submitted[0].data
    for line in shown:
        root = root_from_path(leaf_hash(line.entry), line.index, line.size, line.path)
        if line.size == data.get("recipients_count") and root and root.hex() == data.get("recipients_root"):
            return _yes("có trong danh sách nơi nhận đã chốt", "it stands in the frozen list of recipients")
    return _against("dẫn tới danh sách nơi nhận khác", "it leads to another list of recipients")


def _happened(facts: Facts, chain: Sequence[ProvenEvent], found: Sequence[ProvenEvent]) -> Answer:
    """Whether the one event of `found` happened, in its place in the delivery's unbroken chain."""
    if not found:
        return _not("không có sự kiện này trong gói", "the pack holds no such event")
    event = found[0]
    if len(found) > 1 and event.type in ONCE:
        return _against("được ghi nhiều hơn một lần", "it is recorded more than once")
    earlier = [other for other in chain if other.index < event.index]
    if final := next((other for other in earlier if other.type in FINAL), None):
        return _against(f"đã kết thúc trước đó ({final.type})", f"it had ended before ({final.type})")
    if event.type == "delivery.fetched" and not _same_file(facts, event):
        return _against("mã băm của tệp đã lấy khác", "the digest of what was taken differs")
    if not _unbroken([*earlier, event]):
        return _not("chuỗi sự kiện bị đứt đoạn", "the chain of events is broken")
    return _yes("theo sổ cái của hệ thống", "by the service's record")


def _same_file(facts: Facts, event: ProvenEvent) -> bool:
    sent = {digest for submitted in facts.of("consignment.submitted") for digest in submitted.digests}
    return bool(event.digests) and set(event.digests) <= sent


def _unbroken(chain: Sequence[ProvenEvent]) -> bool:
    """Does each event name the leaf of the one before it, and the first none?"""
    before: str | None = None
    for event in chain:
        if event.body.get("prev") != before:
            return False
        before = event.leaf
    return True


Say = Callable[[str, ProvenEvent | None], tuple[str, str]]


def _registered_words(office: str, event: ProvenEvent | None) -> tuple[str, str]:
    if event is None:
        return f"{office} đã tiếp nhận", f"Registered by {office}"
    number, day = event.data.get("incoming_number"), event.data.get("incoming_date")
    return f"{office} đã tiếp nhận, số đến {number}, ngày {day}", f"Registered by {office} as {number} on {day}"


def _reasoned(vi: str, en: str) -> Say:
    def say(office: str, event: ProvenEvent | None) -> tuple[str, str]:
        reason = (event.body.get("reason") if event else None) or "–"
        return vi.format(office=office, reason=reason), en.format(office=office, reason=reason)

    return say


_STORY: tuple[tuple[str, str, Say], ...] = (
    ("in_box", "delivery.consigned", _reasoned("Đã đến hộp của {office}", "In the box of {office}")),
    ("fetched", "delivery.fetched", _reasoned("{office} đã lấy tệp", "Bytes taken by {office}")),
    ("opened", "delivery.opened", _reasoned("{office} đã mở xem", "Opened at {office}")),
    ("registered", "delivery.registered", _registered_words),
    ("refused", "delivery.refused", _reasoned("{office} trả lại: {reason}", "Refused by {office}: {reason}")),
    ("withdrawn", "delivery.withdrawn", _reasoned("Đã thu hồi: {reason}", "Withdrawn: {reason}")),
    ("replaced", "delivery.replaced", _reasoned("Đã được thay thế: {reason}", "Replaced: {reason}")),
    ("redirected", "delivery.redirected", _reasoned("Đã chuyển đơn vị khác: {reason}", "Redirected: {reason}")),
    ("completed", "delivery.completed", _reasoned("{office} đã hoàn thành", "Completed by {office}")),
)


# -- small words --


def _yes(vi: str, en: str) -> Answer:
    return Outcome.PROVEN, Words(vi, en)


def _not(vi: str, en: str) -> Answer:
    return Outcome.NOT_PROVEN, Words(vi, en)


def _against(vi: str, en: str) -> Answer:
    return Outcome.CONTRADICTED, Words(vi, en)


def _last(events: Sequence[ProvenEvent]) -> ProvenEvent | None:
    return events[-1] if events else None


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _day(text: str | None) -> date | None:
    """A day as a file writes it: 2026-08-05, 05/8/2026, or “ngày 05 tháng 8 năm 2026”; None when it is none."""
    parts = [int(part) for part in re.findall(r"\d+", text or "")]
    if len(parts) != 3:
        return None
    year, month, day = parts if parts[0] > 31 else reversed(parts)
    try:
        return date(year, month, day)
    except ValueError:
        return None
