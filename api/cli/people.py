"""Offices and people of this installation, on its own machine: how it starts without the pilot."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api import levels, people
from api.cli.installation import installation, refusals_said
from api.cli.typed import typed
from exchange.rules.model import Role
from signing.model import Level

PEOPLES = ("clerk", "leader", "officer", "office_admin", "system_admin", "auditor")
"""The roles that people can have."""
Code = Annotated[str, typer.Argument(help="Mã đơn vị. / Office code.")]
Login = Annotated[str, typer.Argument(help="Tài khoản. / Account.")]
Name = Annotated[str, typer.Argument(help="Tên. / Name.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="PNG")]
Password = Annotated[str | None, typer.Option(help="Nên để chương trình hỏi. / Better typed when asked.")]

offices = typer.Typer(help="Đơn vị của hệ thống này. / Offices of this installation.", no_args_is_help=True)
accounts = typer.Typer(help="Tài khoản của hệ thống này. / Accounts of this installation.", no_args_is_help=True)


def add_to(program: typer.Typer) -> None:
    """Put these commands on the program."""
    here: Callable[..., None]
    for name, here in (
        ("add", add_office), ("list", list_offices), ("series", series), ("seal-image", seal_image),
        ("levels", signature_levels),
    ):  # fmt: skip
        offices.command(name)(refusals_said(here))
    for name, here in (("add", add_account), ("password", password), ("signature-image", signature_image)):
        accounts.command(name)(refusals_said(here))
    program.add_typer(offices, name="office")
    program.add_typer(accounts, name="account")


def add_office(
    code: Code,
    name: Name,
    parent: Annotated[str | None, typer.Option(help="Mã đơn vị cấp trên. / Code of its superior.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Có hiệu lực từ ngày. / Since.")] = None,
) -> None:
    """Thêm một đơn vị. / Add an office."""
    with installation() as parts:
        people.add_office(parts, code, name, parent, since.date() if since else None)


def list_offices() -> None:
    """Các đơn vị. / The offices."""
    with installation() as parts:
        for office in people.offices(parts):
            typer.echo(f"{office.code:<16} {office.parent or '–':<16} {office.name}")


def series(
    code: Code,
    name: Annotated[str, typer.Argument(help="Tên ngắn, ví dụ qd. / Short name.")],
    title: Annotated[str, typer.Argument(help="Tên sổ, ví dụ Quyết định. / Title.")],
    form: Annotated[str, typer.Argument(help="Cách viết số, ví dụ {n}/QĐ-UBND. / How a number is written.")],
    year: Annotated[int | None, typer.Option(help="Năm. / Year.")] = None,
) -> None:
    """Mở một sổ cấp số trong năm. / Open a run of numbers for a year."""
    if "{n}" not in form:
        raise typer.BadParameter("{n}?", param_hint="FORM")
    with installation() as parts:
        people.add_series(parts, code, name, title, form, year)


def seal_image(code: Code, file: File) -> None:
    """Đặt hình con dấu (PNG đỏ, nền trong suốt). / Set the picture of the seal (PNG, red, transparent)."""
    with installation() as parts:
        people.set_seal_image(parts, code, file.read_bytes())


def signature_levels(
    code: Code,
    leader: Annotated[
        Level | None, typer.Option(help="Chữ ký của người (B-B, B-T, B-LT, B-LTA). / People's signatures.")
    ] = None,
    seal: Annotated[Level | None, typer.Option(help="Chữ ký của cơ quan. / The organisation's signatures.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Theo mặc định của hệ thống. / As the service.")] = False,
) -> None:
    """Mức bằng chứng của chữ ký: xem, hoặc đổi. / How much proof signatures get: show it, or change it."""
    with installation() as parts:
        changes = default or leader or seal
        told = levels.change(parts, code, leader, seal, forget=default) if changes else levels.shown(parts, code)
        for one in ("leader", "seal"):
            chosen = "" if told["chosen"][one] else "  (mặc định / default)"
            typer.echo(f"{one:<8} {told[one]}{chosen}")


def add_account(
    login: Login,
    name: Name,
    office: Annotated[str, typer.Option(help="Mã đơn vị. / Office code.")],
    role: Annotated[
        list[str], typer.Option(help="clerk, leader, officer, office_admin, system_admin, auditor; lặp lại được.")
    ],
    title: Annotated[str, typer.Option(help="Chức vụ. / Title.")] = "",
    password: Password = None,
) -> None:
    """Thêm một người dùng. / Add a person who can log in."""
    if not set(role) <= set(PEOPLES):
        raise typer.BadParameter(", ".join(PEOPLES), param_hint="--role")
    person = people.Person(login, name, title, office, tuple(Role(one) for one in dict.fromkeys(role)))
    given = typed(password, "Mật khẩu / Password")
    with installation() as parts:
        people.add_person(parts, person, given)


def password(login: Login, new: Password = None) -> None:
    """Đặt mật khẩu mới; mọi phiên làm việc kết thúc. / Set a new password; all sessions end."""
    given = typed(new, "Mật khẩu mới / New password")
    with installation() as parts:
        people.set_password(parts, login, given)


def signature_image(login: Login, file: File) -> None:
    """Đặt hình chữ ký (PNG xanh, nền trong suốt). / Set the picture of a signature (PNG, blue, transparent)."""
    with installation() as parts:
        people.set_signature_image(parts, login, file.read_bytes())
