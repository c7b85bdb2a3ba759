"""The spine as it was, as a volume in the patient's own space.

Every chosen level is painted in all its lateral slices with one common gain of height; what lies above it moves headwards
along the curve of the spine by that gain. The lowest vertebra stays where it is. Around the painted rows the patient's own
voxels are only moved, never repainted; outside the tube of the straightened plane the image is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from core.errors import FileError
from tools.imaging.healthivert.inference import HealthyPainter, Synthesis, slices_at
from tools.imaging.healthivert.mask_band import extent
from tools.imaging.healthivert.spine import PreparedSpine, to_hu
from tools.imaging.healthivert.straighten import PLANE, Curve
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
_SEAM_MM = 6.0
"""Over this width at the tube's sides the moved image fades into the one that was there."""


@dataclass(frozen=True)
class Restored:
    """One repainted level: rows of the straightened original it took, and how many rows it takes now."""

    level: str
    rows: tuple[int, int]
    height: int

    @property
    def gain(self) -> int:
        """Rows (mm) it regained."""
        return self.height - (self.rows[1] - self.rows[0])


@dataclass(frozen=True)
class HealthySpine:
    """The synthesised CT (HU) and bodies (the mask's values) on the patient's grid, and what was restored."""

    ct: Volume
    mask: Volume
    restored: tuple[Restored, ...]
    syntheses: tuple[Synthesis, ...]


def healthy_spine(
    painter: HealthyPainter,
    ct: Volume,
    mask: Volume,
    spine: PreparedSpine,
    levels: Sequence[str],
    progress: Callable[[float, str], None] | None = None,
) -> HealthySpine:
    """Paint the levels and lead everything back into the patient's space.

    Args:
        painter: the generator.
        ct: HU.
        mask: vertebra labels; gives the output mask its grid and values.
        spine: `ct` and `mask`, prepared.
        levels: which to restore; the others are moved, not painted.
        progress: called before each level.

    Raises:
        FileError: the prepared spine came from a file and has no way back.
    """
    if spine.curve is None:
        raise FileError("This prepared spine was read from a file and has lost its place in the patient.")
    restored, syntheses = [], []
    rows: list[_Rows] = []
    for number, level in enumerate(levels):
        if progress:
            progress(number / max(len(levels), 1), f"painting {level}")
        done = painter.synthesize(spine, level)
        block = _whole_level(painter, spine, done)
        if block is not None:
            syntheses.append(done)
            restored.append(block.about)
            rows.append(block)
    if progress:
        progress(0.9, "back into the patient's space")
    new_ct, new_mask = _led_back(ct, mask, spine, spine.curve, sorted(rows, key=lambda block: block.about.rows))
    return HealthySpine(new_ct, new_mask, tuple(restored), tuple(syntheses))


@dataclass(frozen=True)
class _Rows:
    """A painted block: bytes and body, (height, P, L)."""

    about: Restored
    ct: NDArray[np.uint8]
    body: NDArray[np.bool_]


def _whole_level(painter: HealthyPainter, spine: PreparedSpine, done: Synthesis) -> _Rows | None:
    """Paint every lateral slice of a level between common rows to a common height."""
    value = spine.levels.index(done.level) + 1
    body = spine.body(done.level)
    if not done.laterals or not body.any():
        return None
    rows = np.flatnonzero(body.any(axis=(1, 2)))
    start, stop = int(rows[0]), int(rows[-1]) + 1
    gains = []
    for before, after in zip(done.original, done.painted, strict=True):
        old, new = extent(before.bodies, value), after.painted
        if old and new:
            gains.append((new[1] - new[0]) - (old[1] - old[0]))
    height = min(stop - start + max(int(np.median(gains)) if gains else 0, 0), painter.config.band)
    if height < stop - start:
        return None
    laterals = list(range(body.shape[2]))
    work = slices_at(spine, laterals, value)
    for neighbour in (value - 1, value + 1):
        if 1 <= neighbour <= len(spine.levels):
            # Only the places beside the target matter as context; the rows of the target itself must not move.
            work = painter.repaint(work, neighbour, keep_rows=True)
    work = painter.repaint(work, value, span=(start, stop), height=height)
    block = slice(start, start + height)
    images = np.stack([item.ct[block] for item in work], axis=2)
    masks = np.stack([item.bodies[block] == value for item in work], axis=2)
    return _Rows(
        Restored(done.level, (start, stop), height), np.round((images + 1) * 127.5).clip(0, 255).astype(np.uint8), masks
    )


def _led_back(
    ct: Volume, mask: Volume, spine: PreparedSpine, curve: Curve, blocks: Sequence[_Rows]
) -> tuple[Volume, Volume]:
    index, place = _in_tube(ct, curve)
    gained = sum(block.about.gain for block in blocks)
    row = place[:, 0] + gained
    old, painted = _old_rows(row, blocks)
    whole = np.asarray(ct.data, dtype=np.float32)
    moved = whole[tuple(index.T)]
    # Where nothing moves nothing is sampled: those voxels stay exactly as they are.
    moves = (old != place[:, 0]) & (painted < 0)
    across = place[moves, 1], place[moves, 2]
    shift = curve.to_world(old[moves], *across) - curve.to_world(place[moves, 0], *across)
    from_where = index[moves].T + np.linalg.inv(ct.affine[:3, :3]) @ shift.T
    moved[moves] = ndimage.map_coordinates(whole, from_where, order=1, mode="nearest")
    lookup = np.array([0, *spine.values], dtype=np.int32)
    nearest = [
        np.clip(np.round(axis).astype(int), 0, n - 1)
        for axis, n in zip((old, place[:, 1], place[:, 2]), spine.bodies.shape, strict=True)
    ]
    labels = np.where((old >= 0) & (old < len(spine.bodies)), lookup[spine.bodies[tuple(nearest)]], 0)
    for number, block in enumerate(blocks):
        mine = painted == number
        at = np.stack([row[mine] - _first_row(blocks, number), place[mine, 1], place[mine, 2]])
        moved[mine] = ndimage.map_coordinates(to_hu(block.ct), at, order=1, mode="nearest")
        inside = ndimage.map_coordinates(block.body.astype(np.float32), at, order=1, mode="nearest") > 0.5
        labels[mine] = np.where(inside, spine.values[spine.levels.index(block.about.level)], 0)
    edge = np.minimum.reduce([place[:, 1], PLANE[0] - 1 - place[:, 1], place[:, 2], PLANE[1] - 1 - place[:, 2]])
    share = np.clip(edge / _SEAM_MM, 0, 1)
    new = whole.copy()
    new[tuple(index.T)] = share * moved + (1 - share) * whole[tuple(index.T)]
    bodies = np.zeros(mask.data.shape, dtype=np.asarray(mask.data).dtype)
    bodies[tuple(index.T)] = labels
    return Volume(np.clip(np.round(new), -1024, 3071).astype(np.int16), ct.affine), Volume(bodies, mask.affine)


def _in_tube(ct: Volume, curve: Curve) -> tuple[NDArray[np.int64], Array]:
    """Voxels inside the straightened plane's tube, (n, 3), and their straightened (row, column, lateral) as fractions."""
    shape, affine = ct.data.shape, ct.affine
    reach = float(np.linalg.norm(np.array(PLANE) / 2))
    corners = (np.vstack([curve.points - reach, curve.points + reach]) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, shape)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, shape)
    index = np.stack(
        np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high, strict=True)], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    found = cKDTree(curve.points).query(world, distance_upper_bound=reach)
    near = np.isfinite(np.asarray(found[0]))
    index, world, nearest = index[near], world[near], np.asarray(found[1])[near]
    offset = world - curve.points[nearest]
    along, back, left = (np.einsum("nc,nc->n", offset, curve.axes[nearest, axis]) for axis in range(3))
    place = np.stack([nearest + along, back + PLANE[0] / 2, left + PLANE[1] / 2], axis=1)
    inside = (place[:, 1:] >= 0).all(axis=1) & (place[:, 1] < PLANE[0]) & (place[:, 2] < PLANE[1]) & (np.abs(along) < 30)
    return index[inside], place[inside]


def _old_rows(row: Array, blocks: Sequence[_Rows]) -> tuple[Array, NDArray[np.int64]]:
    """For rows of the new spine the row of the old one, and the painted block they lie in (-1: none)."""
    old, painted, gained = row.copy(), np.full(len(row), -1), 0
    for number, block in enumerate(blocks):
        first = block.about.rows[0] + gained
        inside = (row >= first) & (row < first + block.about.height)
        painted[inside] = number
        gained += block.about.gain
        beyond = row >= first + block.about.height
        old[beyond] = row[beyond] - gained
    return old, painted


def _first_row(blocks: Sequence[_Rows], number: int) -> int:
    return blocks[number].about.rows[0] + sum(block.about.gain for block in blocks[:number])
