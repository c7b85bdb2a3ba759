"""A patient on a grid: tissue map, vertebra labels, and the plain CT that the learned models start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.imaging.generation.attributes import SpineAttributes
from tools.imaging.generation.patient import Patient, Vertebra, draw_patient
from tools.imaging.generation.tissue import Tissue, plain_hu
from tools.imaging.generation.torso import Axes, torso
from tools.imaging.labels import VERSE
from tools.imaging.simulated_spine import SpineTruth
from tools.imaging.vertebra_shape import occupancy
from tools.imaging.volume import Volume

Array = NDArray[np.float32]
_IDS = {name: value for value, name in VERSE.items()}
FINE_MM = 1.5
"""Spacing of the anatomy; the low-resolution stage works on twice this."""
_REACH = np.array([46.0, 78.0, 40.0])


@dataclass(frozen=True)
class Grid:
    """An axis-aligned RAS grid: voxels, spacing in mm, and the position of the first voxel's centre."""

    shape: tuple[int, int, int]
    spacing_mm: float
    low: tuple[float, float, float]

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel index to RAS mm."""
        affine = np.diag([self.spacing_mm, self.spacing_mm, self.spacing_mm, 1.0])
        affine[:3, 3] = self.low
        return affine

    def axes(self) -> Axes:
        """Open coordinate arrays."""
        x, y, z = (
            (low + self.spacing_mm * np.arange(n)).astype(np.float32) for low, n in zip(self.low, self.shape, strict=True)
        )
        return Axes(x[:, None, None], y[None, :, None], z[None, None, :])


@dataclass(frozen=True)
class Anatomy:
    """Arrays of one grid: `tissue` (values of `Tissue`), `labels` (VerSe), `plain` (HU); and the truth of every level."""

    grid: Grid
    tissue: NDArray[np.uint8]
    labels: NDArray[np.int16]
    plain: Array
    truth: dict[str, SpineTruth]
    patient: Patient

    @property
    def mask(self) -> Volume:
        """Vertebra labels as a volume."""
        return Volume(self.labels, self.grid.affine)


def spine_grid(patient: Patient, levels: tuple[str, ...], across: int = 64, spacing_mm: float = FINE_MM) -> Grid:
    """A box around the shown levels, `2 * across` voxels wide and deep, its height a multiple of 16 voxels."""
    shown = [item for item in patient.vertebrae if item.level in levels]
    top, bottom = shown[0], shown[-1]
    high = float(top.centre[2]) + top.shape.posterior_mm / 2 + 16
    low = float(bottom.centre[2]) - bottom.shape.posterior_mm / 2 - 20
    count = int(np.ceil((high - low) / (16 * spacing_mm))) * 16
    centre = np.mean([item.centre for item in shown], axis=0)
    half = across * spacing_mm
    return Grid(
        (2 * across, 2 * across, count),
        spacing_mm,
        (float(centre[0]) - half, float(centre[1]) - 8 - half, (high + low) / 2 - count * spacing_mm / 2),
    )


def build(attributes: SpineAttributes, seed: int, across: int = 64) -> Anatomy:
    """One patient of a description, on the box around the levels that are shown."""
    patient = draw_patient(attributes, seed)
    return voxelise(patient, spine_grid(patient, attributes.shown_levels, across))


def voxelise(patient: Patient, grid: Grid) -> Anatomy:
    """Draw a patient on any grid."""
    axes = grid.axes()
    tissue, depth = torso(patient, axes)
    labels = np.zeros(grid.shape, dtype=np.int16)
    for vertebra in patient.vertebrae:
        box = _box(vertebra, grid)
        if box is None:
            continue
        local = _local(vertebra, axes, box)
        inside = occupancy(vertebra.shape, vertebra.fracture, local.reshape(-1, 3)).reshape(local.shape[:3])
        part, where = labels[box], tissue[box]
        _soft_parts(where, vertebra, local, part > 0)
        mine = (inside > 0) & (part == 0)
        part[mine] = _IDS[vertebra.level]
        where[mine] = Tissue.VERTEBRA
        below = depth[box]
        below[mine] = inside[mine]
        labels[box], tissue[box], depth[box] = part, where, below
    plain = plain_hu(tissue, depth, patient.marrow_hu)
    return Anatomy(grid, tissue, labels, plain, patient.truth(), patient)


def _box(vertebra: Vertebra, grid: Grid) -> tuple[slice, slice, slice] | None:
    low = np.array(grid.low)
    start = np.ceil((vertebra.centre - _REACH - low) / grid.spacing_mm).astype(int)
    stop = np.floor((vertebra.centre + np.array([46.0, 36.0, 40.0]) - low) / grid.spacing_mm).astype(int) + 1
    start, stop = np.maximum(start, 0), np.minimum(stop, grid.shape)
    if (start >= stop).any():
        return None
    x, y, z = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return x, y, z


def _local(vertebra: Vertebra, axes: Axes, box: tuple[slice, slice, slice]) -> NDArray[np.float64]:
    x, y, z = axes.x.ravel()[box[0]], axes.y.ravel()[box[1]], axes.z.ravel()[box[2]]
    grid = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).astype(np.float64) - vertebra.centre
    local: NDArray[np.float64] = grid @ vertebra.axes.T
    return local


def _soft_parts(where: NDArray[np.uint8], vertebra: Vertebra, local: NDArray[np.float64], bone: NDArray[np.bool_]) -> None:
    """Disc above and below the body, and the canal behind it."""
    a, r, u = local[..., 0], local[..., 1], local[..., 2]
    shape = vertebra.shape
    n = shape.corner
    outline = np.abs(a / (0.5 * shape.depth_mm)) ** n + np.abs(r / (0.5 * shape.width_mm)) ** n < 1
    reach = shape.posterior_mm / 2 + 0.75 * vertebra.disc_mm
    free = ~bone & (where != Tissue.VERTEBRA)
    where[free & outline & (np.abs(u) < reach)] = Tissue.DISC
    behind = a + shape.depth_mm / 2 + 9.5
    where[free & ((behind / 8) ** 2 + (r / 11) ** 2 < 1) & (np.abs(u) < reach)] = Tissue.CANAL
