"""Bodies whose path lengths are known in closed form, as voxels and as theory: what the projector is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.xray.projector import Rays

Array = NDArray[np.float64]
_NEVER = 1e12


@dataclass(frozen=True)
class Solid:
    """A convex body: quadratic surfaces q(x) <= 0 and half-spaces n.x <= d, both in mm about the origin.

    `matrix` (3, 3) and `radius` give |matrix x| <= radius (sphere, or cylinder when the matrix drops an axis); `normals`
    (n, 3) and `distances` (n,) the half-spaces.
    """

    name: str
    matrix: Array | None
    radius: float
    normals: Array
    distances: Array

    def inside(self, points: Array) -> NDArray[np.bool_]:
        """Whether points (..., 3) lie in it."""
        within = np.ones(points.shape[:-1], dtype=bool)
        if self.matrix is not None:
            within &= np.linalg.norm(points @ self.matrix.T, axis=-1) <= self.radius
        for normal, distance in zip(self.normals, self.distances, strict=True):
            within &= points @ normal <= distance
        return within

    def chords(self, start: Array, direction: Array) -> Array:
        """Length (mm) of each ray inside, for starts and directions (..., 3)."""
        low = np.full(direction.shape[:-1], -_NEVER)
        high = np.full(direction.shape[:-1], _NEVER)
        if self.matrix is not None:
            s, d = start @ self.matrix.T, direction @ self.matrix.T
            a, b = (d * d).sum(-1), (s * d).sum(-1)
            root = b * b - a * ((s * s).sum(-1) - self.radius**2)
            half = np.sqrt(np.maximum(root, 0))
            along = a < 1e-9  # a ray along the axis of a cylinder stays at one distance from it
            within = (s * s).sum(-1) <= self.radius**2
            far = np.where(within, _NEVER, 0.0)
            low = np.where(along, -far, np.where(root > 0, (-b - half) / np.maximum(a, 1e-12), 0.0))
            high = np.where(along, far, np.where(root > 0, (-b + half) / np.maximum(a, 1e-12), 0.0))
        for normal, distance in zip(self.normals, self.distances, strict=True):
            slope, left = direction @ normal, distance - start @ normal
            at = left / np.where(np.abs(slope) < 1e-12, 1e-12, slope)
            high = np.where(slope > 1e-12, np.minimum(high, at), high)
            low = np.where(slope < -1e-12, np.maximum(low, at), low)
            low = np.where((np.abs(slope) <= 1e-12) & (left < 0), high, low)
        return np.asarray(np.maximum(high - low, 0) * np.linalg.norm(direction, axis=-1))


_NONE = (np.zeros((0, 3)), np.zeros(0))


def sphere(radius: float) -> Solid:
    """A sphere (mm)."""
    return Solid("sphere", np.eye(3), radius, *_NONE)


def cylinder(radius: float, half_length: float) -> Solid:
    """A cylinder along the z axis (mm)."""
    ends = np.array([[0.0, 0, 1], [0, 0, -1]])
    return Solid("cylinder", np.diag([1.0, 1.0, 0.0]), radius, ends, np.array([half_length, half_length]))


def wedge(half: float) -> Solid:
    """A prism whose height falls from full at the back to a quarter at the front, as a wedged vertebra's (mm)."""
    slope = np.array([0.0, 0.375, 1.0])
    normals = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, -1], slope])
    distances = np.array([half, half, half, half, half, 0.25 * half])
    return Solid("wedge", None, 0.0, normals, distances)


def voxelised(solid: Solid, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> tuple[torch.Tensor, Array]:
    """Occupied share of each voxel (1, x, y, z) by 4 x 4 x 4 samples, and the affine of a grid about the origin."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-(n - 1) / 2 * mm for n, mm in zip(shape, spacing, strict=True)]
    share = np.zeros(shape, dtype=np.float32)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    inner = (np.arange(4) - 1.5) / 4
    for i in inner:
        for j in inner:
            for k in inner:
                share += solid.inside((grid + np.array([i, j, k])) @ affine[:3, :3].T + affine[:3, 3])
    return torch.from_numpy(share / 64.0)[None], affine


@dataclass(frozen=True)
class PathError:
    """Rendered against theoretical path lengths of one film, as shares of the theoretical length.

    `typical`, `most` and `worst` are the median, the 95th percentile and the largest error over rays with at least a quarter
    of the longest chord and further from the edge of that than the rim: nearer, voxels are partly in the body and no
    sampling can know where its surface runs.
    """

    typical: float
    most: float
    worst: float


def path_error(solid: Solid, rays: Rays, rendered: Array, rim_pixels: int) -> PathError:
    """Compare a film (rows, columns) in mm with theory; `rim_pixels` is the width of the rim on the film."""
    theory = solid.chords(np.broadcast_to(rays.start.numpy(), rays.direction.shape), rays.direction.numpy())
    long = theory >= 0.25 * theory.max()
    inner = ndimage.binary_erosion(long, iterations=max(rim_pixels, 1))
    relative = np.abs(rendered - theory) / np.maximum(theory, 1e-6)
    typical, most, worst = np.percentile(relative[inner], (50, 95, 100))
    return PathError(float(typical), float(most), float(worst))


TEN_POSES: tuple[tuple[float, float], ...] = (
    (0, 0), (180, 0), (270, 0), (45, 0), (315, 20), (30, -15), (110, 35), (200, -50), (80, 70), (0, 90),
)  # fmt: skip
"""Azimuth and elevation in degrees."""
STANDARD: tuple[Callable[[], Solid], ...] = (
    lambda: sphere(40.0), lambda: cylinder(25.0, 35.0), lambda: wedge(30.0),
)  # fmt: skip
