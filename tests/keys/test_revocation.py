"""Revocation answers are believed only when they are about the certificate, from its issuer, and fresh."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from keys.authority import PilotAuthority
from keys.certificates import read_certificate
from keys.errors import RevocationUnavailable
from keys.model import Fetch, Signer, TrustMaterial
from keys.revocation import MOST_REQUESTS, OnlineRevocation, checked_crl, checked_ocsp
from tests.fixtures.pilot import OFFICE_CODE, OFFICE_NAME, PilotServer, now


class Network:
    """A way out to the pilot's answers without sockets: counts, and can change or drop what comes back by kind."""

    def __init__(self, authority: PilotAuthority, at: Callable[[], datetime] = now) -> None:
        self.authority = authority
        self.at = at
        self.asked: list[str] = []
        self.change: dict[str, Callable[[bytes], bytes]] = {}
        self.away: set[str] = set()

    def __call__(
        self,
        url: str,
        *,
        body: bytes | None = None,
        content_type: str | None = None,  # noqa: ARG002
        limit: int = 10_000_000,  # noqa: ARG002
    ) -> bytes:
        path = url.removeprefix(self.authority.base_url)
        self.asked.append(path)
        if path in self.away:
            raise ConnectionError(path)
        answer = self.authority.answer(path, body or b"", self.at())
        if answer is None:
            raise ConnectionError(path)
        return self.change.get(path, bytes)(answer[1])


@pytest.fixture
def network(authority: PilotAuthority) -> Network:
    return Network(authority)


@pytest.fixture
def twin() -> PilotAuthority:
    """Another authority with the same names and addresses and other keys."""
    return PilotAuthority.create(now() - timedelta(days=1), key_size=2048)


def issue(authority: PilotAuthority, key: rsa.RSAPrivateKey) -> bytes:
    return authority.person("Trần Thị Bình", OFFICE_NAME, OFFICE_CODE, None, key.public_key(), now())


def serials(crls: tuple[bytes, ...]) -> set[int]:
    return {entry.serial_number for der in crls for entry in x509.load_der_x509_crl(der)}


def test_the_whole_chain_is_answered_over_a_real_server(
    pilot_server: PilotServer, leader_key: Signer, trust: TrustMaterial
) -> None:
    data = OnlineRevocation(pilot_server.fetch).about([leader_key.certificate], trust, at=now())
    assert len(data.ocsps) == 1
    assert len(data.crls) == 1
    assert data.certificates == (pilot_server.authority.ocsp_certificate,)  # type: ignore[union-attr]
    answer = ocsp.load_der_ocsp_response(data.ocsps[0])
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert answer.serial_number == read_certificate(leader_key.certificate).serial


def test_the_time_stamp_authority_is_answered_by_the_roots_list(
    network: Network, authority: PilotAuthority, trust: TrustMaterial
) -> None:
    data = OnlineRevocation(network).about([authority.tsa_certificate], trust, at=now())
    assert (len(data.ocsps), len(data.crls)) == (0, 1)


def test_revoked_is_an_answer(network: Network, trust: TrustMaterial, private_key: rsa.RSAPrivateKey) -> None:
    der = issue(network.authority, private_key)
    network.authority.revoke(read_certificate(der).serial, now() - timedelta(minutes=1))
    data = OnlineRevocation(network).about([der], trust, at=now())
    assert ocsp.load_der_ocsp_response(data.ocsps[0]).certificate_status is ocsp.OCSPCertStatus.REVOKED
    network.away.add("/ocsp")
    data = OnlineRevocation(network).about([der], trust, at=now())
    assert read_certificate(der).serial in serials(data.crls)


def test_the_list_stands_in_for_a_silent_responder(network: Network, leader_key: Signer, trust: TrustMaterial) -> None:
    network.away.add("/ocsp")
    data = OnlineRevocation(network).about([leader_key.certificate], trust, at=now())
    assert (len(data.ocsps), len(data.crls)) == (0, 2)


def test_silence_is_an_error_that_keeps_what_was_found(
    network: Network, leader_key: Signer, trust: TrustMaterial
) -> None:
    network.away |= {"/ocsp", "/crl/issuing.crl"}
    with pytest.raises(RevocationUnavailable) as silent:
        OnlineRevocation(network).about([leader_key.certificate], trust, at=now())
    assert len(silent.value.found.crls) == 1


def test_a_certificate_without_a_chain_asks_nobody(network: Network, twin: PilotAuthority, leader_key: Signer) -> None:
    assert OnlineRevocation(network).about([leader_key.certificate], twin.trust, at=now()).ocsps == ()
    assert network.asked == []


def test_answers_are_kept_for_an_hour_at_most(network: Network, leader_key: Signer, trust: TrustMaterial) -> None:
    source, start = OnlineRevocation(network), now()
    first = source.about([leader_key.certificate], trust, at=start)
    asked = len(network.asked)
    assert source.about([leader_key.certificate], trust, at=start + timedelta(minutes=59)) == first
    assert len(network.asked) == asked
    source.about([leader_key.certificate], trust, at=start + timedelta(minutes=61))
    assert len(network.asked) == 2 * asked


def test_stale_and_future_answers_are_refused(
    leader_key: Signer, authority: PilotAuthority, trust: TrustMaterial
) -> None:
    for wrong in (timedelta(days=-2), timedelta(hours=1)):
        network = Network(authority, at=lambda wrong=wrong: now() + wrong)  # type: ignore[misc]
        with pytest.raises(RevocationUnavailable):
            OnlineRevocation(network).about([leader_key.certificate], trust, at=now())


def test_answers_signed_by_a_namesake_are_refused(
    network: Network, leader_key: Signer, trust: TrustMaterial, twin: PilotAuthority
) -> None:
    network.change["/ocsp"] = lambda _: b""
    network.change["/crl/issuing.crl"] = lambda _: twin.crl(now())
    with pytest.raises(RevocationUnavailable):
        OnlineRevocation(network).about([leader_key.certificate], trust, at=now())


def test_an_answer_about_somebody_else_is_refused(
    authority: PilotAuthority, leader_key: Signer, seal_key: Signer
) -> None:
    child, parent = (x509.load_der_x509_certificate(der) for der in (seal_key.certificate, seal_key.chain[0]))
    request = ocsp.OCSPRequestBuilder().add_certificate(child, parent, SHA256()).build().public_bytes(Encoding.DER)
    answer = authority.answer_ocsp(request, now())
    assert checked_ocsp(answer, seal_key.certificate, seal_key.chain[0])
    assert checked_ocsp(answer, leader_key.certificate, leader_key.chain[0]) is None


def test_a_responder_that_nobody_appointed_is_refused(leader_key: Signer, private_key: rsa.RSAPrivateKey) -> None:
    child, parent = (x509.load_der_x509_certificate(der) for der in (leader_key.certificate, leader_key.chain[0]))
    forged = (
        ocsp.OCSPResponseBuilder()
        .add_response(child, parent, SHA256(), ocsp.OCSPCertStatus.GOOD, now(), now() + timedelta(hours=1), None, None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, child)
        .certificates([child])
    )
    # the leader's own key says that the leader is fine: issued by the right authority, but not to answer for it
    answer = forged.sign(leader_key._key, SHA256()).public_bytes(Encoding.DER)  # type: ignore[attr-defined]
    assert checked_ocsp(answer, leader_key.certificate, leader_key.chain[0]) is None


def test_an_unknown_certificate_gets_no_good_answer(
    network: Network, leader_key: Signer, trust: TrustMaterial, private_key: rsa.RSAPrivateKey
) -> None:
    forgetful = PilotAuthority.from_bytes(network.authority.to_bytes())
    unknown = issue(PilotAuthority.from_bytes(network.authority.to_bytes()), private_key)
    network.authority = forgetful
    network.away.add("/crl/issuing.crl")
    with pytest.raises(RevocationUnavailable):
        OnlineRevocation(network).about([unknown], trust, at=now())


def test_a_flipped_bit_is_never_believed(authority: PilotAuthority, leader_key: Signer) -> None:
    issuer = leader_key.chain[0]
    child, parent = (x509.load_der_x509_certificate(der) for der in (leader_key.certificate, issuer))
    request = ocsp.OCSPRequestBuilder().add_certificate(child, parent, SHA256()).build().public_bytes(Encoding.DER)
    answer, crl = authority.answer_ocsp(request, now()), authority.crl(now())
    honest = ocsp.load_der_ocsp_response(answer)
    for place in range(0, len(answer), 11):
        der = answer[:place] + bytes([answer[place] ^ 0x01]) + answer[place + 1 :]
        if checked_ocsp(der, leader_key.certificate, issuer):
            # only bytes that nobody signed: the carried certificate's own signature is checked, outer lengths are not
            assert ocsp.load_der_ocsp_response(der).tbs_response_bytes == honest.tbs_response_bytes
    for place in range(0, len(crl), 5):
        der = crl[:place] + bytes([crl[place] ^ 0x01]) + crl[place + 1 :]
        if checked_crl(der, leader_key.certificate, issuer):
            assert x509.load_der_x509_crl(der).tbs_certlist_bytes == x509.load_der_x509_crl(crl).tbs_certlist_bytes


def test_partial_lists_are_refused(authority: PilotAuthority, leader_key: Signer) -> None:
    holder = authority._holders["issuing"]
    reasons = frozenset({x509.ReasonFlags.key_compromise})
    for partial in (
        x509.IssuingDistributionPoint(None, None, False, False, reasons, False, False),
        x509.IssuingDistributionPoint(None, None, False, True, None, False, False),
        x509.DeltaCRLIndicator(1),
    ):
        builder = x509.CertificateRevocationListBuilder().issuer_name(holder.certificate.subject)
        builder = builder.last_update(now()).next_update(now() + timedelta(days=1)).add_extension(partial, True)
        crl = builder.sign(holder.key, SHA256()).public_bytes(Encoding.DER)
        assert checked_crl(crl, leader_key.certificate, leader_key.chain[0]) is None


def test_a_call_asks_a_bounded_number_of_times(
    network: Network, trust: TrustMaterial, private_key: rsa.RSAPrivateKey
) -> None:
    many = [issue(network.authority, private_key) for _ in range(MOST_REQUESTS + 3)]
    with pytest.raises(RevocationUnavailable):
        OnlineRevocation(network).about(many, trust, at=now())
    assert len(network.asked) == MOST_REQUESTS


def test_old_internal_names_are_mapped(leader_key: Signer) -> None:
    from keys.revocation import _present

    assert _present("http://ocsp.ca.ptc/x") == "http://ocsp.ca.gov.vn/x"
    assert _present("http://ocsp.ca.gov.vn/x") == "http://ocsp.ca.gov.vn/x"


def test_the_answer_of_another_day_fits_that_day(
    authority: PilotAuthority, leader_key: Signer, trust: TrustMaterial
) -> None:
    day = datetime(2027, 3, 1, tzinfo=UTC)
    fetch: Fetch = Network(authority, at=lambda: day)
    assert OnlineRevocation(fetch).about([leader_key.certificate], trust, at=day).ocsps
