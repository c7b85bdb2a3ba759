"""Whether a row resembles the training population; where it does not, there is no estimate, and why."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.features import Table
from tools.ehr.risk.model import Model, variables_seen


def refusals(model: Model, table: Table, age: NDArray[np.float64]) -> list[str]:
    """One text per row, empty when the row may get an estimate."""
    meta, population = model.meta, model.meta.population
    x = table.align(meta.features)
    seen = variables_seen(table, meta.codes, meta.features)
    outside = ((x < np.array(population.low)) | (x > np.array(population.high))).mean(axis=1)
    reasons = [""] * len(x)
    for row in range(len(x)):
        if seen[row] < population.min_variables:
            reasons[row] = (
                f"only {seen[row]} of the variables were recorded; patients in training had at least "
                f"{population.min_variables}"
            )
        elif not np.isnan(age[row]) and not population.age[0] - 1 <= age[row] <= population.age[1] + 1:
            reasons[row] = f"age {age[row]:g} is outside {population.age[0]:g} to {population.age[1]:g}"
        elif outside[row] > max(2 * population.max_outside, 0.02):
            reasons[row] = f"{100 * outside[row]:.0f} % of its values lie outside what was seen in training"
        else:
            reasons[row] = _unknown_category(model, x[row])
    return reasons


def _unknown_category(model: Model, x: NDArray[np.float32]) -> str:
    for name, values in model.meta.population.allowed.items():
        value = float(x[model.meta.features.index(name)])
        if not np.isnan(value) and value not in values:
            return f"{name.split('|')[0]} {value:g} was not in training, which had {', '.join(f'{v:g}' for v in values)}"
    return ""
