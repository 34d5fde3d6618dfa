"""Plain values for the tests of this room: each is good as it stands, and a test names only what it is about."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from exchange.acts.signature import SignedFile, stored_report
from exchange.rules.model import (
    Actor,
    Channel,
    Delivery,
    DeliveryState,
    Document,
    DocumentState,
    FileRef,
    Number,
    Office,
    Role,
    Secrecy,
    StoredReport,
    Urgency,
)
from keys.certificates import fingerprint
from signing.model import (
    LEADER_FIELD,
    SEAL_FIELD,
    Indication,
    OfficeMatch,
    PageReading,
    Place,
    Places,
    Report,
    SignatureReport,
    TwoSignatures,
    Verdict,
)

AT = datetime(2026, 8, 5, 2, 12, 44, 310_000, tzinfo=UTC)
DAY = date(2026, 8, 5)
OFFICE = "H99.05"
OTHER = "H99.05.11"
LEADER_CERTIFICATE = b"the leader's certificate"
SEAL_CERTIFICATE = b"the office's certificate"

PLACES = Places(*(Place(1, (10.0, 20.0, 110.0, 40.0), 0.9) for _ in range(4)))


def person(id_: str, *roles: Role, office: str = OFFICE) -> Actor:
    """Somebody with those roles in the office."""
    return Actor(id_, office, frozenset(roles))


OFFICER = person("p_officer", Role.OFFICER)
CLERK = person("p_clerk", Role.CLERK)
LEADER = person("p_leader", Role.LEADER)
RECEIVER = person("p_receiver", Role.CLERK, office=OTHER)


def office(code: str, parent: str | None = None, **different: Any) -> Office:
    """An office that receives here since 2020."""
    return replace(Office(code, f"UBND {code}", parent, Channel.LOCAL, date(2020, 1, 1)), **different)


def document(state: DocumentState = DocumentState.DRAFT, **different: Any) -> Document:
    """A document of `OFFICE`, written by `OFFICER`, to be signed by `LEADER`."""
    made = Document(
        id="doc_1", office=OFFICE, author=OFFICER.id, type="QĐ", subject="Về việc tiếp công dân", signer=LEADER.id,
        signer_name="Nguyễn Văn An", urgency=Urgency.NORMAL, secrecy=Secrecy.UNCLASSIFIED, state=state, version=1,
        revision=1, chain=1, number=None, places={}, created_at=AT, changed_at=AT,
    )  # fmt: skip
    return replace(made, **different)


def delivery(state: DeliveryState = DeliveryState.CONSIGNED, **different: Any) -> Delivery:
    """A delivery from `OFFICE` to `OTHER`."""
    made = Delivery("dlv_1", "con_1", "doc_1", OFFICE, OTHER, Channel.LOCAL, state, 1, AT)
    return replace(made, **different)


def number(state: str = "taken", **different: Any) -> Number:
    """Number 7 of the decisions of 2026."""
    made = Number("num_1", "ser_1", OFFICE, 2026, 7, "07/QĐ-UBND", DAY, state, "doc_1")
    return replace(made, **different)


def reading(mark: str | None = None) -> PageReading:
    """What page one of an ordinary letter says."""
    return PageReading(PLACES, 1, "QĐ", "Về việc tiếp công dân", "/QĐ-UBND", "Nguyễn Văn An", "Chủ tịch", mark)


def file(name: str = "quyet-dinh.pdf", content: bytes = b"%PDF-1.7") -> FileRef:
    """Some bytes by name and digest; they need not be kept anywhere."""
    return FileRef(hashlib.sha256(content).hexdigest(), len(content), "application/pdf", name)


def signature(field: str, certificate: bytes, verdict: Verdict = Verdict.VALID) -> SignatureReport:
    """What the verifier says about one good signature."""
    indication = {"valid": Indication.TOTAL_PASSED, "invalid": Indication.TOTAL_FAILED}.get(
        verdict, Indication.INDETERMINATE
    )
    return SignatureReport(
        field=field, kind="signature", verdict=verdict, indication=indication, sub_indication=None, level="B-LT",
        signer="Nguyễn Văn An", office="UBND", office_code=OFFICE, purpose="person", world="pilot",
        certificate_sha256=fingerprint(certificate), claimed_at=AT, proven_at=AT, covers_whole_file=True, changes=(),
        findings=(),
    )  # fmt: skip


def led(**different: Any) -> Report:
    """The report on a file with the leader's good signature."""
    made = Report(
        file_sha256=file().sha256, file_size=8, at=AT, verdict=Verdict.VALID, indication=Indication.TOTAL_PASSED,
        sub_indication=None, two_signatures=TwoSignatures.INCOMPLETE, office_match=OfficeMatch.MATCH, number=None,
        date=None, pages=1, signatures=(signature(LEADER_FIELD, LEADER_CERTIFICATE),), findings=(),
        inputs_sha256="00" * 32,
    )  # fmt: skip
    return replace(made, **different)


def sealed(**different: Any) -> Report:
    """The report on a file with the leader's signature and the office's seal, both good."""
    both = (signature(LEADER_FIELD, LEADER_CERTIFICATE), signature(SEAL_FIELD, SEAL_CERTIFICATE))
    return led(**{"two_signatures": TwoSignatures.COMPLETE, "signatures": both, "number": "01/QĐ-UBND"} | different)


def signed_file(report: Report, certificate: bytes, content: bytes) -> SignedFile:
    """A finished file as the work hands it to the act."""
    made = file(content=content)
    here = replace(report, file_sha256=made.sha256, file_size=made.size)
    return SignedFile(made, certificate, here, stored_report(here, AT))


def arrival_report() -> StoredReport:
    """What the check on arrival found about `file()`."""
    return stored_report(sealed(), AT)
