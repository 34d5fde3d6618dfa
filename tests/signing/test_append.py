"""The tail that our own appender writes: for readers like pyHanko's revision, and only for files that it knows."""

import dataclasses
import hashlib
import io
import pickle
import random
import re
from datetime import UTC, datetime

import pikepdf
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, ocsp
from PIL import Image, ImageChops
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

import signing.sign
from signing.errors import SignatureWrong, SigningError
from signing.known import read_plan
from signing.model import LEADER_FIELD, SEAL_FIELD, SignaturePurpose, SignIntent
from signing.pictures import page_picture
from signing.prepare import prepare_document
from signing.sign import (
    check_prepared,
    check_tail,
    finish_signature,
    finish_tail,
    prepare_signature,
    prepare_tail,
)
from signing.stamp import draw_seal_image, draw_signature_image
from tests.fixtures.letters import letter_bytes
from tests.signing.test_outside import LETTERS

LEADER = SignIntent(
    SignaturePurpose.LEADER,
    LEADER_FIELD,
    draw_signature_image("A"),
    "Nguyễn Văn An (Chủ tịch)",
    datetime(2026, 3, 5, 2, 30, tzinfo=UTC),
    "Đồng ý \\ (duyệt)",
)
SEAL = dataclasses.replace(
    LEADER, purpose=SignaturePurpose.SEAL, field=SEAL_FIELD, image=draw_seal_image("UBND"), reason=None
)


def prepare(pdf, wish, desk):
    return prepare_signature(pdf, wish, desk.leader.certificate, desk.leader.chain)


@pytest.fixture
def by_pyhanko(monkeypatch):
    """`prepare` as it is for files that the appender does not know."""

    def prepared(pdf, wish, desk):
        with monkeypatch.context() as patch:
            patch.setattr(signing.sign, "read_plan", lambda _: None)
            made = prepare(pdf, wish, desk)
        assert not made.planned
        return made

    return prepared


# --- which files ---


@pytest.mark.parametrize("name", LETTERS)
def test_letters_of_all_programs_are_known_once_they_are_prepared(name):
    plan = read_plan(prepare_document(letter_bytes(name)).pdf)
    assert plan.fields.keys() == {LEADER_FIELD, SEAL_FIELD}
    assert not plan.signed


def test_a_file_stays_known_on_its_whole_way(steps):
    for step, empty in (("led", {SEAL_FIELD}), ("numbered", {SEAL_FIELD}), ("sealed", set()), ("stamped", set())):
        plan = read_plan(steps[step])
        assert plan.fields.keys() == empty
        assert plan.signed


def packed(pdf):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return out.getvalue()


def encrypted(pdf):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="a", user=""))
    return out.getvalue()


def changed(change):
    """Written anew, after `change` of the form and of the field for the leader."""

    def made(pdf):
        out = io.BytesIO()
        with pikepdf.open(io.BytesIO(pdf)) as document:
            form = document.Root.AcroForm
            (field,) = (field for field in form.Fields if str(field.T) == LEADER_FIELD)
            change(document, form, field)
            document.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable)
        return out.getvalue()

    return made


def with_key(where, key, value):
    def change(document, form, field):
        {"root": document.Root, "form": form, "field": field}[where][key] = value

    return changed(change)


def with_kids(document, form, field):
    kid = document.make_indirect(
        pikepdf.Dictionary(Parent=field, Subtype=pikepdf.Name.Widget, Rect=field.Rect, P=field.P)
    )
    field.Kids = pikepdf.Array([kid])


def with_twin(document, form, field):
    form.Fields.append(document.make_indirect(pikepdf.Dictionary(field)))


def replaced(old, new):
    """The same length, so that every offset stays right."""
    assert len(old) == len(new)

    def made(pdf):
        assert old in pdf
        return pdf.replace(old, new)

    return made


NOT_KNOWN = {
    "object streams": packed,
    "encrypted": encrypted,
    "a trailer that says more": replaced(b"/Info 2 0 R", b"/XRefStm  9"),
    "no end": lambda pdf: pdf[:-8],
    "bytes behind the end": lambda pdf: pdf + b"x",
    "bytes before the begin": lambda pdf: b"x" + pdf,
    "offsets that are wrong": lambda pdf: pdf.replace(b"1 0 obj", b"1  0 obj", 1),
    "XFA": with_key("form", "/XFA", pikepdf.String("x")),
    "appearances to be drawn by the reader": with_key("form", "/NeedAppearances", True),
    "signatures not announced": with_key("form", "/SigFlags", 1),
    "usage rights": with_key("root", "/Perms", pikepdf.Dictionary()),
    "seed values": with_key("field", "/SV", pikepdf.Dictionary()),
    "a lock": with_key("field", "/Lock", pikepdf.Dictionary()),
    "field flags": with_key("field", "/Ff", 1),
    "a field in parts": changed(with_kids),
    "two fields of one name": changed(with_twin),
    "a disguised key": replaced(b"/Type /Annot", b"/Q#56 /A /B "),
    "a key twice": replaced(b"/F 4 /FT /Sig", b"/P 4 /FT /Sig"),
}


@pytest.mark.parametrize("what", NOT_KNOWN)
def test_what_is_not_known_is_left_to_pyhanko(what, steps):
    assert read_plan(NOT_KNOWN[what](steps["prepared"])) is None


@pytest.mark.parametrize("old", [b"/P 2 ", b"/TransformMethod /DocMDP "])
def test_a_signature_that_may_forbid_the_next_one_is_left_to_pyhanko(old, steps, desk):
    led = steps["led"]
    assert read_plan(led) is not None
    new = {b"/P 2 ": b"/P 1 "}.get(old, b"/TransformMethod /FieldMD")
    forbidding = led.replace(old, new)
    assert forbidding != led
    assert read_plan(forbidding) is None


def test_pyhanko_signs_what_the_appender_does_not_know(steps, desk):
    made = prepare(packed(steps["prepared"]), LEADER, desk)
    assert not made.planned
    check_prepared(made, desk.leader.certificate)


def test_pyhanko_draws_text_in_place_of_an_image(steps, desk):
    assert not prepare(steps["prepared"], dataclasses.replace(LEADER, lines=("15/QĐ-UBND",)), desk).planned


def test_no_bytes_make_the_reading_fail(steps):
    chance = random.Random(4)
    for pdf in (steps["prepared"], steps["numbered"]):
        for _ in range(300):
            hurt = bytearray(pdf)
            for _ in range(chance.choice((1, 3, 30))):
                at = chance.choice((chance.randrange(len(hurt)), len(hurt) - 1 - chance.randrange(4000)))
                hurt[at] = chance.choice((chance.randrange(256), ord("["), ord("<"), ord("("), ord(" ")))
            read_plan(bytes(hurt[: chance.choice((len(hurt), chance.randrange(len(hurt))))]))
    for junk in (b"", b"%PDF-1.7\nstartxref\n0\n%%EOF", b"%PDF-1.7\nxref\n0 1\nstartxref\n9\n%%EOF\n"):
        assert read_plan(junk) is None


# --- what is written ---


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_the_page_looks_as_with_pyhanko(rotate, desk, letter, by_pyhanko):
    pdf = prepare_document(letter(rotate=rotate)).pdf
    for wish in (LEADER, dataclasses.replace(SEAL)):
        own, other = prepare(pdf, wish, desk), by_pyhanko(pdf, wish, desk)
        assert own.planned
        drawn, expected, before = (page(made) for made in (own.pdf, other.pdf, pdf))
        # pyHanko rounds the field's size down to whole points, which moves edges by less than one
        assert differing(expected, before) > 500
        assert differing(drawn, expected) < 0.1 * differing(expected, before)


def page(pdf):
    return Image.open(io.BytesIO(page_picture(pdf, 0, width=900))).convert("L")


def differing(one, other):
    """How many pixels are much darker or lighter in one than in the other."""
    return sum(ImageChops.difference(one, other).histogram()[97:])


def said(pdf, name):
    with pikepdf.open(io.BytesIO(pdf)) as document:
        (field,) = (field for field in document.Root.AcroForm.Fields if str(field.T) == name)
        signature = field.V
        kept = {key: str(signature[key]) for key in signature.keys() - {"/Contents", "/ByteRange", "/Reference"}}
        reference = str(signature.get("/Reference", None))
        permitted = document.Root.get("/Perms", {}).get("/DocMDP", None)
        certifies = permitted is not None and permitted.objgen == signature.objgen
        return kept, reference, certifies, str(document.Root.Extensions), len(document.Root.AcroForm.Fields)


def test_the_dictionary_says_what_pyhanko_would_say(steps, desk, by_pyhanko):
    for pdf, wish in ((steps["prepared"], LEADER), (steps["numbered"], SEAL), (steps["prepared"], SEAL)):
        own, other = prepare(pdf, wish, desk), by_pyhanko(pdf, wish, desk)
        assert own.planned
        assert said(own.pdf, wish.field) == said(other.pdf, wish.field)
        assert said(own.pdf, wish.field)[2] == (pdf is steps["prepared"])


def test_only_what_a_signature_touches_is_written(steps, desk):
    revision = prepare(steps["prepared"], LEADER, desk).pdf[len(steps["prepared"]) :]
    with pikepdf.open(io.BytesIO(steps["prepared"])) as document:
        (field,) = (field for field in document.Root.AcroForm.Fields if str(field.T) == LEADER_FIELD)
        root, field, most = document.Root.objgen[0], field.objgen[0], len(document.objects)
    touched = [int(number) for number in re.findall(rb"(?:^|\n)(\d+) 0 obj\n", revision)]
    assert sorted(touched) == sorted([root, field, *range(most + 1, most + 5)])


def test_a_file_that_does_not_end_its_last_line_is_continued_on_a_new_one(steps, desk):
    pdf = steps["prepared"].rstrip()
    made = prepare(pdf, LEADER, desk)
    assert made.planned
    assert made.pdf[len(pdf) :].startswith(b"\n")
    check_prepared(made, desk.leader.certificate, extends=pdf)
    with pikepdf.open(io.BytesIO(made.pdf)) as document:
        assert not document.check_pdf_syntax()


# --- the tail by itself ---


@pytest.fixture(scope="module")
def known(steps):
    return read_plan(steps["prepared"]), hashlib.sha256(steps["prepared"])


def test_plan_and_running_hash_make_the_bytes_that_the_whole_file_makes(steps, desk, known):
    plan, state = known
    before = state.digest()
    tail = prepare_tail(pickle.loads(pickle.dumps(plan)), state, LEADER, desk.leader.certificate)  # noqa: S301
    assert state.digest() == before
    whole = prepare(steps["prepared"], LEADER, desk)
    assert steps["prepared"] + tail.tail.whole() == whole.pdf
    assert (tail.digest, tail.attributes) == (whole.digest, whole.attributes)


def test_a_finished_tail_is_a_valid_signature(steps, desk, known):
    key = desk.leader
    tail = prepare_tail(*known, LEADER, key.certificate)
    check_tail(tail, known[1], key.certificate)
    signature = key.sign(tail.attributes)
    token = desk.tsa.stamp(signing.sign.unsigned_token_digest(signature))
    for given in (None, token):
        made = finish_tail(tail, signature=signature, certificate=key.certificate, chain=key.chain, token=given)
        (signed,) = PdfFileReader(io.BytesIO(steps["prepared"] + made)).embedded_signatures
        status = validate_pdf_signature(signed, ValidationContext(trust_roots=[], moment=datetime.now(UTC)))
        assert status.intact
        assert status.valid
        assert status.coverage.name == "ENTIRE_FILE"


def test_a_tail_that_was_exchanged_is_not_signed(desk, known, steps):
    key, (plan, state) = desk.leader, known
    tail = prepare_tail(plan, state, LEADER, key.certificate)
    other = prepare_tail(plan, state, SEAL, key.certificate)
    inner = tail.tail
    for wrong in (
        dataclasses.replace(tail, digest=other.digest),
        dataclasses.replace(tail, attributes=other.attributes),
        dataclasses.replace(tail, tail=other.tail),
        dataclasses.replace(tail, tail=dataclasses.replace(inner, before=inner.before + b" ")),
        dataclasses.replace(tail, tail=dataclasses.replace(inner, after=inner.after + b"\n")),
        dataclasses.replace(tail, tail=dataclasses.replace(inner, start=inner.start - 1)),
    ):
        with pytest.raises(SignatureWrong):
            check_tail(wrong, state, key.certificate)
    with pytest.raises(SignatureWrong):
        check_tail(tail, hashlib.sha256(steps["led"]), key.certificate)
    with pytest.raises(SignatureWrong):
        check_tail(tail, state, desk.seal.certificate)


def test_a_signature_by_another_key_or_one_too_long_makes_no_tail(desk, known):
    key = desk.leader
    tail = prepare_tail(*known, LEADER, key.certificate)
    signature = key.sign(tail.attributes)
    asked = {"certificate": key.certificate, "chain": key.chain}
    for wrong in (desk.seal.sign(tail.attributes), b""):
        with pytest.raises(SignatureWrong):
            finish_tail(tail, signature=wrong, **asked)
    with pytest.raises(SignatureWrong):
        finish_tail(tail, signature=signature, certificate=key.certificate, chain=(bytes(30_000),))


def test_an_image_that_is_none_is_refused(desk, known):
    with pytest.raises(SigningError):
        prepare_tail(*known, dataclasses.replace(LEADER, image=b"no picture"), desk.leader.certificate)


# --- the proof ---


def dss(pdf):
    """What a DSS holds, by content: the DER of each kind, and of each kind for each signature."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        store = document.Root.DSS
        kinds = {kind: [one.read_bytes() for one in store.get(f"/{kind}", [])] for kind in ("Certs", "CRLs", "OCSPs")}
        by_signature = {
            name: {kind: {one.read_bytes() for one in entry.get(f"/{kind}", [])} for kind in ("Cert", "CRL", "OCSP")}
            for name, entry in store.VRI.items()
        }
    return kinds, by_signature


def ocsp_answer(authority, certificate, at):
    """About a certificate of the issuing authority; it brings the certificate of who signed it."""
    asked, issuer = (load_der_x509_certificate(der) for der in (certificate, authority.issuing_certificate))
    request = ocsp.OCSPRequestBuilder().add_certificate(asked, issuer, SHA256()).build()
    return authority.answer_ocsp(request.public_bytes(Encoding.DER), at)


def test_the_proof_is_what_pyhanko_would_put_in(steps, desk, authority, monkeypatch):
    answered = dataclasses.replace(
        desk.revocation, ocsps=(ocsp_answer(authority, desk.leader.certificate, datetime.now(UTC)),)
    )
    for pdf, wish, key, revocation in (
        (steps["prepared"], LEADER, desk.leader, desk.revocation),
        (steps["prepared"], LEADER, desk.leader, answered),
        (steps["numbered"], SEAL, desk.seal, desk.revocation),
        (steps["numbered"], SEAL, desk.seal, answered),
    ):
        prepared = prepare_signature(pdf, wish, key.certificate, key.chain)
        signature = key.sign(prepared.attributes)
        token = desk.tsa.stamp(signing.sign.unsigned_token_digest(signature))

        def finished(prepared=prepared, signature=signature, key=key, token=token, revocation=revocation):
            return finish_signature(
                prepared, signature=signature, certificate=key.certificate, chain=key.chain, token=token,
                revocation=revocation,
            )  # fmt: skip

        own = finished()
        with monkeypatch.context() as patch:
            patch.setattr(signing.sign, "append_proof", lambda *_: None)
            other = finished()
        assert len(own) != len(other)
        (held, by_signature), (expected, expected_by_signature) = dss(own), dss(other)
        assert {kind: sorted(found) for kind, found in held.items()} == {k: sorted(f) for k, f in expected.items()}
        assert by_signature == expected_by_signature
        assert all(own.count(der) == 1 for der in key.chain)  # held once, however many signatures need it
        with pikepdf.open(io.BytesIO(own)) as document:
            assert not document.check_pdf_syntax()


def test_a_proof_written_by_others_is_continued_by_pyhanko(steps, desk):
    packed_store = with_packed_streams(steps["led"])
    for foreign in (packed(steps["led"]), packed_store, b"no file"):
        assert signing.sign.append_proof(foreign, b"00", [desk.leader.certificate], [], []) is None
    assert signing.sign.append_proof(steps["led"], b"00", [desk.leader.certificate], [], []) is not None


def with_packed_streams(pdf):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.save(out, compress_streams=True, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return out.getvalue()
