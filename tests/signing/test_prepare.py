"""Only clean files get fields."""

import io

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String

from signing.errors import (
    AlreadySigned,
    NotAPdf,
    PdfActiveContent,
    PdfEncrypted,
    PdfTooComplex,
    PlaceInvalid,
)
from signing.model import DATE_FIELD, LEADER_FIELD, NUMBER_FIELD, SEAL_FIELD, Place, Places
from signing.prepare import prepare_document


def changed(pdf, change, **how):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        change(document)
        document.save(out, **how)
    return out.getvalue()


def names(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return [str(field.T) for field in document.Root.AcroForm.Fields]


def test_four_empty_fields_in_one_revision_with_the_seal_on_top(letter):
    pdf = prepare_document(letter()).pdf
    assert names(pdf) == [NUMBER_FIELD, DATE_FIELD, LEADER_FIELD, SEAL_FIELD]
    assert pdf.count(b"startxref") == 1
    assert b"/ObjStm" not in pdf


def test_the_same_file_gives_the_same_bytes(letter):
    assert prepare_document(letter()).pdf == prepare_document(letter()).pdf


def test_a_prepared_file_that_is_uploaded_again_has_its_fields_once(letter):
    again = prepare_document(prepare_document(letter()).pdf).pdf
    assert names(again) == [NUMBER_FIELD, DATE_FIELD, LEADER_FIELD, SEAL_FIELD]
    with pikepdf.open(io.BytesIO(again)) as document:
        assert len(document.pages[0].Annots) == 4


@pytest.mark.parametrize(
    "how",
    [
        {"object_stream_mode": pikepdf.ObjectStreamMode.generate},
        {"linearize": True},
        {"force_version": "2.0"},
    ],
    ids=["object streams", "linearised", "2.0"],
)
def test_every_way_of_writing_a_pdf_is_accepted(letter, how):
    assert names(prepare_document(changed(letter(), lambda _: None, **how)).pdf)


def test_places_of_the_clerk_are_taken(letter):
    here = Place(0, (100.0, 100.0, 200.0, 150.0))
    prepared = prepare_document(letter(), Places(here, here, here, here))
    assert prepared.reading.places.seal == here
    assert prepared.reading.type == "QUYẾT ĐỊNH"


@pytest.mark.parametrize(
    "place",
    [
        Place(1, (100, 100, 200, 150)),
        Place(-1, (100, 100, 200, 150)),
        Place(0, (500, 100, 700, 150)),
        Place(0, (-5, 100, 70, 150)),
        Place(0, (200, 100, 100, 150)),
        Place(0, (float("nan"), 100, 200, 150)),
    ],
)
def test_a_place_off_the_page_is_refused(letter, place):
    here = Place(0, (100.0, 100.0, 200.0, 150.0))
    with pytest.raises(PlaceInvalid):
        prepare_document(letter(), Places(here, here, here, place))


def script(document):
    document.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))


def launch(document):
    document.pages[0].AA = Dictionary(O=Dictionary(S=Name.Launch, F=String("calc.exe")))


def xfa(document):
    document.Root.AcroForm = Dictionary(Fields=Array(), XFA=document.make_stream(b"<xdp/>"))


def media(document):
    document.pages[0].Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.RichMedia, Rect=[0, 0, 9, 9])])


def program_by_name(document):
    document.attachments["readme.EXE"] = b"text"


def program_by_content(document):
    document.attachments["readme.txt"] = b"MZ\x90\x00"


@pytest.mark.parametrize("put", [script, launch, xfa, media, program_by_name, program_by_content])
def test_what_can_run_is_refused(letter, put):
    with pytest.raises(PdfActiveContent):
        prepare_document(changed(letter(), put))


def test_a_table_attached_as_data_is_kept(letter):
    def attach(document):
        document.attachments["table.csv"] = b"a,b"

    with pikepdf.open(io.BytesIO(prepare_document(changed(letter(), attach)).pdf)) as document:
        assert list(document.attachments) == ["table.csv"]


def test_a_signed_file_is_refused_also_when_its_signature_was_removed(steps):
    with pytest.raises(AlreadySigned):
        prepare_document(steps["led"])

    def remove(document):
        document.Root.AcroForm.Fields = Array()

    with pytest.raises(AlreadySigned):
        prepare_document(steps["led"].replace(b"/ChuKyLanhDao", b"/ChuKyLanhDaX"))


@pytest.mark.parametrize("user", ["", "secret"])
def test_an_encrypted_file_is_refused(letter, user):
    locked = changed(letter(), lambda _: None, encryption=pikepdf.Encryption(owner="o", user=user))
    with pytest.raises(PdfEncrypted):
        prepare_document(locked)


def test_broken_files_and_endless_ones_have_their_errors(letter):
    with pytest.raises(NotAPdf):
        prepare_document(b"%PDF-1.7\nrubbish\n%%EOF")

    def nest(document):
        inner = Array()
        for _ in range(150):
            inner = Array([inner])
        document.Root.Deep = inner

    with pytest.raises((PdfTooComplex, NotAPdf)):
        prepare_document(changed(letter(), nest))


def test_more_than_2000_pages_are_too_many(letter):
    def add(document):
        for _ in range(2000):
            document.add_blank_page()

    with pytest.raises(PdfTooComplex):
        prepare_document(changed(letter(), add))
