"""The overlay figure: a sagittal slice with each level outlined in the colour of its grade."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from tools.imaging.fractures.genant import Graded
from tools.imaging.render import Caption, oriented, pixel_size, slice_image, to_png
from tools.imaging.volume import Volume

GRADE_COLOURS = {0: (110, 200, 140), 1: (245, 214, 80), 2: (255, 150, 50), 3: (240, 70, 70)}
_LONG_SIDE = 900


def sagittal_index(graded: Sequence[Graded]) -> int:
    """The sagittal slice that shows the most: through the deformed levels, or through the middle of all."""
    shown = [item for item in graded if item.grade > 0] or list(graded)
    return int(np.median([item.measured.centre[0] for item in shown]))


def draw_figure(image: Volume, labels: Volume, graded: Sequence[Graded], *, is_ct: bool, mark: str) -> bytes:
    """PNG of the slice with outlines, level names and grades; `image` is the CT, or the mask when there is none."""
    index = sagittal_index(graded)
    window, text = ((1800.0, 400.0), "W 1800 L 400 HU") if is_ct else ((1.0, 1.5), "mask")
    picture = slice_image(image, "sagittal", index, window, Caption(text, f"sagittal {index}", mark), long_side=_LONG_SIDE)
    outlines = _outlines(np.asarray(oriented(labels.data, "sagittal", index)), graded)
    layer = Image.fromarray(outlines, "RGBA").resize(picture.size, Image.Resampling.NEAREST)
    picture.paste(layer, (0, 0), layer)
    _names(picture, image, graded)
    return to_png(picture)


def _outlines(
    values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], graded: Sequence[Graded]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    layer = np.zeros((*values.shape, 4), dtype=np.uint8)
    for item in graded:
        here = values == item.measured.value
        inner = here.copy()
        inner[1:-1, 1:-1] = here[1:-1, 1:-1] & here[:-2, 1:-1] & here[2:, 1:-1] & here[1:-1, :-2] & here[1:-1, 2:]
        layer[here] = (*GRADE_COLOURS[item.grade], 40)
        layer[here & ~inner] = (*GRADE_COLOURS[item.grade], 255)
    return layer


def _names(picture: Image.Image, image: Volume, graded: Sequence[Graded]) -> None:
    draw = ImageDraw.Draw(picture)
    mm = pixel_size(image.spacing_mm, "sagittal")
    rows, columns = image.data.shape[2], image.data.shape[1]
    zoom = _LONG_SIDE / max(rows * mm[0], columns * mm[1])
    for item in graded:
        _, y, z = item.measured.centre
        at = ((columns - 1 - y) * mm[1] * zoom, (rows - 1 - z) * mm[0] * zoom)
        name = item.level if item.grade == 0 else f"{item.level}  grade {item.grade}"
        draw.text(at, name, fill=GRADE_COLOURS[item.grade], anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0), font_size=15)
