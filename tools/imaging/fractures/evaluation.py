"""`consilium fracture evaluate`: the tool and the baselines on cases whose grades are known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from core.errors import FileError
from core.types import Frozen
from tools.imaging.fractures.baselines import RULES, Judged
from tools.imaging.fractures.cases import Case
from tools.imaging.fractures.heights import Measured, measure_spine
from tools.imaging.fractures.scores import Estimate, MethodScores, Row, height_error, score


class GroupScores(Frozen):
    """All rules on one group of levels."""

    group: str
    levels: int
    height_mae_mm: Estimate
    methods: tuple[MethodScores, ...]


class Evaluation(Frozen):
    """The table. `seconds_per_vertebra` is measuring plus grading, without reading the file."""

    data: str
    seed: int
    patients: int
    fractures: int
    adjacent_pairs: int
    not_measured: int
    seconds_per_vertebra: float
    groups: tuple[GroupScores, ...]


class CaseRule(Protocol):
    """A rule that needs the whole case (its CT), not only the heights: one verdict per level and name."""

    @property
    def names(self) -> tuple[str, ...]:
        """The rows it adds to the table."""
        ...

    def judge(self, case: Case, measured: Sequence[Measured]) -> dict[str, dict[str, Judged | None]]:
        """Level to name to verdict."""
        ...


def evaluate(
    cases: Iterable[Case],
    data: str,
    seed: int,
    progress: Callable[[str], None] | None = None,
    also: CaseRule | None = None,
) -> Evaluation:
    """Measure and grade every case.

    Args:
        cases: patients with what is known of their levels; levels of unknown grade are measured, not scored.
        data: what the cases are, for the report.
        seed: of the bootstrap.
        progress: told a line after each case.
        also: a rule that looks at the CT; its time is not counted in `seconds_per_vertebra`.

    Raises:
        FileError: no level could be scored.
    """
    rows: list[Row] = []
    seconds, graded, missed, pairs = 0.0, 0, 0, 0
    patients: set[str] = set()
    for case in cases:
        begin = time.perf_counter()
        measured = measure_spine(case.mask).measured
        judged = {item.level: {name: rule(item, measured) for name, rule in RULES.items()} for item in measured}
        seconds += time.perf_counter() - begin
        if also:
            for level, verdicts in also.judge(case, measured).items():
                judged[level] |= verdicts
        graded += len(measured)
        patients.add(case.patient)
        found = {item.level: item for item in measured}
        missed += len(set(case.known) - set(found))
        pairs += sum(item.group == "adjacent" for item in case.known.values()) // 2
        rows += [
            Row(case.patient, level, known, found[level].heights, judged[level])
            for level, known in case.known.items()
            if level in found
        ]
        if progress:
            progress(f"{case.patient}: {len(measured)} levels, {seconds / max(graded, 1):.2f} s each")
    if not rows:
        raise FileError(f"No level of {data} could be measured and has a grade.")
    return Evaluation(
        data=data,
        seed=seed,
        patients=len(patients),
        fractures=sum(row.known.grade > 0 for row in rows),
        adjacent_pairs=pairs,
        not_measured=missed,
        seconds_per_vertebra=round(seconds / max(graded, 1), 3),
        groups=tuple(
            _group(name, chosen, seed, (*RULES, *(also.names if also else ()))) for name, chosen in _groups(rows) if chosen
        ),
    )


def _groups(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    return [
        ("all levels", list(rows)),
        ("fractures", [row for row in rows if row.known.group != "healthy"]),
        ("single fractures", [row for row in rows if row.known.group == "single"]),
        ("adjacent fractures", [row for row in rows if row.known.group == "adjacent"]),
    ]


def _group(name: str, rows: Sequence[Row], seed: int, rules: Sequence[str]) -> GroupScores:
    methods = tuple(score(rows, method, seed) for method in rules)
    return GroupScores(group=name, levels=len(rows), height_mae_mm=height_error(rows, seed), methods=methods)


def as_table(evaluation: Evaluation) -> str:
    """Plain text for the terminal."""
    lines = [
        f"{evaluation.data}: {evaluation.patients} patients, {evaluation.fractures} fractures, "
        f"{evaluation.adjacent_pairs} adjacent pairs, {evaluation.not_measured} levels not measured, "
        f"{evaluation.seconds_per_vertebra:.2f} s per vertebra. In brackets: 95 % over patients."
    ]
    for group in evaluation.groups:
        lines.append(f"\n{group.group} ({group.levels} levels), height MAE {_cell(group.height_mae_mm)} mm")
        heads = ("macro F1", "precision", "recall", "sens >=2", "spec >=2", "RHLV MAE", "expected mm")
        lines.append(f"{'':28}" + "".join(f"{head:>20}" for head in heads))
        for item in group.methods:
            cells = (
                item.f1, item.precision, item.recall, item.sensitivity_2, item.specificity_2, item.rhlv_mae,
                item.expected_mae_mm,
            )  # fmt: skip
            lines.append(f"{item.method:28}" + "".join(f"{_cell(cell):>20}" for cell in cells))
        lines.append("confusion (row: true grade, column: judged), " + group.methods[0].method)
        lines += ["   " + " ".join(f"{count:5d}" for count in counts) for counts in group.methods[0].confusion]
    return "\n".join(lines)


def _cell(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f},{estimate.high:.3f}]"
