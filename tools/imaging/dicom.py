"""DICOM: a series as a volume in HU, a radiograph as a picture.

Names and identifiers of the patient are never read out, only turned into pseudonyms where a key is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_rescale
from scipy import ndimage

from core.errors import ConsiliumError, FileError, TooLarge
from core.plain import as_label
from core.pseudonym import Pseudonyms
from tools.imaging.marking import dataset_says_synthetic
from tools.imaging.nifti import MAX_VOXELS
from tools.imaging.volume import Volume, to_ras

_FILMS = ("CR", "DX", "MG", "RF", "XA", "PX", "IO")
_TILT_DEGREES, _MOST_TILT_DEGREES = 1.0, 30.0
_GAP = 0.1
"""Slices may lie off their even spacing by this share of it."""


@dataclass(frozen=True)
class DicomVolume:
    """A series in RAS order."""

    volume: Volume
    codes: str
    modality: str
    body_part: str | None
    warnings: tuple[str, ...]
    patient: str = ""
    study: str = ""
    synthetic: bool = False


@dataclass(frozen=True)
class DicomFilm:
    """A 2-D image: grey values 0..255 (rows x columns), bright is dense."""

    pixels: NDArray[np.uint8]
    modality: str
    body_part: str | None
    view: str | None
    spacing_mm: tuple[float, float] | None
    warnings: tuple[str, ...]
    patient: str = ""
    study: str = ""
    synthetic: bool = False


def is_dicom(path: Path) -> bool:
    """By the preamble, or by a readable file meta without one."""
    with path.open("rb") as file:
        head = file.read(132)
    if head[128:132] == b"DICM":
        return True
    # Old files start with the first element of group 0002 or 0008, little endian.
    return len(head) >= 8 and head[:2] in (b"\x02\x00", b"\x08\x00") and head[2:4] in (b"\x00\x00", b"\x05\x00", b"\x08\x00")


def series_of(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files of the series that `read_dicom` uses: the one with the most images."""
    groups = _by_series(paths)
    return tuple(path for path, _ in max(groups.values(), key=len)) if groups else ()


def _by_series(paths: Sequence[Path]) -> dict[str, list[tuple[Path, Dataset]]]:
    groups: dict[str, list[tuple[Path, Dataset]]] = {}
    for path in paths:
        header = _header(path)
        if "Rows" in header:
            groups.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((path, header))
    return groups


def read_dicom(paths: Sequence[Path], pseudonyms: Pseudonyms | None = None) -> DicomVolume | DicomFilm:
    """Read files of one study. Of several series the one with the most slices is taken, and said.

    With `pseudonyms` the result tells patient and study by their keyed hashes. An element that pydicom cannot convert,
    which it finds late, is our error too.

    Raises:
        FileError: nothing can be read, slices are missing, or a header is damaged.
    """
    try:
        return _read(paths, pseudonyms)
    except ConsiliumError:
        raise
    except MemoryError as error:  # a damaged length claims more than there is
        raise TooLarge("An element of a DICOM file claims more memory than may be used.") from error
    except Exception as error:  # converters raise whatever they like
        raise FileError(f"The header of a DICOM file is damaged ({type(error).__name__}).") from error


def _read(paths: Sequence[Path], pseudonyms: Pseudonyms | None) -> DicomVolume | DicomFilm:
    groups = _by_series(paths)
    if not groups:
        raise FileError("The DICOM files hold no image: a series of slices or a radiograph is needed.")
    chosen = max(groups.values(), key=len)
    warnings = []
    if len(groups) > 1:
        sizes = ", ".join(str(len(group)) for group in sorted(groups.values(), key=len, reverse=True))
        warnings.append(f"{len(groups)} series were given ({sizes} images); the largest was used.")
    first = chosen[0][1]
    modality = as_label(str(first.get("Modality", "")), 6) or "OT"
    frames = int(first.get("NumberOfFrames", 1) or 1)
    patients = {str(header.get("PatientID", "")) for _, header in chosen}
    if len(patients) > 1:
        raise FileError(f"The series mixes files of {len(patients)} patients. Give one patient's files at a time.")
    patient, study = _pseudonyms_of(first, pseudonyms)
    said = dataset_says_synthetic(first)
    if len(chosen) == 1 and (modality in _FILMS or frames == 1):
        return replace(_film(chosen[0][0], modality, tuple(warnings)), patient=patient, study=study, synthetic=said)
    if frames > 1:
        if len(chosen) > 1:
            warnings.append(f"{len(chosen)} multi-frame files were given; the first was used.")
        return replace(
            _stacked(*_frames(chosen[0][0]), first, modality, warnings), patient=patient, study=study, synthetic=said
        )
    return replace(_series(chosen, modality, warnings), patient=patient, study=study, synthetic=said)


def _pseudonyms_of(header: Dataset, pseudonyms: Pseudonyms | None) -> tuple[str, str]:
    if pseudonyms is None:
        return "", ""
    issuer, patient = str(header.get("IssuerOfPatientID", "")), str(header.get("PatientID", ""))
    whose = pseudonyms.of(f"{issuer}|{patient}" if patient.strip() else "")
    return whose, pseudonyms.of(str(header.get("StudyInstanceUID", "")))


def _header(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except (InvalidDicomError, OSError, ValueError, KeyError, EOFError, AttributeError, NotImplementedError) as error:
        raise FileError(f"A DICOM file cannot be read: {type(error).__name__}.") from error


def _pixels(path: Path) -> tuple[Dataset, NDArray[np.generic]]:
    try:
        dataset = pydicom.dcmread(path, force=True)
        return dataset, np.asarray(dataset.pixel_array)
    except Exception as error:  # decoders raise whatever they like
        raise FileError(
            f"The pixels of a DICOM file cannot be decoded: it is truncated, damaged or of an unknown kind "
            f"({type(error).__name__})."
        ) from error


def _series(chosen: list[tuple[Path, Dataset]], modality: str, warnings: list[str]) -> DicomVolume:
    first = chosen[0][1]
    try:
        row, column = (np.array(first.ImageOrientationPatient[i : i + 3], dtype=float) for i in (0, 3))
        between = [float(v) for v in first.PixelSpacing]
        positions = [np.array(header.ImagePositionPatient, dtype=float) for _, header in chosen]
    except (AttributeError, TypeError, ValueError) as error:
        raise FileError("The series has no position, orientation or pixel spacing; it cannot be made a volume.") from error
    normal = np.cross(row, column)
    along = np.array([position @ normal for position in positions])
    order = np.argsort(along)
    keep = [order[0], *(b for a, b in pairwise(order) if along[b] - along[a] > 1e-3)]
    if len(keep) < len(order):
        warnings.append(f"{len(order) - len(keep)} slices were given twice and used once.")
    if len(keep) < 3:
        raise FileError(f"A volume needs at least 3 slices at different positions, got {len(keep)}.")
    step = _step(along[keep])
    rows, columns = int(first.Rows), int(first.Columns)
    if rows * columns * len(keep) > MAX_VOXELS:
        raise TooLarge(f"The series has {columns} x {rows} x {len(keep)} voxels; at most {MAX_VOXELS} are read.")
    data = np.stack([_slice(chosen[i][0], (rows, columns)) for i in keep], axis=-1)
    data = _upright(data, np.array([positions[i] for i in keep]), (row, column), between, warnings)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * between[1], column * between[0], normal * step
    affine[:3, 3] = positions[keep[0]]
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    volume, codes = to_ras(np.swapaxes(data, 0, 1), lps_to_ras @ affine)
    part = as_label(str(first.get("BodyPartExamined", "")))
    return DicomVolume(volume, codes, modality, part, tuple(warnings))


def _step(along: NDArray[np.float64]) -> float:
    steps = np.diff(along)
    step = float(np.median(steps))
    wrong = np.flatnonzero(np.abs(steps - step) > _GAP * step)
    if len(wrong):
        gap = int(wrong[0])
        missing = round(float(steps[wrong].sum()) / step) - len(wrong)
        raise FileError(
            f"The series has gaps: slices are {step:.2f} mm apart, but {steps[gap]:.2f} mm lie between slices {gap + 1} "
            f"and {gap + 2}; about {max(missing, 1)} of them {'is' if missing <= 1 else 'are'} missing. "
            "Give the whole series."
        )
    return step


def _upright(
    data: NDArray[np.int16],
    positions: NDArray[np.float64],
    directions: tuple[NDArray[np.float64], NDArray[np.float64]],
    between: list[float],
    warnings: list[str],
) -> NDArray[np.int16]:
    """Slices of a tilted gantry shifted within their planes until they lie straight above each other, and said.

    Args:
        data: (rows, columns, slices).
        positions: of the slices' first pixels, LPS mm, shape (slices, 3).
        directions: of rows and columns.
        between: pixel spacing between rows and between columns.
        warnings: gets a line when there was a tilt.
    """
    normal = np.cross(*directions)
    travel = positions[-1] - positions[0]
    tilt = np.degrees(np.arccos(np.clip(abs(travel @ normal) / np.linalg.norm(travel), 0, 1)))
    if tilt <= _TILT_DEGREES:
        return data
    if tilt > _MOST_TILT_DEGREES:
        raise FileError(
            f"The slices are sheared against each other by {tilt:.0f} degrees; at most {_MOST_TILT_DEGREES:.0f} are mended. "
            "Give a reconstruction without tilt."
        )
    warnings.append(f"The gantry was tilted by {tilt:.1f} degrees: the slices were shifted back by interpolation.")
    air = float(data.min())
    straight = np.empty_like(data)
    for number, position in enumerate(positions):
        along_row, along_column = ((position - positions[0]) @ direction for direction in directions)
        moved = (along_column / between[0], along_row / between[1])
        straight[..., number] = np.round(ndimage.shift(data[..., number].astype(np.float32), moved, order=1, cval=air))
    return straight


def _frames(path: Path) -> tuple[NDArray[np.int16], list[NDArray[np.float64]], list[float], tuple[NDArray[np.float64], ...]]:
    """Of a multi-frame image: frames (n, rows, columns) in HU, positions, pixel spacing, directions of rows and columns."""
    dataset, pixels = _pixels(path)
    try:
        shared, each = dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence

        def group(frame: Dataset, name: str) -> Dataset:
            return cast(Dataset, (frame.get(name) or shared.get(name))[0])

        positions = [np.array(group(f, "PlanePositionSequence").ImagePositionPatient, dtype=float) for f in each]
        orientations = [np.array(group(f, "PlaneOrientationSequence").ImageOrientationPatient, dtype=float) for f in each]
        between = [float(v) for v in group(each[0], "PixelMeasuresSequence").PixelSpacing]
        scales = [
            (float(scale.RescaleSlope), float(scale.RescaleIntercept))
            for scale in (group(f, "PixelValueTransformationSequence") for f in each)
        ]
    except (AttributeError, TypeError, ValueError, IndexError, KeyError) as error:
        raise FileError(
            "The multi-frame image does not say where its frames lie (functional groups of position, orientation, spacing "
            "and rescale are needed); give the series as single slices or NIfTI."
        ) from error
    if any(np.abs(orientation - orientations[0]).max() > 1e-3 for orientation in orientations):
        raise FileError("The frames lie at different angles: one stack of parallel slices is needed.")
    values = np.stack([frame * slope + base for frame, (slope, base) in zip(pixels, scales, strict=True)])
    hu = np.clip(np.round(values), -32768, 32767).astype(np.int16)
    return hu, positions, between, (orientations[0][:3], orientations[0][3:])


def _stacked(
    frames: NDArray[np.int16],
    positions: list[NDArray[np.float64]],
    between: list[float],
    directions: tuple[NDArray[np.float64], ...],
    first: Dataset,
    modality: str,
    warnings: list[str],
) -> DicomVolume:
    row, column = directions
    normal = np.cross(row, column)
    along = np.array([position @ normal for position in positions])
    order = np.argsort(along)
    if len(order) < 3 or np.diff(along[order]).min() < 1e-3:
        raise FileError("A volume needs at least 3 frames, each at a position of its own.")
    step = _step(along[order])
    data = _upright(
        np.moveaxis(frames[order], 0, -1), np.array([positions[i] for i in order]), (row, column), between, warnings
    )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * between[1], column * between[0], normal * step
    affine[:3, 3] = positions[order[0]]
    volume, codes = to_ras(np.swapaxes(data, 0, 1), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    part = str(first.get("BodyPartExamined", "")).strip().upper() or None
    return DicomVolume(volume, codes, modality, part, tuple(warnings))


def _slice(path: Path, shape: tuple[int, int]) -> NDArray[np.int16]:
    dataset, pixels = _pixels(path)
    if pixels.shape != shape:
        raise FileError(f"Slices differ in size: {shape} and {pixels.shape}. Give one series.")
    values = np.round(apply_rescale(pixels, dataset))
    return np.clip(values, -32768, 32767).astype(np.int16)


def _film(path: Path, modality: str, warnings: tuple[str, ...]) -> DicomFilm:
    dataset, pixels = _pixels(path)
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if frames > 1 and len(pixels) == frames:
        pixels = pixels[frames // 2]
        warnings = (*warnings, f"The film has {frames} frames; the one in the middle was taken.")
    if pixels.ndim == 3:
        pixels = pixels[..., :3].mean(axis=-1)
    if pixels.ndim != 2:
        raise FileError(f"A film must be one 2-D image, got {pixels.shape}.")
    values = pixels.astype(np.float64)
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    grey = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    if str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        grey = 1 - grey
    spacing, told = _film_spacing(dataset)
    part = as_label(str(dataset.get("BodyPartExamined", "")))
    view = as_label(str(dataset.get("ViewPosition", "")))
    return DicomFilm(np.round(255 * grey).astype(np.uint8), modality, part, view, spacing, (*warnings, *told))


def _film_spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    if "PixelSpacing" in dataset:
        row, column = (float(v) for v in dataset.PixelSpacing)
        return (row, column), ()
    if "ImagerPixelSpacing" in dataset:
        row, column = (float(v) for v in dataset.ImagerPixelSpacing)
        return (row, column), ("Millimetres are at the detector: the patient's are smaller by the magnification.",)
    return None, ("The film tells no pixel spacing: nothing can be measured in mm.",)
