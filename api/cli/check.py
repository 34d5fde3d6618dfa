"""Checking without a service: a PDF (`verify`) and an evidence pack (`evidence check`), offline, against anchors the user names."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import click
import typer

from api.cli.road import client_of_session
from api.wiring import now
from exchange.errors import PackUnreadable
from exchange.proof.evidence import Outcome, PackReport, check_pack
from keys.errors import CertificateUnreadable
from keys.model import Anchor, RevocationData, TrustMaterial, TrustWorld
from keys.trust import read_anchors
from signing.errors import SigningError
from signing.report import report_json, sentences
from signing.sandbox import Sandbox
from signing.verify import Verdict, verify_pdf

UNREADABLE = 3
VERDICT_STATUS = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.UNKNOWN: 2}

Trust = Annotated[
    list[Path] | None,
    typer.Option(exists=True, help="Chứng thư gốc tin cậy (tệp hoặc thư mục; .pem, .cer). / Trusted roots."),
]
Language = Annotated[str, typer.Option(help="vi hoặc en. / vi or en.", click_type=click.Choice(["vi", "en"]))]
evidence = typer.Typer(help="Gói bằng chứng. / Evidence packs.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the program."""
    app.command("verify")(verify)
    evidence.command("check")(check)
    evidence.command("export")(export)
    app.add_typer(evidence, name="evidence")


def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    trust: Trust = None,
    pilot: Annotated[
        bool, typer.Option(help="Các gốc này là của hệ thống thử nghiệm. / These roots are a pilot's.")
    ] = False,
    at: Annotated[datetime | None, typer.Option(help="Thời điểm kiểm tra (UTC). / Moment of the check (UTC).")] = None,
    language: Language = "vi",
    json: Annotated[bool, typer.Option("--json", help="In báo cáo JSON. / Print the JSON report.")] = False,
) -> int:
    """Xác thực một PDF. Kết thúc với 0 hợp lệ, 1 không hợp lệ, 2 không xác định, 3 không đọc được. / Verify a PDF."""
    moment = at.replace(tzinfo=now().tzinfo) if at else now()
    material = _material(trust or [], TrustWorld.PILOT if pilot else TrustWorld.VGCA)
    sandbox = Sandbox(workers=1)
    try:
        report = sandbox.run(verify_pdf, file.read_bytes(), at=moment, trust=material, revocation=RevocationData())
    except SigningError as error:
        typer.echo(f"{error.sentence(language)} [{error.code}]", err=True)
        return UNREADABLE
    finally:
        sandbox.close()
    if json:
        typer.echo(report_json(report).decode())
    else:
        typer.echo("\n".join(sentences(report, language)))
    return VERDICT_STATUS[report.verdict]


def check(
    pack: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    trust: Trust = None,
    language: Language = "vi",
) -> int:
    """Kiểm tra gói bằng chứng. 0 mọi điều được chứng minh, 1 có điều chưa, 2 có điều trái ngược, 3 không đọc được. / Check a pack."""
    sandbox = Sandbox(workers=1)
    try:
        anchors = [anchor.der for anchor in _material(trust or [], TrustWorld.PILOT).anchors]

        def limited(pdf: bytes, **inputs: object) -> object:
            return sandbox.run(verify_pdf, pdf, **inputs)

        report = check_pack(pack.read_bytes(), anchors, verify=limited)
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


def _material(paths: list[Path], world: TrustWorld) -> TrustMaterial:
    files = [f for path in paths for f in (sorted(path.iterdir()) if path.is_dir() else [path])]
    try:
        ders = [der for file in files for der in read_anchors(file.read_bytes())]
    except CertificateUnreadable as error:
        raise click.UsageError(error.sentence("vi")) from error
    return TrustMaterial(anchors=tuple(Anchor(der, world) for der in ders))


def _print(report: PackReport, language: str) -> None:
    for claim in report.claims:
        typer.echo(claim.sentence(language))
    for finding in report.findings:
        typer.echo(finding.sentence(language))
