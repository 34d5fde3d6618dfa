"""Days in Vietnam: which day an instant falls on, and the year of a book. Working days come with the deadlines."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def local_day(at: datetime) -> date:
    """The day in Vietnam on which an instant falls."""
    return at.astimezone(ZONE).date()
