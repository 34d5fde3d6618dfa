"""What is odd about a pack, beside its claims: the rules of the ledger as numbered findings. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from exchange.proof.claims import FINAL, ONCE, Facts, ProvenEvent
from keys.errors import Words

NEEDS_REASON = {"delivery.refused", "document.returned", "document.cancelled", "number.voided", "delivery.withdrawn"}
_RANK = {
    "delivery.consigned": 1,
    "delivery.registered": 3,
    "delivery.assigned": 4,
    "delivery.processing": 5,
    "delivery.completed": 6,
}


@dataclass(frozen=True, slots=True)
class PackFinding:
    """One thing a check of a pack noticed: a stable `code`, its `severity` (`note`, `warning`, `failure`), words."""

    code: str
    severity: str
    words: Words


_WORDS: dict[str, tuple[str, str, str]] = {
    "file-altered": (
        "failure",
        "Tệp {name} không khớp bảng kê của gói.",
        "The file {name} is not as the manifest says.",
    ),
    "log-key-untrusted": (
        "failure",
        "Khóa của sổ cái không được một chứng thư đáng tin bảo đảm.",
        "No trusted certificate vouches for the key of the ledger.",
    ),
    "checkpoint-refused": (
        "failure",
        "Mốc sổ cái {name} không có chữ ký tin cậy.",
        "The checkpoint {name} is not signed by a trusted log.",
    ),
    "ledger-split": (
        "failure",
        "Có hai mốc sổ cái khác nhau cùng cỡ {size}: sổ cái đã bị sửa.",
        "Two checkpoints of size {size} differ: the ledger was rewritten.",
    ),
    "checkpoints-inconsistent": (
        "failure",
        "Không chứng minh được mốc {new} nối tiếp mốc {old}.",
        "It is not proven that checkpoint {new} continues checkpoint {old}.",
    ),
    "time-pending": (
        "note",
        "Mốc sổ cái {name} đang chờ dấu thời gian.",
        "The checkpoint {name} has no time stamp yet.",
    ),
    "stamp-refused": (
        "failure",
        "Dấu thời gian của {name} sai hoặc không tin cậy.",
        "The time stamp of {name} is wrong or not trusted.",
    ),
    "event-not-in-ledger": (
        "failure",
        "Sự kiện {name} không nằm trong sổ cái đáng tin.",
        "The event {name} is not in a trusted ledger.",
    ),
    "event-of-another": (
        "failure",
        "Sự kiện {name} không phải của văn bản này.",
        "The event {name} is not about this document.",
    ),
    "recipient-unreadable": (
        "failure",
        "Không đọc được dòng nơi nhận {name}.",
        "The line {name} of the recipients cannot be read.",
    ),
    "document-absent": ("note", "Gói không kèm tệp văn bản.", "The pack does not hold the document."),
    "no-moment": (
        "note",
        "Chưa có thời điểm đáng tin để kiểm tra chữ ký số của văn bản.",
        "There is no trusted moment as of which to check the document's signatures.",
    ),
    "document-unreadable": (
        "failure",
        "Không kiểm tra được tệp văn bản ({why}).",
        "The document cannot be checked ({why}).",
    ),
    "repeated-event": (
        "failure",
        "Sự kiện {type} chỉ được có một lần.",
        "The event {type} may happen once only.",
    ),
    "two-ends": (
        "failure",
        "Một nơi nhận kết thúc hai lần.",
        "One delivery ended twice.",
    ),
    "rank-fell": (
        "warning",
        "Trạng thái {type} đến sau một trạng thái cao hơn.",
        "The state {type} comes after a higher one.",
    ),
    "reason-missing": ("warning", "Sự kiện {type} thiếu lý do.", "The event {type} has no reason."),
    "actor-missing": (
        "warning",
        "Sự kiện {type} không nêu đơn vị và vai trò.",
        "The event {type} does not name office and role.",
    ),
    "digest-differs": (
        "failure",
        "Mã băm của tệp trong {type} khác với lúc gửi.",
        "The digest of the file in {type} is not the one that was sent.",
    ),
}
CODES = tuple(_WORDS)


def finding(code: str, **gaps: str) -> PackFinding:
    """The finding of that code with the gaps of its sentences filled."""
    severity, vi, en = _WORDS[code]
    return PackFinding(code, severity, Words(vi.format(**gaps), en.format(**gaps)))


def lint(facts: Facts) -> Iterable[PackFinding]:
    """Everything in the events of a pack that the rules forbid (multiplicity, rank, reasons, roles, digests)."""
    yield from _repeats(facts.events)
    yield from _order(facts.events)
    sent = {digest for event in facts.of("consignment.submitted") for digest in event.digests}
    for event in facts.events:
        actor = event.body.get("actor") or {}
        if not actor.get("office") or not actor.get("role"):
            yield finding("actor-missing", type=event.type)
        if event.type in NEEDS_REASON and not event.body.get("reason"):
            yield finding("reason-missing", type=event.type)
        if event.type.startswith("delivery.") and sent and not set(event.digests) <= sent:
            yield finding("digest-differs", type=event.type)


def _repeats(events: tuple[ProvenEvent, ...]) -> Iterable[PackFinding]:
    seen = Counter((event.type, _own_subject(event)) for event in events if event.type in ONCE)
    for (type_, _), times in sorted(seen.items()):
        if times > 1:
            yield finding("repeated-event", type=type_)
    ends = Counter(event.subject("delivery") for event in events if event.type in FINAL)
    if any(times > 1 for times in ends.values()):
        yield finding("two-ends")


def _own_subject(event: ProvenEvent) -> str:
    return str(event.subject(event.type.partition(".")[0]))


def _order(events: tuple[ProvenEvent, ...]) -> Iterable[PackFinding]:
    highest: dict[str | None, int] = {}
    for event in events:
        rank = _RANK.get(event.type)
        delivery = event.subject("delivery")
        if rank is not None and rank < highest.get(delivery, 0):
            yield finding("rank-fell", type=event.type)
        highest[delivery] = max(highest.get(delivery, 0), rank or 0)
