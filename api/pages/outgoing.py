"""Văn bản đi: the list, a new draft, and one document with what may be done to it now."""

import re
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api import attachments, cases, changes, own_keys, schemas
from api.accounts import Caller
from api.auth import Me, Running
from api.errors import Malformed
from api.idempotency import Answer
from api.pages.changes import changes_page, signed_response
from api.pages.codes import code_sent
from api.pages.page import after, form_asked, form_day, form_of, form_version, page
from api.pages.render import html, language_of, local_day
from api.pages.shared import PICTURE_WIDTH, history, page_values, report_values
from api.pages.texts import catalogue, text
from api.problems import ROOM_ERRORS, STATUS
from api.wiring import Parts
from exchange.acts.issue import current, next_number, places_of
from exchange.acts.send import resolve
from exchange.errors import NotFound, SeriesClosed, SeriesNotFitting
from exchange.rules.attachments import ALLOWED
from exchange.rules.copies import require_fitting
from exchange.rules.directory import subordinates
from exchange.rules.explain import explain
from exchange.rules.lifecycle import document_acts
from exchange.rules.model import Attachment, Document, DocumentState, Part, Role, Secrecy, Urgency
from exchange.storage.store import found_document
from signing.model import Place
from signing.pictures import page_sizes
from signing.report import report_from_json

router = APIRouter(prefix="/documents")
POINTS_PER_MM = 72 / 25.4
PLACES = ("number", "date", "signature", "seal")
OTHER_PLACE = re.compile(r"(KyNhay|ChuKyLanhDao)[0-9]+_page")
SURE = 0.6
SERIES_OF_TYPE = {"decision": "qd", "announcement": "tb"}
USUAL_SERIES = "cv"
"""Places read with less confidence are to be looked at before anybody signs."""


@router.get("")
def documents(request: Request, parts: Running, caller: Me, state: str = "", after: str | None = None) -> Response:
    """The list, newest change first."""
    language = language_of(request)
    chosen = [DocumentState(state)] if state in set(DocumentState) else []
    with parts.read() as reading:
        found = reading.exchange.documents(caller.actor.office, chosen, after)
    states = [(s.value, text(language, f"document_state.{s}")) for s in DocumentState]
    more = f"/documents?state={state}&after={found.next}" if found.next else None
    batch = {DocumentState.WAITING_SIGNATURE: "sign", DocumentState.NUMBERED: "seal"}.get(chosen[0]) if chosen else None
    values = {"rows": found.rows, "next": more, "state": state, "states": states, "batch": batch}
    return page(request, "documents.html", caller, values)


@router.get("/new")
def compose(request: Request, parts: Running, caller: Me) -> Response:
    """The form for a new draft."""
    return _compose(request, parts, caller, {}, None)


@router.post("/new")
async def draft(request: Request, parts: Running, caller: Me) -> Response:
    """A draft of the chosen file, or the form again with what was wrong."""
    form = await form_of(request)
    file = form.pop("file", None)
    form.pop("file[]", None)
    if not isinstance(file, UploadFile):
        raise Malformed(what="file")
    data = await file.read()
    words = {name: form[name] for name in ("signer", "type", "subject", "urgency", "secrecy") if form.get(name)}
    words["not_classified"] = form.get("not_classified") == "1"
    asked = form_asked(request, {**form, "file": file.filename or ""})
    try:
        answer = await run_in_threadpool(cases.draft_of_bytes, parts, caller, asked, file.filename or "", data, words)
    except ROOM_ERRORS as error:
        return await run_in_threadpool(_compose, request, parts, caller, form, error)
    return after(f"/documents/{answer.body['id']}", "draft")


@router.get("/{document}")
def document(request: Request, parts: Running, caller: Me, document: str) -> Response:
    """One document."""
    language, actor = language_of(request), caller.actor
    with parts.read() as reading:
        found = found_document(reading.exchange, document, actor)
        revision = current(reading.exchange, found)
        signed = [r for r in reading.exchange.revisions(found.id) if r.report_sha256 and r.chain == found.chain]
        stored = reading.exchange.report(signed[-1].report_sha256 or "") if signed else None
        events = reading.exchange.events_of(document=found.id)
        consignment = reading.exchange.consignment_of(found.id)
        attached = reading.exchange.attachments(found.id)
        deliveries = reading.exchange.deliveries_of(consignment.id) if consignment else []
        names = reading.exchange.office_names(d.office for d in deliveries)
    sizes = parts.sandbox.run(page_sizes, parts.blobs.get(revision.file.sha256))
    acts = document_acts(found, actor)
    values = {
        "document": found,
        "acts": acts,
        "today": local_day(parts.now()).isoformat(),
        "history": history([event for event in events if event.delivery is None], actor.office, language),
        "caller_is_clerk": Role.CLERK in actor.roles,
        "places": _places_mm(found, language) if "edit" in acts and found.copy_kind is None else None,
        "order": found.order,
        "attachments": attached,
        "endings": ",".join(f".{ending}" for ending in ALLOWED),
        "due": consignment.due if consignment else None,
        "own_key": own_keys.for_acts(parts, caller, acts),
        "desk": _desk_key(parts, acts, language, attached),
        "deliveries": [
            {"delivery": d, "name": names.get(d.office, d.office), "why": explain(d, names.get(d.office, ""), language)}
            for d in deliveries
        ],
        **page_values(sizes),
        **report_values(report_from_json(stored.body) if stored else None, language),
        **_choices(parts, caller, found, acts, language),
    }
    if values["desk"]:
        request.state.connect = parts.settings.desk_program  # this page alone may speak to the program at the desk
    return page(request, "document.html", caller, values, version=found.version)


@router.get("/{document}/pages/{n}.png")
def picture(parts: Running, caller: Me, document: str, n: int) -> Response:
    """A page as a picture."""
    with parts.read() as reading:
        found = found_document(reading.exchange, document, caller.actor)
        sha256 = current(reading.exchange, found).file.sha256
    png = cases.picture(parts, sha256, n, PICTURE_WIDTH)
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


@router.get("/{document}/file")
def file(parts: Running, caller: Me, document: str) -> Response:
    """The PDF."""
    with parts.read() as reading:
        found = found_document(reading.exchange, document, caller.actor)
        ref = current(reading.exchange, found).file
    return schemas.pdf_response(parts.blobs.get(ref.sha256), ref)


@router.get("/{document}/signatures/{n}")
def changed(
    request: Request, parts: Running, caller: Me, document: str, n: int, page: int | None = None
) -> Response:  # fmt: skip
    """What changed after a signature."""
    checked, back = changes.of_document(parts, caller, document), f"/documents/{document}"
    return changes_page(request, parts, caller, checked, n, shown=page, back=back)


@router.get("/{document}/signatures/{n}/file")
def signed_file(parts: Running, caller: Me, document: str, n: int) -> Response:
    """The revision that a signature signed."""
    return signed_response(changes.of_document(parts, caller, document), n)


@router.get("/{document}/attachments/{attachment}")
def attached(parts: Running, caller: Me, document: str, attachment: str) -> Response:
    """One separate attachment."""
    ref = attachments.file_of(parts, caller, document, attachment)
    return schemas.attachment_response(parts.blobs.get(ref.sha256), ref)


@router.get("/{document}/evidence")
def evidence(parts: Running, caller: Me, document: str) -> Response:
    """The evidence pack."""
    return schemas.zip_response(cases.evidence_pack(parts, caller, document), f"bang-chung-{document}.zip")


@router.post("/{document}/recipients")
async def recipients(request: Request, parts: Running, caller: Me, document: str) -> Response:
    """The resolved list, before anything is sent."""
    form, language = await form_of(request), language_of(request)

    def resolved() -> Response:
        with parts.read() as reading:
            found = found_document(reading.exchange, document, caller.actor)
            body = schemas.Recipients(recipients=_specs(form, found))
            rows = resolve(reading.exchange, caller.actor, body.specs(), on=local_day(parts.now()))
        shown = [
            {
                "office": r.office, "name": r.name, "problem": r.problem,
                "detail": r.detail_vi if language == "vi" else r.detail_en,
            }
            for r in rows
        ]  # fmt: skip
        good = sum(r.problem is None for r in rows)
        return html("recipients.html", language, {"recipients": shown, "good": good})

    return await run_in_threadpool(resolved)


@router.post("/{document}/code/{wanted}")
def send_code(request: Request, parts: Running, caller: Me, document: str, wanted: str) -> Response:
    """Have the one-time code of the caller's remote key sent."""
    with parts.read() as reading:
        found_document(reading.exchange, document, caller.actor)
    return code_sent(request, parts, caller, wanted, back=f"/documents/{document}")


@router.post("/{document}/attach")
async def attach(request: Request, parts: Running, caller: Me, document: str) -> Response:
    """One more separate attachment, from the chosen file."""
    form = await form_of(request)
    file = form.pop("file", None)
    form.pop("file[]", None)
    if not isinstance(file, UploadFile):
        raise Malformed(what="file")
    data, name = await file.read(), file.filename or ""
    asked, version = form_asked(request, {**form, "file": name}), form_version(form)

    def attached() -> Answer:
        return attachments.attach_bytes(
            parts, caller, asked, document, version, name, data, not_classified=form.get("not_classified") == "1"
        )

    await run_in_threadpool(attached)
    return after(f"/documents/{document}", "attach")


@router.post("/{document}/{act}")
async def act(request: Request, parts: Running, caller: Me, document: str, act: str) -> Response:
    """One act on the document; then the document again, saying what was done."""
    form = await form_of(request)
    answer = await run_in_threadpool(_act, request, parts, caller, document, act, form)
    url = f"/documents/{document}"
    if answer.status == 202:
        return after(url, f"{act}_pending")
    if act == "number":
        return after(url, "number", written=answer.body["number"]["written"])
    if act == "issue":
        return after(url, "issue", count=answer.body["recipients"]["count"])
    return after(url, "edit" if act in ("places", "signers") else act)


def _act(request: Request, parts: Parts, caller: Caller, document: str, act: str, form: dict[str, Any]) -> Answer:
    asked, version = form_asked(request, form), form_version(form)
    reason, pin, otp = (str(form.get(name, "")) for name in ("reason", "pin", "otp"))
    if act == "submit":
        return cases.submit(parts, caller, asked, document, version)
    if act == "sign":
        return cases.sign(parts, caller, asked, document, version, pin, otp.strip() or None)
    if act == "return":
        return cases.give_back(parts, caller, asked, document, version, reason)
    if act == "number":
        day = form_day(form, "date")
        return cases.number(parts, caller, asked, document, version, str(form.get("series", "")), day)
    if act == "seal":
        return cases.seal(parts, caller, asked, document, version, pin, otp.strip() or None)
    if act == "cancel":
        return cases.cancel(parts, caller, asked, document, version, reason)
    if act == "edit":
        words = {name: form[name] for name in ("subject", "type", "signer") if form.get(name)}
        return cases.edit(parts, caller, asked, document, version, schemas.DocumentChange(**words))
    if act == "detach":
        return attachments.detach(parts, caller, asked, document, version, str(form.get("attachment", "")))
    if act == "signers":
        return cases.edit(parts, caller, asked, document, version, schemas.DocumentChange(signers=_signers(form)))
    if act == "places":
        change = schemas.DocumentChange(places=schemas.PlacesIn(**_places_points(form)))
        return cases.edit(parts, caller, asked, document, version, change)
    if act == "issue":
        with parts.read() as reading:
            found = found_document(reading.exchange, document, caller.actor)
        body = schemas.IssueAsked(recipients=_specs(form, found), due=form_day(form, "due"))
        return cases.send_out(parts, caller, asked, document, version, body)
    raise NotFound


def _compose(request: Request, parts: Parts, caller: Caller, form: dict[str, Any], error: Any | None) -> Response:
    language = language_of(request)
    with parts.read() as reading:
        leaders = reading.people.people_of(caller.actor.office, Role.LEADER)
    problem = {"code": error.code, "sentence": error.sentence(language)} if error else None
    fields = ("subject", "type", "signer", "urgency", "secrecy")
    values = {
        "problem": problem,
        "values": {name: form.get(name, "") for name in fields},
        "limit_mb": parts.settings.upload_limit_mb,
        "leaders": [(person.id, person.name) for person in leaders],
        "types": _types(language),
        "urgencies": [(u.value, text(language, f"urgency.{u}")) for u in Urgency],
        "secrecies": [(s.value, text(language, f"secrecy.{s}")) for s in Secrecy],
        "caller_is_clerk": Role.CLERK in caller.actor.roles,
    }
    return page(request, "compose.html", caller, values, status=STATUS[type(error)] if error else 200)


def _choices(parts: Parts, caller: Caller, document: Document, acts: tuple[str, ...], language: str) -> dict[str, Any]:
    """What the forms of the acts offer."""
    day = local_day(parts.now())
    with parts.read() as reading:
        store = reading.exchange
        leaders = reading.people.people_of(caller.actor.office, Role.LEADER)
        people = reading.people.people_of(caller.actor.office) if "edit" in acts else []
        directory = store.offices() if "issue" in acts else {}
        groups = list(store.groups(caller.actor.office).values()) if "issue" in acts else []
        series = []
        for one in store.series_of(caller.actor.office, day.year) if "number" in acts else []:
            try:
                require_fitting(one.series, document)
                following = next_number(store, caller.actor, one.series.name, day).written
            except (SeriesClosed, SeriesNotFitting):
                continue
            chosen = one.series.name == SERIES_OF_TYPE.get(document.type, USUAL_SERIES)
            label = one.series.title
            series.append({"value": one.series.name, "label": label, "next": following, "chosen": chosen})
    under = sorted(subordinates(caller.actor.office, directory.values(), 1))
    return {
        "series": series,
        "leaders": [(person.id, person.name) for person in leaders],
        "people": [(person.id, f"{person.name} – {person.title}") for person in people],
        "parts": [(part.value, text(language, f"part.{part}")) for part in Part],
        "types": _types(language),
        "groups": groups,
        "offices": [(o.code, o.name) for o in directory.values() if o.code != caller.actor.office],
        "subordinates": [(code, directory[code].name) for code in under],
    }


def _desk_key(
    parts: Parts, acts: tuple[str, ...], language: str, attached: Sequence[Attachment]
) -> dict[str, Any] | None:
    """What the script needs that signs with a key at the caller's computer; None where there is nothing to sign.

    `marks` are the attached PDFs that the organisation signs before the seal.
    """
    act = next((name for name in ("sign", "seal") if name in acts), None)
    if act is None:
        return None
    table = "desk_key."
    words = {key.removeprefix(table): word for key, word in catalogue(language).items() if key.startswith(table)}
    marks = [one.id for one in attached if one.needs_seal and one.sealed is None] if act == "seal" else []
    return {"act": act, "program": parts.settings.desk_program, "words": words, "marks": marks}


def _types(language: str) -> list[tuple[str, str]]:
    return [(k.removeprefix("type."), v) for k, v in catalogue(language).items() if k.startswith("type.")]


def _specs(form: dict[str, Any], document: Document) -> list[schemas.RecipientIn]:
    to = str(form.get("to", "under"))
    excepting = form.get("except[]", [])
    if to == "chosen":
        return [schemas.RecipientIn(office=code) for code in form.get("chosen[]", [])]
    line: dict[str, Any] = {"except": excepting}
    line |= {"under": document.office} if to == "under" else {"group": to}
    return [schemas.RecipientIn(**line)]


def _signers(form: dict[str, Any]) -> list[schemas.NamedIn]:
    """The rows that name somebody, in their order; one row alone who signs is no order of several."""
    try:
        rows = zip(form.get("person[]", []), form.get("part[]", []), strict=True)
        named = [schemas.NamedIn(person=person, part=Part(part)) for person, part in rows if person]
    except ValueError as error:
        raise Malformed(what="part") from error
    return named


def _places_mm(document: Document, language: str) -> list[dict[str, Any]]:
    """Every place in millimetres from the lower left corner, with what it is for."""
    places = places_of(document.places)
    known = [(key, text(language, f"places.{key}"), getattr(places, key)) for key in PLACES]
    people = {one.field: f"{text(language, f'part.{one.part}')}: {one.name}" for one in document.order}
    known += [(one.field, people.get(one.field, one.field), one.place) for one in places.others]
    return [
        {"key": key, "label": label, "guessed": place.confidence < SURE, **_millimetres(place)}
        for key, label, place in known
    ]


def _millimetres(place: Place) -> dict[str, Any]:
    x1, y1, x2, y2 = (value / POINTS_PER_MM for value in place.box)
    measures = {"left": x1, "bottom": y1, "width": x2 - x1, "height": y2 - y1}
    return {"page": place.page + 1} | {name: f"{value:.1f}" for name, value in measures.items()}


def _places_points(form: dict[str, Any]) -> dict[str, Any]:
    def one(key: str) -> dict[str, Any]:
        try:
            left, bottom, width, height = (
                float(str(form[f"{key}_{m}"])) * POINTS_PER_MM for m in ("left", "bottom", "width", "height")
            )
            number = int(str(form[f"{key}_page"])) - 1
        except (KeyError, ValueError) as error:
            raise Malformed(what=key) from error
        return {"page": number, "box": (left, bottom, left + width, bottom + height)}

    others = [name.removesuffix("_page") for name in form if OTHER_PLACE.fullmatch(name)]
    return {key: one(key) for key in PLACES} | {"others": {key: one(key) for key in others}}
