"""Stays in intensive care as rows of a cohort: each stay is a subject of its own, with times from its admission.

Models of the first 48 h read the same variables whatever the set: age and sex become static events, times are anchored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.cohort import Cohort, Rows, Stay, make_rows
from tools.ehr.risk.events import ANCHOR, STATIC, Events, from_columns

BEFORE = np.timedelta64(3600, "s")
"""What was measured within the hour before admission counts as measured at admission."""
HOURS = np.timedelta64(48 * 3600, "s")
_STATIC = ("Age", "Gender", "Height", "ICUType")


def cohort_of(source: str, events: Events, stays: Sequence[Stay]) -> Cohort:
    """The events of the set, with a row per person at the last event; stays are kept for `icu_stays`."""
    dated = events.where(~np.isnat(events.time))
    subjects, last = np.unique(dated.subject[::-1], return_index=True)
    moments = dated.time[::-1][last] if len(subjects) else np.zeros(0, "datetime64[s]")
    return Cohort(source, events, make_rows(subjects, moments, {}), tuple(stays))


def icu_stays(cohort: Cohort) -> Cohort:
    """A cohort whose subjects are stays of at least 48 h, asked at 48 h, with death in hospital and days as outcomes.

    `In-hospital_death` and `Length_of_stay` (days in hospital) are NaN where the set does not tell.
    """
    events = cohort.events
    people, starts = np.unique(events.subject, return_index=True)
    ends = np.append(starts[1:], len(events))
    kept: list[Stay] = []
    parts: list[tuple[NDArray[np.int64], NDArray[np.datetime64], NDArray[np.int32], NDArray[np.float64]]] = []
    vocabulary = (*events.vocabulary, *(name for name in _STATIC if name not in events.vocabulary))
    static_codes = [vocabulary.index(name) for name in _STATIC]
    for stay in cohort.stays:
        place = int(np.searchsorted(people, stay.person))
        admitted = np.datetime64(stay.start, "s")
        ended = None if stay.end is None else np.datetime64(stay.end, "s")
        if place >= len(people) or people[place] != stay.person or (ended is not None and ended < admitted + HOURS):
            continue
        mine = slice(starts[place], ends[place])
        time, code, value = events.time[mine], events.code[mine], events.value[mine]
        inside = ~np.isnat(time) & (time >= admitted - BEFORE) & (time <= admitted + HOURS)
        inside |= np.isnat(time) & np.isin(code, static_codes)
        since = np.maximum(time[inside] - admitted, np.timedelta64(0, "s"))
        static = static_of(events.vocabulary, time, code, admitted, stay.unit)
        parts.append((
            np.full(int(inside.sum()) + len(static), len(kept), np.int64),
            np.concatenate([np.where(np.isnat(since), STATIC, ANCHOR + since), np.full(len(static), STATIC)]),
            np.concatenate([code[inside], [vocabulary.index(name) for name, _ in static]]).astype(np.int32),
            np.concatenate([value[inside], [amount for _, amount in static]]),
        ))  # fmt: skip
        kept.append(stay)
    return Cohort(cohort.source, _joined(parts, vocabulary, events.rejected), _rows(kept))


def static_of(
    names: tuple[str, ...], time: NDArray[np.datetime64], code: NDArray[np.int32], admitted: np.datetime64, unit: int | None
) -> list[tuple[str, float]]:
    """Age, sex and unit, as far as the set tells them in its own way."""
    out: list[tuple[str, float]] = []
    born = time[[names[index] == "MEDS_BIRTH" for index in code]]
    if len(born) and not np.isnat(born[0]):
        out.append(("Age", float(int((admitted - born[0]).astype(np.int64) / 86400 / 365.25))))
    held = {names[index] for index in code[np.isnat(time)]}
    if held & {"GENDER//male", "GENDER//female"}:
        out.append(("Gender", float("GENDER//male" in held)))
    if unit is not None:
        out.append(("ICUType", float(unit)))
    return out


def _joined(
    parts: list[tuple[NDArray[np.int64], NDArray[np.datetime64], NDArray[np.int32], NDArray[np.float64]]],
    vocabulary: tuple[str, ...],
    rejected: dict[str, int],
) -> Events:
    if not parts:
        return from_columns(
            np.zeros(0, np.int64), np.zeros(0, "datetime64[s]"), np.zeros(0, np.int32), np.zeros(0), vocabulary, rejected
        )
    subject, time, code, value = (np.concatenate([part[index] for part in parts]) for index in range(4))
    return from_columns(subject, time, code, value, vocabulary, rejected)


def _rows(stays: list[Stay]) -> Rows:
    nan = float("nan")
    outcomes = {
        "In-hospital_death": [nan if stay.died is None else float(stay.died) for stay in stays],
        "Length_of_stay": [nan if stay.days_in_hospital is None else stay.days_in_hospital for stay in stays],
    }
    people = np.array([stay.person for stay in stays], dtype=np.int64)
    return make_rows(np.arange(len(stays), dtype=np.int64), np.full(len(stays), ANCHOR + HOURS), outcomes, people)


Span = tuple[int, datetime, datetime]
"""Person, admission to hospital, discharge (naive UTC)."""


def in_hospital(stays: Sequence[Stay], hospital: Sequence[Span], deaths: dict[int, datetime]) -> list[Stay]:
    """The stays with days in hospital and death in hospital, where a hospital visit spans the stay's beginning.

    A death up to a day after discharge is one in hospital: many sets give only its date.
    """
    visits: dict[int, list[Span]] = {}
    for visit in hospital:
        visits.setdefault(visit[0], []).append(visit)
    out = []
    for stay in stays:
        around = [visit for visit in visits.get(stay.person, ()) if visit[1] <= stay.start <= visit[2]]
        if not around:
            out.append(stay)
            continue
        _, began, ended = max(around, key=lambda visit: visit[2] - visit[1])
        died = stay.person in deaths and began <= deaths[stay.person] <= ended + timedelta(days=1)
        out.append(replace(stay, died=died, days_in_hospital=(ended - began).total_seconds() / 86400))
    return out
