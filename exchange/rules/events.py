"""The types of events, as data: the ETSI name where EN 319 522 has one, and who may see them (exchange page §8.2)."""

from collections.abc import Mapping

ETSI = "http://uri.etsi.org/19522/Event/"
OWN = "urn:congvan:event:"

ETSI_NAMES: Mapping[str, str] = {
    "consignment.submitted": "SubmissionAcceptance",
    "delivery.consigned": "ContentConsignment",
    "delivery.opened": "ContentAccessTracking",
    "delivery.registered": "ConsignmentAcceptance",
    "delivery.refused": "ConsignmentRejection",
}
"""Which of our acts fits which name is to be checked against EN 319 522-1 (background)."""

INWARD = frozenset(
    {
        "document.drafted",
        "document.edited",
        "document.reopened",
        "document.attached",
        "document.detached",
        "document.mark_declared_harmless",
        "document.submitted_for_signature",
        "document.initialled",
        "document.partly_signed",
        "document.returned",
        "desk.assigned",
    }
)
"""Seen by their own office only."""

TYPES = (
    "document.drafted",
    "document.edited",
    "document.reopened",
    "document.attached",
    "document.detached",
    "document.mark_declared_harmless",
    "document.submitted_for_signature",
    "document.initialled",
    "document.partly_signed",
    "document.signed",
    "document.returned",
    "document.numbered",
    "number.voided",
    "document.attachment_sealed",
    "document.sealed",
    "document.issued",
    "document.cancelled",
    "consignment.submitted",
    "delivery.consigned",
    "delivery.opened",
    "delivery.signature_changed",
    "delivery.registered",
    "desk.assigned",
    "delivery.assigned",
    "delivery.processing",
    "delivery.completed",
    "delivery.refused",
    "clock.warned",
    "clock.overdue",
    "clock.moved",
)

WORDS: Mapping[str, tuple[str, str]] = {
    "document.drafted": ("Soạn dự thảo", "Drafted"),
    "document.edited": ("Sửa dự thảo", "Draft edited"),
    "document.reopened": ("Sửa lại thành dự thảo", "Reopened as draft"),
    "document.attached": ("Đính kèm phụ lục", "Attachment added"),
    "document.detached": ("Bỏ phụ lục", "Attachment removed"),
    "document.mark_declared_harmless": ("Văn thư xác nhận không phải dấu mật", "Clerk declared: no secrecy mark"),
    "document.submitted_for_signature": ("Trình ký", "Submitted for signature"),
    "document.initialled": ("Ký nháy", "Initialled"),
    "document.partly_signed": (
        "Một lãnh đạo đã ký, chờ người ký tiếp theo",
        "Signed by one leader, waits for the next",
    ),
    "document.signed": ("Lãnh đạo đã ký", "Signed by the leader"),
    "document.returned": ("Trả lại người soạn", "Returned to the author"),
    "document.numbered": ("Cấp số", "Numbered"),
    "number.voided": ("Hủy số", "Number voided"),
    "document.attachment_sealed": ("Ký số cơ quan trên phụ lục", "Attachment signed by the organisation"),
    "document.sealed": ("Đóng dấu (ký số cơ quan)", "Sealed"),
    "document.issued": ("Phát hành", "Issued"),
    "document.cancelled": ("Hủy văn bản", "Cancelled"),
    "consignment.submitted": ("Đã gửi", "Sent"),
    "delivery.consigned": ("Đã đến", "Arrived in the box"),
    "delivery.opened": ("Đã mở xem", "Opened"),
    "delivery.signature_changed": ("Chứng thư người ký đã bị thu hồi", "A signer's certificate was revoked"),
    "delivery.registered": ("Tiếp nhận", "Registered"),
    "desk.assigned": ("Phân công (nội bộ)", "Assigned (inside)"),
    "delivery.assigned": ("Phân công xử lý", "Assigned"),
    "delivery.processing": ("Đang xử lý", "Work has begun"),
    "delivery.completed": ("Hoàn thành", "Completed"),
    "delivery.refused": ("Trả lại", "Refused"),
    "clock.warned": ("Sắp đến hạn", "Due soon"),
    "clock.overdue": ("Quá hạn", "Overdue"),
    "clock.moved": ("Dời hạn", "Deadline moved"),
}


def uri(type_: str) -> str:
    """The name of an event type for the world outside."""
    known = ETSI_NAMES.get(type_)
    return ETSI + known if known else OWN + type_


def words(type_: str, language: str) -> str:
    """What an event is called on the page."""
    return WORDS[type_][0 if language == "vi" else 1]
