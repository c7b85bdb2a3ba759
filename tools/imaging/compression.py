"""Geometric compression of a real vertebra: a simulated fracture whose true height loss is known.

The upper endplate is lowered; the vertebra below it is squeezed and the disc above it stretched, so that the neighbours
keep their shape. Bone that is squeezed rises in HU by conservation of mass. What comes out is marked `simulated` wherever it
is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.fractures.body import Body
from tools.imaging.fractures.heights import Measured, Thirds
from tools.imaging.volume import Volume

Kind = Literal["wedge", "biconcave", "crush"]
_DISC_MM = 5.0
"""Space above the endplate that takes up the displacement."""
_FADE_MM = 5.0
"""Over this distance behind and beside the body the displacement fades to nothing."""
_MARROW_HU = -100.0
"""Below this a voxel is fat or air and is not made denser."""


@dataclass(frozen=True)
class Compressed:
    """The changed image and mask, and the exact loss of height per third (anterior, middle, posterior)."""

    ct: Volume | None
    mask: Volume
    loss: Thirds


def loss_profile(kind: Kind, severity: float, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative loss at each place of the depth, 0 at the back and 1 at the front; its maximum is `severity`."""
    if kind == "crush":
        return np.full_like(place, severity)
    if kind == "wedge":
        return severity * place
    return severity * np.clip(1 - np.abs(place - 0.5) / 0.5, 0, 1) ** 0.7


RIMS = ((0.87, 0.95), (0.45, 0.55), (0.05, 0.13))
"""Where Genant's six points lie, as a share of the depth from the back: inside the anterior rim, middle, posterior rim."""


def rim_loss(kind: Kind, severity: float) -> Thirds:
    """Loss where a reader puts the six points; the greatest of the three gives the true Genant grade."""
    values = [float(loss_profile(kind, severity, np.linspace(a, b, 41)).mean()) for a, b in RIMS]
    return values[0], values[1], values[2]


def true_loss(kind: Kind, severity: float) -> Thirds:
    """Mean loss over the measured part of each third."""
    parts = ((2 / 3, 0.92), (1 / 3, 2 / 3), (0.08, 1 / 3))
    values = [float(loss_profile(kind, severity, np.linspace(a, b, 201)).mean()) for a, b in parts]
    return values[0], values[1], values[2]


def compress(ct: Volume | None, mask: Volume, level: Measured, kind: Kind, severity: float) -> Compressed:
    """Compress one vertebra.

    Args:
        ct: CT in HU on the mask's grid, or None.
        mask: vertebra labels.
        level: the vertebra, as measured on `mask`.
        kind: which thirds lose height.
        severity: largest relative loss, 0 to 0.7.

    Raises:
        ValueError: severity is outside 0 to 0.7.
    """
    if not 0 <= severity <= 0.7:
        raise ValueError(f"severity must be within 0 to 0.7, got {severity!r}")
    body = level.body
    region = _region(mask, body)
    grid = np.stack(np.meshgrid(*[np.arange(s.start, s.stop) for s in region], indexing="ij"), axis=-1).reshape(-1, 3)
    world = grid @ mask.affine[:3, :3].T + mask.affine[:3, 3]
    local = body.frame.to_local(world)
    source, ratio = _source(body, local, kind, severity)
    voxels = (body.frame.to_world(source) - mask.affine[:3, 3]) @ np.linalg.inv(mask.affine[:3, :3]).T
    shape = tuple(s.stop - s.start for s in region)
    labels = np.array(mask.data)
    before = labels[region].copy()
    moved_labels = ndimage.map_coordinates(labels, voxels.T, order=0, mode="nearest").reshape(shape)
    neighbour = (before > 0) & (before != level.value)
    labels[region] = np.where(neighbour, before, np.where(moved_labels == level.value, level.value, 0))
    changed = None
    if ct is not None:
        values = np.array(ct.data)
        moved = ndimage.map_coordinates(np.asarray(ct.data, dtype=np.float32), voxels.T, order=1, mode="nearest")
        denser = np.where(moved > _MARROW_HU, (moved + 1000) * ratio - 1000, moved)
        denser = np.where(ratio > 1, np.minimum(denser, np.maximum(moved, 1500)), moved)
        squeezed = np.clip(denser, -1024, 3071).reshape(shape).astype(values.dtype)
        values[region] = np.where(neighbour, values[region], squeezed)
        changed = Volume(values, ct.affine)
    return Compressed(changed, Volume(labels, mask.affine), true_loss(kind, severity))


@dataclass(frozen=True)
class Squeeze:
    """One vertebra to compress, as measured on the uncompressed mask."""

    level: Measured
    kind: Kind
    severity: float


def compress_levels(ct: Volume | None, mask: Volume, squeezes: Sequence[Squeeze]) -> tuple[Volume | None, Volume]:
    """Compress several vertebrae of one spine, adjacent ones too: each keeps its own lower endplate.

    The true heights after are `squeeze.level.heights` times one minus `true_loss(kind, severity)`.
    """
    for squeeze in squeezes:
        done = compress(ct, mask, squeeze.level, squeeze.kind, squeeze.severity)
        ct, mask = done.ct, done.mask
    return ct, mask


def _region(mask: Volume, body: Body) -> tuple[slice, ...]:
    half = body.width / 2 + 2 * _FADE_MM
    height = float(np.nanmax(body.top)) + _DISC_MM + 4
    low = float(np.nanmin(body.bottom)) - 2
    corners = np.array([[a, r, u] for a in (body.back - 2 * _FADE_MM, body.front + 2 * _FADE_MM)
                        for r in (-half, half) for u in (low, height)])  # fmt: skip
    voxels = (body.frame.to_world(corners) - mask.affine[:3, 3]) @ np.linalg.inv(mask.affine[:3, :3]).T
    starts = np.clip(np.floor(voxels.min(axis=0)).astype(int), 0, None)
    stops = np.minimum(np.ceil(voxels.max(axis=0)).astype(int) + 1, mask.data.shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True))


def _source(
    body: Body, local: NDArray[np.float64], kind: Kind, severity: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each point of the new image came from, and how much its bone was squeezed."""
    a, r, u = local.T
    depth = body.front - body.back
    place = np.clip((a - body.back) / depth, 0, 1)
    bottom, top = _surface(body, body.bottom, a, r), _surface(body, body.top, a, r)
    height = np.maximum(top - bottom, 4.0)
    beside = np.maximum(np.abs(r) - body.width / 2, 0)
    behind = np.maximum(np.maximum(body.back - a, a - body.front), 0)
    fade = np.clip(1 - np.hypot(beside, behind) / _FADE_MM, 0, 1)
    drop = loss_profile(kind, severity, place) * height * fade
    new_top = top - drop
    stretch = height / np.maximum(height - drop, 1.0)
    inside = (u >= bottom) & (u <= new_top)
    above = (u > new_top) & (u < top + _DISC_MM)
    source = np.where(inside, bottom + (u - bottom) * stretch, u)
    gap = _DISC_MM / (_DISC_MM + drop)
    source = np.where(above, top + (u - new_top) * gap, source)
    return np.stack([a, r, source], axis=1), np.where(inside, stretch, 1.0)


def _surface(
    body: Body, surface: NDArray[np.float64], a: NDArray[np.float64], r: NDArray[np.float64]
) -> NDArray[np.float64]:
    """An endplate as a smooth height over (a, r), continued beyond the body from its nearest known column."""
    known = np.isfinite(surface)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = ndimage.gaussian_filter(surface[tuple(nearest)], 1.5)
    rows = (a - body.anterior[0]) / (body.anterior[1] - body.anterior[0])
    columns = (r - body.right[0]) / (body.right[1] - body.right[0])
    heights: NDArray[np.float64] = ndimage.map_coordinates(filled, [rows, columns], order=1, mode="nearest")
    return heights
