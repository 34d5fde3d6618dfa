"""Checking a foreign file: whatever the limited process makes of it, the answer is a report with a reason."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from exchange.acts.signature import check_file
from exchange.acts.tools import Tools
from keys.authority import PilotAuthority
from keys.revocation import OnlineRevocation
from signing.model import Report, Verdict
from signing.sandbox import Sandbox
from tests.vectors.attacks import credentials, make
from tests.vectors.attacks.credentials import Holder


@pytest.fixture(scope="module")
def signed(authority: PilotAuthority) -> bytes:
    """A letter signed by somebody whom the pilot does not know: nothing is to be asked about them."""
    at = datetime.now(UTC).replace(microsecond=0)
    stranger = credentials.impostor_of(authority.issuing_certificate, at, at.replace(year=at.year + 1))
    return credentials.signed(make.letter(), Holder(stranger.key, stranger.certificate), at)


def unasked(*_: Any, **__: Any) -> bytes:
    raise AssertionError("somebody was asked")


@pytest.fixture
def checked(authority: PilotAuthority) -> Callable[..., Report]:
    """The report on a file by a limited process with those limits."""

    def check(pdf: bytes, **limits: Any) -> Report:
        sandbox = Sandbox(workers=1, **limits)
        nowhere: Any = None
        tools = Tools(nowhere, sandbox.run, nowhere, OnlineRevocation(unasked), authority.trust)
        try:
            report, stored = check_file(tools, pdf, office_code=None, at=datetime.now(UTC))
        finally:
            sandbox.close()
        assert stored.verdict == report.verdict
        return report

    return check


def test_a_file_that_takes_too_long_is_unknown_and_says_so(signed: bytes, checked: Callable[..., Report]) -> None:
    report = checked(signed, wall_seconds=0.001)
    assert report.verdict is Verdict.UNKNOWN
    assert [(f.code, f.gaps) for f in report.findings] == [("over-limit", {"what": "time"})]


def test_a_later_part_that_cannot_be_read_is_a_finding_not_a_refusal(
    signed: bytes, checked: Callable[..., Report]
) -> None:
    circle = make.appended(signed, {make.FORM: b"7 0 R"})
    report = checked(circle)
    assert report.verdict is Verdict.INVALID
    assert "later-part-unreadable" in {f.code for f in report.findings}
