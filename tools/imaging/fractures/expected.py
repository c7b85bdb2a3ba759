"""The height that a vertebra should have, from all other vertebrae of its spine.

Model, on logarithms: height = usual height of that level x this patient's size x a smooth curve along the levels x the
vertebra's own size x noise. Each factor is Gaussian with a spread written down below, so the prediction (a Gaussian
process, or kriging; Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, ch. 2) weighs near and far
vertebrae by itself and knows its own uncertainty. A fracture can only take height away: vertebrae that lie low
against the others, worst first, are left out. What the vertebra's own shape adds is in `own_shape.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.imaging.fractures.heights import Measured, Thirds
from tools.imaging.fractures.own_shape import weigh
from tools.imaging.labels import LEVELS, place_of

Array = NDArray[np.float64]

_FIRST = LEVELS.index("T1")
_POSTERIOR = (
    14.1, 15.6, 15.7, 16.2, 16.2, 17.4, 18.2, 18.7, 19.3, 20.2, 21.3, 22.7,
    23.8, 24.3, 23.8, 24.1, 22.9, 22.5,
)  # fmt: skip
"""Usual posterior heights in mm, T1 to L5: Panjabi et al., Spine 1991;16:888-901 and 1992;17:299-306; L6 continued by us."""
_RATIO_AT = (0, 4, 7, 10, 12, 13, 14, 15, 16, 17)
_RATIO = (0.98, 0.95, 0.94, 0.95, 0.97, 1.0, 1.03, 1.08, 1.15, 1.2)
"""Anterior over posterior height: our rounded course, slightly wedged in the chest, lordotic at L4 and L5."""
_MIDDLE = 0.95
"""Middle height over the mean of the others: the endplates are slightly hollow."""

_SIZE = 0.15
_SHAPE = 0.05
_TREND = 0.008
_CURVE, _CURVE_LEVELS = 0.025, 3.0
_THIRD_CURVE, _THIRD_LEVELS = 0.02, 2.5
_OWN = 0.02
_NOISE = 0.015
"""Relative standard deviations: of a patient's size; of each third against the others; of the change per level; of the
smooth curve common to the thirds and of each third's (and the levels over which they change); of one vertebra; of a
reading."""

_LOW = 0.09
"""A neighbour this much (logarithm) below what the others predict, in any third, is taken for deformed."""
_LOW_SD = 2.2
_LEAST = 2
"""Fewer sound neighbours than this give a wide interval and a warning; so many are never left out as low."""


@dataclass(frozen=True)
class Expected:
    """Expected heights in mm, half width of their 95 % interval, the neighbours they rest on, those left out as low."""

    heights: Thirds
    half_width: Thirds
    neighbours: tuple[str, ...]
    deformed: tuple[str, ...] = ()


def expect(level: Measured, spine: Sequence[Measured], without: Sequence[str] = ()) -> Expected | None:
    """Expected heights of a level from the others.

    Args:
        level: the vertebra.
        spine: all measured vertebrae.
        without: neighbours to leave out (for the question what each one contributes).

    Returns:
        None without any neighbour.
    """
    others = [item for item in spine if item.level != level.level and item.level not in without]
    if not others:
        return None
    levels = [item.level for item in others]
    heights = np.array([item.heights for item in others])
    sound = sound_neighbours(levels, heights)
    used = tuple(name for name, keep in zip(levels, sound, strict=True) if keep)
    mean, deviation = predict(used, heights[sound], level.level, np.array(level.heights))
    half = 1.96 * deviation * mean
    return Expected(
        heights=(float(mean[0]), float(mean[1]), float(mean[2])),
        half_width=(float(half[0]), float(half[1]), float(half[2])),
        neighbours=used,
        deformed=tuple(name for name in levels if name not in used),
    )


def usual_heights(levels: Sequence[str]) -> Array:
    """Usual heights in mm, shape (levels, 3): anterior, middle, posterior."""
    place = _places(levels)
    posterior = np.interp(place, np.arange(len(_POSTERIOR)), _POSTERIOR)
    anterior = posterior * np.interp(place, _RATIO_AT, _RATIO)
    return np.stack([anterior, _MIDDLE * (anterior + posterior) / 2, posterior], axis=1)


def sound_neighbours(levels: Sequence[str], heights: Array) -> NDArray[np.bool_]:
    """Which vertebrae are not low against all the others; the lowest is left out first, then the rest is judged anew.

    Args:
        levels: names.
        heights: mm, shape (levels, 3).
    """
    place, gap = _places(levels), np.log(heights / usual_heights(levels))
    keep = np.ones(len(place), dtype=bool)
    for _ in range(2 * len(place)):
        depth = np.array([_depth(place, gap, keep, number) for number in range(len(place))])
        low = depth > 1
        if not (low & keep).any():
            back = ~low & ~keep
            if not back.any():
                break
            keep[int(np.where(back, depth, np.inf).argmin())] = True
            continue
        if keep.sum() <= _LEAST:
            break
        keep[int(np.where(keep, depth, -np.inf).argmax())] = False
    return keep


def predict(levels: Sequence[str], heights: Array, target: str, own: Array | None = None) -> tuple[Array, Array]:
    """Heights of `target` in mm and their relative standard deviations, each of shape (3,).

    Args:
        levels: the neighbours.
        heights: theirs, mm, shape (levels, 3).
        target: the level to predict.
        own: its measured heights, mm; see `own_shape`.
    """
    usual = usual_heights([target])[0]
    place, at = _places(levels), float(_places([target])[0])
    gap = np.log(heights / usual_heights(levels))
    mean, covariance = _posterior(place, gap, at)
    variance = np.diag(covariance)
    if own is not None:
        mean, variance = weigh(mean, covariance, np.log(own / usual), _NOISE)
    return usual * np.exp(mean), np.sqrt(variance + _NOISE**2)


def _places(levels: Sequence[str]) -> Array:
    return np.array([place_of(level) - _FIRST for level in levels], dtype=float)


def _depth(place: Array, gap: Array, keep: NDArray[np.bool_], number: int) -> float:
    """How low a vertebra lies against the kept others, in units of what is tolerated."""
    others = keep.copy()
    others[number] = False
    if not others.any():
        return 0.0
    mean, covariance = _posterior(place[others], gap[others], float(place[number]))
    tolerated = np.maximum(_LOW, _LOW_SD * np.sqrt(np.diag(covariance) + _NOISE**2))
    return float(((mean - gap[number]) / tolerated).max())


def _covariance(one: Array, other: Array) -> Array:
    """Of the heights (without noise) at two sets of places; shape (3 one, 3 other), thirds fastest."""
    apart = one[:, None] - other[None, :]
    lever = (one[:, None] - 8) * (other[None, :] - 8)
    same = np.isclose(apart, 0)
    common = _SIZE**2 + _TREND**2 * lever + _OWN**2 * same + _CURVE**2 * np.exp(-0.5 * (apart / _CURVE_LEVELS) ** 2)
    each = _SHAPE**2 + _THIRD_CURVE**2 * np.exp(-0.5 * (apart / _THIRD_LEVELS) ** 2)
    full: Array = np.kron(common, np.ones((3, 3))) + np.kron(each, np.eye(3))
    return full


def _posterior(place: Array, gap: Array, at: float) -> tuple[Array, Array]:
    """Mean and covariance of the three thirds at one place, given the neighbours."""
    target = np.array([at])
    known = _covariance(place, place) + _NOISE**2 * np.eye(3 * len(place))
    cross = _covariance(target, place)
    solved = np.linalg.solve(known, cross.T)
    return solved.T @ gap.ravel(), _covariance(target, target) - cross @ solved
