"""Who initials and who signs, in which order, each in a field of its own (exchange page §3.2; signing page §1.1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from exchange.errors import SigningOrderInvalid
from exchange.rules.model import Document, NamedPerson, Part
from signing.model import INITIAL_FIELD, LEADER_FIELD

MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class WishedHand:
    """One line of a wish: who (account id and name) and for what."""

    person: str
    name: str
    part: Part


def signing_order(signer: str, asked: Sequence[WishedHand]) -> tuple[NamedPerson, ...]:
    """The order with a field for each hand; the document's `signer` gets the field under the printed name.

    Raises `SigningOrderInvalid`: too many, somebody twice, the signer not among those who sign, or initials last.
    """
    if not asked:
        return ()
    people = [one.person for one in asked]
    if len(asked) > MOST_NAMED:
        raise SigningOrderInvalid(why=f"quá {MOST_NAMED} người / more than {MOST_NAMED} people")
    if len(set(people)) != len(people):
        raise SigningOrderInvalid(why="có người được nêu hai lần / somebody is named twice")
    if not any(one.person == signer and one.part is Part.SIGN for one in asked):
        raise SigningOrderInvalid(why="thiếu người ký văn bản / the document's signer does not sign")
    if asked[-1].part is not Part.SIGN:
        raise SigningOrderInvalid(why="người cuối cùng phải ký / the last one has to sign")
    named: list[NamedPerson] = []
    for one in asked:
        field = LEADER_FIELD
        if one.part is Part.INITIAL:
            field = f"{INITIAL_FIELD}{1 + sum(other.part is Part.INITIAL for other in named)}"
        elif one.person != signer:
            field = f"{LEADER_FIELD}{2 + sum(other.part is Part.SIGN and other.person != signer for other in named)}"
        named.append(NamedPerson(one.person, one.name, one.part, field))
    return tuple(named)


def with_signer(document: Document, signer: str, name: str) -> tuple[NamedPerson, ...]:
    """The document's order after another leader was named its signer, in the place of the one before.

    Raises `SigningOrderInvalid` when that leader was named already.
    """
    changed = [replace(one, person=signer, name=name) if one.person == document.signer else one
               for one in document.named]  # fmt: skip
    return signing_order(signer, [WishedHand(one.person, one.name, one.part) for one in changed])
