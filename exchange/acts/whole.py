"""Prove that a store is whole: every file under its digest, every leaf and root of the ledger, every run of numbers.

Nothing is changed and nothing is believed that can be computed: the tree is built anew from the events' own bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from exchange.errors import DigestMismatch, NotFound
from exchange.proof.ledger import (
    EMPTY_ROOT,
    NodeReader,
    VerifierKey,
    leaf_hash,
    node_hash,
    note_text,
    open_note,
    read_checkpoint,
)
from exchange.proof.stamps import checked_time
from exchange.rules.model import Checkpoint
from exchange.storage.blobs import Blobs
from exchange.storage.whole_store import Leaf, NamedFile, Run, WholeStore

MOST_NAMED = 20
"""So many flaws of one kind are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at: how many things, how many of them are not as they should be, and the first of these."""

    kind: str
    """`files`, `passing_files`, `orphans`, `leaves`, `nodes`, `checkpoints`, `stamps`, `events`, `series`, `books`."""
    seen: int
    wrong: int = 0
    named: tuple[str, ...] = ()

    @property
    def harmless(self) -> bool:
        """Whether flaws of this kind lose nothing: what nobody names, and what may be fetched or made again."""
        return self.kind in ("orphans", "passing_files")


def prove_whole(
    store: WholeStore, blobs: Blobs, node: NodeReader, keys: Sequence[VerifierKey], anchors: Sequence[bytes]
) -> list[Proof]:
    """Look at everything that is kept. `keys` sign the ledger's roots, `anchors` (DER) the time above them.

    Reads every file once; takes as long as that takes.
    """
    return [
        *prove_files(store.files(), blobs.names(), blobs),
        *prove_ledger(store.leaves(), store.checkpoints(), node, store.nodes_above(), keys, anchors),
        _counted("events", _events(store)),
        prove_runs("series", store.series()),
        prove_runs("books", store.books()),
    ]


# -- files --


def prove_files(named: Iterable[NamedFile], held: Iterable[str], blobs: Blobs) -> list[Proof]:
    """Every named file is there and is what its name says; `held`, in order, tells which files nobody names."""
    files, passing, orphans = _Count("files"), _Count("passing_files"), _Count("orphans")
    for sha256, row, there in _side_by_side(named, held):
        if row is None:
            orphans.see(sha256, wrong=True)
        else:
            wrong = not there or not _is_what_it_says(blobs, sha256)
            (files if row.kept else passing).see(sha256, wrong=wrong)
    return [files.proof(), passing.proof(), orphans.proof()]


def _side_by_side(named: Iterable[NamedFile], held: Iterable[str]) -> Iterator[tuple[str, NamedFile | None, bool]]:
    """Two ordered runs as one: the name, its row if there is one, and whether the file is there."""
    rows, names = iter(named), iter(held)
    row, name = next(rows, None), next(names, None)
    while row is not None or name is not None:
        if row is not None and (name is None or row.sha256 < name):
            yield row.sha256, row, False
            row = next(rows, None)
        elif row is None or (name is not None and name < row.sha256):
            assert name is not None  # noqa: S101 - one of the two is there
            yield name, None, True
            name = next(names, None)
        else:
            yield row.sha256, row, True
            row, name = next(rows, None), next(names, None)


def _is_what_it_says(blobs: Blobs, sha256: str) -> bool:
    try:
        return hashlib.sha256(blobs.get(sha256)).hexdigest() == sha256
    except (DigestMismatch, NotFound):
        return False


# -- the ledger --


def prove_ledger(
    leaves: Iterable[Leaf],
    checkpoints: Iterable[Checkpoint],
    node: NodeReader,
    nodes_above: int,
    keys: Sequence[VerifierKey],
    anchors: Sequence[bytes],
) -> list[Proof]:
    """Build the tree anew from the events' bytes: every leaf, every kept node, every root signed or stamped."""
    counts = {kind: _Count(kind) for kind in ("leaves", "nodes", "checkpoints", "stamps")}
    roots = iter(checkpoints)
    wanted = next(roots, None)
    tree = _Frontier()
    for place, leaf in enumerate(leaves):
        counts["leaves"].see(f"{place} {leaf.event}", wrong=not _leaf_holds(leaf, place))
        for level, index, value in tree.add(leaf_hash(leaf.body or b"")):
            counts["nodes"].see(f"{level}/{index}", wrong=_kept(node, level, index) != value)
        while wanted is not None and wanted.size <= tree.size:
            _checkpoint(counts, wanted, tree.root() if wanted.size == tree.size else None, keys, anchors)
            wanted = next(roots, None)
    while wanted is not None:  # signed roots of leaves that are not there
        _checkpoint(counts, wanted, None, keys, anchors)
        wanted = next(roots, None)
    if nodes_above != counts["nodes"].seen:
        counts["nodes"].see(f"{nodes_above} ≠ {counts['nodes'].seen}", wrong=True)
    return [one.proof() for one in counts.values()]


def _leaf_holds(leaf: Leaf, place: int) -> bool:
    if leaf.index != place or leaf.body is None:
        return False
    return leaf.leaf == leaf.node == leaf_hash(leaf.body)


def _events(store: WholeStore) -> Iterator[tuple[str, bool]]:
    """Events without a leaf: those that wait for one are what their hash says, and there are no others."""
    for name, body, leaf in store.waiting():
        yield name, leaf_hash(body) != leaf
    for name in store.unplaced():
        yield name, True


def _kept(node: NodeReader, level: int, index: int) -> bytes | None:
    try:
        return node(level, index)
    except KeyError:
        return None


def _checkpoint(
    counts: dict[str, "_Count"], one: Checkpoint, root: bytes | None, keys: Sequence[VerifierKey],
    anchors: Sequence[bytes],
) -> None:  # fmt: skip
    texts = [text for key in keys if (text := open_note(one.note, key)) is not None]
    said = read_checkpoint(texts[0]) if texts else None
    wrong = root is None or one.root != root or said is None or said[1:] != (one.size, root)
    counts["checkpoints"].see(str(one.size), wrong=wrong)
    if one.stamp is not None:
        digest = hashlib.sha256(note_text(one.note)).digest()
        counts["stamps"].see(str(one.size), wrong=checked_time(one.stamp, digest, anchors) is None)


class _Frontier:
    """A growing tree as its perfect subtrees only, largest first: a root costs no more than their number."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Add a leaf; the inner nodes that it completes, as level, index and hash."""
        level, value = 0, leaf
        while self._subtrees and self._subtrees[-1][0] == level:
            value = node_hash(self._subtrees.pop()[1], value)
            level += 1
            yield level, self.size >> level, value
        self._subtrees.append((level, value))
        self.size += 1

    def root(self) -> bytes:
        """The root of what was added."""
        value: bytes | None = None
        for _, subtree in reversed(self._subtrees):
            value = subtree if value is None else node_hash(subtree, value)
        return value if value is not None else EMPTY_ROOT


# -- runs of numbers --


def prove_runs(kind: str, runs: Iterable[Run]) -> Proof:
    """Each run is 1…n without hole."""
    return _counted(kind, [(f"{run.name}: {run.entries}/{run.last}", not run.whole) for run in runs])


# -- counting --


class _Count:
    def __init__(self, kind: str) -> None:
        self._kind, self.seen, self._wrong, self._named = kind, 0, 0, list[str]()

    def see(self, name: str, *, wrong: bool) -> None:
        self.seen += 1
        if wrong:
            self._wrong += 1
            if len(self._named) < MOST_NAMED:
                self._named.append(name)

    def proof(self) -> Proof:
        return Proof(self._kind, self.seen, self._wrong, tuple(self._named))


def _counted(kind: str, looked: Iterable[tuple[str, bool]]) -> Proof:
    count = _Count(kind)
    for name, wrong in looked:
        count.see(name, wrong=wrong)
    return count.proof()
