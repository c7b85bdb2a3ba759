"""A 3-D image in patient space, and its canonical file: uncompressed NIfTI in RAS order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Volume:
    """Voxels of shape (x, y, z) in RAS order with their position.

    Axis 0 runs from the patient's left to right, axis 1 from posterior to anterior, axis 2 from inferior to
    superior. `affine` maps voxel indices to RAS millimetres. CT data are in HU.
    """

    data: NDArray[np.generic]
    affine: NDArray[np.float64]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis, in mm."""
        x, y, z = (float(np.linalg.norm(self.affine[:3, axis])) for axis in range(3))
        return x, y, z

    def same_grid(self, other: Volume, tolerance_mm: float = 0.1) -> bool:
        """Whether both have the same shape and their corner voxels lie within the tolerance."""
        if self.data.shape != other.data.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.data.shape], indexing="ij")).reshape(3, -1)
        points = np.vstack([corners, np.ones(corners.shape[1])])
        return bool(np.abs((self.affine - other.affine) @ points).max() <= tolerance_mm)


def to_ras(data: NDArray[np.generic], affine: NDArray[np.float64]) -> tuple[Volume, str]:
    """Flip and permute axes (never resample) into RAS; also returns the axis codes as read, such as "LPS"."""
    codes = "".join(nib.aff2axcodes(affine))
    image = nib.as_closest_canonical(nib.Nifti1Image(data, affine, dtype=data.dtype))
    return Volume(np.asanyarray(image.dataobj), np.asarray(image.affine, dtype=np.float64)), codes


def save_volume(volume: Volume, path: Path) -> None:
    """Write the canonical file: `.nii`, uncompressed so that slices can be read without the rest."""
    nib.save(nib.Nifti1Image(volume.data, volume.affine, dtype=volume.data.dtype), path)


def load_volume(path: Path) -> Volume:
    """Read a canonical file as written by `save_volume`; voxels stay on disk until they are used."""
    image = nib.load(path)
    return Volume(np.asanyarray(image.dataobj), np.asarray(image.affine, dtype=np.float64))
