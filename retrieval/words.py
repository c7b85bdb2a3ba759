"""Words as the search counts them: stemmed, lower-cased, without the commonest function words.

Negations are words like others: "no" and "not" count.
"""

from __future__ import annotations

import re
from functools import lru_cache

import snowballstemmer

_STOP_WORDS = frozenset(
    """a an and are as at be but by for if in into is it of on or such that the their then there these they this to was
    will with""".split()  # noqa: SIM905 - a list of words reads best as words
)
_WORD = re.compile(r"[^\W_]+")
_STEMMER = snowballstemmer.stemmer("english")


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    stem: str = _STEMMER.stemWord(word)
    return stem


def word_forms(text: str) -> list[str]:
    """Stemmed words in order, without the commonest function words."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]
