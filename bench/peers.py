"""The same files judged by plain pyHanko and by poppler's pdfsig, and where they and we disagree."""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.expected import Row
from bench.plain_pyhanko import PlainPyhanko
from bench.tables import Table
from bench.trusting import Inputs, inputs

PAGE = Path(__file__).parents[1] / "docs" / "verifier.md"
FORGED = ("ATTACK", "FAIL", "MODIFIED", "PARTIAL", "REPORT")
LAWFUL = ("PASS", "SHADOW")
KEPT = ("valid", "listed", "explained")
MOST_IN_PAGE = 12
_VALIDATION = re.compile(rb"Signature Validation: (.*)")

Runner = Callable[[Sequence[Row], Callable[[Row], dict[str, Any]]], None]


def pyhanko_accepts(path: Path, told: Inputs) -> bool:
    """Whether pyHanko, used as its manual shows, finds every signature good, later changes included."""
    trust = told.trust
    with PlainPyhanko() as plain:
        accepted, _ = plain.ask(
            path, anchors=[anchor.der for anchor in trust.anchors], intermediates=trust.intermediates, at=told.at,
            revocation="soft-fail",
        )  # fmt: skip
    return accepted


def pdfsig_accepts(path: Path) -> bool:
    """Whether pdfsig (without looking at certificates) calls every signature valid."""
    done = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, check=False, timeout=60)
    found = _VALIDATION.findall(done.stdout)
    return bool(found) and all(said == b"Signature is Valid." for said in found)


def compare(done: Sequence[Row], run_all: Runner, *, write: bool) -> None:
    """Print the table of disagreements; with `write`, also between the marks of the page, long lists only counted."""
    if shutil.which("pdfsig") is None:
        raise SystemExit("missing: pdfsig; to install: apt-get install poppler-utils")
    asked = [Row(row.folder, row.path, row.expected, row.why) for row in done]
    run_all(asked, _ask)
    pairs = [(row, other.answer) for row, other in zip(done, asked, strict=True)]
    table, lists = _counts(pairs).markdown(), _differences(pairs)
    print("\n\n".join([table, _written(lists, most=len(done))]))
    if write:
        page, text = PAGE.read_text("utf-8"), "\n\n".join([table, _written(lists, most=MOST_IN_PAGE)])
        marked = re.compile(r"(<!-- compared -->\n).*?(\n<!-- end compared -->)", re.DOTALL)
        PAGE.write_text(marked.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page), "utf-8")


def _ask(row: Row) -> dict[str, Any]:
    return {
        "pyHanko": pyhanko_accepts(row.folder / row.path, inputs(row)),
        "pdfsig": pdfsig_accepts(row.folder / row.path),
    }


Pair = tuple[Row, dict[str, Any]]


def _counts(pairs: Sequence[Pair]) -> Table:
    rows = []
    for expected in sorted({row.expected for row, _ in pairs}):
        here = [(row, told) for row, told in pairs if row.expected == expected]
        ours = [sum(row.outcome in wanted for row, _ in here) for wanted in OURS.values()]
        theirs = [sum(bool(told.get(who)) for _, told in here) for who in ("pyHanko", "pdfsig")]
        rows.append([expected, *(str(n) for n in (len(here), *ours, *theirs))])
    head = ["expected", "files", *(f"ours: {name}" for name in OURS), "pyHanko accepts all", "pdfsig accepts all"]
    return Table("What three verifiers say, by the word that the corpora expect", head, rows)


OURS = {"valid": ("valid", "listed"), "unknown": ("explained",), "invalid": ("rejected",), "not opened": ("refused",)}


def _differences(pairs: Sequence[Pair]) -> dict[str, list[Row]]:
    found = {}
    for who in ("pyHanko", "pdfsig"):
        found[f"Changed, forged or broken files that {who} accepts and we do not"] = [
            row for row, told in pairs if row.expected in FORGED and told.get(who) and row.outcome != "valid"
        ]
    for who in ("pyHanko", "pdfsig"):
        found[f"Lawful files that {who} does not accept and we do not reject"] = [
            row for row, told in pairs if row.expected in LAWFUL and not told.get(who) and row.outcome in KEPT
        ]
    found["Lawful files that we reject"] = [
        row for row, _ in pairs if row.expected in LAWFUL and row.outcome not in KEPT
    ]
    return found


def _written(lists: dict[str, list[Row]], *, most: int) -> str:
    lines = []
    for title, rows in lists.items():
        lines.append(f"- {title}: {len(rows)}")
        if len(rows) <= most:
            lines += [f"  - `{row.path}` ({row.expected}; ours: {row.outcome})" for row in rows]
    return "\n".join(lines)
