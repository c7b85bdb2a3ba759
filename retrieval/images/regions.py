"""Parts of a picture: the boxes that a region query is compared with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

STRIDE = 8
"""Region vectors of row r have the ids 8 r, 8 r + 1, ...: room for more regions than there are."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the width and height."""
BOXES: tuple[Box, ...] = (
    (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.0, 0.5, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0), (0.25, 0.25, 0.75, 0.75),
)  # fmt: skip
_SMALLEST = 8


def regions_of(pixels: NDArray[np.generic]) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """The quarters and the centre that show something, with their numbers; one grey all over is left out."""
    for number, box in enumerate(BOXES):
        part = crop(pixels, box)
        if min(part.shape) >= _SMALLEST and np.ptp(part.astype(np.float32)) > 0:
            yield number, part


def crop(pixels: NDArray[np.generic], box: Box) -> NDArray[np.generic]:
    """The part of a picture inside a box.

    Raises:
        InputError: the box is not inside the picture or has no area.
    """
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InputError(
            f"A box is left, top, right, bottom as shares from 0 to 1 with left < right and top < bottom; got {box}."
        )
    rows, columns = pixels.shape
    return pixels[
        int(top * rows) : max(int(bottom * rows), int(top * rows) + 1),
        int(left * columns) : max(int(right * columns), int(left * columns) + 1),
    ]


def nearest_region(box: Box) -> int:
    """The indexed region that overlaps a box most (intersection over union)."""
    return max(range(len(BOXES)), key=lambda number: _overlap(BOXES[number], box))


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)
