"""Our own CMS is, byte for byte, what pyHanko makes of the same parts."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms, x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, NameOID
from pyhanko.sign.signers.pdf_cms import ExternalSigner
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from keys.signer import VaultSigner
from signing.cms import signed_attributes, signed_data
from signing.errors import SignatureWrong

DIGEST = hashlib.sha256(b"a file").digest()


def certificate(key, *, name="Nguyễn Văn An", signed_by=None):
    subject = Name([NameAttribute(oid, name) for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = CertificateBuilder(subject, subject, key.public_key(), 0x9F01, begin, begin + timedelta(days=900))
    return made.sign(signed_by or key, SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def authority_key():
    return ec.generate_private_key(ec.SECP256R1())


KEYS = {
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
}


class GivenToken(TimeStamper):
    def __init__(self, token):
        super().__init__()
        self._token = token

    async def async_timestamp(self, message_digest, md_algorithm):  # noqa: ARG002
        return cms.ContentInfo.load(self._token)


def by_pyhanko(attributes, signature, own, chain, token):
    signer = pyhanko_signer(own, chain, signature)
    made = signer.async_sign_prescribed_attributes(
        "sha256",
        signed_attrs=cms.CMSAttributes.load(attributes),
        timestamper=GivenToken(token) if token else None,
    )
    return asyncio.run(made).dump()


def pyhanko_signer(own, chain, signature=bytes(256)):
    # not the signer's own among the others: pyHanko would write that certificate twice
    others = SimpleCertificateStore.from_certs([x509.Certificate.load(der) for der in chain])
    return ExternalSigner(x509.Certificate.load(own), others, signature_value=signature)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("name", ["A", "Ủy ban " * 6], ids=["short", "long"])
def test_attributes_and_signed_data_equal_pyhankos(kind, name, authority_key, desk):
    key = KEYS[kind]()
    own = certificate(key, name=name, signed_by=authority_key)
    for chain in ((), (certificate(authority_key, name="CA"), certificate(authority_key, name="Root"))):
        attributes = signed_attributes(DIGEST, own)
        assert (
            attributes == asyncio.run(pyhanko_signer(own, chain).signed_attrs(DIGEST, "sha256", use_pades=True)).dump()
        )
        signature = VaultSigner(key, own, chain).sign(attributes)
        for token in (None, desk.tsa.stamp(hashlib.sha256(signature).digest())):
            made = signed_data(attributes, signature, own, chain, token)
            assert made == by_pyhanko(attributes, signature, own, chain, token)


def test_a_certificate_that_comes_twice_is_written_once(desk):
    own, chain = desk.leader.certificate, desk.leader.chain
    attributes = signed_attributes(DIGEST, own)
    made = signed_data(attributes, desk.leader.sign(attributes), own, (own, *chain, *chain))
    assert made.count(own) == 1
    assert made == signed_data(attributes, desk.leader.sign(attributes), own, chain)


def test_a_key_of_another_kind_or_no_certificate_is_refused(authority_key):
    other = ed25519.Ed25519PrivateKey.generate()
    for wrong in (certificate(other, signed_by=authority_key), b"", b"0\x82", certificate(authority_key) + b"\0"):
        with pytest.raises(SignatureWrong):
            signed_attributes(DIGEST, wrong)
