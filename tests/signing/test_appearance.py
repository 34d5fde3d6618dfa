"""Signature, seal, number and date as two programs draw them: measured in millimetres and by colour (R38, R39)."""

import io
from datetime import UTC, datetime

import pytest
from PIL import Image, ImageStat

from signing._pyhanko.writing import make_hole
from signing.model import SEAL_FIELD, SignaturePurpose, SignIntent
from signing.prepare import prepare_document
from signing.sign import BYTES_RESERVED, finish_signature, prepare_signature
from signing.stamp import draw_seal_image
from tests.fixtures.letters import draw_letter, with_offset_boxes
from tests.fixtures.measured import DPI, by_pdfium, by_poppler, changed, hue

BLUE_HUES, RED_HUES = range(210, 236), (*range(340, 361), *range(16))
NAME_MIDDLE = 430 * 25.4 / 72
TITLE, NAME = ((842 - y) * 25.4 / 72 for y in (284 - 4, 190 + 10))
"""Below the title's letters, above the name's (`draw_letter`)."""
PAPERS = {
    "plain": draw_letter,
    "turned-90": lambda: draw_letter(rotate=90),
    "turned-180": lambda: draw_letter(rotate=180),
    "offset-turned-270": lambda: with_offset_boxes(draw_letter(rotate=270)),
}


@pytest.fixture(scope="module")
def issued(desk):
    """`issued(paper)`: every revision of a letter on its way, made once."""
    made = {}

    def issue(paper):
        if paper not in made:
            made[paper] = desk.issue(PAPERS[paper]())
        return made[paper]

    return issue


@pytest.fixture(params=["pdfium", "poppler"])
def seen(request, tmp_path, program):
    return by_pdfium if request.param == "pdfium" else by_poppler(tmp_path, program("pdftoppm"))


every_paper = pytest.mark.parametrize("paper", PAPERS)


@every_paper
def test_the_signature_is_blue_and_stands_in_the_middle_between_title_and_name(issued, seen, paper):
    before, after = seen(issued(paper)["prepared"]), seen(issued(paper)["led"])
    left, top, right, bottom = changed(before, after)
    assert (left + right) / 2 == pytest.approx(NAME_MIDDLE, abs=2.5)
    assert (top + bottom) / 2 == pytest.approx((TITLE + NAME) / 2, abs=4)
    assert TITLE <= top < bottom <= NAME, "it covers neither"
    most, share = hue(before, after)
    assert most in BLUE_HUES
    assert share > 0.95


@every_paper
def test_the_seal_is_red_of_36_mm_and_covers_the_left_third_of_the_signature(issued, seen, paper):
    steps = issued(paper)
    signature = changed(seen(steps["prepared"]), seen(steps["led"]))
    before, after = seen(steps["numbered"]), seen(steps["sealed"])
    left, top, right, bottom = changed(before, after)
    assert (right - left, bottom - top) == (pytest.approx(36, abs=0.9), pytest.approx(36, abs=0.9))
    assert left < signature[0]
    assert (right - signature[0]) / (signature[2] - signature[0]) == pytest.approx(1 / 3, abs=0.1)
    assert (top + bottom) / 2 == pytest.approx((TITLE + NAME) / 2, abs=1)
    most, share = hue(before, after)
    assert most in RED_HUES
    assert share > 0.9


@every_paper
def test_number_and_date_are_black_upright_and_on_their_line(issued, seen, paper):
    before, after = seen(issued(paper)["led"]), seen(issued(paper)["numbered"])
    left, top, right, bottom = changed(before, after)
    line = (842 - 735) * 25.4 / 72
    assert (top, bottom) == (pytest.approx(line - 3.2, abs=1), pytest.approx(line, abs=1))
    assert right - left > 80, "number and date stand beside each other"
    cut = tuple(round(side * DPI / 25.4) for side in (left, top, right, bottom))
    assert after.crop(cut).convert("L").getextrema()[0] < 60
    shades = ImageStat.Stat(after.crop(cut)).mean
    assert max(shades) - min(shades) < 3, "no colour; the fringes of letters cancel each other out"


@pytest.mark.parametrize(("millimetres", "library"), [(30, False), (34, False), (30, True)])
def test_a_seal_that_says_how_large_it_is_gets_no_larger(desk, millimetres, library):
    """Whichever of our two ways writes the revision."""
    out = io.BytesIO()
    picture = Image.open(io.BytesIO(draw_seal_image("UBND xã Cư M'gar")))
    picture.save(out, "PNG", dpi=(picture.width * 25.4 / millimetres,) * 2)
    before = prepare_document(draw_letter()).pdf
    at = datetime(2026, 3, 5, tzinfo=UTC)
    intent = SignIntent(SignaturePurpose.SEAL, SEAL_FIELD, out.getvalue(), "UBND", at)
    key = desk.seal
    if library:
        prepared = make_hole(before, intent, key.certificate, key.chain, reserved=BYTES_RESERVED)
    else:
        prepared = prepare_signature(before, intent, key.certificate, key.chain)
        assert prepared.planned
    signature = desk.seal.sign(prepared.attributes)
    after = finish_signature(prepared, signature=signature, certificate=desk.seal.certificate, chain=desk.seal.chain)
    left, top, right, bottom = changed(by_pdfium(before), by_pdfium(after))
    assert (right - left, bottom - top) == (pytest.approx(millimetres, abs=0.9),) * 2
    whole = changed(by_pdfium(before), by_pdfium(desk.sign(before, SignaturePurpose.SEAL)))
    assert right == pytest.approx(whole[2], abs=0.5), "the signature's left third stays covered"
    assert (top + bottom) / 2 == pytest.approx((whole[1] + whole[3]) / 2, abs=0.5)
