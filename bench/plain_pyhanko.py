"""Plain pyHanko as a program of its own, for comparison: `signing` mends pyHanko for the process that imports it.

    python -m bench.plain_pyhanko

Each line on standard input asks about one file, each line on standard output answers, both JSON. Asked:
`file` (path), `anchors`, `intermediates`, `crls` (base64 of DER), `at` (ISO 8601, null for now), `revocation`
(pyHanko's `revocation_mode`), `seconds` (how long to go on repeating). Told: `accepts`, whether pyHanko, used as its
manual shows, finds every signature good, later changes included; `seconds` for one time, the mean.
"""

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from asn1crypto import crl, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext


class PlainPyhanko(AbstractContextManager["PlainPyhanko"]):
    """A running program of this kind, seen from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.plain_pyhanko"],
            cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def ask(
        self,
        file: Path,
        *,
        anchors: Iterable[bytes],
        intermediates: Iterable[bytes] = (),
        crls: Iterable[bytes] = (),
        at: datetime | None = None,
        revocation: str = "hard-fail",
        seconds: float = 0.0,
    ) -> tuple[bool, float]:
        """Whether it accepts the file, and seconds for one time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "file": str(file), "anchors": _texts(anchors), "intermediates": _texts(intermediates), "crls": _texts(crls),
            "at": at.isoformat() if at else None, "revocation": revocation, "seconds": seconds,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        return told["accepts"], told["seconds"]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()


def _texts(values: Iterable[bytes]) -> list[str]:
    return [base64.b64encode(value).decode("ascii") for value in values]


def accepts(pdf: bytes, asked: dict[str, Any]) -> bool:
    """Whether pyHanko finds every signature of the file good; a file over which it stumbles is not accepted."""
    told = {name: [base64.b64decode(one) for one in asked[name]] for name in ("anchors", "intermediates", "crls")}
    try:
        reader = PdfFileReader(io.BytesIO(pdf), strict=False)
        found = [
            validate_pdf_signature(
                one,
                ValidationContext(
                    trust_roots=[x509.Certificate.load(der) for der in told["anchors"]],
                    other_certs=[x509.Certificate.load(der) for der in told["intermediates"]],
                    crls=[crl.CertificateList.load(der) for der in told["crls"]],
                    moment=datetime.fromisoformat(asked["at"]) if asked["at"] else None,
                    allow_fetching=False,
                    revocation_mode=asked["revocation"],
                ),
            ).bottom_line
            for one in reader.embedded_signatures
        ]
    except Exception:
        return False  # foreign files, and whatever pyHanko raises over them
    return bool(found) and all(found)


def main() -> None:
    """Answer until nobody asks any more."""
    for line in sys.stdin:
        asked = json.loads(line)
        pdf = Path(asked["file"]).read_bytes()
        begun, calls, good = time.perf_counter(), 0, False
        while calls == 0 or time.perf_counter() - begun < asked["seconds"]:
            good = accepts(pdf, asked)
            calls += 1
        told = {"accepts": good, "seconds": (time.perf_counter() - begun) / calls}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    assert "signing" not in sys.modules


if __name__ == "__main__":
    main()
