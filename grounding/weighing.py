"""What the rules share: verdicts, and the weight of words."""

from __future__ import annotations

from collections.abc import Sequence

from core.types import Verdict
from grounding.facts import Facts
from grounding.lexicon import GENERIC
from grounding.quantities import agrees

Fault = tuple[Verdict, str]
_GENERIC = frozenset(word[:6] for word in GENERIC)


def weight(words: frozenset[str]) -> float:
    """Generic words count a quarter."""
    return sum(0.25 if word[:6] in _GENERIC else 1.0 for word in words)


def all_words(source: Sequence[Facts]) -> frozenset[str]:
    """Content words of every sentence."""
    return frozenset(word for facts in source for word in facts.words)


def shared(said: Facts, facts: Facts) -> float:
    """How much of a claim a sentence has: words, names and numbers."""
    same = sum(any(agrees(a.quantity, b.quantity, said.text) for b in facts.quantities) for a in said.quantities)
    named = frozenset(word for word, _ in said.entities)
    return weight(said.words & facts.words) + 0.5 * len(named & facts.words) + 2 * same
