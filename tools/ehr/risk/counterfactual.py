"""What the model would say had actionable values been others: its sensitivity, not a cause.

Only variables that care can move, and only to values inside the range that this patient showed: what they never had is not
asked. The values of the last 24 h are set to one number at a time and everything is computed anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.cohort import Rows, make_rows
from tools.ehr.risk.datasets import age_of, features_for
from tools.ehr.risk.events import Events, from_columns
from tools.ehr.risk.model import Model
from tools.ehr.risk.tasks import Task

ACTIONABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mean pressure", ("MAP", "NIMAP")), ("glucose", ("Glucose",)), ("potassium", ("K",)), ("sodium", ("Na",)),
    ("bicarbonate", ("HCO3",)), ("temperature", ("Temp",)), ("haematocrit", ("HCT",)), ("oxygen saturation", ("SaO2",)),
    ("PaO2", ("PaO2",)), ("PaCO2", ("PaCO2",)), ("inspired oxygen fraction", ("FiO2",)), ("urine output", ("Urine",)),
    ("heart rate", ("HR",)),
)  # fmt: skip
WINDOW = np.timedelta64(24 * 3600, "s")
LEAST = 0.005
"""Changes of less than half a percentage point are not told."""


@dataclass(frozen=True)
class Change:
    """`variable` from its last value to `value` over the last 24 h; the probability before and after."""

    variable: str
    code: str
    last: float
    value: float
    before: float
    after: float


def sensitivities(task: Task, model: Model, known: Events, rows: Rows, most: int = 3) -> list[Change]:
    """The changes of actionable variables that lower one patient's probability most, the best value of each.

    `known` holds the events up to the moment of the one row.
    """
    moment = rows.moment[0]
    tries: list[tuple[str, str, float, float, Events]] = []
    for text, codes in ACTIONABLE:
        index = [known.vocabulary.index(code) for code in codes if code in known.vocabulary]
        mine = np.isin(known.code, index) & ~np.isnat(known.time)
        if mine.sum() < 2:
            continue
        low, high = float(known.value[mine].min()), float(known.value[mine].max())
        last = float(known.value[np.flatnonzero(mine)[-1]])
        late = mine & (known.time > moment - WINDOW)
        name = known.vocabulary[known.code[np.flatnonzero(mine)[-1]]]
        for value in np.unique(np.round(np.linspace(low, high, 5), 2)):
            tries.append((text, name, last, float(value), _set(known, late, float(value))))
    if not tries:
        return []
    p = _probabilities(task, model, [known, *(item[4] for item in tries)], moment)
    changes = [
        Change(text, code, last, value, float(p[0]), float(after))
        for (text, code, last, value, _), after in zip(tries, p[1:], strict=True)
    ]
    best: dict[str, Change] = {}
    for change in changes:
        if change.variable not in best or change.after < best[change.variable].after:
            best[change.variable] = change
    lower = [change for change in best.values() if change.before - change.after >= LEAST]
    return sorted(lower, key=lambda change: change.after)[:most]


def _set(events: Events, mine: NDArray[np.bool_], value: float) -> Events:
    return Events(events.subject, events.time, events.code, np.where(mine, value, events.value), events.vocabulary)


def _probabilities(task: Task, model: Model, variants: list[Events], moment: np.datetime64) -> NDArray[np.float64]:
    """Every variant as a subject of its own, so that features are computed once for all."""
    n = len(variants)
    base = variants[0]
    events = from_columns(
        np.repeat(np.arange(n), len(base)), np.tile(base.time, n), np.tile(base.code, n),
        np.concatenate([variant.value for variant in variants]), base.vocabulary,
    )  # fmt: skip
    rows = make_rows(np.arange(n), np.full(n, moment), {})
    return model.probability(features_for(task, events, rows), age_of(events, rows))
