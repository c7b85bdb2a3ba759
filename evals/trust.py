"""`consilium eval trust`: the check of answers, abstention, flagged sources, claims, and what `eval safety` measures.

Families of sources, faithful and faulty sentences; in the first two sets a seed fills in names and numbers. Rules may be
tuned on the dev families only. A sentence counts as flagged unless its verdict is `supported` or `no_evidence_needed`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from evals import claims, flagged, safety
from evals.abstention import measure as abstention
from evals.grounding import cases, second, third
from evals.grounding.cases import Case
from evals.grounding.measure import Row, run_cases
from grounding.batch import text_of


def run(arguments: argparse.Namespace) -> int:
    """Print one table per part, or JSON; `--show` lists the misjudged sentences of a set.

    Status 1 when a bar of the safety part is missed; the bars of the other parts stand beside their figures.
    """
    told: dict[str, object] = {"grounding": _grounding(arguments)}
    if not arguments.dev:
        told["abstention"] = _abstention(arguments)
        told["flagged sources"] = _flagged(arguments)
    if arguments.healthver:
        told["claims"] = _claims(arguments)
    held = True
    if not arguments.dev:
        told["safety"], held = _safety(arguments)
    if arguments.json:
        print(json.dumps(told))
    return 0 if held else 1


def _safety(arguments: argparse.Namespace) -> tuple[list[dict[str, object]], bool]:
    lines = safety.measure_all(arguments.quick, None)
    if not arguments.json:
        print("\nprivacy, injection, hostile files and requests, kills:")
        safety.print_lines(lines)
    return [line.model_dump() for line in lines], all(line.held for line in lines)


def _grounding(arguments: argparse.Namespace) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    for name, made in _sets(arguments.seed, arguments.dev).items():
        rows, wrong = run_cases(made)
        told.append({"set": name, "rows": [asdict(row) for row in rows]})
        if not arguments.json:
            _print(name, made, rows)
        if arguments.show == name:
            for case, verdict, why in wrong:
                sources = " | ".join(text_of(item) for item in case.evidence)
                print(f"- {case.family} / {case.kind} / {verdict}: {case.sentence}  <{why}>\n    {sources}")
    return told


def _abstention(arguments: argparse.Namespace) -> list[dict[str, object]]:
    rows, wrong = abstention.measure()
    if not arguments.json:
        print("\nabstention (embedded model, starter index, sample record):")
        for row in rows:
            verb = {"answerable": "answered", "emergency": "got the emergency notice first"}.get(row.kind, "abstained")
            print(f"  {row.part:5} {row.kind:14} {row.right:3} of {row.questions:3} {verb}")
        for question, answer in wrong:
            print(f"    wrong: {question.text} -> {answer[:120]}")
    return [asdict(row) for row in rows]


def _flagged(arguments: argparse.Namespace) -> dict[str, int]:
    found = flagged.measure()
    if not arguments.json:
        print(f"\nflagged sources: {found.questions} searches showed {found.shown}, {found.unflagged} without their flag; "
              f"{found.retracted_by_default} retracted ones by default")  # fmt: skip
    return asdict(found)


def _claims(arguments: argparse.Namespace) -> list[dict[str, object]]:
    found = claims.evaluate(claims.read_pairs(Path(arguments.healthver)))
    if not arguments.json:
        print("\ncheck_claim on HealthVer (rows: experts; columns: told supports, refutes, neutral):")
        for scores in found:
            print(
                f"  {scores.method:12} macro-F1 {scores.macro_f1:.3f} [{scores.low:.3f}, {scores.high:.3f}], "
                f"accuracy {scores.accuracy:.3f}"
            )
            for label, counts in zip(claims.LABELS, scores.counts, strict=True):
                print(f"      {label:9}", *(f"{count:5}" for count in counts))
    return [asdict(scores) for scores in found]


def _sets(seed: int, dev_only: bool = False) -> dict[str, list[Case]]:
    sets = {
        "first-dev": cases.generate("dev", seed),
        "first-held": cases.generate("held", seed),
        "second-dev": second.generate("dev", seed),
        "second-held": second.generate("held", seed),
        "third-dev": third.generate("dev"),
        "third-held": third.generate("held"),
    }
    return {name: made for name, made in sets.items() if name.endswith("dev") or not dev_only}


def _print(name: str, made: list[Case], rows: list[Row]) -> None:
    print(f"\n{name}: {len(made)} sentences of {len({case.family for case in made})} families")
    for row in rows:
        kind, verb = ("faulty", "caught") if row.faulty else ("faithful", "flagged")
        share = 100 * row.flagged / row.cases
        print(f"  {kind:8}  {row.kind:18} {row.flagged:4} of {row.cases:4} {verb} ({share:.1f} %), {row.partly} only partly")
