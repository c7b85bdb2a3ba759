"""Tiny prepared spines for these tests: boxes for vertebrae, exact heights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.imaging.healthivert.config import GanConfig
from tools.imaging.healthivert.spine import PreparedSpine

DISC, DEPTH, WIDTH = 6, 20, 20
TINY = GanConfig(rows=80, columns=32, band=40, ngf=2, batch=2, steps=3, classifier_steps=1, phantoms=1, seed=3)


def box_spine(heights: Sequence[int], grades: dict[str, int] | None = None, seed: int = 0) -> PreparedSpine:
    """Bodies of the given heights (rows, head to foot), a disc between them; every body has its own fixed texture."""
    rng = np.random.default_rng(seed)
    textures = rng.integers(120, 160, (len(heights), 64, DEPTH, WIDTH)).astype(np.uint8)
    rows = 40 + sum(heights) + DISC * (len(heights) - 1) + 40
    ct, bodies = np.full((rows, 128, 64), 70, dtype=np.uint8), np.zeros((rows, 128, 64), dtype=np.uint8)
    row = 40
    for number, height in enumerate(heights):
        where = (slice(row, row + height), slice(54, 54 + DEPTH), slice(22, 22 + WIDTH))
        ct[where], bodies[where] = textures[number, :height], number + 1
        row += height + DISC
    levels = tuple(f"L{number + 1}" for number in range(len(heights)))
    return PreparedSpine(ct, bodies, levels, tuple(range(20, 20 + len(heights))), grades or {})
