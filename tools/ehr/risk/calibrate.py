"""Calibration of a score (a log-odds) to a probability; the method is chosen on held-out scores, cross-fitted.

Venn-Abers: Vovk and Petej, UAI 2014; its pair (p0, p1) is the interval on the card. Isotonic: Zadrozny and Elkan, KDD 2002.
Beta: Kull, Silva Filho and Flach, AISTATS 2017. Methods that know the age keep observed/expected near 1 in each band of it:
`logistic_age` by a line with a bend at 70 years, `logistic_bands` by an offset per band that is shrunk towards 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from tools.ehr.risk.metrics import AGE_BANDS, by_age

Array = NDArray[np.float64]
Method = Literal["none", "logistic", "beta", "logistic_age", "logistic_bands", "isotonic", "isotonic_age"]
METHODS: tuple[Method, ...] = ("none", "logistic", "beta", "logistic_age", "logistic_bands", "isotonic", "isotonic_age")
_GRID = 240
_ALIKE = 2.0
"""Standard errors of log loss within which two methods count as equally good, and the fairer one is taken."""
_SHRINK = 5.0
"""Ridge penalty on the offset of a band of age, as if this many times its variance had been seen without an offset."""


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), kept away from 0 and 1."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -12, 12))))


@dataclass
class Calibrator:
    """A fitted method and a Venn-Abers grid; all plain lists, so that it is JSON."""

    method: Method
    coefficients: list[float] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
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
            z = _design(z, age, self.method) @ np.array(self.coefficients)
        if self.offsets:
            z = z + np.array(self.offsets)[_band(age)]
        if not self.steps_x:
            return sigmoid(z)
        return np.clip(np.interp(z, self.steps_x, self.steps_y), 1e-4, 1 - 1e-4)

    def interval(self, z: float) -> tuple[float, float]:
        """The Venn-Abers pair at a score: the two probabilities that the unknown label itself could give."""
        return float(np.interp(z, self.va_score, self.va_low)), float(np.interp(z, self.va_score, self.va_high))


def _design(z: Array, age: Array, method: Method) -> Array:
    if method == "beta":
        p = sigmoid(z)
        return np.column_stack([np.ones(len(z)), np.log(p), -np.log1p(-p)])
    columns = [np.ones(len(z)), z]
    if method in ("logistic_age", "isotonic_age"):
        years = np.nan_to_num(age, nan=60.0)
        columns += [(years - 60) / 20, np.maximum(years - 70, 0) / 20]
    return np.column_stack(columns)


def _band(age: Array) -> NDArray[np.intp]:
    """The index in `AGE_BANDS`; an unknown age is in the middle one."""
    return np.asarray(np.digitize(np.nan_to_num(age, nan=60.0), [low for low, _ in AGE_BANDS[1:]]), dtype=np.intp)


def fit(method: Method, z: Array, y: Array, age: Array) -> Calibrator:
    """Fit one method on held-out scores."""
    calibrator = Calibrator(method)
    if method not in ("none", "isotonic"):
        design = _design(z, age, method)
        model = LogisticRegression(C=100.0, fit_intercept=False, max_iter=1000).fit(design, y)
        calibrator.coefficients = [round(float(value), 6) for value in model.coef_[0]]
        z = design @ model.coef_[0]
    if method == "logistic_bands":
        band = _band(age)
        calibrator.offsets = [round(_offset(z[band == i], y[band == i]), 6) for i in range(len(AGE_BANDS))]
    if method in ("isotonic", "isotonic_age"):
        steps = IsotonicRegression(out_of_bounds="clip").fit(z, y)
        calibrator.steps_x = [round(float(value), 5) for value in steps.X_thresholds_]
        calibrator.steps_y = [round(float(value), 5) for value in steps.y_thresholds_]
    return calibrator


def _offset(z: Array, y: Array) -> float:
    """The shift of log-odds that makes observed and expected equal, shrunk towards 0: Newton's steps on a penalised loss."""
    shift = 0.0
    for _ in range(20):
        p = sigmoid(z + shift)
        shift += float(((y - p).sum() - _SHRINK * shift) / ((p * (1 - p)).sum() + _SHRINK))
    return shift


def log_loss(y: Array, p: Array) -> float:
    """Mean negative log likelihood."""
    return float(_losses(y, p).mean())


def _losses(y: Array, p: Array) -> Array:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def choose(z: Array, y: Array, age: Array, group: NDArray[np.int64]) -> tuple[Calibrator, dict[str, float]]:
    """The chosen method, fitted on all, with a Venn-Abers grid; and every method's cross-fitted log loss.

    Of the methods whose log loss is within `_ALIKE` standard errors of the least one, that whose observed/expected strays
    least from 1 in the bands of age; both are measured on folds of `group` that the method was not fitted on.
    """
    fold = np.unique(group, return_inverse=True)[1] * 7919 % 5
    losses: dict[Method, Array] = {}
    off: dict[Method, float] = {}
    for method in METHODS:
        p = np.empty(len(z))
        for held in range(5):
            mine = fold == held
            p[mine] = fit(method, z[~mine], y[~mine], age[~mine]).probability(z[mine], age[mine])
        losses[method] = _losses(y, p)
        off[method] = max((abs(value - 1) for value in by_age(y, p, age).values()), default=0.0)
    least = min(METHODS, key=lambda method: float(losses[method].mean()))
    best = min((method for method in METHODS if _alike(losses[method] - losses[least])), key=lambda method: off[method])
    calibrator = fit(best, z, y, age)
    calibrator.va_score, calibrator.va_low, calibrator.va_high = venn_abers(z, y)
    return calibrator, {method: round(float(loss.mean()), 6) for method, loss in losses.items()}


def _alike(worse: Array) -> bool:
    return bool(worse.mean() <= _ALIKE * worse.std() / np.sqrt(len(worse)))


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
