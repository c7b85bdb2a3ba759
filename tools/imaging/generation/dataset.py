"""Training pictures on disk: drawn patients and the real chest CT, as spine boxes and as developed films.

Made once into a folder by a seed, then mapped into memory: `drawn-000.npz` ... and `real.npz`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.imaging.generation.anatomy import FINE_MM, Grid, voxelise
from tools.imaging.generation.attributes import SpineAttributes, View
from tools.imaging.generation.captions import caption, random_attributes
from tools.imaging.generation.patient import Patient, draw_patient
from tools.imaging.generation.projection import AZIMUTH, develop, project
from tools.imaging.generation.real import chest_ct
from tools.imaging.generation.texture import textured

Array = NDArray[np.float32]
FILM_COLUMNS = 160
BODY_SHAPE = (236, 172)
"""Voxels of `FINE_MM` across and through a whole torso."""
_MARGIN_MM = 26.0
_REAL_AZIMUTHS = tuple(float(angle) for angle in range(-60, 125, 5))
_DRAWN_VIEWS: tuple[View, ...] = ("ap", "lateral", "left_oblique", "right_oblique")


@dataclass(frozen=True)
class FilmPair:
    """A developed film, the developed film of the plain CT, its azimuth in degrees, and words for it."""

    film: Array
    plain: Array
    azimuth: float
    words: str


def body_grid(patient: Patient, levels: tuple[str, ...], spacing_mm: float = FINE_MM) -> Grid:
    """The whole torso at the height of the shown levels; a multiple of 16 voxels high."""
    shown = [item for item in patient.vertebrae if item.level in levels]
    high = float(shown[0].centre[2]) + shown[0].shape.posterior_mm / 2 + _MARGIN_MM
    low = float(shown[-1].centre[2]) - shown[-1].shape.posterior_mm / 2 - _MARGIN_MM
    count = int(np.ceil((high - low) / (16 * spacing_mm))) * 16
    middle = np.mean([item.centre for item in shown], axis=0)
    nx, ny = (round(n * FINE_MM / spacing_mm) for n in BODY_SHAPE)
    return Grid(
        (nx, ny, count),
        spacing_mm,
        (float(middle[0]) - nx * spacing_mm / 2, float(middle[1]) - 105.0, (high + low) / 2 - count * spacing_mm / 2),
    )


def film_window(path: Array, column: float) -> Array:
    """`FILM_COLUMNS` columns of a projection around a column, padded with its edge where the projection ends."""
    left = round(column) - FILM_COLUMNS // 2
    take = np.clip(np.arange(left, left + FILM_COLUMNS), 0, path.shape[1] - 1)
    return path[:, take]


def spine_column(grid: Grid, patient: Patient, levels: tuple[str, ...], azimuth_deg: float) -> float:
    """The column of the shown levels' middle in `project`'s image of this grid."""
    middle = np.mean([item.centre for item in patient.vertebrae if item.level in levels], axis=0)
    centre = np.array(grid.low) + grid.spacing_mm * (np.array(grid.shape) - 1) / 2
    along, width = _along(middle[:2] - centre[:2], azimuth_deg, grid.shape)
    return width / 2 - along / grid.spacing_mm


def _along(offset: NDArray[np.float64], azimuth_deg: float, shape: tuple[int, int, int]) -> tuple[float, float]:
    """Position along the detector in mm from its middle (to the viewer's left), and the detector's columns."""
    angle = np.radians(azimuth_deg)
    along = float(offset[0] * np.cos(angle) + offset[1] * np.sin(angle))
    if azimuth_deg % 90 == 0:
        return along, float(shape[1] if (azimuth_deg // 90) % 2 else shape[0])
    return along, float(np.ceil(np.hypot(*shape[:2])))


def make_data(folder: Path, patients: int, seed: int, say: Callable[[str], None]) -> None:
    """Draw patients and prepare the real CT; files that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "real.npz").exists():
        _make_real(folder / "real.npz")
        say("real CT prepared")
    for number in range(patients):
        path = folder / f"drawn-{number:03d}.npz"
        if not path.exists():
            _make_drawn(path, random_attributes(1000 * seed + number), 1000 * seed + number)
            say(f"{path.name} drawn")


def _make_drawn(path: Path, attributes: SpineAttributes, seed: int) -> None:
    patient = draw_patient(attributes, seed)
    levels = attributes.shown_levels
    anatomy = voxelise(patient, body_grid(patient, levels))
    rng = np.random.default_rng([seed, 16])
    ct = textured(anatomy.plain, anatomy.tissue, seed, noise_hu=float(rng.uniform(10, 28)))
    films, plains, words = [], [], []
    azimuths = [*(AZIMUTH[view] for view in _DRAWN_VIEWS), float(rng.uniform(-60, 120))]
    for azimuth, view in zip(azimuths, (*_DRAWN_VIEWS, None), strict=True):
        column = spine_column(anatomy.grid, patient, levels, azimuth) + rng.uniform(-12, 12)
        films.append(film_window(develop(project(ct, FINE_MM, azimuth), FINE_MM), column))
        plains.append(film_window(develop(project(anatomy.plain, FINE_MM, azimuth), FINE_MM), column))
        words.append(caption(attributes, (view,) if view else (), seed))
    middle = np.mean([item.centre for item in patient.vertebrae if item.level in levels], axis=0)
    x, y = (round((middle[axis] - anatomy.grid.low[axis]) / FINE_MM) for axis in (0, 1))
    box = (slice(x - 64, x + 64), slice(max(y - 70, 0), max(y - 70, 0) + 128))
    _save(path, ct[box], anatomy.plain[box], films, plains, azimuths, words)


def _make_real(path: Path) -> None:
    real = chest_ct()
    films, plains, azimuths, words = [], [], [], []
    middle = real.spine.mean(axis=0)
    for azimuth in _REAL_AZIMUTHS:
        offset = (middle - (np.array(real.ct.shape[:2]) - 1) / 2) * FINE_MM
        along, width = _along(offset, azimuth, (real.ct.shape[0], real.ct.shape[1], 0))
        column = width / 2 - along / FINE_MM
        films.append(film_window(develop(project(real.ct, FINE_MM, azimuth), FINE_MM), column))
        plains.append(film_window(develop(project(real.plain, FINE_MM, azimuth), FINE_MM), column))
        azimuths.append(azimuth)
        words.append(f"film of the thoracic spine, {azimuth:g} degrees")
    x, y = (round(float(value)) for value in middle)
    box = (slice(max(x - 80, 0), x + 80), slice(max(y - 75, 0), y + 85))
    _save(path, real.ct[box], real.plain[box], films, plains, azimuths, words)


def _save(
    path: Path, ct: Array, plain: Array, films: list[Array], plains: list[Array], azimuths: list[float], words: list[str]
) -> None:
    np.savez(
        path,
        ct=np.round(ct).astype(np.int16),
        plain=np.round(plain).astype(np.int16),
        films=np.array(films, dtype=np.float16),
        film_plains=np.array(plains, dtype=np.float16),
        azimuths=np.array(azimuths),
        words=np.array(words),
    )
