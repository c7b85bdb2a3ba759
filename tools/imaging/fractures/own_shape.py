"""What a vertebra's own shape adds to what its neighbours predict.

A wedge leaves the back wall its height, a biconcave fracture the rims: these parts tell whether this vertebra is large or
small, which neighbours cannot. A crush leaves nothing, and then only the neighbours count. Which of these holds is itself
uncertain, so all are weighed: the loss of the thirds is zero, or one or two of an even loss, a wedge and a central
dip, each of any size; every possibility counts by how well it explains the three heights together (Bayes' rule over a grid).
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PATTERNS = np.array([(1.0, 1.0, 1.0), (0.8, 0.5, 0.2), (0.8, 0.25, 0.0), (0.35, 0.85, 0.35), (0.6, 0.9, 0.6)])
"""Loss of the anterior, middle and posterior third when the largest loss is 1: even, wedge, wedge of the front half, narrow
and broad central dip."""
_SIZES = np.arange(0.02, 0.72, 0.02)
_NONE, _ONE, _TWO = 0.6, 0.3, 0.1
"""Probability, before looking, of no loss, of one pattern, of two together."""
_LARGEST = 0.85


@cache
def _possible() -> tuple[Array, Array]:
    """Losses of the thirds (n, 3), and their probabilities (n,)."""
    losses, weights = [np.zeros((1, 3))], [np.array([_NONE])]
    for pattern in _PATTERNS:
        losses.append(_SIZES[:, None] * pattern)
        weights.append(np.full(len(_SIZES), _ONE / len(_PATTERNS) / len(_SIZES)))
    pairs = list(combinations(_PATTERNS, 2))
    for one, other in pairs:
        both = (_SIZES[:, None, None] * one + _SIZES[None, :, None] * other).reshape(-1, 3)
        both = both[both.max(axis=1) < _LARGEST]
        losses.append(both)
        weights.append(np.full(len(both), _TWO / len(pairs) / len(both)))
    return np.concatenate(losses), np.concatenate(weights)


def weigh(mean: Array, covariance: Array, own: Array, noise: float) -> tuple[Array, Array]:
    """Log height before any loss, given the neighbours' prediction and the vertebra's own thirds.

    Args:
        mean: predicted log heights, shape (3,).
        covariance: of that prediction, shape (3, 3).
        own: measured log heights, shape (3,).
        noise: standard deviation of one measured log height.

    Returns:
        Mean and variance of each third, shape (3,).
    """
    losses, weights = _possible()
    gap = own - np.log1p(-losses) - mean
    total = covariance + noise**2 * np.eye(3)
    solved = np.linalg.solve(total, gap.T).T
    likelihood = -0.5 * (gap * solved).sum(axis=1) + np.log(weights)
    share = np.exp(likelihood - likelihood.max())
    share /= share.sum()
    centres = mean + solved @ covariance
    expected = share @ centres
    within = np.diag(covariance - covariance @ np.linalg.solve(total, covariance))
    return expected, within + share @ (centres - expected) ** 2
