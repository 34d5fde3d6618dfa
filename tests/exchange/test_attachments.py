"""The rows of separate attachments, on both databases: order, marks, and what may not happen between."""

import pytest

from exchange.acts import attach, issue
from exchange.errors import (
    AttachmentUnsigned,
    NotFound,
    SealWrongOffice,
    SignatureUnknown,
    StateChanged,
    TooManyAttachments,
    TypeNotAllowed,
    WrongState,
)
from exchange.rules.attachments import MOST_ATTACHMENTS, media_type_of, require_uploadable
from exchange.rules.model import FileRef
from signing.model import ATTACHMENT_FIELD, OfficeMatch, TwoSignatures, Verdict
from tests.exchange.values import (
    CLERK,
    LEADER_CERTIFICATE,
    OFFICER,
    SEAL_CERTIFICATE,
    file,
    led,
    sealed,
    signature,
    signed_file,
)


def pdf(n: int) -> FileRef:
    return file(f"phu-luc-{n}.pdf", f"attachment {n}".encode())


def marked(**different):
    """A good mark of the office on an attachment."""
    one = (signature(ATTACHMENT_FIELD, SEAL_CERTIFICATE),)
    return led(**{"signatures": one, "two_signatures": TwoSignatures.NOT_REQUIRED} | different)


def numbered(walk, *files: FileRef):
    here = walk.do("draft")
    with walk.parts.write() as writing:
        for one in files:
            here, _ = attach.attach(writing.tx, OFFICER, here.id, here.version, one, at=walk.at())
    for act in ("submit", "sign", "number"):
        here = walk.do(act, here)
    return here


def mark(walk, here, one, report=None, certificate=SEAL_CERTIFICATE):
    made = signed_file(report or marked(), certificate, f"marked {one.id}".encode())
    with walk.parts.write() as writing:
        return attach.seal_attachment(writing.tx, CLERK, here.id, here.version, one.id, made, at=walk.at())


def attached(walk, here):
    with walk.parts.read() as reading:
        return reading.exchange.attachments(here.id)


def seal(walk, here):
    made = signed_file(sealed(), SEAL_CERTIFICATE, f"sealed {here.id}".encode())
    with walk.parts.write() as writing:
        return issue.seal(writing.tx, CLERK, here.id, here.version, made, at=walk.at())[0]


def test_no_seal_before_every_pdf_has_its_mark_and_none_for_what_is_no_pdf(walk):
    sheet = FileRef("ab" * 32, 5, "text/csv", "a.csv")
    here = numbered(walk, pdf(1), sheet, pdf(2))
    first, _, second = attached(walk, here)
    for one in (first, second):
        with pytest.raises(AttachmentUnsigned) as refused:
            seal(walk, here)
        assert one.file.name in refused.value.sentence("vi")
        mark(walk, here, one)
    assert seal(walk, here).state == "sealed"
    assert [one.sealed is not None for one in attached(walk, here)] == [True, False, True]


def test_a_mark_is_made_once(walk):
    here = numbered(walk, pdf(1))
    (one,) = attached(walk, here)
    mark(walk, here, one)
    with pytest.raises(StateChanged):
        mark(walk, here, one)


@pytest.mark.parametrize(
    ("report", "certificate", "error"),
    [
        (sealed(), SEAL_CERTIFICATE, AttachmentUnsigned),
        (marked(verdict=Verdict.UNKNOWN), SEAL_CERTIFICATE, SignatureUnknown),
        (marked(office_match=OfficeMatch.MISMATCH), SEAL_CERTIFICATE, SealWrongOffice),
        (marked(), LEADER_CERTIFICATE, SealWrongOffice),
    ],
    ids=["no mark", "unknown", "another office", "another certificate"],
)
def test_a_mark_that_is_not_the_offices_own_and_valid_counts_for_nothing(walk, report, certificate, error):
    here = numbered(walk, pdf(1))
    (one,) = attached(walk, here)
    with pytest.raises(error):
        mark(walk, here, one, report, certificate)
    assert attached(walk, here) == [one]


def test_the_mark_of_a_document_that_went_back_is_void_with_its_number(walk):
    here = numbered(walk, pdf(1))
    (one,) = attached(walk, here)
    mark(walk, here, one)
    back = walk.do("return_", here)
    assert attached(walk, here) == [one]
    with pytest.raises(WrongState):
        mark(walk, back, one)
    with walk.parts.write() as writing, pytest.raises(StateChanged):
        writing.tx.store.hold_document(here)
    with walk.parts.read() as reading, pytest.raises(NotFound):
        attach.own(reading.exchange, CLERK, here.id, "att_none")


def test_there_is_an_end_to_attaching(walk):
    here = walk.do("draft")
    with walk.parts.write() as writing:
        for n in range(MOST_ATTACHMENTS):
            here, _ = attach.attach(writing.tx, OFFICER, here.id, here.version, pdf(n), at=walk.at())
    with pytest.raises(TooManyAttachments), walk.parts.write() as writing:
        attach.attach(writing.tx, OFFICER, here.id, here.version, pdf(999), at=walk.at())


@pytest.mark.parametrize("name", ["a.exe", "a", "a.docm", "a.pdf.js", "a.html", "a.svg"])
def test_programs_and_pages_are_not_attached(name):
    with pytest.raises(TypeNotAllowed):
        media_type_of(name)
    with pytest.raises(TypeNotAllowed):
        require_uploadable(name, "text/html")
