"""Line integrals through a volume along the rays of a camera, differentiable in pose and voxels.

Joseph's method (IEEE Trans Med Imaging 1982;1:192-196): the volume is cut into its planes across the axis that the beam
crosses most often; each ray takes one bilinear sample per plane, times its length between planes. A ray marcher of equal
accuracy takes as many samples, of eight neighbours instead of four. The volume is read plane by plane, so the memory needed
does not grow with it. All rays move from plane to plane by a constant step, so a plane's sampling grid is one fused
multiply-add.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tools.imaging.xray.geometry import Camera, View

_PLANES = 8
"""Planes per pass: their samples of a 512 x 512 film stay near 30 MB."""
Planes = Callable[[int, slice], torch.Tensor]
"""(axis, planes) to a float tensor (planes, channels, n, m): n the later of the remaining axes, m the earlier."""


@dataclass(frozen=True)
class Rays:
    """Per pixel a start and a direction (rows, columns, 3) in mm; `start` may be (1, 1, 3) for a point source.

    A direction leads from the source to the pixel; lengths are measured along it.
    """

    start: torch.Tensor
    direction: torch.Tensor

    def of(self, rows: slice, columns: slice) -> Rays:
        """Those of a part of the detector."""
        start = self.start if self.start.shape[0] == 1 else self.start[rows, columns]
        return Rays(start, self.direction[rows, columns])


def camera_rays(camera: Camera, dtype: torch.dtype = torch.float64) -> Rays:
    """The rays of a camera."""
    first, right, down = (torch.as_tensor(v, dtype=dtype) for v in (camera.first, camera.step_right, camera.step_down))
    pixels = _pixels(first, right, down, camera.rows, camera.columns)
    if camera.parallel:
        beam = torch.as_tensor(-camera.view.towards_source * camera.source_to_detector_mm, dtype=dtype)
        return Rays(pixels - beam, beam.expand_as(pixels))
    source = torch.as_tensor(camera.source, dtype=dtype).reshape(1, 1, 3)
    return Rays(source, pixels - source)


def posed_rays(camera: Camera, pose: torch.Tensor) -> Rays:
    """The rays of a camera turned and moved about its isocentre, differentiable in the pose.

    Args:
        camera: where it stands at pose 0.
        pose: (6,): rotation vector in radians about x, y, z, then shift in mm along x, y, z.
    """
    rays = camera_rays(camera, pose.dtype)
    turn = torch.linalg.matrix_exp(_cross(pose[:3]))
    centre = torch.as_tensor(camera.isocentre, dtype=pose.dtype)
    start = (rays.start - centre) @ turn.T + centre + pose[3:]
    return Rays(start, rays.direction @ turn.T)


def _cross(vector: torch.Tensor) -> torch.Tensor:
    zero = torch.zeros_like(vector[0])
    x, y, z = vector
    return torch.stack([torch.stack([zero, -z, y]), torch.stack([z, zero, -x]), torch.stack([-y, x, zero])])


def _pixels(first: torch.Tensor, right: torch.Tensor, down: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    row = torch.arange(rows, dtype=first.dtype).reshape(-1, 1, 1)
    column = torch.arange(columns, dtype=first.dtype).reshape(1, -1, 1)
    return first + row * down + column * right


def sweep_axis(view: View, affine: NDArray[np.float64]) -> int:
    """The array axis whose planes the middle ray crosses most often."""
    steps = np.linalg.inv(affine[:3, :3]) @ view.towards_source
    return int(np.abs(steps).argmax())


def integrate(
    planes: Planes,
    shape: tuple[int, ...],
    affine: NDArray[np.float64],
    rays: Rays,
    axis: int,
    span: tuple[int, int] | None = None,
    check: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Line integrals (channels, rows, columns) of voxel value times mm.

    Args:
        planes: gives the volume's planes across `axis`.
        shape: of the volume, in voxels.
        affine: voxel indices to mm.
        rays: in mm; every plane must lie between their start and their end.
        axis: see `sweep_axis`.
        span: only planes of this range; by default all.
        check: called between passes.
    """
    across, along, per_plane = _grid(rays, shape, affine, axis)
    learning = torch.is_grad_enabled()
    buffer = None if learning else torch.empty((_PLANES, *across.shape))
    total: torch.Tensor | None = None
    for part in _parts(*(span or (0, shape[axis]))):
        check()
        values = planes(axis, part)
        numbers = torch.arange(part.start, part.stop, dtype=along.dtype).reshape(-1, 1, 1, 1)
        room = None if buffer is None else buffer[: len(numbers)]
        grids = torch.addcmul(across, along, numbers, out=room)
        sampled = torch.nn.functional.grid_sample(values, grids, mode="bilinear", padding_mode="zeros", align_corners=True)
        total = (
            sampled.sum(dim=0)
            if total is None
            else total.add_(sampled.sum(dim=0))
            if not learning
            else total + sampled.sum(dim=0)
        )
    if total is None:
        return torch.zeros((1, *across.shape[:2]))
    return total * per_plane


def _parts(start: int, stop: int) -> Iterator[slice]:
    for first in range(start, stop, _PLANES):
        yield slice(first, min(first + _PLANES, stop))


def _grid(
    rays: Rays, shape: tuple[int, ...], affine: NDArray[np.float64], axis: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where rays meet plane 0 and their step to the next (rows, columns, 2), in sampling units, and their mm per plane."""
    inverse = torch.as_tensor(np.linalg.inv(affine), dtype=rays.direction.dtype)
    start = rays.start @ inverse[:3, :3].T + inverse[:3, 3]
    step = rays.direction @ inverse[:3, :3].T
    crossing = step[..., axis]
    crossing = torch.where(crossing.abs() < 1e-9, torch.full_like(crossing, 1e-9), crossing)
    others = [one for one in range(3) if one != axis]
    size = torch.tensor([max(shape[one] - 1, 1) for one in others], dtype=step.dtype)
    slope = step[..., others] / crossing[..., None]
    meet = start[..., others] - start[..., axis : axis + 1] * slope
    across, along = (2 * meet / size - 1).float(), (2 * slope / size).float()
    per_plane = torch.linalg.vector_norm(rays.direction, dim=-1) / crossing.abs()
    return across, along, per_plane.float()


def planes_of(volume: torch.Tensor) -> Planes:
    """The planes of a tensor (channels, x, y, z) held in memory; gradients flow back to it."""

    def take(axis: int, part: slice) -> torch.Tensor:
        return volume.movedim(axis + 1, 0)[part].transpose(2, 3).contiguous()

    return take


def path_lengths(
    volume: torch.Tensor, affine: NDArray[np.float64], camera: Camera, pose: torch.Tensor | None = None
) -> torch.Tensor:
    """Line integrals (channels, rows, columns) through a tensor (channels, x, y, z), differentiable in it and in `pose`."""
    rays = camera_rays(camera) if pose is None else posed_rays(camera, pose)
    shape = tuple(int(n) for n in volume.shape[1:])
    return integrate(planes_of(volume), shape, affine, rays, sweep_axis(camera.view, affine))


def projection_bytes(rows: int, columns: int, plane: int) -> int:
    """Memory that a projection of two materials takes beside the volume, in bytes: an upper estimate.

    Args:
        rows: of the detector.
        columns: of the detector.
        plane: voxels of one plane across the sweep.
    """
    pixels = rows * columns
    return math.ceil(4 * (_PLANES * pixels * 2 * 2 + 12 * pixels + _PLANES * plane * 8) + 8 * 8 * pixels)
