"""Which words are names, places or ordinary English, as sorted hashes: membership can be asked, the lists not read back.

Made by `training/train.py` from the names of the US census of 1990 (public domain), Faker's (MIT), GeoNames places (CC BY 4.0)
and the words of Webster's Second (public domain).
"""

from __future__ import annotations

import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

WEIGHTS = Path(__file__).parent / "weights"
KINDS = ("given_common", "given", "family_common", "family", "place", "english", "clinical")
_LETTERS = "gGfFpec"
_ENDINGS = ("s", "es", "ed", "d", "ing", "ly", "al", "er", "ies", "'s")


def plain(word: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def hashed(word: str) -> int:
    """32 bits of a word."""
    return zlib.crc32(plain(word).encode())


CLINICAL_ENDINGS = (
    "in", "ol", "il", "ide", "ine", "ate", "one", "mab", "nib", "vir", "itis", "osis", "emia", "oma", "pam", "lam", "cin", "xan",
)  # fmt: skip
"""How drugs and diseases end, and few names."""


@dataclass(frozen=True)
class Lexicon:
    """Membership of words in lists."""

    lists: dict[str, frozenset[int]]

    def has(self, kind: str, word: str) -> bool:
        """Whether a list of `KINDS` has the word."""
        return hashed(word) in self.lists[kind]

    def english(self, word: str) -> bool:
        """Whether it is an English or clinical word, also inflected."""
        low = plain(word)
        words, clinical = self.lists["english"], self.lists["clinical"]
        for stem in (
            low,
            *(low.removesuffix(ending) for ending in _ENDINGS if low.endswith(ending) and len(low) > len(ending) + 2),
        ):
            value = zlib.crc32(stem.encode())
            if value in words or value in clinical or (stem != low and zlib.crc32((stem + "e").encode()) in words):
                return True
        return False

    def ordinary(self, word: str) -> bool:
        """An English or clinical word; one that only its ending makes English ("Anand") is not, when it is a name."""
        value = hashed(word)
        if value in self.lists["english"] or value in self.lists["clinical"]:
            return True
        return self.english(word) and value not in self.lists["given"] and value not in self.lists["family"]

    def flags(self, word: str) -> str:
        """One letter for each list that has it; the word's features in one short string."""
        value = hashed(word)
        letters = "".join(
            c for c, kind in zip(_LETTERS, KINDS, strict=True) if kind != "english" and value in self.lists[kind]
        )
        return letters + ("e" if self.english(word) else "") or "-"


@cache
def lexicon() -> Lexicon:
    """The lexicon that ships."""
    arrays: dict[str, NDArray[np.uint32]] = load_file(WEIGHTS / "lexicon.safetensors")
    return Lexicon({kind: frozenset(arrays[kind].tolist()) for kind in KINDS})
