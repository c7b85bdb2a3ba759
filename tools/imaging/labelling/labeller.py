"""Vertebral bodies of a CT that came without a mask and without weights: found, numbered, named where that can be told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import FileError, SettingError
from tools.imaging.labelling.bodies import find_bodies
from tools.imaging.labelling.canal import find_canal
from tools.imaging.labelling.junctions import Junctions, Walls, find_junctions, find_walls
from tools.imaging.labelling.levels import Levels, from_ribs, names_from, rib_shares
from tools.imaging.labelling.straight import FRONT_MM, IN_IMAGE_HU, RIGHT_MM, back_to_image, curve_of, sample
from tools.imaging.labels import LEVELS, VERSE
from tools.imaging.nifti import looks_like_ct
from tools.imaging.volume import Volume

_THICK_MM = 5.0
_LEAST_VERTEBRAE = 3
_BESIDE_MM, _CENTRAL_MM, _LEAST_IN_VIEW = 5, 8.0, 0.97
_LEAST_JUNCTION, _LEAST_MEDIAN, _LEAST_CANAL = 0.4, 0.8, 0.3
_VALUES = {name: value for value, name in VERSE.items()}


@dataclass(frozen=True)
class FoundVertebra:
    """One vertebra: its number from the head, its name ("" when not told), voxel of its middle, confidence 0 to 1."""

    number: int
    level: str
    centre: tuple[int, int, int]
    confidence: float


@dataclass(frozen=True)
class Labelled:
    """Bodies in VerSe's numbering when `levels.names` are told, else by number from the head; from head to foot."""

    mask: Volume
    vertebrae: tuple[FoundVertebra, ...]
    levels: Levels


def label_vertebrae(ct: Volume, confirmed: str = "", progress: Callable[[float, str], None] | None = None) -> Labelled:
    """Find the vertebral bodies of a CT.

    Args:
        ct: HU, RAS.
        confirmed: a level that a person confirmed, such as "3=L1": the third vertebra from the head is L1.
        progress: told before each step.

    Raises:
        FileError: no CT in HU, slices too thick, or no spine can be followed with confidence.
        SettingError: `confirmed` is not of that form, or there is no such vertebra.
    """
    wanted = _parsed(confirmed) if confirmed else None
    _refuse_unfit(ct)
    tell = progress or (lambda fraction, message: None)
    tell(0.0, "following the canal")
    canal = find_canal(ct)
    if len(canal.points) < 2 * _LEAST_VERTEBRAE:
        raise FileError(_NO_SPINE)
    curve = curve_of(canal)
    tell(0.4, "finding the discs")
    straight = sample(ct, curve)
    walls = find_walls(straight)
    junctions = _trusted(find_junctions(straight, walls), straight, walls)
    count = len(junctions.places) - 1
    if count < _LEAST_VERTEBRAE or np.median(junctions.scores) < _LEAST_MEDIAN or np.median(canal.scores) < _LEAST_CANAL:
        raise FileError(_NO_SPINE)
    tell(0.6, "outlining the bodies")
    mask = back_to_image(find_bodies(straight, junctions, walls), curve, ct)
    levels = _confirmed(count, *wanted) if wanted else from_ribs(rib_shares(ct, curve, junctions))
    if junctions.scores.min() < _LEAST_JUNCTION and not wanted:
        levels = replace(levels, told=f"{levels.told}; one disc is doubtful, so one may be counted too many", settled=False)
    return _named(mask, junctions, levels)


_NO_SPINE = (
    "No spine could be followed with confidence in this CT (a canal, and at least three vertebrae between clear discs), so "
    "nothing is labelled rather than guessed. Give a mask of the vertebrae, or install TotalSegmentator (extra `segment`)."
)


def _refuse_unfit(ct: Volume) -> None:
    if not looks_like_ct(np.asarray(ct.data)):
        raise FileError("Labelling needs a CT in HU (air near -1000); this image is none.")
    coarse = max(ct.spacing_mm)
    if coarse > _THICK_MM:
        raise FileError(
            f"Slices or voxels of {coarse:.1f} mm are too thick to label vertebrae without a mask; at most "
            f"{_THICK_MM:.0f} mm is allowed."
        )


def _trusted(junctions: Junctions, straight: NDArray[np.float32], walls: Walls) -> Junctions:
    """Without doubtful discs at either end, and those that are not wholly in the image."""
    seen = np.array([_in_view(straight, walls, int(place)) for place in junctions.places], dtype=bool)
    clear = np.flatnonzero((junctions.scores >= _LEAST_JUNCTION) & seen)
    kept = slice(clear[0], clear[-1] + 1) if len(clear) else slice(0, 0)
    return Junctions(junctions.places[kept], junctions.scores[kept])


def _in_view(straight: NDArray[np.float32], walls: Walls, place: int) -> bool:
    """Whether a disc and the endplates beside it lie in the image, over the body's depth."""
    low, high = place - _BESIDE_MM, place + _BESIDE_MM + 1
    if low < 0 or high > len(straight):
        return False
    depth = (walls.back[place] < FRONT_MM) & (walls.front[place] > FRONT_MM)
    part = straight[low:high, depth][:, :, np.abs(RIGHT_MM) <= _CENTRAL_MM]
    return bool((part > IN_IMAGE_HU).mean() > _LEAST_IN_VIEW)


def _parsed(text: str) -> tuple[int, str]:
    match = re.fullmatch(r"\s*(\d{1,2})\s*=\s*([CTLctl]\d{1,2})\s*", text)
    level = match.group(2).upper() if match else ""
    if match is None or level not in LEVELS:
        raise SettingError(f"A confirmed level must be given as NUMBER=LEVEL, such as 3=L1; got {text!r}.")
    return int(match.group(1)), level


def _confirmed(count: int, number: int, level: str) -> Levels:
    if not 1 <= number <= count:
        raise SettingError(f"Vertebrae 1 to {count} were found (1 is the one nearest to the head); got {number}.")
    return Levels(names_from(count, count - number, level), f"vertebra {number} was confirmed as {level}", settled=True)


def _named(mask: Volume, junctions: Junctions, levels: Levels) -> Labelled:
    data = np.asarray(mask.data)
    count = len(junctions.places) - 1
    table = np.zeros(count + 1, dtype=np.uint8)
    boxes = ndimage.find_objects(data)
    vertebrae = []
    for value in range(1, count + 1):
        number, level = count + 1 - value, levels.names[value - 1] if levels.names else ""
        table[value] = _VALUES.get(level, 0) if levels.names else number
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is None or not table[value]:
            table[value] = 0
            continue
        middle = np.argwhere(data[box] == value).mean(axis=0)
        x, y, z = (int(part.start + v) for part, v in zip(box, middle, strict=True))
        sure = float(np.clip(min(junctions.scores[value - 1], junctions.scores[value]) / 1.5, 0, 1))
        vertebrae.append(FoundVertebra(number, level, (x, y, z), round(sure, 2)))
    return Labelled(Volume(table[data], mask.affine), tuple(reversed(vertebrae)), levels)
