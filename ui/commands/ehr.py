"""`consilium ehr import|tasks|train|evaluate|predict`: prediction from health records."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from core.errors import FileError


def run(arguments: argparse.Namespace) -> int:
    """Run one action of `ehr`."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "import": _import, "tasks": _tasks, "train": _train, "evaluate": _evaluate, "predict": _predict,
    }  # fmt: skip
    return actions[arguments.action](arguments)


def _import(arguments: argparse.Namespace) -> int:
    from tools.ehr.readers.meds import write_meds
    from tools.ehr.risk.datasets import read_folder

    cohort = read_folder(Path(arguments.data), _path(arguments.mapping))
    write_meds(cohort.events, Path(arguments.out))
    found = {
        "source": cohort.source, "events": len(cohort.events), "subjects": len(cohort.events.subjects),
        "codes": len(cohort.events.vocabulary), "not_used": cohort.events.rejected, "out": Path(arguments.out).name,
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(found))
        return 0
    print(f"{found['events']} events of {found['subjects']} subjects, {found['codes']} codes, from {cohort.source}")
    for reason, number in cohort.events.rejected.items():
        print(f"  not used: {number} x {reason}")
    return 0


def _tasks(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.evaluate import shipped_model
    from tools.ehr.risk.tasks import load_task, task_names

    tasks = [load_task(name) for name in task_names()]
    if arguments.json:
        print(json.dumps([task.model_dump(mode="json", by_alias=True) for task in tasks]))
        return 0
    for task in tasks:
        shipped = "weights ship" if shipped_model(task.name) else "train first"
        print(f"{task.name:16} {task.title} ({task.source}; {shipped})")
    return 0


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _train(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.datasets import read_folder, sample
    from tools.ehr.risk.fingerprint import marks_of
    from tools.ehr.risk.model import train
    from tools.ehr.risk.tasks import load_task

    task = load_task(arguments.task)
    part = sample(task, read_folder(Path(arguments.data), _path(arguments.mapping)))
    marks = marks_of(part.cohort.events, part.rows.subject)
    model = train(task.name, part.table, part.y, part.age, part.rows.patient, task.recipe, marks)
    model.save(Path(arguments.out))
    meta = model.meta
    report = {"task": task.name, "n": meta.n, "patients": meta.patients, "cross_validated": meta.cross_validated,
              "calibration": model.calibrator.method, "shares": meta.shares}  # fmt: skip
    print(json.dumps(report) if arguments.json else "\n".join(f"{key}: {value}" for key, value in report.items()))
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.datasets import read_folder, sample
    from tools.ehr.risk.evaluate import compare, evaluate, shipped_model
    from tools.ehr.risk.model import load_model
    from tools.ehr.risk.tasks import load_task

    task = load_task(arguments.task)
    model = load_model(Path(arguments.weights)) if arguments.weights else shipped_model(task.name)
    cohort = read_folder(Path(arguments.data), _path(arguments.mapping))
    part = sample(task, cohort, model.meta.features if model else ())
    evaluation = evaluate(part, model)
    if arguments.json:
        print(evaluation.note, file=sys.stderr)
        print(json.dumps(evaluation.scores.as_json()))
        return 0
    print(evaluation.note)
    print(json.dumps(evaluation.scores.as_json()))
    print("\nAll models, trained on 70 % of the patients of this folder and evaluated on the other 30 %:")
    print(f"{'model':28} {'AUROC':>6} {'95 % interval':>15} {'AUPRC':>6} {'Brier':>6} {'ECE':>6} {'O/E':>5}  O/E by age")
    for name, s in compare(part).items():
        bands = ", ".join(f"{band} {value:.2f}" for band, value in s.oe_by_age.items())
        low, high = s.auroc_ci
        print(
            f"{name:28} {s.auroc:6.3f} {low:7.3f}-{high:.3f}   {s.auprc:6.3f} {s.brier:6.4f} {s.ece:6.3f} {s.oe:5.2f}"
            f"  {bands}  (n {s.n}, no estimate {s.abstained})"
        )
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.card import card_of_file

    source = Path(arguments.record)
    if not source.exists():
        raise FileError(f"{source.name!r} is not there.")
    card = card_of_file(arguments.task, source, _path(arguments.weights), arguments.patient)
    print(card.model_dump_json() if arguments.json else card.as_text())
    return 0
