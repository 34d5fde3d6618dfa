"""Nobody reads or changes what is not their office's, and every act answers every role as the tables say."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from api.client import Congvan, Json, Refused
from exchange.rules.model import Role
from tests.fixtures.service import (
    ADMIN,
    AUDITOR,
    CLERK,
    COMMUNE,
    COMMUNE_CLERK,
    COMMUNE_LEADER,
    COMMUNE_OFFICER,
    DISTRICT,
    LEADER,
    OFFICER,
    OTHER_CLERK,
    ApiService,
    add_person,
    example,
    letter,
    refusal,
)

PUBLIC = {
    ("POST", "/api/v1/session"), ("POST", "/api/v1/oauth/token"), ("POST", "/api/v1/verify"),
    ("GET", "/api/v1/ledger/checkpoint"),
    ("GET", "/api/v1/ledger/checkpoints/{size}"), ("GET", "/api/v1/ledger/checkpoints/{size}/stamp"),
    ("GET", "/api/v1/ledger/consistency"), ("GET", "/api/v1/ledger/tile/{place:path}"),
    ("GET", "/api/v1/problems"), ("GET", "/api/v1/limits"), ("GET", "/api/v1/openapi.json"),
    ("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("POST", "/language"),
    ("GET", "/verify"), ("POST", "/verify"), ("POST", "/verify/report"),
    ("GET", "/verify/files/{file}/signatures/{n}"), ("GET", "/verify/files/{file}/signatures/{n}/file"),
    ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/vgca/source"), ("POST", "/vgca/upload"),
}  # fmt: skip
"""All that a visitor may call (exchange page §11.2, and the pages without an account)."""


def routes(service: ApiService) -> Iterator[tuple[str, str]]:
    """Every method and path pattern of the application, wherever it was included from."""
    for route in service.app.routes:
        contexts = getattr(route, "effective_route_contexts", None)
        for one in contexts() if contexts else [route]:
            for method in sorted((getattr(one, "methods", None) or set()) - {"HEAD"}):
                yield method, one.path


def filled(path: str, value: str) -> str:
    """A path pattern with its gaps filled; page numbers and files are numbers."""
    path = re.sub(r"\{(n|page)\}", "1", path)
    return re.sub(r"\{act\}", "submit", re.sub(r"\{(?!act)\w+\}", value, path))


def test_a_visitor_gets_nowhere_but_to_the_public_places(api_service):
    closed, seen = [], set()
    for method, path in routes(api_service):
        seen.add((method, path))
        if (method, path) in PUBLIC:
            continue
        answer = api_service.http().request(method, filled(path, "doc_none"), headers={"If-Match": '"1"'})
        if path.startswith("/api/"):
            closed.append(answer.status_code == 401 and answer.json()["code"] == "unauthenticated")
        else:
            closed.append(answer.status_code == 303 and answer.headers["location"].startswith("/login"))
        assert closed[-1], (method, path, answer.status_code, answer.text[:200])
    assert len(closed) > 40
    assert seen >= PUBLIC, "the list of public places names what is not there"


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --", "é" * 20, "x" * 8000])
def test_a_token_that_nobody_was_given_opens_nothing(api_service, token):
    for headers in ({"Authorization": f"Bearer {token}".encode()}, {"Cookie": f"congvan_session={token}".encode()}):
        answer = api_service.http().get("/api/v1/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_whoever_is_sent_to_log_in_comes_back_to_the_page_that_was_wanted(api_service):
    answer = api_service.http().get("/documents/doc_1")
    assert answer.headers["location"] == "/login?next=/documents/doc_1"


# -- objects of another office --


def calls(service: ApiService, kind: str, person: str) -> Iterator[tuple[str, str, Json | None]]:
    """Every call of the JSON API on one object of a kind, with a good body."""
    told = service.app.openapi()
    for path, methods in told["paths"].items():
        if not path.startswith(f"/api/v1/{kind}/{{"):
            continue
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            body = {**example(told, schema), **body_of(service, path, person)} if schema else None
            yield method.upper(), path, body


def body_of(service: ApiService, path: str, person: str) -> Json:
    act = path.rsplit("/", 1)[1]
    bodies: dict[str, Json] = {
        "number": {"series": "qd"},
        "sign": {"pin": "00000000"},
        "seal": {"pin": "00000000"},
        "return": {"reason": "Thử"},
        "cancel": {"reason": "Thử"},
        "refuse": {"reason": "Thử"},
        "issue": {"recipients": [{"office": COMMUNE}]},
        "register": {"sha256": "0" * 64},
        "assign": {"lead": service.account(person), "cooperating": [], "for_information": []},
    }
    return bodies.get(act, {})


def ask(who: Congvan, method: str, path: str, body: Json | None, *, version: int = 1) -> tuple[int, str]:
    """Status and code of an answer (code is empty for a success)."""
    more: Json = {} if body is None else {"json": body}
    headers = {"Idempotency-Key": uuid4().hex, "If-Match": f'"{version}"'}
    try:
        answer = who.request(method, path.removeprefix("/api/v1"), headers=headers, **more)
    except Refused as refused:
        return refused.status, refused.code
    return answer.status_code, ""


@pytest.mark.parametrize("state", ["draft", "waiting_signature", "sealed", "issued"])
def test_another_offices_document_is_as_good_as_none(api_service, state):
    document, stranger = api_service.standing(state), api_service.person(OTHER_CLERK)
    tried = 0
    for method, path, body in calls(api_service, "documents", OTHER_CLERK):
        theirs = ask(stranger, method, filled(path, document["id"]), body, version=document["version"])
        none = ask(stranger, method, filled(path, "doc_none"), body, version=document["version"])
        assert theirs == none == (404, "not-found"), (method, path)
        tried += 1
    assert tried >= 13


def test_another_offices_arrival_and_consignment_are_as_good_as_none(api_service):
    issued = api_service.standing("issued")
    delivery = api_service.arrival(issued)
    stranger = api_service.person(OTHER_CLERK)
    tried = 0
    for kind, id_ in (("deliveries", delivery["id"]), ("consignments", delivery["consignment"])):
        for method, path, body in calls(api_service, kind, OTHER_CLERK):
            theirs = ask(stranger, method, filled(path, id_), body)
            none = ask(stranger, method, filled(path, "dlv_none"), body)
            assert theirs == none == (404, "not-found"), (method, path)
            tried += 1
    assert tried >= 9


def test_the_sender_sees_a_recipients_state_and_may_do_nothing_with_it(api_service):
    delivery, sender = api_service.arrival(api_service.standing("issued")), api_service.person(CLERK)
    seen = sender.delivery(delivery["id"])
    assert seen["state"] == "consigned"
    assert "report" not in seen, "what the recipient found is its own"
    for method, path, body in calls(api_service, "deliveries", CLERK):
        if path == "/api/v1/deliveries/{delivery}":
            continue
        assert ask(sender, method, filled(path, delivery["id"]), body) == (404, "not-found"), path


def test_a_recipient_sees_neither_the_other_recipients_nor_the_senders_papers(api_service):
    issued, there = api_service.standing("issued"), api_service.person(COMMUNE_CLERK)
    delivery = there.delivery(api_service.arrival(issued)["id"])
    assert set(delivery["document"]) == {
        "id", "type", "subject", "signer", "urgency", "written", "date", "office", "kind", "copy_kind",
    }  # fmt: skip
    for path in ("", "/events", "/report", "/revisions/1/file"):
        assert ask(there, "GET", f"/documents/{issued['id']}{path}", None) == (404, "not-found")
    for path in ("", "/deliveries"):
        assert ask(there, "GET", f"/consignments/{delivery['consignment']}{path}", None) == (404, "not-found")


def test_lists_hold_only_ones_own(api_service):
    api_service.standing("issued")
    for login, office in ((CLERK, DISTRICT), (COMMUNE_CLERK, COMMUNE), (OTHER_CLERK, "H99.05.02")):
        person = api_service.person(login)
        assert {document["office"] for document in person.documents()} <= {office}
        assert {delivery["office"] for delivery in person.inbox()} <= {office}
        assert {delivery["sender"] for delivery in person._items("/deliveries?box=out")} <= {office}


def test_a_saved_list_of_another_office_names_nobody(api_service):
    group = api_service.person(CLERK).make_group("Các xã", [COMMUNE])
    assert group["id"] in {one["id"] for one in api_service.person(CLERK)._items("/groups")}
    stranger = api_service.person(OTHER_CLERK)
    assert group["id"] not in {one["id"] for one in stranger._items("/groups")}
    told = stranger.resolve([{"group": group["id"]}])["items"]
    assert [one["problem"]["code"] for one in told] == ["recipient-unknown"]


PAGES = ["", "/pages/1.png", "/file", "/evidence", "/signatures/1", "/signatures/1/file"]


@pytest.mark.parametrize("kind", ["documents", "deliveries"])
def test_the_pages_of_another_offices_things_are_as_good_as_none(api_service, kind):
    issued = api_service.standing("issued")
    id_ = issued["id"] if kind == "documents" else api_service.arrival(issued)["id"]
    browser = api_service.browser(OTHER_CLERK)
    acts = {
        "documents": [
            "submit",
            "sign",
            "return",
            "number",
            "seal",
            "cancel",
            "edit",
            "signers",
            "issue",
            "recipients",
        ],
        "deliveries": ["register", "refuse", "start", "complete"],
    }[kind]
    with api_service.nothing_left():
        for path in PAGES:
            theirs, none = (browser.http.get(f"/{kind}/{one}{path}") for one in (id_, "none"))
            assert (theirs.status_code, none.status_code) == (404, 404), path
            assert _said(theirs) == _said(none)
        for act in acts:
            fields = {"version": str(issued["version"]), "reason": "Thử", "series": "qd", "to": "under"}
            theirs, none = (browser.post(f"/{kind}/{one}/{act}", fields) for one in (id_, "none"))
            assert (theirs.status_code, none.status_code) == (404, 404), (act, theirs.text[:300])
            assert _said(theirs) == _said(none)


def _said(answer: Any) -> str:
    """What a page says, without the trace that every answer has of its own."""
    return re.sub(r"[0-9a-f]{32}", "", answer.text)


# -- every act, every role, every state --

Who = dict[str, str]
MAY_DOCUMENT: dict[str, dict[str, set[str]]] = {
    "edit": {"draft": {"author"}, "returned": {"author"}},
    "submit": {"draft": {"author"}},
    "sign": {"waiting_signature": {"signer"}},
    "return": {"waiting_signature": {"signer", "author"}, "signed": {"clerk"}, "numbered": {"clerk"}},
    "number": {"signed": {"clerk"}},
    "seal": {"numbered": {"clerk"}},
    "issue": {"sealed": {"clerk"}},
    "cancel": {
        "draft": {"author"}, "waiting_signature": {"author"}, "returned": {"author"},
        "signed": {"clerk"}, "numbered": {"clerk"}, "sealed": {"clerk"},
    },
}  # fmt: skip
"""Who may do what in which state: the table of the exchange page §3.2."""

MAY_DELIVERY: dict[str, dict[str, set[str]]] = {
    "register": {"consigned": {"clerk"}},
    "assign": {"registered": {"clerk", "leader"}},
    "start": {"registered": {"lead"}, "assigned": {"lead"}},
    "complete": {state: {"lead", "leader", "clerk"} for state in ("registered", "assigned", "processing")},
    "refuse": {state: {"clerk"} for state in ("consigned", "registered", "assigned", "processing")},
}
"""The same for arrivals: §5.2."""

ENDED = {"issued", "cancelled", "completed", "refused"}
POSSIBLE = (412, "state-changed")
"""What an act that may be done answers when asked for a version that nobody saw: it comes after every other check."""


def expected(table: dict[str, dict[str, set[str]]], act: str, state: str, who: str) -> tuple[int, str]:
    """What the table says to a person of the right office."""
    if state in ENDED:
        return 409, "already-final"
    here = table[act].get(state)
    if here is not None:
        return POSSIBLE if who in here else (403, "not-allowed")
    elsewhere = set().union(*table[act].values())
    return (409, "wrong-state") if who in elsewhere else (403, "not-allowed")


@pytest.fixture(scope="module")
def district(api_service: ApiService) -> Who:
    """Somebody of the district for every role, and for every place in its documents."""
    add_person(api_service, "chuyenvien2.huyen", DISTRICT, Role.OFFICER)
    add_person(api_service, "lanhdao2.huyen", DISTRICT, Role.LEADER)
    return {
        "author": OFFICER, "officer": "chuyenvien2.huyen", "clerk": CLERK, "signer": LEADER,
        "leader": "lanhdao2.huyen", "auditor": AUDITOR, "office_admin": ADMIN,
    }  # fmt: skip


@pytest.fixture(scope="module")
def commune(api_service: ApiService) -> Who:
    """The same for the commune that receives."""
    add_person(api_service, "chuyenvien2.xa", COMMUNE, Role.OFFICER)
    add_person(api_service, "giamsat.xa", COMMUNE, Role.AUDITOR)
    add_person(api_service, "quantri.xa", COMMUNE, Role.OFFICE_ADMIN)
    return {
        "lead": COMMUNE_OFFICER, "officer": "chuyenvien2.xa", "clerk": COMMUNE_CLERK, "leader": COMMUNE_LEADER,
        "auditor": "giamsat.xa", "office_admin": "quantri.xa",
    }  # fmt: skip


STATES = ["draft", "waiting_signature", "signed", "numbered", "sealed", "issued", "returned", "cancelled"]


@pytest.mark.parametrize("state", STATES)
def test_every_act_on_a_document_answers_every_role_as_the_table_says(api_service, district, state):
    document = api_service.standing(state)
    assert document["state"] == state
    seen, due = {}, {}
    with api_service.nothing_left():
        for who, login in district.items():
            for act in MAY_DOCUMENT:
                method, path = ("PATCH", "") if act == "edit" else ("POST", f"/{act}")
                body = body_of(api_service, path or "/edit", login)
                address = f"/documents/{document['id']}{path}"
                seen[who, act] = ask(api_service.person(login), method, address, body, version=999)
                due[who, act] = expected(MAY_DOCUMENT, act, state, who)
    assert seen == due


def test_while_it_waits_for_initials_only_the_one_who_initials_signs_or_with_the_others_named_sends_it_back(
    api_service, district
):
    head, named = "chanhvanphong.huyen", district | {"initials": "chanhvanphong.huyen"}
    signers = [(head, "initial"), (district["leader"], "sign"), (LEADER, "sign")]
    wish = [{"person": api_service.account(login), "part": part} for login, part in signers]
    document = api_service.person(OFFICER).submit(api_service.draft(), wish)
    for who, login in named.items():
        seen = {}
        for act in ("sign", "return"):
            address = f"/documents/{document['id']}/{act}"
            seen[act] = ask(
                api_service.person(login), "POST", address, body_of(api_service, address, login), version=999
            )
        later = (409, "not-your-turn") if who in ("signer", "leader") else (403, "not-allowed")
        assert seen["sign"] == (POSSIBLE if who == "initials" else later), who
        assert seen["return"] == (POSSIBLE if who in ("initials", "signer", "author") else (403, "not-allowed")), who


def test_every_act_on_an_arrival_answers_every_role_as_the_table_says(api_service, commune):
    clerk, lead = api_service.person(COMMUNE_CLERK), api_service.person(COMMUNE_OFFICER)
    delivery = clerk.delivery(api_service.arrival(api_service.document("issued"))["id"])
    _every_role(api_service, commune, delivery)
    delivery = clerk.register(delivery, delivery["file"]["sha256"])
    _every_role(api_service, commune, delivery)
    delivery = clerk.assign(delivery, api_service.account(COMMUNE_OFFICER))
    _every_role(api_service, commune, delivery)
    delivery = lead.start(delivery)
    _every_role(api_service, commune, delivery)
    delivery = lead.complete(delivery)
    _every_role(api_service, commune, delivery)


def test_every_act_on_a_refused_arrival_answers_that_it_has_ended(api_service, commune):
    clerk = api_service.person(COMMUNE_CLERK)
    arrived = clerk.delivery(api_service.arrival(api_service.document("issued"))["id"])
    _every_role(api_service, commune, clerk.refuse(arrived, "misdirected", "Thử"))


def _every_role(service: ApiService, people: Who, delivery: Json) -> None:
    seen, due, state = {}, {}, delivery["state"]
    with service.nothing_left():
        for who, login in people.items():
            place = "officer" if who == "lead" and state in ("consigned", "registered") else who
            for act in MAY_DELIVERY:
                address = f"/deliveries/{delivery['id']}/{act}"
                seen[who, act] = ask(
                    service.person(login), "POST", address, body_of(service, address, login), version=999
                )
                due[who, act] = expected(MAY_DELIVERY, act, state, place)
    assert seen == due, state


BEGIN: list[tuple[str, Callable[[ApiService, Congvan], Any], set[str]]] = [
    ("upload", lambda _, who: who.upload(letter(), "a.pdf"), {"author", "officer", "clerk"}),
    ("group", lambda _, who: who.make_group("Nhóm", [COMMUNE]), {"clerk", "office_admin"}),
    ("read", lambda service, who: who.document(service.standing("signed")["id"]), {"everybody"}),
    ("evidence", lambda service, who: who.evidence_pack(service.standing("issued")["id"]), {"everybody"}),
]


@pytest.mark.parametrize(("call", "may"), [row[1:] for row in BEGIN], ids=[row[0] for row in BEGIN])
def test_what_needs_no_state_is_open_to_these_roles_alone(api_service, district, call, may):
    for who, login in district.items():
        if may & {who, "everybody"}:
            call(api_service, api_service.person(login))
            continue
        with api_service.nothing_left():
            refused = refusal(lambda login=login: call(api_service, api_service.person(login)))
        assert (refused.code, refused.status) == ("not-allowed", 403), who
        assert re.search("officer|clerk", refused.problem["detail"])


def test_only_authors_draft(api_service, district):
    upload = api_service.person(OFFICER).upload(letter(), "a.pdf")
    for who in ("signer", "leader", "auditor", "office_admin"):
        person = api_service.person(district[who])
        with api_service.nothing_left():
            refused = refusal(lambda p=person: p.draft(upload["id"], signer=api_service.account(LEADER), subject="x"))
        assert (refused.code, refused.status) == ("not-allowed", 403)


def test_a_look_by_an_auditor_leaves_no_trace_a_look_by_a_clerk_does(api_service, commune):
    arrived = api_service.arrival(api_service.standing("issued"))
    auditor = api_service.browser(commune["auditor"])
    before = api_service.kept().rows["exchange_events"]
    assert auditor.http.get(f"/deliveries/{arrived['id']}").status_code == 200
    assert api_service.person(commune["auditor"]).open(arrived)["opened_at"] is None
    assert api_service.kept().rows["exchange_events"] == before
    assert api_service.person(COMMUNE_CLERK).open(arrived)["opened_at"] is not None
    assert api_service.kept().rows["exchange_events"] == before + 1
    with api_service.nothing_left():
        api_service.person(COMMUNE_CLERK).open(arrived)


@pytest.fixture(scope="module")
def registered(api_service: ApiService) -> Json:
    """An arrival that the commune has registered and given to nobody."""
    clerk = api_service.person(COMMUNE_CLERK)
    arrived = clerk.delivery(api_service.arrival(api_service.document("issued"))["id"])
    return clerk.register(arrived, arrived["file"]["sha256"])


def test_somebody_of_another_office_cannot_be_put_in_charge(api_service, registered):
    with api_service.nothing_left():
        refused = refusal(lambda: api_service.person(COMMUNE_CLERK).assign(registered, api_service.account(OFFICER)))
    assert (refused.code, refused.status) == ("person-unknown", 422)


def test_an_auditor_who_was_put_in_charge_still_moves_nothing(api_service, commune, registered):
    assigned = api_service.person(COMMUNE_CLERK).assign(registered, api_service.account(commune["auditor"]))
    auditor = api_service.person(commune["auditor"])
    with api_service.nothing_left():
        for act in ("start", "complete"):
            answer = ask(auditor, "POST", f"/deliveries/{assigned['id']}/{act}", None, version=assigned["version"])
            assert answer == (403, "not-allowed")


def test_who_is_no_party_sets_nothing_off_by_asking_for_evidence(api_service):
    """Events that wait for their place in the ledger would get it, were the asker a party."""
    document = api_service.draft()
    stranger, browser = api_service.person(OTHER_CLERK), api_service.browser(OTHER_CLERK)
    with api_service.nothing_left():
        with pytest.raises(Refused) as refused:
            stranger.evidence_pack(document["id"])
        assert refused.value.code == "not-found"
        assert browser.http.get(f"/documents/{document['id']}/evidence").status_code == 404
