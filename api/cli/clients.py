"""Programs that act for offices by the JSON API: `client add`, `list`, `secret`, `disable`, on its own machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from api import clients
from api.cli.installation import installation, refusals_said
from api.scopes import SCOPES

Client = Annotated[str, typer.Argument(help="Mã chương trình (cli_…). / Id of the program.")]

programs = typer.Typer(help="Chương trình khác được gọi API. / Programs that may call the API.", no_args_is_help=True)


def add_to(program: typer.Typer) -> None:
    """Put these commands on the program."""
    here: Callable[..., None]
    for name, here in (("add", add), ("list", list_all), ("secret", secret), ("disable", disable)):
        programs.command(name)(refusals_said(here))
    program.add_typer(programs, name="client")


def add(
    name: Annotated[str, typer.Argument(help="Tên chương trình. / Its name.")],
    office: Annotated[list[str], typer.Option(help="Mã đơn vị; lặp lại được. / Office code; may be repeated.")],
    scope: Annotated[list[str], typer.Option(help=f"{', '.join(SCOPES)}; lặp lại được. / may be repeated.")],
    public_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM, cho private_key_jwt thay cho mật khẩu.")
    ] = None,
) -> None:
    """Thêm một chương trình; mật khẩu chỉ hiện một lần. / Add a program; its secret is shown this once."""
    pem = public_key.read_text("utf-8", "replace") if public_key else None
    with installation() as parts:
        client, shown = clients.new_client(parts, name, office, scope, pem)
    typer.echo(f"client_id      {client.id}")
    if shown:
        typer.echo(f"client_secret  {shown}")


def list_all() -> None:
    """Các chương trình. / The programs."""
    with installation() as parts, parts.read() as reading:
        for one in reading.clients.clients():
            state, offices = "–" if one.disabled else "✓", ",".join(sorted(one.offices))
            typer.echo(f"{one.id}  {state}  {offices}  {' '.join(sorted(one.scopes))}  {one.name}")


def secret(client: Client) -> None:
    """Đổi mật khẩu; mật khẩu và mã cũ hết hiệu lực ngay. / A new secret; the old one and its tokens end now."""
    with installation() as parts:
        typer.echo(clients.new_secret(parts, client))


def disable(client: Client) -> None:
    """Thu hồi quyền của chương trình. / End the program's right to act."""
    with installation() as parts:
        clients.disable(parts, client)
