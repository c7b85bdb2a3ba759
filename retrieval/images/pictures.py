"""Grey pictures as an encoder sees them: square, of one size, of one brightness."""

from __future__ import annotations

import math
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
_ENOUGH = 128
"""Rows and columns to which a large picture is first reduced by whole blocks: cheap, and four times what is read."""
_LINES = 2
"""Rows that are read of each such block."""
_LOOKED_AT = 64
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
    values = _reduced(pixels)
    if not np.isfinite(values.sum()):
        raise FileError("The picture has pixels that are not numbers.")
    low, high = _bounds(values)
    if high - low < _FLAT:
        raise FileError("The picture has one grey all over: it shows nothing.")
    square = _resized(_padded(values.clip(low, high)), size)
    square -= square.mean()
    flat = square.ravel()
    spread = math.sqrt(float(flat @ flat) / flat.size)
    square *= 1 / max(spread, _FLAT * (high - low))
    return square


def as_squares(pictures: Sequence[NDArray[np.generic]], size: int = SIZE) -> NDArray[np.float32]:
    """`as_square` of each; shape (n, size, size)."""
    squares = np.zeros((len(pictures), size, size), dtype=np.float32)
    for row, picture in enumerate(pictures):
        squares[row] = as_square(picture, size)
    return squares


def _reduced(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Means of blocks, so that the longer side keeps about `_ENOUGH`; what is left over is cut off at both ends.

    Of a block's rows some are read, evenly spread: what is averaged later is still a hundred pixels and more.
    """
    rows, columns = pixels.shape
    block = min(max(rows, columns) // _ENOUGH, min(rows, columns) // _SMALLEST)
    if block < 2:
        return pixels.astype(np.float32)
    top, left = rows % block // 2, columns % block // 2
    kept = pixels[top : top + rows // block * block, left : left + columns // block * block]
    step = max(1, block // _LINES)
    lines = kept[::block].astype(np.float32)
    for offset in range(step, block, step):
        np.add(lines, kept[offset::block], out=lines, casting="same_kind")
    number = len(range(0, block, step)) * block
    return _mean_of_runs(lines, block, 1 / number)


def _mean_of_runs(lines: NDArray[np.float32], run: int, factor: float) -> NDArray[np.float32]:
    """Sums of `run` neighbours along each row, times a factor; the row's length is a multiple of it."""
    sums = lines.reshape(-1, run) @ np.full(run, factor, dtype=np.float32)
    return np.asarray(sums.reshape(len(lines), -1), dtype=np.float32)


def _bounds(values: NDArray[np.float32]) -> tuple[float, float]:
    """The greys below and above which half a per cent lies, between the two nearest (as `np.percentile`)."""
    few = values[:: max(1, values.shape[0] // _LOOKED_AT), :: max(1, values.shape[1] // _LOOKED_AT)]
    ordered = np.sort(few, axis=None)
    at = 0.005 * (ordered.size - 1)
    below, share = int(at), at - int(at)
    low = float(ordered[below]) + share * float(ordered[below + 1] - ordered[below])
    high = float(ordered[-1 - below]) - share * float(ordered[-1 - below] - ordered[-2 - below])
    return low, high


def _padded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = values.shape
    side = max(rows, columns)
    if rows == columns:
        return values
    top, left = (side - rows) // 2, (side - columns) // 2
    return np.pad(values, ((top, side - rows - top), (left, side - columns - left)), mode="edge")


def _resized(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Reducing averages over all pixels; enlarging interpolates: both without aliasing."""
    side = len(values)
    run = side // size
    if run > 1 and side == run * size:
        return _mean_of_runs(values.reshape(size, run, side).sum(axis=1), run, run**-2)
    method = Image.Resampling.BOX if side >= 2 * size else Image.Resampling.BICUBIC
    return np.array(Image.fromarray(values).resize((size, size), method), dtype=np.float32)
