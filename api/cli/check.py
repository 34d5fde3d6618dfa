"""Checking without a service, offline, against roots the user names: a PDF (`verify`), a pack (`evidence check`)."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.road import client_of_session, refusals_said
from api.cli.verify import UNREADABLE, Language, Trust, material, verify
from api.wiring import now
from exchange.errors import PackUnreadable
from exchange.proof.claims import Outcome
from exchange.proof.evidence import PackReport, check_pack
from keys.model import RevocationData, TrustMaterial, TrustWorld
from signing.model import Report
from signing.sandbox import Sandbox
from signing.verify import verify_pdf

evidence = typer.Typer(help="Gói bằng chứng. / Evidence packs.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the program."""
    app.command("verify")(verify)
    evidence.command("check")(check)
    evidence.command("export")(refusals_said(export))
    app.add_typer(evidence, name="evidence")


def check(
    pack: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    trust: Trust = None,
    language: Language = "vi",
) -> int:
    """Kiểm tra gói bằng chứng. 0 chứng minh đủ, 1 còn thiếu, 2 trái ngược, 3 không đọc được. / Check a pack."""
    sandbox = Sandbox(workers=1)
    try:
        anchors = [anchor.der for anchor in material(trust or [], TrustWorld.PILOT).anchors]

        def limited(
            pdf: bytes,
            *,
            at: datetime,
            trust: TrustMaterial,
            revocation: RevocationData,
            office_code: str | None = None,
        ) -> Report:
            return sandbox.run(verify_pdf, pdf, at=at, trust=trust, revocation=revocation, office_code=office_code)

        report = check_pack(pack.read_bytes(), anchors, verify=limited, at=now())
    except PackUnreadable as error:
        typer.echo(f"{error.sentence(language)} [{error.code}]", err=True)
        return UNREADABLE
    finally:
        sandbox.close()
    _print(report, language)
    outcomes = {claim.outcome for claim in report.claims}
    return 2 if Outcome.CONTRADICTED in outcomes else 1 if Outcome.NOT_PROVEN in outcomes or not outcomes else 0


def export(
    document: Annotated[str, typer.Argument(help="doc_…")],
    to: Annotated[Path, typer.Argument(help="Tệp .zip ghi ra. / Target.")],
) -> None:
    """Xuất gói bằng chứng của một văn bản. / Export the evidence pack of a document."""
    with client_of_session() as client:
        to.write_bytes(client.evidence_pack(document))
    typer.echo(str(to))


def _print(report: PackReport, language: str) -> None:
    marks = {Outcome.PROVEN: "✔", Outcome.NOT_PROVEN: "–", Outcome.CONTRADICTED: "✘"}
    here = 0 if language == "vi" else 1
    for claim in report.claims:
        typer.echo(f"{marks[claim.outcome]} {claim.words[here]}: {claim.outcome} ({claim.why[here]})")
    for found in report.findings:
        typer.echo(f"! {found.words[here]} [{found.code}]")
    typer.echo(report.limits[here])
