"""Does abstaining help where a type of unit was never seen? `python -m evals.ehr_coverage DIR [--task T]` on PhysioNet 2012.

For each type of unit a model is trained on 70 % of the patients without that type, and asked about the other 30 % and about
all stays of that type. Rows are left out by doubt, those of most doubt first; the curve is the Brier score of the rows kept.
Several measures of doubt are tried. Which one is reported for a unit is chosen on the other units alone: with the reported
unit out of everything, each of the others is held out in turn, and the measure whose curves rise least is taken (then the
one of least area). The model is the default's boosting and logistic regression, calibrated on a fifth of its patients.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.calibrate import Calibrator, fit, sigmoid
from tools.ehr.risk.datasets import Sample, read_folder, sample
from tools.ehr.risk.evaluate import held_out
from tools.ehr.risk.metrics import auroc, brier
from tools.ehr.risk.model import fit_linear, fit_trees, folds_of
from tools.ehr.risk.network import normal_scores
from tools.ehr.risk.tasks import load_task

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
COVERAGES = tuple(tenth / 10 for tenth in range(10, 0, -1))
UNITS = {1: "coronary", 2: "cardiac surgery", 3: "medical", 4: "surgical"}


def main() -> None:
    """Parse, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", default="icu_death")
    parser.add_argument("--rounds", type=int, default=300, help="of boosting (default 300)")
    arguments = parser.parse_args()
    part = sample(load_task(arguments.task), read_folder(arguments.data))
    print(json.dumps(by_unit(part, arguments.rounds)))


@dataclass(frozen=True)
class Asked:
    """Rows that a model without some units is asked about: outcome, probability, and doubt by measure; shape (n,)."""

    y: Array
    p: Array
    unseen: Mask
    doubt: dict[str, Array]


def by_unit(part: Sample, rounds: int) -> dict[str, object]:
    """For each unit: the measure chosen on the others, its curve, and what every measure would have given."""
    units = part.table.x[:, part.table.names.index("ICUType|last")]
    inner: dict[tuple[int, int], dict[str, tuple[int, float]]] = {}
    for first in UNITS:
        for second in UNITS:
            if first < second:
                for without, other in ((first, second), (second, first)):
                    # `other` is the one that is reported later: it is neither trained on nor asked about here.
                    inner[other, without] = _judged(_asked(part, units, without, rounds, leave=other))
    out: dict[str, object] = {}
    for unit, name in UNITS.items():
        asked = _asked(part, units, unit, rounds)
        means = {
            measure: tuple(np.mean([inner[unit, o][measure] for o in UNITS if o != unit], axis=0)) for measure in asked.doubt
        }
        chosen = min(means, key=lambda measure: means[measure])
        curve = risk_coverage(asked.y, asked.p, asked.doubt[chosen])
        judged = _judged(asked)
        out[name] = {
            "asked": len(asked.y), "of the unseen unit": int(asked.unseen.sum()), "chosen": chosen,
            "curve": [(coverage, round(value, 4)) for coverage, value in curve], "falls": rises(curve) == 0,
            "auroc": round(auroc(asked.y, asked.p), 4),
            "brier": {"unseen": round(brier(asked.y[asked.unseen], asked.p[asked.unseen]), 4),
                      "seen": round(brier(asked.y[~asked.unseen], asked.p[~asked.unseen]), 4)},
            "unseen among the tenth of most doubt": round(float(asked.unseen[_most(asked.doubt[chosen])].mean()), 3),
            "rises and area by measure": {m: (rise, round(area, 4)) for m, (rise, area) in judged.items()},
        }  # fmt: skip
    return out


def _most(doubt: Array) -> NDArray[np.intp]:
    return np.argsort(-doubt, kind="stable")[: max(1, len(doubt) // 10)]


def _asked(part: Sample, units: NDArray[np.float32], without: int, rounds: int, leave: int = 0) -> Asked:
    """Train without the unit (and `leave`), ask about it and about the held-out patients of the units that were seen."""
    held = held_out(part.rows.patient)
    unseen, gone = units == without, units == leave
    fitted = ~held & ~unseen & ~gone
    aside = fitted & (folds_of(part.rows.patient) == 0)
    mine, asked = fitted & ~aside, (held | unseen) & ~gone
    x, names = part.table.x, list(part.table.names)
    trees = fit_trees(x[mine], part.y[mine], part.task.recipe.model_copy(update={"rounds": rounds}))
    boosted = np.asarray(trees.predict(x, raw_score=True, num_threads=1))
    linear = fit_linear(x[mine], part.y[mine], names, part.task.recipe.linear_c).logit(x)

    def calibrated(z: Array) -> Array:
        calibrator: Calibrator = fit("logistic", z[aside], part.y[aside], part.age[aside])
        return np.asarray(calibrator.probability(z, part.age)[asked])

    p, one, two = calibrated(0.8 * boosted + 0.2 * linear), calibrated(boosted), calibrated(linear)
    far = _distance(x, mine, aside, names)[asked]
    base = float(part.y[mine].mean())
    return Asked(part.y[asked], p, unseen[asked], measures(p, one, two, far, unseen[asked], base))


def measures(p: Array, one: Array, two: Array, far: Array, refused: Mask, base: float) -> dict[str, Array]:
    """Doubt by measure, larger is more: of the probability p, of two learners' own, and of the distance (0 to 1)."""
    loss = p * (1 - p)
    widened = sigmoid(np.log(p / (1 - p)) * (1 - 0.3 * far) + np.log(base / (1 - base)) * 0.3 * far)
    return {
        "refused first, then expected loss": loss + refused,
        "expected loss": loss,
        "expected loss and disagreement": loss + (one - two) ** 2,
        "expected loss, the worse of two learners": np.maximum(one * (1 - one), two * (1 - two)),
        "expected loss, drawn to the base rate by distance": widened * (1 - widened),
        "distance": far,
        "expected loss times distance": loss * (0.5 + far),
    }


def _distance(x: NDArray[np.float32], mine: Mask, aside: Mask, names: list[str]) -> Array:
    """Distance from the training rows in the 20 first principal components, as a share of calibration rows nearer; (n,)."""
    columns = [index for index, name in enumerate(names) if not name.startswith("ICUType")]
    knots, scores = normal_scores(x[mine][:, columns])
    z = np.stack([np.interp(x[:, c], knots[i], scores[i]) for i, c in enumerate(columns)], axis=1)
    z = np.nan_to_num(z)
    middle = z[mine].mean(axis=0)
    _, spread, axes = np.linalg.svd(z[mine] - middle, full_matrices=False)
    parts = (z - middle) @ axes[:20].T / (spread[:20] / np.sqrt(mine.sum()))
    length = np.linalg.norm(parts, axis=1)
    return np.asarray(np.searchsorted(np.sort(length[aside]), length) / max(int(aside.sum()), 1))


def _judged(asked: Asked) -> dict[str, tuple[int, float]]:
    """(rises of the curve, its area) by measure."""
    curves = {measure: risk_coverage(asked.y, asked.p, doubt) for measure, doubt in asked.doubt.items()}
    return {measure: (rises(curve), float(np.mean([value for _, value in curve]))) for measure, curve in curves.items()}


def rises(curve: list[tuple[float, float]]) -> int:
    """How often the risk goes up when more is left out."""
    return sum(b > a + 1e-9 for (_, a), (_, b) in pairwise(curve))


def risk_coverage(y: Array, p: Array, doubt: Array) -> list[tuple[float, float]]:
    """(share kept, Brier score of the kept), the rows of most doubt left out first."""
    order = np.argsort(doubt, kind="stable")
    out = []
    for coverage in COVERAGES:
        kept = order[: max(1, round(coverage * len(y)))]
        out.append((coverage, brier(y[kept], p[kept])))
    return out


if __name__ == "__main__":
    main()
