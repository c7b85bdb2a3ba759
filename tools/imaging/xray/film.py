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
_COMPRESSION = 0.7
_COMPRESSION_MM = 25.0
_DETAIL = 0.9
_DETAIL_MM = 5.0


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

    The dynamic range is compressed as the processing of digital radiographs does: a share of what varies slowly is taken
    away, and what varies fast is enhanced (unsharp masking), which moves no edge. Then the densities of the patient (1st to
    99.7th percentile) fill the grey scale.

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
        slow, fast = (_smoothed(dense, patient, scale / mm) for scale in (_COMPRESSION_MM, _DETAIL_MM))
        middle = float(np.median(dense[patient]))
        shown = np.where(patient, dense - _COMPRESSION * (slow - middle) + _DETAIL * (dense - fast), dense)
    low, high = window or (float(v) for v in np.percentile(shown[patient], (1.0, 99.7)))
    high = max(high, low + 1e-3)
    grey = np.clip((shown - low) / (high - low), 0, 1)
    # The open field stays black and leads over to the skin without a step.
    grey = grey * np.clip(dense / 0.15, 0, 1)
    return grey.astype(np.float32), Viewing(low, high, compress)


def _smoothed(image: Image, within: NDArray[np.bool_], sigma: float) -> Image:
    """Gaussian mean over the pixels `within`; a wide one is taken on a coarser grid."""
    step = max(1, int(sigma // 6))
    weight, values = within.astype(np.float32), np.where(within, image, 0).astype(np.float32)
    rows, columns = image.shape
    if step > 1:
        weight, values = (_blocks(a, step) for a in (weight, values))
    soft = [ndimage.gaussian_filter(a, sigma / step, mode="nearest") for a in (values, weight)]
    mean = soft[0] / np.maximum(soft[1], 1e-3)
    if step == 1:
        return np.asarray(mean, dtype=np.float32)
    centre = (np.arange(max(rows, columns)) - (step - 1) / 2) / step
    row, column = np.meshgrid(centre[:rows], centre[:columns], indexing="ij")
    return np.asarray(ndimage.map_coordinates(mean, [row, column], order=1, mode="nearest"), dtype=np.float32)


def _blocks(image: Image, step: int) -> Image:
    """Means of step x step pixels, the last ones of what there is."""
    padded = np.pad(image, [(0, -n % step) for n in image.shape], mode="edge")
    rows, columns = (n // step for n in padded.shape)
    return np.asarray(padded.reshape(rows, step, columns, step).mean(axis=(1, 3)), dtype=np.float32)
