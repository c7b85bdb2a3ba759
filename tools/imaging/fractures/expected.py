"""The height that a vertebra should have, from several neighbours.

For each third a line over the level number is fitted to the other vertebrae, near ones weighing more. A fractured
neighbour can only pull the line down, so vertebrae that lie well below a first, robust fit (Theil-Sen) are left out of the
second. Heights change
steadily along the spine, which is what makes a local line adequate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tools.imaging.fractures.heights import Measured, Thirds
from tools.imaging.labels import LEVELS

_REACH = 6
"""Levels further away than this say nothing."""
_DECAY = 2.0
"""Levels over which a neighbour's weight falls to 1/e."""
_LOW = 0.10
"""A neighbour this much below the robust fit, in any third, is taken for deformed and left out."""
_LEAST_SD_MM = 0.6
"""Floor of the residual scatter: what repeated measurement of one vertebra varies by."""
_SLOPE = (-0.6, 1.6)
"""Allowed change per level towards the foot, in mm."""


@dataclass(frozen=True)
class Expected:
    """Expected heights in mm, the half width of their 95 % interval, and the neighbours they rest on."""

    heights: Thirds
    half_width: Thirds
    neighbours: tuple[str, ...]


def expect(level: Measured, spine: tuple[Measured, ...]) -> Expected | None:
    """Expected heights of a level from the others; None with fewer than two usable neighbours."""
    others = [m for m in spine if m.level != level.level and 0 < _distance(m, level) <= _REACH]
    if len(others) < 2:
        return None
    place = np.array([LEVELS.index(m.level) - LEVELS.index(level.level) for m in others], dtype=float)
    heights = np.array([m.heights for m in others])
    sound = _sound(place, heights)
    if sound.sum() < 2:
        return None
    weights = np.exp(-np.abs(place[sound]) / _DECAY)
    values, widths = zip(*(_fit(place[sound], heights[sound, third], weights) for third in range(3)), strict=True)
    used = tuple(m.level for m, keep in zip(others, sound, strict=True) if keep)
    return Expected((values[0], values[1], values[2]), (widths[0], widths[1], widths[2]), used)


def _distance(one: Measured, other: Measured) -> int:
    return abs(LEVELS.index(one.level) - LEVELS.index(other.level))


def _sound(place: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which neighbours are not themselves low: judged against a line that leans to the upper side."""
    keep = np.ones(len(place), dtype=bool)
    for _ in range(3):
        low = np.zeros(len(place), dtype=bool)
        for third in range(3):
            slope, intercept = _robust_line(place[keep], heights[keep, third])
            fitted = intercept + slope * place
            upper = np.quantile(heights[keep, third] - fitted[keep], 0.6)
            low |= (heights[:, third] - fitted - upper) < -_LOW * fitted
        if (~low).sum() < 2 or np.array_equal(~low, keep):
            break
        keep = ~low
    return keep


def _robust_line(place: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    slope = 0.0
    if len(place) > 1:
        slope = float(np.clip(stats.theilslopes(values, place)[0], *_SLOPE))
    return slope, float(np.median(values - slope * place))


def _fit(place: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    mean = np.average(place, weights=weights)
    spread = float(np.sum(weights * (place - mean) ** 2))
    slope = 0.0
    if spread > 0:
        slope = float(np.sum(weights * (place - mean) * (values - np.average(values, weights=weights)))) / spread
    slope = float(np.clip(slope, *_SLOPE))
    level = float(np.average(values - slope * place, weights=weights))
    residual = values - (level + slope * place)
    deviation = max(float(np.sqrt(np.average(residual**2, weights=weights))), _LEAST_SD_MM)
    effective = float(weights.sum() ** 2 / np.sum(weights**2))
    return level, 1.96 * deviation * float(np.sqrt(1 + 1 / effective))
