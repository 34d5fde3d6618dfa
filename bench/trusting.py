"""Whom to trust for a file of the corpora, and as of when, as their README asks: trust is kept out of the way."""

import io
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import cms, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation.dss import DocumentSecurityStore

from bench.expected import Row
from keys.model import Anchor, TrustMaterial, TrustWorld

GENERATED_AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
PASSWORD = "123"  # noqa: S105 - of a published sample


@dataclass(frozen=True)
class Inputs:
    """What is handed to the verifier beside the file."""

    trust: TrustMaterial
    at: datetime


def inputs(row: Row) -> Inputs:
    """The trust and the moment for one file."""
    if row.generated:
        root = (row.folder / "generated" / "root.der").read_bytes()
        return Inputs(TrustMaterial((Anchor(root, TrustWorld.OFFICE),)), GENERATED_AT)
    gathered = Gathered()
    gathered.read(row.pdf)
    return Inputs(gathered.trust(), max(gathered.moments, default=GENERATED_AT))


class Gathered:
    """All certificates and moments that a signed file names; what cannot be read names none."""

    def __init__(self) -> None:
        self.certificates: dict[bytes, x509.Certificate] = {}
        self.moments: list[datetime] = []

    def trust(self) -> TrustMaterial:
        """Whatever is self-issued, or whose issuer is not here, is a root; all others help to build paths."""
        names = {one.subject.dump() for one in self.certificates.values()}
        tops = {
            der
            for der, one in self.certificates.items()
            if one.issuer.dump() == one.subject.dump() or one.issuer.dump() not in names
        }
        anchors = tuple(Anchor(der, TrustWorld.OFFICE) for der in self.certificates if der in tops)
        return TrustMaterial(anchors, tuple(der for der in self.certificates if der not in tops))

    def read(self, pdf: bytes) -> None:
        """Everything in one file."""
        for contents, reader in _signatures(pdf):
            with suppress(Exception):
                self._cms(cms.ContentInfo.load(contents)["content"])
            with suppress(Exception):
                self._take(DocumentSecurityStore.read_dss(reader).load_certs())

    def _take(self, certificates: Iterable[x509.Certificate]) -> None:
        for one in certificates:
            self.certificates.setdefault(one.dump(), one)

    def _cms(self, signed: Any) -> None:
        """A CMS and, inside, its time stamps; each part by itself, for one of them may be broken on purpose."""
        with suppress(Exception):
            self._take(c.chosen for c in signed["certificates"] if c.name == "certificate")
        with suppress(Exception):
            if signed["encap_content_info"]["content_type"].native == "tst_info":
                self._moment(signed["encap_content_info"]["content"].parsed["gen_time"].native)
        info = signed["signer_infos"][0]
        with suppress(Exception):
            for attribute in info["signed_attrs"]:
                if attribute["type"].native == "signing_time":
                    self._moment(attribute["values"][0].native)
        with suppress(Exception):
            for attribute in info["unsigned_attrs"]:
                if attribute["type"].native == "signature_time_stamp_token":
                    for token in attribute["values"]:
                        self._cms(token["content"])

    def _moment(self, at: datetime) -> None:
        self.moments.append(at.astimezone(UTC) + timedelta(seconds=1))


def _signatures(pdf: bytes) -> Iterable[tuple[bytes, PdfFileReader]]:
    try:
        reader = PdfFileReader(io.BytesIO(pdf), strict=False)
        if reader.encrypted:
            reader.decrypt(PASSWORD)
        fields = list(enumerate_sig_fields(reader, filled_status=True))
    except Exception:
        return
    for _, _, ref in fields:
        with suppress(Exception):
            yield bytes(ref.get_object()["/V"].raw_get("/Contents")), reader
