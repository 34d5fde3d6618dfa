"""A key at a remote signing service signs like any other; a slow, silent or lying service makes no signature."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from api.outgoing import Outgoing
from keys.access import ClientAccess
from keys.certificates import read_certificate, signed_by
from keys.errors import KeyUnavailable, OtpMissing, OtpWrong, RemotePinWrong, SigningAuthorisationEnded
from keys.model import Signer
from keys.remote import RemoteService, RemoteSigner, credential_of, send_otp
from tests.fixtures.csc import Asking, Csc, Said, Way

TOKEN = "access-token-1"
PIN, OTP = "13572468", "998877"


class Line:
    """The guarded way out to that service alone, with short patience."""

    def __init__(self, csc: Csc, seconds: float = 20.0) -> None:
        self._outgoing = Outgoing([csc.url.removeprefix("http://").partition("/")[0]])
        self._seconds = seconds

    def __call__(self, url: str, **asked: Any) -> Said:
        return self._outgoing.call(url, seconds=self._seconds, **asked)


def service(csc: Csc) -> RemoteService:
    return RemoteService(csc.url, TOKEN)


def signer(csc: Csc, credential: str = "gov/leader", **more: Any) -> RemoteSigner:
    known = credential_of(service(csc), Line(csc), credential)
    return RemoteSigner(service(csc), Line(csc), credential, known.certificate, known.chain, **more)


def refusal(csc: Csc, way: Way, *, seconds: float = 20.0, error: type[Exception] = KeyUnavailable) -> str:
    """What is said when the line behaves like that from the first question on."""
    known = credential_of(service(csc), Line(csc), "gov/leader")
    line = Line(csc, seconds)
    with csc.line(way), pytest.raises(error) as refused:
        sign_once(RemoteSigner(service(csc), line, "gov/leader", known.certificate, known.chain, pin=PIN))
    return str(refused.value)


def sign_once(remote: RemoteSigner) -> bytes:
    with remote as opened:
        return opened.sign(b"data")


def on(method: str, answer: Callable[[bytes, Callable[[bytes], Said]], Said]) -> Way:
    """The line answers one method by itself and lets the others through."""
    return lambda asked, body, go: answer(body, go) if asked == method else go(body)


def fixed(status: int, **told: Any) -> Callable[[bytes, Callable[[bytes], Said]], Said]:
    return lambda _, __: (status, json.dumps(told).encode())


@pytest.mark.parametrize("credential", ["gov/leader", "gov/seal"], ids=["rsa", "ec"])
def test_a_remote_key_signs_what_its_certificate_confirms(csc: Csc, credential: str) -> None:
    with signer(csc, credential) as remote:
        signature = remote.sign(b"data")
    assert signed_by(remote.certificate, b"data", signature)
    assert [read_certificate(der).common_name for der in remote.chain] == ["Test Root CA"]


def test_only_the_hash_leaves_and_the_authorisation_is_for_it_alone(csc: Csc) -> None:
    del csc.asked[:]
    digest = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
    sign_once(signer(csc, pin=PIN, otp=OTP))
    authorize, sign = csc.asked[-2:]
    assert authorize[2] == {
        "credentialID": "gov/leader", "numSignatures": 1, "hash": [digest], "PIN": PIN, "OTP": OTP,
    }  # fmt: skip
    assert sign[2]["hash"] == [digest]
    assert not {"PIN", "OTP"} & sign[2].keys()
    assert {headers["Authorization"] for _, headers, _ in csc.asked} == {f"Bearer {TOKEN}"}


def test_the_second_version_of_the_api_is_spoken_with_its_own_words(csc: Csc) -> None:
    def older(method: str, body: bytes, go: Callable[[bytes], Said]) -> Said:
        """What the second version says, told to the service in the words of the first."""
        asked = json.loads(body)
        if "hashes" in asked:
            assert asked.pop("hashAlgorithmOID") == "2.16.840.1.101.3.4.2.1"
            asked["hash"] = asked.pop("hashes")
        return go(json.dumps(asked).encode())

    first = signer(csc)
    newer = RemoteService(csc.url, TOKEN, version=2)
    del csc.asked[:]
    with csc.line(older):
        remote = RemoteSigner(newer, Line(csc), "gov/leader", first.certificate, first.chain, pin=PIN, otp=OTP)
        assert signed_by(remote.certificate, b"data", sign_once(remote))
    assert csc.asked[-2][2]["authData"] == [{"id": "PIN", "value": PIN}, {"id": "OTP", "value": OTP}]


def test_a_service_that_gives_r_and_s_side_by_side_is_understood(csc: Csc) -> None:
    def side_by_side(body: bytes, go: Callable[[bytes], Said]) -> Said:
        status, answer = go(body)
        numbers = decode_dss_signature(base64.b64decode(json.loads(answer)["signatures"][0]))
        plain = b"".join(number.to_bytes(32) for number in numbers)
        return status, json.dumps({"signatures": [base64.b64encode(plain).decode()]}).encode()

    with csc.line(on("signatures/signHash", side_by_side)), signer(csc, "gov/seal") as remote:
        assert signed_by(remote.certificate, b"data", remote.sign(b"data"))


def test_a_signature_over_another_hash_does_not_leave(csc: Csc) -> None:
    def another(method: str, body: bytes, go: Callable[[bytes], Said]) -> Said:
        other = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
        asked = json.loads(body)
        return go(json.dumps(asked | ({"hash": [other]} if "hash" in asked else {})).encode())

    assert "does not fit the certificate" in refusal(csc, another)


def test_a_hash_that_was_not_authorised_is_refused_by_the_service_itself(csc: Csc) -> None:
    def swapped(body: bytes, go: Callable[[bytes], Said]) -> Said:
        other = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
        return go(json.dumps(json.loads(body) | {"hash": [other]}).encode())

    way = on("signatures/signHash", swapped)
    assert "Nothing was signed" in refusal(csc, way, error=SigningAuthorisationEnded)


def test_a_key_whose_certificate_was_exchanged_is_not_used(csc: Csc) -> None:
    other = lambda body, go: go(json.dumps(json.loads(body) | {"credentialID": "gov/seal"}).encode())  # noqa: E731
    assert "another certificate" in refusal(csc, on("credentials/info", other))


def test_a_disabled_key_is_not_used(csc: Csc) -> None:
    def disabled(body: bytes, go: Callable[[bytes], Said]) -> Said:
        status, answer = go(body)
        told = json.loads(answer)
        told["key"]["status"] = "disabled"
        return status, json.dumps(told).encode()

    assert "disabled" in refusal(csc, on("credentials/info", disabled))


@pytest.mark.parametrize(("said", "error"), [("invalid_pin", RemotePinWrong), ("invalid_otp", OtpWrong)])
def test_a_wrong_pin_or_code_is_said_and_never_sent_a_second_time(csc: Csc, said: str, error: type[Exception]) -> None:
    known = credential_of(service(csc), Line(csc), "gov/leader")
    remote = RemoteSigner(service(csc), Line(csc), "gov/leader", known.certificate, known.chain, pin=PIN)
    with csc.line(on("credentials/authorize", fixed(400, error=said))), remote:
        del csc.asked[:]
        for _ in range(3):
            with pytest.raises(error):
                remote.sign(b"data")
    assert [method for method, _, _ in csc.asked] == ["credentials/authorize"], "three wrong PINs lock a real key"


def test_a_key_with_a_one_time_code_is_not_even_asked_without_one(csc: Csc) -> None:
    with csc.line(Asking()):
        del csc.asked[:]
        with pytest.raises(OtpMissing), signer(csc, pin=Asking.PIN):
            pass
    assert {method for method, _, _ in csc.asked} == {"credentials/info"}


def test_a_withdrawn_authorisation_is_said(csc: Csc) -> None:
    way = on("signatures/signHash", fixed(400, error="invalid_request", error_description="Invalid parameter SAD"))
    assert "Nothing was signed" in refusal(csc, way, error=SigningAuthorisationEnded)


def test_several_hashes_are_signed_under_one_authorisation_each_with_its_own_signature(csc: Csc) -> None:
    del csc.asked[:]
    many = [b"one", b"two", b"three"]
    with signer(csc) as remote:
        made = remote.sign_together(many)
    assert all(signed_by(remote.certificate, data, one) for data, one in zip(many, made, strict=True))
    methods = [method for method, _, _ in csc.asked]
    assert (methods.count("credentials/authorize"), methods.count("signatures/signHash")) == (1, 1)


def test_signatures_that_come_in_another_order_do_not_leave(csc: Csc) -> None:
    def turned(body: bytes, go: Callable[[bytes], Said]) -> Said:
        status, answer = go(body)
        return status, json.dumps({"signatures": json.loads(answer)["signatures"][::-1]}).encode()

    with csc.line(on("signatures/signHash", turned)), signer(csc) as remote, pytest.raises(KeyUnavailable) as wrong:
        remote.sign_together([b"one", b"two"])
    assert "does not fit the certificate" in str(wrong.value)


# -- our own access --


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


def client(csc: Csc, clock: Clock, secret: str = Asking.SECRET) -> RemoteService:
    access = ClientAccess(f"{csc.url}/oauth2/token", Asking.CLIENT, secret, Line(csc), clock)
    return RemoteService(csc.url, access=access)


def shown(csc: Csc) -> list[str]:
    """The tokens that were shown to the service, in order."""
    return [headers["Authorization"] for method, headers, _ in csc.asked if method != "oauth2/token"]


def test_an_access_token_is_asked_for_once_and_again_before_it_ends(csc: Csc) -> None:
    clock, asking = Clock(), Asking()
    here = client(csc, clock)
    with csc.line(asking):
        del csc.asked[:]
        for minutes in (0, 30, 59.9):
            clock.at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
            credential_of(here, Line(csc), "gov/leader")
    assert shown(csc) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_an_access_token_that_is_taken_back_is_renewed_once_and_the_call_goes_on(csc: Csc) -> None:
    asking, over = Asking(), {"Bearer token-1"}

    def watched(method: str, body: bytes, go: Callable[[bytes], Said]) -> Said:
        if method != "oauth2/token" and csc.asked[-1][1]["Authorization"] in over:
            return 401, b'{"error": "invalid_token"}'
        return asking(method, body, go)

    here = client(csc, Clock())
    with csc.line(watched):
        assert credential_of(here, Line(csc), "gov/leader").enabled
        over |= {"Bearer token-2", "Bearer token-3"}
        with pytest.raises(KeyUnavailable, match="refuses our access"):
            credential_of(here, Line(csc), "gov/leader")
    assert len(asking.tokens) == 3, "and not for ever"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, b'{"error": "invalid_client"}'), "refuses our access"),
        ((500, b""), "makes no sense"),
        ((200, b'{"access_token": "a\\r\\nX: y", "token_type": "Bearer"}'), "makes no sense"),
        ((200, b'{"access_token": 5, "token_type": "Bearer"}'), "makes no sense"),
        ((200, b'{"access_token": "a", "token_type": "mac"}'), "makes no sense"),
        ((200, b"[]"), "makes no sense"),
    ],
    ids=["another secret", "broken", "header in it", "a number", "another kind", "a list"],
)
def test_a_service_that_gives_no_access_token_is_said(csc: Csc, answer: Said, said: str) -> None:
    with csc.line(on("oauth2/token", lambda _, __: answer)), pytest.raises(KeyUnavailable, match=said):
        credential_of(client(csc, Clock()), Line(csc), "gov/leader")


@pytest.mark.parametrize("method", ["credentials/info", "credentials/authorize", "signatures/signHash"])
def test_a_service_that_does_not_let_us_in_is_said(csc: Csc, method: str) -> None:
    for answer in (fixed(401), fixed(400, error="invalid_token")):
        assert "refuses our access" in refusal(csc, on(method, answer))


def test_what_a_service_writes_is_not_repeated(csc: Csc) -> None:
    told = refusal(csc, on("credentials/authorize", fixed(500, error="<b>call 0900 now</b>")))
    assert "refuses (500)" in told


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"null", b"{}", b'{"SAD": 5}', b'{"signatures": []}', b'{"signatures": ["%%"]}', b"[" * 20_000],
    ids=["nothing", "list", "null", "empty", "number", "none", "no base64", "deep"],
)
def test_an_answer_without_sense_is_said(csc: Csc, answer: bytes) -> None:
    for method in ("credentials/info", "credentials/authorize", "signatures/signHash"):
        assert "makes no sense" in refusal(csc, on(method, lambda _, __: (200, answer)))


def test_a_silent_service_is_given_up(csc: Csc) -> None:
    done = threading.Event()

    def silent(_: bytes, __: Callable[[bytes], Said]) -> Said:
        done.wait(30)
        return 500, b""

    try:
        assert "does not answer" in refusal(csc, on("signatures/signHash", silent), seconds=0.5)
    finally:
        done.set()


def test_an_endless_answer_is_cut(csc: Csc) -> None:
    assert "does not answer" in refusal(csc, on("credentials/info", lambda _, __: (200, b" " * 1_000_000)))


def test_a_closed_key_signs_no_more(csc: Csc) -> None:
    with signer(csc) as remote:
        pass
    with pytest.raises(KeyUnavailable):
        remote.sign(b"data")


def test_a_one_time_code_can_be_asked_for(csc: Csc) -> None:
    with csc.line(on("credentials/sendOTP", lambda _, __: (204, b""))):
        send_otp(service(csc), Line(csc), "gov/leader")
    assert csc.asked[-1][0] == "credentials/sendOTP"


def test_a_host_that_is_not_on_the_list_is_never_asked(csc: Csc) -> None:
    del csc.asked[:]
    with pytest.raises(KeyUnavailable):
        credential_of(service(csc), Outgoing([]).call, "gov/leader")
    assert csc.asked == []


def test_it_has_the_face_of_every_key(csc: Csc) -> None:
    face: Signer = signer(csc)
    assert face.certificate
