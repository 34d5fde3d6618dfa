"""The keys of this installation, on its own machine: the master key that all are sealed under."""

import typer
from rich.console import Console
from rich.progress import Progress

from api import keyring
from api.cli.installation import installation, refusals_said
from api.masters import move_to_token
from api.settings import load_settings

app = typer.Typer(help="Khóa ký và khóa chủ của hệ thống này. / Keys of this installation.", no_args_is_help=True)
console = Console(stderr=True)


def add_to(program: typer.Typer) -> None:
    """Put these commands on the program."""
    for command in (rotate_master, seal_master):
        app.command(command.__name__.replace("_", "-"))(refusals_said(command))
    program.add_typer(app, name="key")


def rotate_master() -> None:
    """Thay khóa chủ; PIN giữ nguyên, dừng giữa chừng thì chạy lại. / Change the master key; run again if it stopped."""
    with installation() as parts, Progress(console=console, transient=True) as progress:
        task = progress.add_task("Đang thay khóa chủ / Changing the master key", total=None)
        moved = keyring.rotate_master(parts, lambda _, done: progress.update(task, completed=done))
        typer.echo(f"{parts.masters.newest}: {moved}")


def seal_master() -> None:
    """Chuyển khóa chủ từ tệp vào thiết bị PKCS#11 đã đặt. / Have the PKCS#11 token seal the master key of the file."""
    move_to_token(load_settings())
