"""The keys of this installation, on its own machine: brought in, given up, and the master key that all are under."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from api import keyring
from api.cli.installation import installation, refusals_said
from api.cli.typed import typed
from api.masters import handed_pin, move_to_token
from api.settings import load_settings
from exchange.errors import NotFound
from keys.certificates import read_certificates
from keys.model import Elsewhere, KeyPlace, Purpose

app = typer.Typer(help="Khóa ký và khóa chủ của hệ thống này. / Keys of this installation.", no_args_is_help=True)
console = Console(stderr=True)


class As(StrEnum):
    """What a key signs as."""

    PERSON = "person"
    ORGANISATION = "organisation"


File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
Holder = Annotated[str, typer.Option(help="Tài khoản của người dùng khóa. / Account of who uses it.")]
Office = Annotated[str, typer.Option(help="Mã đơn vị. / Office code.")]
Kind = Annotated[As, typer.Option("--as", help="person: chữ ký cá nhân; organisation: con dấu. / Signs as.")]
Pin = Annotated[str | None, typer.Option(help="Mã PIN; nên để chương trình hỏi. / Better typed when asked.")]


def add_to(program: typer.Typer) -> None:
    """Put these commands on the program."""
    for command in (import_, token, remote, desk, list_, retire, rotate_master, seal_master):
        app.command(command.__name__.rstrip("_").replace("_", "-"))(refusals_said(command))
    program.add_typer(app, name="key")


def import_(
    file: File,
    holder: Holder,
    office: Office,
    kind: Kind,
    password: Annotated[str | None, typer.Option(help="Mật khẩu của tệp. / Password of the file.")] = None,
    pin: Pin = None,
) -> None:
    """Đưa khóa trong tệp .p12 vào kho, niêm bằng mã PIN mới. / Put the key of a PKCS#12 file into the vault."""
    opened = typed(password, "Mật khẩu của tệp / Password of the file")
    sealed = typed(pin, "Mã PIN mới / New PIN")
    with installation() as parts:
        _say(keyring.bring_in_file(parts, _for(holder, office, kind), file.read_bytes(), opened, sealed))


def token(
    library: Annotated[str, typer.Argument(help="Tên thư viện trong CONGVAN_PKCS11_MODULES. / Its name there.")],
    label: Annotated[str, typer.Argument(help="Nhãn thiết bị. / Label of the token.")],
    key: Annotated[str, typer.Argument(help="Nhãn khóa. / Label of the key.")],
    certificate: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Chứng thư (.cer, .pem). / Its certificate.")
    ],
    holder: Holder,
    office: Office,
    kind: Kind,
    pin_from: Annotated[
        str | None, typer.Option(help="PIN lấy từ credential congvan-pin-… (chỉ con dấu). / PIN out of a credential.")
    ] = None,
    pin: Pin = None,
) -> None:
    """Cho dùng khóa trong thiết bị PKCS#11 (USB token, HSM). / Let a key on a PKCS#11 token sign."""
    there = Elsewhere(KeyPlace.TOKEN, library, label, key, pin_from)
    with installation() as parts:
        handed = handed_pin(parts.settings, pin_from) if pin_from else None
        tried = handed if handed is not None else typed(pin, "Mã PIN của thiết bị / PIN of the token")
        found = read_certificates(certificate.read_bytes())
        _say(keyring.bring_in_token(parts, _for(holder, office, kind), there, tried, found))


def remote(
    service: Annotated[str, typer.Argument(help="Tên dịch vụ trong CONGVAN_REMOTE_SERVICES. / Its name there.")],
    credential: Annotated[str, typer.Argument(help="Mã khóa (credentialID). / Id of the credential.")],
    holder: Holder,
    office: Office,
    kind: Kind,
) -> None:
    """Cho dùng khóa ở dịch vụ ký số từ xa (CSC). / Let a key at a remote signing service sign."""
    with installation() as parts:
        _say(keyring.bring_in_remote(parts, _for(holder, office, kind), service, credential))


def desk(
    certificate: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="Chứng thư (.cer, .pem). / Certificate.")
    ],
    holder: Holder,
    office: Office,
    kind: Kind,
    end: Annotated[bool, typer.Option("--end", help="Ngừng nhận. / Accept it no more.")] = False,
) -> None:
    """Ghi nhận USB token ở máy của người ký, theo chứng thư. / Record a token at its holder's desk, by certificate."""
    found = read_certificates(certificate.read_bytes())
    with installation() as parts:
        if not end:
            _say(keyring.bring_in_desk(parts, _for(holder, office, kind), found))
        elif not keyring.end_desk(parts, holder, found[0]):
            raise NotFound


def list_(office: Annotated[str | None, typer.Option(help="Mã đơn vị. / Office code.")] = None) -> None:
    """Các khóa đang dùng. / Keys in use."""
    with installation() as parts:
        for record, logins in keyring.keys_in_use(parts, office):
            who = record.certificate.common_name
            until = record.certificate.not_after.date()
            typer.echo(f"{record.id}  {record.office:<14} {record.purpose:<12} {until}  {who}: {', '.join(logins)}")


def retire(key: Annotated[str, typer.Argument(help="Mã khóa (xem congvan key list). / Its id.")]) -> None:
    """Ngừng dùng một khóa; chứng thư được giữ làm chứng cứ. / Nobody signs with this key any more."""
    with installation() as parts:
        keyring.retire(parts, key)


def rotate_master() -> None:
    """Thay khóa chủ; PIN giữ nguyên, dừng giữa chừng thì chạy lại. / Change the master key; run again if it stopped."""
    with installation() as parts, Progress(console=console, transient=True) as progress:
        task = progress.add_task("Đang thay khóa chủ / Changing the master key", total=None)
        moved = keyring.rotate_master(parts, lambda _, done: progress.update(task, completed=done))
        typer.echo(f"{parts.masters.newest}: {moved}")


def seal_master() -> None:
    """Chuyển khóa chủ từ tệp vào thiết bị PKCS#11 đã đặt. / Have the PKCS#11 token seal the master key of the file."""
    move_to_token(load_settings())


def _for(holder: str, office: str, kind: As) -> keyring.For:
    return keyring.For(holder, office, Purpose(kind))


def _say(brought: keyring.BroughtIn) -> None:
    certificate = brought.certificate
    typer.echo(f"{brought.key}  {certificate.fingerprint}")
    typer.echo(f"{certificate.common_name} ({certificate.organisation or '–'}), – {certificate.not_after.date()}")
    for old in brought.replaced:
        typer.echo(f"– {old}")
    if brought.unchecked:
        typer.echo(
            "Chưa hỏi được tình trạng thu hồi; khi ký sẽ hỏi lại. / Its revocation could not be asked for; it will be "
            "when somebody signs.",
            err=True,
        )
