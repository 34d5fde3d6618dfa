"""Sealed letters judged by programs that are not ours: poppler's pdfsig, qpdf, and plain pyHanko without our bridge."""

import asyncio
import io
import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from tests.fixtures.letters import letter_bytes
from tests.fixtures.pilot import LEADER_NAME, OFFICE_NAME

LETTERS = (
    "libreoffice",
    "xelatex",
    "word-hybrid",
    "scan-ocr",
    "pdf-2.0",
    "offset-turned",
    "pages-200",
)
several_letters = pytest.mark.parametrize("name", LETTERS)


@pytest.fixture(scope="module")
def issued(desk):
    """`issued(name)`: every revision of a letter on its way, made once."""
    made = {}

    def issue(name):
        if name not in made:
            made[name] = desk.issue(letter_bytes(name))
        return made[name]

    return issue


# --- poppler ---


@several_letters
def test_poppler_calls_both_signatures_valid_and_sees_what_each_covers(issued, name, tmp_path, program):
    steps, file = issued(name), tmp_path / "sealed.pdf"
    file.write_bytes(steps["stamped"])
    said = subprocess.run([program("pdfsig"), "-nocert", file], capture_output=True, text=True, check=False).stdout
    leader, seal = said.split("Signature #")[1:3]
    for signature, signer in ((leader, LEADER_NAME), (seal, OFFICE_NAME)):
        assert "Signature Validation: Signature is Valid." in signature
        assert "Signature Type: ETSI.CAdES.detached" in signature
        assert f"Signer Certificate Common Name: {signer}" in signature
    assert said.count("Signature is Valid.") == 2
    # the leader signed the whole prepared file, and nothing that came later; the seal stands on number and date
    assert_covers(leader, steps["prepared"], steps["led"])
    assert_covers(seal, steps["numbered"], steps["sealed"])


def assert_covers(said, before, after):
    """All of `before`, and of `after` all but the hole, the signature's own proof excepted."""
    start, hole, again, end = map(int, re.search(r"Signed Ranges: \[(\d+) - (\d+)\], \[(\d+) - (\d+)\]", said).groups())
    assert start == 0
    assert len(before) < hole < again < end <= len(after)
    assert re.fullmatch(rb"<[0-9A-Fa-f]+>", after[hole:again])
    assert after[:end].rstrip().endswith(b"%%EOF")


# --- qpdf ---


@several_letters
def test_qpdf_finds_no_error_after_any_step(issued, name, tmp_path, program):
    steps = issued(name)
    for step in ("prepared", "led", "numbered", "sealed", "stamped") if name == LETTERS[0] else ("stamped",):
        file = tmp_path / f"{step}.pdf"
        file.write_bytes(steps[step])
        done = subprocess.run([program("qpdf"), "--check", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr  # 3 would be a warning


# --- plain pyHanko ---


def opened(pdf, index):
    return PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures[index]


def long_term(pdf, root, index):
    """pyHanko's long-term process: AdES indication, whether DocMDP was kept, and why not."""
    signature, at = opened(pdf, index), datetime.now(UTC) + timedelta(minutes=1)
    chain = CertValidationPolicySpec(
        SimpleTrustManager.build(trust_roots=[x509.Certificate.load(root)]), CertRevTrustPolicy(REQUIRE_REVINFO)
    )
    spec = SignatureValidationSpec(
        cert_validation_policy=chain,
        ts_cert_validation_policy=chain,
        local_knowledge=LocalKnowledge(),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(
            RevinfoOnlineFetchingRule.LOCAL_ONLY, certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH
        ),
    )
    signature.compute_integrity_info()
    timing = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
    result = asyncio.run(ades_lta_validation(signature, PdfSignatureValidationSpec(spec), timing_info=timing))
    return result.ades_subindic, result.api_status.docmdp_ok, result.failure_msg


@several_letters
def test_both_signatures_pass_long_term_validation_by_plain_pyhanko(issued, authority, name):
    for index in (0, 1):
        indication, docmdp_ok, why = long_term(issued(name)["stamped"], authority.certificate, index)
        assert (indication, docmdp_ok) == (AdESPassed.OK, True), (index, why)


@several_letters
def test_after_the_leader_only_forms_were_filled_and_after_the_seal_nothing_but_proof_was_added(issued, name):
    for index, level in ((0, ModificationLevel.FORM_FILLING), (1, ModificationLevel.LTA_UPDATES)):
        signature = opened(issued(name)["stamped"], index)
        signature.compute_integrity_info()  # with pyHanko's own policy of what may change
        assert signature.diff_result.modification_level == level
        assert signature.docmdp_level == (MDPPerm.FILL_FORMS if index == 0 else None)
