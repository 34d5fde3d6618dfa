"""A letter's way to a sealed file, step by step."""

import dataclasses
import io
import itertools
from datetime import UTC, datetime

import pikepdf
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from signing.errors import FieldMissing, RevisionNotExtension, SignatureWrong
from signing.model import LEADER_FIELD, SEAL_FIELD, SignaturePurpose, SignIntent
from signing.sign import (
    check_prepared,
    finish_signature,
    finish_timestamp,
    prepare_signature,
    prepare_timestamp,
    unsigned_token_digest,
)
from signing.stamp import draw_signature_image


def intent(field=LEADER_FIELD, purpose=SignaturePurpose.LEADER):
    return SignIntent(
        purpose, field, draw_signature_image("A"), "Nguyễn Văn An", datetime(2026, 3, 5, 2, 30, tzinfo=UTC)
    )


def test_every_step_only_appends(steps):
    files = list(steps.values())
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(files))


def test_the_leader_certifies_form_filling_and_the_seal_approves(steps):
    led, sealed = (s.sig_object for s in PdfFileReader(io.BytesIO(steps["sealed"])).embedded_regular_signatures)
    assert led["/Reference"][0]["/TransformParams"]["/P"] == 2
    assert "/Reference" not in sealed
    assert sealed["/SubFilter"] == "/ETSI.CAdES.detached"


def test_the_signing_time_is_the_one_handed_in_and_shown_in_vietnams_zone(steps, desk):
    prepared = prepare_signature(steps["prepared"], intent(), desk.leader.certificate, desk.leader.chain)
    with pikepdf.open(io.BytesIO(prepared.pdf)) as document:
        (field,) = (field for field in document.Root.AcroForm.Fields if str(field.T) == LEADER_FIELD)
        assert str(field.V.M) == "D:20260305093000+07'00'"


def test_a_field_that_is_filled_or_absent_takes_no_signature(steps, desk):
    for pdf, wish in ((steps["led"], intent()), (steps["prepared"], intent("KhongCo"))):
        with pytest.raises(FieldMissing):
            prepare_signature(pdf, wish, desk.leader.certificate, desk.leader.chain)


def test_the_check_before_the_key_refuses_everything_that_was_exchanged(steps, desk):
    key = desk.leader
    prepared = prepare_signature(steps["prepared"], intent(), key.certificate, key.chain)
    check_prepared(prepared, key.certificate, extends=steps["prepared"])
    other = prepare_signature(steps["led"], intent(SEAL_FIELD, SignaturePurpose.SEAL), key.certificate, key.chain)
    middle = len(prepared.pdf) // 4
    changed = bytearray(prepared.pdf)
    changed[middle] ^= 1
    for wrong in (
        dataclasses.replace(prepared, pdf=bytes(changed)),
        dataclasses.replace(prepared, digest=other.digest),
        dataclasses.replace(prepared, attributes=other.attributes),
        dataclasses.replace(prepared, attributes=b""),
        dataclasses.replace(prepared, start=prepared.start - 10),
        dataclasses.replace(prepared, end=len(prepared.pdf) + 5),
        dataclasses.replace(prepared, pdf=prepared.pdf + b"\n"),
    ):
        with pytest.raises(SignatureWrong):
            check_prepared(wrong)
    with pytest.raises(SignatureWrong):
        check_prepared(prepared, desk.seal.certificate)
    with pytest.raises(RevisionNotExtension):
        check_prepared(prepared, extends=steps["led"])


def test_a_signature_by_another_key_is_not_assembled(steps, desk):
    key = desk.leader
    prepared = prepare_signature(steps["prepared"], intent(), key.certificate, key.chain)
    for signature in (desk.seal.sign(prepared.attributes), key.sign(b"something else"), b""):
        with pytest.raises(SignatureWrong):
            finish_signature(
                prepared,
                signature=signature,
                certificate=key.certificate,
                chain=key.chain,
                token=desk.tsa.stamp(bytes(32)),
                revocation=desk.revocation,
            )


def test_without_revocation_data_the_level_is_b_t_and_without_a_token_b_b(steps, desk):
    key = desk.leader
    prepared = prepare_signature(steps["prepared"], intent(), key.certificate, key.chain)
    signature = key.sign(prepared.attributes)
    token = desk.tsa.stamp(unsigned_token_digest(signature))
    for given in (None, token):
        pdf = finish_signature(prepared, signature=signature, certificate=key.certificate, chain=key.chain, token=given)
        assert len(pdf) == len(prepared.pdf)
        reader = PdfFileReader(io.BytesIO(pdf))
        (signed,) = reader.embedded_signatures
        assert "/DSS" not in reader.root
        status = validate_pdf_signature(signed, ValidationContext(trust_roots=[], moment=datetime.now(UTC)))
        assert status.intact
        assert status.valid
        assert (status.timestamp_validity is not None) == (given is not None)


def test_a_token_about_something_else_is_not_assembled(steps, desk):
    key = desk.leader
    prepared = prepare_signature(steps["prepared"], intent(), key.certificate, key.chain)
    with pytest.raises(SignatureWrong):
        finish_signature(
            prepared,
            signature=key.sign(prepared.attributes),
            certificate=key.certificate,
            chain=key.chain,
            token=desk.tsa.stamp(bytes(32)),
            revocation=desk.revocation,
        )
    hole = prepare_timestamp(steps["sealed"])
    for token in (desk.tsa.stamp(bytes(32)), b"no token"):
        with pytest.raises(SignatureWrong):
            finish_timestamp(hole, token=token)


def test_proof_can_be_renewed_by_one_more_time_stamp(steps, desk):
    renewed = desk.stamp(steps["stamped"])
    assert renewed.startswith(steps["stamped"])
    assert len(PdfFileReader(io.BytesIO(renewed)).embedded_timestamp_signatures) == 2
