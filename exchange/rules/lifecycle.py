"""The states of documents and deliveries and the only moves between them (exchange page §3.2, §5.2), as data.

Nothing else decides a move: acts ask `document_move` and `delivery_move`, pages ask what may be done now.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exchange.errors import AlreadyFinal, NotAllowed, NotYourTurn, WrongState
from exchange.rules.model import (
    Actor,
    DeliveryState,
    Document,
    DocumentKind,
    DocumentState,
    NamedPerson,
    Part,
    Phase,
    Role,
)

D = DocumentState
R = DeliveryState
AUTHOR = "author"
SIGNER = "signer"
INITIALS = "initials now"
CO_SIGNS = "signs now"
SIGNS_LAST = "signs last now"
"""Places of the one whose turn it is: asked to initial, to sign before others, or to give the last signature."""
LEAD = "lead"
WRITES, NUMBERS, SENDS, ACTS = "documents:write", "numbers:take", "consignments:write", "inbox:act"
"""Scopes of programs that stand among those who may (exchange page §3.2, §5.2): a program has no roles."""
WAYS_BACK = frozenset({"return", "cancel"})
"""What may be done to a document whose signature waits for its time stamp: nobody is stuck when it never comes."""


@dataclass(frozen=True, slots=True)
class Move:
    """One way on: from these states to that one, by these roles or places, recorded as `event`."""

    act: str
    sources: frozenset[str]
    target: str
    who: frozenset[str]
    event: str


def _move(act: str, sources: tuple[str, ...], target: str, who: tuple[str, ...], event: str) -> Move:
    return Move(act, frozenset(sources), target, frozenset(who), event)


DOCUMENT_MOVES: tuple[Move, ...] = (
    _move("edit", (D.DRAFT,), D.DRAFT, (AUTHOR,), "document.edited"),
    _move("edit", (D.RETURNED,), D.DRAFT, (AUTHOR,), "document.reopened"),
    _move("attach", (D.DRAFT,), D.DRAFT, (AUTHOR,), "document.attached"),
    _move("detach", (D.DRAFT,), D.DRAFT, (AUTHOR,), "document.detached"),
    _move("submit", (D.DRAFT,), D.WAITING_SIGNATURE, (AUTHOR,), "document.submitted_for_signature"),
    _move("sign", (D.WAITING_SIGNATURE,), D.WAITING_SIGNATURE, (INITIALS,), "document.initialled"),
    _move("sign", (D.WAITING_SIGNATURE,), D.WAITING_SIGNATURE, (CO_SIGNS,), "document.partly_signed"),
    _move("sign", (D.WAITING_SIGNATURE,), D.SIGNED, (SIGNS_LAST,), "document.signed"),
    _move(
        "return",
        (D.WAITING_SIGNATURE,),
        D.RETURNED,
        (SIGNER, INITIALS, CO_SIGNS, SIGNS_LAST, AUTHOR),
        "document.returned",
    ),
    _move("return", (D.SIGNED, D.NUMBERED), D.RETURNED, (Role.CLERK,), "document.returned"),
    _move("number", (D.SIGNED,), D.NUMBERED, (Role.CLERK, NUMBERS), "document.numbered"),
    _move("seal_attachment", (D.NUMBERED,), D.NUMBERED, (Role.CLERK,), "document.attachment_sealed"),
    _move("seal", (D.NUMBERED,), D.SEALED, (Role.CLERK,), "document.sealed"),
    _move("issue", (D.SEALED,), D.ISSUED, (Role.CLERK, SENDS), "document.issued"),
    _move("cancel", (D.DRAFT, D.WAITING_SIGNATURE, D.RETURNED), D.CANCELLED, (AUTHOR,), "document.cancelled"),
    _move("cancel", (D.SIGNED, D.NUMBERED, D.SEALED), D.CANCELLED, (Role.CLERK,), "document.cancelled"),
)

COPY_MOVES: tuple[Move, ...] = (
    *(move for move in DOCUMENT_MOVES if move.act not in ("submit", "sign", "number", "attach", "detach")),
    _move("number", (D.DRAFT,), D.NUMBERED, (Role.CLERK,), "document.numbered"),
)
"""A copy waits for no leader: the clerk numbers the draft, and the organisation alone signs it (R36)."""

DELIVERY_MOVES: tuple[Move, ...] = (
    _move("register", (R.CONSIGNED,), R.REGISTERED, (Role.CLERK, ACTS), "delivery.registered"),
    _move("assign", (R.REGISTERED,), R.ASSIGNED, (Role.LEADER, Role.CLERK, ACTS), "delivery.assigned"),
    _move("start", (R.REGISTERED, R.ASSIGNED), R.PROCESSING, (LEAD, ACTS), "delivery.processing"),
    _move(
        "complete",
        (R.REGISTERED, R.ASSIGNED, R.PROCESSING),
        R.COMPLETED,
        (LEAD, Role.LEADER, Role.CLERK, ACTS),
        "delivery.completed",
    ),
    _move(
        "refuse",
        (R.CONSIGNED, R.REGISTERED, R.ASSIGNED, R.PROCESSING),
        R.REFUSED,
        (Role.CLERK, ACTS),
        "delivery.refused",
    ),
)

DELIVERY_CODES: Mapping[str, str] = {
    R.CONSIGNED: "01",
    R.REFUSED: "02",
    R.REGISTERED: "03",
    R.ASSIGNED: "04",
    R.PROCESSING: "05",
    R.COMPLETED: "06",
}
"""The codes of QĐ 28 that a state goes by between systems."""

ENDED = frozenset({R.REFUSED, R.WITHDRAWN, R.REDIRECTED, R.REPLACED})


def phase_of_document(state: DocumentState) -> Phase:
    """Whether a document still waits for somebody."""
    if state is D.CANCELLED:
        return Phase.ENDED
    return Phase.DONE if state is D.ISSUED else Phase.OPEN


def phase_of_delivery(state: DeliveryState) -> Phase:
    """Whether a delivery still waits for somebody."""
    if state in ENDED:
        return Phase.ENDED
    return Phase.DONE if state is R.COMPLETED else Phase.OPEN


def document_move(act: str, document: Document, actor: Actor) -> Move:
    """The move that `act` is now; raises `AlreadyFinal`, `WrongState`, or `NotAllowed` for the wrong person.

    Somebody named to sign whose turn it is not meets `NotYourTurn`.
    """
    places = document_places(document, actor)
    if phase_of_document(document.state) is not Phase.OPEN:
        raise AlreadyFinal(state=document.state)
    waits_for = document.next_named
    if act == "sign" and waits_for is not None and waits_for.person != actor.id and _may_sign(document, actor):
        raise NotYourTurn(name=waits_for.name)
    return _chosen(moves_of(document), act, document.state, places)


def moves_of(document: Document) -> tuple[Move, ...]:
    """The moves of a document of its kind."""
    return COPY_MOVES if document.kind is DocumentKind.COPY else DOCUMENT_MOVES


def delivery_move(act: str, state: DeliveryState, actor: Actor, lead: str | None) -> Move:
    """The move that `act` is now; raises `AlreadyFinal`, `WrongState`, or `NotAllowed` for the wrong person."""
    if phase_of_delivery(state) is not Phase.OPEN:
        raise AlreadyFinal(state=state)
    return _chosen(DELIVERY_MOVES, act, state, delivery_places(actor, lead))


def document_acts(document: Document, actor: Actor) -> tuple[str, ...]:
    """The acts that this person may do on this document now, in the order of the road."""
    if actor.office != document.office:
        return ()
    acts = _possible(moves_of(document), document.state, document_places(document, actor))
    return tuple(act for act in acts if act in WAYS_BACK) if document.pending_signature else acts


def delivery_acts(state: DeliveryState, actor: Actor, lead: str | None) -> tuple[str, ...]:
    """The acts that a person of the receiving office may do on this delivery now."""
    return _possible(DELIVERY_MOVES, state, delivery_places(actor, lead))


def document_places(document: Document, actor: Actor) -> frozenset[str]:
    """Roles of the actor and its places in this document.

    Nobody acts from a place without the role: the author as clerk or officer, who signs as leader, who initials as
    leader, clerk or officer.
    """
    places: set[str] = set(actor.roles) | actor.scopes
    if actor.id == document.author and (actor.roles & {Role.CLERK, Role.OFFICER} or WRITES in actor.scopes):
        places.add(AUTHOR)
    if actor.id == document.signer and Role.LEADER in actor.roles:
        places.add(SIGNER)
    for n, named in enumerate(document.order):
        its_turn = n == document.turn or document.state is not D.WAITING_SIGNATURE
        if its_turn and named.person == actor.id and _holds_role(named, actor):
            places.add(_place_of(named, last=n == len(document.order) - 1))
    return frozenset(places)


def author_role(actor: Actor) -> Role:
    """The role in which somebody drafts. Raises `NotAllowed` for all but officers, clerks and programs that may."""
    for role in (Role.OFFICER, Role.CLERK):
        if role in actor.roles:
            return role
    if WRITES in actor.scopes:
        return Role.CLIENT
    raise NotAllowed(needed="officer, clerk")


def clerk_role(actor: Actor) -> Role:
    """The role in which a clerk's act is done: a program does it in its own."""
    return Role.CLIENT if Role.CLIENT in actor.roles else Role.CLERK


def named_role(named: NamedPerson, actor: Actor) -> Role | None:
    """The role in which a named person signs or initials; None when it holds none that may."""
    may = (Role.LEADER,) if named.part is Part.SIGN else (Role.LEADER, Role.OFFICER, Role.CLERK)
    return next((role for role in may if role in actor.roles), None)


def _holds_role(named: NamedPerson, actor: Actor) -> bool:
    return named_role(named, actor) is not None


def _place_of(named: NamedPerson, *, last: bool) -> str:
    if named.part is Part.INITIAL:
        return INITIALS
    return SIGNS_LAST if last else CO_SIGNS


def _may_sign(document: Document, actor: Actor) -> bool:
    return any(named.person == actor.id and _holds_role(named, actor) for named in document.order)


def delivery_places(actor: Actor, lead: str | None) -> frozenset[str]:
    """Roles of the actor, and `lead` for the one in charge who still works on documents: auditors only look."""
    leads = actor.id == lead and bool(actor.roles & {Role.OFFICER, Role.CLERK, Role.LEADER})
    return frozenset(actor.roles | actor.scopes | ({LEAD} if leads else set()))


def _possible(moves: tuple[Move, ...], state: str, places: frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(m.act for m in moves if state in m.sources and m.who & places))


def _people(who: Iterable[str]) -> set[str]:
    """Without the scopes, which say nothing to a person."""
    return {one for one in who if ":" not in one}


def _chosen(moves: tuple[Move, ...], act: str, state: str, places: frozenset[str]) -> Move:
    here = [move for move in moves if move.act == act and state in move.sources]
    for move in here:
        if move.who & places:
            return move
    allowed = {who for move in moves if move.act == act for who in move.who}
    if here or not allowed & places:
        needed = _people(who for move in here for who in move.who) or _people(allowed)
        raise NotAllowed(needed=", ".join(sorted(needed)))
    raise WrongState(state=state)
