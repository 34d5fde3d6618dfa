"""An office starts by commands, without the pilot, with the keys that it has: a file, a token, a remote service."""

import base64
import copy
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import text

from api import watch
from api.app import create_app
from api.cli import road, run
from api.client import Json
from api.outgoing import Outgoing
from api.pilot.walk import Login
from api.settings import load_settings
from api.wiring import build_parts
from exchange.acts import watch as exchange_watch
from keys.authority import PilotAuthority, PublicKey
from keys.certificates import fingerprint
from keys.remote import RemoteService, credential_of
from signing.stamp import draw_seal_image, draw_signature_image
from tests.fixtures.csc import Asking, Csc, Said, Way
from tests.fixtures.hsm import PIN as TOKEN_PIN
from tests.fixtures.hsm import Token, pulled_out, token_says
from tests.fixtures.pilot import PilotServer, now
from tests.fixtures.service import ApiService, refusal

import pkcs11  # isort: skip

OFFICE, COMMUNE = "H77.01", "H77.01.05"
NAME, LEADER, CLERK = "Ủy ban nhân dân huyện Ea H'leo", "lanhdao.huyen", "vanthu.huyen"
LEADER_NAME, PASSWORD, PIN = "Trần Văn Bình", "mat-khau-that-dai", "24681357"
PEOPLE = (
    (LEADER, LEADER_NAME, OFFICE, "leader"), (CLERK, "Lê Thị Cúc", OFFICE, "clerk"),
    ("chuyenvien.huyen", "Phạm Văn Dũng", OFFICE, "officer"), ("vanthu.xa", "Hồ Thị Em", COMMUNE, "clerk"),
)  # fmt: skip
Told = tuple[int, str, str]


class Own:
    """The installation: its commands, its service, and certificates of the authority that it trusts."""

    def __init__(self, folder: Path, service: ApiService, authority: PilotAuthority, csc: Csc) -> None:
        self.folder = folder
        self.service = service
        self.authority = authority
        self.csc = csc

    def leader_certificate(self, key: PublicKey, name: str = LEADER_NAME) -> bytes:
        return self.authority.person(name, NAME, OFFICE, "Chủ tịch", key, now())

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def chain(self, name: str, certificate: bytes) -> Path:
        """A file with the certificate and those of its issuers, as authorities hand it out."""
        ders = (certificate, *self.authority.chain)
        return self.file(name, b"".join(load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders))

    def waiting(self) -> Json:
        """A new document that waits for the leader."""
        return self.service.document("waiting_signature")

    def unchanged(self, document: Json) -> bool:
        """Whether the document and its file are as they were."""
        now = self.service.person(LEADER).document(document["id"])
        return all(now[name] == document[name] for name in ("state", "version", "revision", "pending_signature"))


def command(*words: object) -> int:
    return run([*map(str, words)])


@pytest.fixture(scope="module")
def own(
    tmp_path_factory: pytest.TempPathFactory,
    pilot_server: PilotServer,
    authority: PilotAuthority,
    token: Token,
    csc: Csc,
) -> Iterator[Own]:
    """An installation that only its own commands have set up, with keys in the vault."""
    folder = tmp_path_factory.mktemp("own")
    hosts = [pilot_server.url.removeprefix("http://"), csc.url.removeprefix("http://").partition("/")[0]]
    settings = {
        "CONGVAN_DATA": str(folder / "data"),
        "CONGVAN_TSA_URL": authority.tsa_url,
        "CONGVAN_OUTGOING_ALLOWED": json.dumps(hosts),
        "CONGVAN_PKCS11_MODULES": json.dumps({"hsm": token.module}),
        "CONGVAN_REMOTE_SERVICES": json.dumps({"ca": csc.url, "asking": csc.url}),
        "CONGVAN_REMOTE_CLIENTS": json.dumps({"asking": Asking.CLIENT}),
        "CONGVAN_REMOTE_SECRETS": json.dumps({"asking": Asking.SECRET}),
        "CONGVAN_REMOTE_TOKENS": json.dumps({"ca": "access"}),
        "CREDENTIALS_DIRECTORY": str(folder / "credentials"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        (folder / "credentials").mkdir()
        _set_up(folder, authority)
        parts = build_parts(load_settings())
        logins = {login: Login(login, name, office, PASSWORD, PIN) for login, name, office, _ in PEOPLE}
        yield Own(folder, ApiService(parts, create_app(parts), logins, pilot_server), authority, csc)
        parts.close()


def _set_up(folder: Path, authority: PilotAuthority) -> None:
    """What an operator types, line by line."""
    root = folder / "root.cer"
    root.write_bytes(authority.certificate)
    name = fingerprint(authority.certificate)
    assert command("trust", "add", root, "--world", "office", "--fingerprint", name) == 0
    assert command("office", "add", OFFICE, NAME) == 0
    assert command("office", "add", COMMUNE, "UBND xã Ea Hiao", "--parent", OFFICE) == 0
    assert command("office", "series", OFFICE, "qd", "Quyết định", "{n}/QĐ-UBND") == 0
    for login, person, office, role in PEOPLE:
        added = ("account", "add", login, person, "--office", office, "--role", role, "--password", PASSWORD)
        assert command(*added) == 0
    (folder / "signature.png").write_bytes(draw_signature_image(LEADER_NAME))
    (folder / "seal.png").write_bytes(draw_seal_image(NAME))
    assert command("account", "signature-image", LEADER, folder / "signature.png") == 0
    assert command("office", "seal-image", OFFICE, folder / "seal.png") == 0
    for kind in ("person", "organisation"):
        key = rsa.generate_private_key(65537, 2048)
        public = key.public_key()
        der = (
            authority.person(LEADER_NAME, NAME, OFFICE, None, public, now())
            if kind == "person"
            else authority.organisation(NAME, OFFICE, public, now())
        )
        (folder / f"{kind}.p12").write_bytes(p12(key, der, authority.chain))


def p12(key: Any, certificate: bytes, chain: tuple[bytes, ...] = (), password: bytes = b"file") -> bytes:
    more = [load_der_x509_certificate(der) for der in chain]
    return serialize_key_and_certificates(
        b"key", key, load_der_x509_certificate(certificate), more, BestAvailableEncryption(password)
    )


def uses(holder: str = LEADER, kind: str = "person", office: str = OFFICE) -> tuple[str, ...]:
    return ("--holder", holder, "--office", office, "--as", kind)


def secret() -> tuple[str, ...]:
    return ("--password", "file", "--pin", PIN)


@pytest.fixture
def in_vault(own: Own) -> None:
    """Leader and clerk have their keys in the vault."""
    for kind, holder in (("person", LEADER), ("organisation", CLERK)):
        assert command("key", "import", own.folder / f"{kind}.p12", *uses(holder, kind), *secret()) == 0


def test_a_document_goes_the_whole_road_in_an_office_that_commands_have_set_up(own: Own, in_vault: None) -> None:
    sealed = own.service.document("sealed")
    own.service.person(CLERK).issue(sealed, [{"office": COMMUNE}])
    clerk = own.service.person("vanthu.xa")
    arrival = clerk.delivery(own.service.arrival(sealed, "vanthu.xa")["id"])
    assert clerk.register(arrival, arrival["file"]["sha256"])["state"] == "registered"


def test_what_is_there_is_not_added_again_and_what_is_not_there_is_said(
    own: Own, capfd: pytest.CaptureFixture[str]
) -> None:
    cases: dict[str, tuple[object, ...]] = {
        "already-there": ("office", "add", OFFICE, "Another"),
        "recipient-unknown": ("office", "add", "H1", "A", "--parent", "H2"),
        "password-too-short": (
            "account",
            "add",
            "x",
            "X",
            "--office",
            OFFICE,
            "--role",
            "clerk",
            "--password",
            "short",
        ),
        "not-found": ("account", "password", "nobody", "--new", PASSWORD),
        "image-unfit": ("office", "seal-image", OFFICE, own.folder / "signature.png"),
        "key-file-unreadable": ("key", "import", own.folder / "person.p12", *uses(), "--password", "no", "--pin", PIN),
        "person-unknown": ("key", "import", own.folder / "person.p12", *uses(office=COMMUNE), *secret()),
        "certificate-unfit": ("key", "import", own.folder / "person.p12", *uses(CLERK), *secret()),
        "pin-too-short": ("key", "import", own.folder / "person.p12", *uses(), "--password", "file", "--pin", "123"),
    }
    for code, words in cases.items():
        assert command(*words) == 1, code
        assert f"[{code}]" in capfd.readouterr().err, code
    assert command("account", "add", CLERK, "X", "--office", OFFICE, "--role", "clerk", "--password", PASSWORD) == 1
    assert command("account", "add", "x", "X", "--office", OFFICE, "--role", "king", "--password", PASSWORD) == 64
    assert own.waiting()["state"] == "waiting_signature", "and nothing was changed by it"


def test_a_new_key_takes_the_place_of_the_old_one_whose_certificate_stays(
    own: Own, capfd: pytest.CaptureFixture[str]
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    file = own.file("new.p12", p12(key, own.leader_certificate(key.public_key())))
    with own.service.parts.read() as reading:
        [before] = reading.keys.keys_for(own.service.account(LEADER))
    capfd.readouterr()
    assert command("key", "import", file, *uses(), "--password", "file", "--pin", "99999999") == 0
    assert f"– {before.id}" in capfd.readouterr().out
    with own.service.parts.read() as reading:
        [after] = reading.keys.keys_for(own.service.account(LEADER))
        old = reading.keys.key(before.id)
        assert old is not None
        assert old.retired_at is not None
        assert reading.keys.certificate(before.certificate.fingerprint) == before.certificate
    document = own.waiting()
    assert refusal(lambda: own.service.person(LEADER).sign(document, PIN)).code == "pin-wrong"
    assert own.service.person(LEADER).sign(document, "99999999")["state"] == "signed"
    assert command("key", "list") == 0
    listed = capfd.readouterr().out
    assert after.id in listed
    assert before.id not in listed


def test_a_certificate_of_another_key_is_not_brought_in(own: Own, capfd: pytest.CaptureFixture[str]) -> None:
    file = own.chain("other.cer", own.leader_certificate(rsa.generate_private_key(65537, 2048).public_key()))
    words = ("key", "token", "hsm", token_label(own), "rsa", "--certificate", file, *uses(), "--pin", TOKEN_PIN)
    assert command(*words) == 1
    assert "does not belong to the key" in capfd.readouterr().err


# -- a token --


def token_label(own: Own) -> str:
    return next(iter(pkcs11.lib(own.service.parts.pkcs11_module("hsm")).get_tokens())).label


@pytest.fixture
def on_token(own: Own, token: Token) -> Token:
    """The leader's key is on the token."""
    file = own.chain("token.cer", own.leader_certificate(token.public["rsa"]))
    words = ("key", "token", "hsm", token.label, "rsa", "--certificate", file, *uses(), "--pin", TOKEN_PIN)
    assert command(*words) == 0
    return token


def test_the_leader_signs_with_a_token(own: Own, on_token: Token) -> None:
    signed = own.service.person(LEADER).sign(own.waiting(), TOKEN_PIN)
    assert signed["state"] == "signed"


def test_what_a_token_refuses_leaves_the_document_as_it_was(own: Own, on_token: Token) -> None:
    document = own.waiting()
    leader = own.service.person(LEADER, "en")
    wrong = refusal(lambda: leader.sign(document, "00000000"))
    assert (wrong.code, "Few tries may be left" in str(wrong.problem["detail"])) == ("pin-wrong", True)
    assert not wrong.problem["retryable"], "a program that repeats it would lock the token"
    with token_says(on_token, pkcs11.TokenFlag.USER_PIN_LOCKED):
        assert refusal(lambda: leader.sign(document, TOKEN_PIN)).code == "pin-locked"
    with pulled_out(on_token):
        gone = refusal(lambda: leader.sign(document, TOKEN_PIN))
    assert (gone.code, "the token is not there" in str(gone.problem["detail"])) == ("key-unavailable", True)
    assert own.unchanged(document)
    assert leader.sign(document, TOKEN_PIN)["state"] == "signed"


def test_a_key_label_that_is_not_on_the_token_and_a_library_that_nobody_allowed_are_said(
    own: Own, token: Token, capfd: pytest.CaptureFixture[str]
) -> None:
    file = own.chain("absent.cer", own.leader_certificate(token.public["rsa"]))
    for words, said in (
        (("hsm", token.label, "no-such-key"), "the key is not on the token"),
        (("another", token.label, "rsa"), "the PKCS#11 library does not open"),
    ):
        assert command("key", "token", *words, "--certificate", file, *uses(), "--pin", TOKEN_PIN) == 1
        assert said in capfd.readouterr().err


def test_a_seal_may_have_its_pin_in_a_credential_and_a_person_may_not(
    own: Own, on_token: Token, capfd: pytest.CaptureFixture[str]
) -> None:
    (own.folder / "credentials" / "congvan-pin-seal").write_text(f"{TOKEN_PIN}\n")
    seal = own.authority.organisation(NAME, OFFICE, on_token.public["ec"], now())
    there = ("key", "token", "hsm", on_token.label, "ec", "--pin-from", "seal", "--certificate")
    assert command(*there, own.chain("seal.cer", seal), *uses(CLERK, "organisation")) == 0
    numbered = own.service.on("numbered", own.service.person(LEADER).sign(own.waiting(), TOKEN_PIN))
    assert own.service.person(CLERK).seal(numbered, "")["state"] == "sealed"

    person = own.chain("person.cer", own.leader_certificate(on_token.public["ec"]))
    assert command(*there, person, *uses()) == 1
    assert "opened by the PIN that they type" in capfd.readouterr().err


# -- a remote service --


@pytest.fixture
def remote(own: Own, csc: Csc) -> Iterator[Callable[[Way], Any]]:
    """The leader's key is at the remote service; `remote(way)` makes the line behave like that."""
    known = credential_of(RemoteService(csc.url), own.service.parts.call, "gov/leader")
    public = load_der_x509_certificate(known.certificate).public_key()
    ders = (own.leader_certificate(public), *own.authority.chain)  # type: ignore[arg-type]

    def ours(method: str, body: bytes, go: Callable[[bytes], Said]) -> Said:
        """The service with the certificate that our authority has issued for its key."""
        status, answer = go(body)
        if method != "credentials/info":
            return status, answer
        told = json.loads(answer) | {"cert": {"certificates": [base64.b64encode(der).decode() for der in ders]}}
        return status, json.dumps(told).encode()

    with csc.line(ours):
        assert command("key", "remote", "ca", "gov/leader", *uses()) == 0

        def behaving(way: Way) -> Any:
            return csc.line(lambda method, body, go: way(method, body, lambda b: ours(method, b, go)))

        yield behaving


def test_the_leader_signs_at_a_remote_service_with_pin_and_code(own: Own, remote: Any, csc: Csc) -> None:
    signed = own.service.person(LEADER).sign(own.waiting(), "13572468", otp="998877")
    assert signed["state"] == "signed"
    authorised = [body for method, _, body in csc.asked if method == "credentials/authorize"][-1]
    assert (authorised["PIN"], authorised["OTP"]) == ("13572468", "998877")


def test_what_a_remote_service_refuses_or_lies_leaves_the_document_as_it_was(own: Own, remote: Any) -> None:
    document = own.waiting()
    leader = own.service.person(LEADER, "en")

    def lying(method: str, body: bytes, go: Callable[[bytes], Said]) -> Said:
        asked, other = json.loads(body), base64.b64encode(bytes(32)).decode()
        return go(json.dumps(asked | ({"hash": [other]} if "hash" in asked else {})).encode())

    ways: dict[str, Way] = {
        "refuses our access": lambda _, __, ___: (401, b"{}"),
        "refuses (500)": lambda _, __, ___: (500, b"{}"),
        "makes no sense": lambda _, __, ___: (200, b"{}"),
        "does not fit the certificate": lying,
    }
    for said, way in ways.items():
        with remote(way):
            refused = refusal(lambda: leader.sign(document, "13572468"))
        assert (refused.code, said in str(refused.problem["detail"])) == ("key-unavailable", True)
    wrong: Way = lambda m, b, go: (400, b'{"error": "invalid_otp"}') if m == "credentials/authorize" else go(b)  # noqa: E731
    with remote(wrong):
        refused = refusal(lambda: leader.sign(document, "13572468", otp="1"))
    assert (refused.code, refused.problem["retryable"]) == ("otp-wrong", False)
    with remote(lambda m, b, go: (400, b"{}") if m == "signatures/signHash" else go(b)):
        refused = refusal(lambda: leader.sign(document, "13572468", otp="1"))
    assert (refused.code, refused.problem["retryable"]) == ("signing-authorisation-ended", False)
    assert own.unchanged(document)


def test_a_remote_service_that_is_silent_or_gone_leaves_the_document_as_it_was(own: Own, remote: Any) -> None:
    document, done = own.waiting(), threading.Event()
    impatient = own.service.quick(remote_seconds=1)

    def silent(_: str, __: bytes, ___: Callable[[bytes], Said]) -> Said:
        done.wait(30)
        return 500, b""

    with remote(silent):
        refused = refusal(lambda: impatient.person(LEADER, "en").sign(document, "13572468"))
        done.set()
    assert (refused.code, "does not answer" in str(refused.problem["detail"])) == ("key-unavailable", True)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{nobody.getsockname()[1]}"
        gone = own.service.quick(remote_services={"ca": f"http://{away}/csc/v1"})
        gone.parts.outgoing = Outgoing([away])
        refused = refusal(lambda: gone.person(LEADER, "en").sign(document, "13572468"))
    assert (refused.code, refused.problem["retryable"]) == ("key-unavailable", True)
    assert own.unchanged(document)


# -- a remote service that sends one-time codes and gives access tokens --


@pytest.fixture
def asking(own: Own, csc: Csc) -> Iterator[Asking]:
    """The leader's key is at a remote service that asks for a PIN and a code, and knows us by id and secret."""
    known = credential_of(RemoteService(csc.url), own.service.parts.call, "gov/leader")
    public = load_der_x509_certificate(known.certificate).public_key()
    way = Asking(own.leader_certificate(public), *own.authority.chain)  # type: ignore[arg-type]
    with csc.line(way):
        assert command("key", "remote", "asking", "gov/leader", *uses()) == 0
        yield way


def test_the_leader_has_a_code_sent_and_signs_with_it_once(own: Own, asking: Asking, csc: Csc) -> None:
    document, leader = own.waiting(), own.service.person(LEADER)
    [key] = leader.signing_keys()
    assert (key["act"], key["place"], key["pin"], key["otp"]) == ("sign", "remote", True, "sent")

    assert refusal(lambda: leader.sign(document, Asking.PIN)).code == "otp-missing"
    assert leader.send_code("sign") == {"act": "sign", "sent": True}
    [code] = asking.codes
    assert refusal(lambda: leader.sign(document, "00000000", otp=code)).code == "pin-wrong"
    assert refusal(lambda: leader.sign(document, Asking.PIN, otp="000000")).code == "otp-wrong"
    assert own.unchanged(document)
    assert leader.sign(document, Asking.PIN, otp=code)["state"] == "signed"
    assert refusal(lambda: leader.sign(own.waiting(), Asking.PIN, otp=code)).code == "otp-wrong", "a code counts once"
    said = {headers["Authorization"] for method, headers, _ in csc.asked[-3:] if method != "oauth2/token"}
    assert said <= {f"Bearer {token}" for token in asking.tokens}, "the service knows us by the token that it gave"


def test_a_code_is_sent_for_a_remote_key_only_and_to_its_own_person(own: Own, asking: Asking, in_vault: None) -> None:
    assert refusal(lambda: own.service.person(LEADER).send_code("sign")).code == "otp-not-sent"
    assert refusal(lambda: own.service.person("chuyenvien.huyen").send_code("sign")).code == "certificate-missing"
    assert refusal(lambda: own.service.person(LEADER).send_code("seal")).code == "certificate-missing"
    assert asking.codes == []


def test_the_page_has_a_field_for_the_code_and_a_button_that_has_it_sent(own: Own, asking: Asking) -> None:
    document, browser = own.waiting(), own.service.new_browser(LEADER)
    address = f"/documents/{document['id']}"
    page = browser.http.get(address).text
    assert all(word in page for word in ('name="pin"', 'name="otp"', "Gửi mã", f"{address}/code/sign"))

    signing_form = page.partition(f'action="{address}/sign"')[2].partition("</form>")[0]
    own_buttons = [tag for tag in re.findall(r"<button[^>]*>", signing_form) if 'form="send-code"' not in tag]
    assert len(own_buttons) == 1, "Enter in the form signs, and does not send another code"
    assert "data-send-code" not in own_buttons[0]

    sent = browser.post(f"{address}/code/sign", headers={"HX-Request": "true"})
    assert "Đã yêu cầu gửi mã OTP." in sent.text
    assert browser.post(f"{address}/code/sign").headers["location"] == address, "and without a script"
    wrong = browser.post(f"{address}/sign", {"pin": Asking.PIN, "otp": "1", "version": document["version"]})
    assert "mã OTP sai" in wrong.text
    assert own.unchanged(document)
    signing = {"pin": Asking.PIN, "otp": f" {asking.codes[-1]} ", "version": document["version"]}
    assert browser.post(f"{address}/sign", signing).status_code == 303
    assert own.service.person(LEADER).document(document["id"])["state"] == "signed"


def test_the_page_says_when_the_code_cannot_be_sent(own: Own, asking: Asking, csc: Csc) -> None:
    address = f"/documents/{own.waiting()['id']}/code/sign"
    browser = own.service.new_browser(LEADER)
    with csc.line(lambda _, __, ___: (500, b"{}")):
        told = browser.post(address, headers={"HX-Request": "true"})
    assert "(key-unavailable)" in told.text


def test_the_command_has_the_code_sent_and_asks_for_it(
    own: Own, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = own.waiting()
    monkeypatch.setattr(road, "client_of_session", lambda: own.service.person(LEADER))
    monkeypatch.setattr(road, "typed", lambda given, _: given or asking.codes[-1])
    assert command("sign", document["id"], "--pin", Asking.PIN) == 0
    assert own.service.person(LEADER).document(document["id"])["state"] == "signed"


def test_many_documents_are_signed_with_one_code_under_one_authorisation(own: Own, asking: Asking, csc: Csc) -> None:
    leader, waiting = own.service.person(LEADER), [own.waiting() for _ in range(3)]
    taken = waiting[1]
    leader.send_code("sign")
    leader.give_back(taken, "Thử")
    del csc.asked[:]
    *lines, last = leader.batch("sign", waiting, Asking.PIN, otp=asking.codes[-1])
    assert [(line["document"], line["state"]) for line in lines] == [
        (waiting[0]["id"], "signed"), (taken["id"], None), (waiting[2]["id"], "signed"),
    ]  # fmt: skip
    assert last == {"finished": True, "done": 2, "failed": 1}
    [authorised] = [body for method, _, body in csc.asked if method == "credentials/authorize"]
    assert (authorised["numSignatures"], len(authorised["hash"])) == (2, 2), "who was refused before is not waited for"


def test_a_wrong_code_signs_none_of_many_and_is_sent_once(own: Own, asking: Asking, csc: Csc) -> None:
    leader, waiting = own.service.person(LEADER), [own.waiting() for _ in range(2)]
    del csc.asked[:]
    *lines, last = leader.batch("sign", waiting, Asking.PIN, otp="000000")
    assert [line["problem"]["code"] for line in lines] == ["otp-wrong"] * 2
    assert last["done"] == 0
    assert [method for method, _, _ in csc.asked].count("credentials/authorize") == 1
    assert all(own.unchanged(document) for document in waiting)


def test_more_documents_than_one_code_is_for_are_refused_before_anything_is_signed(
    own: Own, asking: Asking, csc: Csc
) -> None:
    leader, waiting = own.service.person(LEADER), [own.waiting() for _ in range(2)]
    leader.send_code("sign")
    asking.at_once = 1
    del csc.asked[:]
    assert refusal(lambda: list(leader.batch("sign", waiting, Asking.PIN, otp=asking.codes[-1]))).code == (
        "too-many-for-one-code"
    )
    assert refusal(lambda: list(leader.batch("sign", waiting, Asking.PIN))).code == "otp-missing"
    assert not [method for method, _, _ in csc.asked if method == "credentials/authorize"]
    assert all(own.unchanged(document) for document in waiting)


def test_nothing_that_was_typed_is_in_the_log(own: Own, remote: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with remote(lambda _, __, ___: (500, b"{}")):
        refusal(lambda: own.service.person(LEADER).sign(own.waiting(), "13572468", otp="998877"))
    said = "".join(capfd.readouterr())
    assert not [word for word in ("13572468", "998877", "access") if word in said]


# -- what time brings --


def in_time(own: Own, days: float) -> Any:
    """The parts of the service that many days from now."""
    later = copy.copy(own.service.parts)
    later.now = lambda: now() + timedelta(days=days)  # type: ignore[method-assign]
    return later


def test_an_end_is_told_of_sixty_fourteen_and_three_days_ahead_and_once_each(
    own: Own, capfd: pytest.CaptureFixture[str]
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    der = own.authority.person(LEADER_NAME, NAME, OFFICE, None, key.public_key(), now(), days=70)
    assert command("key", "import", own.file("short.p12", p12(key, der, own.authority.chain)), *uses(), *secret()) == 0

    def told(days: float) -> list[int]:
        return [near for one, near in watch.warn_of_ends(in_time(own, days)) if one.certificate.der == der]

    assert [told(days) for days in (1, 11, 12, 57, 60, 68, 68.5, 71, 72)] == [[], [60], [], [14], [], [3], [], [0], []]
    later = in_time(own, 11)
    assert [one.certificate.der for one in watch.ending(later, office=OFFICE)] == [der]
    assert watch.ending(later, office=COMMUNE) == []
    assert watch.counts(later) == {60: 1, 14: 0, 3: 0, 0: 0}

    office = replace(own.service, parts=later, app=create_app(later), _browsers={})
    for login, seen in ((LEADER, True), (CLERK, True), ("chuyenvien.huyen", False), ("vanthu.xa", False)):
        page = office.new_browser(login).http.get("/").text
        assert ("Chứng thư số của Trần Văn Bình hết hạn ngày" in page) is seen, login
    assert 'congvan_certificates_ending{days="60"} 1.0' in office.http().get("/metrics").text


def test_the_doctor_names_a_certificate_that_ends_soon(own: Own, capfd: pytest.CaptureFixture[str]) -> None:
    key = rsa.generate_private_key(65537, 2048)
    der = own.authority.person(LEADER_NAME, NAME, OFFICE, None, key.public_key(), now(), days=10)
    assert command("key", "import", own.file("ten.p12", p12(key, der, own.authority.chain)), *uses(), *secret()) == 0
    capfd.readouterr()
    assert command("doctor") == 1
    assert LEADER_NAME in capfd.readouterr().out


def test_a_revoked_signer_is_told_to_both_sides_of_what_is_not_registered_and_signs_no_more(
    own: Own, in_vault: None, pilot_server: PilotServer
) -> None:
    sealed = own.service.document("sealed")
    own.service.person(CLERK).issue(sealed, [{"office": COMMUNE}])
    arrival = own.service.arrival(sealed, "vanthu.xa")
    with own.service.parts.read() as reading:
        [key] = reading.keys.keys_for(own.service.account(LEADER))
    assert watch.ask_about_arrivals(in_time(own, 0.1)) == [], "not a day old"
    tomorrow, third = in_time(own, 1), in_time(own, 2)
    pilot_server.clock = tomorrow.now
    try:
        assert watch.ask_about_arrivals(tomorrow) == []
        assert watch.ask_about_keys(tomorrow) == []
        own.authority.revoke(key.certificate.serial, now())
        pilot_server.clock = third.now
        assert watch.ask_about_arrivals(third) == [arrival["id"]]
        with third.read() as reading:
            due = exchange_watch.unregistered(reading.exchange, not_asked_since=third.now() - watch.DAILY)
        assert arrival["id"] not in {one for waiting in due.values() for one in waiting}, "once a day"
        assert watch.ask_about_arrivals(third) == []
        assert watch.ask_about_arrivals(in_time(own, 2.99)) == [], "and news once"
        assert [one.certificate.der for one in watch.ask_about_keys(third)] == [key.certificate.der]
        assert watch.ask_about_keys(third) == []
    finally:
        pilot_server.clock = now
    assert revocations_told(own, arrival["id"]) == [key.certificate.fingerprint]
    assert own.service.arrival(sealed, "vanthu.xa")["state"] == "consigned"
    refused = refusal(lambda: own.service.person(LEADER).sign(own.waiting(), PIN))
    assert refused.code == "certificate-missing"


def revocations_told(own: Own, delivery: str) -> list[str]:
    """The certificates that the events of a delivery call revoked."""
    with own.service.parts.database.reader.connect() as connection:
        found = connection.execute(
            text("SELECT body FROM exchange_events WHERE delivery = :d AND type = :type AND NOT inward"),
            {"d": delivery, "type": "delivery.signature_changed"},
        )
        told = [json.loads(row.body) for row in found]
    assert all(event["from"] == event["to"] == "consigned" for event in told)
    return [one["certificate"] for event in told for one in event["data"]["revoked"]]
