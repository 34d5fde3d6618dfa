"""Documents of one's own office, from draft to issue."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, UploadFile

from api import attachments, cases, copies, elsewhere, marking_elsewhere, schemas
from api.auth import Me, Running
from api.pages.render import language_of
from api.schemas import Json
from api.v1.asked import Key, Version, answered, asked
from exchange.acts.issue import current
from exchange.acts.send import resolve
from exchange.errors import NotFound
from exchange.rules.calendar import local_day
from exchange.rules.model import DocumentState
from exchange.storage.store import found_document
from signing.report import report_from_json

router = APIRouter(prefix="/documents", tags=["documents"])


@router.post("", status_code=201)
def draft(request: Request, parts: Running, caller: Me, key: Key, body: schemas.NewDocument) -> Response:
    """A draft of an upload."""
    return answered(cases.draft(parts, caller, asked(request, key, body), body))


@router.post("/copies", status_code=201)
def draft_copy(request: Request, parts: Running, caller: Me, key: Key, body: schemas.NewCopy) -> Response:
    """A copy (sao y, sao lục, trích sao) of a scan, an issued document or an arrival, for the clerk to seal."""
    return answered(copies.draft(parts, caller, asked(request, key, body), body))


@router.get("")
def documents(
    parts: Running, caller: Me, state: DocumentState | None = None, after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50, waiting_for_me: bool = False,
) -> Json:  # fmt: skip
    """My office's documents, newest change first; with `waiting_for_me` those that I am to initial or to sign now."""
    me = caller.actor.id if waiting_for_me else None
    with parts.read() as reading:
        page = reading.exchange.documents(caller.actor.office, [state] if state else [], after, limit, waits_for=me)
        attached = reading.exchange.attachments_of(d.id for d in page.rows)
        items = [
            schemas.document_json(d, current(reading.exchange, d), None, attached.get(d.id, ())) for d in page.rows
        ]
    return {"items": items, "next": page.next}


@router.get("/{document}")
def document(parts: Running, caller: Me, document: str, response: Response) -> Json:
    """One document."""
    with parts.read() as reading:
        found = found_document(reading.exchange, document, caller.actor)
        attached = reading.exchange.attachments(found.id)
        told = schemas.document_json(found, current(reading.exchange, found), None, attached)
        consignment = reading.exchange.consignment_of(found.id)
    response.headers["ETag"] = f'"{found.version}"'
    return told | {"consignment": consignment.id if consignment else None}


@router.patch("/{document}")
def edit(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str,
    body: schemas.DocumentChange,
) -> Response:  # fmt: skip
    """Change a draft, or open a returned document again."""
    return answered(cases.edit(parts, caller, asked(request, key, body), document, version, body))


@router.post("/{document}/attachments")
def attach(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, body: schemas.AttachAsked
) -> Response:
    """Attach an upload to a draft as a separate file; a PDF gets the organisation's mark before the seal."""
    return answered(attachments.attach_upload(parts, caller, asked(request, key, body), document, version, body))


@router.delete("/{document}/attachments/{attachment}")
def detach(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, attachment: str
) -> Response:
    """Take an attachment of a draft away again."""
    return answered(attachments.detach(parts, caller, asked(request, key), document, version, attachment))


@router.get("/{document}/attachments/{attachment}/file")
def attached_file(parts: Running, caller: Me, document: str, attachment: str) -> Response:
    """An attachment as it stands now."""
    file = attachments.file_of(parts, caller, document, attachment)
    return schemas.attachment_response(parts.blobs.get(file.sha256), file)


@router.post("/{document}/attachments/{attachment}/seal/prepare", status_code=201)
def prepare_mark(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, attachment: str,
    body: schemas.PrepareAsked,
) -> Response:  # fmt: skip
    """Prepare the organisation's mark on an attached PDF for a key elsewhere; the answer says which hash to sign."""
    asked_here = asked(request, key, body)
    return answered(marking_elsewhere.prepare(parts, caller, asked_here, document, version, attachment, body))


@router.post("/{document}/attachments/{attachment}/seal/finish")
def finish_mark(
    request: Request, parts: Running, caller: Me, key: Key, document: str, attachment: str, body: schemas.FinishAsked
) -> Response:
    """Finish it with the raw signature. The document stays numbered until its own seal. It may be repeated as it is."""
    return answered(marking_elsewhere.finish(parts, caller, asked(request, key, body), document, attachment, body))


@router.post("/{document}/submit")
def submit(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str,
    body: schemas.SubmitAsked | None = None,
) -> Response:  # fmt: skip
    """Ask the leader, or all who are named in `signers`, to sign."""
    told = body if body and body.signers is not None else None  # an empty body and none are the same request
    return answered(cases.submit(parts, caller, asked(request, key, told), document, version, told))


@router.post("/{document}/sign")
def sign(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, body: schemas.WithPin
) -> Response:
    """Initials or the signature of the one whose turn it is, with the key in the vault; 202: it waits for its time."""
    return answered(cases.sign(parts, caller, asked(request, key, body), document, version, body.pin, body.otp))


@router.post("/{document}/sign/prepare", status_code=201)
def prepare_signature(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str,
    body: schemas.PrepareWithImage,
) -> Response:  # fmt: skip
    """Prepare the leader's signature for a key elsewhere; the answer says which hash to sign."""
    asked_here = asked(request, key, body)
    return answered(elsewhere.prepare(parts, caller, asked_here, document, version, body, "sign", body.image))


@router.post("/{document}/sign/finish")
def finish_signature(
    request: Request, parts: Running, caller: Me, key: Key, document: str, body: schemas.FinishAsked
) -> Response:
    """Finish it with the raw signature. 202 when it waits for its time stamp. It may be repeated as it is."""
    return answered(elsewhere.finish(parts, caller, asked(request, key, body), document, body, "sign"))


@router.post("/{document}/return")
def give_back(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, body: schemas.WithReason
) -> Response:
    """Back to the author."""
    return answered(cases.give_back(parts, caller, asked(request, key, body), document, version, body.reason))


@router.post("/{document}/number")
def number(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, body: schemas.NumberAsked
) -> Response:
    """The next number of a series, filled into the file."""
    return answered(cases.number(parts, caller, asked(request, key, body), document, version, body.series, body.date))


@router.post("/{document}/seal")
def seal(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, body: schemas.WithPin
) -> Response:
    """The office's seal, with its key in the vault. 202 when it waits for its time stamp."""
    return answered(cases.seal(parts, caller, asked(request, key, body), document, version, body.pin, body.otp))


@router.post("/{document}/seal/prepare", status_code=201)
def prepare_seal(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str,
    body: schemas.PrepareAsked,
) -> Response:  # fmt: skip
    """Prepare the office's seal for a key elsewhere; the answer says which hash to sign."""
    return answered(elsewhere.prepare(parts, caller, asked(request, key, body), document, version, body, "seal"))


@router.post("/{document}/seal/finish")
def finish_seal(
    request: Request, parts: Running, caller: Me, key: Key, document: str, body: schemas.FinishAsked
) -> Response:
    """Finish it with the raw signature. 202 when it waits for its time stamp. It may be repeated as it is."""
    return answered(elsewhere.finish(parts, caller, asked(request, key, body), document, body, "seal"))


@router.post("/{document}/issue", status_code=201)
def issue(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, body: schemas.IssueAsked,
    dry_run: bool = False,
) -> Response:  # fmt: skip
    """Issue and send; with `dry_run` only say to whom."""
    if not dry_run:
        return answered(cases.send_out(parts, caller, asked(request, key, body), document, version, body))
    with parts.read() as reading:
        found_document(reading.exchange, document, caller.actor)
        rows = resolve(reading.exchange, caller.actor, body.specs(), on=local_day(parts.now()))
    told = {"items": [schemas.resolved_json(row, language_of(request)) for row in rows]}
    return schemas.json_response(told)


@router.post("/{document}/cancel")
def cancel(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str, body: schemas.WithReason
) -> Response:
    """Give it up before issue."""
    return answered(cases.cancel(parts, caller, asked(request, key, body), document, version, body.reason))


@router.put("/{document}/revisions")
def put_revision(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, document: str,
    file: UploadFile | None = None,
) -> Response:  # fmt: skip
    """A revision signed elsewhere: it adds the signature or seal that is due to the current one, and nothing else."""
    data = file.file.read() if file else None
    return answered(elsewhere.put_revision(parts, caller, asked(request, key), document, version, data))


@router.post("/{document}/loans", status_code=201)
def lend(
    parts: Running,
    caller: Me,
    key: Key,  # noqa: ARG001 - asked for as everywhere; the answer holds keys, so it is not stored under it
    version: Version,
    document: str,
    body: schemas.LoanAsked,
) -> Json:
    """Lend the current revision to a program at my desk: one-time addresses to fetch it and to bring it back."""
    return elsewhere.lend(parts, caller, body.act, document, version)


@router.post("/{document}/attachments/{attachment}/loans", status_code=201)
def lend_attachment(
    parts: Running,
    caller: Me,
    key: Key,  # noqa: ARG001 - as for the document itself
    version: Version,
    document: str,
    attachment: str,
) -> Json:
    """Lend an attachment to a program at my desk, for the organisation's mark."""
    return elsewhere.lend(parts, caller, "seal_attachment", document, version, attachment)


@router.get("/{document}/loans/{loan}")
def loan(request: Request, parts: Running, caller: Me, document: str, loan: str) -> Json:
    """What has become of it."""
    return elsewhere.loan(parts, caller, document, loan, language_of(request))


@router.get("/{document}/revisions/{n}/file")
def file(parts: Running, caller: Me, document: str, n: str) -> Response:
    """The PDF of a revision, `current` for the newest."""
    with parts.read() as reading:
        found = found_document(reading.exchange, document, caller.actor)
        wanted = found.revision if n == "current" else int(n) if n.isdecimal() and len(n) < 9 else 0
        revision = reading.exchange.revision(found.id, wanted)
    if revision is None:
        raise NotFound
    return schemas.pdf_response(parts.blobs.get(revision.file.sha256), revision.file)


@router.get("/{document}/report")
def report(parts: Running, caller: Me, document: str) -> Json:
    """The verdict that was kept with the newest signed revision."""
    with parts.read() as reading:
        found = found_document(reading.exchange, document, caller.actor)
        revisions = [r for r in reading.exchange.revisions(found.id) if r.report_sha256 and r.chain == found.chain]
        stored = reading.exchange.report(revisions[-1].report_sha256 or "") if revisions else None
    if stored is None:
        raise NotFound
    return schemas.report_json(report_from_json(stored.body), stored.sha256)


@router.get("/{document}/events")
def events(parts: Running, caller: Me, document: str) -> Json:
    """What happened to it, oldest first."""
    with parts.read() as reading:
        found = found_document(reading.exchange, document, caller.actor)
        rows = reading.exchange.events_of(document=found.id)
    return {"items": [schemas.event_json(e) for e in rows if not e.inward or e.office == caller.actor.office]}


@router.get("/{document}/evidence-pack")
def evidence_pack(parts: Running, caller: Me, document: str) -> Response:
    """The evidence pack of an issued document, for my office's part in it."""
    return schemas.zip_response(cases.evidence_pack(parts, caller, document), f"bang-chung-{document}.zip")
