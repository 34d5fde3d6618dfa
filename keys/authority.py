"""The pilot authority: a whole small certification service for trials, in one value. Never for real documents.

Every certificate says THỬ NGHIỆM (trial) in its OU. The root issues the issuing authority and the time-stamp
authority (status by the root's list); the issuing authority issues people, offices, services and the OCSP
responder (status by OCSP and by its list). All keys are RSA.

Nothing here opens a socket or looks at a clock: requests come in as bytes with the moment, answers go out as bytes.
`answer` maps the paths that stand in the certificates, so that any HTTP server can be put in front.
"""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from keys.certificates import BROKEN
from keys.errors import CertificateUnreadable
from keys.model import Anchor, TrustMaterial, TrustWorld

TRIAL = "THỬ NGHIỆM"
COUNTRY = "VN"
HOUSE = "Công Văn"

POLICY = "1.3.6.1.4.1.32473.1.1"
"""Time-stamp policy, under the arc that RFC 5612 sets apart for examples."""

DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")

ROOT_DAYS = 20 * 365
AUTHORITY_DAYS = 15 * 365
PERSON_DAYS = 3 * 365
LIST_LIFE = timedelta(days=1)
"""How long a revocation list and an OCSP answer are good."""

Names = Sequence[tuple[ObjectIdentifier, str | None]]
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class _Holder:
    """A certificate of the authority itself with its private key."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


class PilotAuthority:
    """A root, an issuing authority, an OCSP responder and a time-stamp authority, able to issue and to answer.

    The list of issued and revoked serial numbers is part of the value: keep `to_bytes()` again after every issue and
    every revocation (owner-only file: private keys are inside, unencrypted), or the OCSP responder forgets them.
    Calls may come from several threads.
    """

    def __init__(
        self,
        base_url: str,
        holders: dict[str, _Holder],
        issued: set[int],
        revoked: dict[int, tuple[datetime, str]],
    ) -> None:
        self.base_url = base_url
        self._holders = holders
        self._issued = issued
        self._revoked = revoked
        self._lock = threading.Lock()

    @classmethod
    def create(
        cls, at: datetime, *, key_size: int = 3072, base_url: str = "http://127.0.0.1:8731/pilot"
    ) -> "PilotAuthority":
        """A new authority with new keys, valid from `at` (root 20 years, the others 15).

        `base_url` is written into certificates as the place of lists, issuers and OCSP, without a slash at the end.
        """
        issuing = _Issuing(base_url.rstrip("/"), at, key_size)
        root = issuing.root()
        authority = issuing.authority(root)
        holders = {
            "root": root,
            "issuing": authority,
            "tsa": issuing.stamper(root),
            "ocsp": issuing.responder(authority),
        }
        return cls(issuing.base_url, holders, set(), {})

    # --- the authority's own certificates (DER) ---

    @property
    def certificate(self) -> bytes:
        """The root (DER): the anchor."""
        return self._holders["root"].der

    @property
    def issuing_certificate(self) -> bytes:
        """The issuing authority (DER)."""
        return self._holders["issuing"].der

    @property
    def tsa_certificate(self) -> bytes:
        """The time-stamp authority (DER), issued by the root."""
        return self._holders["tsa"].der

    @property
    def ocsp_certificate(self) -> bytes:
        """The OCSP responder (DER), issued by the issuing authority, with ocsp-nocheck."""
        return self._holders["ocsp"].der

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The issuers of every person, office and service: issuing authority, root (DER)."""
        return (self.issuing_certificate, self.certificate)

    @property
    def trust(self) -> TrustMaterial:
        """What somebody who accepts this pilot trusts."""
        return TrustMaterial((Anchor(self.certificate, TrustWorld.PILOT),), (self.issuing_certificate,))

    @property
    def tsa_url(self) -> str:
        """Where time stamps are asked for."""
        return f"{self.base_url}/tsa"

    # --- issuing ---

    def person(
        self,
        common_name: str,
        organisation: str,
        office_code: str,
        title: str | None,
        public_key: PublicKey,
        at: datetime,
        *,
        days: int = PERSON_DAYS,
    ) -> bytes:
        """A certificate (DER) for a person of an office, for signing documents, valid from `at` for `days` days."""
        surname, _, given = common_name.partition(" ")
        names = [
            (NameOID.ORGANIZATION_NAME, organisation),
            (NameOID.ORGANIZATION_IDENTIFIER, office_code),
            (NameOID.TITLE, title),
            (NameOID.SURNAME, surname),
            (NameOID.GIVEN_NAME, given or surname),
            (NameOID.COMMON_NAME, common_name),
        ]
        return self._issue(names, public_key, at, days, [DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION])

    def organisation(
        self, name: str, office_code: str, public_key: PublicKey, at: datetime, *, days: int = PERSON_DAYS
    ) -> bytes:
        """A certificate (DER) for an office's seal, valid from `at` for `days` days."""
        names = [
            (NameOID.ORGANIZATION_NAME, name),
            (NameOID.ORGANIZATION_IDENTIFIER, office_code),
            (NameOID.COMMON_NAME, name),
        ]
        return self._issue(names, public_key, at, days, [DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION])

    def service(
        self, name: str, organisation: str, public_key: PublicKey, at: datetime, *, days: int = PERSON_DAYS
    ) -> bytes:
        """A certificate (DER) for a program that signs (receipts, checkpoints), valid from `at` for `days` days."""
        names = [(NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, name)]
        return self._issue(names, public_key, at, days, [ExtendedKeyUsageOID.CLIENT_AUTH])

    def revoke(self, serial: int, at: datetime, reason: str = "keyCompromise") -> None:
        """From `at` on, lists and answers call this serial number revoked. `reason` is a word of RFC 5280 §5.3.1.

        Serials of people, offices and services, and of the time-stamp and issuing authority. A first revocation stays.
        """
        x509.ReasonFlags(reason)
        with self._lock:
            self._revoked.setdefault(serial, (at, reason))

    # --- answering ---

    def answer(self, path: str, body: bytes, at: datetime) -> tuple[str, bytes] | None:
        """The answer (content type, bytes) to a request for `path` below `base_url`, or None where nothing lies.

        `/ca/root.cer`, `/ca/issuing.cer`, `/crl/root.crl`, `/crl/issuing.crl` (GET), `/ocsp`, `/tsa` (POST).
        """
        if path == "/ocsp":
            return "application/ocsp-response", self.answer_ocsp(body, at)
        if path == "/tsa":
            return "application/timestamp-reply", self.answer_timestamp(body, at)
        if path == "/crl/root.crl":
            return "application/pkix-crl", self.root_crl(at)
        if path == "/crl/issuing.crl":
            return "application/pkix-crl", self.crl(at)
        if path in ("/ca/root.cer", "/ca/issuing.cer"):
            return "application/pkix-cert", self._holders[path[4:-4]].der
        return None

    def crl(self, at: datetime) -> bytes:
        """The issuing authority's revocation list (DER) as of `at`, good for one day."""
        return self._crl(self._holders["issuing"], at)

    def root_crl(self, at: datetime) -> bytes:
        """The root's revocation list (DER) as of `at`: issuing authority and time-stamp authority."""
        return self._crl(self._holders["root"], at)

    def answer_ocsp(self, request: bytes, at: datetime) -> bytes:
        """The OCSP answer (DER) to one request (DER) as of `at`, good for one day; repeats the request's nonce.

        `good` only for serial numbers that were issued, `unknown` else; a broken request gets `malformedRequest`.
        """
        try:
            asked = ocsp.load_der_ocsp_request(request)
            ours = self._is_ours(asked)
        except BROKEN:
            return _refused(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if not ours:
            return _refused(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        status, moment, reason = self._status(asked.serial_number, at)
        responder = self._holders["ocsp"]
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm,
            cert_status=status,
            this_update=at,
            next_update=at + LIST_LIFE,
            revocation_time=moment,
            revocation_reason=reason,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        builder = builder.certificates([responder.certificate])
        for carried in asked.extensions:
            if isinstance(carried.value, x509.OCSPNonce):
                builder = builder.add_extension(carried.value, critical=False)
        return builder.sign(responder.key, SHA256()).public_bytes(Encoding.DER)

    def answer_timestamp(self, request: bytes, at: datetime) -> bytes:
        """The RFC 3161 answer (TimeStampResp DER) to a request (TimeStampReq DER): a token, or why not.

        Digests SHA-256, SHA-384 and SHA-512 are stamped; accuracy one second; the TSA's certificate is in the token
        when the request asks for it.
        """
        try:
            asked = tsp.TimeStampReq.load(request, strict=True)
            imprint = asked["message_imprint"]
            digest_name = imprint["hash_algorithm"]["algorithm"].native
            digest = imprint["hashed_message"].native
        except (ValueError, TypeError, KeyError):
            return _stamp_refused("bad_data_format")
        if digest_name not in ("sha256", "sha384", "sha512") or len(digest) * 8 != int(digest_name[3:]):
            return _stamp_refused("bad_alg")
        if asked["req_policy"].native not in (None, POLICY):
            return _stamp_refused("unaccepted_policy")
        token = _token(self._holders["tsa"], asked, at)
        return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())

    # --- keeping ---

    def to_bytes(self) -> bytes:
        """All of it, private keys included and unencrypted (JSON). Keep it in a file that only its owner can read."""
        with self._lock:
            kept = {
                "congvan_pilot_authority": 1,
                "base_url": self.base_url,
                "holders": {name: _kept(holder) for name, holder in self._holders.items()},
                "issued": sorted(str(serial) for serial in self._issued),
                "revoked": {
                    str(serial): [moment.isoformat(), reason] for serial, (moment, reason) in self._revoked.items()
                },
            }
        return json.dumps(kept, sort_keys=True, indent=1).encode()

    @classmethod
    def from_bytes(cls, kept: bytes) -> "PilotAuthority":
        """The authority that `to_bytes` kept. Raises `CertificateUnreadable` when the bytes are something else."""
        try:
            values = json.loads(kept)
            return cls(
                values["base_url"],
                {name: _holder(*pair) for name, pair in values["holders"].items()},
                {int(serial) for serial in values["issued"]},
                {int(s): (datetime.fromisoformat(moment), reason) for s, (moment, reason) in values["revoked"].items()},
            )
        except (ValueError, KeyError, TypeError) as e:
            raise CertificateUnreadable from e

    # --- inside ---

    def _issue(
        self,
        names: Names,
        public_key: PublicKey,
        at: datetime,
        days: int,
        uses: list[ObjectIdentifier],
    ) -> bytes:
        serial = x509.random_serial_number()
        issuing = self._holders["issuing"]
        builder = _builder(names, public_key, issuing.certificate, serial, at, days)
        builder = builder.add_extension(_usage("digital_signature", "content_commitment"), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        builder = _with_addresses(builder, self.base_url, "issuing", ocsp_too=True)
        der = builder.sign(issuing.key, SHA256()).public_bytes(Encoding.DER)
        with self._lock:
            self._issued.add(serial)
        return der

    def _crl(self, holder: _Holder, at: datetime) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(holder.certificate.subject)
            .last_update(at)
            .next_update(at + LIST_LIFE)
            .add_extension(x509.CRLNumber(int(at.timestamp())), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(holder.key.public_key()),
                critical=False,
            )
        )
        for serial, (moment, reason) in self._revocations(holder, at):
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(reason)), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(holder.key, SHA256()).public_bytes(Encoding.DER)

    def _revocations(self, holder: _Holder, at: datetime) -> list[tuple[int, tuple[datetime, str]]]:
        by_root = {self._holders[name].certificate.serial_number for name in ("issuing", "tsa")}
        is_root = holder is self._holders["root"]
        with self._lock:
            return [
                (serial, (moment, reason))
                for serial, (moment, reason) in sorted(self._revoked.items())
                if moment <= at and (serial in by_root) == is_root
            ]

    def _status(
        self, serial: int, at: datetime
    ) -> tuple[ocsp.OCSPCertStatus, datetime | None, x509.ReasonFlags | None]:
        with self._lock:
            revoked = self._revoked.get(serial)
            issued = serial in self._issued
        if revoked and revoked[0] <= at:
            return ocsp.OCSPCertStatus.REVOKED, revoked[0], x509.ReasonFlags(revoked[1])
        return (ocsp.OCSPCertStatus.GOOD if issued else ocsp.OCSPCertStatus.UNKNOWN), None, None

    def _is_ours(self, asked: ocsp.OCSPRequest) -> bool:
        issuer = self._holders["issuing"].certificate
        issued = self._holders["ocsp"].certificate
        own = ocsp.OCSPRequestBuilder().add_certificate(issued, issuer, asked.hash_algorithm).build()
        return own.issuer_name_hash == asked.issuer_name_hash and own.issuer_key_hash == asked.issuer_key_hash


@dataclass(frozen=True, slots=True)
class _Issuing:
    """Makes the authority's own certificates, once."""

    base_url: str
    at: datetime
    key_size: int

    def root(self) -> _Holder:
        key = self._key()
        name = _own("Root CA")
        builder = _builder(name, key.public_key(), None, x509.random_serial_number(), self.at, ROOT_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        return _Holder(key, builder.sign(key, SHA256()))

    def authority(self, root: _Holder) -> _Holder:
        key, builder = self._under(root, "Issuing CA")
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        builder = _with_addresses(builder, self.base_url, "root", ocsp_too=False)
        return _Holder(key, builder.sign(root.key, SHA256()))

    def stamper(self, root: _Holder) -> _Holder:
        key, builder = self._under(root, "TSA")
        builder = builder.add_extension(_usage("digital_signature"), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        builder = _with_addresses(builder, self.base_url, "root", ocsp_too=False)
        return _Holder(key, builder.sign(root.key, SHA256()))

    def responder(self, issuing: _Holder) -> _Holder:
        key, builder = self._under(issuing, "OCSP")
        builder = builder.add_extension(_usage("digital_signature"), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
        return _Holder(key, builder.sign(issuing.key, SHA256()))

    def _under(self, issuer: _Holder, role: str) -> tuple[rsa.RSAPrivateKey, x509.CertificateBuilder]:
        key = self._key()
        serial = x509.random_serial_number()
        return key, _builder(_own(role), key.public_key(), issuer.certificate, serial, self.at, AUTHORITY_DAYS)

    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, self.key_size)


def _own(role: str) -> Names:
    return [(NameOID.ORGANIZATION_NAME, f"{HOUSE} {TRIAL}"), (NameOID.COMMON_NAME, f"{HOUSE} Pilot {role}")]


def _builder(
    names: Names,
    public_key: PublicKey,
    issuer: x509.Certificate | None,
    serial: int,
    at: datetime,
    days: int,
) -> x509.CertificateBuilder:
    parts = [
        (NameOID.COUNTRY_NAME, COUNTRY),
        names[0],
        (NameOID.ORGANIZATIONAL_UNIT_NAME, TRIAL),
        *names[1:],
    ]
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in parts if text])
    # X.509 counts whole seconds; cutting off keeps the certificate valid at `at` itself
    start = at.replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    if issuer is None:
        return builder
    issuer_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    named = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key)
    return builder.add_extension(named, critical=False)


def _with_addresses(
    builder: x509.CertificateBuilder, base_url: str, issuer: str, *, ocsp_too: bool
) -> x509.CertificateBuilder:
    ways = [(AuthorityInformationAccessOID.CA_ISSUERS, f"{base_url}/ca/{issuer}.cer")]
    if ocsp_too:
        ways.insert(0, (AuthorityInformationAccessOID.OCSP, f"{base_url}/ocsp"))
    access = [x509.AccessDescription(way, x509.UniformResourceIdentifier(url)) for way, url in ways]
    where = [x509.UniformResourceIdentifier(f"{base_url}/crl/{issuer}.crl")]
    points = x509.CRLDistributionPoints([x509.DistributionPoint(where, None, None, None)])
    builder = builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)
    return builder.add_extension(points, critical=False)


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature="digital_signature" in allowed,
        content_commitment="content_commitment" in allowed,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign="key_cert_sign" in allowed,
        crl_sign="crl_sign" in allowed,
        encipher_only=False,
        decipher_only=False,
    )


def _refused(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def _stamp_refused(cause: str) -> bytes:
    # asn1crypto does not know that a refusal carries no token (RFC 3161 §2.4.2)
    status = tsp.PKIStatusInfo({"status": "rejection", "fail_info": {cause}})
    return bytes(core.SequenceOf([status], spec=tsp.PKIStatusInfo).dump())


def _token(holder: _Holder, asked: tsp.TimeStampReq, at: datetime) -> cms.ContentInfo:
    """The token itself: CMS SignedData over TSTInfo, with signing-certificate-v2 (RFC 5816)."""
    certificate = asn1_x509.Certificate.load(holder.der)
    info = {
        "version": "v1",
        "policy": POLICY,
        "message_imprint": asked["message_imprint"],
        "serial_number": secrets.randbits(96),
        "gen_time": at.replace(microsecond=0),
        "accuracy": {"seconds": 1},
    }
    if asked["nonce"].native is not None:
        info["nonce"] = asked["nonce"].native
    content = tsp.TSTInfo(info).dump()
    attributes = _signed_attributes(holder.der, content)
    signature = holder.key.sign(attributes.dump(), padding.PKCS1v15(), SHA256())
    sha256 = {"algorithm": "sha256"}
    signer = {
        "version": "v1",
        "sid": {"issuer_and_serial_number": {"issuer": certificate.issuer, "serial_number": certificate.serial_number}},
        "digest_algorithm": sha256,
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": "sha256_rsa"},
        "signature": signature,
    }
    signed = {
        "version": "v3",
        "digest_algorithms": [sha256],
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
        "signer_infos": [signer],
    }
    if asked["cert_req"].native:
        signed["certificates"] = [certificate]
    return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})


def _signed_attributes(certificate: bytes, content: bytes) -> cms.CMSAttributes:
    named = tsp.ESSCertIDv2(
        {
            "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
            "cert_hash": hashlib.sha256(certificate).digest(),
        }
    )
    attributes = {
        "content_type": "tst_info",
        "message_digest": hashlib.sha256(content).digest(),
        "signing_certificate_v2": tsp.SigningCertificateV2({"certs": [named]}),
    }
    return cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [v]}) for kind, v in attributes.items()])


def _kept(holder: _Holder) -> list[str]:
    key = holder.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return [base64.b64encode(key).decode(), base64.b64encode(holder.der).decode()]


def _holder(key: str, certificate: str) -> _Holder:
    private = load_der_private_key(base64.b64decode(key), None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError("the pilot authority has RSA keys")
    return _Holder(private, x509.load_der_x509_certificate(base64.b64decode(certificate)))
