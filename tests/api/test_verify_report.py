"""What a program is told about a file that it has checked: the report, and words to show beside each reason."""

import pytest

from signing.report import ADVICE, FINDINGS
from tests.fixtures.letters import draw_letter


@pytest.mark.parametrize(("language", "here"), [("vi", 0), ("en", 1)])
def test_each_finding_comes_with_its_sentence_and_what_to_do(api_service, language, here):
    told = api_service.http().post(
        "/api/v1/verify", files={"file": ("x.pdf", draw_letter())}, headers={"Accept-Language": language}
    )

    assert told.status_code == 200, told.text
    assert told.json()["findings"] == [
        {
            "code": "signature-missing",
            "severity": "failure",
            "gaps": {},
            "sentence": FINDINGS["signature-missing"][here],
            "advice": ADVICE["signature-missing"][here],
        }
    ]
    assert FINDINGS["signature-missing"][here] in told.json()["sentences"]
