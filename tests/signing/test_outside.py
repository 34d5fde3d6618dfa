"""Sealed letters judged by programs that are not ours: poppler's pdfsig, qpdf, and plain pyHanko without our bridge."""

import io
import json
import re
import subprocess
import sys

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import MDPPerm

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


@several_letters
def test_both_signatures_pass_long_term_validation_by_plain_pyhanko(issued, authority, name, tmp_path):
    letter, root = tmp_path / "letter.pdf", tmp_path / "root.cer"
    letter.write_bytes(issued(name)["stamped"])
    root.write_bytes(authority.certificate)
    said = subprocess.run(
        [sys.executable, "-m", "tests.signing.plain_pyhanko", letter, root], capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in said.stdout.splitlines()] == [["AdESPassed.OK", True]] * 2


@several_letters
def test_after_the_leader_only_forms_were_filled_and_after_the_seal_nothing_but_proof_was_added(issued, name):
    for index, level in ((0, ModificationLevel.FORM_FILLING), (1, ModificationLevel.LTA_UPDATES)):
        signature = opened(issued(name)["stamped"], index)
        signature.compute_integrity_info()  # with pyHanko's own policy of what may change
        assert signature.diff_result.modification_level == level
        assert signature.docmdp_level == (MDPPerm.FILL_FORMS if index == 0 else None)
