"""A small patient whose sides cannot be confused: a ball of bone at their right front, near the head."""

from __future__ import annotations

import numpy as np

from tools.imaging.volume import Volume

BALL_MM = np.array([35.0, 25.0, 30.0])
"""Right, front, head."""
SPACING = 4.0


def patient(*, table: bool = False, metal: bool = False, half_mm: float = 100.0) -> Volume:
    """HU on a cube of 200 mm about the origin: an elliptic trunk of water from head to foot, the ball, perhaps a table."""
    n = int(2 * half_mm / SPACING)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * SPACING
    x, y, z = np.meshgrid(*[np.arange(n) * SPACING + affine[0, 3]] * 3, indexing="ij")
    hu = np.full((n, n, n), -1000, dtype=np.int16)
    trunk = (x / 75) ** 2 + (y / 50) ** 2 < 1
    hu[trunk & (np.abs(z) < 80)] = 20
    ball = (x - BALL_MM[0]) ** 2 + (y - BALL_MM[1]) ** 2 + (z - BALL_MM[2]) ** 2 < 12**2
    hu[ball] = 4000 if metal else 1200
    if table:
        hu[(np.abs(y + 76) < 3) & (np.abs(x) < 90)] = 300
    return Volume(hu, affine)
