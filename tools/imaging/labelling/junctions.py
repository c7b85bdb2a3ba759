"""Where one vertebra ends and the next begins along the straightened spine, and where the bodies' front and back walls are.

A disc is a dark cleft between two endplates in a young spine and one bright line in a worn one with thick slices, so the
cleft alone does not find it: the middle of a vertebra between its endplates looks the same. What settles it is the phase of
the neural foramina: going up through a disc one passes from the pedicle of the lower vertebra to the foramen under the
pedicle of the upper one; in the middle of a vertebra it is the other way round. The chain of discs with the best total score
and a pitch that changes little from one to the next is found by dynamic programming.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.labelling.straight import FRONT_MM, ORIGIN, RIGHT_MM

Array = NDArray[np.float64]
Image = NDArray[np.float32]
_FRONT_RANGE, _BACK_RANGE = (20.0, 54.0), (3.0, 16.0)
_EDGE_MM = 6
_EDGE_ALONG_MM, _EDGE_MOVE = 12.0, 0.3
_TILTS_SAGITTAL, _TILTS_CORONAL = np.radians(np.arange(-24, 25, 6)), np.radians(np.arange(-12, 13, 6))
_PITCHES = tuple(range(12, 46))
"""Distances from disc to disc that are looked for, mm: T1 of a small person to L4 of a large one, and a collapsed one."""
_PITCH_GROWTH, _PITCH_SPREAD, _PITCH_WEIGHT, _PITCH_MOST = -0.035, 0.15, 0.5, 6.0
"""Pitch grows downwards by 3.5 % a level; its logarithm is tolerated 15 % off that, and a collapsed vertebra costs no more
than the last figure."""
_EACH = 0.4
_MIDDLE_WEIGHT = 0.7
_PHASE, _BRIGHT, _CLEFT = 1.2, 0.5, 0.4
_PEDICLE_BELOW_MM, _FORAMEN_ABOVE_MM = 7, 4


@dataclass(frozen=True)
class Walls:
    """Front and back of the bodies in front of the canal's middle, mm, per mm along the curve, (n,)."""

    front: Array
    back: Array


@dataclass(frozen=True)
class Junctions:
    """Discs from foot to head: place along the curve (mm), and score (0 is chance, about 1.5 is clear)."""

    places: NDArray[np.intp]
    scores: Array


def find_walls(straight: Image) -> Walls:
    """Where brightness falls most towards the front, and rises most behind, smoothly along the curve."""
    middle = np.clip(straight[:, :, np.abs(RIGHT_MM) <= 7].mean(axis=2), -150, 400).astype(float)
    profile = ndimage.gaussian_filter1d(middle, _EDGE_ALONG_MM, axis=0)
    kernel = np.zeros(2 * _EDGE_MM + 1)
    kernel[:_EDGE_MM], kernel[_EDGE_MM + 1 :] = 1 / _EDGE_MM, -1 / _EDGE_MM
    fall = ndimage.correlate1d(profile, kernel, axis=1)
    return Walls(_chain(fall, _FRONT_RANGE), _chain(-fall, _BACK_RANGE))


def _chain(gain: Array, bounds: tuple[float, float]) -> Array:
    low, high = np.searchsorted(FRONT_MM, bounds)
    part = gain[:, low:high] / max(float(gain[:, low:high].std()), 1e-6)
    count, wide = part.shape
    total, came = part[0].copy(), np.zeros((count, wide), dtype=np.int8)
    for row in range(1, count):
        padded = np.pad(total, 1, constant_values=-np.inf)
        options = np.stack([padded[:-2] - _EDGE_MOVE, padded[1:-1], padded[2:] - _EDGE_MOVE])
        came[row] = options.argmax(axis=0) - 1
        total = options.max(axis=0) + part[row]
    path = np.zeros(count, dtype=int)
    path[-1] = int(total.argmax())
    for row in range(count - 1, 0, -1):
        path[row - 1] = path[row] + came[row, path[row]]
    smooth: Array = ndimage.gaussian_filter1d(FRONT_MM[low + path], 8.0, mode="nearest")
    return smooth


def find_junctions(straight: Image, walls: Walls) -> Junctions:
    """The discs of a straightened spine; none when it is shorter than a vertebra."""
    score = _score(straight, walls)
    places = _best_discs(score)
    return Junctions(places, score[places])


def _score(straight: Image, walls: Walls) -> Array:
    """How much each place looks like a disc, unit variance."""
    count = len(straight)
    clipped = np.clip(straight, -100, 600)
    cleft, bright = np.full(count, -np.inf), np.full(count, -np.inf)
    for sagittal in _TILTS_SAGITTAL:
        for coronal in _TILTS_CORONAL:
            plane = _plane_means(clipped, walls, sagittal, coronal)
            above, below = (_shifted(ndimage.maximum_filter1d(plane, 5), step) for step in (3, -3))
            cleft = np.maximum(cleft, np.minimum(above, below) - plane)
            bright = np.maximum(bright, plane)
    bright = ndimage.maximum_filter1d(bright, 9)
    bone = np.clip(straight[:, ORIGIN[0] - 1 : ORIGIN[0] + 7], 0, 350)
    right, left = ORIGIN[1] + np.arange(9, 15), ORIGIN[1] - np.arange(9, 15)
    pedicle = ndimage.gaussian_filter1d((bone[:, :, right].mean(axis=(1, 2)) + bone[:, :, left].mean(axis=(1, 2))) / 2, 1.5)
    phase = _shifted(pedicle, -_PEDICLE_BELOW_MM) - _shifted(pedicle, _FORAMEN_ABOVE_MM)
    parts = [_standard(ndimage.gaussian_filter1d(part.astype(float), 1.0)) for part in (phase, bright, cleft)]
    score = _PHASE * parts[0] + _BRIGHT * parts[1] + _CLEFT * parts[2]
    return score / max(float(score.std()), 1e-6)


def _plane_means(volume: Image, walls: Walls, sagittal: float, coronal: float) -> Array:
    """Mean HU of the core of a tilted plane through each place."""
    count = len(volume)
    along = np.arange(count)
    middle, half = (walls.front + walls.back) / 2, (walls.front - walls.back) / 2
    total = np.zeros(count)
    for share in (-0.7, -0.35, 0.0, 0.35, 0.7):
        for right in (-8.0, -4.0, 0.0, 4.0, 8.0):
            place = along + np.tan(sagittal) * share * half + np.tan(coronal) * right
            where = np.stack([place, middle + share * half + ORIGIN[0], np.full(count, right + ORIGIN[1])])
            total += ndimage.map_coordinates(volume, where, order=1, mode="nearest")
    return total / 25


def _shifted(values: Array, step: int) -> Array:
    """The value `step` mm further up at each place; the ends are continued."""
    index = np.clip(np.arange(len(values)) + step, 0, len(values) - 1)
    return values[index]


def _standard(values: Array) -> Array:
    off = values - ndimage.gaussian_filter1d(values, 18, mode="nearest")
    spread = np.sqrt(ndimage.gaussian_filter1d(off**2, 40, mode="nearest"))
    return np.clip(off / (spread + 1e-6), -3, 3)


def _best_discs(score: Array) -> NDArray[np.intp]:
    """Viterbi over (place, pitch to the disc below)."""
    count = len(score)
    if count <= _PITCHES[0]:
        return np.empty(0, dtype=np.intp)
    pitch = np.log(_PITCHES)
    change = (pitch[:, None] - pitch[None, :] - _PITCH_GROWTH) / _PITCH_SPREAD
    cost = _PITCH_WEIGHT * np.minimum(0.5 * change**2, _PITCH_MOST)
    sums = np.concatenate([[0.0], np.cumsum(score)])
    total = np.full((count, len(_PITCHES)), -np.inf)
    came = np.full((count, len(_PITCHES)), -1)
    for place in range(count):
        for number, step in enumerate(_PITCHES):
            below = place - step
            if below < 0:
                break
            low, high = below + int(0.35 * step), below + int(0.65 * step) + 1
            middle = (sums[high] - sums[low]) / (high - low)
            before = total[below] - cost[number]
            best = int(before.argmax())
            goes_on = before[best] > score[below]
            total[place, number] = max(before[best], score[below]) + score[place] - _EACH - _MIDDLE_WEIGHT * middle
            came[place, number] = best if goes_on else -1
    top, pitch_number = (int(v) for v in np.unravel_index(int(total.argmax()), total.shape))
    found = [top]
    while pitch_number >= 0:
        down, pitch_number = _PITCHES[pitch_number], int(came[found[-1], pitch_number])
        found.append(found[-1] - down)
    return np.array(found[::-1], dtype=np.intp)
