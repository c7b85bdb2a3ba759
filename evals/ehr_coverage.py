"""Does abstaining help? `python -m evals.ehr_coverage DIR [--task T] [--without 2]` on PhysioNet 2012.

A model is trained on 70 % of the patients without one type of unit, and asked about the other 30 % and about that type.
Printed: how many of the unknown type get no estimate, and the risk-coverage curve: the Brier score of the rows that are kept
when those of most doubt are left out first. Doubt: no estimate at all, then the nearer the probability is to one half.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.datasets import Sample, read_folder, sample
from tools.ehr.risk.evaluate import held_out, predict
from tools.ehr.risk.features import Table
from tools.ehr.risk.metrics import auroc, brier
from tools.ehr.risk.model import train
from tools.ehr.risk.tasks import load_task

Array = NDArray[np.float64]
COVERAGES = tuple(tenth / 10 for tenth in range(10, 0, -1))


def main() -> None:
    """Parse, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", default="icu_death")
    parser.add_argument("--without", type=int, default=2, help="the unit's type that training does not see")
    arguments = parser.parse_args()
    part = sample(load_task(arguments.task), read_folder(arguments.data))
    print(json.dumps(held_out_unit(part, arguments.without)))


def held_out_unit(part: Sample, without: int) -> dict[str, object]:
    """Figures with one type of unit held out of training."""
    unit = part.table.x[:, part.table.names.index("ICUType|last")]
    held, unknown = held_out(part.rows.patient), unit == without
    mine = ~held & ~unknown
    table = Table(part.table.x[mine], part.table.names, part.table.codes)
    # One network seed: the question here is coverage, not the last thousandth.
    recipe = part.task.recipe.model_copy(update={"network": min(part.task.recipe.network, 1)})
    model = train(part.task.name, table, part.y[mine], part.age[mine], part.rows.patient[mine], recipe)
    asked = held | unknown
    everything = model.probability(part.table, part.age)
    told = predict(model, part.table, part.age)
    curve = risk_coverage(part.y[asked], everything[asked], np.isnan(told[asked]))
    known = asked & ~unknown
    return {
        "asked": int(asked.sum()),
        "unknown_unit": int(unknown.sum()),
        "unknown_unit_without_estimate": round(float(np.isnan(told[unknown]).mean()), 4),
        "known_units_without_estimate": round(float(np.isnan(told[known]).mean()), 4),
        "brier_if_asked_anyway": {
            "unknown unit": round(brier(part.y[unknown], everything[unknown]), 4),
            "known units": round(brier(part.y[known], everything[known]), 4),
        },
        "auroc_known_units": round(auroc(part.y[known], everything[known]), 4),
        "curve": [(coverage, round(value, 4)) for coverage, value in curve],
        "falls": all(b <= a + 1e-9 for (_, a), (_, b) in pairwise(curve)),
    }


def risk_coverage(y: Array, p: Array, refused: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """(share kept, Brier score of the kept), the rows of most doubt left out first: refused ones, then by p (1 - p)."""
    order = np.lexsort((p * (1 - p), refused))
    out = []
    for coverage in COVERAGES:
        kept = order[: max(1, round(coverage * len(y)))]
        out.append((coverage, brier(y[kept], p[kept])))
    return out


if __name__ == "__main__":
    main()
