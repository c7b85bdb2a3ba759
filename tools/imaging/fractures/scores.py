"""Scores of grades and heights, with intervals by resampling patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.types import Frozen
from tools.imaging.fractures.baselines import Judged
from tools.imaging.fractures.cases import Expectation
from tools.imaging.fractures.heights import Thirds

Array = NDArray[np.float64]
_GRADES = range(4)
_RESAMPLES = 500


@dataclass(frozen=True)
class Row:
    """One level: what is known of it, what was measured, and what every rule says (None: it declines)."""

    patient: str
    level: str
    known: Expectation
    heights: Thirds
    judged: dict[str, Judged | None]


class Estimate(Frozen):
    """A score and its 95 % interval over patients; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


class MethodScores(Frozen):
    """One rule on one group. `confusion[i][j]`: truly grade i, judged grade j. Heights in mm."""

    method: str
    n: int
    declined: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    sensitivity_2: Estimate
    specificity_2: Estimate
    rhlv_mae: Estimate
    expected_mae_mm: Estimate
    confusion: tuple[tuple[int, ...], ...]


def score(rows: Sequence[Row], method: str, seed: int) -> MethodScores:
    """All scores of one rule over the given levels."""
    judged = [(row, row.judged[method]) for row in rows]
    kept = [(row, result) for row, result in judged if result is not None]
    patients = np.array([row.patient for row, _ in kept])
    pairs = np.array([(row.known.grade, result.grade) for row, result in kept], dtype=int).reshape(-1, 2)
    loss = np.array([_error(row, result, "loss") for row, result in kept])
    expected = np.array([_error(row, result, "expected") for row, result in kept])

    def estimate(of: Callable[[NDArray[np.intp]], float]) -> Estimate:
        return bootstrap(patients, of, seed)

    return MethodScores(
        method=method,
        n=len(kept),
        declined=len(judged) - len(kept),
        precision=estimate(lambda i: macro(pairs[i])[0]),
        recall=estimate(lambda i: macro(pairs[i])[1]),
        f1=estimate(lambda i: macro(pairs[i])[2]),
        sensitivity_2=estimate(lambda i: _share(pairs[i][pairs[i][:, 0] >= 2][:, 1] >= 2)),
        specificity_2=estimate(lambda i: _share(pairs[i][pairs[i][:, 0] < 2][:, 1] < 2)),
        rhlv_mae=estimate(lambda i: _mean(loss[i])),
        expected_mae_mm=estimate(lambda i: _mean(expected[i])),
        confusion=tuple(tuple(int(((pairs == (true, said)).all(axis=1)).sum()) for said in _GRADES) for true in _GRADES),
    )


def macro(pairs: NDArray[np.int_]) -> tuple[float, float, float]:
    """Precision, recall and F1, each averaged over the grades that occur as truth; pairs are (true, judged)."""
    present = [grade for grade in _GRADES if (pairs[:, 0] == grade).any()]
    if not present:
        return float("nan"), float("nan"), float("nan")
    values = []
    for grade in present:
        hit = int(((pairs[:, 0] == grade) & (pairs[:, 1] == grade)).sum())
        said, true = int((pairs[:, 1] == grade).sum()), int((pairs[:, 0] == grade).sum())
        precision, recall = hit / said if said else 0.0, hit / true
        values.append((precision, recall, 2 * hit / (said + true)))
    p, r, f = np.mean(values, axis=0)
    return float(p), float(r), float(f)


def bootstrap(patients: NDArray[np.str_], of: Callable[[NDArray[np.intp]], float], seed: int) -> Estimate:
    """A score over all levels, and the middle 95 % of it over patients drawn with replacement."""
    if not len(patients):
        return Estimate(value=None)
    value = of(np.arange(len(patients)))
    if not np.isfinite(value):
        return Estimate(value=None)
    members = [np.flatnonzero(patients == name) for name in np.unique(patients)]
    rng = np.random.default_rng([seed, 5])
    drawn = [
        of(np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])) for _ in range(_RESAMPLES)
    ]
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Estimate(value=round(value, 4), low=round(float(low), 4), high=round(float(high), 4))


def height_error(rows: Sequence[Row], seed: int) -> Estimate:
    """Mean absolute error of the measured heights in mm, where the true ones are known."""
    known = [row for row in rows if row.known.truth]
    errors = np.array([np.abs(np.subtract(row.heights, row.known.truth.after)).mean() for row in known if row.known.truth])
    return bootstrap(np.array([row.patient for row in known]), lambda i: _mean(errors[i]), seed)


def _error(row: Row, result: Judged, of: str) -> float:
    truth = row.known.truth
    if truth is None:
        return float("nan")
    said = result.loss if of == "loss" else result.expected
    right = truth.rhlv if of == "loss" else truth.before
    return float(np.abs(np.subtract(said, right)).mean()) if said else float("nan")


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _mean(values: Array) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
