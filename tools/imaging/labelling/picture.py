"""The numbered picture: a sagittal slice with every body that was found, its number from the head and its name."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from tools.imaging.labelling.labeller import Labelled
from tools.imaging.render import Caption, pixel_size, slice_image, to_png
from tools.imaging.volume import Volume

_LONG_SIDE = 900
_WINDOW = (1800.0, 400.0)
_OPACITY = 0.35


def draw_numbered(ct: Volume, found: Labelled, mark: str) -> bytes:
    """PNG; the slice is the one through the middle of the bodies."""
    index = int(np.median([item.centre[0] for item in found.vertebrae]))
    caption = Caption("W 1800 L 400 HU", f"sagittal {index}", mark)
    picture = slice_image(ct, "sagittal", index, _WINDOW, caption, found.mask, _OPACITY, long_side=_LONG_SIDE)
    draw = ImageDraw.Draw(picture)
    mm = pixel_size(ct.spacing_mm, "sagittal")
    rows, columns = ct.data.shape[2], ct.data.shape[1]
    zoom = _LONG_SIDE / max(rows * mm[0], columns * mm[1])
    for item in found.vertebrae:
        _, y, z = item.centre
        at = ((columns - 1 - y) * mm[1] * zoom, (rows - 1 - z) * mm[0] * zoom)
        name = f"{item.number}  {item.level}".strip()
        draw.text(at, name, fill=(255, 235, 120), anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0), font_size=16)
    return to_png(picture)
