"""`congvan archive`: proof for the long term, added to files by hand; and renewed files out of a service's keeping."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.verify import Language, Trust, material
from api.outgoing import Outgoing, WithinBudget
from api.settings import load_settings
from api.wiring import build_parts, now
from exchange.storage.archive_store import ArchiveStore
from keys.errors import KeysError
from keys.model import TrustWorld
from keys.revocation import OnlineRevocation
from keys.timestamps import OnlineTsa
from signing.archive import Means, extend
from signing.errors import SigningError
from signing.report import sentences
from signing.sandbox import Sandbox

archive = typer.Typer(help="Bằng chứng lâu dài. / Long-term proof.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the program."""
    archive.command("augment")(augment)
    archive.command("export")(export)
    app.add_typer(archive, name="archive")


def augment(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    to: Annotated[Path, typer.Argument(help="Tệp PDF ghi ra. / Target.")],
    trust: Trust = None,
    world: Annotated[TrustWorld, typer.Option(help="Các gốc này thuộc hệ nào. / Their world.")] = TrustWorld.VGCA,
    language: Language = "vi",
) -> int:
    """Bổ sung bằng chứng và dấu lưu trữ vào PDF đã ký (dùng CONGVAN_TSA_URL). / Add proof and archive time."""
    settings = load_settings()
    if settings.tsa_url is None:
        raise typer.BadParameter("CONGVAN_TSA_URL: –")
    if to.exists():
        raise typer.BadParameter(f"{to}: đã có. / It is there already.")
    outgoing = Outgoing(settings.outgoing_allowed, settings.outgoing_private)
    anchors = material(trust or [], world)
    tsa = OnlineTsa(settings.tsa_url, outgoing, [anchor.der for anchor in anchors.anchors])
    sandbox = Sandbox(workers=1)
    try:
        source = WithinBudget(OnlineRevocation(outgoing), outgoing)
        made = extend(file.read_bytes(), Means(sandbox.run, tsa, source, anchors), at=now())
    except (SigningError, KeysError) as error:
        typer.echo(f"{error.sentence(language)} [{error.code}]", err=True)
        return 1
    finally:
        sandbox.close()
    to.write_bytes(made.pdf)
    typer.echo("\n".join(sentences(made.after, language)))
    typer.echo(f"{to}: {made.end.ends:%Y-%m-%d}{'' if made.complete else ' (!) revocation-unavailable'}")
    return 0


def export(
    sha256: Annotated[str, typer.Argument(help="SHA-256 của tệp đã phát hành. / Of the issued file.")],
    to: Annotated[Path, typer.Argument(help="Tệp PDF ghi ra. / Target.")],
) -> int:
    """Lấy bản gia hạn mới nhất của một tệp đã phát hành. / The newest renewed file of an issued one."""
    parts = build_parts(load_settings())
    try:
        with parts.read() as reading:
            found = ArchiveStore.of(reading.exchange).one(sha256)
        if found is None:
            typer.echo(f"{sha256}: không có. / There is none.", err=True)
            return 1
        to.write_bytes(parts.blobs.get(found.newest))
    finally:
        parts.close()
    ends = f"{found.ends_at:%Y-%m-%d}" if found.ends_at else "–"
    typer.echo(f"{to}: {found.n}, {ends}")
    return 0
