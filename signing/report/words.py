"""A report in sentences: each reason has one in Vietnamese and one in English and, where there is one, what to do."""

from signing.changes import change_sentence
from signing.model import Finding, Report, SignatureReport, Verdict

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
    "FORMAT_FAILURE": (
        "chữ ký hoặc tệp không đúng cấu trúc, hoặc tệp bị thay đổi sau khi ký",
        "the signature or the file is malformed, or the file was changed after signing",
    ),
    "HASH_FAILURE": ("nội dung đã bị sửa sau khi ký", "the content was changed after signing"),
    "SIG_CRYPTO_FAILURE": (
        "chữ ký không khớp với chứng thư của người ký",
        "the signature does not match the signer's certificate",
    ),
    "SIGNED_DATA_NOT_FOUND": ("không tìm thấy nội dung được ký", "what was signed cannot be found"),
    "POLICY_PROCESSING_ERROR": (
        "tệp vượt quá những gì chương trình kiểm tra được",
        "the file goes beyond what this program can check",
    ),
    "SIGNATURE_POLICY_NOT_AVAILABLE": (
        "chữ ký viện dẫn một chính sách ký không có ở đây",
        "the signature refers to a signature policy that is not at hand",
    ),
    "GENERIC": ("có lý do khác, xem phần dưới", "for another reason, see below"),
}
"""What the sub-indications of EN 319 102-1 mean to a clerk."""

FINDINGS: dict[str, tuple[str, str]] = {
    "signature-missing": ("Chưa ký số: tệp không có chữ ký số nào.", "Not signed: the file carries no signature."),
    "signature-removed": (
        "Tệp từng có chữ ký số nhưng chữ ký đã bị gỡ.",
        "The file was signed once, and the signature was removed.",
    ),
    "signature-hidden": (
        "Trong tệp còn một chữ ký mà phần thêm sau đã che đi: phần mềm đọc không thấy nó nữa.",
        "There is another signature in the file that a later part hides: readers no longer see it.",
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
    "attributes-unordered": (
        "Phần được ký của chữ ký không theo đúng thứ tự chuẩn, nên các phần mềm kiểm tra khác nhau.",
        "The signed attributes are not in the standard's order, so that verifiers disagree.",
    ),
    "time-stamp-in-future": (
        "Dấu thời gian ghi một thời điểm sau lúc kiểm tra.",
        "The time stamp tells a moment after that of the check.",
    ),
    "time-stamp-out-of-time": (
        "Dấu thời gian ghi một thời điểm mà chứng thư của nơi cấp dấu không có hiệu lực, nên không chứng minh được gì.",
        "The time stamp tells a moment at which its authority's certificate was not valid, so it proves no moment.",
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
    "timestamp-ended": (
        "Chứng thư của dịch vụ đã cấp dấu thời gian trên tệp hết hạn, và không có dấu lưu trữ nào mới hơn.",
        "The certificate behind the document time stamp has ended, and no newer archive time stamp follows.",
    ),
    "pilot-certificate": (
        "Đây là chứng thư thử nghiệm, không có giá trị pháp lý.",
        "This is a trial certificate (chứng thư thử nghiệm), without legal force.",
    ),
    "other-trust-world": ("Không phải chứng thư công vụ.", "Not a public-duty certificate."),
    "shadow-hidden-text": (
        "Trang {pages}: có chữ bị thứ khác che kín, gỡ lớp che là chữ hiện ra.",
        "Page {pages}: text lies wholly under something else and would show if that went away.",
    ),
    "shadow-second-document": (
        "Tệp mang theo trang không được hiển thị ({count} phần), có thể bị tráo vào sau khi ký.",
        "The file carries pages that are not shown ({count} parts) and could be switched in after signing.",
    ),
    "shadow-unlisted-objects": (
        "Tệp mang theo {count} phần không có trong mục lục của tệp, có thể bị tráo vào sau khi ký.",
        "The file carries {count} parts that none of its tables names and that could be switched in after signing.",
    ),
    "shadow-fields-stacked": (
        "Trang {pages}: có ô nhập liệu nằm chồng lên ô khác, gỡ ô trên là nội dung khác hiện ra.",
        "Page {pages}: form fields lie on top of each other; without the upper one something else would show.",
    ),
    "shadow-field-off-page": (
        "Biểu mẫu có {count} ô có hình sẵn nhưng không nằm trên trang nào.",
        "The form has {count} fields with a picture that lie on no page.",
    ),
    "shadow-value-differs": (
        "Ô {fields} hiện nội dung khác với giá trị được lưu.",
        "The field {fields} shows something else than the value it holds.",
    ),
    "shadow-font-names": (
        "Phông chữ {fonts} có tên không khớp nhau giữa các phần, có thể đã được làm riêng để tráo chữ.",
        "The font {fonts} has different names in its parts and may be made for exchanging letters.",
    ),
    "shadow-font-missing": (
        "Ô nhập liệu dùng phông chữ không kèm theo tệp ({fonts}), chữ có thể hiện khác đi.",
        "Form fields use fonts that are not in the file ({fonts}); the text may come to look different.",
    ),
}


_RESEND = (
    "Không dùng tệp này; hãy đề nghị nơi gửi gửi lại tệp gốc.",
    "Do not use this file; ask the sender for the original.",
)
_SIGN_AGAIN = (
    "Đề nghị nơi gửi ký lại bằng phần mềm tạo chữ ký theo chuẩn PAdES.",
    "Ask the sender to sign again with a program that makes PAdES signatures.",
)
_ASK_LATER = (
    "Kiểm tra lại khi có mạng, hoặc nhờ quản trị hệ thống nhập danh sách thu hồi (CRL) của nơi cấp.",
    "Check again when there is a connection, or have an administrator import the issuer's revocation list (CRL).",
)
_ADD_ROOT = (
    "Nếu tin cậy nơi cấp, hãy nhờ quản trị hệ thống đối chiếu dấu vân tay, nhập chứng thư gốc của họ rồi kiểm tra lại.",
    "If you trust the issuer, have an administrator compare the fingerprint and import their root, then check again.",
)
_PROOF_OF_TIME = (
    "Đề nghị nơi gửi cung cấp bản có dấu thời gian, hoặc ký lại bằng chứng thư còn hiệu lực.",
    "Ask the sender for a copy with a time stamp, or to sign again with a certificate that is still valid.",
)
_GOOD_CERTIFICATE = (
    "Đề nghị nơi gửi ký lại bằng chứng thư đang có hiệu lực.",
    "Ask the sender to sign again with a certificate that is in force.",
)
_ASK_BY_ANOTHER_WAY = (
    "Hãy xác nhận với nơi gửi qua một kênh liên lạc đã biết trước khi xử lý.",
    "Ask the sender through a channel that you know already before you act on it.",
)
_COMPARE_CONTENT = (
    "Đối chiếu nội dung với nơi gửi bằng cách khác trước khi dùng; tải bản đã ký và giữ lại.",
    "Compare the content with the sender in another way before you rely on it, and keep the revision as signed.",
)
_STRONGER = (
    "Đề nghị nơi gửi ký lại bằng SHA-256 trở lên và khóa đủ mạnh.",
    "Ask the sender to sign again with SHA-256 or better and a strong key.",
)
_RIGHT_USE = (
    "Đề nghị nơi gửi ký lại bằng chứng thư dành cho việc ký văn bản.",
    "Ask the sender to sign again with a certificate meant for signing documents.",
)

ADVICE: dict[str, tuple[str, str]] = {
    "signature-missing": (
        "Không xử lý như văn bản đã ký; hãy đề nghị nơi gửi gửi bản đã ký số.",
        "Do not treat it as signed; ask the sender for the signed file.",
    ),
    "signature-removed": _RESEND,
    "signature-hidden": _RESEND,
    "two-signatures-incomplete": (
        "Chờ cơ quan ký số và phát hành, hoặc hỏi nơi gửi.",
        "Wait until the organisation has signed and issued it, or ask the sender.",
    ),
    "office-mismatch": _ASK_BY_ANOTHER_WAY,
    "byte-range-malformed": _RESEND,
    "gap-not-signature": _RESEND,
    "range-not-revision": _RESEND,
    "bytes-after-end": _RESEND,
    "ranges-overlap": _RESEND,
    "signature-unreadable": _SIGN_AGAIN,
    "signature-unsupported": _SIGN_AGAIN,
    "content-changed": _RESEND,
    "signature-broken": _RESEND,
    "forbidden-change": _RESEND,
    "later-addition": (
        "Xem phần bổ sung nêu dưới đây: chữ ký này chỉ có giá trị với nội dung trước khi bổ sung.",
        "Look at the additions listed below: this signature only stands for what was there before them.",
    ),
    "unsigned-bytes-in-signature": _SIGN_AGAIN,
    "content-enclosed": _SIGN_AGAIN,
    "signer-infos": _SIGN_AGAIN,
    "algorithms-disagree": _SIGN_AGAIN,
    "no-revocation-source": (
        "Với văn bản quan trọng, hãy hỏi nơi cấp chứng thư.",
        "If the document matters, ask the issuer of the certificate.",
    ),
    "views-differ": _RESEND,
    "key-twice": _RESEND,
    "signer-revoked": (
        "Hỏi nơi gửi vì sao chứng thư bị thu hồi và đề nghị ký lại bằng chứng thư đang có hiệu lực.",
        "Ask the sender why it was revoked, and to sign again with a certificate that is in force.",
    ),
    "over-limit": (
        "Đề nghị nơi gửi xuất lại tệp gọn hơn và ký lại.",
        "Ask the sender to export a simpler file and sign it again.",
    ),
    "later-part-unreadable": _RESEND,
    "no-time-stamp": (
        "Nếu phải lưu lâu dài, hãy đề nghị nơi gửi ký kèm dấu thời gian.",
        "If it has to be kept for long, ask the sender to sign with a time stamp.",
    ),
    "weak-algorithm": _STRONGER,
    "certificate-not-named": _SIGN_AGAIN,
    "key-usage-wrong": _RIGHT_USE,
    "timestamp-untrusted": _ADD_ROOT,
    "timestamp-ended": (
        "Hỏi nơi gửi hoặc nơi lưu trữ xem có bản đã gia hạn dấu lưu trữ hay không.",
        "Ask the sender or the archive for the file with renewed archive time stamps.",
    ),
    "pilot-certificate": (
        "Không dùng văn bản này làm căn cứ thực hiện.",
        "Do not act on this document.",
    ),
    "other-trust-world": (
        "Xem loại văn bản này có bắt buộc dùng chứng thư công vụ hay không.",
        "See whether this kind of document must be signed with a public-duty certificate.",
    ),
    "shadow-hidden-text": _COMPARE_CONTENT,
    "shadow-second-document": _COMPARE_CONTENT,
    "shadow-unlisted-objects": _COMPARE_CONTENT,
    "shadow-fields-stacked": _COMPARE_CONTENT,
    "shadow-field-off-page": _COMPARE_CONTENT,
    "shadow-value-differs": _COMPARE_CONTENT,
    "shadow-font-names": _COMPARE_CONTENT,
    "shadow-font-missing": _COMPARE_CONTENT,
}
"""What a clerk can do about a finding. Not every finding asks for something."""

REASON_ADVICE: dict[str, tuple[str, str]] = {
    "TRY_LATER": _ASK_LATER,
    "NO_CERTIFICATE_CHAIN_FOUND": _ADD_ROOT,
    "CERTIFICATE_CHAIN_GENERAL_FAILURE": _ASK_LATER,
    "CHAIN_CONSTRAINTS_FAILURE": _RIGHT_USE,
    "OUT_OF_BOUNDS_NO_POE": _PROOF_OF_TIME,
    "OUT_OF_BOUNDS_NOT_REVOKED": _PROOF_OF_TIME,
    "REVOKED_NO_POE": _PROOF_OF_TIME,
    "REVOKED_CA_NO_POE": _GOOD_CERTIFICATE,
    "REVOCATION_OUT_OF_BOUNDS_NO_POE": _ASK_LATER,
    "CRYPTO_CONSTRAINTS_FAILURE": _STRONGER,
    "CRYPTO_CONSTRAINTS_FAILURE_NO_POE": _PROOF_OF_TIME,
    "NO_POE": _PROOF_OF_TIME,
    "SIG_CONSTRAINTS_FAILURE": _SIGN_AGAIN,
    "TIMESTAMP_ORDER_FAILURE": _SIGN_AGAIN,
    "NO_SIGNING_CERTIFICATE_FOUND": _SIGN_AGAIN,
    "REVOKED": _GOOD_CERTIFICATE,
    "EXPIRED": _GOOD_CERTIFICATE,
    "NOT_YET_VALID": _GOOD_CERTIFICATE,
    "FORMAT_FAILURE": _RESEND,
    "HASH_FAILURE": _RESEND,
    "SIG_CRYPTO_FAILURE": _RESEND,
    "SIGNED_DATA_NOT_FOUND": _RESEND,
}
"""The same for the sub-indications that `not-determined` and `failed` name."""


def finding_sentence(finding: Finding, language: str) -> str:
    """One finding in words."""
    here = 0 if language == "vi" else 1
    gaps = dict(finding.gaps)
    if "sub" in gaps:
        gaps["sub"] = REASONS.get(gaps["sub"], (gaps["sub"], gaps["sub"]))[here]
    return FINDINGS[finding.code][here].format(**gaps)


def finding_advice(finding: Finding, language: str) -> str | None:
    """What to do about a finding, in words; None where there is nothing to do."""
    found = REASON_ADVICE.get(finding.gaps.get("sub", "")) or ADVICE.get(finding.code)
    return found[0 if language == "vi" else 1] if found else None


def sentences(report: Report, language: str) -> list[str]:
    """The report in words: the verdict first, then what was found about the whole file."""
    verdict = VERDICTS[report.verdict][0 if language == "vi" else 1]
    return [verdict, *(finding_sentence(finding, language) for finding in report.findings)]


def signature_sentences(signature: SignatureReport, language: str) -> list[str]:
    """What was found about one signature, in words."""
    found = [finding_sentence(finding, language) for finding in signature.findings]
    shown = [change for change in signature.changes if change.kind not in ("long_term", "note")]
    return found + [change_sentence(change, language) for change in shown]
