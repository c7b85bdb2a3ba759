"""`consilium eval trust`: what the check of answers catches and what it wrongly flags.

Two authors wrote families of sources, faithful and faulty sentences; a seed fills in names and numbers. Rules may be tuned
on the dev families only. A sentence counts as flagged unless its verdict is `supported` or `no_evidence_needed`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from evals.grounding import cases, second
from evals.grounding.cases import Case
from evals.grounding.measure import Row, run_cases


def run(arguments: argparse.Namespace) -> int:
    """Print one table per set, or JSON; `--show` lists the misjudged sentences of a set."""
    told = []
    for name, made in _sets(arguments.seed).items():
        rows, wrong = run_cases(made)
        told.append({"set": name, "rows": [asdict(row) for row in rows]})
        if not arguments.json:
            _print(name, made, rows)
        if arguments.show == name:
            for case, verdict, why in wrong:
                print(
                    f"- {case.family} / {case.kind} / {verdict}: {case.sentence}  <{why}>\n    {' | '.join(case.evidence)}"
                )
    if arguments.json:
        print(json.dumps(told))
    return 0


def _sets(seed: int, dev_only: bool = False) -> dict[str, list[Case]]:
    sets = {
        "first-dev": cases.generate("dev", seed),
        "first-held": cases.generate("held", seed),
        "second-dev": second.generate("dev", seed),
        "second-held": second.generate("held", seed),
    }
    return {name: made for name, made in sets.items() if name.endswith("dev") or not dev_only}


def _print(name: str, made: list[Case], rows: list[Row]) -> None:
    print(f"\n{name}: {len(made)} sentences of {len({case.family for case in made})} families")
    for row in rows:
        kind, verb = ("faulty", "caught") if row.faulty else ("faithful", "flagged")
        share = 100 * row.flagged / row.cases
        print(f"  {kind:8}  {row.kind:18} {row.flagged:4} of {row.cases:4} {verb} ({share:.1f} %), {row.partly} only partly")
