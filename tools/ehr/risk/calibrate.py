"""Calibration of a score (a log-odds) to a probability; the method is chosen on held-out scores, cross-fitted.

Venn-Abers: Vovk and Petej, UAI 2014; its pair (p0, p1) is the interval on the card. Isotonic: Zadrozny and Elkan, KDD 2002.
The age-banded logistic recalibration keeps observed/expected near 1 in each band of age.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from tools.ehr.risk.metrics import by_age

Array = NDArray[np.float64]
Method = Literal["none", "logistic", "logistic_age", "isotonic", "isotonic_age"]
METHODS: tuple[Method, ...] = ("none", "logistic", "logistic_age", "isotonic", "isotonic_age")
_GRID = 240
_FAIR = 0.05


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), kept away from 0 and 1."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -12, 12))))


@dataclass
class Calibrator:
    """A fitted method and a Venn-Abers grid; all plain lists, so that it is JSON."""

    method: Method
    coefficients: list[float] = field(default_factory=list)
    steps_x: list[float] = field(default_factory=list)
    steps_y: list[float] = field(default_factory=list)
    va_score: list[float] = field(default_factory=list)
    va_low: list[float] = field(default_factory=list)
    va_high: list[float] = field(default_factory=list)

    def probability(self, z: Array, age: Array) -> Array:
        """Shape (n,) to (n,); `age` in years, NaN allowed."""
        if self.method == "none":
            return sigmoid(z)
        if self.coefficients:
            z = _design(z, age, "age" in self.method) @ np.array(self.coefficients)
        if not self.steps_x:
            return sigmoid(z)
        return np.clip(np.interp(z, self.steps_x, self.steps_y), 1e-4, 1 - 1e-4)

    def interval(self, z: float) -> tuple[float, float]:
        """The Venn-Abers pair at a score: the two probabilities that the unknown label itself could give."""
        return float(np.interp(z, self.va_score, self.va_low)), float(np.interp(z, self.va_score, self.va_high))


def _design(z: Array, age: Array, aged: bool) -> Array:
    columns = [np.ones(len(z)), z]
    if aged:
        years = np.nan_to_num(age, nan=60.0)
        columns += [(years - 60) / 20, np.maximum(years - 70, 0) / 20]
    return np.column_stack(columns)


def fit(method: Method, z: Array, y: Array, age: Array) -> Calibrator:
    """Fit one method on held-out scores."""
    calibrator = Calibrator(method)
    if method in ("logistic", "logistic_age", "isotonic_age"):
        design = _design(z, age, "age" in method)
        model = LogisticRegression(C=100.0, fit_intercept=False, max_iter=1000).fit(design, y)
        calibrator.coefficients = [round(float(value), 6) for value in model.coef_[0]]
        z = design @ model.coef_[0]
    if method in ("isotonic", "isotonic_age"):
        steps = IsotonicRegression(out_of_bounds="clip").fit(z, y)
        calibrator.steps_x = [round(float(value), 5) for value in steps.X_thresholds_]
        calibrator.steps_y = [round(float(value), 5) for value in steps.y_thresholds_]
    return calibrator


def log_loss(y: Array, p: Array) -> float:
    """Mean negative log likelihood."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def choose(z: Array, y: Array, age: Array, group: NDArray[np.int64]) -> tuple[Calibrator, dict[str, float]]:
    """The method of least cross-fitted log loss, fitted on all, with a Venn-Abers grid; and every method's loss.

    Methods whose observed/expected leaves 0.95 to 1.05 in a band of age are passed over while there is one that does not.
    """
    fold = np.unique(group, return_inverse=True)[1] * 7919 % 5
    losses: dict[str, float] = {}
    off: dict[str, float] = {}
    for method in METHODS:
        p = np.empty(len(z))
        for held in range(5):
            mine = fold == held
            p[mine] = fit(method, z[~mine], y[~mine], age[~mine]).probability(z[mine], age[mine])
        losses[method] = round(log_loss(y, p), 6)
        off[method] = max((abs(value - 1) for value in by_age(y, p, age).values()), default=0.0)
    fair = [method for method in METHODS if off[method] <= _FAIR] or list(METHODS)
    best = min(fair, key=lambda method: losses[method])
    calibrator = fit(best, z, y, age)
    calibrator.va_score, calibrator.va_low, calibrator.va_high = venn_abers(z, y)
    return calibrator, losses


def venn_abers(z: Array, y: Array, points: int = _GRID) -> tuple[list[float], list[float], list[float]]:
    """(scores, p0, p1) on a grid of quantiles of z: isotonic fits with the new point labelled 0 and 1."""
    if len(z) > 20000:
        pick = np.random.default_rng(0).choice(len(z), 20000, replace=False)
        z, y = z[pick], y[pick]
    grid = np.unique(np.quantile(z, np.linspace(0, 1, points)))
    low: list[float] = []
    high: list[float] = []
    for score in grid:
        for label, out in ((0.0, low), (1.0, high)):
            model = IsotonicRegression(out_of_bounds="clip").fit(np.append(z, score), np.append(y, label))
            out.append(round(float(model.predict([score])[0]), 5))
    return [round(float(value), 5) for value in grid], low, high
