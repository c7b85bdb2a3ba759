"""Dates in text: found, read, and moved by whole weeks in the form they had, so that weekdays and intervals stay."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = "january february march april may june july august september october november december".split()
_NAME = (
    r"(?P<mon>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)"
)
_Y4 = r"(?P<y>(?:18|19|20|21)\d\d)"
_YY = r"(?P<y>(?:18|19|20|21)\d\d|'?\d\d)"
_D = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_M = r"(?P<m>0?[1-9]|1[0-2])"
_A, _B = r"(?P<a>0?[1-9]|[12]\d|3[01])", r"(?P<b>0?[1-9]|[12]\d|3[01])"
_L, _R = r"(?<![\w/.-])", r"(?![\w/]|[.-]\w)"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("iso", rf"(?<![\w/.-]){_Y4}(?P<s>\s?[-/.]\s?)(?P<m>0?[1-9]|1[0-2])(?P=s){_D}(?=T\d|(?![\w/]|[.-]\w))"),
        ("compact", rf"(?<!\w){_Y4}(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?=T?\d{{4,6}}\b|\b)"),
        ("numeric", rf"{_L}{_A}(?P<s>\s?[/.-]\s?){_B}(?P=s){_YY}{_R}"),
        ("words", rf"(?<!\w){_NAME}\.?[\s-]*{_D}(?:st|nd|rd|th)?(?:[\s,.-]+|,?\s+of\s+){_YY}(?!\w)"),
        ("dayfirst", rf"(?<!\w){_D}(?:st|nd|rd|th)?(?:\s+of)?[\s.-]*{_NAME}\.?,?[\s-]*{_YY}(?!\w)"),
        ("monthyear", rf"(?<!\w){_NAME}\.?(?:\s+of|,|\s*-)?\s*{_Y4}(?!\w)"),
        ("monthday", rf"(?<!\w){_NAME}\.?\s*-?{_D}(?:st|nd|rd|th)?(?![\w]|\s?(?:mg|ml|%))"),
        ("daymonth", rf"(?<!\w){_D}(?:st|nd|rd|th)?(?:\s+of)?[\s-]+{_NAME}(?!\w)"),
        ("slashyear", rf"{_L}(?P<m>0?[1-9]|1[0-2])(?P<s>[/-]){_Y4}{_R}"),
        ("slashday", rf"{_L}{_A}(?P<s>[/]){_B}{_R}"),
    )
)
COMPLETE = ("iso", "compact", "numeric", "words", "dayfirst")


@dataclass(frozen=True)
class Found:
    """A date in a text. `day` is the calendar day meant; where the text has no year or day, one was assumed."""

    start: int
    end: int
    kind: str
    day: date
    match: re.Match[str]
    month_first: bool


def find_dates(text: str, year: int | None = None) -> list[Found]:
    """All dates, the longest reading first. `slashday` (3/4) is only a possible date: callers decide by what stands round it.

    Args:
        text: any text.
        year: assumed for dates without one; default: that of the first complete date, else 2001.
    """
    month_first = _month_first(text)
    taken: list[Found] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < other.end and other.start < match.end() for other in taken):
                continue
            day = _day(kind, match, month_first, year or _year(taken))
            if day is not None:
                taken.append(Found(match.start(), match.end(), kind, day, match, month_first))
    return sorted(taken, key=lambda found: found.start)


def moved(found: Found, days: int) -> str:
    """The date so many days later, written as it was."""
    day = found.day + timedelta(days=days)
    parts = found.match.groupdict()
    new: dict[str, str] = {}
    if parts.get("y"):
        new["y"] = _like_year(parts["y"], day.year)
    if parts.get("mon"):
        new["mon"] = _like_month(parts["mon"], day.month)
    wide = all(len(parts[group] or "00") == 2 for group in ("m", "d", "a", "b") if group in parts)
    if found.kind in ("words", "monthday"):  # "March 15" goes to "March 5"; only "March 05" says that it pads
        wide = parts["d"].startswith("0")
    for group, value in (("m", day.month), ("d", day.day)):
        if parts.get(group):
            new[group] = _padded(wide, value)
    if parts.get("a"):
        first, second = (day.month, day.day) if _reads_month_first(found) else (day.day, day.month)
        new["a"], new["b"] = _padded(wide, first), _padded(wide, second)
    pieces, end = [], found.match.start()
    for group in sorted(new, key=found.match.start):
        pieces += [found.match.string[end : found.match.start(group)], new[group]]
        end = found.match.end(group)
    text = "".join(pieces) + found.match.string[end : found.match.end()]
    return _ordinals(text, day.day)


def _ordinals(text: str, day: int) -> str:
    ending = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")

    def fix(match: re.Match[str]) -> str:
        told = match.group(2)
        return match.group(1) + (ending.upper() if told.isupper() else ending)

    return re.sub(r"\b(\d{1,2})(st|nd|rd|th)\b", fix, text, flags=re.IGNORECASE)


def _month_first(text: str) -> bool:
    """American order unless a date of the text can only be read the other way."""
    for match in re.finditer(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(?:\d{4}|\d\d)(?![\d/-])", text):
        one, two = int(match.group(1)), int(match.group(3))
        if 12 < one <= 31 and two <= 12:
            return False
        if 12 < two <= 31 and one <= 12:
            return True
    return True


def _reads_month_first(found: Found) -> bool:
    one, two = int(found.match["a"]), int(found.match["b"])
    if one > 12:
        return False
    return True if two > 12 else found.month_first and found.match["s"].strip() != "."


def _day(kind: str, match: re.Match[str], month_first: bool, year: int) -> date | None:
    parts = match.groupdict()
    if parts.get("a"):
        one, two = int(parts["a"]), int(parts["b"])
        first = (one <= 12) if two > 12 else (month_first and parts["s"].strip() != "." and one <= 12)
        month, day = (one, two) if first else (two, one)
    else:
        month = _month(parts["mon"]) if parts.get("mon") else int(parts["m"])
        day = int(parts["d"]) if parts.get("d") else 15
    try:
        return date(_full(parts["y"]) if parts.get("y") else year, month, day)
    except ValueError:
        return None


def _year(taken: list[Found]) -> int:
    return next((found.day.year for found in taken if found.kind in COMPLETE), 2001)


def _full(year: str) -> int:
    digits = year.lstrip("'")
    if len(digits) == 4:
        return int(digits)
    return 2000 + int(digits) if int(digits) < 50 else 1900 + int(digits)


def _month(name: str) -> int:
    return next(i for i, month in enumerate(_MONTHS, start=1) if month.startswith(name.lower()[:3]))


def _padded(wide: bool, value: int) -> str:
    return f"{value:02d}" if wide else str(value)


def _like_year(was: str, year: int) -> str:
    if len(was.lstrip("'")) == 4:
        return str(year)
    return ("'" if was.startswith("'") else "") + f"{year % 100:02d}"


def _like_month(was: str, month: int) -> str:
    name = _MONTHS[month - 1]
    if was.lower() not in _MONTHS or len(was) <= 3:
        name = name[:3]
    if was.isupper():
        return name.upper()
    return name.capitalize() if was[0].isupper() else name
