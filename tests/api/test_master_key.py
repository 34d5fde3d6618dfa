"""The master key is changed without anybody's PIN, and a kill in the middle leaves every key openable."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from api import keyring
from api.errors import MasterKeyFixed, MasterKeyMissing
from api.factors import open_factor, seal_factor
from api.masters import load_masters
from api.migrations import upgrade
from api.settings import Settings
from api.wiring import Parts, build_parts
from keys.authority import PilotAuthority
from keys.certificates import read_certificate
from keys.errors import KeyUnavailable
from keys.masters import new_master
from keys.model import Purpose, TrustWorld, Wrapping
from keys.store import KeyStore
from keys.vault import unseal, wrap
from tests.fixtures.pilot import OFFICE_CODE, OFFICE_NAME, now

PIN = "12345678"
KEYS = ("k1", "k2", "k3")
KILLED = """
import os, signal, sys
from api import keyring
from api.settings import Settings
from api.wiring import build_parts
keyring.MOST_AT_ONCE = 1
left = int(sys.argv[2])
def told(step, moved):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
keyring.rotate_master(build_parts(Settings(data=sys.argv[1])), told)
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an installation with three EC keys, sealed under one PIN."""
    settings = Settings(data=tmp_path_factory.mktemp("template") / "data")
    settings.data.mkdir()
    made = build_parts(settings)
    upgrade(made.database.writer)
    authority = PilotAuthority.create(now(), key_size=2048)
    with made.write() as writing:
        for name in KEYS:
            key = ec.generate_private_key(ec.SECP256R1())
            der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            sealed = wrap(der, pin=PIN, masters=made.masters, key=name, holder="p_an")
            certificate = authority.organisation(OFFICE_NAME, OFFICE_CODE, key.public_key(), now())
            fingerprint = writing.keys.add_certificate(read_certificate(certificate), TrustWorld.PILOT, now())
            writing.keys.add_key(name, fingerprint, Purpose.ORGANISATION, OFFICE_CODE, now())
            writing.keys.add_wrapping(name, "p_an", sealed, now())
    made.close()
    return settings.data


@pytest.fixture
def parts(tmp_path: Path, template: Path) -> Iterator[Parts]:
    """A new installation with three keys."""
    shutil.copytree(template, tmp_path / "data")
    made = build_parts(Settings(data=tmp_path / "data"))
    yield made
    made.close()


def openable(parts: Parts) -> set[str]:
    """The keys that a newly started service can bring out from under the master key."""
    fresh = build_parts(parts.settings)
    found = set()
    with fresh.read() as reading:
        for key in KEYS:
            unseal(reading.keys.wrapping(key, "p_an"), masters=fresh.masters, key=key, holder="p_an")
            found.add(key)
    fresh.close()
    return found


def test_a_service_that_runs_on_opens_the_keys_under_the_new_master_key_with_the_same_pin(parts: Parts) -> None:
    running, before = build_parts(parts.settings), parts.masters.newest
    assert keyring.rotate_master(parts) == len(KEYS)
    assert len(load_masters(parts.settings)) == 1
    assert parts.masters.newest != before == running.masters.newest
    with running.open_key("k2", "p_an", PIN) as signer:
        assert signer.sign(b"data")
    assert running.masters.names == (parts.masters.newest,)
    running.close()


@pytest.mark.parametrize("step", [1, 4], ids=["before anything moved", "when two had moved"])
def test_a_rotation_that_is_killed_leaves_every_key_openable_and_goes_on_where_it_was(parts: Parts, step: int) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(parts.settings.data), str(step)], check=False)
    assert ended.returncode == -signal.SIGKILL
    halfway = load_masters(parts.settings)
    assert len(halfway) == 2, "both keys are held until nothing is under the old one"
    assert openable(parts) == set(KEYS)

    assert keyring.rotate_master(parts) == len(KEYS) - max(0, step - 2)
    assert load_masters(parts.settings) == halfway[1:], "no third key is made"
    assert openable(parts) == set(KEYS)


def test_second_factors_go_under_the_new_master_key_and_nobody_has_to_set_them_up_again(parts: Parts) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    with parts.write() as writing:
        writing.people.add_account("p_an", "an", "An", "", "x", now())
        writing.people.set_factor("p_an", seal_factor(parts.masters, "p_an", secret))
    database = parts.settings.sqlite_file
    stored = database.read_bytes() + database.with_name(f"{database.name}-wal").read_bytes()
    assert secret.encode() not in stored, "the database alone makes no code"

    assert keyring.rotate_master(parts) == len(KEYS) + 1
    fresh = build_parts(parts.settings)
    with fresh.read() as reading:
        account = reading.people.account("p_an")
    assert account is not None
    assert account.factor is not None
    assert open_factor(fresh.masters, "p_an", account.factor) == secret
    with pytest.raises(KeyUnavailable):
        open_factor(fresh.masters, "p_binh", account.factor)
    fresh.close()


def test_a_service_that_has_not_noticed_seals_nothing_under_the_old_master_key(parts: Parts) -> None:
    unaware = build_parts(parts.settings)
    keyring.rotate_master(parts)
    late = Wrapping(b"s" * 16, b"n" * 12, b"sealed", 65536, 3, 4, unaware.masters.newest)
    with unaware.write() as writing, pytest.raises(KeyUnavailable) as refused:
        writing.keys.add_wrapping("k1", "p_binh", late, now())
    assert "has just been changed" in refused.value.sentence("en")
    unaware.close()


def test_on_postgresql_a_rotation_waits_for_who_is_about_to_commit(
    fresh_postgresql: Callable[[], str], tmp_path: Path
) -> None:
    parts = build_parts(Settings(data=tmp_path / "data", database_url=fresh_postgresql()))
    upgrade(parts.database.writer)
    late = Wrapping(b"s" * 16, b"n" * 12, b"sealed", 65536, 3, 4, "first")
    with parts.write() as writing:
        writing.keys.add_wrapping("k1", "p_an", late, now())
        with parts.database.writer.connect() as rotating:
            rotating.execute(text("SET LOCAL lock_timeout = '100ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                KeyStore(rotating).retire_masters("second", ("first", "second"), now())
    with parts.write() as writing:
        writing.keys.retire_masters("second", ("first", "second"), now())
    with parts.read() as reading:
        assert [key for key, _, _ in reading.keys.wrappings_of_others("second", 10)] == ["k1"]
    parts.close()


def test_a_master_key_that_systemd_hands_over_is_read_and_never_written(parts: Parts, tmp_path: Path) -> None:
    handed = tmp_path / "credentials"
    handed.mkdir()
    old = load_masters(parts.settings)
    settings = parts.settings.model_copy(update={"master_key": "credential", "credentials": handed})
    with pytest.raises(MasterKeyMissing):
        build_parts(settings)
    (handed / "congvan-master").write_bytes(old[0])
    with pytest.raises(MasterKeyFixed):
        keyring.rotate_master(build_parts(settings))
    assert openable(parts) == set(KEYS)

    new = new_master()
    (handed / "congvan-master").write_bytes(old[0] + new)
    assert keyring.rotate_master(build_parts(settings)) == len(KEYS)
    (handed / "congvan-master").write_bytes(new)
    with build_parts(settings).open_key("k1", "p_an", PIN) as signer:
        assert signer.sign(b"data")


def test_an_altered_key_costs_no_try(parts: Parts) -> None:
    with parts.write() as writing:
        kept = writing.keys.wrapping("k1", "p_an")
        writing.keys.replace_wrapping(
            "k1", "p_an", kept, Wrapping(b"", b"", kept.sealed[:-1] + b"x", 0, 0, 0, kept.master)
        )
    for _ in range(6):
        with pytest.raises(KeyUnavailable) as refused:
            parts.open_key("k1", "p_an", PIN)
        assert refused.value.code == "key-unavailable"


def test_the_file_of_the_master_key_is_for_its_owner_only(parts: Parts) -> None:
    keyring.rotate_master(parts)
    folder = parts.settings.data / "secrets"
    assert not [f.name for f in folder.iterdir() if f.stat().st_mode & 0o077]
