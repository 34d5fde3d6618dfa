"""The Python client of the JSON API: what the command line, the pilot's walk, the benchmarks and the tests speak.

Every call that acts carries an idempotency key, so that repeating it after a lost answer does nothing twice.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx2

Json = dict[str, Any]
PIECE = 4 * 1024 * 1024
NOT_OURS = {
    "code": "not-this-service",
    "title": "Ở địa chỉ này không có dịch vụ Công Văn. / There is no Công Văn at this address.",
}


class Refused(Exception):
    """The service answered with a problem (RFC 9457): `code`, `status` and the whole document in `problem`."""

    def __init__(self, status: int, problem: Json) -> None:
        self.status = status
        self.problem = problem
        self.code: str = problem.get("code", "")
        super().__init__(f"{self.code}: {problem.get('detail') or problem.get('title', '')}")


class Congvan:
    """One person's or program's conversation with a service.

    `http` may be any client that speaks to it (the tests hand one that needs no socket); `language` is `vi` or `en`.
    """

    def __init__(self, http: httpx2.Client, *, token: str | None = None, language: str = "vi") -> None:
        self._http = http
        self.token = token
        self.language = language

    @classmethod
    def at(cls, address: str, *, token: str | None = None, language: str = "vi") -> Self:
        """A client of the service at an address such as `http://127.0.0.1:8000`."""
        return cls(httpx2.Client(base_url=address, timeout=120), token=token, language=language)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    # -- who -----------------------------------------------------------------------------------------------------------

    def log_in(self, login: str, password: str, code: str | None = None) -> Json:
        """Begin a session and keep its token; raises `Refused` with `unauthenticated` or `second-factor-required`."""
        answer = self._post("/session", {"login": login, "password": password, "code": code})
        if "token" not in answer:
            raise Refused(200, NOT_OURS)
        self.token = answer["token"]
        return answer

    def log_out(self) -> None:
        """End the session."""
        self.request("DELETE", "/session")
        self.token = None

    def me(self) -> Json:
        """Who is logged in: account, office, roles."""
        return self._get("/me")

    # -- directory -----------------------------------------------------------------------------------------------------

    def leaders(self) -> list[Json]:
        """The people of my office who can be asked to sign."""
        return self._items("/people?role=leader")

    def people(self) -> list[Json]:
        """The people of my office."""
        return self._items("/people")

    def offices(self, under: str | None = None) -> list[Json]:
        """The directory, or the offices under one."""
        return self._items("/offices" + (f"?under={_part(under)}" if under else ""))

    def series(self) -> list[Json]:
        """My office's series of this year, each with the number that comes next."""
        return self._items("/series")

    def make_group(self, name: str, members: Sequence[str], *, key: str | None = None) -> Json:
        """Save a group of recipients."""
        return self._post("/groups", {"name": name, "members": list(members)}, key=key)

    def groups(self) -> list[Json]:
        """My office's saved groups."""
        return self._items("/groups")

    def calendar(self, year: int | None = None) -> Json:
        """Every day of a year (this one when left out), with the decision behind it."""
        return self._get("/calendar" + (f"?year={year}" if year else ""))

    def decide_year(self, year: int, source: str, grade: str, days: Sequence[Json], *, key: str | None = None) -> Json:
        """Say what a year is; for system administrators. `days`: `date`, `kind` (rest, make_up, work), `name`."""
        body = {"source": source, "grade": grade, "days": list(days)}
        return _json(self.request("PUT", f"/calendar/{year}", json=body, headers=_key(key)))

    def decide_hours(self, spans: Sequence[tuple[str, str]], source: str, *, key: str | None = None) -> Json:
        """Say when offices work, as pairs such as `07:30`, `11:30`; for system administrators."""
        body = {"hours": [{"begin": begin, "end": end} for begin, end in spans], "source": source}
        return _json(self.request("PUT", "/calendar/hours", json=body, headers=_key(key)))

    def move_deadlines(self, *, key: str | None = None) -> Json:
        """Let open deadlines follow the calendar as it is now; for system administrators."""
        return self._post("/calendar/move", {}, key=key)

    # -- documents -----------------------------------------------------------------------------------------------------

    def upload(self, data: bytes, name: str, *, media_type: str = "application/pdf", key: str | None = None) -> Json:
        """Bring bytes in, in pieces; the answer names the upload to draft from."""
        digest = hashlib.sha256(data).hexdigest()
        promise = {"name": name, "size": len(data), "sha256": digest, "media_type": media_type}
        upload = self._post("/uploads", promise, key=key)
        offset = int(upload["offset"])
        while offset < len(data):
            upload = self.append(upload["id"], offset, data[offset : offset + PIECE])
            offset = int(upload["offset"])
        return upload

    def append(self, upload: str, offset: int, piece: bytes) -> Json:
        """Send one piece; raises `Refused` with `upload-offset` when the service holds another number of bytes."""
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        return _json(self.request("PATCH", f"/uploads/{upload}", content=piece, headers=headers))

    def draft(
        self,
        upload: str,
        *,
        signer: str,
        type: str = "official_letter",
        subject: str = "",
        urgency: str = "normal",
        secrecy: str = "unclassified",
        not_classified: bool = False,
        places: Json | None = None,
        key: str | None = None,
    ) -> Json:
        """Make a draft of an upload; an empty subject is read off page one."""
        body: Json = {
            "upload": upload, "type": type, "subject": subject, "signer": signer, "urgency": urgency,
            "secrecy": secrecy, "not_classified": not_classified, "places": places,
        }  # fmt: skip
        return self._post("/documents", body, key=key)

    def edit(self, document: Json, key: str | None = None, **changes: Any) -> Json:
        """Change a draft, or open a returned document again."""
        return self._move("PATCH", "documents", document, "", changes, key)

    def document(self, document: str) -> Json:
        """A document as it is now."""
        return self._get(f"/documents/{_part(document)}")

    def documents(self, state: str | None = None) -> list[Json]:
        """My office's documents, newest change first (first page)."""
        return self._items("/documents" + (f"?state={_part(state)}" if state else ""))

    def copy(self, copy_kind: str, *, key: str | None = None, **source: Any) -> Json:
        """A copy (`SY`, `SL`, `TrS`) in draft: of an `upload`, a `document` or a `delivery`; `pages` count from 1."""
        return self._post("/documents/copies", {"copy_kind": copy_kind, **source}, key=key)

    def attach(self, document: Json, upload: str, *, not_classified: bool = False, key: str | None = None) -> Json:
        """Attach an upload to a draft as a separate file."""
        body = {"upload": upload, "not_classified": not_classified}
        return self._move("POST", "documents", document, "/attachments", body, key)

    def detach(self, document: Json, attachment: str, *, key: str | None = None) -> Json:
        """Take an attachment of a draft away again."""
        return self._move("DELETE", "documents", document, f"/attachments/{_part(attachment)}", {}, key)

    def attachment(self, document: str, attachment: str) -> bytes:
        """An attachment as it stands now."""
        return self.request("GET", f"/documents/{_part(document)}/attachments/{_part(attachment)}/file").content

    def waiting(self) -> list[Json]:
        """The documents that I am to initial or to sign now (first page)."""
        return self._items("/documents?waiting_for_me=true&limit=500")

    def submit(self, document: Json, signers: Sequence[Json] | None = None, *, key: str | None = None) -> Json:
        """Ask the leader to sign, or `signers` in order: each `{"person": account, "part": "initial" or "sign"}`."""
        body = {} if signers is None else {"signers": list(signers)}
        return self._move("POST", "documents", document, "/submit", body, key)

    def sign(self, document: Json, pin: str, *, otp: str | None = None, key: str | None = None) -> Json:
        """Initial or sign when it is my turn. With the TSA away the state stays and `pending_signature` is set."""
        return self._move("POST", "documents", document, "/sign", {"pin": pin, "otp": otp}, key)

    def prepare(self, document: Json, act: str, certificate: bytes, *, key: str | None = None, **more: Any) -> Json:
        """Prepare `sign` or `seal` for a key elsewhere (`certificate` is DER): the answer says which hash to sign.

        `attachments/{attachment}/seal` is the organisation's mark on an attached PDF.
        """
        body = {"certificate": base64.b64encode(certificate).decode(), **more}
        return self._move("POST", "documents", document, f"/{act}/prepare", body, key)

    def finish(self, document: Json, act: str, signing: str, signature: bytes) -> Json:
        """Finish what was prepared with a raw signature; it may be repeated as it is."""
        body = {"signing": signing, "signature": base64.b64encode(signature).decode()}
        return self._post(f"/documents/{_part(document['id'])}/{act}/finish", body)

    def put_revision(self, document: Json, pdf: bytes) -> Json:
        """Bring a revision that was signed elsewhere; the same bytes may be brought again."""
        headers = {**_key(None), "If-Match": f'"{document["version"]}"'}
        files = {"file": ("file.pdf", pdf, "application/pdf")}
        return _json(self.request("PUT", f"/documents/{_part(document['id'])}/revisions", files=files, headers=headers))

    def lend(self, document: Json, act: str) -> Json:
        """Lend it to a program at the desk for `sign` or `seal`: one-time addresses to fetch it and bring it back."""
        return self._move("POST", "documents", document, "/loans", {"act": act}, None)

    def lend_attachment(self, document: Json, attachment: Json) -> Json:
        """The same for an attachment and the organisation's mark on it."""
        return self._move("POST", "documents", document, f"/attachments/{_part(attachment['id'])}/loans", {}, None)

    def loan(self, document: str, loan: str) -> Json:
        """What has become of a loan."""
        return self._get(f"/documents/{_part(document)}/loans/{_part(loan)}")

    def give_back(self, document: Json, reason: str, *, key: str | None = None) -> Json:
        """Return to the author."""
        return self._move("POST", "documents", document, "/return", {"reason": reason}, key)

    def number(self, document: Json, series: str, date: str | None = None, *, key: str | None = None) -> Json:
        """Take the next number of a series; `date` is `YYYY-MM-DD`, today in Vietnam when left out."""
        return self._move("POST", "documents", document, "/number", {"series": series, "date": date}, key)

    def seal(self, document: Json, pin: str, *, otp: str | None = None, key: str | None = None) -> Json:
        """Put the office's seal on it."""
        return self._move("POST", "documents", document, "/seal", {"pin": pin, "otp": otp}, key)

    def signing_keys(self) -> list[Json]:
        """The keys with which I sign here, by act, and what I type for each."""
        return self._items("/signing-keys")

    def send_code(self, act: str) -> Json:
        """Have the remote service send me the one-time code of my key for `sign` or `seal`."""
        return self._post("/signing-keys/code", {"act": act})

    def batch(
        self, act: str, documents: Sequence[Json], pin: str, *, otp: str | None = None, key: str | None = None
    ) -> Iterator[Json]:
        """Sign or seal many documents with one PIN: yields one line for each as it is done, and one with the counts.

        Repeated with the same `key` it goes on where it stopped.
        """
        named = [{"id": d["id"], "version": d["version"]} for d in documents]
        body = {"act": act, "pin": pin, "otp": otp, "documents": named}
        headers = {"Accept-Language": self.language, **_key(key)}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        with self._http.stream("POST", "/api/v1/batches", json=body, headers=headers, timeout=None) as answer:
            if not answer.is_success:
                answer.read()
                raise Refused(answer.status_code, _problem(answer))
            for line in answer.iter_lines():
                yield json.loads(line)

    def resolve(self, recipients: Sequence[Json]) -> Json:
        """Who would receive it, and what stands in the way of each."""
        return self._post("/recipients/resolve", {"recipients": list(recipients)})

    def issue(self, document: Json, recipients: Sequence[Json], *, key: str | None = None, **more: Any) -> Json:
        """Issue and send; the answer is the consignment with its deliveries."""
        return self._move("POST", "documents", document, "/issue", {"recipients": list(recipients), **more}, key)

    def cancel(self, document: Json, reason: str, *, key: str | None = None) -> Json:
        """Give it up before issue; a number taken stays as a stub."""
        return self._move("POST", "documents", document, "/cancel", {"reason": reason}, key)

    def file(self, document: str, revision: int | None = None) -> bytes:
        """The PDF of a document, its newest revision unless told."""
        return self.request("GET", f"/documents/{_part(document)}/revisions/{revision or 'current'}/file").content

    def report(self, document: str) -> Json:
        """The verdict on the newest revision."""
        return self._get(f"/documents/{_part(document)}/report")

    def events(self, document: str) -> list[Json]:
        """What happened to a document, oldest first."""
        return self._items(f"/documents/{_part(document)}/events")

    def evidence_pack(self, document: str) -> bytes:
        """The evidence pack (zip) of an issued document."""
        return self.request("GET", f"/documents/{_part(document)}/evidence-pack").content

    # -- feed and proofs -----------------------------------------------------------------------------------------------

    def feed(self, after: str | None = None, *, limit: int = 100, wait: int = 0, types: Sequence[str] = ()) -> Json:
        """What happened after a cursor, from the beginning without one: `items`, `cursor` to keep, `more`."""
        asked: dict[str, str | int] = {"limit": limit, "wait": wait}
        asked |= {"after": after} if after else {}
        asked |= {"types": ",".join(types)} if types else {}
        patience = {"timeout": wait + 30.0} if wait else {}
        return _json(self.request("GET", "/events", params=asked, **patience))

    def event(self, event: str) -> bytes:
        """The exact bytes of an event."""
        return self.request("GET", f"/events/{_part(event)}").content

    def proof(self, event: str) -> Json:
        """Where an event stands in the ledger, with audit path, checkpoint and outside time."""
        return self._get(f"/events/{_part(event)}/proof")

    # -- deliveries ----------------------------------------------------------------------------------------------------

    def deliveries(self, consignment: str) -> list[Json]:
        """Each recipient's state and why it is still there."""
        return self._items(f"/consignments/{_part(consignment)}/deliveries")

    def inbox(self, state: str | None = None) -> list[Json]:
        """What came to my office (first page, newest first)."""
        return self._items("/deliveries?box=in" + (f"&state={_part(state)}" if state else ""))

    def delivery(self, delivery: str) -> Json:
        """One delivery as I may see it, with the verdict when it is mine to receive."""
        return self._get(f"/deliveries/{_part(delivery)}")

    def delivery_file(self, delivery: str, n: int = 1) -> bytes:
        """What was delivered: 1 is the document, the others its attachments in order."""
        return self.request("GET", f"/deliveries/{_part(delivery)}/files/{n}").content

    def open(self, delivery: Json, *, key: str | None = None) -> Json:
        """Say that a person opened it."""
        return self._post(f"/deliveries/{delivery['id']}/open", {}, key=key)

    def register(self, delivery: Json, sha256: str, date: str | None = None, *, key: str | None = None) -> Json:
        """Take it on with the next arrival number."""
        return self._move("POST", "deliveries", delivery, "/register", {"sha256": sha256, "incoming_date": date}, key)

    def refuse(self, delivery: Json, code: str, reason: str, *, key: str | None = None) -> Json:
        """Send it back with a reason."""
        return self._move("POST", "deliveries", delivery, "/refuse", {"reason_code": code, "reason": reason}, key)

    def assign(self, delivery: Json, lead: str, *, key: str | None = None, **more: Any) -> Json:
        """Put somebody in charge."""
        return self._move("POST", "deliveries", delivery, "/assign", {"lead": lead, **more}, key)

    def start(self, delivery: Json, *, key: str | None = None) -> Json:
        """Begin the work."""
        return self._move("POST", "deliveries", delivery, "/start", {}, key)

    def complete(self, delivery: Json, *, key: str | None = None) -> Json:
        """End the work."""
        return self._move("POST", "deliveries", delivery, "/complete", {}, key)

    # -- checking ------------------------------------------------------------------------------------------------------

    def verify(self, pdf: bytes, name: str = "file.pdf") -> Json:
        """The verdict on any PDF; needs no login and keeps nothing."""
        files = {"file": (name, pdf, "application/pdf")}
        return _json(self.request("POST", "/verify", files=files))

    # -- the wire ------------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """One call; raises `Refused` for every answer that is no success."""
        headers = {"Accept-Language": self.language, **more.pop("headers", {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        answer = self._http.request(method, f"/api/v1{path}", headers=headers, **more)
        if not answer.is_success:
            raise Refused(answer.status_code, _problem(answer))
        return answer

    def _get(self, path: str) -> Json:
        return _json(self.request("GET", path))

    def _items(self, path: str) -> list[Json]:
        return self._get(path)["items"]  # type: ignore[no-any-return]

    def _post(self, path: str, body: Json, *, key: str | None = None) -> Json:
        return _json(self.request("POST", path, json=body, headers=_key(key)))

    def _move(self, method: str, kind: str, thing: Json, act: str, body: Mapping[str, Any], key: str | None) -> Json:
        headers = {**_key(key), "If-Match": f'"{thing["version"]}"'}
        answer = self.request(method, f"/{kind}/{thing['id']}{act}", json=dict(body), headers=headers)
        return _json(answer)


def _key(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex}


def _part(word: str) -> str:
    """A word as one part of an address, whatever was typed."""
    return quote(word, safe="") or "-"


def _json(answer: httpx2.Response) -> Json:
    try:
        return answer.json()  # type: ignore[no-any-return]
    except ValueError as error:
        raise Refused(answer.status_code, NOT_OURS) from error


def _problem(answer: httpx2.Response) -> Json:
    try:
        problem = answer.json()
    except ValueError:
        return {**NOT_OURS, "status": answer.status_code}
    return problem if isinstance(problem, dict) else {"title": str(problem)}
