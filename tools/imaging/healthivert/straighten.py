"""The spine straightened along the curve through its vertebrae, on a grid of 1 mm.

The straightened arrays have axes (I, P, L): head to foot, front to back, right to left, as in HealthiVert-GAN. Its code
takes voxels of about 1 mm for granted and interpolates labels by nearest neighbour; here every input is resampled
explicitly, and a label is its interpolated signed distance, so that slices of 2.5 mm leave no stairs in an endplate.

The curve is a natural interpolating cubic spline (at its ends it does not follow the jitter of one centroid) through the
labels' centroids, continued straight at both ends. In each plane the front is the patient's front made orthogonal to the
curve: a frame without twist, and without the flips of the Frenet frame where the curve is straight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline

from core.errors import FileError
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
STEP_MM = 1.0
EXTEND_MM = 20.0
PLANE = (128, 64)
"""Samples front to back and right to left, 1 mm each; the centroid is in the middle."""
_SMOOTH_MM = 0.8
_AIR = -1000.0


@dataclass(frozen=True)
class Curve:
    """Points every millimetre from head to foot, RAS mm; `axes[i]` are rows (foot, back, left), unit vectors at point i."""

    points: Array
    axes: Array

    def to_world(self, row: Array, column: Array, lateral: Array, plane: tuple[int, int] = PLANE) -> Array:
        """RAS mm of straightened indices (any shape, fractions too); rows beyond the ends continue straight."""
        inside = np.clip(row, 0, len(self.points) - 1)
        low = np.minimum(inside.astype(int), len(self.points) - 2)
        share = (inside - low)[..., None]
        centre = (1 - share) * self.points[low] + share * self.points[low + 1]
        axes = (1 - share[..., None]) * self.axes[low] + share[..., None] * self.axes[low + 1]
        back, left = column - plane[0] / 2, lateral - plane[1] / 2
        beyond = (row - inside) * STEP_MM
        world: Array = centre + beyond[..., None] * axes[..., 0, :] + back[..., None] * axes[..., 1, :]
        world += left[..., None] * axes[..., 2, :]
        return world

    def grid(self, plane: tuple[int, int] = PLANE) -> NDArray[np.float32]:
        """RAS mm of every straightened voxel, shape (rows, *plane, 3)."""
        back = (np.arange(plane[0]) - plane[0] / 2)[None, :, None, None] * self.axes[:, None, None, 1]
        left = (np.arange(plane[1]) - plane[1] / 2)[None, None, :, None] * self.axes[:, None, None, 2]
        return (self.points[:, None, None] + back + left).astype(np.float32)


@dataclass(frozen=True)
class Straightened:
    """CT in HU and labels, shape (rows, *PLANE), and the curve they were sampled along."""

    hu: NDArray[np.float32]
    labels: NDArray[np.int16]
    curve: Curve


def centroids(mask: Volume, names: Mapping[int, str], order: Sequence[str]) -> tuple[tuple[int, ...], Array]:
    """Values present in the mask, in the order of their levels, and their centroids in RAS mm, shape (n, 3)."""
    data = np.asarray(mask.data)
    values = sorted((v for v in names if names[v] in order), key=lambda v: order.index(names[v]))
    boxes = ndimage.find_objects(data.astype(np.int32))
    found: list[int] = []
    points: list[Array] = []
    for value in values:
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is None:
            continue
        inner = np.argwhere(data[box] == value).mean(axis=0) + [s.start for s in box]
        found.append(value)
        points.append(mask.affine[:3, :3] @ inner + mask.affine[:3, 3])
    return tuple(found), np.array(points)


def fit_curve(points: Array, extend_mm: float = EXTEND_MM) -> Curve:
    """The curve through centroids ordered from head to foot, shape (n, 3).

    Raises:
        FileError: fewer than two points: there is no direction to straighten along.
    """
    if len(points) < 2:
        raise FileError("The spine cannot be straightened: the mask has fewer than two vertebrae.")
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    spline = CubicSpline(along, points, bc_type="natural") if len(points) > 2 else None
    fine = np.linspace(0, along[-1], max(int(along[-1] * 8), 2))
    path = spline(fine) if spline else points[0] + (fine / along[-1])[:, None] * (points[1] - points[0])
    for end, direction in ((0, path[0] - path[1]), (-1, path[-1] - path[-2])):
        steps = np.linspace(0, extend_mm, int(extend_mm * 8) + 1)[1:, None] * direction / np.linalg.norm(direction)
        path = np.vstack([path[0] + steps[::-1], path]) if end == 0 else np.vstack([path, path[-1] + steps])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.arange(0, length[-1], STEP_MM)
    even = np.stack([np.interp(at, length, path[:, axis]) for axis in range(3)], axis=1)
    tangent = np.gradient(even, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    back = np.array([0.0, -1.0, 0.0]) - (tangent @ np.array([0.0, -1.0, 0.0]))[:, None] * tangent
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    return Curve(even, np.stack([tangent, back, np.cross(tangent, back)], axis=1))


def straighten(ct: Volume, mask: Volume, values: Sequence[int], curve: Curve) -> Straightened:
    """Sample CT and the given labels along the curve."""
    rows, (columns, lateral) = len(curve.points), PLANE
    labels = np.zeros((rows, columns, lateral), dtype=np.int16)
    best = np.zeros(labels.shape, dtype=np.float32)
    world = curve.grid()
    hu = _sample(np.asarray(ct.data, dtype=np.float32), ct.affine, world, _AIR)
    for value in values:
        _draw_label(mask, value, world, curve, labels, best)
    return Straightened(hu, labels, curve)


def _draw_label(
    mask: Volume, value: int, world: NDArray[np.float32], curve: Curve, labels: NDArray[np.int16], best: NDArray[np.float32]
) -> None:
    """Write one label where its smoothed signed distance is positive and larger than that of the labels before."""
    data = np.asarray(mask.data)
    box = ndimage.find_objects((data == value).view(np.int8))[0]
    spacing = mask.spacing_mm
    margin = [int(np.ceil(4.0 / s)) + 1 for s in spacing]
    inside = np.pad(data[box] == value, [(m, m) for m in margin])
    signed = ndimage.distance_transform_edt(inside, sampling=spacing) - ndimage.distance_transform_edt(
        ~inside, sampling=spacing
    )
    smooth = ndimage.gaussian_filter(signed.astype(np.float32), [_SMOOTH_MM / s for s in spacing])
    affine = mask.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([s.start - m for s, m in zip(box, margin, strict=True)], dtype=float)
    rows = _crossed(affine, inside.shape, curve)
    depth = _sample(smooth, affine, world[rows], -10.0)
    mine = (depth > 0) & (depth > best[rows])
    labels[rows][mine] = value
    best[rows][mine] = depth[mine]


def _crossed(affine: Array, shape: tuple[int, ...], curve: Curve) -> slice:
    """The rows whose plane cuts a box of voxels."""
    corners = (
        np.array(np.meshgrid(*[(0, n) for n in shape], indexing="ij")).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
    )
    along = np.einsum("rcx,rx->rc", corners[None] - curve.points[:, None], curve.axes[:, 0])
    rows = np.flatnonzero((along.min(axis=1) < 0) & (along.max(axis=1) > 0))
    return slice(int(rows.min()), int(rows.max()) + 1) if len(rows) else slice(0, 0)


def _sample(data: NDArray[np.float32], affine: Array, world: NDArray[np.float32], outside: float) -> NDArray[np.float32]:
    to_voxel = np.linalg.inv(affine).astype(np.float32)
    voxels = world.reshape(-1, 3) @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    out = ndimage.map_coordinates(data, voxels.T, order=1, mode="constant", cval=outside, output=np.float32)
    sampled: NDArray[np.float32] = out.reshape(world.shape[:-1])
    return sampled
