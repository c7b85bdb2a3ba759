"""Disturbances that a film meets on its way: noise, a crop, another window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.generic]


def noisy(picture: Pixels, generator: np.random.Generator) -> Pixels:
    """Gaussian noise of 8 % of the range."""
    values = picture.astype(np.float32)
    return np.asarray(values + generator.normal(0, 0.08 * np.ptp(values), values.shape), dtype=np.float32)


def cropped(picture: Pixels, generator: np.random.Generator) -> Pixels:
    """A tenth off each side, shifted at random."""
    rows, columns = picture.shape
    top, left = (int(generator.integers(0, max(n // 5, 1) + 1)) for n in (rows, columns))
    return picture[top : top + rows - rows // 5, left : left + columns - columns // 5]


def rewindowed(picture: Pixels, generator: np.random.Generator) -> Pixels:
    """Narrowed by a quarter on one side, and a gamma of .6 or 1.6."""
    values = picture.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    cut = 0.25 * (high - low)
    bounds = (low + cut, high) if generator.random() < 0.5 else (low, high - cut)
    shown = np.clip((values - bounds[0]) / max(bounds[1] - bounds[0], 1e-6), 0, 1)
    return np.asarray(shown ** (0.6 if generator.random() < 0.5 else 1.6), dtype=np.float32)


DISTURBANCES: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "noise": noisy,
    "crop": cropped,
    "window": rewindowed,
}
