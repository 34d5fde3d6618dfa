"""Number, date, signature and seal as a reader sees them."""

import io
import subprocess
from datetime import date

import pikepdf
import pytest
from PIL import Image, ImageChops
from reportlab.pdfbase.pdfmetrics import stringWidth

from signing.errors import FieldMissing
from signing.model import DATE_FIELD, NUMBER_FIELD
from signing.pictures import page_picture
from signing.prepare import prepare_document
from signing.stamp import date_in_words, draw_seal_image, draw_signature_image, fill_number_date
from tests.fixtures.letters import letter_bytes, scanned
from tests.fixtures.measured import DPI, by_pdfium
from tests.fixtures.varied import SEEDS, varied

DAY = date(2026, 3, 5)


def fields(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return {str(f.T): (str(f.get("/V", "")), int(f.get("/Ff", 0))) for f in document.Root.AcroForm.Fields}


def said(pdf, tmp_path, program):
    file = tmp_path / "one.pdf"
    file.write_bytes(pdf)
    return subprocess.run(
        [program("pdftotext"), "-layout", file, "-"], capture_output=True, text=True, check=True
    ).stdout


def pixels(pdf, colour, *, width=1190):
    """The box (points of A4's view) around everything of about one colour on the lower half of page one."""
    picture = Image.open(io.BytesIO(page_picture(pdf, 0, width=width))).convert("RGB")
    scale, upper = width / 595.28, picture.height // 2
    near = None
    for channel, wanted in zip(picture.crop((0, upper, width, picture.height)).split(), colour, strict=True):
        close = channel.point([255 if abs(value - wanted) < 60 else 0 for value in range(256)])
        near = close if near is None else ImageChops.darker(near, close)
    left, top, right, bottom = near.getbbox()
    return left / scale, (top + upper) / scale, right / scale, (bottom + upper) / scale


def test_the_fields_hold_the_whole_number_and_date_and_cannot_be_changed(steps):
    got = fields(steps["numbered"])
    assert got[NUMBER_FIELD] == ("15/QĐ-UBND", 1)
    assert got[DATE_FIELD] == ("Cư M'gar, ngày 05 tháng 3 năm 2026", 1)


def test_the_letter_reads_as_if_it_had_been_printed_so(steps, tmp_path, program):
    words = " ".join(said(steps["numbered"], tmp_path, program).split())
    assert "Số: 15/QĐ-UBND" in words
    assert "Cư M'gar, ngày 05 tháng 3 năm 2026" in words


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("Số:        /QĐ-UBND", "Số: 1234/QĐ-UBND"),
        ("Số: ……../QĐ-UBND", "1234"),
        ("Số:", "Số: 1234/QĐ-UBND"),
        ("Số:        /UBND-VP", "1234/QĐ-UBND"),
    ],
)
def test_a_number_finds_its_place_in_every_common_blank(letter, tmp_path, program, printed, expected):
    prepared = prepare_document(letter(number=printed)).pdf
    filled = fill_number_date(prepared, number="1234/QĐ-UBND", date=DAY)
    assert expected in " ".join(said(filled, tmp_path, program).split())
    assert fields(filled)[NUMBER_FIELD][0] == "1234/QĐ-UBND"


def test_a_letter_that_prints_nothing_gets_number_and_date_at_the_standard_places(letter, tmp_path, program):
    prepared = prepare_document(letter(number="", day="")).pdf
    words = said(fill_number_date(prepared, number="15/QĐ-UBND", date=DAY, place_name="Buôn Đôn"), tmp_path, program)
    assert "15/QĐ-UBND" in words
    assert "Buôn Đôn, ngày 05 tháng 3 năm 2026" in words


SCANNED_DAYS = (
    "Cư M'gar, ngày       tháng      năm 2026",
    "Đắk Lắk, ngày ...... tháng ...... năm 2026",
    "Đắk Lắk, ngày ___ tháng ___ năm 2026",
    "Buôn Ma Thuột, ngày 04 tháng 3 năm 2026",
    "TP. Hồ Chí Minh, ngày     tháng     năm 2026",
    "ngày      tháng      năm 2026",
)


@pytest.mark.parametrize("day", SCANNED_DAYS)
@pytest.mark.parametrize("fax", [False, True])
def test_the_name_of_the_place_stays_on_a_scan(letter, day, fax):
    """Nobody can read it there, and nobody need: it stays as the paper shows it, and the date stands behind it."""
    places = prepare_document(letter(day=day)).reading.places
    prepared = prepare_document(scanned(letter(day=day), fax=fax), places).pdf
    filled = fill_number_date(prepared, number="15/QĐ-UBND", date=DAY)
    before, after = by_pdfium(prepared), by_pdfium(filled)
    left, _, right, _ = (round(side * DPI / 72) for side in places.date.box)
    town = stringWidth(day.partition("ngày")[0].rstrip(" "), "SerifI", 13) * DPI / 72
    top, bottom = (round((842 - side) * DPI / 72) for side in (places.date.box[3], places.date.box[1]))
    named = (left, top, left + round(town), bottom)
    if town:
        assert ImageChops.difference(before.crop(named), after.crop(named)).getbbox() is None
    new = ImageChops.difference(before, after).convert("L").crop((left, top, right, bottom)).getbbox()
    assert new[0] - town < 6 * DPI / 72
    assert fields(filled)[DATE_FIELD][0] == "ngày 05 tháng 3 năm 2026"


def test_the_name_of_the_place_is_in_the_value_where_a_machine_read_it():
    letter = next(one for one in map(varied, SEEDS) if one.special == "scan with text")
    filled = fill_number_date(prepare_document(letter.pdf).pdf, number="15/QĐ-UBND", date=DAY)
    assert fields(filled)[DATE_FIELD][0] == "Đắk Lắk, ngày 05 tháng 3 năm 2026"


def test_a_date_read_off_a_real_scan_is_written_on_its_paper_and_not_across_it(letter_of_a_scanner):
    prepared = prepare_document(letter_of_a_scanner)
    filled = fill_number_date(prepared.pdf, number="15/QĐ-UBND", date=DAY)
    gone = ImageChops.subtract(by_pdfium(filled), by_pdfium(prepared.pdf)).convert("L")
    x1, y1, x2, y2 = prepared.reading.places.date.box
    box = tuple(round(side * DPI / 72) for side in (x1, 842 - y2, x2, 842 - y1))
    assert gone.crop(box).getextrema()[1] > 100, "the dots are gone"
    assert fields(filled)[DATE_FIELD][0] == "ngày 05 tháng 3 năm 2026", "a name that was misread is none"


@pytest.fixture
def letter_of_a_scanner():
    return letter_bytes("scan-ocr")


def test_number_and_date_are_written_once(steps):
    with pytest.raises(FieldMissing):
        fill_number_date(steps["numbered"], number="16/QĐ-UBND", date=DAY)


def test_dates_are_written_as_decree_30_wants():
    assert date_in_words(date(2026, 1, 2)) == "ngày 02 tháng 01 năm 2026"
    assert date_in_words(date(2026, 2, 10)) == "ngày 10 tháng 02 năm 2026"
    assert date_in_words(date(2026, 12, 31), "Hà Nội") == "Hà Nội, ngày 31 tháng 12 năm 2026"


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_the_seal_is_36_mm_and_covers_the_left_third_of_the_signature(desk, letter, rotate):
    sealed = desk.issue(letter(rotate=rotate))
    signature = pixels(sealed["led"], (0, 51, 153))
    seal = pixels(sealed["sealed"], (206, 17, 38))
    width, height = seal[2] - seal[0], seal[3] - seal[1]
    assert width == pytest.approx(36 * 72 / 25.4, abs=2.5)
    assert height == pytest.approx(36 * 72 / 25.4, abs=2.5)
    covered = (seal[2] - signature[0]) / (signature[2] - signature[0])
    assert 0.2 < covered < 0.45
    assert seal[0] < signature[0]


def test_pictures_are_transparent_coloured_and_the_same_every_time():
    for draw, colour in ((draw_signature_image, (0, 51, 153)), (draw_seal_image, (206, 17, 38))):
        assert draw("Ủy ban nhân dân huyện Cư M'gar") == draw("Ủy ban nhân dân huyện Cư M'gar")
        assert draw("A") != draw("B")
        picture = Image.open(io.BytesIO(draw("A")))
        assert picture.mode == "RGBA"
        shades = {p for _, p in picture.getcolors(1 << 20)}
        assert {p[:3] for p in shades if p[3] == 255} == {colour}
        assert any(p[3] == 0 for p in shades)
