"""Requests that are out of shape: never a crash, always a problem with a code, nothing left behind."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from api.client import Json
from tests.fixtures.service import (
    CLERK,
    COMMUNE,
    COMMUNE_CLERK,
    LEADER,
    OFFICER,
    ApiService,
    at_once,
    example,
    letter,
    refusal,
)

HERE = "/api/v1"


def send(service: ApiService, method: str, path: str, *, who: str = CLERK, **more: Any) -> Any:
    """A request as somebody's program might send it, with whatever headers the test says."""
    headers = {"Authorization": f"Bearer {service.person(who).token}", **more.pop("headers", {})}
    address = path if path.startswith(HERE) else HERE + path
    return service.http().request(method, address, headers=headers, **more)


def keyed(**more: str) -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json", **more}


def is_problem(answer: Any, code: str | None = None, status: int | None = None) -> bool:
    """Whether an answer is a problem document (of that code and status)."""
    assert answer.status_code < 500, answer.text
    told = answer.json()
    return (
        answer.headers["content-type"] == "application/problem+json"
        and told["status"] == answer.status_code
        and (code is None or told["code"] == code)
        and (status is None or answer.status_code == status)
    )


# -- bodies --

GARBAGE = {
    "cut": b'{"name":', "no object": b"[]", "null": b"null", "a word": b'"name"', "empty": b"", "no utf-8": b"\xff",
    "deep": b"[" * 100_000, "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "long number": b'{"size":' + b"9" * 5000 + b"}", "not a number": b'{"size":NaN}', "twice": b"{}{}",
    "zip": b"PK\x03\x04" + bytes(200),
}  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("path", ["/uploads", "/documents", "/groups", "/session", "/recipients/resolve"])
def test_what_is_no_json_is_malformed(api_service, path, garbage):
    with api_service.nothing_left():
        answer = send(api_service, "POST", path, content=garbage, headers=keyed())
        assert is_problem(answer, "malformed", 400)


@pytest.mark.parametrize("path", ["/uploads", "/session", "/groups"])
def test_more_words_than_anybody_needs_are_refused_unread(api_service, path):
    body = json.dumps({"name": "x" * (6 << 20)}).encode()
    with api_service.nothing_left():
        assert is_problem(send(api_service, "POST", path, content=body, headers=keyed()), "body-too-large", 413)
    pieces = (body[at : at + 65536] for at in range(0, len(body), 65536))
    with api_service.nothing_left():
        answer = send(api_service, "POST", path, content=pieces, headers=keyed())
        assert is_problem(answer, "body-too-large", 413), "a length that nobody announced is counted"


@pytest.mark.parametrize("length", ["-5", "x", "9" * 30])
def test_a_length_that_is_none_is_refused(api_service, length):
    answer = send(api_service, "POST", "/uploads", content=b"{}", headers=keyed(**{"Content-Length": length}))
    assert is_problem(answer)


def test_unknown_fields_are_ignored(api_service):
    told = {"name": "a.pdf", "size": 5, "sha256": "0" * 64, "colour": "red", "owner": {"id": 1}}
    assert send(api_service, "POST", "/uploads", json=told, headers=keyed()).status_code == 201


WRONG_TYPES = [
    ("/uploads", {"name": 5, "size": 1, "sha256": "0" * 64}),
    ("/uploads", {"name": "a.pdf", "size": "many", "sha256": "0" * 64}),
    ("/uploads", {"name": "a.pdf", "size": -1, "sha256": "0" * 64}),
    ("/uploads", {"name": "a.pdf", "size": 2**60, "sha256": "0" * 64}),
    ("/uploads", {"name": "a.pdf", "size": 1.5, "sha256": "0" * 64}),
    ("/uploads", {"name": "a.pdf", "size": 1, "sha256": "Z" * 64}),
    ("/uploads", {"name": "a.pdf", "size": 1, "sha256": "0" * 64 + "\n"}),
    ("/uploads", {"name": "a.pdf", "size": 1, "sha256": "0" * 64, "media_type": None}),
    ("/documents", {"upload": "upl_x"}),
    ("/documents", {"upload": "upl_x", "signer": ["p_1"]}),
    ("/documents", {"upload": "upl_x", "signer": "p_1", "urgency": "at once"}),
    ("/documents", {"upload": "upl_x", "signer": "p_1", "secrecy": "no"}),
    ("/documents", {"upload": "upl_x", "signer": "p_1", "type": ""}),
    ("/documents", {"upload": "upl_x", "signer": "p_1", "type": "x" * 65}),
    ("/documents", {"upload": "upl_x", "signer": "p_1", "places": "here"}),
    ("/documents", {"upload": "upl_x", "signer": "p_1", "places": {"number": {"page": 2**60, "box": [0, 0, 1, 1]}}}),
    ("/groups", {"name": "", "members": []}),
    ("/groups", {"name": "x", "members": "all"}),
    ("/groups", {"name": "x" * 201, "members": []}),
    ("/groups", {"name": "x", "members": ["a"] * 5001}),
    ("/recipients/resolve", {"recipients": "all"}),
    ("/recipients/resolve", {"recipients": [{"under": COMMUNE, "depth": 0}]}),
    ("/recipients/resolve", {"recipients": [{"under": COMMUNE, "depth": "deep"}]}),
    ("/session", {"login": "x" * 129, "password": "y"}),
    ("/session", {"login": None, "password": "y"}),
]


@pytest.mark.parametrize(("path", "body"), WRONG_TYPES, ids=lambda v: str(v)[:40])
def test_values_of_a_wrong_type_are_malformed(api_service, path, body):
    with api_service.nothing_left():
        assert is_problem(send(api_service, "POST", path, json=body, headers=keyed()), "malformed", 400)


def test_the_sentence_of_a_malformed_request_names_the_field_in_the_readers_language(api_service):
    for language, words in (("vi", "không đúng định dạng"), ("en", "malformed")):
        headers = keyed(**{"Accept-Language": language})
        told = send(api_service, "POST", "/uploads", json={"name": "a.pdf", "size": "x"}, headers=headers).json()
        assert words in told["detail"]
        assert "size" in told["detail"]


# -- every string of every call --

STRANGE = [
    "\x00",
    "a\x00b",
    "\ud800",
    "x" * 100_000,
    "\u202e",
    "{0}",
    "%00",
    "' OR 1=1 --",
    "\U0001f600" * 70,
    "../..",
    "",
]


def test_no_text_in_any_field_of_any_call_brings_the_service_down(api_service):
    """Every leaf of every body that the OpenAPI description names, replaced by each strange text in turn."""
    told, tried = api_service.app.openapi(), 0
    for method, path, body in _calls(told):
        for strange in STRANGE if path != f"{HERE}/session" else STRANGE[:3]:
            for changed in _replaced(body, strange):
                content = json.dumps(changed).encode()
                headers = keyed(**{"If-Match": '"99"'})
                answer = send(api_service, method, _address(path, "doc_none"), content=content, headers=headers)
                assert answer.status_code < 500, (method, path, changed, answer.text)
                if "\x00" in strange or "\ud800" in strange:
                    assert answer.status_code in (400, 422), (method, path, str(changed)[:200], answer.text)
                tried += 1
    assert tried > 300


@pytest.mark.parametrize(
    "strange", ["%00", "doc_%00", "x" * 5000, "%ff%fe", "..%2f..%2fetc", "%F0%9F%98%80", "' OR 1=1"]
)
def test_no_address_brings_the_service_down(api_service, strange):
    paths = [path for path in api_service.app.openapi()["paths"] if "{" in path]
    pages = ["/documents/{d}", "/documents/{d}/pages/{n}.png", "/documents/{d}/file", "/deliveries/{d}", "/static/{f}"]
    assert len(paths) > 10
    for path in [*paths, *pages]:
        for method in ("GET", "POST", "PATCH", "DELETE"):
            answer = api_service.browser(CLERK).http.request(
                method, _address(path, strange), headers={"Authorization": f"Bearer {api_service.person(CLERK).token}"}
            )
            assert answer.status_code < 500, (method, path, answer.text)
            assert answer.status_code >= 400, (method, path)


@pytest.mark.parametrize(
    "query",
    [
        "/offices?q=%00", "/offices?under=%00", "/offices?q=" + "x" * 5000, "/people?role=king", "/people?role=%00",
        "/documents?state=lost", "/documents?limit=0", "/documents?limit=501", "/documents?limit=x",
        "/documents?after=x", "/documents?after=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjU5IiwieCJd",
        "/documents?after=%00", "/documents?after=W10=", "/documents?after=eyJhIjoxfQ==",
        "/documents?after=%F0%9F%98%80",
        "/documents?after=WyIyMDI2LTAxLTAxIiwiZG9jX1x1MDAwMCJd",
        "/documents?after=WzEsMl0=", "/documents?after=WyIyMDI2LTAxLTAxIiwxXQ==", "/deliveries?box=side",
        "/deliveries?after=WyIyMDI2LTAxLTAxIiwieCJd", "/deliveries?state=%00",
    ],
)  # fmt: skip
def test_no_query_brings_the_service_down(api_service, query):
    answer = send(api_service, "GET", query)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert is_problem(answer)


FORMS = {
    "/login": ["login", "next"], "/language": ["language", "back"], "/logout": [], "/verify": ["file"],
    "/verify/report": ["report", "seal", "form", "name"],
    "/documents/new": ["signer", "type", "subject", "urgency", "secrecy", "not_classified", "file"],
    "/documents/{draft}/edit": ["subject", "type", "signer", "version"],
    "/documents/{draft}/places": ["number_left", "number_page", "date_bottom", "seal_width"],
    "/documents/{draft}/submit": ["version"], "/documents/{draft}/cancel": ["reason"],
    "/documents/{signed}/number": ["series", "date"], "/documents/{sealed}/issue": ["to", "chosen", "except", "due"],
    "/documents/{sealed}/recipients": ["to", "chosen", "except"], "/documents/{numbered}/seal": ["pin"],
    "/deliveries/dlv_none/register": ["sha256", "incoming_date"], "/deliveries/dlv_none/assign": ["lead", "due"],
    "/documents/{draft}/nothing": ["x"],
}  # fmt: skip
FORM_TEXTS = ["\x00", "", "x" * 20_000, "1e999", "-1", "٣", "2026-02-30", "\U0001f600" * 70, "{0}", "\r\nA: b"]


@pytest.mark.parametrize("path", FORMS)
def test_no_form_brings_the_service_down(api_service, path):
    address, person = _standing_address(api_service, path), CLERK if "{" not in path or "draft" not in path else OFFICER
    before = api_service.kept().rows["exchange_events"]
    for field in FORMS[path]:
        for text in FORM_TEXTS if path != "/login" else FORM_TEXTS[:1]:
            version = {} if field == "version" else {"version": "999"}
            for more in ({"data": {field: text}}, {"files": {field: (text[:100], b"x")}}):
                browser = api_service.browser(person)
                data = {"csrf": browser.csrf, "key": uuid4().hex, **version, **more.pop("data", {})}
                answer = browser.http.post(address, data=data, **more)
                assert answer.status_code < 500, (path, field, text[:40], answer.text[:600])
    assert api_service.kept().rows["exchange_events"] == before, "none of these says anything that could be done"


def test_a_cookie_written_by_hand_says_nothing_on_a_page(api_service):
    browser = api_service.browser(CLERK)
    for told in ("draft", "number|written=1", "number|language=x", "number|key=x", "x", "number", "issue|count"):
        browser.http.cookies.set("congvan_done", told)
        assert browser.http.get("/documents").status_code == 200, told


# -- the version that was seen --


@pytest.fixture(scope="module")
def draft(api_service: ApiService) -> Json:
    return api_service.draft()


def test_a_move_needs_the_version_that_was_seen(api_service, draft):
    with api_service.nothing_left():
        answer = send(api_service, "POST", f"/documents/{draft['id']}/submit", who=OFFICER, headers=keyed())
        assert is_problem(answer, "precondition-required", 428)


@pytest.mark.parametrize("word", ["*", '"x"', "-1", "1.5", '"9999999999"', "", '"1", "2"', "²"])
def test_a_version_that_is_none_is_malformed(api_service, draft, word):
    with api_service.nothing_left():
        headers = keyed(**{"If-Match": word.encode("latin-1")})
        answer = send(api_service, "POST", f"/documents/{draft['id']}/submit", who=OFFICER, headers=headers)
        assert is_problem(answer, "malformed", 400)


def test_an_old_version_is_refused_with_the_state_that_is_there_now(api_service):
    officer, before = api_service.person(OFFICER), api_service.draft()
    after = officer.submit(before)
    with api_service.nothing_left():
        refused = refusal(lambda: officer.give_back(before, "Thử"))
        assert (refused.code, refused.status, refused.problem["state"]) == ("state-changed", 412, "waiting_signature")
        page = api_service.browser(OFFICER).post(
            f"/documents/{before['id']}/return", {"version": str(before["version"]), "reason": "Thử"}
        )
        assert (page.status_code, 'data-code="state-changed"' in page.text) == (412, True)
    assert officer.document(before["id"])["version"] == after["version"]


# -- one key, one answer --


def test_what_acts_needs_a_key(api_service, draft):
    for method, path, body in _calls(api_service.app.openapi()):
        if "/documents" not in path and "/deliveries" not in path and path not in (f"{HERE}/uploads", f"{HERE}/groups"):
            continue
        if path.endswith("/open"):
            continue  # a fact that happens once, however often it is told
        with api_service.nothing_left():
            headers = {"If-Match": '"1"', "Content-Type": "application/json"}
            answer = send(api_service, method, _address(path, draft["id"]), json=body, headers=headers)
            assert is_problem(answer, "idempotency-key-missing", 400), (method, path, answer.text)


@pytest.mark.parametrize("key", ["", "x" * 65, "a b", "é", "a\tb"])
def test_a_key_that_is_none_is_malformed(api_service, key):
    told = {"name": "a.pdf", "size": 5, "sha256": "0" * 64}
    with api_service.nothing_left():
        headers = keyed(**{"Idempotency-Key": key.encode("latin-1")})
        assert is_problem(send(api_service, "POST", "/uploads", json=told, headers=headers), "malformed", 400)


def test_a_repeat_gets_the_same_answer_and_does_nothing(api_service):
    officer, key = api_service.person(OFFICER), uuid4().hex
    document = api_service.draft()
    first = officer.submit(document, key=key)
    with api_service.nothing_left():
        headers = keyed(**{"Idempotency-Key": key, "If-Match": f'"{document["version"]}"'})
        again = send(api_service, "POST", f"/documents/{document['id']}/submit", who=OFFICER, headers=headers)
        assert again.json() == first
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["etag"] == f'"{first["version"]}"'


def test_every_act_can_be_repeated_after_a_lost_answer(api_service):
    """The key is looked at before the version: the repeat still names the version that the first one saw."""
    officer, leader, clerk = (api_service.person(who) for who in (OFFICER, LEADER, CLERK))
    upload = officer.upload(letter(), "thu.pdf", key="up-" + uuid4().hex)

    def twice(act: Any) -> Json:
        key = uuid4().hex
        first = act(key)
        with api_service.nothing_left():
            assert act(key) == first
        return first

    account = api_service.account(LEADER)
    document = twice(lambda key: officer.draft(upload["id"], signer=account, subject="Thử", key=key))
    document = twice(lambda key, d=document: officer.edit(d, key, subject="Thử lại"))
    document = twice(lambda key, d=document: officer.submit(d, key=key))
    document = twice(lambda key, d=document: leader.sign(d, api_service.pin(LEADER), key=key))
    document = twice(lambda key, d=document: clerk.number(d, "qd", key=key))
    document = twice(lambda key, d=document: clerk.seal(d, api_service.pin(CLERK), key=key))
    twice(lambda key, d=document: clerk.issue(d, [{"office": COMMUNE}], key=key))
    delivery, there = api_service.arrival(document), api_service.person(COMMUNE_CLERK)
    seen = there.delivery(delivery["id"])
    delivery = twice(lambda key: there.register(seen, seen["file"]["sha256"], key=key))
    lead = api_service.account(COMMUNE_CLERK)
    delivery = twice(lambda key, d=delivery: there.assign(d, lead, key=key))
    delivery = twice(lambda key, d=delivery: there.start(d, key=key))
    twice(lambda key, d=delivery: there.complete(d, key=key))


def test_a_key_used_for_something_else_is_refused(api_service):
    officer, key = api_service.person(OFFICER), uuid4().hex
    officer.upload(letter(), "a.pdf", key=key)
    for language, words in (("vi", "Khóa chống lặp"), ("en", "idempotency key")):
        with api_service.nothing_left():
            person = api_service.person(OFFICER, language)
            refused = refusal(lambda person=person: person.upload(letter(), "b.pdf", key=key))
        assert (refused.code, refused.status) == ("idempotency-key-reused", 422)
        assert words in refused.problem["detail"]


def test_a_refusal_is_not_remembered_the_mended_request_passes_with_the_same_key(api_service):
    officer, key, document = api_service.person(OFFICER), uuid4().hex, api_service.document("waiting_signature")
    assert refusal(lambda: officer.give_back(document, "", key=key)).code == "reason-required"
    assert officer.give_back(document, "Thử", key=key)["state"] == "returned"


def test_equal_keys_of_two_people_are_two_keys(api_service):
    key = uuid4().hex
    one, other = (api_service.person(who).upload(letter(), "a.pdf", key=key) for who in (OFFICER, CLERK))
    assert one["id"] != other["id"]


def test_the_same_request_many_times_at_once_makes_one_draft(api_service):
    officer, key = api_service.person(OFFICER), uuid4().hex
    upload, signer = officer.upload(letter(), "a.pdf"), api_service.account(LEADER)
    before = api_service.kept().rows["exchange_documents"]
    done = at_once(*[lambda: officer.draft(upload["id"], signer=signer, subject="Thử", key=key)] * 6)
    assert len({json.dumps(one, sort_keys=True) for one in done}) == 1, done
    assert api_service.kept().rows["exchange_documents"] == before + 1


def test_a_double_click_on_a_form_is_one_act(api_service):
    document = api_service.draft()
    fields = {"version": str(document["version"]), "key": uuid4().hex}
    answers = [api_service.browser(OFFICER).post(f"/documents/{document['id']}/submit", fields) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert api_service.person(OFFICER).document(document["id"])["version"] == document["version"] + 1


# -- from the OpenAPI description to requests --


def _calls(told: Json) -> Iterator[tuple[str, str, Json]]:
    """Every call that changes something, with a body that has every field of its description."""
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            if method in ("post", "patch", "put") and (schema or not content) and "/uploads/{" not in path:
                yield method.upper(), path, example(told, schema) if schema else {}


def _replaced(body: Any, strange: str) -> Iterator[Any]:
    """The body with one text after the other replaced."""
    if isinstance(body, str):
        yield strange
    elif isinstance(body, dict):
        for name, value in body.items():
            for changed in _replaced(value, strange):
                yield {**body, name: changed}
    elif isinstance(body, list):
        for at, value in enumerate(body):
            for changed in _replaced(value, strange):
                yield [*body[:at], changed, *body[at + 1 :]]


def _address(path: str, value: str) -> str:
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        path = path[:start] + value + path[end + 1 :]
    return path


def _standing_address(service: ApiService, path: str) -> str:
    if "{" not in path:
        return path
    state = path[path.index("{") + 1 : path.index("}")]
    return _address(path, service.standing(state)["id"])
