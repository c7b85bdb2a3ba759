"""Which vertebra a mask value means. Two numberings are in use; both are named explicitly.

* VerSe (and SPINEPS, TPTBox): 1-7 C1-C7, 8-19 T1-T12, 20-25 L1-L6, 26 sacrum, 28 T13
  (Sekuboyina et al., Medical Image Analysis 2021).
* TotalSegmentator v2 task `total`: 26 S1, then upward 27 L5 ... 31 L1, 32 T12 ... 43 T1, 44 C7 ... 50 C1.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

Scheme = Literal["verse", "totalsegmentator"]

LEVELS: tuple[str, ...] = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 7)),
)
"""Vertebrae from head to foot."""


def place_of(level: str) -> float:
    """Where a level lies from head to foot, in levels; a thirteenth thoracic vertebra lies half way between T12 and L1."""
    return LEVELS.index("T12") + 0.5 if level == "T13" else float(LEVELS.index(level))


VERSE: dict[int, str] = {**{i + 1: name for i, name in enumerate(LEVELS)}, 26: "S1", 28: "T13"}
TOTALSEGMENTATOR: dict[int, str] = {
    26: "S1",
    **{32 - n: f"L{n}" for n in range(1, 6)},
    **{44 - n: f"T{n}" for n in range(1, 13)},
    **{51 - n: f"C{n}" for n in range(1, 8)},
}


def detect_scheme(ids: Collection[int]) -> Scheme:
    """TotalSegmentator when any value is above VerSe's range, else VerSe."""
    return "totalsegmentator" if any(value >= 29 for value in ids) else "verse"


def level_names(ids: Collection[int], scheme: Scheme | None = None) -> dict[int, str]:
    """Name every value that is a vertebra in the scheme; other values are left out."""
    table = VERSE if (scheme or detect_scheme(ids)) == "verse" else TOTALSEGMENTATOR
    return {value: table[value] for value in sorted(ids) if value in table}
