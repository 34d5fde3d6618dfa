"""Errors of the room `signing`: one class, one stable code, one sentence in each language."""

from typing import ClassVar

from keys.errors import Words


class SigningError(Exception):
    """A PDF could not be read, prepared or signed; `code` says why, for ever the same word."""

    code: ClassVar[str]
    vi: ClassVar[str]
    en: ClassVar[str]

    def __init__(self, **gaps: object) -> None:
        self.gaps = gaps
        super().__init__(self.sentence("en"))

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel out of the limited process, so they must survive pickling with their gaps."""
        return (_rebuild, (type(self), self.gaps))

    def sentence(self, language: str) -> str:
        """The sentence for people, in `vi` or `en`."""
        pattern = self.vi if language == "vi" else self.en
        said = {
            name: (gap.vi if language == "vi" else gap.en) if isinstance(gap, Words) else gap
            for name, gap in self.gaps.items()
        }
        return pattern.format(**said)


def _rebuild(kind: type[SigningError], gaps: dict[str, object]) -> SigningError:
    return kind(**gaps)


class NotAPdf(SigningError):
    code = "not-a-pdf"
    vi = "Tệp này không phải PDF hoặc đã hỏng. Hãy xuất lại PDF từ phần mềm soạn thảo."
    en = "This file is not a PDF, or it is damaged. Export it again from the program that made it."


class TooLarge(SigningError):
    code = "too-large"
    vi = "Tệp lớn hơn giới hạn {limit_mb} MB."
    en = "The file is larger than the limit of {limit_mb} MB."


class PdfEncrypted(SigningError):
    code = "pdf-encrypted"
    vi = "PDF đặt mật khẩu không được nhận. Hãy bỏ mật khẩu rồi tải lại."
    en = "A PDF with a password is not accepted. Remove the password and upload it again."


class PdfActiveContent(SigningError):
    code = "pdf-active-content"
    vi = "PDF chứa nội dung chạy được ({what}). Hãy xuất lại PDF không có nội dung này."
    en = "The PDF holds content that can run ({what}). Export it without that."


class PdfTooComplex(SigningError):
    code = "pdf-too-complex"
    vi = "PDF quá phức tạp để xử lý an toàn ({what})."
    en = "The PDF is too complex to be handled safely ({what})."


class AlreadySigned(SigningError):
    code = "already-signed"
    vi = "PDF đã có chữ ký số. Hãy tải lên bản chưa ký."
    en = "The PDF already carries a digital signature. Upload the unsigned file."


class PlaceInvalid(SigningError):
    code = "place-invalid"
    vi = "Vị trí {field} không nằm trong trang."
    en = "The place of {field} is not on the page."


class FieldMissing(SigningError):
    code = "field-missing"
    vi = "Tệp không có ô {field} còn trống."
    en = "The file has no empty field {field}."


class SignatureWrong(SigningError):
    code = "signature-wrong"
    vi = "Chữ ký nhận được không khớp với chứng thư số."
    en = "The signature received does not match the certificate."


class RevisionNotExtension(SigningError):
    code = "revision-not-extension"
    vi = "Tệp mới không phải là bản nối tiếp của tệp đã ký."
    en = "The new file does not extend the signed one."


class SignedRevisionMissing(SigningError):
    code = "signed-revision-missing"
    vi = "Không thể tách riêng bản đã được ký trong ô {field}: chữ ký này không bao trùm một bản trọn vẹn của tệp."
    en = "The revision signed in {field} cannot be given out: the signature covers no whole revision of the file."


class AugmentInvalid(SigningError):
    code = "augment-invalid"
    vi = "Tệp không hợp lệ ({why}) nên không bổ sung bằng chứng lưu trữ: dấu thời gian không sửa được chữ ký hỏng."
    en = "The file is not valid ({why}), so no long-term proof is added: time does not mend a broken signature."


class CertifiedUnchangeable(SigningError):
    code = "certified-unchangeable"
    vi = "Người ký đã xác nhận không cho phép thay đổi gì thêm (DocMDP P=1), nên không bổ sung bằng chứng vào tệp."
    en = "The signer certified that nothing may change any more (DocMDP P=1), so no proof is added to the file."


class ArchiveWorse(SigningError):
    code = "archive-worse"
    vi = "Sau khi bổ sung bằng chứng, kết quả kiểm tra kém đi ({what}). Bản mới không được giữ lại."
    en = "With the proof added the file is judged worse ({what}). The new file is not kept."


class ImageUnfit(SigningError):
    code = "image-unfit"
    vi = "Hình này không dùng được: {why}. Cần PNG nền trong suốt; chữ ký màu xanh, con dấu màu đỏ."
    en = "This picture cannot be used: {why}. A transparent PNG is needed; a signature in blue, a seal in red."
