"""A report in JSON, and in sentences: every finding has one in Vietnamese and one in English."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import rfc8785

from signing.changes import change_sentence
from signing.model import (
    Change,
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

REASONS: dict[str, tuple[str, str]] = {
    "TRY_LATER": (
        "chưa hỏi được tình trạng thu hồi của chứng thư; hãy kiểm tra lại khi có mạng",
        "the revocation status could not be asked; check again when there is a connection",
    ),
    "NO_CERTIFICATE_CHAIN_FOUND": (
        "chứng thư không do tổ chức nào được tin cậy ở đây cấp",
        "nobody who is trusted here issued the certificate",
    ),
    "CERTIFICATE_CHAIN_GENERAL_FAILURE": (
        "không xác minh được chuỗi chứng thư hoặc tình trạng thu hồi",
        "the chain of certificates or its revocation status could not be confirmed",
    ),
    "CHAIN_CONSTRAINTS_FAILURE": (
        "chuỗi chứng thư không được dùng cho việc này",
        "the chain of certificates is not meant for this",
    ),
    "OUT_OF_BOUNDS_NO_POE": (
        "chứng thư đã hết hạn hoặc chưa có hiệu lực, và không có bằng chứng thời điểm ký",
        "the certificate has expired or is not yet valid, and nothing proves when it signed",
    ),
    "OUT_OF_BOUNDS_NOT_REVOKED": (
        "chứng thư đã hết hạn, chưa bị thu hồi; không có bằng chứng thời điểm ký",
        "the certificate has expired without being revoked; nothing proves when it signed",
    ),
    "REVOKED_NO_POE": (
        "chứng thư đã bị thu hồi, và không có bằng chứng là ký trước đó",
        "the certificate was revoked, and nothing proves that it signed before",
    ),
    "REVOKED_CA_NO_POE": (
        "chứng thư của tổ chức cấp đã bị thu hồi",
        "the certificate of an issuer was revoked",
    ),
    "REVOCATION_OUT_OF_BOUNDS_NO_POE": (
        "thông tin thu hồi quá cũ",
        "the revocation information is too old",
    ),
    "CRYPTO_CONSTRAINTS_FAILURE": ("thuật toán yếu", "a weak algorithm"),
    "CRYPTO_CONSTRAINTS_FAILURE_NO_POE": (
        "thuật toán nay đã yếu, và không có bằng chứng là ký khi còn mạnh",
        "an algorithm that is weak today, and nothing proves that it signed before",
    ),
    "NO_POE": ("không có bằng chứng thời điểm ký", "nothing proves when it was signed"),
    "SIG_CONSTRAINTS_FAILURE": (
        "chữ ký thiếu thông tin bắt buộc",
        "the signature lacks what is required of it",
    ),
    "TIMESTAMP_ORDER_FAILURE": ("các dấu thời gian không đúng thứ tự", "the time stamps are out of order"),
    "NO_SIGNING_CERTIFICATE_FOUND": ("không có chứng thư của người ký", "the signer's certificate is missing"),
    "REVOKED": ("chứng thư đã bị thu hồi trước khi ký", "the certificate was revoked before signing"),
    "EXPIRED": ("chứng thư đã hết hạn khi ký", "the certificate had expired when it signed"),
    "NOT_YET_VALID": ("chứng thư chưa có hiệu lực khi ký", "the certificate was not yet valid when it signed"),
}
"""What the sub-indications of EN 319 102-1 mean to a clerk."""

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
    "later-addition": (
        "Sau khi ký, tệp được bổ sung những thứ mà chữ ký này không bao trùm.",
        "After signing, things were added that this signature does not cover.",
    ),
    "added-then-sealed": (
        "Hợp lệ, có bổ sung sau khi ký; phần bổ sung đã được cơ quan ký số.",
        "Valid, with additions after signing that the organisation signed later.",
    ),
    "unused-objects": (
        "Sau khi ký có thay đổi ở phần không dùng đến của tệp.",
        "After signing, unused parts of the file were changed.",
    ),
    "unsigned-bytes-in-signature": (
        "Trong ô chữ ký có dữ liệu không ai ký.",
        "Bytes that nobody signed are stored inside the signature.",
    ),
    "content-enclosed": (
        "Chữ ký mang nội dung riêng bên trong, không kiểm tra được là ký cho tệp này.",
        "The signature encloses content of its own, so it cannot be shown to be about this file.",
    ),
    "signer-infos": (
        "Chữ ký chứa {count} người ký thay vì một, trái với PAdES.",
        "The signature holds {count} signers instead of one, against PAdES.",
    ),
    "algorithms-disagree": (
        "Thuật toán băm của chữ ký và của nội dung không khớp nhau.",
        "The digest algorithms of signature and content disagree.",
    ),
    "no-revocation-source": (
        "Chứng thư không cho biết nơi hỏi về thu hồi, nên không kiểm tra được việc thu hồi.",
        "The certificate names no place to ask about revocation, so that was not checked.",
    ),
    "views-differ": (
        "Phần mềm đọc đời cũ và đời mới thấy những nội dung khác nhau trong tệp này.",
        "Older and newer readers see different things in this file.",
    ),
    "key-twice": (
        "Từ điển chữ ký ghi một khóa hai lần.",
        "The signature dictionary says one of its keys twice.",
    ),
    "signer-revoked": (
        "Chứng thư của người ký đã bị thu hồi, không có bằng chứng là ký trước đó.",
        "The signer's certificate was revoked, and nothing proves that the signature is older.",
    ),
    "over-limit": (
        "Tệp vượt giới hạn kiểm tra ({what}), nên không kết luận được.",
        "The file goes beyond what is checked ({what}), so nothing is concluded.",
    ),
    "later-part-unreadable": (
        "Phần được thêm vào sau chữ ký không đọc được.",
        "The part that was added after the signature cannot be read.",
    ),
    "not-determined": (
        "Chưa đủ căn cứ để kết luận: {sub}.",
        "There is not enough to conclude: {sub}.",
    ),
    "failed": ("Chữ ký không đạt: {sub}.", "The signature fails: {sub}."),
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
    here = 0 if language == "vi" else 1
    gaps = dict(finding.gaps)
    if "sub" in gaps:
        gaps["sub"] = REASONS.get(gaps["sub"], (gaps["sub"], gaps["sub"]))[here]
    return FINDINGS[finding.code][here].format(**gaps)


def sentences(report: Report, language: str) -> list[str]:
    """The report in words: the verdict first, then what was found about the whole file."""
    verdict = VERDICTS[report.verdict][0 if language == "vi" else 1]
    return [verdict, *(finding_sentence(finding, language) for finding in report.findings)]


def signature_sentences(signature: SignatureReport, language: str) -> list[str]:
    """What was found about one signature, in words."""
    found = [finding_sentence(finding, language) for finding in signature.findings]
    shown = [change for change in signature.changes if change.kind not in ("long_term", "note")]
    return found + [change_sentence(change, language) for change in shown]


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
            "changes": tuple(Change(**one) for one in values["changes"]),
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
