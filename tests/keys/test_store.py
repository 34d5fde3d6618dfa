"""The drawers keep what was put in, and five wrong PINs lock a key whatever happens in between."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Connection, create_engine, event

from keys.certificates import fingerprint, read_certificate
from keys.errors import CertificateUnreadable, KeyUnavailable, PinLocked
from keys.model import Purpose, Signer, TrustMaterial, TrustWorld, Wrapping
from keys.store import MOST_TRIES, KeyStore
from keys.tables import metadata
from tests.fixtures.pilot import OFFICE_CODE, now

WRAPPING = Wrapping(b"s" * 16, b"n" * 12, b"sealed", 65536, 3, 4, "first")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[object]:
    made = create_engine(f"sqlite:///{tmp_path / 'keys.db'}", isolation_level=None)

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def store(engine) -> Iterator[KeyStore]:  # type: ignore[no-untyped-def]
    with engine.begin() as connection:
        yield KeyStore(connection)


@pytest.fixture
def filled(store: KeyStore, trust: TrustMaterial, leader_key: Signer) -> KeyStore:
    """Trust in the pilot and one key of a leader, sealed for p_an."""
    fill(store, trust, leader_key)
    return store


def fill(store: KeyStore, trust: TrustMaterial, leader_key: Signer) -> None:
    for anchor in trust.anchors:
        store.add_anchor(anchor.der, anchor.world, now())
    for der in trust.intermediates:
        store.add_intermediate(der, now())
    name = store.add_certificate(read_certificate(leader_key.certificate), TrustWorld.PILOT, now())
    store.add_key("k1", name, Purpose.PERSON, OFFICE_CODE, now())
    store.add_wrapping("k1", "p_an", WRAPPING, now())


def test_trust_comes_back_as_it_was(filled: KeyStore, trust: TrustMaterial) -> None:
    assert filled.material() == trust
    for anchor in trust.anchors:
        filled.add_anchor(anchor.der, TrustWorld.VGCA, now())
    assert filled.material() == trust


def test_trust_that_is_taken_away_is_gone(filled: KeyStore, trust: TrustMaterial, leader_key: Signer) -> None:
    name = fingerprint(trust.anchors[0].der)
    assert filled.remove_anchor(name)
    assert name not in {fingerprint(anchor.der) for anchor in filled.material().anchors}
    assert not filled.remove_anchor(name)
    assert filled.world(fingerprint(leader_key.certificate)) is TrustWorld.PILOT, "what was seen then stays known"
    filled.add_anchor(trust.anchors[0].der, TrustWorld.OFFICE, now())
    assert filled.material().anchors[0].world is TrustWorld.OFFICE


def test_only_certificates_can_be_trusted(store: KeyStore) -> None:
    with pytest.raises(CertificateUnreadable):
        store.add_anchor(b"nonsense", TrustWorld.PILOT, now())
    with pytest.raises(CertificateUnreadable):
        store.add_intermediate(b"nonsense", now())


def test_a_certificate_is_found_by_name_and_office(filled: KeyStore, leader_key: Signer) -> None:
    certificate = read_certificate(leader_key.certificate)
    assert filled.certificate(certificate.fingerprint) == certificate
    assert filled.world(certificate.fingerprint) is TrustWorld.PILOT
    assert filled.certificates_of_office(OFFICE_CODE) == [certificate]
    assert filled.certificates_of_office("other") == []
    assert filled.add_certificate(certificate, None, now()) == certificate.fingerprint
    assert filled.world(certificate.fingerprint) is TrustWorld.PILOT


def test_a_holder_sees_own_keys_with_their_chain(filled: KeyStore, leader_key: Signer) -> None:
    [key] = filled.keys_for("p_an")
    assert (key.id, key.purpose, key.office) == ("k1", Purpose.PERSON, OFFICE_CODE)
    assert key.chain == leader_key.chain
    assert key == filled.key("k1")
    assert filled.keys_for("p_binh") == []
    assert filled.wrapping("k1", "p_an") == WRAPPING
    with pytest.raises(KeyUnavailable):
        filled.wrapping("k1", "p_binh")


def test_a_retired_key_signs_no_more_and_stays_known(filled: KeyStore) -> None:
    first = now()
    filled.retire_key("k1", first)
    filled.retire_key("k1", first + timedelta(days=1))
    assert filled.keys_for("p_an") == []
    with pytest.raises(KeyUnavailable):
        filled.wrapping("k1", "p_an")
    key = filled.key("k1")
    assert key is not None
    assert key.retired_at == first


def test_five_tries_lock_the_pin_and_a_good_one_forgets_them(filled: KeyStore) -> None:
    assert [filled.count_try("k1", "p_an") for _ in range(4)] == [4, 3, 2, 1]
    filled.reset_tries("k1", "p_an")
    assert [filled.count_try("k1", "p_an") for _ in range(MOST_TRIES)] == [4, 3, 2, 1, 0]
    for _ in range(2):
        with pytest.raises(PinLocked):
            filled.count_try("k1", "p_an")
    with pytest.raises(KeyUnavailable):
        filled.count_try("k1", "p_binh")


def test_a_new_wrapping_unlocks(filled: KeyStore) -> None:
    for _ in range(MOST_TRIES):
        filled.count_try("k1", "p_an")
    other = Wrapping(b"t" * 16, b"m" * 12, b"other", 65536, 4, 4, "first")
    filled.add_wrapping("k1", "p_an", other, now())
    assert filled.wrapping("k1", "p_an") == other
    assert filled.count_try("k1", "p_an") == 4


def test_parallel_guesses_get_no_more_than_five(engine, trust: TrustMaterial, leader_key: Signer) -> None:  # type: ignore[no-untyped-def]
    with engine.begin() as connection:
        fill(KeyStore(connection), trust, leader_key)

    def guess(_: int) -> int | None:
        try:
            with engine.begin() as connection:
                return KeyStore(connection).count_try("k1", "p_an")
        except PinLocked:
            return None

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(guess, range(20)))
    assert sorted(left for left in answers if left is not None) == [0, 1, 2, 3, 4]


def test_times_come_back_aware(filled: KeyStore, private_key: rsa.RSAPrivateKey) -> None:
    filled.retire_key("k1", now())
    key = filled.key("k1")
    assert key is not None
    assert key.retired_at is not None
    assert key.retired_at.utcoffset() == timedelta(0)


def test_nothing_is_sealed_any_more_under_a_master_key_that_was_retired(filled: KeyStore) -> None:
    filled.retire_masters("second", ("first", "second"), now())
    with pytest.raises(KeyUnavailable) as retired:
        filled.add_wrapping("k1", "p_binh", WRAPPING, now())
    assert "has just been changed" in retired.value.sentence("en")
    filled.add_wrapping("k1", "p_binh", replace(WRAPPING, master="second"), now())
    assert filled.masters_in_use() == {"first", "second"}


def test_a_key_moves_to_another_master_key_unless_its_holder_was_faster(filled: KeyStore) -> None:
    [(key, holder, old)] = filled.wrappings_of_others("second", 10)
    assert (key, holder, old) == ("k1", "p_an", WRAPPING)
    faster = replace(WRAPPING, salt=b"o" * 16, sealed=b"sealed anew", master="second")
    filled.add_wrapping("k1", "p_an", faster, now())
    filled.replace_wrapping("k1", "p_an", old, replace(old, sealed=b"moved", master="second"))
    assert filled.wrapping("k1", "p_an") == faster
    assert filled.wrappings_of_others("second", 10) == []
