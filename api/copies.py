"""Copies as every way in asks for them; the act stands in `exchange.acts.copy`."""

from dataclasses import replace

from api import cases, schemas
from api.accounts import Caller
from api.idempotency import Answer, Asked
from api.wiring import Parts, Writing
from exchange.acts import copy, issue, receive
from exchange.errors import CopyNotAllowed, UploadIncomplete
from exchange.rules.copies import require_copy
from exchange.rules.lifecycle import author_role
from exchange.rules.model import Document, FileRef
from exchange.storage.store import found_arrival, found_document


def draft(
    parts: Parts, caller: Caller, asked: Asked, body: schemas.NewCopy, scan: tuple[str, bytes] | None = None
) -> Answer:
    """A copy in `draft`; `scan` is a scanned file that came in one form, name and bytes."""
    author_role(caller.actor)
    source, file = _source(parts, caller, body)
    electronic = not (body.upload or scan)
    require_copy(body.copy_kind, source, electronic=electronic)
    wanted = copy.WantedCopy(
        body.copy_kind, body.type or (source.type if source else "official_letter"),
        body.subject or (source.subject if source else ""), source.id if source else None,
        body.issue_place or None, body.not_classified,
    )  # fmt: skip

    def work() -> issue.PreparedFile:
        with cases.forgotten_when_refused(parts, caller, body.upload):
            name, data = scan or _bytes(parts, caller, body, file)
            with parts.read() as reading:
                office = reading.exchange.office(caller.actor.office)
            return copy.prepare(
                parts.tools(), data, wanted, caller.actor, name=name,
                office_name=office.name if office else caller.actor.office,
                pages=[n - 1 for n in body.pages] if body.pages else None, electronic=electronic,
            )  # fmt: skip

    def act(writing: Writing, prepared: issue.PreparedFile) -> Answer:
        document, event = copy.draft_copy(writing.tx, caller.actor, wanted, prepared, at=parts.now())
        answer = cases.document_answer(writing, document, event)
        return replace(answer, status=201, headers={**answer.headers, "Location": f"/api/v1/documents/{document.id}"})

    return parts.run(caller.actor, asked, work, act)


def _source(parts: Parts, caller: Caller, body: schemas.NewCopy) -> tuple[Document | None, FileRef | None]:
    """The document that is copied and its file, as far as they are here and the caller's office holds them."""
    with parts.read() as reading:
        store = reading.exchange
        if body.document:
            own = found_document(store, body.document, caller.actor)
            return own, issue.current(store, own).file
        if body.delivery:
            here = found_arrival(store, body.delivery, caller.actor)
            return store.document(here.document), receive.sent_file(store, here)
    return None, None


def _bytes(parts: Parts, caller: Caller, body: schemas.NewCopy, file: FileRef | None) -> tuple[str, bytes]:
    if body.upload:
        upload = cases.found_upload(parts, caller, body.upload)
        if not upload.done:
            raise UploadIncomplete(held=parts.blobs.upload_size(upload.id), size=upload.size)
        issue.require_pdf(upload.media_type)
        return upload.name, parts.blobs.get(upload.sha256)
    if file is None:
        raise CopyNotAllowed(why="thiếu nguồn / no source")
    return file.name, parts.blobs.get(file.sha256)
