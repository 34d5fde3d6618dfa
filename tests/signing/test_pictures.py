"""Pages as pictures, and the signed revision beside the newest one."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pikepdf
import pytest
from PIL import Image

from keys.model import RevocationData
from signing.errors import NotAPdf, PlaceInvalid, SignedRevisionMissing
from signing.model import DATE_FIELD, LEADER_FIELD, NUMBER_FIELD, SEAL_FIELD, Change, Comparison
from signing.pictures import compare_pages, difference_pictures, filled_as_allowed, page_picture, signed_revision
from signing.sandbox import Sandbox
from signing.verify import verify_pdf
from tests.fixtures.letters import draw_letter

RED, GREEN = (208, 0, 0), (0, 128, 64)


# -- the parts --


def updated(pdf: bytes, change: Callable[[pikepdf.Pdf], pikepdf.Object]) -> bytes:
    """`pdf` and a further revision that holds the one object that `change` gives back."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        one = change(document)
        number, body = one.objgen[0], one.unparse(resolved=True)
        if isinstance(one, pikepdf.Stream):
            data = one.read_bytes()
            body = b"<</Length %d>>\nstream\n%s\nendstream" % (len(data), data)
        root, size = document.Root.objgen[0], int(document.trailer.Size)
    before = int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])
    written = b"%s\n%d 0 obj\n%s\nendobj\n" % (pdf, number, body)
    table = b"xref\n%d 1\n%010d 00000 n \n" % (number, len(pdf) + 1)
    end = b"trailer\n<</Size %d/Root %d 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (size, root, before, len(written))
    return written + table + end


def with_bar(pdf: bytes, x: int, y: int, page: int = 0) -> bytes:
    """A later revision whose page content draws a black bar, 80 points wide and 12 high, at a place."""

    def draw(document: pikepdf.Pdf) -> pikepdf.Object:
        content = document.pages[page].Contents
        last = content[-1] if isinstance(content, pikepdf.Array) else content
        last.write(last.read_bytes() + b"\n0 g %d %d 80 12 re f\n" % (x, y))
        return last

    return updated(pdf, draw)


def entry(value: object, key: str, of: Callable[[pikepdf.Pdf], pikepdf.Object]) -> Callable[[pikepdf.Pdf], object]:
    def put(document: pikepdf.Pdf) -> pikepdf.Object:
        one = of(document)
        one[key] = value(document) if callable(value) else value
        return one

    return put


def fields_of(comparison: Comparison) -> list[set[str | None]]:
    return [{area.field for area in difference.areas} for difference in comparison.differences]


def colours(png: bytes) -> set[tuple[int, int, int]]:
    return {colour for _, colour in Image.open(io.BytesIO(png)).getcolors(1 << 24)}


@pytest.fixture(scope="module")
def check(trust, authority):
    def verdict_on(pdf):
        at = datetime.now(UTC) + timedelta(seconds=5)
        fresh = RevocationData(crls=(authority.crl(at), authority.root_crl(at)))
        return verify_pdf(pdf, at=at, trust=trust, revocation=fresh)

    return verdict_on


@pytest.fixture(scope="module")
def report(steps, check):
    return check(steps["stamped"])


@pytest.fixture(scope="module")
def led(steps, report):
    """The letter as the leader signed it: number, date and seal still empty."""
    return signed_revision(steps["stamped"], report, LEADER_FIELD)


# -- one page --


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


# -- the signed revision as a file --


def test_the_signed_revision_is_the_file_that_the_signature_covers_whole(steps, check, report, led):
    assert steps["stamped"].startswith(led)
    alone = check(led).signatures
    assert [(one.field, one.covers_whole_file, one.changes) for one in alone] == [(LEADER_FIELD, True, ())]
    sealed = signed_revision(steps["stamped"], report, SEAL_FIELD)
    assert len(led) < len(sealed) < len(steps["stamped"])
    assert [one.covers_whole_file for one in check(sealed).signatures] == [False, True]


def test_a_signature_over_no_whole_revision_has_no_signed_file(steps, check):
    outside = steps["led"].replace(b"/ByteRange [0 ", b"/ByteRange [1 ")
    assert outside != steps["led"]
    with pytest.raises(SignedRevisionMissing):
        signed_revision(outside, check(outside), LEADER_FIELD)


def test_bytes_that_were_changed_are_not_given_out_as_signed(steps, check):
    pdf = bytearray(steps["stamped"])
    pdf[pdf.index(b"stream\n", len(steps["prepared"]) // 10) + 12] ^= 1
    with pytest.raises(SignedRevisionMissing):
        signed_revision(bytes(pdf), check(bytes(pdf)), LEADER_FIELD)


def test_a_field_that_nobody_signed_has_no_signed_file(steps, report):
    with pytest.raises(SignedRevisionMissing):
        signed_revision(steps["stamped"], report, NUMBER_FIELD)


# -- both revisions beside each other --


def test_number_date_and_seal_are_all_that_a_sealed_letter_shows_anew(steps, report, led):
    comparison = compare_pages(steps["stamped"], len(led))
    assert (comparison.pages_then, comparison.pages_now, comparison.not_compared) == (1, 1, 0)
    assert fields_of(comparison) == [{NUMBER_FIELD, DATE_FIELD, SEAL_FIELD}]
    assert filled_as_allowed(report.signatures[0]) >= {NUMBER_FIELD, DATE_FIELD, SEAL_FIELD}


def test_a_field_that_was_also_changed_otherwise_is_no_permitted_filling(report):
    filled = report.signatures[0].changes
    moved = Change("field-moved", "forbidden", 9, page=0, field=NUMBER_FIELD)
    allowed = filled_as_allowed(replace(report.signatures[0], changes=(*filled, moved)))
    assert DATE_FIELD in allowed
    assert NUMBER_FIELD not in allowed


def test_changed_content_is_told_apart_from_the_filling(steps, led):
    changed = with_bar(steps["stamped"], 100, 600)
    assert fields_of(compare_pages(changed, len(led))) == [{NUMBER_FIELD, DATE_FIELD, SEAL_FIELD, None}]


def test_content_drawn_under_a_filled_field_is_not_laid_to_the_field(steps, led):
    """A form fill must be no cover for a page that changes below it."""
    areas = {a.field: a.box for a in compare_pages(steps["stamped"], len(led)).differences[0].areas}
    x1, y1, _, _ = areas[NUMBER_FIELD]
    changed = with_bar(steps["stamped"], round(x1) - 10, round(y1))
    assert None in fields_of(compare_pages(changed, len(led)))[0]


def test_a_box_lies_around_what_changed_in_points_of_the_page(letter):
    area = compare_pages(with_bar(letter(), 100, 600), len(letter())).differences[0].areas[0]
    assert area.field is None
    assert area.box == pytest.approx((100, 600, 180, 612), abs=1.5)


def test_a_box_on_a_turned_page_is_in_points_of_the_page_and_pixels_of_the_picture(letter):
    pdf = letter(rotate=90)
    area = compare_pages(with_bar(pdf, 100, 600), len(pdf), width=842).differences[0].areas[0]
    x1, y1, x2, y2 = area.box
    left, top, right, bottom = area.pixels
    assert (x2 - x1 < y2 - y1) == (right - left > bottom - top)


def test_changes_close_together_are_one_box_and_far_apart_are_two(letter):
    pdf = letter()
    near = with_bar(with_bar(pdf, 100, 200), 185, 200)
    far = with_bar(with_bar(pdf, 100, 200), 100, 100)
    assert [len(compare_pages(one, len(pdf)).differences[0].areas) for one in (near, far)] == [1, 2]


def test_only_pages_that_differ_are_named(letter):
    pdf = letter(pages=4)
    changed = with_bar(pdf, 100, 600, page=2)
    assert [(d.page, d.kind) for d in compare_pages(changed, len(pdf)).differences] == [(2, "changed")]
    assert compare_pages(pdf, len(pdf)).differences == ()


def test_pages_put_in_or_taken_out_are_said(letter):
    pdf = letter(pages=3)
    fewer = updated(pdf, entry(lambda d: pikepdf.Array(list(d.Root.Pages.Kids)[:2]), "/Kids", lambda d: d.Root.Pages))
    fewer = updated(fewer, entry(2, "/Count", lambda d: d.Root.Pages))
    assert [(d.page, d.kind) for d in compare_pages(fewer, len(pdf)).differences] == [(2, "removed")]
    again = updated(fewer, entry(lambda d: pikepdf.Array([*d.Root.Pages.Kids, d.Root.Pages.Kids[0]]), "/Kids", pages))
    again = updated(again, entry(3, "/Count", pages))
    assert [(d.page, d.kind) for d in compare_pages(again, len(fewer)).differences] == [(2, "added")]


def pages(document: pikepdf.Pdf) -> pikepdf.Object:
    return document.Root.Pages


def test_a_page_of_another_size_is_changed_as_a_whole(letter):
    pdf = letter()
    wider = updated(pdf, entry(pikepdf.Array([0, 0, 842, 842]), "/MediaBox", lambda d: d.pages[0].obj))
    areas = compare_pages(wider, len(pdf), width=842).differences[0].areas
    assert [area.pixels for area in areas] == [(0, 0, 842, 842)]


def test_pages_behind_the_limit_are_said_to_be_not_compared(letter):
    pdf = letter(pages=3)
    comparison = compare_pages(with_bar(pdf, 100, 600, page=2), len(pdf), pages=2)
    assert (comparison.not_compared, comparison.differences) == (1, ())


def test_the_pictures_have_a_green_box_around_a_permitted_filling_and_a_red_one_around_the_rest(steps, report, led):
    allowed = filled_as_allowed(report.signatures[0])
    honest = difference_pictures(steps["stamped"], len(led), 0, width=400, allowed=allowed)
    changed = difference_pictures(with_bar(steps["stamped"], 100, 600), len(led), 0, width=400, allowed=allowed)
    assert all(GREEN in colours(side) and RED not in colours(side) for side in honest)
    assert all({GREEN, RED} <= colours(side) for side in changed)
    assert Image.open(io.BytesIO(honest[0])).size == Image.open(io.BytesIO(honest[1])).size
    assert all(RED in colours(side) for side in difference_pictures(steps["stamped"], len(led), 0, width=400))


def test_a_page_that_one_side_lacks_has_one_picture(letter):
    pdf = letter(pages=3)
    fewer = updated(updated(pdf, entry(lambda d: pikepdf.Array(list(d.Root.Pages.Kids)[:2]), "/Kids", pages)),
                    entry(2, "/Count", pages))  # fmt: skip
    then, now = difference_pictures(fewer, len(pdf), 2)
    assert (then is None, now is None) == (False, True)
    with pytest.raises(PlaceInvalid):
        difference_pictures(fewer, len(pdf), 3)


def test_what_cannot_be_drawn_has_an_error(letter):
    with pytest.raises(NotAPdf):
        compare_pages(letter(), 100)
    with pytest.raises(NotAPdf):
        difference_pictures(b"no pdf", 4, 0)


def test_a_comparison_comes_out_of_the_limited_process(letter):
    sandbox = Sandbox(workers=1)
    pdf = draw_letter()
    try:
        assert sandbox.run(compare_pages, with_bar(pdf, 100, 600), len(pdf)).differences
    finally:
        sandbox.close()
