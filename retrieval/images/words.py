"""Words of reports as numbers, for an encoder that reads text without a downloaded tokenizer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

_WORD = re.compile(r"\w+")
PADDING, UNKNOWN, HIDDEN = 0, 1, 2
_SPECIAL = 3
MOST_WORDS = 4000
LONGEST = 64


@dataclass(frozen=True)
class Vocabulary:
    """The words of the training reports, the most frequent first; 0 is padding, 1 any other word, 2 a hidden word."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Vocabulary:
        """The at most `MOST_WORDS` most frequent words.

        Raises:
            InputError: there are none.
        """
        counts = Counter(word for text in texts for word in _words(text))
        if not counts:
            raise InputError("There are no words in the reports to learn from.")
        return cls(tuple(sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]))

    def __len__(self) -> int:
        return len(self.words) + _SPECIAL

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Numbers of shape (len(texts), longest), padded behind; at most `LONGEST` words of each are read."""
        rows = [[self._numbers.get(word, UNKNOWN) for word in _words(text)[:LONGEST]] for text in texts]
        numbers = np.full((len(rows), max((len(row) for row in rows), default=0) or 1), PADDING, dtype=np.int64)
        for place, row in enumerate(rows):
            numbers[place, : len(row)] = row
        return numbers

    def known(self, text: str) -> bool:
        """Whether any word of a text was in the training reports."""
        return any(word in self._numbers for word in _words(text))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, start=_SPECIAL)}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
