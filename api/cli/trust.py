"""Whom this installation trusts: each root is believed by a fingerprint that came another way, such as on paper."""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from api.cli.installation import REFUSED, installation
from api.wiring import Writing, now
from keys.certificates import fingerprint, read_certificate, read_certificates
from keys.errors import AnchorOfAnotherWorld, FingerprintWrong, KeysError, TrustListExpired
from keys.model import Anchor, Fingerprint, TrustWorld
from keys.trust_lists import anchors_of, read_trust_list


class Worlds(StrEnum):
    """The worlds that people may bring in; a pilot brings its own."""

    VGCA = "vgca"
    NEAC = "neac"
    OFFICE = "office"


File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
World = Annotated[
    Worlds,
    typer.Option(help="vgca (công vụ), neac (công cộng), office (riêng của đơn vị). / Which family of authorities."),
]

app = typer.Typer(help="Chứng thư gốc tin cậy của hệ thống này. / Whom this installation trusts.", no_args_is_help=True)


def add_to(program: typer.Typer) -> None:
    """Put these commands on the program."""
    for command in (add, load, remove):
        app.command()(command)
    app.command("list")(list_)
    program.add_typer(app, name="trust")


def add(
    file: File,
    world: World,
    fingerprint: Annotated[
        str,
        typer.Option(help="SHA-256 của chứng thư, gõ từ bản giấy. / SHA-256 of the certificate, typed from paper."),
    ],
) -> int:
    """Tin cậy một chứng thư gốc (.pem, .cer) có đúng dấu vân tay này. / Trust the root with this fingerprint."""
    wanted = _typed(fingerprint)

    def work() -> tuple[Anchor, ...]:
        found = {_name(der): der for der in read_certificates(file.read_bytes())}
        if wanted not in found:
            raise FingerprintWrong(found=", ".join(found))
        return (Anchor(found[wanted], TrustWorld(world)),)

    return _trust(work)


def load(
    file: File,
    world: World,
    fingerprint: Annotated[
        str, typer.Option(help="SHA-256 của cả tệp danh sách, lấy qua kênh khác. / SHA-256 of the whole file.")
    ],
) -> int:
    """Tin cậy các tổ chức trong danh sách tin cậy ETSI TS 119 612 (XML). / Trust the authorities of a trusted list."""
    wanted = _typed(fingerprint)

    def work() -> tuple[Anchor, ...]:
        data = file.read_bytes()
        digest = sha256(data).hexdigest()
        if digest != wanted:
            raise FingerprintWrong(found=digest)
        listed = read_trust_list(data)
        if not listed.in_force(now()):
            raise TrustListExpired(until=listed.next_update.date() if listed.next_update else "–")
        typer.echo(f"{listed.territory} {listed.sequence}, {listed.issued.date()}")
        return anchors_of(listed, TrustWorld(world))

    return _trust(work)


def list_() -> None:
    """Đang tin cậy những ai. / Who is trusted."""
    with installation() as parts:
        for anchor in parts.trust().anchors:
            typer.echo(_line(anchor))


def remove(
    fingerprint: Annotated[str, typer.Argument(help="SHA-256 (xem congvan trust list).")],
) -> int:
    """Thôi tin cậy một chứng thư. / Trust a certificate no longer."""
    wanted = _typed(fingerprint)
    with installation() as parts, parts.write() as writing:
        gone = writing.keys.remove_anchor(Fingerprint(wanted))
    if not gone:
        typer.echo("Không có chứng thư này trong danh sách tin cậy. / It was not trusted.", err=True)
        return REFUSED
    typer.echo(f"– {wanted}")
    return 0


def _trust(work: Callable[[], tuple[Anchor, ...]]) -> int:
    """Bring anchors in, all or none; a refusal is one sentence and exit status 1."""
    try:
        anchors = work()
        with installation() as parts, parts.write() as writing:
            for anchor in anchors:
                _require_same_world(writing, anchor)
                writing.keys.add_anchor(anchor.der, anchor.world, now())
    except KeysError as refusal:
        typer.echo(f"{refusal.sentence('vi')} / {refusal.sentence('en')} [{refusal.code}]", err=True)
        return REFUSED
    for anchor in anchors:
        typer.echo(f"+ {_line(anchor)}")
    if not anchors:
        typer.echo("Không có tổ chức nào đang có hiệu lực trong danh sách. / No service of it counts.", err=True)
        return REFUSED
    return 0


def _require_same_world(writing: Writing, anchor: Anchor) -> None:
    """A first decision stays until it is taken back."""
    before = {_name(one.der): one.world for one in writing.keys.material().anchors}.get(_name(anchor.der))
    if before not in (None, anchor.world):
        raise AnchorOfAnotherWorld(world=before)


def _typed(word: str) -> str:
    """A fingerprint as people type it: with colons, blanks, capitals."""
    plain = "".join(word.replace(":", "").replace("-", "").split()).lower()
    if len(plain) != 64 or not set(plain) <= set("0123456789abcdef"):
        raise typer.BadParameter("SHA-256: 64 chữ số thập lục phân. / 64 hexadecimal digits.")
    return plain


def _name(der: bytes) -> str:
    return fingerprint(der)


def _line(anchor: Anchor) -> str:
    known = read_certificate(anchor.der)
    return f"{anchor.world:<7} {known.fingerprint}  {known.not_after.date()}  {known.common_name or known.issuer}"
