"""Errors of the room `keys`: one class, one stable code and one sentence in each language for each.

The sentences have named gaps, filled from the keyword arguments with which the error was raised.
"""

from typing import ClassVar, NamedTuple

from keys.model import RevocationData


class Words(NamedTuple):
    """A gap that is itself a phrase: said in the language of the sentence around it."""

    vi: str
    en: str


class KeysError(Exception):
    """Something about a key, a certificate or a time stamp did not work; `code` says what, for ever the same word."""

    code: ClassVar[str]
    vi: ClassVar[str]
    en: ClassVar[str]

    def __init__(self, **gaps: object) -> None:
        self.gaps = gaps
        super().__init__(self.sentence("en"))

    def sentence(self, language: str) -> str:
        """The sentence for people, in `vi` or `en`."""
        pattern = self.vi if language == "vi" else self.en
        gaps = {name: _say(gap, language) for name, gap in self.gaps.items()}
        return pattern.format(**gaps)


def _say(gap: object, language: str) -> object:
    if isinstance(gap, Words):
        return gap.vi if language == "vi" else gap.en
    return gap


class PinWrong(KeysError):
    code = "pin-wrong"
    vi = "Sai mã PIN. Còn {left} lần thử."
    en = "Wrong PIN. {left} tries left."


class PinLocked(KeysError):
    code = "pin-locked"
    vi = "Mã PIN đã bị khóa sau năm lần nhập sai. Đề nghị quản trị đơn vị cấp khóa và chứng thư mới."
    en = "The PIN is locked after five wrong tries. Ask the office administrator for a new key and certificate."


class TokenPinWrong(PinWrong):
    """The same from a token, which counts by itself: `left` is a sentence (`Words`)."""

    vi = "Thiết bị ký báo sai mã PIN. {left}"
    en = "The token says that the PIN is wrong. {left}"


class TokenPinLocked(PinLocked):
    vi = "Thiết bị ký đã khóa mã PIN. Hãy mở khóa bằng phần mềm của nhà cung cấp hoặc đổi thiết bị."
    en = "The token has locked its PIN. Unlock it with its vendor's program, or have it replaced."


class RemotePinWrong(PinWrong):
    """The same from a remote signing service, which counts by itself."""

    vi = "Dịch vụ ký số từ xa báo sai mã PIN."
    en = "The remote signing service says that the PIN is wrong."


class OtpMissing(KeysError):
    code = "otp-missing"
    vi = "Khóa này cần mã OTP. Hãy bấm “Gửi mã” rồi nhập mã nhận được."
    en = "This key needs a one-time code. Have it sent, then enter it."


class OtpNotSent(KeysError):
    code = "otp-not-sent"
    vi = "Khóa này không dùng mã OTP gửi từ dịch vụ ký số từ xa."
    en = "No one-time code is sent for this key."


class TooManyForOneCode(KeysError):
    code = "too-many-for-one-code"
    vi = "Một mã OTP của khóa này chỉ ký được {most} văn bản một lần. Chưa ký văn bản nào; hãy chọn ít hơn."
    en = "One code of this key signs {most} documents at a time. Nothing was signed; choose fewer."


class OtpWrong(KeysError):
    code = "otp-wrong"
    vi = "Dịch vụ ký số từ xa báo mã OTP sai hoặc đã hết hạn. Hãy yêu cầu mã mới."
    en = "The remote signing service says that the one-time code is wrong or over. Ask for a new one."


class SigningAuthorisationEnded(KeysError):
    code = "signing-authorisation-ended"
    vi = "Cho phép ký của dịch vụ ký số từ xa đã hết hiệu lực. Văn bản chưa được ký; hãy ký lại."
    en = "The remote service's authorisation to sign is over. Nothing was signed; sign again."


class PinTooShort(KeysError):
    code = "pin-too-short"
    vi = "Mã PIN phải có ít nhất {least} ký tự."
    en = "The PIN must have at least {least} characters."


class KeyUnavailable(KeysError):
    code = "key-unavailable"
    vi = "Không dùng được khóa ký: {why}."
    en = "The signing key cannot be used: {why}."


class CertificateUnreadable(KeysError):
    code = "certificate-unreadable"
    vi = "Không đọc được chứng thư số."
    en = "The certificate cannot be read."


class CertificateUnfit(KeysError):
    code = "certificate-unfit"
    vi = "Chứng thư này không dùng được: {why}."
    en = "This certificate cannot be used: {why}."


class TsaUnavailable(KeysError):
    code = "tsa-unavailable"
    vi = "Dịch vụ dấu thời gian tạm ngừng. Chữ ký đã tạo được giữ lại và sẽ tự hoàn tất."
    en = "The time-stamp service is away. The signature made is kept and will be finished by itself."


class TimestampRejected(KeysError):
    code = "timestamp-rejected"
    vi = "Dấu thời gian nhận về không đúng: {why}."
    en = "The time stamp that came back is wrong: {why}."


class RevocationUnavailable(KeysError):
    """`found` holds the answers that did come: a verdict can still be made on what is known."""

    def __init__(self, *, found: RevocationData | None = None) -> None:
        super().__init__()
        self.found = found or RevocationData()

    code = "revocation-unavailable"
    vi = "Chưa kiểm tra được tình trạng thu hồi của chứng thư số."
    en = "The revocation status of the certificate could not be checked."


class FingerprintWrong(KeysError):
    code = "fingerprint-wrong"
    vi = "Dấu vân tay không khớp: tệp này có {found}. Không tin cậy gì thêm."
    en = "The fingerprint does not match: this file has {found}. Nothing more is trusted."


class TrustListUnreadable(KeysError):
    code = "trust-list-unreadable"
    vi = "Không đọc được danh sách tin cậy: {why}."
    en = "The trusted list cannot be read: {why}."


class TrustListExpired(KeysError):
    code = "trust-list-expired"
    vi = "Danh sách tin cậy đã hết hạn ({until}). Hãy tải bản mới."
    en = "The trusted list has expired ({until}). Get the newest one."


class AnchorOfAnotherWorld(KeysError):
    code = "anchor-of-another-world"
    vi = "Chứng thư này đã được tin cậy cho hệ {world}. Hãy gỡ trước khi đổi."
    en = "This certificate is trusted for the world {world} already. Remove it first."


class CertificateNotForSigning(KeysError):
    code = "certificate-not-for-signing"
    vi = "Chứng thư số này không dùng để ký văn bản."
    en = "This certificate is not for signing documents."


class CertificateUntrusted(KeysError):
    code = "certificate-untrusted"
    vi = "Chứng thư số này không do tổ chức chứng thực mà hệ thống tin cậy cấp."
    en = "This certificate was not issued by an authority that this service trusts."


class SignerRevoked(KeysError):
    code = "signer-revoked"
    vi = "Chứng thư số đã bị thu hồi."
    en = "The certificate was revoked."
