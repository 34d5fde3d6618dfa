"""Programs act for offices by OAuth client credentials: with what they were given, as long as they were given it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from api import clients
from api.client import Congvan, Json
from api.scopes import ROUTES, SCOPES
from api.wiring import Parts
from tests.api.test_isolation import PUBLIC, routes
from tests.fixtures.service import CLERK, COMMUNE, DISTRICT, OTHER, ApiService, at_once, letter, refusal

URL = "/api/v1/oauth/token"
ALL = tuple(SCOPES)


@pytest.fixture(scope="module")
def program(api_service: ApiService) -> tuple[str, str]:
    """Name and secret of a program of the district that may do everything a program may."""
    client, secret = clients.new_client(api_service.parts, f"DMS {uuid4().hex}", [DISTRICT], ALL)
    assert secret is not None
    return client.id, secret


@pytest.fixture
def token(api_service: ApiService, program: tuple[str, str]) -> str:
    return str(ask(api_service, basic=program).json()["access_token"])


def ask(service: ApiService, *, basic: tuple[str, str] | None = None, **form: str):
    headers = {}
    if basic:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
    return service.http().post(URL, data={"grant_type": "client_credentials", **form}, headers=headers)


def acting(service: ApiService, token: str, office: str | None = None) -> Congvan:
    return Congvan(service.http(headers={"Congvan-Office": office} if office else {}), token=token)


def new(service: ApiService, offices: tuple[str, ...], *scopes: str) -> Congvan:
    """A fresh program's client, with a token."""
    client, secret = clients.new_client(service.parts, f"P {uuid4().hex}", offices, scopes)
    return acting(service, ask(service, basic=(client.id, str(secret))).json()["access_token"])


# -- the road --


def test_a_program_drafts_and_hands_in_numbers_issues_and_another_takes_the_arrival_on(
    api_service: ApiService, token: str
):
    dms, leader = acting(api_service, token), "lanhdao.huyen"
    upload = dms.upload(letter(), "thu.pdf")
    document = dms.draft(upload["id"], signer=api_service.account(leader), subject="Từ phần mềm quản lý")
    document = dms.submit(document)
    document = api_service.person(leader).sign(document, api_service.pin(leader))
    document = dms.number(document, "qd")
    document = api_service.person(CLERK).seal(document, api_service.pin(CLERK))
    sent = dms.issue(document, [{"office": COMMUNE}])
    theirs = new(api_service, (COMMUNE,), "inbox:read", "inbox:act")
    arrival = theirs.delivery(sent["deliveries"][0]["id"])
    assert theirs.register(arrival, arrival["file"]["sha256"])["state"] == "registered"
    told = [event["type"] for event in dms.events(document["id"])]
    assert told[:2] == ["document.drafted", "document.submitted_for_signature"]
    event = json.loads(dms.event(dms.events(document["id"])[0]["id"]))
    assert event["actor"]["role"] == "client"
    assert event["actor"]["client"] == event["actor"]["id"] == dms.me()["id"]


def test_what_a_program_may_not_do_stays_with_people(api_service: ApiService, token: str):
    dms = acting(api_service, token)
    document = api_service.document("waiting_signature")
    assert refusal(lambda: dms.sign(document, "12345678")).code == "people-only"
    assert refusal(lambda: dms.seal(api_service.document("numbered"), "12345678")).code == "people-only"
    draft = api_service.draft()
    assert refusal(lambda: dms.submit(draft)).code == "not-allowed"
    assert api_service.person(CLERK).document(draft["id"])["version"] == draft["version"]


# -- scopes --


def test_every_route_is_public_for_people_only_or_under_one_scope(api_service: ApiService):
    known = {(method, path) for method, path in routes(api_service) if path.startswith("/api/v1/")}
    named = {(method, f"/api/v1{path}") for method, path in ROUTES}
    assert named <= known
    assert not named & PUBLIC


def test_without_its_scope_a_route_is_closed_and_with_it_open(api_service: ApiService):
    bare = new(api_service, (DISTRICT,), "directory:read")
    assert refusal(bare.documents).code == "scope-missing"
    assert refusal(bare.feed).code == "scope-missing"
    assert refusal(lambda: bare.upload(letter(), "x.pdf")).code == "scope-missing"
    assert bare.offices()
    assert new(api_service, (DISTRICT,), "events:read").feed()["office"] == DISTRICT


def test_a_token_is_never_wider_than_its_client_and_may_be_narrower(api_service: ApiService, program):
    client, secret = clients.new_client(api_service.parts, f"P {uuid4().hex}", [DISTRICT], ["directory:read"])
    wide = ask(api_service, basic=(client.id, str(secret)), scope="directory:read inbox:act")
    assert (wide.status_code, wide.json()) == (400, {"error": "invalid_scope"})
    narrow = ask(api_service, basic=program, scope="directory:read").json()
    assert narrow["scope"] == "directory:read"
    assert refusal(acting(api_service, narrow["access_token"]).documents).code == "scope-missing"


def test_a_program_acts_for_its_own_offices_only_and_says_for_which_of_several(api_service: ApiService):
    both = new(api_service, (DISTRICT, COMMUNE), *ALL)
    assert refusal(both.documents).code == "sender-mismatch"
    token = both.token
    assert acting(api_service, str(token), COMMUNE).feed()["office"] == COMMUNE
    assert refusal(acting(api_service, str(token), OTHER).feed).code == "sender-mismatch"
    document = api_service.document("draft")
    assert refusal(lambda: acting(api_service, str(token), COMMUNE).document(document["id"])).status == 404


# -- proving who it is --


def test_a_wrong_name_secret_or_none_is_told_apart_by_nothing(api_service: ApiService, program):
    name, secret = program
    tries = [(name, secret + "x"), (name, ""), ("cli_none", secret), ("", ""), None]
    answers = [ask(api_service, basic=one) for one in tries]
    assert {(a.status_code, a.text) for a in answers} == {(401, '{"error":"invalid_client"}')}
    assert all("basic" in a.headers["www-authenticate"].lower() for a in answers)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"client_assertion": "x"}, "invalid_client"),
    ],
)
def test_what_is_no_request_for_a_token_is_refused_in_the_words_of_rfc_6749(api_service, program, form, error):
    answer = ask(api_service, basic=program, **form)
    assert answer.json() == {"error": error}
    assert answer.headers["cache-control"] == "no-store"


def test_a_field_given_twice_or_json_is_no_request(api_service: ApiService):
    twice = "grant_type=client_credentials&grant_type=client_credentials"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert api_service.http().post(URL, content=twice, headers=form).json() == {"error": "invalid_request"}
    assert api_service.http().post(URL, json={"grant_type": "client_credentials"}).json() == {
        "error": "invalid_request"
    }


def test_a_token_ends_after_ten_minutes_and_with_its_client(api_service: ApiService, monkeypatch):
    client, secret = clients.new_client(api_service.parts, f"P {uuid4().hex}", [DISTRICT], ["directory:read"])
    told = ask(api_service, basic=(client.id, str(secret))).json()
    program = acting(api_service, told["access_token"])
    assert (told["expires_in"], program.me()["office"]) == (600, DISTRICT)
    with monkeypatch.context() as patched:
        now = Parts.now
        patched.setattr(Parts, "now", lambda self: now(self) + timedelta(minutes=10))
        assert refusal(program.me).code == "unauthenticated"
    assert program.me()
    other = clients.new_secret(api_service.parts, client.id)
    assert refusal(program.me).code == "unauthenticated"
    assert ask(api_service, basic=(client.id, str(secret))).status_code == 401
    again = acting(api_service, ask(api_service, basic=(client.id, other)).json()["access_token"])
    clients.disable(api_service.parts, client.id)
    assert refusal(again.me).code == "unauthenticated"
    assert ask(api_service, basic=(client.id, other)).status_code == 401


def test_a_programs_token_opens_no_page_and_no_cookie_carries_it(api_service: ApiService, token: str):
    http = api_service.http(headers={"Authorization": f"Bearer {token}"})
    assert http.get("/documents").status_code == 303
    cookie = api_service.http(cookies={"congvan_session": token})
    assert cookie.get("/api/v1/me").status_code == 401
    assert cookie.get("/documents").status_code == 303


def test_i35_a_key_belongs_to_the_client_not_to_its_token_and_not_to_another(api_service: ApiService, program, token):
    body = {"name": "a.pdf", "size": 4, "sha256": hashlib.sha256(b"%PDF").hexdigest(), "media_type": "application/pdf"}
    key = f"k-{uuid4().hex}"
    other = str(ask(api_service, basic=program).json()["access_token"])
    first = acting(api_service, token).request("POST", "/uploads", json=body, headers={"Idempotency-Key": key})
    again = acting(api_service, other).request("POST", "/uploads", json=body, headers={"Idempotency-Key": key})
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    stranger = new(api_service, (DISTRICT,), "documents:write")
    theirs = stranger.request("POST", "/uploads", json=body, headers={"Idempotency-Key": key})
    assert theirs.json()["id"] != first.json()["id"]


# -- signed assertions --


class Signs:
    """A program that proves itself by a key."""

    def __init__(self, service: ApiService) -> None:
        self.service, self.key = service, ECKey.generate_key("P-256")
        pem = self.key.as_pem(private=False).decode()
        self.client = clients.new_client(service.parts, f"J {uuid4().hex}", [DISTRICT], ["directory:read"], pem)[0]

    def claims(self, **more: object) -> Json:
        at = self.service.parts.now().timestamp()
        audience = clients.token_address(self.service.parts)
        return {
            "iss": self.client.id, "sub": self.client.id, "aud": audience, "exp": int(at) + 120, "jti": uuid4().hex,
            **more,
        }  # fmt: skip

    def ask(self, claims: Json, *, key: object = None, alg: str = "ES256"):
        signed = jwt.encode({"alg": alg}, claims, key or self.key, algorithms=[alg])  # type: ignore[arg-type]
        return ask(self.service, client_assertion_type=clients.ASSERTION_TYPE, client_assertion=signed)


@pytest.fixture(scope="module")
def signs(api_service: ApiService) -> Iterator[Signs]:
    return Signs(api_service)  # type: ignore[return-value]


def test_a_signed_assertion_gives_a_token_once(api_service: ApiService, signs: Signs):
    claims = signs.claims()
    assert acting(api_service, signs.ask(claims).json()["access_token"]).me()["office"] == DISTRICT
    assert signs.ask(claims).json() == {"error": "invalid_client"}
    fresh = signs.claims()
    got = at_once(*[lambda: signs.ask(fresh).status_code] * 8)
    assert sorted(got) == [200] + [401] * 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "https://another.example/token"},
        {"aud": None},
        {"iss": "cli_another"},
        {"sub": "cli_another"},
        {"exp": 0},
        {"exp": 99999999999},
        {"exp": "soon"},
        {"exp": None},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 129},
    ],
)
def test_an_assertion_that_says_something_else_gives_none(signs: Signs, wrong: Json):
    answer = signs.ask(signs.claims(**wrong))
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


def test_an_assertion_by_another_key_by_none_or_by_a_secret_made_of_the_public_key_gives_none(signs: Signs):
    assert signs.ask(signs.claims(), key=ECKey.generate_key("P-256")).status_code == 401
    public = signs.key.as_pem(private=False)
    unsigned, confused = (forged(alg, signs.claims(), public) for alg in ("none", "HS256"))
    for strange in (unsigned, confused, "", ".", "a.b.c", "..", "é.é.é", "a" * 9000):
        asked = {"client_assertion_type": clients.ASSERTION_TYPE, "client_assertion": strange}
        assert ask(signs.service, **asked).status_code == 401


def forged(alg: str, claims: Json, key: bytes) -> str:
    """An assertion unsigned, or "signed" with the public key as if it were a shared secret."""
    said = ".".join(_coded(json.dumps(one).encode()) for one in ({"alg": alg}, claims))
    return f"{said}.{'' if alg == 'none' else _coded(hmac.digest(key, said.encode(), 'sha256'))}"


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_client_with_a_key_has_no_secret_and_one_with_a_secret_no_key(api_service: ApiService, program, signs: Signs):
    assert ask(api_service, basic=(signs.client.id, "")).status_code == 401
    claims = signs.claims(iss=program[0], sub=program[0])
    assert signs.ask(claims).status_code == 401


@pytest.mark.filterwarnings("ignore:Key size")
def test_public_keys_that_are_weak_secret_or_no_keys_are_refused(api_service: ApiService):
    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - that is the point
    private = ec.generate_private_key(ec.SECP256R1())
    pems = [
        weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "",
    ]
    for pem in pems:
        with pytest.raises(clients.PublicKeyUnreadable):
            clients.new_client(api_service.parts, f"W {uuid4().hex}", [DISTRICT], ["directory:read"], pem)
    good = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert clients.new_client(api_service.parts, f"E {uuid4().hex}", [DISTRICT], ["directory:read"], good.decode())
    assert OKPKey.import_key(good)


def test_a_client_for_no_scope_an_unknown_one_or_an_office_that_is_not_there_is_not_made(api_service: ApiService):
    for offices, scopes, error in (
        ([DISTRICT], [], clients.ScopeUnknown), ([DISTRICT], ["documents:seal"], clients.ScopeUnknown),
        (["H99.none"], ["directory:read"], clients.RecipientUnknown),
    ):  # fmt: skip
        with pytest.raises(error):
            clients.new_client(api_service.parts, f"N {uuid4().hex}", offices, scopes)
