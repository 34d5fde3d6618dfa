"""Signed files for the benches and the fuzzer: letters on our own road, made with throw-away keys in this process."""

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from asn1crypto import keys as asn1_keys
from asn1crypto import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from keys.authority import PilotAuthority
from keys.model import RevocationData, TrustMaterial
from keys.signer import VaultSigner
from keys.timestamps import OnlineTsa
from signing.model import LEADER_FIELD, SEAL_FIELD, SignaturePurpose, SignIntent
from signing.prepare import prepare_document
from signing.sign import (
    finish_signature,
    finish_timestamp,
    prepare_signature,
    prepare_timestamp,
    unsigned_token_digest,
)
from signing.stamp import draw_seal_image, draw_signature_image, fill_number_date

SAMPLES = Path(__file__).parents[1] / "api" / "samples"
OFFICE = ("UBND huyện Cư M'gar", "H99.05")


@dataclass
class Signers:
    """A pilot authority of an hour ago, one leader and one seal."""

    authority: PilotAuthority
    leader: VaultSigner
    seal: VaultSigner

    @classmethod
    def made(cls) -> "Signers":
        """Fresh keys that nobody trusts anywhere else."""
        begin = datetime.now(UTC) - timedelta(hours=1)
        authority = PilotAuthority.create(begin - timedelta(days=1), key_size=2048, base_url="http://pilot.invalid")
        person, office = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        leader = authority.person("Nguyễn Văn An", *OFFICE, "Chủ tịch", person.public_key(), begin)
        seal = authority.organisation(*OFFICE, office.public_key(), begin)
        return cls(authority, VaultSigner(person, leader, authority.chain), VaultSigner(office, seal, authority.chain))

    @property
    def trust(self) -> TrustMaterial:
        """Trust in this authority alone."""
        return self.authority.trust

    @cached_property
    def revocation(self) -> RevocationData:
        """Both lists of the authority, as of now."""
        at = datetime.now(UTC)
        return RevocationData(crls=(self.authority.crl(at), self.authority.root_crl(at)))

    @cached_property
    def _tsa(self) -> OnlineTsa:
        def ask(url: str, *, body: bytes | None = None, content_type: str | None = None, limit: int = 0) -> bytes:  # noqa: ARG001
            answered = self.authority.answer(urlsplit(url).path, body or b"", datetime.now(UTC))
            assert answered is not None
            return answered[1]

        return OnlineTsa(self.authority.tsa_url, ask, [self.authority.certificate])

    def road(self, letter: bytes) -> dict[str, bytes]:
        """The file after each step of our road."""
        steps = {"led": self._sign(prepare_document(letter).pdf, SignaturePurpose.LEADER)}
        steps["numbered"] = fill_number_date(
            steps["led"], number="15/QĐ-UBND", date=date(2026, 3, 5), place_name="Cư M'gar"
        )
        steps["sealed"] = self._sign(steps["numbered"], SignaturePurpose.SEAL)
        prepared = prepare_timestamp(steps["sealed"])
        steps["stamped"] = finish_timestamp(prepared, token=self._tsa.stamp(prepared.digest))
        return steps

    def _sign(self, pdf: bytes, purpose: SignaturePurpose) -> bytes:
        leads = purpose is SignaturePurpose.LEADER
        key, field = (self.leader, LEADER_FIELD) if leads else (self.seal, SEAL_FIELD)
        image = draw_signature_image("Nguyễn Văn An") if leads else draw_seal_image(OFFICE[0])
        intent = SignIntent(purpose, field, image, "Nguyễn Văn An", datetime.now(UTC).replace(microsecond=0))
        prepared = prepare_signature(pdf, intent, key.certificate, key.chain)
        signature = key.sign(prepared.attributes)
        return finish_signature(
            prepared, signature=signature, certificate=key.certificate, chain=key.chain,
            token=self._tsa.stamp(unsigned_token_digest(signature)), revocation=self.revocation,
        )  # fmt: skip

    def plainly_signed(self, pdf: bytes, times: int) -> bytes:
        """The file signed so many times by the leader's key, PAdES B-B, as any other program would."""
        signer = self._simple_signer
        out = io.BytesIO(pdf)
        names = [f"ChuKy{n + 1}" for n in range(times)]
        writer = IncrementalPdfFileWriter(out, strict=False)
        for n, name in enumerate(names):
            fields.append_signature_field(writer, fields.SigFieldSpec(name, box=(20 + 50 * n, 20, 60 + 50 * n, 40)))
        writer.write_in_place()
        for name in names:
            meta = signers.PdfSignatureMetadata(name, subfilter=fields.SigSeedSubFilter.PADES, md_algorithm="sha256")
            signers.PdfSigner(meta, signer).sign_pdf(IncrementalPdfFileWriter(out, strict=False), in_place=True)
        return out.getvalue()

    @cached_property
    def _simple_signer(self) -> signers.SimpleSigner:
        key = self.leader._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        certificates = [x509.Certificate.load(der) for der in (self.leader.certificate, *self.leader.chain)]
        return signers.SimpleSigner(
            certificates[0], asn1_keys.PrivateKeyInfo.load(key), SimpleCertificateStore.from_certs(certificates)
        )


def letters() -> dict[str, bytes]:
    """The product's own sample letters by name."""
    return {file.name: file.read_bytes() for file in sorted(SAMPLES.glob("*.pdf"))}
