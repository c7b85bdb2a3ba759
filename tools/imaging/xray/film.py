"""From transmission to a film: scatter, quantum noise, and how a digital radiograph is prepared for viewing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import CallError

Image = NDArray[np.float32]
_SCATTER_SIGMA_MM = 50.0
"""Width of the scatter kernel at the detector."""
_LEAST = 1e-6
"""Transmission is kept above it: no detector reads less."""
_COMPRESSION = 0.55
_COMPRESSION_MM = 35.0


@dataclass(frozen=True)
class Exposure:
    """How the film is taken.

    `scatter` is the scatter-to-primary ratio behind the middle of the patient (0: none; 1 to 3 without a grid, .2 to .5 with
    one), `photons` the quanta per pixel in the open field (None: no noise), `seed` that of the noise.
    """

    scatter: float = 0.0
    photons: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.scatter <= 10:
            raise CallError(f"A scatter-to-primary ratio lies between 0 and 10, got {self.scatter:g}.")
        if self.photons is not None and not 10 <= self.photons <= 1e9:
            raise CallError(f"Photons per pixel number 10 to 1e9, got {self.photons:g}.")


def exposed(primary: Image, mm: float, exposure: Exposure) -> Image:
    """The signal that reaches the detector, as a share of the open field.

    Scatter is the primary spread by a wide Gaussian, as in scatter estimation by convolution (Love and Kruger, Med Phys
    1987;14:178-185), scaled to the asked ratio in the darkest tenth of the signal and added; noise is Poisson.

    Args:
        primary: transmission (rows, columns), 1 in the open field.
        mm: size of a detector pixel.
        exposure: scatter and noise.
    """
    signal = primary.astype(np.float64)
    if exposure.scatter > 0:
        behind = primary < 0.9
        spread = ndimage.gaussian_filter(np.where(behind, signal, 0.0), _SCATTER_SIGMA_MM / mm, mode="nearest")
        dark = behind & (primary <= np.quantile(primary[behind], 0.1)) if behind.any() else behind
        level = float(spread[dark].mean()) if dark.any() else 0.0
        if level > 0:
            signal = signal + spread * (exposure.scatter * float(signal[dark].mean()) / level)
    if exposure.photons is not None:
        quanta = np.random.default_rng(exposure.seed).poisson(signal * exposure.photons)
        signal = quanta / exposure.photons
    return signal.astype(np.float32)


def density(signal: Image) -> Image:
    """Minus the logarithm of the signal: 0 in the open field, bright where much is absorbed."""
    return np.asarray(-np.log(np.maximum(signal, _LEAST)), dtype=np.float32)


@dataclass(frozen=True)
class Viewing:
    """How densities became grey: the window after compression, in units of density."""

    low: float
    high: float
    compressed: bool


def for_viewing(
    dense: Image, mm: float, *, compress: bool = True, window: tuple[float, float] | None = None
) -> tuple[Image, Viewing]:
    """Shades 0 to 1, bone bright, as a digital radiograph is shown.

    The dynamic range is compressed as film processors do: a share of the slowly varying part is taken away, edges stay where
    and what they are. Then the densities of the patient (1st to 99.7th percentile) fill the grey scale.

    Args:
        dense: densities (rows, columns).
        mm: size of a pixel at the patient.
        compress: whether to compress.
        window: lowest and highest density to show, in place of those percentiles.
    """
    shown = dense.astype(np.float32)
    patient = dense > 0.15
    if not patient.any():
        return np.zeros(dense.shape, dtype=np.float32), Viewing(0.0, 1.0, False)
    if compress:
        weight = ndimage.gaussian_filter(patient.astype(np.float32), _COMPRESSION_MM / mm)
        smooth = ndimage.gaussian_filter(np.where(patient, shown, 0), _COMPRESSION_MM / mm) / np.maximum(weight, 1e-3)
        middle = float(np.median(shown[patient]))
        shown = np.where(patient, shown - _COMPRESSION * (smooth - middle), shown)
    low, high = window or (float(v) for v in np.percentile(shown[patient], (1.0, 99.7)))
    high = max(high, low + 1e-3)
    grey = np.clip((shown - low) / (high - low), 0, 1)
    # The open field stays black and leads over to the skin without a step.
    grey = grey * np.clip(dense / 0.15, 0, 1)
    return grey.astype(np.float32), Viewing(low, high, compress)
