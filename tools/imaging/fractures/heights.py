"""Anterior, middle and posterior height of every vertebra of a mask, and which vertebrae cannot be measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import FileError
from tools.imaging.fractures.body import Body, find_body
from tools.imaging.fractures.checks import (
    THICK_MM,
    Flag,
    Placed,
    clean,
    cut_by_edge,
    numbering_warnings,
    out_of_order,
    refuse_subregions,
    touching,
)
from tools.imaging.fractures.endplates import without_stairs
from tools.imaging.fractures.surface import repeated_axes
from tools.imaging.labels import LEVELS, level_names, place_of
from tools.imaging.reading import whole_numbers
from tools.imaging.volume import Volume

Thirds = tuple[float, float, float]
"""Anterior, middle, posterior."""

_TRIM = 0.08
"""Share of the depth left out at front and back: the rounded corners read too short."""
_STRAY = 0.4
"""Columns lower than this share of the middle one are the rim, not the body."""
_OBLIQUE_DEGREES, _MOST_OBLIQUE_DEGREES = 35.0, 55.0
"""Against thick slices: from the first it is flagged, from the second not graded."""
_THICK_MM = 2.0
_MIN_VOLUME_SHARE = 0.2
_WIDE_MM, _WIDE = 12.0, 2.0
_MIN_AREA_SHARE = 0.45
"""A body whose cross-section is this small against its neighbours' is a fragment: a fracture takes height, not area."""
_PLAUSIBLE_MM = (7.0, 48.0)
"""Median body height of a spine: outside, the voxel size of the file must be wrong."""
_REACH_MM = 75.0
"""No part of a vertebra lies farther from its middle."""
_APART_MM = (6.0, 80.0)
_FINE_MM = 0.55
"""Masks finer than this are averaged to about twice it: nothing of a height is lost, and the time is bounded."""


@dataclass(frozen=True)
class Measured:
    """Heights of one level in mm, where its centre is (voxel), and how the heights move (mm, SD) when the mask is shaken."""

    level: str
    value: int
    heights: Thirds
    body: Body
    centre: tuple[int, int, int]
    spread: Thirds = (0.0, 0.0, 0.0)
    warnings: tuple[Flag, ...] = ()


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
    warnings: tuple[Flag, ...] = ()


@dataclass(frozen=True)
class _Vertebra:
    level: str
    value: int
    box: tuple[slice, ...]
    centroid: NDArray[np.float64]
    voxels: int
    span: float
    strays: float


def measure_spine(
    labels: Volume,
    names: dict[int, str] | None = None,
    progress: Callable[[float, str], None] | None = None,
    ct: Volume | None = None,
    jitter: int = 0,
) -> Spine:
    """Measure every vertebra.

    Args:
        labels: the mask, whole numbers, RAS.
        names: value to level; told from the values when absent.
        progress: called before each level; what it raises stops the measuring.
        jitter: how many times each level is measured again with a shaken mask, for `Measured.spread`.
        ct: on the mask's grid, if there is one; it shows where the image was padded.

    Raises:
        FileError: the mask has no vertebra, its numbering runs against the anatomy, or its voxel size is impossible.
    """
    data = whole_numbers(np.asarray(labels.data))
    vertebrae, named = _vertebrae(Volume(data, labels.affine), names)
    placed = [Placed(item.level, item.centroid) for item in vertebrae]
    misplaced = out_of_order(placed)
    _refuse_spacing(placed)
    whole = _has_processes(vertebrae)
    repeated = repeated_axes(data[item.box] == item.value for item in vertebrae)
    measured: list[Measured] = []
    skipped: list[Unmeasured] = []
    for number, vertebra in enumerate(vertebrae):
        if progress:
            progress(number / len(vertebrae), f"measuring {vertebra.level}")
        tangent = _tangent(vertebrae, number)
        reason = _not_gradable(vertebra, vertebrae, labels.spacing_mm, tangent)
        if vertebra.level in misplaced:
            reason = "its label lies out of order among the levels: mend the numbering"
        body: Body | None = None
        noted: tuple[Flag, ...] = ()
        if not reason:
            grid, box, noted = _cleaned(Volume(data, labels.affine), vertebra)
            body = find_body(grid, vertebra.value, box, tangent, has_processes=whole, repeated=repeated, jitter=jitter)
            reason = cut_by_edge(body, labels, ct) if body else "no solid vertebral body was found in the mask"
        heights = third_heights(without_stairs(body)) if body else None
        if body is None or heights is None or reason:
            skipped.append(Unmeasured(vertebra.level, reason or "the body is too irregular to measure"))
            continue
        centre = np.linalg.inv(labels.affine) @ np.append(body.frame.origin, 1.0)
        x, y, z = (int(v) for v in np.clip(np.round(centre[:3]), 0, np.array(data.shape) - 1))
        noted = (*noted, *_oblique(body, labels.spacing_mm), *touching(data, labels.affine, body, named))
        measured.append(Measured(vertebra.level, vertebra.value, heights, body, (x, y, z), _spread(body), noted))
    kept, fragments = _without_fragments(measured)
    kept = _with_gaps(kept)
    _refuse_implausible(kept)
    return Spine(kept, (*skipped, *fragments), (*_warnings(labels), *numbering_warnings(placed, named)))


def _refuse_spacing(placed: Sequence[Placed]) -> None:
    steps = [
        float(np.linalg.norm(a.centroid - b.centroid))
        for a, b in pairwise(placed)
        if place_of(b.level) - place_of(a.level) == 1
    ]
    if steps and not _APART_MM[0] <= float(np.median(steps)) <= _APART_MM[1]:
        raise FileError(
            f"Neighbouring vertebrae of the mask would be {np.median(steps):.1f} mm apart, where {_APART_MM[0]:.0f} to "
            f"{_APART_MM[1]:.0f} mm is possible: the voxel size in the file's header must be wrong."
        )


def _without_fragments(measured: list[Measured]) -> tuple[tuple[Measured, ...], tuple[Unmeasured, ...]]:
    """Bodies far smaller in cross-section than those around them are not graded."""
    area = {item.level: item.body.width * (item.body.front - item.body.back) for item in measured}
    small = set()
    for item in measured:
        near = [area[o.level] for o in measured if 0 < abs(place_of(o.level) - place_of(item.level)) <= 3]
        if near and area[item.level] < _MIN_AREA_SHARE * float(np.median(near)):
            small.add(item.level)
    reason = "the mask holds only a part of the body: its cross-section is far smaller than its neighbours'"
    kept = tuple(item for item in measured if item.level not in small)
    return kept, tuple(Unmeasured(item.level, reason) for item in measured if item.level in small)


def _with_gaps(measured: Sequence[Measured]) -> tuple[Measured, ...]:
    """A flag where the space to the next vertebra is far wider than elsewhere: a part of the label may be missing."""
    pairs = [(a, b) for a, b in pairwise(measured) if place_of(b.level) - place_of(a.level) == 1]
    gaps = [float(np.linalg.norm(a.body.frame.origin - b.body.frame.origin)) - (a.heights[1] + b.heights[1]) / 2
            for a, b in pairs]  # fmt: skip
    flags: dict[str, Flag] = {}
    for number, (a, b) in enumerate(pairs):
        others = [gap for place, gap in enumerate(gaps) if place != number]
        if others and gaps[number] > max(_WIDE_MM, _WIDE * float(np.median(others))):
            text = (
                f"The space between {a.level} and {b.level} is {gaps[number]:.0f} mm, where {np.median(others):.0f} mm is "
                "usual here: a part of a label may be missing, and a loss there be too large."
            )
            flags |= {a.level: Flag("wide_gap", text), b.level: Flag("wide_gap", text)}
    return tuple(
        replace(item, warnings=(*item.warnings, flags[item.level])) if item.level in flags else item for item in measured
    )


def _refuse_implausible(measured: Sequence[Measured]) -> None:
    if not measured:
        return
    usual = float(np.median([item.heights[2] for item in measured]))
    if not _PLAUSIBLE_MM[0] <= usual <= _PLAUSIBLE_MM[1]:
        raise FileError(
            f"The vertebral bodies of the mask would be {usual:.1f} mm high, where {_PLAUSIBLE_MM[0]:.0f} to "
            f"{_PLAUSIBLE_MM[1]:.0f} mm is possible: the voxel size in the file's header must be wrong."
        )


def _cleaned(labels: Volume, vertebra: _Vertebra) -> tuple[Volume, tuple[slice, ...], tuple[Flag, ...]]:
    """A crop that holds this vertebra alone, holes filled and stray pieces left out; its box there; warnings."""
    mine, warnings = clean(np.asarray(labels.data[vertebra.box]) == vertebra.value, vertebra.strays)
    affine = labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([s.start for s in vertebra.box], dtype=float)
    mine, affine = _tight(mine, affine)
    mine, affine = _coarser(mine, affine)
    box = tuple(slice(0, n) for n in mine.shape)
    return Volume(mine.astype(np.int32) * vertebra.value, affine), box, warnings


def _tight(mine: NDArray[np.bool_], affine: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Cropped to what is left after cleaning."""
    found = ndimage.find_objects(mine.astype(np.int8))
    if not found or found[0] is None:
        return mine, affine
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ np.array([s.start for s in found[0]], dtype=float)
    return mine[found[0]], moved


def _coarser(mine: NDArray[np.bool_], affine: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Blocks of a very fine mask made one voxel by majority, so that time and memory do not grow with the scanner."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    blocks = np.where(spacing < _FINE_MM, np.maximum(np.round(2 * _FINE_MM * 0.7 / spacing), 1), 1).astype(int)
    if (blocks == 1).all():
        return mine, affine
    padded = np.pad(mine, [(0, -n % b) for n, b in zip(mine.shape, blocks, strict=True)])
    parts = [size for n, b in zip(padded.shape, blocks, strict=True) for size in (n // b, b)]
    share = padded.reshape(parts).mean(axis=(1, 3, 5))
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ ((blocks - 1) / 2)
    moved[:3, :3] = affine[:3, :3] * blocks
    return share > 0.5, moved


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


def _vertebrae(labels: Volume, names: dict[int, str] | None) -> tuple[list[_Vertebra], dict[int, str]]:
    data = np.asarray(labels.data)
    values = [int(v) for v in np.unique(data) if v > 0]
    if not values:
        raise FileError("The mask is empty: it must hold vertebra labels, and every voxel is 0.")
    boxes = ndimage.find_objects(data)
    refuse_subregions(boxes, labels.spacing_mm[2])
    every = names or level_names(values)
    named = {value: name for value, name in every.items() if value in values and (name in LEVELS or name == "T13")}
    if not named:
        raise FileError(
            f"The mask has no vertebra label. It has the values {values[:12]}; vertebrae are 1-25 in the VerSe numbering "
            "and 27-50 in TotalSegmentator's."
        )
    found = []
    for value, level in named.items():
        box = boxes[value - 1]
        points = np.argwhere(data[box] == value) + [s.start for s in box]
        every_voxel = len(points)
        box, points = _near_middle(points, labels.spacing_mm)
        centroid = (labels.affine @ np.append(points.mean(axis=0), 1.0))[:3]
        depth = (points[:, 1].max() - points[:, 1].min()) * labels.spacing_mm[1]
        found.append(_Vertebra(level, value, box, centroid, len(points), float(depth), 1 - len(points) / every_voxel))
    return sorted(found, key=lambda vertebra: place_of(vertebra.level)), every


def _near_middle(
    points: NDArray[np.intp], spacing: tuple[float, float, float]
) -> tuple[tuple[slice, ...], NDArray[np.intp]]:
    """The box and voxels of a label without strays that lie too far off to belong to it."""
    middle = np.median(points, axis=0)
    points = points[(np.abs(points - middle) * spacing <= _REACH_MM).all(axis=1)]
    low, high = points.min(axis=0), points.max(axis=0) + 1
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)), points


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
    spacing: tuple[float, float, float],
    tangent: NDArray[np.float64],
) -> str:
    if vertebra.level.startswith("C"):
        return "the Genant scheme is for thoracic and lumbar vertebrae"
    others = [v.voxels for v in vertebrae if v is not vertebra and _apart(v, vertebra) <= 2]
    if others and vertebra.voxels < _MIN_VOLUME_SHARE * np.median(others):
        return "the mask is a fragment, far smaller than its neighbours'"
    tilt = np.degrees(np.arccos(np.clip(abs(tangent[2]), 0, 1)))
    if tilt > _MOST_OBLIQUE_DEGREES and spacing[2] >= _THICK_MM:
        return f"oblique by more than {_MOST_OBLIQUE_DEGREES:.0f} degrees to slices of {spacing[2]:.1f} mm"
    return ""


def _spread(body: Body) -> Thirds:
    heights = [found for again in body.jittered if (found := third_heights(without_stairs(again)))]
    if len(heights) < 2:
        return 0.0, 0.0, 0.0
    front, middle, back = (float(v) for v in np.std(heights, axis=0, ddof=1))
    return front, middle, back


def _oblique(body: Body, spacing: tuple[float, float, float]) -> tuple[Flag, ...]:
    tilt = float(np.degrees(np.arccos(np.clip(abs(body.frame.axes[2, 2]), 0, 1))))
    if tilt <= _OBLIQUE_DEGREES or spacing[2] < _THICK_MM:
        return ()
    return (Flag("oblique", f"It lies {tilt:.0f} degrees oblique to slices of {spacing[2]:.1f} mm: heights are less sure."),)


def _apart(one: _Vertebra, other: _Vertebra) -> float:
    return abs(place_of(one.level) - place_of(other.level))


def _warnings(labels: Volume) -> tuple[Flag, ...]:
    coarse = max(labels.spacing_mm)
    if coarse > THICK_MM + 1e-3:
        return (
            Flag(
                "thick_slices",
                f"Slices or voxels of {coarse:.1f} mm are thicker than {THICK_MM:.0f} mm: heights may be off by over 1 mm.",
            ),
        )
    return ()
