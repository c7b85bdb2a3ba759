"""Relative height loss of a vertebra against its synthesised healthy self, exactly as HealthiVert-GAN defines it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]
_KEEP = 0.7
"""Columns lower than this share of the centre column are the rounded rim."""


@dataclass(frozen=True)
class Rhlv:
    """Relative loss, 0 to 1, and the mean heights in mm it comes from; (anterior, middle, posterior) and of all columns."""

    pre: float
    mid: float
    post: float
    all: float
    original_mm: tuple[float, float, float]
    synthetic_mm: tuple[float, float, float]

    @property
    def thirds(self) -> tuple[float, float, float]:
        """Anterior, middle, posterior."""
        return self.pre, self.mid, self.post


def central_slices(mask: Mask) -> list[int]:
    """Lateral indices within a fifth of the label's width on both sides of its mean, of a mask (I, P, L)."""
    lateral = np.nonzero(mask)[2]
    if not len(lateral):
        return []
    mean, reach = int(lateral.mean()), int(lateral.max() - lateral.min()) // 5
    return [at for at in range(mean - reach, mean + reach + 1) if mask[:, :, at].any()]


def relative_height_loss(
    original: Mask, synthetic: Mask, spacing_mm: float = 1.0, slices: list[int] | None = None
) -> Rhlv | None:
    """RHLV of the vertebra and of its thirds.

    In each central slice the front-to-back range of the synthetic mask is cut at 1/3 and 2/3, and the same cuts hold for
    both masks. A column's height is its count of voxels times the spacing. Columns not higher than 0.7 times that mask's
    own centre column are left out. Where the largest original height of a third exceeds the largest synthetic one, the
    synthetic heights of that third are scaled up by the ratio: what was painted is never lower than what is there.

    Args:
        original: body as it is, (I, P, L).
        synthetic: body as it was; same P and L, any number of rows.
        spacing_mm: between rows.
        slices: lateral indices to use; the central ones of the original when absent.

    Returns:
        None when a third has no column in any slice.
    """
    chosen = central_slices(original) if slices is None else slices
    heights: dict[str, tuple[list[Array], list[Array]]] = {name: ([], []) for name in ("pre", "mid", "post")}
    for at in chosen:
        before, after = synthetic[:, :, at].sum(axis=0) * spacing_mm, original[:, :, at].sum(axis=0) * spacing_mm
        columns = np.flatnonzero(before)
        if len(columns) < 3 or not after.any():
            continue
        first, count = int(columns[0]), int(columns[-1]) - int(columns[0]) + 1
        cuts = (first, first + count // 3, first + 2 * count // 3, first + count)
        for name, start, stop in zip(heights, cuts, cuts[1:], strict=False):
            heights[name][0].append(_kept(after, start, stop, _centre(after)))
            heights[name][1].append(_kept(before, start, stop, _centre(before)))
    found = {
        name: _third(np.concatenate(o or [np.zeros(0)]), np.concatenate(s or [np.zeros(0)]))
        for name, (o, s) in heights.items()
    }
    thirds = [pair for pair in found.values() if pair is not None]
    if len(thirds) < 3:
        return None
    pre, mid, post = (_loss(*(float(part.mean()) for part in pair)) for pair in thirds)
    original_all, synthetic_all = (float(np.concatenate([pair[i] for pair in thirds]).mean()) for i in (0, 1))
    o, s = ([float(pair[i].mean()) for pair in thirds] for i in (0, 1))
    return Rhlv(pre, mid, post, _loss(original_all, synthetic_all), (o[0], o[1], o[2]), (s[0], s[1], s[2]))


def _centre(heights: Array) -> float:
    """Height of the middle column of a mask's own range."""
    columns = np.flatnonzero(heights)
    return float(heights[(columns[0] + columns[-1]) // 2])


def _kept(heights: Array, start: int, stop: int, centre: float) -> Array:
    part = heights[start:stop]
    kept: Array = part[part > _KEEP * centre]
    return kept


def _third(original: Array, synthetic: Array) -> tuple[Array, Array] | None:
    if not len(original) or not len(synthetic):
        return None
    return original, synthetic * max(float(original.max() / synthetic.max()), 1.0)


def _loss(original: float, synthetic: float) -> float:
    return (synthetic - original) / (synthetic + 1e-6)
