"""Wrong usage of the command line ends with 64 and one plain line, so that 0 to 3 always mean what a command says."""

import subprocess
import sys
from pathlib import Path

import pytest

from api.cli import USAGE, main

WRONG = (
    [],
    ["bogus"],
    ["verify"],
    ["verify", "no-such-file.pdf"],
    ["verify", "--language", "fr", __file__],
    ["verify", "--bogus", __file__],
    ["verify", __file__, "too", "many"],
    ["verify", "--trust", __file__, __file__],
    ["evidence"],
    ["evidence", "check"],
    ["evidence", "check", "no-such-pack.zip"],
    ["demo", "--offices", "1"],
)


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_is_64_and_never_a_verdict(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    said = capfd.readouterr()
    assert ended.value.code == USAGE == 64
    assert "Traceback" not in said.err
    assert "Usage: congvan" in said.out + said.err


def test_a_file_that_cannot_be_read_is_3(capfd: pytest.CaptureFixture[str]) -> None:
    for command in (["verify", __file__], ["evidence", "check", __file__]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 3, command
    assert "[not-a-pdf]" in capfd.readouterr().err


def test_without_a_session_the_user_is_told_to_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("api.cli.road._session", tmp_path / "session")

    with pytest.raises(SystemExit) as ended:
        main(["documents"])

    assert ended.value.code == 1
    assert "congvan login" in capfd.readouterr().err


def test_a_command_of_the_road_loads_a_client_and_no_server() -> None:
    code = "import sys; from api.cli import run; status = run(['sign', '--help']); print(status, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *loaded = done.stdout.splitlines()[-1].split()
    assert status == "0"
    assert "httpx2" in loaded
    assert not {"fastapi", "sqlalchemy", "dbos", "pyhanko", "pikepdf"} & set(loaded)
