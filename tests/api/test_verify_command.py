"""`congvan verify`: files, folders, patterns; one exit status for all; reports as files; nobody is asked unallowed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli import run
from api.cli.verify import expanded, moment
from tests.fixtures.service import CLERK, ApiService, letter

Told = tuple[int, str, str]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """`congvan verify …` in an empty folder: exit status, what it printed, what it complained of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONGVAN_OUTGOING_ALLOWED", raising=False)

    def call(*words: object) -> Told:
        capfd.readouterr()
        status = run(["verify", *map(str, words)])
        said = capfd.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture(scope="module")
def issued(api_service: ApiService) -> bytes:
    """An issued document with both signatures."""
    return api_service.person(CLERK).file(api_service.standing("issued")["id"])


@pytest.fixture(scope="module")
def root(api_service: ApiService) -> Path:
    return api_service.parts.settings.pilot / "root.cer"


def put(name: str, data: bytes) -> Path:
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def changed(pdf: bytes) -> bytes:
    """The document with one byte of its content changed."""
    place = pdf.index(b"stream", 200) + 20
    return pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :]


@pytest.fixture
def mixed(command: object, issued: bytes) -> Path:
    """A folder with one file of each kind, some of them deeper, and some that are no PDF by name."""
    put("in/good.pdf", issued)
    put("in/deep/er/changed.PDF", changed(issued))
    put("in/plain.pdf", letter())
    put("in/broken.pdf", b"no pdf")
    put("in/note.txt", b"no pdf")
    (Path("in") / "folder.pdf").mkdir()
    return Path("in")


def test_one_file_is_answered_in_words(command, issued, root):
    file = put("a.pdf", issued)

    status, said, _ = command(file, "--trust", root, "--world", "pilot")
    assert (status, said.splitlines()[0]) == (0, "Hợp lệ: chữ ký số còn nguyên vẹn và được tin cậy.")
    assert "chứng thư thử nghiệm" in said
    assert command(file, "--trust", root, "--pilot")[1] == said
    assert command(file, "--trust", root, "--pilot", "--language", "en")[1].startswith("Valid")
    assert command(file)[0] == 2, "nobody is trusted by default"
    assert command(put("b.pdf", changed(issued)), "--trust", root)[0] == 1
    status, said, error = command(put("c.pdf", b"no pdf"))
    assert (status, said, "[not-a-pdf]" in error) == (3, "", True)


def test_the_world_of_the_roots_is_what_is_said(command, issued, root):
    file = put("a.pdf", issued)
    for world in ("vgca", "neac", "pilot", "office"):
        told = json.loads(command(file, "--trust", root, "--world", world, "--json")[1])
        assert {one["world"] for one in told["signatures"]} == {world}
        assert told["verdict"] == "valid"


def test_trust_may_be_named_several_times_and_as_folders(command, issued, root, api_service):
    file, other = put("a.pdf", issued), put("roots/other.cer", api_service.authority.authority.tsa_certificate)
    put("roots/one/inner.cer", b"not looked at")
    assert command(file, "--trust", other.parent, "--trust", root, "--pilot")[0] == 0


def test_json_of_one_file_is_the_report_itself(command, issued, root):
    status, said, _ = command(put("a.pdf", issued), "--trust", root, "--pilot", "--json")

    told = json.loads(said)
    assert (status, told["verdict"], told["two_signatures"]) == (0, "valid", "complete")


def test_of_several_files_each_has_its_line_and_the_worst_decides(command, mixed, root):
    status, said, error = command(mixed, "--trust", root, "--pilot", "--language", "en")

    assert status == 3
    assert "in/good.pdf: Valid" in said
    assert "in/deep/er/changed.PDF: Invalid" in said
    assert "in/plain.pdf: Invalid" in said
    assert "in/broken.pdf: " in error
    assert "note.txt" not in said + error
    assert said.splitlines()[-1] == "4 files: 1 valid, 2 invalid, 1 unreadable"


def test_json_of_several_files_is_one_line_for_each(command, mixed, root):
    status, said, error = command(mixed, "--trust", root, "--pilot", "--json")

    told = {one["name"]: one for one in map(json.loads, said.splitlines())}
    assert (status, error) == (3, "")
    assert told["in/good.pdf"]["report"]["verdict"] == "valid"
    assert told["in/deep/er/changed.PDF"]["report"]["verdict"] == "invalid"
    assert told["in/broken.pdf"]["problem"]["code"] == "not-a-pdf"
    assert len(told) == 4


def test_the_worst_of_several_is_the_exit_status(command, issued, root):
    good, bad, broken = put("good.pdf", issued), put("bad.pdf", changed(issued)), put("broken.pdf", b"no pdf")

    assert command(good, good, "--trust", root, "--pilot")[0] == 0
    assert command(good, bad, "--trust", root, "--pilot")[0] == 1
    assert command(good, bad)[0] == 1, "invalid is worse than unknown"
    assert command(good, bad, broken)[0] == 3, "what could not be read comes first: nothing is known of it"
    assert command("*.pdf", "--trust", root, "--pilot")[0] == 3


def test_what_names_no_file_is_wrong_usage(command):
    Path("empty").mkdir()
    for word in ("missing.pdf", "empty", "*.pdf"):
        assert command(word)[0] == 64


def test_files_are_named_once_whatever_names_them(command):
    for name in ("x/b.pdf", "x/a.pdf", "x/y/c.Pdf", "x/d.txt"):
        put(name, b"")
    assert [str(file) for file in expanded(["x/b.pdf", "x", "x/**/*.Pdf", "x/d.txt"])] == [
        "x/b.pdf", "x/a.pdf", "x/y/c.Pdf", "x/d.txt",
    ]  # fmt: skip


def test_a_file_that_fails_while_it_is_read_is_unreadable(command):
    Path("a.pdf").symlink_to("/proc/self/mem")  # opens for everybody, root too, and its first byte is an I/O error
    assert command("a.pdf")[0] == 3


def test_a_file_over_the_limit_is_not_even_read(command):
    with Path("big.pdf").open("wb") as big:
        big.truncate(65 << 20)
    status, _, error = command("big.pdf")
    assert (status, "[too-large]" in error) == (3, True)


# -- the moment --


def test_the_same_moment_gives_the_same_report_however_it_is_written(command, issued, root):
    file = put("a.pdf", issued)
    told = [
        command(file, "--trust", root, "--pilot", "--json", "--at", at)[1]
        for at in ("2099-01-01T01:00:00Z", "2099-01-01T08:00+07:00", "2099-01-01T01:00")
    ]
    assert told[0] == told[1] == told[2]
    assert json.loads(told[0])["at"].startswith("2099-01-01T01:00:00")
    assert moment("2099-01-01").isoformat() == "2099-01-01T00:00:00+00:00"


def test_a_moment_that_is_none_is_wrong_usage(command):
    put("a.pdf", letter())
    for word in ("tomorrow", "2099-13-01", "08:00"):
        assert command("a.pdf", "--at", word)[0] == 64


# -- reports as files --


@pytest.mark.parametrize(
    ("ending", "beginning"), [("pdf", b"%PDF-"), ("html", b"<!"), ("xml", b"<"), ("json", b"{"), ("HTML", b"<!")]
)
def test_the_report_is_written_in_the_form_that_its_name_asks_for(command, issued, root, ending, beginning):
    status, _, _ = command(put("a.pdf", issued), "--trust", root, "--pilot", "--report", f"out.{ending}")

    assert status == 0
    assert Path(f"out.{ending}").read_bytes().lstrip().lower().startswith(beginning.lower())


def test_several_reports_carry_the_names_of_their_files(command, mixed, root):
    command(mixed, "--trust", root, "--pilot", "--report", "bc-{name}.json")

    assert sorted(file.name for file in Path().glob("bc-*")) == ["bc-changed.json", "bc-good.json", "bc-plain.json"]
    assert json.loads(Path("bc-good.json").read_bytes())["verdict"] == "valid"


def test_a_report_that_cannot_be_written_is_wrong_usage(command, issued):
    put("x/a.pdf", issued), put("y/a.pdf", issued)
    for words in (
        ["x/a.pdf", "--report", "out.docx"], ["x/a.pdf", "--report", "no/folder/out.json"],
        ["x", "y", "--report", "out.json"], ["x", "y", "--report", "{name}.json"],
    ):  # fmt: skip
        assert command(*words)[0] == 64


def test_a_report_never_overwrites_a_file_that_is_checked(command, issued):
    put("x/a.pdf", issued)
    Path("link.pdf").symlink_to("x/a.pdf")
    for target in ("x/a.pdf", "x/../x/a.pdf", "x/{name}.pdf", "link.pdf"):
        assert command("x", "--report", target)[0] == 64
    assert Path("x/a.pdf").read_bytes() == issued


# -- whom it asks --


def test_nobody_is_asked_who_is_not_allowed_and_offline_nobody_at_all(command, issued, root, api_service, monkeypatch):
    file, authority = put("a.pdf", issued), api_service.authority
    pair = authority.url.removeprefix("http://")
    asked = dict(authority.requests)

    assert command(file, "--trust", root, "--pilot")[0] == 0
    monkeypatch.setenv("CONGVAN_OUTGOING_ALLOWED", f'["{pair}"]')
    assert command(file, "--trust", root, "--pilot", "--offline")[0] == 0
    assert authority.requests == asked

    assert command(file, "--trust", root, "--pilot")[0] == 0
    assert authority.requests != asked


def test_an_authority_that_is_away_leaves_what_is_in_the_file(command, issued, root, monkeypatch):
    monkeypatch.setenv("CONGVAN_OUTGOING_ALLOWED", '["127.0.0.1:1"]')
    assert command(put("a.pdf", issued), "--trust", root, "--pilot")[0] == 0
