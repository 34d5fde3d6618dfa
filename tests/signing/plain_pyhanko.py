"""Judge a sealed letter by plain pyHanko, in a process that imports nothing of ours.

    python -m tests.signing.plain_pyhanko letter.pdf [another.pdf …] root.cer [another-root.cer …] [list.crl …]

One line of JSON for each signature of each letter: the AdES sub-indication, and whether DocMDP was kept. The process is
that of the signature's level: basic, with time, or long-term where there is a document time stamp. It is a program of
its own because `signing` mends pyHanko for the process that imports it.
"""

import asyncio
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto import crl, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.ades import ades_basic_validation, ades_lta_validation, ades_with_time_validation
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, AcceptAllAlgorithms, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer


def main(*files: Path) -> None:
    """Print what the process of its level says of each signature."""
    roots = [x509.Certificate.load(one.read_bytes()) for one in files if one.suffix == ".cer"]
    lists = [one.read_bytes() for one in files if one.suffix == ".crl"]
    for letter in (one for one in files if one.suffix == ".pdf"):
        judge(PdfFileReader(io.BytesIO(letter.read_bytes())), roots, lists)
    assert "signing" not in sys.modules


def judge(reader: PdfFileReader, roots: list[x509.Certificate], lists: list[bytes]) -> None:
    """One letter."""
    chain = CertValidationPolicySpec(
        SimpleTrustManager.build(trust_roots=roots),
        CertRevTrustPolicy(REQUIRE_REVINFO),
        algorithm_usage_policy=AcceptAllAlgorithms(),
    )
    spec = SignatureValidationSpec(
        cert_validation_policy=chain,
        ts_cert_validation_policy=chain,
        local_knowledge=known(reader, lists),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(
            RevinfoOnlineFetchingRule.LOCAL_ONLY, certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH
        ),
    )
    for signature in reader.embedded_regular_signatures:
        at = datetime.now(UTC) + timedelta(minutes=1)
        signature.compute_integrity_info()
        timing = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
        if reader.embedded_timestamp_signatures:
            work = ades_lta_validation(signature, PdfSignatureValidationSpec(spec), timing_info=timing)
        else:
            process = ades_with_time_validation if stamped(signature) else ades_basic_validation
            work = process(signature.signed_data, spec, raw_digest=signature.compute_digest(), timing_info=timing)
        result = asyncio.run(work)
        sys.stdout.write(
            json.dumps([str(result.ades_subindic), signature.summarise_integrity_info()["docmdp_ok"]]) + "\n"
        )


def known(reader: PdfFileReader, lists: list[bytes]) -> LocalKnowledge:
    """What is handed in, and for the processes that do not look there themselves, what the file holds."""
    certificates = []
    try:
        dss = DocumentSecurityStore.read_dss(reader)
        lists = [*lists, *(one.get_object().data for one in dss.crls)]
        certificates = list(dss.load_certs())
    except NoDSSFoundError:
        pass
    containers = [CRLContainer(crl.CertificateList.load(one)) for one in lists]
    return LocalKnowledge(known_crls=containers, known_certs=certificates)


def stamped(signature: EmbeddedPdfSignature) -> bool:
    """Whether the signature has a time stamp of its own."""
    unsigned = signature.signer_info["unsigned_attrs"]
    return bool(unsigned.native) and any(one["type"].native == "signature_time_stamp_token" for one in unsigned)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
