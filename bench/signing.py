"""Signatures per second on the product's own documents, beside others on the same bytes in turns.

Every document is a letter as `prepare_document` leaves it, with its fields; the leader certifies it (DocMDP P=2) with a
picture, PAdES B-B, and the office seals what was numbered. *planned* is ours with the file known since it was prepared
(its plan and running SHA-256 kept), *cold* is ours from bytes to bytes, *in three steps* is the way through the limited
process, hashed again outside; the key is held, and each result was checked with the public key. pyHanko runs in a
process that imports nothing of ours: *documented* as its manual shows, *held* with the loaded key in a signer of its
own, *embedder* the fastest public way, with a CMS from a template. rustpdf and PDFBox draw no picture, which spares
them work. The limit is the key operation, and with it one SHA-256 of the file. Times are the computing time of the
signing process (of PDFBox: its thread), because others use the machine, too; what is by the clock says so.
"""

import hashlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pikepdf
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pikepdf import Dictionary, Name
from PIL import Image

from bench.signed_files import OFFICE, Signers, letters
from bench.tables import Table
from keys.signer import PrivateKey, VaultSigner
from signing.known import Plan, read_plan
from signing.model import LEADER_FIELD, SEAL_FIELD, SignaturePurpose, SignIntent
from signing.prepare import prepare_document
from signing.sandbox import Sandbox
from signing.sign import (
    _check_signature,
    check_prepared,
    finish_signature,
    finish_tail,
    prepare_signature,
    prepare_tail,
    unsigned_token_digest,
)
from signing.stamp import draw_seal_image, draw_signature_image, fill_number_date

SUMMARY = __doc__ or ""
HERE = Path(__file__).parent
PEERS = HERE / ".peers"
RUSTPDF = "rustpdf==0.5.0"
JARS = ("pdfbox2", "fontbox2", "commons-logging", "bcprov", "bcpkix", "bcutil")
SIZES = {"small": (1, 0), "mid": (20, 2_000_000), "big": (50, 50_000_000)}
KEYS: dict[str, Callable[[], PrivateKey]] = {
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
    "RSA-4096": lambda: rsa.generate_private_key(65537, 4096),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
}
PYHANKO = ("documented", "held", "embedder")
MISSING = "missing"

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Case:
    """One file, one key, one wish, and all that is known beforehand."""

    name: str
    pdf: bytes
    key: VaultSigner
    key_file: Path
    intent: SignIntent
    folder: Path

    @cached_property
    def plan(self) -> Plan:
        """What was kept since the file was prepared."""
        plan = read_plan(self.pdf)
        assert plan is not None
        return plan

    @cached_property
    def state(self) -> Any:
        """The running SHA-256 kept with it."""
        return hashlib.sha256(self.pdf)

    @property
    def file(self) -> Path:
        """The file on disk, for the others."""
        path = self.folder / f"{self.name}.pdf"
        if not path.exists():
            path.write_bytes(self.pdf)
        return path

    def planned(self, intent: SignIntent | None = None, token: bytes | None = None) -> bytes:
        """Only the tail."""
        tail = prepare_tail(self.plan, self.state, intent or self.intent, self.key.certificate)
        assert tail is not None
        return finish_tail(
            tail, signature=self.key.sign(tail.attributes), certificate=self.key.certificate, chain=self.key.chain,
            token=token,
        )  # fmt: skip

    def cold(self) -> bytes:
        """The whole signed file, nothing known before."""
        tail = prepare_tail(read_plan(self.pdf), hashlib.sha256(self.pdf), self.intent, self.key.certificate)
        assert tail is not None
        return self.pdf + finish_tail(
            tail, signature=self.key.sign(tail.attributes), certificate=self.key.certificate, chain=self.key.chain
        )

    def three_steps(self, run: Callable[..., Any] = lambda function, *args: function(*args), **more: Any) -> bytes:
        """As the use case does it; `run` may be a limited process."""
        key = self.key
        prepared = run(prepare_signature, self.pdf, self.intent, key.certificate, key.chain)
        check_prepared(prepared, key.certificate, extends=self.pdf)
        signature = key.sign(prepared.attributes)
        return finish_signature(prepared, signature=signature, certificate=key.certificate, chain=key.chain, **more)

    def on_disk(self) -> None:
        """The tail as a second segment beside the file, synced."""
        with self.file.with_suffix(".tail").open("wb") as out:
            out.write(self.planned())
            out.flush()
            os.fsync(out.fileno())

    def limit(self) -> bytes:
        """What no program can leave out."""
        return self.key.sign(self.plan.base.catalog)

    def limit_and_hash(self) -> bytes:
        """The same where nothing is known before."""
        return self.key.sign(hashlib.sha256(self.pdf).digest())

    def asked(self, way: str, **more: Any) -> dict[str, Any]:
        """The same for a program at the other end of a pipe."""
        return {
            "way": way, "pdf": str(self.file), "key": str(self.key_file), "field": self.intent.field,
            "certificates": [der.hex() for der in (self.key.certificate, *self.key.chain)],
            "certifies": not self.plan.signed, "picture": str(self._picture), **more,
        }  # fmt: skip

    @property
    def _picture(self) -> Path:
        path = self.folder / f"{self.intent.field}.png"
        path.write_bytes(self.intent.image)
        return path


class Peer:
    """A program asked line by line."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, line: str) -> Any:
        """Its answer; None when it ended or refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or "null")
        except (OSError, ValueError):
            return None
        return None if isinstance(answer, str) else answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@dataclass(frozen=True)
class Others:
    """The programs that could be had; who could not, and what would bring it."""

    pyhanko: Peer
    rustpdf: Peer | None
    pdfbox: Peer | None
    missing: tuple[str, ...]

    def seconds(self, who: str, case: Case, out: Path | None = None) -> float | None:
        """Seconds of one signature by `who`; None when it cannot."""
        told = case.asked(who, out=str(out) if out else None)
        if who == "rustpdf":
            return self.rustpdf.ask(json.dumps(told)) if self.rustpdf else None
        if who == "PDFBox":
            words = (told["pdf"], told["key"], told["field"], str(told["certifies"]).lower(), out or "-",
                     ",".join(told["certificates"]))  # fmt: skip
            return self.pdfbox.ask("\t".join(map(str, words))) if self.pdfbox else None
        return self.pyhanko.ask(json.dumps(told))


@contextmanager
def others() -> Iterator[Others]:
    """Start them; install rustpdf into an environment of the bench's own where that can be done."""
    missing = []
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True, capture_output=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", RUSTPDF],
        capture_output=True,
        check=False,
    )
    if installed.returncode:
        missing.append(f"rustpdf (`pip install {RUSTPDF}` failed)")
    jars = [Path("/usr/share/java") / f"{name}.jar" for name in JARS]
    java = shutil.which("java")
    if java is None or not all(jar.exists() for jar in jars):
        missing.append("PDFBox (`apt-get install libpdfbox2-java libbcpkix-java openjdk-17-jdk-headless`)")
    box = [java or "java", "-cp", ":".join(map(str, jars)), str(HERE / "signers" / "PdfBox.java")]
    started = Others(
        Peer([sys.executable, str(HERE / "signers" / "plain_pyhanko.py")]),
        None if installed.returncode else Peer([str(python), str(HERE / "signers" / "rustpdf_peer.py")]),
        None if any("PDFBox" in one for one in missing) else Peer(box),
        tuple(missing),
    )
    try:
        yield started
    finally:
        for one in (started.pyhanko, started.rustpdf, started.pdfbox):
            if one is not None:
                one.close()


def measure(*, rounds: int) -> tuple[str, str, list[Table]]:
    """The whole part: every case in turns, every output checked, the goals S1 to S8."""
    with TemporaryDirectory() as name, others() as peers:
        signed = Signers.made()
        cases = _cases(signed, Path(name))
        checks = _Checks(peers, Path(name))
        seconds = {case.name: _in_turns(case, peers, rounds, checks) for case in cases.values()}
        more = _more(cases, signed, rounds)
        disk, peaks = _disk(cases["big"], cases["small"], peers, rounds), _peaks(cases["big"], peers)
        tables = [
            _table("Signatures per second, and how many times as fast as `documented`", cases, seconds),
            _table_of_goals(seconds, more, disk, peaks),
            _table_of_times(more),
            Table("50 MB from disk to disk, fsync included", ["who", "ms", "MiB above the start"],
                  [[who, f"{1000 * median(took):.2f}", peaks.get(who, "-")] for who, took in disk.items()]),
            _mix(),
            checks.table(),
        ]  # fmt: skip
        about = SUMMARY.strip()
        if peers.missing:
            about += "\n\nMissing on this machine: " + "; ".join(peers.missing) + "."
        return "Signing", about, tables


def _cases(signed: Signers, folder: Path) -> dict[str, Case]:
    at = datetime.now(UTC).replace(microsecond=0)
    leader = SignIntent(SignaturePurpose.LEADER, LEADER_FIELD, draw_signature_image("A"), "Nguyễn Văn An", at)
    seal = replace(leader, purpose=SignaturePurpose.SEAL, field=SEAL_FIELD, image=draw_seal_image(OFFICE[0]))
    letter = next(iter(letters().values()))
    prepared = {size: prepare_document(_of_size(letter, *how)).pdf for size, how in SIZES.items()}
    begin = datetime.now(UTC).replace(microsecond=0)
    cases: dict[str, Case] = {}

    def add(name: str, pdf: bytes, key: VaultSigner, intent: SignIntent) -> None:
        file = folder / f"{name}.key"
        file.write_bytes(key._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))  # type: ignore[union-attr]
        cases[name] = Case(name, pdf, key, file, intent, folder)

    for kind, made in KEYS.items():
        key = made()
        person = signed.authority.person("Nguyễn Văn An", *OFFICE, "Chủ tịch", key.public_key(), begin)
        add(f"small, {kind}", prepared["small"], VaultSigner(key, person, signed.authority.chain), leader)
    add("mid", prepared["mid"], signed.leader, leader)
    add("big", prepared["big"], signed.leader, leader)
    numbered = signed.road(letter)["numbered"]
    add("seal", numbered, signed.seal, seal)
    cases["small"] = cases["small, RSA-2048"]
    return cases


def _of_size(letter: bytes, pages: int, size: int) -> bytes:
    """The letter with so many pages more, each with its share of a picture that no program can pack."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(letter)) as document:
        side = int((size / pages / 3) ** 0.5)
        for _ in range(pages if size else 0):
            noise = Image.frombytes("RGB", (side, side), os.urandom(3 * side * side))
            page = document.add_blank_page(page_size=(595, 842))
            image = document.make_stream(noise.tobytes())
            for key, value in {"Type": Name.XObject, "Subtype": Name.Image, "Width": side, "Height": side,
                               "ColorSpace": Name.DeviceRGB, "BitsPerComponent": 8}.items():  # fmt: skip
                image[f"/{key}"] = value
            page.Resources = Dictionary(XObject=Dictionary(Im0=image))
            page.Contents = document.make_stream(b"q 595 0 0 842 0 0 cm /Im0 Do Q")
        document.save(out)
    return out.getvalue()


def _in_turns(case: Case, peers: Others, rounds: int, checks: "_Checks") -> Seconds:
    ours: dict[str, Callable[[], object]] = {
        "planned": case.planned,
        "cold": case.cold,
        "in three steps": case.three_steps,
        "limit": case.limit,
        "limit and hash": case.limit_and_hash,
    }
    for name, out in (("planned", case.pdf + case.planned()), ("cold", case.cold()), ("steps", case.three_steps())):
        checks.look(f"ours, {name}", case, out)
    found = defaultdict[str, list[float]](list)
    for turn in range(rounds):
        for name, work in ours.items():
            found[name].append(_timed(work))
        for who in (*PYHANKO, "rustpdf", "PDFBox"):
            out = case.folder / "out.pdf"
            took = peers.seconds(who, case, out if turn == 0 else None)
            if took is None:
                continue
            found[who].append(took)
            if turn == 0:
                checks.look(who, case, out.read_bytes())
    return found


class _Checks:
    """Every output before plain pyHanko, pdfsig and qpdf; who found what."""

    def __init__(self, peers: Others, folder: Path) -> None:
        self._peers, self._file = peers, folder / "checked.pdf"
        self._rows: dict[str, list[list[str]]] = {}

    def look(self, who: str, case: Case, pdf: bytes) -> None:
        self._file.write_bytes(pdf)
        said = {"pyHanko": self._pyhanko(), "pdfsig": self._pdfsig(), "qpdf": self._qpdf()}
        self._rows.setdefault(who, []).append(
            [f"{judge}: {word} ({case.name})" for judge, word in said.items() if word]
        )
        if who.startswith("ours"):
            assert not any(said.values()), (case.name, said)

    def _pyhanko(self) -> str:
        wrong = self._peers.pyhanko.ask(json.dumps({"judge": str(self._file)}))
        return "" if wrong == [] else f"{wrong}"

    def _pdfsig(self) -> str:
        if shutil.which("pdfsig") is None:
            return MISSING
        done = subprocess.run(["pdfsig", "-nocert", str(self._file)], capture_output=True, text=True, check=False)
        good = done.stdout.count("Signature is Valid.")
        return "" if good and good == done.stdout.count("Signature Validation:") else "not valid"

    def _qpdf(self) -> str:
        if shutil.which("qpdf") is None:
            return MISSING
        done = subprocess.run(["qpdf", "--check", str(self._file)], capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else f"status {done.returncode}"

    def table(self) -> Table:
        rows = []
        for who, found in self._rows.items():
            wrong = [one for row in found for one in row]
            rows.append([who, str(len(found)), "; ".join(wrong) or "nothing"])
        return Table("Outputs checked by plain pyHanko, pdfsig and qpdf --check", ["by", "files", "found wrong"], rows)


def _timed(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of one call, the mean of as many as fit into a fifth of a second; of this process's computing alone."""
    begun, calls = clock(), 0
    while calls == 0 or clock() - begun < 0.2:
        work()
        calls += 1
    return (clock() - begun) / calls


def _table(title: str, cases: Mapping[str, Case], seconds: Mapping[str, Seconds]) -> Table:
    who = ["planned", "cold", "in three steps", *PYHANKO, "rustpdf", "PDFBox", "limit", "limit and hash"]
    rows = []
    for name, found in seconds.items():
        cells = [_rate(found, one) for one in who]
        rows.append([f"{name} ({len(cases[name].pdf) >> 10} KiB)", *cells])
    return Table(title, ["case", *who], rows)


def _rate(found: Seconds, who: str) -> str:
    if not found.get(who):
        return MISSING
    times = _ratio(found, "documented", who)
    return f"{1 / median(found[who]):.3g}" + ("" if who == "documented" else f" ({times:.3g})")


def _ratio(found: Seconds, slow: str, quick: str) -> float:
    """How many times as fast as `slow` `quick` is, from the rounds' own ratios."""
    return median(a / b for a, b in zip(found[slow], found[quick], strict=True))


def _more(cases: Mapping[str, Case], signed: Signers, rounds: int) -> Seconds:
    """Ours in variations, in turns: stamp, level, processes, form fill."""
    small, seal = cases["small"], cases["seal"]
    dot = replace(seal.intent, image=_dot())
    token = signed._tsa.stamp(unsigned_token_digest(small.key.sign(_attributes(small))))
    prepared = prepare_document(next(iter(letters().values()))).pdf
    sandbox = Sandbox(workers=1)
    sandbox.run(prepare_signature, small.pdf, small.intent, small.key.certificate, small.key.chain)
    work: dict[str, Callable[[], object]] = {
        "planned, leader": small.planned,
        "planned, seal": seal.planned,
        "planned, a dot in place of the seal": lambda: seal.planned(dot),
        "limit, seal's key": seal.limit,
        "B-T, token at hand, planned": lambda: small.planned(token=token),
        "B-T, token at hand, in three steps": lambda: small.three_steps(token=token),
        "B-LT, token and lists at hand, in three steps": lambda: small.three_steps(
            token=token, revocation=signed.revocation
        ),
        "in three steps": small.three_steps,
        "number and date filled in": lambda: fill_number_date(
            prepared, number="15/QĐ-UBND", date=small.intent.at.date()
        ),
    }
    for kind in KEYS:
        case = cases[f"small, {kind}"]
        raw = case.limit()
        work[f"the check with the public key, {kind}"] = partial(
            _check_signature, case.plan.base.catalog, raw, case.key.certificate
        )
    waiting: dict[str, Callable[[], object]] = {
        "in three steps, fresh limited process (by the clock)": lambda: small.three_steps(sandbox.run),
        "200 signatures, planned, one thread (by the clock)": lambda: _in_threads(small.planned, 1),
        "200 signatures, planned, two threads (by the clock)": lambda: _in_threads(small.planned, 2),
        "200 key operations, one thread (by the clock)": lambda: _in_threads(small.limit, 1),
        "200 key operations, two threads (by the clock)": lambda: _in_threads(small.limit, 2),
    }
    found = defaultdict[str, list[float]](list)
    for _ in range(rounds):
        for name, one in work.items():
            found[name].append(_timed(one))
        for name, one in waiting.items():
            found[name].append(_timed(one, time.perf_counter))
    found |= _starts(rounds)
    sandbox.close()
    return found


def _attributes(case: Case) -> bytes:
    tail = prepare_tail(case.plan, case.state, case.intent, case.key.certificate)
    assert tail is not None
    return tail.attributes


def _dot() -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (1, 1)).save(out, "PNG")
    return out.getvalue()


def _in_threads(work: Callable[[], object], count: int) -> None:
    """Two hundred calls in all."""
    each = 200 // count
    threads = [threading.Thread(target=lambda: [work() for _ in range(each)]) for _ in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def _starts(rounds: int) -> Seconds:
    """Whole processes that do as good as nothing: what a cold command costs before its work."""
    commands = {
        "start: python": "pass",
        "start: import pyHanko's signers": "import pyhanko.sign.signers",
        "start: import signing.sign": "import signing.sign",
        "start: congvan login --help": "from api.cli import run; assert run(['login', '--help']) == 0",
    }
    found: Seconds = {name: [] for name in commands}
    for _ in range(rounds):
        for name, code in commands.items():
            begun = _of_children()
            subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=HERE.parent)
            found[name].append(_of_children() - begun)
    return found


def _of_children() -> float:
    """Computing time of all processes that were started here and ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _disk(big: Case, small: Case, peers: Others, rounds: int) -> Seconds:
    found = defaultdict[str, list[float]](list)
    for _ in range(rounds):
        found["ours, planned: the tail as a second segment"].append(_timed(big.on_disk, time.perf_counter))
        found["the same, small"].append(_timed(small.on_disk, time.perf_counter))
        took = peers.seconds("disk", big)
        if took is not None:
            found["pyHanko, copy and in place, embedder"].append(took)
    return found


def _peaks(big: Case, peers: Others) -> dict[str, str]:
    """Memory of one signature on the big file."""
    found = {"ours, planned: the tail as a second segment": f"{_peak(big.on_disk):.1f}"}
    for label, way in (("pyHanko, copy and in place, embedder", "disk"), ("pyHanko, documented", "documented")):
        found[label] = f"{peers.pyhanko.ask(json.dumps(big.asked(way, peak=True))):.1f}"
    return found


def _peak(work: Callable[[], object]) -> float:
    work()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    work()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])


def _table_of_goals(seconds: Mapping[str, Seconds], more: Seconds, disk: Seconds, peaks: Mapping[str, str]) -> Table:
    def share(case: str, of: str, quick: str = "planned") -> float:
        return _ratio(seconds[case], of, quick)

    rows: list[tuple[str, str, float | None, bool]] = []

    def least(what: str, wanted: float, got: float | None) -> None:
        rows.append((what, f">= {wanted:g}", got, got is not None and got >= wanted))

    def most(what: str, wanted: float, got: float) -> None:
        rows.append((what, f"<= {wanted:g}", got, got <= wanted))

    for kind, wanted in (("RSA-2048", 0.85), ("RSA-3072", 0.95), ("RSA-4096", 0.95), ("P-256", 0.4)):
        least(f"S1 {kind}: share of the raw key operation", wanted, share(f"small, {kind}", "limit"))
    for kind in ("RSA-2048", "RSA-3072", "RSA-4096"):
        least(f"S2 {kind}: times pyHanko as documented", 250, share(f"small, {kind}", "documented"))
    least("S3 cold: share of key operation and hash", 0.5, share("small, RSA-2048", "limit and hash", "cold"))
    rust = seconds["small, RSA-2048"].get("rustpdf")
    least("S3 cold: times rustpdf", 2, share("small, RSA-2048", "rustpdf", "cold") if rust else None)
    own, little = disk["ours, planned: the tail as a second segment"], disk["the same, small"]
    most("S4 50 MB against 40 KB, fsync included: times", 1.2, median(a / b for a, b in zip(own, little, strict=True)))
    most("S4 memory, MiB", 4, float(peaks["ours, planned: the tail as a second segment"]))
    most("S5 seal against a dot: times", 1.2, _ratio(more, "planned, seal", "planned, a dot in place of the seal"))
    least("S5 with seal: times pyHanko as documented", 300, share("seal", "documented"))
    least(
        "S6 two threads: times one",
        1.8,
        _ratio(
            more,
            "200 signatures, planned, one thread (by the clock)",
            "200 signatures, planned, two threads (by the clock)",
        ),
    )
    on_top = median(
        a - b for a, b in zip(more["B-T, token at hand, in three steps"], more["in three steps"], strict=True)
    )
    most("S7 B-T on top of the round trip, ms", 1, 1000 * on_top)
    least("S7 B-LT: share of B-T", 0.8, _ratio(
        more, "B-T, token at hand, in three steps", "B-LT, token and lists at hand, in three steps"
    ))  # fmt: skip
    most("S8 start of the command: share of importing pyHanko's signers", 0.3, _ratio(
        more, "start: congvan login --help", "start: import pyHanko's signers"
    ))  # fmt: skip
    shown = [
        [what, wanted, MISSING if got is None else f"{got:.3g}", "yes" if met else "no"]
        for what, wanted, got, met in rows
    ]
    return Table("The goals", ["goal", "wanted", "here", "reached"], shown)


def _table_of_times(more: Seconds) -> Table:
    rows = [[name, f"{1000 * median(took):.3g}"] for name, took in more.items()]
    return Table("Milliseconds of one call", ["what", "ms"], rows)


def _mix() -> Table:
    """Which prepared letters the appender knows."""
    from tests.fixtures.letters import letter_bytes
    from tests.signing.test_outside import LETTERS

    files = letters() | {name: letter_bytes(name) for name in LETTERS}
    known = {name: read_plan(prepare_document(pdf).pdf) is not None for name, pdf in files.items()}
    slow = [name for name, yes in known.items() if not yes]
    rows = [["letters prepared", str(len(known))], ["written by the appender", str(sum(known.values()))],
            ["written by pyHanko", ", ".join(slow) or "none"]]  # fmt: skip
    return Table("Which way the sample letters and those of the outside tests go", ["", ""], rows)
