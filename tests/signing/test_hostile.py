"""Files made to cost too much or to lead in circles: each ends in a named answer of the limited process, never in a
hang, and the next honest file is served as if nothing had been.

Nests, bombs and crowds that are also attacks on a verdict stand in `test_attacks.py`.
"""

import io
import re
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pikepdf import Dictionary, Name

from keys.authority import PilotAuthority
from keys.model import RevocationData, TrustMaterial
from signing.errors import NotAPdf, PdfTooComplex
from signing.intake import MOST_CONTENTS, MOST_REVISIONS, MOST_SIGNATURES
from signing.model import Report, Verdict
from signing.report import report_json
from signing.sandbox import Sandbox
from signing.verify import verify_pdf
from tests.fixtures.pilot import LEADER_NAME, OFFICE_CODE, OFFICE_NAME
from tests.vectors.attacks import credentials, make
from tests.vectors.attacks.credentials import Holder
from tests.vectors.attacks.make import CONTENT, FONT, FORM, METADATA, NUMBER, PAGES, appended, latest

Hostile = Callable[[bytes], bytes]
FOUND = Path(__file__).parents[1] / "vectors" / "fuzz"
ANSWERED_IN = 20
"""Seconds of computing that the limited process of these tests has."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    one = Sandbox(workers=1, cpu_seconds=ANSWERED_IN, wall_seconds=120)
    yield one
    one.close()


@pytest.fixture(scope="module")
def signed(steps: dict[str, bytes]) -> bytes:
    """A letter as its leader signed it."""
    return steps["led"]


@pytest.fixture(scope="module")
def plain_signed(authority: PilotAuthority, private_key: rsa.RSAPrivateKey) -> bytes:
    """A letter whose objects are all plain and numbered, rightly signed: fields may be filled, nothing else."""
    at = datetime.now(UTC).replace(microsecond=0)
    der = authority.person(
        LEADER_NAME, OFFICE_NAME, OFFICE_CODE, "Chủ tịch", private_key.public_key(), at - timedelta(hours=2)
    )
    return credentials.signed(make.letter(), Holder(private_key, der, authority.chain), at, permission=2)


def answer(sandbox: Sandbox, pdf: bytes, trust: TrustMaterial | None = None) -> Report | str:
    """The report, or the code of the refusal; an error of our own code is no answer and fails the test."""
    at = datetime.now(UTC) + timedelta(minutes=1)
    try:
        return sandbox.run(verify_pdf, pdf, at=at, trust=trust or TrustMaterial(()), revocation=RevocationData())
    except (NotAPdf, PdfTooComplex) as refused:
        if refused.__cause__ is not None and isinstance(refused, NotAPdf):
            pytest.fail(f"the verifier stumbled: {refused.__cause__}")
        return refused.code


# -- circles --


def previous_section_is_itself(pdf: bytes) -> bytes:
    out = appended(pdf, {})
    return re.sub(rb"/Prev \d+>>(?=\s+startxref\s+\d+\s+%%EOF\s*$)", b"/Prev %d>>" % make.startxref(out), out)


def previous_sections_in_a_circle(pdf: bytes) -> bytes:
    """The second newest section names the newest as the one before it."""
    one = appended(pdf, {METADATA: latest(pdf, METADATA)}, previous=10**7)
    two = appended(one, {METADATA: latest(pdf, METADATA)})
    return two.replace(b"/Prev %d" % 10**7, b"/Prev %08d" % make.startxref(two))


def stream_section_is_its_own_hybrid(pdf: bytes) -> bytes:
    number = make.size_of(pdf)
    place = len(pdf)
    words = b"/Size %d/Root 1 0 R/Prev %d/XRefStm %d" % (number + 1, make.startxref(pdf), place)
    out = pdf + make.xref_stream(number, {number: (1, place, 0)}, words)
    return out + b"startxref\n%d\n%%%%EOF\n" % place


def page_tree_is_its_own_child(pdf: bytes) -> bytes:
    return appended(pdf, {PAGES: b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2/Parent 2 0 R>>"})


def page_tree_in_a_circle(pdf: bytes) -> bytes:
    n = make.size_of(pdf)
    inner = b"<</Type/Pages/Kids[%d 0 R %d 0 R]/Count 9/Parent 2 0 R>>"
    return appended(pdf, {PAGES: inner % (n, n), n: inner % (PAGES, PAGES)})


def object_is_itself(pdf: bytes) -> bytes:
    return appended(pdf, {CONTENT: b"5 0 R", FORM: b"7 0 R", METADATA: b"<</Length 21 0 R>>\nstream\nx\nendstream"})


def fields_are_their_own_children(pdf: bytes) -> bytes:
    n = make.size_of(pdf)
    loop = b"<</T(a)/Kids[%b]/Parent %d 0 R>>" % (b"%d 0 R " % n * 8, n)
    return appended(pdf, {FORM: make.changed(latest(pdf, FORM), b"[9 0 R", b"[%d 0 R 9 0 R" % n), n: loop})


def fields_are_their_own_children_and_one_is_filled(pdf: bytes) -> bytes:
    n = make.size_of(pdf)
    filled = make.filled(pdf)
    loop = b"<</T(so_ky_hieu)/Kids[%b]>>" % (b"%d 0 R " % (n + 9) * 8)
    form = make.changed(latest(pdf, FORM), b"[9 0 R", b"[%d 0 R 9 0 R" % (n + 9))
    return appended(filled, {FORM: form, n + 9: loop})


def container_holds_itself(pdf: bytes) -> bytes:
    """The cross-reference stream says that an object stream lies in itself."""
    n = make.size_of(pdf)
    words = b"/Size %d/Root 1 0 R/Prev %d" % (n + 2, make.startxref(pdf))
    places = {n: (2, n, 0), n + 1: (1, len(pdf), 0), FORM: (2, n, 0)}
    return pdf + make.xref_stream(n + 1, places, words) + b"startxref\n%d\n%%%%EOF\n" % len(pdf)


# -- bombs --


def codes_of_a_font_without_end(pdf: bytes) -> bytes:
    """The font of a filled field says what four thousand million codes mean."""
    n = make.size_of(pdf) + 5
    table = b"1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange"
    font = b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/ToUnicode %d 0 R>>" % n
    return appended(make.filled(pdf), {n: make.stream(table), FONT: font})


def font_without_letters(pdf: bytes) -> bytes:
    """The font of a filled field has a map that leads to nothing."""
    n = make.size_of(pdf) + 5
    table = b"1 beginbfrange <00> <01> <> endbfrange 1 beginbfrange <00> <01> <0> endbfrange"
    font = b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/ToUnicode %d 0 R>>" % n
    return appended(make.filled(pdf), {n: make.stream(table), FONT: font})


def look_that_cannot_be_unpacked(pdf: bytes) -> bytes:
    """The appearance of a filled field is no Flate stream although it says so."""
    out = make.filled(pdf)
    place = int(re.findall(rb"/AP<</N (\d+) 0 R", latest(out, NUMBER))[-1])
    bad = make.stream(b"\x00\xff" * 40, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Filter/FlateDecode")
    return appended(out, {place: bad})


def filters_upon_filters(pdf: bytes) -> bytes:
    data, filters = b" " * (40 << 20), b"/FlateDecode" * 40
    for _ in range(40):
        data = zlib.compress(data, 1)
    return appended(pdf, {METADATA: make.stream(data, b"/Type/Metadata/Subtype/XML/Filter[%b]" % filters)})


def proof_beyond_all_numbers(pdf: bytes) -> bytes:
    """A stream of the long-term data says a length that no machine can count to."""
    long = b"<</Length 9223372036854775808>>\nstream\nx\nendstream"
    return appended(make.with_proof(pdf, b"0", kind=b"OCSPs"), {make.size_of(pdf) + 1: long})


def proof_with_an_unknown_filter(pdf: bytes) -> bytes:
    odd = make.stream(b"x", b"/Filter/Unheard")
    return appended(make.with_proof(pdf, b"0", kind=b"OCSPs"), {make.size_of(pdf) + 1: odd})


def pages_beyond_all_numbers(pdf: bytes) -> bytes:
    return appended(pdf, {PAGES: make.changed(latest(pdf, PAGES), b"/Count 2", b"/Count 9223372036854775808")})


def pages_below_nothing(pdf: bytes) -> bytes:
    return appended(pdf, {PAGES: make.changed(latest(pdf, PAGES), b"/Count 2", b"/Count -2")})


def section_for_a_thousand_million_objects(pdf: bytes) -> bytes:
    """A cross-reference stream of 60 bytes that says it names so many objects."""
    place, n = len(pdf), make.size_of(pdf)
    words = b"/Type/XRef/W[0 0 0]/Index[0 1000000000]/Size 1000000000/Root 1 0 R/Prev %d" % make.startxref(pdf)
    return pdf + b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (n, make.stream(b"", words), place)


def table_for_a_thousand_million_objects(pdf: bytes) -> bytes:
    table = b"xref\n0 1000000000\n0000000000 65535 f \ntrailer\n<</Size 9/Root 1 0 R/Prev %d>>\n" % make.startxref(pdf)
    return pdf + table + b"startxref\n%d\n%%%%EOF\n" % len(pdf)


def signatures_out_of_sight(pdf: bytes) -> bytes:
    """150 signed fields inside a compressed object stream, where no count of raw bytes sees them."""
    first = make.size_of(pdf)
    numbers = range(first, first + 150)
    entry = b"<</FT/Sig/T(s%d)/V<</Type/Sig/SubFilter/ETSI.CAdES.detached/ByteRange[0 1 2 3]/Contents<00>>>>>"
    form = make.changed(latest(pdf, FORM), b"[9 0 R", b"[%b 9 0 R" % b" ".join(b"%d 0 R" % n for n in numbers))
    bodies = [entry % n for n in numbers]
    heads, at = b"", 0
    for n, body in zip(numbers, bodies, strict=True):
        heads, at = heads + b"%d %d " % (n, at), at + len(body) + 1
    packed = zlib.compress(heads + b"\n".join(bodies))
    words = b"/Type/ObjStm/N 150/First %d/Filter/FlateDecode" % len(heads)
    holder, out = first + 150, pdf
    places: dict[int, tuple[int, int, int]] = {n: (2, holder, i) for i, n in enumerate(numbers)}
    for number, body in ((holder, make.stream(packed, words)), (FORM, form)):
        places[number] = (1, len(out), 0)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    words = b"/Size %d/Root 1 0 R/Prev %d" % (holder + 2, make.startxref(pdf))
    places[holder + 1] = (1, len(out), 0)
    return out + make.xref_stream(holder + 1, places, words) + b"startxref\n%d\n%%%%EOF\n" % len(out)


CIRCLES: list[Hostile] = [
    previous_section_is_itself, previous_sections_in_a_circle, stream_section_is_its_own_hybrid,
    page_tree_is_its_own_child, page_tree_in_a_circle, object_is_itself, fields_are_their_own_children,
    fields_are_their_own_children_and_one_is_filled, container_holds_itself,
]  # fmt: skip
BOMBS: list[Hostile] = [
    codes_of_a_font_without_end, font_without_letters, look_that_cannot_be_unpacked, filters_upon_filters,
    table_for_a_thousand_million_objects, section_for_a_thousand_million_objects, signatures_out_of_sight,
]  # fmt: skip
NUMBERS: list[Hostile] = [
    proof_beyond_all_numbers, proof_with_an_unknown_filter, pages_beyond_all_numbers, pages_below_nothing,
]  # fmt: skip


@pytest.mark.parametrize("hostile", [*CIRCLES, *BOMBS, *NUMBERS], ids=lambda one: one.__name__)
def test_a_hostile_file_is_answered_by_name_and_never_called_valid(
    hostile: Hostile, plain_signed: bytes, sandbox: Sandbox
) -> None:
    said = answer(sandbox, hostile(plain_signed))
    if isinstance(said, Report):
        assert said.verdict is not Verdict.VALID
        assert said.findings
        assert report_json(said)


def test_a_section_that_names_more_than_it_holds_does_not_hide_what_was_signed_before_it(
    plain_signed: bytes, sandbox: Sandbox
) -> None:
    said = answer(sandbox, section_for_a_thousand_million_objects(plain_signed))
    assert isinstance(said, Report)
    assert [finding.code for finding in said.signatures[0].findings][:1] == ["later-part-unreadable"]


@pytest.mark.parametrize(
    "hostile", [font_without_letters, look_that_cannot_be_unpacked, codes_of_a_font_without_end],
    ids=lambda one: one.__name__,
)  # fmt: skip
def test_a_field_that_cannot_be_read_does_not_hide_the_signature(
    hostile: Hostile, plain_signed: bytes, sandbox: Sandbox
) -> None:
    said = answer(sandbox, hostile(plain_signed))
    assert isinstance(said, Report)
    assert len(said.signatures) == 1


def test_the_next_honest_file_is_served_as_if_nothing_had_been(
    plain_signed: bytes, signed: bytes, sandbox: Sandbox, trust: TrustMaterial
) -> None:
    before = answer(sandbox, signed, trust)
    threads = [
        threading.Thread(target=answer, args=(sandbox, hostile(plain_signed)))
        for hostile in (previous_section_is_itself, page_tree_in_a_circle, signatures_out_of_sight)
    ]
    for thread in threads:
        thread.start()
    after = answer(sandbox, signed, trust)
    for thread in threads:
        thread.join()
    assert isinstance(before, Report)
    assert isinstance(after, Report)
    assert [s.verdict for s in after.signatures] == [s.verdict for s in before.signatures]


@pytest.mark.parametrize("file", sorted(FOUND.glob("*.pdf")), ids=lambda file: file.stem)
def test_what_the_fuzzer_found_is_answered_with_its_signatures(file: Path, sandbox: Sandbox) -> None:
    said = answer(sandbox, file.read_bytes())
    assert isinstance(said, Report)
    assert said.verdict is not Verdict.VALID
    assert said.signatures
    if "filled-field" in file.stem:
        assert "value-picture-differ" in {change.what for one in said.signatures for change in one.changes}


# -- limits: what would cost too much is not begun --


def revisions(pdf: bytes) -> bytes:
    for _ in range(MOST_REVISIONS):
        pdf = appended(pdf, {})
    return pdf


def signatures(pdf: bytes) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        value = signature_of(document)
        for n in range(MOST_SIGNATURES):
            field = Dictionary(FT=Name.Sig, T=f"Them{n}", V=value, Rect=[0, 0, 0, 0], Subtype=Name.Widget)
            document.Root.AcroForm.Fields.append(document.make_indirect(field))
        document.save(out)
    return out.getvalue()


def contents(pdf: bytes) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        signature_of(document).Contents = pikepdf.String(b"\x30" * (MOST_CONTENTS // 2 + 1))
        document.save(out)
    return out.getvalue()


def signature_of(document: pikepdf.Pdf) -> pikepdf.Object:
    return next(field.V for field in document.Root.AcroForm.Fields if "/V" in field and Name.Sig == field.FT)


@pytest.mark.parametrize("limit", [revisions, signatures, contents], ids=lambda one: one.__name__)
def test_a_file_over_a_limit_is_unknown_and_says_which_before_any_signature_is_judged(
    limit: Hostile, plain_signed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signing._pyhanko.judging._judge_all", lambda *_: pytest.fail("it was judged"))
    assert over_limit_of(limit(plain_signed)) == {"what": limit.__name__}


def test_too_many_revisions_are_seen_before_any_parser_meets_them(
    plain_signed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signing.verify._look", lambda *_: pytest.fail("a parser met it"))
    assert over_limit_of(revisions(plain_signed)) == {"what": "revisions"}


def over_limit_of(pdf: bytes) -> Mapping[str, str]:
    report = verify_pdf(pdf, at=datetime.now(UTC), trust=TrustMaterial(()), revocation=RevocationData())
    assert report.verdict is Verdict.UNKNOWN
    assert report.inputs_sha256
    (finding,) = report.findings
    assert finding.code == "over-limit"
    return finding.gaps
