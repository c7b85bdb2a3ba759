"""Looks of radiographs, simulated: what tube, scatter, detector and processing make of one and the same anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.xray.attenuation import transmission, tube_beam
from tools.imaging.xray.film import Exposure, density, exposed, for_viewing

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """How a film was taken and processed. `gain` and `bend` shape the detector's S-curve, `blur` is in pixels."""

    kvp: float
    scatter: float
    photons: float
    gain: float
    bend: float
    compress: bool
    blur: float
    seed: int


def draw_look(rng: np.random.Generator) -> Look:
    """A look at random; ranges are those of ordinary radiography of the trunk, as far as the simulation knows it."""
    return Look(
        kvp=float(rng.uniform(60, 125)), scatter=float(rng.uniform(0, 1.5)), photons=float(10 ** rng.uniform(2.8, 4.8)),
        gain=float(rng.uniform(0.7, 1.9)), bend=float(rng.uniform(0.3, 0.7)), compress=bool(rng.random() < 0.6),
        blur=float(rng.uniform(0, 0.8)), seed=int(rng.integers(1 << 31)),
    )  # fmt: skip


def film_with(paths: NDArray[np.float32], mm: float, look: Look) -> Image:
    """The film (rows, columns), 0 to 1, that a look gives of mm of water and bone (2, rows, columns); `mm` per pixel."""
    primary = transmission(torch.from_numpy(paths), tube_beam(look.kvp)).numpy()
    signal = exposed(primary, mm, Exposure(look.scatter, look.photons, look.seed))
    if look.blur > 0.1:
        signal = np.asarray(ndimage.gaussian_filter(signal, look.blur), dtype=np.float32)
    shade, _ = for_viewing(density(signal), mm, compress=look.compress)
    curved = 1 / (1 + np.exp(-4 * look.gain * (shade - look.bend)))
    low, high = (1 / (1 + np.exp(-4 * look.gain * (end - look.bend))) for end in (0.0, 1.0))
    return np.asarray(np.where(shade > 0, (curved - low) / (high - low), 0), dtype=np.float32)


def content_of(dense: Image, mm: float) -> Image:
    """The network's view of a computed film, 0 to 1: as it is for viewing, so that thick parts keep their contrast."""
    shade, _ = for_viewing(dense, mm)
    return shade
