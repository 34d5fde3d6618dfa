"""A sealed key opens for one holder with one PIN under one master key, and for nobody else."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keys.errors import KeyUnavailable, PinTooShort, PinWrong
from keys.model import Signer, Wrapping
from keys.signer import VaultSigner
from keys.vault import LEAST_PIN, new_master, open_wrapping, wrap

MASTER = bytes(range(32))
PIN = "mậtkhẩu1"


def der_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="module")
def wrapping(private_key: rsa.RSAPrivateKey) -> Wrapping:
    return wrap(der_of(private_key), pin=PIN, master=MASTER, key="k1", holder="p_an")


def test_the_right_pin_opens(wrapping: Wrapping, private_key: rsa.RSAPrivateKey) -> None:
    assert der_of(open_wrapping(wrapping, pin=PIN, master=MASTER, key="k1", holder="p_an")) == der_of(private_key)


def test_the_pin_may_be_typed_on_any_keyboard(wrapping: Wrapping) -> None:
    import unicodedata

    decomposed = unicodedata.normalize("NFD", PIN)
    assert decomposed != PIN
    assert open_wrapping(wrapping, pin=decomposed, master=MASTER, key="k1", holder="p_an")


@pytest.mark.parametrize(
    "other",
    [{"pin": "mậtkhẩu2"}, {"master": bytes(32)}, {"key": "k2"}, {"holder": "p_binh"}, {"key": "k", "holder": "1p_an"}],
)
def test_anything_else_is_a_wrong_pin(wrapping: Wrapping, other: dict[str, str]) -> None:
    asked = {"pin": PIN, "master": MASTER, "key": "k1", "holder": "p_an"} | other
    with pytest.raises(PinWrong) as wrong:
        open_wrapping(wrapping, **asked, left=3)  # type: ignore[arg-type]
    assert "3" in wrong.value.sentence("vi")


def test_a_key_whose_parts_do_not_agree_is_not_sealed(private_key: rsa.RSAPrivateKey) -> None:
    # opening checks no more than the seal, so that this is where such a key must be found
    der, part = der_of(private_key), private_key.private_numbers().dmp1
    broken = der.replace(part.to_bytes(128), (part ^ 4).to_bytes(128))
    assert broken != der
    with pytest.raises(KeyUnavailable):
        wrap(broken, pin=PIN, master=MASTER, key="k1", holder="p_an")


def test_an_altered_wrapping_does_not_open(wrapping: Wrapping) -> None:
    sealed = wrapping.sealed[:-1] + bytes([wrapping.sealed[-1] ^ 1])
    for altered in (
        replace(wrapping, sealed=sealed),
        replace(wrapping, salt=bytes(16)),
        replace(wrapping, iterations=wrapping.iterations + 1),
    ):
        with pytest.raises(PinWrong):
            open_wrapping(altered, pin=PIN, master=MASTER, key="k1", holder="p_an")


def test_short_pins_are_refused_before_anything_is_made(private_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(PinTooShort):
        wrap(der_of(private_key), pin="1" * (LEAST_PIN - 1), master=MASTER, key="k1", holder="p_an")
    decomposed = "ậ" * 4 + "abc"
    with pytest.raises(PinTooShort):
        wrap(der_of(private_key), pin=decomposed, master=MASTER, key="k1", holder="p_an")


def test_only_keys_that_can_sign_documents_are_sealed() -> None:
    with pytest.raises(KeyUnavailable):
        wrap(der_of(ed25519.Ed25519PrivateKey.generate()), pin=PIN, master=MASTER, key="k", holder="h")
    with pytest.raises(KeyUnavailable):
        wrap(b"nonsense", pin=PIN, master=MASTER, key="k", holder="h")


def test_a_short_master_key_is_refused(wrapping: Wrapping) -> None:
    with pytest.raises(KeyUnavailable):
        open_wrapping(wrapping, pin=PIN, master=b"short", key="k1", holder="p_an")
    assert len(new_master()) == 32


def test_the_key_is_nowhere_in_the_wrapping(wrapping: Wrapping, private_key: rsa.RSAPrivateKey) -> None:
    assert der_of(private_key)[40:60] not in wrapping.sealed
    assert (wrapping.memory_kib, wrapping.iterations, wrapping.lanes) == (65536, 3, 4)


def test_a_closed_key_signs_no_more(private_key: rsa.RSAPrivateKey, leader_key: Signer) -> None:
    with VaultSigner(private_key, leader_key.certificate, leader_key.chain) as signer:
        assert signer.sign(b"data")
    with pytest.raises(KeyUnavailable) as closed:
        signer.sign(b"data")
    assert "khóa đã đóng" in closed.value.sentence("vi")
    assert "the key is closed" in closed.value.sentence("en")
