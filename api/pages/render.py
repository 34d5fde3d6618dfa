"""Templates to pages: language, dates, hidden fields of forms. Values come from the routes; nothing is read here."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.pages.texts import LANGUAGES, text

_HERE = Path(__file__).parent
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_environment = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def language_of(request: Request) -> str:
    """`vi` unless the reader chose English (cookie) or the browser asks for English and not for Vietnamese."""
    chosen = request.cookies.get("congvan_language")
    if chosen in LANGUAGES:
        return chosen
    wanted = request.headers.get("accept-language", "").lower()
    return "en" if wanted.startswith("en") and "vi" not in wanted else "vi"


def moment(at: datetime) -> str:
    """An instant as lists show it, in Vietnam's time: `05/8/2026 14:03`."""
    local = at.astimezone(_ZONE)
    return f"{local.day:02d}/{local.month}/{local.year} {local:%H:%M}"


def day(value: date) -> str:
    """A day as lists show it: `05/8/2026`."""
    return f"{value.day:02d}/{value.month}/{value.year}"


def local_day(at: datetime) -> date:
    """The day in Vietnam on which an instant falls."""
    return at.astimezone(_ZONE).date()


def html(template: str, language: str, values: Mapping[str, object], *, status: int = 200) -> HTMLResponse:
    """The finished page."""
    tools = {
        "language": language,
        "t": lambda key, **gaps: text(language, key, **gaps),
        "moment": moment,
        "day": day,
        "type_name": lambda kind: _type_name(language, kind),
    }
    return HTMLResponse(_environment.get_template(template).render(tools | dict(values)), status_code=status)


def _type_name(language: str, kind: str) -> str:
    """Types are an open set: an unknown one is shown as it is written."""
    try:
        return text(language, f"type.{kind}")
    except KeyError:
        return kind
