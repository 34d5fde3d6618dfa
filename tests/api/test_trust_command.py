"""Trust is brought in by the fingerprint that came another way, kept with its world, and taken back."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli import run
from keys.authority import PilotAuthority
from keys.certificates import fingerprint
from tests.keys.test_trust_lists import STATUS, service, trust_list

Told = tuple[int, str, str]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """`congvan trust …` for an empty installation: exit status, what it printed, what it complained of."""
    monkeypatch.setenv("CONGVAN_DATA", str(tmp_path / "data"))

    def call(*words: object) -> Told:
        capfd.readouterr()
        status = run(["trust", *map(str, words)])
        said = capfd.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture
def root(tmp_path: Path, authority: PilotAuthority) -> Path:
    file = tmp_path / "root.cer"
    file.write_bytes(authority.certificate)
    return file


def as_printed(name: str) -> str:
    """A fingerprint as a paper shows it."""
    return ":".join(name[n : n + 2] for n in range(0, 64, 2)).upper()


def test_a_root_comes_in_by_its_fingerprint_and_goes_again(command, root, authority):
    name = fingerprint(authority.certificate)

    assert command("list")[:2] == (0, "")
    status, said, _ = command("add", root, "--world", "vgca", "--fingerprint", as_printed(name))
    assert (status, said.split()[:3]) == (0, ["+", "vgca", name])
    assert command("add", root, "--world", "vgca", "--fingerprint", name)[0] == 0, "again changes nothing"
    assert command("list")[1].split()[:2] == ["vgca", name]

    status, _, error = command("add", root, "--world", "office", "--fingerprint", name)
    assert (status, "[anchor-of-another-world]" in error) == (1, True)
    assert command("list")[1].split()[:2] == ["vgca", name]

    assert command("remove", as_printed(name))[0] == 0
    assert command("remove", name)[0] == 1
    assert command("list")[1] == ""


def test_another_fingerprint_is_refused_and_nothing_is_trusted(command, root, authority):
    status, _, error = command("add", root, "--world", "neac", "--fingerprint", "0" * 64)

    assert status == 1
    assert "[fingerprint-wrong]" in error
    assert fingerprint(authority.certificate) in error
    assert command("list")[1] == ""


def test_of_a_file_with_several_only_the_named_one_is_trusted(command, tmp_path, authority):
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    both = tmp_path / "both.pem"
    ders = (authority.issuing_certificate, authority.certificate)
    both.write_bytes(b"".join(x509.load_der_x509_certificate(d).public_bytes(Encoding.PEM) for d in ders))
    name = fingerprint(authority.certificate)

    assert command("add", both, "--world", "office", "--fingerprint", name)[0] == 0
    assert [line.split()[1] for line in command("list")[1].splitlines()] == [name]


def test_a_trusted_list_comes_in_by_the_digest_of_the_file(command, tmp_path, authority):
    file = tmp_path / "tl.xml"
    file.write_bytes(
        trust_list(service(authority.certificate), service(authority.tsa_certificate, status=f"{STATUS}withdrawn"))
    )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()

    status, _, error = command("load", file, "--world", "neac", "--fingerprint", fingerprint(authority.certificate))
    assert (status, "[fingerprint-wrong]" in error, digest in error) == (1, True, True)
    assert command("list")[1] == ""

    assert command("load", file, "--world", "neac", "--fingerprint", digest)[0] == 0
    assert [line.split()[:2] for line in command("list")[1].splitlines()] == [
        ["neac", fingerprint(authority.certificate)]
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no list", "trust-list-unreadable"),
        (trust_list(until="2026-01-02T00:00:00Z"), "trust-list-expired"),
        (trust_list(), ""),
    ],
    ids=["no list", "expired", "empty"],
)
def test_a_list_that_cannot_be_used_is_refused(command, tmp_path, data, code):
    file = tmp_path / "tl.xml"
    file.write_bytes(data)

    status, _, error = command("load", file, "--world", "neac", "--fingerprint", hashlib.sha256(data).hexdigest())

    assert status == 1
    assert code in error


@pytest.mark.parametrize(
    "words",
    [
        ["add", __file__, "--world", "vgca"], ["add", __file__, "--world", "pilot", "--fingerprint", "0" * 64],
        ["add", __file__, "--world", "vgca", "--fingerprint", "12:34"], ["remove", "x"], ["add", "missing.cer"], [],
    ],
    ids=str,
)  # fmt: skip
def test_wrong_usage_is_64(command, words):
    assert command(*words)[0] == 64


def test_a_file_that_is_no_certificate_is_named(command):
    status, _, error = command("add", __file__, "--world", "vgca", "--fingerprint", "0" * 64)
    assert (status, "[certificate-unreadable]" in error) == (1, True)
