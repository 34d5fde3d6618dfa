"""Seconds for one verdict, beside plain pyHanko, poppler's pdfsig and the bare limit, on the same files in turns.

Ours is `verify_pdf` in a warm process: guard, path, revocation, AdES process, changes after every signature, notes
about prepared documents, report. pyHanko is used as its manual shows, its own difference analysis included, warm in a
process of its own that imports nothing of ours; `pdfsig -nocert` is a process and looks at no certificate and no later
change. The bare limit is one SHA-256 of the file and one raw verification a signature.
V1 to V5 are the goals for verification; what this cannot measure is named below the tables.
"""

import cProfile
import hashlib
import io
import os
import pstats
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import pikepdf
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate
from pikepdf import Dictionary, Name
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from api.client import Congvan
from bench.inbox import CLERK, load, service
from bench.plain_pyhanko import PlainPyhanko
from bench.signed_files import Signers, letters
from bench.tables import Table
from signing.model import Report, Verdict
from signing.verify import verify_pdf

SUMMARY = __doc__ or ""
SIZES = {"small": 0, "middle": 2 << 20, "50 MB": 48 << 20}
SIGNATURES = (1, 2, 10)
REVISIONS = (2, 5, 20, 30)
Seconds = Mapping[str, list[float]]


class Verifiers:
    """Everybody who is asked, with the same trust and the same revocation answers."""

    def __init__(self, signers: Signers) -> None:
        self._signers = signers
        self._key = load_der_x509_certificate(signers.leader.certificate).public_key()
        self._signature = signers.leader.sign(b"anything")

    def ours(self, pdf: bytes) -> Report:
        """The product's whole verdict."""
        signers = self._signers
        return verify_pdf(pdf, at=datetime.now(UTC), trust=signers.trust, revocation=signers.revocation)

    def pyhanko(self, plain: PlainPyhanko, file: Path, *, seconds: float = 0.0) -> tuple[bool, float]:
        """Whether pyHanko finds every signature good, and how long that takes."""
        trust, revocation = self._signers.trust, self._signers.revocation
        return plain.ask(
            file, anchors=[anchor.der for anchor in trust.anchors], intermediates=trust.intermediates,
            crls=revocation.crls, seconds=seconds,
        )  # fmt: skip

    def limit(self, pdf: bytes, signatures: int) -> None:
        """One hash of the file and one raw verification for each signature."""
        hashlib.sha256(pdf).digest()
        assert isinstance(self._key, rsa.RSAPublicKey)
        for _ in range(signatures):
            self._key.verify(self._signature, b"anything", padding.PKCS1v15(), SHA256())


def measure(*, rounds: int) -> tuple[str, str, list[Table]]:
    """Title, what was measured, and the tables."""
    signers = Signers.made()
    verifiers = Verifiers(signers)
    files = {
        (size, count): signers.plainly_signed(_letter_of(length), count)
        for size, length in SIZES.items()
        for count in SIGNATURES
    }
    with TemporaryDirectory(prefix="congvan-bench-") as temporary, PlainPyhanko() as plain:
        seconds = {
            name: _in_turns(verifiers, plain, pdf, name[1], Path(temporary), rounds) for name, pdf in files.items()
        }
    road = signers.road(next(iter(letters().values())))["stamped"]
    return (
        "Verification: seconds for one verdict",
        SUMMARY.strip() + "\n\n" + _not_measured(),
        [
            Table(
                f"Milliseconds (medians of {rounds} interleaved rounds) and ratios by round",
                ["file", "ours", "pyHanko", "pdfsig", "limit", "pyHanko / ours", "pdfsig / ours", "limit / ours"],
                [_row(name, len(files[name]), found) for name, found in seconds.items()],
            ),
            Table("Goals", ["goal", "asked", "reached", "met"], _goals(seconds)),
            _revisions(signers, verifiers, rounds),
            _seen_before(rounds),
            _where(verifiers, {"one signature, small": files["small", 1], "our road, B-LTA": road,
                               "ten signatures, 50 MB": files["50 MB", 10]}),
        ],
    )  # fmt: skip


def _letter_of(length: int) -> bytes:
    """The sample letter, with pages of grey noise behind it until it has that length."""
    out, letter = io.BytesIO(), next(iter(letters().values()))
    with pikepdf.open(io.BytesIO(letter)) as document:
        for _ in range(length >> 20):
            image = document.make_stream(os.urandom(1 << 20))
            for key, value in {
                "Type": Name.XObject, "Subtype": Name.Image, "Width": 1024, "Height": 1024, "BitsPerComponent": 8,
                "ColorSpace": Name.DeviceGray,
            }.items():  # fmt: skip
                image[f"/{key}"] = value
            page = document.add_blank_page(page_size=(595, 842))
            page.Resources = Dictionary(XObject=Dictionary(Im0=image))
            page.Contents = document.make_stream(b"q 595 0 0 842 0 0 cm /Im0 Do Q")
        document.save(out)
    return out.getvalue()


def _in_turns(verifiers: Verifiers, plain: PlainPyhanko, pdf: bytes, count: int, folder: Path, rounds: int) -> Seconds:
    path = folder / "file.pdf"
    path.write_bytes(pdf)
    assert verifiers.ours(pdf).verdict is Verdict.VALID, verifiers.ours(pdf).findings
    accepted, _ = verifiers.pyhanko(plain, path)
    assert accepted
    cases: dict[str, Callable[[], object]] = {
        "ours": lambda: verifiers.ours(pdf),
        "limit": lambda: verifiers.limit(pdf, count),
        "hash": lambda: hashlib.sha256(pdf).digest(),
    }
    if shutil.which("pdfsig"):
        command = ["pdfsig", "-nocert", str(path)]
        cases["pdfsig"] = lambda: subprocess.run(command, capture_output=True, check=True)
    found = defaultdict[str, list[float]](list)
    for _ in range(rounds):
        for name, work in cases.items():
            found[name].append(_timed(work))
        found["pyHanko"].append(verifiers.pyhanko(plain, path, seconds=0.2)[1])
    return found


def _timed(work: Callable[[], object]) -> float:
    """Seconds for one call, the mean of as many as fit into a fifth of a second."""
    begun, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - begun < 0.2:
        work()
        calls += 1
    return (time.perf_counter() - begun) / calls


def _times(found: Seconds, who: str) -> float | None:
    """How many times as long as ours `who` takes; None when it was not there."""
    if not found.get(who):
        return None
    return median(theirs / ours for ours, theirs in zip(found["ours"], found[who], strict=True))


def _shown(ratio: float | None) -> str:
    return "missing" if ratio is None else f"{ratio:.3g}"


def _row(name: tuple[str, int], length: int, found: Seconds) -> list[str]:
    size, count = name
    who = ("ours", "pyHanko", "pdfsig", "limit")
    times = [f"{1000 * median(found[one]):.1f}" if found.get(one) else "missing" for one in who]
    label = f"{size}, {count} signature{'s' if count > 1 else ''} ({length >> 10} KiB)"
    return [label, *times, *(_shown(_times(found, one)) for one in who[1:])]


def _goals(seconds: Mapping[tuple[str, int], Seconds]) -> list[list[str]]:
    one, ten = seconds["small", 1], seconds["50 MB", 10]
    asked = [
        ("V1 one signature: times pyHanko", 10.0, _times(one, "pyHanko")),
        ("V1 one signature: times pdfsig as a process", 10.0, _times(one, "pdfsig")),
        ("V2 ten on 50 MB: share of one SHA-256", 0.6, _times(ten, "hash")),
        ("V2 ten on 50 MB: times pdfsig", 20.0, _times(ten, "pdfsig")),
        ("V2 ten on 50 MB: times pyHanko", 10.0, _times(ten, "pyHanko")),
    ]
    return [[what, f">= {least:g}", _shown(got), _met(got is not None and got >= least)] for what, least, got in asked]


def _met(reached: bool) -> str:
    return "yes" if reached else "no"


def _revisions(signers: Signers, verifiers: Verifiers, rounds: int) -> Table:
    """V4: what each later revision costs."""
    signed = signers.plainly_signed(next(iter(letters().values())), 1)
    files = {0: signed} | {count: _with_revisions(signed, count) for count in REVISIONS}
    found = defaultdict[int, list[float]](list)
    for _ in range(rounds):
        for count, pdf in files.items():
            found[count].append(_timed(lambda pdf=pdf: verifiers.ours(pdf)))  # type: ignore[misc]
    each = {
        count: median((here - none) / count for here, none in zip(found[count], found[0], strict=True))
        for count in REVISIONS
    }
    flat = each[REVISIONS[-1]] / each[REVISIONS[0]]
    rows = [[str(n), f"{1000 * median(found[n]):.1f}", f"{1000 * cost:.2f}"] for n, cost in each.items()]
    title = f"V4, later revisions: a revision of the last row may cost 1.3 times one of the first, and costs {flat:.2f}"
    return Table(title, ["later revisions", "ms", "ms a revision"], rows)


def _with_revisions(pdf: bytes, count: int) -> bytes:
    out = io.BytesIO(pdf)
    for n in range(count):
        writer = IncrementalPdfFileWriter(out, strict=False)
        title = {generic.pdf_name("/Title"): generic.pdf_string(f"Bản {n}")}
        writer.set_info(writer.add_object(generic.DictionaryObject(title)))
        writer.write_in_place()
    return out.getvalue()


def _seen_before(rounds: int) -> Table:
    """V5: what a verdict by hash costs where the same file was judged before, beside the service with nothing to do."""
    with service(walk=True) as (_, address, passwords), Congvan.at(address) as clerk:
        clerk.log_in(CLERK, passwords[CLERK])
        arrived = clerk.delivery(clerk.request("GET", "/deliveries?box=in").json()["items"][0]["id"])
        sha256, token = arrived["file"]["sha256"], str(clerk.token)
        found = defaultdict[str, list[float]](list)
        for _ in range(rounds):
            found["/livez"].append(load(address, "/livez", token).rate)
            found["verdict by hash"].append(load(address, "/api/v1/verify", token, {"sha256": sha256}).rate)
    ratio = median(verdict / bare for verdict, bare in zip(found["verdict by hash"], found["/livez"], strict=True))
    rows = [[name, f"{median(rates):.0f}"] for name, rates in found.items()]
    title = f"V5, a verdict that was given before: asked >= 0.8 of hello world (SQLite), reached {ratio:.2f} of /livez"
    return Table(title, ["request", "requests/s"], rows)


def _where(verifiers: Verifiers, files: Mapping[str, bytes]) -> Table:
    """Functions in which ours spends its time, by their own share."""
    rows = []
    for name, pdf in files.items():
        verifiers.ours(pdf)
        profile = cProfile.Profile()
        profile.runcall(verifiers.ours, pdf)
        stats = pstats.Stats(profile)
        total = stats.total_tt  # type: ignore[attr-defined]
        by_whole = sorted(stats.stats.items(), key=lambda item: -item[1][3])  # type: ignore[attr-defined]
        for (file, _, function), (_, calls, _, whole, _) in by_whole[:60]:
            if any(word in file for word in ("signing", "keys", "certvalidator/validate", "pdf_utils/reader")):
                rows.append([f"{name}: {Path(file).name} {function}", str(calls), f"{100 * whole / total:.0f}"])
    return Table(
        "Where ours spends its time (profile; what a function calls counts, too)", ["what", "calls", "%"], rows
    )


def _not_measured() -> str:
    return (
        "Not measured here: poppler inside a process (V1, there is no binding for it); verification while a file is"
        " uploaded (V3): the product judges in a limited process of its own, to which the state of a running hash"
        " cannot be handed, so the verdict (column ours) comes on top of the upload's own hash, where 20 % are asked."
    )
