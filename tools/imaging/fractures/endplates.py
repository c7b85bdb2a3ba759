"""Endplates of a mask with thick slices: a smooth surface through the stairs.

Where slices are thick, a slanted endplate is a staircase, and the mean of a third depends on where its steps happen to fall.
A low-order polynomial through the whole endplate averages over all of them. With thin slices the columns themselves are
better: a narrow dip is not smoothed away.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tools.imaging.fractures.body import Body

Array = NDArray[np.float64]
THIN_MM = 1.6
"""Up to this distance of slices along the vertebra's upright axis the columns are taken as they are."""
_INNER_DEPTH, _INNER_WIDTH = 0.08, 0.32
_TURNS = 4
_LEAST_COLUMNS = 40


def without_stairs(body: Body) -> Body:
    """The body with fitted endplates when its slices are thick, else as it is."""
    if body.step_mm <= THIN_MM:
        return body
    return replace(body, top=_fitted(body, body.top), bottom=_fitted(body, body.bottom))


def _fitted(body: Body, surface: Array) -> Array:
    """Cubic along the depth, quadratic across, fitted robustly; NaN near the rim, where columns read too short."""
    a, r = np.broadcast_arrays(body.anterior[:, None], body.right[None, :])
    depth = body.front - body.back
    place = (a - body.back) / depth
    inner = np.isfinite(surface) & (np.abs(place - 0.5) < 0.5 - _INNER_DEPTH + 1e-6)
    inner &= np.abs(r) < _INNER_WIDTH * body.width
    if inner.sum() < _LEAST_COLUMNS:
        return surface
    x, y = 2 * place - 1, 2 * r / body.width
    design = np.stack([np.ones_like(x), x, x**2, x**3, y, y**2, x * y], axis=-1)
    weight = np.ones(int(inner.sum()))
    for _ in range(_TURNS):
        found = np.linalg.lstsq(design[inner] * weight[:, None], surface[inner] * weight, rcond=None)[0]
        off = surface[inner] - design[inner] @ found
        spread = 1.48 * float(np.median(np.abs(off))) + 0.05
        weight = 1 / np.sqrt(1 + (off / (2 * spread)) ** 2)
    fitted: Array = np.where(inner, design @ found, np.nan)
    return fitted
