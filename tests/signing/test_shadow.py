"""Warnings about documents that were prepared before signing to be switched afterwards; each with its honest twin."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String

from keys.model import RevocationData
from signing.model import NUMBER_FIELD, SignaturePurpose, Verdict
from signing.prepare import prepare_document
from signing.report import sentences
from signing.shadow import shadow_warnings
from signing.stamp import fill_number_date
from signing.verify import verify_pdf
from tests.fixtures.letters import LETTERS, draw_letter, letter_bytes, rewritten

WHITE_BOX = b"1 g 0 0 500 400 re f"


# -- the parts --


def codes(pdf: bytes) -> list[str]:
    found = shadow_warnings(pdf)
    assert {finding.severity for finding in found} <= {"note"}
    return [finding.code for finding in found]


def changed(change: Callable[[pikepdf.Pdf], object]) -> bytes:
    return rewritten(draw_letter(), change)


def drawing(document: pikepdf.Pdf, content: bytes, **entries: object) -> pikepdf.Object:
    made = document.make_stream(content, Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 500, 400], **entries)
    return document.make_indirect(made)


def picture(document: pikepdf.Pdf, *, clear: bool = False) -> pikepdf.Object:
    """A white picture of one pixel, or one that nobody can see."""
    how = {"Type": Name.XObject, "Subtype": Name.Image, "Width": 1, "Height": 1, "BitsPerComponent": 8}
    white = document.make_stream(b"\xff", ColorSpace=Name.DeviceGray, **how)
    if clear:
        white.SMask = document.make_stream(b"\x00", ColorSpace=Name.DeviceGray, **how)
    return document.make_indirect(white)


def drawn_over(one: Callable[[pikepdf.Pdf], pikepdf.Object], place: bytes, *, first: bool = False):
    """A page that draws one thing more over its text, or before it."""

    def draw(document: pikepdf.Pdf) -> None:
        page = document.pages[0]
        page.add_resource(one(document), Name.XObject, Name.Cover)
        page.contents_add(b"q %s cm /Cover Do Q" % place, prepend=first)

    return draw


def field(document: pikepdf.Pdf, name: str, box: list[int], content: bytes = WHITE_BOX, **entries: object):
    look = drawing(document, content)
    how = {"Type": Name.Annot, "Subtype": Name.Widget, "FT": Name.Tx, "T": String(name), "Rect": Array(box), "F": 4}
    return document.make_indirect(Dictionary(**how | {"AP": Dictionary(N=look)} | entries))


def with_fields(*made: Callable[[pikepdf.Pdf], pikepdf.Object], on_page: bool = True):
    def put(document: pikepdf.Pdf) -> None:
        fields = Array([one(document) for one in made])
        document.Root.AcroForm = Dictionary(Fields=fields)
        if on_page:
            document.pages[0].Annots = fields

    return put


BOX, BESIDE, OVER_TEXT = [80, 100, 280, 130], [300, 100, 500, 130], [80, 440, 500, 610]
DAY = date(2026, 3, 5)
LETTER_SIZE = b"595 0 0 842 0 0"


# -- text that something hides --


@pytest.mark.parametrize("whole", [LETTER_SIZE, b"440 0 0 22 80 585"], ids=["page", "one line"])
def test_text_under_a_picture_is_warned_about(whole):
    assert codes(changed(drawn_over(picture, whole))) == ["shadow-hidden-text"]


def test_text_under_a_drawing_is_warned_about():
    assert codes(changed(drawn_over(lambda d: drawing(d, WHITE_BOX), b"1 0 0 1 80 400"))) == ["shadow-hidden-text"]


@pytest.mark.parametrize(
    "honest",
    [
        pytest.param(drawn_over(picture, LETTER_SIZE, first=True), id="a background"),
        pytest.param(drawn_over(lambda d: picture(d, clear=True), LETTER_SIZE), id="a picture that is clear"),
        pytest.param(drawn_over(picture, b"200 0 0 100 300 80"), id="a picture where there is no text"),
        pytest.param(drawn_over(lambda d: drawing(d, b"0 G 0 0 500 400 re S"), b"1 0 0 1 80 400"), id="a frame"),
        pytest.param(lambda d: d.pages[0].contents_add(b"0 0 595 842 re S"), id="a line around the page"),
    ],
)
def test_a_picture_that_hides_nothing_is_not(honest):
    assert codes(changed(honest)) == []


@pytest.mark.parametrize("mode", [0, 3], ids=["seen", "never seen"])
def test_the_text_layer_of_a_scan_hides_nothing(mode):
    """Text that shows nothing by itself is no content that waits for its turn."""

    def lay(document: pikepdf.Pdf) -> None:
        page = document.pages[0]
        page.contents_add(b"%d Tr " % mode, prepend=True)
        drawn_over(picture, LETTER_SIZE)(document)

    assert codes(changed(lay)) == (["shadow-hidden-text"] if mode == 0 else [])


def test_text_under_a_field_or_a_note_is_warned_about():
    covered = with_fields(lambda d: field(d, "ghi_chu", OVER_TEXT))
    assert codes(changed(covered)) == ["shadow-hidden-text"]

    def note(document: pikepdf.Pdf) -> None:
        look = Dictionary(N=drawing(document, WHITE_BOX))
        how = {"Type": Name.Annot, "Subtype": Name.Stamp, "Rect": Array(OVER_TEXT), "F": 4, "AP": look}
        document.pages[0].Annots = Array([document.make_indirect(Dictionary(**how))])

    assert codes(changed(note)) == ["shadow-hidden-text"]


def test_a_field_that_lets_the_text_through_is_not():
    assert codes(changed(with_fields(lambda d: field(d, "so", OVER_TEXT, b"0 g 5 5 9 9 re f")))) == []


@pytest.mark.parametrize(("box", "warned"), [([80, 180, 500, 310], []), ([50, 150, 560, 800], ["shadow-hidden-text"])])
def test_a_stamp_of_a_signature_may_lie_over_some_text_and_not_over_most_of_it(box, warned):
    """Visible signatures are put over a name or a title all the time, and are seen to be signatures."""
    signed = {"FT": Name.Sig, "V": Dictionary(Type=Name.Sig)}
    assert codes(changed(with_fields(lambda d: field(d, "ChuKy", box, **signed)))) == warned


# -- a second document in the file --


def test_a_second_set_of_pages_is_warned_about():
    def hide(document: pikepdf.Pdf) -> None:
        content = document.make_stream(b"BT ET")
        page = document.make_indirect(Dictionary(Type=Name.Page, MediaBox=[0, 0, 595, 842], Contents=content))
        document.Root.PieceInfo = Array([page])  # something has to hold it, or it is not written

    assert codes(changed(hide)) == ["shadow-second-document"]


def test_a_second_catalog_is_warned_about():
    def hide(document: pikepdf.Pdf) -> None:
        document.Root.PieceInfo = document.make_indirect(Dictionary(Type=Name.Catalog, Pages=document.Root.Pages))

    assert codes(changed(hide)) == ["shadow-second-document"]


def test_a_leftover_that_draws_nothing_is_not():
    def leave(document: pikepdf.Pdf) -> None:
        document.Root.PieceInfo = document.make_indirect(Dictionary(Type=Name.Page))

    assert codes(changed(leave)) == []


# -- fields --


def test_fields_on_top_of_each_other_are_warned_about():
    stacked = with_fields(lambda d: field(d, "nguoi_nhan", BOX), lambda d: field(d, "nguoi_nhan_2", BOX))
    assert codes(changed(stacked)) == ["shadow-fields-stacked"]


@pytest.mark.parametrize(
    "honest",
    [
        pytest.param([{"Rect": Array(BESIDE)}], id="beside each other"),
        pytest.param([{"F": 2}], id="one hidden"),
        pytest.param([{"FT": Name.Sig, "V": Dictionary(Type=Name.Sig)}], id="one a stamp"),
    ],
)
def test_fields_that_do_not_hide_each_other_are_not(honest):
    both = with_fields(lambda d: field(d, "so", BOX), lambda d: field(d, "ngay", BOX, **honest[0]))
    assert codes(changed(both)) == []


def test_a_field_with_a_picture_on_no_page_is_warned_about():
    made = with_fields(lambda d: field(d, "ghi_chu", OVER_TEXT), on_page=False)
    assert codes(changed(made)) == ["shadow-field-off-page"]


def test_a_signature_without_a_place_is_not():
    made = with_fields(lambda d: field(d, "ChuKy", [0, 0, 0, 0], FT=Name.Sig), on_page=False)
    assert codes(changed(made)) == []


# -- fonts --


def _composite(inner: str):
    def put(document: pikepdf.Pdf) -> None:
        described = Dictionary(Type=Name.FontDescriptor, FontName=Name("/" + inner))
        below = Dictionary(Type=Name.Font, Subtype=Name.CIDFontType2, BaseFont=Name.Serif, FontDescriptor=described)
        font = Dictionary(Type=Name.Font, Subtype=Name.Type0, BaseFont=Name.Serif, DescendantFonts=Array([below]))
        document.pages[0].add_resource(document.make_indirect(font), Name.Font)

    return put


def test_a_font_with_two_names_is_warned_about():
    assert codes(changed(_composite("Serif3 Regular"))) == ["shadow-font-names"]
    assert codes(changed(_composite("Serif"))) == []


@pytest.mark.parametrize(("font", "warned"), [("Helvetica", []), ("Arial", ["shadow-font-missing"])])
def test_a_filled_field_with_a_font_from_outside_is_warned_about(font, warned):
    def put(document: pikepdf.Pdf) -> None:
        one = field(document, "so", BOX, b"", V=String("15"))
        used = Dictionary(Type=Name.Font, Subtype=Name.TrueType, BaseFont=Name("/" + font))
        one.AP.N.Resources = Dictionary(Font=Dictionary(F=used))
        with_fields(lambda _: one)(document)

    assert codes(changed(put)) == warned


# -- honest files, and what nobody can read --


@pytest.mark.parametrize("name", [name for name in LETTERS if name != "pages-200"])
def test_letters_of_all_programs_have_no_warning(name):
    assert codes(letter_bytes(name)) == []


def test_what_cannot_be_read_has_no_warning():
    assert codes(b"no pdf") == []
    assert codes(draw_letter()[:2000]) == []


def test_names_from_the_file_are_fit_to_be_shown():
    (finding,) = shadow_warnings(changed(_composite("Serif\n\x00\u202e" + "x" * 300)))
    assert finding.gaps["fonts"].isprintable()
    assert len(finding.gaps["fonts"]) < 100


# -- beside the verdict --


@pytest.fixture(scope="module")
def check(trust, authority):
    def verdict_on(pdf):
        at = datetime.now(UTC) + timedelta(seconds=5)
        fresh = RevocationData(crls=(authority.crl(at), authority.root_crl(at)))
        return verify_pdf(pdf, at=at, trust=trust, revocation=fresh)

    return verdict_on


def shadows(report):
    return [finding.code for finding in report.findings if finding.code.startswith("shadow")]


def test_an_honest_letter_has_no_warning_in_its_report(steps, check):
    assert shadows(check(steps["stamped"])) == []


def test_a_prepared_letter_stays_valid_and_says_so_in_words(desk, check):
    prepared = prepare_document(changed(drawn_over(picture, b"440 0 0 22 80 585"))).pdf
    report = check(desk.sign(prepared, SignaturePurpose.LEADER))
    assert (report.verdict, shadows(report)) == (Verdict.VALID, ["shadow-hidden-text"])
    assert "che kín" in " ".join(sentences(report, "vi"))
    assert "lies wholly under" in " ".join(sentences(report, "en"))


def test_a_field_that_shows_something_else_than_its_value_is_warned_about(desk, check):
    filled = fill_number_date(prepare_document(draw_letter()).pdf, number="15/QĐ-UBND", date=DAY)

    def other(document: pikepdf.Pdf) -> None:
        (one,) = (f for f in document.Root.AcroForm.Fields if f.T == NUMBER_FIELD)
        one.V = String("999/QĐ-UBND")

    assert shadows(check(desk.sign(filled, SignaturePurpose.LEADER))) == []
    assert shadows(check(desk.sign(rewritten(filled, other), SignaturePurpose.LEADER))) == ["shadow-value-differs"]


@pytest.mark.parametrize(
    ("hidden", "warned"),
    [  # what a program writes for itself needs no entry
        (b"900 0 obj\n<</Length 5>>\nstream\nBT ET\nendstream\nendobj\n", ["shadow-unlisted-objects"]),
        (b"900 0 obj\n<</Type/XRef/Length 0>>\nstream\n\nendstream\nendobj\n", []),
        (b"% 900 0 objects are no objects\n", []),
    ],
)
def test_an_object_that_no_table_names_is_warned_about(desk, check, hidden, warned):
    prepared = prepare_document(draw_letter()).pdf
    report = check(desk.sign(prepared + b"\n" + hidden, SignaturePurpose.LEADER))
    assert (report.verdict, shadows(report)) == (Verdict.VALID, warned)


def test_a_file_inside_the_file_is_no_second_document(desk, check):
    """An attachment, stored as it is, is full of objects; none of them is one of this file."""

    def attach(document: pikepdf.Pdf) -> None:
        document.Root.PieceInfo = document.make_indirect(document.make_stream(draw_letter()))

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(prepare_document(draw_letter()).pdf)) as document:
        attach(document)
        document.save(out, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    assert shadows(check(desk.sign(out.getvalue(), SignaturePurpose.LEADER))) == []
