"""Put the pilot district into a fresh service: offices, people, keys, certificates, series, pictures.

Passwords and PINs are random and leave this function once; only their digests and wrappings stay. A forgotten PIN means
a new key and a new certificate, in the pilot as anywhere.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.accounts import hash_password, new_account_id
from api.pilot.district import PILOT_SIZE, PilotOffice, PilotPerson, offices
from api.pilot.walk import Login
from api.wiring import Parts, Writing
from exchange.acts.sequence import publish_log_key
from exchange.rules.calendar import local_day
from exchange.rules.ids import new_id
from exchange.rules.model import Channel, Office, Role, Series
from keys.authority import PilotAuthority
from keys.certificates import read_certificate
from keys.model import Purpose, TrustWorld, Wrapping
from keys.signer import VaultSigner
from keys.vault import wrap
from signing.stamp import draw_seal_image, draw_signature_image

KEY_SIZE = 2048
SERIES = (
    ("qd", "Quyết định", "{n}/QĐ-UBND"), ("cv", "Công văn", "{n}/UBND-VP"), ("tb", "Thông báo", "{n}/TB-UBND"),
    ("sy", "Bản sao y", "{n}/SY-UBND"), ("sl", "Bản sao lục", "{n}/SL-UBND"), ("trs", "Bản trích sao", "{n}/TrS-UBND"),
)  # fmt: skip
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class _Made:
    """What takes long for one office, made beside the others: keys, hashes, pictures."""

    office: PilotOffice
    keys: dict[str, rsa.RSAPrivateKey]
    """By login: a personal key, or the office's for its clerks."""
    logins: tuple[Login, ...]
    hashes: tuple[str, ...]
    ids: tuple[str, ...]
    wrappings: dict[str, tuple[str, Wrapping]]
    signatures: dict[str, bytes]
    seal: bytes


def make_authority(parts: Parts, folder: Path, port: int) -> PilotAuthority:
    """A new authority in a folder, with the addresses of one loopback port in its certificates."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = parts.now() - timedelta(minutes=1)
    authority = PilotAuthority.create(at, key_size=3072, base_url=f"http://127.0.0.1:{port}")
    keep_authority(folder, authority)
    (folder / "root.cer").write_bytes(authority.certificate)
    return authority


def keep_authority(folder: Path, authority: PilotAuthority) -> None:
    """Write the authority down, whole or not at all: without its list of serials OCSP would forget who was issued."""
    temporary = folder / "authority.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(authority.to_bytes())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / "authority.json")


def build_district(
    parts: Parts, authority: PilotAuthority, *, count: int = PILOT_SIZE, progress: Callable[[int, int], None]
) -> list[Login]:
    """Write a district of `count` offices, all of it or nothing; `progress(done, of)` is called along the way.

    Returns who can log in.
    """
    logins: list[Login] = []
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool, parts.write() as writing:
        _trust(writing, parts, authority)
        for done, made in enumerate(pool.map(lambda office: _make(parts, office), offices(count)), 1):
            _write(writing, parts, authority, made)
            logins += made.logins
            progress(done, count)
    return logins


def new_accounts(parts: Parts, authority: PilotAuthority) -> list[Login]:
    """New passwords for everybody, and new keys and certificates under new PINs; the old keys are retired."""
    with parts.read() as reading:
        codes = list(reading.exchange.offices())
    logins: list[Login] = []
    for office in offices(len(codes)):
        made = _make(parts, office)
        with parts.write() as writing:
            logins += _renew(writing, parts, authority, made)
    return logins


def logins_json(logins: list[Login]) -> str:
    """Who can log in, for a file that only its owner can read."""
    rows = [{name: getattr(one, name) for name in Login.__dataclass_fields__} for one in logins]
    return json.dumps(rows, ensure_ascii=False, indent=1)


def _trust(writing: Writing, parts: Parts, authority: PilotAuthority) -> None:
    at = parts.now()
    writing.keys.add_anchor(authority.certificate, TrustWorld.PILOT, at)
    writing.keys.add_intermediate(authority.issuing_certificate, at)
    key = rsa.generate_private_key(65537, KEY_SIZE)
    certificate = authority.service("Công Văn (thử nghiệm)", "Hệ thống thử nghiệm", key.public_key(), at)
    signer = VaultSigner(key, certificate, authority.chain)
    publish_log_key(writing.tx, log_key=parts.log_key, origin=parts.origin, service=signer, at=at)


def _make(parts: Parts, office: PilotOffice) -> _Made:
    keys = _keys(office)
    ids = tuple(new_account_id() for _ in office.people)
    logins = tuple(_login(office, person) for person in office.people)
    wrappings = {}
    for id_, person, login in zip(ids, office.people, logins, strict=True):
        key = keys.get(person.login)
        if key is not None and login.pin is not None:
            name = f"key_{secrets.token_hex(16)}"
            wrapped = wrap(_der(key), pin=login.pin, masters=parts.masters, key=name, holder=id_)
            wrappings[id_] = (name, wrapped)
    signatures = {p.login: draw_signature_image(p.name) for p in office.people if Role.LEADER in p.roles}
    return _Made(
        office, keys, logins, tuple(hash_password(login.password) for login in logins), ids, wrappings, signatures,
        draw_seal_image(office.name),
    )  # fmt: skip


def _write(writing: Writing, parts: Parts, authority: PilotAuthority, made: _Made) -> None:
    at, office = parts.now(), made.office
    today = local_day(at)
    writing.tx.store.add_office(
        Office(office.code, office.name, office.parent, Channel.LOCAL, today.replace(month=1, day=1))
    )
    for name, title, form in SERIES:
        writing.tx.store.add_series(Series(new_id("ser", at), office.code, today.year, name, title, form))
    writing.people.set_picture("seal", office.code, made.seal)
    for id_, person, login, hashed in zip(made.ids, office.people, made.logins, made.hashes, strict=True):
        writing.people.add_account(id_, login.login, person.name, person.title, hashed, at)
        for role in person.roles:
            writing.people.give_role(id_, office.code, role)
        if person.login in made.signatures:
            writing.people.set_picture("signature", id_, made.signatures[person.login])
    _certify(writing, parts, authority, made, made.ids)


def _renew(writing: Writing, parts: Parts, authority: PilotAuthority, made: _Made) -> Iterator[Login]:
    """The same people, with new passwords, PINs, keys and certificates."""
    at = parts.now()
    ids = []
    for fresh, login, hashed in zip(made.ids, made.logins, made.hashes, strict=True):
        account = writing.people.account_by_login(login.login)
        assert account is not None  # noqa: S101 - the pilot was built with these people
        for retired in writing.keys.keys_for(account.id):
            writing.keys.retire_key(retired.id, at)
        writing.people.set_password(account.id, hashed)
        if login.pin is not None and fresh in made.wrappings:
            # the wrapping names its holder: wrap again for the account that is there
            name, _ = made.wrappings.pop(fresh)
            key = made.keys[login.login]
            wrapped = wrap(_der(key), pin=login.pin, masters=parts.masters, key=name, holder=account.id)
            made.wrappings[account.id] = (name, wrapped)
        ids.append(account.id)
    _certify(writing, parts, authority, made, tuple(ids))
    return iter(made.logins)


def _certify(writing: Writing, parts: Parts, authority: PilotAuthority, made: _Made, ids: tuple[str, ...]) -> None:
    """Certificates for the keys that were wrapped; the authority is kept before anything may use them."""
    at, office = parts.now(), made.office
    certified = []
    for id_, person in zip(ids, office.people, strict=True):
        if id_ not in made.wrappings:
            continue
        public = made.keys[person.login].public_key()
        if person.signs:
            der = authority.person(person.name, office.name, office.code, person.title, public, at)
            certified.append((id_, der, Purpose.PERSON))
        else:
            der = authority.organisation(office.name, office.code, public, at)
            certified.append((id_, der, Purpose.ORGANISATION))
    keep_authority(parts.settings.pilot, authority)
    for id_, der, purpose in certified:
        name, wrapping = made.wrappings[id_]
        fingerprint = writing.keys.add_certificate(read_certificate(der), TrustWorld.PILOT, at)
        writing.keys.add_key(name, fingerprint, purpose, office.code, at)
        writing.keys.add_wrapping(name, id_, wrapping, at)


def _keys(office: PilotOffice) -> dict[str, rsa.RSAPrivateKey]:
    seal = rsa.generate_private_key(65537, KEY_SIZE)
    keys = {person.login: seal for person in office.people if Role.CLERK in person.roles}
    return keys | {person.login: rsa.generate_private_key(65537, KEY_SIZE) for person in office.people if person.signs}


def _login(office: PilotOffice, person: PilotPerson) -> Login:
    pin = None
    if person.signs or Role.CLERK in person.roles:
        pin = "".join(secrets.choice("0123456789") for _ in range(8))
    return Login(person.login, person.name, office.code, _password(), pin)


def _password() -> str:
    """Four groups of four letters that nobody mistakes: about 79 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def _der(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
