"""May a revision made elsewhere become the document's next one (exchange page §3.2)? Reports in, a decision out."""

from collections.abc import Collection, Sequence

from exchange.errors import (
    ChangedAfterSigning,
    SealMissing,
    SealWrongOffice,
    SignatureMissing,
    SignaturesUnexpected,
    SignerNotAuthorised,
)
from exchange.rules.acceptance import require_valid, require_valid_so_far
from signing.changes import change_sentence
from signing.errors import RevisionNotExtension
from signing.model import INITIAL_FIELD, LEADER_FIELD, ORGANISATION_ALONE, SEAL_FIELD, Change, Report, SignatureReport
from signing.returned import not_of_signing

MOST_SIGNATURES = {"sign": 1, "seal": 3, "seal_attachment": 1}
"""How many a program may add: number, date and seal may be three (vgca-sign-service.md §4), on a copy one."""
_PREPARED = (LEADER_FIELD, SEAL_FIELD, INITIAL_FIELD)


def require_returned(
    report: Report,
    changes: Sequence[Change] | None,
    *,
    act: str,
    field: str,
    earlier: Sequence[SignatureReport],
    own: Collection[str],
) -> SignatureReport:
    """The signature that the act asked for, when the file holds it and nothing else that is new.

    `changes` are those since the revision that was lent, None when the file does not extend it; `field` the one
    prepared for this hand; `earlier` the signatures of the lent revision; `own` the fingerprints of the certificates
    recorded for person or office. Raises what is wrong, the worst first.
    """
    if changes is None:
        raise RevisionNotExtension
    new = _new(report, earlier)
    by_person = act == "sign"
    if not new:
        raise SignatureMissing if by_person else SealMissing
    most = 1 if field in ORGANISATION_ALONE else MOST_SIGNATURES[act]
    if len(new) > most:
        raise SignaturesUnexpected(count=len(new), most=most)
    if any(one.certificate_sha256 not in own for one in new):
        raise SignerNotAuthorised if by_person else SealWrongOffice
    wrong = not_of_signing(changes, signed=[one.field for one in new], first=not earlier)
    if wrong is not None:
        raise ChangedAfterSigning(what=f"{change_sentence(wrong, 'vi')} / {change_sentence(wrong, 'en')}")
    if any(one.field.startswith(_PREPARED) and one.field != field for one in new):
        raise ChangedAfterSigning(what=", ".join(one.field for one in new))  # a field that was made for another hand
    require_valid_so_far(report) if by_person else require_valid(report)
    return new[-1]


def _new(report: Report, earlier: Sequence[SignatureReport]) -> list[SignatureReport]:
    """The signatures that were not there before. Raises `ChangedAfterSigning` when one of those is not as it was."""
    here = {_identity(one): one for one in report.signatures}
    for one in earlier:
        if here.pop(_identity(one), None) is None:
            raise ChangedAfterSigning(what=f"{one.signer or one.field}")
    return [one for one in here.values() if one.kind != "timestamp"]


def _identity(one: SignatureReport) -> tuple[str, str | None, int | None]:
    return one.field, one.certificate_sha256, one.signed_bytes
