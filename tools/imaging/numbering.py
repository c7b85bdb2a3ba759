"""Which level each value of a mask is: told from the values where they leave no doubt, else asked.

Named numberings: `verse`, `totalsegmentator` (see `labels.py`), `thoracolumbar` (1 is T1, 12 is T12, 13 is L1), `lumbar`
(1 is L1), `lumbar-up` (1 is L5 and counting upwards, as in the SPIDER set), or pairs such as `1=L1,2=L2`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import FileError, SettingError
from tools.imaging.labels import LEVELS, TOTALSEGMENTATOR, VERSE, Scheme, detect_scheme, level_names
from tools.imaging.volume import Volume

_THORACOLUMBAR = {n + 1: name for n, name in enumerate(LEVELS[LEVELS.index("T1") :])}
_LUMBAR = {n: f"L{n}" for n in range(1, 7)}
_LUMBAR_UP = {n + 1: name for n, name in enumerate(reversed(LEVELS[LEVELS.index("T1") : LEVELS.index("L6")]))}
_TABLES = {
    "verse": VERSE, "totalsegmentator": TOTALSEGMENTATOR, "thoracolumbar": _THORACOLUMBAR, "lumbar": _LUMBAR,
    "lumbar-up": _LUMBAR_UP,
}  # fmt: skip
NUMBERINGS = ("auto", *_TABLES)
_CERVICAL = range(1, 8)
_CERVICAL_ML = 22.0
"""Cervical vertebrae, arch included, have 6 to 14 ml; lumbar bodies alone 30 and more."""
_ASK = "Say which with --numbering: verse, totalsegmentator, thoracolumbar, lumbar, lumbar-up, or pairs such as 1=L1,2=L2."


@dataclass(frozen=True)
class Numbering:
    """Value to level, and in words which numbering was taken and why."""

    names: dict[int, str]
    told: str


def resolve(labels: Volume, choice: str = "auto") -> Numbering:
    """Name the values of a mask.

    Args:
        labels: the mask.
        choice: one of `NUMBERINGS`, or pairs.

    Raises:
        FileError: no value is a vertebra, or the values fit more than one numbering.
        SettingError: the choice is none of the allowed.
    """
    values, counts = np.unique(np.asarray(labels.data), return_counts=True)
    sizes = {int(v): int(n) for v, n in zip(values, counts, strict=True) if v > 0 and v == int(v)}
    if choice == "auto":
        scheme = _told_from(labels, sizes)
        return Numbering(level_names(list(sizes), scheme), f"{scheme}, told from the values")
    table = _TABLES.get(choice) or _pairs(choice)
    names = {value: table[value] for value in sorted(sizes) if value in table}
    if not names and sizes:
        raise FileError(
            f"No value of the mask is a vertebra in the numbering {choice!r}: it has the values {sorted(sizes)[:12]}. {_ASK}"
        )
    return Numbering(names, f"{choice}, as given")


def _told_from(labels: Volume, sizes: dict[int, int]) -> Scheme:
    present = set(sizes)
    if present and present <= {1, 255}:
        raise FileError(
            f"The mask has one value only ({min(present)}): bone without levels. "
            f"Every vertebra needs a value of its own. {_ASK}"
        )
    if any(value > 50 for value in present):
        return "totalsegmentator"
    scheme = detect_scheme(present)
    if scheme == "verse" and present & {27, 28} and not present & set(range(8, 26)):
        raise FileError(
            f"The mask has the values {sorted(present)[:12]}: 27 and 28 are L5 and L4 in TotalSegmentator's numbering, and "
            f"coccyx and T13 in VerSe's. {_ASK}"
        )
    if scheme == "verse":
        _refuse_large_necks(labels, sizes)
    return scheme


def _refuse_large_necks(labels: Volume, sizes: dict[int, int]) -> None:
    """Values 1 to 7 are C1 to C7 in VerSe; when they are as large as lumbar vertebrae another numbering was meant."""
    millilitres = [sizes[v] * float(np.prod(labels.spacing_mm)) / 1000 for v in _CERVICAL if v in sizes]
    if millilitres and float(np.median(millilitres)) > _CERVICAL_ML:
        raise FileError(
            f"The values {[v for v in _CERVICAL if v in sizes]} would be cervical vertebrae in VerSe's numbering, but they "
            f"are {np.median(millilitres):.0f} ml large. {_ASK}"
        )


def _pairs(text: str) -> dict[int, str]:
    table: dict[int, str] = {}
    for part in text.split(","):
        value, _, level = part.partition("=")
        name = level.strip().upper()
        if not value.strip().isdigit() or (name not in LEVELS and name != "T13"):
            raise SettingError(
                f"--numbering must be one of {', '.join(NUMBERINGS)}, or pairs such as 20=L1,21=L2; got {text!r}."
            )
        table[int(value)] = name
    return table
