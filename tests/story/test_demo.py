"""The pilot as its user meets it: one command, told step by step, ended and started again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.cli import run
from api.client import Json, Refused
from api.pilot.district import offices
from api.pilot.walk import Login, Walk
from tests.story.conftest import MakeService, Service, free_port

OFFICES = "3"
ACCOUNT = re.compile(r"^  (?P<login>\S+) +(?P<password>\w{4}(?:-\w{4}){3})(?:  PIN (?P<pin>\d{8}))?   (?P<name>.+)$")


@dataclass(frozen=True)
class Demo:
    """`congvan demo` as a program of its own, with temporary files in `temporary`, compiled once for the whole run."""

    temporary: Path

    def __call__(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, with what it printed."""
        return subprocess.run(
            self._command(arguments), env=self._environment(more), capture_output=True, text=True, check=False,
            timeout=240,
        )  # fmt: skip

    @contextmanager
    def running(self, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """It while it runs; killed at the end when it has not ended by itself."""
        with subprocess.Popen(
            self._command(arguments), env=self._environment(more), text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "api.cli", "demo", *arguments]

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        compiled = self.temporary.parents[1] / "compiled"
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "TMPDIR": str(self.temporary), "PYTHONPYCACHEPREFIX": str(compiled), **more}


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    """`congvan demo`, to be called or to be left running."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    return Demo(temporary)


def printed_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """The lines up to the first that holds `words`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"it ended without saying {words!r}: {''.join(lines)}")


def child(process: subprocess.Popen[str], command: str) -> int:
    """The process that a running demo started with this `congvan` command."""
    for listed in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(listed.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            arguments = listed.joinpath("cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == process.pid and command.encode() in arguments:
            return int(listed.name)
    raise AssertionError(f"no child runs {command}")


def wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.01)


def accounts_in(text: str) -> dict[str, Login]:
    """The accounts that were printed, by login."""
    found = [match for line in text.splitlines() if (match := ACCOUNT.match(line))]
    return {m["login"]: Login(m["login"], m["name"], "", m["password"], m["pin"]) for m in found}


# -- once --


def test_once_tells_every_step_leaves_nothing_behind_and_ends_with_0(demo: Demo) -> None:
    walked = demo("--once", "--offices", OFFICES)
    assert walked.returncode == 0, walked.stdout + walked.stderr
    steps = re.findall(r"^  ✔ (\d+)\. ", walked.stdout, re.MULTILINE)
    assert steps == [str(n) for n in range(1, 13)]
    assert not list(demo.temporary.iterdir())


def test_once_names_the_step_that_does_not_hold_and_ends_with_1(demo: Demo) -> None:
    with demo.running("--once", "--offices", OFFICES) as walking:
        printed_until(walking, "One document walks the whole road")
        os.kill(child(walking, "authority"), signal.SIGKILL)
        assert walking.stdout is not None
        rest = walking.stdout.read()
        assert walking.wait(60) == 1, rest
    assert "✔ 2. Trình ký" in rest
    assert "✘ 3. Lãnh đạo ký" in rest
    assert "Traceback" not in rest
    assert "4. Cấp số" not in rest


# -- the second start --


@pytest.fixture(scope="module")
def pilot(make_service: MakeService) -> Service:
    """A pilot of three offices that keeps its folder when it is stopped."""
    return make_service(offices=int(OFFICES))


def walk(service: Service, logins: dict[str, Login] | None = None) -> Json:
    """One document over the whole road."""
    return Walk(service.connect, logins or service.logins, service.anchor, lambda *_: None).whole_road()


def kept(service: Service) -> tuple[dict[str, bytes], list[Json]]:
    """What the district has: every document's file, and the number that comes next in each series."""
    with service.person("vanthu.huyen") as clerk:
        return {d["id"]: clerk.file(d["id"]) for d in clerk.documents()}, clerk.series()


def test_the_second_start_knows_what_the_first_one_did(pilot: Service) -> None:
    walk(pilot)
    before = kept(pilot)
    pilot.stop()
    pilot.start()
    assert kept(pilot) == before
    assert len(before[0]) == 1
    for login in pilot.logins:
        with pilot.person(login) as person:
            assert person.me()
    assert accounts_in(pilot.log.read_text("utf-8")).keys() == pilot.logins.keys()  # told by the first start only


def test_new_accounts_work_and_the_old_ones_do_not(pilot: Service, demo: Demo) -> None:
    old = pilot.logins
    told = demo("--folder", str(pilot.folder), "--accounts")
    assert told.returncode == 0, told.stderr
    new = {login: Login(login, one.name, old[login].office, one.password, one.pin)
           for login, one in accounts_in(told.stdout).items()}  # fmt: skip
    assert new.keys() == old.keys()
    for login in old:
        with pytest.raises(Refused, match="unauthenticated"):
            pilot.person(login)
    assert walk(pilot, new)["state"] == "issued"


# -- a first start that was interrupted --


def test_a_half_made_pilot_is_begun_anew(demo: Demo, tmp_path: Path) -> None:
    """`kill -9` once before the offices are there, once when all is written but nobody was told the passwords."""
    folder = tmp_path / "data"
    where = ("--folder", str(folder), "--port", str(free_port()), "--offices", OFFICES, "--no-walk")
    with demo.running(*where) as first:
        wait_until((folder / "pilot" / "authority.json").is_file)
        first.kill()
    built = folder / "pilot" / "built"
    assert not built.exists()
    with demo.running(*where) as second:
        wait_until(built.is_file)
        second.kill()
    built.unlink()  # as when it had ended one line earlier
    with demo.running(*where) as third:
        told = accounts_in("".join(printed_until(third, "Ctrl+C")))
        third.terminate()
    assert told.keys() == {person.login for office in offices(int(OFFICES)) for person in office.people}


# -- how many, and wrong usage --


def test_a_bigger_district_has_as_many_offices_as_were_asked_for() -> None:
    thirty = list(offices(30))
    assert len({office.code for office in thirty}) == len({office.name for office in thirty}) == 30
    logins = [person.login for office in thirty for person in office.people]
    assert len(set(logins)) == len(logins) == 30 * 3 + 4
    assert {office.parent for office in thirty[1:]} == {thirty[0].code}


@pytest.mark.long
def test_thirty_offices_are_made_and_written_to(demo: Demo) -> None:
    walked = demo("--once", "--offices", "30")
    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert "29 nơi nhận" in walked.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--offices", "2"),
        ("--port", "eight"),
        ("--nonsense",),
        ("a-word-too-many",),
        ("--accounts", "--folder", "no-pilot-here"),
    ],
)
def test_wrong_usage_ends_with_64(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, before in (("CONGVAN_DATA", "data"), ("CONGVAN_PORT", "8000")):
        monkeypatch.setenv(name, before)  # the command sets them for its children: taken back when the test is over
    assert run(["demo", *arguments]) == 64
    assert capsys.readouterr().err
    assert not list(tmp_path.iterdir())
