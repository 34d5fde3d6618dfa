"""What a Decree-30 letter says about itself."""

import pytest

from signing.errors import NotAPdf
from signing.place import SEAL_SIDE, Sheet, read_page_one, seal_beside


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_decision_is_read_however_its_page_is_turned(letter, rotate):
    reading = read_page_one(letter(rotate=rotate))
    assert reading.type == "QUYẾT ĐỊNH"
    assert reading.subject == "Về việc ban hành Quy chế tiếp công dân"
    assert reading.notation == "QĐ-UBND"
    assert (reading.signer, reading.position) == ("Nguyễn Văn An", "CHỦ TỊCH")
    assert reading.classified_mark is None
    places = reading.places
    assert {places.number.confidence, places.date.confidence, places.signature.confidence} == {0.9}


def test_an_official_letter_has_no_type_and_its_subject_stands_under_the_number(letter):
    reading = read_page_one(letter(kind=None, number="Số:       /UBND-VP"))
    assert reading.type is None
    assert reading.subject == "mời họp giao ban"
    assert reading.notation == "UBND-VP"


@pytest.mark.parametrize("mark", ["MẬT", "TỐI MẬT", "TUYỆT MẬT", "Mật"])
def test_a_secrecy_mark_on_its_own_is_seen(letter, mark):
    assert read_page_one(letter(mark=mark)).classified_mark == mark.upper()


@pytest.mark.parametrize("mark", ["HỎA TỐC", "Tiếp nhận mật khẩu"])
def test_other_words_are_no_secrecy_mark(letter, mark):
    assert read_page_one(letter(mark=mark)).classified_mark is None


def test_the_signer_is_looked_for_on_the_last_page(letter):
    reading = read_page_one(letter(pages=3))
    assert reading.pages == 3
    assert (reading.places.number.page, reading.places.signature.page, reading.places.seal.page) == (0, 2, 2)
    assert reading.signer == "Nguyễn Văn An"


def test_what_cannot_be_read_gets_the_standard_places_with_little_confidence(scan):
    reading = read_page_one(scan)
    assert reading.places.number.confidence == reading.places.seal.confidence == 0.3
    assert (reading.type, reading.notation, reading.signer) == (None, None, None)


def test_the_seal_keeps_its_real_size_at_the_edge_of_the_page():
    for signature in ((2.0, 2.0, 60.0, 40.0), (500.0, 800.0, 595.0, 842.0)):
        x1, y1, x2, y2 = seal_beside(signature, Sheet((0, 0, 595, 842), 0))
        assert (x2 - x1, y2 - y1) == (pytest.approx(SEAL_SIDE), pytest.approx(SEAL_SIDE))
        assert 0 <= x1 < x2 <= 595
        assert 0 <= y1 < y2 <= 842


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_view_and_page_are_inverse(rotation):
    sheet = Sheet((10, 20, 605, 862), rotation)
    assert sheet.to_page(*sheet.to_view(100, 200)) == pytest.approx((100, 200))
    assert sheet.holds(sheet.box_to_page((0, 0, sheet.width, sheet.height)))


def test_no_pdf_is_no_page():
    with pytest.raises(NotAPdf):
        read_page_one(b"%PDF-1.7 nothing")
