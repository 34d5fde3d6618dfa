"""Consignments as their sender sees them, and arrivals as their recipient does."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api import attachments, cases, schemas
from api.auth import Me, Running
from api.pages.render import language_of
from api.schemas import Json
from api.v1.asked import Key, Version, answered, asked
from exchange.acts.receive import sent_files
from exchange.errors import NotFound
from exchange.rules.explain import explain
from exchange.rules.model import Consignment, DeliveryState

router = APIRouter(tags=["deliveries"])


@router.get("/consignments/{consignment}")
def consignment(parts: Running, caller: Me, consignment: str) -> Json:
    """One issue of mine."""
    with parts.read() as reading:
        found = _own(reading.exchange.consignment(consignment), caller.actor.office)
        document = reading.exchange.document(found.document)
        deliveries = reading.exchange.deliveries_of(found.id)
    if document is None:
        raise NotFound
    return schemas.consignment_json(found, document, deliveries)


@router.get("/consignments/{consignment}/deliveries")
def recipients(request: Request, parts: Running, caller: Me, consignment: str) -> Json:
    """Each recipient's state, since when, and why it is still there."""
    with parts.read() as reading:
        found = _own(reading.exchange.consignment(consignment), caller.actor.office)
        rows = reading.exchange.deliveries_of(found.id)
        names = reading.exchange.office_names(row.office for row in rows)
    language = language_of(request)
    return {
        "items": [
            schemas.delivery_json(row)
            | {"why": schemas.why_json(explain(row, names.get(row.office, row.office), language))}
            for row in rows
        ]
    }


@router.get("/deliveries")
def deliveries(
    parts: Running, caller: Me, box: Literal["in", "out"] = "in", state: DeliveryState | None = None,
    after: str | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Json:  # fmt: skip
    """What came in, or went out, newest first."""
    with parts.read() as reading:
        page = reading.exchange.deliveries(box, caller.actor.office, [state] if state else [], after, limit)
        documents = reading.exchange.documents_by_id({row.document for row in page.rows})
    items = [schemas.delivery_json(r) | {"document": schemas.carried_json(documents[r.document])} for r in page.rows]
    return {"items": items, "next": page.next}


@router.get("/deliveries/{delivery}")
def arrival(request: Request, parts: Running, caller: Me, delivery: str, response: Response) -> Json:
    """One arrival of mine with the verdict on it, or one recipient of what I sent."""
    with parts.read() as reading:
        found = reading.exchange.delivery(delivery)
        if found is None or caller.actor.office not in (found.office, found.sender):
            raise NotFound
        document = reading.exchange.document(found.document)
        file, *attached = sent_files(reading.exchange, found)
        names = reading.exchange.office_names([found.office])
        sent = reading.exchange.consignment(found.consignment)
        assignment = reading.exchange.assignment(found.id) if found.office == caller.actor.office else None
    if document is None:
        raise NotFound
    why = explain(found, names.get(found.office, found.office), language_of(request))
    told = schemas.delivery_json(found) | {
        "document": schemas.carried_json(document),
        "file": schemas.file_json(file),
        "attachments": [{"n": n, **schemas.file_json(one)} for n, one in enumerate(attached, 2)],
        "due": sent.due.isoformat() if sent and sent.due else None,
        "why": schemas.why_json(why),
        "assignment": schemas.assignment_json(assignment) if assignment else None,
    }
    if found.office == caller.actor.office:
        report = cases.shown_report(parts, caller, found.id)
        told["report"] = schemas.report_json(report, None)
        verdicts = attachments.arrival_reports(parts, caller, found.id)
        for one in told["attachments"]:
            one["report"] = schemas.report_json(verdicts[one["n"]], None) if one["n"] in verdicts else None
    response.headers["ETag"] = f'"{found.version}"'
    return told


@router.get("/deliveries/{delivery}/files/{n}")
def arrived_file(parts: Running, caller: Me, delivery: str, n: int) -> Response:
    """What was delivered to me: file 1 is the document, the others are its attachments in order."""
    file = attachments.sent_file(parts, caller, delivery, n)
    return schemas.attachment_response(parts.blobs.get(file.sha256), file)


@router.post("/deliveries/{delivery}/open")
def open_arrival(parts: Running, caller: Me, delivery: str) -> Json:
    """Say that a person looked at it."""
    return schemas.delivery_json(cases.open_arrival(parts, caller, delivery))


@router.post("/deliveries/{delivery}/register")
def register(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, delivery: str, body: schemas.RegisterAsked
) -> Response:
    """Take it on with the next arrival number."""
    return answered(cases.register(parts, caller, asked(request, key, body), delivery, version, body))


@router.post("/deliveries/{delivery}/refuse")
def refuse(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, delivery: str, body: schemas.RefuseAsked
) -> Response:
    """Send it back with a reason."""
    return answered(cases.refuse(parts, caller, asked(request, key, body), delivery, version, body))


@router.post("/deliveries/{delivery}/assign")
def assign(
    request: Request, parts: Running, caller: Me, key: Key, version: Version, delivery: str, body: schemas.AssignAsked
) -> Response:
    """Put somebody in charge."""
    return answered(cases.assign(parts, caller, asked(request, key, body), delivery, version, body))


@router.post("/deliveries/{delivery}/start")
def start(request: Request, parts: Running, caller: Me, key: Key, version: Version, delivery: str) -> Response:
    """Begin the work."""
    return answered(cases.start(parts, caller, asked(request, key), delivery, version))


@router.post("/deliveries/{delivery}/complete")
def complete(request: Request, parts: Running, caller: Me, key: Key, version: Version, delivery: str) -> Response:
    """End the work."""
    return answered(cases.complete(parts, caller, asked(request, key), delivery, version))


def _own(found: Consignment | None, office: str) -> Consignment:
    if found is None or found.office != office:
        raise NotFound
    return found
