"""`consilium eval fracture-invariance`: what must not change a height, a loss or a grade, and what must not lower a grade.

Every spine is measured as it is, then turned, resampled, stored in another order, mirrored and thinned; heights and losses
of each level are compared. Then every level is compressed more and more: its grade may rise, never fall.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import FileError
from tools.imaging.compression import Kind, compress
from tools.imaging.fractures.genant import Graded, grade_spine
from tools.imaging.fractures.heights import measure_spine
from tools.imaging.nifti import read_nifti
from tools.imaging.simulated_spine import plan_spine, render
from tools.imaging.volume import Volume

HEIGHT_MM, LOSS = 1.0, 0.02
_TURN_DEGREES = 15.0
_SEVERITIES = np.arange(0.0, 0.651, 0.1)
_KINDS: tuple[Kind, ...] = ("wedge", "biconcave", "crush")


@dataclass(frozen=True)
class Spine:
    """A spine with or without its CT."""

    name: str
    ct: Volume | None
    mask: Volume


@dataclass(frozen=True)
class Change:
    """The largest change over all levels and thirds of a spine; `lost` levels could not be compared."""

    spine: str
    change: str
    levels: int
    lost: int
    height_mm: float
    loss: float
    grades_changed: int
    holds: bool


@dataclass(frozen=True)
class Monotone:
    """How many series of growing compression a spine gave, and in how many a grade fell."""

    spine: str
    series: int
    falls: tuple[str, ...]


Order = Literal[0, 1]
Transform = Callable[[Volume, Order], Volume]
"""A volume and the interpolation order (0 for a mask) to a volume."""


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or JSON."""
    changes, monotone = [], []
    for spine in spines(arguments):
        graded = _graded(spine)
        if not graded:
            continue
        for name, transform in transforms(spine.mask).items():
            changes.append(compare(spine, graded, name, transform))
            if not arguments.json:
                print(_line(changes[-1]), flush=True)
        if not arguments.no_monotone:
            monotone.append(monotonicity(spine, graded))
            if not arguments.json:
                told = monotone[-1]
                print(
                    f"{told.spine}: {told.series} series of growing compression, {len(told.falls)} with a fall {told.falls}"
                )
    if not changes:
        raise FileError("No spine with a level that can be graded was given.")
    if arguments.json:
        print(json.dumps({"changes": [asdict(c) for c in changes], "monotone": [asdict(m) for m in monotone]}))
    return 0


def spines(arguments: argparse.Namespace) -> Iterator[Spine]:
    """The masks (and CTs beside them) of a folder in the VerSe layout, and drawn spines."""
    if arguments.folder:
        folder = Path(arguments.folder)
        for path in sorted(folder.rglob("*_msk.nii*")):
            if "subreg" in path.name:
                continue
            subject = path.name.split("_seg")[0]
            ct = next(iter(sorted(path.parent.glob(f"{subject}*_ct.nii*"))), None) if not arguments.mask_only else None
            yield Spine(subject, read_nifti(ct).volume if ct else None, read_nifti(path).volume)
    for number in range(arguments.drawn):
        drawn = render(plan_spine(arguments.seed + number), with_ct=not arguments.mask_only)
        spacing = " x ".join(f"{v:.1f}" for v in drawn.mask.spacing_mm)
        yield Spine(f"drawn-{number} ({spacing})", None if arguments.mask_only else drawn.ct, drawn.mask)


def transforms(mask: Volume) -> dict[str, Transform]:
    """Name to what is done to CT and mask alike."""
    axis = int(np.argmax(mask.spacing_mm))
    every: dict[str, Transform] = {
        "mirrored left to right": lambda v, order: Volume(np.ascontiguousarray(v.data[::-1]), v.affine),
        "stored as PIR": lambda v, order: _stored(v, "PIR"),
        "stored as LSA": lambda v, order: _stored(v, "LSA"),
        "resampled to 1 mm, nearest label": lambda v, order: _resampled(v, np.eye(3), (1.0, 1.0, 1.0), order),
        "every second slice, even": lambda v, order: _thinned(v, axis, 0),
        "every second slice, odd": lambda v, order: _thinned(v, axis, 1),
    }
    for around, name in enumerate(("the transverse axis", "the front-back axis", "the long axis")):
        for degrees in (-_TURN_DEGREES, _TURN_DEGREES):
            every[f"turned {degrees:+.0f} degrees about {name}"] = _turned(_rotation(degrees, around))
    return every


def compare(spine: Spine, before: dict[str, Graded], name: str, transform: Transform) -> Change:
    """Grade the changed spine and compare the levels that are graded in both."""
    ct = transform(spine.ct, 1) if spine.ct is not None else None
    after = _graded(Spine(spine.name, ct, transform(spine.mask, 0)))
    both = [(before[level], after[level]) for level in before if level in after]
    heights = [np.abs(np.subtract(a.measured.heights, b.measured.heights)).max() for a, b in both]
    losses = [np.abs(np.subtract(a.loss, b.loss)).max() for a, b in both]
    height, loss = (float(max(values, default=float("nan"))) for values in (heights, losses))
    return Change(
        spine=spine.name,
        change=name,
        levels=len(both),
        lost=len(before) - len(both),
        height_mm=round(height, 3),
        loss=round(loss, 4),
        grades_changed=sum(a.grade != b.grade for a, b in both),
        holds=height <= HEIGHT_MM and (loss <= LOSS or name.startswith("every second")),
    )


def monotonicity(spine: Spine, graded: dict[str, Graded]) -> Monotone:
    """Compress every level in steps of 10 %, by wedge, dip and crush: where a grade falls is listed."""
    falls, series = [], 0
    for item in graded.values():
        for kind in _KINDS:
            grades = []
            for severity in _SEVERITIES:
                done = compress(spine.ct, spine.mask, item.measured, kind, float(severity))
                found = _graded(Spine(spine.name, done.ct, done.mask)).get(item.level)
                grades.append(found.grade if found else -1)
            series += 1
            said = [grade for grade in grades if grade >= 0]
            if any(later < earlier for earlier, later in pairwise(said)):
                falls.append(f"{item.level} {kind} {grades}")
    return Monotone(spine.name, series, tuple(falls))


def _graded(spine: Spine) -> dict[str, Graded]:
    return {item.level: item for item in grade_spine(measure_spine(spine.mask, ct=spine.ct))[0]}


def _stored(volume: Volume, codes: str) -> Volume:
    """Written in another axis order and read back as a person's file would be."""
    image = nib.Nifti1Image(np.asarray(volume.data), volume.affine, dtype=volume.data.dtype)
    turned = image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(tuple(codes))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii"
        nib.save(turned, path)
        return read_nifti(path).volume


def _thinned(volume: Volume, axis: int, first: int) -> Volume:
    keep = [slice(None)] * 3
    keep[axis] = slice(first, None, 2)
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, axis] * first
    affine[:3, axis] *= 2
    return Volume(np.ascontiguousarray(volume.data[tuple(keep)]), affine)


def _rotation(degrees: float, around: int) -> NDArray[np.float64]:
    angle, turn = np.radians(degrees), np.eye(3)
    i, j = [axis for axis in range(3) if axis != around]
    turn[[i, j], [i, j]] = np.cos(angle)
    turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
    return turn


def _turned(turn: NDArray[np.float64]) -> Transform:
    return lambda volume, order: _resampled(volume, turn, volume.spacing_mm, order)


def _resampled(volume: Volume, turn: NDArray[np.float64], spacing: tuple[float, float, float], order: Order) -> Volume:
    """The patient turned about the middle of the image and scanned on a new grid that holds all of the old one."""
    size = np.array(volume.data.shape)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in size], indexing="ij")).reshape(3, -1)
    world = (volume.affine[:3, :3] @ corners + volume.affine[:3, 3:4]).T
    middle = world.mean(axis=0)
    turned = (world - middle) @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    shape = tuple(int(n) for n in np.floor((high - low) / spacing) + 1)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    to_old = np.linalg.inv(volume.affine[:3, :3]) @ turn.T
    offset = to_old @ low + np.linalg.inv(volume.affine[:3, :3]) @ (middle - volume.affine[:3, 3])
    kind = volume.data.dtype
    values = np.asarray(volume.data, dtype=np.float32)
    outside = 0.0 if order == 0 else float(values.min())
    data = ndimage.affine_transform(
        values, to_old @ np.diag(spacing), offset, shape, output=np.float32, order=order, cval=outside
    )
    return Volume(np.round(data).astype(kind), affine)


def _line(change: Change) -> str:
    held = "holds" if change.holds else "MISSED"
    lost = f", {change.lost} not graded then" if change.lost else ""
    return (
        f"{change.spine:22} {change.change:44} {change.levels:2d} levels: {change.height_mm:5.2f} mm, "
        f"RHLV {change.loss:.3f}, {change.grades_changed} grades  {held}{lost}"
    )
