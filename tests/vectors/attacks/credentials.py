"""Keys, certificates, CMS, time stamps and answers about revocation, honest and false, made by hand for the attacks."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from keys.authority import PilotAuthority
from tests.vectors.attacks.make import covered, filled_in, open_signature

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
HASHES: dict[str, HashAlgorithm] = {"sha256": SHA256(), "sha512": SHA512(), "sha1": SHA1(), "md5": MD5()}  # noqa: S303
DOCUMENTS = ObjectIdentifier("1.3.6.1.5.5.7.3.36")


@dataclass(frozen=True)
class Holder:
    """A key and its certificate (DER)."""

    key: Key
    certificate: bytes
    chain: tuple[bytes, ...] = ()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pilot_holder(authority: PilotAuthority, name: str) -> Holder:
    """One of the pilot authority's own keys: `root`, `issuing`, `tsa`."""
    key, certificate = json.loads(authority.to_bytes())["holders"][name]
    private = load_der_private_key(base64.b64decode(key), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return Holder(private, base64.b64decode(certificate), authority.chain if name == "issuing" else ())


# -- certificates --


def certificate(
    issuer: Holder,
    key: Key,
    *,
    begin: datetime,
    end: datetime,
    names: Sequence[tuple[ObjectIdentifier, str]] = ((NameOID.SURNAME, "An"), (NameOID.COMMON_NAME, "Nguyen Van An")),
    usage: Sequence[str] = ("digital_signature", "content_commitment"),
    uses: Sequence[ObjectIdentifier] = (DOCUMENTS,),
    authority: bool = False,
    lists: str | None = None,
) -> Holder:
    """A certificate by `issuer`; `lists` is where it says its revocation list lies."""
    parent = x509.load_der_x509_certificate(issuer.certificate)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, text) for oid, text in names]))
        .issuer_name(parent.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(key_usage(*usage), critical=True)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=True)
    if lists:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(lists)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    der = builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)
    return Holder(key, der, (issuer.certificate, *issuer.chain))


def impostor_of(der: bytes, begin: datetime, end: datetime, key: Key | None = None) -> Holder:
    """A self-signed authority with the names of another one and a key of its own."""
    key, real = key or new_key(), x509.load_der_x509_certificate(der)
    builder = (
        x509.CertificateBuilder()
        .subject_name(real.subject)
        .issuer_name(real.subject)
        .public_key(key.public_key())
        .serial_number(real.serial_number)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    return Holder(key, builder.sign(key, SHA256()).public_bytes(Encoding.DER))


def new_root(name: str, begin: datetime, end: datetime) -> Holder:
    """A self-signed authority."""
    key = new_key()
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    return Holder(key, builder.sign(key, SHA256()).public_bytes(Encoding.DER))


def crossed(der: bytes, issuer: Holder, begin: datetime, end: datetime) -> bytes:
    """A certificate by `issuer` for the name and key of another authority."""
    real = x509.load_der_x509_certificate(der)
    builder = (
        x509.CertificateBuilder()
        .subject_name(real.subject)
        .issuer_name(x509.load_der_x509_certificate(issuer.certificate).subject)
        .public_key(real.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)


def key_usage(*allowed: str) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in allowed for name in names})


# -- revocation --


def revocation_list(
    issuer: Holder, revoked: dict[int, datetime], at: datetime, *, life: timedelta = timedelta(days=1)
) -> bytes:
    """A revocation list with the issuer's name, signed by the issuer's key."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_der_x509_certificate(issuer.certificate).subject)
        .last_update(at)
        .next_update(at + life)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(int(at.timestamp())), critical=False)
    )
    for serial, moment in revoked.items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)


def status_answer(authority: PilotAuthority, der: bytes, at: datetime) -> bytes:
    """The pilot's OCSP answer about a certificate that it issued."""
    child = x509.load_der_x509_certificate(der)
    issuer = x509.load_der_x509_certificate(authority.issuing_certificate)
    asked = ocsp.OCSPRequestBuilder().add_certificate(child, issuer, SHA256()).build()
    return authority.answer_ocsp(asked.public_bytes(Encoding.DER), at)


def serial(der: bytes) -> int:
    return x509.load_der_x509_certificate(der).serial_number


# -- CMS --


def cms_over(
    data: bytes,
    holder: Holder,
    *,
    digest: str = "sha256",
    signed_with: str | None = None,
    told: bytes | None = None,
    named: bytes | bool | None = True,
    told_digest: str | None = None,
    kind: str = "data",
    enclosed: bytes | None = None,
    infos: int = 1,
    certificates: bool = True,
    scrambled: bool = False,
    token: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """A CMS signature over detached `data`, as PAdES wants it; every other word makes it wrong in one way.

    `told` is another message digest, `named` another certificate for signing-certificate-v2 (None: no such attribute),
    `told_digest` another word for the digest algorithm, `signed_with` another digest for the signature itself, `token`
    gives a time stamp (ContentInfo DER) for the signature value.
    """
    name = holder.certificate if named is True else named
    attributes = _attributes(kind, told or hashlib.new(digest, data).digest(), name or None)
    der = _scrambled(attributes.dump()) if scrambled else attributes.dump()
    value = _sign(holder.key, der, signed_with or digest)
    own = asn1_x509.Certificate.load(holder.certificate)
    info = {
        "version": "v1",
        "sid": {"issuer_and_serial_number": {"issuer": own.issuer, "serial_number": own.serial_number}},
        "digest_algorithm": {"algorithm": told_digest or digest},
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": f"{signed_with or digest}_{_kind(holder.key)}"},
        "signature": value,
    }
    if token is not None:
        stamp = cms.ContentInfo.load(token(value))
        unsigned = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [stamp]})
        info["unsigned_attrs"] = cms.CMSAttributes([unsigned])
    content: dict[str, object] = {"content_type": kind}
    if enclosed is not None:
        content["content"] = core.ParsableOctetString(enclosed) if kind == "tst_info" else enclosed
    signed = {
        "version": "v1" if kind == "data" else "v3",
        "digest_algorithms": [{"algorithm": digest}],
        "encap_content_info": content,
        "signer_infos": [info] * infos,
    }
    if certificates:
        signed["certificates"] = [asn1_x509.Certificate.load(der) for der in (holder.certificate, *holder.chain)]
    made: bytes = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump()
    return made.replace(attributes.dump()[2:], der[2:]) if scrambled else made


def _attributes(kind: str, digest: bytes, named: bytes | None) -> cms.CMSAttributes:
    values: dict[str, object] = {"content_type": kind, "message_digest": digest}
    if named is not None:
        name = tsp.ESSCertIDv2(
            {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "cert_hash": hashlib.sha256(named).digest(),
            }
        )
        values["signing_certificate_v2"] = tsp.SigningCertificateV2({"certs": [name]})
    return cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [value]}) for kind, value in values.items()])


def _scrambled(der: bytes) -> bytes:
    """The same SET with its members in the wrong order."""
    members = [member.dump() for member in cms.CMSAttributes.load(der)]
    head = len(der) - sum(map(len, members))
    return der[:head] + b"".join(reversed(members))


def _sign(key: Key, data: bytes, digest: str) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), HASHES[digest])
    return key.sign(data, ec.ECDSA(HASHES[digest]))


def _kind(key: Key) -> str:
    return "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa"


# -- time stamps --


def honest_token(authority: PilotAuthority, data: bytes, at: datetime, *, certificate: bool = True) -> bytes:
    """A token (ContentInfo DER) of the pilot's time-stamp authority over `data`, made at `at`."""
    asked = tsp.TimeStampReq({"version": 1, "message_imprint": _imprint(data, "sha256"), "cert_req": certificate})
    answer = tsp.TimeStampResp.load(authority.answer_timestamp(asked.dump(), at))
    made: bytes = answer["time_stamp_token"].dump()
    return made


def token_by(holder: Holder, data: bytes, at: datetime, **twists: object) -> bytes:
    """A token made with any key."""
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.3.6.1.4.1.32473.1.1",
            "message_imprint": _imprint(data, "sha256"),
            "serial_number": 1,
            "gen_time": at.replace(microsecond=0),
        }
    ).dump()
    return cms_over(info, holder, kind="tst_info", enclosed=info, **twists)  # type: ignore[arg-type]


def _imprint(data: bytes, digest: str) -> dict[str, object]:
    return {"hash_algorithm": {"algorithm": digest}, "hashed_message": hashlib.new(digest, data).digest()}


TIME_STAMPING = (ExtendedKeyUsageOID.TIME_STAMPING,)


# -- signing files --


def pdf_date(at: datetime) -> bytes:
    return at.strftime("D:%Y%m%d%H%M%SZ").encode()


def signed(
    pdf: bytes,
    holder: Holder,
    at: datetime,
    *,
    name: bytes = b"ChuKyLanhDao",
    cms_words: dict[str, object] | None = None,
    **how: object,
) -> bytes:
    """The field `name` signed by `holder`; `how` goes to `open_signature`, `cms_words` to `cms_over`."""
    return resigned(open_signature(pdf, name=name, at=pdf_date(at), **how), holder, **(cms_words or {}))  # type: ignore[arg-type]


def resigned(pdf: bytes, holder: Holder, *, n: int = -1, **words: object) -> bytes:
    """One signature of a file made again over what its /ByteRange covers now."""
    return filled_in(pdf, cms_over(covered(pdf, n), holder, **words), n)  # type: ignore[arg-type]


def time_stamped(
    pdf: bytes,
    token: Callable[[bytes], bytes],
    at: datetime,
    name: bytes,
    *,
    new: bytes | None = b"0 0 0 0",
    look: bytes = b"",
) -> bytes:
    """A document time stamp in a new field `name` in the box `new`, or in the field of that name."""
    kind = b"/Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161"
    opened = open_signature(pdf, name=name, at=pdf_date(at), kind=kind, look=look, new=new)
    return filled_in(opened, token(covered(opened)))
