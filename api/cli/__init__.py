"""The command line: `service` runs it, `road` walks documents through it by the JSON API, `check` verifies offline.

Exit statuses: 0 done; 1 refused or not valid; 64 wrong usage. `verify` and `evidence check` have their own (see there).
"""

import sys
from collections.abc import Sequence

import click
import typer

from api.cli import check, road, service

USAGE = 64
"""`EX_USAGE` of sysexits: never one of the statuses that mean a verdict."""

app = typer.Typer(
    name="congvan",
    help="Ký, cấp số, đóng dấu, gửi, nhận, xác thực và chứng minh văn bản. "
    "Sign, number, seal, send, receive, verify and prove official documents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
service.add_to(app)
road.add_to(app)
check.add_to(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the program with its exit status."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; wrong usage is 64, so that 0–3 always mean what a command says."""
    try:
        status = typer.main.get_command(app).main(arguments, prog_name="congvan", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.Abort:
        click.echo("Đã dừng. / Stopped.", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return status if isinstance(status, int) else 0
