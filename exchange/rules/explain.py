"""Why is it still here: one line for the sender about each recipient (exchange page §5.4), total over every state."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exchange.rules.calendar import ZONE
from exchange.rules.model import Delivery, DeliveryState

S = DeliveryState


@dataclass(frozen=True, slots=True)
class Why:
    """`label` is the state in the sender's words, `who` must act, `what` is a sentence, `next` names the act."""

    label: str
    who: str | None
    since: datetime
    what: str
    next: str | None
    next_at: datetime | None = None


class _Words(NamedTuple):
    label_vi: str
    label_en: str
    vi: str
    en: str
    next: str | None = None


_WORDS: dict[DeliveryState, _Words] = {
    S.QUEUED: _Words(
        "Chưa gửi",
        "Not sent yet",
        "Chờ chuyển tới {office} từ {t}.",
        "Waits to be handed over to {office} since {t}.",
        "hand_over",
    ),
    S.HANDED_OVER: _Words(
        "Đã gửi",
        "Handed over",
        "Đã chuyển hệ thống của {office} lúc {t}; chưa có tin đã đến.",
        "Handed over to the system of {office} at {t}; no word of its arrival yet.",
    ),
    S.FAILED: _Words(
        "Gửi lỗi",
        "Sending failed",
        "{reason}. Cần sửa rồi bấm Gửi lại.",
        "{reason}. Mend it, then resend.",
        "resend",
    ),
    S.CONSIGNED: _Words(
        "Đã đến chờ tiếp nhận",
        "In the box",
        "Văn thư {office} chưa tiếp nhận từ {t}{opened_vi}.",
        "The clerk of {office} has not registered it since {t}{opened_en}.",
        "register",
    ),
    S.REGISTERED: _Words(
        "Đã tiếp nhận",
        "Registered",
        "Số đến {n}, ngày {d}; đã tiếp nhận từ {t}.",
        "Arrival no. {n} of {d}; registered since {t}.",
        "process",
    ),
    S.ASSIGNED: _Words(
        "Đã phân công",
        "Assigned",
        "Số đến {n}, ngày {d}; đã phân công từ {t}.",
        "Arrival no. {n} of {d}; assigned since {t}.",
        "process",
    ),
    S.PROCESSING: _Words(
        "Đã tiếp nhận đang xử lý",
        "Being worked on",
        "Số đến {n}, ngày {d}; đang xử lý từ {t}.",
        "Arrival no. {n} of {d}; worked on since {t}.",
        "complete",
    ),
    S.COMPLETED: _Words(
        "Đã hoàn thành",
        "Completed",
        "Xong lúc {t}.",
        "Done at {t}.",
    ),
    S.REFUSED: _Words(
        "Bị trả lại",
        "Refused",
        "{office} trả lại lúc {t}: {reason}.",
        "{office} refused it at {t}: {reason}.",
        "mend",
    ),
    S.WITHDRAWN: _Words(
        "Đã thu hồi",
        "Withdrawn",
        "Xong lúc {t}.",
        "Done at {t}.",
    ),
    S.REDIRECTED: _Words(
        "Đã chuyển đơn vị khác",
        "Redirected",
        "Xong lúc {t}.",
        "Done at {t}.",
    ),
    S.REPLACED: _Words(
        "Đã được thay thế",
        "Replaced",
        "Xong lúc {t}.",
        "Done at {t}.",
    ),
}

_SENDER_ACTS = frozenset({S.FAILED, S.REFUSED})
_NOBODY = frozenset({S.COMPLETED, S.WITHDRAWN, S.REDIRECTED, S.REPLACED})


def explain(delivery: Delivery, office_name: str, language: str = "vi") -> Why:
    """Who must act on a delivery, since when, and what comes next."""
    words = _WORDS[delivery.state]
    opened = _moment(delivery.opened_at) if delivery.opened_at else None
    incoming = delivery.incoming
    sentence = (words.vi if language == "vi" else words.en).format(
        office=office_name,
        t=_moment(delivery.since),
        reason=(delivery.reason or "–").rstrip("."),
        n=incoming.number if incoming else "–",
        d=f"{incoming.date:%d/%m/%Y}" if incoming else "–",
        opened_vi=f", đã mở lúc {opened}" if opened else "",
        opened_en=f", opened at {opened}" if opened else "",
    )
    label = words.label_vi if language == "vi" else words.label_en
    return Why(label, _who(delivery), delivery.since, sentence, words.next)


def _who(delivery: Delivery) -> str | None:
    if delivery.state in _NOBODY:
        return None
    return delivery.sender if delivery.state in _SENDER_ACTS else delivery.office


def _moment(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%H:%M %d/%m/%Y}"
