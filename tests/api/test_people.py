"""People at the door: passwords, second factors, sessions, cookies, forged forms, and where secrets never stand."""

import io
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pyotp
import pytest
import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from api import tables as t
from api.app import HEADERS
from api.auth import COOKIE
from api.client import Congvan
from api.factors import seal_factor
from exchange.rules.model import Role
from exchange.storage import tables as exchange_tables
from keys import tables as keys_tables
from tests.fixtures.service import (
    ADMIN,
    AUDITOR,
    CLERK,
    LEADER,
    OFFICER,
    OTHER_CLERK,
    ApiService,
    Browser,
    add_person,
    at_once,
    letter,
    refusal,
)

SELF = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def newcomer(api_service: ApiService) -> str:
    """The login of somebody who came today and whom no other test knows."""
    login = f"moi.{uuid4().hex[:12]}"
    add_person(api_service, login, "H99.05", Role.OFFICER)
    return login


def enter(service: ApiService, login: str, password: str | None = None, code: str | None = None) -> str:
    """The token of a new session."""
    client = Congvan(service.http())
    client.log_in(login, service.logins[login].password if password is None else password, code)
    return str(client.token)


def older(service: ApiService, token: str, **columns: timedelta) -> None:
    """Make a session older than it is."""
    from hashlib import sha256

    here = t.sessions.c.token_sha256 == sha256(token.encode()).hexdigest()
    with service.parts.database.writer.begin() as connection:
        row = connection.execute(select(t.sessions).where(here)).one()
        values = {name: getattr(row, name) - age for name, age in columns.items()}
        connection.execute(update(t.sessions).where(here).values(**values))


# -- passwords --


def test_who_gives_the_right_password_is_let_in_and_told_who_he_is(api_service):
    me = Congvan(api_service.http(), token=enter(api_service, CLERK)).me()
    assert (me["login"], me["office"], me["roles"]) == (CLERK, "H99.05", ["clerk"])


@pytest.mark.parametrize("login", [CLERK, "nobody.at.all", "", "VANTHU.HUYEN"])
def test_a_wrong_password_and_an_unknown_account_are_told_alike(api_service, login):
    for language, words in (("vi", "mật khẩu không đúng"), ("en", "password is wrong")):
        client = Congvan(api_service.http(), language=language)
        refused = refusal(lambda client=client: client.log_in(login, "not the password"))
        assert (refused.code, refused.status) == ("unauthenticated", 401)
        assert words in refused.problem["detail"]
    enter(api_service, CLERK)  # the right one gives the tries back


def test_the_page_says_a_wrong_password_in_the_readers_language_and_keeps_the_name_typed(api_service):
    for language, words in (("vi", "mật khẩu không đúng"), ("en", "password is wrong")):
        headers = {"Accept-Language": language}
        answer = api_service.http().post("/login", data={"login": "<b>ai", "password": "x"}, headers=headers)
        assert answer.status_code == 401
        assert words in answer.text
        assert "&lt;b&gt;ai" in answer.text
        assert COOKIE not in answer.cookies


def test_letters_typed_on_another_keyboard_are_the_same_password(api_service, newcomer):
    from api.accounts import hash_password

    with api_service.parts.write() as writing:
        account = writing.people.account_by_login(newcomer)
        writing.people.set_password(account.id, hash_password("Mật khẩu tiếng Việt"))
    import unicodedata

    assert enter(api_service, newcomer, unicodedata.normalize("NFD", "Mật khẩu tiếng Việt"))


def test_after_five_wrong_passwords_the_right_one_has_to_wait_too_and_longer_each_time(api_service, newcomer):
    for _ in range(5):
        assert refusal(lambda: enter(api_service, newcomer, "wrong")).code == "unauthenticated"
    refused = refusal(lambda: enter(api_service, newcomer))
    assert (refused.code, refused.status, refused.problem["retryable"]) == ("rate-limited", 429, True)
    first = _seconds(api_service, newcomer)
    _let_pass(api_service, newcomer)
    assert refusal(lambda: enter(api_service, newcomer, "wrong")).code == "unauthenticated"
    assert _seconds(api_service, newcomer) > first
    _let_pass(api_service, newcomer)
    assert enter(api_service, newcomer)
    assert refusal(lambda: enter(api_service, newcomer, "wrong")).code == "unauthenticated", "all tries are back"


def test_guesses_at_the_same_moment_do_not_share_one_count(api_service, newcomer):
    answers = at_once(*[lambda: enter(api_service, newcomer, "wrong")] * 6)
    assert {refused.code for refused in answers} <= {"unauthenticated", "rate-limited"}
    tried = sum(refused.code == "unauthenticated" for refused in answers)
    with api_service.parts.read() as reading:
        counted = reading.people.account_by_login(newcomer).failures
    assert counted == tried


def test_a_locked_account_and_one_without_a_role_are_told_like_a_wrong_password(api_service, newcomer):
    token = enter(api_service, newcomer)
    with api_service.parts.database.writer.begin() as connection:
        connection.execute(update(t.accounts).where(t.accounts.c.login == newcomer).values(locked=True))
    assert refusal(lambda: enter(api_service, newcomer)).code == "unauthenticated"
    assert refusal(lambda: Congvan(api_service.http(), token=token).me()).code == "unauthenticated"
    stranger = f"khach.{uuid4().hex[:8]}"
    add_person(api_service, stranger, "H99.05")
    assert refusal(lambda: enter(api_service, stranger)).code == "unauthenticated"


def _seconds(service: ApiService, login: str) -> int:
    answer = service.http().post("/api/v1/session", json={"login": login, "password": "x"})
    assert answer.status_code == 429
    return int(answer.headers["retry-after"])


def _let_pass(service: ApiService, login: str) -> None:
    """An hour later."""
    here = t.accounts.c.login == login
    with service.parts.database.writer.begin() as connection:
        at = connection.scalar(select(t.accounts.c.failed_at).where(here))
        connection.execute(update(t.accounts).where(here).values(failed_at=at - timedelta(hours=1)))


# -- second factors --


def test_who_has_a_second_factor_must_show_a_fresh_code_of_it(api_service, newcomer):
    secret = pyotp.random_base32()
    with api_service.parts.write() as writing:
        account = writing.people.account_by_login(newcomer).id
        writing.people.set_factor(account, seal_factor(api_service.parts.masters, account, secret))
    for language, words in (("vi", "mã xác thực"), ("en", "second-factor")):
        client = Congvan(api_service.http(), language=language)
        password = api_service.logins[newcomer].password
        refused = refusal(lambda client=client, password=password: client.log_in(newcomer, password))
        assert (refused.code, refused.status) == ("second-factor-required", 401)
        assert words in refused.problem["detail"]
    code = pyotp.TOTP(secret).at(api_service.parts.now())
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for bad in (wrong, "x", "٣" * 6, code + "0"):
        assert refusal(lambda bad=bad: enter(api_service, newcomer, code=bad)).code == "unauthenticated"
    code = pyotp.TOTP(secret).at(api_service.parts.now())
    assert enter(api_service, newcomer, code=f" {code} ")
    assert refusal(lambda: enter(api_service, newcomer, code=code)).code == "unauthenticated", "a code counts once"


def test_an_office_can_require_it_then_a_session_without_it_is_good_for_setting_it_up_alone(api_service):
    login, office = f"moi.{uuid4().hex[:12]}", f"H99.7{uuid4().hex[:4]}"
    add_person(api_service, login, office, Role.OFFICER, Role.OFFICE_ADMIN)
    client = Congvan(api_service.http(), token=enter(api_service, login))
    client.request("PUT", "/office/second-factor", json={"required": True})
    for path in ("/me", "/documents", "/offices"):
        assert refusal(lambda path=path: client._get(path)).code == "second-factor-setup"
    assert refusal(lambda: client.upload(letter(), "a.pdf")).code == "second-factor-setup"
    begun = client._post("/me/second-factor", {"password": api_service.logins[login].password})
    bad = {"secret": begun["secret"], "code": "000000"}
    assert refusal(lambda: client.request("PUT", "/me/second-factor", json=bad)).code == "second-factor-wrong"
    code = pyotp.TOTP(begun["secret"]).at(api_service.parts.now())
    client.request("PUT", "/me/second-factor", json={"secret": begun["secret"], "code": code})
    assert client.me()["login"] == login
    assert refusal(lambda: enter(api_service, login)).code == "second-factor-required"


@pytest.mark.parametrize("who", [OFFICER, CLERK, LEADER, AUDITOR])
def test_only_the_offices_administrator_decides_about_second_factors(api_service, who):
    with api_service.nothing_left():
        refused = refusal(
            lambda: api_service.person(who).request("PUT", "/office/second-factor", json={"required": True})
        )
    assert (refused.code, refused.status) == ("not-allowed", 403)


# -- sessions --


@pytest.mark.parametrize(
    "ages",
    [{"seen_at": timedelta(minutes=32)}, {"created_at": timedelta(hours=10, seconds=5)}],
    ids=["nobody used it", "it is old"],
)
def test_a_session_ends_when_idle_and_ends_in_any_case(api_service, ages):
    token = enter(api_service, OFFICER)
    assert Congvan(api_service.http(), token=token).me()
    older(api_service, token, **ages)
    refused = refusal(lambda: Congvan(api_service.http(), token=token).me())
    assert (refused.code, refused.status) == ("unauthenticated", 401)
    assert not _sessions(api_service, token), "it is gone, not only refused"


def test_a_session_in_use_goes_on(api_service):
    token = enter(api_service, OFFICER)
    for _ in range(3):
        older(api_service, token, seen_at=timedelta(minutes=25), created_at=timedelta(minutes=25))
        assert Congvan(api_service.http(), token=token).me()


def test_every_login_is_a_new_session_and_a_planted_cookie_becomes_none(api_service):
    planted = "planted" + "x" * 40
    browser = api_service.http(headers=SELF)
    browser.cookies.set(COOKIE, planted)
    answer = browser.post("/login", data={"login": OFFICER, "password": api_service.logins[OFFICER].password})
    given = answer.cookies[COOKIE]
    assert given != planted
    assert refusal(lambda: Congvan(api_service.http(), token=planted).me()).code == "unauthenticated"
    assert enter(api_service, OFFICER) not in (given, enter(api_service, OFFICER))


def test_logging_out_ends_the_session_on_the_server(api_service):
    client = Congvan(api_service.http(), token=enter(api_service, OFFICER))
    token = client.token
    client.log_out()
    assert refusal(lambda: Congvan(api_service.http(), token=token).me()).code == "unauthenticated"
    browser = api_service.new_browser(OFFICER)
    stolen = browser.http.cookies[COOKIE]
    answer = browser.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert 'congvan_session=""' in answer.headers["set-cookie"]
    assert refusal(lambda: Congvan(api_service.http(), token=stolen).me()).code == "unauthenticated"


def test_a_new_password_ends_every_session(api_service, newcomer):
    from api.accounts import hash_password

    token = enter(api_service, newcomer)
    with api_service.parts.write() as writing:
        writing.people.set_password(writing.people.account_by_login(newcomer).id, hash_password("another password"))
    assert refusal(lambda: Congvan(api_service.http(), token=token).me()).code == "unauthenticated"


def _sessions(service: ApiService, token: str) -> list[Any]:
    from hashlib import sha256

    digest = sha256(token.encode()).hexdigest()
    with service.parts.database.reader.connect() as connection:
        return list(connection.execute(select(t.sessions).where(t.sessions.c.token_sha256 == digest)))


# -- cookies and forms --


def _cookies(answer: Any) -> dict[str, str]:
    return {line.split("=")[0]: line for line in answer.headers.get_list("set-cookie")}


@pytest.mark.parametrize(
    ("address", "secure"),
    [(None, False), ("http://localhost:9000", False), ("https://congvan.example", True), ("http://10.0.0.5", True)],
)
def test_cookies_are_for_this_service_alone_and_secure_everywhere_but_on_loopback(api_service, address, secure):
    service = api_service.quick(public_url=address)
    service.parts.sandbox.close()
    answer = service.http().post("/login", data={"login": OFFICER, "password": service.logins[OFFICER].password})
    chosen = service.http().post("/language", data={"language": "en", "back": "/"})
    for cookies in (_cookies(answer), _cookies(chosen)):
        assert cookies
        for line in cookies.values():
            flags = {flag.strip().lower() for flag in line.split(";")[1:]}
            assert {"httponly", "samesite=strict"} <= flags, line
            assert ("secure" in flags) is secure, line
    assert "max-age=36000" in _cookies(answer)[COOKIE].lower()


FORGED = {
    "no word": ({}, {}),
    "a wrong word": ({"csrf": "x"}, {}),
    "another session's word": ({"csrf": "other"}, {}),
    "from another site": ({"csrf": "right"}, {"Sec-Fetch-Site": "cross-site"}),
    "from a sister site": ({"csrf": "right"}, {"Sec-Fetch-Site": "same-site"}),
    "from another origin": ({"csrf": "right"}, {"Origin": "https://elsewhere.example"}),
    "from our name on another port": ({"csrf": "right"}, {"Origin": "http://127.0.0.1:9999"}),
    "from an origin that hides": ({"csrf": "right"}, {"Origin": "null", "Sec-Fetch-Site": ""}),
    "with a proxy's password": ({}, {"Authorization": "Basic dTpw"}),
    "with an empty token": ({}, {"Authorization": "Bearer "}),
}


@pytest.mark.parametrize("how", FORGED)
@pytest.mark.parametrize("way", ["page", "api"])
def test_a_form_that_another_site_could_have_sent_is_refused(api_service, how, way):
    fields, headers = FORGED[how]
    browser, document = api_service.browser(OFFICER), api_service.standing("draft")
    words = {"right": browser.csrf, "other": api_service.browser(CLERK).csrf}
    fields = {name: words.get(word, word) for name, word in fields.items()}
    with _without_site(browser) if "Origin" in headers else browser.http as http, api_service.nothing_left():
        if way == "page":
            data = {**fields, "version": str(document["version"]), "key": uuid4().hex}
            answer = http.post(f"/documents/{document['id']}/submit", data=data, headers=headers)
        else:
            headers = {"Idempotency-Key": uuid4().hex, "If-Match": f'"{document["version"]}"', **headers}
            headers |= {"X-Csrf-Token": fields["csrf"]} if fields else {}
            answer = http.post(f"/api/v1/documents/{document['id']}/submit", headers=headers)
    assert answer.status_code == 403, answer.text
    assert "csrf-refused" in answer.text
    assert browser.http.get("/documents").status_code == 200, "the session is as good as before"


def _without_site(browser: Browser) -> Any:
    """An old browser: it says where a form came from by its origin only."""
    http = browser.http
    del http.headers["Sec-Fetch-Site"]
    return http


@pytest.mark.parametrize("path", ["/login", "/language", "/verify"])
def test_forms_without_a_session_are_taken_from_our_own_pages_only(api_service, path):
    data = {"login": OFFICER, "password": api_service.logins[OFFICER].password, "language": "en"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}):
        answer = api_service.http().post(path, data=data, headers=headers)
        assert (answer.status_code, COOKIE in answer.cookies) == (403, False)
    refused = api_service.http().post("/api/v1/session", json=data, headers={"Origin": "https://elsewhere.example"})
    assert refused.status_code == 403


def test_our_own_page_may_act_by_the_json_api_with_its_cookie_and_its_word(api_service):
    browser = api_service.browser(OFFICER)
    headers = {"X-Csrf-Token": browser.csrf, "Idempotency-Key": uuid4().hex, "Origin": "http://127.0.0.1:8000"}
    body = {"name": "a.pdf", "size": 5, "sha256": "0" * 64}
    assert browser.http.post("/api/v1/uploads", json=body, headers=headers).status_code == 201


@pytest.mark.parametrize("where", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "x", ""])
def test_nobody_is_led_to_another_site_after_login_or_a_choice_of_language(api_service, where):
    data = {"login": OFFICER, "password": api_service.logins[OFFICER].password, "next": where, "back": where}
    for path in ("/login", "/language"):
        answer = api_service.http().post(path, data={**data, "language": "en"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


# -- headers --


def test_every_page_file_and_problem_carries_the_security_headers(api_service):
    document, browser = api_service.standing("signed"), api_service.browser(CLERK)
    answers = [
        browser.http.get(path)
        for path in (
            "/", "/documents", "/documents/new", f"/documents/{document['id']}", "/incoming", "/verify", "/login",
            f"/documents/{document['id']}/file", f"/documents/{document['id']}/pages/0.png", "/static/congvan.css",
            "/documents/doc_none", "/nothing", "/static/none.js", "/livez", "/metrics", "/api/v1/problems",
            "/api/v1/documents/doc_none", "/api/v1/nothing", "/api/v1/openapi.json",
        )
    ]  # fmt: skip
    answers += [browser.http.post("/documents/new"), browser.http.delete("/"), api_service.http().get("/documents")]
    answers.append(browser.http.post("/api/v1/session", content=b"{"))
    answers.append(browser.http.get("/api/v1/offices?q=%00"))
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (answer.url, name)
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
        if "/static/" not in str(answer.url):
            assert "no-store" in answer.headers["cache-control"] or "private" in answer.headers["cache-control"]


def test_the_content_policy_lets_nothing_in_that_pages_do_not_need(api_service):
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    document, browser = api_service.standing("sealed"), api_service.browser(CLERK)
    for path in ("/", "/documents/new", f"/documents/{document['id']}", "/incoming", "/verify", "/login"):
        page = browser.http.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page), path


# -- secrets --


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What the service writes to its log, as it writes it."""
    said = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=said),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    yield said
    logging.getLogger().removeHandler(handler)
    structlog.configure(**before)


def test_no_secret_stands_in_the_log_in_the_database_or_in_an_answer_kept(api_service, log_lines, newcomer):
    service = api_service
    password, pin, wrong = service.logins[newcomer].password, service.pin(LEADER), "wrong-" + uuid4().hex
    token = enter(service, newcomer)
    refusal(lambda: enter(service, newcomer, wrong))
    browser = service.browser(LEADER)
    document = service.document("waiting_signature")
    fields = {"version": str(document["version"]), "pin": pin}
    refusal(lambda: service.person(LEADER).sign(document, wrong))
    signed = browser.post(f"/documents/{document['id']}/sign", fields)
    assert signed.status_code == 303
    document = service.person(CLERK).document(document["id"])
    document = service.person(CLERK).number(document, "qd")
    service.person(CLERK).seal(document, service.pin(CLERK))
    browser.http.get("/documents?secret=" + wrong)
    secrets = [password, pin, wrong, token, service.pin(CLERK), browser.http.cookies[COOKIE]]
    assert "/sign" in log_lines.getvalue()
    assert [secret for secret in secrets if secret in log_lines.getvalue()] == []
    everything = _everything_kept(service)
    assert [secret for secret in secrets if secret in everything] == []


def test_a_pin_is_no_part_of_what_identifies_a_request(api_service):
    """A digest of a short secret gives it away: another PIN under the same key is the same request."""
    leader, key = api_service.person(LEADER), uuid4().hex
    document = api_service.document("waiting_signature")
    first = leader.sign(document, api_service.pin(LEADER), key=key)
    assert leader.sign(document, "another one", key=key) == first
    document = api_service.document("waiting_signature")
    fields = {"version": str(document["version"]), "key": uuid4().hex}
    for pin in (api_service.pin(LEADER), "another one"):
        answer = api_service.browser(LEADER).post(f"/documents/{document['id']}/sign", {**fields, "pin": pin})
        assert answer.status_code == 303, answer.text


def test_only_digests_of_tokens_and_hashes_of_passwords_are_kept(api_service, newcomer):
    token = enter(api_service, newcomer)
    with api_service.parts.database.reader.connect() as connection:
        hashes = list(connection.scalars(select(t.accounts.c.password_hash)))
        digests = list(connection.scalars(select(t.sessions.c.token_sha256)))
    assert all(kept.startswith("$argon2id$") for kept in hashes)
    assert all(re.fullmatch("[0-9a-f]{64}", kept) for kept in digests)
    assert token not in _everything_kept(api_service)


def test_an_error_of_the_database_names_no_values(api_service):
    with pytest.raises(IntegrityError) as error, api_service.parts.write() as writing:
        writing.people.add_session("0" * 64, None, "H99.05", "hunter2", api_service.parts.now())  # type: ignore[arg-type]
    assert "NOT NULL" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_nobody_of_another_office_is_listed_with_the_people(api_service):
    people = api_service.person(OTHER_CLERK).people()
    assert {person["login"].split(".")[-1] for person in people} == {"cumgar"}
    assert all(set(person) == {"id", "login", "name", "title", "roles"} for person in people)
    assert api_service.account(ADMIN) not in {person["id"] for person in people}


def _everything_kept(service: ApiService) -> str:
    """All rows of every room as one text."""
    rows: list[Any] = []
    with service.parts.database.reader.connect() as connection:
        for metadata in (exchange_tables.metadata, t.metadata, keys_tables.metadata):
            for table in metadata.sorted_tables:
                rows += connection.execute(select(table)).all()
    values = (value for row in rows for value in row)
    return "\n".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in values)
