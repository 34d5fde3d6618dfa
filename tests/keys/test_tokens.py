"""A key on a PKCS#11 token (SoftHSM2) signs like any other, and says why when it cannot."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keys.authority import PilotAuthority
from keys.certificates import signed_by
from keys.errors import KeyUnavailable
from keys.signer import Pkcs11Signer
from tests.fixtures.needs import absent
from tests.fixtures.pilot import OFFICE_CODE, OFFICE_NAME, now

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
PIN = "56785678"


@dataclass(frozen=True)
class Token:
    module: str
    label: str
    certificates: dict[str, bytes]
    chain: tuple[bytes, ...]

    def signer(
        self, key: str = "rsa", *, pin: str = PIN, label: str | None = None, module: str | None = None
    ) -> Pkcs11Signer:
        certificate = self.certificates.get(key, b"")
        return Pkcs11Signer(module or self.module, label or self.label, key, pin, certificate, self.chain)


@pytest.fixture(scope="module")
def token(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory, authority: PilotAuthority
) -> Iterator[Token]:
    """A SoftHSM token with an RSA and an EC key and certificates of the pilot for them."""
    util = program("softhsm2-util")
    module = next((path for path in MODULES if Path(path).exists()), None) or absent(
        "libsofthsm2.so", "apt-get install softhsm2"
    )
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    # the library reads this once, when it is loaded into the process
    old, os.environ["SOFTHSM2_CONF"] = os.environ.get("SOFTHSM2_CONF"), str(conf)
    label = f"vanthu-{uuid.uuid4().hex[:8]}"
    subprocess.run([util, "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN], check=True)
    certificates = {}
    keys = {"rsa": rsa.generate_private_key(65537, 2048), "ec": ec.generate_private_key(ec.SECP256R1())}
    for number, (name, key) in enumerate(keys.items(), start=1):
        path = folder / f"{name}.pem"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        options = ["--import", str(path), "--token", label, "--label", name, "--id", f"0{number}", "--pin", PIN]
        subprocess.run([util, *options], check=True)
        certificates[name] = authority.organisation(OFFICE_NAME, OFFICE_CODE, key.public_key(), now())
    yield Token(module, label, certificates, authority.chain)
    if old is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = old


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_a_token_signs_what_its_certificate_confirms(token: Token, key: str) -> None:
    with token.signer(key) as signer:
        first, second = signer.sign(b"one"), signer.sign(b"two")
    assert signed_by(signer.certificate, b"one", first)
    assert signed_by(signer.certificate, b"two", second)
    assert signer.chain == token.chain


def test_a_token_can_be_opened_again(token: Token) -> None:
    for _ in range(2):
        with token.signer() as signer:
            assert signer.sign(b"data")


def test_what_does_not_work_is_said(token: Token) -> None:
    cases = {
        "the token refuses the PIN": token.signer(pin="11111111"),
        "the token is not there": token.signer(label="elsewhere"),
        "the key is not on the token": token.signer("no-such-key"),
        "the PKCS#11 library does not open": token.signer(module="/nowhere/libnothing.so"),
    }
    for sentence, signer in cases.items():
        with pytest.raises(KeyUnavailable) as failure, signer:
            pass
        assert sentence in failure.value.sentence("en")


def test_a_left_token_signs_no_more(token: Token) -> None:
    with token.signer() as signer:
        pass
    with pytest.raises(KeyUnavailable):
        signer.sign(b"data")


def test_importing_the_room_loads_no_token_library() -> None:
    code = "import keys.signer, pathlib; print('softhsm' in pathlib.Path('/proc/self/maps').read_text())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
