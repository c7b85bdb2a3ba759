"""Discrimination and calibration with patient-level bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


def auroc(y: Array, p: Array) -> float:
    """Area under the ROC curve by ranks (ties count half); NaN when one class is missing."""
    positive = y > 0.5
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        return float("nan")
    return float((rankdata(p)[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def auprc(y: Array, p: Array) -> float:
    """Average precision, ties taken together."""
    if not (y > 0.5).any():
        return float("nan")
    order = np.argsort(-p, kind="stable")
    y, p = y[order], p[order]
    last = np.append(np.diff(p) != 0, True)
    true = np.cumsum(y)[last]
    at = np.flatnonzero(last) + 1
    recall = true / y.sum()
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * (true / at)))


def brier(y: Array, p: Array) -> float:
    """Mean squared difference; NaN of nothing."""
    if not len(y):
        return float("nan")
    return float(np.mean((y - p) ** 2))


def ece(y: Array, p: Array, bins: int = 10) -> float:
    """Expected calibration error over bins of equal size (quantiles of p), Naeini et al., AAAI 2015."""
    if not len(y):
        return float("nan")
    groups = np.array_split(np.argsort(p, kind="stable"), bins)
    return float(sum(len(g) * abs(y[g].mean() - p[g].mean()) for g in groups if len(g)) / len(y))


def observed_expected(y: Array, p: Array) -> float:
    """Events observed over events expected: 1 is calibrated in the large, above 1 is too low a risk."""
    return float(y.sum() / p.sum()) if p.sum() > 0 else float("nan")


AGE_BANDS = ((0, 50), (50, 70), (70, 200))


def band_name(low: int, high: int) -> str:
    """How a band is printed."""
    return f"<{high}" if low == 0 else f">={low}" if high >= 200 else f"{low}-{high - 1}"


def by_age(y: Array, p: Array, age: Array) -> dict[str, float]:
    """Observed over expected per band of age that has patients."""
    masks = {band_name(low, high): (age >= low) & (age < high) for low, high in AGE_BANDS}
    return {name: observed_expected(y[mine], p[mine]) for name, mine in masks.items() if mine.any()}


def _all_bands(found: dict[str, float]) -> dict[str, float]:
    return {name: found.get(name, float("nan")) for name in (band_name(low, high) for low, high in AGE_BANDS)}


@dataclass(frozen=True)
class Scores:
    """What `ehr evaluate` prints; `abstained` are rows without an estimate, not in the other figures."""

    n: int
    auroc: float
    auroc_ci: tuple[float, float]
    auprc: float
    brier: float
    ece: float
    oe: float
    oe_by_age: dict[str, float]
    abstained: int

    def as_json(self) -> dict[str, object]:
        """Rounded to four decimals; NaN becomes null."""

        def short(value: float) -> float | None:
            return None if np.isnan(value) else round(value, 4)

        return {
            "n": self.n,
            "auroc": short(self.auroc),
            "auroc_ci": [short(value) for value in self.auroc_ci],
            "auprc": short(self.auprc),
            "brier": short(self.brier),
            "ece": short(self.ece),
            "oe": short(self.oe),
            "oe_by_age": {band: short(value) for band, value in self.oe_by_age.items()},
            "abstained": self.abstained,
        }


def score(y: Array, p: Array, age: Array, patient: NDArray[np.int64], rounds: int = 1000) -> Scores:
    """All figures of predictions `p`, shape (n,); NaN in `p` is an abstention."""
    there = ~np.isnan(p)
    y, q, age, patient = y[there], p[there], age[there], patient[there]
    return Scores(
        len(y), auroc(y, q), auroc_interval(y, q, patient, rounds), auprc(y, q), brier(y, q), ece(y, q),
        observed_expected(y, q), _all_bands(by_age(y, q, age)), int((~there).sum()),
    )  # fmt: skip


def auroc_interval(y: Array, p: Array, patient: NDArray[np.int64], rounds: int, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval; whole patients are drawn with replacement.

    A drawn patient is a weight on their rows, so a round costs one cumulative sum over rows sorted by risk.
    """
    people, index = np.unique(patient, return_inverse=True)
    if len(people) < 2 or not 0 < y.sum() < len(y):
        return float("nan"), float("nan")
    order = np.argsort(p, kind="stable")
    y, index, sorted_p = y[order], index[order], p[order]
    starts = np.flatnonzero(np.append(True, np.diff(sorted_p) != 0))
    random = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        weight = np.bincount(random.integers(0, len(people), len(people)), minlength=len(people))[index]
        ones = np.add.reduceat(weight * y, starts)
        zeros = np.add.reduceat(weight * (1 - y), starts)
        total = ones.sum() * zeros.sum()
        if total:
            values.append(float((ones * (np.cumsum(zeros) - zeros / 2)).sum() / total))
    return float(np.percentile(values, 2.5)), float(np.percentile(values, 97.5))
