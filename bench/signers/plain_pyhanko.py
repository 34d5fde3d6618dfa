"""Signs and judges with plain pyHanko, asked line by line, in a process that imports nothing of ours.

It is a program of its own because `signing` mends pyHanko for the process that imports it. Each line on standard input
is a JSON object, each answer one line; `bench.signing` says what stands in them.
"""

import asyncio
import io
import json
import shutil
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from asn1crypto import keys, x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key
from PIL import Image
from pyhanko.pdf_utils.font.opentype import GlyphAccumulatorFactory
from pyhanko.pdf_utils.form_tools import populate_static_text_field
from pyhanko.pdf_utils.images import PdfImage
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.text import TextBoxStyle
from pyhanko.sign import fields, signers
from pyhanko.sign.signers.cms_embedder import (
    PdfCMSEmbedder,
    SigAppearanceSetup,
    SigIOSetup,
    SigMDPSetup,
    SigObjSetup,
)
from pyhanko.sign.signers.pdf_byterange import SignatureObject
from pyhanko.sign.signers.pdf_cms import ExternalSigner
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

RESERVED = 49152
VIETNAM = timezone(timedelta(hours=7))


class Told:
    """What a line says: the file, the key and its certificates, the field, the picture, whether it certifies."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.pdf = Path(line["pdf"]).read_bytes()
        self.path = Path(line["pdf"])
        self.key_der = Path(line["key"]).read_bytes()
        self.key = load_der_private_key(self.key_der, None)
        self.certificates = [x509.Certificate.load(bytes.fromhex(der)) for der in line["certificates"]]
        self.field, self.certifies = line["field"], line["certifies"]
        self.picture = Image.open(line["picture"])
        self.picture.load()
        self.store = SimpleCertificateStore.from_certs(self.certificates)
        self.simple = signers.SimpleSigner(self.certificates[0], keys.PrivateKeyInfo.load(self.key_der), self.store)
        self._templates: dict[int, tuple[bytes, bytes]] = {}

    def raw(self, data: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), SHA256())
        return self.key.sign(data, ECDSA(SHA256()))  # type: ignore[union-attr,call-arg,arg-type]

    def cms(self, digest: bytes) -> bytes:
        """From a template: made once by pyHanko for each length of a signature, then digest and signature exchanged."""
        attributes = self._template(0)[0].replace(bytes(range(32)), digest)
        signature = self.raw(attributes)
        place = bytes([0xAB]) * len(signature)
        return self._template(len(signature))[1].replace(bytes(range(32)), digest).replace(place, signature)

    def _template(self, length: int) -> tuple[bytes, bytes]:
        if length not in self._templates:
            signer = ExternalSigner(self.certificates[0], self.store, signature_value=bytes([0xAB]) * length)
            attributes = asyncio.run(signer.signed_attrs(bytes(range(32)), "sha256", use_pades=True))
            whole = asyncio.run(signer.async_sign_prescribed_attributes("sha256", signed_attrs=attributes))
            self._templates[length] = attributes.dump(), whole.dump()
        return self._templates[length]


def documented(told: Told, **how: Any) -> bytes:
    """As the manual shows: a SimpleSigner and a PdfSigner."""
    meta = signers.PdfSignatureMetadata(
        field_name=told.field,
        subfilter=fields.SigSeedSubFilter.PADES,
        md_algorithm="sha256",
        certify=told.certifies,
        docmdp_permissions=fields.MDPPerm.FILL_FORMS,
    )
    style = StaticStampStyle(background=PdfImage(told.picture), background_opacity=1, border_width=0)
    signer = signers.PdfSigner(meta, signer=how.get("signer", told.simple), stamp_style=style)
    writer = how.get("writer") or IncrementalPdfFileWriter(io.BytesIO(told.pdf), strict=False)
    more = {name: value for name, value in how.items() if name not in ("signer", "writer")}
    out = signer.sign_pdf(writer, existing_fields_only=True, **more)
    return bytes(out.getbuffer()) if isinstance(out, io.BytesIO) else b""


def held(told: Told) -> bytes:
    """The same with the loaded key held by a signer of its own, and the room given."""

    class Held(signers.ExternalSigner):
        async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: ARG002
            return bytes(512) if dry_run else told.raw(data)

    signer = Held(told.certificates[0], told.store, signature_value=bytes(512))
    return documented(told, signer=signer, bytes_reserved=RESERVED)


def embedder(told: Told, stream: Any = None, **io_setup: Any) -> bytes:
    """The fastest public way: PdfCMSEmbedder with a CMS made from a template."""
    writer = IncrementalPdfFileWriter(stream or io.BytesIO(told.pdf), strict=False)
    steps = PdfCMSEmbedder().write_cms(field_name=told.field, writer=writer, existing_fields_only=True)
    next(steps)
    at = datetime.now(VIETNAM)
    mdp = SigMDPSetup("sha256", certify=True, docmdp_perms=fields.MDPPerm.FILL_FORMS) if told.certifies else None
    style = StaticStampStyle(background=PdfImage(told.picture), background_opacity=1, border_width=0)
    holder = SignatureObject(at, fields.SigSeedSubFilter.PADES, bytes_reserved=RESERVED)
    steps.send(SigObjSetup(holder, mdp, SigAppearanceSetup(style, at, None)))
    digest, out = steps.send(SigIOSetup("sha256", **io_setup))
    steps.send(told.cms(digest.document_digest))
    return bytes(out.getbuffer()) if isinstance(out, io.BytesIO) else b""


def on_disk(told: Told) -> bytes:
    """The fastest way from file to file: a copy, signed in place, in parts of 1 MiB, and fsync."""
    path = told.path.with_suffix(".pyhanko.pdf")
    shutil.copyfile(told.path, path)
    with path.open("r+b") as stream:
        embedder(told, stream, in_place=True, chunk_size=1 << 20)
        stream.flush()
        _fsync(stream)
    return b""


def _fsync(stream: Any) -> None:
    import os

    os.fsync(stream.fileno())


def filled(told: Told) -> bytes:
    """Number and date in Vietnamese letters, in the two fields."""
    writer, out = IncrementalPdfFileWriter(io.BytesIO(told.pdf), strict=False), io.BytesIO()
    fonts = Path(__file__).parents[2] / "signing" / "fonts"
    for name, text, font in (
        ("so_ky_hieu", "15/QĐ-UBND", "LiberationSerif-Regular.ttf"),
        ("ngay_thang", "Cư M'gar, ngày 05 tháng 3 năm 2026", "LiberationSerif-Italic.ttf"),
    ):
        style = TextBoxStyle(font=GlyphAccumulatorFactory(str(fonts / font)), font_size=13)
        populate_static_text_field(writer, name, style, text)
    writer.write(out)  # type: ignore[no-untyped-call]
    return out.getvalue()


WAYS: dict[str, Callable[[Told], bytes]] = {
    "documented": documented,
    "held": held,
    "embedder": embedder,
    "disk": on_disk,
    "fill": filled,
}


def judged(path: str) -> list[str]:
    """What is wrong with any signature of the file; nothing, when all are whole, right, and undisturbed."""
    wrong = []
    reader = PdfFileReader(io.BytesIO(Path(path).read_bytes()), strict=True)
    for one in reader.embedded_signatures:
        context = ValidationContext(trust_roots=[], allow_fetching=False)
        status = validate_pdf_signature(one, context)
        if not (status.intact and status.valid and status.docmdp_ok):
            wrong.append(one.field_name)
    return wrong or ([] if reader.embedded_signatures else ["no signature"])


def timed(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds for one call, the mean of as many as fit into a fifth of a second."""
    begun, calls = clock(), 0
    while calls == 0 or clock() - begun < 0.2:
        work()
        calls += 1
    return (clock() - begun) / calls


def peak(work: Callable[[], object]) -> float:
    """MiB that a call needs above what was there before it."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    work()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])


def main() -> None:
    """Answer until standard input ends."""
    known: dict[str, Told] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if "judge" in asked:
            answer: Any = judged(asked["judge"])
        else:
            words = json.dumps({k: asked[k] for k in ("pdf", "key", "certificates", "field", "certifies", "picture")})
            told = known.setdefault(words, None) or Told(asked)  # type: ignore[arg-type]
            known[words] = told
            way = WAYS[asked["way"]]
            if asked.get("out"):
                Path(asked["out"]).write_bytes(way(told))
            clock = time.perf_counter if asked["way"] == "disk" else time.process_time
            answer = peak(lambda: way(told)) if asked.get("peak") else timed(lambda: way(told), clock)  # noqa: B023
        assert "signing" not in sys.modules
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
