"""The road by command line: each person at a terminal of their own, real processes against a real service.

What ends well ends with 0 and JSON alone on standard output; what is refused ends with 1 and one sentence.
"""

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
import termios
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from api.pilot.walk import Walk
from tests.story.conftest import Service, free_port, until

SAMPLE = Path(__file__).parents[2] / "api" / "samples" / "quyet-dinh.pdf"
DISTRICT, THIRD = "H99.05", "H99.05.03"
ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""The command line only speaks HTTP: which database lies behind makes no difference to it."""

pytestmark = ONE_DATABASE  # each start of the program takes a second or two


@dataclass
class Terminal:
    """One person's shell: a home folder, and what `congvan` says there."""

    service: Service
    home: Path
    before: tuple[str, ...] = ()
    _environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        self._environment = self.service.environment | {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home)}

    @property
    def session(self) -> Path:
        """Where `congvan login` keeps the session."""
        return self.home / "congvan" / "session"

    def run(self, *words: str, typed: str = "", status: int = 0) -> str:
        """What a command prints, once it has ended with this status and without a stack trace."""
        done = subprocess.run(
            [*self.before, sys.executable, "-m", "api.cli", *words],
            input=typed, env=self._environment, capture_output=True, text=True, check=False, start_new_session=True,
        )  # fmt: skip
        assert done.returncode == status, (words, done.stdout[-2000:], done.stderr[-2000:])
        assert "Traceback" not in done.stderr
        return done.stdout if status == 0 else done.stderr

    def json(self, *words: str, typed: str = "") -> Any:
        """The JSON that a command prints: nothing else stands on standard output."""
        return json.loads(self.run(*words, typed=typed))

    def json_at_a_terminal(self, *words: str, typed: str) -> tuple[Any, str]:
        """The same with a real terminal, at which the person answers the question; and what the terminal showed."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *words],
            stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=self._environment, start_new_session=True,
        )  # fmt: skip
        # a key pressed before the echo is off would be dropped, as by every program that asks for a secret
        until(lambda: not termios.tcgetattr(theirs)[3] & termios.ECHO, "no question for the PIN", 60)
        os.close(theirs)
        os.write(ours, typed.encode() + b"\n")
        out, _ = process.communicate(timeout=60)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while piece := os.read(ours, 4096):
                shown += piece
        os.close(ours)
        assert process.returncode == 0, shown
        assert "PIN" in shown.decode()
        return json.loads(out), shown.decode()

    def log_in(self, login: str) -> None:
        """The session that `congvan login` would keep, without the seconds of another start."""
        self.session.parent.mkdir()
        with self.service.person(login) as client:
            self.session.write_text(f"{self.service.address}\n{client.token}\nvi\n")


@pytest.fixture
def terminal(service: Service, tmp_path: Path) -> Callable[[str], Terminal]:
    """`terminal("vanthu.huyen")` is that person, logged in."""

    def one(login: str) -> Terminal:
        shell = Terminal(service, tmp_path / login)
        shell.log_in(login)
        return shell

    return one


@pytest.mark.timeout(600)  # a dozen programs are started, on a machine that does other things too
def test_a_document_goes_the_whole_road_by_command_line(
    service: Service, terminal: Callable[[str], Terminal], say: Any, tmp_path: Path
) -> None:
    pins = {login: service.logins[login].pin or "" for login in ("lanhdao.huyen", "vanthu.huyen")}
    officer = Terminal(service, tmp_path / "officer")
    password = service.logins["chuyenvien.huyen"].password
    assert officer.json("login", service.address, "chuyenvien.huyen", typed=password + "\n")["roles"] == ["officer"]
    leader, clerk = map(terminal, ("lanhdao.huyen", "vanthu.huyen"))
    document = officer.json("draft", str(SAMPLE), "--signer", "lanhdao.huyen", "--type", "decision")
    name = document["id"]
    assert officer.json("submit", name)["state"] == "waiting_signature"
    signed, shown = leader.json_at_a_terminal("sign", name, typed=pins["lanhdao.huyen"])
    assert signed["state"] == "signed"
    assert pins["lanhdao.huyen"] not in shown  # typed unseen
    assert clerk.json("number", name, "--series", "qd")["state"] == "numbered"
    assert clerk.json("seal", name, typed=pins["vanthu.huyen"] + "\n")["state"] == "sealed"
    recipients = ("--under", DISTRICT, "--except", THIRD)
    assert clerk.json("issue", name, *recipients, "--dry-run")["count"] == 2
    consignment = clerk.json("issue", name, *recipients)
    first, second = (delivery["id"] for delivery in consignment["deliveries"])

    receiving = terminal("vanthu.cudliemnong")
    assert first in receiving.run("inbox", "--state", "consigned")
    assert receiving.json("register", first)["state"] == "registered"
    working, refusing = terminal("chuyenvien.cudliemnong"), terminal("vanthu.cumgar")
    for shell, state, *words in (
        (receiving, "assigned", "assign", first, "--lead", "chuyenvien.cudliemnong"),
        (working, "processing", "start", first),
        (working, "completed", "complete", first),
        (refusing, "refused", "refuse", second, "--code", "misdirected", "--reason", "Gửi nhầm xã"),
    ):
        assert json.loads(say(*words, session=shell.session))["state"] == state
    seen = say("recipients", consignment["id"], session=clerk.session)
    assert "Đã hoàn thành" in seen
    assert "Gửi nhầm xã" in seen

    _checked_without_network(service, receiving, name, tmp_path)


def _checked_without_network(service: Service, receiving: Terminal, document: str, folder: Path) -> None:
    """A stranger has the PDF, and the pack of an office that registered it: all of its claims are proven."""
    pdf, pack, root = folder / "van-ban.pdf", folder / "goi.zip", folder / "root.cer"
    with service.person("vanthu.huyen") as client:
        pdf.write_bytes(client.file(document))
    receiving.run("evidence", "export", document, str(pack))
    root.write_bytes(service.anchor)
    stranger = Terminal(service, folder / "stranger", _away_from_the_network())
    assert stranger.json("verify", str(pdf), "--trust", str(root), "--pilot", "--json")["verdict"] == "valid"
    claims = stranger.run("evidence", "check", str(pack), "--trust", str(root))
    assert "✔" in claims
    assert "✘" not in claims


def _away_from_the_network() -> tuple[str, ...]:
    """How a command is run without any network; without that right it runs with one."""
    unshare = ("unshare", "--net", "--map-root-user")
    allowed = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    return unshare if allowed else ()


@pytest.fixture
def say(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """`say("show", "doc_x", status=1)` is what the program answers in this process: it costs no start of its own."""

    def one(*words: str, typed: str = "", status: int = 0, session: Path = tmp_path / "session") -> str:
        monkeypatch.setattr("api.cli.road._session", session)
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = capfd.readouterr()
        assert ended.value.code == status, (words, said)
        return said.out if status == 0 else said.err

    return one


def test_every_refusal_is_one_sentence_in_the_language_of_the_session(
    service: Service, say: Any, tmp_path: Path
) -> None:
    password = service.logins["vanthu.huyen"].password
    cases = {
        ("show", "doc_nope"): ("[not-found]", "Không tìm thấy", "Not found"),
        ("show", "../me"): ("[not-found]", "Không tìm thấy", "Not found"),
        ("show", ""): ("[not-found]", "Không tìm thấy", "Not found"),
        ("show", "doc x?y#z%2e"): ("[not-found]", "Không tìm thấy", "Not found"),
        ("register", "dlv_nope"): ("[not-found]", "Không tìm thấy", "Not found"),
        ("recipients", "con_nope"): ("[not-found]", "Không tìm thấy", "Not found"),
        ("evidence", "export", "doc_nope", str(tmp_path / "x.zip")): ("[not-found]", "Không tìm thấy", "Not found"),
    }
    for language, place in (("vi", 1), ("en", 2)):
        say("login", service.address, "vanthu.huyen", "--language", language, typed=password + "\n")
        for words, said in cases.items():
            line = say(*words, status=1)
            assert said[0] in line, words
            assert said[place] in line, words
            assert line.count("\n") == 1, words
    assert not (tmp_path / "x.zip").exists()
    assert "No such leader" in say("draft", str(SAMPLE), "--signer", "nobody", status=1)
    assert "congvan login" not in say("me")


def test_a_wrong_pin_says_how_many_tries_are_left_and_the_right_one_still_signs(service: Service, say: Any) -> None:
    with service.person("chuyenvien.huyen") as officer:
        upload = officer.upload(SAMPLE.read_bytes(), SAMPLE.name)
        document = officer.submit(officer.draft(upload["id"], signer=officer.leaders()[0]["id"], type="decision"))
    leader = service.logins["lanhdao.huyen"]
    say("login", service.address, leader.login, typed=leader.password + "\n")
    said = say("sign", document["id"], typed="00000000\n", status=1)
    assert "[pin-wrong]" in said
    assert "4" in said
    assert "[pin-wrong]" in say("sign", document["id"], "--pin", "1", status=1)
    assert say("sign", document["id"], typed="", status=64)
    assert json.loads(say("sign", document["id"], typed=f"{leader.pin}\n"))["state"] == "signed"


def test_a_service_that_is_not_there_or_not_ours_is_said_plainly(service: Service, say: Any, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    assert "The service cannot be reached" in say("login", nobody, "vanthu.huyen", "--password", "x", status=1)
    for address in ("nonsense", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999999"):
        assert "http://" in say("login", address, "vanthu.huyen", "--password", "x", status=64)
    with other_program() as address:
        assert "[not-this-service]" in say("login", address, "vanthu.huyen", "--password", "x", status=1)
    clerk = service.logins["vanthu.huyen"]
    assert "[unauthenticated]" in say("login", service.address, clerk.login, "--password", "wrong", status=1)
    say("login", service.address, clerk.login, typed=clerk.password + "\n")
    say("logout")
    assert "congvan login" in say("documents", status=1)
    session = tmp_path / "session"
    session.write_text(f"{service.address}\nan-ended-session\nvi\n")
    assert "[unauthenticated]" in say("documents", status=1)
    session.write_text("half")
    assert "congvan login" in say("documents", status=1)


@contextlib.contextmanager
def other_program() -> Iterator[str]:
    """Some other web server, which answers everything with a page."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>It works!</html>")

        def log_message(self, format: str, *args: object) -> None:  # noqa: ARG002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_check_ends_with_what_it_found(service: Service, say: Any, tmp_path: Path) -> None:
    walk = Walk(service.connect, service.logins, service.anchor, lambda *_: None)
    document = walk.whole_road()["id"]
    with service.person("vanthu.huyen") as sender, service.person("vanthu.cudliemnong") as registered:
        pdf, pack = sender.file(document), registered.evidence_pack(document)
        files = {"good.pdf": pdf, "good.zip": pack, "all.zip": sender.evidence_pack(document)}
    files["root.cer"] = service.anchor
    at = pdf.index(b"stream\n") + 20
    files["bent.pdf"] = pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]
    files["bent.zip"] = _other_pdf_inside(pack, files["bent.pdf"])
    files["cut.zip"] = pack[: len(pack) // 2]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    trust = ("--trust", str(tmp_path / "root.cer"))

    def verify(name: str, *more: str, status: int) -> str:
        return say("verify", str(tmp_path / name), *more, status=status)

    assert "Hợp lệ" in verify("good.pdf", "--pilot", *trust, status=0)
    assert "Valid" in verify("good.pdf", "--pilot", "--language", "en", *trust, status=0)
    assert json.loads(verify("good.pdf", "--pilot", "--json", *trust, status=0))["verdict"] == "valid"
    verify("bent.pdf", "--pilot", *trust, status=1)
    verify("good.pdf", status=2)
    verify("good.zip", *trust, status=3)
    assert "Không đọc được gói bằng chứng" in say("evidence", "check", str(tmp_path / "cut.zip"), *trust, status=3)
    said = say("evidence", "check", str(tmp_path / "cut.zip"), "--language", "en", *trust, status=3)
    assert "cannot be read" in said
    say("evidence", "check", str(tmp_path / "bent.zip"), *trust, status=2)
    # of the sender's recipients one refused and one did nothing: that they registered is not proven
    say("evidence", "check", str(tmp_path / "all.zip"), *trust, status=1)
    say("evidence", "check", str(tmp_path / "good.zip"), status=1)
    say("evidence", "check", str(tmp_path / "good.zip"), *trust, status=0)


def _other_pdf_inside(pack: bytes, pdf: bytes) -> bytes:
    """The same pack with another PDF in the place of the document's, and a manifest that hides it."""
    changed = io.BytesIO()
    mine = sha256(pdf).hexdigest()
    with zipfile.ZipFile(io.BytesIO(pack)) as old, zipfile.ZipFile(changed, "w") as new:
        theirs = sha256(old.read("document/document.pdf")).hexdigest()
        for entry in old.infolist():
            data = pdf if entry.filename == "document/document.pdf" else old.read(entry)
            hidden = data.replace(theirs.encode(), mine.encode()) if entry.filename.startswith("META-INF/") else data
            new.writestr(entry, hidden)
    return changed.getvalue()
