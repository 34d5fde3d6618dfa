"""Văn bản đến: the list, and one arrival with its verdict and what may be done to it now."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from api import attachments, cases, changes, schemas
from api.accounts import Caller
from api.auth import Me, Running
from api.idempotency import Answer
from api.pages.changes import changes_page, signed_response
from api.pages.page import after, form_asked, form_day, form_of, form_version, page
from api.pages.render import language_of, local_day
from api.pages.shared import PICTURE_WIDTH, history, page_values, report_values
from api.pages.texts import catalogue, text
from api.wiring import Parts
from exchange.acts.receive import sent_file, sent_files
from exchange.errors import NotFound
from exchange.rules.lifecycle import delivery_acts
from exchange.rules.model import DeliveryState
from exchange.storage.store import found_arrival
from signing.pictures import page_sizes

router = APIRouter()


@router.get("/incoming")
def incoming(request: Request, parts: Running, caller: Me, state: str = "", after: str | None = None) -> Response:
    """The list, newest first."""
    language = language_of(request)
    chosen = [DeliveryState(state)] if state in set(DeliveryState) else []
    with parts.read() as reading:
        found = reading.exchange.deliveries("in", caller.actor.office, chosen, after)
        documents = reading.exchange.documents_by_id({d.document for d in found.rows})
        names = reading.exchange.office_names({d.sender for d in found.rows})
    rows = [
        {"delivery": d, "document": documents[d.document], "sender_name": names.get(d.sender, d.sender)}
        for d in found.rows
    ]
    states = [(s.value, text(language, f"delivery_state.{s}")) for s in DeliveryState]
    more = f"/incoming?state={state}&after={found.next}" if found.next else None
    return page(request, "incoming.html", caller, {"rows": rows, "next": more, "state": state, "states": states})


@router.get("/deliveries/{delivery}")
def arrival(request: Request, parts: Running, caller: Me, delivery: str) -> Response:
    """One arrival; looking at it is a fact that the sender may know."""
    language, actor = language_of(request), caller.actor
    here = cases.open_arrival(parts, caller, delivery)
    report = cases.shown_report(parts, caller, delivery)
    with parts.read() as reading:
        document = reading.exchange.document(here.document)
        file, *attached = sent_files(reading.exchange, here)
        events = reading.exchange.events_of(delivery=here.id)
        assignment = reading.exchange.assignment(here.id)
        consignment = reading.exchange.consignment(here.consignment)
        people = reading.people.people_of(actor.office)
        sender_name = reading.exchange.office_names([here.sender]).get(here.sender, here.sender)
    verdicts = attachments.arrival_reports(parts, caller, delivery)
    names = {person.id: person.name for person in people}
    reasons = [(k.removeprefix("reason."), v) for k, v in catalogue(language).items() if k.startswith("reason.")]
    values = {
        "delivery": here,
        "document": document,
        "sender_name": sender_name,
        "due": consignment.due if consignment else None,
        "sha256": file.sha256,
        "attachments": [{"n": n, "file": one, "report": verdicts.get(n)} for n, one in enumerate(attached, 2)],
        "acts": delivery_acts(here.state, actor, assignment.lead if assignment else None),
        "today": local_day(parts.now()).isoformat(),
        "history": history(events, actor.office, language),
        "people": [(person.id, f"{person.name} – {person.title}") for person in people],
        "reasons": reasons,
        "assignment": assignment
        and {
            "lead_name": names.get(assignment.lead, "–"),
            "due": assignment.due,
            "instruction": assignment.instruction,
        },
        **page_values(parts.sandbox.run(page_sizes, parts.blobs.get(file.sha256))),
        **report_values(report, language),
    }
    return page(request, "delivery.html", caller, values, version=here.version)


@router.get("/deliveries/{delivery}/pages/{n}.png")
def picture(parts: Running, caller: Me, delivery: str, n: int) -> Response:
    """A page as a picture."""
    with parts.read() as reading:
        file = sent_file(reading.exchange, found_arrival(reading.exchange, delivery, caller.actor))
    png = cases.picture(parts, file.sha256, n, PICTURE_WIDTH)
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


@router.get("/deliveries/{delivery}/file")
def arrived_file(parts: Running, caller: Me, delivery: str) -> Response:
    """The PDF."""
    with parts.read() as reading:
        file = sent_file(reading.exchange, found_arrival(reading.exchange, delivery, caller.actor))
    return schemas.pdf_response(parts.blobs.get(file.sha256), file)


@router.get("/deliveries/{delivery}/signatures/{n}")
def changed(
    request: Request, parts: Running, caller: Me, delivery: str, n: int, page: int | None = None
) -> Response:  # fmt: skip
    """What changed after a signature."""
    checked, back = changes.of_arrival(parts, caller, delivery), f"/deliveries/{delivery}"
    return changes_page(request, parts, caller, checked, n, shown=page, back=back)


@router.get("/deliveries/{delivery}/signatures/{n}/file")
def signed_file(parts: Running, caller: Me, delivery: str, n: int) -> Response:
    """The revision that a signature signed."""
    return signed_response(changes.of_arrival(parts, caller, delivery), n)


@router.get("/deliveries/{delivery}/files/{n}")
def attached_file(parts: Running, caller: Me, delivery: str, n: int) -> Response:
    """What was sent: 1 is the document, the others are its separate attachments in order."""
    ref = attachments.sent_file(parts, caller, delivery, n)
    return schemas.attachment_response(parts.blobs.get(ref.sha256), ref)


@router.get("/deliveries/{delivery}/evidence")
def evidence(parts: Running, caller: Me, delivery: str) -> Response:
    """The evidence pack, this office's part."""
    with parts.read() as reading:
        here = found_arrival(reading.exchange, delivery, caller.actor)
    return schemas.zip_response(cases.evidence_pack(parts, caller, here.document), f"bang-chung-{delivery}.zip")


@router.post("/deliveries/{delivery}/{act}")
async def act(request: Request, parts: Running, caller: Me, delivery: str, act: str) -> Response:
    """One act on the arrival; then the arrival again, saying what was done."""
    form = await form_of(request)
    answer = await run_in_threadpool(_act, request, parts, caller, delivery, act, form)
    url = f"/deliveries/{delivery}"
    if act == "register":
        return after(url, "register", number=answer.body["incoming"]["number"])
    return after(url, act)


def _act(request: Request, parts: Parts, caller: Caller, delivery: str, act: str, form: dict[str, Any]) -> Answer:
    asked, version = form_asked(request, form), form_version(form)
    if act == "register":
        body = schemas.RegisterAsked(sha256=str(form.get("sha256", "")), incoming_date=form_day(form, "incoming_date"))
        return cases.register(parts, caller, asked, delivery, version, body)
    if act == "refuse":
        refusal = schemas.RefuseAsked(
            reason_code=str(form.get("reason_code") or "other"), reason=str(form.get("reason", ""))[:1001]
        )
        return cases.refuse(parts, caller, asked, delivery, version, refusal)
    if act == "assign":
        assignment = schemas.AssignAsked(
            lead=str(form.get("lead", "")), due=form_day(form, "due"),
            instruction=str(form.get("instruction") or "") or None,
        )  # fmt: skip
        return cases.assign(parts, caller, asked, delivery, version, assignment)
    if act == "start":
        return cases.start(parts, caller, asked, delivery, version)
    if act == "complete":
        return cases.complete(parts, caller, asked, delivery, version)
    raise NotFound
