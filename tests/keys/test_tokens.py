"""A key on a PKCS#11 token (SoftHSM2) signs like any other, and says why when it cannot."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pkcs11
import pytest

from keys.certificates import signed_by
from keys.errors import KeyUnavailable, PinLocked, PinWrong, TokenPinLocked, TokenPinWrong
from keys.masters import new_master
from keys.tokens import open_ring, seal_ring, token_session
from tests.fixtures.hsm import PIN, Token, pulled_out, token_says


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


def test_a_left_token_signs_no_more(token: Token) -> None:
    with token.signer() as signer:
        pass
    with pytest.raises(KeyUnavailable):
        signer.sign(b"data")


def test_importing_the_room_loads_no_token_library() -> None:
    code = "import keys.signer, pathlib; print('softhsm' in pathlib.Path('/proc/self/maps').read_text())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
