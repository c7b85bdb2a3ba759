"""The height-loss map of a vertebral body seen from above: front at the top, and where the height is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from tools.imaging.fractures.figure import GRADE_COLOURS
from tools.imaging.fractures.genant import Graded
from tools.imaging.render import to_png

Array = NDArray[np.float64]
_CENTRES = (0.207, 0.5, 0.793)
"""Middle of the posterior, middle and anterior third that are measured, as a share of the depth from the back."""
_PIXELS_PER_MM = 8
_RIM = 2
_MARGIN = 46
_STEPS = ((0.10, (58, 76, 107)), (0.20, (110, 200, 140)), (0.25, GRADE_COLOURS[1]), (0.40, GRADE_COLOURS[2]))
_TEXT = (225, 225, 225)


def loss_map(item: Graded) -> Array:
    """Relative height loss over the body's (anterior, right) grid, NaN outside; negative where it is higher than expected.

    The expected height at a place is interpolated between the expected heights of the thirds. The outermost columns are
    the rounded rim and left out.
    """
    body = item.measured.body
    place = (body.anterior - body.back) / (body.front - body.back)
    expected = np.interp(place, _CENTRES, item.expected.heights[::-1])
    inside = ndimage.binary_erosion(np.isfinite(body.height), iterations=_RIM)
    return np.where(inside, 1 - body.height / expected[:, None], np.nan)


def draw_map(item: Graded, mark: str = "") -> bytes:
    """PNG of the map: the front is up, the patient's right is on the left as in radiological pictures; scale in mm."""
    loss = loss_map(item)
    body = item.measured.body
    wide = np.abs(body.right) <= body.width / 2 + 2
    shown = loss[::-1, wide][:, ::-1]
    colours = np.full((*shown.shape, 3), 18, dtype=np.uint8)
    inside = np.isfinite(shown)
    colours[inside] = [_colour(float(value)) for value in shown[inside]]
    step = abs(float(body.anterior[1] - body.anterior[0]))
    size = (int(shown.shape[1] * step * _PIXELS_PER_MM), int(shown.shape[0] * step * _PIXELS_PER_MM))
    picture = Image.new("RGB", (size[0] + 2 * _MARGIN, size[1] + 2 * _MARGIN + 30), (18, 18, 18))
    picture.paste(Image.fromarray(colours, "RGB").resize(size, Image.Resampling.NEAREST), (_MARGIN, _MARGIN))
    _captions(ImageDraw.Draw(picture), picture.size, item, mark)
    return to_png(picture)


def _colour(loss: float) -> tuple[int, int, int]:
    return next((colour for below, colour in _STEPS if loss < below), GRADE_COLOURS[3])


def _captions(draw: ImageDraw.ImageDraw, size: tuple[int, int], item: Graded, mark: str) -> None:
    width, height = size
    worst = max(item.loss)
    draw.text((8, 6), f"{item.level}  grade {item.grade}  worst third {100 * worst:.0f} %  {mark}", fill=_TEXT, font_size=13)
    draw.text((width / 2, _MARGIN - 12), "A", fill=_TEXT, font_size=13, anchor="mm")
    draw.text((width / 2, height - _MARGIN - 18), "P", fill=_TEXT, font_size=13, anchor="mm")
    draw.text((_MARGIN / 2, height / 2), "R", fill=_TEXT, font_size=13, anchor="mm")
    draw.text((width - _MARGIN / 2, height / 2), "L", fill=_TEXT, font_size=13, anchor="mm")
    bar = height - 44
    draw.line((_MARGIN, bar, _MARGIN + 10 * _PIXELS_PER_MM, bar), fill=_TEXT, width=2)
    draw.text((_MARGIN + 10 * _PIXELS_PER_MM + 6, bar), "10 mm", fill=_TEXT, font_size=12, anchor="lm")
    names = ("<10 %", "<20", "<25", "<40", ">=40")
    colours = (*(colour for _, colour in _STEPS), GRADE_COLOURS[3])
    for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
        left = 10 + number * (width - 20) // 5
        draw.rectangle((left, height - 24, left + 12, height - 12), fill=colour)
        draw.text((left + 16, height - 18), name, fill=_TEXT, font_size=11, anchor="lm")
