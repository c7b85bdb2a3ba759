"""Smooth random fields: what makes organs uneven and gives bone its trabeculae."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Array:
    """A Gaussian field of unit variance and a correlation length of `sigma` voxels; wide ones are drawn coarsely."""
    import torch

    step = max(1, int(sigma / 1.2))
    small = rng.normal(size=tuple(-(-n // step) + 1 for n in shape)).astype(np.float32)
    small = ndimage.gaussian_filter(small, sigma / step)
    if step > 1:
        big = torch.nn.functional.interpolate(torch.from_numpy(small)[None, None], scale_factor=step, mode="trilinear")
        small = big[0, 0].numpy()
    cut = small[tuple(slice(0, n) for n in shape)]
    return np.asarray(cut / cut.std(), dtype=np.float32)
