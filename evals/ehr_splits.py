"""Calibration over many splits: `python -m evals.ehr_splits DIR --task hospital_death [--splits 15]`.

One split of 30 % has so few events in a band of age that observed/expected and ECE are mostly chance: a perfectly calibrated
model is told as well, by drawing outcomes from its own probabilities. Each split trains the default (one network seed) and
the LightGBM baseline anew on 70 % of the patients. The splits overlap, so their means have no interval of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.calibrate import choose, log_loss, sigmoid
from tools.ehr.risk.datasets import Sample, read_folder, sample
from tools.ehr.risk.evaluate import BASELINE, SIMPLE
from tools.ehr.risk.metrics import AGE_BANDS, auroc, band_name, brier, by_age, ece, observed_expected
from tools.ehr.risk.model import fit_linear, fit_recipe_network, fit_trees, held_out_scores, shares_of
from tools.ehr.risk.tasks import load_task

Array = NDArray[np.float64]
BANDS = tuple(band_name(low, high) for low, high in AGE_BANDS)


def main() -> None:
    """Parse, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", required=True)
    parser.add_argument("--splits", type=int, default=15)
    arguments = parser.parse_args()
    part = sample(load_task(arguments.task), read_folder(arguments.data))
    found = [one_split(part, number) for number in range(arguments.splits)]
    print(json.dumps(summary(found)))


def one_split(part: Sample, number: int) -> dict[str, dict[str, float]]:
    """Figures of the default, the baseline and a perfectly calibrated model on the held-out 30 % of split `number`."""
    people, index = np.unique(part.rows.patient, return_inverse=True)
    tenth = [int(hashlib.blake2b(f"rep{number} {who}".encode(), digest_size=4).hexdigest(), 16) % 10 for who in people]
    held = np.array(tenth)[index] < 3
    mine = ~held
    x, y, age, names = part.table.x, part.y, part.age, list(part.table.names)
    recipe = part.task.recipe.model_copy(update={"network": min(part.task.recipe.network, 1)})
    parts = held_out_scores(x[mine], y[mine], names, part.rows.patient[mine], recipe)
    shares = shares_of(parts, y[mine])
    calibrator, _ = choose(np.asarray(np.array(shares) @ parts), y[mine], age[mine], part.rows.patient[mine])
    z = np.zeros((3, int(held.sum())))
    z[0] = fit_trees(x[mine], y[mine], recipe).predict(x[held], raw_score=True, num_threads=1)
    z[1] = fit_linear(x[mine], y[mine], names, recipe.linear_c).logit(x[held])
    if shares[2]:
        z[2] = fit_recipe_network(x[mine], y[mine], recipe, 1).logit(x[held])
    p = calibrator.probability(np.asarray(np.array(shares) @ z), age[held])
    simple = [place for place, name in enumerate(names) if name.endswith(SIMPLE)]
    base = fit_trees(x[mine][:, simple], y[mine], BASELINE).predict(x[held][:, simple], raw_score=True, num_threads=1)
    drawn = (np.random.default_rng(number).uniform(size=len(p)) < p).astype(np.float64)
    return {
        "default": _figures(y[held], p, age[held]),
        "LightGBM": _figures(y[held], sigmoid(np.asarray(base)), age[held]),
        "perfectly calibrated": _figures(drawn, p, age[held]),
    }


def _figures(y: Array, p: Array, age: Array) -> dict[str, float]:
    bands = by_age(y, p, age)
    out = {
        "auroc": auroc(y, p), "brier": brier(y, p), "ece": ece(y, p), "log_loss": log_loss(y, p),
        "oe": observed_expected(y, p), **{f"oe {name}": bands.get(name, float("nan")) for name in BANDS},
    }  # fmt: skip
    return out | {"all bands within .9 to 1.1": float(all(abs(bands.get(name, 1.0) - 1) <= 0.1 for name in BANDS))}


def summary(found: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Means over the splits, and in how many the default's ECE and Brier score are the lower."""
    out = {
        model: {name: round(float(np.mean([split[model][name] for split in found])), 4) for name in found[0][model]}
        for model in found[0]
    }
    out["share of splits where the default is lower"] = {
        name: float(np.mean([split["default"][name] < split["LightGBM"][name] for split in found]))
        for name in ("ece", "brier", "log_loss")
    }
    return out


if __name__ == "__main__":
    main()
