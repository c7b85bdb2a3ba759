"""Does something leak? Does it work for everyone? Checks on a sample and on its predictions, kept in every model card.

Leakage: a single feature that tells the outcome nearly alone, records on both sides of a split, outcomes among the
features. Fairness: AUROC, observed/expected, and true and false positive rates at one threshold, by subgroup, with
patient-level bootstrap intervals (equalised odds: Hardt, Price and Srebro, NeurIPS 2016).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.ehr.risk.features import Table
from tools.ehr.risk.fingerprint import Marks
from tools.ehr.risk.metrics import AGE_BANDS, auroc, auroc_interval, band_name, observed_expected

Array = NDArray[np.float64]
TELLING = 0.97
"""A single feature of at least this AUROC (either way) is taken for the outcome itself."""
LEAST = 30
"""Rows of either class that a subgroup needs before its figures are told."""
_SEXES = {"Gender|last": ("female", "male")}
_PREFIXES = ("gender//", "sex//", "race//")
_ICU = {1: "coronary unit", 2: "cardiac surgery unit", 3: "medical unit", 4: "surgical unit"}


class Subgroup(BaseModel):
    """Figures of one subgroup; intervals are 95 % of 200 bootstraps of patients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    n: int
    positives: int
    auroc: float
    auroc_ci: tuple[float, float]
    oe: float
    oe_ci: tuple[float, float]
    true_positive_rate: float
    false_positive_rate: float


def leaks(table: Table, y: Array, outcomes: tuple[str, ...] = ()) -> list[str]:
    """What of a sample looks like leakage, in words; empty when nothing does."""
    found = [f"the outcome {name!r} is among the features" for name in outcomes if f"{name}|last" in table.names]
    if not 0 < y.sum() < len(y):
        return found
    rows = np.arange(len(y))
    if len(rows) > 20000:  # enough to tell .97 from .9
        rows = np.random.default_rng(0).choice(rows, 20000, replace=False)
    for index, name in enumerate(table.names):
        column = table.x[rows, index].astype(np.float64)
        there = ~np.isnan(column)
        if there.sum() < max(100, 0.02 * len(rows)) or min(y[rows][there].sum(), (1 - y[rows][there]).sum()) < 20:
            continue
        area = auroc(y[rows][there], column[there])
        if max(area, 1 - area) >= TELLING:
            found.append(f"{name} alone tells the outcome (AUROC {max(area, 1 - area):.3f})")
    return found


def shared(first: Marks, second: Marks) -> int:
    """How many records of the second set have the content of one of the first."""
    return int(np.isin(second, first).sum())


def groups_of(table: Table, age: Array) -> dict[str, NDArray[np.bool_]]:
    """Sex, race, type of unit and band of age, as far as the features tell them; masks of shape (rows,)."""
    out: dict[str, NDArray[np.bool_]] = {}
    for low, high in AGE_BANDS:
        out[f"age {band_name(low, high)}"] = (age >= low) & (age < high)
    for index, name in enumerate(table.names):
        column = table.x[:, index]
        if name in _SEXES:
            for value, word in enumerate(_SEXES[name]):
                out[word] = column == value
        elif name == "ICUType|last":
            out |= {word: column == value for value, word in _ICU.items()}
        elif name.lower().startswith(_PREFIXES) and name.endswith("|present"):
            out[name.removesuffix("|present").replace("//", " ").lower()] = column > 0
    return out


def fairness(
    y: Array, p: Array, groups: dict[str, NDArray[np.bool_]], patient: NDArray[np.int64], rounds: int = 200
) -> list[Subgroup]:
    """Figures per subgroup of predictions p (NaN: no estimate). The threshold is the one that flags a fifth of all rows."""
    there = ~np.isnan(p)
    threshold = float(np.quantile(p[there], 0.8)) if there.any() else 1.0
    out = []
    for name, mask in groups.items():
        mine = mask & there
        positives = int(y[mine].sum())
        if min(positives, int(mine.sum()) - positives) < LEAST:
            continue
        own, risk, people = y[mine], p[mine], patient[mine]
        flagged = risk > threshold
        low, high = auroc_interval(own, risk, people, rounds)
        out.append(
            Subgroup(
                name=name, n=int(mine.sum()), positives=positives, auroc=round(auroc(own, risk), 4),
                auroc_ci=(round(low, 4), round(high, 4)), oe=round(observed_expected(own, risk), 4),
                oe_ci=_oe_interval(own, risk, people, rounds),
                true_positive_rate=round(float(flagged[own > 0].mean()), 4),
                false_positive_rate=round(float(flagged[own == 0].mean()), 4),
            )
        )  # fmt: skip
    return out


def _oe_interval(y: Array, p: Array, patient: NDArray[np.int64], rounds: int) -> tuple[float, float]:
    people, index = np.unique(patient, return_inverse=True)
    observed, expected = np.bincount(index, weights=y), np.bincount(index, weights=p)
    random = np.random.default_rng(0)
    values = []
    for _ in range(rounds):
        drawn = random.integers(0, len(people), len(people))
        values.append(observed[drawn].sum() / max(expected[drawn].sum(), 1e-9))
    low, high = np.percentile(values, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def equalised_odds(found: list[Subgroup]) -> dict[str, float]:
    """The widest gap between subgroups in true and in false positive rate."""
    if not found:
        return {}
    out = {}
    for name in ("true_positive_rate", "false_positive_rate"):
        values = [float(getattr(group, name)) for group in found]
        out[name] = round(max(values) - min(values), 4)
    return out
