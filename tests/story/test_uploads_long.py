"""A thousand uploads of one file by eight clients at once: every one arrives whole, and the service does not grow."""

import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from api.client import Congvan
from tests.story.conftest import MakeService, Service

UPLOADS = 1000
CLIENTS = 8
WARM = 200
"""Until then Python's allocator, the thread pool and the connections grow to the size that eight clients need."""

MOST_GROWTH_MB = 30
"""The 800 uploads after that carry 1.6 GB: keeping one in fifty would show. Eight bodies of 2 MB are on their way at
any moment, read and joined by the server, and the allocator gives memory back when it likes: that is the room left."""

OFFICER, LEADER = "chuyenvien.huyen", "lanhdao.huyen"


def scan() -> bytes:
    """A scanned page of about 2 MB."""
    picture = Image.effect_noise((1654, 2339), 90).convert("L")
    out = io.BytesIO()
    picture.save(out, "PDF", quality=75, resolution=200)
    return out.getvalue()


def memory_mb(pid: int) -> float:
    """What a process holds in memory now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def uploads(service: Service, data: bytes, count: int) -> list[str]:
    """Ids of `count` uploads, taken in by eight clients that begin together."""
    gate, numbers = threading.Barrier(CLIENTS), iter(range(count))
    taking = threading.Lock()

    def client(_: int) -> list[str]:
        made: list[str] = []
        with taking:  # one password at a time: of tries at the same moment the service lets one through
            officer = service.person(OFFICER)
        with officer:
            gate.wait(60)
            while True:
                with taking:
                    n = next(numbers, None)
                if n is None:
                    return made
                upload = officer.upload(data, f"van-ban-{n}.pdf")
                assert upload["offset"] == len(data)
                made.append(upload["id"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [upload for made in pool.map(client, range(CLIENTS)) for upload in made]


def state(officer: Congvan, upload: str) -> tuple[int, str]:
    """How much of an upload the service says it has, and of what."""
    told = officer.request("GET", f"/uploads/{upload}").json()
    return told["offset"], told["sha256"]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_thousand_uploads_arrive_whole_and_leave_memory_flat(make_service: MakeService, kind: str) -> None:
    service = make_service(kind=kind, offices=3)
    data = scan()
    assert 1_800_000 < len(data) < 2_400_000
    digest = hashlib.sha256(data).hexdigest()
    made = uploads(service, data, WARM)
    before = memory_mb(service.pid)
    made += uploads(service, data, UPLOADS - WARM)
    grown = memory_mb(service.pid) - before
    print(f"{kind}: {before:.0f} MB after {WARM} uploads, {grown:+.1f} MB after {UPLOADS}")  # noqa: T201
    assert len(set(made)) == UPLOADS
    with service.person(OFFICER) as officer:
        assert {state(officer, upload) for upload in made} == {(len(data), digest)}
        signer = next(person["id"] for person in officer.leaders() if person["login"] == LEADER)
        blobs = [file.name for file in (service.folder / "files" / "blobs").rglob("*") if file.is_file()]
        assert blobs == [digest]
        assert not list((service.folder / "files" / "uploads").iterdir())
        for upload in (made[0], made[WARM], made[-1]):
            assert officer.draft(upload, signer=signer, subject="Thử")["state"] == "draft"
    assert grown < MOST_GROWTH_MB
