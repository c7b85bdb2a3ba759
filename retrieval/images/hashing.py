"""Copies of a picture told by their difference hash, whatever their size, exposure and compression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.images.pictures import as_square

_SIDE = 16
BITS = _SIDE * _SIDE


def difference_hash(pixels: NDArray[np.generic]) -> bytes:
    """256 bits: whether each cell of a 16 x 16 reduction is brighter than its right neighbour.

    Monotone changes of grey, scaling and compression hardly move it.

    Raises:
        FileError: the picture is not 2-D, too small or of one grey.
    """
    square = as_square(pixels, _SIDE + 1)[:_SIDE]
    return np.packbits(square[:, 1:] > square[:, :-1]).tobytes()


def hash_distances(one: bytes, others: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits that differ between a hash and each row of `others` (n, 32)."""
    mine = np.frombuffer(one, dtype=np.uint64)
    words = np.ascontiguousarray(others).view(np.uint64)
    return np.asarray(np.bitwise_count(mine[None] ^ words).sum(axis=1), dtype=np.int64)
