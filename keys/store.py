"""This room's only SQL: certificates, trust, keys, wrappings. In the caller's transaction; never commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, select, true, union_all, update
from sqlalchemy.dialects import postgresql, sqlite

from keys.certificates import fingerprint, read_certificate
from keys.errors import KeyUnavailable, PinLocked, Words
from keys.model import (
    Anchor,
    Certificate,
    Elsewhere,
    Fingerprint,
    InUse,
    KeyPlace,
    KeyRecord,
    OneTimeCode,
    Purpose,
    TrustMaterial,
    TrustWorld,
    Wrapping,
)
from keys.tables import anchors, certificates, elsewhere, holders, intermediates, keys, masters, wrappings
from keys.trust import chain_of

MOST_TRIES = 5

NOT_YOURS = Words("không có khóa này cho người dùng này", "there is no such key for this person")
RETIRED = Words("khóa đã ngừng dùng", "the key is retired")
MASTER_RETIRED = Words("khóa chủ vừa được thay, hãy thử lại", "the master key has just been changed, try again")


class KeyStore:
    """The drawers of this room, opened on one connection. Times are aware UTC; certificates are DER."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # --- certificates and trust ---

    def add_certificate(self, certificate: Certificate, world: TrustWorld | None, at: datetime) -> Fingerprint:
        """Keep a certificate; one that is already there stays as it is. Returns its fingerprint."""
        self._add_once(
            certificates,
            fingerprint=certificate.fingerprint,
            der=certificate.der,
            world=world,
            office_code=certificate.office_code,
            not_after=certificate.not_after,
            added_at=at,
        )
        return certificate.fingerprint

    def certificate(self, name: Fingerprint) -> Certificate | None:
        """The certificate with that fingerprint, or None."""
        der = self._connection.scalar(select(certificates.c.der).where(certificates.c.fingerprint == name))
        return read_certificate(der) if der else None

    def world(self, name: Fingerprint) -> TrustWorld | None:
        """The world that vouched for the certificate when it was added, or None."""
        word = self._connection.scalar(select(certificates.c.world).where(certificates.c.fingerprint == name))
        return TrustWorld(word) if word else None

    def certificates_of_office(self, office_code: str) -> list[Certificate]:
        """Certificates that name this office (organizationIdentifier) or whose key belongs to it; oldest first."""
        of_keys = select(keys.c.certificate).where(keys.c.office == office_code)
        wanted = (certificates.c.office_code == office_code) | certificates.c.fingerprint.in_(of_keys)
        rows = self._connection.scalars(
            select(certificates.c.der).where(wanted).order_by(certificates.c.added_at, certificates.c.fingerprint)
        )
        return [read_certificate(der) for der in rows]

    def add_anchor(self, der: bytes, world: TrustWorld, at: datetime) -> None:
        """Trust this certificate (DER) for that world. A first decision stays. Raises `CertificateUnreadable`."""
        read_certificate(der)
        self._add_once(anchors, fingerprint=fingerprint(der), der=der, world=world, added_at=at)

    def remove_anchor(self, name: Fingerprint) -> bool:
        """Trust this certificate no longer; False when it was not trusted. Reports that were made with it stay."""
        return self._connection.execute(delete(anchors).where(anchors.c.fingerprint == name)).rowcount == 1

    def add_intermediate(self, der: bytes, at: datetime) -> None:
        """Keep an authority's certificate (DER) that helps to build chains. Raises `CertificateUnreadable`."""
        read_certificate(der)
        self._add_once(intermediates, fingerprint=fingerprint(der), der=der, added_at=at)

    def material(self) -> TrustMaterial:
        """All that is trusted now, in the same order every time (by fingerprint)."""
        trusted = self._connection.execute(select(anchors.c.der, anchors.c.world).order_by(anchors.c.fingerprint))
        helpers = self._connection.scalars(select(intermediates.c.der).order_by(intermediates.c.fingerprint))
        return TrustMaterial(tuple(Anchor(der, TrustWorld(world)) for der, world in trusted), tuple(helpers))

    # --- keys ---

    def add_key(self, key_id: str, certificate: Fingerprint, purpose: Purpose, office: str, at: datetime) -> None:
        """Record a key of `office` whose certificate was added before. Without a wrapping nobody can use it yet."""
        self._connection.execute(
            keys.insert().values(
                id=key_id, certificate=certificate, purpose=purpose, office=office, created_at=at, retired_at=None
            )
        )

    def key(self, key_id: str) -> KeyRecord | None:
        """The key with that id, retired or not, or None."""
        return next(iter(self._records(keys.c.id == key_id)), None)

    def keys_for(self, holder: str) -> list[KeyRecord]:
        """The keys that `holder` may use, without retired ones; oldest first."""
        held = union_all(*(select(table.c.key_id).where(table.c.holder == holder) for table in (wrappings, elsewhere)))
        return self._records(keys.c.id.in_(held) & keys.c.retired_at.is_(None))

    def key_of_certificate(self, name: Fingerprint) -> KeyRecord | None:
        """The key with that certificate that is not retired, or None."""
        return next(iter(self._records((keys.c.certificate == name) & keys.c.retired_at.is_(None))), None)

    def keys_in_use(self, office: str | None = None) -> list[KeyRecord]:
        """Every key that is not retired, of one office or of all; oldest first."""
        here = keys.c.retired_at.is_(None)
        return self._records(here if office is None else here & (keys.c.office == office))

    def holders(self, key_id: str) -> list[str]:
        """Who may use a key."""
        held = union_all(*(select(table.c.holder).where(table.c.key_id == key_id) for table in (wrappings, elsewhere)))
        return sorted(self._connection.scalars(held))

    def retire_key(self, key_id: str, at: datetime) -> None:
        """From now on nobody signs with this key. Its certificate stays; a first retirement stays."""
        self._connection.execute(
            update(keys).where(keys.c.id == key_id, keys.c.retired_at.is_(None)).values(retired_at=at)
        )

    # --- keys that are elsewhere ---

    def add_holder(
        self,
        certificate: Certificate,
        world: TrustWorld | None,
        holder: str,
        purpose: Purpose,
        office: str,
        at: datetime,
    ) -> None:
        """Record that `holder` has the key of this certificate elsewhere, to sign for `office`; known ones stay."""
        self.add_certificate(certificate, world, at)
        self._add_once(
            holders, fingerprint=certificate.fingerprint, holder=holder, purpose=purpose, office=office, added_at=at,
            ended_at=None,
        )  # fmt: skip

    def end_holder(self, name: Fingerprint, holder: str, at: datetime) -> bool:
        """From now on nothing signed with this certificate is this person's; False when nothing was known."""
        here = (holders.c.fingerprint == name) & (holders.c.holder == holder) & holders.c.ended_at.is_(None)
        return self._connection.execute(update(holders).where(here).values(ended_at=at)).rowcount == 1

    def certificates_of(self, holder: str, purpose: Purpose, office: str) -> list[Certificate]:
        """The certificates with which `holder` may sign for that purpose and office, kept here or elsewhere."""
        elsewhere = self._connection.scalars(
            select(certificates.c.der)
            .join(holders, holders.c.fingerprint == certificates.c.fingerprint)
            .where(
                holders.c.holder == holder, holders.c.purpose == purpose, holders.c.office == office,
                holders.c.ended_at.is_(None),
            )
            .order_by(holders.c.added_at, holders.c.fingerprint)
        )  # fmt: skip
        here = [k.certificate for k in self.keys_for(holder) if (k.purpose, k.office) == (purpose, office)]
        return [*here, *(read_certificate(der) for der in elsewhere)]

    def seals_of(self, office: str) -> frozenset[Fingerprint]:
        """The certificates recorded as this office's seals, kept here or elsewhere, also those of the past."""
        seal = Purpose.ORGANISATION
        here = select(keys.c.certificate).where(keys.c.office == office, keys.c.purpose == seal)
        elsewhere = select(holders.c.fingerprint).where(holders.c.office == office, holders.c.purpose == seal)
        return frozenset(Fingerprint(name) for name in self._connection.scalars(here.union(elsewhere)))

    def retire_keys_of(self, name: Fingerprint, at: datetime) -> None:
        """From now on nobody signs with this certificate, here or at a desk. It stays, as evidence."""
        self._connection.execute(
            update(keys).where(keys.c.certificate == name, keys.c.retired_at.is_(None)).values(retired_at=at)
        )
        self._connection.execute(
            update(holders).where(holders.c.fingerprint == name, holders.c.ended_at.is_(None)).values(ended_at=at)
        )

    # --- wrappings ---

    def add_wrapping(self, key_id: str, holder: str, wrapping: Wrapping, at: datetime) -> None:
        """Let `holder` open the key with this wrapping; an earlier one of that holder and its tries are replaced.

        Raises `KeyUnavailable` when it is sealed under a master key that was retired meanwhile.
        """
        self.use_master(wrapping.master, at)
        values: dict[str, Any] = {
            "salt": wrapping.salt,
            "nonce": wrapping.nonce,
            "sealed": wrapping.sealed,
            "memory_kib": wrapping.memory_kib,
            "iterations": wrapping.iterations,
            "lanes": wrapping.lanes,
            "master": wrapping.master,
            "tries": 0,
        }
        insert = self._insert(wrappings).values(key_id=key_id, holder=holder, **values)
        self._connection.execute(
            insert.on_conflict_do_update(index_elements=["key_id", "holder"], set_=values),
        )

    def wrapping(self, key_id: str, holder: str) -> Wrapping:
        """The wrapping of that key for `holder`. Raises `KeyUnavailable` when there is none or the key is retired."""
        row = self._connection.execute(
            select(wrappings, keys.c.retired_at)
            .join(keys, keys.c.id == wrappings.c.key_id)
            .where(wrappings.c.key_id == key_id, wrappings.c.holder == holder)
        ).one_or_none()
        if row is None:
            raise KeyUnavailable(why=NOT_YOURS)
        if row.retired_at is not None:
            raise KeyUnavailable(why=RETIRED)
        return _wrapping(row)

    def count_try(self, key_id: str, holder: str) -> int:
        """Count one attempt with the PIN, before it is made, and say how many are left after it.

        The caller commits this before opening the wrapping, so that no crash and no parallel call gives a free guess.
        Raises `PinLocked` when five attempts were counted since the last good one, `KeyUnavailable` without a wrapping.
        """
        here = (wrappings.c.key_id == key_id) & (wrappings.c.holder == holder)
        tries = self._connection.scalar(
            update(wrappings)
            .where(here, wrappings.c.tries < MOST_TRIES)
            .values(tries=wrappings.c.tries + 1)
            .returning(wrappings.c.tries)
        )
        if tries is not None:
            return MOST_TRIES - int(tries)
        if self._connection.scalar(select(wrappings.c.key_id).where(here)):
            raise PinLocked
        raise KeyUnavailable(why=NOT_YOURS)

    def reset_tries(self, key_id: str, holder: str) -> None:
        """Forget the attempts: the PIN was right."""
        here = (wrappings.c.key_id == key_id) & (wrappings.c.holder == holder)
        self._connection.execute(update(wrappings).where(here).values(tries=0))

    def drop_holder(self, key_id: str, holder: str, at: datetime) -> None:
        """From now on this person cannot use the key; one that nobody can use is retired. Its certificate stays."""
        for table in (wrappings, elsewhere):
            self._connection.execute(delete(table).where(table.c.key_id == key_id, table.c.holder == holder))
        if not self.holders(key_id):
            self.retire_key(key_id, at)

    # --- what time brings to certificates ---

    def in_use(
        self, *, ending: datetime | None = None, office: str | None = None, holder: str | None = None
    ) -> list[InUse]:
        """The certificates with which somebody signs now, the next to end first: of an office, of a holder, or all.

        `ending`: only those that end before that moment.
        """
        found: dict[str, InUse] = {}
        for wanted in (self._by_key(holder), self._by_holder(holder)):
            here = certificates.c.not_after < ending if ending else true()
            if office is not None:
                here &= wanted.selected_columns.office == office
            rows = self._connection.execute(wanted.where(here).order_by(certificates.c.not_after))
            found |= {row.fingerprint: _in_use(row) for row in rows}
        return sorted(found.values(), key=lambda one: (one.certificate.not_after, one.certificate.fingerprint))

    def mark_warned(self, name: Fingerprint, days: int) -> bool:
        """People were told that it ends within so many days; False when they had been told of that nearness before."""
        here = (certificates.c.fingerprint == name) & (
            certificates.c.warned_days.is_(None) | (certificates.c.warned_days > days)
        )
        return self._connection.execute(update(certificates).where(here).values(warned_days=days)).rowcount == 1

    def mark_asked(self, name: Fingerprint, revoked_at: datetime | None, at: datetime) -> bool:
        """Its issuer was asked; True when it is revoked and that is news."""
        here = certificates.c.fingerprint == name
        self._connection.execute(update(certificates).where(here).values(asked_at=at))
        if revoked_at is None:
            return False
        news = here & certificates.c.revoked_at.is_(None)
        return self._connection.execute(update(certificates).where(news).values(revoked_at=revoked_at)).rowcount == 1

    def _by_key(self, holder: str | None) -> Any:
        wanted = (
            select(certificates, keys.c.purpose, keys.c.office)
            .join(keys, keys.c.certificate == certificates.c.fingerprint)
            .where(keys.c.retired_at.is_(None))
        )
        if holder is None:
            return wanted
        held = union_all(*(select(table.c.key_id).where(table.c.holder == holder) for table in (wrappings, elsewhere)))
        return wanted.where(keys.c.id.in_(held))

    def _by_holder(self, holder: str | None) -> Any:
        wanted = (
            select(certificates, holders.c.purpose, holders.c.office)
            .join(holders, holders.c.fingerprint == certificates.c.fingerprint)
            .where(holders.c.ended_at.is_(None))
        )
        return wanted if holder is None else wanted.where(holders.c.holder == holder)

    # --- keys on tokens and at remote services ---

    def add_elsewhere(self, key_id: str, holder: str, there: Elsewhere) -> None:
        """Let `holder` use a key that lies there; what was known of it for that holder is replaced."""
        values = {name: getattr(there, name) for name in Elsewhere.__dataclass_fields__}
        insert = self._insert(elsewhere).values(key_id=key_id, holder=holder, **values)
        self._connection.execute(insert.on_conflict_do_update(index_elements=["key_id", "holder"], set_=values))

    def elsewhere(self, key_id: str, holder: str) -> Elsewhere | None:
        """Where the key lies for `holder`; None when in the vault. Raises `KeyUnavailable` when it is retired."""
        row = self._connection.execute(
            select(elsewhere, keys.c.retired_at)
            .join(keys, keys.c.id == elsewhere.c.key_id)
            .where(elsewhere.c.key_id == key_id, elsewhere.c.holder == holder)
        ).one_or_none()
        if row is None:
            return None
        if row.retired_at is not None:
            raise KeyUnavailable(why=RETIRED)
        otp = OneTimeCode(row.otp) if row.otp else None
        return Elsewhere(KeyPlace(row.place), row.service, row.token, row.key, row.pin_from, row.asks_pin, otp)

    # --- master keys ---

    def retire_masters(self, newest: str, held: Sequence[str], at: datetime) -> None:
        """From this commit on nothing is sealed under another master key than `newest`; `held` names all that are held.

        It waits for whoever is about to commit a wrapping under a former one; whoever comes later finds it retired.
        """
        for name in (newest, *held):
            self._add_once(masters, name=name, used_from=at)  # waits for one that is being used for the first time
        self._connection.execute(
            update(masters).where(masters.c.name != newest, masters.c.retired_at.is_(None)).values(retired_at=at)
        )

    def use_master(self, name: str, at: datetime) -> None:
        """Something is being sealed under that master key, and stands in this transaction.

        Raises `KeyUnavailable` when it was retired meanwhile.
        """
        self._add_once(masters, name=name, used_from=at)
        # held until the commit: a rotation retires this one only after it, and then sees what was sealed under it
        here = select(masters.c.retired_at).where(masters.c.name == name).with_for_update(read=True)
        if self._connection.scalar(here) is not None:
            raise KeyUnavailable(why=MASTER_RETIRED)

    def wrappings_of_others(self, newest: str, most: int) -> list[tuple[str, str, Wrapping]]:
        """Up to `most` wrappings (key id, holder, wrapping) under another master key than `newest`."""
        rows = self._connection.execute(
            select(wrappings)
            .where(wrappings.c.master != newest)
            .order_by(wrappings.c.key_id, wrappings.c.holder)
            .limit(most)
        )
        return [(row.key_id, row.holder, _wrapping(row)) for row in rows]

    def replace_wrapping(self, key_id: str, holder: str, old: Wrapping, new: Wrapping) -> None:
        """Put the same key under another master key; nothing where the holder has sealed it anew meanwhile."""
        here = (wrappings.c.key_id == key_id) & (wrappings.c.holder == holder) & (wrappings.c.sealed == old.sealed)
        self._connection.execute(update(wrappings).where(here).values(sealed=new.sealed, master=new.master))

    def masters_in_use(self) -> frozenset[str]:
        """The names of master keys under which something is sealed."""
        return frozenset(self._connection.scalars(select(wrappings.c.master).distinct()))

    # --- inside ---

    def _records(self, condition: Any) -> list[KeyRecord]:
        rows: Sequence[Row[Any]] = self._connection.execute(
            select(keys, certificates.c.der)
            .join(certificates, certificates.c.fingerprint == keys.c.certificate)
            .where(condition)
            .order_by(keys.c.created_at, keys.c.id)
        ).all()
        material = self.material() if rows else TrustMaterial(())
        return [_record(row, material) for row in rows]

    def _add_once(self, table: Table, **values: Any) -> None:
        self._connection.execute(self._insert(table).values(**values).on_conflict_do_nothing())

    def _insert(self, table: Table) -> Any:
        # the two dialects have the same clause and no common class for it
        kind = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        return kind.insert(table)


def _in_use(row: Row[Any]) -> InUse:
    return InUse(
        certificate=read_certificate(row.der),
        purpose=Purpose(row.purpose),
        office=row.office,
        revoked_at=row.revoked_at,
        asked_at=row.asked_at,
        warned_days=row.warned_days,
    )


def _wrapping(row: Row[Any]) -> Wrapping:
    return Wrapping(row.salt, row.nonce, row.sealed, row.memory_kib, row.iterations, row.lanes, row.master)


def _record(row: Row[Any], material: TrustMaterial) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        certificate=read_certificate(row.der),
        purpose=Purpose(row.purpose),
        office=row.office,
        chain=chain_of(row.der, material),
        retired_at=row.retired_at,
    )
