"""`python -m bench.fuzz`: changed files against intake, guard and verifier, each in a limited process.

Seeds are letters signed on our own road with throw-away keys and, where they are on this machine, the corpora. A file
is found, kept in `--folder` and makes the command fail when the verifier ends in anything but a report or one of the
room's errors, does not end in time, or calls a file valid that shows something else than the honest one. Each case is
made from two numbers (`--seed`, its own), so it can be made again.
"""

import argparse
import faulthandler
import hashlib
import json
import os
import random
import re
import resource
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2 as pdfium

from bench.expected import corpora_folder, rows
from bench.signed_files import Signers, letters
from bench.trusting import Inputs, inputs
from keys.model import RevocationData
from signing.errors import SigningError
from signing.model import Report, Verdict
from signing.report import report_json
from signing.verify import certificates_in, verify_pdf

MOST_SECONDS = 30
MOST_MEMORY = 1536 << 20
MOST_SEED = 400_000
BATCH = 25
WORKERS = 2
FOUND = ("CRASH", "HANG", "FORGED")
BLANK = b"\r\n\t \x00"

NOTHING = RevocationData()

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


@dataclass(frozen=True)
class Seed:
    """An honest or dishonest file to begin with, and how it is judged."""

    name: str
    pdf: bytes
    told: Inputs
    revocation: RevocationData = NOTHING


# -- where mutations begin --


def own_seeds() -> list[Seed]:
    """Every step of our road for each of the product's sample letters that is small."""
    signers = Signers.made()
    made = []
    for name, letter in letters().items():
        if len(letter) < MOST_SEED:
            steps = signers.road(letter) | {"twice": signers.plainly_signed(letter, 2)}
            told = Inputs(signers.trust, datetime.now(UTC))
            made += [Seed(f"{name}:{step}", pdf, told, signers.revocation) for step, pdf in steps.items()]
    return made


def corpora_seeds() -> list[Seed]:
    """The small files of the corpora, where they are."""
    folder = corpora_folder()
    if folder is None:
        print("corpora not present: set CONGVAN_CORPORA; own letters only")
        return []
    here = [row for row in rows(folder) if row.path.endswith(".pdf") and len(row.pdf) < MOST_SEED]
    return [Seed(row.path, row.pdf, inputs(row)) for row in here]


# -- mutations --


def bytes_flipped(pdf: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A few single bytes are others."""
    out = bytearray(pdf)
    for _ in range(chance.choice((1, 1, 2, 8))):
        out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def part_gone(pdf: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A part is cut out."""
    at, length = _part(pdf, chance)
    return pdf[:at] + pdf[at + length :]


def part_twice(pdf: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A part stands there twice, or at another place."""
    at, length = _part(pdf, chance)
    to = chance.choice((at, chance.randrange(len(pdf))))
    return pdf[:to] + pdf[at : at + length] + pdf[to:]


def spliced(pdf: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A part of another file lies over it."""
    other = chance.choice(others)
    at, length = _part(other, chance)
    to = chance.randrange(len(pdf))
    return pdf[:to] + other[at : at + length] + pdf[to + length * chance.randrange(2) :]


def truncated(pdf: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """It ends early, sometimes at the end of a revision with something behind."""
    ends = [match.end() for match in re.finditer(rb"%%EOF\s?", pdf)]
    end = chance.choice([*ends, chance.randrange(len(pdf))])
    return pdf[:end] + chance.choice((b"", b"", b"\n", b"x", b"%%EOF", b"startxref\n0\n%%EOF"))


def number_changed(pdf: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A number of the structure (cross-references, trailer, ranges, lengths, references) is another."""
    places = list(re.finditer(_STRUCTURE, pdf))
    if not places:
        return pdf
    return _with_number(pdf, chance, *chance.choice(places).span())


def token_put(pdf: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A word of the language stands where none belongs, or instead of others."""
    places = list(re.finditer(rb"[/<>\[\]()]", pdf))
    at = chance.choice(places).start() if places else 0
    token = chance.choice(TOKENS)
    return pdf[:at] + token + pdf[at + len(token) * chance.randrange(2) :]


def range_changed(pdf: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """One number of a /ByteRange is another."""
    found = list(re.finditer(rb"/ByteRange\s*\[([^\]]*)\]", pdf))
    numbers = [m for one in found for m in re.finditer(rb"\d+", pdf[one.start(1) : one.end(1)])]
    if not numbers:
        return pdf
    one = chance.choice(found)
    number = chance.choice(list(re.finditer(rb"\d+", one[1])) or [None])
    if number is None:
        return pdf
    return _with_number(pdf, chance, one.start(1) + number.start(), one.start(1) + number.end())


def cms_changed(pdf: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Bytes of a CMS are others, or it is the CMS of another file."""
    found = list(re.finditer(_CONTENTS, pdf))
    if not found:
        return pdf
    one = chance.choice(found)
    held = bytearray(one[1])
    foreign = re.findall(_CONTENTS, chance.choice(others))
    if foreign and chance.random() < 0.2:
        held = bytearray(chance.choice(foreign).ljust(len(held), b"0")[: len(held)])
    used = max(len(bytes(held).rstrip(b"0")), 1)
    for _ in range(chance.choice((1, 1, 2, 6))):
        held[chance.randrange(used)] = chance.choice(b"0123456789abcdefF")
    return pdf[: one.start(1)] + bytes(held) + pdf[one.end(1) :]


def revision_added(pdf: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """One more revision, written as it should be, in which an object is another one."""
    objects = list(re.finditer(_OBJECT, pdf))
    roots = re.findall(rb"/Root\s+(\d+)\s+0\s+R", pdf)
    if not objects or not roots:
        return pdf
    numbers = [int(one[1]) for one in objects]
    added = {}
    for one in chance.sample(objects, min(len(objects), chance.choice((1, 1, 2, 3)))):
        added[int(one[1])] = _changed_body(one[2], chance, numbers, others)
    return _appended(pdf, added, int(roots[-1]), chance)


MUTATIONS: dict[Mutation, int] = {
    bytes_flipped: 3, part_gone: 1, part_twice: 1, spliced: 1, truncated: 1, number_changed: 3, token_put: 2,
    range_changed: 2, cms_changed: 3, revision_added: 8,
}  # fmt: skip
TOKENS = (
    b"<<", b">>", b"[", b"]", b"(", b"null", b"endobj", b"stream\n", b"endstream", b"-1", b"99999999999", b"1 0 R",
    b"/Kids[1 0 R]", b"/Parent 1 0 R", b"/V 1 0 R", b"/Type/ObjStm", b"/Length 0", b"/Filter/FlateDecode", b"/Prev 0",
    b"/Encrypt<<>>", b"/Fields null", b"/Annots 1 0 R", b"/Contents<>", b"/FT/Sig", b"<", b"%", b"1e9", b"/", b"#00",
)  # fmt: skip
_STRUCTURE = re.compile(
    rb"(?:(?<=startxref\n)|(?<=/Prev )|(?<=/Size )|(?<=/Length )|(?<=/First )|(?<=/N )|\b)\d+\b(?= )"
)
_CONTENTS = re.compile(rb"/Contents\s*<([0-9A-Fa-f]{200,})>")
_GAP = re.compile(rb"/Contents\s*<([0-9A-Fa-f\s\x00]{200,})>")
"""The same with blanks among the digits, which a hexadecimal string may have (ISO 32000-2, 7.3.4.3)."""
_OBJECT = re.compile(rb"(?<!\d)(\d+) 0 obj\b(.{0,60000}?)endobj", re.DOTALL)


def _part(pdf: bytes, chance: random.Random) -> tuple[int, int]:
    return chance.randrange(len(pdf)), chance.choice((1, 7, 60, 500, 8000))


def _with_number(pdf: bytes, chance: random.Random, start: int, end: int) -> bytes:
    value = int(pdf[start : min(end, start + 400)])  # Python reads no longer ones at once
    new = chance.choice((0, 1, value + 1, value - 1, value * 2, -value, len(pdf), 2**31, 2**63, chance.randrange(200)))
    text = b"%d" % new
    return pdf[:start] + (text.rjust(end - start, b"0") if chance.random() < 0.7 else text) + pdf[end:]


def _changed_body(body: bytes, chance: random.Random, numbers: Sequence[int], others: Sequence[bytes]) -> bytes:
    """The body of an object with a reference, a word, a number or a few bytes changed."""
    for _ in range(chance.choice((0, 1, 1, 2))):
        kind = chance.randrange(5)
        if kind == 0 and (found := list(re.finditer(rb"\d+ 0 R", body))):
            start, end = chance.choice(found).span()
            body = body[:start] + b"%d 0 R" % chance.choice(numbers) + body[end:]
        elif kind == 1 and (found := list(re.finditer(rb"/\w+", body))):
            start, end = chance.choice(found).span()
            foreign = re.findall(rb"/[A-Z]\w{0,12}", chance.choice(others)[:20_000]) or [b"/X"]
            body = body[:start] + chance.choice(foreign) + body[end:]
        elif kind == 2 and (found := list(re.finditer(rb"\d+", body))):
            body = _with_number(body, chance, *chance.choice(found).span())
        elif kind == 3:
            body = token_put(body, chance, others)
        elif body:
            body = bytes_flipped(body, chance, others)
    return body


def _appended(pdf: bytes, objects: dict[int, bytes], root: int, chance: random.Random) -> bytes:
    before = int((re.findall(rb"startxref\s+(\d+)", pdf) or [b"0"])[-1])
    sizes = [int(n) for n in re.findall(rb"/Size\s+(\d+)", pdf) if len(n) < 8]
    out, lines = bytearray(pdf), b""
    for number, body in sorted(objects.items()):
        lines += b"%d 1\n%010d 00000 n \n" % (number, len(out))
        out += b"%d 0 obj%bendobj\n" % (number, body)
    start, size = len(out), max([*sizes, *(n + 1 for n in objects)])
    words = chance.choice((b"", b"", b"/Info 1 0 R", b"/ID[<00><00>]"))
    out += b"xref\n%btrailer\n<</Size %d/Root %d 0 R/Prev %d%b>>\n" % (lines, size, root, before, words)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def case(seed: Seed, number: int, others: Sequence[bytes]) -> tuple[bytes, str]:
    """The changed file with that number, and what was done to it."""
    chance = random.Random(f"{seed.name} {number}")
    pdf, done = seed.pdf, []
    for mutation in chance.choices(list(MUTATIONS), list(MUTATIONS.values()), k=chance.choice((1, 1, 1, 2))):
        pdf = mutation(pdf, chance, others) or b"%PDF-1.7"
        done.append(mutation.__name__)
    return pdf, "+".join(done)


# -- judging one case --


def answer(pdf: bytes, seed: Seed) -> str:
    """The verdict, the code of a refusal, or `limit`; `FORGED` when a changed file is called valid."""
    try:
        certificates_in(pdf)
    except SigningError:
        pass  # it names nobody to ask; the verdict is asked for in any case
    except (MemoryError, RecursionError):
        return "limit"
    try:
        report = verify_pdf(pdf, at=seed.told.at, trust=seed.told.trust, revocation=seed.revocation)
        report_json(report)
    except SigningError as refused:
        return refused.code
    except (MemoryError, RecursionError):
        return "limit"  # the limited process of the product says so, too
    return "FORGED" if report.verdict is Verdict.VALID and not may_be_valid(pdf, seed, report) else str(report.verdict)


def may_be_valid(pdf: bytes, seed: Seed, report: Report) -> bool:
    """Whether what is called valid has the honest file's bytes outside the gaps of its signatures, or looks like it."""
    if _without_gaps(pdf.rstrip(BLANK)) == _without_gaps(seed.pdf[: len(pdf.rstrip(BLANK))]):
        return True
    length = max((s.signed_bytes or 0 for s in report.signatures), default=0)
    if not length or _without_gaps(pdf[:length]) != _without_gaps(seed.pdf[:length]):
        return False
    try:
        seen = _pictures(pdf)
    except pdfium.PdfiumError:
        return True  # what a reader cannot open shows nobody anything else
    return seen in (_pictures(seed.pdf[:length]), _pictures(seed.pdf))


def _without_gaps(pdf: bytes) -> bytes:
    return _GAP.sub(lambda found: b"/Contents<%b>" % (b"-" * len(found[1])), pdf)


def _pictures(pdf: bytes) -> list[str]:
    document = pdfium.PdfDocument(pdf)
    document.init_forms()
    return [hashlib.sha256(page.render(scale=0.5).to_pil().tobytes()).hexdigest() for page in document]


# -- many cases, in limited processes --


@dataclass
class Found:
    """A case that must not be."""

    seed: str
    number: int
    how: str
    what: str
    pdf: bytes


def fuzz(seeds: Sequence[Seed], *, minutes: float, first: int, folder: Path) -> Counter[str]:
    """Counts of answers after so many minutes; what was found lies in the folder."""
    counts, number = Counter[str](), first
    end = time.monotonic() + 60 * minutes
    running: dict[int, tuple[int, Seed, int, float, bytearray]] = {}
    others = [seed.pdf for seed in seeds]
    chance = random.Random(first)
    while time.monotonic() < end or running:
        while time.monotonic() < end and len(running) < WORKERS:
            seed = chance.choice(seeds)
            pipe, child = _begun(seed, number, others)
            running[pipe] = (child, seed, number, time.monotonic(), bytearray())
            number += BATCH
        for pipe in select.select(list(running), [], [], 5)[0]:
            part = os.read(pipe, 1 << 16)
            running[pipe][4].extend(part)
            if not part:
                child, seed, start, _, told = running.pop(pipe)
                os.close(pipe)
                os.waitpid(child, 0)
                for word, found in _read(seed, start, told, others):
                    counts[word] += 1
                    if found is not None:
                        _keep(found, folder)
    return counts


def _begun(seed: Seed, start: int, others: Sequence[bytes]) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return reading, child
    os.close(reading)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
        for number in range(start, start + BATCH):
            pdf, _ = case(seed, number, others)
            signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)  # its own computing, not its neighbours'
            signal.alarm(10 * MOST_SECONDS)
            try:
                said = answer(pdf, seed)
            except Exception:
                said = "CRASH " + traceback.format_exc()[-2000:]
            os.write(writing, json.dumps([number, said]).encode() + b"\n")
    finally:
        os._exit(0)


def _read(seed: Seed, start: int, told: bytes, others: Sequence[bytes]) -> Iterator[tuple[str, Found | None]]:
    lines = [json.loads(line) for line in told.splitlines()]
    if len(lines) < BATCH:  # the process ended in the middle of a case: out of time, or killed
        lines.append([start + len(lines), "HANG or killed"])
    for number, said in lines:
        bad = said.startswith(FOUND)
        if not bad:
            yield said, None
            continue
        pdf, how = case(seed, number, others)
        yield said.split()[0], Found(seed.name, number, how, said, pdf)


def _keep(one: Found, folder: Path) -> None:
    """Write what was found, what is known of it beside it."""
    print(f"FOUND {one.what.splitlines()[-1]} in {one.seed} #{one.number} ({one.how})", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(one.pdf).hexdigest()[:16]
    (folder / f"{name}.pdf").write_bytes(one.pdf)
    (folder / f"{name}.txt").write_text(f"{one.seed} #{one.number} {one.how}\n{one.what}\n", "utf-8")


def main(arguments: Sequence[str]) -> int:
    """The command; 0 when nothing was found."""
    faulthandler.enable()
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None, help="number of the first case; else from the clock")
    parser.add_argument("--folder", type=Path, default=Path("fuzz-found"))
    parser.add_argument("--own", action="store_true", help="only letters signed here, no corpora")
    asked = parser.parse_args(arguments)
    first = int(time.time()) * 1000 if asked.seed is None else asked.seed
    seeds = [*own_seeds() * (1 if asked.own else 6), *([] if asked.own else corpora_seeds())]
    print(f"{len(seeds)} seeds; first case {first}", flush=True)
    counts = fuzz(seeds, minutes=asked.minutes, first=first, folder=asked.folder)
    found = sum(counts[word] for word in FOUND)
    print(", ".join(f"{word}: {count}" for word, count in counts.most_common()) or "no case")
    print(f"{counts.total()} cases, {found} found" + (f", kept in {asked.folder}" if found else ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
