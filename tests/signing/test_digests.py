"""Digests of signed ranges: one pass over the file, the same answer as hashing each range by itself."""

import hashlib
import random

import pytest

from signing.digests import Digests

LARGE = 3 << 20


def plainly(pdf: bytes, byte_range: tuple[int, ...], algorithm: str) -> bytes:
    first, second = pdf[: byte_range[1]], pdf[byte_range[2] : byte_range[2] + byte_range[3]]
    return hashlib.new(algorithm, first + second).digest()


@pytest.mark.parametrize("length", [1000, LARGE], ids=["at once", "in a thread"])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_ten_ranges_in_any_order_are_hashed_as_each_by_itself(length: int, algorithm: str) -> None:
    draw = random.Random(7)
    pdf = draw.randbytes(length)
    ranges = []
    for _ in range(10):
        first, second, end = sorted(draw.randrange(length + 1) for _ in range(3))
        ranges.append((0, first, second, end - second))
    digests = Digests(pdf)
    digests.prepare((one, algorithm) for one in ranges)
    assert [digests.of(one, algorithm) for one in ranges] == [plainly(pdf, one, algorithm) for one in ranges]
    assert digests.whole() == hashlib.sha256(pdf).digest()


@pytest.mark.parametrize(
    "byte_range",
    [(), (0, 1, 2), (1, 2, 3, 4), (0, 5, 4, 1), (0, 1, 2, 999), (0, 1, 2, -1), (0, -1, 2, 3)],
    ids=["none", "three", "not from the start", "backwards", "beyond the end", "negative rest", "negative first"],
)
def test_a_range_of_another_shape_has_no_digest_here(byte_range: tuple[int, ...]) -> None:
    digests = Digests(bytes(100))
    digests.prepare([(byte_range, "sha256")])
    assert digests.of(byte_range, "sha256") is None


def test_an_unusual_algorithm_is_left_to_whoever_asks() -> None:
    digests = Digests(bytes(100))
    digests.prepare([((0, 10, 20, 80), "sha3_256")])
    assert digests.of((0, 10, 20, 80), "sha3_256") is None


def test_the_whole_file_has_its_digest_even_when_nothing_was_signed() -> None:
    assert Digests(b"abc").whole() == hashlib.sha256(b"abc").digest()
