"""NIfTI files as CT volumes or label masks."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from core.errors import FileError, TooLarge
from tools.imaging.volume import Volume, to_ras

MAX_VOXELS = 1024 * 1024 * 1500
"""About 3 GB as 16-bit numbers: a whole-body CT fits, a forged header does not."""


@dataclass(frozen=True)
class NiftiImage:
    """A volume in RAS order and the axis codes of the file."""

    volume: Volume
    codes: str


def read_nifti(path: Path, called: str = "The NIfTI file") -> NiftiImage:
    """Read a 3-D NIfTI file, plain or gzipped.

    Raises:
        FileError: it is not NIfTI, truncated, not 3-D, has no usable geometry or non-finite voxels.
        TooLarge: its header claims more voxels than we read.
    """
    try:
        image = _open(path)
    except Exception as error:
        raise FileError(f"{called} cannot be read as NIfTI: {_reason(error)}.") from error
    shape = tuple(int(n) for n in image.shape)
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    if len(shape) != 3 or min(shape) < 2:
        raise FileError(f"{called} must be one 3-D volume of at least 2 voxels along each axis, got shape {shape}.")
    if int(np.prod(shape, dtype=np.int64)) > MAX_VOXELS:
        raise TooLarge(f"{called} claims {shape} voxels; at most {MAX_VOXELS} are read.")
    affine = np.asarray(image.affine, dtype=np.float64)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (
        not np.isfinite(affine).all()
        or abs(np.linalg.det(affine[:3, :3])) < 1e-9
        or not ((spacing > 0.05) & (spacing < 50)).all()
    ):
        raise FileError(f"{called} has no usable geometry: voxel size {tuple(np.round(spacing, 3))} mm, allowed 0.05 to 50.")
    try:
        data = np.asanyarray(image.dataobj).reshape(shape)
    except Exception as error:
        raise FileError(f"{called} is truncated or damaged: {_reason(error)}.") from error
    if not np.isfinite(data).all():
        raise FileError(f"{called} has voxels that are not numbers (NaN or infinite).")
    volume, codes = to_ras(data, affine)
    return NiftiImage(volume, codes)


def is_mask(data: NDArray[np.generic]) -> bool:
    """Whole numbers from 0, few distinct ones, mostly background: a label mask rather than an image."""
    sample = data[tuple(slice(None, None, max(1, n // 96)) for n in data.shape)]
    if sample.min() < 0 or not np.equal(np.mod(sample, 1), 0).all():
        return False
    if data.min() < 0 or data.max() > 1000 or not np.equal(np.mod(data, 1), 0).all():
        return False
    values = np.unique(data)
    return len(values) <= 130 and bool((data == 0).mean() > 0.3)


def looks_like_ct(data: NDArray[np.generic]) -> bool:
    """Air near -1000 and nothing far below: Hounsfield units."""
    return bool(data.min() <= -900 and data.min() >= -4096 and data.max() > 100 and data.max() <= 32767)


def _open(path: Path) -> nib.Nifti1Image:
    """Open by content: an upload may have lost its suffix, which nibabel needs."""
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    if path.name.endswith(".nii.gz" if gzipped else ".nii"):
        return nib.Nifti1Image.from_filename(path)
    content = path.read_bytes()
    return nib.Nifti1Image.from_bytes(gzip.decompress(content) if gzipped else content)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).replace("\n", " ").split())
    return (text[:160] or type(error).__name__).rstrip(".")
