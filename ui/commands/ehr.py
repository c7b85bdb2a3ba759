"""`consilium ehr import|tasks|train|evaluate|predict`: prediction from health records."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import FileError, InputError

if TYPE_CHECKING:
    from tools.ehr.risk.datasets import Sample
    from tools.ehr.risk.metrics import Scores


def run(arguments: argparse.Namespace) -> int:
    """Run one action of `ehr`."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "import": _import, "tasks": _tasks, "train": _train, "evaluate": _evaluate, "predict": _predict, "similar": _similar,
        "synthesize": _synthesize, "score": _score, "embed": _embed,
    }  # fmt: skip
    return actions[arguments.action](arguments)


def _import(arguments: argparse.Namespace) -> int:
    from tools.ehr.readers.meds import write_meds
    from tools.ehr.risk.datasets import read_folder

    cohort = read_folder(Path(arguments.data), _path(arguments.mapping), arguments.zone)
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

    if arguments.verb == "draft":
        return _draft(arguments)
    if arguments.verb == "aces":
        return _aces(arguments)
    tasks = [load_task(name) for name in task_names()]
    if arguments.json:
        print(json.dumps([task.model_dump(mode="json", by_alias=True) for task in tasks]))
        return 0
    for task in tasks:
        shipped = "weights ship" if shipped_model(task.name) else "train first"
        print(f"{task.name:16} {task.title} ({task.source}; {shipped})")
    return 0


def _draft(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.datasets import read_folder
    from tools.ehr.risk.drafting import draft

    if not arguments.words or not arguments.data:
        raise InputError(
            'Give the question in words and --data DIR: ehr tasks draft "a stay of more than a week" --data DIR.'
        )
    out = Path(arguments.out) if arguments.out else None
    made = draft(arguments.words, read_folder(Path(arguments.data)), out.stem if out else "drafted")
    if out:
        out.write_text(made.as_yaml())
    found = {"rows": made.rows, "positives": made.positives, "patients": made.patients, "assumed": list(made.assumed)}
    if arguments.json:
        print(json.dumps({**found, "task": made.task.model_dump(mode="json", by_alias=True, exclude_none=True)}))
        return 0
    print(made.as_yaml())
    print(f"{made.rows} rows of {made.patients} patients, {made.positives} positives")
    print("\n".join(f"assumed: {text}" for text in made.assumed))
    return 0


def _aces(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.aces_sample import extracted, write_labels

    if not arguments.words or not arguments.data:
        raise InputError("Give the task file and --data DIR: ehr tasks aces T.yaml --data MEDS [--predicates P.yaml].")
    found = extracted(Path(arguments.words), Path(arguments.data), _path(arguments.predicates))
    if arguments.out:
        write_labels(found, Path(arguments.out))
    positives = int((found.label > 0).sum())
    told = {"rows": len(found.subject), "patients": len(set(found.subject.tolist())), "positives": positives}
    print(json.dumps(told) if arguments.json else "\n".join(f"{name}: {number}" for name, number in told.items()))
    return 0


def _sample(arguments: argparse.Namespace, wanted: Sequence[str] = ()) -> Sample:
    """The task on the set, whether its file is ours or ACES's."""
    from tools.ehr.risk.aces import is_aces
    from tools.ehr.risk.aces_sample import aces_sample
    from tools.ehr.risk.datasets import read_folder, sample
    from tools.ehr.risk.tasks import load_task

    file, folder = Path(arguments.task), Path(arguments.data)
    if file.suffix in (".yaml", ".yml") and is_aces(file):
        return aces_sample(file, folder, _path(arguments.predicates), arguments.zone)
    return sample(load_task(arguments.task), read_folder(folder, _path(arguments.mapping), arguments.zone), wanted)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _train(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.fingerprint import marks_of
    from tools.ehr.risk.model import train

    part = _sample(arguments)
    task = part.task
    marks = marks_of(part.cohort.events, part.rows.subject)
    model = train(task.name, part.table, part.y, part.age, part.rows.patient, task.recipe, marks)
    model.save(Path(arguments.out))
    meta = model.meta
    report = {"task": task.name, "n": meta.n, "patients": meta.patients, "cross_validated": meta.cross_validated,
              "calibration": model.calibrator.method, "shares": meta.shares}  # fmt: skip
    print(json.dumps(report) if arguments.json else "\n".join(f"{key}: {value}" for key, value in report.items()))
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.evaluate import compare, evaluate, shipped_model
    from tools.ehr.risk.model import load_model

    model = load_model(Path(arguments.weights)) if arguments.weights else shipped_model(arguments.task)
    part = _sample(arguments, model.meta.features if model else ())
    if arguments.all_models:
        return _all_models(part, arguments.json, arguments.records)
    evaluation = evaluate(part, model)
    if arguments.json:
        print(evaluation.note, file=sys.stderr)
        print(json.dumps(evaluation.scores.as_json()))
        return 0
    print(evaluation.note)
    print(json.dumps(evaluation.scores.as_json()))
    print("\nBaselines, trained on 70 % of the patients of this folder and evaluated on the other 30 %:")
    _print_table(compare(part))
    return 0


def _all_models(part: Sample, as_json: bool, records: int) -> int:
    from tools.ehr.models.compare import LEARNERS, compare_all
    from tools.ehr.risk.evaluate import compare

    found, fitted = compare_all(part, tuple(LEARNERS), limit=records) if not part.task.hourly else ({}, 0)
    table = {**compare(part), **found}
    if as_json:
        print(json.dumps({name: scores.as_json() for name, scores in table.items()}))
        return 0
    print("All models, evaluated on the same 30 % of the patients of this folder; trained on the other 70 %,")
    print(f"the last {len(found)} on {fitted} of those records, calibrated on others of them")
    _print_table(table)
    return 0


def _print_table(table: Mapping[str, Scores]) -> None:
    print(f"{'model':28} {'AUROC':>6} {'95 % interval':>15} {'AUPRC':>6} {'Brier':>6} {'ECE':>6} {'O/E':>5}  O/E by age")
    for name, s in table.items():
        bands = ", ".join(f"{band} {value:.2f}" for band, value in s.oe_by_age.items())
        low, high = s.auroc_ci
        print(
            f"{name:28} {s.auroc:6.3f} {low:7.3f}-{high:.3f}   {s.auprc:6.3f} {s.brier:6.4f} {s.ece:6.3f} {s.oe:5.2f}"
            f"  {bands}  (n {s.n}, no estimate {s.abstained})"
        )


def _predict(arguments: argparse.Namespace) -> int:
    from tools.ehr.risk.card import card_of_file

    source = Path(arguments.record)
    if not source.exists():
        raise FileError(f"{source.name!r} is not there.")
    card = card_of_file(arguments.task, source, _path(arguments.weights), arguments.patient)
    print(card.model_dump_json() if arguments.json else card.as_text())
    return 0


def _score(arguments: argparse.Namespace) -> int:
    import csv

    from tools.ehr.risk.card import model_for
    from tools.ehr.risk.datasets import read_folder
    from tools.ehr.risk.scoring import score_cohort
    from tools.ehr.risk.tasks import load_task

    task = load_task(arguments.task)
    cohort = read_folder(Path(arguments.data), _path(arguments.mapping), arguments.zone)
    found = score_cohort(task, model_for(task, _path(arguments.weights)), cohort, arguments.workers)
    with Path(arguments.out).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "moment", "probability", "no_estimate_because"])
        for row in zip(found.subject, found.moment, found.probability, found.why, strict=True):
            writer.writerow([int(row[0]), str(row[1]), "" if row[2] != row[2] else f"{row[2]:.4f}", row[3]])
    told = {"rows": len(found.why), "no_estimate": sum(map(bool, found.why)), "out": Path(arguments.out).name}
    print(json.dumps(told) if arguments.json else f"{told['rows']} rows, {told['no_estimate']} without an estimate")
    return 0


def _similar(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from tools.ehr.risk.card import record_of_file
    from tools.ehr.risk.datasets import features_for, read_folder, sample
    from tools.ehr.risk.similar import alike, build_reference, load_reference, shipped_reference
    from tools.ehr.risk.tasks import load_task

    task = load_task("icu_death")
    if arguments.build:
        if not arguments.out:
            raise InputError("--build needs --out FILE, where the groups are written.")
        made = build_reference(sample(task, read_folder(Path(arguments.build))))
        made.save(Path(arguments.out))
        report = {"stays": int(made.size.sum()), "groups": len(made.size), "least": int(made.size.min())}
        print(json.dumps(report) if arguments.json else f"{report['stays']} stays in {report['groups']} groups")
        return 0
    if not arguments.record:
        raise InputError("Give a record, or --build DIR with --out FILE.")
    record = record_of_file(Path(arguments.record), arguments.patient)
    reference = load_reference(Path(arguments.reference)) if arguments.reference else shipped_reference()
    found = alike(reference, features_for(task, record.known(), record.rows))
    if arguments.json:
        print(json.dumps(asdict(found)))
        return 0
    low, high = found.death_interval
    print(
        f"{found.stays} stays in {found.groups} groups; died in hospital: {found.deaths} of {found.known}, "
        f"{100 * found.death_rate:.1f} % ({100 * low:.1f} to {100 * high:.1f} %; all: {100 * found.base_death_rate:.1f} %)"
    )
    return 0


def _synthesize(arguments: argparse.Namespace) -> int:
    import csv

    from tools.ehr.risk.datasets import read_folder, sample
    from tools.ehr.risk.synthesis import synthesize
    from tools.ehr.risk.tasks import load_task

    if arguments.rows < 1 or not 0 <= arguments.weight <= 1:
        raise InputError("--rows must be at least 1, and --weight between 0 and 1.")
    task = load_task(arguments.task)
    part = sample(task, read_folder(Path(arguments.data), _path(arguments.mapping), arguments.zone))
    table, y, report = synthesize(part, arguments.rows, arguments.weight, arguments.seed)
    with Path(arguments.out).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["synthetic", task.name, *table.names])
        for row, label in zip(table.x, y, strict=True):
            writer.writerow([1, int(label), *("" if value != value else f"{value:.6g}" for value in row)])
    found = report.as_json()
    print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value:g}" for name, value in found.items()))
    return 0


def _embed(arguments: argparse.Namespace) -> int:
    from ui.commands.ehr_embed import embed

    return embed(arguments)
