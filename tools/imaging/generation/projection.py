"""Parallel-beam films of a drawn or real CT, and the development that gives them a film's contrast.

Only what making and conditioning films needs; physical DRRs of a patient's CT are the work of `synthesize_xray`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.generation.attributes import View

Array = NDArray[np.float32]
AZIMUTH: dict[View, float] = {"ap": 0.0, "pa": 0.0, "lateral": 90.0, "left_oblique": 45.0, "right_oblique": -45.0}
"""Degrees about the patient's axis. With parallel beams PA equals AP seen in the same display convention."""
_WATER = 0.0193
"""Linear attenuation of water at 70 keV, 1/mm (NIST XCOM)."""
_BONE_GAIN = 1.5
"""Bone attenuates more at diagnostic energies than its HU tells: photoelectric effect of calcium."""


def attenuation(hu: Array) -> Array:
    """Linear attenuation in 1/mm."""
    gain = np.where(hu > 120, (hu - 120) * (_BONE_GAIN - 1), 0.0)
    return np.asarray(np.clip(_WATER * (1 + (hu + gain) / 1000), 0, None), dtype=np.float32)


def project(hu: Array, spacing_mm: float, azimuth_deg: float) -> Array:
    """Line integrals as rows x columns, head up.

    Frontal: the patient's right at the viewer's left. Lateral (90 degrees): the patient's front at the viewer's left.

    Args:
        hu: (x, y, z), RAS, isotropic.
        spacing_mm: of the grid.
        azimuth_deg: 0 frontal, 90 lateral; between them the patient's left shoulder turns towards the viewer's left.
    """
    mu = attenuation(hu)
    if azimuth_deg % 90 == 0:
        quarter = int(azimuth_deg // 90) % 2
        flat = mu.sum(axis=0 if quarter else 1)
    else:
        angle = np.radians(azimuth_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        centre = (np.array(mu.shape[:2]) - 1) / 2
        # Coordinates of the turned image: first axis along the detector, second along the beam.
        n = int(np.ceil(np.hypot(*mu.shape[:2])))
        grid = np.stack(np.meshgrid(np.arange(n) - (n - 1) / 2, np.arange(n) - (n - 1) / 2, indexing="ij"))
        source = np.tensordot(turn.T, grid, axes=1) + centre[:, None, None]
        flat = np.zeros((n, mu.shape[2]), dtype=np.float32)
        x, y = source
        x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
        inside = (x0 >= 0) & (y0 >= 0) & (x0 < mu.shape[0] - 1) & (y0 < mu.shape[1] - 1)
        for i in range(n):
            here = inside[i]
            a, b = x0[i, here], y0[i, here]
            wx, wy = (x[i, here] - a)[:, None], (y[i, here] - b)[:, None]
            values = (mu[a, b] * (1 - wx) + mu[a + 1, b] * wx) * (1 - wy) + (
                mu[a, b + 1] * (1 - wx) + mu[a + 1, b + 1] * wx
            ) * wy
            flat[i] = values.sum(axis=0)
    return np.ascontiguousarray((flat * spacing_mm).T[::-1, ::-1]).astype(np.float32)


def develop(path: Array, spacing_mm: float) -> Array:
    """Line integrals to a film's grey values, -1 (black) to 1 (white): coarse shades compressed, detail kept.

    The unsharp masking that digital radiography applies; scales in mm, so that it does not depend on the pixel size.
    """
    coarse = ndimage.gaussian_filter(path, 18 / spacing_mm, mode="nearest")
    detail = path - coarse
    base = np.tanh((coarse - 3.2) / 3.0)
    return np.asarray(np.clip(0.55 * base + 0.75 * detail, -1, 1), dtype=np.float32)
