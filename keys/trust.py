"""Whom we trust: the chain from a certificate to an anchor, and the world that the anchor stands for. Pure.

Only who signed whom is looked at here. Dates, revocation and algorithms are judged by the verifier at the moment
that counts for it, which differs from question to question.
"""

from collections.abc import Iterable

from keys.certificates import fingerprint, issued_by
from keys.errors import CertificateUnreadable
from keys.model import Anchor, TrustMaterial, TrustWorld

LONGEST = 8
"""Issuers in a chain; real ones have two or three."""


def chain_of(certificate: bytes, material: TrustMaterial) -> tuple[bytes, ...]:
    """The issuers (DER) of `certificate` (DER), nearest first, up to and including an anchor; empty when there is none.

    A certificate that is itself an anchor has an empty chain, too: ask `world_of` whether it is trusted. A path ends at
    the first anchor that it meets, so it never crosses from one world into another. The same names with other keys do
    not help: every step is a signature.
    """
    path = _path((certificate,), material)
    return path[1:] if path else ()


def world_of(certificate: bytes, material: TrustMaterial) -> TrustWorld | None:
    """The world of the anchor that vouches for `certificate` (DER), or None when nobody does."""
    path = _path((certificate,), material)
    return _anchor(path[-1], material.anchors).world if path else None  # type: ignore[union-attr]


def _path(path: tuple[bytes, ...], material: TrustMaterial) -> tuple[bytes, ...]:
    if _anchor(path[-1], material.anchors):
        return path
    if len(path) > LONGEST:
        return ()
    for issuer in _issuers(path[-1], material):
        if issuer not in path and (found := _path((*path, issuer), material)):
            return found
    return ()


def _issuers(certificate: bytes, material: TrustMaterial) -> Iterable[bytes]:
    # anchors first: the shortest way out of the search
    for candidate in (*(anchor.der for anchor in material.anchors), *material.intermediates):
        try:
            if issued_by(certificate, candidate):
                yield candidate
        except CertificateUnreadable:
            # one broken certificate, ours or theirs, must not hide the others
            continue


def _anchor(certificate: bytes, anchors: Iterable[Anchor]) -> Anchor | None:
    name = fingerprint(certificate)
    return next((anchor for anchor in anchors if fingerprint(anchor.der) == name), None)
