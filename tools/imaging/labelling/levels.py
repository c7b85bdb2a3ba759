"""Which vertebra is which: where the ribs end, or the level that a person confirmed.

The lowest vertebra with ribs is taken for T12. One person in about twelve has ribs at L1, none at T12, or four or six lumbar
vertebrae, so names told by ribs are a proposal; where the ribs' end is not in view there is none, and a level is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.labelling.junctions import Junctions
from tools.imaging.labelling.straight import Curve
from tools.imaging.labels import LEVELS
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
_ALONG_MM = 2
_FRONT_MM, _SIDE_MM = np.arange(-45.0, 6.0, 2.0), np.arange(36.0, 51.0, 2.0)
"""Where ribs are and lumbar processes hardly reach, from the canal's middle."""
_BONE_HU = 150.0
_LEAST_IN_VIEW = 0.7
_RIB_SHARE, _RIB_SPREAD, _MOST_EVIDENCE = 0.05, 0.03, 1.5
"""Greatest share of bone in that region: .08 to .20 at T1 to T12, .00 to .07 at L1 to L3 of the chest and torso CT."""
_SURE, _LEAST_EVIDENCE = 1.0, 0.5


@dataclass(frozen=True)
class Levels:
    """Names from foot to head, empty when they cannot be told; how they were told; whether that is sure enough to go on."""

    names: tuple[str, ...]
    told: str
    settled: bool


def rib_shares(ct: Volume, curve: Curve, junctions: Junctions) -> Array:
    """Share of bone beside each vertebra, (n,), from foot to head; NaN where neither side is in the image."""
    sides = np.stack([_side(ct, curve, side) for side in (-1.0, 1.0)])
    shares = []
    for below, above in zip(junctions.places[:-1] // _ALONG_MM, junctions.places[1:] // _ALONG_MM, strict=True):
        part = sides[:, below : max(above, below + 1)]
        seen = np.isfinite(part).mean(axis=(1, 2, 3)) > _LEAST_IN_VIEW
        bone = (part > _BONE_HU).mean(axis=(2, 3)).max(axis=1)
        shares.append(float(bone[seen].mean()) if seen.any() else np.nan)
    return np.array(shares)


def _side(ct: Volume, curve: Curve, side: float) -> Array:
    pick = slice(None, None, _ALONG_MM)
    ahead = _FRONT_MM[None, :, None, None] * curve.front[pick, None, None]
    beside = side * _SIDE_MM[None, None, :, None] * curve.right[pick, None, None]
    to_voxel = np.linalg.inv(ct.affine)
    voxels = (curve.points[pick, None, None] + ahead + beside) @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    values = np.asarray(ct.data, dtype=np.float32)
    found: Array = ndimage.map_coordinates(values, np.moveaxis(voxels, -1, 0), order=1, cval=np.nan)
    return found


def from_ribs(shares: Array) -> Levels:
    """Names by where the ribs end.

    Args:
        shares: as of `rib_shares`.
    """
    evidence = np.nan_to_num(np.clip((shares - _RIB_SHARE) / _RIB_SPREAD, -_MOST_EVIDENCE, _MOST_EVIDENCE))
    count = len(evidence)
    without = range(max(0, count - 12), min(count, 6) + 1)
    scores = np.array([evidence[lumbar:].sum() - evidence[:lumbar].sum() for lumbar in without])
    if not len(scores):
        return Levels((), "more vertebrae than a spine has were found", settled=False)
    best = int(scores.argmax())
    lumbar = without[best]
    if not 0 < lumbar < count or evidence[lumbar:].mean() < _LEAST_EVIDENCE or evidence[:lumbar].mean() > -_LEAST_EVIDENCE:
        return Levels((), "the end of the ribs is not in view", settled=False)
    margin = float(scores[best] - np.delete(scores, best).max()) if len(scores) > 1 else 0.0
    told = f"by the lowest ribs (vertebra {count - lumbar} from the head has the last)"
    return Levels(names_from(count, lumbar - 1, "L1"), told, settled=margin >= _SURE)


def names_from(count: int, position: int, level: str) -> tuple[str, ...]:
    """Names of `count` vertebrae from foot to head when the one at `position` (0 is the lowest) is `level`.

    Vertebrae that would lie outside C1 to L5 get an empty name.
    """
    place = LEVELS.index(level) + position
    last = max(LEVELS.index("L5"), LEVELS.index(level))
    return tuple(LEVELS[place - n] if 0 <= place - n <= last else "" for n in range(count))
