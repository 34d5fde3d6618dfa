"""Bytes on their way in: resumed after a lost line, never half, never mixed by two at once."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
import uvicorn

from api.client import Congvan, Json, Refused
from api.logs import registry
from tests.fixtures.service import CLERK, LEADER, OFFICER, OTHER_CLERK, ApiService, at_once, letter, refusal


def promise(who: Congvan, data: bytes, **more: object) -> Json:
    """An upload of which nothing has come yet."""
    told = {"name": "thu.pdf", "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more}
    return who._post("/uploads", told)


def held(service: ApiService, upload: str) -> bytes:
    """What has come of an upload, as it lies on the disk."""
    file = service.parts.settings.data / "files" / "uploads" / upload
    return file.read_bytes() if file.exists() else b""


def test_an_upload_goes_on_where_the_line_was_lost(api_service):
    officer, data = api_service.person(OFFICER), letter(pages=5)
    upload = promise(officer, data)
    officer.append(upload["id"], 0, data[:1000])
    after = officer._get(f"/uploads/{upload['id']}")["offset"]
    assert after == 1000
    assert officer.append(upload["id"], after, data[after:])["offset"] == len(data)
    assert officer.draft(upload["id"], signer=api_service.account(LEADER), subject="Thử")["state"] == "draft"


@pytest.mark.parametrize("offset", [1, 999, 1001, 2**53])
def test_a_wrong_offset_is_answered_with_the_right_one_and_changes_nothing(api_service, offset):
    officer, data = api_service.person(OFFICER), letter()
    upload = promise(officer, data)
    officer.append(upload["id"], 0, data[:1000])
    refused = refusal(lambda: officer.append(upload["id"], offset, b"x" * 10))
    assert (refused.code, refused.status, refused.problem["offset"]) == ("upload-offset", 409, 1000)
    assert refused.problem["retryable"] is True
    assert held(api_service, upload["id"]) == data[:1000]


def test_more_bytes_than_promised_are_not_taken(api_service):
    officer, data = api_service.person(OFFICER), letter()
    upload = promise(officer, data)
    with api_service.nothing_left():
        assert refusal(lambda: officer.append(upload["id"], 0, data + b"x")).code == "upload-offset"


def test_other_bytes_than_promised_are_dropped(api_service):
    officer, data = api_service.person(OFFICER), letter()
    upload = promise(officer, data)
    with api_service.nothing_left():
        for language in ("vi", "en"):
            person = api_service.person(OFFICER, language)
            refused = refusal(lambda person=person: person.append(upload["id"], 0, data[:-1] + b"x"))
            assert (refused.code, refused.status) == ("digest-mismatch", 422)
            assert ("SHA-256" in refused.problem["detail"], "mã băm" in refused.problem["detail"]) == (
                True, language == "vi",
            )  # fmt: skip
    assert officer.append(upload["id"], 0, data)["offset"] == len(data), "the right bytes may still come"


def test_nothing_is_drafted_from_half_an_upload(api_service):
    officer, data = api_service.person(OFFICER), letter()
    upload = promise(officer, data)
    officer.append(upload["id"], 0, data[:-1])
    with api_service.nothing_left():
        refused = refusal(lambda: officer.draft(upload["id"], signer=api_service.account(LEADER), subject="Thử"))
    assert (refused.code, refused.status) == ("upload-incomplete", 409)
    assert str(len(data) - 1) in refused.problem["detail"]


def test_pieces_that_come_at_once_never_mix(api_service):
    officer, data = api_service.person(OFFICER), os.urandom(600_000)
    upload = promise(officer, data)
    first = data[:300_000]
    done = at_once(*[lambda: api_service.person(OFFICER).append(upload["id"], 0, first) for _ in range(8)])
    assert sum(not isinstance(one, Refused) for one in done) == 1
    assert {one.code for one in done if isinstance(one, Refused)} == {"upload-offset"}
    assert held(api_service, upload["id"]) == first
    assert officer.append(upload["id"], len(first), data[len(first) :])["offset"] == len(data)


def test_the_last_piece_sent_twice_at_once_leaves_one_whole_upload(api_service):
    officer, data = api_service.person(OFFICER), letter()
    for _ in range(5):
        upload = promise(officer, data)
        at_once(*[lambda u=upload: api_service.person(OFFICER).append(u["id"], 0, data) for _ in range(4)])
        assert officer._get(f"/uploads/{upload['id']}")["offset"] == len(data)
        assert not held(api_service, upload["id"])


def test_a_piece_cut_in_the_middle_keeps_nothing_of_it(api_service, listening):
    officer, data = api_service.person(OFFICER), letter()
    upload = promise(officer, data)
    officer.append(upload["id"], 0, data[:100])
    before = _answered_400()
    with api_service.nothing_left(), socket.create_connection(("127.0.0.1", listening), 10) as line:
        head = (
            f"PATCH /api/v1/uploads/{upload['id']} HTTP/1.1\r\nHost: 127.0.0.1:{listening}\r\n"
            f"Authorization: Bearer {officer.token}\r\nUpload-Offset: 100\r\nContent-Length: {len(data) - 100}\r\n\r\n"
        )
        line.sendall(head.encode() + data[100:600])
        line.shutdown(socket.SHUT_WR)
        line.close()
        _until(lambda: _answered_400() > before)
    assert held(api_service, upload["id"]) == data[:100]
    assert officer.append(upload["id"], 100, data[100:])["offset"] == len(data)


def test_an_endless_body_without_a_length_is_stopped_at_the_limit(api_service, listening):
    with socket.create_connection(("127.0.0.1", listening), 30) as line:
        line.sendall(
            f"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1:{listening}\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        piece, sent = b"100000\r\n" + b" " * (1 << 20) + b"\r\n", 0
        try:
            while sent < 100:
                line.sendall(piece)
                sent += 1
        except (BrokenPipeError, ConnectionResetError):
            pass
        line.settimeout(30)
        said = b""
        try:
            while b"body-too-large" not in said and (more := line.recv(65536)):
                said += more
        except ConnectionResetError:
            pass
    assert b"413" in said.split(b"\r\n")[0]


@pytest.mark.parametrize("who", [CLERK, OTHER_CLERK])
def test_somebody_elses_upload_is_as_good_as_none(api_service, who):
    upload = promise(api_service.person(OFFICER), letter())
    stranger = api_service.person(who)
    with api_service.nothing_left():
        for method, more in (
            ("GET", {}), ("DELETE", {}), ("PATCH", {"content": b"x", "headers": {"Upload-Offset": "0"}}),
        ):  # fmt: skip
            one = refusal(lambda method=method, more=more: stranger.request(method, f"/uploads/{upload['id']}", **more))
            none = refusal(lambda method=method, more=more: stranger.request(method, "/uploads/upl_none", **more))
            assert (one.code, one.status, one.problem["detail"]) == (none.code, none.status, none.problem["detail"])
            assert one.status == 404


def test_a_dropped_upload_leaves_no_row_no_answer_and_no_bytes(api_service):
    officer, data = api_service.person(OFFICER), letter(f"V/v {uuid4().hex}")
    with api_service.nothing_left():
        half, whole = promise(officer, data), officer.upload(data, "b.pdf")
        officer.append(half["id"], 0, data[:10])
        for upload in (half, whole):
            officer.request("DELETE", f"/uploads/{upload['id']}")
    assert refusal(lambda: officer.append(half["id"], 0, data)).code == "not-found"


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", ""])
def test_an_offset_that_is_no_number_is_malformed(api_service, offset):
    officer = api_service.person(OFFICER)
    upload = promise(officer, letter())
    refused = refusal(
        lambda: officer.request("PATCH", f"/uploads/{upload['id']}", content=b"x", headers={"Upload-Offset": offset})
    )
    assert (refused.code, refused.status) == ("malformed", 400)


@pytest.fixture(scope="module")
def listening(api_service: ApiService) -> Iterator[int]:
    """The port on which the same application listens as a real server."""
    with _served(api_service) as port:
        yield port


@contextmanager
def _served(service: ApiService) -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        config = uvicorn.Config(service.app, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        _until(lambda: server.started)
        yield int(bound.getsockname()[1])
        server.should_exit = True
        thread.join(20)


def _answered_400() -> float:
    """How many pieces the service gave up, as its own numbers say."""
    samples = (sample for metric in registry.collect() for sample in metric.samples)
    cut = {"method": "PATCH", "status": "400"}
    return sum(s.value for s in samples if s.name == "congvan_requests_total" and cut.items() <= s.labels.items())


def _until(holds: Callable[[], bool], seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, "it did not come in time"
        time.sleep(0.01)


def test_no_file_of_the_service_is_open_to_others(api_service):
    data = api_service.parts.settings.data
    for folder in (data, data / "secrets", data / "files" / "blobs", data / "files" / "uploads"):
        assert folder.stat().st_mode & 0o077 == 0, folder
    assert all(secret.stat().st_mode & 0o077 == 0 for secret in (data / "secrets").iterdir())
