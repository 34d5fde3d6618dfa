"""May this certificate sign here? All that speaks against it at once, before a key is brought in. Pure.

Revocation is asked for by whoever may ask outside; here it comes in as answers.
"""

import unicodedata
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from keys.algorithms import DOCUMENT_USES, digest_good, key_good
from keys.certificates import extension, may, read_certificate
from keys.errors import CertificateUnfit, Words
from keys.model import Certificate, Purpose, RevocationData, TrustMaterial
from keys.revocation import revoked_at
from keys.trust import chain_of

NO_PATH = Words("không dẫn tới tổ chức nào được tin cậy", "no trusted authority vouches for it")
NOT_YET = Words("chưa có hiệu lực", "it is not valid yet")
OVER = Words("đã hết hạn", "it has expired")
ISSUER_OVER = Words("chứng thư của cơ quan cấp đã hết hạn", "its issuer's certificate has expired")
NOT_FOR_SIGNING = Words("không phải chứng thư của người hoặc cơ quan", "it is neither a person's nor an office's")
OTHER_PURPOSE = Words("là chứng thư {found}, không phải {wanted}", "it is a certificate of {found}, not of {wanted}")
NO_COMMITMENT = Words("không có quyền chống chối bỏ (nonRepudiation)", "its key usage has no nonRepudiation")
OTHER_USE = Words("không dùng để ký văn bản (EKU)", "its extended key usage is not for documents")
WEAK = Words("khóa hoặc thuật toán quá yếu", "its key or algorithm is too weak")
OTHER_NAME = Words("đứng tên {found}, không phải {wanted}", "it is in the name of {found}, not of {wanted}")
OTHER_OFFICE = Words("thuộc cơ quan {found}, không phải {wanted}", "it belongs to the office {found}, not {wanted}")
REVOKED = Words("đã bị thu hồi ngày {day}", "it was revoked on {day}")
NAMES = {
    Purpose.PERSON: Words("cá nhân", "a person"),
    Purpose.ORGANISATION: Words("cơ quan", "an organisation"),
}


def require_fit(
    der: bytes,
    material: TrustMaterial,
    *,
    purpose: Purpose,
    name: str,
    office: str,
    revocation: RevocationData,
    at: datetime,
) -> Certificate:
    """The certificate (DER), when it may sign for `name` of `office` (its code) as `purpose`, from `at` on.

    Looked at: chain to a trusted world and its dates, its own dates, person or organisation, key usage, extended key
    usage, algorithms, name (accents and case apart; of a person only), office (when it names one) and revocation.
    Raises `CertificateUnfit` with everything that is wrong, and `CertificateUnreadable`.
    """
    certificate = read_certificate(der)
    wrong = [
        *_dates(certificate, at),
        *_chain(der, material, at),
        *_purpose(certificate, purpose),
        *_uses(der),
        *_strength(der, at),
        *_holder(certificate, purpose, name, office),
        *_revocation(der, material, revocation),
    ]
    if wrong:
        raise CertificateUnfit(why=Words("; ".join(one.vi for one in wrong), "; ".join(one.en for one in wrong)))
    return certificate


def _dates(certificate: Certificate, at: datetime) -> list[Words]:
    if at < certificate.not_before:
        return [NOT_YET]
    return [OVER] if at > certificate.not_after else []


def _chain(der: bytes, material: TrustMaterial, at: datetime) -> list[Words]:
    issuers = chain_of(der, material)
    if not issuers:
        return [NO_PATH]
    return [ISSUER_OVER] if any(read_certificate(one).not_after < at for one in issuers) else []


def _purpose(certificate: Certificate, wanted: Purpose) -> list[Words]:
    found = certificate.purpose
    if found not in NAMES:
        return [NOT_FOR_SIGNING]
    # many certificates say neither; then what was read is a guess, and who brings it in knows better
    if found is wanted or not _says_what_it_is(certificate.der):
        return []
    return [_filled(OTHER_PURPOSE, found=NAMES[found], wanted=NAMES[wanted])]


def _says_what_it_is(der: bytes) -> bool:
    subject = x509.load_der_x509_certificate(der).subject
    telling = (NameOID.SURNAME, NameOID.GIVEN_NAME, NameOID.USER_ID, NameOID.ORGANIZATION_IDENTIFIER)
    return any(subject.get_attributes_for_oid(oid) for oid in telling)


def _uses(der: bytes) -> list[Words]:
    certificate = x509.load_der_x509_certificate(der)
    wrong = [] if may(certificate, "content_commitment") else [NO_COMMITMENT]
    uses = extension(certificate, x509.ExtendedKeyUsage)
    if uses is not None and not {use.dotted_string for use in uses} & DOCUMENT_USES:
        wrong.append(OTHER_USE)
    return wrong


def _strength(der: bytes, at: datetime) -> list[Words]:
    certificate = x509.load_der_x509_certificate(der)
    key, digest = certificate.public_key(), certificate.signature_hash_algorithm
    good = False
    if isinstance(key, rsa.RSAPublicKey):
        good = key_good("rsa", key.key_size, at.date())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        good = key_good("ec", key.key_size, at.date(), key.curve.name)
    signed_well = digest is not None and digest_good(digest.name.replace("-", "_"), at.date())
    return [] if good and signed_well else [WEAK]


def _holder(certificate: Certificate, purpose: Purpose, name: str, office: str) -> list[Words]:
    wrong = []
    if purpose is Purpose.PERSON and _folded(certificate.common_name) != _folded(name):
        wrong.append(_filled(OTHER_NAME, found=certificate.common_name, wanted=name))
    if certificate.office_code not in (None, office):
        wrong.append(_filled(OTHER_OFFICE, found=certificate.office_code, wanted=office))
    return wrong


def _revocation(der: bytes, material: TrustMaterial, revocation: RevocationData) -> list[Words]:
    since = revoked_at(der, material, revocation)
    return [_filled(REVOKED, day=since.date())] if since else []


def _filled(words: Words, **gaps: object) -> Words:
    def said(language: int) -> str:
        return words[language].format(**{n: g[language] if isinstance(g, Words) else g for n, g in gaps.items()})

    return Words(said(0), said(1))


def _folded(name: str) -> str:
    """A name as certificates of old spell it: without accents, in small letters, blanks once."""
    plain = unicodedata.normalize("NFD", name.lower().replace("đ", "d"))
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())
