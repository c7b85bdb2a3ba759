"""Events as columns, in the shape of MEDS (subject_id, time, code, numeric_value), and what was refused while reading.

MEDS: Medical Event Data Standard, https://github.com/Medical-Event-Data-Standard/meds. Sets that give only hours since
admission are anchored at `ANCHOR`, a date that means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ANCHOR = np.datetime64("2000-01-01T00:00:00", "s")
"""Admission, for sets with relative times."""
STATIC = np.datetime64("NaT", "s")
"""The time of what holds for the whole record (MEDS: null)."""


@dataclass(frozen=True)
class Events:
    """n events, sorted by subject and then time (static ones first). All arrays have shape (n,).

    `code` indexes `vocabulary`; `value` is NaN where the event has no number. `rejected` counts, per reason, values that
    were read and not used.
    """

    subject: NDArray[np.int64]
    time: NDArray[np.datetime64]
    code: NDArray[np.int32]
    value: NDArray[np.float64]
    vocabulary: tuple[str, ...]
    rejected: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def subjects(self) -> NDArray[np.int64]:
        """The subjects that have events, ascending."""
        return np.unique(self.subject)

    def where(self, keep: NDArray[np.bool_]) -> Events:
        """The events of a mask of shape (n,); the vocabulary stays."""
        return Events(self.subject[keep], self.time[keep], self.code[keep], self.value[keep], self.vocabulary, self.rejected)

    def until(self, moments: dict[int, np.datetime64]) -> Events:
        """What was known at each subject's moment: static events and those at or before it; other subjects go."""
        known = np.array(sorted(moments), dtype=np.int64)
        if not len(known):
            return self.where(np.zeros(len(self), bool))
        limits = np.array([moments[int(subject)] for subject in known], dtype="datetime64[s]")
        place = np.clip(np.searchsorted(known, self.subject), 0, len(known) - 1)
        mine = known[place] == self.subject
        return self.where(mine & (np.isnat(self.time) | (self.time <= limits[place])))

    def of(self, subject: int) -> Events:
        """One subject's events."""
        return self.where(self.subject == subject)


def build(
    subject: Iterable[int],
    time: Sequence[np.datetime64] | NDArray[np.datetime64],
    code: Sequence[str],
    value: Iterable[float],
    rejected: dict[str, int] | None = None,
) -> Events:
    """Events from four columns of equal length in any order; exact duplicates are kept once."""
    names, index = np.unique(np.asarray(code, dtype=str), return_inverse=True) if len(code) else (np.array([]), [])
    return from_columns(
        np.asarray(list(subject), dtype=np.int64),
        np.asarray(time, dtype="datetime64[s]"),
        np.asarray(index, dtype=np.int32),
        np.asarray(list(value), dtype=np.float64),
        tuple(str(name) for name in names),
        rejected,
    )


def from_columns(
    subject: NDArray[np.int64],
    time: NDArray[np.datetime64],
    code: NDArray[np.int32],
    value: NDArray[np.float64],
    vocabulary: tuple[str, ...],
    rejected: dict[str, int] | None = None,
) -> Events:
    """Sorted, without exact duplicates; values outside the plausible range are taken out and counted."""
    from tools.ehr.risk.plausible import refuse

    keep, refused = refuse(code, value, vocabulary)
    counts = {**(rejected or {})}
    for reason, number in refused.items():
        counts[reason] = counts.get(reason, 0) + number
    subject, time, code, value = subject[keep], time[keep], code[keep], value[keep]
    seconds = time.astype(np.int64)  # NaT is the least integer, so static events come first
    order = np.lexsort((np.nan_to_num(value, nan=-np.inf), code, seconds, subject))
    subject, seconds, code, value, time = subject[order], seconds[order], code[order], value[order], time[order]
    same = np.zeros(len(subject), bool)
    if len(subject) > 1:
        both_nan = np.isnan(value[1:]) & np.isnan(value[:-1])
        same[1:] = (
            (subject[1:] == subject[:-1])
            & (seconds[1:] == seconds[:-1])
            & (code[1:] == code[:-1])
            & ((value[1:] == value[:-1]) | both_nan)
        )
    if same.any():
        counts["exact duplicates"] = counts.get("exact duplicates", 0) + int(same.sum())
    return Events(subject[~same], time[~same], code[~same], value[~same], vocabulary, counts)
