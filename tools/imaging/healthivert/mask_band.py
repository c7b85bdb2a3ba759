"""The band that hides a vertebra in a sagittal slice, and the way back.

A full-width band takes the place of the rows between the highest and the lowest of the vertebra. It has always the same
number of rows, and what lies above and below is pushed apart to make room: how high the vertebra was cannot be read off
the input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Slice = NDArray[np.float32]
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Banded:
    """Network input of one slice: CT (-1..1, band 0) and labels without the target, both (rows, columns).

    `height` is the number of rows the vertebra had; it is kept for the loss and is not part of the input.
    """

    ct: Slice
    labels: Labels
    height: int
    column: int


def extent(labels: Labels, value: int) -> tuple[int, int] | None:
    """First row of a label and the row after its last; None when it is not in the slice."""
    rows = np.flatnonzero((labels == value).any(axis=1))
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else None


def hide(ct: Slice, labels: Labels, rows: tuple[int, int], column: int, size: tuple[int, int], band: int) -> Banded:
    """Cut the rows out, push the rest apart by a band, crop.

    Args:
        ct: whole slice (rows, columns), -1..1.
        labels: its bodies.
        rows: first row of the target and the row after its last.
        column: where the crop is centred, front to back.
        size: rows and columns of the crop.
        band: rows of the band.
    """
    above = (size[0] - band) // 2
    start, stop = rows
    pieces = []
    for image, fill in ((ct, -1), (labels, 0)):
        upper = _rows(image, start - above, start, fill)
        lower = _rows(image, stop, stop + size[0] - band - above, fill)
        middle = np.zeros((band, image.shape[1]), dtype=image.dtype)
        pieces.append(crop_columns(np.vstack([upper, middle, lower]), column, size[1], fill))
    return Banded(pieces[0].astype(np.float32), pieces[1].astype(np.uint8), stop - start, column)


def band_rows(size: int, band: int) -> slice:
    """Where the band is."""
    above = (size - band) // 2
    return slice(above, above + band)


def painted_rows(size: int, band: int, height: int) -> slice:
    """The central rows of the band that a vertebra of `height` rows takes."""
    first = (size - band) // 2 + (band - height) // 2
    return slice(first, first + height)


def rejoin_index(size: int, band: int, height: int) -> NDArray[np.int64]:
    """For each row of the rejoined slice the row of the banded one; -1 is padding. The vertebra is in the middle.

    The painted band is cropped to `height` and the parts above and below are moved back to it.
    """
    above = (size - band) // 2
    inner = painted_rows(size, band, height)
    joined = np.concatenate([np.arange(above), np.arange(inner.start, inner.stop), np.arange(above + band, size)])
    first = (size - len(joined)) // 2
    index = np.full(size, -1, dtype=np.int64)
    index[first : first + len(joined)] = joined
    return index


def _rows(image: NDArray[np.generic], start: int, stop: int, fill: int) -> NDArray[np.generic]:
    inside = image[max(start, 0) : max(min(stop, len(image)), 0)]
    before = max(min(-start, stop - start), 0)
    after = stop - start - before - len(inside)
    return np.pad(inside, ((before, after), (0, 0)), constant_values=fill)


def crop_columns(image: NDArray[np.generic], centre: int, width: int, fill: int) -> NDArray[np.generic]:
    """`width` columns around `centre`, filled where the image ends."""
    return _rows(image.T, centre - width // 2, centre - width // 2 + width, fill).T
