"""`python -m bench.corpora`: every file of the corpora against its expected word, as one table; non-zero when one misses.

The corpora are third-party files that never enter the project: the folder is `CONGVAN_CORPORA`, else
`../shared/corpora` beside the checkout. Its README says what each word means and how trust and time are chosen.
"""

import csv
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asn1crypto import cms, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation.dss import DocumentSecurityStore

from keys.model import Anchor, RevocationData, TrustMaterial, TrustWorld
from signing.errors import SigningError
from signing.verify import verify_pdf

MOST_SECONDS = 30
MOST_MIB = 1536
GENERATED_AT = datetime(2026, 11, 23, 2, tzinfo=UTC)

CHANGES = frozenset(
    {
        "content-changed", "forbidden-change", "later-addition", "added-then-sealed", "unused-objects", "later-part-unreadable", "expected-change", "signature-removed", "bytes-after-end", "ranges-overlap",
        "range-not-revision", "gap-not-signature", "byte-range-malformed", "signature-redefined", "field-redirected",
        "value-picture-differ", "unsigned-bytes-in-signature", "hidden-revision", "views-differ", "bytes-before-header",
        "pictures-differ", "key-twice",
    }
)  # fmt: skip
FORGED = CHANGES - {"later-addition", "added-then-sealed", "unused-objects", "expected-change"} | {"signature-broken"}
"""Codes that a reader takes for "changed" or "forged"."""


@dataclass
class Row:
    """One file of the manifest, and what came of it."""

    path: str
    expected: str
    why: str
    answer: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    mib: float = 0.0
    met: bool = False
    outcome: str = ""


def corpora_folder() -> Path | None:
    """Where the corpora lie, or None when they are not on this machine."""
    named = os.environ.get("CONGVAN_CORPORA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "corpora"
    return folder if (folder / "manifest.csv").is_file() else None


def rows(folder: Path) -> list[Row]:
    """The manifest."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [Row(r["path"], r["expected"], r["why"]) for r in csv.DictReader(file)]


# -- trust and time, as the corpora's README asks --


def inputs(pdf: bytes, path: str, folder: Path) -> tuple[TrustMaterial, datetime]:
    """Whom to trust for one file, and the moment of judgement."""
    if path.startswith("generated/"):
        root = (folder / "generated" / "root.der").read_bytes()
        return TrustMaterial((Anchor(root, TrustWorld.OFFICE),)), GENERATED_AT
    certificates, moments = _found(pdf)
    names = {c.subject.dump() for c in certificates}
    tops = [c for c in certificates if c.issuer.dump() == c.subject.dump() or c.issuer.dump() not in names]
    others = [c for c in certificates if c not in tops]
    trust = TrustMaterial(tuple(Anchor(c.dump(), TrustWorld.OFFICE) for c in tops), tuple(c.dump() for c in others))
    return trust, max(moments, default=GENERATED_AT)


def _found(pdf: bytes) -> tuple[list[x509.Certificate], list[datetime]]:
    import io

    found: dict[bytes, x509.Certificate] = {}
    moments: list[datetime] = []
    try:
        reader = PdfFileReader(io.BytesIO(pdf), strict=False)
        if reader.encrypted:
            reader.decrypt("123")
        fields = list(enumerate_sig_fields(reader, filled_status=True))
    except Exception:
        return [], []
    for _, _, ref in fields:
        try:
            contents = bytes(ref.get_object()["/V"].raw_get("/Contents"))
            signed = cms.ContentInfo.load(contents)["content"]
        except Exception:
            continue
        _gather(signed, found, moments)
    try:
        for certificate in DocumentSecurityStore.read_dss(reader).load_certs():
            found[certificate.dump()] = certificate
    except Exception:
        pass
    return list(found.values()), moments


def _gather(signed: cms.SignedData, found: dict[bytes, x509.Certificate], moments: list[datetime]) -> None:
    try:
        for choice in signed["certificates"] or ():
            if choice.name != "certificate":
                continue
            found[choice.chosen.dump()] = choice.chosen
        if signed["encap_content_info"]["content_type"].native == "tst_info":
            moments.append(signed["encap_content_info"]["content"].parsed["gen_time"].native + timedelta(seconds=1))
        info = signed["signer_infos"][0]
        for attribute in info["signed_attrs"]:
            if attribute["type"].native == "signing_time":
                moments.append(attribute["values"][0].native.replace(tzinfo=UTC) + timedelta(seconds=1))
        for attribute in info["unsigned_attrs"]:
            if attribute["type"].native == "signature_time_stamp_token":
                for token in attribute["values"]:
                    _gather(token["content"], found, moments)
    except Exception:
        return


# -- one file in a process of its own --


def run(row: Row, folder: Path) -> Row:
    """Verify one file in a fresh process with limits, and measure it."""
    pdf = (folder / row.path).read_bytes()
    reading, writing = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS + 5, MOST_SECONDS + 5))
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(json.dumps(_answer(pdf, row.path, folder)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    usage = os.wait4(child, 0)[2]
    row.seconds, row.mib = time.monotonic() - begun, usage.ru_maxrss / 1024
    row.answer = json.loads(told) if told else {"died": True}
    row.met, row.outcome = judge(row, pdf)
    return row


def _answer(pdf: bytes, path: str, folder: Path) -> dict[str, Any]:
    try:
        trust, at = inputs(pdf, path, folder)
        report = verify_pdf(pdf, at=at, trust=trust, revocation=RevocationData())
    except SigningError as refused:
        return {"refused": refused.code}
    except Exception as error:
        import traceback

        traceback.print_exc()
        return {"crashed": f"{type(error).__name__}: {error}"[:300]}
    return {
        "verdict": report.verdict,
        "findings": [f.code for f in report.findings],
        "signatures": [
            {
                "field": s.field, "kind": s.kind, "verdict": s.verdict, "sub": s.sub_indication,
                "findings": [f.code for f in s.findings], "gaps": [f.gaps for f in s.findings if f.gaps],
                "changes": [f"{c.kind}:{c.what}:{c.detail or c.field or ''}" for c in s.changes if c.kind != "long_term"],
            }
            for s in report.signatures
        ],
    }  # fmt: skip


# -- does the answer meet the word? --


def judge(row: Row, pdf: bytes) -> tuple[bool, str]:
    """Whether the answer meets the expected word, and `valid`, `explained`, `rejected` or `refused`."""
    answer = row.answer
    if "died" in answer or "crashed" in answer or row.seconds > MOST_SECONDS or row.mib > MOST_MIB:
        return False, "crashed"
    if "refused" in answer:
        return _refusal_meets(row, answer["refused"]), "refused"
    codes = {c for s in answer["signatures"] for c in s["findings"]} | set(answer["findings"])
    verdict = answer["verdict"]
    plain = verdict == "valid" and not codes & CHANGES
    outcome = (
        "valid" if plain else "explained" if verdict == "unknown" else "rejected" if verdict == "invalid" else "listed"
    )
    failing = [s for s in answer["signatures"] if s["verdict"] == "invalid"]
    match row.expected:
        case "PASS" | "SHADOW":
            return not failing and verdict != "invalid" and not codes & FORGED, outcome
        case "FAIL" | "ATTACK":
            met = verdict != "valid" and not (
                verdict == "invalid" and codes == {"signature-missing"} and b"/ByteRange" in pdf
            )
            return met and (
                row.expected == "FAIL" or all(s["verdict"] != "valid" for s in answer["signatures"])
            ), outcome
        case "MODIFIED" | "REPORT":
            return not plain and bool(codes & CHANGES), outcome
        case "PARTIAL":
            return any(s["verdict"] != "valid" for s in answer["signatures"]) and (
                len(answer["signatures"]) == 1 or "content-changed" not in codes
            ), outcome
        case "INDET":
            return verdict != "valid" and not codes & FORGED, outcome
        case "NOSIG":
            return verdict == "invalid" and not answer["signatures"], outcome
        case _:
            return True, outcome


def _refusal_meets(row: Row, code: str) -> bool:
    if row.expected in ("FAIL", "ATTACK", "NONE", "REPORT"):
        return True
    return row.expected in ("PASS", "NOSIG", "INDET") and code == "pdf-encrypted" and "encrypted" in row.path


# -- the table --


def table(done: Sequence[Row]) -> Iterator[str]:
    """One line for each class."""
    yield "| expected | files | met | valid | listed | explained | rejected | refused | crashed | worst s | worst MiB |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for expected in sorted({row.expected for row in done}):
        here = [row for row in done if row.expected == expected]
        seen = Counter(row.outcome for row in here)
        counts = " | ".join(str(seen[o]) for o in ("valid", "listed", "explained", "rejected", "refused", "crashed"))
        yield (
            f"| {expected} | {len(here)} | {sum(row.met for row in here)} | {counts} "
            f"| {max(row.seconds for row in here):.1f} | {max(row.mib for row in here):.0f} |"
        )


def main(arguments: Sequence[str]) -> int:
    """Print the table and what missed."""
    folder = corpora_folder()
    if folder is None:
        print("corpora not present: set CONGVAN_CORPORA")
        return 0
    wanted = [row for row in rows(folder) if not arguments or any(word in row.path for word in arguments)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda row: run(row, folder), wanted))
    for row in done:
        if not row.met or arguments:
            print(
                f"{'met ' if row.met else 'MISS'} {row.expected:<9} {row.path}: {row.why[:90]}\n      {json.dumps(row.answer)[:700]}"
            )
    print("\n".join(table(done)))
    return 0 if all(row.met for row in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
