"""The CT along the canal's curve: planes across it, one per millimetre, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.labelling.canal import Canal
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
Image = NDArray[np.float32]
FRONT_MM = np.arange(-30.0, 66.0)
"""Places in front of the canal's middle that are sampled."""
OUTSIDE_HU, IN_IMAGE_HU = -3000.0, -1500.0
"""What is sampled outside the image; above the second, a sample lies in it (scanners pad with about -2000 or -3000)."""
RIGHT_MM = np.arange(-40.0, 41.0)
ORIGIN = (30, 40)
"""Index of the canal's middle in them."""
_SMOOTH_POINTS, _SMOOTH_TANGENT_MM = 4.0, 5.0
_TURNS, _SLOPES = 8, (0.3, 3.0)


@dataclass(frozen=True)
class Curve:
    """The canal's curve from foot to head in steps of 1 mm, RAS mm; unit vectors up, front and right at each, (n, 3)."""

    points: Array
    up: Array
    front: Array
    right: Array


def curve_of(canal: Canal) -> Curve:
    """Smooth the points and give each a frame; the patient's front is the front."""
    points = canal.points.copy()
    for axis in (0, 1):
        straight = np.polyval(np.polyfit(points[:, 2], points[:, axis], 1), points[:, 2])
        points[:, axis] = straight + ndimage.gaussian_filter1d(points[:, axis] - straight, _SMOOTH_POINTS, mode="nearest")
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    places = np.arange(0.0, along[-1])
    points = np.column_stack([np.interp(places, along, points[:, axis]) for axis in range(3)])
    up = ndimage.gaussian_filter1d(np.gradient(points, axis=0), _SMOOTH_TANGENT_MM, axis=0, mode="nearest")
    up /= np.linalg.norm(up, axis=1)[:, None]
    front = np.array([0.0, 1.0, 0.0]) - up * up[:, 1:2]
    front /= np.linalg.norm(front, axis=1)[:, None]
    return Curve(points, up, front, np.cross(front, up))


def sample(ct: Volume, curve: Curve) -> Image:
    """HU at (place along the curve, `FRONT_MM`, `RIGHT_MM`); `OUTSIDE_HU` outside the image."""
    across = (
        FRONT_MM[None, :, None, None] * curve.front[:, None, None]
        + RIGHT_MM[None, None, :, None] * curve.right[:, None, None]
    )
    to_voxel = np.linalg.inv(ct.affine)
    voxels = (curve.points[:, None, None] + across) @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    values = np.asarray(ct.data, dtype=np.float32)
    sampled: Image = ndimage.map_coordinates(values, np.moveaxis(voxels, -1, 0), order=1, cval=OUTSIDE_HU)
    return sampled


def back_to_image(labels: NDArray[np.integer], curve: Curve, ct: Volume) -> Volume:
    """Labels on the curve's grid brought onto the CT's, by finding each voxel's plane."""
    to_voxel = np.linalg.inv(ct.affine)
    place, front, right = np.nonzero(labels)
    world = (
        curve.points[place] + FRONT_MM[front][:, None] * curve.front[place] + RIGHT_MM[right][:, None] * curve.right[place]
    )
    found = np.zeros(ct.data.shape, dtype=np.uint8)
    if not len(world):
        return Volume(found, ct.affine)
    voxels = world @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    slices = np.round(voxels[:, 2]).astype(int)
    margin = np.ceil(2.0 / np.array(ct.spacing_mm)).astype(int)
    for z in range(max(0, slices.min() - margin[2]), min(ct.data.shape[2], slices.max() + margin[2] + 1)):
        near = voxels[np.abs(slices - z) <= margin[2], :2]
        if not len(near):
            continue
        low = np.clip(np.floor(near.min(axis=0)).astype(int) - margin[:2], 0, None)
        high = np.minimum(np.ceil(near.max(axis=0)).astype(int) + margin[:2] + 1, ct.data.shape[:2])
        grid = np.stack(np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]), [z], indexing="ij"), axis=-1)
        if not grid.size:
            continue
        along, ahead, beside = _curved(grid.reshape(-1, 3) @ ct.affine[:3, :3].T + ct.affine[:3, 3], curve)
        index = np.stack([along, ahead + ORIGIN[0], beside + ORIGIN[1]])
        values = ndimage.map_coordinates(labels, index, order=0, cval=0)
        found[low[0] : high[0], low[1] : high[1], z] = values.reshape(grid.shape[:2])
    return Volume(found, ct.affine)


def _curved(world: Array, curve: Curve) -> tuple[Array, Array, Array]:
    """Place along the curve, mm in front and mm to the right of points (n, 3); each lies in the plane of its place."""
    last = len(curve.points) - 1
    turning = np.gradient(curve.up, axis=0)
    place = np.interp(world[:, 2], curve.points[:, 2], np.arange(last + 1.0))
    for _ in range(_TURNS):
        here = np.clip(place, 0, last)
        away, up = world - _at(curve.points, here), _at(curve.up, here)
        # Newton: planes close up in front of a hollow curve and fan out behind it, so a step is more or less than 1 mm.
        slope = np.clip(1 - (away * _at(turning, here)).sum(axis=1), *_SLOPES)
        place = np.clip(here + (away * up).sum(axis=1) / slope, -2, last + 2)
    here = np.clip(place, 0, last)
    away = world - _at(curve.points, here)
    outside = np.abs((away * _at(curve.up, here)).sum(axis=1)) > 1.5
    front = (away * _at(curve.front, here)).sum(axis=1)
    front[outside] = 1e4
    return here, front, (away * _at(curve.right, here)).sum(axis=1)


def _at(values: Array, place: Array) -> Array:
    low = np.minimum(place.astype(int), len(values) - 2)
    share = (place - low)[:, None]
    mixed: Array = (1 - share) * values[low] + share * values[low + 1]
    return mixed
