"""Anterior, middle and posterior height of every vertebra of a mask, and which vertebrae cannot be measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import FileError
from tools.imaging.fractures.body import Body, find_body
from tools.imaging.fractures.checks import (
    THICK_MM,
    Placed,
    clean,
    numbering_warnings,
    out_of_order,
    refuse_subregions,
    touching,
)
from tools.imaging.fractures.endplates import without_stairs
from tools.imaging.labels import LEVELS, level_names
from tools.imaging.volume import Volume

Thirds = tuple[float, float, float]
"""Anterior, middle, posterior."""

_TRIM = 0.08
"""Share of the depth left out at front and back: the rounded corners read too short."""
_STRAY = 0.4
"""Columns lower than this share of the middle one are the rim, not the body."""
_OBLIQUE_DEGREES = 35.0
_THICK_MM = 2.0
_MIN_VOLUME_SHARE = 0.35
_TRANSITIONAL = "a thirteenth thoracic vertebra (transitional anatomy) has no usual height to compare with"


@dataclass(frozen=True)
class Measured:
    """Heights of one level in mm, and where its centre is (voxel and RAS mm)."""

    level: str
    value: int
    heights: Thirds
    body: Body
    centre: tuple[int, int, int]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unmeasured:
    """A level that is not graded, and why."""

    level: str
    reason: str


@dataclass(frozen=True)
class Spine:
    """All levels of a mask from head to foot."""

    measured: tuple[Measured, ...]
    skipped: tuple[Unmeasured, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Vertebra:
    level: str
    value: int
    box: tuple[slice, ...]
    centroid: NDArray[np.float64]
    voxels: int
    span: float


def measure_spine(
    labels: Volume, names: dict[int, str] | None = None, progress: Callable[[float, str], None] | None = None
) -> Spine:
    """Measure every vertebra.

    Args:
        labels: the mask, whole numbers, RAS.
        names: value to level; told from the values when absent.
        progress: called before each level.

    Raises:
        FileError: the mask has no vertebra, or its numbering runs against the anatomy.
    """
    data = _as_labels(labels)
    vertebrae, named = _vertebrae(Volume(data, labels.affine), names)
    placed = [Placed(item.level, item.centroid) for item in vertebrae]
    misplaced = out_of_order(placed)
    whole = _has_processes(vertebrae)
    measured: list[Measured] = []
    skipped = [Unmeasured(name, _TRANSITIONAL) for name in named.values() if name == "T13"]
    for number, vertebra in enumerate(vertebrae):
        if progress:
            progress(number / len(vertebrae), f"measuring {vertebra.level}")
        tangent = _tangent(vertebrae, number)
        reason = _not_gradable(vertebra, vertebrae, data.shape, labels.spacing_mm, tangent)
        if vertebra.level in misplaced:
            reason = "its label lies out of order among the levels: mend the numbering"
        body: Body | None = None
        noted: tuple[str, ...] = ()
        if not reason:
            grid, box, noted = _cleaned(Volume(data, labels.affine), vertebra)
            body = find_body(grid, vertebra.value, box, tangent, has_processes=whole)
            reason = "" if body else "no solid vertebral body was found in the mask"
        heights = third_heights(without_stairs(body)) if body else None
        if body is None or heights is None:
            skipped.append(Unmeasured(vertebra.level, reason or "the body is too irregular to measure"))
            continue
        centre = np.linalg.inv(labels.affine) @ np.append(body.frame.origin, 1.0)
        x, y, z = (int(v) for v in np.clip(np.round(centre[:3]), 0, np.array(data.shape) - 1))
        noted = (*noted, *touching(data, labels.affine, body, named))
        measured.append(Measured(vertebra.level, vertebra.value, heights, body, (x, y, z), noted))
    return Spine(tuple(measured), tuple(skipped), (*_warnings(labels), *numbering_warnings(placed, named)))


def _cleaned(labels: Volume, vertebra: _Vertebra) -> tuple[Volume, tuple[slice, ...], tuple[str, ...]]:
    """A crop that holds this vertebra alone, holes filled and stray pieces left out; its box there; warnings."""
    mine, warnings = clean(np.asarray(labels.data[vertebra.box]) == vertebra.value)
    affine = labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([s.start for s in vertebra.box], dtype=float)
    box = tuple(slice(0, n) for n in mine.shape)
    return Volume(mine.astype(np.int32) * vertebra.value, affine), box, warnings


def third_heights(body: Body) -> Thirds | None:
    """Mean over central lateral lines of the median column height in each third of the depth."""
    central = np.abs(body.right) <= body.width / 5
    depth = body.front - body.back
    place = (body.anterior - body.back) / depth
    height = np.where(np.isfinite(body.height), body.height, np.nan)[:, central]
    inner = height[(place > 0.4) & (place < 0.6)]
    if not np.isfinite(inner).any():
        return None
    height = np.where(height > _STRAY * np.nanmedian(inner), height, np.nan)
    bounds = ((2 / 3, 1 - _TRIM), (1 / 3, 2 / 3), (_TRIM, 1 / 3))
    thirds = []
    for low, high in bounds:
        part = height[(place >= low) & (place <= high)]
        lines = [np.median(line[np.isfinite(line)]) for line in part.T if np.isfinite(line).any()]
        if len(lines) < 3:
            return None
        thirds.append(float(np.mean(lines)))
    return thirds[0], thirds[1], thirds[2]


def _as_labels(labels: Volume) -> NDArray[np.int32]:
    data = np.asarray(labels.data)
    if not np.issubdtype(data.dtype, np.integer):
        rounded = np.round(data)
        if not np.allclose(data, rounded):
            raise FileError("A mask must hold whole numbers, one value per structure; this one has fractions.")
        data = rounded
    return data.astype(np.int32)


def _vertebrae(labels: Volume, names: dict[int, str] | None) -> tuple[list[_Vertebra], dict[int, str]]:
    data = np.asarray(labels.data)
    values = [int(v) for v in np.unique(data) if v > 0]
    if not values:
        raise FileError("The mask is empty: it must hold vertebra labels, and every voxel is 0.")
    boxes = ndimage.find_objects(data)
    refuse_subregions(boxes, labels.spacing_mm[2])
    every = names or level_names(values)
    named = {value: name for value, name in every.items() if value in values and name in LEVELS}
    if not named:
        raise FileError(
            f"The mask has no vertebra label. It has the values {values[:12]}; vertebrae are 1-25 in the VerSe numbering "
            "and 27-50 in TotalSegmentator's."
        )
    found = []
    for value, level in named.items():
        box = boxes[value - 1]
        points = np.argwhere(data[box] == value) + [s.start for s in box]
        centroid = (labels.affine @ np.append(points.mean(axis=0), 1.0))[:3]
        depth = (points[:, 1].max() - points[:, 1].min()) * labels.spacing_mm[1]
        found.append(_Vertebra(level, value, box, centroid, len(points), float(depth)))
    return sorted(found, key=lambda vertebra: LEVELS.index(vertebra.level)), every


def _has_processes(vertebrae: list[_Vertebra]) -> bool:
    """Whole vertebrae are about twice as deep (front to back) as bodies: 60-90 mm against 25-40."""
    return bool(np.median([vertebra.span for vertebra in vertebrae]) > 48)


def _tangent(vertebrae: list[_Vertebra], number: int) -> NDArray[np.float64]:
    """Direction of the spine towards the head at a level, from its neighbours' centroids."""
    above = vertebrae[max(number - 1, 0)].centroid
    below = vertebrae[min(number + 1, len(vertebrae) - 1)].centroid
    if len(vertebrae) == 1:
        return np.array([0.0, 0.0, 1.0])
    direction: NDArray[np.float64] = (above - below) / np.linalg.norm(above - below)
    return direction


def _not_gradable(
    vertebra: _Vertebra,
    vertebrae: list[_Vertebra],
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
    tangent: NDArray[np.float64],
) -> str:
    if vertebra.level.startswith("C"):
        return "the Genant scheme is for thoracic and lumbar vertebrae"
    # Transverse processes are often cut off at the sides; only the upper and lower edge take height away.
    if vertebra.box[2].start == 0 or vertebra.box[2].stop == shape[2]:
        return "cut by the upper or lower edge of the image"
    if vertebra.box[1].stop == shape[1]:
        return "cut by the front edge of the image"
    others = [v.voxels for v in vertebrae if v is not vertebra and _apart(v, vertebra) <= 2]
    if others and vertebra.voxels < _MIN_VOLUME_SHARE * np.median(others):
        return "the mask is a fragment, far smaller than its neighbours'"
    tilt = np.degrees(np.arccos(np.clip(abs(tangent[2]), 0, 1)))
    if tilt > _OBLIQUE_DEGREES and spacing[2] >= _THICK_MM:
        return f"oblique by more than {_OBLIQUE_DEGREES:.0f} degrees to slices of {spacing[2]:.1f} mm"
    return ""


def _apart(one: _Vertebra, other: _Vertebra) -> int:
    return abs(LEVELS.index(one.level) - LEVELS.index(other.level))


def _warnings(labels: Volume) -> tuple[str, ...]:
    coarse = max(labels.spacing_mm)
    if coarse > THICK_MM + 1e-3:
        return (
            f"Slices or voxels of {coarse:.1f} mm are thicker than {THICK_MM:.0f} mm: heights may be off by more than 1 mm.",
        )
    return ()
