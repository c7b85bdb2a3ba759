"""Evaluation on patients that the model has not seen, and the baselines on the same patients."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from tools.ehr.risk.calibrate import fit, sigmoid
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.features import Table
from tools.ehr.risk.fingerprint import marks_of
from tools.ehr.risk.metrics import Scores, score
from tools.ehr.risk.model import Model, fit_linear, fit_trees, folds_of, load_model, train
from tools.ehr.risk.population import refusals
from tools.ehr.risk.tasks import Recipe

Array = NDArray[np.float64]
MIN_FRESH = 100
"""So many patients unknown to the shipped model, or half of the folder's, and the shipped model is evaluated on them."""
MIN_RARER = 10
"""Below this many rows of the rarer class no AUROC, AUPRC or ECE is told: it would mean nothing."""
SIMPLE = ("|last", "|mean", "|min", "|max", "|count", "|present", "|clock")


@dataclass(frozen=True)
class Evaluation:
    """Figures, and in words which model and which patients they are of."""

    scores: Scores
    note: str


def shipped_model(task: str) -> Model | None:
    """The model that ships for a task, or None."""
    folder = files("tools.ehr.risk") / "weights" / task
    if not (folder / "model.json").is_file():
        return None
    with as_file(folder) as path:
        return load_model(path)


def predict(model: Model, table: Table, age: Array) -> Array:
    """Probabilities, NaN where the model abstains; shape (rows,)."""
    p = model.probability(table, age)
    reasons = refusals(model, table, age)
    return np.where([bool(reason) for reason in reasons], np.nan, p)


def evaluate(sample: Sample, model: Model | None) -> Evaluation:
    """The given model on patients that it was not trained on; where too few are left, its recipe on a split by patient.

    Below `MIN_RARER` rows of the rarer class the figures that need both classes are NaN, and the note says so.

    Raises:
        InputError: the recipe has too few of one class to train on.
    """
    name = sample.task.name
    if model is not None:
        fresh = ~_known(model, sample)
        new, all_of_them = (len(np.unique(sample.rows.patient[mine])) for mine in (fresh, np.ones(len(fresh), bool)))
        if new >= MIN_FRESH or 2 * new >= all_of_them:
            left = int((~fresh).sum())
            also = f"; {left} rows of its training patients were left out" if left else ""
            note = f"{name}: a trained model (the shipped one unless --weights) on patients it has not seen{also}"
            return _told(sample, predict(model, sample.table, sample.age), fresh, note)
    held = held_out(sample.rows.patient)
    refit = _refit(sample, ~held)
    note = f"{name}: trained on 70 % of the patients of this folder, evaluated on the other 30 %"
    if model is not None:
        note += ", because the shipped model was trained on these patients"
    return _told(sample, predict(refit, sample.table, sample.age), held, note)


def _told(sample: Sample, p: Array, mine: NDArray[np.bool_], note: str) -> Evaluation:
    y = sample.y[mine]
    scores = score(y, p[mine], sample.age[mine], sample.rows.patient[mine])
    least = int(min(y.sum(), (1 - y).sum()))
    if least < MIN_RARER:
        nothing = float("nan")
        scores = replace(scores, auroc=nothing, auroc_ci=(nothing, nothing), auprc=nothing, ece=nothing)
        note += f"; only {least} rows of the rarer class, and at least {MIN_RARER} are needed for AUROC, AUPRC and ECE"
    return Evaluation(scores, note)


def _known(model: Model, sample: Sample) -> NDArray[np.bool_]:
    """Rows of people of whom any record was in training, shape (rows,)."""
    seen = model.trained_on(marks_of(sample.cohort.events, sample.rows.subject))
    return np.asarray(np.isin(sample.rows.patient, sample.rows.patient[seen]))


def held_out(patient: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The 30 % of patients kept for evaluation, by a hash, shape (rows,)."""
    people, index = np.unique(patient, return_inverse=True)
    tenth = [int(hashlib.blake2b(f"held {person}".encode(), digest_size=4).hexdigest(), 16) % 10 for person in people]
    return np.asarray(np.array(tenth)[index] < 3)


def _refit(sample: Sample, mine: NDArray[np.bool_]) -> Model:
    part = _part(sample.table, mine)
    return train(sample.task.name, part, sample.y[mine], sample.age[mine], sample.rows.patient[mine], sample.task.recipe)


def _part(table: Table, mine: NDArray[np.bool_]) -> Table:
    return Table(table.x[mine], table.names, table.codes)


def _scored(sample: Sample, p: Array, mine: NDArray[np.bool_], rounds: int = 1000) -> Scores:
    y = sample.y[mine]
    least = int(min(y.sum(), (1 - y).sum()))
    if least < MIN_RARER:
        raise InputError(
            f"{sample.task.name}: only {least} rows of the rarer class; at least {MIN_RARER} are needed for a comparison."
        )
    return score(y, p[mine], sample.age[mine], sample.rows.patient[mine], rounds)


def compare(sample: Sample) -> dict[str, Scores]:
    """Every model in one table, trained and evaluated on the same split by patient."""
    held = held_out(sample.rows.patient)
    here = ~held
    out = {"default": _scored(sample, predict(_refit(sample, here), sample.table, sample.age), held)}
    simple = [i for i, name in enumerate(sample.table.names) if name.endswith(SIMPLE)]
    counts = [i for i, name in enumerate(sample.table.names) if name.endswith(("|count", "|present", "|clock"))]
    raw = _boosted(sample, simple, here)
    out["LightGBM, simple features"] = _scored(sample, sigmoid(raw), held)
    out["the same, isotonic"] = _scored(sample, _isotonic(sample, simple, here, raw), held)
    names = list(sample.table.names)
    linear = fit_linear(sample.table.x[here], sample.y[here], names, sample.task.recipe.linear_c)
    out["L2 logistic"] = _scored(sample, sigmoid(linear.logit(sample.table.x)), held)
    if counts:
        out["counts only"] = _scored(sample, sigmoid(_boosted(sample, counts, here)), held)
    for name in sample.task.comparators:
        out[name] = _scored(sample, _comparator(sample, name, here), held)
    return out


BASELINE = Recipe(rounds=150, leaves=31, rate=0.05, columns=1.0, min_leaf=20, random_splits=False)


def _boosted(sample: Sample, columns: list[int], here: NDArray[np.bool_]) -> Array:
    x = sample.table.x[:, columns]
    return np.asarray(fit_trees(x[here], sample.y[here], BASELINE).predict(x, raw_score=True, num_threads=1))


def _isotonic(sample: Sample, columns: list[int], here: NDArray[np.bool_], raw: Array) -> Array:
    """Isotonic on scores held out within the training part."""
    x, fold = sample.table.x[:, columns], folds_of(sample.rows.patient)
    inner, outer = here & (fold != 0), here & (fold == 0)
    z = np.asarray(fit_trees(x[inner], sample.y[inner], BASELINE).predict(x[outer], raw_score=True, num_threads=1))
    return fit("isotonic", z, sample.y[outer], sample.age[outer]).probability(raw, sample.age)


def _comparator(sample: Sample, name: str, here: NDArray[np.bool_]) -> Array:
    """A published score as a risk: probabilities as they are (`1-` turns survival into death), others through isotonic."""
    column = sample.rows.outcomes.get(name.removeprefix("1-"))
    if column is None:
        return np.full(len(sample.y), np.nan)
    if name.startswith("1-"):
        return 1 - column
    there = here & ~np.isnan(column) & (column >= 0)
    fitted = fit("isotonic", column[there], sample.y[there], sample.age[there])
    return np.where(np.isnan(column) | (column < 0), np.nan, fitted.probability(column, sample.age))
