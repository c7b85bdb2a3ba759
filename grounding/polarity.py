"""Negation, direction and comparison of a sentence's clauses against the clauses of its source."""

from __future__ import annotations

from collections.abc import Sequence

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
        if all(negated != clause.negated for _, negated in nearest) and not _says_no_change(clause, nearest[0][0]):
            return "contradicted", "negation differs from the source"
        faults = [_turned(clause, other) for other, negated in nearest if negated == clause.negated]
        if faults and all(faults):
            return "contradicted", faults[0]
        fault = _numbers_order(clause, source)
        if fault:
            return "contradicted", fault
    return None


class _Polarised:
    """A clause of the claim, to be laid beside clauses of the source."""

    def __init__(self, clause: Clause) -> None:
        self.clause = clause

    def nearness(self, other: Clause, negated: bool) -> float:
        """Shared weight with the asserted or the excluded words of a source's clause."""
        words = self.clause.words | (self.clause.without if self.clause.negated else frozenset())
        if negated and not other.negated:
            return weight(words & other.without) + (0.01 if words & other.without else -9)
        own = weight(words & other.words) + 0.6 * weight(words & other.inherited)
        moved = (self.clause.up or self.clause.down) and (other.up or other.down)
        return own + (0.3 if moved else 0)


def _says_no_change(mine: Clause, theirs: Clause) -> bool:
    """Words such as "did not increase" where the source says it fell (or the other way round) is no contradiction."""
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


def _numbers_order(clause: Clause, source: Sequence[Facts]) -> str:
    """The claim "A is lower than B" against "12 % with A, 18 % with B"."""
    a, b = clause.left_of_than, clause.right_of_than
    if not b or not clause.comparative or clause.negated:
        return ""
    for facts in source:
        pairs = [
            (x, y)
            for x in facts.quantities
            for y in facts.quantities
            if x.chunk < y.chunk and x.quantity.dimension == y.quantity.dimension and not x.quantity.derived
        ]
        for x, y in pairs:
            theirs, mine = (
                (x, y) if x.words & b and not y.words & b else (y, x) if y.words & b and not x.words & b else (None, None)
            )
            if theirs is None or mine is None or not mine.words & (a - theirs.words):
                continue
            arm = mine.words & (a - theirs.words) if theirs.chunk < mine.chunk else frozenset()
            if weight((clause.words - b - arm) & facts.words) < 1:
                continue  # the numbers are of another outcome
            higher = mine.quantity.value > theirs.quantity.value
            told = facts.text.partition(min(mine, theirs, key=lambda bound: bound.chunk).quantity.text)[0]
            falling = any(_is_falling(word) for word in told.lower().split())
            if higher != (clause.comparative > 0) and not falling:
                return "the numbers of the source say the opposite"
    return ""


def _is_falling(word: str) -> bool:
    """A number of a fall or a loss: a larger one is not "higher"."""
    return word.strip(".,;()").startswith(
        ("fall", "fell", "loss", "lost", "reduc", "decreas", "declin", "drop", "lower", "shorten")
    )
