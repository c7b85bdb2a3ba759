"""FHIR dates and times, kept as precise as they are given.

FHIR allows YYYY, YYYY-MM, YYYY-MM-DD and full instants with a zone (https://hl7.org/fhir/R4/datatypes.html#dateTime).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from tools.ehr.record import UNDATED, When

_PARTIAL = re.compile(r"^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$")
_INSTANT = re.compile(r"^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(Z|z|[+-]\d{2}:?\d{2})?$", re.ASCII)


@lru_cache(maxsize=16384)
def read_time(text: str) -> When:
    """A FHIR date, dateTime or instant; `UNDATED` when it is none.

    A date stands for midnight UTC of its first day and shows as the date only. A time of day without a zone breaks
    the standard; it is taken as UTC and shown as "(no zone given)".
    """
    text = text.strip()
    partial = _PARTIAL.match(text)
    try:
        if partial:
            year, month, day = (int(part) if part else 1 for part in partial.groups())
            return When(datetime(year, month, day, tzinfo=UTC), text)
        return _instant(text)
    except (ValueError, OverflowError):
        return UNDATED


def _instant(text: str) -> When:
    match = _INSTANT.match(text)
    if match is None:
        return UNDATED
    day, minute, second, zone = match.groups()
    zone = "+00:00" if zone in ("Z", "z") else zone
    moment = datetime.fromisoformat(f"{day}T{minute}:{_second(second)}{zone or '+00:00'}")
    moment.astimezone(UTC)  # a moment that UTC cannot express (year 0001 east of Greenwich) is no date
    if second == "60":
        moment += timedelta(seconds=1)
    return When(moment, f"{day} {minute} {_zone_name(zone)}")


def _second(second: str | None) -> str:
    return "59" if second == "60" else second or "00"


def _zone_name(zone: str | None) -> str:
    if zone is None:
        return "(no zone given)"
    return "UTC" if zone in ("+00:00", "-00:00", "+0000") else f"UTC{zone[:3]}:{zone[-2:]}"


def age_on(born: When, moment: datetime) -> str:
    """Completed years as "74", or "73 or 74" when only the year or month of birth is known; "" when unknown."""
    if born.time is None:
        return ""
    first = born.time.date()
    oldest = _years(first, moment.date())
    youngest = _years(_last_day(born), moment.date())
    if youngest < 0:
        return ""
    return str(oldest) if oldest == youngest else f"{youngest} or {oldest}"


def _last_day(born: When) -> date:
    first = born.time.date() if born.time else date.min
    if len(born.text) == 4:
        return first.replace(month=12, day=31)
    if len(born.text) == 7:
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first


def _years(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
