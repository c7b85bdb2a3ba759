"""`consilium eval labelling`: the built-in labeller against masks that were drawn by people or by another program.

Every CT of a folder in the VerSe layout that has a mask is labelled without it; drawn spines can be added. Bodies are
compared in the labeller's own straightened grid, where the given mask is cut at the back wall: arches and processes are not
asked for.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import ConsiliumError, FileError
from tools.imaging.fractures.heights import Measured, measure_spine
from tools.imaging.labelling.canal import find_canal
from tools.imaging.labelling.junctions import find_walls
from tools.imaging.labelling.labeller import Labelled, label_vertebrae
from tools.imaging.labelling.straight import FRONT_MM, RIGHT_MM, Curve, curve_of, sample
from tools.imaging.labels import LEVELS
from tools.imaging.nifti import read_nifti
from tools.imaging.numbering import resolve
from tools.imaging.simulated_spine import plan_spine, render
from tools.imaging.volume import Volume

_SAME = 0.3


@dataclass(frozen=True)
class Compared:
    """One body found: the level it lies in, the level proposed, overlap, distance of the middles, error of heights (mm)."""

    level: str
    proposed: str
    dice: float
    centre_mm: float
    height_mm: tuple[float, float, float] | None


@dataclass(frozen=True)
class LabelScore:
    """One CT. `missed`: levels of the mask, not at its ends, without a body found in them; `extra`: bodies in no label."""

    spine: str
    seconds: float
    told: str
    settled: bool
    found: tuple[Compared, ...]
    missed: tuple[str, ...]
    extra: int
    refused: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Print a line per level, or JSON."""
    scores = []
    for name, ct, mask in _spines(arguments):
        scores.append(score_labels(name, ct, mask))
        if not arguments.json:
            print(_told(scores[-1]), flush=True)
    if not scores:
        raise FileError("No CT with a mask was given: DIR with X_ct.nii.gz and X_seg-vert_msk.nii.gz, or --drawn N.")
    if arguments.json:
        print(json.dumps([asdict(item) for item in scores]))
    return 0


def _spines(arguments: argparse.Namespace) -> Iterator[tuple[str, Volume, Volume]]:
    if arguments.folder:
        for path in sorted(Path(arguments.folder).rglob("*_msk.nii*")):
            subject = path.name.split("_seg")[0]
            ct = next(iter(sorted(path.parent.glob(f"{subject}_ct.nii*"))), None)
            if ct and "subreg" not in path.name:
                yield subject, read_nifti(ct).volume, read_nifti(path).volume
    for number in range(arguments.drawn):
        drawn = render(plan_spine(arguments.seed + number))
        yield f"drawn-{arguments.seed + number}", drawn.ct, drawn.mask


def score_labels(name: str, ct: Volume, mask: Volume) -> LabelScore:
    """Label a CT without its mask, then compare."""
    begin = time.process_time()
    try:
        found = label_vertebrae(ct)
    except ConsiliumError as refused:
        return LabelScore(name, round(time.process_time() - begin, 1), "", False, (), (), 0, str(refused))
    seconds = time.process_time() - begin
    names = resolve(mask).names
    given, mine = _straightened(ct, mask), _straightened(ct, found.mask)
    heights = {item.level: item for item in measure_spine(mask, names).measured}
    compared: list[Compared] = []
    taken: set[str] = set()
    for item in found.vertebrae:
        here = np.asarray(found.mask.data)[item.centre] or item.number
        one = mine == here
        inside = given[one]
        values = inside[inside > 0]
        if not one.any() or len(values) < _SAME * one.sum():
            continue
        value = int(np.bincount(values).argmax())
        level, other = names.get(value, str(value)), given == value
        dice = 2 * float((one & other).sum()) / float(one.sum() + other.sum())
        apart = np.subtract(ndimage.center_of_mass(one), ndimage.center_of_mass(other))
        off = _height_error(found, int(here), level, heights)
        compared.append(Compared(level, item.level, round(dice, 3), round(float(np.linalg.norm(apart)), 1), off))
        taken.add(level)
    inner = sorted((level for level in names.values() if level in LEVELS), key=LEVELS.index)[1:-1]
    missed = tuple(level for level in inner if level not in taken)
    extra = len(found.vertebrae) - len(compared)
    return LabelScore(name, round(seconds, 1), found.levels.told, found.levels.settled, tuple(compared), missed, extra)


def _height_error(found: Labelled, value: int, level: str, given: dict[str, Measured]) -> tuple[float, float, float] | None:
    """Anterior, middle and posterior height by our own outline less that by the given mask."""
    values = [int(v) for v in np.unique(np.asarray(found.mask.data)) if v > 0]
    named = {
        v: LEVELS[LEVELS.index(level) + (v - value)] for v in values if 0 <= LEVELS.index(level) + v - value < len(LEVELS)
    }
    mine = {item.level: item for item in measure_spine(found.mask, named).measured}
    if level not in mine or level not in given:
        return None
    a, m, p = (round(float(v), 1) for v in np.subtract(mine[level].heights, given[level].heights))
    return a, m, p


def _straightened(ct: Volume, mask: Volume) -> NDArray[np.int32]:
    """Labels on the canal's curve, without what lies behind the bodies' back wall."""
    curve: Curve = curve_of(find_canal(ct))
    walls = find_walls(sample(ct, curve))
    across = FRONT_MM[None, :, None, None] * curve.front[:, None, None]
    across = across + RIGHT_MM[None, None, :, None] * curve.right[:, None, None]
    to_voxel = np.linalg.inv(mask.affine)
    voxels = (curve.points[:, None, None] + across) @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    labels = np.asarray(mask.data).astype(np.int32)
    straight: NDArray[np.int32] = ndimage.map_coordinates(labels, np.moveaxis(voxels, -1, 0), order=0, cval=0)
    straight[FRONT_MM[None, :] < walls.back[:, None] - 1] = 0
    return straight


def _told(score: LabelScore) -> str:
    if score.refused:
        return f"{score.spine}: refused: {score.refused}"
    named = sum(item.level == item.proposed for item in score.found)
    lines = [
        f"{score.spine}: {len(score.found)} bodies in {score.seconds:.1f} s of processor time, {score.extra} outside the "
        f"mask, missed {', '.join(score.missed) or 'none'}; levels {'told' if score.settled else 'asked for'} "
        f"({score.told}), {named} right"
    ]
    for item in score.found:
        off = "not measured" if item.height_mm is None else " ".join(f"{v:+.1f}" for v in item.height_mm)
        lines.append(
            f"    {item.level:4} as {item.proposed or '?':4} Dice {item.dice:.3f}, middle {item.centre_mm:.1f} mm off, "
            f"heights {off} mm"
        )
    if score.found:
        overlaps = np.array([item.dice for item in score.found])
        errors = np.abs([item.height_mm for item in score.found if item.height_mm])
        lines.append(f"    Dice {overlaps.mean():.3f} ({overlaps.min():.3f} at least), heights MAE {errors.mean():.2f} mm")
    return "\n".join(lines)
