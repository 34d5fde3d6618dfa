"""Third-party files with a known verdict, where they are on this machine: what is forged is never said valid, what is
lawful is never called forged.
"""

from pathlib import Path

import pytest

from bench.corpora import judged
from bench.expected import Row, rows, targets


@pytest.fixture(scope="module")
def answered(corpora: Path) -> list[Row]:
    """Every file, verified once through the product's own limited process."""
    return judged(rows(corpora), sandbox=True)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_target_of_the_corpora_is_met(answered: list[Row]) -> None:
    missed = [f"{target.words}: {target.figure}" for target in targets(answered) if not target.met]
    assert not missed


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_file_is_answered_in_the_limited_process(answered: list[Row]) -> None:
    assert [row.path for row in answered if row.outcome == "crashed"] == []
    assert {row.answer["refused"] for row in answered if row.outcome == "refused"} <= {"not-a-pdf", "pdf-encrypted"}
