"""How numbers are written and which dates fit them (exchange page §3.3; law R13, R17)."""

from datetime import date

from exchange.errors import NumberDateInvalid, SeriesClosed
from exchange.rules.model import Series


def written(form: str, n: int) -> str:
    """A number as it stands in the document: `{n}/QĐ-UBND` and 1 give `01/QĐ-UBND` (two digits below 10)."""
    return form.replace("{n}", f"{n:02d}")


def require_open(series: Series) -> None:
    """Raises `SeriesClosed`."""
    if series.state != "open":
        raise SeriesClosed(series=series.name)


def require_date(day: date, *, today: date, signed: date, last: date | None) -> None:
    """A number's date is not in the future, not before the leader's signature, and never falls while numbers rise.

    Raises `NumberDateInvalid` with the reason in the reader's words.
    """
    if day > today:
        raise NumberDateInvalid(date=day.isoformat(), why="> hôm nay / today")
    if day < signed:
        raise NumberDateInvalid(date=day.isoformat(), why=f"< {signed.isoformat()}, ngày ký / day of signature")
    if last is not None and day < last:
        raise NumberDateInvalid(date=day.isoformat(), why=f"< {last.isoformat()}, số trước / number before")
