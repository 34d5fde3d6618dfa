"""A letter that declares PDF/A keeps its rules, its metadata and its tags on the whole way (ISO 19005)."""

import io
from datetime import UTC, datetime, timedelta

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from keys.model import RevocationData
from signing._pyhanko.writing import make_hole
from signing.intake import part_declared
from signing.model import LEADER_FIELD, SEAL_FIELD, SignaturePurpose, SignIntent, Verdict
from signing.prepare import prepare_document, prepare_mark
from signing.sign import BYTES_RESERVED, finish_signature, prepare_signature
from signing.stamp import attachment_mark, draw_seal_image
from signing.verify import verify_pdf
from tests.fixtures.archivable import broken_rules
from tests.fixtures.letters import letter_bytes, rewritten
from tests.fixtures.measured import by_pdfium, changed, hue
from tests.fixtures.varied import set_letter

DECLARED = ("a-1a", "a-1b", "a-2a", "a-2b", "a-3b", "libreoffice")


@pytest.fixture(scope="module")
def declared():
    """`declared(standard)`: a letter that says so."""
    made = {}

    def letter(standard):
        if standard not in made:
            made[standard] = letter_bytes("libreoffice-pdfa") if standard == "libreoffice" else set_letter(0, standard)
        return made[standard]

    return letter


@pytest.fixture(scope="module")
def roads(declared, desk):
    """`roads(standard)`: every revision on the way of such a letter."""
    made = {}

    def road(standard):
        if standard not in made:
            made[standard] = desk.issue(declared(standard))
        return made[standard]

    return road


every_standard = pytest.mark.parametrize("standard", DECLARED)


@every_standard
def test_every_revision_keeps_the_rules(declared, roads, standard):
    assert broken_rules(declared(standard)) == []
    for step, pdf in roads(standard).items():
        assert broken_rules(pdf) == [], step


@every_standard
def test_what_the_file_says_of_itself_stays_as_it_is(declared, roads, standard):
    """Metadata byte for byte, so that they still agree with each other; the output intent; the tags that were there."""
    before, after = said(declared(standard)), said(roads(standard)["stamped"])
    assert after == before
    assert part_declared(before["metadata"]) == part_declared(roads(standard)["stamped"])


def said(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as document:
        root = document.Root
        return {
            "metadata": root.Metadata.read_bytes(),
            "info": {key: str(value) for key, value in document.docinfo.items()},
            "intents": [one.DestOutputProfile.read_bytes() for one in root.OutputIntents],
            "marked": str(root.get("/MarkInfo", "")),
            "language": str(root.get("/Lang", "")),
            "headings": [kind for kind in tags(root) if kind != "/Form"],
        }


def tags(root):
    """The kinds of the tree of tags, in its own order."""
    waiting, found = [root.get("/StructTreeRoot")], []
    while waiting:
        one = waiting.pop()
        if isinstance(one, Array):
            waiting.extend(reversed(list(one)))
        elif isinstance(one, Dictionary):
            found += [str(one.S)] if "/S" in one else []
            waiting.append(one.get("/K"))
    return found


@pytest.mark.parametrize("standard", ["a-1a", "a-2b"])
def test_such_a_letter_is_valid_when_it_is_sealed(roads, trust, standard):
    at = datetime.now(UTC) + timedelta(minutes=1)
    report = verify_pdf(roads(standard)["stamped"], at=at, trust=trust, revocation=RevocationData())
    assert report.verdict is Verdict.VALID, report.findings


def test_without_transparency_the_seal_still_lets_the_signature_be_seen(roads):
    steps = roads("a-1b")
    signature = changed(by_pdfium(steps["prepared"]), by_pdfium(steps["led"]))
    before, after = by_pdfium(steps["numbered"]), by_pdfium(steps["sealed"])
    left, top, right, bottom = changed(before, after)
    assert (right - left, bottom - top) == (pytest.approx(36, abs=0.9), pytest.approx(36, abs=0.9))
    most, share = hue(before, after)
    assert most >= 340
    assert share > 0.9
    overlap = tuple(round(n * 144 / 25.4) for n in (signature[0], signature[1], right, signature[3]))
    blue = [n for n, (r, g, b) in after.crop(overlap).getcolors(1 << 20) if b > r + 60 and b > g + 30]
    assert sum(blue) > 50


def test_a_mark_and_what_the_library_writes_keep_the_rules_too(declared, desk):
    """Marks, and files that our own appender does not know."""
    lines = attachment_mark("15/QĐ-UBND", datetime(2026, 3, 5, tzinfo=UTC))
    for standard in ("a-1b", "a-2a"):
        assert broken_rules(signed(desk, prepare_mark(declared(standard), lines), lines=lines)) == []
        assert broken_rules(filled_with_library(desk, declared(standard))) == []


def filled_with_library(desk, letter):
    prepared = prepare_document(letter).pdf
    led = signed(desk, prepared, field=LEADER_FIELD, way=make_hole)
    return signed(desk, desk.number(led), way=make_hole)


def signed(desk, pdf, *, field=SEAL_FIELD, lines=(), way=None):
    key = desk.seal
    image = draw_seal_image("UBND xã Cư M'gar")
    intent = SignIntent(SignaturePurpose.SEAL, field, image, "UBND", datetime(2026, 3, 5, tzinfo=UTC), lines=lines)
    if way is None:
        prepared = prepare_signature(pdf, intent, key.certificate, key.chain)
    else:
        prepared = way(pdf, intent, key.certificate, key.chain, reserved=BYTES_RESERVED)
    return finish_signature(
        prepared, signature=key.sign(prepared.attributes), certificate=key.certificate, chain=key.chain
    )


def test_the_clock_and_the_maker_stay_out_of_the_file(roads):
    assert b"pyHanko" not in roads("a-2b")["stamped"]


def test_a_prepared_letter_that_is_uploaded_again_has_its_tags_once(declared):
    again = prepare_document(prepare_document(declared("a-2a")).pdf).pdf
    assert broken_rules(again) == []
    with pikepdf.open(io.BytesIO(again)) as document:
        assert tags(document.Root).count("/Form") == 4


def looping(document):
    tree = document.make_indirect(Dictionary())
    tree.Kids = Array([tree])
    return tree


@pytest.mark.parametrize(
    "tree",
    [
        looping,
        lambda _: Dictionary(),
        lambda _: Dictionary(Nums=Array(["x", 5])),
        lambda _: Dictionary(Nums=Array([2**40, Dictionary()])),
    ],
    ids=["loops", "empty", "no numbers", "number too large"],
)
def test_a_broken_tree_of_tags_stops_nobody(letter, tree):
    def put(document):
        document.Root.StructTreeRoot = document.make_indirect(
            Dictionary(Type=Name.StructTreeRoot, ParentTree=tree(document), ParentTreeNextKey="x")
        )

    again = prepare_document(prepare_document(rewritten(letter(), put)).pdf).pdf
    with pikepdf.open(io.BytesIO(again)) as document:
        assert len(document.Root.AcroForm.Fields) == 4


# --- the rules themselves ---


def no_look(document):
    del document.Root.AcroForm.Fields[0].AP


def hidden(document):
    document.Root.AcroForm.Fields[0].F = 2


def untagged(document):
    del document.Root.AcroForm.Fields[0].StructParent


def soft(document):
    image = next(one for one in document.objects if isinstance(one, pikepdf.Stream) and one.get("/Subtype") == "/Image")
    image.SMask = image


def acting(document):
    document.Root.AcroForm.Fields[0].A = Dictionary(S=Name.Hide, T="x")


def undeclared(document):
    del document.Root.Metadata


def unlisted(document):
    for one in document.objects:
        if isinstance(one, Dictionary) and "/CIDSet" in one:
            del one.CIDSet


def colourless(document):
    del document.Root.OutputIntents


def packed_fonts(document):
    for one in document.objects:
        if isinstance(one, Dictionary) and "/FontFile2" in one:
            del one.FontFile2


FAULTS = {
    no_look: "6.9", hidden: "6.5.3", untagged: "6.8", soft: "6.4", acting: "6.6.2", undeclared: "6.7.11",
    unlisted: "6.3.5", colourless: "6.2.3", packed_fonts: "6.3.4",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_rules_find_what_breaks_them(roads, fault):
    rules = broken_rules(rewritten(roads("a-1a")["sealed"], fault, fix_metadata_version=False))
    assert any(rule.startswith(FAULTS[fault]) for rule in rules), rules
