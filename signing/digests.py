"""The digests of a file and of its signed ranges, all from one pass over the bytes.

Signatures of one file share what lies before them: one running hash is copied where a range has its gap. So ten
signatures on 50 MB cost one hash of 50 MB, and that is made in a thread of its own while the structure is read
(hashing lets other threads run). Pure: bytes in, digests out.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from threading import Thread

ALGORITHMS = frozenset({"sha1", "sha224", "sha256", "sha384", "sha512", "md5"})
"""Digests that are made ahead; any other is left to whoever asks."""
_ASIDE = 1 << 20
"""Bytes from which a thread is worth its start."""
_Range = tuple[int, int, int]


class Digests:
    """The digests of one file: `prepare` names the ranges, `of` and `whole` wait for the pass and answer."""

    def __init__(self, pdf: bytes) -> None:
        self._pdf = pdf
        self._found: dict[tuple[str, _Range], bytes] = {}
        self._whole: bytes | None = None
        self._thread: Thread | None = None

    def prepare(self, wanted: Iterable[tuple[Sequence[int], str]]) -> None:
        """Start the pass for signed ranges (`/ByteRange`, ISO 32000-2, 12.8.1) and their digest algorithms.

        A range that is not two parts in order within the file, or of another algorithm, is left out.
        """
        self._wait()
        groups = defaultdict[str, set[_Range]](set, {"sha256": set()})
        for byte_range, algorithm in wanted:
            known = _known(byte_range, len(self._pdf))
            if known is not None and algorithm in ALGORITHMS:
                groups[algorithm].add(known)
        if len(self._pdf) < _ASIDE:
            self._pass(groups)
            return
        thread = Thread(target=self._pass, args=(groups,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._pass(groups)  # a limited process may have no room for a second stack
        else:
            self._thread = thread

    def of(self, byte_range: Sequence[int], algorithm: str) -> bytes | None:
        """The digest over a signed range, None when the range or the algorithm was left out."""
        self._wait()
        known = _known(byte_range, len(self._pdf))
        return self._found.get((algorithm, known)) if known is not None else None

    def whole(self) -> bytes:
        """The SHA-256 digest of the whole file."""
        self._wait()
        return self._whole if self._whole is not None else hashlib.sha256(self._pdf).digest()

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _pass(self, groups: dict[str, set[_Range]]) -> None:
        view = memoryview(self._pdf)
        for algorithm, ranges in groups.items():
            running, reached = hashlib.new(algorithm, usedforsecurity=False), 0
            for first, second, end in sorted(ranges):
                running.update(view[reached:first])
                reached, own = first, running.copy()
                own.update(view[second:end])
                self._found[algorithm, (first, second, end)] = own.digest()
            if algorithm == "sha256":
                running.update(view[reached:])
                self._whole = running.digest()


def _known(byte_range: Sequence[int], length: int) -> _Range | None:
    """Where the first part ends, the second begins and ends; None for a range of another shape."""
    if len(byte_range) != 4 or byte_range[0] != 0:
        return None
    _, first, second, rest = map(int, byte_range)
    return (first, second, second + rest) if 0 <= first <= second <= second + rest <= length else None
