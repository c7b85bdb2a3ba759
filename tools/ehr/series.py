"""Values of one quantity over time, and the sentence that sums them up. Pure arithmetic on what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.types import Finding
from tools.ehr.fhir_fields import show
from tools.ehr.record import Entry, When
from tools.ehr.statements import on

METHOD = "first, last, lowest and highest of the dated values as recorded; equal values at one time count once"


@dataclass(frozen=True)
class Point:
    """One dated number."""

    when: When
    value: float
    unit: str


def points(entries: Sequence[Entry], part: str = "") -> tuple[Point, ...]:
    """Dated numeric values from old to new; with `part`, those of the component of that name."""
    found = []
    for entry in entries:
        value, unit = entry.value, entry.unit
        if part:
            value, unit = next(((p.value, p.unit) for p in entry.parts if p.text == part), (None, ""))
        if isinstance(value, float) and entry.start.time and entry.state == "recorded":
            found.append(Point(entry.start, value, unit))
    distinct = {(point.when.time, point.value, point.unit): point for point in found}
    return tuple(sorted(distinct.values(), key=_moment))


def _moment(point: Point) -> datetime:
    return point.when.time or datetime.min.replace(tzinfo=UTC)


def trend(name: str, entries: Sequence[Entry], record: str = "") -> tuple[Finding, ...]:
    """One finding per quantity that has two or more values in one unit; none where units are mixed."""
    parts = [part.text for entry in entries[:1] for part in entry.parts]
    series = [(f"{name}, {part}", points(entries, part)) for part in parts] or [(name, points(entries))]
    return tuple(_finding(text, found, record) for text, found in series if _comparable(found))


def _comparable(found: Sequence[Point]) -> bool:
    return len(found) >= 2 and len({point.unit for point in found}) == 1


def mixed_units(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The units of a series when there are several."""
    units = sorted({point.unit or "none" for point in points(entries)})
    return tuple(units) if len(units) > 1 else ()


def _finding(name: str, found: Sequence[Point], record: str) -> Finding:
    first, last = found[0], found[-1]
    values = [point.value for point in found]
    unit = f" {last.unit}" if last.unit not in ("", "%") else last.unit
    statement = (
        f"{name} was {show(first.value)}{unit}{on(first.when)} and {show(last.value)}{unit}{on(last.when)}: "
        f"{_direction(first.value, last.value)} over {len(found)} measurements "
        f"(lowest {show(min(values))}{unit}, highest {show(max(values))}{unit})."
    )
    return Finding(
        name=f"{name} over time",
        value=last.value,
        unit=last.unit,
        method=METHOD,
        artifact=record,
        statement=statement,
    )


def _direction(first: float, last: float) -> str:
    if first == last:
        return "the same"
    return "higher" if last > first else "lower"
