"""Features of parts of the window: how a variable stood early, late and last, and organ function in the last 24 h.

The organ steps are those of SOFA (Vincent et al., Intensive Care Med 1996;22:707-710) as far as the variables carry it: no
vasopressors are known, so circulation has one step only, and nothing counts as not measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.events import Events

Array = NDArray[np.float64]
LATE = 24.0
"""Hours before the moment that count as late."""
PARTS = ((0.0, 6.0), (0.0, 12.0), (12.0, 24.0), (24.0, 36.0), (36.0, 48.1))
"""(from, to) in hours before the moment."""
_ORGANS: dict[str, tuple[str, tuple[float, ...], bool, tuple[str, ...]]] = {
    "coagulation": ("Platelets|min24", (150, 100, 50, 20), False, ("Platelets",)),
    "liver": ("Bilirubin|max24", (1.2, 2, 6, 12), True, ("Bilirubin",)),
    "circulation": ("MeanPressure|min24", (70,), False, ("MAP", "NIMAP")),
    "consciousness": ("GCS|min24", (15, 13, 10, 6), False, ("GCS",)),
    "kidney": ("Creatinine|max24", (1.2, 2, 3.5, 5), True, ("Creatinine",)),
}
"""By organ: the feature, SOFA's steps, whether above them is worse, and the variables that it reads."""


def windowed(
    events: Events, place: NDArray[np.int64], before: Array, rows: int, hours: float
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """Columns of shape (rows,) by name, and the codes each reads.

    `place` is the row of each event, `before` its hours before the row's moment (NaN for static events).
    """
    columns: dict[str, Array] = {}
    codes: dict[str, tuple[str, ...]] = {}
    inside = np.nan_to_num(before, nan=np.inf) <= hours
    for index, name in enumerate(events.vocabulary):
        mine = inside & (events.code == index) & ~np.isnan(events.value)
        if not mine.any():
            continue
        for kind, column in _of_variable(name, place[mine], before[mine], events.value[mine], rows).items():
            if not np.isnan(column).all():
                columns[f"{name}|{kind}"] = column
                codes[f"{name}|{kind}"] = (name,)
    return columns, codes


def _of_variable(name: str, place: NDArray[np.int64], before: Array, value: Array, rows: int) -> dict[str, Array]:
    late = before < LATE
    out = {"min24": np.full(rows, np.inf), "max24": np.full(rows, -np.inf)}
    np.minimum.at(out["min24"], place[late], value[late])
    np.maximum.at(out["max24"], place[late], value[late])
    out = {kind: np.where(np.isfinite(column), column, np.nan) for kind, column in out.items()}
    for low, high in PARTS:
        part = (before >= low) & (before < high)
        number = np.bincount(place[part], minlength=rows)
        total = np.bincount(place[part], weights=value[part], minlength=rows)
        label = f"{low:g}-{high:.0f}"
        out[f"mean{label}"] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        if (low, high) == (0.0, 12.0):
            out["count12"] = number.astype(np.float64)
        if name == "Urine":
            out[f"sum{label}"] = np.where(number > 0, total, np.nan)
    out["change"] = out["mean0-12"] - out["mean36-48"]
    return out


def organ_steps(columns: dict[str, Array]) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """SOFA-like steps of the last 24 h and their sum, from columns that `windowed` made; 0 where not measured."""
    out: dict[str, Array] = {}
    codes: dict[str, tuple[str, ...]] = {}
    for organ, (feature, cuts, above, reads) in _ORGANS.items():
        if feature in columns:
            out[f"SOFA {organ}|steps"] = _steps(columns[feature], cuts, above)
            codes[f"SOFA {organ}|steps"] = reads
    if {"PaO2|min24", "FiO2|last"} <= set(columns):
        ratio = columns["PaO2|min24"] / columns["FiO2|last"]
        out["SOFA respiration|steps"] = _steps(ratio, (400, 300, 200, 100), False)
        codes["SOFA respiration|steps"] = ("PaO2", "FiO2")
    if out:
        out["SOFA total|steps"] = np.sum(list(out.values()), axis=0)
        codes["SOFA total|steps"] = tuple(dict.fromkeys(code for reads in codes.values() for code in reads))
    return out, codes


def _steps(column: Array, cuts: tuple[float, ...], above: bool) -> Array:
    known = np.nan_to_num(column, nan=-np.inf if above else np.inf)
    return np.asarray(np.sum([known >= cut if above else known < cut for cut in cuts], axis=0), dtype=np.float64)
