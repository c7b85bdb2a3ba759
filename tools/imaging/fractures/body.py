"""One vertebra in a frame of its own: where its body is, and how high it is at each place.

The frame has axes (anterior, right, superior) in mm, with the origin at the centre of the vertebral body. It is found
from the vertebra's own shape and its neighbours' positions, so that heights do not depend on how the patient lay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.fractures.surface import Field, surface_field
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
_STEP = 1.0
"""Grid of the height map, in mm."""
_FINE = 0.5
"""Step along a column, in mm; crossings are interpolated between steps."""
_HALF = 36.0
"""Half width of the sampled block, in mm; the largest lumbar bodies are about 60 mm wide."""
_JITTER = 0.25
"""How far a mask's surface may be off, in slices: standard deviation of a smooth error."""
_TURNS, _COARSER = 4, 2.0
"""How often the frame is refined, on a grid this much coarser but for the last time."""
_MEDIAL_MM = 10.0
"""Posterior elements this near to the midline tell where the back is: one side of an arch may be missing from a mask."""
_CENTRAL_MM = 4.0
"""The strip around the mid-sagittal line in which body and canal are told apart, half width."""


@dataclass(frozen=True)
class Frame:
    """Origin and axes in RAS mm; rows of `axes` are the anterior, right and superior unit vectors."""

    origin: Array
    axes: Array

    def to_world(self, points: Array) -> Array:
        """Local (n, 3) to RAS mm."""
        world: Array = self.origin + points @ self.axes
        return world

    def to_local(self, points: Array) -> Array:
        """RAS mm (n, 3) to local."""
        local: Array = (points - self.origin) @ self.axes.T
        return local


@dataclass(frozen=True)
class Body:
    """A vertebral body: `top` and `bottom` are its endplates in mm over a grid of (anterior, right), NaN outside it.

    `front` and `back` bound the body along the anterior axis; `width` is its full lateral width. `step_mm` is the
    distance of the slices that cross the upright axis; `jittered` are the same body with its mask's surface shaken.
    """

    frame: Frame
    anterior: Array
    right: Array
    top: Array
    bottom: Array
    front: float
    back: float
    width: float
    step_mm: float = 1.0
    jittered: tuple[Body, ...] = ()

    @property
    def height(self) -> Array:
        """Endplate to endplate, in mm, on the same grid."""
        height: Array = self.top - self.bottom
        return height


def find_body(
    labels: Volume,
    value: int,
    box: tuple[slice, ...],
    tangent: Array,
    *,
    has_processes: bool,
    repeated: frozenset[int] = frozenset(),
    jitter: int = 0,
) -> Body | None:
    """Find the body of one vertebra and measure its endplates.

    Args:
        labels: the mask.
        value: the vertebra's value in it.
        box: its bounding box in voxels.
        tangent: direction of the spine towards the head, RAS, unit length.
        has_processes: whether the mask holds whole vertebrae, or bodies only.
        repeated: axes along which the mask's slices were repeated by resampling.
        jitter: how many times it is measured again with a shaken surface.

    Returns:
        The body, or None when no solid body is found.
    """
    field, points = _distance_field(labels, value, box, repeated)
    frame = _frame(points.mean(axis=0), np.array([0.0, 1.0, 0.0]), tangent)
    body: Body | None = None
    for turn in range(_TURNS):
        body = _measure(field, frame, points, 1.0 if turn == _TURNS - 1 else _COARSER)
        if body is None:
            return None
        frame = _refined(body, points, has_processes=has_processes)
    body = _measure(field, frame, points)
    if body is None or not jitter:
        return body
    rng = np.random.default_rng(value)
    shaken = (_measure(field.shaken(rng, _JITTER * body.step_mm), frame, points) for _ in range(jitter))
    return replace(body, jittered=tuple(again for again in shaken if again is not None))


def _distance_field(labels: Volume, value: int, box: tuple[slice, ...], repeated: frozenset[int]) -> tuple[Field, Array]:
    margin = [int(np.ceil(6.0 / s)) + 1 for s in labels.spacing_mm]
    inside = np.pad(np.asarray(labels.data[box]) == value, [(m, m) for m in margin])
    offset = np.array([s.start - m for s, m in zip(box, margin, strict=True)], dtype=float)
    affine = labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ offset
    voxels = np.argwhere(inside).astype(float)
    return surface_field(inside, affine, repeated), voxels @ affine[:3, :3].T + affine[:3, 3]


def _frame(origin: Array, anterior: Array, superior: Array) -> Frame:
    up = superior / np.linalg.norm(superior)
    front = anterior - (anterior @ up) * up
    front /= np.linalg.norm(front)
    return Frame(origin, np.stack([front, np.cross(front, up), up]))


def _measure(field: Field, frame: Frame, points: Array, coarser: float = 1.0) -> Body | None:
    local = frame.to_local(points)
    extent = _body_extent(local)
    if extent is None:
        return None
    back, front = extent
    anterior = np.arange(np.floor(back) - 2, np.ceil(front) + 3, _STEP * coarser)
    right = np.arange(-_HALF, _HALF + _STEP, _STEP * coarser)
    up = np.arange(*_range(local, back, front), _FINE * coarser)
    grid = np.stack(np.meshgrid(anterior, right, up, indexing="ij"), axis=-1)
    inside = field.at(frame.to_world(grid.reshape(-1, 3))).reshape(grid.shape[:3])
    middle = _mid_level(local, back, front)
    top, bottom = _crossings(inside, up, middle)
    outside = (anterior < back - 1) | (anterior > front + 1)
    top[outside], bottom[outside] = np.nan, np.nan
    centre_row = np.abs(anterior - (front + back) / 2).argmin()
    present = right[np.isfinite(top[centre_row])]
    width = float(present.max() - present.min()) if len(present) else 0.0
    if width < 8:
        return None
    return Body(frame, anterior, right, top, bottom, front, back, width, field.step_along(frame.axes[2]))


def _range(local: Array, back: float, front: float) -> tuple[float, float]:
    """Where the body can be along the upright axis, with room on both sides."""
    inner = local[(local[:, 0] > back) & (local[:, 0] < front), 2]
    return float(np.floor(max(inner.min() - 4, -_HALF))), float(np.ceil(min(inner.max() + 4, _HALF)))


def _body_extent(local: Array) -> tuple[float, float] | None:
    """From the front, the first long solid run of the mid-sagittal strip: the body; the canal ends it."""
    strip = local[np.abs(local[:, 1]) < _CENTRAL_MM]
    if len(strip) < 20:
        return None
    edges = np.arange(np.floor(local[:, 0].min()), np.ceil(local[:, 0].max()) + _STEP, _STEP)
    counts, _ = np.histogram(strip[:, 0], edges)
    counts = ndimage.uniform_filter1d(counts.astype(float), 3)
    solid = counts > 0.3 * np.percentile(counts[counts > 0], 90)
    runs, number = ndimage.label(solid)
    for run in range(number, 0, -1):
        where = np.flatnonzero(runs == run)
        if len(where) * _STEP >= 10:
            return float(edges[where[0]]), float(edges[where[-1] + 1])
    return None


def _mid_level(local: Array, back: float, front: float) -> float:
    inner = local[(np.abs(local[:, 1]) < 8) & (local[:, 0] > back) & (local[:, 0] < front)]
    return float(np.median(inner[:, 2]))


def _crossings(inside: Array, up: Array, middle: float) -> tuple[Array, Array]:
    """Upper and lower surface of each column, by linear interpolation; NaN where its middle is outside."""
    centre = int(np.abs(up - middle).argmin())
    top = _first_exit(inside[:, :, centre:], up[centre:])
    bottom = _first_exit(inside[:, :, centre::-1], up[centre::-1])
    return top, bottom


def _first_exit(values: Array, positions: Array) -> Array:
    out = values <= 0
    first = out.argmax(axis=2)
    found = out.any(axis=2) & (first > 0)
    last_in = np.clip(first - 1, 0, None)
    rows, columns = np.indices(first.shape)
    a, b = values[rows, columns, last_in], values[rows, columns, first]
    share = a / np.where(a - b == 0, 1.0, a - b)
    crossing = positions[last_in] + share * (positions[first] - positions[last_in])
    return np.where(found, crossing, np.nan)


def _refined(body: Body, points: Array, *, has_processes: bool) -> Frame:
    """Centre on the body, turn the front away from the posterior elements, and stand up between the endplates."""
    frame = body.frame
    local = frame.to_local(points)
    inner = (np.abs(body.right) < body.width / 3)[None, :] & (
        (body.anterior > body.back + 3) & (body.anterior < body.front - 3)
    )[:, None]
    good = inner & np.isfinite(body.top) & np.isfinite(body.bottom)
    if good.sum() < 12:
        return frame
    a, r = np.broadcast_arrays(body.anterior[:, None], body.right[None, :])
    mid = (body.top + body.bottom)[good] / 2
    design = np.stack([a[good], r[good], np.ones(good.sum())], axis=1)
    slope = np.linalg.lstsq(design, mid, rcond=None)[0]
    in_body = (local[:, 0] > body.back) & (local[:, 0] < body.front) & (np.abs(local[:, 1]) < body.width / 2 + 4)
    centre = local[in_body].mean(axis=0)
    superior = np.array([-slope[0], -slope[1], 1.0]) @ frame.axes
    anterior = frame.axes[0]
    behind = local[(local[:, 0] < body.back - 4) & (np.abs(local[:, 1]) < _MEDIAL_MM)]
    if has_processes and len(behind) > 50:
        anterior = (centre - behind.mean(axis=0)) @ frame.axes
    return _frame(frame.to_world(centre[None])[0], anterior, superior)
