"""How numbers are written (R17), which dates fit them, and to which year a moment belongs in Vietnam."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from exchange.errors import NumberDateInvalid, SeriesClosed
from exchange.rules.calendar import local_day
from exchange.rules.model import Series
from exchange.rules.numbering import require_date, require_open, written


@pytest.mark.parametrize(
    ("form", "n", "text"),
    [
        ("{n}/QĐ-UBND", 1, "01/QĐ-UBND"),
        ("{n}/QĐ-UBND", 9, "09/QĐ-UBND"),
        ("{n}/QĐ-UBND", 10, "10/QĐ-UBND"),
        ("{n}/QĐ-UBND", 99, "99/QĐ-UBND"),
        ("{n}/QĐ-UBND", 100, "100/QĐ-UBND"),
        ("{n}/QĐ-UBND", 12345, "12345/QĐ-UBND"),
        ("{n}/UBND-VP", 15, "15/UBND-VP"),
        ("{n}/{khác}", 3, "03/{khác}"),  # only the number's place is filled
    ],
)
def test_a_number_is_written_with_two_digits_below_ten(form, n, text):
    assert written(form, n) == text


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 12, 31, 16, 59, 59, 999_999, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 17, 0, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2027, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=7))), date(2027, 1, 1)),
        (datetime(2026, 12, 31, 23, 30, tzinfo=timezone(timedelta(hours=9))), date(2026, 12, 31)),
        (datetime(2027, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=9))), date(2026, 12, 31)),
        (datetime(2028, 2, 28, 18, 0, tzinfo=UTC), date(2028, 2, 29)),
    ],
)
def test_the_day_and_so_the_year_of_a_moment_are_vietnams(moment, day):
    assert local_day(moment) == day


TODAY, SIGNED = date(2027, 1, 2), date(2026, 12, 30)


@pytest.mark.parametrize(
    ("day", "last", "why"),
    [
        (TODAY, None, None),
        (SIGNED, None, None),
        (date(2027, 1, 1), date(2027, 1, 1), None),
        (date(2027, 1, 3), None, "hôm nay / today"),
        (date(2026, 12, 29), None, "ngày ký / day of signature"),
        (date(2026, 12, 31), date(2027, 1, 1), "số trước / number before"),
    ],
)
def test_a_numbers_date_lies_between_signature_and_today_and_never_falls(day, last, why):
    if why is None:
        require_date(day, today=TODAY, signed=SIGNED, last=last)
        return
    with pytest.raises(NumberDateInvalid) as refused:
        require_date(day, today=TODAY, signed=SIGNED, last=last)
    for language in ("vi", "en"):
        assert day.isoformat() in refused.value.sentence(language)
        assert why in refused.value.sentence(language)


def test_a_closed_series_gives_no_number():
    require_open(Series("ser_1", "H99", 2026, "qd", "Quyết định", "{n}/QĐ"))
    with pytest.raises(SeriesClosed):
        require_open(Series("ser_1", "H99", 2026, "qd", "Quyết định", "{n}/QĐ", state="closed"))
