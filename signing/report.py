"""A report in JSON, and in sentences: every finding has one in Vietnamese and one in English."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import rfc8785

from signing.model import (
    Finding,
    Indication,
    OfficeMatch,
    Report,
    SignatureReport,
    TwoSignatures,
    Verdict,
)

VERDICTS: dict[Verdict, tuple[str, str]] = {
    Verdict.VALID: (
        "Hợp lệ: chữ ký số còn nguyên vẹn và được tin cậy.",
        "Valid: the signatures are intact and trusted.",
    ),
    Verdict.INVALID: ("Không hợp lệ.", "Invalid."),
    Verdict.UNKNOWN: ("Không xác định.", "Unknown."),
}

FINDINGS: dict[str, tuple[str, str]] = {
    "signature-missing": ("Chưa ký số: tệp không có chữ ký số nào.", "Not signed: the file carries no signature."),
    "signature-removed": (
        "Tệp từng có chữ ký số nhưng chữ ký đã bị gỡ.",
        "The file was signed once, and the signature was removed.",
    ),
    "two-signatures-incomplete": (
        "Chưa phát hành: chưa đủ chữ ký của người có thẩm quyền và của cơ quan.",
        "Not issued: the signatures of person and organisation are not both there.",
    ),
    "office-mismatch": (
        "Cơ quan trong chứng thư khác nơi gửi.",
        "The office in the certificate is not the sender.",
    ),
    "byte-range-malformed": ("Vùng được ký không đúng cấu trúc.", "The signed range is malformed."),
    "gap-not-signature": (
        "Phần không được ký chứa nội dung khác ngoài chữ ký.",
        "The unsigned gap holds something other than the signature.",
    ),
    "range-not-revision": (
        "Vùng được ký không trùng với một phiên bản trọn vẹn của tệp.",
        "The signed range is no whole revision of the file.",
    ),
    "bytes-after-end": ("Có dữ liệu lạ sau phần kết thúc của tệp.", "There are foreign bytes after the file's end."),
    "ranges-overlap": ("Các vùng được ký chồng lấn nhau.", "The signed ranges overlap."),
    "signature-unreadable": (
        "Có chữ ký nhưng không kiểm tra được ({why}).",
        "There is a signature that cannot be checked ({why}).",
    ),
    "signature-unsupported": (
        "Loại chữ ký {kind} không được hỗ trợ.",
        "The kind of signature {kind} is not supported.",
    ),
    "content-changed": ("Nội dung đã bị sửa sau khi ký.", "The content was changed after signing."),
    "signature-broken": ("Chữ ký không khớp với chứng thư số.", "The signature does not match its certificate."),
    "forbidden-change": (
        "Tệp bị thay đổi sau khi ký, ngoài những gì được phép.",
        "The file was changed after signing beyond what is allowed.",
    ),
    "expected-change": (
        "Sau khi ký, các ô có sẵn được điền hoặc ký thêm như cho phép.",
        "After signing, prepared fields were filled or signed, as allowed.",
    ),
    "not-determined": (
        "Chưa đủ căn cứ để kết luận ({sub}).",
        "There is not enough to conclude ({sub}).",
    ),
    "failed": ("Chữ ký không đạt ({sub}).", "The signature fails ({sub})."),
    "no-time-stamp": ("Không có dấu thời gian.", "There is no time stamp."),
    "weak-algorithm": ("Thuật toán yếu: {what}.", "Weak algorithm: {what}."),
    "certificate-not-named": (
        "Chữ ký không ghi chứng thư của người ký trong phần được ký.",
        "The signature does not name the signer's certificate in what it signs.",
    ),
    "key-usage-wrong": (
        "Chứng thư không dành cho việc ký văn bản.",
        "The certificate is not meant for signing documents.",
    ),
    "timestamp-untrusted": (
        "Dấu thời gian trên tệp không được tin cậy.",
        "The document time stamp is not trusted.",
    ),
    "pilot-certificate": (
        "Đây là chứng thư thử nghiệm, không có giá trị pháp lý.",
        "This is a trial certificate (chứng thư thử nghiệm), without legal force.",
    ),
    "other-trust-world": ("Không phải chứng thư công vụ.", "Not a public-duty certificate."),
}


def finding_sentence(finding: Finding, language: str) -> str:
    """One finding in words."""
    return FINDINGS[finding.code][0 if language == "vi" else 1].format(**finding.gaps)


def sentences(report: Report, language: str) -> list[str]:
    """The report in words: the verdict first, then what was found about the whole file."""
    verdict = VERDICTS[report.verdict][0 if language == "vi" else 1]
    return [verdict, *(finding_sentence(finding, language) for finding in report.findings)]


def signature_sentences(signature: SignatureReport, language: str) -> list[str]:
    """What was found about one signature, in words."""
    return [finding_sentence(finding, language) for finding in signature.findings]


def report_json(report: Report) -> bytes:
    """The report as canonical JSON (RFC 8785): the same report gives the same bytes."""
    return rfc8785.dumps(_plain(asdict(report)))


def report_from_json(body: bytes) -> Report:
    """The report that `report_json` wrote."""
    values: dict[str, Any] = json.loads(body)
    return Report(
        **values
        | {
            "at": _moment(values["at"]),
            "verdict": Verdict(values["verdict"]),
            "indication": Indication(values["indication"]) if values["indication"] else None,
            "two_signatures": TwoSignatures(values["two_signatures"]),
            "office_match": OfficeMatch(values["office_match"]),
            "signatures": tuple(_signature(one) for one in values["signatures"]),
            "findings": tuple(Finding(**one) for one in values["findings"]),
        }
    )


def _signature(values: dict[str, Any]) -> SignatureReport:
    return SignatureReport(
        **values
        | {
            "verdict": Verdict(values["verdict"]),
            "indication": Indication(values["indication"]),
            "claimed_at": _moment(values["claimed_at"]),
            "proven_at": _moment(values["proven_at"]),
            "changes": tuple(values["changes"]),
            "findings": tuple(Finding(**one) for one in values["findings"]),
        }
    )


def _moment(text: str | None) -> Any:
    return datetime.fromisoformat(text) if text else None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
