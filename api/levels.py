"""How much proof an office's signatures get (ETSI EN 319 142-1): its own choice, or what the service does."""

from api import schemas
from api.accounts import Caller
from api.wiring import Parts
from exchange.errors import NotAllowed, NotFound, RecipientUnknown
from exchange.rules.model import Role
from signing.model import Level

DECIDE = frozenset({Role.OFFICE_ADMIN, Role.SYSTEM_ADMIN})


def levels(parts: Parts, caller: Caller, office: str) -> schemas.Json:
    """What an office chose, and what therefore holds: for its own people and for the service's administrator.

    Raises `NotFound` for everybody else.
    """
    _require_seen(caller, office)
    return shown(parts, office)


def choose(parts: Parts, caller: Caller, office: str, leader: Level | None, seal: Level | None) -> schemas.Json:
    """What its signatures get from now on; None: as the service does. What was signed stays as it is.

    By the administrator of the office, or of the service. Raises `NotFound`, `NotAllowed`, `RecipientUnknown`.
    """
    _require_seen(caller, office)
    if not caller.actor.roles & DECIDE:
        raise NotAllowed(needed=", ".join(sorted(DECIDE)))
    return change(parts, office, leader, seal, forget=True)


def change(parts: Parts, office: str, leader: Level | None, seal: Level | None, *, forget: bool) -> schemas.Json:
    """The same on the installation's own machine; without `forget`, None leaves what was chosen before.

    Raises `RecipientUnknown` for an office that is not there.
    """
    with parts.write() as writing:
        if writing.tx.store.office(office) is None:
            raise RecipientUnknown(office=office)
        before = (None, None) if forget else writing.people.levels(office)
        writing.people.choose_levels(office, leader or before[0], seal or before[1])
    return told(parts, office)


def shown(parts: Parts, office: str) -> schemas.Json:
    """`told`, for an office that may not be there: raises `RecipientUnknown`."""
    with parts.read() as reading:
        if reading.exchange.office(office) is None:
            raise RecipientUnknown(office=office)
    return told(parts, office)


def told(parts: Parts, office: str) -> schemas.Json:
    """`leader` and `seal` as they hold, and what of it the office has `chosen` itself (null: as the service does)."""
    with parts.read() as reading:
        leader, seal = reading.people.levels(office)
    holds = parts.levels_of(office)
    chosen = {"leader": leader, "seal": seal}
    return {"office": office, "leader": holds.leader, "seal": holds.seal, "chosen": chosen}


def _require_seen(caller: Caller, office: str) -> None:
    if office != caller.actor.office and Role.SYSTEM_ADMIN not in caller.actor.roles:
        raise NotFound
