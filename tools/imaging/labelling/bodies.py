"""The vertebral bodies between the discs: endplates as height fields and a wall, each at the steepest fall of brightness.

From the marrow outwards brightness rises into the cortical shell and falls behind it. The surface lies where it falls most,
so the shell belongs to the body. Each surface is searched twice: freely, then near its own smooth course, which leaves out
columns that found a vessel, a spur or the next bone.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.labelling.junctions import Junctions, Walls
from tools.imaging.labelling.straight import FRONT_MM, ORIGIN, RIGHT_MM

Array = NDArray[np.float64]
Image = NDArray[np.float32]
_SMOOTH_MM = 0.7
_WIDE = 0.66
"""Half width of a body against its depth: 27 mm over 25 in the upper chest, 46 over 34 in the lower back (Panjabi et al.,
Spine 1991;16:888-901 and 1992;17:299-306)."""
_DISC_SEARCH_MM, _PROFILE_MM, _CLEFT_HU = 4.0, 8.0, 8.0
_TILTS_SAGITTAL, _TILTS_CORONAL = tuple(np.radians(np.arange(-32, 33, 8))), tuple(np.radians(np.arange(-14, 15, 7)))
_FINER = tuple(np.radians((-4.0, 0.0, 4.0)))
_TILT_COST = 0.3
"""A tilt of a radian costs this share of the profile's sharpness: a plane across the canal is the most likely."""
_INTO_BODY = 0.36
"""An endplate is looked for from the disc's middle this far into the body, in pitches: a deep dip and half a disc."""
_STEP_MM = 0.5
_ANGLES = 48
_RADII = np.arange(0.45, 1.6, 0.025)
"""Of the wall, in half depths and half widths."""
_RADIUS_SPREAD = 0.22
_NEAR_MM, _NEAR_RADIUS = 2.5, 0.12
_USUAL_DEPTH, _FAINT_HU = 0.2, 3.0
"""Endplates lie within about this share of the pitch from the disc's middle; where no rise is steeper than the other figure
(HU per half millimetre) the disc is too thin to be seen, and its middle is the endplate."""
_INSIDE_MM = 0.5
"""The steepest fall lies this far outside the endplates that people draw (chosen on verse014 and the chest CT)."""
_TURNS = 6
_MEDIAN = 5


def find_bodies(straight: Image, junctions: Junctions, walls: Walls) -> NDArray[np.int16]:
    """Bodies numbered from foot to head (1 is the lowest), on the straightened grid.

    Args:
        straight: HU, (place, front, right).
        junctions: at least two discs.
        walls: front and back of the bodies.
    """
    volume = ndimage.gaussian_filter(np.clip(straight, -150, 800), _SMOOTH_MM)
    planes = [_disc_plane(volume, int(place), walls) for place in junctions.places]
    bodies = np.zeros(straight.shape, dtype=np.int16)
    along = np.arange(len(straight), dtype=float)[:, None, None]
    for number, (below, above) in enumerate(pairwise(planes)):
        pitch = float(np.median(above - below))
        middle = round(float(np.median(above + below)) / 2)
        axis = (walls.front[middle] + walls.back[middle]) / 2, (walls.front[middle] - walls.back[middle]) / 2
        bottom = _endplate(volume, below, pitch, axis, upwards=True)
        top = _endplate(volume, above, pitch, axis, upwards=False)
        inside = _within_wall(volume, (below + above) / 2, (bottom, top), axis)
        bodies[inside & (along >= bottom[None]) & (along <= top[None])] = number + 1
    return bodies


def _disc_plane(volume: Image, place: int, walls: Walls) -> Array:
    """Height of a disc's middle over (front, right): the tilt with the sharpest profile, cut at its cleft.

    A worn disc has no cleft in thick slices: there the plane is where the junction is brightest.
    """
    middle, half = (walls.front[place] + walls.back[place]) / 2, (walls.front[place] - walls.back[place]) / 2
    rows, columns = np.nonzero(_core(middle, half, 0.75))
    front, right = FRONT_MM[rows] - middle, RIGHT_MM[columns]
    steps = np.arange(-_PROFILE_MM, _PROFILE_MM + 0.1, _STEP_MM)

    def profile_at(sagittal: float, coronal: float) -> Array:
        where = place + np.tan(sagittal) * front + np.tan(coronal) * right + steps[:, None]
        index = np.stack([where, np.broadcast_to(rows, where.shape), np.broadcast_to(columns, where.shape)])
        mean: Array = ndimage.map_coordinates(volume, index, order=1, mode="nearest").mean(axis=1)
        return mean

    def sharpness(tilt: tuple[float, float]) -> float:
        return float(profile_at(*tilt).std()) * (1 - _TILT_COST * (abs(tilt[0]) + abs(tilt[1])))

    rough = max(product(_TILTS_SAGITTAL, _TILTS_CORONAL), key=sharpness)
    sagittal, coronal = max(((rough[0] + a, rough[1] + b) for a, b in product(_FINER, _FINER)), key=sharpness)
    profile = profile_at(sagittal, coronal)
    within = np.abs(steps) <= _DISC_SEARCH_MM
    above, below = np.maximum.accumulate(profile[::-1])[::-1], np.maximum.accumulate(profile)
    depth = np.where(within, np.minimum(above, below) - profile, 0.0)
    cut = int(depth.argmax()) if depth.max() > _CLEFT_HU else int(np.where(within, profile, -np.inf).argmax())
    shape = np.tan(sagittal) * (FRONT_MM[:, None] - middle) + np.tan(coronal) * RIGHT_MM[None, :]
    plane: Array = place + steps[cut] + shape
    return plane


def _core(middle: float, half: float, share: float) -> NDArray[np.bool_]:
    core: NDArray[np.bool_] = np.hypot((FRONT_MM[:, None] - middle) / half, RIGHT_MM[None, :] / (2 * _WIDE * half)) < share
    return core


def _endplate(volume: Image, plane: Array, pitch: float, axis: tuple[float, float], *, upwards: bool) -> Array:
    """Height over (front, right) where brightness falls most from the body towards the disc's middle."""
    away = np.arange(0.0, _INTO_BODY * pitch, _STEP_MM)
    direction = 1.0 if upwards else -1.0
    rows, columns = np.indices(plane.shape)
    where = plane[None] + direction * away[:, None, None]
    index = np.stack([where, np.broadcast_to(rows, where.shape), np.broadcast_to(columns, where.shape)])
    profile = ndimage.map_coordinates(volume, index, order=1, mode="nearest")
    rise = ndimage.gaussian_filter(np.gradient(profile, axis=0), (1.0, 1.5, 1.5))  # from the disc into the body
    rise *= np.exp(-0.5 * (away / (_USUAL_DEPTH * pitch)) ** 2)[:, None, None]
    rise[: round(1.5 / _STEP_MM)] = np.maximum(rise[: round(1.5 / _STEP_MM)], _FAINT_HU)
    core = _core(*axis, 0.95)
    number = np.arange(len(away))[:, None, None]
    smooth = _fitted(rise.argmax(axis=0).astype(float), core, axis)
    again = np.where(np.abs(number - smooth[None]) <= _NEAR_MM / _STEP_MM, rise, -np.inf).argmax(axis=0).astype(float)
    depth = np.clip(ndimage.gaussian_filter(_median_inside(again, core), 1.0), 0, None)
    surface: Array = plane + direction * (depth * _STEP_MM + _INSIDE_MM)
    return surface


def _fitted(values: Array, core: NDArray[np.bool_], axis: tuple[float, float]) -> Array:
    """A surface of second order through the core's values, robustly, over the whole grid."""
    front, right = np.broadcast_arrays((FRONT_MM[:, None] - axis[0]) / axis[1], RIGHT_MM[None, :] / (2 * _WIDE * axis[1]))
    design = np.stack([np.ones_like(front), front, right, front**2, right**2, front * right], axis=-1)
    inside, target = design[core], values[core]
    weight: Array = np.ones(len(target))
    found = np.zeros(design.shape[-1])
    for _ in range(_TURNS):
        found[:] = np.linalg.lstsq(inside * weight[:, None], target * weight, rcond=None)[0]
        off = np.abs(target - inside @ found)
        weight = 1 / np.sqrt(1 + (off / (1.5 * float(np.median(off)) + 0.5)) ** 4)
    reach = np.clip(design, -1.5, 1.5)
    fitted: Array = reach @ found
    return fitted


def _median_inside(values: Array, core: NDArray[np.bool_]) -> Array:
    """A median filter that looks only at the core; outside it the nearest value."""
    nearest = ndimage.distance_transform_edt(~core, return_distances=False, return_indices=True)
    smooth = ndimage.median_filter(values[tuple(nearest)], _MEDIAN)
    continued: Array = smooth[tuple(nearest)]
    return continued


def _within_wall(volume: Image, middle: Array, ends: tuple[Array, Array], axis: tuple[float, float]) -> NDArray[np.bool_]:
    """Voxels of the straightened grid inside the wall of one body, whatever their height."""
    centre, half = axis
    wide = 2 * _WIDE * half
    angles = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    low, high = float(np.median(ends[0])), float(np.median(ends[1]))
    places = np.arange(low + 0.1 * (high - low), high - 0.1 * (high - low) + 0.1)
    tilted = middle - float(middle[_index(centre, 0.0)])
    front = centre + half * _RADII[:, None, None] * np.sin(angles)[None, None, :]
    right = wide * _RADII[:, None, None] * np.cos(angles)[None, None, :]
    rows, columns = front + ORIGIN[0], right + ORIGIN[1]
    lift = ndimage.map_coordinates(tilted, np.stack([rows, columns]), order=1, mode="nearest")
    where = places[None, :, None] + lift
    index = np.stack([where, np.broadcast_to(rows, where.shape), np.broadcast_to(columns, where.shape)])
    profile = ndimage.map_coordinates(volume, index, order=1, mode="nearest")
    fall = ndimage.gaussian_filter(-np.gradient(profile, axis=0), (1.0, 2.0, 1.0), mode=("nearest", "nearest", "wrap"))
    usual = np.exp(-0.5 * ((_RADII - 1) / _RADIUS_SPREAD) ** 2)
    radius = _RADII[0] + (_RADII[1] - _RADII[0]) * _wall(fall * usual[:, None, None])
    return _inside(radius, places, tilted, (centre, half, wide), volume.shape)


def _wall(gain: Array) -> Array:
    first = gain.argmax(axis=0).astype(float)
    smooth = _median_around(first, (7, _MEDIAN))
    number = np.arange(len(gain))[:, None, None]
    near = _NEAR_RADIUS / (_RADII[1] - _RADII[0])
    again = np.where(np.abs(number - smooth[None]) <= near, gain, -np.inf).argmax(axis=0).astype(float)
    return _median_around(again, (3, 3))


def _median_around(values: Array, size: tuple[int, int]) -> Array:
    """A median filter over (height, angle): the angle goes round."""
    padded = np.pad(values, ((0, 0), (_MEDIAN, _MEDIAN)), mode="wrap")
    smooth: Array = ndimage.median_filter(padded, size, mode="nearest")[:, _MEDIAN:-_MEDIAN]
    return smooth


def _inside(
    radius: Array, places: Array, tilted: Array, ellipse: tuple[float, float, float], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    centre, half, wide = ellipse
    front, right = (FRONT_MM[:, None] - centre) / half, RIGHT_MM[None, :] / wide
    away, angle = np.hypot(front, right), np.arctan2(front, right) % (2 * np.pi)
    inside = np.zeros(shape, dtype=bool)
    padded = np.concatenate([radius, radius[:, :1]], axis=1)
    turn = angle / (2 * np.pi) * _ANGLES
    for place in range(int(places[0]) - 12, int(places[-1]) + 13):
        if not 0 <= place < shape[0]:
            continue
        row = np.clip(place - tilted - places[0], 0, len(places) - 1)
        inside[place] = away <= ndimage.map_coordinates(padded, np.stack([row, turn]), order=1, mode="nearest")
    return inside


def _index(front: float, right: float) -> tuple[int, int]:
    return round(front) + ORIGIN[0], round(right) + ORIGIN[1]
