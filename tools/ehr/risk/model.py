"""The default model: gradient boosting and a logistic regression, mixed, calibrated, with the population it was trained on.

It is kept as `model.json` and LightGBM's own text (`trees.txt`); nothing is pickled.
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
from tools.ehr.risk.calibrate import Array, Calibrator, choose, log_loss, sigmoid
from tools.ehr.risk.features import Table
from tools.ehr.risk.tasks import MIN_POSITIVES, Recipe

if TYPE_CHECKING:
    import lightgbm as lgb

FOLDS = 5
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
    mix: float
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
    trained: str
    """Blake2b (4 bytes each) of the training patients, as hex, so that they are never evaluated on."""


def _prepared(x: Matrix, low: list[float], high: list[float], median: list[float], flags: list[int]) -> Array:
    missing = np.isnan(x)
    filled = np.where(missing, np.array(median), np.clip(x, np.array(low), np.array(high)))
    return np.hstack([filled, missing[:, flags].astype(np.float64)])


def fit_linear(x: Matrix, y: Array, names: list[str], c: float) -> Linear:
    """Fit on standardised features; `c` is the inverse strength of the L2 penalty, from the task's recipe."""
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
        "feature_fraction": recipe.columns, "bagging_fraction": 0.8, "bagging_freq": 1,
    }  # fmt: skip
    return lgb.train(settings, lgb.Dataset(x, y), recipe.rounds)


@dataclass
class Model:
    """A trained model of one task."""

    meta: Meta
    trees: lgb.Booster

    def __post_init__(self) -> None:
        self.calibrator = Calibrator(**self.meta.calibrator)  # type: ignore[arg-type]

    def logit(self, x: Matrix) -> Array:
        """The mixed log-odds before calibration, shape (n,). `x` has the model's own columns."""
        boosted = np.asarray(self.trees.predict(x, raw_score=True, num_threads=1), dtype=np.float64)
        return (1 - self.meta.mix) * boosted + self.meta.mix * self.meta.linear.logit(x)

    def probability(self, table: Table, age: Array) -> Array:
        """Calibrated probability, shape (n,)."""
        return self.calibrator.probability(self.logit(table.align(self.meta.features)), age)

    def trained_on(self, patient: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which patients were in the training set, shape (n,)."""
        size = 8
        known = {self.meta.trained[i : i + size] for i in range(0, len(self.meta.trained), size)}
        return np.array([_mark(int(number)) in known for number in patient], dtype=bool)

    def save(self, folder: Path) -> None:
        """Write `model.json` and `trees.txt`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").write_text(self.meta.model_dump_json())
        # LightGBM appends its parameters and importances, which prediction does not need.
        (folder / "trees.txt").write_text(self.trees.model_to_string(importance_type="gain"))


def load_model(folder: Path) -> Model:
    """Read a model written by `Model.save`.

    Raises:
        FileError: a file is missing or not what it should be.
    """
    import lightgbm as lgb

    try:
        meta = Meta.model_validate_json((folder / "model.json").read_text())
        return Model(meta, lgb.Booster(model_str=(folder / "trees.txt").read_text()))
    except (OSError, ValueError, lgb.basic.LightGBMError) as error:
        raise FileError(f"{folder.name} does not hold a trained model: {str(error)[:200]}") from error


def _mark(patient: int) -> str:
    return hashlib.blake2b(str(patient).encode(), digest_size=4).hexdigest()


def folds_of(patient: NDArray[np.int64]) -> NDArray[np.int64]:
    """A fold 0..4 per row, by a hash of the patient, so that nobody is in two."""
    people, index = np.unique(patient, return_inverse=True)
    fold = np.array([int(hashlib.blake2b(f"fold {p}".encode(), digest_size=4).hexdigest(), 16) % FOLDS for p in people])
    return np.asarray(fold[index], dtype=np.int64)


def train(name: str, table: Table, y: Array, age: Array, patient: NDArray[np.int64], recipe: Recipe) -> Model:
    """Cross-validate by patient, choose the mix and the calibration on the held-out scores, then fit on all.

    Raises:
        InputError: there are fewer than `MIN_POSITIVES` of one class.
    """
    from tools.ehr.risk.metrics import score

    few = int(min(y.sum(), (1 - y).sum()))
    if few < MIN_POSITIVES:
        raise InputError(f"{name}: {few} rows of the rarer class; at least {MIN_POSITIVES} are needed to train.")
    names, x = list(table.names), table.x
    fold = folds_of(patient)
    boosted, linear = np.empty(len(y)), np.empty(len(y))
    for held in range(FOLDS):
        mine = fold == held
        boosted[mine] = fit_trees(x[~mine], y[~mine], recipe).predict(x[mine], raw_score=True, num_threads=1)
        linear[mine] = fit_linear(x[~mine], y[~mine], names, recipe.linear_c).logit(x[mine])
    mix = min((0.0, 0.1, 0.2, 0.3, 0.4, 0.5), key=lambda w: log_loss(y, sigmoid((1 - w) * boosted + w * linear)))
    z = (1 - mix) * boosted + mix * linear
    calibrator, losses = choose(z, y, age, patient)
    scores = score(y, calibrator.probability(z, age), age, patient, rounds=200)
    meta = Meta(
        task=name, version="1", features=names, codes=[list(codes) for codes in table.codes], mix=mix,
        base_rate=round(float(y.mean()), 6), n=len(y), patients=len(np.unique(patient)),
        linear=fit_linear(x, y, names, recipe.linear_c), population=_population(table, age), calibrator=vars(calibrator),
        calibration_losses=losses, cross_validated=scores.as_json(),
        bands=_bands(y, calibrator.probability(z, age), age),
        medians=[float(f"{v:.6g}") for v in np.nan_to_num(np.nanmedian(x[: 50000], axis=0))],
        trained="".join(_mark(int(person)) for person in np.unique(patient)),
    )  # fmt: skip
    return Model(meta, fit_trees(x, y, recipe))


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
