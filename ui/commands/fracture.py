"""`consilium fracture grade|explain|evaluate`: vertebral heights and Genant grades from files, and how good they are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.imaging.fractures.report import FractureReport


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    actions = {"grade": _grade, "explain": _explain, "evaluate": _evaluate}
    return actions[arguments.action](arguments)


def _evaluate(arguments: argparse.Namespace) -> int:
    from core.errors import SettingError
    from tools.imaging.fractures.cases import compressed_cases, graded_cases, simulated_cases
    from tools.imaging.fractures.evaluation import as_table, evaluate

    folder = Path(arguments.folder) if arguments.folder else None
    number = arguments.simulated
    if (folder is None and number is None) or (number is not None and number < 1):
        raise SettingError(f"fracture evaluate needs DIR, --simulated N with N of 1 or more, or both; got N = {number}.")
    if folder is None:
        cases, data = simulated_cases(number, arguments.seed), f"drawn spines, seed {arguments.seed}"
    elif number is None:
        cases, data = graded_cases(folder), f"expert grades in {folder.name}"
    else:
        cases, data = compressed_cases(folder, number, arguments.seed), f"compressed spines of {folder.name}"
    result = evaluate(cases, data, arguments.seed, progress=lambda line: print(line, file=sys.stderr))
    print(result.model_dump_json() if arguments.json else as_table(result))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    """Print, per level, the neighbours behind the expected height and the grade without each."""
    import json

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
    )
    if arguments.out:
        for missing in write_report(done, Path(arguments.out), is_ct=ct is not None):
            print(missing, file=sys.stderr)
    if arguments.keep_steps:
        keep_steps(done.grading, Path(arguments.out) / "steps")
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
    for text in report.warnings:
        print(text)
    print(f"numbering: {report.numbering}")
