"""The service as its operators and programs meet it: health, numbers, description, problems, log, settings, doctor."""

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.doctor import examine
from api.masters import kept_secret
from api.problems import STATUS
from api.settings import Settings, load_settings
from tests.fixtures.service import CLERK, OFFICER, ApiService, refusal

# -- health and numbers --


def test_a_service_that_runs_is_alive(api_service):
    answer = api_service.http().get("/livez")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_it_is_ready_only_while_a_worker_is_heard_of(api_service):
    assert (api_service.http().get("/readyz").status_code, api_service.http().get("/readyz").text) == (503, "no worker")
    now = api_service.parts.now()
    try:
        for beat, status in ((now - timedelta(minutes=5), 503), (now, 200)):
            with api_service.parts.write() as writing:
                writing.people.beat("worker-test", beat)
            assert api_service.http().get("/readyz").status_code == status
    finally:
        with api_service.parts.write() as writing:
            writing.people.bury("worker-test")


def test_numbers_count_by_route_never_by_what_somebody_typed(api_service):
    api_service.person(OFFICER).documents()
    refusal(lambda: api_service.person(OFFICER).document("doc_secret_name"))
    api_service.http().get("/nothing/secret-name")
    told = api_service.http().get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert "secret" not in told.text
    wanted = 'congvan_requests_total{method="GET",route="/api/v1/documents/{document}",status="404"}'
    assert wanted in told.text
    assert 'congvan_request_seconds_bucket{le="0.1",route="/api/v1/documents"}' in told.text


# -- the description --


def references(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        yield from (str(v) for k, v in told.items() if k == "$ref")
        for value in told.values():
            yield from references(value)
    elif isinstance(told, list):
        for value in told:
            yield from references(value)


def test_the_openapi_description_holds_together(api_service):
    told = api_service.http().get("/api/v1/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    assert told["info"]["title"] == "Công Văn"
    names = [operation["operationId"] for methods in told["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names)) > 30
    for reference in references(told):
        here: Any = told
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]
    for path, methods in told["paths"].items():
        assert path.startswith("/api/v1/"), "pages are not part of the description"
        for operation in methods.values():
            gaps = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert gaps == set(re.findall(r"\{(\w+)\}", path)), path
            assert operation.get("summary") or operation.get("description")


def test_every_code_that_can_be_answered_is_listed(api_service):
    listed = api_service.http().get("/api/v1/problems").json()["items"]
    assert {(one["code"], one["status"]) for one in listed} == {
        (kind.code, status)
        for kind, status in STATUS.items()  # type: ignore[attr-defined]
    }


def test_the_limits_told_are_the_limits_held(api_service):
    told = api_service.http().get("/api/v1/limits").json()
    assert told["pdf_mb"] == api_service.parts.settings.upload_limit_mb
    assert told["file_name_bytes"] == 255


# -- problems --


@pytest.mark.parametrize(
    ("method", "path", "code", "status"),
    [
        ("GET", "/api/v1/documents/doc_none", "not-found", 404),
        ("GET", "/api/v1/nothing", "not-found", 404),
        ("DELETE", "/api/v1/documents", "malformed", 400),
        ("GET", "/api/v1/documents?limit=0", "malformed", 400),
        ("GET", "/api/v1/documents?after=x", "cursor-invalid", 400),
        ("POST", "/api/v1/documents/doc_none/submit", "precondition-required", 428),
    ],
)
def test_a_problem_has_the_shape_of_rfc_9457_in_the_readers_language(api_service, method, path, code, status):
    said = set()
    for language in ("vi", "en"):
        headers = {
            "Authorization": f"Bearer {api_service.person(CLERK).token}", "Idempotency-Key": "k",
            "Accept-Language": language,
        }  # fmt: skip
        answer = api_service.http().request(method, path, headers=headers)
        told = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "instance", "code", "retryable", "trace"} <= set(told)
        assert (told["code"], told["status"], answer.status_code) == (code, status, status)
        assert told["type"].endswith(f"#{code}")
        assert told["instance"] == path.split("?")[0]
        assert told["trace"] == answer.headers["x-request-id"]
        said.add(told["detail"])
    assert len(said) == 2


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("", "vi"), ("vi", "vi"), ("en", "en"), ("en-GB,en;q=0.9", "en"), ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("fr", "vi"), ("en-US,vi;q=0.5", "vi"), ("*", "vi"), ("\xff", "vi"),
    ],
)  # fmt: skip
def test_vietnamese_is_spoken_unless_english_is_asked_for(api_service, wanted, language):
    headers = {"Accept-Language": wanted.encode("latin-1")}
    detail = api_service.http().get("/api/v1/nothing", headers=headers).json()["detail"]
    assert detail == {"vi": "Không tìm thấy.", "en": "Not found."}[language]


def test_an_error_that_nobody_foresaw_is_recorded_with_its_trace_and_tells_nothing(api_service, monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret inside")

    monkeypatch.setattr("api.cases.upload_state", broken)
    with capture_logs() as lines:
        refused = refusal(lambda: api_service.person(CLERK)._get("/uploads/upl_x"))
    assert (refused.code, refused.status, refused.problem["retryable"]) == ("internal", 500, True)
    assert "secret" not in json.dumps(refused.problem)
    recorded = next(line for line in lines if line["event"] == "unknown-error")
    assert recorded["exc_info"]
    assert refused.problem["trace"] in [line.get("trace") for line in lines]


# -- the log --


def test_each_request_leaves_one_line_with_the_id_that_its_answer_carries(api_service):
    with capture_logs() as lines:
        answer = api_service.http().get("/api/v1/problems?word=typed")
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["trace"] == answer.headers["x-request-id"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/problems", 200)
    assert "typed" not in str(line)


def test_two_requests_have_two_ids_and_nobody_can_choose_one(api_service):
    ids = {api_service.http().get("/livez", headers={"X-Request-Id": "mine"}).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert "mine" not in ids


# -- settings --


@pytest.fixture
def said_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`said_by(toml=…, secret=…, environment=…)` says the same setting in several places."""

    def say(*, toml: str | None = None, secret: str | None = None, environment: str | None = None) -> Settings:
        monkeypatch.setenv("CONGVAN_CONFIG", str(tmp_path / "congvan.toml"))
        (tmp_path / "secrets").mkdir(exist_ok=True)
        monkeypatch.setenv("CONGVAN_SECRETS", str(tmp_path / "secrets"))
        if toml is not None:
            (tmp_path / "congvan.toml").write_text(f's3_secret_key = "{toml}"\n')
        if secret is not None:
            (tmp_path / "secrets" / "congvan_s3_secret_key").write_text(secret)
        if environment is not None:
            monkeypatch.setenv("CONGVAN_S3_SECRET_KEY", environment)
        return load_settings()

    return say


def test_the_environment_wins_over_the_secrets_folder_and_that_over_the_file(said_by):
    assert said_by().s3_secret_key is None
    assert said_by(toml="in the file").s3_secret_key == "in the file"
    assert said_by(secret="in the folder").s3_secret_key == "in the folder"
    assert said_by(environment="in the environment").s3_secret_key == "in the environment"
    assert load_settings(s3_secret_key="by hand").s3_secret_key == "by hand"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "many"), ("port", "-1"), ("port", "70000"), ("upload_limit_mb", "0"), ("session_hours", "-1"),
        ("sandbox_workers", "0"), ("log_level", "loud"), ("outgoing_allowed", "not a list"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_refused_by_its_name(monkeypatch, name, value):
    monkeypatch.setenv(f"CONGVAN_{name.upper()}", value)
    with pytest.raises(ValueError, match=name):
        load_settings()


# -- doctor --


def findings(settings: Settings) -> dict[str, bool]:
    """What the doctor found, by the first words of each finding."""
    found = examine(settings)
    assert all(one.good or one.remedy for one in found), "whatever is wrong has a remedy"
    return {one.what.split(" /")[0].split(":")[0]: one.good for one in found}


FOLDER, SECRETS, SPACE, DATABASE, STAMPS = (
    "Thư mục dữ liệu", "Khóa bí mật", "Dung lượng trống", "Cơ sở dữ liệu", "Dịch vụ dấu thời gian",
)  # fmt: skip


def test_the_doctor_finds_nothing_wrong_with_a_service_that_runs(api_service):
    found = findings(api_service.parts.settings)
    assert found[FOLDER]
    assert found[SECRETS]
    assert found[DATABASE]
    assert found[STAMPS]


def test_the_doctor_says_what_is_missing_before_the_first_start_and_makes_nothing(tmp_path):
    missing = tmp_path / "none"
    found = findings(Settings(data=missing))
    assert (found[FOLDER], found[DATABASE], found[STAMPS], found[SPACE]) == (False, False, False, False)
    assert not missing.exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert findings(Settings(data=empty))[DATABASE] is False
    assert not list(empty.iterdir()), "looking leaves nothing behind"


def test_the_doctor_sees_secrets_that_others_can_read(tmp_path):
    (tmp_path / "secrets").mkdir()
    key = tmp_path / "secrets" / "master.key"
    key.write_bytes(b"x" * 32)
    for mode, good in ((0o644, False), (0o640, False), (0o600, True)):
        key.chmod(mode)
        assert findings(Settings(data=tmp_path))[SECRETS] is good
    key.chmod(0o644)
    assert any("chmod 600 master.key" in one.remedy for one in examine(Settings(data=tmp_path)))


def test_the_doctor_sees_a_database_of_another_version_and_one_that_is_none(tmp_path):
    file = tmp_path / "congvan.sqlite"
    with sqlite3.connect(file) as old:
        old.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        old.execute("INSERT INTO alembic_version VALUES ('0000')")
    assert findings(Settings(data=tmp_path))[DATABASE] is False
    old.close()
    file.write_bytes(b"this is no database" * 1000)
    assert findings(Settings(data=tmp_path))[DATABASE] is False
    unreachable = Settings(data=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    assert findings(unreachable)[DATABASE] is False


def test_the_service_of_the_tests_is_a_pilot_and_says_so(api_service: ApiService):
    assert api_service.parts.settings.is_pilot
    assert "thử nghiệm" in api_service.http().get("/login").text


def test_a_start_that_ends_while_it_makes_a_secret_leaves_none_and_the_next_start_makes_it(tmp_path):
    secret = tmp_path / "secrets" / "master.key"

    def killed() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept_secret(secret, killed)
    assert list(secret.parent.iterdir()) == []
    assert kept_secret(secret, lambda: b"first") == kept_secret(secret, lambda: b"second") == b"first"


def test_all_who_start_at_once_have_the_same_whole_secret(tmp_path):
    secret, ready = tmp_path / "secrets" / "log.key", Barrier(8)

    def slow() -> bytes:
        ready.wait(10)
        return os.urandom(32)

    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(lambda _: kept_secret(secret, slow), range(8)))
    assert len(told) == 1
    assert len(told.pop()) == 32
