"""Negation, direction and comparison of a sentence's clauses against the clauses of its source."""

from __future__ import annotations

import re
from collections.abc import Sequence

from grounding.derived import is_rest
from grounding.facts import Clause, Facts
from grounding.weighing import Fault, weight

_CHANGED = frozenset(("differ", "chang", "affec", "alter", "influenc"))
_ABOUT_THE_SAME = 0.5
"""Share of a clause's words that the nearest clause must have before their polarity is compared."""


def meaning(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Negation, comparison and direction of each clause against the clause of the source that is nearest."""
    clauses = [clause for facts in source for clause in facts.clauses]
    outside = frozenset(w for clause in clauses for w in clause.words)
    excluded = frozenset(w for clause in clauses for w in clause.without) - outside
    for clause in said.clauses:
        if not clause.negated and clause.words & excluded:
            return "contradicted", f"the source says without {', '.join(sorted(clause.words & excluded))}"
        mine = _Polarised(clause)
        ranked = [(mine.nearness(other, negated), other, negated) for other in clauses for negated in (False, True)
                  if (negated and (other.negated or other.without)) or (not negated and not other.negated)]  # fmt: skip
        if not ranked:
            continue
        top = max(score for score, _, _ in ranked)
        if top < 0.9 or top < _ABOUT_THE_SAME * weight(clause.words):
            continue
        nearest = [(other, negated) for score, other, negated in ranked if score > top - 0.01]
        rest = clause.negated and any(is_rest(bound.quantity, said.text, source) for bound in said.quantities)
        if (
            not rest
            and all(negated != clause.negated for _, negated in nearest)
            and not _says_no_change(clause, nearest[0][0])
        ):
            return "contradicted", "negation differs from the source"
        faults = [_turned(clause, other) for other, negated in nearest if negated == clause.negated]
        if faults and all(faults):
            return "contradicted", faults[0]
    return None


class _Polarised:
    """A clause of the claim, to be laid beside clauses of the source."""

    def __init__(self, clause: Clause) -> None:
        self.clause = clause

    def nearness(self, other: Clause, negated: bool) -> float:
        """Shared weight with the asserted or the excluded words of a source's clause."""
        words = self.clause.words | (self.clause.without if self.clause.negated else frozenset())
        if negated and not other.negated:
            if not words & other.without:
                return -9.0
            return weight(words & (other.without | (other.words if self.clause.negated else frozenset()))) + 0.01
        own = weight(words & other.words) + 0.6 * weight(words & other.inherited)
        moved = (self.clause.up or self.clause.down) and (other.up or other.down)
        return own + (0.3 if moved else 0)


def _says_no_change(mine: Clause, theirs: Clause) -> bool:
    """Words such as "did not increase" where the source says it fell (or the other way round) is no contradiction."""
    if mine.negated and (mine.up or mine.down) and theirs.no_difference:
        return True  # "did not rise" where the source says "was similar"
    if mine.negated and (mine.up or mine.down) and not (theirs.up or theirs.down) and re.search(r"\d.*\d", theirs.text):
        return True  # "did not fall" against the numbers of both groups
    return (
        mine.negated and ((mine.up and theirs.down and not theirs.up) or (mine.down and theirs.up and not theirs.down))
    ) or (theirs.negated and not (mine.up or mine.down) and (theirs.up or theirs.down))


def _agreement(mine: Clause, theirs: Clause) -> int:
    """+1 when both clauses move what they share the same way, -1 when the other way, 0 when that is not to be told."""
    if mine.right_of_than or theirs.right_of_than or not mine.moves or not theirs.moves:
        return mine.parity * theirs.parity
    signs = []
    for sign, words in mine.moves:
        near = max(theirs.moves, key=lambda move: weight(words & move[1]))
        if weight(words & near[1]) > 0 or len(theirs.moves) == 1:
            signs.append(sign * near[0])
    return min(signs, default=0)


def _turned(mine: Clause, theirs: Clause) -> str:
    agreement = _agreement(mine, theirs)
    opposite, same = agreement < 0, agreement > 0
    if mine.no_difference and theirs.parity and not theirs.no_difference and not theirs.negated:
        return "the source says that there is a difference"
    if theirs.no_difference and not mine.no_difference and not mine.negated and (mine.parity or mine.words & _CHANGED):
        return "the source says that there is no difference"
    a, b, c, d = mine.left_of_than, mine.right_of_than, theirs.left_of_than, theirs.right_of_than
    if b and d:
        forward = len(b & d) + len(a & c - b - d)
        swapped = len(b & c - d) + len(a & d - b)
        if swapped and swapped >= forward - len(a & c - b - d):
            return "the two sides of the comparison are exchanged" if same else ""
        if forward and not swapped:
            return "the comparison is reversed" if opposite else ""
    if opposite and not (b and not d):
        return "direction is reversed"
    if (mine.better and theirs.worse and not theirs.better) or (mine.worse and theirs.better and not theirs.worse):
        return "better and worse are exchanged"
    return ""
