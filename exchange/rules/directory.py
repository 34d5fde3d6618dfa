"""Recipients from a specification: offices, saved groups, branches of the tree, on a given day (exchange page §4)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from exchange.errors import (
    ExchangeError,
    RecipientIsHub,
    RecipientLocked,
    RecipientNotCapable,
    RecipientPaused,
    RecipientUnknown,
)
from exchange.rules.model import Channel, Group, Office, RecipientSpec, ResolvedRecipient

CARRIED = frozenset({Channel.LOCAL})
"""Channels over which this service can send now."""


def resolve(
    specs: Sequence[RecipientSpec], offices: Mapping[str, Office], groups: Mapping[str, Group], *, on: date
) -> list[ResolvedRecipient]:
    """The sorted list of distinct offices that the lines mean on that day, each good or with its problem."""
    codes = {code for spec in specs for code in _codes(spec, offices, groups, on)}
    return [_resolved(code, offices.get(code), on) for code in sorted(codes)]


def subordinates(under: str, offices: Iterable[Office], depth: int | None) -> set[str]:
    """Codes of the offices below `under`, `depth` levels down (None for all)."""
    children: dict[str | None, list[str]] = {}
    for office in offices:
        children.setdefault(office.parent, []).append(office.code)
    found: set[str] = set()
    level, left = [under], depth
    while level and left != 0:
        level = [child for parent in level for child in children.get(parent, []) if child not in found]
        found.update(level)
        left = None if left is None else left - 1
    return found - {under}


def _codes(spec: RecipientSpec, offices: Mapping[str, Office], groups: Mapping[str, Group], on: date) -> set[str]:
    if spec.office is not None:
        return {spec.office} - set(spec.excepting)
    if spec.group is not None:
        group = groups.get(spec.group)
        return ({spec.group} if group is None else set(group.members)) - set(spec.excepting)
    if spec.under is None:
        return set()
    if spec.under not in offices:
        return {spec.under}
    living = [office for office in offices.values() if _alive(office, on)]
    return subordinates(spec.under, living, spec.depth) - set(spec.excepting)


def _alive(office: Office, on: date) -> bool:
    return office.valid_from <= on and (office.valid_to is None or on < office.valid_to) and office.kind == "office"


def _resolved(code: str, office: Office | None, on: date) -> ResolvedRecipient:
    problem = _problem(code, office, on)
    return ResolvedRecipient(
        office=code,
        name=office.name if office else None,
        channel=office.channel if office else None,
        problem=problem.code if problem else None,
        detail_vi=problem.sentence("vi") if problem else None,
        detail_en=problem.sentence("en") if problem else None,
    )


def _problem(code: str, office: Office | None, on: date) -> ExchangeError | None:
    if office is None:
        return RecipientUnknown(office=code)
    if office.kind == "hub":
        return RecipientIsHub(office=code)
    if not _alive(office, on):
        return RecipientLocked(office=code)
    if office.paused:
        return RecipientPaused(office=code)
    if office.channel not in CARRIED:
        return RecipientNotCapable(office=code, channel=office.channel)
    return None
