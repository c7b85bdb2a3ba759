"""The default model: randomised boosting, a logistic regression and a small network, mixed in log-odds and calibrated.

It is kept as `model.json`, LightGBM's own text (`trees.txt`) and `network.safetensors`; nothing is pickled.
Extremely randomised splits: Geurts et al., Mach Learn 2006;63:3-42.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.linear_model import LogisticRegression

from core.errors import FileError, InputError
from tools.ehr.risk.audit import LeakageAudit, OddsGap, Subgroup, equalised_odds, fairness, groups_of, leakage_audit, leaks
from tools.ehr.risk.calibrate import Array, Calibrator, choose, log_loss, sigmoid
from tools.ehr.risk.features import Table
from tools.ehr.risk.fingerprint import Marks, packed, unpacked
from tools.ehr.risk.network import Network, fit_network, load_network
from tools.ehr.risk.tasks import MIN_POSITIVES, Recipe

if TYPE_CHECKING:
    import lightgbm as lgb

FOLDS = 5
_ENOUGH = 60000
Matrix = NDArray[np.float32]


class Linear(BaseModel):
    """Logistic regression on clipped, median-filled, standardised features, and on what was missing."""

    model_config = ConfigDict(extra="forbid")

    low: list[float]
    high: list[float]
    median: list[float]
    mean: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float
    flags: list[int]

    def logit(self, x: Matrix) -> Array:
        """Shape (n, features) to (n,)."""
        z = (_prepared(x, self.low, self.high, self.median, self.flags) - np.array(self.mean)) / np.array(self.scale)
        return np.asarray(z @ np.array(self.weights) + self.intercept)


class Population(BaseModel):
    """Who the model was trained on: what a patient must resemble to get an estimate."""

    model_config = ConfigDict(extra="forbid")

    age: tuple[float, float]
    min_variables: int
    allowed: dict[str, list[float]]
    low: list[float]
    high: list[float]
    max_outside: float


class Meta(BaseModel):
    """Everything but the trees."""

    model_config = ConfigDict(extra="forbid")

    task: str
    version: str
    features: list[str]
    codes: list[list[str]]
    shares: tuple[float, float, float]
    """Of the trees, the logistic regression and the network; they add up to 1."""
    base_rate: float
    n: int
    patients: int
    linear: Linear
    population: Population
    calibrator: dict[str, object]
    calibration_losses: dict[str, float]
    cross_validated: dict[str, object]
    bands: dict[str, dict[str, float]]
    medians: list[float]
    fairness: list[Subgroup] = []
    equalised_odds: dict[str, OddsGap] = {}
    audit: LeakageAudit | None = None
    trained: str
    """Fingerprints of the training records (`fingerprint.packed`), so that they are never evaluated on."""


def _prepared(x: Matrix, low: list[float], high: list[float], median: list[float], flags: list[int]) -> Array:
    missing = np.isnan(x)
    filled = np.where(missing, np.array(median), np.clip(x, np.array(low), np.array(high)))
    return np.hstack([filled, missing[:, flags].astype(np.float64)])


def fit_linear(x: Matrix, y: Array, names: list[str], c: float) -> Linear:
    """Fit on standardised features; `c` is the inverse strength of the L2 penalty, from the task's recipe."""
    if len(y) > _ENOUGH:  # a line needs no more rows, and the time grows with them
        rows = np.random.default_rng(0).choice(len(y), _ENOUGH, replace=False)
        x, y = x[rows], y[rows]
    empty = np.isnan(x).all(axis=0)
    safe = np.where(empty, 0.0, x).astype(np.float64)
    low, high = np.nanpercentile(safe, [1, 99], axis=0)
    # A rare flag has its 99th percentile at 0; clipping it there would erase it.
    high = np.where(high == low, np.nanmax(safe, axis=0), high)
    median = np.nanmedian(safe, axis=0)
    flags = [i for i, name in enumerate(names) if name.endswith("|last") and np.isnan(x[:, i]).any()]
    z = _prepared(x, low.tolist(), high.tolist(), median.tolist(), flags)
    mean, scale = z.mean(axis=0), z.std(axis=0)
    scale = np.where(scale < 1e-9, 1.0, scale)
    model = LogisticRegression(C=c, max_iter=300)
    model.fit((z - mean) / scale, y)

    def short(values: Array) -> list[float]:
        return [float(f"{value:.6g}") for value in values]

    return Linear(
        low=short(low), high=short(high), median=short(median), mean=short(mean), scale=short(scale),
        weights=short(model.coef_[0]), intercept=float(model.intercept_[0]), flags=flags,
    )  # fmt: skip


def fit_trees(x: Matrix, y: Array, recipe: Recipe) -> lgb.Booster:
    """Fit the boosting on one core; the same seed gives the same trees."""
    import lightgbm as lgb

    settings = {
        "objective": "binary", "verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True, "lambda_l2": 10,
        "learning_rate": recipe.rate, "num_leaves": recipe.leaves, "min_child_samples": recipe.min_leaf,
        "feature_fraction": recipe.columns, "bagging_fraction": 0.8, "bagging_freq": 1, "extra_trees": recipe.random_splits,
    }  # fmt: skip
    return lgb.train(settings, lgb.Dataset(x, y), recipe.rounds)


@dataclass
class Model:
    """A trained model of one task."""

    meta: Meta
    trees: lgb.Booster
    network: Network | None = None

    def __post_init__(self) -> None:
        self.calibrator = Calibrator(**self.meta.calibrator)  # type: ignore[arg-type]

    def logit(self, x: Matrix) -> Array:
        """The mixed log-odds before calibration, shape (n,). `x` has the model's own columns."""
        boosted = np.asarray(self.trees.predict(x, raw_score=True, num_threads=1), dtype=np.float64)
        tree_share, linear_share, network_share = self.meta.shares
        mixed = tree_share * boosted + linear_share * self.meta.linear.logit(x)
        return mixed if self.network is None else mixed + network_share * self.network.logit(x)

    def probability(self, table: Table, age: Array) -> Array:
        """Calibrated probability, shape (n,)."""
        return self.calibrator.probability(self.logit(table.align(self.meta.features)), age)

    def trained_on(self, marks: Marks) -> NDArray[np.bool_]:
        """Which records were in the training set, by fingerprint, shape (n,)."""
        return np.isin(marks, unpacked(self.meta.trained))

    def save(self, folder: Path) -> None:
        """Write `model.json`, `trees.txt` and, where there is a network, `network.safetensors`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").write_text(self.meta.model_dump_json())
        # LightGBM appends its parameters and importances, which prediction does not need.
        (folder / "trees.txt").write_text(self.trees.model_to_string(importance_type="gain"))
        if self.network is not None:
            self.network.save(folder / "network.safetensors")


def load_model(folder: Path) -> Model:
    """Read a model written by `Model.save`.

    Raises:
        FileError: a file is missing or not what it should be.
    """
    import lightgbm as lgb

    try:
        meta = Meta.model_validate_json((folder / "model.json").read_text())
        network = folder / "network.safetensors"
        trees = lgb.Booster(model_str=(folder / "trees.txt").read_text())
        return Model(meta, trees, load_network(network) if meta.shares[2] else None)
    except (OSError, ValueError, lgb.basic.LightGBMError) as error:
        raise FileError(f"{folder.name} does not hold a trained model: {str(error)[:200]}") from error


def folds_of(patient: NDArray[np.int64]) -> NDArray[np.int64]:
    """A fold 0..4 per row, by a hash of the patient, so that nobody is in two."""
    people, index = np.unique(patient, return_inverse=True)
    fold = np.array([int(hashlib.blake2b(f"fold {p}".encode(), digest_size=4).hexdigest(), 16) % FOLDS for p in people])
    return np.asarray(fold[index], dtype=np.int64)


def train(
    name: str, table: Table, y: Array, age: Array, patient: NDArray[np.int64], recipe: Recipe, marks: Marks | None = None
) -> Model:
    """Cross-validate by patient, choose the shares and the calibration on the held-out scores, then fit on all.

    `marks` are the fingerprints of the rows' records, kept so that they are never evaluated on.

    Raises:
        InputError: there are fewer than `MIN_POSITIVES` of one class, or a feature tells the outcome alone.
    """
    from tools.ehr.risk.metrics import score

    few = int(min(y.sum(), (1 - y).sum()))
    if few < MIN_POSITIVES:
        raise InputError(f"{name}: {few} rows of the rarer class; at least {MIN_POSITIVES} are needed to train.")
    found = leaks(table, y)
    if found:
        raise InputError(f"{name} looks as if its label leaks: {'; '.join(found[:5])}. Leave it out of the features.")
    names, x = list(table.names), table.x
    parts = held_out_scores(x, y, names, patient, recipe)
    shares = shares_of(parts, y)
    z = np.asarray(np.array(shares) @ parts)
    calibrator, losses = choose(z, y, age, patient)
    p, groups = calibrator.probability(z, age), groups_of(table, age)
    meta = Meta(
        task=name, version="2", features=names, codes=[list(codes) for codes in table.codes], shares=shares,
        base_rate=round(float(y.mean()), 6), n=len(y), patients=len(np.unique(patient)),
        linear=fit_linear(x, y, names, recipe.linear_c), population=_population(table, age), calibrator=vars(calibrator),
        calibration_losses=losses, cross_validated=score(y, p, age, patient, rounds=200).as_json(),
        bands=_bands(y, p, age), fairness=fairness(y, p, groups, patient),
        equalised_odds=equalised_odds(y, p, groups, patient),
        audit=leakage_audit(table, y, patient, folds_of(patient), marks),
        medians=[float(f"{v:.6g}") for v in np.nanmedian(np.where(np.isnan(x[:50000]).all(axis=0), 0, x[:50000]), axis=0)],
        trained=packed(np.zeros(0, np.uint32) if marks is None else marks),
    )  # fmt: skip
    network = fit_recipe_network(x, y, recipe, recipe.network) if shares[2] else None
    return Model(meta, fit_trees(x, y, recipe), network)


def fit_recipe_network(x: Matrix, y: Array, recipe: Recipe, seeds: int) -> Network:
    """The network of a task's recipe, with so many seeds."""
    return fit_network(x, y, seeds, recipe.epochs, batch=128 if len(y) < 50000 else 512)


def held_out_scores(
    x: Matrix, y: Array, names: list[str], patient: NDArray[np.int64], recipe: Recipe
) -> NDArray[np.float64]:
    """Log-odds of trees, logistic regression and network on patients held out in turn, shape (3, n)."""
    fold = folds_of(patient)
    parts = np.zeros((3, len(y)))
    for held in range(FOLDS):
        mine = fold == held
        if not mine.any():
            continue
        parts[0, mine] = fit_trees(x[~mine], y[~mine], recipe).predict(x[mine], raw_score=True, num_threads=1)
        parts[1, mine] = fit_linear(x[~mine], y[~mine], names, recipe.linear_c).logit(x[mine])
        if recipe.network:
            parts[2, mine] = fit_recipe_network(x[~mine], y[~mine], recipe, 1).logit(x[mine])
    return parts


def shares_of(parts: NDArray[np.float64], y: Array) -> tuple[float, float, float]:
    """The shares of least log loss on held-out scores, in tenths, at least half of it trees."""
    tenths = range(6)
    options = [(10 - a - b, a, b) for a in tenths for b in (tenths if parts[2].any() else (0,)) if a + b <= 5]
    best = min(options, key=lambda option: log_loss(y, sigmoid(np.array(option) / 10 @ parts)))
    return best[0] / 10, best[1] / 10, best[2] / 10


def _bands(y: Array, p: Array, age: Array) -> dict[str, dict[str, float]]:
    from tools.ehr.risk.metrics import AGE_BANDS, band_name, observed_expected

    out = {}
    for low, high in AGE_BANDS:
        mine = (age >= low) & (age < high)
        if mine.any():
            oe = round(observed_expected(y[mine], p[mine]), 4)
            out[band_name(low, high)] = {"n": int(mine.sum()), "rate": round(float(y[mine].mean()), 4), "oe": oe}
    return out


def variables_seen(table: Table, codes: list[list[str]], names: list[str]) -> NDArray[np.int64]:
    """How many of the model's codes each row has at least one value of, shape (n,)."""
    x = table.align(names)
    last = [i for i, name in enumerate(names) if name.endswith("|last") and len(codes[i]) == 1]
    return np.asarray((~np.isnan(x[:, last])).sum(axis=1))


def _population(table: Table, age: Array) -> Population:
    x, names = table.x, list(table.names)
    low, high = np.nanpercentile(np.where(np.isnan(x).all(axis=0), 0, x).astype(np.float64), [0.1, 99.9], axis=0)
    outside = ((x < low) | (x > high)).mean(axis=1)
    seen = variables_seen(table, [list(codes) for codes in table.codes], names)
    allowed: dict[str, list[float]] = {}
    if "ICUType|last" in names:
        column = x[:, names.index("ICUType|last")]
        allowed["ICUType|last"] = [float(value) for value in np.unique(column[~np.isnan(column)])]
    there = age[~np.isnan(age)]
    return Population(
        age=(float(there.min()), float(there.max())) if len(there) else (0.0, 200.0),
        min_variables=int(np.clip(np.percentile(seen, 0.1), min(6, np.percentile(seen, 1)), 8)),
        allowed=allowed,
        low=[float(f"{value:.6g}") for value in low],
        high=[float(f"{value:.6g}") for value in high],
        max_outside=float(np.percentile(outside, 99.9)),
    )
