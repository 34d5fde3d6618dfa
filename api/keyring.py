"""What is done with keys and certificates outside the road of a document: the master key changed, keys brought in.

Each function takes the running parts; what must hold, its transaction holds.
"""

from collections.abc import Callable

from api.masters import keep_masters, load_masters, one_rotation
from api.wiring import Parts
from keys.masters import new_master
from keys.vault import rewrap

MOST_AT_ONCE = 100
"""Keys in one transaction of a rotation."""


def rotate_master(parts: Parts, told: Callable[[str, int], None] = lambda *_: None) -> int:
    """Put every key under a new master key and forget the old one; says how many were moved. PINs stay as they are.

    Killed anywhere it leaves every key openable: the old key is forgotten only when nothing is under it. Called again
    it goes on where it was. `told(step, keys)` is called along the way. Raises `MasterKeyFixed`, `KeyUnavailable`.
    """
    settings = parts.settings
    with one_rotation(settings):
        held = load_masters(settings)
        if len(held) == 1:
            keep_masters(settings, (*held, new_master()))
        parts.masters.reload()
        told("kept", 0)
        with parts.write() as writing:
            writing.keys.retire_masters(parts.masters.newest, parts.masters.names, parts.now())
        told("retired", 0)
        moved = 0
        while step := _move_some(parts):
            moved += step
            told("moved", moved)
        if settings.master_key != "credential":
            keep_masters(settings, load_masters(settings)[-1:])
            parts.masters.reload()
        told("forgotten", moved)
        return moved


def _move_some(parts: Parts) -> int:
    newest = parts.masters.newest
    with parts.read() as reading:
        found = reading.keys.wrappings_of_others(newest, MOST_AT_ONCE)
    made = [(key, who, old, rewrap(old, masters=parts.masters, key=key, holder=who)) for key, who, old in found]
    with parts.write() as writing:
        for key, holder, old, new in made:
            writing.keys.replace_wrapping(key, holder, old, new)
    return len(made)
