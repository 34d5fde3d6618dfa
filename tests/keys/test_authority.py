"""The pilot authority gives what openssl, our own reader and the loopback server agree on."""

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from keys.authority import TRIAL, PilotAuthority
from keys.certificates import crl_urls, issued_by, ocsp_urls, read_certificate, signed_by
from keys.model import Purpose, Signer
from keys.signer import VaultSigner
from tests.fixtures.needs import absent
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


def test_broken_requests_are_refused_and_never_crash(authority: PilotAuthority, leader_key: Signer) -> None:
    child, parent = (x509.load_der_x509_certificate(der) for der in (leader_key.certificate, leader_key.chain[0]))
    request = ocsp.OCSPRequestBuilder().add_certificate(child, parent, SHA256()).build().public_bytes(Encoding.DER)
    for place in range(len(request)):
        for wrong in (request[:place], request[:place] + bytes([request[place] ^ 0x01]) + request[place + 1 :]):
            answer = ocsp.load_der_ocsp_response(authority.answer_ocsp(wrong, now()))
            if answer.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL and (
                answer.certificate_status is ocsp.OCSPCertStatus.GOOD
            ):
                assert answer.serial_number == child.serial_number
            assert authority.answer_timestamp(wrong, now())


def test_openssl_accepts_certificates_lists_and_time_stamps(
    tmp_path: Path, authority: PilotAuthority, leader_key: Signer
) -> None:
    openssl = shutil.which("openssl") or absent("openssl", "apt-get install openssl")

    def run(*arguments: str) -> str:
        done = subprocess.run([openssl, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    for name, der in (("leader", leader_key.certificate), ("issuing", leader_key.chain[0])):
        (tmp_path / f"{name}.pem").write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    root = x509.load_der_x509_certificate(authority.certificate)
    (tmp_path / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    lists = [x509.load_der_x509_crl(der) for der in (authority.crl(now()), authority.root_crl(now()))]
    (tmp_path / "crls.pem").write_bytes(b"".join(crl.public_bytes(Encoding.PEM) for crl in lists))
    trusted = ("-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "crls.pem", "-crl_check_all")
    assert "leader.pem: OK" in run("verify", "-x509_strict", *trusted, "leader.pem")

    (tmp_path / "data").write_bytes(b"data")
    run("ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "q")
    (tmp_path / "r").write_bytes(authority.answer_timestamp((tmp_path / "q").read_bytes(), now()))
    assert "Verification: OK" in run("ts", "-verify", "-queryfile", "q", "-in", "r", "-CAfile", "root.pem")

    run("ocsp", "-issuer", "issuing.pem", "-cert", "leader.pem", "-no_nonce", "-reqout", "o")
    (tmp_path / "a").write_bytes(authority.answer_ocsp((tmp_path / "o").read_bytes(), now()))
    chain = ("-CAfile", "root.pem", "-verify_other", "issuing.pem")
    said = run("ocsp", "-issuer", "issuing.pem", "-cert", "leader.pem", "-respin", "a", *chain)
    assert "Response verify OK" in said
    assert "leader.pem: good" in said


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("UBND huyện Cư M'gar", Purpose.ORGANISATION),
        ("Ủy ban nhân dân xã Ea Tul", Purpose.ORGANISATION),
        ("Sở Nội vụ", Purpose.ORGANISATION),
        ("Vụ Pháp chế", Purpose.ORGANISATION),
        ("VAN PHONG CHINH PHU", Purpose.ORGANISATION),
        ("Vũ Thị Hoa", Purpose.PERSON),
        ("Trương Văn Cam", Purpose.PERSON),
        ("Truong Van Cam", Purpose.PERSON),
        ("Nguyễn Văn An", Purpose.PERSON),
    ],
)
def test_names_tell_people_from_offices_where_nothing_else_does(
    name: str, purpose: Purpose, private_key: rsa.RSAPrivateKey
) -> None:
    # the way certificates of VGCA look: no organizationIdentifier, no surname
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).serial_number(1)
    builder = builder.public_key(private_key.public_key()).not_valid_before(now()).not_valid_after(now())
    der = builder.sign(private_key, SHA256()).public_bytes(Encoding.DER)
    assert read_certificate(der).purpose is purpose


def test_keys_on_elliptic_curves_get_certificates(authority: PilotAuthority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = authority.person(LEADER_NAME, OFFICE_NAME, OFFICE_CODE, None, key.public_key(), now())
    with VaultSigner(key, der, authority.chain) as signer:
        assert signed_by(der, b"data", signer.sign(b"data"))
