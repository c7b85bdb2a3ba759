"""Do the cited events carry the estimate? `python -m evals.ehr_deletion DIR [--weights W] [--task T] [--patients N]`.

DIR is PhysioNet 2012 in either layout; patients that the model was trained on are left out. For each of N stays the
events cited for the first 1 to 6 drivers are deleted from the record, and as many random ones of the same record (10 times);
then the same the other way: only they are inserted into a record that holds nothing but age, sex, height and unit. Printed:
the mean absolute change of the log-odds by deletion (more is better), the mean distance to the whole record's log-odds after
insertion (less is better), and the ratio of cited to random deletion at all six drivers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.card import model_for
from tools.ehr.risk.cohort import make_rows
from tools.ehr.risk.datasets import features_for, read_folder, sample
from tools.ehr.risk.events import Events, from_columns
from tools.ehr.risk.explain import drivers
from tools.ehr.risk.fingerprint import marks_of
from tools.ehr.risk.model import Model
from tools.ehr.risk.tasks import Task, load_task

_ROUNDS = 10
_STEPS = 6
Array = NDArray[np.float64]


def main() -> None:
    """Parse, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", default="icu_death")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--seen", action="store_true", help="also patients that the model was trained on")
    arguments = parser.parse_args()
    task = load_task(arguments.task)
    model = model_for(task, arguments.weights)
    print(json.dumps(deletion(task, model, arguments.data, arguments.patients, arguments.seen)))


def deletion(task: Task, model: Model, folder: Path, patients: int, seen: bool = False) -> dict[str, object]:
    """The two curves and their ratio."""
    part = sample(task, read_folder(folder), model.meta.features)
    fresh = np.ones(len(part.rows), bool)
    if not seen:
        fresh = ~model.trained_on(marks_of(part.cohort.events, part.rows.subject))
    chosen = np.flatnonzero(fresh)
    chosen = np.random.default_rng(0).choice(chosen, min(patients, len(chosen)), replace=False)
    sums = {name: np.zeros(_STEPS) for name in ("delete cited", "delete random", "insert cited", "insert random")}
    count = []
    for row in chosen:
        rows = part.rows.take(np.array([row]))
        known = part.cohort.events.until({int(rows.subject[0]): rows.moment[0]}).of(int(rows.subject[0]))
        curves, deleted = _curves(task, model, known, rows.moment[0], int(row))
        for name, curve in curves.items():
            sums[name] += curve
        count.append(deleted)
    mean = {name: np.round(total / len(chosen), 4).tolist() for name, total in sums.items()}
    ratio = float(sums["delete cited"][-1] / sums["delete random"][-1])
    return {"patients": len(chosen), "events_deleted": round(float(np.mean(count)), 1), **mean, "ratio": round(ratio, 2)}


def _curves(task: Task, model: Model, known: Events, moment: np.datetime64, seed: int) -> tuple[dict[str, Array], int]:
    """Absolute changes by number of drivers, for one patient, and how many events the last step deleted."""
    rows = make_rows(known.subject[:1], np.array([moment]), {})
    found = drivers(model, features_for(task, known, rows), known, _STEPS)
    timed = np.flatnonzero(~np.isnat(known.time))
    random = np.random.default_rng(seed)
    every = np.ones(len(known), bool)
    masks: list[NDArray[np.bool_]] = [every]
    cited: list[int] = []
    for step in range(_STEPS):
        if step < len(found):
            cited = sorted({*cited, *(position for position in found[step].cited if not np.isnat(known.time[position]))})
        picks = [np.array(cited, dtype=np.int64)]
        picks += [random.choice(timed, min(len(cited), len(timed)), replace=False) for _ in range(_ROUNDS)]
        for pick in picks:
            gone = every.copy()
            gone[pick] = False
            only = np.isnat(known.time)
            only[pick] = True
            masks += [gone, only]
    z = _logits(task, model, known, masks, moment)
    moved = np.abs(z[1:] - z[0]).reshape(_STEPS, 1 + _ROUNDS, 2)
    return {
        "delete cited": moved[:, 0, 0], "delete random": moved[:, 1:, 0].mean(axis=1),
        "insert cited": moved[:, 0, 1], "insert random": moved[:, 1:, 1].mean(axis=1),
    }, len(cited)  # fmt: skip


def _logits(task: Task, model: Model, known: Events, masks: list[NDArray[np.bool_]], moment: np.datetime64) -> Array:
    """Of the record with only the events of each mask; each as a subject of its own, so features are computed once."""
    index = np.concatenate([np.flatnonzero(mask) for mask in masks])
    subject = np.repeat(np.arange(len(masks)), [int(mask.sum()) for mask in masks])
    events = from_columns(subject, known.time[index], known.code[index], known.value[index], known.vocabulary)
    rows = make_rows(np.arange(len(masks)), np.full(len(masks), moment), {})
    return model.logit(features_for(task, events, rows).align(model.meta.features))


if __name__ == "__main__":
    main()
