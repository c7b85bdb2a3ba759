"""How much do k patients of each class teach? `python -m evals.ehr_fewshot DIR --task T` (EHRSHOT's protocol).

k = 1 to 128 positives and as many negatives are drawn five times from 70 % of the patients; the figures are of the others,
with 1,000 patient-level bootstraps. Learners: logistic regression on normal scores of the count and trend features, and on
concept vectors that were learnt, without labels, from all 70 %.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.ehr.models.concepts import code_counts, fit_binning, fit_concepts
from tools.ehr.models.fewshot import few_shot, logistic
from tools.ehr.risk.datasets import Sample, read_folder, sample
from tools.ehr.risk.evaluate import held_out
from tools.ehr.risk.network import Network, normal_scores
from tools.ehr.risk.tasks import load_task

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]


def main() -> None:
    """Parse, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", default="icu_death")
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    part = sample(load_task(arguments.task), read_folder(arguments.data))
    print(json.dumps(shots(part, arguments.draws)))


def shots(part: Sample, draws: int, rounds: int = 1000) -> dict[str, list[dict[str, object]]]:
    """Figures by learner and k."""
    held = held_out(part.rows.patient)
    inputs = {"features": _features(part, ~held), "concept vectors": _concepts(part, ~held)}
    return {
        name: [
            asdict(shot)
            for shot in few_shot(logistic(x, part.y), part.y, part.rows.patient, held, draws=draws, rounds=rounds)
        ]
        for name, x in inputs.items()
    }


def _features(part: Sample, mine: NDArray[np.bool_]) -> Matrix:
    knots, scores = normal_scores(part.table.x[mine])
    return Network(knots, scores, np.zeros(0, np.int32), ()).prepared(part.table.x)


def _concepts(part: Sample, mine: NDArray[np.bool_]) -> Matrix:
    rows = part.rows
    events = part.cohort.events.until(dict(zip(rows.subject.tolist(), rows.moment, strict=True)))
    order = np.argsort(rows.subject)
    place = order[np.searchsorted(rows.subject[order], events.subject)]
    own = mine[place]
    names = fit_binning(events.where(own)).names(events)
    concepts = fit_concepts([name for name, inside in zip(names, own, strict=True) if inside], place[own], width=64)
    counts = code_counts(names, place, len(rows), concepts.names)
    counts.data = np.log1p(counts.data)
    x = concepts.of_records(counts)
    return np.asarray((x - x[mine].mean(axis=0)) / np.maximum(x[mine].std(axis=0), 1e-6), dtype=np.float32)


if __name__ == "__main__":
    main()
