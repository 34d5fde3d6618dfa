"""A certificate may sign for somebody only when nothing speaks against it; everything that does is said at once."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keys.authority import PilotAuthority
from keys.certificates import read_certificate
from keys.errors import CertificateUnfit
from keys.intake import require_fit
from keys.model import Anchor, Purpose, RevocationData, TrustMaterial, TrustWorld
from keys.revocation import revoked_at
from tests.fixtures.pilot import LEADER_NAME, OFFICE_CODE, OFFICE_NAME, now

KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def leader(authority: PilotAuthority) -> bytes:
    return authority.person(LEADER_NAME, OFFICE_NAME, OFFICE_CODE, "Chủ tịch", KEY.public_key(), now(), days=100)


def wrong(der: bytes, trust: TrustMaterial, **more: object) -> str:
    asked = {
        "purpose": Purpose.PERSON, "name": LEADER_NAME, "office": OFFICE_CODE, "revocation": RevocationData(),
        "at": now(),
    }  # fmt: skip
    with pytest.raises(CertificateUnfit) as unfit:
        require_fit(der, trust, **{**asked, **more})  # type: ignore[arg-type]
    assert unfit.value.sentence("vi") != unfit.value.sentence("en")
    return str(unfit.value)


def test_a_good_certificate_is_taken_however_its_name_is_spelled(leader: bytes, trust: TrustMaterial) -> None:
    for name in (LEADER_NAME, "NGUYEN VAN AN", "nguyễn  văn an"):
        taken = require_fit(
            leader, trust, purpose=Purpose.PERSON, name=name, office=OFFICE_CODE, revocation=RevocationData(), at=now()
        )
        assert taken == read_certificate(leader)


def test_somebody_elses_is_refused(leader: bytes, trust: TrustMaterial) -> None:
    assert "in the name of Nguyễn Văn An, not of Trần Văn Bình" in wrong(leader, trust, name="Trần Văn Bình")
    assert f"the office {OFFICE_CODE}, not H01" in wrong(leader, trust, office="H01")


def test_everything_that_is_wrong_is_said_at_once(leader: bytes, trust: TrustMaterial) -> None:
    told = wrong(leader, TrustMaterial(()), at=now() + timedelta(days=200), name="Bình", purpose=Purpose.ORGANISATION)
    assert "no trusted authority" in told
    assert "expired" in told
    assert "a certificate of a person, not of an organisation" in told


def test_dates_count(leader: bytes, trust: TrustMaterial) -> None:
    assert "not valid yet" in wrong(leader, trust, at=now() - timedelta(days=2))
    assert "has expired" in wrong(leader, trust, at=now() + timedelta(days=101))
    far = now() + timedelta(days=365 * 16)
    told = wrong(leader, trust, at=far)
    assert "its issuer's certificate has expired" in told


def test_only_people_and_offices_sign_documents(authority: PilotAuthority, trust: TrustMaterial) -> None:
    service = authority.service(LEADER_NAME, OFFICE_NAME, KEY.public_key(), now())
    told = wrong(service, trust)
    assert "neither a person's nor an office's" in told
    assert "extended key usage" in told
    assert "neither" in wrong(authority.issuing_certificate, trust)


def test_what_it_may_be_used_for_counts() -> None:
    der, trust = made(key_usage="digital_signature")
    assert "no nonRepudiation" in wrong(der, trust)
    der, trust = made(extended=ExtendedKeyUsageOID.SERVER_AUTH)
    assert "extended key usage" in wrong(der, trust)


def test_weak_keys_are_refused() -> None:
    der, trust = made(key=rsa.generate_private_key(65537, 1024))  # noqa: S505
    assert "too weak" in wrong(der, trust)
    der, trust = made(key=ec.generate_private_key(ec.SECP224R1()))
    assert "too weak" in wrong(der, trust)


def test_a_certificate_that_says_neither_is_what_the_office_says(trust: TrustMaterial) -> None:
    der, own = made()
    for purpose in (Purpose.PERSON, Purpose.ORGANISATION):
        assert require_fit(
            der, own, purpose=purpose, name=LEADER_NAME, office="H01", revocation=RevocationData(), at=now()
        )


def test_a_revoked_one_is_refused_by_list_and_by_answer(authority: PilotAuthority, trust: TrustMaterial) -> None:
    der = authority.person(LEADER_NAME, OFFICE_NAME, OFFICE_CODE, None, KEY.public_key(), now())
    good = RevocationData(crls=(authority.crl(now()),), ocsps=(answer(authority, der),))
    assert revoked_at(der, trust, good) is None
    since = now().replace(microsecond=0)
    authority.revoke(read_certificate(der).serial, since)
    for told in (RevocationData(crls=(authority.crl(now()),)), RevocationData(ocsps=(answer(authority, der),))):
        assert revoked_at(der, trust, told) == since
        assert f"revoked on {since.date()}" in wrong(der, trust, revocation=told)
    assert revoked_at(der, TrustMaterial(()), RevocationData(crls=(authority.crl(now()),))) is None


def answer(authority: PilotAuthority, der: bytes) -> bytes:
    child, parent = (x509.load_der_x509_certificate(one) for one in (der, authority.issuing_certificate))
    asked = x509.ocsp.OCSPRequestBuilder().add_certificate(child, parent, SHA256()).build()
    return authority.answer_ocsp(asked.public_bytes(Encoding.DER), now())


def made(
    *,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY,
    key_usage: str = "content_commitment",
    extended: x509.ObjectIdentifier | None = None,
) -> tuple[bytes, TrustMaterial]:
    """A certificate of a small authority that says nothing but a name, and trust in that authority."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = (
        _named("Gốc", "Gốc", root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root_key, SHA256())
    )
    uses = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    builder = _named(LEADER_NAME, "Gốc", key).add_extension(x509.KeyUsage(**uses | {key_usage: True}), critical=True)
    if extended is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
    leaf = builder.sign(root_key, SHA256())
    anchor = Anchor(root.public_bytes(Encoding.DER), TrustWorld.OFFICE)
    return leaf.public_bytes(Encoding.DER), TrustMaterial((anchor,))


def _named(name: str, issuer: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    def words(one: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)])

    return (
        x509.CertificateBuilder()
        .subject_name(words(name))
        .issuer_name(words(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=30))
    )
