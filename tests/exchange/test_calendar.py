"""Working days and working time: the years that come with the program, and arithmetic that holds on every moment."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.rules.calendar import (
    ORDINARY_HOURS,
    ZONE,
    Calendar,
    DayKind,
    Grade,
    Hours,
    in_time,
    instant,
    local_day,
    missing_year,
    passed,
)
from exchange.rules.holidays import shipped_years

CALENDAR = Calendar.of(4, ORDINARY_HOURS, shipped_years())
CALENDARS = [CALENDAR, Calendar.of(1, Hours(((time(0), time(23, 59)),)), ())]
moments = st.datetimes(datetime(2023, 12, 20), datetime(2028, 1, 10), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
amounts = st.timedeltas(timedelta(0), timedelta(days=30)).map(lambda t: timedelta(seconds=t // timedelta(seconds=1)))


def at(text: str) -> datetime:
    """A moment as a clock in Vietnam shows it: `2026-02-13 16:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


# -- the years --


@pytest.mark.parametrize(
    ("year", "grade", "rest", "make_up"),
    [
        (2024, Grade.CONFIRMED, 12, ["2024-05-04"]),
        (2025, Grade.CONFIRMED, 12, ["2025-04-26"]),
        (2026, Grade.ONE_SOURCE, 13, ["2026-01-10", "2026-08-22"]),
        (2027, Grade.CHECK, 11, []),
    ],
)
def test_each_year_says_where_it_comes_from_how_sure_it_is_and_its_days(year, grade, rest, make_up):
    known = CALENDAR.years[year]
    kinds = [mark.kind for mark in known.days]

    assert (known.grade, kinds.count(DayKind.REST)) == (grade, rest)
    assert [m.day.isoformat() for m in known.days if m.kind is DayKind.MAKE_UP] == make_up
    assert known.source
    assert all(mark.day.year == year and mark.name for mark in known.days)


def test_a_day_of_rest_falls_on_a_weekday_and_is_worked_for_on_a_weekend():
    marks = [mark for year in CALENDAR.years.values() for mark in year.days]

    assert all((mark.day.weekday() < 5) == (mark.kind is DayKind.REST) for mark in marks)


@pytest.mark.parametrize(
    ("before", "after", "rest"),
    [
        (date(2024, 2, 7), date(2024, 2, 15), 7),
        (date(2025, 1, 24), date(2025, 2, 3), 9),
        (date(2026, 2, 13), date(2026, 2, 23), 9),
        (date(2027, 2, 3), date(2027, 2, 11), 7),
    ],
)
def test_at_tet_everybody_rests_for_as_long_as_was_announced(before, after, rest):
    assert CALENDAR.next_working_day(before) == after
    assert (after - before).days - 1 == rest
    assert CALENDAR.working_day_before(after) == before


def test_five_days_of_the_law_are_there_in_every_year():
    for year in range(2024, 2028):
        for month, day in ((1, 1), (4, 30), (9, 2)):
            assert not CALENDAR.is_working(date(year, month, day))


def test_a_year_without_data_has_its_weekdays_and_is_asked_for_three_months_ahead():
    assert [CALENDAR.is_working(date(2028, 1, n)) for n in (1, 2, 3)] == [False, False, True]
    assert missing_year(CALENDAR, date(2027, 9, 30)) is None
    assert missing_year(CALENDAR, date(2027, 10, 1)) == 2028
    assert missing_year(CALENDAR, date(2028, 1, 2)) == 2028
    assert missing_year(CALENDAR, date(2023, 11, 1)) == 2023


# -- the comparator --


def test_exactly_at_the_deadline_is_too_late():
    due = at("2026-02-13 17:00")

    assert in_time(due - timedelta(milliseconds=1), due)
    assert not in_time(due, due)
    assert [passed(due, due + timedelta(milliseconds=n)) for n in (-1, 0, 1)] == [False, True, True]


@given(moments, moments)
def test_i27_instants_are_compared_as_instants_whatever_offset_they_are_written_with(one, other):
    there, here = one.astimezone(ZONE), other.astimezone(UTC)

    assert in_time(there, here) == in_time(one, other) == (one.timestamp() < other.timestamp())
    assert passed(here, there) is not in_time(one, other)


# -- arithmetic --


@given(moments)
def test_i27_a_moment_counts_from_itself_or_from_the_next_opening(moment):
    begins = CALENDAR.counts_from(moment)
    local = begins.astimezone(ZONE)

    assert begins >= moment
    assert CALENDAR.is_working(local.date())
    assert any(opens <= local.time() < closes for opens, closes in CALENDAR.hours.spans)
    assert CALENDAR.counts_from(begins) == begins
    assert CALENDAR.working_time(moment, begins) == timedelta(0), "nothing is skipped"


@given(moments, amounts, st.sampled_from(CALENDARS))
def test_i27_working_time_added_is_working_time_measured(moment, amount, calendar):
    then = calendar.add_working_time(moment, amount)

    assert calendar.working_time(moment, then) == amount
    assert then >= moment


@given(moments, amounts, amounts)
def test_i27_working_time_adds_up(moment, one, other):
    step_by_step = CALENDAR.add_working_time(CALENDAR.add_working_time(moment, one), other)
    at_once = CALENDAR.add_working_time(moment, one + other)

    assert CALENDAR.working_time(at_once, step_by_step) == CALENDAR.working_time(step_by_step, at_once) == timedelta(0)


@given(moments, amounts)
def test_i27_half_of_the_time_lies_between_the_two_moments(moment, amount):
    end = moment + amount
    half = CALENDAR.half_way(moment, end)

    assert moment <= half <= end
    left, gone = CALENDAR.working_time(half, end), CALENDAR.working_time(moment, half)
    assert abs(left - gone) <= timedelta(seconds=2)


@given(st.dates(date(2023, 12, 1), date(2028, 1, 31)))
def test_i27_days_follow_each_other(day):
    following = CALENDAR.next_working_day(day)

    assert following > day
    assert CALENDAR.is_working(following)
    assert not any(CALENDAR.is_working(day + timedelta(days=n)) for n in range(1, (following - day).days))
    assert CALENDAR.working_day_before(following) == day or not CALENDAR.is_working(day)


@pytest.mark.parametrize(
    ("moment", "begins", "ends"),
    [
        ("2026-08-05 09:12", "2026-08-05 09:12", "2026-08-05 17:00"),
        ("2026-08-05 12:00", "2026-08-05 13:30", "2026-08-05 17:00"),
        ("2026-08-05 17:00", "2026-08-06 07:30", "2026-08-06 17:00"),
        ("2026-02-13 20:00", "2026-02-23 07:30", "2026-02-23 17:00"),
        ("2025-12-31 18:00", "2026-01-05 07:30", "2026-01-05 17:00"),
        ("2024-02-29 23:59", "2024-03-01 07:30", "2024-03-01 17:00"),
        ("2026-08-22 10:00", "2026-08-22 10:00", "2026-08-22 17:00"),
    ],
    ids=["in hours", "at noon", "at closing", "the eve of Tết", "the year's end", "a leap day", "a make-up Saturday"],
)
def test_what_comes_outside_working_hours_has_come_at_the_next_opening(moment, begins, ends):
    assert CALENDAR.counts_from(at(moment)) == at(begins)
    assert CALENDAR.end_of_its_day(at(moment)) == at(ends)


def test_the_last_second_of_a_span_belongs_to_it_and_the_break_does_not():
    assert CALENDAR.add_working_time(at("2026-08-05 11:00"), timedelta(minutes=30)) == at("2026-08-05 11:30")
    assert CALENDAR.add_working_time(at("2026-08-05 11:00"), timedelta(minutes=31)) == at("2026-08-05 13:31")
    assert CALENDAR.working_time(at("2026-08-05 11:00"), at("2026-08-05 14:00")) == timedelta(hours=1)


def test_a_day_in_vietnam_is_not_the_day_in_utc():
    assert local_day(datetime(2026, 12, 31, 17, 0, tzinfo=UTC)) == date(2027, 1, 1)
    assert instant(date(2027, 1, 1), time(0)) == datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
