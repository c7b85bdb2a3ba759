"""Every step of the synthesis as a picture: straightened, without posterior elements, hidden by the band, painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.imaging.healthivert.dataset import as_input, body_column
from tools.imaging.healthivert.inference import HealthyPainter
from tools.imaging.healthivert.mask_band import extent, hide
from tools.imaging.healthivert.rhlv import central_slices
from tools.imaging.healthivert.spine import PreparedSpine
from tools.imaging.render import Caption, film_image

_WINDOW = (255.0, 127.5)


def keep_synthesis_steps(spine: PreparedSpine, painter: HealthyPainter, folder: Path) -> tuple[str, ...]:
    """Write `straightened.png`, `bodies.png` and per level `LEVEL_banded.png` and `LEVEL_painted.png`; returns the names.

    All are sagittal, 1 mm per pixel before enlarging, front to the left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    middle = spine.ct.shape[2] // 2
    names = [_write(spine.ct[:, :, middle], "straightened", "", folder)]
    names.append(_write(np.where(spine.bodies[:, :, middle] > 0, 255, 0), "bodies", "", folder))
    for number, level in enumerate(spine.levels):
        slices = central_slices(spine.body(level))
        if not slices:
            continue
        at = slices[len(slices) // 2]
        rows = extent(spine.bodies[:, :, at], number + 1)
        over = painter.paint_over(spine, level, at)
        if rows is None or over is None:
            continue
        column = body_column(spine.bodies[:, :, at], number + 1)
        size = (painter.config.rows, painter.config.columns)
        banded = hide(as_input(spine.ct[:, :, at]), spine.bodies[:, :, at], rows, column, size, painter.config.band)
        names.append(_write((banded.ct + 1) * 127.5, f"{level}_banded", "", folder))
        names.append(_write((over.ct + 1) * 127.5, f"{level}_painted", "SYNTHETIC", folder))
    return tuple(names)


def _write(pixels: NDArray[np.generic], name: str, mark: str, folder: Path) -> str:
    picture: Image.Image = film_image(pixels, _WINDOW, Caption(name, "1 mm", mark), 1.0)
    picture.save(folder / f"{name}.png")
    return f"{name}.png"
