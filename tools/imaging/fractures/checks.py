"""What can be wrong with a mask or a CT before anything is graded, said in words a person can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import FileError
from tools.imaging.fractures.body import Body
from tools.imaging.labels import place_of
from tools.imaging.nifti import looks_like_ct
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
Box = tuple[slice, ...]
THICK_MM = 3.0
_SUBREGIONS = range(41, 51)
_STACKED_MM = 5.0
"""Neighbouring vertebrae lie at least this far apart in height, even where the neck runs oblique."""
_SMALL_SHARE = 0.02
_PIECE = 0.2
"""A piece smaller than this against the largest is stray; posterior elements that came apart are larger."""
_TOUCHING_SHARE = 0.3
_FAR, _NEAR = 1.6, 1.5
_METAL_HU, _METAL_SHARE = 1800, 0.01
_DENSE_HU = 450


class Flag(str):
    """A warning in words, with a short fixed `code` for programs."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, code: str, text: str) -> Flag:
        """Words that know their code."""
        flag = super().__new__(cls, text)
        flag.code = code
        return flag


@dataclass(frozen=True)
class Placed:
    """A labelled level and the centroid of its label, RAS mm."""

    level: str
    centroid: Array


def refuse_subregions(boxes: Sequence[Box | None], step_mm: float) -> None:
    """Refuse a SPINEPS subregion mask, whose parts 41-50 would read as T3 to C1 in TotalSegmentator's numbering.

    Vertebrae lie one above the other; the parts of a vertebra lie side by side at the same height.

    Args:
        boxes: bounding box of each value from 1, in RAS voxels.
        step_mm: distance of slices from foot to head.

    Raises:
        FileError: at least three of the values 41-50 are there and do not climb from one to the next as vertebrae do.
    """
    present = [v for v in _SUBREGIONS if v <= len(boxes) and boxes[v - 1] is not None]
    if len(present) < 3:
        return
    middles = [float(np.mean([(b.start + b.stop) / 2 for b in (boxes[v - 1] or ())[2:]])) * step_mm for v in present]
    if abs(middles[-1] - middles[0]) < _STACKED_MM * (len(present) - 1):
        raise FileError(
            f"The mask holds the parts of vertebrae (SPINEPS subregions, values {present}), not vertebrae: they lie at the "
            "same height. Give the vertebra mask (seg-vert) that belongs to it."
        )


def out_of_order(vertebrae: Sequence[Placed]) -> set[str]:
    """Levels whose label lies above the label of a level nearer to the head.

    Raises:
        FileError: more than a third of the steps run the wrong way, so the numbering itself is wrong.
    """
    wrong = [(a, b) for a, b in pairwise(vertebrae) if b.centroid[2] >= a.centroid[2]]
    if len(wrong) > max(0, (len(vertebrae) - 1) // 3):
        first, second = wrong[0]
        raise FileError(
            f"The numbering runs against the anatomy: {second.level} lies above {first.level}. "
            "Choose the numbering (VerSe or TotalSegmentator) or mend the mask."
        )
    return {item.level for pair in wrong for item in pair}


def numbering_warnings(vertebrae: Sequence[Placed], values: Mapping[int, str]) -> tuple[Flag, ...]:
    """A jump in the numbers without one in space, one in space without one in the numbers, and transitional anatomy."""
    warnings: list[Flag] = []
    steps = [
        (a, b, place_of(b.level) - place_of(a.level), float(np.linalg.norm(a.centroid - b.centroid)))
        for a, b in pairwise(vertebrae)
    ]
    single = [mm for _, _, levels, mm in steps if levels == 1]
    for a, b, levels, mm in steps:
        others = [other for c, _, n, other in steps if n == 1 and c is not a]
        usual = float(np.median(others)) if others else 0.0
        if not single or not usual:
            continue
        if levels == 1 and mm > _FAR * usual:
            warnings.append(
                Flag(
                    "vertebra_missing",
                    f"{a.level} and {b.level} are {mm:.0f} mm apart, where {usual:.0f} mm is usual here: a vertebra between "
                    "them seems to be missing from the mask, and the numbering may be wrong.",
                )
            )
        if levels == 2 and mm < _NEAR * usual:
            warnings.append(
                Flag(
                    "number_skipped",
                    f"No label lies between {a.level} and {b.level}, only {mm:.0f} mm apart: the numbering skips a "
                    "level, or this is a transitional anatomy.",
                )
            )
    extra = sorted({name for name in values.values() if name in ("L6", "T13")})
    if extra:
        named = " and ".join(extra)
        text = f"Transitional anatomy: the mask has {named}. Confirm the level names by counting."
        warnings.append(Flag("transitional_anatomy", text))
    return tuple(warnings)


def clean(mine: NDArray[np.bool_], strays: float = 0.0) -> tuple[NDArray[np.bool_], tuple[Flag, ...]]:
    """One vertebra without its holes and stray pieces, and warnings when these were more than 2 % of it.

    Args:
        mine: its voxels.
        strays: share of its label that was left out before, as too far off.
    """
    total = int(mine.sum())
    pieces, number = ndimage.label(mine, structure=np.ones((3, 3, 3)))
    warnings: list[Flag] = []
    if number > 1:
        sizes = np.bincount(pieces.ravel())[1:]
        kept = np.isin(pieces, 1 + np.flatnonzero(sizes >= _PIECE * sizes.max()))
        strays += (1 - strays) * (total - int(kept.sum())) / total
        mine = kept
    if strays > _SMALL_SHARE:
        warnings.append(Flag("stray_pieces", f"Stray pieces of the mask were left out ({100 * strays:.0f} % of the label)."))
    closed = ndimage.binary_closing(np.pad(mine, 2), iterations=2)[2:-2, 2:-2, 2:-2]
    filled = ndimage.binary_fill_holes(closed)
    holes = filled & ~closed
    if int(holes.sum()) > _SMALL_SHARE * total:
        share = 100 * holes.sum() / total
        warnings.append(Flag("holes", f"The mask has holes ({share:.0f} % of the label); they were filled."))
    whole: NDArray[np.bool_] = mine | ndimage.binary_fill_holes(mine) | holes
    return whole, tuple(warnings)


_EDGE_VOXELS = 1.3
_AT_EDGE_SHARE = 0.15


def cut_by_edge(body: Body, labels: Volume, ct: Volume | None = None) -> str:
    """Why a body's height is not whole: an endplate or its front lies at the edge of the image, or of its padding.

    Processes that leave the image take no height away; only the measured part of the body counts.

    Args:
        body: as measured.
        labels: the mask that it was measured on.
        ct: on the same grid: padding is where it holds one constant lowest value.
    """
    a, r = np.broadcast_arrays(body.anterior[:, None], body.right[None, :])
    place = (a - body.back) / (body.front - body.back)
    inner = (np.abs(r) < body.width / 4) & (np.abs(place - 0.5) < 0.45)
    for surface, beyond, called in ((body.top, 1.0, "upper"), (body.bottom, -1.0, "lower")):
        where = inner & np.isfinite(surface)
        if not where.any():
            continue
        points = np.stack([a[where], r[where], surface[where]], axis=1)
        if _outside(body, labels, ct, points, np.array([0.0, 0.0, beyond])) > _AT_EDGE_SHARE:
            return f"cut by the {called} edge of the image"
    front = np.stack([np.full(9, body.front), np.linspace(-0.25, 0.25, 9) * body.width, np.full(9, _middle(body))], axis=1)
    if _outside(body, labels, ct, front, np.array([1.0, 0.0, 0.0])) > 0.5:
        return "cut by the front edge of the image"
    return ""


def _middle(body: Body) -> float:
    return float(np.nanmedian(body.top + body.bottom) / 2)


def _outside(body: Body, labels: Volume, ct: Volume | None, points: Array, direction: Array) -> float:
    """Share of surface points with nothing of the image beyond them."""
    to_voxel = np.linalg.inv(labels.affine)
    voxels = body.frame.to_world(points) @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    outward = (direction @ body.frame.axes) @ to_voxel[:3, :3].T
    beyond = voxels + outward / np.abs(outward).max() * _EDGE_VOXELS
    size = np.array(labels.data.shape)
    out: NDArray[np.bool_] = ((beyond < 0) | (beyond > size - 1)).any(axis=1)
    if ct is not None:
        values = np.asarray(ct.data)
        lowest = values[::4, ::4, ::4].min()
        index = np.clip(np.round(beyond + outward / np.abs(outward).max()).astype(int), 0, size - 1)
        out |= values[tuple(index.T)] == lowest
    return float(out.mean())


def touching(data: NDArray[np.integer], affine: Array, body: Body, names: Mapping[int, str]) -> tuple[Flag, ...]:
    """A warning for each vertebra whose label begins where this body ends, without a disc between them."""
    a, r = np.broadcast_arrays(body.anterior[:, None], body.right[None, :])
    warnings: list[Flag] = []
    for surface, beyond in ((body.top, 1.0), (body.bottom, -1.0)):
        inner = np.isfinite(surface) & (np.abs(r) < body.width / 4)
        inner &= (a > body.back + 4) & (a < body.front - 4)
        if not inner.any():
            continue
        points = np.stack([a[inner], r[inner], surface[inner] + beyond * 1.2], axis=1)
        voxels = (body.frame.to_world(points) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
        index = np.clip(np.round(voxels).astype(int), 0, np.array(data.shape) - 1)
        found = data[tuple(index.T)]
        for value in np.unique(found[found > 0]):
            name = names.get(int(value))
            own = data[tuple(np.clip(np.round(_centre(body, affine)).astype(int), 0, np.array(data.shape) - 1))]
            if name and value != own and (found == value).mean() > _TOUCHING_SHARE:
                text = f"The label touches that of {name} without a disc between them: the endplate is uncertain."
                warnings.append(Flag("touching_labels", text))
    return tuple(warnings)


def _centre(body: Body, affine: Array) -> Array:
    voxel: Array = np.linalg.inv(affine[:3, :3]) @ (body.frame.origin - affine[:3, 3])
    return voxel


def ct_warnings(ct: Volume, labels: Volume, value: int) -> tuple[Flag, ...]:
    """Metal or cement in a vertebra, or marrow too dense to be bare bone."""
    mine = np.asarray(labels.data) == value
    # By its extent along each axis: find_objects takes ten times as long on a whole CT.
    seen = [np.flatnonzero(mine.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(int(places[0]), int(places[-1]) + 1) for places in seen)
    core = ndimage.binary_erosion(mine[box], iterations=2)
    if not core.any():
        return ()
    hu = np.asarray(ct.data[box])[core]
    if (hu > _METAL_HU).mean() > _METAL_SHARE:
        return (
            Flag(
                "metal_or_cement",
                f"Metal or cement in the vertebra ({100 * (hu > _METAL_HU).mean():.0f} % above {_METAL_HU} HU): it may have "
                "been treated, and the mask may be wrong beside the metal.",
            ),
        )
    if np.median(hu) > _DENSE_HU:
        text = f"The marrow is unusually dense (median {np.median(hu):.0f} HU): contrast medium, cement or sclerosis."
        return (Flag("dense_marrow", text),)
    return ()


def image_warnings(ct: Volume) -> tuple[Flag, ...]:
    """An image that does not hold Hounsfield units."""
    data = np.asarray(ct.data)
    if not looks_like_ct(data) and data.min() >= 0:
        return (
            Flag(
                "not_hu",
                f"The image does not look like CT in HU (its values run from {data.min():.0f} to {data.max():.0f}): "
                "heights come from the mask alone.",
            ),
        )
    return ()
