"""The command line: `service` runs it, `road` walks documents through it by the JSON API, `check` verifies offline,
`trust` says whom it believes, `key` keeps the keys,
`backup` copies the installation and brings it back, `people` sets up offices and accounts,
`calendar` says which days are worked.

Exit statuses: 0 done; 1 refused or not valid; 64 wrong usage. `verify` and `evidence check` have their own (see there).
"""

import sys
from collections.abc import Sequence

import typer

from api.cli import road

USAGE = 64
"""`EX_USAGE` of sysexits: never one of the statuses that mean a verdict."""

TYPER_USAGE = 2
"""What Typer calls it. Its errors are its own, not those of the package `click`, of which it carries a copy."""


def __getattr__(name: str) -> typer.Typer:
    """`app`: the program with every command, made when somebody asks for it."""
    if name != "app":
        raise AttributeError(name)
    return _program()


def _program(first: str = "") -> typer.Typer:
    """The program for a command line that begins with `first`: every command, or those of the road alone.

    The road needs no more than a client. What serves and verifies takes ten times as long to import.
    """
    app = typer.Typer(
        name="congvan",
        help="Ký, cấp số, đóng dấu, gửi, nhận, xác thực và chứng minh văn bản. "
        "Sign, number, seal, send, receive, verify and prove official documents.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    if first in road.names():
        road.add_to(app)
        return app
    from api.cli import archive, backup, calendar, check, clients, key, people, service, trust

    for commands in (service, backup, road, check, trust, archive, key, people, clients, calendar):
        commands.add_to(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the program with its exit status."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; wrong usage is 64, so that 0–3 always mean what a command says."""
    try:
        status = typer.main.get_command(_program(*arguments[:1])).main(
            arguments, prog_name="congvan", standalone_mode=False
        )
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
