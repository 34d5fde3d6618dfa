"""The working calendar by API, page and command: everybody sees it, the administrator decides, deadlines stay."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from api import times, watch
from exchange.rules.calendar import CalendarYear, Grade, local_day
from exchange.storage.deadline_store import DeadlineStore
from tests.fixtures.service import ADMIN, AUDITOR, CLERK, COMMUNE, COMMUNE_CLERK, OFFICER, ApiService, refusal

DAY_OFF = {"date": "2031-03-05", "kind": "rest", "name": "Nghỉ bão"}


def kinds(told, *days):
    known = {one["date"]: one["kind"] for one in told["days"]}
    return [known[day] for day in days]


def test_everybody_sees_every_day_of_a_year_and_the_decision_behind_it(api_service):
    told = api_service.person(COMMUNE_CLERK).calendar(2026)

    assert len(told["days"]) == 365
    assert kinds(told, "2026-02-17", "2026-02-21", "2026-01-10", "2026-08-05") == ["rest", "rest", "make_up", "work"]
    assert (told["grade"], told["hours"]) == ("one_source", [["07:30", "11:30"], ["13:30", "17:00"]])
    assert "12729/VPCP-KGVX" in told["source"]
    named = {one["date"]: one["name"] for one in told["days"] if one["name"]}
    assert named["2026-09-02"] == "Quốc khánh"


def test_without_a_year_it_is_this_one(api_service):
    assert api_service.person(OFFICER).calendar()["year"] == local_day(api_service.parts.now()).year
    assert refusal(lambda: api_service.person(OFFICER).calendar(1999)).code == "malformed"


@pytest.mark.parametrize("login", [CLERK, OFFICER, AUDITOR, COMMUNE_CLERK])
def test_nobody_but_the_system_administrator_decides(api_service, login):
    person, before = api_service.person(login), times.calendar(api_service.parts).version
    acts = [
        lambda: person.decide_year(2031, "QĐ", "check", [DAY_OFF]),
        lambda: person.decide_hours([("08:00", "12:00")], "QĐ"),
        person.move_deadlines,
    ]

    assert [refusal(act).code for act in acts] == ["not-allowed"] * 3
    assert times.calendar(api_service.parts).version == before


def test_a_decision_is_a_new_version_and_the_same_request_decides_once(api_service):
    admin = api_service.person(ADMIN)
    first = admin.decide_year(2031, "Quyết định 1", "check", [DAY_OFF], key="cal-once")
    again = admin.decide_year(2031, "Quyết định 1", "check", [DAY_OFF], key="cal-once")
    assert again == first

    told = admin.calendar(2031)
    assert (told["version"], told["source"], told["grade"]) == (first["version"], "Quyết định 1", "check")
    assert kinds(told, "2031-03-05", "2031-03-06") == ["rest", "work"]
    assert admin.decide_year(2031, "Quyết định 2", "confirmed", [])["version"] == first["version"] + 1
    assert kinds(admin.calendar(2031), "2031-03-05") == ["work"], "a year is decided as a whole"
    assert [one.source for one in times.changes(api_service.parts) if one.year == 2031][-2:] == [
        "Quyết định 2", "Quyết định 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "days",
    [
        [{**DAY_OFF, "date": "2030-03-05"}],
        [DAY_OFF, DAY_OFF],
        [{**DAY_OFF, "kind": "make_up"}],
        [{**DAY_OFF, "name": " "}],
    ],
    ids=["a day of another year", "a day twice", "a make-up day on a weekday", "a day without a reason"],
)
def test_a_year_that_cannot_be_is_refused_whole(api_service, days):
    admin, before = api_service.person(ADMIN), times.calendar(api_service.parts).version

    assert refusal(lambda: admin.decide_year(2031, "QĐ", "check", days)).code == "calendar-invalid"
    assert refusal(lambda: admin.decide_year(2031, " ", "check", [DAY_OFF])).code == "calendar-invalid"
    assert times.calendar(api_service.parts).version == before


@pytest.mark.parametrize("spans", [[("11:30", "07:30")], [("07:30", "11:30"), ("11:00", "17:00")]])
def test_hours_that_overlap_are_refused(api_service, spans):
    assert refusal(lambda: api_service.person(ADMIN).decide_hours(spans, "QĐ")).code == "calendar-invalid"


@contextmanager
def closed_on(admin, day):
    """A storm closes offices on that day; afterwards the calendar is as it was, and so are open deadlines."""
    told = admin.calendar(day.year)
    was = [{"date": d["date"], "kind": d["kind"], "name": d["name"]} for d in told["days"] if d["name"]]
    try:
        admin.decide_year(
            day.year, "Công điện", "confirmed", [*was, {"date": day.isoformat(), "kind": "rest", "name": "Nghỉ bão"}]
        )  # fmt: skip
        yield
    finally:
        admin.decide_year(day.year, told["source"] or "–", told["grade"] or "check", was)
        admin.move_deadlines()


def test_i18_what_moves_inside_another_office_is_told_to_that_office_and_not_to_the_administrators(api_service):
    admin, clerk = api_service.person(ADMIN), api_service.person(COMMUNE_CLERK)
    issued = api_service.document("issued")
    (sent,) = api_service.person(CLERK).deliveries(issued["consignment"])
    arrival = clerk.delivery(sent["id"])
    clerk.register(arrival, arrival["file"]["sha256"])
    closed = times.calendar(api_service.parts).next_working_day(local_day(api_service.parts.now()))
    with closed_on(admin, closed):
        assert admin.move_deadlines()["moved"]
        with api_service.parts.read() as reading:
            moved = [e for e in reading.exchange.events_of(delivery=sent["id"]) if e.type == "clock.moved"]
    assert [(event.inward, event.office) for event in moved] == [(True, COMMUNE)]
    assert refusal(lambda: api_service.person(CLERK).event(moved[0].id)).status == 404
    assert json.loads(clerk.event(moved[0].id))["data"]["kind"] == "pass_on"


def test_open_deadlines_stay_until_the_administrator_moves_them_and_each_move_is_told(api_service):
    """A storm closes offices on the next working day: what is due then is moved by an act of its own."""
    admin, signed = api_service.person(ADMIN), api_service.document("signed")
    known, today = times.calendar(api_service.parts), local_day(api_service.parts.now())
    closed = known.next_working_day(today)
    old = deadlines(api_service, signed["id"])
    with closed_on(admin, closed):
        assert deadlines(api_service, signed["id"]) == old

        moved = admin.move_deadlines()
        new = deadlines(api_service, signed["id"])
        assert moved["moved"] >= 2
        assert all(new[kind].due > old[kind].due for kind in ("issue", "register_out"))
        assert local_day(new["issue"].due) == known.next_working_day(closed)
        events = [event for event in history(api_service, signed["id"]) if event["type"] == "clock.moved"]
        assert {one["data"]["kind"] for one in events} == {"issue", "register_out"}
        assert {one["data"]["was_due"][:16] for one in events} == {
            old[kind].due.isoformat()[:16] for kind in ("issue", "register_out")
        }
        assert {one["actor"]["role"] for one in events} == {"system_admin"}
        assert {(one["from"], one["to"]) for one in events} == {("signed", "signed")}
        assert admin.move_deadlines()["moved"] == 0
    assert deadlines(api_service, signed["id"])["issue"].due == old["issue"].due


def deadlines(service: ApiService, document: str):
    with service.parts.read() as reading:
        return {one.kind.value: one for one in DeadlineStore.of(reading.exchange).every(document)}


def history(service: ApiService, document: str):
    with service.parts.read() as reading:
        return [json.loads(event.body) for event in reading.exchange.events_of(document=document)]


def test_a_year_that_is_missing_is_said_three_months_ahead(api_service, monkeypatch):
    parts = api_service.parts
    assert watch.warn_of_missing_year(parts) is None or times.missing(parts) is not None
    monkeypatch.setattr(parts, "now", lambda: datetime(2029, 10, 2, tzinfo=UTC))

    assert times.missing(parts) == 2029
    with parts.write() as writing:
        DeadlineStore.of(writing.tx.store).decide_year(CalendarYear(2029, "Thử", Grade.CHECK, ()), "p", parts.now())
    assert times.missing(parts) == watch.warn_of_missing_year(parts) == 2030
    told = times.year_json(parts, 2029, "vi")["warnings"]
    assert [one["code"] for one in told] == ["calendar-missing-year"]
    assert "2030" in told[0]["detail"]


# -- the page --


def test_the_page_shows_a_year_in_words_and_gives_forms_to_the_administrator_only(api_service):
    clerk = api_service.browser(CLERK).http.get("/calendar?year=2026").text
    admin = api_service.browser(ADMIN).http.get("/calendar?year=2026").text

    assert "Tết Nguyên đán Bính Ngọ" in clerk
    assert "Thứ Bảy, 10/1/2026" in clerk
    assert "Một nguồn" in clerk
    assert "<textarea" not in clerk
    assert "2026-01-10 + Làm bù cho 02/01" in admin
    assert "Chưa có dữ liệu của năm 2045" in api_service.browser(CLERK).http.get("/calendar?year=2045").text


def test_the_administrator_changes_a_year_on_the_page(api_service):
    browser = api_service.browser(ADMIN)
    form = {
        "year": "2032", "grade": "confirmed", "source": "Thông báo 1",
        "days": "2032-02-11 - Tết\n\n2032-02-21 + Làm bù\n",
    }  # fmt: skip
    done = browser.post("/calendar/year", form)
    shown = browser.http.get(done.headers["location"]).text

    assert done.status_code == 303
    assert "Thông báo 1" in shown
    assert kinds(api_service.person(OFFICER).calendar(2032), "2032-02-11", "2032-02-21") == ["rest", "make_up"]


@pytest.mark.parametrize("line", ["ngày mai nghỉ", "2032-02-30 - Tết", "2032-02-11 Tết"])
def test_a_line_that_is_no_day_is_said(api_service, line):
    form = {"year": "2032", "grade": "check", "source": "x", "days": line}

    assert api_service.browser(ADMIN).post("/calendar/year", form).status_code == 400
    assert api_service.browser(CLERK).post("/calendar/move", {}).status_code == 403
