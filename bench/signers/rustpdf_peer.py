"""Signs with rustpdf, asked line by line as `plain_pyhanko.py` is; runs in the bench's own environment, not in ours.

rustpdf makes a field of its own instead of filling a prepared one, draws nothing here, certifies nothing, and signs
with RSA only: the least that it can do.
"""

import json
import sys
import time
from pathlib import Path

import rustpdf


def main() -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        pdf, key = Path(asked["pdf"]).read_bytes(), Path(asked["key"]).read_bytes()
        certificate = bytes.fromhex(asked["certificates"][0])

        def sign(pdf=pdf, key=key, certificate=certificate) -> bytes:
            return rustpdf.sign(pdf, key, certificate, pades=True)

        try:
            if asked.get("out"):
                Path(asked["out"]).write_bytes(sign())
            if asked.get("peak"):
                answer = peak(sign)
            else:
                begun, calls = time.process_time(), 0
                while calls == 0 or time.process_time() - begun < 0.2:
                    sign()
                    calls += 1
                answer = (time.process_time() - begun) / calls
        except rustpdf.PdfError as error:
            answer = f"refused: {error}"
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def peak(work) -> float:
    """MiB that a call needs above what was there before it."""
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    work()
    return (status("VmHWM") - before) / 1024


def status(name: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])


if __name__ == "__main__":
    main()
