"""Documents per second from the uploaded file to the issued one, beside plain pyHanko signing the same file twice.

Ours is what the service does for every document: each step is the use case that all ways in call, with its limited
process, its own check of the result, its transaction and its fsync. pyHanko is used as its manual shows, with the same
two keys, pictures, time-stamp authority and levels (B-LT certifying, then B-LTA); it prepares nothing, numbers
nothing, checks nothing and keeps nothing. The bare limit is what no program can leave out: two raw signatures and
three time stamps.
"""

import io
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asn1crypto import keys as asn1_keys
from asn1crypto import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from PIL import Image
from pyhanko.pdf_utils.images import PdfImage
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from api import cases, schemas
from api.idempotency import Asked
from bench.district import District, district
from bench.tables import Table, milliseconds, rate, ratio
from exchange.acts.issue import current
from keys.model import Purpose
from keys.vault import open_wrapping
from signing.sign import unsigned_token_digest

SAMPLES = Path(__file__).parents[1] / "api" / "samples"
NO_KEY = Asked(None, "")
OFFICER, LEADER, CLERK = "chuyenvien.huyen", "lanhdao.huyen", "vanthu.huyen"
SUMMARY = __doc__ or ""


class Stopwatch:
    """Seconds by name."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        begun = time.perf_counter()
        yield
        self.seconds[name].append(time.perf_counter() - begun)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.running(name):
                return function(*args, **kwargs)

        return timed


class Ours:
    """The road by the use cases; `steps` and `parts` say where the time went."""

    def __init__(self, pilot: District) -> None:
        self._pilot, self._parts = pilot, pilot.parts
        self._officer, self._leader, self._clerk = (pilot.caller(login) for login in (OFFICER, LEADER, CLERK))
        self.steps, self.inside = Stopwatch(), Stopwatch()

    def watch(self) -> None:
        """From now on, time what the steps are made of."""
        sandbox, run, revocation = self._parts.sandbox, self._parts.sandbox.run, self._parts.revocation
        sandbox.run = lambda f, *a, **k: self.inside.around(f"limited process: {f.__name__}", run)(f, *a, **k)  # type: ignore[method-assign]
        self._parts.open_key = self.inside.around("open the key (argon2)", self._parts.open_key)  # type: ignore[method-assign]
        self._parts.outgoing = self.inside.around("ask the time-stamp authority", self._parts.outgoing)  # type: ignore[assignment]
        revocation.about = self.inside.around("revocation answers", revocation.about)  # type: ignore[method-assign]

    def document(self, name: str, pdf: bytes) -> bytes:
        """One document over the whole road; the sealed PDF."""
        parts, pins = self._parts, self._pilot
        leader, clerk = self._leader, self._clerk
        with self.steps.running("2 prepare"):
            words = {"type": "decision", "subject": "Đo tốc độ", "signer": leader.actor.id}
            done = cases.draft_of_bytes(parts, self._officer, NO_KEY, name, pdf, words).body
            done = cases.submit(parts, self._officer, NO_KEY, done["id"], done["version"]).body
        with self.steps.running("3 leader signs"):
            done = cases.sign(parts, leader, NO_KEY, done["id"], done["version"], pins.pin(LEADER)).body
        with self.steps.running("4 number"):
            done = cases.number(parts, clerk, NO_KEY, done["id"], done["version"], "qd", None).body
        with self.steps.running("5 seal"):
            done = cases.seal(parts, clerk, NO_KEY, done["id"], done["version"], pins.pin(CLERK)).body
        with self.steps.running("6 issue"):
            to = schemas.IssueAsked.model_validate({"recipients": [{"under": clerk.actor.office, "depth": 1}]})
            cases.send_out(parts, clerk, NO_KEY, done["id"], done["version"], to)
        with parts.read() as reading:
            document = reading.exchange.document(done["id"])
            assert document is not None
            assert document.state == "issued"
            return parts.blobs.get(current(reading.exchange, document).file.sha256)


class PyHanko:
    """The same two signatures as pyHanko's manual makes them."""

    def __init__(self, pilot: District) -> None:
        self._root = x509.Certificate.load(pilot.root)
        self._tsa = HTTPTimeStamper(pilot.parts.settings.tsa_url)
        self._signers = {login: _simple_signer(pilot, login) for login in (LEADER, CLERK)}
        self._pictures = {login: _picture(pilot, login) for login in (LEADER, CLERK)}

    def document(self, _: str, pdf: bytes) -> bytes:
        """Signed by the leader (B-LT, certifying), then by the office (B-LTA)."""
        signed = self._signed(pdf, LEADER, "ChuKy", (340, 150, 480, 230), certify=True)
        return self._signed(signed, CLERK, "ConDau", (290, 140, 392, 242), use_pades_lta=True)

    def _signed(self, pdf: bytes, login: str, name: str, box: tuple[int, int, int, int], **more: Any) -> bytes:
        meta = signers.PdfSignatureMetadata(
            field_name=name,
            md_algorithm="sha256",
            subfilter=fields.SigSeedSubFilter.PADES,
            embed_validation_info=True,
            validation_context=ValidationContext(
                trust_roots=[self._root], allow_fetching=True, revocation_mode="hard-fail"
            ),
            docmdp_permissions=fields.MDPPerm.FILL_FORMS,
            **more,
        )
        signer = signers.PdfSigner(
            meta,
            signer=self._signers[login],
            timestamper=self._tsa,
            stamp_style=StaticStampStyle(background=PdfImage(self._pictures[login]), background_opacity=1),
            new_field_spec=fields.SigFieldSpec(name, box=box),
        )
        out = signer.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False))
        return bytes(out.getbuffer())


class Limit:
    """Two raw signatures and three time stamps."""

    def __init__(self, pilot: District) -> None:
        self._keys = [_private_key(pilot, login) for login in (LEADER, CLERK)]
        self._tools = pilot.parts.tools()

    def document(self, _: str, pdf: bytes) -> bytes:
        """Nothing comes of it."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        for key in self._keys:
            self._tools.tsa.stamp(unsigned_token_digest(key.sign(pdf, padding.PKCS1v15(), hashes.SHA256())))
        self._tools.tsa.stamp(unsigned_token_digest(pdf))
        return b""


def measure(*, rounds: int) -> tuple[str, str, list[Table]]:
    """Title, what was measured, and the tables."""
    with district() as pilot:
        ours, theirs, limit = Ours(pilot), PyHanko(pilot), Limit(pilot)
        makers = {"ours": ours, "pyHanko": theirs, "limit": limit}
        rows, checks = [], []
        for name, pdf in _files().items():
            seconds = _interleaved(makers, name, pdf, rounds)
            rows.append(_row(name, pdf, seconds))
            checks += [[f"{who}: {name}", *_judged(made.document(name, pdf))] for who, made in list(makers.items())[:2]]
        rows.append(_two_at_once(ours, rounds))
        ours.steps.seconds.clear()
        ours.watch()
        name, pdf = next(iter(_files().items()))
        for _ in range(rounds):
            with ours.inside.running("a call into a limited process with nothing to do"):
                pilot.parts.sandbox.run(unsigned_token_digest, b"")
            ours.document(name, pdf)
        return (
            "The road: documents per second, steps 2 to 6",
            SUMMARY.strip(),
            [
                Table(
                    f"Documents per second (medians of {rounds} interleaved rounds; ratios by round)",
                    ["file", "ours", "pyHanko, signing twice", "ours / pyHanko", "bare limit", "ours / limit"],
                    rows,
                ),
                Table("Where the time goes: steps", ["step", "ms", "%"], _shares(ours.steps, rounds)),
                Table("Where the time goes: inside the steps", ["what", "ms a document", "%"],
                      _shares(ours.inside, rounds, sum(map(sum, ours.steps.seconds.values())))),
                Table("What outside programs say of the results", ["file", "pdfsig", "qpdf --check"], checks),
            ],
        )  # fmt: skip


def _interleaved(makers: dict[str, Any], name: str, pdf: bytes, rounds: int) -> dict[str, list[float]]:
    watch = Stopwatch()
    for maker in makers.values():
        maker.document(name, pdf)
    for _ in range(rounds):
        for who, maker in makers.items():
            with watch.running(who):
                maker.document(name, pdf)
    return watch.seconds


def _row(name: str, pdf: bytes, seconds: dict[str, list[float]]) -> list[str]:
    ours, theirs, limit = seconds["ours"], seconds["pyHanko"], seconds["limit"]
    label = f"{name}, {len(pdf) / 1024:.0f} KiB"
    return [label, rate(ours), rate(theirs), ratio(ours, theirs), rate(limit), ratio(ours, limit)]


def _two_at_once(ours: Ours, rounds: int) -> list[str]:
    name, pdf = next(iter(_files().items()))
    with ThreadPoolExecutor(2) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda _: ours.document(name, pdf), range(2 * rounds)))
        each = (time.perf_counter() - begun) / (2 * rounds)
    return [f"{name}, two at once", rate([each]), "–", "–", "–", "–"]


def _shares(watch: Stopwatch, rounds: int, whole: float | None = None) -> list[list[str]]:
    """Milliseconds for each document, largest first, and how much of the whole that is."""
    whole = whole or sum(map(sum, watch.seconds.values()))
    spent = sorted(watch.seconds.items(), key=lambda item: -sum(item[1]))
    return [
        [name if len(s) == rounds else f"{name} ({len(s) // rounds}×)", milliseconds([sum(s) / rounds]),
         f"{100 * sum(s) / whole:.0f}"]
        for name, s in spent
    ]  # fmt: skip


def _files() -> dict[str, bytes]:
    """Two sample letters, and ten scanned pages."""
    pages = [Image.effect_noise((1240, 1754), 40).convert("L") for _ in range(10)]
    scan = io.BytesIO()
    pages[0].save(scan, "PDF", save_all=True, append_images=pages[1:], quality=20, resolution=150)
    samples = {name: (SAMPLES / name).read_bytes() for name in ("quyet-dinh.pdf", "cong-van.pdf")}
    return {**samples, "scan.pdf": scan.getvalue()}


def _private_key(pilot: District, login: str) -> Any:
    caller = pilot.caller(login)
    with pilot.parts.read() as reading:
        key = reading.keys.keys_for(caller.actor.id)[-1]
        wrapping = reading.keys.wrapping(key.id, caller.actor.id)
    return open_wrapping(
        wrapping, pin=pilot.pin(login), masters=pilot.parts.masters, key=key.id, holder=caller.actor.id
    )


def _simple_signer(pilot: District, login: str) -> signers.SimpleSigner:
    der = _private_key(pilot, login).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pilot.parts.read() as reading:
        key = reading.keys.keys_for(pilot.caller(login).actor.id)[-1]
    own, *chain = (x509.Certificate.load(c) for c in (key.certificate.der, *key.chain))
    return signers.SimpleSigner(
        signing_cert=own,
        signing_key=asn1_keys.PrivateKeyInfo.load(der),
        cert_registry=SimpleCertificateStore.from_certs(chain),
    )


def _picture(pilot: District, login: str) -> Image.Image:
    actor = pilot.caller(login).actor
    with pilot.parts.read() as reading:
        key = reading.keys.keys_for(actor.id)[-1]
        of_person = key.purpose is Purpose.PERSON
        png = reading.people.picture(*(("signature", actor.id) if of_person else ("seal", actor.office)))
    assert png is not None
    return Image.open(io.BytesIO(png)).convert("RGBA")


def _judged(pdf: bytes) -> list[str]:
    """What pdfsig and qpdf say; a program that is missing is named."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "made.pdf"
        file.write_bytes(pdf)
        pdfsig, qpdf = _said("pdfsig", "-nocert", str(file)), _said("qpdf", "--check", str(file))
    said = ["pdfsig is not here", "qpdf is not here"]
    if pdfsig is not None:
        said[0] = f"{pdfsig.stdout.count('Signature is Valid')} valid"
    if qpdf is not None:
        said[1] = "clean" if qpdf.returncode == 0 else f"status {qpdf.returncode}"
    return said


def _said(program: str, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    if shutil.which(program) is None:
        return None
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
