"""Whatever the program at the desk does, the server tells the truth: a document is signed, or it is as it was."""

import base64
import copy
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from api.app import create_app
from api.client import Congvan, Json
from tests.api.test_sign_elsewhere import standing
from tests.fixtures.service import CLERK, COMMUNE_LEADER, LEADER, ApiService, letter
from tests.fixtures.tokens import MakeToken, Token
from tests.vgca import writing
from tests.vgca.fake import OUTCOMES, FakeVgca, serve_control
from tests.vgca.writing import Style


@pytest.fixture(scope="module")
def served(api_service: ApiService) -> Iterator[ApiService]:
    """The same service on a real port, which a program on the same machine can reach."""
    parts = copy.copy(api_service.parts)
    config = uvicorn.Config(create_app(parts), host="127.0.0.1", port=0, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    parts.settings = api_service.parts.settings.model_copy(
        update={"public_url": f"http://127.0.0.1:{port}", "upload_limit_mb": 5}
    )
    yield replace(api_service, parts=parts, app=config.app)
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def tokens(make_token: MakeToken) -> dict[str, Token]:
    return {
        "sign": make_token(LEADER), "seal": make_token(CLERK, seal=True), "stranger": make_token(COMMUNE_LEADER),
        "stranger's seal": make_token("vanthu.cumgar", seal=True),
    }  # fmt: skip


@pytest.fixture(scope="module")
def fake(tokens: dict[str, Token]) -> Iterator[FakeVgca]:
    running = FakeVgca(tokens["sign"], stranger=tokens["stranger"])
    yield running
    running.close()


def socket_of(fake: FakeVgca, operation: str) -> Any:
    trusted = ssl.create_default_context(cafile=str(fake.certificate_file))
    return connect(f"{fake.address}/{operation}", ssl=trusted, proxy=None, open_timeout=60)


def press(fake: FakeVgca, lent: Json, *, patience: float = 20, **more: Any) -> Json | None:
    """What a page does: one text out, one text in; None when the socket ends or stays silent."""
    request = {
        "FileUploadHandler": " " + lent["upload"], "SessionId": "", "JWTToken": "", "FileName": lent["source"],
        "DocNumber": lent["document_number"], "IssuedDate": lent["issued_date"], "MetaData": [], **more,
    }  # fmt: skip
    try:
        with socket_of(fake, lent["operation"]) as socket:
            socket.send(json.dumps(request))
            return json.loads(socket.recv(timeout=patience))
    except (ConnectionClosed, TimeoutError, OSError):
        return None


def person(service: ApiService, act: str) -> Congvan:
    return service.person(LEADER if act == "sign" else CLERK)


UNCHANGED = [name for name in OUTCOMES if name not in ("ok", "double_upload", "upload_ok_reply_lost", "late_upload")]


@pytest.mark.parametrize("act", ["sign", "seal"])
def test_whatever_goes_wrong_the_document_stays_as_it_was_and_the_page_learns_it(served, fake, tokens, act):
    state = "waiting_signature" if act == "sign" else "numbered"
    document, here = served.document(state), person(served, act)
    fake.token, fake.stranger = tokens[act], tokens["stranger" if act == "sign" else "stranger's seal"]
    before = standing(served, document)
    heard: dict[str, Any] = {}
    for outcome in UNCHANGED:
        if outcome == "strips_previous_signature" and act == "sign":
            continue  # there is none yet
        lent = here.lend(document, act)
        other = writing.sign(letter("khác"), tokens["sign"], "SignApproved", served.parts.now())
        fake.next(outcome, variant={"other": other, "bytes": 8 << 20})
        reply = press(fake, lent, patience=0.5 if outcome == "hang" else 20)
        now = here.loan(document["id"], lent["loan"])
        heard[outcome] = (reply and reply["Status"], now["state"], now.get("refusal", {}).get("code"))
        assert standing(served, document) == before, outcome
    assert heard.pop("reply_ok_no_upload") == (0, "open", None), "the program's word is not believed"
    silent = {name: heard.pop(name) for name in ("cancel_close", "hang", "crash")}
    assert set(silent.values()) == {(None, "open", None)}
    refused = {name: told[2] for name, told in heard.items() if told[1] == "refused"}
    missing, stranger = ("signature-missing", "signer-not-authorised")
    if act == "seal":
        missing, stranger = ("seal-missing", "seal-wrong-office")
        assert refused.pop("strips_previous_signature") == "changed-after-signing"
    assert refused == {
        "wrong_signer": stranger, "other_document": "revision-not-extension", "unsigned_upload": missing,
        "truncated": missing, "not_pdf": "not-a-pdf",
        "edits_previous_revision": "revision-not-extension",
    }  # fmt: skip
    assert {told[0] for told in heard.values()} == {1}, "whoever was refused was told so by the program"
    assert {name for name, told in heard.items() if told[1] == "open"} == {
        "cancel_status", "no_token", "wrong_pin", "expired_cert", "source_401", "source_404", "source_html",
        "source_slow", "upload_500", "upload_timeout", "huge",
    }  # fmt: skip


@pytest.mark.parametrize("outcome", ["ok", "double_upload", "upload_ok_reply_lost"])
def test_what_was_uploaded_is_signed_whatever_the_page_hears(served, fake, tokens, outcome):
    fake.token = tokens["sign"]
    document, leader = served.document("waiting_signature"), person(served, "sign")
    lent = leader.lend(document, "sign")
    fake.next(outcome, variant={"send_auth": True, "filename": "Quyết định\\số 1.pdf"})
    reply = press(fake, lent, MetaData=[{"Key": "file_id", "Value": "7"}], JWTToken="abc")
    assert (reply is None) is (outcome == "upload_ok_reply_lost")
    assert leader.loan(document["id"], lent["loan"])["state"] == "done"
    assert leader.document(document["id"])["state"] == "signed"
    if reply:
        assert reply["FileServer"] == lent["loan"], "handed back unchanged"


def test_signissued_brings_the_seal_with_its_number_and_date(served, fake, tokens):
    fake.token = tokens["seal"]
    document = served.document("numbered")
    lent = person(served, "seal").lend(document, "seal")
    fake.next(style=Style(signatures=3))
    reply = press(fake, lent)
    assert (reply["Status"], reply["DocumentNumber"]) == (0, document["number"]["written"])
    assert person(served, "seal").document(document["id"])["state"] == "sealed"


def test_signmsg_and_getcertinfo_serve_prepare_and_finish(served, fake, tokens, make_token):
    fake.token, fake.stranger = tokens["sign"], make_token(COMMUNE_LEADER, curve=True)
    document, leader = served.document("waiting_signature"), person(served, "sign")
    with socket_of(fake, "GetCertInfo") as socket:
        socket.send("get_cert_info")
        certificate = json.loads(socket.recv())["CertInfo"]["Base64Data"]
    prepared = leader.prepare(document, "sign", base64.b64decode(certificate))
    for lines, outcome in ((False, "wrong_signer"), (True, "ok")):
        fake.next(outcome, variant={"lines": lines})
        with socket_of(fake, "SignMsg") as socket:
            socket.send(json.dumps({"HashAlg": "SHA256", "HashValue": prepared["hash"], "Encode": "RSA"}))
            signature = json.loads(socket.recv())["Signature"]
        body = {"signing": prepared["signing"], "signature": signature}
        answer = httpx2.post(
            f"{served.parts.settings.address}/api/v1/documents/{document['id']}/sign/finish", json=body,
            headers={"Authorization": f"Bearer {leader.token}", "Idempotency-Key": outcome},
        )  # fmt: skip
        if outcome == "wrong_signer":
            assert answer.json()["code"] == "signature-wrong"
    assert answer.json()["state"] == "signed"


def test_a_probe_and_an_unknown_operation_have_no_effect(fake):
    fake.reset()
    with socket_of(fake, "Config"):
        pass
    with pytest.raises(Exception, match="404"):
        socket_of(fake, "vgca_sign_file")
    assert {line["kind"] for line in fake.log} == {"open"}


def test_the_control_side_queues_a_scenario_and_tells_the_log(served, fake, tokens):
    fake.token = tokens["sign"]
    control = serve_control(fake)
    address = f"http://127.0.0.1:{control.server_address[1]}"
    try:
        httpx2.post(f"{address}/reset")
        httpx2.post(f"{address}/next", json={"outcome": "wrong_pin", "variant": {"producer": False}})
        document = served.standing("waiting_signature")
        reply = press(fake, person(served, "sign").lend(document, "sign"))
        assert (reply["Status"], reply["Message"]) == (1, "Sai mã PIN")
        assert [line["kind"] for line in httpx2.get(f"{address}/log").json()] == ["open", "frame", "reply"]
    finally:
        control.shutdown()
        control.server_close()
