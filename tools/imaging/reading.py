"""A CT or a mask from what a person names: NIfTI, a DICOM file, a folder of slices, or a zip of either."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import FileError
from tools.imaging.archive import unpack
from tools.imaging.dicom import DicomFilm, is_dicom, read_dicom, series_of
from tools.imaging.nifti import is_mask, looks_like_ct, read_nifti
from tools.imaging.volume import Volume

_MOST_VALUES = 256
_OVERLAP = 0.5
_ROUNDING = 0.01
"""Values this near to whole numbers are whole numbers that went through floating point."""


@dataclass(frozen=True)
class ReadVolume:
    """A volume in RAS order, the axis codes of the file, and what was noticed while reading."""

    volume: Volume
    codes: str
    notes: tuple[str, ...] = ()


def read_volume(path: Path, called: str) -> ReadVolume:
    """Read a volume by its content.

    Args:
        path: NIfTI, DICOM file, folder or zip.
        called: what messages call it, such as "The CT 'a.nii'".

    Raises:
        FileError: it is not there, or is nothing that can be made a volume.
    """
    if path.is_dir():
        return _from_files(sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink()), called)
    if not path.is_file():
        raise FileError(f"{called} is not there.")
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise FileError(f"{called} is empty (0 bytes).")
    if head == b"PK\x03\x04":
        with tempfile.TemporaryDirectory() as folder:
            return _from_files(unpack(path, Path(folder)), called)
    if is_dicom(path):
        return _from_files([path], called)
    image = read_nifti(path, called)
    return ReadVolume(image.volume, image.codes)


def dicom_files(path: Path) -> tuple[Path, ...]:
    """The slices of the DICOM series that `read_volume` takes from a folder; nothing for other files and zips."""
    return series_of([p for p in sorted(path.rglob("*")) if p.is_file() and is_dicom(p)]) if path.is_dir() else ()


def _from_files(paths: list[Path], called: str) -> ReadVolume:
    dicom = [path for path in paths if is_dicom(path)]
    if dicom:
        read = read_dicom(dicom)
        if isinstance(read, DicomFilm):
            raise FileError(f"{called} is a single {read.modality} picture: a volume of slices is needed.")
        notes = list(read.warnings)
        if read.modality != "CT":
            notes.append(f"The series says it is {read.modality}, not CT.")
        return ReadVolume(read.volume, read.codes, tuple(notes))
    nifti = [path for path in paths if path.stat().st_size and is_nifti(path)]
    if len(nifti) != 1:
        raise FileError(
            f"{called} holds no DICOM slices and {len(nifti)} NIfTI files among {len(paths)} files; one series or one "
            "NIfTI file is needed."
        )
    image = read_nifti(nifti[0], called)
    return ReadVolume(image.volume, image.codes)


def is_nifti(path: Path) -> bool:
    """By its magic number, or any gzip."""
    with path.open("rb") as file:
        head = file.read(352)
    return head[:2] == b"\x1f\x8b" or head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] == b"n+2\0"


def read_mask(path: Path) -> ReadVolume:
    """Read a label mask.

    Raises:
        FileError: it holds an image: negative, fractional or too many values.
    """
    called = f"The mask {path.name!r}"
    read = read_volume(path, called)
    data = np.asarray(read.volume.data)
    low, high = float(data.min()), float(data.max())
    values = np.unique(np.round(data)) if high - low < 1e6 else np.empty(0)
    if low < 0 or high > 1e5 or len(values) > _MOST_VALUES or looks_like_ct(data):
        number = f"{len(values)} different values" if len(values) else "values"
        raise FileError(
            f"{called} holds {number} from {low:.0f} to {high:.0f}: it looks like an image (a CT), not like labels. "
            "Give the CT first and the vertebra labels as --mask."
        )
    return ReadVolume(Volume(whole_numbers(data), read.volume.affine), read.codes, read.notes)


def whole_numbers(data: NDArray[np.generic]) -> NDArray[np.integer]:
    """The labels as integers; those that went through floating point are rounded.

    Raises:
        FileError: some are no whole numbers.
    """
    if np.issubdtype(data.dtype, np.integer):
        return cast("NDArray[np.integer]", data)
    values = data.astype(np.float32)
    rounded = np.round(values)
    if not np.allclose(values, rounded, rtol=0, atol=_ROUNDING):
        raise FileError("A mask must hold whole numbers, one value per structure; this one has fractions.")
    return rounded.astype(np.int32)


def read_ct(path: Path, labels: Volume) -> ReadVolume:
    """Read a CT onto the grid of a mask; where the grids differ the CT is resampled (linearly), and that is noted.

    Raises:
        FileError: it is a mask, or it does not cover the labels.
    """
    read = read_volume(path, f"The CT {path.name!r}")
    data = np.asarray(read.volume.data)
    if is_mask(data) and not looks_like_ct(data):
        raise FileError(
            "The CT holds only a few whole numbers: it looks like a mask. Give the CT first, the mask as --mask."
        )
    if read.volume.same_grid(labels):
        return read
    return ReadVolume(_onto(read.volume, labels), read.codes, (*read.notes, _differs(read.volume, labels)))


def _differs(ct: Volume, labels: Volume) -> str:
    return (
        f"The mask lies on another grid than the CT: it has {labels.data.shape} voxels of {_mm(labels)} mm, the CT has "
        f"{ct.data.shape} of {_mm(ct)} mm. The CT was resampled to the mask by their positions in space."
    )


def _onto(ct: Volume, labels: Volume) -> Volume:
    data = np.asarray(labels.data)
    where = np.argwhere(data > 0)
    if not len(where):
        return Volume(np.zeros(data.shape, dtype=np.int16), labels.affine)
    step = np.linalg.inv(ct.affine) @ labels.affine
    spots = where[:: max(1, len(where) // 5000)] @ step[:3, :3].T + step[:3, 3]
    inside = ((spots > -0.5) & (spots < np.array(ct.data.shape) - 0.5)).all(axis=1).mean()
    if inside < _OVERLAP:
        raise FileError(
            f"The mask lies on another grid than the CT and not in the same place: only {100 * inside:.0f} % of its labels "
            f"lie within the CT ({labels.data.shape} voxels of {_mm(labels)} mm against {ct.data.shape} of {_mm(ct)} mm). "
            "Give the CT that the mask was drawn on."
        )
    values = np.asarray(ct.data)
    moved = ndimage.affine_transform(
        values, step[:3, :3], step[:3, 3], data.shape, output=np.float32, order=1, cval=float(values.min())
    )
    return Volume(np.round(moved).astype(np.int16), labels.affine)


def _mm(volume: Volume) -> str:
    return " x ".join(f"{s:.2f}" for s in volume.spacing_mm)
