"""A laboratory value against the reference range that its source gives: low, within or high."""

from __future__ import annotations

import re
from collections.abc import Sequence

from grounding.facts import Facts
from grounding.weighing import Fault, weight

_RANGE = re.compile(
    r"(-?\d+(?:\.\d+)?)[^\d()]{0,24}\(?\s*(?:reference|ref\.?|normal)(?: range| interval)?:?\s*(\d+(?:\.\d+)?)\s*(?:-|–|to)\s*(\d+(?:\.\d+)?)",
    re.I,
)
_SAYS = (
    (re.compile(r"\b(?:was|were|is|are) normal\b|\bnormal (?:value|level|result)|\bwithin normal\b", re.I), 0),
    (re.compile(r"\b(?:was|were|is|are|too) (?:high|elevated|raised|increased)\b|\b(?:raised|elevated|high) (?:level|value)?|\babove the (?:upper|limit)", re.I), 1),
    (re.compile(r"\b(?:was|were|is|are|too) (?:low|decreased|reduced)\b|\blow (?:level|value)|\bbelow the (?:lower|limit)", re.I), -1),
)  # fmt: skip


def out_of_range(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Whether a claim calls normal, high or low what the source's own range says is not."""
    told = [state for pattern, state in _SAYS if pattern.search(said.prepared)]
    if len(told) != 1:
        return None
    negated = any(clause.negated for clause in said.clauses)
    states = []
    for facts in source:
        match = _RANGE.search(facts.text)
        if match and weight(said.words & facts.words) >= 1:
            value, low, high = (float(number) for number in match.groups())
            states.append(-1 if value < low else 1 if value > high else 0)
    if not states or any((state == told[0]) != negated for state in states):
        return None
    return "contradicted", "by the source's reference range it is " + {-1: "low", 0: "normal", 1: "high"}[states[0]]
