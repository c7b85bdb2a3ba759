"""Heights of vertebral bodies from a lateral film's grey values alone: where the bright endplates are seen.

As with `ct_reading`, the plan of the patient tells which body a line of pixels crosses and which way is up; the endplates
are then looked for on the film, between the body's middle and the next vertebra, so that a vertebra painted uncompressed
where a fracture was asked for is found out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.fractures.expected import predict, sound_neighbours
from tools.imaging.fractures.genant import rim_losses
from tools.imaging.generation.anatomy import Grid
from tools.imaging.generation.dataset import FILM_COLUMNS
from tools.imaging.generation.film_model import PIXEL_MM
from tools.imaging.generation.patient import Patient, Vertebra
from tools.imaging.vertebra_shape import endplates

Array = NDArray[np.float32]
_STEP_MM, _FINE_STEP_MM = 0.5, 0.125
_BEYOND_MM, _APART_MM = 3.0, 2.0
"""How far beyond the endplates of the uncompressed body is searched, and how far from the next vertebra the search ends."""
_PLACES = np.linspace(0.06, 0.94, 23)
"""Shares of the body's depth, from the back, at which the film is looked at."""
_KNOTS = (0.1, 0.5, 0.9)
_FINE_MM = 3.0
"""Endplates are lines: what is wider than this is taken away first."""
_THIRDS = ((2 / 3, 0.92), (1 / 3, 2 / 3), (0.08, 1 / 3))
_SHELL_MM = 0.6
"""The peak of the cortical shell lies this far inside the surface."""
_RARE_PER_MM = 0.06
"""What a line loses for every mm away from where the endplate would be without any fracture: most are not fractured."""
_OUTSIDE = -1.0
"""Strength of a line where none may be."""


@dataclass(frozen=True)
class ReadBody:
    """One body: its level, and anterior, middle and posterior height in mm."""

    level: str
    heights: tuple[float, float, float]


def read_bodies(film: Array, patient: Patient, grid: Grid, levels: tuple[str, ...], column: float) -> tuple[ReadBody, ...]:
    """The bodies of the shown levels that lie wholly on a lateral film.

    Args:
        film: grey values (rows, columns) of `PIXEL_MM`, head up, the patient's front at the viewer's left.
        patient: where the bodies were planned.
        grid: that was projected.
        levels: shown.
        column: of the projection, in the middle of the film.
    """
    left = round(column) - FILM_COLUMNS // 2
    found = []
    for number, item in enumerate(patient.vertebrae):
        if item.level in levels and 0 < number < len(patient.vertebrae) - 1:
            ends = [_endplate(film, patient, number, (grid, left), upper=upper) for upper in (True, False)]
            if ends[0] is not None and ends[1] is not None:
                gap = ends[0] - ends[1] + 2 * _SHELL_MM
                thirds = [float(gap[(low <= _PLACES) & (high > _PLACES)].mean()) for low, high in _THIRDS]
                found.append(ReadBody(item.level, (thirds[0], thirds[1], thirds[2])))
    return tuple(found)


def _endplate(
    film: Array, patient: Patient, number: int, where: tuple[Grid, int], *, upper: bool
) -> NDArray[np.float64] | None:
    """Height in mm above the body's centre, at `_PLACES`, of the brightest smooth line where an endplate may be.

    The line is a parabola over the whole depth: what crosses the body (a rib, the diaphragm, the pelvis) is none.
    """
    item = patient.vertebrae[number]
    neighbour = patient.vertebrae[number + (-1 if upper else 1)]
    places = (_PLACES - 0.5) * item.shape.depth_mm
    limits = np.array([_window(item, neighbour, float(a), upper=upper) for a in places])
    low, high = float(limits[:, 0].min()), float(limits[:, 1].max())
    u = np.arange(low, high + _FINE_STEP_MM, _FINE_STEP_MM)
    seen = _profiles(film, item, places, u, where)
    if seen is None:
        return None
    strength = _unit(seen - ndimage.gaussian_filter1d(seen, _FINE_MM / _FINE_STEP_MM, axis=1))
    whole = np.array([_at(item, float(a), fractured=False)[0 if upper else 1] for a in places])
    strength = strength - _RARE_PER_MM * np.abs(u[None] - whole[:, None])
    strength[(u[None] < limits[:, :1]) | (u[None] > limits[:, 1:])] = _OUTSIDE
    coarse = np.arange(low, high + _STEP_MM, _STEP_MM)
    best = _best(strength, u, [coarse] * 3)
    around = np.arange(-_STEP_MM, _STEP_MM + _FINE_STEP_MM, _FINE_STEP_MM)
    return np.asarray(_parabola() @ np.array(_best(strength, u, [value + around for value in best])), dtype=np.float64)


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(values / max(float(np.quantile(values, 0.9)), 1e-6), -1, 1)


def _best(strength: NDArray[np.float64], u: NDArray[np.float64], knots: list[NDArray[np.float64]]) -> tuple[float, ...]:
    """Values at `_KNOTS` of the parabola along which the line is strongest."""
    values = np.stack([part.ravel() for part in np.meshgrid(*knots, indexing="ij")])
    curves = np.round((_parabola() @ values - u[0]) / _FINE_STEP_MM).astype(np.int64)
    inside = (curves >= 0) & (curves < len(u))
    taken = np.where(inside, strength[np.arange(len(_PLACES))[:, None], curves.clip(0, len(u) - 1)], _OUTSIDE)
    return tuple(float(value) for value in values[:, int(taken.sum(axis=0).argmax())])


def _parabola() -> NDArray[np.float64]:
    """(places, 3): a parabola's values at `_PLACES` from those at `_KNOTS`."""
    one, two, three = _KNOTS
    x = _PLACES
    return np.stack(
        [
            (x - two) * (x - three) / ((one - two) * (one - three)),
            (x - one) * (x - three) / ((two - one) * (two - three)),
            (x - one) * (x - two) / ((three - one) * (three - two)),
        ],
        axis=1,
    )


def _window(item: Vertebra, neighbour: Vertebra, a: float, *, upper: bool) -> tuple[float, float]:
    """Between the body's middle, and a little beyond where the endplate was before any fracture or the next vertebra."""
    middle = sum(_at(item, a, fractured=True)) / 2
    whole = _at(item, a, fractured=False)
    if upper:
        end = min(whole[0] + _BEYOND_MM, _seen_from(item, neighbour, a, upper=False) - _APART_MM)
        return middle + 1, max(end, middle + 2)
    end = max(whole[1] - _BEYOND_MM, _seen_from(item, neighbour, a, upper=True) + _APART_MM)
    return min(end, middle - 2), middle - 1


def _at(item: Vertebra, a: float, *, fractured: bool) -> tuple[float, float]:
    top, bottom = endplates(item.shape, item.fracture if fractured else None, np.array([a]), np.zeros(1))
    return float(top[0]), float(bottom[0])


def _seen_from(item: Vertebra, other: Vertebra, a: float, *, upper: bool) -> float:
    """Height above `item`'s centre of an endplate of a neighbour."""
    top, bottom = _at(other, a, fractured=True)
    point = other.centre + a * other.axes[0] + (top if upper else bottom) * other.axes[2]
    return float((point - item.centre) @ item.axes[2])


def _profiles(
    film: Array, item: Vertebra, places: NDArray[np.float64], u: NDArray[np.float64], where: tuple[Grid, int]
) -> NDArray[np.float64] | None:
    """The film along the body's own upward direction, (places, heights); None where the body leaves it."""
    grid, left = where
    world = item.centre + places[:, None, None] * item.axes[0] + u[None, :, None] * item.axes[2]
    rows = (grid.low[2] + grid.spacing_mm * (grid.shape[2] - 1) - world[..., 2]) / PIXEL_MM
    columns = (grid.low[1] + grid.spacing_mm * (grid.shape[1] - 1) - world[..., 1]) / PIXEL_MM - left
    if min(rows.min(), columns.min()) < 0 or rows.max() > film.shape[0] - 1 or columns.max() > film.shape[1] - 1:
        return None
    return np.asarray(ndimage.map_coordinates(film, [rows, columns], order=2), dtype=np.float64)


def losses(bodies: tuple[ReadBody, ...]) -> dict[str, float]:
    """Greatest loss at the six points of every level, against what the sound ones among the others predict."""
    if len(bodies) < 3:
        return {}
    found = {}
    for item in bodies:
        others = [body for body in bodies if body is not item]
        levels = [body.level for body in others]
        heights = np.array([body.heights for body in others])
        sound = sound_neighbours(levels, heights)
        used = [level for level, keep in zip(levels, sound, strict=True) if keep]
        own = np.array(item.heights)
        wanted, _ = predict(used, heights[sound], item.level, own)
        a, m, p = (float(1 - have / want) for have, want in zip(own, wanted, strict=True))
        found[item.level] = max(rim_losses((a, m, p)))
    return found
