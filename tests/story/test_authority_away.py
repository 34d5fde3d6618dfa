"""The time-stamp authority is away, or lies: what was signed is kept, nothing moves, and the PIN is not asked again.

The pilot's authority is killed; a stand-in on its port then answers as each story needs, in the end with the truth.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import tsp
from sqlalchemy import text

from api.client import Congvan, Json, Refused
from api.wiring import Database, now
from keys.authority import PilotAuthority
from keys.model import Anchor, RevocationData, TrustMaterial, TrustWorld
from keys.store import KeyStore
from signing.model import LEADER_FIELD, SEAL_FIELD, Verdict
from signing.verify import verify_pdf
from tests.story.conftest import Reply, Service, StandIn, alive, until

SAMPLE = Path(__file__).parents[2] / "api" / "samples" / "quyet-dinh.pdf"
ENOUGH = 90
"""Seconds for a job that waits longer after each try in vain."""


class Office:
    """The people of one office, logged in, and the way of a document between them."""

    def __init__(self, service: Service, short: str) -> None:
        logins = [f"{role}.{short}" for role in ("chuyenvien", "lanhdao", "vanthu")]
        self.officer, self.leader, self.clerk = (service.person(login) for login in logins)
        self._trust = TrustMaterial(anchors=(Anchor(service.anchor, TrustWorld.PILOT),))
        self.leader_pin, self.clerk_pin = (service.logins[login].pin or "" for login in logins[1:])

    def submitted(self) -> Json:
        upload = self.officer.upload(SAMPLE.read_bytes(), SAMPLE.name)
        signer = self.officer.leaders()[0]["id"]
        return self.officer.submit(self.officer.draft(upload["id"], signer=signer, type="decision"))

    def sign(self, document: Json) -> Json:
        return self.leader.sign(document, self.leader_pin)

    def seal(self, document: Json) -> Json:
        return self.clerk.seal(document, self.clerk_pin)

    def now(self, document: Json) -> Json:
        return self.officer.document(document["id"])

    def until_state(self, document: Json, state: str) -> Json:
        until(lambda: self.now(document)["state"] == state, f"{document['id']} is not {state}", ENOUGH)
        return self.now(document)

    def proven_inside(self, document: Json) -> list[str]:
        """The signatures of the file, each valid by what the file itself holds: no network, no kept answers."""
        report = verify_pdf(
            self.clerk.file(document["id"]), at=now(), trust=self._trust, revocation=RevocationData(), office_code=None
        )
        assert report.verdict is Verdict.VALID, report.findings
        assert all(one.proven_at for one in report.signatures)
        return [one.field if one.kind == "signature" else one.kind for one in report.signatures]


@pytest.fixture
def office(service: Service) -> Office:
    return Office(service, "huyen")


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(Refused) as got:
        yield
    assert got.value.code == code


def events(client: Congvan, document: Json) -> list[str]:
    return [event["type"] for event in client.events(document["id"])]


def test_a_signature_waits_over_a_restart_and_is_finished_without_the_pin(service: Service, office: Office) -> None:
    document = office.submitted()
    with service.authority_away():
        held = office.sign(document)
        assert (held["state"], held["pending_signature"]) == ("waiting_signature", True)
        assert "document.signed" not in events(office.officer, document)
        with refused("signing-pending"):
            office.sign(held)
        with refused("wrong-state"):
            office.clerk.number(held, "qd")
        service.kill()
    service.start()  # and with it the authority on its old port
    signed = office.until_state(document, "signed")
    assert not signed["pending_signature"]
    assert events(office.officer, document).count("document.signed") == 1
    assert office.proven_inside(document) == [LEADER_FIELD]


def test_a_seal_waits_too_and_the_document_then_goes_on(service: Service, office: Office) -> None:
    numbered = office.clerk.number(office.sign(office.submitted()), "qd")
    with service.authority_away() as authority:
        held = office.seal(numbered)
        assert (held["state"], held["pending_signature"]) == ("numbered", True)
        with refused("signing-pending"):
            office.seal(held)
        with refused("wrong-state"):
            office.clerk.issue(held, [{"under": held["office"]}])
        with authority.answering(authority.truth):
            sealed = office.until_state(numbered, "sealed")
    assert sealed["number"] == numbered["number"]
    assert events(office.clerk, numbered).count("document.sealed") == 1
    assert office.proven_inside(numbered) == [LEADER_FIELD, SEAL_FIELD, "timestamp"]
    assert office.clerk.issue(sealed, [{"under": sealed["office"]}])["state"] == "issued"


def test_an_authority_that_lies_moves_nothing_and_harms_nothing(service: Service, office: Office) -> None:
    worker = service.child("worker")
    documents: dict[str, Json] = {}
    with service.authority_away() as authority:
        for lie, reply in _lies(authority).items():
            documents[lie] = office.submitted()
            with authority.answering(reply):
                held = office.sign(documents[lie])
            assert "/tsa" in authority.asked, lie
            assert (held["state"], held["pending_signature"]) == ("waiting_signature", True), lie
        with authority.answering(_lies(authority)["another nonce"]):
            until(lambda: authority.asked, "the worker does not try again", ENOUGH)
        assert all(office.now(document)["pending_signature"] for document in documents.values())
        with authority.answering(authority.truth):
            for document in documents.values():
                office.until_state(document, "signed")
                assert office.proven_inside(document) == [LEADER_FIELD]
    assert service.child("worker") == worker
    assert alive(worker)


def _lies(authority: StandIn) -> dict[str, Callable[[str, bytes], Reply]]:
    stranger = PilotAuthority.create(now() - timedelta(days=1), key_size=2048, base_url=authority.authority.base_url)

    def bent(part: str, value: object) -> Callable[[str, bytes], Reply]:
        def reply(path: str, body: bytes) -> Reply:
            asked = tsp.TimeStampReq.load(body)
            asked[part] = value
            return authority.truth(path, asked.dump(force=True))

        return reply

    other = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": b"\x07" * 32}
    return {
        "another nonce": bent("nonce", 7),
        "another digest": bent("message_imprint", other),
        "a stranger's certificate": lambda path, body: (200, *(stranger.answer(path, body, now()) or ("", b""))),
        "an error of its own": lambda *_: (500, "text/plain", b"oops"),
        "garbage": lambda *_: (200, "application/timestamp-reply", os.urandom(3000)),
        "nothing": lambda *_: (200, "application/timestamp-reply", b""),
        "no word at all": authority.silence,
    }


def test_a_kept_signature_can_be_given_up_and_never_comes_back(service: Service, office: Office) -> None:
    with service.authority_away() as authority:
        returned, cancelled = office.sign(office.submitted()), office.sign(office.submitted())
        back = office.officer.give_back(office.now(returned), "Dịch vụ dấu thời gian không trở lại")
        assert (back["state"], back["pending_signature"]) == ("returned", False)
        ended = office.officer.cancel(office.now(cancelled), "Không ban hành nữa")
        assert (ended["state"], ended["pending_signature"]) == ("cancelled", False)
        later = office.sign(office.submitted())
        with authority.answering(authority.truth):
            office.until_state(later, "signed")
            again = office.officer.edit(office.now(returned))
            assert office.sign(office.officer.submit(again))["state"] == "signed"
    assert office.now(cancelled)["state"] == "cancelled"
    assert events(office.officer, returned).count("document.signed") == 1
    assert "document.signed" not in events(office.officer, cancelled)


def test_a_signature_whose_certificate_was_revoked_while_it_waited_is_given_up(service: Service) -> None:
    commune = Office(service, "cusue")
    document = commune.submitted()
    with service.authority_away() as authority:
        held = commune.sign(document)
        authority.authority.revoke(_serial(service, commune), now())
        with authority.answering(authority.truth):
            until(lambda: not commune.now(document)["pending_signature"], "it waits for ever", ENOUGH)
    after = commune.now(document)
    assert after["state"] == "waiting_signature"
    assert after["version"] == held["version"] + 1
    assert "document.signed" not in events(commune.officer, document)


def _serial(service: Service, office: Office) -> int:
    """The serial number of the leader's certificate."""
    database = Database(service.database_url)
    with database.reader.connect() as connection, connection.begin():
        (key,) = KeyStore(connection).keys_for(office.leader.me()["id"])
    database.close()
    return key.certificate.serial


def test_the_ledgers_checkpoint_gets_its_time_stamp_when_the_authority_is_back(
    service: Service, office: Office
) -> None:
    database = Database(service.database_url)

    def one(statement: str) -> int:
        with database.reader.connect() as connection, connection.begin():
            return int(connection.scalar(text(statement)) or 0)

    def a_round_of_stamping() -> None:
        killed = service.child("worker")  # a worker stamps when it starts, and then every minute
        os.kill(killed, signal.SIGKILL)
        until(lambda: service.child("worker") not in (0, killed), "no new worker")

    newest = "SELECT max(size) FROM exchange_checkpoints"
    stamped = "SELECT max(size) FROM exchange_stamps"
    with service.authority_away() as authority:
        office.submitted()
        until(lambda: not one("SELECT count(*) FROM exchange_pending_events"), "events without a place")
        size = one(newest)
        assert one(stamped) < size
        with authority.answering(_lies(authority)["another digest"]):
            a_round_of_stamping()
            until(lambda: authority.asked, "nobody asks for a stamp")
        assert one(stamped) < size
        with authority.answering(authority.truth):
            a_round_of_stamping()
            until(lambda: one(stamped) == size, "the checkpoint stays without time")
    database.close()
