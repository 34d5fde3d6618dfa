"""Marks on separate attachments and electronic copies: text only, top right of page one (R41–R43)."""

import io
from datetime import UTC, datetime

import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from PIL import ImageStat

from keys.model import RevocationData
from signing.errors import AlreadySigned, PdfEncrypted
from signing.model import SEAL_FIELD, SignaturePurpose, SignIntent, Verdict
from signing.prepare import prepare_mark
from signing.sign import finish_signature, prepare_signature, unsigned_token_digest
from signing.stamp import attachment_mark, copy_mark, time_text
from signing.verify import verify_pdf
from tests.fixtures.letters import draw_letter, letter_bytes, rewritten, scanned
from tests.fixtures.measured import by_pdfium, by_poppler, changed

AT = datetime(2026, 3, 5, 2, 30, 15, 999, tzinfo=UTC)
TIME = "2026-03-05T09:30:15+07:00"
LONG = "ỦY BAN NHÂN DÂN XÃ CƯ M'GAR – TRUNG TÂM PHỤC VỤ HÀNH CHÍNH CÔNG CẤP XÃ, TỈNH ĐẮK LẮK"
MARKS = {
    "attachment": attachment_mark("15/QĐ-UBND", AT),
    "copy": copy_mark("SAO Y", "Ủy ban nhân dân xã Cư M'gar", AT),
    "long": copy_mark("TRÍCH SAO", LONG, AT),
}


@pytest.fixture
def engines(tmp_path, program):
    return by_pdfium, by_poppler(tmp_path, program("pdftoppm"))


def signed(desk, pdf, lines, **proof):
    key = desk.seal
    intent = SignIntent(SignaturePurpose.SEAL, SEAL_FIELD, b"", "Ủy ban nhân dân huyện Cư M'gar", AT, lines=lines)
    prepared = prepare_signature(pdf, intent, key.certificate, key.chain)
    signature = key.sign(prepared.attributes)
    if proof:
        proof["token"] = desk.tsa.stamp(unsigned_token_digest(signature))
    return finish_signature(prepared, signature=signature, certificate=key.certificate, chain=key.chain, **proof)


def test_the_text_is_what_the_decree_lists():
    assert attachment_mark("15/QĐ-UBND", AT) == ("15/QĐ-UBND", TIME)
    assert copy_mark("SAO Y", "UBND xã Ea Kpam", AT) == ("SAO Y", "UBND xã Ea Kpam", TIME)
    assert " ".join(copy_mark("TRÍCH SAO", LONG, AT)) == f"TRÍCH SAO {LONG} {TIME}"


def test_the_time_is_iso_8601_with_seconds_in_vietnams_zone():
    assert time_text(AT) == TIME
    assert time_text(datetime(2026, 12, 31, 17, 0, tzinfo=UTC)) == "2027-01-01T00:00:00+07:00"


PAPERS = {
    "attachment": ("turned-90", "turned-180", "turned-270"),
    "copy": ("scan", "offset-turned"),
    "long": ("plain", "turned-90"),
}


@pytest.mark.parametrize(("mark", "paper"), [(mark, paper) for mark in MARKS for paper in PAPERS[mark]])
def test_a_mark_stands_upright_top_right_of_page_one_black_and_whole(desk, engines, mark, paper):
    lines = MARKS[mark]
    letter = scanned(draw_letter()) if paper == "scan" else draw_letter() if paper == "plain" else letter_bytes(paper)
    before = prepare_mark(letter, lines)
    after = signed(desk, before, lines)
    assert written(after) == list(lines)
    for engine in engines:
        one, other = engine(before), engine(after)
        left, top, right, bottom = changed(one, other)
        width = other.width * 25.4 / 144
        assert width - right == pytest.approx(10.5, abs=0.8), "10 mm from the right edge"
        assert 3.5 < top < (60 if mark == "long" else 10)
        assert bottom - top == pytest.approx(11.5 * 25.4 / 72 * len(lines), abs=1.8), "10 point lines, none cut off"
        assert right - left <= 81
        new = other.crop(tuple(round(n * 144 / 25.4) for n in (left, top, right, bottom)))
        shades = ImageStat.Stat(new).mean
        assert max(shades) - min(shades) < 3, "no colour; the fringes of letters cancel each other out"
        assert new.convert("L").getextrema()[0] < 40, "black"


def written(pdf):
    """The lines in the one signature's appearance as pdfium reads them, all in 10 point, each from left to right."""
    document = pdfium.PdfDocument(pdf)
    document.init_forms()
    page = document[0]
    assert pdfium_c.FPDFPage_Flatten(page, pdfium_c.FLAT_PRINT) == pdfium_c.FLATTEN_SUCCESS
    out = io.BytesIO()
    document.save(out)
    text = pdfium.PdfDocument(out.getvalue())[0].get_textpage()
    sizes = [round(pdfium_c.FPDFText_GetFontSize(text, index), 2) for index in range(text.count_chars())]
    assert min(size for size in sizes if size > 1) == 10, "the letter itself has none so small; ends of lines have 1"
    said = text.get_text_bounded().replace("\r\n", "\n").split("\n")
    return [line for line in said if line in {one for lines in MARKS.values() for one in lines}]


def test_a_mark_lies_on_nothing_printed(desk):
    """The attachment's own head stands where the mark would go."""

    def print_head(document):
        document.pages[0].contents_add(b"q 0 0 0 rg 400 800 180 30 re f Q")

    letter = rewritten(draw_letter(), print_head)
    lines = MARKS["attachment"]
    before = prepare_mark(letter, lines)
    after = signed(desk, before, lines)
    left, top, right, bottom = (round(n * 144 / 25.4) for n in changed(by_pdfium(before), by_pdfium(after)))
    assert min(by_pdfium(before).crop((left, top, right, bottom)).convert("L").getextrema()) > 200
    assert top > (842 - 800) * 2


def test_a_marked_attachment_is_valid_and_the_same_input_gives_the_same_file(desk, trust):
    lines = MARKS["attachment"]
    prepared = prepare_mark(draw_letter(), lines)
    assert prepared == prepare_mark(draw_letter(), MARKS["attachment"])
    report = verify_pdf(
        signed(desk, prepared, lines, revocation=desk.revocation),
        at=datetime.now(UTC),
        trust=trust,
        revocation=RevocationData(),
    )
    assert report.verdict is Verdict.VALID, report.findings


def test_what_may_not_be_signed_may_not_be_marked(steps):
    with pytest.raises(AlreadySigned):
        prepare_mark(steps["led"], MARKS["attachment"])
    with pytest.raises(PdfEncrypted):
        prepare_mark(locked(draw_letter()), MARKS["attachment"])


def locked(pdf):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="o", user="u"))
    return out.getvalue()
