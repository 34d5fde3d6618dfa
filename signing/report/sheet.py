"""What a report shows to people, in one language and without a form: HTML and PDF are made of the same sheet.

Everything here is plain text of a bounded length, whatever a hostile file holds.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from signing.changes import change_sentence
from signing.model import Change, Finding, OfficeMatch, Report, SignatureReport, TwoSignatures, Verdict
from signing.report.words import REASONS, VERDICTS, finding_advice, finding_sentence

VIETNAM = timezone(timedelta(hours=7))
LONGEST = 240
MOST_CHANGES = 40

Pair = tuple[str, str]

TITLE: Pair = ("Báo cáo kiểm tra chữ ký số", "Report on digital signatures")
LABELS: dict[str, Pair] = {
    "result": ("Kết luận", "Result"),
    "what_to_do": ("Cần làm", "What to do"),
    "file": ("Tệp đã kiểm tra", "The file that was checked"),
    "signatures": ("Chữ ký và dấu thời gian", "Signatures and time stamps"),
    "reasons": ("Lý do và ghi chú", "Reasons and notes"),
    "changes": ("Những thay đổi sau chữ ký này", "What changed after this signature"),
    "more_changes": ("và {count} thay đổi khác", "and {count} more"),
    "none": ("Không có chữ ký nào trong tệp.", "There is no signature in the file."),
    "sha256": ("Mã băm SHA-256", "SHA-256"),
    "size": ("Kích thước", "Size"),
    "bytes": ("{count} byte", "{count} bytes"),
    "pages": ("Số trang", "Pages"),
    "number": ("Số trong tệp", "Number in the file"),
    "date": ("Ngày trong tệp", "Date in the file"),
    "checked_at": ("Kiểm tra lúc", "Checked at"),
    "two_signatures": ("Chữ ký người có thẩm quyền và cơ quan", "Signatures of person and organisation"),
    "office_match": ("Cơ quan ký so với nơi gửi", "Signing office and sender"),
    "policy": ("Quy tắc kiểm tra", "Rules of the check"),
    "inputs": ("Dấu vết đầu vào (SHA-256)", "Digest of the inputs (SHA-256)"),
    "indication": ("Kết luận theo EN 319 102-1", "Indication (EN 319 102-1)"),
    "signer": ("Người ký", "Signer"),
    "office": ("Cơ quan, tổ chức", "Office"),
    "world": ("Hệ thống chứng thư", "Trust world"),
    "claimed_at": ("Thời điểm ký (tự khai)", "Time claimed by the signer"),
    "proven_at": ("Thời điểm được chứng minh", "Time proven by a time stamp"),
    "level": ("Mức chữ ký", "Level"),
    "covers": ("Phạm vi", "Covers"),
    "field": ("Ô chữ ký", "Field"),
    "certificate": ("Dấu vân tay chứng thư", "Certificate fingerprint"),
    "unknown": ("không có", "none"),
}
VERDICT_WORDS: dict[Verdict, Pair] = {
    Verdict.VALID: ("Hợp lệ", "Valid"),
    Verdict.INVALID: ("Không hợp lệ", "Invalid"),
    Verdict.UNKNOWN: ("Không xác định", "Unknown"),
}
FILE_VERDICTS: dict[Verdict, Pair] = {
    Verdict.VALID: VERDICTS[Verdict.VALID],
    Verdict.INVALID: (
        "Không dùng tệp này như văn bản đã ký; lý do ghi dưới đây.",
        "Do not use this file as a signed document; the reasons stand below.",
    ),
    Verdict.UNKNOWN: (
        "Chưa đủ căn cứ để nói tệp này hợp lệ; lý do ghi dưới đây.",
        "There is not enough to call this file valid; the reasons stand below.",
    ),
}
SIGNATURE_VERDICTS: dict[Verdict, Pair] = {
    Verdict.VALID: ("Còn nguyên vẹn và được tin cậy.", "It is intact and trusted."),
    Verdict.INVALID: ("Không đạt; lý do ghi dưới đây.", "It fails, for the reasons below."),
    Verdict.UNKNOWN: ("Chưa đủ căn cứ để kết luận; lý do ghi dưới đây.", "It cannot be judged, for the reasons below."),
}
KINDS: dict[str, Pair] = {
    "person": ("Chữ ký của cá nhân", "A person's signature"),
    "organisation": ("Chữ ký của cơ quan, tổ chức", "An organisation's signature"),
    "signature": ("Chữ ký", "Signature"),
    "timestamp": ("Dấu thời gian", "Time stamp"),
    "unsupported": ("Chữ ký không rõ loại", "A signature of unknown kind"),
}
WORLDS: dict[str | None, Pair] = {
    "vgca": ("Chứng thư công vụ (VGCA)", "Public-duty certificates (VGCA)"),
    "neac": ("Chứng thư công cộng (NEAC)", "Public certificates (NEAC)"),
    "pilot": ("Thử nghiệm, không có giá trị pháp lý", "A trial, without legal force"),
    "office": ("Gốc tin cậy riêng của cơ quan", "The office's own roots"),
    None: ("không thuộc hệ thống nào được tin cậy ở đây", "none that is trusted here"),
}
LEVELS: dict[str, Pair] = {
    "CMS": ("CMS, không theo PAdES", "CMS, not PAdES"),
    "B-B": ("PAdES B-B: không có dấu thời gian", "PAdES B-B: no time stamp"),
    "B-T": ("PAdES B-T: có dấu thời gian", "PAdES B-T: with a time stamp"),
    "B-LT": (
        "PAdES B-LT: có dấu thời gian và dữ liệu chứng minh lâu dài",
        "PAdES B-LT: with a time stamp and long-term proof",
    ),
    "B-LTA": (
        "PAdES B-LTA: có dấu thời gian, dữ liệu chứng minh và dấu thời gian lưu trữ",
        "PAdES B-LTA: with a time stamp, long-term proof and an archive time stamp",
    ),
}
TWO_SIGNATURES: dict[TwoSignatures, Pair] = {
    TwoSignatures.COMPLETE: ("Đủ cả hai chữ ký", "Both signatures are there"),
    TwoSignatures.INCOMPLETE: ("Chưa đủ hai chữ ký (chưa phát hành)", "Not both signatures (not issued)"),
    TwoSignatures.NOT_REQUIRED: ("Không yêu cầu", "Not required"),
}
OFFICE_MATCHES: dict[OfficeMatch, Pair] = {
    OfficeMatch.MATCH: ("Khớp", "They match"),
    OfficeMatch.MISMATCH: ("Khác nhau", "They differ"),
    OfficeMatch.UNKNOWN: ("Không đối chiếu (không biết nơi gửi)", "Not compared (the sender is not known)"),
}
COVERAGE: dict[bool, Pair] = {
    True: ("toàn bộ tệp", "the whole file"),
    False: ("tệp tại thời điểm ký; về sau còn được ghi thêm", "the file as it was; more was appended later"),
}
EFFECTS: dict[str, Pair] = {
    "expected": ("được phép", "allowed"),
    "covered": ("cơ quan đã ký bao trùm", "signed later by the organisation"),
    "addition": ("bổ sung, chữ ký này không bao trùm", "added, not covered by this signature"),
    "forbidden": ("không được phép", "not allowed"),
}
"""Effects of a change that are worth a line; the others (`long_term`, `note`) touch nothing that people see."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence, what to do about it (or None), its code and `note`, `warning` or `failure`."""

    text: str
    advice: str | None
    code: str
    severity: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A verdict: the word of the code, the word for people, and its sentence."""

    verdict: str
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class SignatureSheet:
    """One signature or time stamp."""

    title: str
    conclusion: Conclusion
    facts: tuple[Pair, ...]
    reasons: tuple[Reason, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole report."""

    language: str
    title: str
    labels: dict[str, str]
    conclusion: Conclusion
    reasons: tuple[Reason, ...]
    facts: tuple[Pair, ...]
    signatures: tuple[SignatureSheet, ...]


def sheet(report: Report, language: str) -> Sheet:
    """A report in the words of `vi` or `en`."""
    return _Words(language).sheet(report)


def shown_moment(at: datetime) -> str:
    """An instant in Vietnam's time: `05/8/2026 14:03`."""
    local = at.astimezone(VIETNAM)
    return f"{local.day:02d}/{local.month}/{local.year} {local:%H:%M}"


def plain(text: str) -> str:
    """A text that does nothing but be read: no control or direction characters, no line breaks, of bounded length."""
    whole = unicodedata.normalize("NFC", text[: 4 * LONGEST])
    read = "".join(" " if one.isspace() else one if one.isprintable() else "\N{WHITE SQUARE}" for one in whole)
    return read if len(read) <= LONGEST else read[:LONGEST] + "…"


class _Words:
    def __init__(self, language: str) -> None:
        self.language = language
        self.labels = {name: self.say(pair) for name, pair in LABELS.items()}

    def say(self, pair: Pair) -> str:
        return pair[0 if self.language == "vi" else 1]

    def sheet(self, report: Report) -> Sheet:
        return Sheet(
            self.language,
            self.say(TITLE),
            self.labels,
            self.conclusion(report.verdict, FILE_VERDICTS),
            self.reasons(report.findings),
            self.facts_of_file(report),
            tuple(self.signature(one, report.findings) for one in report.signatures),
        )

    def conclusion(self, verdict: Verdict, sentences: dict[Verdict, Pair]) -> Conclusion:
        return Conclusion(verdict.value, self.say(VERDICT_WORDS[verdict]), self.say(sentences[verdict]))

    def reasons(self, findings: Iterable[Finding], told: Iterable[Finding] = ()) -> tuple[Reason, ...]:
        """Findings in words; what to do about one that was told before is not said again."""
        before = {_key(one) for one in told}
        return tuple(
            Reason(
                plain(finding_sentence(one, self.language)),
                None if _key(one) in before else finding_advice(one, self.language),
                one.code,
                one.severity,
            )
            for one in findings
        )

    def facts_of_file(self, report: Report) -> tuple[Pair, ...]:
        size = f"{report.file_size:,}".replace(",", "." if self.language == "vi" else ",")
        return self.facts(
            ("sha256", report.file_sha256),
            ("size", self.labels["bytes"].format(count=size)),
            ("pages", None if report.pages is None else str(report.pages)),
            ("number", report.number),
            ("date", report.date),
            ("checked_at", shown_moment(report.at)),
            ("two_signatures", self.say(TWO_SIGNATURES[report.two_signatures])),
            ("office_match", self.say(OFFICE_MATCHES[report.office_match])),
            ("indication", self.indication(report.indication, report.sub_indication)),
            ("policy", report.policy),
            ("inputs", report.inputs_sha256),
        )

    def signature(self, one: SignatureReport, told: Iterable[Finding]) -> SignatureSheet:
        by_purpose = one.kind == "signature" and one.purpose in ("person", "organisation")
        kind = self.say(KINDS.get(str(one.purpose) if by_purpose else one.kind, KINDS["unsupported"]))
        name = one.signer or one.field
        return SignatureSheet(
            plain(f"{kind}: {name}"),
            self.conclusion(one.verdict, SIGNATURE_VERDICTS),
            self.facts_of_signature(one),
            self.reasons(one.findings, told),
            self.changes(one.changes),
        )

    def facts_of_signature(self, one: SignatureReport) -> tuple[Pair, ...]:
        office = f"{one.office} ({one.office_code})" if one.office and one.office_code else one.office
        level = LEVELS.get(one.level)
        unsigned = one.kind == "unsupported"
        none = self.labels["unknown"]
        return self.facts(
            ("indication", self.indication(one.indication, one.sub_indication)),
            ("signer", one.signer),
            ("office", office),
            ("world", None if unsigned else self.say(WORLDS.get(one.world, WORLDS[None]))),
            ("claimed_at", shown_moment(one.claimed_at) if one.claimed_at else None),
            ("proven_at", shown_moment(one.proven_at) if one.proven_at else (None if unsigned else none)),
            ("level", self.say(level) if level else None),
            ("covers", None if unsigned else self.say(COVERAGE[one.covers_whole_file])),
            ("field", one.field),
            ("certificate", one.certificate_sha256),
        )

    def facts(self, *found: tuple[str, str | None]) -> tuple[Pair, ...]:
        return tuple((self.labels[name], plain(value)) for name, value in found if value)

    def indication(self, indication: str | None, sub: str | None) -> str | None:
        """The words of the standard and, for a clerk, what they mean."""
        if indication is None or sub is None:
            return str(indication) if indication else None
        means = f" ({self.say(REASONS[sub])})" if sub in REASONS else ""
        return f"{indication} / {sub}{means}"

    def changes(self, changes: Iterable[Change]) -> tuple[str, ...]:
        """Each kind of change once, with its effect; of very many the first ones."""
        lines = Counter(
            plain(f"{change_sentence(one, self.language)}: {self.say(EFFECTS[one.kind])}")
            for one in changes
            if one.kind in EFFECTS
        )
        told = [line if count == 1 else f"{line} (×{count})" for line, count in lines.items()]
        if len(told) <= MOST_CHANGES:
            return tuple(told)
        more = self.labels["more_changes"].format(count=len(told) - MOST_CHANGES)
        return (*told[:MOST_CHANGES], more)


def _key(finding: Finding) -> tuple[str, str | None]:
    return finding.code, finding.gaps.get("sub")
