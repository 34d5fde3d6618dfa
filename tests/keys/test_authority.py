"""The pilot authority gives what openssl, our own reader and the loopback server agree on."""

from datetime import timedelta

from keys.authority import TRIAL, PilotAuthority
from keys.certificates import crl_urls, issued_by, ocsp_urls, read_certificate, signed_by
from keys.model import Purpose, Signer
from tests.fixtures.pilot import LEADER_NAME, OFFICE_CODE, OFFICE_NAME, PilotServer, now


def test_people_and_offices_carry_who_they_are(leader_key: Signer, seal_key: Signer) -> None:
    leader, seal = read_certificate(leader_key.certificate), read_certificate(seal_key.certificate)
    assert (leader.common_name, leader.purpose, leader.office_code) == (LEADER_NAME, Purpose.PERSON, OFFICE_CODE)
    assert leader.title == "Chủ tịch"
    assert (seal.organisation, seal.purpose, seal.office_code) == (OFFICE_NAME, Purpose.ORGANISATION, OFFICE_CODE)


def test_every_certificate_says_that_it_is_a_trial(authority: PilotAuthority, leader_key: Signer) -> None:
    for der in (*authority.chain, authority.tsa_certificate, authority.ocsp_certificate, leader_key.certificate):
        assert TRIAL.encode() in der


def test_the_chain_holds_and_the_addresses_answer(
    authority: PilotAuthority, pilot_server: PilotServer, leader_key: Signer
) -> None:
    issuing, root = leader_key.chain
    assert issued_by(leader_key.certificate, issuing)
    assert issued_by(issuing, root)
    assert not issued_by(leader_key.certificate, root)
    assert ocsp_urls(leader_key.certificate) == (f"{pilot_server.url}/ocsp",)
    assert crl_urls(leader_key.certificate) == (f"{pilot_server.url}/crl/issuing.crl",)
    assert pilot_server.fetch(f"{pilot_server.url}/ca/issuing.cer") == authority.issuing_certificate


def test_a_key_signs_and_only_its_certificate_agrees(leader_key: Signer, seal_key: Signer) -> None:
    signature = leader_key.sign(b"data")
    assert signed_by(leader_key.certificate, b"data", signature)
    assert not signed_by(leader_key.certificate, b"Data", signature)
    assert not signed_by(seal_key.certificate, b"data", signature)


def test_a_kept_authority_comes_back_the_same() -> None:
    at = now()
    authority = PilotAuthority.create(at, key_size=2048)
    authority.revoke(12345, at + timedelta(hours=1))
    back = PilotAuthority.from_bytes(authority.to_bytes())
    assert back.to_bytes() == authority.to_bytes()
    assert back.certificate == authority.certificate
