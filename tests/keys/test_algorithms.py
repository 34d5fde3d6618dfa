"""Algorithms are judged by their day."""

from datetime import date

import pytest

from keys.algorithms import DIGESTS, KEYS, NEVER, digest_good, digest_until, key_good, key_until, signature_good


@pytest.mark.parametrize(
    ("kind", "bits", "digest", "on", "good"),
    [
        ("rsa", 2048, "sha256", date(2026, 11, 24), True),
        ("rsa", 2048, "sha256", date(2030, 12, 31), True),
        ("rsa", 2048, "sha256", date(2031, 1, 1), False),
        ("rsa", 3072, "sha256", date(2040, 1, 1), True),
        ("rsa", 2048, "sha1", date(2013, 12, 31), True),
        ("rsa", 2048, "sha1", date(2014, 1, 1), False),
        ("rsa", 1024, "sha256", date(2014, 1, 1), False),
        ("rsa", 1024, "sha256", date(2012, 1, 1), True),
        ("rsa", 512, "sha256", date(1999, 1, 1), False),
        ("rsa", 2048, "md5", date(2010, 1, 1), False),
        ("dsa", 2048, "sha256", date(2024, 1, 1), False),
        ("ed25519", 256, "sha512", date(2026, 1, 1), True),
        ("gost", 256, "sha256", date(2026, 1, 1), False),
        ("rsa", 2048, "whirlpool", date(2010, 1, 1), False),
    ],
)
def test_a_signature_is_as_good_as_its_day(kind: str, bits: int, digest: str, on: date, good: bool) -> None:
    assert signature_good(kind, bits, digest, on) is good


def test_curves_are_named_or_refused() -> None:
    assert key_good("ec", 256, date(2026, 1, 1), "secp256r1")
    assert not key_good("ec", 224, date(2026, 1, 1), "secp224r1")
    assert not key_good("ec", 256, date(2026, 1, 1), "secp256k1")
    assert not key_good("ec", 256, date(2026, 1, 1))


def test_unknown_algorithms_never_were_good() -> None:
    assert digest_until("crc32") == NEVER
    assert key_until("unknown", 9999) == NEVER
    assert not digest_good("crc32", date(1990, 1, 1))


def test_every_row_names_its_source() -> None:
    assert all(rule.source for rule in (*DIGESTS, *KEYS))
