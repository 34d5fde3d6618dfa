"""Bytes under their digest: kept whole or not at all, once, for good; on the local disk and in a real S3 store."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import obstore
import pytest

from exchange.errors import DigestMismatch, NotFound, StorageFull, UploadOffset
from exchange.storage.blobs import Blobs, LocalBlobs, S3Blobs
from tests.fixtures.needs import absent
from tests.fixtures.storage import S3Server

DATA = b"%PDF-1.7 " + b"x" * 100_000
SHA = hashlib.sha256(DATA).hexdigest()
SIZES = [0, 1, 4_095, 8_192, 8_193, 3_000_000]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(params=["local", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """Both kinds: what is asked of one holds for the other."""
    if request.param == "local":
        return LocalBlobs(tmp_path)
    server: S3Server = request.getfixturevalue("s3_server")
    return S3Blobs(server.bucket(), tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path)


# -- both kinds --


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_comes_back_under_its_digest(blobs, size):
    data = os.urandom(size)
    assert blobs.put(data) == digest(data)
    assert blobs.get(digest(data)) == data
    assert blobs.has(digest(data))


def test_putting_the_same_again_changes_nothing(blobs):
    assert [blobs.put(DATA) for _ in range(3)] == [SHA] * 3
    assert blobs.get(SHA) == DATA


def test_bytes_that_were_never_put_are_not_found(blobs):
    assert not blobs.has(SHA)
    with pytest.raises(NotFound):
        blobs.get(SHA)


def test_many_writers_of_the_same_and_of_other_bytes_at_once_all_succeed(blobs):
    contents = [DATA, b"kh\xc3\xa1c", *(os.urandom(5_000) for _ in range(2))] * 4
    start, kept, failed = threading.Barrier(len(contents)), [], []

    def write(data: bytes) -> None:
        start.wait()
        try:
            kept.append(blobs.put(data))
        except Exception as error:
            failed.append(error)

    run_all([lambda data=data: write(data) for data in contents])
    assert failed == []
    assert sorted(kept) == sorted(digest(data) for data in contents)
    assert all(blobs.get(digest(data)) == data for data in contents)


def run_all(acts: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_upload_in_pieces_goes_on_where_it_stopped_and_ends_as_a_blob(blobs, tmp_path):
    assert blobs.upload_size("upl_1") == 0
    for start in range(0, len(DATA), 30_000):
        piece = DATA[start : start + 30_000]
        assert blobs.upload_append("upl_1", start, piece) == start + len(piece)
    with pytest.raises(UploadOffset) as refused:
        blobs.upload_append("upl_1", 30_000, b"again")
    assert refused.value.gaps == {"offset": len(DATA)}
    assert blobs.upload_size("upl_1") == len(DATA)
    blobs.upload_finish("upl_1", SHA)
    assert blobs.get(SHA) == DATA
    assert blobs.upload_size("upl_1") == 0


def test_finishing_twice_is_finishing_once(blobs):
    blobs.upload_append("upl_1", 0, DATA)
    blobs.upload_finish("upl_1", SHA)
    blobs.upload_finish("upl_1", SHA)
    assert blobs.get(SHA) == DATA


def test_an_upload_of_bytes_that_are_kept_already_ends_too(blobs, tmp_path):
    blobs.put(DATA)
    blobs.upload_append("upl_1", 0, DATA)
    blobs.upload_finish("upl_1", SHA)
    assert blobs.upload_size("upl_1") == 0
    assert blobs.get(SHA) == DATA


def test_an_upload_that_is_not_what_was_promised_is_dropped(blobs, tmp_path):
    blobs.upload_append("upl_1", 0, DATA + b"!")
    with pytest.raises(DigestMismatch):
        blobs.upload_finish("upl_1", SHA)
    assert blobs.upload_size("upl_1") == 0
    assert not blobs.has(SHA)
    assert not blobs.has(digest(DATA + b"!"))
    assert files(tmp_path) == []


def test_an_upload_that_never_came_cannot_be_finished(blobs):
    with pytest.raises(NotFound):
        blobs.upload_finish("upl_1", SHA)


def test_a_dropped_upload_begins_anew(blobs):
    blobs.upload_append("upl_1", 0, b"half")
    blobs.upload_drop("upl_1")
    blobs.upload_drop("upl_1")
    assert blobs.upload_append("upl_1", 0, b"again") == 5


def test_two_senders_of_the_same_piece_do_not_write_it_twice(blobs):
    blobs.upload_append("upl_1", 0, b"first")
    start, done, refused = threading.Barrier(8), [], []

    def send() -> None:
        start.wait()
        try:
            done.append(blobs.upload_append("upl_1", 5, DATA))
        except UploadOffset as error:
            refused.append(error.gaps["offset"])

    run_all([send] * 8)
    assert done == [5 + len(DATA)]
    assert refused == [5 + len(DATA)] * 7
    blobs.upload_finish("upl_1", digest(b"first" + DATA))


def test_two_who_finish_at_once_both_succeed(blobs):
    for n in range(5):
        data = DATA + bytes([n])
        blobs.upload_append(f"upl_{n}", 0, data)
        start, failed = threading.Barrier(4), []

        def finish(n: int = n, data: bytes = data, start: threading.Barrier = start, failed: list = failed) -> None:
            start.wait()
            try:
                blobs.upload_finish(f"upl_{n}", digest(data))
            except Exception as error:
                failed.append(error)

        run_all([finish] * 4)
        assert failed == []
        assert blobs.get(digest(data)) == data


@pytest.mark.parametrize(
    "name", ["", "..", ".", "../../etc/passwd", "a/b", "/etc/passwd", "a\0b", "upl_1.tmp", "A" * 64]
)
def test_a_name_that_is_no_digest_finds_nothing(blobs, name):
    with pytest.raises(NotFound):
        blobs.get(name)
    assert not has(blobs, name)


def has(blobs: Blobs, name: str) -> bool:
    try:
        return blobs.has(name)
    except NotFound:
        return False


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/etc/x", "a\0b", "x.tmp", "_"])
def test_an_upload_is_never_a_path(blobs, tmp_path, name):
    for act in (
        lambda: blobs.upload_append(name, 0, b"x"), lambda: blobs.upload_size(name),
        lambda: blobs.upload_finish(name, SHA), lambda: blobs.upload_drop(name),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            act()
    assert files(tmp_path) == []


def test_a_sweep_takes_what_nobody_touched_and_leaves_the_rest(blobs, tmp_path):
    kept = blobs.put(DATA)
    blobs.upload_append("upl_old", 0, b"half")
    blobs.upload_append("upl_young", 0, b"half")
    stray = tmp_path / "uploads" / f"{uuid4().hex}.tmp"
    stray.write_bytes(b"of a killed writer")
    now = datetime.now(UTC)
    for old in (tmp_path / "uploads" / "upl_old", stray):
        os.utime(old, ((now - timedelta(hours=25)).timestamp(),) * 2)
    assert blobs.sweep(now - timedelta(hours=24)) == 2
    assert [blobs.upload_size(name) for name in ("upl_old", "upl_young")] == [0, 4]
    assert not stray.exists()
    assert blobs.get(kept) == DATA


# -- the local disk --


def test_bytes_are_on_the_disk_before_their_name_and_the_name_before_the_answer(local, tmp_path, monkeypatch):
    told: list[tuple[str, str, int]] = []
    real_sync, real_link = os.fsync, os.link

    def sync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        told.append(("sync", path.parent.name if path.is_file() else path.name, os.fstat(handle).st_size))
        real_sync(handle)

    def link(source: Path, target: Path) -> None:
        told.append(("link", Path(target).parent.name, Path(source).stat().st_size))
        real_link(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "link", link)
    for data in (b"few", DATA, DATA + b"tail"):
        told.clear()
        folder = local.put(data)[:2]
        assert [(what, where) for what, where, _ in told] == [
            ("sync", "uploads"), ("link", folder), ("sync", folder), ("sync", "blobs"),
        ]  # fmt: skip
        assert [size for what, where, size in told[:2]] == [len(data)] * 2, "a sync of bytes that are not there yet"


def test_a_piece_of_an_upload_is_on_the_disk_before_it_is_promised(local, monkeypatch):
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: sizes.append(os.fstat(handle).st_size))
    local.upload_append("upl_1", 0, b"few")
    local.upload_append("upl_1", 3, DATA)
    assert sizes == [3, 3 + len(DATA)]


def test_whoever_finds_the_bytes_there_makes_sure_of_their_name_too(local, monkeypatch):
    sha256 = local.put(DATA)
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink().name))
    local.put(DATA)
    assert synced == [sha256[:2], "blobs"]


KILLED = """
import os, signal, sys
from pathlib import Path
from exchange.storage.blobs import LocalBlobs
blobs, syncs, real = LocalBlobs(Path(sys.argv[1])), [], os.fsync
def sync(handle):
    syncs.append(handle)
    if len(syncs) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(handle)
os.fsync = sync
if sys.argv[3] == "put":
    blobs.put(b"x" * 100_000)
else:
    blobs.upload_append("upl_1", 0, b"x" * 100_000)
    blobs.upload_finish("upl_1", sys.argv[4])
"""


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("way", ["put", "upload"])
def test_a_writer_killed_at_any_sync_leaves_all_or_nothing_and_a_sweep_takes_the_rest(local, tmp_path, way, at):
    data = b"x" * 100_000
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), str(at), way, digest(data)]
    killed = subprocess.run(arguments, cwd=Path(__file__).parents[2])
    assert killed.returncode == -signal.SIGKILL
    if local.has(digest(data)):
        assert local.get(digest(data)) == data
    assert len(files(tmp_path / "uploads")) == 1
    assert local.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert files(tmp_path / "uploads") == []
    assert local.put(data) == digest(data)
    assert local.get(digest(data)) == data


def test_a_damaged_blob_is_said_and_never_given_out(local, tmp_path):
    sha256 = local.put(DATA)
    (path,) = files(tmp_path / "blobs")
    path.chmod(0o600)
    path.write_bytes(DATA[:-1] + b"?")
    with pytest.raises(DigestMismatch):
        local.get(sha256)
    path.write_bytes(DATA[:-1])
    with pytest.raises(DigestMismatch):
        local.get(sha256)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        absent("a small disk to fill (mount of a tmpfs)", "run the tests as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_leaves_nothing_half(small_disk):
    blobs = LocalBlobs(small_disk)
    first = blobs.put(DATA)
    before = files(small_disk)
    with pytest.raises(StorageFull):
        blobs.put(os.urandom(400_000))
    assert files(small_disk) == before
    assert blobs.get(first) == DATA


def test_a_piece_that_does_not_fit_is_not_there_and_the_upload_goes_on_when_there_is_room(small_disk):
    blobs = LocalBlobs(small_disk)
    data = os.urandom(150_000)
    blobs.upload_append("upl_1", 0, data[:50_000])
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"b" * 180_000)
    with pytest.raises(StorageFull):
        blobs.upload_append("upl_1", 50_000, data[50_000:])
    assert blobs.upload_size("upl_1") == 50_000
    ballast.unlink()
    assert blobs.upload_append("upl_1", 50_000, data[50_000:]) == 150_000
    blobs.upload_finish("upl_1", digest(data))
    assert blobs.get(digest(data)) == data


def test_nobody_else_on_the_machine_reads_the_files(local, tmp_path):
    local.put(DATA)
    assert {oct(folder.stat().st_mode & 0o077) for folder in (tmp_path / "blobs", tmp_path / "uploads")} == {"0o0"}


# -- the S3 store --


@pytest.fixture
def s3(bucket: obstore.store.S3Store, tmp_path: Path) -> S3Blobs:
    return S3Blobs(bucket, tmp_path)


def test_a_finished_upload_lies_in_the_store_alone(s3, bucket, tmp_path):
    s3.upload_append("upl_1", 0, DATA)
    s3.upload_finish("upl_1", SHA)
    assert bytes(obstore.get(bucket, SHA).bytes()) == DATA
    assert files(tmp_path) == []


def test_an_object_is_made_once_and_never_overwritten(s3, bucket):
    obstore.put(bucket, SHA, b"something else")
    assert s3.put(DATA) == SHA
    with pytest.raises(DigestMismatch):  # said, not mended behind the operator's back
        s3.get(SHA)


def test_a_damaged_object_is_never_given_out(s3, bucket):
    s3.put(DATA)
    obstore.put(bucket, SHA, DATA[:-1] + b"?")
    with pytest.raises(DigestMismatch):
        s3.get(SHA)


def test_two_servers_with_one_store_see_the_same_files(bucket, tmp_path):
    one, other = S3Blobs(bucket, tmp_path / "1"), S3Blobs(bucket, tmp_path / "2")
    one.put(DATA)
    assert other.get(SHA) == DATA
    other.put(DATA)


def test_a_crash_between_store_and_answer_is_healed_by_the_repeat(s3, bucket, tmp_path):
    s3.upload_append("upl_1", 0, DATA)
    obstore.put(bucket, SHA, DATA)  # as far as it came
    s3.upload_finish("upl_1", SHA)
    assert s3.get(SHA) == DATA
    assert files(tmp_path) == []
