"""How near generated pictures are to real ones, by vectors of a named network: distances, coverage, diversity, memory.

Sources: FID, Heusel et al. 2017 (arXiv 1706.08500); KID, Binkowski et al. 2018 (1801.01401); precision and recall,
Kynkaanniemi et al. 2019 (1904.06991); density and coverage, Naeem et al. 2020 (2002.09797); MS-SSIM, Wang et al. 2003.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_NEIGHBOURS = 3


@dataclass(frozen=True)
class Fidelity:
    """All that two sets of vectors tell; `kid_interval` is 95 % over random subsets."""

    fid: float
    kid: float
    kid_interval: tuple[float, float]
    precision: float
    recall: float
    density: float
    coverage: float


def fidelity(real: Array, made: Array, seed: int = 1) -> Fidelity:
    """Every measure, of unit vectors (n, d) each."""
    kid, interval = kid_of(real, made, seed)
    precision, recall, density, coverage = manifold(real, made)
    return Fidelity(frechet(real, made), kid, interval, precision, recall, density, coverage)


def frechet(one: Array, two: Array) -> float:
    """Squared Frechet distance of two Gaussians; biased upwards for few pictures, so compare equal numbers only."""
    mean = one.mean(axis=0) - two.mean(axis=0)
    a, b = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    # trace sqrt(ab) by eigenvalues of the symmetric form, which needs no matrix root of a non-symmetric product.
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ b @ root), 0, None)).sum()
    return float(mean @ mean + np.trace(a) + np.trace(b) - 2 * cross)


def kid_of(real: Array, made: Array, seed: int, subsets: int = 100) -> tuple[float, tuple[float, float]]:
    """Unbiased squared MMD with the cubic kernel: the mean over random halves, and its 95 % interval.

    The vectors have norm 1; the kernel (x.y + 1)^3 is the usual one for vectors scaled to the root of their length.
    """
    rng = np.random.default_rng([seed, 31])
    size = max(2, min(len(real), len(made)) // 2)
    values = [
        _mmd(real[rng.choice(len(real), size, replace=False)], made[rng.choice(len(made), size, replace=False)])
        for _ in range(subsets)
    ]
    low, high = np.percentile(values, (2.5, 97.5))
    return float(np.mean(values)), (float(low), float(high))


def _mmd(x: Array, y: Array) -> float:
    n, m = len(x), len(y)
    xx, yy, xy = ((a @ b.T + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    np.fill_diagonal(xx, 0)
    np.fill_diagonal(yy, 0)
    return float(xx.sum() / (n * (n - 1)) + yy.sum() / (m * (m - 1)) - 2 * xy.mean())


def manifold(real: Array, made: Array, k: int = _NEIGHBOURS) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage with balls to the k-th neighbour."""
    k = min(k, len(real) - 1, len(made) - 1)
    radius_real, radius_made = _radius(real, k), _radius(made, k)
    apart = _distances(made, real)
    precision = float((apart <= radius_real[None, :]).any(axis=1).mean())
    recall = float((apart <= radius_made[:, None]).any(axis=0).mean())
    density = float((apart <= radius_real[None, :]).sum() / (k * len(made)))
    coverage = float((apart.min(axis=0) <= radius_real).mean())
    return precision, recall, density, coverage


def _distances(one: Array, two: Array) -> Array:
    squares = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1)[None, :] - 2 * one @ two.T
    apart: Array = np.sqrt(np.clip(squares, 0, None))
    return apart


def _radius(points: Array, k: int) -> Array:
    radius: Array = np.sort(_distances(points, points), axis=1)[:, k]
    return radius


def nearest(pictures: Array, others: Array) -> Array:
    """Distance of each vector to the nearest of the others."""
    least: Array = _distances(pictures, others).min(axis=1)
    return least


@dataclass(frozen=True)
class Memory:
    """Median distance of made pictures to the nearest training picture, and of held-out real ones to the same.

    `share_nearer` is the share of made pictures that lie nearer to a training picture than 95 % of the held-out ones do.
    """

    made: float
    held_out: float
    share_nearer: float


def memory(made: Array, training: Array, held_out: Array) -> Memory:
    """The memorisation check: copies of training pictures lie nearer to them than unseen pictures do."""
    near, baseline = nearest(made, training), nearest(held_out, training)
    return Memory(float(np.median(near)), float(np.median(baseline)), float((near < np.percentile(baseline, 5)).mean()))


def ms_ssim(one: NDArray[np.floating], two: NDArray[np.floating]) -> float:
    """Multi-scale structural similarity of two pictures with values within -1 to 1."""
    a, b, value = one.astype(np.float64), two.astype(np.float64), 1.0
    weights = _SCALES[: max(1, min(len(_SCALES), int(np.log2(min(a.shape) / 11)) + 1))]
    for number, weight in enumerate(weights):
        similar, contrast = _ssim(a, b)
        value *= max(contrast if number < len(weights) - 1 else similar, 0.0) ** (weight / sum(weights))
        a, b = (ndimage.uniform_filter(v, 2)[::2, ::2] for v in (a, b))
    return float(value)


def _ssim(a: Array, b: Array) -> tuple[float, float]:
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    mean_a, mean_b = (ndimage.gaussian_filter(v, 1.5) for v in (a, b))
    var_a, var_b = (ndimage.gaussian_filter(v * v, 1.5) - m * m for v, m in ((a, mean_a), (b, mean_b)))
    both = ndimage.gaussian_filter(a * b, 1.5) - mean_a * mean_b
    contrast = (2 * both + c2) / (var_a + var_b + c2)
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return float((contrast * light).mean()), float(contrast.mean())


def diversity(pictures: Sequence[NDArray[np.floating]], seed: int = 1, pairs: int = 100) -> float:
    """Mean MS-SSIM over random pairs: 1 when all are alike, lower is more diverse."""
    rng = np.random.default_rng([seed, 32])
    drawn = [
        rng.choice(len(pictures), 2, replace=False) for _ in range(min(pairs, len(pictures) * (len(pictures) - 1) // 2))
    ]
    return float(np.mean([ms_ssim(pictures[int(i)], pictures[int(j)]) for i, j in drawn]))


def mode_coverage(training: Array, made: Array, modes: int = 8, seed: int = 1) -> float:
    """Share of k-means clusters of the real pictures that get at least a quarter of their fair share of made ones."""
    from sklearn.cluster import KMeans

    modes = min(modes, len(training))
    found = KMeans(modes, n_init=5, random_state=seed).fit(training)
    shares = np.bincount(found.predict(made), minlength=modes) / len(made)
    fair = np.bincount(found.labels_, minlength=modes) / len(training)
    return float((shares >= 0.25 * fair).mean())
