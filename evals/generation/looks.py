"""Generated against real: pictures cut the same way from both, and their vectors by the film encoder that ships.

Volumes give sagittal pictures of 120 mm around every vertebra; films are compared whole. The real ones are the training
scan, and held-out scans from a folder of NIfTI pairs `X/ct.nii.gz` and `X/mask.nii.gz` (any CT with vertebra labels).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import FileError
from core.types import Frozen
from evals.generation.measures import Fidelity, Memory, diversity, fidelity, memory, mode_coverage
from retrieval.images.encoder import SmallFilmEncoder
from tools.imaging.generation.captions import random_attributes
from tools.imaging.generation.dataset import film_window
from tools.imaging.generation.film_model import PIXEL_MM, make_body, make_film
from tools.imaging.generation.models import Look
from tools.imaging.generation.projection import develop, project
from tools.imaging.generation.real import chest_ct
from tools.imaging.generation.volume_model import make_volume
from tools.imaging.nifti import read_nifti

Array = NDArray[np.float32]
FIRST_SEED = 950_000
_SIDE = 80
_OFFSETS_MM = (-6.0, 0.0, 6.0)
_WINDOW = (-300.0, 900.0)
_AZIMUTHS = tuple(float(a) for a in range(-60, 125, 5))


class LookScore(Frozen):
    """One look of one kind against the held-out real pictures."""

    kind: str
    look: str
    network: str
    made: int
    real: int
    fid: float
    kid: float
    kid_interval: tuple[float, float]
    precision: float
    recall: float
    density: float
    coverage: float
    ms_ssim: float
    modes: float
    nearest_training: float
    nearest_training_of_held_out: float
    share_nearer: float


@dataclass(frozen=True)
class RealPictures:
    """Pictures of the training scan and of held-out ones."""

    training: list[Array]
    held_out: list[Array]


def vertebra_pictures(hu: Array, labels: NDArray[np.int16], spacing_mm: tuple[float, float, float]) -> list[Array]:
    """Sagittal pictures of 120 mm around each vertebra, bone window, -1 to 1, front at the left, head up."""
    made = []
    size = _SIDE * PIXEL_MM
    for value in np.unique(labels[labels > 0]):
        where = np.argwhere(labels == value)
        if len(where) * np.prod(spacing_mm) < 3000:
            continue
        x, y, z = where.mean(axis=0)
        y = where[:, 1].max() - 20 / spacing_mm[1]
        for offset in _OFFSETS_MM:
            slice_x = round(x + offset / spacing_mm[0])
            if not 0 <= slice_x < hu.shape[0]:
                continue
            grid = [
                np.linspace(c - size / 2 / s, c + size / 2 / s, _SIDE) for c, s in zip((y, z), spacing_mm[1:], strict=True)
            ]
            at = np.stack(np.meshgrid(*grid, indexing="ij"))
            flat = ndimage.map_coordinates(hu[slice_x], at, order=1, mode="constant", cval=-1000)
            scaled = np.clip((flat - _WINDOW[0]) / (_WINDOW[1] - _WINDOW[0]), 0, 1) * 2 - 1
            made.append(np.ascontiguousarray(scaled.T[::-1, ::-1], dtype=np.float32))
    return made


def real_volumes(data: Path) -> RealPictures:
    """Pictures of the training scan, and of the scans in the folder."""
    chest = chest_ct()
    return RealPictures(_column_pictures(chest.ct, chest.spine), _held_out_volumes(data))


def _column_pictures(hu: Array, spine: Array) -> list[Array]:
    """Pictures every 25 mm along the column of the training scan, which brings no separate labels here."""
    step = round(25 / PIXEL_MM)
    blocks = np.zeros(hu.shape, dtype=np.int16)
    for number, k in enumerate(range(_SIDE // 2, hu.shape[2] - _SIDE // 2, step), 1):
        x, y = (round(float(v)) for v in spine[k])
        blocks[x - 10 : x + 11, y - 10 : y + 11, k - 8 : k + 9] = number
    return vertebra_pictures(hu, blocks, (PIXEL_MM,) * 3)


def pairs_of(data: Path) -> list[tuple[Path, Path]]:
    """CT and mask files of a folder: `X/ct.nii.gz` with `X/mask.nii.gz`, or names ending in `_ct` and `_msk`.

    Raises:
        FileError: there is none.
    """
    found = []
    for ct in sorted(data.rglob("*ct.nii.gz")):
        masks = [
            *ct.parent.glob("mask.nii.gz"),
            *ct.parent.glob("*_seg-vert_msk.nii.gz"),
            *ct.parent.glob("vertebral_bodies.nii.gz"),
        ]
        if masks:
            found.append((ct, masks[0]))
    if not found:
        raise FileError(f"{data} holds no CT with vertebra labels (X/ct.nii.gz and X/mask.nii.gz).")
    return found


def _held_out_volumes(data: Path) -> list[Array]:
    made: list[Array] = []
    for ct_path, mask_path in pairs_of(data):
        ct, mask = read_nifti(ct_path).volume, read_nifti(mask_path).volume
        if ct.same_grid(mask):
            hu, labels = np.asarray(ct.data, dtype=np.float32), np.asarray(mask.data).astype(np.int16)
            made += vertebra_pictures(hu, labels, ct.spacing_mm)
    return made


def real_films(data: Path) -> RealPictures:
    """Projections of the training scan, and of those scans of the folder that hold a whole trunk."""
    chest = chest_ct()
    held_out: list[Array] = []
    for ct_path, mask_path in pairs_of(data):
        ct, mask = read_nifti(ct_path).volume, read_nifti(mask_path).volume
        extent = np.array(ct.data.shape) * np.array(ct.spacing_mm)
        if extent[0] < 250 or extent[2] < 240:
            continue
        hu = ndimage.zoom(np.asarray(ct.data, dtype=np.float32), [s / PIXEL_MM for s in ct.spacing_mm], order=1)
        middle = np.argwhere(np.asarray(mask.data) > 0).mean(axis=0) * np.array(ct.spacing_mm) / PIXEL_MM
        held_out += _films(hu, middle[:2])
    return RealPictures(_films(chest.ct, chest.spine.mean(axis=0)), held_out)


def _films(hu: Array, middle: NDArray[np.floating]) -> list[Array]:
    made = []
    for azimuth in _AZIMUTHS:
        path = project(hu, PIXEL_MM, azimuth)
        angle = np.radians(azimuth)
        offset = np.asarray(middle) - (np.array(hu.shape[:2]) - 1) / 2
        along = float(offset[0] * np.cos(angle) + offset[1] * np.sin(angle))
        film = film_window(develop(path, PIXEL_MM), path.shape[1] / 2 - along)
        made.append(_square(film))
    return made


def _square(film: Array) -> Array:
    start = max(0, (film.shape[0] - film.shape[1]) // 2)
    return film[start : start + film.shape[1]]


def made_volumes(count: int, look: Look, steps: int) -> list[Array]:
    """Pictures of generated volumes."""
    made: list[Array] = []
    for number in range(count):
        attributes = random_attributes(FIRST_SEED + number)
        volume = make_volume(attributes, FIRST_SEED + number, size=48, look=look, steps=steps)
        hu, labels = np.asarray(volume.ct.data, dtype=np.float32), np.asarray(volume.mask.data)
        made += vertebra_pictures(hu, labels, volume.ct.spacing_mm)
    return made


def made_films(count: int, look: Look, steps: int) -> list[Array]:
    """Generated films: every patient lateral, frontal and at one oblique."""
    made = []
    for number in range(count):
        attributes = random_attributes(FIRST_SEED + number)
        body = make_body(attributes, FIRST_SEED + number)
        for view in ("lateral", "ap", "left_oblique" if number % 2 else "right_oblique"):
            made.append(_square(make_film(body, attributes, view, FIRST_SEED + number, look=look, steps=steps).film))
    return made


def judged(kind: str, look: str, made: list[Array], real: RealPictures, seed: int) -> LookScore:
    """Every measure of one set of pictures; equal numbers are drawn for what depends on them."""
    encoder = SmallFilmEncoder()
    rng = np.random.default_rng([seed, 33])
    size = min(len(made), len(real.held_out))
    drawn = [made[int(i)] for i in rng.choice(len(made), size, replace=False)]
    of_made, of_drawn, held, training = (
        encoder.encode(pictures).astype(np.float64) for pictures in (made, drawn, real.held_out, real.training)
    )
    found: Fidelity = fidelity(held, of_drawn, seed)
    near: Memory = memory(of_made, training, held)
    return LookScore(
        kind=kind, look=look, network=encoder.identity, made=len(made), real=len(real.held_out),
        fid=round(found.fid, 4), kid=round(found.kid, 4), kid_interval=(round(found.kid_interval[0], 4), round(found.kid_interval[1], 4)),
        precision=round(found.precision, 3), recall=round(found.recall, 3), density=round(found.density, 3),
        coverage=round(found.coverage, 3), ms_ssim=round(diversity(made, seed), 3), modes=round(mode_coverage(held, of_made, seed=seed), 3),
        nearest_training=round(near.made, 4), nearest_training_of_held_out=round(near.held_out, 4),
        share_nearer=round(near.share_nearer, 3),
    )  # fmt: skip
