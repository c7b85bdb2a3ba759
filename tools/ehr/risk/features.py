"""Features of a record at a moment: counts, last values, ranges, trends and recency per code. Only known events are read.

Every feature knows the codes that it comes from, so that an attribution can be told as events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.cohort import Rows
from tools.ehr.risk.events import Events
from tools.ehr.risk.windows import LATE, organ_steps, windowed

SERIES = ("count", "first", "last", "min", "max", "mean", "sd", "slope", "late_mean", "hours_since", "sum")
"""Per code with times. slope: least squares per hour; late_mean: the last half of the window; hours_since: to the moment."""
MERGED = {
    "Systolic": ("SysABP", "NISysABP"),
    "Diastolic": ("DiasABP", "NIDiasABP"),
    "MeanPressure": ("MAP", "NIMAP"),
}
"""One quantity measured in two ways is also read as one."""
RATIOS = {
    "PaO2/FiO2": (("PaO2", "min"), ("FiO2", "last")),
    "BUN/Creatinine": (("BUN", "last"), ("Creatinine", "last")),
    "HR/Systolic": (("HR", "last"), ("Systolic", "last")),
    "HR/Systolic worst": (("HR", "max"), ("Systolic", "min")),
    "Urine/Weight": (("Urine", "sum"), ("Weight", "last")),
    "Creatinine rise": (("Creatinine", "last"), ("Creatinine", "min")),
    "Platelets fall": (("Platelets", "last"), ("Platelets", "max")),
}
_FLAG = 0.0


@dataclass(frozen=True)
class Table:
    """X has shape (rows, features), NaN where the record has nothing; `codes[j]` are the codes that feature j reads."""

    x: NDArray[np.float32]
    names: tuple[str, ...]
    codes: tuple[tuple[str, ...], ...]

    def align(self, names: Sequence[str]) -> NDArray[np.float32]:
        """The columns in another order; a feature that this table lacks is NaN, or 0 when it is a count."""
        place = {name: index for index, name in enumerate(self.names)}
        out = np.full((len(self.x), len(names)), np.nan, np.float32)
        for index, name in enumerate(names):
            if name in place:
                out[:, index] = self.x[:, place[name]]
            elif name.endswith(("|count", "|present", "|count12", "|steps")):
                out[:, index] = 0
        return out


def stay_features(events: Events, rows: Rows, hours: float) -> Table:
    """One moment per subject; the window is the `hours` before it. What came later is never looked at."""
    known = events.until(dict(zip(rows.subject.tolist(), rows.moment, strict=True)))
    return _columns(_with_merged(known), rows, hours)


def _with_merged(events: Events) -> Events:
    vocabulary = list(events.vocabulary)
    parts = [(events.subject, events.time, events.code, events.value)]
    for name, sources in MERGED.items():
        indices = [vocabulary.index(source) for source in sources if source in vocabulary]
        if indices:
            mask = np.isin(events.code, indices)
            code = np.full(int(mask.sum()), len(vocabulary), np.int32)
            parts.append((events.subject[mask], events.time[mask], code, events.value[mask]))
            vocabulary.append(name)
    subject, time, code, value = (np.concatenate([part[i] for part in parts]) for i in range(4))
    return Events(subject, time, code, value, tuple(vocabulary))


def _columns(events: Events, rows: Rows, hours: float) -> Table:
    known = np.unique(rows.subject)
    place = np.searchsorted(known, events.subject).astype(np.int64)
    width = len(events.vocabulary)
    limits = np.zeros(len(known), "datetime64[s]")
    limits[np.searchsorted(known, rows.subject)] = rows.moment
    before = (limits[place] - events.time).astype("timedelta64[s]").astype(np.float64) / 3600
    before[np.isnat(events.time)] = np.nan
    static = np.isnan(before)
    keep = static | (before <= hours)
    key = place[keep] * width + events.code[keep]
    order = np.lexsort((-np.nan_to_num(before[keep], nan=hours), key))
    groups = _Groups(key[order], events.value[keep][order], before[keep][order], hours)
    columns, codes = _assemble(groups, events.vocabulary, len(known))
    if hours > LATE:  # parts of a shorter window would say nothing new
        parts, reads = windowed(events, place, before, len(known), hours)
        columns |= parts
        codes |= {name: MERGED.get(read[0], read) for name, read in reads.items()}
        steps, reads = organ_steps(columns)
        columns |= steps
        codes |= reads
    _add_ratios(columns, codes)
    x = np.column_stack(list(columns.values()) or [np.zeros((len(known), 0))]).astype(np.float32)
    return Table(x[np.searchsorted(known, rows.subject)], tuple(columns), tuple(codes.values()))


class _Groups:
    """Values grouped by (row, code), each group in the order of time."""

    def __init__(
        self, key: NDArray[np.int64], value: NDArray[np.float64], before: NDArray[np.float64], hours: float
    ) -> None:
        self.keys, self.start = np.unique(key, return_index=True)
        self.count = np.diff(np.append(self.start, len(key)))
        self.value, self.before, self.hours = value, before, hours
        self.group = np.repeat(np.arange(len(self.keys)), self.count)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(self.group, weights=values, minlength=len(self.keys)), dtype=np.float64)

    def statistics(self) -> dict[str, NDArray[np.float64]]:
        """By name of `SERIES`, arrays of shape (groups,)."""
        if not len(self.keys):
            return {name: np.zeros(0) for name in SERIES}
        n = self.count.astype(np.float64)
        mean = self.sums(self.value) / n
        last = self.start + self.count - 1
        time = -self.before
        centred = np.nan_to_num(time - (self.sums(time) / n)[self.group])
        spread = self.sums(centred**2)
        late = np.nan_to_num(self.before, nan=0.0) <= self.hours / 2
        late_n = self.sums(late.astype(np.float64))
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(spread > 1e-6, self.sums(centred * self.value) / spread, np.nan)
            late_mean = np.where(late_n > 0, self.sums(np.where(late, self.value, 0)) / late_n, np.nan)
            variance = self.sums((self.value - mean[self.group]) ** 2) / n
        return {
            "count": n,
            "first": self.value[self.start],
            "last": self.value[last],
            "min": np.minimum.reduceat(self.value, self.start),
            "max": np.maximum.reduceat(self.value, self.start),
            "mean": mean,
            "sd": np.where(n > 1, np.sqrt(variance), np.nan),
            "slope": slope,
            "late_mean": late_mean,
            "hours_since": self.before[last],
            "sum": mean * n,
        }


def _assemble(
    groups: _Groups, vocabulary: Sequence[str], subjects: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, tuple[str, ...]]]:
    width = len(vocabulary)
    row, code = groups.keys // width, groups.keys % width
    numbers = groups.statistics()
    columns: dict[str, NDArray[np.float64]] = {}
    codes: dict[str, tuple[str, ...]] = {}
    for index, name in enumerate(vocabulary):
        mine = code == index
        if not mine.any():
            continue
        timed = ~np.isnan(numbers["hours_since"][mine]).all()
        flag = np.isnan(numbers["last"][mine]).all()
        wanted = ("present",) if flag and not timed else (("count", "hours_since") if flag else SERIES)
        wanted = wanted if timed or flag else ("last",)
        for kind in wanted:
            column = np.full(subjects, _FLAG if kind in ("count", "present") else np.nan)
            column[row[mine]] = numbers["count" if kind == "present" else kind][mine]
            columns[f"{name}|{kind}"] = column
            codes[f"{name}|{kind}"] = MERGED.get(name, (name,))
    return columns, codes


def _add_ratios(columns: dict[str, NDArray[np.float64]], codes: dict[str, tuple[str, ...]]) -> None:
    for name, (above, below) in RATIOS.items():
        first, second = f"{above[0]}|{above[1]}", f"{below[0]}|{below[1]}"
        if first in columns and second in columns:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = columns[first] / columns[second]
            columns[f"{name}|ratio"] = np.where(np.isfinite(ratio), ratio, np.nan)
            codes[f"{name}|ratio"] = tuple(dict.fromkeys((*codes[first], *codes[second])))
