"""The docs say what the code does: generated tables are up to date, and every link leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.reading import ROOT

READ_BY_PEOPLE = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)")
FIRST_LINE = re.compile(r"^# \S", re.MULTILINE)


def test_the_tables_of_the_docs_are_those_of_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "docs/make.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_every_table_that_can_be_made_stands_in_a_page() -> None:
    maker = (ROOT / "docs" / "make.py").read_text("utf-8")
    named = set(re.findall(r'^    "([\w-]+)": \w+,$', maker, re.MULTILINE))
    placed = {name for page in READ_BY_PEOPLE for name in re.findall(r"<!-- made: ([\w-]+) -->", page.read_text())}

    assert named == placed != set()


@pytest.mark.parametrize("page", READ_BY_PEOPLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_a_heading(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text("utf-8")):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {path}"
        if anchor:
            assert anchor in _anchors(target), f"{page.name} links to {path}#{anchor}"


@pytest.mark.parametrize("page", READ_BY_PEOPLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_says_nothing_of_the_machine_it_was_written_on(page: Path) -> None:
    told = page.read_text("utf-8")

    assert len(FIRST_LINE.findall(re.sub(r"^```.*?^```", "", told, flags=re.DOTALL | re.MULTILINE))) == 1
    assert not re.search(r"/(work|home|root|tmp)/", told)


def test_every_decision_stands_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    decisions = [file.name for file in folder.glob("[0-9]*.md")]

    assert sorted(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index)) == sorted(decisions)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
