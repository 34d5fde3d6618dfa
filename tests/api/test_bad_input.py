"""What bad input gets: a stable code, one sentence in the reader's language, and nothing half-done left behind."""

import hashlib
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import String, cast, select

from api import tables as people_tables
from api.client import Congvan, Json, Refused
from api.problems import STATUS
from exchange.rules.model import Role
from exchange.storage import tables as exchange_tables
from signing.prepare import prepare_document
from tests.fixtures.service import (
    CLERK,
    CLOSED,
    COMMUNE,
    FAR,
    HUB,
    LEADER,
    OFFICER,
    PAUSED,
    ApiService,
    at_once,
    letter,
    refusal,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "bad"
ROWS = re.findall(r"^\| ([\w.-]+) \| .+? \| ([\w-]+) \| (\d+) \|$", (VECTORS / "SOURCES.md").read_text("utf-8"), re.M)
KEPT = [row for row in ROWS if row[0].endswith(".pdf")]
MADE = [row for row in ROWS if not row[0].endswith(".pdf")]
SENTENCES = {kind.code: (kind.vi, kind.en) for kind in STATUS}  # type: ignore[attr-defined]
MARKED = [name for name, code, _ in KEPT if code == "classified-mark-suspected"]


def _make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bad_vectors", VECTORS / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _make()


def bad_file(name: str) -> bytes:
    """A file of the table: kept in the folder, or made now."""
    return (VECTORS / name).read_bytes() if name.endswith(".pdf") else getattr(make, name)()


def fits(code: str, language: str, said: str) -> bool:
    """Whether that is the sentence of a code in a language, whatever stands in its gaps."""
    pattern = re.escape(SENTENCES[code][language == "en"])
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", ".+", pattern), said) is not None


def draft(service: ApiService, who: Congvan, pdf: bytes, **more: Any) -> Json:
    upload = who.upload(pdf, "thu.pdf")
    return who.draft(upload["id"], signer=service.account(LEADER), **{"subject": "Thử", **more})


def post_form(service: ApiService, pdf: bytes, *, name: str = "thu.pdf", language: str = "vi", **more: str) -> Any:
    fields = {"signer": service.account(LEADER), "subject": "Thử", "type": "official_letter", **more}
    return service.browser(OFFICER, language).post("/documents/new", fields, files={"file": (name, pdf)})


# -- files --


def test_the_folder_holds_what_its_script_makes_and_its_table_names():
    assert {name: content() for name, content in make.FILES.items()} == {
        file.name: file.read_bytes() for file in VECTORS.glob("*.pdf")
    }
    assert {name for name, _, _ in KEPT} | {"million-pages-told.pdf"} == set(make.FILES)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(("name", "code", "status"), KEPT, ids=[row[0] for row in KEPT])
def test_a_bad_file_is_refused_by_the_api_and_leaves_nothing(api_service, name, code, status, language):
    officer = api_service.person(OFFICER, language)
    with api_service.nothing_left():
        refused = refusal(lambda: draft(api_service, officer, bad_file(name)))
    assert (refused.code, refused.status) == (code, int(status))
    assert fits(code, language, refused.problem["detail"])


@pytest.mark.parametrize(("name", "code", "status"), KEPT, ids=[row[0] for row in KEPT])
def test_a_bad_file_is_refused_by_the_page_and_leaves_nothing(api_service, name, code, status):
    language = "en" if len(name) % 2 else "vi"
    browser = api_service.browser(OFFICER, language)
    with api_service.nothing_left():
        page = browser.post(
            "/documents/new",
            {"signer": api_service.account(LEADER), "subject": "Thử"},
            files={"file": ("thu.pdf", bad_file(name))},
        )
    assert page.status_code == int(status)
    assert f'data-code="{code}"' in page.text
    assert f'<html lang="{language}"' in page.text
    assert "Soạn văn bản" in page.text or language == "en"


@pytest.mark.parametrize(("name", "code", "status"), MADE, ids=[row[0] for row in MADE])
def test_a_bomb_costs_one_limited_process_and_the_service_goes_on(api_service, name, code, status):
    service = api_service.quick(upload_limit_mb=20)
    pdf = make.over_limit(20) if name == "over_limit" else bad_file(name)
    officer = service.person(OFFICER)
    try:
        with service.nothing_left():
            refused = refusal(lambda: draft(service, officer, pdf))
        assert (refused.code, refused.status) == (code, int(status))
        if name in ("over_limit", "many_pages"):
            with service.nothing_left():
                page = post_form(service, pdf)
            assert (page.status_code, f'data-code="{code}"' in page.text) == (int(status), True)
        assert draft(service, officer, letter())["state"] == "draft"
    finally:
        service.parts.sandbox.close()


def test_a_file_over_the_limit_is_refused_before_a_byte_of_it_came(api_service):
    limit = api_service.parts.settings.upload_limit_mb
    promise = {"name": "lon.pdf", "size": limit * (1 << 20) + 1, "sha256": "0" * 64}
    with api_service.nothing_left():
        refused = refusal(lambda: api_service.person(OFFICER)._post("/uploads", promise))
    assert (refused.code, refused.status) == ("too-large", 413)
    assert str(limit) in refused.problem["detail"]


def test_what_is_no_pdf_by_its_own_word_is_refused_before_it_came(api_service):
    promise = {"name": "thu.docx", "size": 10, "sha256": "0" * 64, "media_type": "application/msword"}
    with api_service.nothing_left():
        refused = refusal(lambda: api_service.person(OFFICER)._post("/uploads", promise))
    assert (refused.code, refused.status) == ("type-not-allowed", 415)


def test_a_page_count_that_lies_is_put_right(api_service):
    document = draft(api_service, api_service.person(OFFICER), bad_file("million-pages-told.pdf"))
    assert re.search(rb"/Count 1\b", api_service.person(OFFICER).file(document["id"]))


@pytest.mark.parametrize("name", [row[0] for row in ROWS if row[0] not in ("flate_bomb", "many_objects", "over_limit")])
def test_the_public_check_answers_every_bad_file_and_never_calls_it_valid(api_service, name):
    with api_service.nothing_left():
        answer = api_service.http().post("/api/v1/verify", files={"file": ("x.pdf", bad_file(name))})
    if answer.status_code == 200:
        assert answer.json()["verdict"] in ("invalid", "unknown")
    else:
        assert answer.status_code == 422
        assert answer.json()["code"] in SENTENCES


# -- mật --


@pytest.mark.parametrize("name", MARKED)
def test_of_a_document_marked_mat_nothing_is_kept_not_even_its_name_or_digest(api_service, name):
    officer, pdf = api_service.person(OFFICER), bad_file(name)
    upload = officer.upload(pdf, "ke-hoach-tac-chien.pdf")
    refused = refusal(lambda: officer.draft(upload["id"], signer=api_service.account(LEADER), subject="Kế hoạch"))
    assert refused.code == "classified-mark-suspected"
    digest = hashlib.sha256(pdf).hexdigest()
    assert not api_service.parts.blobs.has(digest)
    made = hashlib.sha256(prepare_document(pdf).pdf).hexdigest()
    assert not api_service.parts.blobs.has(made)
    for word in (digest, made, "ke-hoach-tac-chien", "Kế hoạch"):
        assert not _told_anywhere(api_service, word)
    assert refusal(lambda: officer._get(f"/uploads/{upload['id']}")).code == "not-found"


def test_a_clerk_may_say_that_the_mark_is_none_and_that_is_an_event(api_service):
    clerk = api_service.person(CLERK)
    document = draft(api_service, clerk, bad_file("mat.pdf"), not_classified=True)
    assert [event["type"] for event in clerk.events(document["id"])] == [
        "document.drafted",
        "document.mark_declared_harmless",
    ]
    clerk.cancel(document, "Thử")


def test_an_officer_may_not_say_that_the_mark_is_none(api_service):
    officer = api_service.person(OFFICER)
    with api_service.nothing_left():
        refused = refusal(lambda: draft(api_service, officer, bad_file("toi-mat.pdf"), not_classified=True))
    assert refused.code == "classified-mark-suspected"


@pytest.mark.parametrize("secrecy", ["confidential", "secret", "top_secret"])
@pytest.mark.parametrize("who", [OFFICER, CLERK])
def test_a_document_said_to_be_secret_is_refused_with_all_its_bytes(api_service, secrecy, who):
    person = api_service.person(who)
    with api_service.nothing_left():
        refused = refusal(lambda: draft(api_service, person, letter("V/v mật"), secrecy=secrecy, not_classified=True))
    assert (refused.code, refused.status) == ("classified-refused", 422)
    with api_service.nothing_left():
        page = post_form(api_service, letter("V/v mật"), secrecy=secrecy)
    assert (page.status_code, 'data-code="classified-refused"' in page.text) == (422, True)


@pytest.mark.parametrize("change", [{"secrecy": "secret"}, {"upload": "mat.pdf"}], ids=["words", "file"])
def test_a_draft_cannot_become_secret_by_a_change(api_service, change):
    officer, before = api_service.person(OFFICER), api_service.draft()
    with api_service.nothing_left():
        if "upload" in change:
            change = {"upload": officer.upload(bad_file("mat.pdf"), "b.pdf")["id"]}
        assert refusal(lambda: officer.edit(before, **change)).code.startswith("classified-")
    assert officer.document(before["id"])["version"] == before["version"]


def test_the_same_bytes_of_somebody_else_stay_when_one_is_refused(api_service):
    officer, clerk, pdf = api_service.person(OFFICER), api_service.person(CLERK), bad_file("tuyet-mat.pdf")
    kept = clerk.upload(pdf, "b.pdf")
    assert refusal(lambda: draft(api_service, officer, pdf)).code == "classified-mark-suspected"
    document = clerk.draft(kept["id"], signer=api_service.account(LEADER), subject="Thử", not_classified=True)
    assert document["state"] == "draft"


def _told_anywhere(service: ApiService, word: str) -> list[str]:
    """Tables in which a row holds that word, in whatever column."""
    found = []
    with service.parts.database.reader.connect() as connection:
        for metadata in (exchange_tables.metadata, people_tables.metadata):
            for table in metadata.sorted_tables:
                columns = [column for column in table.c if not isinstance(column.type, people_tables.LargeBinary)]
                rows = connection.execute(select(*[cast(column, String) for column in columns])).all()
                if any(word in str(value) for row in rows for value in row):
                    found.append(table.name)
                if "body" in table.c and any(word.encode() in bytes(b) for b in _blobs(connection, table)):
                    found.append(table.name)
    return found


def _blobs(connection: Any, table: Any) -> list[bytes]:
    values = connection.scalars(select(table.c.body)).all()
    return [value for value in values if isinstance(value, bytes)]


# -- names and words --

NAMES = {
    "name-not-allowed": [
        "../../thu.pdf", "..", "a/b.pdf", "a\\b.pdf", "C:\\thu.pdf", "thu\x00.pdf", "thu\n.pdf", "thu\x7f.pdf",
        "thu\u202efdp.exe", "thu\u2066.pdf", " ", "",
    ],
    "name-too-long": ["ă" * 126 + ".pdf", "x" * 256],
}  # fmt: skip


@pytest.mark.parametrize(("code", "name"), [(code, name) for code, names in NAMES.items() for name in names], ids=ascii)
def test_a_name_with_tricks_is_refused_before_a_byte_came(api_service, code, name):
    for language in ("vi", "en"):
        with api_service.nothing_left():
            refused = refusal(lambda language=language: api_service.person(OFFICER, language).upload(letter(), name))
        assert (refused.code, refused.status) == (code, 422)
        assert fits(code, language, refused.problem["detail"])


@pytest.mark.parametrize("name", ["../../thu.pdf", "thu\u202efdp.exe", "x" * 256], ids=ascii)
def test_a_name_with_tricks_is_refused_by_the_page(api_service, name):
    with api_service.nothing_left():
        page = post_form(api_service, letter(), name=name)
    assert page.status_code == 422
    assert 'data-code="name-' in page.text


def test_a_name_is_kept_and_given_back_as_it_was_typed(api_service):
    name = "Công văn số 1 (bản “cuối”).pdf"
    officer = api_service.person(OFFICER)
    upload = officer.upload(letter(), name)
    document = officer.draft(upload["id"], signer=api_service.account(LEADER), subject="Thử")
    assert document["revision"]["name"] == name
    answer = officer.request("GET", f"/documents/{document['id']}/revisions/current/file")
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''C%C3%B4ng")


def test_words_that_a_draft_cannot_do_without_are_asked_for(api_service):
    officer, leader = api_service.person(OFFICER), api_service.account(LEADER)
    wordless = make.raw({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                         3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"})  # fmt: skip
    upload = officer.upload(wordless, "a.pdf")["id"]
    with api_service.nothing_left():
        assert refusal(lambda: officer.draft(upload, signer=leader)).code == "subject-missing"
        assert refusal(lambda: officer.draft(upload, signer=leader, subject="x" * 501)).code == "subject-too-long"
        assert refusal(lambda: officer.draft(upload, signer="p_nobody", subject="Thử")).code == "signer-unknown"
        clerk = api_service.account(CLERK)
        assert refusal(lambda: officer.draft(upload, signer=clerk, subject="Thử")).code == "signer-unknown"
        off = {key: {"page": 0, "box": [9000, 9000, 9100, 9100]} for key in ("number", "date", "signature", "seal")}
        refused = refusal(lambda: officer.draft(upload, signer=leader, subject="Thử", places=off))
        assert refused.code == "place-invalid"
    assert officer.draft(upload, signer=leader, subject="Thử")["state"] == "draft", "words may be mended"


def test_too_long_a_subject_is_said_on_the_page_beside_the_form(api_service):
    with api_service.nothing_left():
        page = post_form(api_service, letter(), subject="x" * 501)
    assert (page.status_code, 'data-code="subject-too-long"' in page.text) == (422, True)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001], ids=["none", "blank", "too long"])
def test_a_way_back_without_a_good_reason_is_refused(api_service, reason):
    document, officer = api_service.standing("waiting_signature"), api_service.person(OFFICER)
    with api_service.nothing_left():
        for act in (officer.give_back, officer.cancel):
            refused = refusal(lambda act=act: act(document, reason))
            assert (refused.code, refused.status) == ("reason-required", 422)
        page = api_service.browser(OFFICER).post(
            f"/documents/{document['id']}/return", {"version": str(document["version"]), "reason": reason}
        )
        assert (page.status_code, 'data-code="reason-required"' in page.text) == (422, True)


# -- recipients --

NOT_RECIPIENTS = [
    ([{"office": "H99.99"}], "recipient-unknown", "H99.99"),
    ([{"office": COMMUNE}, {"office": "không có"}], "recipient-unknown", "không có"),
    ([{"group": "grp_none"}], "recipient-unknown", "grp_none"),
    ([{"under": "H98"}], "recipient-unknown", "H98"),
    ([{"office": CLOSED}], "recipient-locked", CLOSED),
    ([{"office": PAUSED}, {"office": COMMUNE}], "recipient-paused", PAUSED),
    ([{"office": HUB}], "recipient-is-hub", HUB),
    ([{"office": FAR}], "recipient-not-capable", FAR),
    ([], "recipients-empty", ""),
    ([{"office": COMMUNE, "except": [COMMUNE]}], "recipients-empty", ""),
]


@pytest.mark.parametrize(("recipients", "code", "told"), NOT_RECIPIENTS, ids=[f"{c} {t}" for _, c, t in NOT_RECIPIENTS])
def test_a_recipient_that_cannot_receive_refuses_the_whole_issue(api_service, recipients, code, told):
    document = api_service.standing("sealed")
    for language in ("vi", "en"):
        clerk = api_service.person(CLERK, language)
        with api_service.nothing_left():
            refused = refusal(lambda clerk=clerk: clerk.issue(document, recipients))
        assert (refused.code, refused.status) == (code, 422)
        assert fits(code, language, refused.problem["detail"])
        assert told in refused.problem["detail"]
    assert api_service.person(CLERK).document(document["id"])["state"] == "sealed"


def test_the_page_refuses_a_recipient_that_cannot_receive(api_service):
    document = api_service.standing("sealed")
    fields = {"version": str(document["version"]), "to": "chosen", "chosen": CLOSED}
    with api_service.nothing_left():
        page = api_service.browser(CLERK).post(f"/documents/{document['id']}/issue", fields)
    assert (page.status_code, 'data-code="recipient-locked"' in page.text) == (422, True)


def test_a_dry_run_names_what_stands_in_the_way_of_each_and_writes_nothing(api_service):
    lines = [{"office": code} for code in (COMMUNE, CLOSED, PAUSED, HUB, FAR, "H99.99")]
    with api_service.nothing_left():
        told = api_service.person(CLERK, "en").resolve(lines)
    problems = {row["office"]: row["problem"] and row["problem"]["code"] for row in told["items"]}
    assert told["count"] == 1
    assert problems == {
        COMMUNE: None, CLOSED: "recipient-locked", PAUSED: "recipient-paused", HUB: "recipient-is-hub",
        FAR: "recipient-not-capable", "H99.99": "recipient-unknown",
    }  # fmt: skip


@pytest.mark.parametrize("line", [{}, {"office": COMMUNE, "under": "H99.05"}, {"paper": {"name": "Ông A"}}])
def test_a_line_that_means_nothing_or_two_things_leaves_nobody_out_in_silence(api_service, line):
    document = api_service.standing("sealed")
    with api_service.nothing_left():
        refused = refusal(lambda: api_service.person(CLERK).issue(document, [{"office": COMMUNE}, line]))
    assert (refused.code, refused.status) == ("malformed", 400)


# -- order --

TOO_EARLY = [
    ("draft", "number"), ("draft", "seal"), ("draft", "issue"),
    ("waiting_signature", "number"), ("waiting_signature", "seal"), ("waiting_signature", "issue"),
    ("signed", "seal"), ("signed", "issue"), ("numbered", "issue"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "act"), TOO_EARLY)
def test_there_is_no_way_round_the_leaders_signature_the_number_and_the_seal(api_service, state, act):
    document = api_service.standing(state)
    acts = {
        "number": lambda clerk: clerk.number(document, "qd"),
        "seal": lambda clerk: clerk.seal(document, api_service.pin(CLERK)),
        "issue": lambda clerk: clerk.issue(document, [{"office": COMMUNE}]),
    }
    for language in ("vi", "en"):
        with api_service.nothing_left():
            refused = refusal(lambda language=language: acts[act](api_service.person(CLERK, language)))
        assert (refused.code, refused.status) == ("wrong-state", 409)
        assert refused.problem["state"] == state
        assert fits("wrong-state", language, refused.problem["detail"])
    forms: dict[str, dict[str, str]] = {
        "number": {"series": "qd"}, "seal": {"pin": api_service.pin(CLERK)}, "issue": {"to": "under"},
    }  # fmt: skip
    with api_service.nothing_left():
        page = api_service.browser(CLERK).post(
            f"/documents/{document['id']}/{act}", {"version": str(document["version"]), **forms[act]}
        )
    assert (page.status_code, 'data-code="wrong-state"' in page.text) == (409, True)


def test_a_number_of_no_series_and_of_a_day_that_does_not_fit_is_not_taken(api_service):
    document, clerk = api_service.standing("signed"), api_service.person(CLERK)
    with api_service.nothing_left():
        assert refusal(lambda: clerk.number(document, "khong-co")).code == "series-unknown"
        assert refusal(lambda: clerk.number(document, "qd", "2999-01-01")).code in (
            "number-date-invalid",
            "series-unknown",
        )
        assert refusal(lambda: clerk.number(document, "qd", "1999-01-01")).code == "series-unknown"


# -- at once --


def test_two_documents_numbered_at_once_get_two_numbers_without_a_hole(api_service):
    documents = [api_service.document("signed") for _ in range(2)]
    clerk = api_service.person(CLERK)
    before = {number.n for number in _numbers(api_service)}
    done = at_once(*[lambda d=d: api_service.person(CLERK).number(d, "qd") for d in documents])
    taken = {document["number"]["n"] for document in done}
    assert len(taken) == 2
    assert {number.n for number in _numbers(api_service)} == before | taken == set(range(1, len(before) + 3))
    for document in done:
        written = document["number"]["written"]
        assert clerk.document(document["id"])["number"]["written"] == written


def test_one_document_numbered_twice_at_once_takes_one_number(api_service):
    document = api_service.document("signed")
    before = len(_numbers(api_service))
    done = at_once(*[lambda: api_service.person(CLERK).number(document, "qd")] * 2)
    won = [one for one in done if not isinstance(one, Refused)]
    lost = [one for one in done if isinstance(one, Refused)]
    assert (len(won), len(lost)) == (1, 1)
    assert lost[0].code in ("state-changed", "wrong-state", "already-final")
    assert len(_numbers(api_service)) == before + 1
    revisions = [r for r in _revisions(api_service, document["id"]) if r.made_by == "number"]
    assert len(revisions) == 1


def test_one_document_issued_twice_at_once_reaches_each_recipient_once(api_service):
    document = api_service.document("sealed")
    done = at_once(*[lambda: api_service.person(CLERK).issue(document, [{"office": COMMUNE}])] * 2)
    assert sum(not isinstance(one, Refused) for one in done) == 1
    with api_service.parts.read() as reading:
        consignment = reading.exchange.consignment_of(document["id"])
        assert consignment is not None
        assert len(reading.exchange.deliveries_of(consignment.id)) == 1


def _numbers(service: ApiService) -> list[Any]:
    with service.parts.read() as reading:
        series = reading.exchange.latest_series("H99.05", "qd")
        assert series is not None
        return reading.exchange.numbers_of(series.id)


def _revisions(service: ApiService, document: str) -> list[Any]:
    with service.parts.read() as reading:
        return reading.exchange.revisions(document)


# -- keys --


def test_a_wrong_pin_signs_nothing_and_says_how_many_tries_are_left(api_service):
    document, leader = api_service.standing("waiting_signature"), api_service.person(LEADER)
    for language in ("vi", "en"):
        with api_service.nothing_left():
            refused = refusal(lambda language=language: api_service.person(LEADER, language).sign(document, "00000000"))
        assert (refused.code, refused.status) == ("pin-wrong", 422)
        assert re.search(r"\d", refused.problem["detail"])
    assert leader.document(document["id"])["state"] == "waiting_signature"
    signed = leader.sign(api_service.document("waiting_signature"), api_service.pin(LEADER))
    assert signed["state"] == "signed", "the right PIN gives the tries back"


def test_somebody_without_a_key_seals_nothing(api_service):
    from tests.fixtures.service import add_person

    login = "vanthu2.huyen"
    add_person(api_service, login, "H99.05", Role.CLERK)
    with api_service.nothing_left():
        refused = refusal(lambda: api_service.person(login).seal(api_service.standing("numbered"), "12345678"))
    assert (refused.code, refused.status) == ("certificate-missing", 422)
