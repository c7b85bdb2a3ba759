"""What the rules share: verdicts, and the weight of words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.types import Verdict
from grounding.facts import Facts
from grounding.lexicon import GENERIC, entity_kind, stem
from grounding.quantities import agrees
from grounding.related import kinds, related

Fault = tuple[Verdict, str]
_GENERIC = frozenset(word[:6] for word in GENERIC)


def weight(words: frozenset[str]) -> float:
    """Generic words count a quarter."""
    return sum(0.25 if word[:6] in _GENERIC else 1.0 for word in words)


def all_words(source: Sequence[Facts]) -> frozenset[str]:
    """Content words of every sentence."""
    return frozenset(word for facts in source for word in facts.words)


_TOKEN = re.compile(r"[^\W\d_][\w'’]*")
_CLOSED = ("drug", "analyte", "joint", "bone")


def excused(said: Facts, words: frozenset[str], source: Sequence[Facts] = ()) -> frozenset[str]:
    """Words of a sentence that the source does not have but has a word for that can stand for them, or is a kind of them."""
    found = set()
    wider = frozenset(kind for facts in source for token in _TOKEN.findall(facts.prepared) for kind in kinds(token.lower()))
    for token in _TOKEN.findall(said.prepared):
        root = stem(token)
        if root not in said.words or root in words or len(token) < 4 or entity_kind(token) in _CLOSED:
            continue
        shortened = any(word.startswith(token.lower()) for word in words)
        if shortened or root in wider or related(token.lower()) & words:
            found.add(root)
    return frozenset(found)


def shared(said: Facts, facts: Facts) -> float:
    """How much of a claim a sentence has: words, names and numbers."""
    same = sum(any(agrees(a.quantity, b.quantity, said.text) for b in facts.quantities) for a in said.quantities)
    named = frozenset(word for word, _ in said.entities)
    return weight(said.words & facts.words) + 0.5 * len(named & facts.words) + 2 * same
