"""The record as lanes in time, as data that `timeline.js` draws: problems, medicines, events, and values with their ranges.

An own SVG and not Plotly: Plotly's script weighs 4.5 MB in the browser, draws into elements that no reader can walk, and
leaves the highlighting of single events across lanes to us anyway; `timeline.js` is 12 kB and needs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from core.errors import ConsiliumError
from core.ports import ArtifactStore
from tools.ehr.record import Entry, Record
from tools.ehr.statements import statement
from tools.ehr.timeline import facts_of
from ui.render import text

_LARGEST_MB = 24
_MOST_ENTRIES = 4000
_MOST_PATIENTS = 12
_KEPT = 4
_RANGE = re.compile(r"^\s*(-?[\d.]+)\s+to\s+(-?[\d.]+)")
_ABOVE = re.compile(r"^\s*(?:at least|from|above|over|>=?)\s*(-?[\d.]+)")
_BELOW = re.compile(r"^\s*(?:at most|up to|below|under|<=?)\s*(-?[\d.]+)")
_LANES = {"condition": "problems", "allergy": "problems", "medication": "medicines"}
_NOT_DRAWN = frozenset({"family history"})


class Item(TypedDict):
    """An entry on a lane. Times are milliseconds since 1970; `to` is None where it has no end."""

    source: str
    text: str
    at: float
    to: float | None
    open: bool
    state: str
    category: str
    said: str


class Value(TypedDict):
    """One value of a series."""

    source: str
    at: float
    value: float
    low: float | None
    high: float | None
    said: str


class Series(TypedDict):
    """A quantity in one unit over time, with the reference range that the record gives last."""

    name: str
    unit: str
    low: float | None
    high: float | None
    values: list[Value]


class Drawing(TypedDict):
    """All that is drawn of one patient."""

    patient: str
    problems: list[Item]
    medicines: list[Item]
    events: list[Item]
    series: list[Series]
    undated: int
    left_out: int


def drawing(entries: Sequence[Entry], patient: str) -> Drawing:
    """Lanes of one patient's entries. Refuted problems are drawn as such; entries without a date are counted."""
    dated = [entry for entry in entries if entry.start.time and entry.category not in _NOT_DRAWN]
    undated = sum(1 for entry in entries if not entry.start.time)
    kept = dated[-_MOST_ENTRIES:]
    lanes: dict[str, list[Item]] = {"problems": [], "medicines": [], "events": []}
    for entry in kept:
        if entry.category != "observation" or not _numbers(entry):
            lanes[_LANES.get(entry.category, "events")].append(_item(entry))
    return Drawing(
        patient=patient, problems=lanes["problems"], medicines=lanes["medicines"], events=lanes["events"],
        series=_series(entry for entry in kept if entry.category == "observation"),
        undated=undated, left_out=len(dated) - len(kept),
    )  # fmt: skip


def _ms(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp() * 1000


def _item(entry: Entry) -> Item:
    lasting = entry.category in ("condition", "allergy", "medication", "encounter")
    return Item(
        source=entry.source, text=entry.text, at=_ms(entry.start.time),
        to=_ms(entry.end.time) if entry.end else None, open=lasting and not entry.end and entry.state == "current",
        state=entry.state, category=entry.category, said=statement(entry),
    )  # fmt: skip


def _numbers(entry: Entry) -> list[tuple[str, float, str]]:
    """Name, value and unit of every number that an observation holds."""
    found = [(f"{entry.text}, {part.text}", part.value, part.unit) for part in entry.parts]
    found += [(entry.text, entry.value, entry.unit)]
    return [(name, value, unit) for name, value, unit in found if isinstance(value, float)]


def _series(entries: Iterable[Entry]) -> list[Series]:
    """One series for each quantity and unit, the most measured first."""
    found: dict[tuple[str, str], Series] = {}
    for entry in entries:
        low, high = reference_range(entry.detail("range"))
        for name, value, unit in _numbers(entry):
            series = found.setdefault((name, unit), Series(name=name, unit=unit, low=None, high=None, values=[]))
            if low is not None or high is not None:
                series["low"], series["high"] = low, high
            series["values"].append(
                Value(source=entry.source, at=_ms(entry.start.time), value=value, low=low, high=high, said=statement(entry))
            )
    return sorted(found.values(), key=lambda series: (-len(series["values"]), series["name"]))


def reference_range(told: str) -> tuple[float | None, float | None]:
    """The bounds of a range as the record words it: "12 to 15.5 g/dL", "at most 5"; (None, None) for other words."""
    if both := _RANGE.match(told):
        return float(both[1]), float(both[2])
    above, below = _ABOVE.match(told), _BELOW.match(told)
    return (float(above[1]) if above else None), (float(below[1]) if below else None)


@lru_cache(maxsize=_KEPT)
def _drawings(path: Path, changed: int) -> tuple[str, ...]:
    """The drawings of a file's patients, as JSON."""
    from tools.ehr.fhir import read_fhir

    record = read_fhir(path)
    return tuple(_as_json(record, place) for place in range(min(len(record.patients), _MOST_PATIENTS)))


def _as_json(record: Record, place: int) -> str:
    patient = record.patients[place]
    return json.dumps(drawing(facts_of(record, patient), patient.described), ensure_ascii=False, separators=(",", ":"))


def timeline_html(store: ArtifactStore | None) -> str:
    """The timelines of the attached records; nothing when none is attached."""
    if store is None:
        return ""
    shown = []
    for artifact in (artifact for artifact in store.list() if artifact.kind == "record"):
        mark = " SYNTHETIC" if artifact.synthetic else ""
        name = f"{artifact.handle}{mark}"
        if artifact.bytes > _LARGEST_MB * 1024 * 1024:
            shown.append(_notice(f"{name} is larger than {_LARGEST_MB} MB and is not drawn; ask about it instead."))
            continue
        path = store.path(artifact.handle)
        try:
            drawings = _drawings(path, path.stat().st_mtime_ns)
        except ConsiliumError as error:
            shown.append(_notice(f"{name}: {error}"))
            continue
        shown += [_frame(name, data) for data in drawings]
    return "".join(shown)


def _notice(words: str) -> str:
    return f'<p class="notice warning">{text(words)}</p>'


def _frame(name: str, data: str) -> str:
    told = f'data-record="{text(name)}" data-drawing="{text(data)}"'
    return f'<section class="timeline" aria-label="Timeline" {told}></section>'
