"""Features at every hour of a stay: last value, its age, count, range so far, mean and change over windows. Causal.

Each row reads only events at or before its own moment; values are carried forward within a subject.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.cohort import Rows
from tools.ehr.risk.events import Events
from tools.ehr.risk.features import Table

_CLOCK = "hours in intensive care"
_RATIOS = {"HR/Systolic": ("HR", "SysABP"), "BUN/Creatinine": ("BUN", "Creatinine"), "SaO2/FiO2": ("SaO2", "FiO2")}


def hourly_features(events: Events, rows: Rows, hours: float) -> Table:
    """One row per (subject, moment); `hours` is the window of the change."""
    order = np.lexsort((rows.moment.astype(np.int64), rows.subject))
    subject, moment = rows.subject[order], rows.moment[order]
    first = np.append(True, subject[1:] != subject[:-1]) if len(subject) else np.zeros(0, bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(subject)), 0)) if len(subject) else np.zeros(0, int)
    clock = (moment - moment[start]).astype("timedelta64[s]").astype(np.float64) / 3600
    event_row = _rows_of(events, subject, moment)
    columns: dict[str, NDArray[np.float32]] = {f"{_CLOCK}|clock": clock.astype(np.float32)}
    codes: list[tuple[str, ...]] = [(_CLOCK,)]
    lag, older = _lagged(start, clock, hours), _lagged(start, clock, 2 * hours)
    for index, name in enumerate(events.vocabulary):
        mine = (events.code == index) & (event_row >= 0)
        if not mine.any():
            continue
        grid = np.full(len(subject), np.nan)
        grid[event_row[mine]] = events.value[mine]
        static = bool(np.isnat(events.time[mine]).all())
        for kind, column in _series(grid, start, clock, (lag, older), static).items():
            columns[f"{name}|{kind}"] = column.astype(np.float32)
            codes.append((name,))
    for name, (above, below) in _RATIOS.items():
        if f"{above}|last" in columns and f"{below}|last" in columns:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = columns[f"{above}|last"] / columns[f"{below}|last"]
            columns[f"{name}|ratio"] = np.where(np.isfinite(ratio), ratio, np.nan).astype(np.float32)
            codes.append((above, below))
    x = np.column_stack(list(columns.values()))
    back = np.empty(len(order), np.intp)
    back[order] = np.arange(len(order))
    return Table(x[back], tuple(columns), tuple(codes))


def _rows_of(events: Events, subject: NDArray[np.int64], moment: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """For each event the first row of its subject at or after it, shape (n,); -1 when there is none."""
    base = np.int64(10**11)  # seconds, more than any stay; keeps subjects apart in one sorted key
    zero = moment.astype(np.int64).min() if len(moment) else 0
    people = np.unique(subject)
    key = np.searchsorted(people, subject) * base + (moment.astype(np.int64) - zero)
    place = np.clip(np.searchsorted(people, events.subject), 0, max(len(people) - 1, 0))
    seconds = np.where(np.isnat(events.time), 0, events.time.astype(np.int64) - zero)
    found = np.searchsorted(key, place * base + np.clip(seconds, 0, base - 1))
    safe = np.clip(found, 0, max(len(subject) - 1, 0))
    good = (found < len(subject)) & (people[place] == events.subject) & (subject[safe] == events.subject)
    return np.where(good, found, -1)


def _lagged(start: NDArray[np.intp], clock: NDArray[np.float64], hours: float) -> NDArray[np.intp]:
    """For each row the last row of the subject that is at least `hours` older, or the row itself where none is."""
    base = 10.0**6
    key = start * base + clock
    found = np.searchsorted(key, key - hours, side="right") - 1
    return np.where((found >= start) & (clock >= hours), found, np.arange(len(start)))


def _series(
    grid: NDArray[np.float64],
    start: NDArray[np.intp],
    clock: NDArray[np.float64],
    lags: tuple[NDArray[np.intp], NDArray[np.intp]],
    static: bool,
) -> dict[str, NDArray[np.float64]]:
    there = ~np.isnan(grid)
    seen = np.maximum.accumulate(np.where(there, np.arange(len(grid)), -1))
    has = seen >= start
    last = np.where(has, grid[np.maximum(seen, 0)], np.nan)
    if static:
        return {"last": last}
    total = np.cumsum(there)
    return {
        "last": last,
        "hours_since": np.where(has, clock - clock[np.maximum(seen, 0)], np.nan),
        "count": (total - (total - there)[start]).astype(np.float64),
        "change": last - last[lags[0]],
        "change2": last - last[lags[1]],
        "mean": _window_mean(grid, start, lags[0]),
        "mean2": _window_mean(grid, start, lags[1]),
        "count2": _window_count(total, start, lags[1], there),
        "max": _running(grid, start, np.fmax),
        "min": _running(grid, start, np.fmin),
    }


def _window_mean(grid: NDArray[np.float64], start: NDArray[np.intp], lag: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean of the values after the lagged row, or from the start of the stay where there is none."""
    there = ~np.isnan(grid)
    sums = np.concatenate([[0.0], np.cumsum(np.where(there, grid, 0.0))])
    numbers = np.concatenate([[0], np.cumsum(there)])
    here = np.arange(len(grid))
    begin = np.where(lag == here, start, lag + 1)
    number = numbers[here + 1] - numbers[begin]
    return np.where(number > 0, (sums[here + 1] - sums[begin]) / np.maximum(number, 1), np.nan)


def _window_count(
    total: NDArray[np.int64], start: NDArray[np.intp], lag: NDArray[np.intp], there: NDArray[np.bool_]
) -> NDArray[np.float64]:
    before = total - there  # strictly before each row
    here = np.arange(len(total))
    return (total - np.where(lag == here, before[start], total[lag])).astype(np.float64)


def _running(grid: NDArray[np.float64], start: NDArray[np.intp], function: np.ufunc) -> NDArray[np.float64]:
    out = np.empty_like(grid)
    edges = np.append(np.unique(start), len(grid))
    for low, high in pairwise(edges.tolist()):
        out[low:high] = function.accumulate(grid[low:high])
    return out
