"""A procedural spine with exact dimensions: bodies, pedicles and spinous processes, discs, a canal.

For tests and development; marked nowhere as a patient because it never enters a session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.imaging.labels import VERSE
from tools.imaging.volume import Volume

_DISC_MM = 5.0
_DEPTH_MM = 30.0
_WIDTH_MM = 40.0
_IDS = {name: value for value, name in VERSE.items()}
MARROW_HU, SOFT_HU = 200, 40


@dataclass(frozen=True)
class Phantom:
    """CT in HU, VerSe labels, and the true (anterior, middle, posterior) height of every level in mm."""

    ct: Volume
    mask: Volume
    heights: dict[str, tuple[float, float, float]]


def spine_phantom(
    levels: Sequence[str] = ("T9", "T10", "T11", "T12", "L1", "L2", "L3"),
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    loss: Mapping[str, tuple[float, float, float]] | None = None,
    rotation: NDArray[np.float64] | None = None,
    bodies_only: bool = False,
) -> Phantom:
    """Draw a straight spine.

    Args:
        levels: from head to foot.
        spacing_mm: voxel size.
        loss: level to relative loss at the front edge, in the middle and at the back edge of its upper endplate.
        rotation: 3 x 3 matrix turning the patient in the scanner.
        bodies_only: without posterior elements.

    Returns:
        The phantom; true heights are means over the measured part of each third.
    """
    loss = loss or {}
    full = {level: 20.0 + 0.8 * number for number, level in enumerate(levels)}
    length = sum(full.values()) + _DISC_MM * len(levels) + 40
    size = np.array([60.0, 110.0, length + 20])
    shape = tuple(int(np.ceil(extent / step)) for extent, step in zip(size, spacing_mm, strict=True))
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) * np.array(spacing_mm) / 2
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).reshape(-1, 3)
    points: NDArray[np.float64] = grid.astype(np.float64) @ affine[:3, :3].T + affine[:3, 3]
    if rotation is not None:
        points = points @ rotation
    labels = np.zeros(len(points), dtype=np.int16)
    heights = {}
    bottom = length / 2 - 20
    for level in levels:
        bottom -= full[level] + _DISC_MM
        profile = loss.get(level, (0.0, 0.0, 0.0))
        labels[_inside(points, bottom, full[level], profile, bodies_only=bodies_only)] = _IDS[level]
        heights[level] = _true_heights(full[level], profile)
    rng = np.random.default_rng(7)
    hu = np.where(labels > 0, MARROW_HU, SOFT_HU) + rng.normal(0, 15, len(points))
    ct = np.round(hu).astype(np.int16).reshape(shape)
    return Phantom(Volume(ct, affine), Volume(labels.reshape(shape), affine), heights)


def _inside(
    points: NDArray[np.float64], bottom: float, height: float, profile: tuple[float, float, float], *, bodies_only: bool
) -> NDArray[np.bool_]:
    x, y, z = points.T
    place = np.clip((y + _DEPTH_MM / 2) / _DEPTH_MM, 0, 1)
    top = bottom + height * (1 - np.interp(place, (0, 0.5, 1), profile[::-1]))
    ellipse = (x / (_WIDTH_MM / 2)) ** 4 + (y / (_DEPTH_MM / 2)) ** 4 <= 1
    body: NDArray[np.bool_] = ellipse & (z >= bottom) & (z <= top)
    if bodies_only:
        return body
    back = -_DEPTH_MM / 2
    middle = bottom + 0.6 * height
    pedicles = (np.abs(np.abs(x) - 13) < 3.5) & (y < back + 2) & (y > back - 18) & (np.abs(z - middle) < 5)
    arch = (np.abs(x) < 16) & (y < back - 14) & (y > back - 20) & (np.abs(z - middle) < 7)
    spine = (np.abs(x) < 3) & (y < back - 18) & (y > back - 38) & (np.abs(z - middle + 4) < 7)
    whole: NDArray[np.bool_] = body | pedicles | arch | spine
    return whole


def _true_heights(height: float, profile: tuple[float, float, float]) -> tuple[float, float, float]:
    parts = ((2 / 3, 0.92), (1 / 3, 2 / 3), (0.08, 1 / 3))
    means = [np.interp(np.linspace(a, b, 101), (0, 0.5, 1), profile[::-1]).mean() for a, b in parts]
    front, middle, rear = (float(height * (1 - mean)) for mean in means)
    return front, middle, rear
