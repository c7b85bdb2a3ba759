"""The procedural look: what makes a plain CT resemble a scan without any learning. The baseline of the learned models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.generation.fields import smooth_field
from tools.imaging.generation.tissue import Tissue

Array = NDArray[np.float32]


def textured(plain: Array, tissue: NDArray[np.uint8], seed: int, noise_hu: float = 18.0, spacing_mm: float = 1.5) -> Array:
    """Blur of the scanner, trabeculae, uneven organs, strands in fat, vessels in lung, noise.

    Args:
        plain: HU.
        tissue: values of `Tissue` on the same grid.
        seed: of the texture; the geometry is not touched.
        noise_hu: standard deviation of the noise in soft tissue.
        spacing_mm: of the grid.
    """
    rng = np.random.default_rng([seed, 13])
    shape = plain.shape
    fine, coarse = smooth_field(rng, shape, 1.0 / spacing_mm), smooth_field(rng, shape, 6.0 / spacing_mm)
    middle = smooth_field(rng, shape, 2.2 / spacing_mm)
    out = plain.copy()
    bone = tissue >= Tissue.RIB
    out[bone] += (28 * fine + 18 * coarse)[bone]
    soft = (tissue >= Tissue.SOFT) & ~bone & (tissue != Tissue.LUNG)
    out[soft] += (7 * coarse + 4 * middle)[soft]
    fat = tissue == Tissue.FAT
    out[fat] += np.clip(25 * (np.abs(middle) - 1.2) ** 2 * (np.abs(middle) > 1.2), 0, 110)[fat] + (6 * coarse)[fat]
    lung = tissue == Tissue.LUNG
    vessels = np.clip((np.abs(middle) - 1.6) * 900, 0, 800)
    out[lung] += (vessels + 25 * coarse)[lung]
    out = ndimage.gaussian_filter(out, 0.45)
    grain = ndimage.gaussian_filter(rng.normal(size=shape).astype(np.float32), 0.55)
    out += grain * (noise_hu / grain.std())
    return np.clip(out, -1024, 2500).astype(np.float32)
