"""The command line: `service` runs it, `road` walks documents through it by the JSON API, `check` verifies offline,
`trust` says whom it believes, `key` keeps the keys,
`people` sets up offices and accounts.

Exit statuses: 0 done; 1 refused or not valid; 64 wrong usage. `verify` and `evidence check` have their own (see there).
"""

import sys
from collections.abc import Sequence

import typer

from api.cli import archive, check, key, people, road, service, trust

USAGE = 64
"""`EX_USAGE` of sysexits: never one of the statuses that mean a verdict."""

TYPER_USAGE = 2
"""What Typer calls it. Its errors are its own, not those of the package `click`, of which it carries a copy."""

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
trust.add_to(app)
archive.add_to(app)
key.add_to(app)
people.add_to(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the program with its exit status."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; wrong usage is 64, so that 0–3 always mean what a command says."""
    try:
        status = typer.main.get_command(app).main(arguments, prog_name="congvan", standalone_mode=False)
    except typer.TyperException as error:
        _say(error)
        return USAGE if error.exit_code == TYPER_USAGE else error.exit_code
    except typer.Abort:
        typer.echo("Đã dừng. / Stopped.", err=True)
        return 130
    return status if isinstance(status, int) else 0


def _say(error: typer.TyperException) -> None:
    """What is wrong, under the line that says how the command is used; a bare `congvan` has shown its help already."""
    message = error.format_message().strip()
    context = getattr(error, "ctx", None)
    if context is not None and message:
        typer.echo(context.get_usage(), err=True)
    if message:
        typer.echo(message, err=True)
