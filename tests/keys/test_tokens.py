"""A key on a PKCS#11 token (SoftHSM2) signs like any other, and says why when it cannot."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keys.authority import PilotAuthority
from keys.certificates import signed_by
from keys.errors import KeyUnavailable, PinLocked, PinWrong, TokenPinLocked, TokenPinWrong
from keys.masters import new_master
from keys.signer import Pkcs11Signer
from keys.tokens import open_ring, seal_ring, token_session
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
    folder: Path
    certificates: dict[str, bytes]
    chain: tuple[bytes, ...]

    def signer(
        self,
        key: str = "rsa",
        *,
        pin: str = PIN,
        label: str | None = None,
        module: str | None = None,
        certificate_of: str | None = None,
    ) -> Pkcs11Signer:
        certificate = self.certificates.get(certificate_of or key, b"")
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
    yield Token(module, label, folder, certificates, authority.chain)
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
        "the token is not there": token.signer(label="elsewhere"),
        "the key is not on the token": token.signer("no-such-key"),
        "the PKCS#11 library does not open": token.signer(module="/nowhere/libnothing.so"),
    }
    for sentence, signer in cases.items():
        with pytest.raises(KeyUnavailable) as failure, signer:
            pass
        assert sentence in failure.value.sentence("en")


def test_a_wrong_pin_is_told_with_what_the_token_says_of_further_tries(token: Token) -> None:
    with pytest.raises(TokenPinWrong) as wrong, token.signer(pin="11111111"):
        pass
    assert wrong.value.code == "pin-wrong"
    assert "Few tries may be left" in wrong.value.sentence("en")
    with token.signer() as signer:
        assert signer.sign(b"data"), "a wrong PIN of before is in nobody's way"


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (pkcs11.TokenFlag.USER_PIN_FINAL_TRY, "One try is left"),
        (pkcs11.TokenFlag.USER_PIN_LOCKED, "has locked its PIN"),
    ],
    ids=["last try", "locked"],
)
def test_what_a_token_says_of_its_pin_is_believed(token: Token, flag: pkcs11.TokenFlag, said: str) -> None:
    with token_says(token, flag), pytest.raises((PinWrong, PinLocked)) as refused, token.signer(pin="11111111"):
        pass
    assert said in refused.value.sentence("en")


def test_a_locked_token_is_not_even_tried_with_the_right_pin(token: Token) -> None:
    with token_says(token, pkcs11.TokenFlag.USER_PIN_LOCKED), pytest.raises(TokenPinLocked), token.signer():
        pass
    with token.signer() as signer:
        assert signer.sign(b"data")


def test_a_token_that_is_pulled_out_in_the_middle_signs_no_more_and_works_again_when_it_is_back(token: Token) -> None:
    with token.signer() as signer:
        assert signer.sign(b"before")
        with pulled_out(token), pytest.raises(KeyUnavailable) as gone:
            signer.sign(b"while it is gone")
    assert "pulled out" in gone.value.sentence("en")
    with pulled_out(token), pytest.raises(KeyUnavailable) as missing, token.signer():
        pass
    assert "the token is not there" in missing.value.sentence("en")
    with token.signer() as signer:
        assert signed_by(signer.certificate, b"after", signer.sign(b"after"))


def test_nothing_leaves_a_token_that_does_not_fit_the_certificate(token: Token) -> None:
    with token.signer("rsa", certificate_of="ec") as signer, pytest.raises(KeyUnavailable) as other:
        signer.sign(b"data")
    assert "does not belong to the key" in other.value.sentence("en")


def test_two_people_at_one_token_come_one_after_the_other(token: Token) -> None:
    def sign(number: int) -> bool:
        data = b"%d" % number
        with token.signer() as signer:
            return signed_by(signer.certificate, data, signer.sign(data))

    def guess(_: int) -> bool:
        try:
            with token.signer(pin="11111111"):
                return False
        except TokenPinWrong:
            return True

    with ThreadPoolExecutor(4) as pool:
        assert all([*pool.map(sign, range(6)), *pool.map(guess, range(3)), *pool.map(sign, range(3))])


def test_a_token_seals_the_master_keys_and_only_its_own_key_opens_them(token: Token) -> None:
    masters = (new_master(), new_master())
    with token_session(token.module, token.label, PIN, writing=True) as session:
        sealed = seal_ring(session, "congvan-master", masters)
    assert masters[0] not in sealed
    with token_session(token.module, token.label, PIN) as session:
        assert open_ring(session, "congvan-master", sealed) == masters
        with pytest.raises(KeyUnavailable) as altered:
            open_ring(session, "congvan-master", sealed[:-1] + bytes([sealed[-1] ^ 1]))
        with pytest.raises(KeyUnavailable):
            open_ring(session, "another-key", sealed)
    assert "not sealed by this token" in altered.value.sentence("en")


@contextmanager
def token_says(token: Token, flag: pkcs11.TokenFlag) -> Iterator[None]:
    """The token with that flag set in what it stores about itself."""
    [stored] = token.folder.glob("tokens/*/token.object")
    before = stored.read_bytes()
    at = before.index(bytes.fromhex("000000008000534b0000000000000002")) + 16  # CKA_OS_TOKENFLAGS, a number
    flags = int.from_bytes(before[at : at + 8]) | flag
    stored.write_bytes(before[:at] + flags.to_bytes(8) + before[at + 8 :])
    pkcs11.lib(token.module).reinitialize()
    try:
        yield
    finally:
        stored.write_bytes(before)
        pkcs11.lib(token.module).reinitialize()


@contextmanager
def pulled_out(token: Token) -> Iterator[None]:
    """The token's store is away, as a pulled token's is."""
    (token.folder / "tokens").rename(token.folder / "away")
    try:
        yield
    finally:
        (token.folder / "away").rename(token.folder / "tokens")


def test_a_left_token_signs_no_more(token: Token) -> None:
    with token.signer() as signer:
        pass
    with pytest.raises(KeyUnavailable):
        signer.sign(b"data")


def test_importing_the_room_loads_no_token_library() -> None:
    code = "import keys.signer, pathlib; print('softhsm' in pathlib.Path('/proc/self/maps').read_text())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
