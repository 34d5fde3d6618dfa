"""`congvan calendar`: the working calendar of a service, seen and, by its system administrator, decided."""

import re
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from api.cli.road import client_of_session, refusals_said
from api.client import Json

calendar = typer.Typer(help="Lịch làm việc. / The working calendar.", no_args_is_help=True)
_SPAN = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})")


def add_to(app: typer.Typer) -> None:
    """Put these commands on the program."""
    for name, command in (("show", show), ("set", set_), ("hours", hours), ("move", move)):
        calendar.command(name)(refusals_said(command))
    app.add_typer(calendar, name="calendar")


def show(year: Annotated[int | None, typer.Argument(help="Năm; trống: năm nay. / Year.")] = None) -> None:
    """Các ngày khác thường lệ của một năm. / The days of a year that differ."""
    with client_of_session() as client:
        told = client.calendar(year)
    hours = ", ".join(f"{begin}-{end}" for begin, end in told["hours"])
    typer.echo(f"{told['year']}: {told['source'] or '–'} [{told['grade'] or '–'}]; {hours}; v{told['version']}")
    for one in told["days"]:
        if one["name"] is not None:
            typer.echo(f"{one['date']}  {one['kind']:<8} {one['name']}")
    for warning in told["warnings"]:
        typer.echo(f"(!) {warning['detail']} [{warning['code']}]", err=True)


def set_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="TOML, docs/operations.md")],
) -> None:
    """Nhập các năm từ tệp TOML. / Bring in years from a TOML file; open deadlines stay as they are."""
    try:
        years = {int(year): _year(told) for year, told in tomllib.loads(file.read_text("utf-8")).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="FILE") from error
    with client_of_session() as client:
        for year, (source, grade, days) in sorted(years.items()):
            told = client.decide_year(year, source, grade, days)
            typer.echo(f"{told['year']}: v{told['version']}")


def hours(
    spans: Annotated[list[str], typer.Argument(help="07:30-11:30 13:30-17:00")],
    source: Annotated[str, typer.Option(help="Căn cứ. / Decision.")],
) -> None:
    """Đặt giờ làm việc. / Set the working hours."""
    found = [_SPAN.fullmatch(span) for span in spans]
    if not all(found):
        raise typer.BadParameter("07:30-11:30 13:30-17:00", param_hint="SPANS")
    with client_of_session() as client:
        told = client.decide_hours([(one[1], one[2]) for one in found if one], source)
    typer.echo(f"v{told['version']}")


def move() -> None:
    """Dời các hạn đang chạy theo lịch hiện nay. / Let open deadlines follow the calendar as it is now."""
    with client_of_session() as client:
        told = client.move_deadlines()
    typer.echo(f"{told['moved']}")
    for one in told["items"]:
        typer.echo(f"{one['kind']:<16} {one['subject']}  {one['was_due']} → {one['due']}")


def _year(told: Json) -> tuple[str, str, list[Json]]:
    days = [
        {"date": str(day), "kind": kind, "name": named["name"]}
        for kind in ("rest", "make_up")
        for named in told.get(kind, [])
        for day in named["days"]
    ]
    return told["source"], told["grade"], days
