"""Bàn làm việc: what waits, as counters that are links."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from api import watch
from api.accounts import Caller
from api.auth import Anyone, Running
from api.pages.page import page
from exchange.rules.model import DeliveryState, DocumentState, Role

router = APIRouter()
D, R = DocumentState, DeliveryState


@router.get("/")
def desk(request: Request, parts: Running, caller: Anyone) -> Response:
    """The first page."""
    if caller is None:
        return RedirectResponse("/login", 303)
    if caller.must_enrol:
        return RedirectResponse("/account", 303)
    office, roles = caller.actor.office, caller.actor.roles
    with parts.read() as reading:
        own = reading.exchange.document_counts(office)
        inbox = reading.exchange.delivery_counts("in", office)
        out = reading.exchange.delivery_counts("out", office)
        mine = reading.exchange.waiting_for_signer(office, caller.actor.id)
    counters = []
    if Role.LEADER in roles:
        counters.append(("waiting_signature", mine, f"/documents?state={D.WAITING_SIGNATURE}"))
    if Role.CLERK in roles:
        counters += [
            ("waiting_registration", inbox.get(R.CONSIGNED, 0), f"/incoming?state={R.CONSIGNED}"),
            ("waiting_number", own.get(D.SIGNED, 0), f"/documents?state={D.SIGNED}"),
            ("waiting_seal", own.get(D.NUMBERED, 0), f"/documents?state={D.NUMBERED}"),
            ("waiting_issue", own.get(D.SEALED, 0), f"/documents?state={D.SEALED}"),
            ("refused_by_recipients", out.get(R.REFUSED, 0), "/documents?state=issued"),
        ]
    waiting = sum(inbox.get(state, 0) for state in (R.REGISTERED, R.ASSIGNED, R.PROCESSING))
    counters.append(("waiting_handling", waiting, f"/incoming?state={R.REGISTERED}"))
    counters.append(("returned", own.get(D.RETURNED, 0), f"/documents?state={D.RETURNED}"))
    rows = [{"key": key, "count": count, "href": href} for key, count, href in counters]
    return page(request, "desk.html", caller, {"counters": rows, "ending": _ending(parts, caller)})


def _ending(parts: Running, caller: Caller) -> list[dict[str, Any]]:
    """Certificates that end soon: the caller's own, and the whole office's for who cares for them."""
    office = caller.actor.office
    cares = bool(caller.actor.roles & {Role.CLERK, Role.OFFICE_ADMIN})
    known = watch.ending(parts, office=office, holder=None if cares else caller.actor.id)
    return [
        {"name": one.certificate.common_name, "day": one.certificate.not_after, "days": max(0, left), "over": left < 0}
        for one in known
        for left in [watch.days_left(one.certificate, parts.now())]
    ]
