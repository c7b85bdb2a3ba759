"""What drove an estimate, as events: contributions per variable, and the rows of the record behind them.

Boosting: path-dependent TreeSHAP (Lundberg et al., Nat Mach Intell 2020). Logistic part: weight times standardised value.
Network: integrated gradients.
Both are in log-odds before calibration; the contributions of features are summed over the variables that they read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.events import Events
from tools.ehr.risk.features import Table
from tools.ehr.risk.model import Model, _prepared


@dataclass(frozen=True)
class Driver:
    """A variable, its contribution in log-odds, and the positions of the events cited for it."""

    code: str
    contribution: float
    cited: tuple[int, ...]


def contributions(model: Model, table: Table) -> NDArray[np.float64]:
    """Log-odds per feature of the model, shape (rows, features)."""
    meta, x = model.meta, table.align(model.meta.features)
    trees = np.asarray(model.trees.predict(x, pred_contrib=True, num_threads=1))[:, :-1]
    linear, width = meta.linear, x.shape[1]
    z = (_prepared(x, linear.low, linear.high, linear.median, linear.flags) - np.array(linear.mean)) / np.array(linear.scale)
    parts = z * np.array(linear.weights)
    own = parts[:, :width].copy()
    own[:, linear.flags] += parts[:, width:]
    out = meta.shares[0] * trees + meta.shares[1] * own
    return np.asarray(out if model.network is None else out + meta.shares[2] * model.network.contributions(x))


def drivers(model: Model, table: Table, events: Events, most: int = 6) -> list[Driver]:
    """The variables that moved one patient's estimate most and are in the record, strongest first."""
    values = contributions(model, table)[0]
    total: dict[str, float] = {}
    stats: dict[str, set[str]] = {}
    for value, codes, name in zip(values, model.meta.codes, model.meta.features, strict=True):
        for code in codes:
            total[code] = total.get(code, 0.0) + float(value) / len(codes)
            if abs(value) > 1e-4:
                stats.setdefault(code, set()).add(name.split("|")[1])
    out: list[Driver] = []
    for code in sorted(total, key=lambda name: -abs(total[name])):
        if code in events.vocabulary:
            mine = np.flatnonzero(events.code == events.vocabulary.index(code))
            if len(mine):
                out.append(Driver(code, total[code], _cite(mine, events.value)))
        if len(out) == most:
            break
    return out


def _cite(mine: NDArray[np.intp], value: NDArray[np.float64]) -> tuple[int, ...]:
    """The latest, the lowest and the highest value of a variable."""
    chosen = [int(mine[-1]), int(mine[np.argmin(value[mine])]), int(mine[np.argmax(value[mine])])]
    return tuple(dict.fromkeys(chosen))
