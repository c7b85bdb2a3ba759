"""A mask's surface between its slices: a smooth signed distance, positive inside, on a finer grid where slices are thick.

Between slices the distance to the outline is interpolated (shape-based interpolation: Raya and Udupa, IEEE Transactions on
Medical Imaging 1990;9:32-42), so that a slanted endplate is no staircase. An endplate that lies exactly along the slices
stays unknown to half a slice: nothing in a mask tells more. Slices that were repeated by resampling without interpolation
are found and count once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
_FINE_MM = 1.0
"""Slices are interpolated down to about this distance."""
_ERROR_MM = 4.0
"""Over this distance an error of a mask's surface is alike."""
_THICK_MM = 1.4
"""Slices nearer than this need none of it."""
_SMOOTH_MM = 0.8
"""Gaussian on the signed distance: takes out the steps that voxels leave and keeps flat endplates where they are."""
_LEAST_REPEAT, _LONGEST_REPEAT = 1.8, 6
_LEAST_RUNS = 6
_MOST = 0.6


@dataclass(frozen=True)
class Field:
    """Signed distance to a surface, in about mm, positive inside, on a grid of its own.

    `drawn_mm` is the distance along each axis of the grid at which the mask was really drawn.
    """

    values: NDArray[np.float32]
    affine: Array
    drawn_mm: Array

    def at(self, world: Array) -> Array:
        """Interpolated at RAS mm points of shape (n, 3)."""
        to_voxel = np.linalg.inv(self.affine)
        voxels = world @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        sampled: Array = ndimage.map_coordinates(self.values, voxels.T, order=1, mode="nearest")
        return sampled

    def shaken(self, rng: np.random.Generator, mm: float) -> Field:
        """The same surface with a smooth random error of this standard deviation."""
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        error = ndimage.gaussian_filter(rng.normal(size=self.values.shape).astype(np.float32), _ERROR_MM / spacing)
        return replace(self, values=self.values + error * np.float32(mm / max(float(error.std()), 1e-9)))

    def step_along(self, direction: Array) -> float:
        """Distance in mm of the drawn slices that cross a direction (RAS, unit length)."""
        axes = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(self.drawn_mm[int(np.abs(direction @ axes).argmax())])


def repeated_axes(structures: Iterable[NDArray[np.bool_]]) -> frozenset[int]:
    """Axes along which most structures of a mask were repeated by resampling; one alone may look so by its shape."""
    every = [{axis for axis in range(3) if len(_slices(inside, axis)) < inside.shape[axis]} for inside in structures]
    return frozenset(axis for axis in range(3) if sum(axis in found for found in every) > _MOST * max(len(every), 2))


def surface_field(inside: NDArray[np.bool_], affine: Array, repeated: frozenset[int] = frozenset()) -> Field:
    """The field of one structure.

    Args:
        inside: its voxels, with a margin of a few voxels around.
        affine: voxel to RAS mm.
        repeated: axes along which slices were repeated.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    places = [_slices(inside, axis) if axis in repeated else np.arange(inside.shape[axis], dtype=float) for axis in range(3)]
    drawn = np.array([np.median(np.diff(p)) for p in places]) * spacing
    axis = int(drawn.argmax())
    if drawn[axis] > max(_THICK_MM, 1.2 * float(np.delete(drawn, axis).min())) or len(places[axis]) < inside.shape[axis]:
        return replace(_between(inside, affine, axis, places[axis]), drawn_mm=drawn)
    smooth = ndimage.gaussian_filter(_signed(inside, spacing), _SMOOTH_MM / spacing)
    return Field(smooth, affine, drawn)


def _signed(inside: NDArray[np.bool_], spacing: Array) -> NDArray[np.float32]:
    within = ndimage.distance_transform_edt(inside, sampling=spacing)
    signed: NDArray[np.float32] = (within - ndimage.distance_transform_edt(~inside, sampling=spacing)).astype(np.float32)
    return signed


def _slices(inside: NDArray[np.bool_], axis: int) -> Array:
    """Where along an axis the mask was really drawn: every slice, or the middle of each run when slices were repeated.

    Resampling to thinner slices without interpolation repeats each slice two or three times; the steps between runs are
    then the true slices.
    """
    count = inside.shape[axis]
    flat = np.moveaxis(inside, axis, 0).reshape(count, -1)
    filled = np.flatnonzero(flat.any(axis=1))
    every = np.arange(count, dtype=float)
    if len(filled) < 4:
        return every
    change = np.flatnonzero((flat[filled[0] : filled[-1]] != flat[filled[0] + 1 : filled[-1] + 1]).any(axis=1))
    starts = np.concatenate([[filled[0]], filled[0] + change + 1, [filled[-1] + 1]])
    lengths = np.diff(starts)
    inner = lengths[1:-1]
    # A shape that is partly a prism repeats slices too, but few times or unevenly.
    if len(inner) < _LEAST_RUNS or inner.mean() < _LEAST_REPEAT or np.ptp(inner) > 1:
        return every
    step = float(inner.mean())
    if inner.max() > _LONGEST_REPEAT:
        return every
    middles = (starts[:-1] + starts[1:] - 1) / 2
    before = np.arange(middles[0] - step, -0.5, -step)[::-1]
    after = np.arange(middles[-1] + step, count - 0.5, step)
    return np.concatenate([before, middles, after])


def _between(inside: NDArray[np.bool_], affine: Array, axis: int, places: Array) -> Field:
    """Slices at `places` along `axis` interpolated to about 1 mm, then smoothed while the slices keep their sides."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    drawn = np.take(inside, np.round(places).astype(int), axis=axis)
    step = float(np.median(np.diff(places)))
    thick = spacing.copy()
    thick[axis] *= step
    known = np.moveaxis(_signed(drawn, thick), axis, 0)
    fine_step = step / max(round(thick[axis] / _FINE_MM), 2)
    fine = np.arange(places[0], places[-1] + fine_step / 2, fine_step)
    low = np.clip(np.searchsorted(places, fine, side="right") - 1, 0, len(places) - 2)
    share = ((fine - places[low]) / (places[low + 1] - places[low]))[:, None, None].astype(np.float32)
    values = (1 - share) * known[low] + share * known[low + 1]
    mm = np.concatenate([[fine_step * spacing[axis]], np.delete(spacing, axis)])
    values = ndimage.gaussian_filter(values, _SMOOTH_MM / mm)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, axis] * places[0]
    moved[:3, axis] *= fine_step
    return Field(np.moveaxis(values, 0, axis), moved, spacing)
