"""Grey pictures as an encoder sees them: square, of one size, of one brightness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import FileError

SIZE = 32
"""Rows and columns that our own encoder reads."""
_SMALLEST = 8
"""Pixels along the shorter side below which a picture shows nothing."""
_FLAT = 1e-6
_LOOKED_AT = 128
"""Rows and columns, evenly spread, from which the darkest and brightest are told."""


def as_square(pixels: NDArray[np.generic], size: int = SIZE) -> NDArray[np.float32]:
    """A grey picture (rows x columns, bright is dense) as (size, size), mean 0 and standard deviation 1.

    The darkest and brightest half per cent are clipped, so that a marker or a collimator edge does not set the
    scale; the shorter side is padded with the picture's own edge grey, so that anatomy keeps its proportions.

    Raises:
        FileError: it is not 2-D, has a side under 8 pixels, or one grey all over.
    """
    if pixels.ndim != 2:
        raise FileError(f"A picture must be rows x columns of grey values, got the shape {pixels.shape}.")
    if min(pixels.shape) < _SMALLEST:
        raise FileError(
            f"A picture needs at least {_SMALLEST} pixels on each side, got {pixels.shape[1]} x {pixels.shape[0]}."
        )
    values = pixels.astype(np.float32)
    if not np.isfinite(values.sum(dtype=np.float64)):
        raise FileError("The picture has pixels that are not numbers.")
    few = values[:: max(1, values.shape[0] // _LOOKED_AT), :: max(1, values.shape[1] // _LOOKED_AT)]
    low, high = (float(v) for v in np.percentile(few, (0.5, 99.5)))
    if high - low < _FLAT:
        raise FileError("The picture has one grey all over: it shows nothing.")
    square = (_resized(_padded(np.clip(values, low, high)), size) - low) / (high - low)
    return np.asarray((square - square.mean()) / max(float(square.std()), _FLAT), dtype=np.float32)


def as_squares(pictures: Sequence[NDArray[np.generic]], size: int = SIZE) -> NDArray[np.float32]:
    """`as_square` of each; shape (n, size, size)."""
    squares = np.zeros((len(pictures), size, size), dtype=np.float32)
    for row, picture in enumerate(pictures):
        squares[row] = as_square(picture, size)
    return squares


def _padded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = values.shape
    side = max(rows, columns)
    if rows == columns:
        return values
    top, left = (side - rows) // 2, (side - columns) // 2
    return np.pad(values, ((top, side - rows - top), (left, side - columns - left)), mode="edge")


def _resized(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    image = Image.fromarray(values)
    # Reducing averages over all pixels; enlarging interpolates: both without aliasing.
    method = Image.Resampling.BOX if values.shape[0] >= 2 * size else Image.Resampling.BICUBIC
    return np.asarray(image.resize((size, size), method), dtype=np.float32)
