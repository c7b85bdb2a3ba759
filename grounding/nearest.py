"""The part of a text that a claim is about."""

from __future__ import annotations

import re
from functools import lru_cache

from grounding.facts import sentences
from grounding.lexicon import STOP, stem

_WORD = re.compile(r"[^\W\d_][\w'’-]*|\d+(?:\.\d+)?")
_WORDS = 55
"""How many words of evidence the entailment model is shown; the families it was trained on are rarely longer."""


@lru_cache(maxsize=8192)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in _WORD.findall(text) if word.lower() not in STOP)


def nearest(claim: str, evidence: str, words: int = _WORDS) -> str:
    """The sentences of `evidence` that share most words with the claim, in their order, up to about `words` words.

    One sentence is always kept, however long.
    """
    parts = sentences(evidence)
    if len(evidence.split()) <= words or len(parts) < 2:
        return evidence
    wanted = _stems(claim)
    common = {word: sum(word in _stems(part) for part in parts) for word in wanted}

    def shared(place: int) -> float:
        return sum(1 / (0.5 + common[word]) for word in wanted & _stems(parts[place])) - 0.001 * place

    kept: list[int] = []
    room = words
    for place in sorted(range(len(parts)), key=shared, reverse=True):
        size = len(parts[place].split())
        if kept and size > room:
            continue
        kept.append(place)
        room -= size
    return " ".join(parts[place] for place in sorted(kept))
