"""Tissues of the drawn torso, and the plain CT that follows from them: one number a tissue, and a bone's shell.

This plain CT is the condition of the learned models and the baseline that they must beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
SHELL_HU = 450.0
"""Added to marrow within the cortical shell, about 1 mm thick."""


class Tissue(IntEnum):
    """Classes of a tissue map."""

    AIR = 0
    FAT = 1
    SOFT = 2
    MUSCLE = 3
    LUNG = 4
    VESSEL = 5
    DISC = 6
    CANAL = 7
    RIB = 8
    PELVIS = 9
    VERTEBRA = 10


HU: dict[Tissue, float] = {
    Tissue.AIR: -1000.0,
    Tissue.FAT: -100.0,
    Tissue.SOFT: 45.0,
    Tissue.MUSCLE: 55.0,
    Tissue.LUNG: -830.0,
    Tissue.VESSEL: 40.0,
    Tissue.DISC: 75.0,
    Tissue.CANAL: 15.0,
    Tissue.RIB: 200.0,
    Tissue.PELVIS: 180.0,
    Tissue.VERTEBRA: 150.0,
}
"""Usual values without contrast medium; those of bone are its marrow's, which varies with density."""
_BONES = (Tissue.RIB, Tissue.PELVIS, Tissue.VERTEBRA)


def plain_hu(
    tissue: NDArray[np.uint8], depth_mm: Array, marrow_hu: float, values: Mapping[Tissue, float] | None = None
) -> Array:
    """HU of a tissue map.

    Args:
        tissue: values of `Tissue`.
        depth_mm: depth below the bone's surface where there is bone, negative outside.
        marrow_hu: of the vertebrae; ribs and pelvis follow.
        values: HU of soft tissues where they are known to differ from `HU`, as after contrast medium.
    """
    table = np.array([(values or {}).get(kind, HU[kind]) for kind in Tissue], dtype=np.float32)
    for name in _BONES:
        table[name] += marrow_hu - HU[Tissue.VERTEBRA]
    hu: Array = table[tissue]
    bone = tissue >= Tissue.RIB
    shell = np.clip(1.3 - np.abs(depth_mm[bone] - 0.6), 0, 1)
    hu[bone] += SHELL_HU * shell
    return hu


def depth_of_mask(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> Array:
    """Depth below a mask's surface in mm, negative outside; accurate to half a voxel."""
    inside = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    return np.asarray(inside - 0.5 * min(spacing_mm) * (inside > 0) - 5.0 * ~mask, dtype=np.float32)
