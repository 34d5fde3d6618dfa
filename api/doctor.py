"""`congvan doctor`: what is wrong with this installation, and what to do about it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.factors import open_factor
from api.migrations import configuration
from api.settings import Settings
from api.store import AccountStore
from api.wiring import Database, Parts, now
from exchange.acts.whole import MOST_NAMED, Proof, prove_whole
from exchange.proof.ledger import read_verifier_key, verifier_key
from exchange.rules.calendar import local_day, missing_year
from exchange.storage.archive_store import ArchiveStore
from exchange.storage.deadline_store import DeadlineStore
from exchange.storage.ledger_store import LedgerStore
from exchange.storage.store import Store
from exchange.storage.whole_store import WholeStore
from keys.errors import KeyUnavailable
from keys.store import KeyStore
from keys.vault import unseal

MOST_KEYS = 1_000_000
LEAST_FREE_GB = 1.0
SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    what: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at folder, secrets, space, database, certificates, time-stamp authority, what waits for it, archive."""
    looked = (_folder, _secrets, _space, _database, _certificates, _tsa, _signatures, _archive, _calendar)
    return [look(settings) for look in looked]


WHOLE_WORDS = {
    "files": ("Tệp đúng với mã băm", "files that are what their digests say"),
    "passing_files": ("Tệp tạm (tải lên, đang ký)", "passing files (uploads, being signed)"),
    "orphans": ("Tệp không bản ghi nào nhắc đến", "files that no row names"),
    "leaves": ("Lá của sổ cái", "leaves of the ledger"),
    "nodes": ("Nút của cây", "nodes of its tree"),
    "checkpoints": ("Gốc đã ký", "signed roots"),
    "stamps": ("Dấu thời gian trên gốc", "time stamps above them"),
    "events": ("Sự kiện chờ vào sổ cái", "events that wait for their place"),
    "series": ("Dãy số không lỗ hổng", "series without a hole"),
    "books": ("Sổ đến không lỗ hổng", "arrival books without a hole"),
    "keys": ("Khóa ký, mã xác thực mở được lớp niêm của khóa chủ", "signing keys and second factors whose seal opens"),
}


def examine_whole(parts: Parts) -> list[Proof]:
    """Prove the store: every file, the whole ledger, every run of numbers, every key's seal; reads all of it."""
    with parts.database.state() as connection:
        ledger, keys = LedgerStore(connection), KeyStore(connection)
        known = {key.key for key in ledger.log_keys()} | {verifier_key(parts.origin, parts.log_key).text}
        signers = [key for text in sorted(known) if (key := read_verifier_key(text)) is not None]
        anchors = [anchor.der for anchor in keys.material().anchors]
        return [
            *prove_whole(WholeStore(connection), parts.blobs, ledger.node, signers, anchors),
            _sealed_keys(parts, keys, AccountStore(connection)),
        ]


def _sealed_keys(parts: Parts, keys: KeyStore, people: AccountStore) -> Proof:
    """The outer seal of every key in the vault, and of every second factor, opens under the master key that is here.

    No PIN is tried.
    """
    shut = []
    wrappings = keys.wrappings_of_others("", MOST_KEYS)
    for key, holder, wrapping in wrappings:
        try:
            unseal(wrapping, masters=parts.masters, key=key, holder=holder)
        except KeyUnavailable:
            shut.append(f"{key} {holder}")
    factors = people.factors_of_others("", MOST_KEYS)
    for account, factor in factors:
        try:
            open_factor(parts.masters, account, factor)
        except KeyUnavailable:
            shut.append(f"2FA {account}")
    return Proof("keys", len(wrappings) + len(factors), len(shut), tuple(shut[:MOST_NAMED]))


def words_of(proof: Proof) -> str:
    """One proof as a line for people, with the first of what is wrong below it."""
    vi, en = WHOLE_WORDS[proof.kind]
    count = f"{proof.seen - proof.wrong}/{proof.seen}" if proof.kind != "orphans" else f"{proof.wrong}"
    return "".join([f"{vi} / {en}: {count}", *(f"\n   {name}" for name in proof.named)])


def _folder(settings: Settings) -> Finding:
    good = settings.data.is_dir() and os.access(settings.data, os.W_OK)
    return Finding(good, f"Thư mục dữ liệu / data folder: {settings.data}", "CONGVAN_DATA=… (ghi được / writable)")


def _secrets(settings: Settings) -> Finding:
    folder = settings.data / "secrets"
    open_ones = [f.name for f in folder.glob("*") if f.stat().st_mode & 0o077] if folder.is_dir() else []
    return Finding(not open_ones, f"Khóa bí mật / secrets: {folder}", f"chmod 600 {' '.join(open_ones)}")


def _space(settings: Settings) -> Finding:
    if not settings.data.is_dir():
        return Finding(False, "Dung lượng trống / free space", "tạo thư mục dữ liệu / make the data folder")
    free = shutil.disk_usage(settings.data).free / 1e9
    return Finding(free > LEAST_FREE_GB, f"Dung lượng trống / free space: {free:.1f} GB", "giải phóng đĩa / free some")


def _database(settings: Settings) -> Finding:
    if settings.database_url is None and not settings.sqlite_file.is_file():
        return Finding(False, "Cơ sở dữ liệu / database: –", "congvan migrate")  # opening it would make it
    database = Database(settings.database)
    try:
        with database.reader.connect() as connection:
            here = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        return Finding(False, f"Cơ sở dữ liệu / database: {type(error).__name__}", "CONGVAN_DATABASE_URL=…")
    finally:
        database.close()
    newest = ScriptDirectory.from_config(configuration()).get_current_head()
    return Finding(here == newest, f"Cơ sở dữ liệu / database: {here or '–'}", "congvan migrate")


def _looked(settings: Settings, what: str, look: Callable[[Connection], Finding]) -> Finding:
    """What `look` finds in the database; nothing is looked at while the database is not as it should be."""
    if not _database(settings).good:
        return Finding(True, f"{what}: –")
    database = Database(settings.database)
    try:
        with database.reader.connect() as connection:
            return look(connection)
    finally:
        database.close()


def _signatures(settings: Settings) -> Finding:
    """Signatures that were made and wait for their time stamp, and since when the first of them does."""
    what = "Chữ ký chờ dấu thời gian / signatures that wait for their time stamp"

    def look(connection: Connection) -> Finding:
        many, since = Store(connection).waiting_signatures()
        first = f", {since:%Y-%m-%d %H:%M} UTC" if since else ""
        remedy = "xem dịch vụ dấu thời gian / look at the time-stamp authority"
        return Finding(not many, f"{what}: {many}{first}", remedy)

    return _looked(settings, what, look)


def _archive(settings: Settings) -> Finding:
    """Files whose archive time stamp could not be renewed, and until when the first of them proves."""
    if settings.database_url is None and not settings.sqlite_file.is_file():
        return Finding(True, "Dấu lưu trữ / archive time stamps: –")
    database = Database(settings.database)
    try:
        with database.reader.connect() as connection:
            waiting = ArchiveStore(connection).troubled()
    except SQLAlchemyError as error:
        return Finding(False, f"Dấu lưu trữ / archive time stamps: {type(error).__name__}", "congvan migrate")
    finally:
        database.close()
    first = next((f", {one.code}, {one.ends_at:%Y-%m-%d}" for one in waiting if one.ends_at), "")
    what = f"Dấu lưu trữ chờ gia hạn / archive time stamps that wait: {len(waiting)}{first}"
    return Finding(not waiting, what, "docs/archive.md")


def _calendar(settings: Settings) -> Finding:
    """Whether the working calendar reaches three months ahead."""
    what = "Lịch làm việc / working calendar"

    def look(connection: Connection) -> Finding:
        missing = missing_year(DeadlineStore(connection).calendar(), local_day(now()))
        return Finding(missing is None, f"{what}: {'–' if missing is None else missing}", "congvan calendar set")

    return _looked(settings, what, look)


def _certificates(settings: Settings) -> Finding:
    """Certificates in use that end within 14 days."""
    what = "Chứng thư đang dùng / certificates in use"

    def look(connection: Connection) -> Finding:
        near = KeyStore(connection).in_use(ending=now() + SOON)
        names = "".join(f"\n   {one.certificate.not_after.date()}  {one.certificate.common_name}" for one in near)
        remedy = "xin cấp chứng thư mới, rồi congvan key import | token | remote / ask for new ones"
        return Finding(not near, f"{what}: {len(near)} sắp hết hạn / end within {SOON.days} days{names}", remedy)

    return _looked(settings, what, look)


def _tsa(settings: Settings) -> Finding:
    what = f"Dịch vụ dấu thời gian / time stamps: {settings.tsa_url or '–'}"
    return Finding(settings.tsa_url is not None, what, "CONGVAN_TSA_URL=…, CONGVAN_OUTGOING_ALLOWED='[\"host:port\"]'")
