"""fake-vgca: stands in for the VGCA Sign Service in tests, with everything that the real program might do.

Not a signer for use outside tests. It listens on loopback only, with a certificate of its own made at the start. What
it does next is queued with `next(…)`, in this process or by HTTP at `control`; with nothing queued it signs at once.
By itself: `python -m tests.vgca.fake --port 8987 --certificate leader.cer --key leader.pem`.
"""

import argparse
import base64
import datetime
import hashlib
import ipaddress
import json
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from tests.fixtures.tokens import Token
from tests.vgca import writing
from tests.vgca.writing import Style

PORT = 8987
SIGNS = frozenset({"SignApproved", "SignIssued", "SignIncome", "Comment", "SignAppendix", "SignCopy", "SignFile"})
KNOWN = SIGNS | {
    "GetVersion", "GetCertInfo", "Config", "SignMsg", "VerifyMsg", "SignXML", "VerifyXML", "SignJson", "VerifyJson",
    "SignFiles", "SignLyLich",
}  # fmt: skip
SAYS_NO = {"cancel_status": "", "no_token": "Không tìm thấy USB token", "wrong_pin": "Sai mã PIN",
           "expired_cert": "Chứng thư số đã hết hạn"}  # fmt: skip
OUTCOMES = (
    "ok", *SAYS_NO, "cancel_close", "hang", "crash", "source_401", "source_404", "source_html", "source_slow",
    "upload_500", "upload_timeout", "upload_ok_reply_lost", "reply_ok_no_upload", "double_upload", "late_upload",
    "wrong_signer", "other_document", "unsigned_upload", "truncated", "not_pdf", "huge", "strips_previous_signature",
    "edits_previous_revision",
)  # fmt: skip
"""What may happen; `not_running` is `close()`."""
MOST_NAME = 170


@dataclass
class Scenario:
    """What the program does the next time: an outcome, a delay, and what differs from the defaults."""

    outcome: str = "ok"
    delay_ms: int = 0
    style: Style = field(default_factory=Style)
    variant: dict[str, Any] = field(default_factory=dict)
    before_upload: Callable[[], None] | None = None


class FakeVgca:
    """The program, running until `close()`. `log` holds all it heard and said, with bodies as SHA-256."""

    def __init__(self, token: Token | None, *, port: int = 0, stranger: Token | None = None) -> None:
        self.token, self.stranger = token, stranger
        self.log: list[dict[str, Any]] = []
        self.default = Scenario()
        self._queue: deque[tuple[str | None, Scenario]] = deque()
        self._lock, self._released = threading.Lock(), threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="fake-vgca-")
        self.certificate_file = Path(self._folder.name) / "tls.pem"
        self._port = port
        self._server: Server | None = None
        self.start()

    @property
    def address(self) -> str:
        """Where pages find it."""
        return f"wss://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Run (again), on the same port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _make_certificate(self.certificate_file)
        context.load_cert_chain(self.certificate_file)
        self._released.clear()
        self._server = serve(self._serve, "127.0.0.1", self._port, ssl=context, process_request=self._admit)
        self._port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End: the outcome `not_running`."""
        self._released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def next(self, outcome: str = "ok", *, op: str | None = None, style: Style | None = None, **more: Any) -> None:
        """Queue what happens at the next call (of `op`, where one is named), once."""
        assert outcome in OUTCOMES, outcome
        scenario = Scenario(outcome, style=style or self.default.style, **more)
        with self._lock:
            self._queue.append((op, scenario))

    def reset(self) -> None:
        """Forget what was queued and heard."""
        with self._lock:
            self._queue.clear()
            self.log.clear()

    # -- the socket --

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        operation = request.path.strip("/")
        self._note(kind="open", op=operation, origin=request.headers.get("Origin"))
        return None if operation in KNOWN else connection.respond(404, "no such operation")

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        operation = connection.request.path.strip("/")
        try:
            text = connection.recv()
        except ConnectionClosed:
            return  # a probe: opened and closed without a word
        text = text if isinstance(text, str) else text.decode("utf-8", "replace")
        self._note(kind="frame", op=operation, sha256=_sha256(text.encode()))
        scenario = self._take(operation)
        if scenario.outcome == "crash":
            _reset(connection)
            return
        if scenario.outcome == "cancel_close":
            connection.close()
            return
        if scenario.outcome == "hang" or operation == "Config":
            self._released.wait(60)
            return
        reply = self._answer(operation, text, scenario)
        if scenario.outcome == "upload_ok_reply_lost":
            _reset(connection)
            return
        try:
            connection.send(json.dumps(reply, ensure_ascii=False))
            self._note(kind="reply", op=operation, status=reply.get("Status") if isinstance(reply, dict) else None)
            connection.recv()  # the page closes
        except ConnectionClosed:
            return

    def _take(self, operation: str) -> Scenario:
        with self._lock:
            for at, (op, scenario) in enumerate(self._queue):
                if op in (None, operation):
                    del self._queue[at]
                    return scenario
        return self.default

    def _answer(self, operation: str, text: str, scenario: Scenario) -> Any:
        if scenario.outcome in SAYS_NO:
            return _failed(SAYS_NO[scenario.outcome])
        if self.token is None and operation not in ("GetVersion",):
            return _failed(SAYS_NO["no_token"])
        if operation in SIGNS:
            return self._file(operation, text, scenario)
        others: dict[str, Callable[[str, Scenario], Any]] = {
            "GetVersion": lambda *_: {"Status": 0, "Version": "fake-1"},
            "GetCertInfo": self._cert_info,
            "SignMsg": self._message,
            "SignFiles": self._files,
            "SignLyLich": self._files,
            "SignXML": lambda *_: {"Status": 0, "Signature": base64.b64encode(b"<Signature/>").decode()},
            "VerifyXML": lambda *_: [{"SigInfo": {}, "ValidationDetails": {"SignerCertStatus": None}}],
        }
        return others.get(operation, lambda *_: {"Status": 0, "Message": ""})(text, scenario)

    # -- signing a file --

    def _file(self, operation: str, text: str, scenario: Scenario) -> dict[str, Any]:
        request = _json(text)
        handler = str(request.get("FileUploadHandler", "")).strip() if request else ""
        if not handler or not request.get("FileName"):
            return _failed("")
        try:
            answer = self._signed_and_uploaded(operation, request["FileName"], handler, request, scenario)
        except _Gone as gone:
            return _failed(str(gone))
        return {
            "Status": 0, "Message": "", "FileName": answer["FileName"], "FileServer": answer["FileServer"],
            "DocumentNumber": request.get("DocNumber") or "", "DocumentDate": request.get("IssuedDate") or "",
            "CustomSignatureText": "",
        }  # fmt: skip

    def _signed_and_uploaded(
        self, operation: str, source: str, handler: str, request: dict[str, Any], scenario: Scenario
    ) -> dict[str, Any]:
        with self._lock_of_token:
            pdf = self._fetch(source, request, scenario)
            time.sleep(scenario.delay_ms / 1000)
            signed = self._sign(operation, pdf, scenario)
            if scenario.before_upload:
                scenario.before_upload()
            return self._upload(handler, signed, source, request, scenario)

    _lock_of_token = threading.Lock()

    def _fetch(self, source: str, request: dict[str, Any], scenario: Scenario) -> bytes:
        outcome = scenario.outcome
        if outcome == "source_404":
            source += "-nothing"
        if outcome == "source_401":
            source = source.partition("?")[0]
        if outcome == "source_html":
            source = source.partition("/vgca/")[0] + "/login"
        if outcome == "source_slow":
            raise _Gone("Hết thời gian tải tệp")
        answer = _http().get(source, headers=_credentials(request, scenario))
        self._note(kind="get", status=answer.status_code, sha256=_sha256(answer.content), headers=dict(answer.headers))
        if answer.status_code != 200 or not answer.content.startswith(b"%PDF-"):
            raise _Gone("Không tải được tệp")
        return answer.content

    def _sign(self, operation: str, pdf: bytes, scenario: Scenario) -> bytes:
        assert self.token is not None
        outcome, token = scenario.outcome, self.token
        if outcome == "unsigned_upload":
            return pdf
        if outcome == "not_pdf":
            return b"<html></html>"
        if outcome == "huge":
            return pdf + bytes(scenario.variant.get("bytes", 60 << 20))
        if outcome == "wrong_signer":
            assert self.stranger is not None
            token = self.stranger
        if outcome == "strips_previous_signature":
            pdf = writing.without_first_signature(pdf)
        if outcome == "other_document":
            pdf = scenario.variant["other"]
        now = datetime.datetime.now(datetime.UTC)
        signed = writing.sign(pdf, token, operation, now, scenario.style)
        if outcome == "truncated":
            return signed[: len(pdf) + 500]
        if outcome == "edits_previous_revision":
            return writing.with_old_bytes_changed(signed)
        return signed

    def _upload(
        self, handler: str, signed: bytes, source: str, request: dict[str, Any], scenario: Scenario
    ) -> dict[str, Any]:
        outcome = scenario.outcome
        if outcome == "reply_ok_no_upload":
            return {"FileName": "", "FileServer": ""}
        if outcome in ("upload_500", "upload_timeout"):
            raise _Gone("Không gửi được tệp đã ký")
        answer = self._post(handler, signed, source, request, scenario)
        if outcome == "double_upload":
            again = self._post(handler, signed, source, request, scenario)
            assert again == answer, "the same bytes again: the same answer"
            with suppress(_Gone):
                self._post(handler, signed + b"\n", source, request, scenario)
        return answer

    def _post(
        self, handler: str, signed: bytes, source: str, request: dict[str, Any], scenario: Scenario
    ) -> dict[str, Any]:
        variant = scenario.variant
        pairs = {one["Key"]: one["Value"] for one in request.get("MetaData") or ()}
        name = variant.get("filename", source.rpartition("/")[2].partition("?")[0] + ".pdf")
        kind = variant.get("part_type", "application/octet-stream")
        more: dict[str, Any] = {"data": pairs}
        if variant.get("metadata_in_query"):
            more = {}
            handler += "".join(f"&{key}={value}" for key, value in pairs.items())
        answer = _http().post(
            handler, files={"uploadfile": (name, signed, kind)}, headers=_credentials(request, scenario), **more
        )  # fmt: skip
        self._note(kind="post", status=answer.status_code, sha256=_sha256(signed), told=answer.text[:2000])
        return _read_strictly(answer)

    # -- the rest --

    def _cert_info(self, _: str, __: Scenario) -> dict[str, Any]:
        assert self.token is not None
        read = x509.load_der_x509_certificate(self.token.certificate)
        told = {
            "Subject": read.subject.rfc4514_string(), "Issuer": read.issuer.rfc4514_string(),
            "SerialNumber": f"{read.serial_number:X}", "ValidFrom": f"{read.not_valid_before_utc:%d/%m/%Y}",
            "ValidTo": f"{read.not_valid_after_utc:%d/%m/%Y}",
            "Base64Data": base64.b64encode(self.token.certificate).decode(),
        }  # fmt: skip
        return {"Status": 0, "Message": "", "CertInfo": told}

    def _message(self, text: str, scenario: Scenario) -> dict[str, Any]:
        assert self.token is not None
        request = _json(text)
        try:
            digest = base64.b64decode(request["HashValue"], validate=True) if request else b""
        except (KeyError, ValueError):
            digest = b""
        if not request or request.get("HashAlg") != "SHA256" or len(digest) != 32:
            return _failed("Dữ liệu không đúng")
        token = self.stranger if scenario.outcome == "wrong_signer" and self.stranger else self.token
        encoded = base64.b64encode(token.sign_hash(digest)).decode()
        if scenario.variant.get("lines"):
            encoded = "\r\n".join(encoded[n : n + 76] for n in range(0, len(encoded), 76))
        return {
            "Status": 0, "Message": "", "HashValue": request["HashValue"], "Signature": encoded,
            "CertBase64": base64.b64encode(self.token.certificate).decode(),
        }  # fmt: skip

    def _files(self, text: str, scenario: Scenario) -> dict[str, Any]:
        request, told = _json(text) or {}, []
        for one in request.get("Files", ()):
            row = {
                "FileID": one["FileID"],
                "FileName": one["FileName"],
                "Status": 0,
                "Message": "",
                "FileSignedURL": "",
            }
            try:
                if '"' in one["FileName"] or len(one["FileName"]) > MOST_NAME:
                    raise _Gone("Tên tệp không hợp lệ")
                handler = request["FileUploadHandler"].strip()
                answer = self._signed_and_uploaded("SignFile", one["URL"], handler, request, scenario)
                row["FileSignedURL"] = answer["FileServer"]
            except _Gone as gone:
                row |= {"Status": 1, "Message": str(gone)}
            told.append(row)
        return {"Status": 0, "Message": "", "Files": told}

    def _note(self, **what: Any) -> None:
        with self._lock:
            self.log.append(what)


class _Gone(Exception):
    """The program gives up, with what it tells its user."""


def _failed(message: str) -> dict[str, Any]:
    return {"Status": 1, "Message": message, "FileName": "", "FileServer": "", "DocumentNumber": "", "DocumentDate": ""}


def _read_strictly(answer: httpx2.Response) -> dict[str, Any]:
    """What the upload handler said, read as a strict program would."""
    try:
        told = answer.json()
    except ValueError as error:
        raise _Gone("Máy chủ trả lời không đúng") from error
    texts = isinstance(told, dict) and all(isinstance(told.get(name), str) for name in ("FileServer", "FileName"))
    if answer.status_code != 200 or not texts or told.get("Status") is not True:
        raise _Gone(str(told.get("Message") if isinstance(told, dict) else "") or "Không gửi được tệp đã ký")
    return told


def _credentials(request: dict[str, Any], scenario: Scenario) -> dict[str, str]:
    if not scenario.variant.get("send_auth"):
        return {}
    return {
        "Authorization": f"Bearer {request.get('JWTToken') or 'none'}",
        "Cookie": f"ASP.NET_SessionId={request.get('SessionId') or 'none'}",
    }


def _http() -> httpx2.Client:
    return httpx2.Client(timeout=60, follow_redirects=True, trust_env=False)


def _json(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _reset(connection: ServerConnection) -> None:
    """Break the line as a program that dies does."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # not closed here: a thread still reads from it, and would read from whatever got its descriptor next
    connection.socket.shutdown(socket.SHUT_RDWR)


def _make_certificate(file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake-vgca TEST")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))


# -- by itself, with a control side --


def serve_control(fake: FakeVgca, port: int = 0) -> ThreadingHTTPServer:
    """The control side on loopback: `POST /next`, `PUT /default`, `PUT /identity`, `GET /log`, `POST /reset`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._told(fake.log if self.path == "/log" else None)

        def do_POST(self) -> None:
            body = self._body()
            if self.path == "/next":
                fake.next(body.pop("outcome", "ok"), op=body.pop("op", None), **_scenario(body))
            elif self.path == "/reset":
                fake.reset()
            self._told({})

        def do_PUT(self) -> None:
            body = self._body()
            if self.path == "/default":
                fake.default = replace(Scenario(body.pop("outcome", "ok")), **_scenario(body))
            elif self.path == "/identity":
                fake.token = read_token(Path(body["certPemPath"]), Path(body["keyPath"]))
            self._told({})

        def _body(self) -> dict[str, Any]:
            return _json(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

        def _told(self, told: Any) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: ARG002
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _scenario(body: dict[str, Any]) -> dict[str, Any]:
    """What a control message says beside the outcome: delay, style and other variants."""
    told = dict(body.get("variant", {}))
    style = {name: told.pop(name) for name in list(told) if name in Style.__dataclass_fields__}
    return {"delay_ms": int(body.get("delayMs", 0)), "style": Style(**style), "variant": told}


def read_token(certificate: Path, key: Path) -> Token:
    """An identity from its two PEM files."""
    der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
    return Token(der, load_pem_private_key(key.read_bytes(), None))


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    told = parser.parse_args()
    fake = FakeVgca(read_token(told.certificate, told.key) if told.certificate else None, port=told.port)
    control = serve_control(fake, told.control_port)
    print(f"{fake.address} {fake.certificate_file} control http://127.0.0.1:{control.server_address[1]}", flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
