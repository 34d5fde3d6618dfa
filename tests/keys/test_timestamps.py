"""A time stamp is believed only when everything about it fits; every altered answer is refused."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from asn1crypto import cms, tsp
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1

from keys import authority as made
from keys.authority import PilotAuthority
from keys.certificates import read_certificate
from keys.errors import TimestampRejected, TsaUnavailable
from keys.model import Fetch, Signer
from keys.timestamps import OnlineTsa, token_certificates, token_time
from tests.fixtures.pilot import PilotServer, now

DIGEST = hashlib.sha256(b"a signature value").digest()


def changed(fetch: Fetch, change: Callable[[bytes, bytes], bytes]) -> Fetch:
    """A service in between that changes what comes back; `change` gets request and answer."""

    def between(url: str, *, body: bytes | None = None, content_type: str | None = None, limit: int = 0) -> bytes:
        answer = fetch(url, body=body, content_type=content_type, limit=limit)
        return change(body or b"", answer)

    return between


@pytest.fixture
def tsa(pilot_server: PilotServer, authority: PilotAuthority) -> OnlineTsa:
    return OnlineTsa(authority.tsa_url, pilot_server.fetch, [authority.certificate])


def test_a_token_comes_back_checked(tsa: OnlineTsa, authority: PilotAuthority) -> None:
    before = now() - timedelta(seconds=2)
    token = tsa.stamp(DIGEST)
    assert before <= token_time(token) <= now()
    assert token_certificates(token) == (authority.tsa_certificate,)
    content = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed
    assert content["message_imprint"]["hashed_message"].native == DIGEST
    assert content["accuracy"]["seconds"].native == 1


def test_two_tokens_have_their_own_numbers(tsa: OnlineTsa) -> None:
    numbers = {
        cms.ContentInfo.load(tsa.stamp(DIGEST))["content"]["encap_content_info"]["content"]
        .parsed["serial_number"]
        .native
        for _ in range(3)
    }
    assert len(numbers) == 3


def test_a_service_that_is_away_is_named(pilot_server: PilotServer, tsa: OnlineTsa) -> None:
    pilot_server.stop()
    try:
        with pytest.raises(TsaUnavailable):
            tsa.stamp(DIGEST)
    finally:
        pilot_server.start()
    assert tsa.stamp(DIGEST)


def test_an_untrusted_authority_is_refused(pilot_server: PilotServer, authority: PilotAuthority) -> None:
    other = PilotAuthority.create(now() - timedelta(days=1), key_size=2048)
    with pytest.raises(TimestampRejected):
        OnlineTsa(authority.tsa_url, pilot_server.fetch, [other.certificate]).stamp(DIGEST)


def test_a_replayed_answer_is_refused(pilot_server: PilotServer, authority: PilotAuthority) -> None:
    kept: list[bytes] = []

    def replay(_request: bytes, answer: bytes) -> bytes:
        kept.append(answer)
        return kept[0]

    tsa = OnlineTsa(authority.tsa_url, changed(pilot_server.fetch, replay), [authority.certificate])
    assert tsa.stamp(DIGEST)
    with pytest.raises(TimestampRejected):
        tsa.stamp(DIGEST)


def test_a_token_over_another_digest_is_refused(pilot_server: PilotServer, authority: PilotAuthority) -> None:
    def other(request: bytes, _answer: bytes) -> bytes:
        asked = tsp.TimeStampReq.load(request)
        asked["message_imprint"]["hashed_message"] = bytes(32)
        return authority.answer_timestamp(asked.dump(force=True), now())

    with pytest.raises(TimestampRejected):
        OnlineTsa(authority.tsa_url, changed(pilot_server.fetch, other), [authority.certificate]).stamp(DIGEST)


def test_a_refusal_is_named(pilot_server: PilotServer, authority: PilotAuthority) -> None:
    def refuse(_request: bytes, _answer: bytes) -> bytes:
        return authority.answer_timestamp(b"nonsense", now())

    with pytest.raises(TimestampRejected):
        OnlineTsa(authority.tsa_url, changed(pilot_server.fetch, refuse), [authority.certificate]).stamp(DIGEST)


def test_no_flipped_byte_gives_an_accepted_other_token(pilot_server: PilotServer, authority: PilotAuthority) -> None:
    def accepted(place: int) -> bytes | None:
        def flip(_request: bytes, answer: bytes) -> bytes:
            return answer[:place] + bytes([answer[place] ^ 0x01]) + answer[place + 1 :]

        try:
            return OnlineTsa(authority.tsa_url, changed(pilot_server.fetch, flip), [authority.certificate]).stamp(
                DIGEST
            )
        except (TimestampRejected, TsaUnavailable):
            return None

    tokens = [token for place in range(0, 1800, 23) if (token := accepted(place))]
    # bytes outside of what is signed (a version, a NULL parameter) may change; what the token says may not
    for token in tokens:
        content = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed
        assert content["message_imprint"]["hashed_message"].native == DIGEST
        assert token_certificates(token)[0] == authority.tsa_certificate


def test_an_expired_authority_is_refused(pilot_server: PilotServer, authority: PilotAuthority) -> None:
    def late(request: bytes, _answer: bytes) -> bytes:
        return authority.answer_timestamp(request, now() + timedelta(days=16 * 365))

    with pytest.raises(TimestampRejected):
        OnlineTsa(authority.tsa_url, changed(pilot_server.fetch, late), [authority.certificate]).stamp(DIGEST)


def test_a_token_that_names_another_certificate_is_refused(
    pilot_server: PilotServer, authority: PilotAuthority, leader_key: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # signed with the right key, but the signed attribute names the leader's certificate
    honest = made._signed_attributes

    def lying(_certificate: bytes, content: bytes) -> cms.CMSAttributes:
        return honest(leader_key.certificate, content)

    def lie(request: bytes, _answer: bytes) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr(made, "_signed_attributes", lying)
            return authority.answer_timestamp(request, now())

    with pytest.raises(TimestampRejected):
        OnlineTsa(authority.tsa_url, changed(pilot_server.fetch, lie), [authority.certificate]).stamp(DIGEST)


def test_a_token_over_another_kind_of_digest_is_refused(pilot_server: PilotServer, authority: PilotAuthority) -> None:
    def other_kind(request: bytes, _answer: bytes) -> bytes:
        asked = tsp.TimeStampReq.load(request)
        asked["message_imprint"] = {"hash_algorithm": {"algorithm": "sha512"}, "hashed_message": DIGEST + DIGEST}
        return authority.answer_timestamp(asked.dump(force=True), now())

    with pytest.raises(TimestampRejected):
        OnlineTsa(authority.tsa_url, changed(pilot_server.fetch, other_kind), [authority.certificate]).stamp(DIGEST)


def test_a_token_signed_over_a_weak_digest_is_refused(pilot_server: PilotServer, authority: PilotAuthority) -> None:
    def weak(_request: bytes, answer: bytes) -> bytes:
        # honest in all but that: the authority itself signs with SHA-1
        told = tsp.TimeStampResp.load(answer)
        info = told["time_stamp_token"]["content"]["signer_infos"][0]
        content = told["time_stamp_token"]["content"]["encap_content_info"]["content"].contents
        for attribute in info["signed_attrs"]:
            if attribute["type"].native == "message_digest":
                attribute["values"] = [hashlib.sha1(content).digest()]  # noqa: S324
        info["digest_algorithm"] = {"algorithm": "sha1"}
        info["signature_algorithm"] = {"algorithm": "sha1_rsa"}
        told["time_stamp_token"]["content"]["digest_algorithms"] = [{"algorithm": "sha1"}]
        attributes = info["signed_attrs"].untag().dump(force=True)
        info["signature"] = authority._holders["tsa"].key.sign(attributes, padding.PKCS1v15(), SHA1())  # noqa: S303
        return told.dump(force=True)

    with pytest.raises(TimestampRejected) as refused:
        OnlineTsa(authority.tsa_url, changed(pilot_server.fetch, weak), [authority.certificate]).stamp(DIGEST)
    assert "sha1" in refused.value.sentence("en")


def test_a_token_of_a_key_that_is_too_short_today_is_refused(pilot_server: PilotServer) -> None:
    short = PilotAuthority.create(now() - timedelta(days=1), key_size=1024)

    def theirs(request: bytes, _answer: bytes) -> bytes:
        return short.answer_timestamp(request, now())

    tsa = OnlineTsa(f"{pilot_server.url}/tsa", changed(pilot_server.fetch, theirs), [short.certificate])
    with pytest.raises(TimestampRejected) as refused:
        tsa.stamp(DIGEST)
    assert "rsa-1024" in refused.value.sentence("en")


def test_the_tsa_certificate_says_so(authority: PilotAuthority) -> None:
    assert read_certificate(authority.tsa_certificate).not_after > now() + timedelta(days=10 * 365)
