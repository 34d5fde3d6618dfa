"""A copy of the installation while it runs, and its way back: `congvan backup`, `congvan restore`."""

from pathlib import Path
from typing import Annotated

import typer

from api.backup import Backup, make_backup, read_backup
from api.backup import restore as restored
from api.cli.installation import REFUSED, refusals_said
from api.settings import load_settings
from api.wiring import build_parts

Folder = Annotated[Path, typer.Argument(help="Thư mục của bản sao lưu. / Folder of the backup.")]


def add_to(app: typer.Typer) -> None:
    """Put these commands on the program."""
    for command in (backup, restore):
        app.command()(refusals_said(command))


def backup(folder: Folder) -> None:
    """Sao lưu khi hệ thống đang chạy: cơ sở dữ liệu, rồi các tệp; không có khóa bí mật. / Copy it while it runs."""
    parts = build_parts(load_settings())
    try:
        _say(make_backup(parts, folder))
    finally:
        parts.close()


def restore(
    folder: Folder,
    check: Annotated[bool, typer.Option("--check", help="Chỉ kiểm tra bản sao lưu. / Only check the backup.")] = False,
    secrets_lost: Annotated[
        bool, typer.Option("--secrets-lost", help="Đã mất thư mục secrets: sẽ có khóa mới. / It is lost: new keys.")
    ] = False,
    files_there: Annotated[
        bool, typer.Option("--files-there", help="Kho tệp (S3) vẫn còn nguyên. / The file store outlived it.")
    ] = False,
) -> None:
    """Phục hồi vào nơi còn trống: được tất cả hoặc không gì cả. / Restore where nothing is yet: all or nothing."""
    if check:
        _say(read_backup(folder))
    else:
        _say(restored(load_settings(), folder, secrets_lost=secrets_lost, files_there=files_there))


def _say(made: Backup) -> None:
    files, ledger = made.told["files"], made.told["ledger"]
    typer.echo(f"✔ {made.folder}: {made.told['made_at']}")
    typer.echo(f"  {made.told['database']['file']}, {files['count']} tệp / files, {files['bytes'] / 1e6:.1f} MB")
    typer.echo(f"  sổ cái / ledger: {ledger['size']}")
    for name in made.missing:
        typer.echo(f"  ✘ đã mất từ trước / lost before: {name}")
    if made.missing:
        raise typer.Exit(REFUSED)
