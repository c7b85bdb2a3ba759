"""How far a restyled film moved what was on the computed one: bone edges, and landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]
_REACH = 4.0
"""Pixels to both sides of an edge in which its place is looked for."""
_STEP = 0.25
_SIGMA = 1.0
_STRONG = 0.9
"""Edges are the pixels whose slope is above this quantile, and a maximum across the edge."""


def edge_points(
    film: Image, bone: Image | None = None, most: int = 4000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (n, 2) of strong edges to a fraction of a pixel, and their unit normals (n, 2); row first.

    With the path lengths in bone (`bone`), only where these change fast too: edges of bone.
    """
    rows, columns = (ndimage.gaussian_filter(film, _SIGMA, order=order) for order in ((1, 0), (0, 1)))
    slope = np.hypot(rows, columns)
    inner = np.zeros(film.shape, dtype=bool)
    inner[8:-8, 8:-8] = True
    # Away from where the film was collimated or the field is open: those edges are no anatomy.
    inner &= ndimage.binary_erosion(film > 0.02, iterations=8)
    if not inner.any():
        return np.zeros((0, 2)), np.zeros((0, 2))
    strong = inner & (slope > np.quantile(slope[inner], _STRONG))
    if bone is not None:
        change = ndimage.gaussian_gradient_magnitude(bone.astype(np.float32), _SIGMA)
        strong &= change > np.quantile(change[inner], _STRONG)
    places = np.argwhere(strong)
    if len(places) > most:
        places = places[np.random.default_rng(seed).choice(len(places), most, replace=False)]
    normal = np.stack([rows[tuple(places.T)], columns[tuple(places.T)]], axis=1).astype(np.float64)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    offset, found = _peaks(slope, places.astype(np.float64), normal, 1.5)
    return (places + offset[:, None] * normal)[found], normal[found]


def edge_displacement(computed: Image, restyled: Image, bone: Image | None = None) -> NDArray[np.float64]:
    """Distance (n,) in pixels from each edge of the computed film to the nearest slope maximum of the restyled one.

    The restyled film is searched along the edge's normal, `_REACH` pixels to both sides; an edge without a maximum there
    counts as displaced by all of it.
    """
    places, normals = edge_points(computed, bone)
    slope = ndimage.gaussian_gradient_magnitude(restyled.astype(np.float32), _SIGMA)
    offset, found = _peaks(slope, places, normals, _REACH)
    return np.where(found, np.abs(offset), _REACH)


def _peaks(
    slope: NDArray[np.floating], places: NDArray[np.float64], normals: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Offset along the normal of the local maximum of the slope nearest to each place, and whether there is one."""
    at = np.arange(-reach - _STEP, reach + 2 * _STEP, _STEP)
    spots = places[:, None, :] + at[None, :, None] * normals[:, None, :]
    values = ndimage.map_coordinates(slope, [spots[..., 0], spots[..., 1]], order=1, mode="nearest")
    peak = (values[:, 1:-1] >= values[:, :-2]) & (values[:, 1:-1] > values[:, 2:])
    distance = np.where(peak, np.abs(at[1:-1])[None], np.inf)
    best = distance.argmin(axis=1)
    return at[1:-1][best], np.isfinite(distance.min(axis=1))


def landmark_displacement(
    computed: Image, restyled: Image, landmarks: NDArray[np.float64], half: int = 16
) -> NDArray[np.float64]:
    """Distance (n,) in pixels by which the surroundings of landmarks (n, 2; row, column) moved.

    The shift of best correlation of the slopes within `half` pixels, over shifts of `_REACH` pixels, to a fraction of a
    pixel by a parabola through the best and its neighbours. NaN for landmarks too near the edge of the film.
    """
    one, two = (ndimage.gaussian_gradient_magnitude(f.astype(np.float32), _SIGMA) for f in (computed, restyled))
    reach = int(_REACH)
    moved = []
    for row, column in np.round(landmarks).astype(int):
        low = np.array([row, column]) - half
        if (low < reach).any() or (low + 2 * half + 1 + reach > np.array(one.shape)).any():
            moved.append(np.nan)
            continue
        patch = one[low[0] : low[0] + 2 * half + 1, low[1] : low[1] + 2 * half + 1]
        around = range(-reach, reach + 1)
        scores = np.array([[_correlation(patch, two, low + np.array([i, j])) for j in around] for i in around])
        moved.append(float(np.hypot(*_summit(scores))))
    return np.array(moved)


def _correlation(patch: NDArray[np.floating], film: NDArray[np.floating], low: NDArray[np.int64]) -> float:
    rows, columns = patch.shape
    other = film[low[0] : low[0] + rows, low[1] : low[1] + columns]
    one, two = patch - patch.mean(), other - other.mean()
    return float((one * two).sum() / max(float(np.sqrt((one**2).sum() * (two**2).sum())), 1e-12))


def _summit(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Shift (rows, columns) of the best score from the middle, by parabolas."""
    middle = scores.shape[0] // 2
    i, j = np.unravel_index(int(scores.argmax()), scores.shape)
    shift = []
    for at, line in ((int(i), scores[:, j]), (int(j), scores[i])):
        fraction = 0.0
        if 0 < at < len(line) - 1:
            bend = line[at - 1] - 2 * line[at] + line[at + 1]
            fraction = float(0.5 * (line[at - 1] - line[at + 1]) / bend) if bend < 0 else 0.0
        shift.append(at - middle + fraction)
    return shift[0], shift[1]
