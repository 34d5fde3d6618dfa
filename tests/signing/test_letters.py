"""Letters as they really come: whatever program made them, they get their fields, look as before and end up sealed."""

import io
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import ImageChops

from keys.model import RevocationData
from signing.errors import AlreadySigned
from signing.model import DATE_FIELD, LEADER_FIELD, NUMBER_FIELD, SEAL_FIELD, TwoSignatures, Verdict
from signing.place import GUESSED, read_page_one
from signing.prepare import prepare_document, sheet_of
from signing.sandbox import Sandbox
from signing.verify import verify_pdf
from tests.fixtures.letters import LETTERS, draw_letter, heavy, letter_bytes, rewritten, scanned

FIELDS = [NUMBER_FIELD, DATE_FIELD, LEADER_FIELD, SEAL_FIELD]
every_letter = pytest.mark.parametrize("name", LETTERS)


@pytest.fixture(scope="module")
def prepared():
    """`prepared(name)`: one of the letters with its fields, made once."""
    made = {}

    def prepare(name):
        if name not in made:
            made[name] = prepare_document(letter_bytes(name))
        return made[name]

    return prepare


def sheets(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return [sheet_of(page) for page in document.pages]


def views(prepared):
    """The four places in the view of their pages, by the field's name."""
    of_page = sheets(prepared.pdf)
    places = prepared.reading.places
    named = zip(FIELDS, (places.number, places.date, places.signature, places.seal), strict=True)
    return {name: of_page[place.page].box_to_view(place.box) for name, place in named}


def words_in(pdf, page, box):
    """What the page prints in a box of its view, without dots and blanks."""
    document = pdfium.PdfDocument(pdf)
    sheet, text = sheets(pdf)[page], document[page].get_textpage()
    x1, y1, x2, y2 = sheet.box_to_page(box)
    said = unicodedata.normalize("NFC", text.get_text_bounded(x1, y1, x2, y2))
    return re.sub(r"[\s.…_]", "", said)


def drawn(pdf, page, width=620):
    document = pdfium.PdfDocument(pdf)
    document.init_forms()
    one = document[page]
    return one.render(scale=width / one.get_width(), may_draw_forms=True).to_pil().convert("RGB")


# --- fields and places ---


@every_letter
def test_every_letter_gets_four_fields_in_one_plain_revision(prepared, name):
    pdf = prepared(name).pdf
    assert pdf.count(b"startxref") == 1
    assert b"/ObjStm" not in pdf
    assert b"/XRefStm" not in pdf
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert [str(field.T) for field in document.Root.AcroForm.Fields] == FIELDS
        assert len(document.pages) == LETTERS[name].pages


@every_letter
def test_places_stand_on_the_right_page_and_say_how_sure_they_are(prepared, name):
    letter, reading = LETTERS[name], prepared(name).reading
    places = reading.places
    assert (places.number.page, places.date.page) == (0, 0)
    assert (places.signature.page, places.seal.page) == (letter.signed_on, letter.signed_on)
    assert (reading.notation, reading.signer) == (letter.notation, letter.signer)
    sure = {places.number.confidence, places.date.confidence, places.signature.confidence, places.seal.confidence}
    assert sure == ({0.9} if letter.signer else {0.3} if not letter.read else {0.3, GUESSED})


@every_letter
def test_the_seal_is_36_mm_and_covers_the_left_third_of_the_signature(prepared, name):
    boxes = views(prepared(name))
    (left, low, right, high), seal = boxes[LEADER_FIELD], boxes[SEAL_FIELD]
    assert (seal[2] - seal[0], seal[3] - seal[1]) == (pytest.approx(36 * 72 / 25.4, abs=0.01),) * 2
    assert (seal[2] - left) / (right - left) == pytest.approx(1 / 3, abs=0.01)
    assert (seal[1] + seal[3]) / 2 == pytest.approx((low + high) / 2, abs=0.01)


@pytest.mark.parametrize("name", [name for name, one in LETTERS.items() if one.signer])
def test_what_was_read_off_the_page_hides_no_word(prepared, name):
    boxes, letter = views(prepared(name)), LETTERS[name]
    pdf = prepared(name).pdf
    assert words_in(pdf, letter.signed_on, boxes[LEADER_FIELD]) == ""
    assert words_in(pdf, 0, boxes[NUMBER_FIELD]).lstrip(":") == f"/{letter.notation}"
    assert re.fullmatch(r"CưM['’]gar,ngàythángnăm2026", words_in(pdf, 0, boxes[DATE_FIELD]))


@every_letter
def test_a_letter_looks_the_same_with_its_fields(prepared, name):
    letter, before, after = LETTERS[name], letter_bytes(name), prepared(name).pdf
    for page in sorted({0, letter.signed_on, letter.pages - 1}):
        one, other = drawn(before, page), drawn(after, page)
        assert one.size == other.size
        assert ImageChops.difference(one, other).getbbox() is None, f"page {page + 1}"


def test_a_page_with_a_unit_of_its_own_is_drawn_in_points(prepared):
    """Otherwise a seal of 36 mm would be one of 72 mm for readers that heed /UserUnit."""
    with pikepdf.open(io.BytesIO(prepared("user-unit").pdf)) as document:
        assert "/UserUnit" not in document.pages[0].obj
    places, plain = prepared("user-unit").reading.places, prepare_document(draw_letter()).reading.places
    assert places.signature.box == pytest.approx(plain.signature.box, abs=0.1)
    assert places.date.box == pytest.approx(plain.date.box, abs=0.1)


def test_an_empty_last_page_is_not_signed_also_when_nothing_can_be_read(scan):
    def append(document):
        document.add_blank_page(page_size=(595, 842))

    places = read_page_one(rewritten(scan, append)).places
    assert (places.signature.page, places.seal.page) == (0, 0)


def test_a_subject_ends_where_the_body_begins(prepared):
    said = prepared("libreoffice").reading.subject
    assert said == "Kết luận cuộc họp giao ban tháng 02 năm 2026 về cải cách hành chính"


def test_a_document_is_signed_before_its_appendix_however_long_that_is():
    def append(document):
        for _ in range(30):
            document.pages.append(document.pages[1])

    long = rewritten(letter_bytes("xelatex"), append)
    reading = read_page_one(long)
    assert (reading.places.signature.page, reading.signer) == (0, "H'Lan Ê Ban")


# --- the whole way ---


@every_letter
def test_every_letter_ends_up_sealed_and_valid(prepared, desk, trust, name):
    number = f"15/{LETTERS[name].notation or 'QĐ-UBND'}"
    sealed = desk.issue_prepared(prepared(name).pdf, number)["stamped"]
    report = verify_pdf(sealed, at=datetime.now(UTC) + timedelta(minutes=1), trust=trust, revocation=RevocationData())
    assert (report.verdict, report.two_signatures) == (Verdict.VALID, TwoSignatures.COMPLETE), report.findings
    assert [s.kind for s in report.signatures] == ["signature", "signature", "timestamp"]
    assert (report.number, report.date) == (number, "Cư M'gar, ngày 05 tháng 3 năm 2026")
    assert report.pages == LETTERS[name].pages


def test_50_mb_are_prepared_signed_and_judged_within_the_limits_of_the_process(desk, trust):
    """The default limits: 1 536 MB of memory, 60 s."""
    letter = heavy(50)
    assert (50 << 20) - 100 < len(letter) <= 50 << 20
    sandbox = Sandbox()
    try:
        prepared = sandbox.run(prepare_document, letter)
        assert prepared.reading.signer == "Nguyễn Văn An"
        sealed = replace(desk, run=sandbox.run).issue_prepared(prepared.pdf)["stamped"]
        at = datetime.now(UTC) + timedelta(minutes=1)
        report = sandbox.run(verify_pdf, sealed, at=at, trust=trust, revocation=RevocationData())
    finally:
        sandbox.close()
    assert (report.verdict, report.two_signatures) == (Verdict.VALID, TwoSignatures.COMPLETE)


# --- what is drawn ---


def test_dots_do_not_show_through_what_is_written_on_them(desk, prepared):
    filled = desk.issue_prepared(prepared("xelatex").pdf)["numbered"]
    x1, y1, x2, y2 = views(prepared("xelatex"))[NUMBER_FIELD]
    strip = cut_out(filled, (x1 + 4, y1, (x1 + x2) / 2, y2))  # the left half: dots, and no number
    assert strip.getextrema()[0] > 200


def test_number_and_date_on_a_scan_stand_on_its_own_paper(desk):
    """A clerk put the boxes over what the paper shows: that would shine through, and white would be a patch on grey."""
    grey = rewritten(scanned(draw_letter()), darken)
    places = prepare_document(draw_letter()).reading.places
    steps = desk.issue_prepared(prepare_document(grey, places).pdf)
    for place in (places.number, places.date):
        before, after = (cut_out(steps[step], place.box) for step in ("led", "numbered"))
        assert ImageChops.subtract(after, before).getextrema()[1] > 100, "what was printed is gone"
        paper = max(after.getcolors())[1]
        assert 190 < paper < 215
        assert after.getextrema()[1] <= paper + 5, "no white patch"


@pytest.mark.parametrize("up", [6, -6])
def test_a_box_that_cuts_a_printed_line_hides_nothing_of_it(desk, up):
    """On a scan the standard place may lie anywhere: what the leader signed stays to be seen."""
    places = prepare_document(draw_letter()).reading.places
    cutting = replace(places, number=raised(places.number, up), date=raised(places.date, up))
    steps = desk.issue_prepared(prepare_document(scanned(draw_letter()), cutting).pdf)
    lighter = ImageChops.subtract(drawn(steps["numbered"], 0), drawn(steps["led"], 0))
    assert lighter.getbbox() is None


def raised(place, up):
    x1, y1, x2, y2 = place.box
    return replace(place, box=(x1, y1 + up, x2, y2 + up))


def darken(document):
    """Grey paper: a scanner's picture multiplied with a grey sheet."""
    page = document.pages[0]
    page.Resources.ExtGState = pikepdf.Dictionary(Dark=pikepdf.Dictionary(BM=pikepdf.Name.Multiply))
    page.contents_add(b"q /Dark gs 0.8 g 0 0 600 850 re f Q")


def cut_out(pdf, box):
    """What a reader sees in a box of an upright page one, in grey."""
    document = pdfium.PdfDocument(pdf)
    document.init_forms()
    width, height = document[0].get_size()
    crop = (box[0], box[1], width - box[2], height - box[3])
    return document[0].render(scale=3, crop=crop, may_draw_forms=True).to_pil().convert("L")


# --- files of third parties, where they are at hand ---


WORD = re.compile("Microsoft.* (Word|Excel)")


def uploads_made_by_word(corpora):
    """What Word wrote, before anybody signed it: the smallest whole first revision by each of its versions."""
    found = {}
    for file in sorted(corpora.rglob("*.pdf"), key=lambda one: one.stat().st_size):
        whole = file.read_bytes()
        ends = (end.end() for end in re.finditer(rb"%%EOF", whole))
        first = next((whole[:end] for end in ends if b"/XRefStm" in whole[:end]), b"/ByteRange")
        if b"/ByteRange" in first:
            continue
        with pikepdf.open(io.BytesIO(first)) as document:
            producer = str(document.docinfo.get("/Producer", ""))
        if WORD.search(producer):
            found.setdefault(producer, (file.name, first))
    return found.values()


def test_what_word_wrote_is_prepared_and_sealed(corpora, desk, trust):
    files = dict(uploads_made_by_word(corpora))
    assert len(files) >= 4
    for name, pdf in files.items():
        prepared = prepare_document(pdf).pdf
        assert ImageChops.difference(drawn(pdf, 0), drawn(prepared, 0)).getbbox() is None, name
        sealed = desk.issue_prepared(prepared)["stamped"]
        at = datetime.now(UTC) + timedelta(minutes=1)
        report = verify_pdf(sealed, at=at, trust=trust, revocation=RevocationData())
        assert (report.verdict, report.two_signatures) == (Verdict.VALID, TwoSignatures.COMPLETE), name
    with pytest.raises(AlreadySigned):
        prepare_document((corpora / "siva" / "PdfValidSingleSignature.pdf").read_bytes())
