"""Heights of vertebral bodies from a CT's intensities alone: where the bright endplates are, not where the mask says.

The mask tells which body a column of voxels crosses and which way is up; the endplates are then looked for between the
body's middle and the next vertebra, so that a vertebra painted uncompressed over a compressed mask is found out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.fractures.genant import Graded, grade_spine
from tools.imaging.fractures.heights import Measured, Spine, measure_spine
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
_STEP_MM = 0.25
_DISC_MM, _APART_MM = 14.0, 2.0
"""How far beyond the mask's endplate is searched, and how far from the next vertebra the search ends."""
_STRIP = 0.2
"""Columns within this share of the width on either side of the midline."""
_THIRDS = ((2 / 3, 0.92), (1 / 3, 2 / 3), (0.08, 1 / 3))
_SHELL_MM = 0.6
"""The peak of the cortical shell lies this far inside the surface."""


def graded_twice(ct: Volume, mask: Volume) -> tuple[list[Graded], list[Graded]]:
    """Grades by the mask, and grades whose heights are read from the CT; levels without seen endplates are left out."""
    spine = measure_spine(mask)
    return grade_spine(spine)[0], _graded_from_ct(ct, mask, spine)


def _graded_from_ct(ct: Volume, mask: Volume, spine: Spine) -> list[Graded]:
    read = []
    for level in spine.measured:
        heights = heights_from_ct(ct, mask, level)
        if heights is not None:
            read.append(replace(level, heights=heights))
    return grade_spine(Spine(tuple(read), spine.skipped, spine.warnings))[0]


def heights_from_ct(ct: Volume, mask: Volume, level: Measured) -> tuple[float, float, float] | None:
    """Anterior, middle and posterior height in mm between the brightest places above and below the body's middle."""
    body = level.body
    rows = np.flatnonzero(np.isfinite(body.height).any(axis=1))
    near = np.abs(body.right - np.median(body.right)) < _STRIP * body.width
    values = []
    hu, labels = np.asarray(ct.data, dtype=np.float32), np.asarray(mask.data)
    other = ((labels > 0) & (labels != level.value)).astype(np.uint8)
    inverse: Array = np.asarray(np.linalg.inv(ct.affine), dtype=np.float64)
    for low, high in _THIRDS:
        share = (body.anterior - body.back) / (body.front - body.back)
        inside = [row for row in rows if low <= share[row] < high]
        found = [
            height
            for row in inside
            for column in np.flatnonzero(near & np.isfinite(body.height[row]))
            if (height := _column(hu, other, inverse, level, (int(row), int(column)))) is not None
        ]
        if len(found) < 4:
            return None
        values.append(float(np.median(found)))
    return values[0], values[1], values[2]


def _column(
    hu: NDArray[np.float32], other: NDArray[np.uint8], inverse: Array, level: Measured, place: tuple[int, int]
) -> float | None:
    body = level.body
    row, column = place
    top, bottom = float(body.top[row, column]), float(body.bottom[row, column])
    middle = (top + bottom) / 2
    u = np.arange(bottom - _DISC_MM, top + _DISC_MM, _STEP_MM)
    local = np.stack([np.full_like(u, body.anterior[row]), np.full_like(u, body.right[column]), u], axis=1)
    world = body.frame.to_world(local)
    voxels = world @ inverse[:3, :3].T + inverse[:3, 3]
    profile = ndimage.map_coordinates(hu, voxels.T, order=1, mode="nearest")
    taken = ndimage.map_coordinates(other, voxels.T, order=0, mode="nearest") > 0
    ceiling = min(u[taken & (u > top)], default=u[-1] + _APART_MM) - _APART_MM
    floor = max(u[taken & (u < bottom)], default=u[0] - _APART_MM) + _APART_MM
    upper, lower = (u > middle) & (u <= max(ceiling, top)), (u <= middle) & (u >= min(floor, bottom))
    above, below = float(u[upper][profile[upper].argmax()]), float(u[lower][profile[lower].argmax()])
    height = above - below + 2 * _SHELL_MM
    return height if height > 3 else None
