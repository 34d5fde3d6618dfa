"""The way from an upload to a sealed file, for the tests of this room."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from keys.authority import PilotAuthority
from keys.model import RevocationData, Signer
from keys.timestamps import OnlineTsa
from signing.model import LEADER_FIELD, SEAL_FIELD, Level, SignaturePurpose, SignIntent
from signing.prepare import prepare_document
from signing.sign import (
    check_prepared,
    finish_signature,
    finish_timestamp,
    prepare_signature,
    prepare_timestamp,
    unsigned_token_digest,
)
from signing.stamp import draw_seal_image, draw_signature_image, fill_number_date
from tests.fixtures.letters import draw_letter

NOTATION = "/QĐ-UBND"
NUMBER = "15/QĐ-UBND"
DAY = date(2026, 3, 5)
PLACE = "Cư M'gar"


def here(function, *args, **kwargs):
    return function(*args, **kwargs)


@dataclass(frozen=True)
class Desk:
    """Signs as the product does: prepare, check, key, TSA, finish. `run` does the PDF work: here, or confined."""

    tsa: OnlineTsa
    revocation: RevocationData
    leader: Signer
    seal: Signer
    run: Callable[..., Any] = here
    at: datetime | None = None

    def sign(self, pdf: bytes, purpose: SignaturePurpose, level: Level = Level.LT) -> bytes:
        leads = purpose is SignaturePurpose.LEADER
        key = self.leader if leads else self.seal
        image = draw_signature_image("Nguyễn Văn An") if leads else draw_seal_image("UBND huyện Cư M'gar")
        field = LEADER_FIELD if leads else SEAL_FIELD
        name = "Nguyễn Văn An" if leads else "Ủy ban nhân dân huyện Cư M'gar"
        intent = SignIntent(purpose, field, image, name, self.at or datetime.now(UTC).replace(microsecond=0))
        prepared = self.run(prepare_signature, pdf, intent, key.certificate, key.chain)
        check_prepared(prepared, key.certificate, extends=pdf)
        signature = key.sign(prepared.attributes)
        finished = self.run(
            finish_signature,
            prepared,
            signature=signature,
            certificate=key.certificate,
            chain=key.chain,
            token=None if level is Level.B else self.tsa.stamp(unsigned_token_digest(signature)),
            revocation=self.revocation if level in (Level.LT, Level.LTA) else None,
        )
        return self.stamp(finished) if level is Level.LTA else finished

    def number(self, pdf: bytes, number: str = NUMBER) -> bytes:
        return self.run(fill_number_date, pdf, number=number, date=DAY, place_name=PLACE)

    def stamp(self, pdf: bytes) -> bytes:
        prepared = self.run(prepare_timestamp, pdf)
        return self.run(finish_timestamp, prepared, token=self.tsa.stamp(prepared.digest))

    def issue(self, letter: bytes, number: str = NUMBER) -> dict[str, bytes]:
        """Every revision on the way, by the step that made it."""
        return self.issue_prepared(self.run(prepare_document, letter).pdf, number)

    def issue_prepared(self, prepared: bytes, number: str = NUMBER) -> dict[str, bytes]:
        """The same, of a file that has its fields already."""
        steps = {"prepared": prepared}
        steps["led"] = self.sign(steps["prepared"], SignaturePurpose.LEADER)
        steps["numbered"] = self.number(steps["led"], number)
        steps["sealed"] = self.sign(steps["numbered"], SignaturePurpose.SEAL)
        steps["stamped"] = self.stamp(steps["sealed"])
        return steps


@pytest.fixture(scope="session")
def desk(pilot_server, authority: PilotAuthority, leader_key: Signer, seal_key: Signer) -> Desk:
    at = datetime.now(UTC)
    tsa = OnlineTsa(authority.tsa_url, pilot_server.fetch, [authority.certificate])
    return Desk(tsa, RevocationData(crls=(authority.crl(at), authority.root_crl(at))), leader_key, seal_key)


@pytest.fixture(scope="session")
def steps(desk: Desk) -> dict[str, bytes]:
    """One letter on its whole way, made once."""
    return desk.issue(draw_letter())
