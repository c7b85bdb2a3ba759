"""The k-shot protocol of EHRSHOT (Wornow et al., NeurIPS 2023): k positives and k negatives to learn from.

Each k is drawn several times; figures on the test patients come with 1,000 patient-level bootstraps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.metrics import auprc, auroc, auroc_interval, brier

Array = NDArray[np.float64]
SHOTS = (1, 2, 4, 8, 16, 32, 64, 128)
Learner = Callable[[NDArray[np.intp], NDArray[np.intp]], Array]
"""(training rows, test rows) to probabilities of the test rows."""


def logistic(x: NDArray[np.float32], y: Array) -> Learner:
    """An L2 logistic regression on the columns of x, shape (n, features)."""
    from sklearn.linear_model import LogisticRegression

    def learn(train: NDArray[np.intp], test: NDArray[np.intp]) -> Array:
        model = LogisticRegression(C=0.01, max_iter=200).fit(x[train], y[train])
        return np.asarray(model.predict_proba(x[test])[:, 1])

    return learn


@dataclass(frozen=True)
class Shot:
    """Figures at one k: means over the draws, of the ends of the interval as well."""

    k: int
    draws: int
    auroc: float
    auroc_ci: tuple[float, float]
    auprc: float
    brier: float


def few_shot(
    learner: Learner,
    y: Array,
    patient: NDArray[np.int64],
    test: NDArray[np.bool_],
    shots: Sequence[int] = SHOTS,
    draws: int = 5,
    rounds: int = 1000,
    seed: int = 0,
) -> list[Shot]:
    """Train on k of each class outside `test`; a k of which there are too few is left out."""
    positives, negatives = (np.flatnonzero(~test & (y == label)) for label in (1, 0))
    where = np.flatnonzero(test)
    out = []
    for k in shots:
        if k > min(len(positives), len(negatives)):
            break
        each, ends = [], []
        for draw in range(draws):
            random = np.random.default_rng([seed, k, draw])
            chosen = [random.choice(part, k, replace=False) for part in (positives, negatives)]
            p = learner(np.concatenate(chosen), where)
            ends.append(auroc_interval(y[where], p, patient[where], rounds, seed=draw))
            each.append((auroc(y[where], p), auprc(y[where], p), brier(y[where], p)))
        mean = np.mean(each, axis=0)
        low, high = np.mean(ends, axis=0)
        out.append(Shot(k, draws, float(mean[0]), (float(low), float(high)), float(mean[1]), float(mean[2])))
    return out
