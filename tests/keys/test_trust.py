"""Chains stay inside one world and are made of signatures, not of names."""

from datetime import timedelta

import pytest

from keys.authority import PilotAuthority
from keys.certificates import fingerprint, issued_by, read_certificate
from keys.errors import CertificateUnreadable
from keys.model import Anchor, Purpose, Signer, TrustMaterial, TrustWorld
from keys.trust import chain_of, world_of
from tests.fixtures.pilot import now


@pytest.fixture(scope="module")
def twin() -> PilotAuthority:
    """Another authority with exactly the same names and other keys."""
    return PilotAuthority.create(now() - timedelta(days=1), key_size=2048)


def test_the_chain_leads_to_the_anchor(leader_key: Signer, trust: TrustMaterial, authority: PilotAuthority) -> None:
    assert chain_of(leader_key.certificate, trust) == authority.chain
    assert world_of(leader_key.certificate, trust) is TrustWorld.PILOT
    assert chain_of(authority.tsa_certificate, trust) == (authority.certificate,)


def test_an_anchor_is_trusted_without_a_chain(authority: PilotAuthority, trust: TrustMaterial) -> None:
    assert chain_of(authority.certificate, trust) == ()
    assert world_of(authority.certificate, trust) is TrustWorld.PILOT


def test_the_same_names_with_other_keys_do_not_help(leader_key: Signer, twin: PilotAuthority) -> None:
    assert read_certificate(twin.issuing_certificate).issuer == read_certificate(leader_key.chain[0]).issuer
    assert chain_of(leader_key.certificate, twin.trust) == ()
    assert world_of(leader_key.certificate, twin.trust) is None
    mixed = TrustMaterial(twin.trust.anchors, leader_key.chain)
    assert world_of(leader_key.certificate, mixed) is None


def test_a_missing_intermediate_breaks_the_chain(leader_key: Signer, authority: PilotAuthority) -> None:
    bare = TrustMaterial((Anchor(authority.certificate, TrustWorld.PILOT),))
    assert chain_of(leader_key.certificate, bare) == ()


def test_a_person_cannot_issue(leader_key: Signer, seal_key: Signer) -> None:
    assert not issued_by(seal_key.certificate, leader_key.certificate)


def test_a_pinned_intermediate_ends_the_chain_in_its_own_world(leader_key: Signer, authority: PilotAuthority) -> None:
    pinned = TrustMaterial(
        (Anchor(authority.issuing_certificate, TrustWorld.OFFICE), Anchor(authority.certificate, TrustWorld.PILOT))
    )
    assert chain_of(leader_key.certificate, pinned) == (authority.issuing_certificate,)
    assert world_of(leader_key.certificate, pinned) is TrustWorld.OFFICE


def test_broken_helpers_do_not_hide_good_ones(leader_key: Signer, trust: TrustMaterial) -> None:
    noisy = TrustMaterial(trust.anchors, (b"nonsense", *trust.intermediates))
    assert world_of(leader_key.certificate, noisy) is TrustWorld.PILOT


@pytest.mark.parametrize("broken", [b"", b"nonsense", b"\x30\x03\x02\x01\x01"])
def test_bytes_that_are_no_certificate_are_named(broken: bytes) -> None:
    with pytest.raises(CertificateUnreadable):
        read_certificate(broken)


def test_a_cut_or_flipped_certificate_never_crashes(leader_key: Signer) -> None:
    der = leader_key.certificate
    for place in range(0, len(der), 7):
        for wrong in (der[:place], der[:place] + bytes([der[place] ^ 0x55]) + der[place + 1 :]):
            try:
                read = read_certificate(wrong)
            except CertificateUnreadable:
                continue
            assert read.fingerprint == fingerprint(wrong)


def test_services_and_authorities_are_told_apart(authority: PilotAuthority, leader_key: Signer) -> None:
    assert read_certificate(authority.certificate).purpose is Purpose.AUTHORITY
    assert read_certificate(authority.tsa_certificate).purpose is Purpose.TIMESTAMP
    assert read_certificate(authority.ocsp_certificate).purpose is Purpose.SERVICE
    assert read_certificate(leader_key.certificate).purpose is Purpose.PERSON
