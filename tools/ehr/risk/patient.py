"""One patient as events for the ICU models, from FHIR or a text record of PhysioNet 2012, each event with its source.

FHIR: the stay is the last encounter in intensive care; LOINC codes name the variables; units are converted where the table
knows them and refused with a warning where not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core.errors import FileError, InputError
from core.types import RecordEvent
from tools.ehr.record import Entry, Patient
from tools.ehr.risk.cohort import Rows, make_rows
from tools.ehr.risk.events import ANCHOR, STATIC, Events, build
from tools.ehr.risk.physionet import record_lines
from tools.ehr.risk.plausible import VARIABLES
from tools.ehr.risk.units import LOINC, converted
from tools.ehr.statements import as_event

_ICU_CODES = {"305351004", "309904001"}
_ICU_TYPES = (("coronary", 1), ("cardiac surgery", 2), ("surgical", 4), ("trauma", 4), ("medical", 3))
Key = tuple[str, int, float]


@dataclass(frozen=True)
class PatientRecord:
    """Events of one patient (subject 0), the moment of prediction, and where each event stands in the source."""

    events: Events
    rows: Rows
    sources: dict[Key, RecordEvent] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def known(self) -> Events:
        """What may be read: the events up to the moment of prediction."""
        return self.events.until({0: self.rows.moment[0]})


def from_text(path: Path) -> PatientRecord:
    """A record of PhysioNet 2012."""
    lines = list(record_lines(path))
    if not lines:
        raise FileError(f"{path.name} holds no events.")
    triples = [(minute, name, value) for minute, name, value in lines if value != -1]
    static = ("Age", "Gender", "Height", "ICUType")
    times = [STATIC if name in static else ANCHOR + np.timedelta64(minute, "m") for minute, name, _ in triples]
    names, values = [name for _, name, _ in triples], [value for _, _, value in triples]
    events = build([0] * len(triples), times, names, values)
    sources = {}
    for (minute, name, value), time in zip(triples, times, strict=True):
        text = VARIABLES[name].text if name in VARIABLES else name
        unit = VARIABLES[name].unit if name in VARIABLES else ""
        when = "" if np.isnat(time) else f" at {minute // 60:02}:{minute % 60:02} after admission"
        sources[_key(name, time, value)] = RecordEvent(
            time=None, code=name, system="PhysioNet 2012", text=text, value=value, unit=unit, category="observation",
            source=f"line {name} {minute // 60:02}:{minute % 60:02}",
            statement=f"{text} was {value:g} {unit}".strip() + f"{when}.",
        )  # fmt: skip
    return PatientRecord(events, _at_48h(ANCHOR), sources, _refused(events))


def _at_48h(admitted: np.datetime64) -> Rows:
    return make_rows(np.zeros(1, np.int64), np.array([admitted + np.timedelta64(48, "h")]), {})


def _refused(events: Events) -> tuple[str, ...]:
    return tuple(
        f"{number} value{'s' if number > 1 else ''} not used: {reason}; check the unit."
        for reason, number in events.rejected.items()
        if "duplicates" not in reason
    )


def from_record(patient: Patient, entries: Sequence[Entry], handle: str) -> PatientRecord:
    """The last stay in intensive care of a FHIR record.

    Raises:
        InputError: the record documents no such stay, or not 48 h of one: there is nothing to predict from.
    """
    stays = [entry for entry in entries if entry.category == "encounter" and entry.start.time and _is_icu(entry)]
    if not stays:
        raise InputError(
            "No estimate: the record documents no stay in intensive care, and the models are for adults at 48 h of one."
        )
    stay = stays[-1]
    admitted = _seconds(stay.start.time)
    if stay.end.time and _seconds(stay.end.time) < admitted + np.timedelta64(48, "h"):
        raise InputError(
            "No estimate: the stay in intensive care was shorter than 48 h, and the models need the first 48 h."
        )
    found = list(_static(patient, stay))
    warnings: list[str] = []
    for entry in entries:
        found += _measured(entry, admitted, warnings)
    events = build([0] * len(found), [t for _, t, _, _ in found], [n for n, _, _, _ in found], [v for _, _, v, _ in found])
    sources = {_key(name, time, value): as_event(entry, handle) for name, time, value, entry in found if entry is not None}
    return PatientRecord(events, _at_48h(admitted), sources, (*dict.fromkeys(warnings), *_refused(events)))


Found = tuple[str, np.datetime64, float, Entry | None]


def _is_icu(entry: Entry) -> bool:
    words = f"{entry.text} {' '.join(code.display for code in entry.codes)}".lower()
    return any(code.code in _ICU_CODES for code in entry.codes) or "intensive care" in words or "coronary care" in words


def _seconds(moment: datetime | None) -> np.datetime64:
    if moment is None:
        return STATIC
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "s")


def _static(patient: Patient, stay: Entry) -> Iterator[Found]:
    if patient.born.time and stay.start.time:
        years = (stay.start.time - patient.born.time).days / 365.25
        yield "Age", STATIC, float(int(years)), None
    if patient.sex in ("male", "female"):
        yield "Gender", STATIC, float(patient.sex == "male"), None
    kind = next((number for word, number in _ICU_TYPES if word in stay.text.lower()), None)
    if kind is not None:
        yield "ICUType", STATIC, float(kind), stay


def _measured(entry: Entry, admitted: np.datetime64, warnings: list[str]) -> Iterator[Found]:
    if entry.category != "observation" or not entry.start.time or entry.state in ("planned", "not done", "refuted"):
        return
    time = _seconds(entry.start.time)
    if time < admitted - np.timedelta64(1, "h"):
        return
    parts = [(entry.codes, entry.value, entry.unit), *((part.codes, part.value, part.unit) for part in entry.parts)]
    for codes, value, unit in parts:
        name = next((LOINC[code.code] for code in codes if code.code in LOINC), None)
        if name is None or not isinstance(value, float | int):
            continue
        number = converted(name, float(value), unit)
        if number is None:
            warnings.append(f"{VARIABLES[name].text}: the unit {unit!r} is not known here, so it was not used.")
        else:
            at = STATIC if name == "Height" else max(time, admitted)
            yield name, at, round(number, 4), entry


def _key(name: str, time: np.datetime64, value: float) -> Key:
    return name, int(time.astype(np.int64)), round(float(value), 4)


def source_of(record: PatientRecord, index: int, events: Events) -> RecordEvent | None:
    """The line of the source that event `index` of `events` was read from."""
    name = events.vocabulary[events.code[index]]
    return record.sources.get(_key(name, events.time[index], events.value[index]))
