"""Errors of the room `api`: who calls, how it is asked. One class, one stable code, one sentence in each language."""

from typing import ClassVar


class ApiError(Exception):
    """A request was refused before any act; `code` says why, for ever the same word."""

    code: ClassVar[str]
    vi: ClassVar[str]
    en: ClassVar[str]

    def __init__(self, **gaps: object) -> None:
        self.gaps = gaps
        super().__init__(self.sentence("en"))

    def sentence(self, language: str) -> str:
        """The sentence for people, in `vi` or `en`."""
        pattern = self.vi if language == "vi" else self.en
        return pattern.format(**self.gaps)


class Unauthenticated(ApiError):
    code = "unauthenticated"
    vi = "Chưa đăng nhập, phiên đã hết hạn, hoặc tài khoản hay mật khẩu không đúng."
    en = "Not logged in, the session has ended, or account or password is wrong."


class SecondFactorRequired(ApiError):
    code = "second-factor-required"
    vi = "Cần mã xác thực hai bước."
    en = "A second-factor code is needed."


class SecondFactorWrong(ApiError):
    code = "second-factor-wrong"
    vi = "Mã xác thực hai bước không đúng. Hãy xem đồng hồ của điện thoại rồi nhập mã mới."
    en = "The second-factor code is wrong. Check the clock of the phone and enter a new code."


class SecondFactorSetup(ApiError):
    code = "second-factor-setup"
    vi = "Đơn vị yêu cầu xác thực hai bước. Hãy bật ở trang “Tài khoản” trước."
    en = "The office requires a second factor. Set it up on the page “Account” first."


class CheckedFileGone(ApiError):
    code = "checked-file-gone"
    vi = "Tệp này không còn được giữ để xem lại (chỉ giữ {minutes} phút, cho trình duyệt đã gửi). Hãy kiểm tra lại tệp."
    en = "This file is no longer kept (only {minutes} minutes, for the browser that sent it). Check it again."


class CsrfRefused(ApiError):
    code = "csrf-refused"
    vi = "Yêu cầu không đến từ trang của hệ thống này. Hãy tải lại trang rồi thử lại."
    en = "The request did not come from this service's own page. Reload the page and try again."


class Malformed(ApiError):
    code = "malformed"
    vi = "Yêu cầu không đúng định dạng ({what})."
    en = "The request is malformed ({what})."


class IdempotencyKeyMissing(ApiError):
    code = "idempotency-key-missing"
    vi = "Thiếu khóa chống lặp (Idempotency-Key)."
    en = "The Idempotency-Key is missing."


class IdempotencyKeyReused(ApiError):
    code = "idempotency-key-reused"
    vi = "Khóa chống lặp đã dùng cho yêu cầu khác."
    en = "The idempotency key was used for another request."


class IdempotencyInProgress(ApiError):
    code = "idempotency-in-progress"
    vi = "Yêu cầu trước với cùng khóa đang được xử lý."
    en = "The request before it with the same key is still running."


class PreconditionRequired(ApiError):
    code = "precondition-required"
    vi = "Thiếu phiên bản (If-Match)."
    en = "The version (If-Match) is missing."


class BodyTooLarge(ApiError):
    code = "body-too-large"
    vi = "Yêu cầu lớn hơn giới hạn {limit_mb} MB."
    en = "The request is larger than the limit of {limit_mb} MB."


class RateLimited(ApiError):
    code = "rate-limited"
    vi = "Quá nhiều lần thử. Hãy chờ {seconds} giây."
    en = "Too many tries. Wait {seconds} seconds."


class Internal(ApiError):
    code = "internal"
    vi = "Lỗi chưa rõ, đã ghi nhận. Hãy thử lại; nếu vẫn lỗi, báo quản trị mã tra cứu."
    en = "An unknown error was recorded. Try again; if it stays, tell the administrator the trace."


class DatabaseUnavailable(ApiError):
    code = "database-unavailable"
    vi = "Cơ sở dữ liệu tạm ngừng."
    en = "The database is away."


class ScopeMissing(ApiError):
    code = "scope-missing"
    vi = "Chương trình không có quyền làm việc này (cần phạm vi {scope})."
    en = "The program may not do this (it needs the scope {scope})."


class PeopleOnly(ApiError):
    code = "people-only"
    vi = "Việc này chỉ dành cho người dùng, không dành cho chương trình."
    en = "This is for people, not for programs."


class ScopeUnknown(ApiError):
    code = "scope-unknown"
    vi = "Phạm vi không có: {scope}. Các phạm vi: {known}."
    en = "There is no such scope: {scope}. The scopes are {known}."


class PublicKeyUnreadable(ApiError):
    code = "public-key-unreadable"
    vi = "Không đọc được khóa công khai (PEM của RSA từ 2048 bit, EC P-256 hoặc Ed25519; không phải khóa bí mật)."
    en = "The public key cannot be read (PEM of RSA from 2048 bits on, EC P-256 or Ed25519; not a private key)."


class SenderMismatch(ApiError):
    code = "sender-mismatch"
    vi = "Đơn vị không khớp tài khoản: hãy nêu một trong {offices} ở tiêu đề Congvan-Office."
    en = "The office does not fit the account: name one of {offices} in the header Congvan-Office."


class MasterKeyMissing(ApiError):
    code = "master-key-missing"
    vi = "Không thấy khóa chủ: {where}."
    en = "The master key is missing: {where}."


class MasterKeyFixed(ApiError):
    code = "master-key-fixed"
    vi = "Khóa chủ do systemd giữ: hãy nối 32 byte mới vào sau rồi chạy lại lệnh này (docs/operations.md)."
    en = "systemd keeps the master key: append 32 new bytes to it, then run this again (docs/operations.md)."


class AlreadyThere(ApiError):
    code = "already-there"
    vi = "Đã có: {what}."
    en = "It is there already: {what}."


class KeyFileUnreadable(ApiError):
    code = "key-file-unreadable"
    vi = "Không mở được tệp khóa: sai mật khẩu hoặc không có khóa và chứng thư."
    en = "The key file does not open: a wrong password, or no key and certificate in it."


class PasswordTooShort(ApiError):
    code = "password-too-short"
    vi = "Mật khẩu phải có ít nhất {least} ký tự."
    en = "The password must have at least {least} characters."


class NotEmpty(ApiError):
    code = "installation-not-empty"
    vi = "Chỉ phục hồi vào nơi còn trống. Ở đây đã có: {what}."
    en = "A backup is restored only where nothing is yet. There is already: {what}."


class BackupUnreadable(ApiError):
    code = "backup-unreadable"
    vi = "Bản sao lưu không dùng được: {what}."
    en = "This backup cannot be used: {what}."


class BackupFailed(ApiError):
    code = "backup-failed"
    vi = "Không làm được: {what}."
    en = "This could not be done: {what}."


class SecretsMissing(ApiError):
    code = "secrets-missing"
    vi = (
        "Bản sao lưu không bao giờ có khóa bí mật. Hãy chép thư mục {folder} từ bản lưu riêng của nó vào trước; "
        "nếu đã mất hẳn: --secrets-lost."
    )
    en = (
        "A backup never holds the secrets. Put the folder {folder} back first, from its own copy; "
        "if it is lost for good: --secrets-lost."
    )
