"""The values of the room `signing`. All are frozen and pickle, to cross into the limited process and back.

Lengths on a page are PDF points (1/72 inch) in the page's own coordinates, origin lower left, before /Rotate.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum

VIETNAM = timezone(timedelta(hours=7))
"""The zone in which moments are shown (R43)."""

NUMBER_FIELD = "so_ky_hieu"
DATE_FIELD = "ngay_thang"
LEADER_FIELD = "ChuKyLanhDao"
SEAL_FIELD = "ConDau"
ATTACHMENT_FIELD = "PhuLuc"
COPY_FIELDS = {"SY": "SaoY", "SL": "SaoLuc", "TrS": "TrichSao"}
"""The organisation's field on a copy says its form: certified copy, copy of a copy, extract."""
ORGANISATION_ALONE = frozenset({ATTACHMENT_FIELD, *COPY_FIELDS.values()})
"""Fields of files that the organisation alone signs: no person's signature is expected (R36, R41)."""
INITIAL_FIELD = "KyNhay"
"""Initials stand in `KyNhay1`, `KyNhay2`, …; further leaders sign in `ChuKyLanhDao2`, …."""


@dataclass(frozen=True, slots=True)
class Place:
    """A box on a page: `page` from 0, `box` = (x1, y1, x2, y2). `confidence` 0..1 says how sure the reading was."""

    page: int
    box: tuple[float, float, float, float]
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where number, date, leader's signature and organisation's seal go."""

    number: Place
    date: Place
    signature: Place
    seal: Place
    others: tuple["NamedPlace", ...] = ()
    """Where others sign: initials, further leaders."""


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """The place of a signature field with that name."""

    field: str
    place: Place


@dataclass(frozen=True, slots=True)
class PageReading:
    """What page one says about itself (Decree 30 layout); None where nothing was found."""

    places: Places
    pages: int
    type: str | None
    subject: str | None
    notation: str | None
    signer: str | None
    position: str | None
    classified_mark: str | None


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A PDF ready to be signed: normalised, one revision, all four fields made."""

    pdf: bytes
    reading: PageReading


@dataclass(frozen=True, slots=True)
class PreparedAttachment:
    """A separate attachment ready for the organisation's mark, and the secrecy mark that page one seems to carry."""

    pdf: bytes
    classified_mark: str | None


class SignaturePurpose(StrEnum):
    """Whose signature it is: a leader's, initials on the way to it, or the organisation's seal (last)."""

    LEADER = "leader"
    INITIAL = "initial"
    ATTACHMENT = "attachment"
    SEAL = "seal"


class Level(StrEnum):
    """How much proof a signature gets (ETSI EN 319 142-1): signed; outside time; answers too; archive time over it."""

    B = "B-B"
    T = "B-T"
    LT = "B-LT"
    LTA = "B-LTA"


@dataclass(frozen=True, slots=True)
class SignIntent:
    """What is to be signed and how it shall look. `image` is a transparent PNG; `at` is the signing time to claim.

    `lines` are drawn in place of an image, in 10 point (`signing.stamp.attachment_mark`, `copy_mark`).
    """

    purpose: SignaturePurpose
    field: str
    image: bytes
    name: str
    at: datetime
    reason: str | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreparedSignature:
    """A PDF with a hole for the signature: `attributes` are the DER bytes to be signed, `digest` is what they promise.

    `start` and `end` bound the hole in `pdf`. Nothing here is secret; all of it can be kept and finished later.
    `planned` says that our own appender wrote it, not pyHanko.
    """

    pdf: bytes
    digest: bytes
    start: int
    end: int
    attributes: bytes
    planned: bool = False


@dataclass(frozen=True, slots=True)
class PreparedTimestamp:
    """A PDF with a hole for a document time stamp over `digest`."""

    pdf: bytes
    digest: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ArchiveEnd:
    """Until when a time stamp proves by itself: `certificate_end` is the TSA's, `algorithm_end` the last good day.

    `algorithm_end` is None when no end of its algorithms is known (`keys/algorithms.py`).
    """

    stamped_at: datetime
    certificate_end: datetime
    algorithm_end: date | None

    @property
    def ends(self) -> datetime:
        """The first of the two moments, aware UTC; an algorithm is good up to the end of its last day."""
        if self.algorithm_end is None:
            return self.certificate_end
        midnight = datetime.combine(self.algorithm_end + timedelta(days=1), time(), UTC)
        return min(self.certificate_end, midnight)


class Verdict(StrEnum):
    """The one answer for people (hợp lệ, không hợp lệ, không xác định)."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


class Indication(StrEnum):
    """The same answer in the words of EN 319 102-1."""

    TOTAL_PASSED = "TOTAL-PASSED"
    TOTAL_FAILED = "TOTAL-FAILED"
    INDETERMINATE = "INDETERMINATE"


class TwoSignatures(StrEnum):
    """Has the person and then the organisation signed (R1)? Beside the verdict, never in it."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    NOT_REQUIRED = "not_required"


class OfficeMatch(StrEnum):
    """Is the office in the seal's certificate the sender (R31)? Beside the verdict, never in it."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found: a kebab-case code, and values for the gaps of its sentence (`signing/report/`).

    `severity` is `note`, `warning` or `failure`.
    """

    code: str
    severity: str
    gaps: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a later revision did to what a signature covers.

    `what` says what it touches (words: `signing/changes.py`), `kind` what that means by itself: `long_term`, `note`,
    `expected`, `unseen`, `seen`, `addition`, `unshown`, `taken`, `forbidden`; in a report it is the effect on the
    signature at hand.
    `page` counts from 0.
    """

    what: str
    kind: str
    revision: int
    page: int | None = None
    field: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """What was found about one signature or document time stamp of a PDF."""

    field: str
    kind: str
    verdict: Verdict
    indication: Indication
    sub_indication: str | None
    level: str
    signer: str | None
    office: str | None
    office_code: str | None
    purpose: str | None
    world: str | None
    certificate_sha256: str | None
    claimed_at: datetime | None
    proven_at: datetime | None
    covers_whole_file: bool
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    signed_bytes: int | None = None
    """Where the signed range ends: that many bytes are the file as signed. None when they are no whole revision."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of a PDF found: the same inputs give the same report for ever.

    `indication` is None only when there is no signature at all (verdict `invalid`, finding `signature-missing`).
    """

    file_sha256: str
    file_size: int
    at: datetime
    verdict: Verdict
    indication: Indication | None
    sub_indication: str | None
    two_signatures: TwoSignatures
    office_match: OfficeMatch
    number: str | None
    date: str | None
    pages: int | None
    signatures: tuple[SignatureReport, ...]
    findings: tuple[Finding, ...]
    inputs_sha256: str
    policy: str | None = None
    """Which version of the rules judged. None in reports kept from before they named it."""


@dataclass(frozen=True, slots=True)
class Area:
    """A box within which a page looks different: in points, and in pixels of the compared pictures from the upper left.

    `field` is the form field that alone makes the difference there; None when the page itself, or anything else that
    lies on it, looks different.
    """

    box: tuple[float, float, float, float]
    pixels: tuple[int, int, int, int]
    field: str | None = None


@dataclass(frozen=True, slots=True)
class PageDifference:
    """A page (from 0) that looks different in the newest revision; `kind`: `changed`, `added` or `removed`.

    Areas are in reading order.
    """

    page: int
    kind: str
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two revisions look beside each other: only pages that differ, and how many pages nobody looked at."""

    pages_then: int
    pages_now: int
    not_compared: int
    differences: tuple[PageDifference, ...]
