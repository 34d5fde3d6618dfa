"""The ledger's mathematics: the Merkle tree of RFC 6962 §2.1, its proofs, C2SP signed notes. No database, no clock.

A tree is stored as its *perfect* subtrees only: node (level, index) covers the leaves from `index·2^level` up to
`(index+1)·2^level` and never changes once it is complete. A tree of any size is read from those; a batch adds rows.
Proofs are checked by the algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2, the answers of RFC 6962 in closed form.
Signed notes: C2SP signed-note and tlog-checkpoint (https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint).
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
MOST_SIGNATURES = 16
"""Signature lines read in one note; C2SP asks for at least sixteen."""
_ED25519 = b"\x01"
_SIGNATURE_LINE = "\u2014 "


class Node(NamedTuple):
    """A perfect subtree: `level` 0 are the leaves; `hash` is 32 bytes."""

    level: int
    place: int
    hash: bytes


NodeReader = Callable[[int, int], bytes]
"""Gives the hash of the perfect subtree (level, index); asked only for those that are complete."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf: SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


# -- making ------------------------------------------------------------------------------------------------------------


def append(size: int, leaves: Iterable[bytes], node: NodeReader) -> list[Node]:
    """The perfect subtrees that come into being when `leaves` (leaf hashes) are added to a tree of `size` leaves.

    The new leaves themselves are among them, at level 0. `node` is asked for older subtrees only.
    """
    fresh: dict[tuple[int, int], bytes] = {}
    for at, leaf in enumerate(leaves, start=size):
        level, index, value = 0, at, leaf
        fresh[level, index] = value
        while index & 1:
            left = fresh.get((level, index - 1)) or node(level, index - 1)
            value = node_hash(left, value)
            level, index = level + 1, index >> 1
            fresh[level, index] = value
    return [Node(level, place, value) for (level, place), value in fresh.items()]


def root_of(size: int, node: NodeReader) -> bytes:
    """The root of the first `size` leaves; `EMPTY_ROOT` for none."""
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: NodeReader) -> tuple[bytes, ...]:
    """The audit path of leaf `index` in the tree of `size` leaves, lowest sibling first (RFC 6962 §2.1.1).

    Raises `IndexError` when the tree does not hold that leaf.
    """
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} in a tree of {size}")
    return tuple(_path(index, 0, size, node))


def consistency_proof(old: int, new: int, node: NodeReader) -> tuple[bytes, ...]:
    """The proof that the tree of `new` leaves begins with the tree of `old` leaves (RFC 6962 §2.1.2).

    Empty for an empty old tree and for equal sizes. Raises `IndexError` when `old` is larger.
    """
    if not 0 <= old <= new:
        raise IndexError(f"no tree of {old} leaves in a tree of {new}")
    return tuple(_subproof(old, 0, new, node, whole=True)) if 0 < old < new else ()


def _split(width: int) -> int:
    """The largest power of two smaller than `width`."""
    return 1 << (width - 1).bit_length() - 1


def _range_hash(start: int, end: int, node: NodeReader) -> bytes:
    width = end - start
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(width)
    return node_hash(_range_hash(start, middle, node), _range_hash(middle, end, node))


def _path(index: int, start: int, end: int, node: NodeReader) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(index, start, middle, node), _range_hash(middle, end, node)]
    return [*_path(index, middle, end, node), _range_hash(start, middle, node)]


def _subproof(old: int, start: int, end: int, node: NodeReader, *, whole: bool) -> list[bytes]:
    if old == end - start:
        return [] if whole else [_range_hash(start, end, node)]
    half = _split(end - start)
    middle = start + half
    if old <= half:
        return [*_subproof(old, start, middle, node, whole=whole), _range_hash(middle, end, node)]
    return [*_subproof(old - half, middle, end, node, whole=False), _range_hash(start, middle, node)]


# -- checking ----------------------------------------------------------------------------------------------------------


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that leaf hash `leaf` at `index` of `size` leads to along `path`; None when no such path can be.

    RFC 9162 §2.1.3.2.
    """
    if not 0 <= index < size or not _all_hashes(leaf, *path):
        return None
    here, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if here & 1 or here == last:
            value = node_hash(sibling, value)
            here, last = _climb(here, last)
        else:
            value = node_hash(value, sibling)
        here, last = here >> 1, last >> 1
    return value if last == 0 else None


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Says whether leaf hash `leaf` stands at `index` in the tree of `size` leaves with this `root`."""
    return root_from_path(leaf, index, size, path) == root


def check_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Says whether the tree (`new`, `new_root`) begins with the tree (`old`, `old_root`) (RFC 9162 §2.1.4.2).

    The empty tree begins every tree; its proof, and that of two equal sizes, is empty.
    """
    if not 0 <= old <= new or not _all_hashes(old_root, new_root, *path):
        return False
    if old == new:
        return not path and old_root == new_root
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    if not path:
        return False
    whole = old & (old - 1) == 0
    return _both_roots(old, new, [old_root, *path] if whole else list(path)) == (old_root, new_root)


def _both_roots(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if here & 1 or here == last:
            old_value, new_value = node_hash(sibling, old_value), node_hash(sibling, new_value)
            here, last = _climb(here, last)
        else:
            new_value = node_hash(new_value, sibling)
        here, last = here >> 1, last >> 1
    return (old_value, new_value) if last == 0 else None


def _climb(here: int, last: int) -> tuple[int, int]:
    """Skip the levels on which the right edge of the tree has no sibling."""
    while here and not here & 1:
        here, last = here >> 1, last >> 1
    return here, last


def _all_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)


# -- tiles: the tree as files that never change ------------------------------------------------------------------------

TILE_WIDTH = 256
_DEEPEST_TILE = 63


class Tile(NamedTuple):
    """Hashes `width` wide (256 for a full tile) of level `8·level` of the tree, from `256·place` on."""

    level: int
    place: int
    width: int


def read_tile_path(path: str) -> Tile | None:
    """The tile that `<L>/<N>[.p/<W>]` names (C2SP tlog-tiles); None when the path is not written as it must be.

    `<N>` is in groups of three digits, all but the last with an `x` before them: `x001/x234/067`.
    """
    level, _, rest = path.partition("/")
    place, dot, width = rest.partition(".p/")
    groups = place.split("/")
    if not _plain(level) or int(level) > _DEEPEST_TILE or (dot and not _plain(width)) or len(groups) > 6:
        return None
    digits = [group.removeprefix("x") for group in groups]
    if any(len(d) != 3 or not d.isdecimal() or not d.isascii() for d in digits):
        return None
    tile = Tile(int(level), int("".join(digits)), int(width) if dot else TILE_WIDTH)
    good = 0 < tile.width < TILE_WIDTH if dot else True
    return tile if good and tile_path(tile) == path else None


def tile_path(tile: Tile) -> str:
    """`<L>/<N>[.p/<W>]`, as C2SP tlog-tiles writes it."""
    digits = f"{tile.place:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    written = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"{tile.level}/{written}" + (f".p/{tile.width}" if tile.width < TILE_WIDTH else "")


def _plain(number: str) -> bool:
    return number.isdecimal() and number.isascii() and len(number) < 4 and str(int(number)) == number


# -- small trees in memory: the list of recipients ---------------------------------------------------------------------


def recipient_entry(office: str, salt: bytes) -> bytes:
    """One line of a frozen list of recipients, as it is hashed: canonical JSON of an office's code and a salt.

    The salt, at least 16 random bytes, keeps a recipient that is shown its own line from guessing the others.
    """
    return rfc8785.dumps({"office": office, "salt": salt.hex()})


def merkle_root(entries: Sequence[bytes]) -> bytes:
    """The RFC 6962 root over `entries` (data, not yet hashed), in the order given; `EMPTY_ROOT` for none."""
    return root_of(len(entries), _in_memory(entries))


def audit_path(entries: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The path from entry `index` to `merkle_root(entries)`. Raises `IndexError`."""
    return inclusion_proof(index, len(entries), _in_memory(entries))


def audit_paths(entries: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """The paths of all entries at once, far cheaper than one after the other."""
    node = _in_memory(entries)
    return [inclusion_proof(index, len(entries), node) for index in range(len(entries))]


def check_path(entry: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Says whether `entry` (data, not yet hashed) stands at `index` of the `size` entries under `root`."""
    return check_inclusion(leaf_hash(entry), index, size, path, root)


def _in_memory(entries: Sequence[bytes]) -> NodeReader:
    nodes = {(level, index): value for level, index, value in append(0, map(leaf_hash, entries), _nothing_older)}
    return lambda level, index: nodes[level, index]


def _nothing_older(level: int, index: int) -> bytes:
    raise KeyError((level, index))


# -- signed notes and checkpoints --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public log key by name; `text` is its C2SP form `name+hash+base64`, which may be published."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that find the key's signature line in a note; not a security measure."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """`name+hex(id)+base64(0x01 ‖ public key)`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"


def verifier_key(name: str, key: Ed25519PrivateKey) -> VerifierKey:
    """The public half of a log key under its `name` (the origin line). Raises `ValueError` for a space or plus."""
    _check_name(name)
    return VerifierKey(name, key.public_key().public_bytes_raw())


def read_verifier_key(text: str) -> VerifierKey | None:
    """Read the C2SP form of a key; None when it is not one or its hash does not fit."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        return None
    coded = _base64(parts[2])
    if coded is None or len(coded) != 1 + HASH_SIZE or coded[:1] != _ED25519:
        return None
    key = VerifierKey(parts[0], coded[1:])
    return key if _good_name(key.name) and parts[1] == key.id.hex() else None


def sign_note(text: str, name: str, key: Ed25519PrivateKey) -> bytes:
    """Make a signed note of `text`, which ends in a newline, by the key called `name`.

    Raises `ValueError` when text or name cannot be a note's.
    """
    if not _good_text(text):
        raise ValueError("a note's text ends in a newline and has no control characters")
    line = base64.b64encode(verifier_key(name, key).id + key.sign(text.encode())).decode()
    return f"{text}\n{_SIGNATURE_LINE}{name} {line}\n".encode()


def open_note(note: bytes, key: VerifierKey) -> str | None:
    """The text of a note if `key` has signed it, else None.

    None means: wrong form, no signature line of this key, or one that fails. Lines of other keys are ignored.
    """
    try:
        text, signatures = note.decode().rsplit("\n\n", 1)
    except ValueError:
        return None
    text += "\n"
    lines = signatures.removesuffix("\n").split("\n")
    if not _good_text(text) or not signatures.endswith("\n") or len(lines) > MOST_SIGNATURES:
        return None
    signed = [_signature_of(line, key) for line in lines]
    if None in signed:
        return None
    ours = [value for value in signed if value]
    return text if ours and all(_verifies(key, value, text) for value in ours) else None


def _signature_of(line: str, key: VerifierKey) -> bytes | None:
    """The signature in a line by `key`, empty for another's line, None for a line that is none."""
    name, gap, coded = line.removeprefix(_SIGNATURE_LINE).partition(" ")
    value = _base64(coded)
    if not line.startswith(_SIGNATURE_LINE) or not gap or not _good_name(name) or value is None or len(value) < 5:
        return None
    return value[4:] if (name, value[:4]) == (key.name, key.id) else b""


def _verifies(key: VerifierKey, signature: bytes, text: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The three lines of a checkpoint: origin, number of leaves, root in base64."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def read_checkpoint(text: str) -> tuple[str, int, bytes] | None:
    """Origin, size and root of a checkpoint's text; None when it is not exactly one (extension lines are refused)."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0] or not lines[1].isdecimal() or not lines[1].isascii():
        return None
    size, root = int(lines[1]), _base64(lines[2])
    if root is None or len(root) != HASH_SIZE:
        return None
    return (lines[0], size, root) if checkpoint_text(lines[0], size, root) == text else None


def note_text(note: bytes) -> bytes:
    """The bytes of a note that are signed and stamped, unchecked: all above the blank line before the signatures."""
    return note.rpartition(b"\n\n")[0] + b"\n"


def _check_name(name: str) -> None:
    if not _good_name(name):
        raise ValueError("a key's name has no spaces and no plus sign, and is not empty")


def _good_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def _good_text(text: str) -> bool:
    return text.endswith("\n") and not any(letter < " " and letter != "\n" for letter in text)


def _base64(coded: str) -> bytes | None:
    """Strict RFC 4648 §4: what decodes is written in one way only, or changed bytes could stay unnoticed."""
    try:
        value = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if base64.b64encode(value).decode() == coded else None
