"""Separate attachments as every way in brings and takes them; the acts stand in `exchange.acts.attach`."""

from collections.abc import Callable

from api import cases, schemas
from api.accounts import Caller
from api.idempotency import Answer, Asked
from api.wiring import Parts, Writing
from exchange.acts import attach, issue, receive
from exchange.acts.signature import check_file
from exchange.errors import NotFound, UploadIncomplete
from exchange.rules.acceptance import require_name, require_no_marked_line
from exchange.rules.attachments import media_type_of
from exchange.rules.model import FileRef
from exchange.storage.store import found_arrival
from signing.errors import TooLarge
from signing.model import Report
from signing.report import report_from_json


def attach_upload(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, body: schemas.AttachAsked
) -> Answer:
    """Attach an upload that is whole to a draft."""

    def work() -> FileRef:
        with parts.read() as reading:
            issue.moving(reading.exchange, "attach", caller.actor, document, version)
        with cases.forgotten_when_refused(parts, caller, body.upload):
            upload = cases.found_upload(parts, caller, body.upload)
            if not upload.done:
                raise UploadIncomplete(held=parts.blobs.upload_size(upload.id), size=upload.size)
            return _prepared(parts, caller, upload.name, parts.blobs.get(upload.sha256), body.not_classified)

    return _attached(parts, caller, asked, document, version, work)


def attach_bytes(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, name: str, data: bytes,
    *, not_classified: bool,
) -> Answer:  # fmt: skip
    """Attach bytes that came in one form."""
    require_name(name)
    media_type_of(name)
    if len(data) > parts.settings.upload_limit_mb * 1024 * 1024:
        raise TooLarge(limit_mb=parts.settings.upload_limit_mb)

    def work() -> FileRef:
        with parts.read() as reading:
            issue.moving(reading.exchange, "attach", caller.actor, document, version)
        return _prepared(parts, caller, name, data, not_classified)

    return _attached(parts, caller, asked, document, version, work)


def detach(parts: Parts, caller: Caller, asked: Asked, document: str, version: int, attachment: str) -> Answer:
    """Take an attachment of a draft away again."""

    def act(writing: Writing, _: None) -> Answer:
        done = attach.detach(writing.tx, caller.actor, document, version, attachment, at=parts.now())
        return cases.document_answer(writing, *done)

    return parts.run(caller.actor, asked, lambda: None, act)


def file_of(parts: Parts, caller: Caller, document: str, attachment: str) -> FileRef:
    """An attachment of one's own document, as it stands now."""
    with parts.read() as reading:
        return attach.own(reading.exchange, caller.actor, document, attachment).newest


def sent_file(parts: Parts, caller: Caller, delivery: str, n: int) -> FileRef:
    """File `n` of an arrival: 1 is the document, then its attachments in order. Raises `NotFound`."""
    with parts.read() as reading:
        files = receive.sent_files(reading.exchange, found_arrival(reading.exchange, delivery, caller.actor))
    if not 1 <= n <= len(files):
        raise NotFound
    return files[n - 1]


def arrival_reports(parts: Parts, caller: Caller, delivery: str) -> dict[int, Report]:
    """The verdicts on the attached PDFs of an arrival by file number; a report of the last minutes is shown again."""
    with parts.read() as reading:
        here = found_arrival(reading.exchange, delivery, caller.actor)
        files = receive.sent_files(reading.exchange, here)
        since = parts.now() - cases.SHOWN_AGAIN
        wanted = {n: one for n, one in enumerate(files, 1) if n > 1 and one.media_type == "application/pdf"}
        kept = {n: reading.exchange.newest_report(one.sha256, since) for n, one in wanted.items()}
    reports = {}
    for n, one in wanted.items():
        known = kept[n]
        if known is not None:
            reports[n] = report_from_json(known.body)
            continue
        pdf = parts.blobs.get(one.sha256)
        reports[n], stored = check_file(parts.tools(), pdf, office_code=here.sender, at=parts.now())
        with parts.write() as writing:
            writing.tx.store.add_report(stored)
    return reports


def _prepared(parts: Parts, caller: Caller, name: str, data: bytes, not_classified: bool) -> FileRef:
    return attach.prepare(
        parts.tools(), data, name=name,
        accept=lambda mark: require_no_marked_line(not_classified, mark, caller.actor),
    )  # fmt: skip


def _attached(
    parts: Parts, caller: Caller, asked: Asked, document: str, version: int, work: Callable[[], FileRef]
) -> Answer:
    def act(writing: Writing, file: FileRef) -> Answer:
        return cases.document_answer(
            writing, *attach.attach(writing.tx, caller.actor, document, version, file, at=parts.now())
        )

    return parts.run(caller.actor, asked, work, act)
