"""One PIN for many documents: each is an act of its own, and says for itself how it went."""

import json
import re
from uuid import uuid4

import pytest

from tests.fixtures.letters import draw_letter
from tests.fixtures.service import ADMIN, AUDITOR, CLERK, COMMUNE, LEADER, OFFICER, ApiService, at_once, refusal

HEAD = "chanhvanphong.huyen"


def waiting(service: ApiService, count: int):
    return [service.document("waiting_signature") for _ in range(count)]


def run(service: ApiService, login: str, act: str, documents, pin: str | None = None, **more):
    return list(service.person(login).batch(act, documents, pin or service.pin(login), **more))


@pytest.fixture(scope="module")
def outcome(api_service):
    """A batch of four: two that wait for the leader, one that was cancelled meanwhile, one of another office."""
    good = waiting(api_service, 2)
    gone = api_service.document("waiting_signature")
    api_service.person(OFFICER).cancel(gone, "Thử")
    strange = api_service.document("waiting_signature", office="cudliemnong")
    documents = [good[0], gone, strange, good[1]]
    return documents, run(api_service, LEADER, "sign", documents, key="lo-1")


def test_each_document_has_its_own_result_and_one_that_fails_does_not_stop_the_rest(outcome):
    documents, lines = outcome
    assert [(line["n"], line["document"], line["status"], line["state"]) for line in lines[:-1]] == [
        (0, documents[0]["id"], 200, "signed"),
        (1, documents[1]["id"], 409, None),
        (2, documents[2]["id"], 404, None),
        (3, documents[3]["id"], 200, "signed"),
    ]
    assert [line["problem"] and line["problem"]["code"] for line in lines[:-1]] == [
        None, "already-final", "not-found", None,
    ]  # fmt: skip
    assert lines[-1] == {"finished": True, "done": 2, "failed": 2}


def test_what_was_signed_is_signed_and_what_failed_is_as_it_was(api_service, outcome):
    documents, _ = outcome
    states = [api_service.person(CLERK).document(documents[n]["id"])["state"] for n in (0, 1, 3)]
    assert states == ["signed", "cancelled", "signed"]
    theirs = api_service.person("vanthu.cudliemnong").document(documents[2]["id"])
    assert (theirs["state"], theirs["version"]) == ("waiting_signature", documents[2]["version"])


def test_the_same_batch_again_gives_the_same_answers_and_signs_nothing_twice(api_service, outcome):
    documents, lines = outcome
    with api_service.nothing_left():
        assert run(api_service, LEADER, "sign", documents, key="lo-1") == lines


def test_a_clerk_seals_many_with_one_pin(api_service):
    numbered = [api_service.document("numbered") for _ in range(2)]
    lines = run(api_service, CLERK, "seal", numbered)
    assert [line["state"] for line in lines[:-1]] == ["sealed", "sealed"]
    report = api_service.person(CLERK).report(numbered[0]["id"])
    assert (report["verdict"], report["two_signatures"]) == ("valid", "complete")


def test_a_wrong_pin_refuses_the_whole_before_anything_and_counts_as_one_try(api_service):
    documents = waiting(api_service, 2)
    with api_service.nothing_left():
        refused = refusal(lambda: run(api_service, LEADER, "sign", documents, "00000000"))
    assert (refused.code, refused.status) == ("pin-wrong", 422)
    assert run(api_service, LEADER, "sign", documents)[-1]["done"] == 2


@pytest.mark.parametrize(
    ("login", "act", "code"),
    [
        (OFFICER, "seal", "not-allowed"),
        (LEADER, "seal", "not-allowed"),
        (AUDITOR, "sign", "not-allowed"),
        (ADMIN, "seal", "not-allowed"),
        (OFFICER, "sign", "certificate-missing"),
        (CLERK, "sign", "certificate-missing"),
    ],
)
def test_who_may_not_or_has_no_key_begins_no_batch(api_service, login, act, code):
    documents = [api_service.standing("waiting_signature")]
    with api_service.nothing_left():
        assert refusal(lambda: run(api_service, login, act, documents, "00000000")).code == code


def test_a_document_named_twice_and_an_empty_batch_are_malformed(api_service):
    document = api_service.standing("waiting_signature")
    for documents in ([document, document], []):
        assert refusal(lambda d=documents: run(api_service, LEADER, "sign", d)).code == "malformed"


def test_two_batches_at_once_sign_each_document_once(api_service):
    documents = waiting(api_service, 2)
    both = at_once(*(lambda: run(api_service, LEADER, "sign", documents) for _ in range(2)))
    assert sum(lines[-1]["done"] for lines in both) == 2
    for document in documents:
        events = [e["type"] for e in api_service.person(CLERK).events(document["id"])]
        assert events.count("document.signed") == 1


def test_with_the_time_authority_away_every_signature_is_kept_and_said(api_service):
    documents = waiting(api_service, 2)
    api_service.authority.stop()
    try:
        lines = run(api_service, LEADER, "sign", documents)
    finally:
        api_service.authority.start()
    assert [line["status"] for line in lines[:-1]] == [202, 202]
    assert all(api_service.person(CLERK).document(d["id"])["pending_signature"] for d in documents)


def test_what_waits_for_me_is_what_is_my_turn(api_service):
    wish = [
        {"person": api_service.account(login), "part": part} for login, part in ((HEAD, "initial"), (LEADER, "sign"))
    ]
    document = api_service.person(OFFICER).submit(api_service.draft(draw_letter()), wish)
    assert document["id"] in {one["id"] for one in api_service.person(HEAD).waiting()}
    assert document["id"] not in {one["id"] for one in api_service.person(LEADER).waiting()}
    assert run(api_service, HEAD, "sign", [document])[0]["state"] == "waiting_signature"
    assert document["id"] in {one["id"] for one in api_service.person(LEADER).waiting()}


def test_the_page_offers_what_waits_and_shows_every_result_with_and_without_script(api_service):
    documents = waiting(api_service, 2)
    browser = api_service.browser(LEADER)
    shown = browser.http.get("/documents/batch/sign").text
    boxes = [f"{d['id']}:{d['version']}" for d in documents]
    assert all(f'value="{box}"' in shown for box in boxes)
    fields = {"document": [boxes[0], "doc_none:1"], "pin": api_service.pin(LEADER)}
    answer = browser.post("/documents/batch/sign", fields)
    assert re.search(r"1 văn bản xong, 1 văn bản không được", answer.text)
    assert 'data-status="200"' in answer.text
    assert "(not-found)" in answer.text
    streamed = browser.post(
        "/documents/batch/sign", {"document": [boxes[1]], "pin": api_service.pin(LEADER)},
        headers={"Accept": "application/x-ndjson"},
    )  # fmt: skip
    lines = [json.loads(line) for line in streamed.text.splitlines()]
    assert (lines[0]["said"], lines[1]["done"]) == ("Lãnh đạo đã ký, chờ cấp số", 1)
    refused = browser.post("/documents/batch/sign", {"document": [boxes[1]], "pin": "00000000"})
    assert (refused.status_code, "pin-wrong" in refused.text) == (422, True)
    assert browser.http.get("/documents/batch/burn").status_code == 404
    assert browser.post("/documents/batch/burn", {"document": boxes}).status_code == 404


def test_a_key_that_cannot_be_is_refused_before_anything_is_signed(api_service):
    document = api_service.standing("waiting_signature")
    for key in (uuid4().hex * 3, "á"):
        with api_service.nothing_left():
            answer = api_service.person(LEADER)._http.post(
                "/api/v1/batches",
                json={"act": "sign", "pin": "00000000", "documents": [{"id": document["id"], "version": 1}]},
                headers={
                    "Idempotency-Key": key.encode("utf-8"),
                    "Authorization": f"Bearer {api_service.person(LEADER).token}",
                },
            )
        assert answer.json()["code"] == "malformed", COMMUNE
