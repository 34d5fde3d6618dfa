"""The words of the corpora's manifest, and when an answer of the verifier meets them (the README of the corpora)."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

MOST_SECONDS = 30
MOST_MIB = 1536
LEAST_PASS = 0.95

OUTCOMES = ("valid", "listed", "explained", "rejected", "refused", "crashed")
"""Plainly valid; valid with listed changes; unknown with a reason; invalid; not opened, with a reason; no answer."""

HARMLESS = frozenset({"later-addition", "added-then-sealed", "unused-objects", "expected-change"})
FORGED = frozenset(
    {
        "content-changed", "forbidden-change", "later-part-unreadable", "signature-removed", "bytes-after-end",
        "ranges-overlap", "range-not-revision", "gap-not-signature", "byte-range-malformed", "signature-redefined",
        "field-redirected", "value-picture-differ", "unsigned-bytes-in-signature", "hidden-revision", "views-differ",
        "bytes-before-header", "pictures-differ", "key-twice", "signature-broken",
    }
)  # fmt: skip
"""Codes that a reader takes for "changed" or "forged"."""
CHANGES = (FORGED - {"signature-broken"}) | HARMLESS
"""Codes that list a change, an overlap or bytes that no signature covers."""
LEVEL_OF_THE_TEST = "revision comparison at an access level set by the test"


@dataclass
class Row:
    """One file of the manifest, and what came of it."""

    folder: Path
    path: str
    expected: str
    why: str
    answer: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    mib: float = 0.0
    met: bool = False
    outcome: str = ""

    @property
    def pdf(self) -> bytes:
        """The file's bytes, read anew each time."""
        return (self.folder / self.path).read_bytes()

    @property
    def generated(self) -> bool:
        """Whether it was made with throw-away keys under the corpora's own root."""
        return self.path.startswith("generated/")

    @cached_property
    def codes(self) -> set[str]:
        """All codes that the answer names."""
        codes = {code for one in self.answer.get("signatures", ()) for code in one["findings"]}
        return codes | set(self.answer.get("findings", ()))


@dataclass(frozen=True)
class Target:
    """One line of the targets."""

    words: str
    figure: str
    met: bool


def corpora_folder() -> Path | None:
    """Where the corpora lie, or None when they are not on this machine."""
    named = os.environ.get("CONGVAN_CORPORA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "corpora"
    return folder if (folder / "manifest.csv").is_file() else None


def rows(folder: Path) -> list[Row]:
    """The manifest."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [Row(folder, r["path"], r["expected"], r["why"]) for r in csv.DictReader(file)]


# -- does the answer meet the word? --


def judge(row: Row) -> None:
    """Write into the row what came of it, and whether that meets the expected word."""
    row.outcome = outcome(row)
    if row.outcome == "crashed":
        row.met = False
    elif row.outcome == "refused":
        row.met = _refusal_meets(row.expected, row.answer["refused"])
    else:
        row.met = MEETS[row.expected](row)


def outcome(row: Row) -> str:
    """One of `OUTCOMES`."""
    told = row.answer
    if "died" in told or "crashed" in told or row.seconds > MOST_SECONDS or row.mib > MOST_MIB:
        return "crashed"
    if "refused" in told:
        return "refused"
    if told["verdict"] == "valid":
        return "listed" if row.codes & CHANGES else "valid"
    return "explained" if told["verdict"] == "unknown" else "rejected"


def _passes(row: Row) -> bool:
    """Nothing failed, nothing dropped; whatever is not valid says why, and never "changed" or "forged".

    A file over a limit says that and lists no signature: more than 20 signatures are a limit of ours, not a drop.
    """
    signatures = row.answer["signatures"]
    if row.codes == {"over-limit"}:
        return bool(row.answer["verdict"] == "unknown")
    told = all(s["verdict"] == "valid" or s["sub"] or s["findings"] for s in signatures)
    return bool(signatures) and row.answer["verdict"] != "invalid" and told and not row.codes & FORGED


def _fails(row: Row) -> bool:
    return row.answer["verdict"] != "valid" and bool(row.codes) and not _hides_signature(row)


def _attacked(row: Row) -> bool:
    return _fails(row) and all(s["verdict"] != "valid" for s in row.answer["signatures"])


def _hides_signature(row: Row) -> bool:
    """Whether it says "no signature" although the raw bytes speak of one."""
    said = not row.answer["signatures"] and "signature-missing" in row.codes
    return said and b"/ByteRange" in row.pdf


def _listed(row: Row) -> bool:
    return row.outcome != "valid" and bool(row.codes & CHANGES)


def _modified(row: Row) -> bool:
    """Not valid and the change listed; where the test chose its own level, the list is enough."""
    return _listed(row) and (row.answer["verdict"] != "valid" or row.why.startswith(LEVEL_OF_THE_TEST))


def _partly(row: Row) -> bool:
    """One is not accepted; of several, not all fail (`why` names them in words, which nobody here can read)."""
    verdicts = [s["verdict"] for s in row.answer["signatures"]]
    one_fails = any(verdict != "valid" for verdict in verdicts)
    return one_fails and (len(verdicts) == 1 or "invalid" not in verdicts or set(verdicts) != {"invalid"})


def _undetermined(row: Row) -> bool:
    return row.answer["verdict"] == "unknown" and bool(row.codes) and not row.codes & FORGED


def _without_signature(row: Row) -> bool:
    return not row.answer["signatures"] and "signature-missing" in row.codes


MEETS = {
    "PASS": _passes,
    "SHADOW": _passes,
    "FAIL": _fails,
    "ATTACK": _attacked,
    "MODIFIED": _modified,
    "REPORT": _listed,
    "PARTIAL": _partly,
    "INDET": _undetermined,
    "NOSIG": _without_signature,
    "NONE": lambda _: True,
}


def _refusal_meets(expected: str, code: str) -> bool:
    """A refusal names its reason; only files whose word asks for a verdict are missed by it."""
    if expected == "INDET":
        return code == "pdf-encrypted"  # which is no word about forgery
    return expected in ("FAIL", "ATTACK", "REPORT", "NONE")


# -- the targets --


def targets(done: Sequence[Row]) -> list[Target]:
    """The lines of the issue that a run of these files can answer."""
    forged = [row for row in done if row.expected in ("ATTACK", "MODIFIED", "FAIL")]
    accepted = sum(_accepted(row) for row in forged)
    passing = [row for row in done if row.expected == "PASS"]
    share = sum(row.met for row in passing) / len(passing) if passing else 1.0
    twins = [row for row in passing if row.generated]
    plain = sum(row.answer.get("verdict") == "valid" for row in twins)
    slowest, largest = max(row.seconds for row in done), max(row.mib for row in done)
    return [
        Target("ATTACK, MODIFIED and FAIL said valid", f"{accepted} of {len(forged)}", accepted == 0),
        Target("PASS accepted, or the true outside reason", f"{share:.1%} of {len(passing)}", share >= LEAST_PASS),
        Target("honest files made with our own root said valid", f"{plain} of {len(twins)}", plain == len(twins)),
        *(_as_its_row_says(done, expected) for expected in ("PARTIAL", "REPORT", "NONE")),
        Target(f"slowest file, CPU s (< {MOST_SECONDS})", f"{slowest:.1f}", slowest < MOST_SECONDS),
        Target(f"largest process, MiB (< {MOST_MIB})", f"{largest:.0f}", largest < MOST_MIB),
    ]


def _as_its_row_says(done: Sequence[Row], expected: str) -> Target:
    here = [row for row in done if row.expected == expected]
    met = sum(row.met for row in here)
    return Target(f"{expected} as its row says", f"{met} of {len(here)}", met == len(here))


def _accepted(row: Row) -> bool:
    """Said valid: where the test chose its own level, only when nothing is listed."""
    if row.outcome == "listed":
        return not row.why.startswith(LEVEL_OF_THE_TEST)
    return row.outcome == "valid"
