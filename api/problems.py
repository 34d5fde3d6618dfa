"""Errors to answers: one table from class to HTTP status, and the problem document of RFC 9457."""

from collections.abc import Iterator
from typing import Any

from api import errors as api
from exchange import errors as exchange
from keys import errors as keys
from signing import errors as signing

STATUS: dict[type[Exception], int] = {
    api.Unauthenticated: 401,
    api.ScopeMissing: 403,
    api.PeopleOnly: 403,
    api.SenderMismatch: 403,
    api.ScopeUnknown: 422,
    api.PublicKeyUnreadable: 422,
    api.SecondFactorRequired: 401,
    api.SecondFactorWrong: 422,
    api.SecondFactorSetup: 403,
    api.CheckedFileGone: 404,
    api.CsrfRefused: 403,
    api.Malformed: 400,
    api.IdempotencyKeyMissing: 400,
    api.IdempotencyKeyReused: 422,
    api.IdempotencyInProgress: 409,
    api.PreconditionRequired: 428,
    api.BodyTooLarge: 413,
    api.RateLimited: 429,
    api.Internal: 500,
    api.DatabaseUnavailable: 503,
    api.MasterKeyMissing: 503,
    api.MasterKeyFixed: 409,
    api.AlreadyThere: 409,
    api.KeyFileUnreadable: 422,
    api.PasswordTooShort: 422,
    api.NotEmpty: 409,
    api.BackupUnreadable: 422,
    api.BackupFailed: 500,
    api.SecretsMissing: 422,
    keys.PinWrong: 422,
    keys.PinLocked: 422,
    keys.TokenPinWrong: 422,
    keys.TokenPinLocked: 422,
    keys.RemotePinWrong: 422,
    keys.OtpMissing: 422,
    keys.OtpNotSent: 422,
    keys.TooManyForOneCode: 422,
    keys.OtpWrong: 422,
    keys.SigningAuthorisationEnded: 422,
    keys.PinTooShort: 422,
    keys.KeyUnavailable: 503,
    keys.CertificateUnreadable: 422,
    keys.CertificateNotForSigning: 422,
    keys.CertificateUntrusted: 422,
    keys.SignerRevoked: 422,
    keys.CertificateUnfit: 422,
    keys.FingerprintWrong: 422,
    keys.TrustListUnreadable: 422,
    keys.TrustListExpired: 422,
    keys.AnchorOfAnotherWorld: 409,
    keys.TsaUnavailable: 503,
    keys.TimestampRejected: 503,
    keys.RevocationUnavailable: 503,
    signing.NotAPdf: 422,
    signing.TooLarge: 413,
    signing.PdfEncrypted: 422,
    signing.PdfActiveContent: 422,
    signing.PdfTooComplex: 422,
    signing.AlreadySigned: 422,
    signing.PlaceInvalid: 422,
    signing.FieldMissing: 422,
    signing.SignatureWrong: 422,
    signing.ImageUnfit: 422,
    signing.RevisionNotExtension: 422,
    signing.SignedRevisionMissing: 404,
    signing.AugmentInvalid: 422,
    signing.CertifiedUnchangeable: 422,
    signing.ArchiveWorse: 422,
    exchange.NotFound: 404,
    exchange.NotAllowed: 403,
    exchange.WrongState: 409,
    exchange.StateChanged: 412,
    exchange.NotYourTurn: 409,
    exchange.SigningOrderInvalid: 422,
    exchange.AlreadyFinal: 409,
    exchange.ReasonRequired: 422,
    exchange.ClassifiedRefused: 422,
    exchange.ClassifiedMarkSuspected: 422,
    exchange.SignatureMissing: 422,
    exchange.SignatureInvalid: 422,
    exchange.SignatureUnknown: 422,
    exchange.SignerNotAuthorised: 422,
    exchange.SealWrongOffice: 422,
    exchange.SealMissing: 422,
    exchange.CopyNotAllowed: 422,
    exchange.SeriesNotFitting: 422,
    exchange.AttachmentUnsigned: 422,
    exchange.TooManyAttachments: 422,
    exchange.SeriesUnknown: 422,
    exchange.SeriesClosed: 422,
    exchange.NumberDateInvalid: 422,
    exchange.NumberTaken: 409,
    exchange.NumberMoved: 409,
    exchange.RecipientUnknown: 422,
    exchange.RecipientLocked: 422,
    exchange.RecipientPaused: 422,
    exchange.RecipientNotCapable: 422,
    exchange.RecipientIsHub: 422,
    exchange.RecipientsEmpty: 422,
    exchange.TooManyRecipients: 422,
    exchange.DuplicateReference: 409,
    exchange.RegisterNumberTaken: 409,
    exchange.DigestMismatch: 422,
    exchange.UploadOffset: 409,
    exchange.UploadIncomplete: 409,
    exchange.TypeNotAllowed: 415,
    exchange.NameTooLong: 422,
    exchange.NameNotAllowed: 422,
    exchange.StorageFull: 507,
    exchange.EvidencePending: 409,
    exchange.PackUnreadable: 422,
    exchange.SigningExpired: 409,
    exchange.ChangedAfterSigning: 422,
    exchange.SignaturesUnexpected: 422,
    exchange.SignatureMisplaced: 422,
    exchange.SignatureShowsMore: 422,
    exchange.DeskLinkInvalid: 404,
    exchange.DeskFileTaken: 409,
    exchange.SigningFinished: 409,
    exchange.SigningPending: 409,
    exchange.CertificateExpired: 422,
    exchange.CertificateMissing: 422,
    exchange.RestoredBehind: 503,
    exchange.SubjectMissing: 422,
    exchange.SubjectTooLong: 422,
    exchange.SignerUnknown: 422,
    exchange.PersonUnknown: 422,
    exchange.CursorInvalid: 400,
    exchange.FeedDiverged: 409,
    exchange.CalendarInvalid: 422,
    exchange.DueInvalid: 422,
}

RETRYABLE = frozenset(
    {
        "idempotency-in-progress", "rate-limited", "internal", "database-unavailable", "storage-full", "upload-offset",
        "key-unavailable", "evidence-pending", "tsa-unavailable", "revocation-unavailable", "signing-pending",
        "timestamp-rejected",
    }
)  # fmt: skip
"""Codes that may go through when the same request is repeated with the same key."""

ROOM_ERRORS = (api.ApiError, exchange.ExchangeError, signing.SigningError, keys.KeysError)
RoomError = api.ApiError | exchange.ExchangeError | signing.SigningError | keys.KeysError
TYPE = "/api/v1/problems#"


def problem_of(error: RoomError, language: str, *, instance: str, trace: str) -> tuple[int, dict[str, Any]]:
    """HTTP status and problem document for an error of any room."""
    status = STATUS[type(error)]
    sentence = error.sentence(language)
    problem: dict[str, Any] = {
        "type": TYPE + error.code,
        "title": sentence,
        "status": status,
        "detail": sentence,
        "instance": instance,
        "code": error.code,
        "retryable": error.code in RETRYABLE,
        "trace": trace,
    }
    if "state" in error.gaps:
        problem["state"] = error.gaps["state"]
    if isinstance(error, exchange.UploadOffset):
        problem["offset"] = error.gaps["offset"]
    return status, problem


def registry() -> Iterator[dict[str, Any]]:
    """Every problem that this service can answer with."""
    for kind, status in STATUS.items():
        code: str = kind.code  # type: ignore[attr-defined]
        yield {"code": code, "status": status, "retryable": code in RETRYABLE}
