"""The cohort of an ACES task in a set of events: triggers whose windows all keep their constraints, with their labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from tools.ehr.risk.aces import ANY, FIRST, LAST, AcesTask, Predicate, Window, duration
from tools.ehr.risk.events import Events

Times = NDArray[np.int64]
"""Seconds since 1970; `NEVER` where there is no such moment."""
NEVER = np.iinfo(np.int64).min
_REFERENCE = re.compile(r"\s*([\w.]+)\s*(?:([+-])\s*(.+))?\s*")
_TO_EVENT = re.compile(r"\s*([\w.]+)\s*(->|<-)\s*([\w]+)\s*")


@dataclass(frozen=True)
class Extracted:
    """m triggers that fit, of shape (m,): subject, the trigger's time, the index time (else the trigger's) and the label.

    `label` is 1 where the label's predicate occurs in its window, NaN when the task has none. `windows` holds the
    (start, end) of each, seconds since 1970.
    """

    subject: NDArray[np.int64]
    trigger: Times
    index: Times
    label: NDArray[np.float64]
    windows: dict[str, tuple[Times, Times]]


def extract(task: AcesTask, events: Events) -> Extracted:
    """All triggers of all subjects whose windows exist and hold what they must.

    Raises:
        InputError: a boundary cannot be read, or windows refer to each other in a circle.
    """
    masks, seconds = _matching(task, events), events.time.astype("datetime64[s]").astype(np.int64)
    parts = []
    edges = np.append(np.unique(events.subject, return_index=True)[1], len(events)) if len(events) else np.zeros(1, int)
    for low, high in pairwise(edges.tolist()):
        record = _Record(task, seconds[low:high], {name: mask[low:high] for name, mask in masks.items()})
        if len(record.rows) and record.wanted():
            parts.append(record.extract(int(events.subject[low])))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Extracted(nothing, nothing, nothing, np.zeros(0), dict.fromkeys(task.windows, (nothing, nothing)))
    return Extracted(
        np.concatenate([part.subject for part in parts]),
        np.concatenate([part.trigger for part in parts]),
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.label for part in parts]),
        {n: tuple(np.concatenate([p.windows[n][k] for p in parts]) for k in (0, 1)) for n in task.windows},  # type: ignore[misc]
    )


def _matching(task: AcesTask, events: Events) -> dict[str, NDArray[np.bool_]]:
    """For each plain predicate the events that satisfy it."""
    out = {}
    for name, rule in task.predicates.items():
        if rule.expr is None:
            codes = np.array([_fits(rule, code) for code in events.vocabulary] or [False], dtype=bool)
            out[name] = (codes[events.code] if len(events) else np.zeros(0, bool)) & _inside(rule, events.value)
    return out


def _fits(rule: Predicate, code: str) -> bool:
    if isinstance(rule.code, str):
        return code == rule.code
    if rule.code and "regex" in rule.code:
        return re.search(str(rule.code["regex"]), code) is not None
    return rule.code is not None and code in rule.code["any"]


def _inside(rule: Predicate, value: NDArray[np.float64]) -> NDArray[np.bool_]:
    keep = np.ones(len(value), bool)
    if rule.value_min is not None:
        keep &= value >= rule.value_min if rule.value_min_inclusive else value > rule.value_min
    if rule.value_max is not None:
        keep &= value <= rule.value_max if rule.value_max_inclusive else value < rule.value_max
    return keep


class _Record:
    """One subject: its distinct moments, and how many events satisfy each predicate at each."""

    def __init__(self, task: AcesTask, seconds: Times, masks: dict[str, NDArray[np.bool_]]) -> None:
        self.task, self.masks = task, masks
        self.dated = seconds != NEVER  # numpy keeps "not a time" as the least integer
        self.rows, self.place = np.unique(seconds[self.dated], return_inverse=True)
        self._counts: dict[str, NDArray[np.int64]] = {}

    def wanted(self) -> bool:
        """Whether every static predicate holds for the subject."""
        rules = self.task.predicates.items()
        return all(self.masks[name][~self.dated].any() for name, rule in rules if rule.static and rule.expr is None)

    def count(self, name: str) -> NDArray[np.int64]:
        """Per distinct moment, shape (moments,)."""
        if name not in self._counts:
            self._counts[name] = self._count(name)
        return self._counts[name]

    def _count(self, name: str) -> NDArray[np.int64]:
        size = len(self.rows)
        if name == ANY:
            return np.ones(size, np.int64)
        if name in (FIRST, LAST):
            return np.asarray(np.arange(size) == (0 if name == FIRST else size - 1), dtype=np.int64)
        rule = self.task.predicates[name]
        if rule.expr is None:
            found = np.bincount(self.place[self.masks[name][self.dated]], minlength=size)
            return np.asarray(found, dtype=np.int64)
        kind, names = rule.parts()
        each = np.stack([self.count(part) > 0 for part in names])
        return np.asarray(each.any(axis=0) if kind == "or" else each.all(axis=0), dtype=np.int64)

    def extract(self, subject: int) -> Extracted:
        triggers = self.rows[self.count(self.task.trigger) > 0]
        solver = _Solver(self, triggers)
        keep = np.ones(len(triggers), bool)
        label, index = np.full(len(triggers), np.nan), triggers.copy()
        for name, window in self.task.windows.items():
            start, end = solver.bounds(name)
            keep &= (start != NEVER) & (end != NEVER)
            for predicate, (least, most) in window.has.items():
                number = self.inside(predicate, start, end, window)
                keep &= (number >= (least or 0)) & (number <= (np.inf if most is None else most))
            if window.label:
                label = (self.inside(window.label, start, end, window) > 0).astype(np.float64)
            if window.index_timestamp:
                index = start if window.index_timestamp == "start" else end
        windows = {name: tuple(edge[keep] for edge in solver.bounds(name)) for name in self.task.windows}
        return Extracted(
            np.full(int(keep.sum()), subject, np.int64), triggers[keep], index[keep], label[keep],
            {name: (pair[0], pair[1]) for name, pair in windows.items()},
        )  # fmt: skip

    def inside(self, predicate: str, start: Times, end: Times, window: Window) -> NDArray[np.int64]:
        """How often a predicate is satisfied in each window, shape (triggers,)."""
        total = np.concatenate([[0], np.cumsum(self.count(predicate))])
        low = np.searchsorted(self.rows, start, side="left" if window.start_inclusive else "right")
        high = np.searchsorted(self.rows, end, side="right" if window.end_inclusive else "left")
        return np.asarray(np.where(high > low, total[np.maximum(high, low)] - total[low], 0))

    @cached_property
    def ends(self) -> tuple[int, int]:
        return int(self.rows[0]), int(self.rows[-1])


class _Solver:
    """The moments that the boundaries of windows mean, for all triggers of one subject at once."""

    def __init__(self, record: _Record, triggers: Times) -> None:
        self.record, self.triggers = record, triggers
        self._done: dict[str, Times] = {}
        self._open: set[str] = set()

    def bounds(self, name: str) -> tuple[Times, Times]:
        return self.moment(f"{name}.start"), self.moment(f"{name}.end")

    def moment(self, name: str) -> Times:
        """Of `trigger`, `window.start` or `window.end`, shape (triggers,)."""
        if name == "trigger":
            return self.triggers
        if name not in self._done:
            if name in self._open:
                raise InputError(f"The windows of the task refer to each other in a circle at {name}.")
            self._open.add(name)
            self._done[name] = self._solve(name)
        return self._done[name]

    def _solve(self, name: str) -> Times:
        which, _, side = name.rpartition(".")
        window = self.record.task.windows.get(which)
        if window is None or side not in ("start", "end"):
            raise InputError(f"The task refers to {name!r}; it may refer to trigger, or to start or end of a window.")
        text = window.start if side == "start" else window.end
        if text is None:
            return np.full(len(self.triggers), self.record.ends[0 if side == "start" else 1])
        event = _TO_EVENT.fullmatch(text)
        if event:
            inclusive = window.start_inclusive if side == "start" else window.end_inclusive
            return self._event(self.moment(_within(which, event[1])), event[2], event[3], inclusive)
        plain = _REFERENCE.fullmatch(text)
        if plain is None:
            raise InputError(f"The boundary {text!r} of the window {which} cannot be read.")
        base = self.moment(_within(which, plain[1]))
        if plain[2] is None:
            return base
        try:
            shift = duration(plain[3]) * (1 if plain[2] == "+" else -1)
        except ValueError as error:
            raise InputError(f"The boundary {text!r} of the window {which}: {error}.") from error
        return np.where(base == NEVER, NEVER, base + shift)

    def _event(self, base: Times, arrow: str, predicate: str, inclusive: bool) -> Times:
        """The next or the last moment of a predicate; the base's own moment counts where the boundary is inclusive."""
        if predicate not in self.record.task.predicates and predicate not in (ANY, FIRST, LAST):
            raise InputError(f"The task's windows name the predicate {predicate!r}, which is not defined.")
        moments = self.record.rows[self.record.count(predicate) > 0]
        if arrow == "->":
            place = np.searchsorted(moments, base, side="left" if inclusive else "right")
            good = place < len(moments)
        else:
            place = np.searchsorted(moments, base, side="right" if inclusive else "left") - 1
            good = place >= 0
        good &= base != NEVER
        safe = np.clip(place, 0, max(len(moments) - 1, 0))
        return np.where(good, moments[safe], NEVER) if len(moments) else np.full(len(base), NEVER)


def _within(window: str, name: str) -> str:
    """`start` and `end` alone are those of the window itself."""
    return f"{window}.{name}" if name in ("start", "end") else name
