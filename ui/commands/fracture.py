"""`consilium fracture grade|explain|label|evaluate|train`: heights and Genant grades from files, and how good they are."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.imaging.fractures.report import FileGrading, FractureReport
    from tools.imaging.healthivert.judge import SynthesisRule


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    actions = {"grade": _grade, "explain": _explain, "label": _label, "evaluate": _evaluate, "train": _train}
    return actions[arguments.action](arguments)


def _evaluate(arguments: argparse.Namespace) -> int:
    from core.errors import SettingError
    from tools.imaging.fractures.cases import compressed_cases, graded_cases, simulated_cases
    from tools.imaging.fractures.evaluation import as_table, evaluate

    folder = Path(arguments.folder) if arguments.folder else None
    number = arguments.simulated
    if (folder is None and number is None) or (number is not None and number < 1):
        raise SettingError(f"fracture evaluate needs DIR, --simulated N with N of 1 or more, or both; got N = {number}.")
    also = None if arguments.no_synthesis else _synthesis(arguments.weights)
    if folder is None:
        cases, data = (
            simulated_cases(number, arguments.seed, with_ct=also is not None),
            f"drawn spines, seed {arguments.seed}",
        )
    elif number is None:
        cases, data = graded_cases(folder, with_ct=also is not None), f"expert grades in {folder.name}"
    else:
        cases = compressed_cases(folder, number, arguments.seed, with_ct=also is not None)
        data = f"compressed spines of {folder.name}"
    result = evaluate(cases, data, arguments.seed, progress=lambda line: print(line, file=sys.stderr), also=also)
    pictures = also.summary() if also else None
    if arguments.json:
        print(json.dumps({**result.model_dump(), "synthesis": pictures.model_dump() if pictures else None}))
        return 0
    print(as_table(result))
    if pictures:
        print(
            f"\nsynthesis over {pictures.levels} healthy levels: PSNR {pictures.psnr_db} dB, SSIM {pictures.ssim}, Dice "
            f"{pictures.dice}, height error {pictures.height_mae_mm} mm; {pictures.seconds_per_vertebra} s per vertebra"
        )
    return 0


def _synthesis(weights: str | None) -> SynthesisRule:
    from tools.imaging.healthivert.config import GRADES_NAME, WEIGHTS_NAME
    from tools.imaging.healthivert.grade_svm import load_grades, shipped_grades
    from tools.imaging.healthivert.inference import HealthyPainter, shipped_painter
    from tools.imaging.healthivert.judge import SynthesisRule

    if weights is None:
        return SynthesisRule(shipped_painter(), shipped_grades())
    folder = Path(weights)
    return SynthesisRule(HealthyPainter(folder / WEIGHTS_NAME), load_grades(folder / GRADES_NAME))


def _train(arguments: argparse.Namespace) -> int:
    """Train the generator, or go on with it."""
    from core.errors import MissingRequirement

    if importlib.util.find_spec("monai") is None:
        raise MissingRequirement("MONAI, whose networks and losses the training uses,", "pip install 'consilium[train]'")
    from tools.imaging.healthivert.training_run import run_training

    report = run_training(
        arguments.config,
        Path(arguments.data) if arguments.data else None,
        Path(arguments.out),
        arguments.device,
        arguments.minutes,
        progress=lambda line: print(line, file=sys.stderr),
    )
    if arguments.json:
        print(report.model_dump_json())
        return 0
    print(f"step {report.step} of {report.steps}, trained on {report.trained_on}")
    print(report.weights if report.done else f"stopped; the same command goes on from {report.checkpoint}")
    return 0


def _label(arguments: argparse.Namespace) -> int:
    """Print what was found, number by number; 3 when a level must be confirmed before it can be graded."""
    from tools.imaging.labelling.files import label_files

    report = label_files(Path(arguments.ct), Path(arguments.out) if arguments.out else None, arguments.confirm)
    if arguments.json:
        print(report.model_dump_json())
    else:
        for item in report.vertebrae:
            print(f"{item.number:3d}  {item.level or '?':4} confidence {item.confidence:.2f}")
        print(f"Levels: {report.told}." + ("" if report.settled else " Confirm one with --confirm NUMBER=LEVEL."))
        for warning in report.warnings:
            print(warning, file=sys.stderr)
    return 0 if report.settled else 3


def _explain(arguments: argparse.Namespace) -> int:
    """Print, per level, the neighbours behind the expected height and the grade without each."""
    from core.errors import SettingError
    from tools.imaging.fractures.report import read_and_grade
    from tools.imaging.fractures.steps import explain_all

    ct = Path(arguments.ct) if arguments.ct else None
    explained = explain_all(read_and_grade(ct, Path(arguments.mask), arguments.numbering).grading)
    if arguments.level:
        wanted = arguments.level.upper()
        known = [entry.level for entry in explained]
        if wanted not in known:
            raise SettingError(f"--level must be one of the graded levels {', '.join(known) or '(none)'}, got {wanted}.")
        explained = tuple(entry for entry in explained if entry.level == wanted)
    if arguments.json:
        print(json.dumps([entry.model_dump() for entry in explained]))
        return 0
    for entry in explained:
        print(entry.text)
        for item in entry.without:
            said = (
                "cannot be graded"
                if item.grade is None or item.rhlv_worst is None
                else (f"grade {item.grade}, loss {100 * item.rhlv_worst:.0f} %, expected {item.shift_mm:+.1f} mm")
            )
            print(f"    without {item.neighbour}: {said}")
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    """Grade and print a table or JSON; with --out, report, figures, PDF and DICOM are written there."""
    from core.errors import SettingError
    from tools.imaging.fractures.exports import write_report
    from tools.imaging.fractures.report import read_and_grade
    from tools.imaging.fractures.steps import keep_steps

    if arguments.keep_steps and not arguments.out:
        raise SettingError("--keep-steps needs --out DIR: the steps are written to DIR/steps.")
    ct = Path(arguments.ct) if arguments.ct else None
    done = read_and_grade(
        ct,
        Path(arguments.mask) if arguments.mask else None,
        arguments.numbering,
        _progress,
        arguments.confirm,
    )
    if arguments.out:
        for missing in write_report(done, Path(arguments.out), is_ct=ct is not None):
            print(missing, file=sys.stderr)
        if ct is not None:
            _write_before_after(done, Path(arguments.out))
    if arguments.keep_steps:
        keep_steps(done.grading, Path(arguments.out) / "steps")
        if ct is not None:
            _keep_synthesis(done, Path(arguments.out) / "steps")
    if arguments.json:
        print(done.report.model_dump_json())
    else:
        _print_table(done.report)
    return 0


def _progress(share: float, text: str) -> None:
    print(f"{share:4.0%} {text}", file=sys.stderr)


def _print_table(report: FractureReport) -> None:
    print(f"{'level':6} {'grade':>5}  {'shape':10} {'ant/mid/post mm':>18}  {'expected mm':>18}  {'loss %':>14}")
    for level in report.levels:
        heights, expected, loss = level.heights_mm, level.expected_mm, level.rhlv
        print(
            f"{level.level:6} {level.grade:>5}  {level.shape:10} "
            f"{heights.pre:5.1f} {heights.mid:5.1f} {heights.post:5.1f}   "
            f"{expected.pre:5.1f} {expected.mid:5.1f} {expected.post:5.1f}   "
            f"{100 * loss.pre:4.0f} {100 * loss.mid:4.0f} {100 * loss.post:4.0f}"
        )
        for warning in level.warnings:
            if warning in report.warnings:
                continue
            print(f"       {warning}")
    for skipped in report.skipped:
        print(f"{skipped.level:6} not graded: {skipped.reason}")


def _write_before_after(done: FileGrading, out: Path) -> None:
    """The deformed levels painted as they were, when there are any."""
    from tools.imaging.healthivert.illustrate import illustrate

    made = illustrate(done.image, done.labels, done.grading)
    if made is not None:
        (out / "before_after.png").write_bytes(made.picture)


def _keep_synthesis(done: FileGrading, folder: Path) -> None:
    """The steps of the synthesis, for the levels that were measured."""
    from tools.imaging.healthivert.inference import shipped_painter
    from tools.imaging.healthivert.spine import prepare_spine
    from tools.imaging.healthivert.steps import keep_synthesis_steps

    names = {item.value: item.level for item in done.grading.measured}
    if len(names) > 1:
        keep_synthesis_steps(prepare_spine(done.image, done.labels, names), shipped_painter(), folder)
