"""The vertebral body without its posterior elements, in a straightened spine.

As in HealthiVert-GAN: walk backwards along the mid-sagittal line; at the first coronal plane where the line leaves the label
the canal begins, and the label from there on is cut away. The paper starts at the centre of its crop; here the walk starts
at the front of the label, because the centroid of a whole vertebra can itself lie in the canal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STRIP = 2
"""Half width of the mid-sagittal line in samples (mm)."""
_ROWS = 2
"""Half height of the part of the line that must be empty, around the middle of the body."""
_SOLID = 8
"""A body is at least this deep; shorter runs are spurs or stray pieces."""


def depedicle(label: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the body of one label, shape (I, P, L). A label that is a body already comes back unchanged."""
    if not label.any():
        return label
    front = int(np.flatnonzero(label.any(axis=(0, 2)))[0])
    # The front 15 mm are body only: they give the mid-sagittal line and the middle row.
    at_front = np.nonzero(label[:, front : front + 15])
    middle, row = int(np.median(at_front[2])), int(np.median(at_front[0]))
    strip = label[row - _ROWS : row + _ROWS + 1, :, max(middle - _STRIP, 0) : middle + _STRIP + 1]
    there = strip.mean(axis=(0, 2)) >= 0.5
    run = 0
    for column in range(front, label.shape[1]):
        if there[column]:
            run += 1
        elif run >= _SOLID:
            body = label.copy()
            body[:, column:] = False
            return body
        else:
            run = 0
    return label
