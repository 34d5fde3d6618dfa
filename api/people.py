"""Offices, people and their places, set up on the installation's own machine, so that it can start without a pilot."""

from dataclasses import dataclass
from datetime import date

from api.accounts import LEAST_PASSWORD, hash_password, new_account_id
from api.errors import AlreadyThere, PasswordTooShort
from api.wiring import Parts
from exchange.errors import NotFound, RecipientUnknown
from exchange.rules.calendar import local_day
from exchange.rules.ids import new_id
from exchange.rules.model import Channel, Office, Role, Series
from signing.images import checked_image


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is to log in: name and title as they stand on documents."""

    login: str
    name: str
    title: str
    office: str
    roles: tuple[Role, ...]


def add_office(parts: Parts, code: str, name: str, parent: str | None, since: date | None) -> None:
    """A new office of this installation. Raises `AlreadyThere`, and `RecipientUnknown` for an unknown parent."""
    with parts.write() as writing:
        known = writing.tx.store.offices()
        if code in known:
            raise AlreadyThere(what=f"{code} {known[code].name}")
        if parent is not None and parent not in known:
            raise RecipientUnknown(office=parent)
        began = since or local_day(parts.now())
        writing.tx.store.add_office(Office(code, name, parent, Channel.LOCAL, began))


def offices(parts: Parts) -> list[Office]:
    """Every office, by code."""
    with parts.read() as reading:
        return [office for _, office in sorted(reading.exchange.offices().items())]


def add_series(parts: Parts, office: str, name: str, title: str, form: str, year: int | None) -> None:
    """A new run of numbers of an office, such as `qd`, `Quyết định`, `{n}/QĐ-UBND`. Raises `RecipientUnknown`."""
    at = parts.now()
    with parts.write() as writing:
        _require_office(writing.tx.store.offices(), office)
        on = year or local_day(at).year
        if writing.tx.store.series(office, on, name) is not None:
            raise AlreadyThere(what=f"{office} {name} {on}")
        writing.tx.store.add_series(Series(new_id("ser", at), office, on, name, title, form))


def add_person(parts: Parts, person: Person, password: str) -> str:
    """A new account; returns its pseudonym. Raises `AlreadyThere`, `PasswordTooShort`, `RecipientUnknown`."""
    if len(password) < LEAST_PASSWORD:
        raise PasswordTooShort(least=LEAST_PASSWORD)
    hashed, account = hash_password(password), new_account_id()
    with parts.write() as writing:
        _require_office(writing.tx.store.offices(), person.office)
        if writing.people.account_by_login(person.login) is not None:
            raise AlreadyThere(what=person.login)
        writing.people.add_account(account, person.login, person.name, person.title, hashed, parts.now())
        for role in person.roles:
            writing.people.give_role(account, person.office, role)
    return account


def set_password(parts: Parts, login: str, password: str) -> None:
    """A new password; every session of that person ends. Raises `PasswordTooShort`, `NotFound`."""
    if len(password) < LEAST_PASSWORD:
        raise PasswordTooShort(least=LEAST_PASSWORD)
    hashed = hash_password(password)
    with parts.write() as writing:
        account = writing.people.account_by_login(login)
        if account is None:
            raise NotFound
        writing.people.set_password(account.id, hashed)


def set_signature_image(parts: Parts, login: str, data: bytes) -> None:
    """The picture of a person's signature, looked at in a limited process. Raises `ImageUnfit`, `NotFound`."""
    png = parts.sandbox.run(checked_image, data, "signature")
    with parts.write() as writing:
        account = writing.people.account_by_login(login)
        if account is None:
            raise NotFound
        writing.people.set_picture("signature", account.id, png)


def set_seal_image(parts: Parts, office: str, data: bytes) -> None:
    """The picture of an office's seal, looked at in a limited process. Raises `ImageUnfit`, `RecipientUnknown`."""
    png = parts.sandbox.run(checked_image, data, "seal")
    with parts.write() as writing:
        _require_office(writing.tx.store.offices(), office)
        writing.people.set_picture("seal", office, png)


def _require_office(known: dict[str, Office], code: str) -> None:
    if code not in known:
        raise RecipientUnknown(office=code)
