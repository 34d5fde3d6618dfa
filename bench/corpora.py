"""`python -m bench.corpora`: every file of the corpora against its expected word; non-zero when a target is missed.

The corpora are third-party files that never enter the project: the folder is `CONGVAN_CORPORA`, else
`../shared/corpora` beside the checkout. Their README says what each word means and how trust and time are chosen.
`--sandbox` runs everything through the product's own limited process, `--compare` writes the table of disagreements
with plain pyHanko and poppler's pdfsig into `docs/verifier.md`, further words choose files by a part of their path.
"""

import argparse
import json
import os
import resource
import selectors
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from bench import peers
from bench.expected import MOST_SECONDS, OUTCOMES, Row, corpora_folder, judge, rows, targets
from bench.trusting import Inputs, inputs
from keys.model import RevocationData
from signing.errors import SigningError
from signing.model import Report
from signing.sandbox import Sandbox
from signing.verify import verify_pdf

HELD = 4 << 30
"""Bytes that a process of the bench may take: far above the target, so that it is measured and not only met."""
WORKERS = 2


# -- one file, one answer --


def answer(pdf: bytes, told: Inputs, verify: Callable[..., Report] = verify_pdf) -> dict[str, Any]:
    """What the verifier says of one file, as plain values."""
    try:
        report = verify(pdf, at=told.at, trust=told.trust, revocation=RevocationData())
    except SigningError as refused:
        return {"refused": refused.code}
    except Exception as error:
        traceback.print_exc()
        return {"crashed": f"{type(error).__name__}: {error}"[:300]}
    return {
        "verdict": report.verdict,
        "findings": [f.code for f in report.findings],
        "signatures": [_signature(one) for one in report.signatures],
    }


def _signature(one: Any) -> dict[str, Any]:
    return {
        "field": one.field,
        "kind": one.kind,
        "verdict": one.verdict,
        "sub": one.sub_indication,
        "findings": [f.code for f in one.findings],
        "gaps": [f.gaps for f in one.findings if f.gaps],
        "changes": [f"{c.kind}:{c.what}:{c.detail or c.field or ''}" for c in one.changes if c.kind != "long_term"],
    }


# -- each file in a process of its own --


def run_all(wanted: Sequence[Row], work: Callable[[Row], dict[str, Any]]) -> None:
    """Do `work` for every row in a fresh process with limits, two at a time, and measure it into the row."""
    waiting, running = list(reversed(wanted)), dict[int, tuple[Row, int, float, bytearray]]()
    with selectors.DefaultSelector() as pipes:
        while waiting or running:
            while waiting and len(running) < WORKERS:
                row = waiting.pop()
                pipe, child = _begun(row, work)
                running[pipe] = (row, child, time.monotonic(), bytearray())
                pipes.register(pipe, selectors.EVENT_READ)
            for key, _ in pipes.select():
                part = os.read(key.fd, 1 << 16)
                running[key.fd][3].extend(part)
                if not part:
                    pipes.unregister(key.fd)
                    os.close(key.fd)
                    _ended(*running.pop(key.fd))


def _begun(row: Row, work: Callable[[Row], dict[str, Any]]) -> tuple[int, int]:
    """The pipe that the answer will come from, and the child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return reading, child
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS + 5, MOST_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (HELD, HELD))
        signal.alarm(4 * MOST_SECONDS)  # a process that waits uses no CPU
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(work(row)).encode())
    finally:
        os._exit(0)


def _ended(row: Row, child: int, begun: float, told: bytearray) -> None:
    usage = os.wait4(child, 0)[2]
    row.answer = json.loads(told) if told else {"died": True}
    # what the process computed: beside busy neighbours the wall clock says nothing about the file
    row.seconds = min(usage.ru_utime + usage.ru_stime, time.monotonic() - begun)
    row.mib = usage.ru_maxrss / 1024


def run_in_sandbox(wanted: Sequence[Row], folder_inputs: Callable[[Row], Inputs]) -> None:
    """The same through the product's limited process, which keeps its memory to itself."""

    def one(row: Row, told: Inputs, sandbox: Sandbox) -> None:
        begun = time.monotonic()
        row.answer = answer(row.pdf, told, lambda *a, **k: sandbox.run(verify_pdf, *a, **k))
        row.seconds = time.monotonic() - begun

    told = [folder_inputs(row) for row in wanted]
    with closing(Sandbox(workers=WORKERS)) as sandbox, ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda pair: one(*pair, sandbox), zip(wanted, told, strict=True)))


# -- the tables --


def table(done: Sequence[Row]) -> Iterator[str]:
    """One line for each class."""
    yield f"| expected | files | met | {' | '.join(OUTCOMES)} | worst CPU s | worst MiB |"
    yield "|---|---:|---:|" + "---:|" * len(OUTCOMES) + "---:|---:|"
    for expected in sorted({row.expected for row in done}):
        here = [row for row in done if row.expected == expected]
        seen = Counter(row.outcome for row in here)
        met, counts = sum(row.met for row in here), " | ".join(str(seen[outcome]) for outcome in OUTCOMES)
        slowest, largest = max(row.seconds for row in here), max(row.mib for row in here)
        yield f"| {expected} | {len(here)} | {met} | {counts} | {slowest:.1f} | {largest:.0f} |"


def judged(wanted: Sequence[Row], *, sandbox: bool = False) -> list[Row]:
    """The rows with their answers, measures and judgements."""
    if sandbox:
        run_in_sandbox(wanted, inputs)
    else:
        run_all(wanted, lambda row: answer(row.pdf, inputs(row)))
    for row in wanted:
        judge(row)
    return list(wanted)


def report(done: Sequence[Row], *, every: bool = False) -> bool:
    """Print what missed, the table and the targets; whether all targets were met."""
    for row in done:
        if every or not row.met:
            print(f"{'met ' if row.met else 'MISS'} {row.expected:<9} {row.path}: {row.why[:90]}")
            print(f"      {json.dumps(row.answer)[:700]}")
    print("\n".join(table(done)))
    reached = targets(done)
    for target in reached:
        print(f"{'met ' if target.met else 'MISS'} {target.words}: {target.figure}")
    return all(target.met for target in reached)


def main(arguments: Sequence[str]) -> int:
    """The command; 0 when every target is met, or when there are no corpora (which it says)."""
    parser = argparse.ArgumentParser(prog="python -m bench.corpora", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", help="only files with one of these words in their path; all their answers")
    parser.add_argument("--sandbox", action="store_true", help="through the product's limited process")
    parser.add_argument("--compare", action="store_true", help="also ask pyHanko and pdfsig; writes docs/verifier.md")
    asked = parser.parse_args(arguments)
    folder = corpora_folder()
    if folder is None:
        print("corpora not present: set CONGVAN_CORPORA")
        return 0
    wanted = [row for row in rows(folder) if not asked.parts or any(word in row.path for word in asked.parts)]
    done = judged(wanted, sandbox=asked.sandbox)
    met = report(done, every=bool(asked.parts))
    if asked.compare:
        peers.compare(done, run_all, write=not asked.parts)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
