"""The archive's round: proof is renewed beside the issued file before it ends, once, and whatever fails is not lost."""

import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import insert

from api.archiving import tend
from api.cli import run
from api.doctor import examine
from api.engine import migrate_jobs
from api.migrations import upgrade
from api.settings import load_settings
from api.waiting import counts
from api.wiring import Database, build_parts
from exchange.acts import archive
from exchange.acts.tools import Tools
from exchange.rules.model import Consignment, FileRef, Revision
from exchange.storage import tables
from exchange.storage.archive_store import ArchiveStore
from exchange.storage.blobs import LocalBlobs
from keys.errors import TimestampRejected, TsaUnavailable
from keys.model import RevocationData
from keys.revocation import OnlineRevocation
from keys.timestamps import OnlineTsa
from signing.model import Verdict
from signing.report import report_from_json
from tests.fixtures.letters import draw_letter
from tests.fixtures.needs import absent
from tests.signing.conftest import Desk, here

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def sealed(pilot_server, authority, leader_key, seal_key) -> bytes:
    """A letter on its whole way."""
    tsa = OnlineTsa(authority.tsa_url, pilot_server.fetch, [authority.certificate])
    answers = RevocationData(crls=(authority.crl(NOW), authority.root_crl(NOW)))
    return Desk(tsa, answers, leader_key, seal_key).issue(draw_letter())["stamped"]


class Asked:
    """The authority, counted; `trouble` is raised instead of an answer."""

    def __init__(self, tsa) -> None:
        self._tsa, self.times, self.trouble = tsa, 0, None

    def stamp(self, digest: bytes) -> bytes:
        self.times += 1
        if self.trouble:
            raise self.trouble
        return self._tsa.stamp(digest)


@dataclass
class Keeping:
    """Real parts on a real database, with one issued file and a clock of their own."""

    parts: object
    file: str
    tsa: Asked

    def clock(self, at: datetime) -> None:
        self.parts.now = lambda: at

    def state(self):
        with self.parts.read() as reading:
            return ArchiveStore.of(reading.exchange).one(self.file)

    def renewals(self):
        with self.parts.read() as reading:
            return ArchiveStore.of(reading.exchange).renewals(self.file)


@pytest.fixture
def keeping(request, tmp_path, fresh_postgresql, sealed, authority, pilot_server):
    kind = getattr(request, "param", "sqlite")
    url = None if kind == "sqlite" else fresh_postgresql()
    settings = load_settings(data=tmp_path, database_url=url)
    database = Database(settings.database)
    upgrade(database.writer)
    migrate_jobs(database)
    database.close()
    parts = build_parts(settings)
    parts.sandbox.close()
    sha256 = parts.blobs.put(sealed)
    with parts.write() as writing:
        store = writing.tx.store
        file = FileRef(sha256, len(sealed), "application/pdf", "thu.pdf")
        store.add_revision(Revision("doc_1", 1, file, "seal", None, NOW, 1))
        consignment = Consignment("con_1", "doc_1", 1, "H99", 1, "00" * 32, None, date(2027, 1, 1), NOW)
        store.add_consignment(consignment, [], [("H99.01", b"{}")])
    tsa = Asked(OnlineTsa(authority.tsa_url, pilot_server.fetch, [authority.certificate]))
    clock = lambda url, **asked: authority.answer(  # noqa: E731 - the authority's answers as of the service's clock
        url.removeprefix(authority.base_url), asked.get("body") or b"", parts.now()
    )[1]
    parts.tools = lambda: Tools(parts.blobs, here, tsa, OnlineRevocation(clock), authority.trust)
    kept = Keeping(parts, sha256, tsa)
    kept.clock(NOW + timedelta(seconds=2))
    yield kept
    parts.close()


def test_sealed_attachments_of_issued_documents_are_in_care_too(keeping, sealed):
    other = keeping.parts.blobs.put(sealed + b"\n")
    with keeping.parts.write() as writing:
        store = writing.tx.store
        for n, document in enumerate(("doc_1", "doc_never_issued")):
            row = {"id": f"att_{n}", "document": document, "n": 1, "sha256": "00", "size": 1, "name": "phu-luc.pdf"}
            row |= {"media_type": "application/pdf", "sealed_sha256": other if n == 0 else "11", "sealed_size": 1}
            store.connection.execute(insert(tables.attachments).values(**row))
        assert ArchiveStore.of(store).enrol(NOW, 10) == 2
        assert {one.file for one in ArchiveStore.of(store).due(NOW, 10)} == {keeping.file, other}


def late(keeping) -> datetime:
    """A moment within the lead time, before the end."""
    tend(keeping.parts)
    return keeping.state().ends_at - timedelta(days=100)


def test_proof_is_left_alone_while_it_lasts_and_renewed_beside_the_file_before_it_ends(keeping, sealed, pilot_server):
    tend(keeping.parts)
    assert (keeping.state().n, keeping.renewals(), keeping.tsa.times) == (0, [], 0)
    at = late(keeping)
    keeping.clock(at)
    pilot_server.clock, before = (lambda: at), pilot_server.clock
    try:
        assert tend(keeping.parts) == 1
    finally:
        pilot_server.clock = before
    (renewed,) = keeping.renewals()
    pdf = keeping.parts.blobs.get(renewed.sha256)
    assert pdf.startswith(sealed)
    assert keeping.parts.blobs.get(keeping.file) == sealed
    assert renewed.stamped_at == at.replace(microsecond=0)
    with keeping.parts.read() as reading:
        report = report_from_json(reading.exchange.report(renewed.report_sha256).body)
        assert reading.exchange.refers_to(renewed.sha256, but="")
    assert (report.verdict, report.file_sha256) == (Verdict.VALID, renewed.sha256)


@pytest.mark.parametrize("trouble", [TsaUnavailable(), TimestampRejected(why="x")], ids=["away", "lying"])
def test_an_authority_in_trouble_is_said_and_asked_again_later_and_later(keeping, trouble, pilot_server):
    at = late(keeping)
    keeping.tsa.trouble, waits = trouble, []
    for _ in range(7):
        keeping.clock(at)
        assert tend(keeping.parts) == 0
        waits.append(keeping.state().due_at - at)
        at = keeping.state().due_at
    assert waits == [min(timedelta(hours=2**n), timedelta(days=1)) for n in range(7)]
    assert (keeping.state().code, keeping.state().failures, keeping.renewals()) == (trouble.code, 7, [])
    said = next(one for one in examine(keeping.parts.settings) if "archive" in one.what)
    assert not said.good
    assert trouble.code in said.what
    assert counts(keeping.parts)["renewal"] == 1
    keeping.tsa.trouble = None
    keeping.clock(at)
    pilot_server.clock, before = (lambda: at), pilot_server.clock
    try:
        assert tend(keeping.parts) == 1
    finally:
        pilot_server.clock = before
    assert keeping.state().failures == 0
    assert counts(keeping.parts)["renewal"] == 0


on_both = pytest.mark.parametrize("keeping", ["sqlite", "postgresql"], indirect=True)


@on_both
def test_two_workers_at_once_renew_once(keeping, pilot_server):
    at = late(keeping)
    keeping.clock(at)
    pilot_server.clock, before = (lambda: at), pilot_server.clock
    try:
        workers = [threading.Thread(target=tend, args=(keeping.parts,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        pilot_server.clock = before
    assert [one.n for one in keeping.renewals()] == [1]
    assert keeping.tsa.times == 2  # one to learn whose stamp it will be, one for the file


def test_a_worker_killed_in_the_middle_loses_nothing_and_a_late_one_changes_nothing(keeping, pilot_server):
    at = late(keeping)
    keeping.clock(at)
    with keeping.parts.write() as writing:
        seen = ArchiveStore.of(writing.tx.store).due(at, 1)[0]
        assert ArchiveStore.of(writing.tx.store).claim(seen, at + archive.CLAIMED_FOR)
    assert tend(keeping.parts) == 0  # it is another's, for all one knows
    at += archive.CLAIMED_FOR
    keeping.clock(at)
    pilot_server.clock, before = (lambda: at), pilot_server.clock
    try:
        slow = archive.look_after(keeping.parts.tools(), seen, lead=timedelta(days=365), at=at)
        assert tend(keeping.parts) == 1
    finally:
        pilot_server.clock = before
    with keeping.parts.write() as writing:  # the dead one was only slow
        assert not archive.keep(writing.tx, seen, slow, lead=timedelta(days=365), at=at)
    assert [one.n for one in keeping.renewals()] == [1]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own with room for the file, not for its renewal."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        absent("a small disk to fill (mount of a tmpfs)", "run the tests as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_file_as_it_was_and_is_said(keeping, sealed, small_disk, pilot_server):
    at = late(keeping)
    keeping.clock(at)
    keeping.parts.blobs = LocalBlobs(small_disk)
    keeping.parts.blobs.put(sealed)
    kept = sorted(path for path in small_disk.rglob("*") if path.is_file())
    pilot_server.clock, before = (lambda: at), pilot_server.clock
    try:
        assert tend(keeping.parts) == 0
    finally:
        pilot_server.clock = before
    assert (keeping.state().code, keeping.state().newest, keeping.renewals()) == ("storage-full", keeping.file, [])
    assert sorted(path for path in small_disk.rglob("*") if path.is_file()) == kept
    assert keeping.parts.blobs.get(keeping.file) == sealed


def test_the_command_adds_proof_to_a_file_and_writes_nothing_for_a_broken_one(
    tmp_path, sealed, authority, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONGVAN_TSA_URL", authority.tsa_url)
    monkeypatch.setenv("CONGVAN_OUTGOING_ALLOWED", f'["{urlsplit(authority.base_url).netloc}"]')
    broken = bytearray(sealed)
    broken[broken.index(b"stream\n") + 12] ^= 1
    for name, content in (("a.pdf", sealed), ("b.pdf", broken), ("root.cer", authority.certificate)):
        (tmp_path / name).write_bytes(content)
    trusting = ["--trust", "root.cer", "--world", "pilot", "--language", "en"]
    assert run(["archive", "augment", "a.pdf", "a-kept.pdf", *trusting]) == 0
    assert (tmp_path / "a-kept.pdf").read_bytes().startswith(sealed)
    assert run(["archive", "augment", "b.pdf", "b-kept.pdf", *trusting]) == 1
    assert "[augment-invalid]" in capsys.readouterr().err
    assert not (tmp_path / "b-kept.pdf").exists()
