"""What vectors are worth: nearest neighbours, retrieval, and a linear probe at several amounts of labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
_K = 15
_BOOTSTRAPS = 1000
_ITERATIONS = 1000
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class Split:
    """Vectors (n, d) and classes (n,)."""

    vectors: Floats
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Figure:
    """A value with its bootstrap 95 % interval over the test pictures."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


def auroc(labels: NDArray[np.int64], scores: Floats) -> float:
    """Area under the ROC curve of a positive class (labels of 0 and 1); ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    positive = labels == 1
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def macro_auroc(labels: NDArray[np.int64], scores: Floats, classes: NDArray[np.int64]) -> float:
    """Mean one-against-rest AUROC; `scores` has a column per class, or is one column for the second of two."""
    if scores.ndim == 1:
        return auroc((labels == classes[1]).astype(np.int64), scores)
    each = [auroc((labels == name).astype(np.int64), scores[:, column]) for column, name in enumerate(classes)]
    return float(np.nanmean(each))


def with_interval(measure: Callable[[NDArray[np.int64]], float], count: int, seed: int = 0) -> Figure:
    """A measure over test rows, and its percentiles 2.5 and 97.5 over resampled rows."""
    generator = np.random.default_rng(seed)
    values = [measure(generator.integers(0, count, count)) for _ in range(_BOOTSTRAPS)]
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return Figure(measure(np.arange(count)), float(low), float(high))


def knn_scores(train: Split, test: Split, k: int = _K) -> tuple[Floats, NDArray[np.int64]]:
    """Share of each class among the k nearest training pictures (n, classes), weighted by cosine; and the classes."""
    classes = np.unique(train.labels)
    cosines = test.vectors @ train.vectors.T
    nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    weights = np.exp(np.take_along_axis(cosines, nearest, axis=1) / 0.07)
    votes = np.stack([(weights * (train.labels[nearest] == name)).sum(axis=1) for name in classes], axis=1)
    return votes / votes.sum(axis=1, keepdims=True), classes


def retrieval(train: Split, test: Split) -> tuple[NDArray[np.float64], dict[int, NDArray[np.float64]]]:
    """Per test picture: average precision over the ranked training pictures; whether its label is in the first 1, 5, 10."""
    order = np.argsort(-(test.vectors @ train.vectors.T), axis=1)
    right = train.labels[order] == test.labels[:, None]
    ranks = np.arange(1, right.shape[1] + 1)
    precision = np.cumsum(right, axis=1) / ranks
    average = (precision * right).sum(axis=1) / np.maximum(right.sum(axis=1), 1)
    return average, {k: right[:, :k].any(axis=1).astype(np.float64) for k in (1, 5, 10)}


@dataclass(frozen=True)
class Probe:
    """A fitted linear probe; `classes` in the order of its scores."""

    pipeline: Any
    classes: NDArray[np.int64]

    def scores(self, vectors: Floats) -> Floats:
        """Class probabilities (n, classes), or of the second class alone where there are two."""
        found = np.asarray(self.pipeline.predict_proba(vectors))
        return found[:, 1] if len(self.classes) == 2 else found


def linear_probe(train: Split, share: float, seed: int = 0) -> Probe:
    """A logistic regression on a stratified share of the training labels.

    Features are standardised on that share; the strength of the L2 penalty is chosen by cross-validation within it.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = stratified_share(train.labels, share, seed)
    vectors, labels = train.vectors[rows].astype(np.float64), train.labels[rows]
    folds = int(min(3, np.unique(labels, return_counts=True)[1].min()))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=_ITERATIONS, tol=1e-3))
    scoring = "roc_auc" if len(np.unique(labels)) == 2 else "roc_auc_ovr"
    search = GridSearchCV(pipeline, {"logisticregression__C": _STRENGTHS}, cv=max(folds, 2), scoring=scoring)
    return Probe(search.fit(vectors, labels), np.unique(labels))


def stratified_share(labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    """Rows of a random share of every class, at least four of each."""
    generator = np.random.default_rng(seed)
    chosen = []
    for name in np.unique(labels):
        rows = np.flatnonzero(labels == name)
        chosen.append(generator.permutation(rows)[: max(round(share * len(rows)), 4)])
    return np.sort(np.concatenate(chosen))
