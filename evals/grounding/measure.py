"""Run the check over generated cases and count, by kind, what it says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from evals.grounding.cases import Case
from grounding.batch import judge
from grounding.compare import Closeness

PASSING = ("supported", "no_evidence_needed")


@dataclass(frozen=True)
class Row:
    """One kind of case: how many, how many flagged, how many of those only "partly"."""

    faulty: bool
    kind: str
    cases: int
    flagged: int
    partly: int


def run_cases(cases: Sequence[Case], closeness: Closeness | None = None) -> tuple[list[Row], list[tuple[Case, str, str]]]:
    """Counts by kind ("all" last), and the cases judged wrongly with verdict and reason."""
    counts: dict[tuple[bool, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    wrong: list[tuple[Case, str, str]] = []
    for case in cases:
        verdict, why = judge(case.sentence, case.evidence, closeness)
        flagged = verdict not in PASSING
        for kind in (case.kind, "all"):
            row = counts[(case.faulty, kind)]
            row[0] += 1
            row[1] += flagged
            row[2] += verdict == "partly"
        if flagged != case.faulty:
            wrong.append((case, verdict, why))
    ordered = sorted(counts.items(), key=lambda item: (not item[0][0], item[0][1] == "all", item[0][1]))
    return [Row(faulty, kind, *numbers) for (faulty, kind), numbers in ordered], wrong
