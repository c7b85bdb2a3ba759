"""A spine ready for the generator: straightened, windowed, bodies only; and its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError
from tools.imaging.healthivert.depedicle import depedicle
from tools.imaging.healthivert.straighten import Curve, centroids, fit_curve, straighten
from tools.imaging.labels import LEVELS, level_names
from tools.imaging.volume import Volume

WINDOW_HU = (-300.0, 800.0)
UNKNOWN = 9
"""A grade that is not known: never painted in training, never called healthy or fractured."""


@dataclass(frozen=True)
class PreparedSpine:
    """CT as 0..255 over the window and bodies, both (I, P, L) at 1 mm; bodies hold 1 + the index into `levels`.

    `values` are the mask's own values; `curve` leads back into the patient's space and is None for a spine read from a file.
    """

    ct: NDArray[np.uint8]
    bodies: NDArray[np.uint8]
    levels: tuple[str, ...]
    values: tuple[int, ...]
    grades: Mapping[str, int] = field(default_factory=dict)
    curve: Curve | None = None

    def body(self, level: str) -> NDArray[np.bool_]:
        """Where the body of one level is."""
        mine: NDArray[np.bool_] = self.bodies == 1 + self.levels.index(level)
        return mine


def prepare_spine(
    ct: Volume, mask: Volume, names: Mapping[int, str] | None = None, grades: Mapping[str, int] | None = None
) -> PreparedSpine:
    """Straighten, window and de-pedicle.

    Args:
        ct: HU, on the mask's grid or another.
        mask: vertebra labels.
        names: value to level; told from the values when absent.
        grades: what is known of the levels.

    Raises:
        FileError: fewer than two vertebrae.
    """
    values = [int(v) for v in np.unique(np.asarray(mask.data)) if v > 0]
    named = {v: n for v, n in (names or level_names(values)).items() if n in LEVELS}
    present, points = centroids(mask, named, LEVELS)
    curve = fit_curve(points)
    done = straighten(ct, mask, present, curve)
    bodies = np.zeros(done.labels.shape, dtype=np.uint8)
    for number, value in enumerate(present):
        bodies[depedicle(done.labels == value)] = number + 1
    return PreparedSpine(to_bytes(done.hu), bodies, tuple(named[v] for v in present), present, dict(grades or {}), curve)


def to_bytes(hu: NDArray[np.float32]) -> NDArray[np.uint8]:
    """HU to 0..255 over the window."""
    low, high = WINDOW_HU
    scaled: NDArray[np.uint8] = np.round(255 * np.clip((hu - low) / (high - low), 0, 1)).astype(np.uint8)
    return scaled


def to_hu(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """0..255 back to HU, within the window."""
    low, high = WINDOW_HU
    return (low + values.astype(np.float32) / 255 * (high - low)).astype(np.float32)


def save_spine(spine: PreparedSpine, path: Path) -> None:
    """Write arrays, levels and grades as `.npz`; the way back into the patient's space is not kept."""
    grades = np.array([spine.grades.get(level, -1) for level in spine.levels], dtype=np.int8)
    np.savez_compressed(
        path, ct=spine.ct, bodies=spine.bodies, levels=np.array(spine.levels), values=np.array(spine.values), grades=grades
    )


def load_spine(path: Path) -> PreparedSpine:
    """Read what `save_spine` wrote.

    Raises:
        FileError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            levels = tuple(str(level) for level in file["levels"])
            grades = {level: int(g) for level, g in zip(levels, file["grades"], strict=True) if g >= 0}
            values = tuple(int(v) for v in file["values"])
            return PreparedSpine(file["ct"], file["bodies"], levels, values, grades)
    except (OSError, ValueError, KeyError) as error:
        raise FileError(f"{path.name!r} is no prepared spine: {error}.") from error
