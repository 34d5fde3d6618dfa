"""Which algorithms are good enough on which date: a policy as data. Pure.

A day beyond the date of an algorithm means *weak, nothing proven*, never *forged*. Where proof of time exists the
question is asked for that day, else for the day of judgement. An algorithm that stands nowhere is not acceptable.

Sources. *NIST*: SP 800-131A rev. 2 (SHA-1 and less than 112 bits of security no longer for signatures after 2013) and
SP 800-57 part 1 rev. 5, table 4 (112 bits of security through 2030). *MD5*: the day before its collisions were
published (Wang, Feng, Lai, Yu, 2004-08-17). *FIPS 186-5*: DSA no longer for signing from 2023-02-03. *TT 15*:
signatures of Vietnam need RSA of 2048 and ECDSA of 256 bits at least (law-and-practice R74). ETSI TS 119 312 is
stricter with RSA below 3000 bits; following it would call nearly every lawful Vietnamese signature of today weak.
"""

from dataclasses import dataclass
from datetime import date

POLICY_VERSION = "2026-11"
"""Named in reports. Change it together with any row below."""

NEVER = date.min
NIST_80_BITS = date(2013, 12, 31)
NIST_112_BITS = date(2030, 12, 31)


@dataclass(frozen=True, slots=True)
class Rule:
    """Up to `until` (the last good day; None: no end known) `name` is good from `least` bits on.

    `least` is the size of an RSA or DSA modulus or of a curve's field; 0 for digests.
    """

    name: str
    least: int
    until: date | None
    source: str


DIGESTS = (
    Rule("md5", 0, date(2004, 8, 16), "Wang et al. 2004"),
    Rule("sha1", 0, NIST_80_BITS, "NIST SP 800-131A"),
    Rule("sha224", 0, NIST_112_BITS, "NIST SP 800-57"),
    Rule("sha512_224", 0, NIST_112_BITS, "NIST SP 800-57"),
    Rule("sha3_224", 0, NIST_112_BITS, "NIST SP 800-57"),
    Rule("sha256", 0, None, "NIST SP 800-57"),
    Rule("sha384", 0, None, "NIST SP 800-57"),
    Rule("sha512", 0, None, "NIST SP 800-57"),
    Rule("sha512_256", 0, None, "NIST SP 800-57"),
    Rule("sha3_256", 0, None, "NIST SP 800-57"),
    Rule("sha3_384", 0, None, "NIST SP 800-57"),
    Rule("sha3_512", 0, None, "NIST SP 800-57"),
    Rule("shake256", 0, None, "RFC 8419 (inside Ed448)"),
)

KEYS = (
    Rule("rsa", 1024, NIST_80_BITS, "NIST SP 800-131A"),
    Rule("rsa", 2048, NIST_112_BITS, "NIST SP 800-57, TT 15"),
    Rule("rsa", 3072, None, "NIST SP 800-57"),
    Rule("dsa", 1024, NIST_80_BITS, "NIST SP 800-131A"),
    Rule("dsa", 2048, date(2023, 2, 2), "FIPS 186-5"),
    Rule("ec", 256, None, "NIST SP 800-57, TT 15"),
    Rule("ed25519", 0, None, "FIPS 186-5"),
    Rule("ed448", 0, None, "FIPS 186-5"),
)
"""Kinds of keys, with the same words for a signature as for its key; RSA the same with PKCS#1 v1.5 and PSS."""

CURVES = (
    "secp256r1",
    "secp384r1",
    "secp521r1",
    "brainpoolp256r1",
    "brainpoolp384r1",
    "brainpoolp512r1",
)
"""Named curves that are known and good; others (P-224 and below, secp256k1, explicit parameters) are refused."""

DOCUMENT_USES = frozenset(
    {
        "1.3.6.1.5.5.7.3.4",  # emailProtection
        "1.3.6.1.5.5.7.3.36",  # documentSigning, RFC 9336
        "1.2.840.113583.1.1.5",  # Adobe, authentic documents
        "1.3.6.1.4.1.311.10.3.12",  # Microsoft, document signing
        "2.5.29.37.0",  # any
    }
)
"""Extended key usages with which a certificate may sign documents, when it has any (signing page §3.1)."""

OWN_RSA = 3072
"""Bits of RSA keys that we make ourselves."""


def digest_until(name: str) -> date | None:
    """The last good day of a digest (asn1crypto's word, such as `sha256`): None without end, `NEVER` when unknown."""
    return _until(DIGESTS, name, 0)


def key_until(kind: str, bits: int, curve: str | None = None) -> date | None:
    """The last good day of a key: None without end, `NEVER` when unknown or too small.

    `kind` is `rsa`, `dsa`, `ec`, `ed25519` or `ed448`; `bits` its size; `curve` the name for `ec` (as in `CURVES`).
    """
    if kind == "ec" and (curve or "").lower() not in CURVES:
        return NEVER
    return _until(KEYS, kind, bits)


def digest_good(name: str, on: date) -> bool:
    """Whether a digest is good enough on that day."""
    return _good(digest_until(name), on)


def key_good(kind: str, bits: int, on: date, curve: str | None = None) -> bool:
    """Whether a key is good enough on that day; the words are those of `key_until`."""
    return _good(key_until(kind, bits, curve), on)


def signature_good(kind: str, bits: int, digest: str, on: date, curve: str | None = None) -> bool:
    """Whether a signature of that key over that digest is good enough on that day: both must be."""
    return digest_good(digest, on) and key_good(kind, bits, on, curve)


def _until(rules: tuple[Rule, ...], name: str, bits: int) -> date | None:
    fitting = [rule for rule in rules if rule.name == name.lower() and bits >= rule.least]
    # the row with the largest size that is still reached decides
    return max(fitting, key=lambda rule: rule.least).until if fitting else NEVER


def _good(until: date | None, on: date) -> bool:
    return until is None or on <= until
