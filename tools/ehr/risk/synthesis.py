"""A synthetic cohort of a task's features, and a report of what it is worth and what it may give away.

A Gaussian copula per subgroup (sex and band of age) and label: each feature is mapped to a normal score, missingness is a
score of its own, and the scores are drawn together with a shrunken correlation (Patki et al., DSAA 2016). Subgroups are
drawn by density weights, so that small ones are not lost (the sampling of Bt-GAN). Marginals are smoothed between the values
seen, so that an extreme value of one person is not given back as it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import ks_2samp

from core.errors import InputError
from tools.ehr.risk.audit import groups_of
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.evaluate import held_out
from tools.ehr.risk.features import Table
from tools.ehr.risk.metrics import auroc
from tools.ehr.risk.model import fit_trees
from tools.ehr.risk.tasks import Recipe

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]
FEATURES = 40
LEAST = 60
"""Rows that a subgroup with a label needs for a copula of its own; smaller ones are pooled over subgroups."""
_SHRINK = 0.1
_TREES = Recipe(rounds=120, leaves=8, rate=0.05, columns=0.5, min_leaf=20, random_splits=False)


@dataclass(frozen=True)
class Report:
    """What the synthetic cohort is worth.

    Fidelity: mean Kolmogorov-Smirnov distance per feature and mean difference of correlations. Utility: AUROC on real
    held-out patients of a model trained on real and on synthetic ones. Privacy: share of synthetic rows nearer to a training
    row than the 5th percentile of held-out rows (5 % is what chance gives), how well distance tells training from held-out
    rows (.5 is not at all), exact copies. Fairness: the widest AUROC gap between subgroups, trained on real and on synthetic
    rows.
    """

    rows: int
    features: int
    ks: float
    correlation_difference: float
    auroc_real: float
    auroc_synthetic: float
    too_near: float
    membership_auroc: float
    copies: int
    gap_real: float
    gap_synthetic: float
    share_smallest_real: float
    share_smallest_synthetic: float

    def as_json(self) -> dict[str, float]:
        """Rounded to four decimals."""
        return {name: round(float(value), 4) for name, value in asdict(self).items()}


def synthesize(sample: Sample, rows: int, weight: float = 0.5, seed: int = 0) -> tuple[Table, Array, Report]:
    """Features and labels of a synthetic cohort, learnt from 70 % of the patients, and its report on the other 30 %.

    `weight` 0 draws subgroups as often as they are, 1 all equally often.

    Raises:
        InputError: there are too few rows of a class to learn from.
    """
    held = held_out(sample.rows.patient)
    few = int(min(sample.y[~held].sum(), (1 - sample.y[~held]).sum()))
    if few < LEAST:
        raise InputError(f"{few} rows of the rarer class to learn from; at least {LEAST} are needed for a synthetic cohort.")
    columns = _chosen(sample, ~held)
    table = Table(
        sample.table.x[:, columns],
        tuple(sample.table.names[i] for i in columns),
        tuple(sample.table.codes[i] for i in columns),
    )
    group = _subgroup(sample)
    x, y, own = table.x[~held], sample.y[~held], group[~held]
    random = np.random.default_rng(seed)
    made, labels, groups = _draw(x, y, own, rows, weight, random)
    synthetic = Table(made, table.names, table.codes)
    return synthetic, labels, _report(sample, table, held, synthetic, labels, (group, groups))


def _chosen(sample: Sample, mine: NDArray[np.bool_]) -> list[int]:
    """Age and sex, and the features that boosting uses most."""
    trees = fit_trees(sample.table.x[mine], sample.y[mine], _TREES)
    order = np.argsort(-trees.feature_importance("gain"))[:FEATURES].tolist()
    static = [i for i, name in enumerate(sample.table.names) if name in ("Age|last", "Gender|last")]
    return sorted({*order, *static})


def _subgroup(sample: Sample) -> NDArray[np.int64]:
    """A number per row for sex and band of age."""
    band = np.digitize(np.nan_to_num(sample.age, nan=60), [50, 70])
    groups = groups_of(sample.table, sample.age)
    female = next((groups[name] for name in ("female", "gender female", "sex female") if name in groups), None)
    return band * 2 + (np.zeros(len(band), np.int64) if female is None else female.astype(np.int64))


def _draw(
    x: Matrix, y: Array, group: NDArray[np.int64], rows: int, weight: float, random: np.random.Generator
) -> tuple[Matrix, Array, NDArray[np.int64]]:
    names, counts = np.unique(group, return_counts=True)
    density = counts / counts.sum()
    share = density ** (1 - weight)
    share /= share.sum()
    parts, labels, groups = [], [], []
    for name, number in zip(names, random.multinomial(rows, share), strict=True):
        rate = y[group == name].mean()
        for label, size in ((1.0, round(number * rate)), (0.0, number - round(number * rate))):
            mine = (group == name) & (y == label)
            source = x[mine] if mine.sum() >= LEAST else x[y == label]
            if size and len(source):
                parts.append(_copula(source, int(size), random))
                labels.append(np.full(int(size), label))
                groups.append(np.full(int(size), name))
    return np.concatenate(parts), np.concatenate(labels), np.concatenate(groups)


def _copula(x: Matrix, rows: int, random: np.random.Generator) -> Matrix:
    n, width = x.shape
    there = ~np.isnan(x)
    scores = np.zeros((n, 2 * width))
    for column in range(width):
        own = there[:, column]
        rank = np.argsort(np.argsort(x[own, column], kind="stable"), kind="stable")
        scores[own, column] = ndtri((rank + 0.5) / max(own.sum(), 1))
        scores[:, width + column] = np.where(own, 1.0, -1.0)
    spread = scores.std(axis=0)
    live = np.flatnonzero(spread > 1e-9)
    correlation = np.corrcoef(scores[:, live].T) if len(live) > 1 else np.eye(len(live))
    correlation = (1 - _SHRINK) * correlation + _SHRINK * np.eye(len(live))
    drawn = np.zeros((rows, 2 * width))
    drawn[:, live] = random.standard_normal((rows, len(live))) @ np.linalg.cholesky(correlation).T
    out = np.full((rows, width), np.nan, np.float32)
    for column in range(width):
        own = there[:, column]
        if not own.any():
            continue
        values = x[own, column].astype(np.float64)
        out[:, column] = _value(values, ndtr(drawn[:, column]))
        missing = drawn[:, width + column] > ndtri(own.mean()) if not own.all() else np.zeros(rows, bool)
        out[missing, column] = np.nan
    return out


def _value(values: Array, level: Array) -> Array:
    """The quantile at each level: of few values the value itself, else smoothed between the 1st and the 99th percentile."""
    different = np.unique(values)
    if len(different) <= 12:
        return np.quantile(values, level, method="nearest")
    return np.asarray(np.quantile(values, np.clip(level, 0.01, 0.99)))


def _report(
    sample: Sample, real: Table, held: NDArray[np.bool_], made: Table, labels: Array,
    groups: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Report:  # fmt: skip
    x, y = real.x[~held], sample.y[~held]
    test, truth = real.x[held], sample.y[held]
    by_real = np.asarray(fit_trees(x, y, _TREES).predict(test, raw_score=True, num_threads=1))
    by_made = np.asarray(fit_trees(made.x, labels, _TREES).predict(test, raw_score=True, num_threads=1))
    fidelity = [
        ks_2samp(a[~np.isnan(a)], b[~np.isnan(b)]).statistic
        for a, b in zip(x.T, made.x.T, strict=True)
        if (~np.isnan(a)).sum() > 20 and (~np.isnan(b)).sum() > 20
    ]
    near_made, near_test = _distances(x, made.x), _distances(x, test)
    near_train = _distances(made.x, x)
    near_held = _distances(made.x, test)
    told = np.concatenate([np.ones(len(near_train)), np.zeros(len(near_held))])
    smallest = np.argmin(np.bincount(groups[0][~held]))
    return Report(
        rows=len(labels), features=len(real.names), ks=float(np.mean(fidelity)),
        correlation_difference=_correlations_apart(x, made.x),
        auroc_real=auroc(truth, by_real), auroc_synthetic=auroc(truth, by_made),
        too_near=float((near_made < np.quantile(near_test, 0.05)).mean()),
        membership_auroc=auroc(told, -np.concatenate([near_train, near_held])), copies=int((near_made < 1e-6).sum()),
        gap_real=_gap(truth, by_real, groups[0][held]), gap_synthetic=_gap(truth, by_made, groups[0][held]),
        share_smallest_real=float((groups[0][~held] == smallest).mean()),
        share_smallest_synthetic=float((groups[1] == smallest).mean()),
    )  # fmt: skip


def _distances(base: Matrix, rows: Matrix, most: int = 1500) -> Array:
    """From each row (at most `most` of them) to the nearest base row, on standardised features, missing as the median."""
    middle = np.nanmedian(np.where(np.isnan(base).all(axis=0), 0, base), axis=0)
    spread = np.nanstd(np.where(np.isnan(base).all(axis=0), 0, base), axis=0)
    spread = np.where(spread < 1e-9, 1, spread)
    a, b = (np.nan_to_num((part - middle) / spread) for part in (base, rows[:most]))
    squares = (a**2).sum(axis=1)
    out = np.empty(len(b))
    for start in range(0, len(b), 256):
        part = b[start : start + 256]
        out[start : start + 256] = (squares[None] - 2 * part @ a.T + (part**2).sum(axis=1)[:, None]).min(axis=1)
    return np.sqrt(np.maximum(out, 0))


def _correlations_apart(a: Matrix, b: Matrix) -> float:
    def of(x: Matrix) -> Array:
        filled = np.where(np.isnan(x), np.nanmean(np.where(np.isnan(x).all(axis=0), 0, x), axis=0), x)
        filled = filled + np.random.default_rng(0).normal(0, 1e-6, filled.shape)
        return np.asarray(np.corrcoef(filled.T))

    return float(np.abs(of(a) - of(b)).mean())


def _gap(y: Array, z: Array, group: NDArray[np.int64]) -> float:
    areas = [auroc(y[group == name], z[group == name]) for name in np.unique(group)]
    known = [area for area in areas if not np.isnan(area)]
    return max(known) - min(known) if known else float("nan")
