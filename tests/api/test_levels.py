"""An office chooses how much proof its signatures get: signed, timed, provable, archived; by everybody's word.

The documents go their whole way through the API: signed and sealed in batches, with an attachment; copies too.
"""

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from api.cli import run
from api.client import Json
from api.doctor import examine
from api.wiring import now
from keys.model import RevocationData
from signing.model import Level, Verdict
from signing.verify import verify_pdf
from tests.fixtures.letters import draw_letter
from tests.fixtures.service import ADMIN, AUDITOR, CLERK, DISTRICT, LEADER, OFFICER, OTHER, OTHER_CLERK, letter, refusal

PATH = f"/offices/{DISTRICT}/signature-levels"
DEFAULT = {"leader": None, "seal": None}


@contextmanager
def chosen(service, leader: Level | None, seal: Level | None):
    """What the district's administrator chooses; afterwards nothing is chosen any more."""
    admin = service.person(ADMIN)
    admin.request("PUT", PATH, json={"leader": leader, "seal": seal})
    yield
    admin.request("PUT", PATH, json=DEFAULT)


@dataclass
class Made:
    """What was made at one level: the sealed letter, its attachment, a copy."""

    letter: bytes
    attachment: bytes
    copy: bytes

    def __iter__(self):
        return iter((self.letter, self.attachment, self.copy))


def signed(service, document: Json) -> Json:
    (line, _) = service.person(LEADER).batch("sign", [document], service.pin(LEADER))
    assert line["state"] == "signed", line
    return service.person(CLERK).document(document["id"])


def sealed(service, document: Json) -> Json:
    (line, _) = service.person(CLERK).batch("seal", [document], service.pin(CLERK))
    assert line["state"] == "sealed", line
    return service.person(CLERK).document(document["id"])


def make(service) -> Made:
    officer, clerk = service.person(OFFICER), service.person(CLERK)
    document = service.draft()
    document = officer.attach(document, officer.upload(letter("PHỤ LỤC"), "phu-luc.pdf")["id"])
    document = sealed(service, clerk.number(signed(service, officer.submit(document)), "qd"))
    scan = clerk.upload(draw_letter(), "ban-quet.pdf")
    copy = clerk.copy("SY", upload=scan["id"], subject="Thử", issue_place="Cư M'gar")
    copy = clerk.seal(clerk.number(copy, "sy"), service.pin(CLERK))
    (attached,) = document["attachments"]
    attachment = clerk.attachment(document["id"], attached["id"])
    return Made(clerk.file(document["id"]), attachment, clerk.file(copy["id"]))


@pytest.fixture(scope="module")
def levels(api_service) -> dict[Level, Made]:
    """At each level: leader and organisation alike."""
    made = {}
    for level in Level:
        with chosen(api_service, level, level):
            made[level] = make(api_service)
    return made


@pytest.fixture(scope="module")
def plainly(levels, api_service, tmp_path_factory) -> dict[Level, list[str]]:
    """What plain pyHanko says of every signature at each level, by one process for all of them."""
    folder, at = tmp_path_factory.mktemp("plain"), now()
    authority = api_service.authority.authority
    files = {f"{level}-{n}.pdf": pdf for level, made in levels.items() for n, pdf in enumerate(made)}
    files |= {"root.cer": authority.certificate, "a.crl": authority.crl(at), "b.crl": authority.root_crl(at)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    command = [sys.executable, "-m", "tests.signing.plain_pyhanko", *(folder / name for name in files)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 4 * len(levels)
    return {level: said[4 * n : 4 * n + 4] for n, level in enumerate(levels)}


@pytest.mark.parametrize("level", Level)
def test_leader_seal_attachment_and_copy_get_the_level_that_the_office_chose_by_everybodys_word(
    level, levels, plainly, api_service, tmp_path, program
):
    clerk, counted = api_service.person(CLERK), []
    for n, pdf in enumerate(levels[level]):
        report = clerk.verify(pdf)
        assert report["verdict"] == "valid"
        signatures = [one for one in report["signatures"] if one["kind"] == "signature"]
        assert {one["level"] for one in signatures} == {level}
        file = tmp_path / f"{n}.pdf"
        file.write_bytes(pdf)
        said = subprocess.run([program("pdfsig"), "-nocert", file], capture_output=True, text=True, check=False).stdout
        counted.append((len(signatures), said.count("Signature is Valid.")))
    assert counted == [(2, 2), (1, 1), (1, 1)]
    assert plainly[level] == ['["AdESPassed.OK", true]'] * 4


@pytest.mark.parametrize("level", Level)
def test_from_b_lt_on_a_file_proves_itself_without_anybody_to_ask(level, levels, api_service):
    alone = verify_pdf(
        levels[level].letter, at=now(), trust=api_service.parts.trust(), revocation=RevocationData(), office_code=None
    )
    assert alone.verdict is (Verdict.VALID if level in (Level.LT, Level.LTA) else Verdict.UNKNOWN)


def test_a_seal_brings_proof_for_a_leader_who_signed_before_the_office_chose_more(api_service):
    with chosen(api_service, Level.T, Level.T):
        document = signed(api_service, api_service.document("waiting_signature"))
    clerk = api_service.person(CLERK)
    done = sealed(api_service, clerk.number(document, "qd"))
    alone = verify_pdf(
        clerk.file(done["id"]), at=now(), trust=api_service.parts.trust(), revocation=RevocationData(), office_code=None
    )
    assert alone.verdict is Verdict.VALID
    assert [one.level for one in alone.signatures if one.kind == "signature"] == ["B-LTA", "B-LTA"]


def test_at_b_b_nobody_is_asked_for_time_and_with_the_authority_away_only_b_b_is_made(api_service):
    document = api_service.document("waiting_signature")
    asked = api_service.authority.requests.get("/tsa", 0)
    api_service.authority.stop()
    try:
        with chosen(api_service, Level.B, None):
            assert signed(api_service, document)["state"] == "signed"
        waits = api_service.document("waiting_signature")
        held = api_service.person(LEADER).sign(waits, api_service.pin(LEADER))
    finally:
        api_service.authority.start()
    assert (held["state"], held["pending_signature"]) == ("waiting_signature", True)
    assert api_service.authority.requests.get("/tsa", 0) == asked


# -- who decides --


def test_what_an_office_did_not_choose_is_as_the_service_does(api_service):
    with chosen(api_service, Level.LTA, None):
        told = api_service.person(CLERK)._get(PATH)
    assert told == {
        "office": DISTRICT, "leader": "B-LTA", "seal": "B-LTA", "chosen": {"leader": "B-LTA", "seal": None},
    }  # fmt: skip
    quick = api_service.quick(sign_level_seal=Level.T)
    assert quick.person(CLERK)._get(PATH)["seal"] == "B-T"
    quick.parts.sandbox.close()


@pytest.mark.parametrize("who", [OFFICER, CLERK, LEADER, AUDITOR])
def test_only_an_administrator_chooses(api_service, who):
    refused = refusal(lambda: api_service.person(who).request("PUT", PATH, json={"leader": "B-B"}))
    assert (refused.code, refused.status) == ("not-allowed", 403)
    assert api_service.person(who)._get(PATH)["chosen"] == DEFAULT


def test_another_offices_choice_is_as_good_as_none_but_to_the_services_administrator(api_service):
    stranger = api_service.person(OTHER_CLERK)
    for method in ("GET", "PUT"):
        assert refusal(lambda method=method: stranger.request(method, PATH, json={})).code == "not-found"
    admin, theirs = api_service.person(ADMIN), f"/offices/{OTHER}/signature-levels"
    assert admin.request("PUT", theirs, json={"seal": "B-LT"}).json()["seal"] == "B-LT"
    assert admin.request("PUT", theirs, json=DEFAULT).json()["chosen"] == DEFAULT
    unknown = refusal(lambda: admin.request("PUT", "/offices/none/signature-levels", json={}))
    assert unknown.code == "recipient-unknown"


def test_a_level_that_there_is_not_is_refused(api_service):
    refused = refusal(lambda: api_service.person(ADMIN).request("PUT", PATH, json={"seal": "B-X"}))
    assert (refused.code, refused.status) == ("malformed", 400)


def test_the_administrator_chooses_on_the_page_too_and_the_second_factors_rule_stays(api_service):
    browser = api_service.browser(ADMIN)
    browser.post("/account/rule", {"required": "0"})
    assert browser.post("/account/levels", {"leader": "B-T", "seal": ""}).status_code == 303
    page = browser.http.get("/account").text
    assert '<option value="B-T" selected>' in page
    assert browser.post("/account/levels", {"leader": "B-X"}).status_code == 400
    assert browser.post("/account/levels", {"leader": "", "seal": ""}).status_code == 303
    assert api_service.person(CLERK)._get(PATH)["chosen"] == DEFAULT
    assert "/account/levels" not in api_service.browser(CLERK).http.get("/account").text


def test_on_the_services_own_machine_a_command_chooses(api_service, monkeypatch, capsys):
    monkeypatch.setenv("CONGVAN_DATA", str(api_service.parts.settings.data))
    assert run(["office", "levels", OTHER, "--leader", "B-B"]) == 0
    assert run(["office", "levels", OTHER, "--seal", "B-T"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["leader   B-B", "seal     B-T"]
    assert run(["office", "levels", OTHER, "--default"]) == 0
    assert run(["office", "levels", OTHER]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "seal     B-LTA  (mặc định / default)"
    assert run(["office", "levels", "none"]) == 1
    assert "[recipient-unknown]" in capsys.readouterr().err


# -- what waits --


def waiting(service, what: str) -> float:
    (line,) = [line for line in service.http().get("/metrics").text.splitlines() if f'what="{what}"' in line]
    return float(line.rsplit(" ", 1)[1])


def test_a_signature_without_its_time_stamp_is_counted_and_the_doctor_says_since_when(api_service):
    document, before = api_service.document("waiting_signature"), waiting(api_service, "signature")
    api_service.authority.stop()
    try:
        held = api_service.person(LEADER).sign(document, api_service.pin(LEADER))
    finally:
        api_service.authority.start()
    assert held["pending_signature"]
    assert waiting(api_service, "signature") == before + 1
    finding = next(one for one in examine(api_service.parts.settings) if "wait for their time stamp" in one.what)
    assert not finding.good
    assert finding.remedy
    assert f": {before + 1:.0f}, {now():%Y-%m-%d}" in finding.what
    api_service.person(OFFICER).cancel(held, "Thử")
    assert waiting(api_service, "signature") == before
