"""Judge a sealed letter by plain pyHanko, in a process that imports nothing of ours.

    python -m tests.signing.plain_pyhanko letter.pdf root.cer

One line of JSON for each signature: the AdES sub-indication, and whether DocMDP was kept. It is a program of its own
because `signing` mends pyHanko for the process that imports it.
"""

import asyncio
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.ades import ades_lta_validation
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
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager


def main(letter: Path, root: Path) -> None:
    """Print what the long-term process says of each signature."""
    chain = CertValidationPolicySpec(
        SimpleTrustManager.build(trust_roots=[x509.Certificate.load(root.read_bytes())]),
        CertRevTrustPolicy(REQUIRE_REVINFO),
    )
    spec = SignatureValidationSpec(
        cert_validation_policy=chain,
        ts_cert_validation_policy=chain,
        local_knowledge=LocalKnowledge(),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(
            RevinfoOnlineFetchingRule.LOCAL_ONLY, certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH
        ),
    )
    for signature in PdfFileReader(io.BytesIO(letter.read_bytes())).embedded_regular_signatures:
        at = datetime.now(UTC) + timedelta(minutes=1)
        signature.compute_integrity_info()
        timing = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
        result = asyncio.run(ades_lta_validation(signature, PdfSignatureValidationSpec(spec), timing_info=timing))
        sys.stdout.write(json.dumps([str(result.ades_subindic), result.api_status.docmdp_ok]) + "\n")
    assert "signing" not in sys.modules


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
