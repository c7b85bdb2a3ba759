"""NIfTI files as CT volumes or label masks."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from core.errors import FileError, TooLarge
from tools.imaging.volume import Volume, to_ras

MAX_VOXELS = 1024 * 1024 * 1500
"""About 3 GB as 16-bit numbers: a whole-body CT fits, a forged header does not."""
_CHUNK = 1024 * 1024
_MAX_TRAILING_CHUNKS = 16
_MAX_BYTES = 4 * 1024**3
"""As stored in the file: wider numbers leave room for fewer voxels."""


@dataclass(frozen=True)
class NiftiImage:
    """A volume in RAS order and the axis codes of the file."""

    volume: Volume
    codes: str


def read_nifti(path: Path, called: str = "The NIfTI file") -> NiftiImage:
    """Read a 3-D NIfTI-1 or NIfTI-2 file, plain or gzipped, by its content: an upload may have lost its suffix.

    Raises:
        FileError: it is not NIfTI, truncated, not 3-D, has no usable geometry or non-finite voxels.
        TooLarge: its header claims more voxels than we read.
    """
    with _stream(path) as stream:
        try:
            second_format = stream.read(8)[4:7] == b"n+2"
            stream.seek(0)
            image = (nib.Nifti2Image if second_format else nib.Nifti1Image).from_stream(stream)
        except Exception as error:
            raise FileError(f"{called} cannot be read as NIfTI: {_reason(error)}.") from error
        shape = _checked_shape(image, called)
        affine = _checked_affine(image, called)
        try:
            data = np.asanyarray(image.dataobj).reshape(shape)
            for _ in range(_MAX_TRAILING_CHUNKS):  # a gzip stream tells only at its end that it is whole
                if not stream.read(_CHUNK):
                    break
        except Exception as error:
            raise FileError(f"{called} is truncated or damaged: {_reason(error)}.") from error
    if not np.isfinite(data).all():
        raise FileError(f"{called} has voxels that are not numbers (NaN or infinite).")
    volume, codes = to_ras(data, affine)
    return NiftiImage(volume, codes)


def _stream(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if gzipped else path.open("rb")


def _checked_shape(image: nib.Nifti1Image, called: str) -> tuple[int, ...]:
    shape = tuple(int(n) for n in image.shape)
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    if len(shape) != 3 or min(shape) < 2:
        raise FileError(f"{called} must be one 3-D volume of at least 2 voxels along each axis, got shape {shape}.")
    voxels = int(np.prod(shape, dtype=np.int64))
    if voxels > MAX_VOXELS:
        raise TooLarge(f"{called} claims {shape} voxels; at most {MAX_VOXELS} are read.")
    stored = voxels * int(image.get_data_dtype().itemsize)
    if stored > _MAX_BYTES:
        raise TooLarge(f"{called} claims {stored / 1024**3:.1f} GB of voxels; at most {_MAX_BYTES // 1024**3} GB are read.")
    return shape


def _checked_affine(image: nib.Nifti1Image, called: str) -> NDArray[np.float64]:
    affine = np.asarray(image.affine, dtype=np.float64)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (
        not np.isfinite(affine).all()
        or abs(np.linalg.det(affine[:3, :3])) < 1e-9
        or not ((spacing > 0.05) & (spacing < 50)).all()
    ):
        raise FileError(f"{called} has no usable geometry: voxel size {tuple(np.round(spacing, 3))} mm, allowed 0.05 to 50.")
    return affine


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


def _reason(error: Exception) -> str:
    text = re.sub(r" from \S.*", "", " ".join(str(error).split()))  # nibabel names the file: not for a message
    return (text[:160] or type(error).__name__).rstrip(".")
