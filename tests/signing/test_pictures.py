"""Pages as pictures."""

import io

import pytest
from PIL import Image

from signing.errors import NotAPdf, PlaceInvalid
from signing.pictures import page_picture


def test_a_page_has_the_width_asked_for_and_shows_its_stamps(steps):
    before, after = (
        Image.open(io.BytesIO(page_picture(steps[step], 0, width=600))) for step in ("prepared", "stamped")
    )
    assert before.size == after.size
    assert before.width == 600
    assert before.convert("RGB").tobytes() != after.convert("RGB").tobytes()


@pytest.mark.parametrize("rotate", [90, 270])
def test_a_turned_page_is_shown_upright(letter, rotate):
    picture = Image.open(io.BytesIO(page_picture(letter(rotate=rotate), 0, width=600)))
    assert picture.height > picture.width


def test_no_side_gets_longer_than_4000_pixels(letter):
    assert max(Image.open(io.BytesIO(page_picture(letter(), 0, width=100_000))).size) <= 4001


def test_what_is_no_page_has_an_error(letter):
    with pytest.raises(PlaceInvalid):
        page_picture(letter(), 1, width=100)
    with pytest.raises(NotAPdf):
        page_picture(b"no pdf", 0, width=100)
