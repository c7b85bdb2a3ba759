"""Words that can stand for one another, by WordNet 3.1 (Princeton University; `weights/WORDNET-LICENSE.txt`).

Only ever used to accept a wording: that two words are related bears nothing out by itself.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from grounding.lexicon import stem

_TABLE = Path(__file__).parent / "weights" / "wordnet.txt.gz"
_ENDINGS = (("ies", "y"), ("es", ""), ("es", "e"), ("s", ""), ("ied", "y"), ("ed", ""), ("ed", "e"), ("ing", ""),
            ("ing", "e"), ("er", ""), ("er", "e"), ("est", ""), ("est", "e"), ("ier", "y"))  # fmt: skip


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, set[str]], dict[str, set[str]], dict[str, str]]:
    """Words by word that mean the same or are derived from one another, opposites, and kinds of nouns."""
    same: dict[str, set[str]] = {}
    opposite: dict[str, set[str]] = {}
    kinds: dict[str, str] = {}
    for line in gzip.decompress(_TABLE.read_bytes()).decode().splitlines():
        if line[0] == "^":
            word, _, rest = line[2:].partition(" ")
            kinds[word] = rest
            continue
        words = line.split()
        table = opposite if words[0] == "-" else same
        members = words[1:] if words[0] in "+-" else words
        for word in members:
            table.setdefault(word, set()).update(members)
    return same, opposite, kinds


@lru_cache(maxsize=8192)
def related(word: str) -> frozenset[str]:
    """Stems of words that can stand for a word (lower case), two steps away at most where the first is a derivation."""
    same, _, _ = _tables()
    direct = {other for form in _forms(word) for other in same.get(form, ())}
    derived = {other for one in direct if one[:4] == word[:4] for other in same.get(one, ())}
    return frozenset(stem(other) for other in direct | derived)


@lru_cache(maxsize=8192)
def kinds(word: str) -> frozenset[str]:
    """Stems of what a noun (lower case) is a kind of: dexamethasone is a steroid."""
    _, _, table = _tables()
    return frozenset(stem(other) for form in _forms(word) for other in table.get(form, "").split())


@lru_cache(maxsize=8192)
def opposites(word: str) -> frozenset[str]:
    """Stems of the opposites of a word (lower case)."""
    _, opposite, _ = _tables()
    found = {other for form in _forms(word) for other in opposite.get(form, ())}
    return frozenset(stem(other) for other in found) - {stem(form) for form in _forms(word)}


def _forms(word: str) -> Iterable[str]:
    yield word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            form = word[: -len(ending)] + instead
            yield form
            if len(form) > 3 and form[-1] == form[-2]:
                yield form[:-1]
