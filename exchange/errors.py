"""Errors of the room `exchange`: one class, one stable code of `exchange.md` §12, one sentence in each language."""

from typing import ClassVar


class ExchangeError(Exception):
    """An act was refused; `code` says why, for ever the same word. Nothing of the act has happened."""

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


class NotFound(ExchangeError):
    code = "not-found"
    vi = "Không tìm thấy."
    en = "Not found."


class NotAllowed(ExchangeError):
    code = "not-allowed"
    vi = "Không có quyền thực hiện: cần vai trò {needed}."
    en = "Not allowed: this needs the role {needed}."


class WrongState(ExchangeError):
    code = "wrong-state"
    vi = "Trạng thái hiện tại không cho phép việc này."
    en = "The present state does not allow this."


class NotYourTurn(ExchangeError):
    code = "not-your-turn"
    vi = "Chưa đến lượt hoặc đã ký rồi: văn bản đang chờ {name}."
    en = "It is not your turn, or you have signed already: the document waits for {name}."


class SigningOrderInvalid(ExchangeError):
    code = "signing-order-invalid"
    vi = "Thứ tự ký không hợp lệ: {why}."
    en = "The order of signing is not possible: {why}."


class StateChanged(ExchangeError):
    code = "state-changed"
    vi = "Người khác vừa thay đổi văn bản này. Hãy tải lại."
    en = "Somebody has just changed this. Reload it."


class AlreadyFinal(ExchangeError):
    code = "already-final"
    vi = "Đã kết thúc, không thể thay đổi."
    en = "It has ended and cannot change."


class ReasonRequired(ExchangeError):
    code = "reason-required"
    vi = "Phải nêu lý do (tối đa {most} ký tự)."
    en = "A reason is required (at most {most} characters)."


class ClassifiedRefused(ExchangeError):
    code = "classified-refused"
    vi = "Văn bản mật không được gửi qua hệ thống này."
    en = "A secret document is not handled by this system."


class ClassifiedMarkSuspected(ExchangeError):
    code = "classified-mark-suspected"
    vi = "Trang đầu có dòng “{mark}”. Nếu không phải dấu mật, văn thư xác nhận rồi gửi lại."
    en = "Page one carries a line “{mark}”. If it is no secrecy mark, a clerk confirms that and sends it again."


class SignatureMissing(ExchangeError):
    code = "signature-missing"
    vi = "Chưa có chữ ký số của lãnh đạo."
    en = "The leader's signature is missing."


class SignatureInvalid(ExchangeError):
    code = "signature-invalid"
    vi = "Chữ ký số không hợp lệ."
    en = "The signature is invalid."


class SignatureUnknown(ExchangeError):
    code = "signature-unknown"
    vi = "Không xác định được chữ ký số. Văn thư cần xác nhận rõ nếu vẫn tiếp tục."
    en = "The signature could not be determined. The clerk must confirm explicitly to go on."


class SignerNotAuthorised(ExchangeError):
    code = "signer-not-authorised"
    vi = "Người ký không phải người được trình ký."
    en = "The signer is not the person asked to sign."


class AttachmentUnsigned(ExchangeError):
    code = "attachment-unsigned"
    vi = "Phụ lục “{name}” chưa được ký số của cơ quan."
    en = "The attachment “{name}” does not carry the organisation's signature."


class TooManyAttachments(ExchangeError):
    code = "too-many-attachments"
    vi = "Văn bản có quá nhiều phụ lục (tối đa {most} tệp)."
    en = "Too many attachments (at most {most} files)."


class CopyNotAllowed(ExchangeError):
    code = "copy-not-allowed"
    vi = "Không lập được bản sao này: {why}."
    en = "This copy cannot be made: {why}."


class SeriesNotFitting(ExchangeError):
    code = "series-not-fitting"
    vi = "Sổ “{series}” không dành cho loại văn bản này."
    en = "The series “{series}” is not for this kind of document."


class SealWrongOffice(ExchangeError):
    code = "seal-wrong-office"
    vi = "Chữ ký số không phải của cơ quan gửi."
    en = "The seal is not that of the sending office."


class SealMissing(ExchangeError):
    code = "seal-missing"
    vi = "Chưa ký số cơ quan."
    en = "The organisation's seal is missing."


class SeriesUnknown(ExchangeError):
    code = "series-unknown"
    vi = "Sổ {series} không tồn tại."
    en = "There is no series {series}."


class SeriesClosed(ExchangeError):
    code = "series-closed"
    vi = "Sổ {series} đã khóa."
    en = "The series {series} is closed."


class NumberDateInvalid(ExchangeError):
    code = "number-date-invalid"
    vi = "Ngày {date} không hợp với số đã cấp ({why})."
    en = "The date {date} does not fit the numbers already given ({why})."


class NumberTaken(ExchangeError):
    code = "number-taken"
    vi = "Số, ký hiệu {written} vừa được dùng."
    en = "The number {written} has just been used."


class RecipientUnknown(ExchangeError):
    code = "recipient-unknown"
    vi = "Đơn vị nhận {office} không tồn tại."
    en = "There is no office {office}."


class RecipientLocked(ExchangeError):
    code = "recipient-locked"
    vi = "Đơn vị nhận {office} đã đóng hoặc bị khóa."
    en = "The office {office} is closed or locked."


class RecipientPaused(ExchangeError):
    code = "recipient-paused"
    vi = "Đơn vị nhận {office} tạm ngừng nhận."
    en = "The office {office} does not receive for the time being."


class RecipientNotCapable(ExchangeError):
    code = "recipient-not-capable"
    vi = "Đơn vị nhận {office} chưa nhận được qua kênh {channel}."
    en = "The office {office} cannot receive over the channel {channel} yet."


class RecipientIsHub(ExchangeError):
    code = "recipient-is-hub"
    vi = "Mã {office} là trục kết nối, không phải nơi nhận."
    en = "The code {office} is a hub, not a recipient."


class RecipientsEmpty(ExchangeError):
    code = "recipients-empty"
    vi = "Chưa có nơi nhận."
    en = "There are no recipients."


class TooManyRecipients(ExchangeError):
    code = "too-many-recipients"
    vi = "Quá nhiều nơi nhận (tối đa {most})."
    en = "Too many recipients (at most {most})."


class DuplicateReference(ExchangeError):
    code = "duplicate-reference"
    vi = "Mã tham chiếu {reference} đã có."
    en = "The reference {reference} exists already."


class RegisterNumberTaken(ExchangeError):
    code = "register-number-taken"
    vi = "Số đến {number} đã dùng."
    en = "The incoming number {number} is taken."


class DigestMismatch(ExchangeError):
    code = "digest-mismatch"
    vi = "Nội dung không khớp mã băm SHA-256."
    en = "The content does not match its SHA-256."


class UploadOffset(ExchangeError):
    code = "upload-offset"
    vi = "Sai vị trí tải tiếp: máy chủ đã có {offset} byte."
    en = "Wrong offset: the server holds {offset} bytes."


class NameTooLong(ExchangeError):
    code = "name-too-long"
    vi = "Tên tệp dài quá 255 byte."
    en = "The file name is longer than 255 bytes."


class NameNotAllowed(ExchangeError):
    code = "name-not-allowed"
    vi = "Tên tệp có ký tự không được phép."
    en = "The file name holds characters that are not allowed."


class StorageFull(ExchangeError):
    code = "storage-full"
    vi = "Hết dung lượng lưu trữ."
    en = "The storage is full."


class EvidencePending(ExchangeError):
    code = "evidence-pending"
    vi = "Bằng chứng chưa vào sổ cái. Hãy thử lại sau ít giây."
    en = "The evidence is not in the ledger yet. Try again in a few seconds."


class PackUnreadable(ExchangeError):
    code = "pack-unreadable"
    vi = "Không đọc được gói bằng chứng: {why}."
    en = "The evidence pack cannot be read: {why}."


class ChangedAfterSigning(ExchangeError):
    code = "changed-after-signing"
    vi = "Tệp ký xong có thay đổi ngoài chữ ký: {what}. Văn bản giữ nguyên như trước."
    en = "The signed file holds a change beside the signature: {what}. The document stays as it was."


class SignaturesUnexpected(ExchangeError):
    code = "signatures-unexpected"
    vi = "Tệp có {count} chữ ký mới; việc này cần từ 1 đến {most}."
    en = "The file has {count} new signatures; this needs 1 to {most}."


class SignatureMisplaced(ExchangeError):
    code = "signature-misplaced"
    vi = "Chữ ký của cơ quan trên bản sao, phụ lục phải ở góc trên bên phải trang đầu."
    en = "The organisation's signature on a copy or an attachment stands top right of page one."


class SignatureShowsMore(ExchangeError):
    code = "signature-shows-more"
    vi = "Chữ ký sau người khác phải ở chỗ trống, không lớn hơn 100 × 60 mm và chỉ nói về người ký ({what})."
    en = "A signature after others is in a free place, no larger than 100 × 60 mm, and names its signer only ({what})."


class DeskLinkInvalid(ExchangeError):
    code = "desk-link-invalid"
    vi = "Liên kết ký không đúng, đã hết hạn hoặc đã dùng xong. Hãy mở lại trang văn bản rồi ký lại."
    en = "The signing link is wrong, over, or used up. Open the document's page again and sign again."


class DeskFileTaken(ExchangeError):
    code = "desk-file-taken"
    vi = "Đã nhận một tệp ký khác cho lần ký này."
    en = "Another signed file was accepted for this already."


class SigningExpired(ExchangeError):
    code = "signing-expired"
    vi = "Phiên ký đã hết hạn. Hãy ký lại."
    en = "The signing session has ended. Sign again."


class SigningFinished(ExchangeError):
    code = "signing-finished"
    vi = "Phiên ký này đã nhận một chữ ký khác. Hãy tải lại trang để xem văn bản."
    en = "This signing session has received another signature already. Reload the page to see the document."


class SigningPending(ExchangeError):
    code = "signing-pending"
    vi = "Văn bản đang chờ dấu thời gian cho chữ ký đã tạo."
    en = "The document waits for the time stamp of a signature already made."


class CertificateExpired(ExchangeError):
    code = "certificate-expired"
    vi = "Chứng thư số đã hết hiệu lực."
    en = "The certificate is out of its time."


class CertificateMissing(ExchangeError):
    code = "certificate-missing"
    vi = "Chưa có chứng thư số để ký cho {who}."
    en = "There is no signing certificate for {who}."


class RestoredBehind(ExchangeError):
    code = "restored-behind"
    vi = "Máy chủ được khôi phục từ bản cũ: sổ cái có {size} sự kiện, mốc đã biết là {known}. Tạm ngừng ghi."
    en = "The service was restored from an old copy: the ledger holds {size} events, {known} are known. Writing stops."


class FeedDiverged(ExchangeError):
    code = "feed-diverged"
    vi = "Con trỏ không khớp lịch sử ở mục {seq}: quá khứ đã bị thay đổi hoặc máy chủ vừa khôi phục. Hãy báo quản trị."
    en = "The cursor does not fit the history at item {seq}: it was changed, or the service restored. Tell its keeper."


class NumberMoved(NumberTaken):
    """Somebody took the number for which the file was filled: fill it again for `next_n` and repeat the act."""

    def __init__(self, *, written: str, next_n: int) -> None:
        super().__init__(written=written)
        self.next_n = next_n


class SubjectMissing(ExchangeError):
    code = "subject-missing"
    vi = "Chưa có trích yếu và không đọc được từ trang đầu. Hãy nhập trích yếu."
    en = "There is no subject, and none could be read off page one. Type it."


class SubjectTooLong(ExchangeError):
    code = "subject-too-long"
    vi = "Trích yếu dài quá {most} ký tự."
    en = "The subject is longer than {most} characters."


class SignerUnknown(ExchangeError):
    code = "signer-unknown"
    vi = "Người ký không phải lãnh đạo của đơn vị."
    en = "The signer is no leader of this office."


class PersonUnknown(ExchangeError):
    code = "person-unknown"
    vi = "Người được phân công không thuộc đơn vị."
    en = "The person put in charge does not belong to this office."


class UploadIncomplete(ExchangeError):
    code = "upload-incomplete"
    vi = "Tệp chưa tải lên đủ: mới có {held} trên {size} byte."
    en = "The upload is not whole: {held} of {size} bytes are there."


class TypeNotAllowed(ExchangeError):
    code = "type-not-allowed"
    vi = "Loại tệp {media_type} không được phép; chỉ nhận PDF."
    en = "Files of type {media_type} are not allowed; only PDF is."


class CursorInvalid(ExchangeError):
    code = "cursor-invalid"
    vi = "Con trỏ không hợp lệ."
    en = "The cursor is invalid."


class CalendarInvalid(ExchangeError):
    code = "calendar-invalid"
    vi = "Lịch làm việc không hợp lệ ({what})."
    en = "The working calendar is not valid ({what})."


class DueInvalid(ExchangeError):
    code = "due-invalid"
    vi = "Thời hạn không hợp lệ: phải từ ngày {first} đến ngày {last}."
    en = "The due date is not valid: it must be from {first} to {last}."
