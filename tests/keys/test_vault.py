"""A sealed key opens for one holder with one PIN under one master key, and for nobody else."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keys.errors import KeyUnavailable, PinTooShort, PinWrong
from keys.masters import MasterRing, master_name, new_master
from keys.model import Signer, Wrapping
from keys.signer import VaultSigner
from keys.vault import LEAST_PIN, open_wrapping, rewrap, wrap

MASTERS = MasterRing.of(bytes(range(32)))
PIN = "mậtkhẩu1"


def der_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="module")
def wrapping(private_key: rsa.RSAPrivateKey) -> Wrapping:
    return wrap(der_of(private_key), pin=PIN, masters=MASTERS, key="k1", holder="p_an")


def test_the_right_pin_opens(wrapping: Wrapping, private_key: rsa.RSAPrivateKey) -> None:
    assert der_of(open_wrapping(wrapping, pin=PIN, masters=MASTERS, key="k1", holder="p_an")) == der_of(private_key)


def test_the_pin_may_be_typed_on_any_keyboard(wrapping: Wrapping) -> None:
    import unicodedata

    decomposed = unicodedata.normalize("NFD", PIN)
    assert decomposed != PIN
    assert open_wrapping(wrapping, pin=decomposed, masters=MASTERS, key="k1", holder="p_an")


def test_another_pin_is_wrong(wrapping: Wrapping) -> None:
    with pytest.raises(PinWrong) as wrong:
        open_wrapping(wrapping, pin="mậtkhẩu2", masters=MASTERS, key="k1", holder="p_an", left=3)
    assert "3" in wrong.value.sentence("vi")


def test_a_key_whose_parts_do_not_agree_is_not_sealed(private_key: rsa.RSAPrivateKey) -> None:
    # opening checks no more than the seal, so that this is where such a key must be found
    der, part = der_of(private_key), private_key.private_numbers().dmp1
    broken = der.replace(part.to_bytes(128), (part ^ 4).to_bytes(128))
    assert broken != der
    with pytest.raises(KeyUnavailable):
        wrap(broken, pin=PIN, masters=MASTERS, key="k1", holder="p_an")


@pytest.mark.parametrize("other", [{"key": "k2"}, {"holder": "p_binh"}, {"key": "k", "holder": "1p_an"}])
def test_a_wrapping_opens_in_its_own_place_only(wrapping: Wrapping, other: dict[str, str]) -> None:
    asked = {"key": "k1", "holder": "p_an"} | other
    with pytest.raises(KeyUnavailable) as refused:
        open_wrapping(wrapping, pin=PIN, masters=MASTERS, **asked)
    assert "was altered" in refused.value.sentence("en")


def test_without_its_master_key_a_wrapping_does_not_open_and_the_key_is_named(wrapping: Wrapping) -> None:
    with pytest.raises(KeyUnavailable) as refused:
        open_wrapping(wrapping, pin=PIN, masters=MasterRing.of(bytes(32)), key="k1", holder="p_an")
    assert master_name(bytes(range(32))) in refused.value.sentence("vi")


def test_an_altered_wrapping_does_not_open(wrapping: Wrapping) -> None:
    sealed = wrapping.sealed[:-1] + bytes([wrapping.sealed[-1] ^ 1])
    for altered in (
        replace(wrapping, sealed=sealed),
        replace(wrapping, sealed=b""),
        replace(wrapping, salt=bytes(16)),
        replace(wrapping, iterations=wrapping.iterations + 1),
    ):
        with pytest.raises(KeyUnavailable):
            open_wrapping(altered, pin=PIN, masters=MASTERS, key="k1", holder="p_an")


def test_a_new_master_key_leaves_the_pin_as_it_was(wrapping: Wrapping, private_key: rsa.RSAPrivateKey) -> None:
    both = MasterRing.of(bytes(range(32)), bytes(32))
    moved = rewrap(wrapping, masters=both, key="k1", holder="p_an")
    assert moved.master == both.newest == master_name(bytes(32))
    only = MasterRing.of(bytes(32))
    assert der_of(open_wrapping(moved, pin=PIN, masters=only, key="k1", holder="p_an")) == der_of(private_key)
    with pytest.raises(PinWrong):
        open_wrapping(moved, pin="11111111", masters=only, key="k1", holder="p_an")


def test_a_ring_asks_again_when_somebody_else_has_changed_the_master_key(wrapping: Wrapping) -> None:
    held = [bytes(range(32))]
    ring = MasterRing(lambda: held)
    moved = rewrap(wrapping, masters=MasterRing.of(*held, bytes(32)), key="k1", holder="p_an")
    held[:] = [bytes(32)]
    assert open_wrapping(moved, pin=PIN, masters=ring, key="k1", holder="p_an")
    assert ring.names == (master_name(bytes(32)),)


def test_short_pins_are_refused_before_anything_is_made(private_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(PinTooShort):
        wrap(der_of(private_key), pin="1" * (LEAST_PIN - 1), masters=MASTERS, key="k1", holder="p_an")
    decomposed = "ậ" * 4 + "abc"
    with pytest.raises(PinTooShort):
        wrap(der_of(private_key), pin=decomposed, masters=MASTERS, key="k1", holder="p_an")


def test_only_keys_that_can_sign_documents_are_sealed() -> None:
    with pytest.raises(KeyUnavailable):
        wrap(der_of(ed25519.Ed25519PrivateKey.generate()), pin=PIN, masters=MASTERS, key="k", holder="h")
    with pytest.raises(KeyUnavailable):
        wrap(b"nonsense", pin=PIN, masters=MASTERS, key="k", holder="h")


def test_a_master_key_of_another_length_is_refused() -> None:
    for wrong in ((b"short",), (), (bytes(32), b"")):
        with pytest.raises(KeyUnavailable):
            MasterRing.of(*wrong)
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
