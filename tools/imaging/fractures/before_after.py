"""A deformed vertebra on its sagittal slice beside the same slice with the shape that it is expected to have had."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tools.imaging.fractures.figure import GRADE_COLOURS
from tools.imaging.fractures.genant import Graded
from tools.imaging.render import Caption, pixel_size, slice_image, to_png
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
_LONG_SIDE = 1400
_AROUND_MM = 45.0
_PANEL = 460
_CENTRES = (0.207, 0.5, 0.793)
_EXPECTED = (255, 255, 255)


def draw_before_after(image: Volume, item: Graded, *, is_ct: bool, mark: str = "") -> bytes:
    """PNG: left the slice as it is with the measured endplates, right the expected upper endplate in white.

    The lower endplate is kept and the expected heights are put on it: which endplate sank is not told by heights.
    """
    index = item.measured.centre[0]
    window, text = ((1800.0, 400.0), "W 1800 L 400 HU") if is_ct else ((1.0, 1.5), "mask")
    picture = slice_image(image, "sagittal", index, window, Caption(text, f"sagittal {index}", mark), long_side=_LONG_SIDE)
    measured, expected = picture.copy(), picture.copy()
    colour = GRADE_COLOURS[item.grade]
    for panel, upper, ink in ((measured, False, colour), (expected, True, _EXPECTED)):
        draw = ImageDraw.Draw(panel)
        for line in _lines(item, expected=upper):
            draw.line([_pixel(point, image) for point in line], fill=ink, width=3)
    middle = _pixel(item.measured.body.frame.origin, image)
    sheet = Image.new("RGB", (2 * _PANEL + 12, _PANEL + 30), (18, 18, 18))
    for number, panel in enumerate((measured, expected)):
        sheet.paste(_cropped(panel, middle, image), (number * (_PANEL + 12), 30))
    draw = ImageDraw.Draw(sheet)
    draw.text((8, 8), f"{item.level} as imaged, grade {item.grade}", fill=colour, font_size=15)
    draw.text((_PANEL + 20, 8), f"{item.level}: expected height (computed) {mark}", fill=_EXPECTED, font_size=15)
    return to_png(sheet)


def _lines(item: Graded, *, expected: bool) -> list[Array]:
    """Upper and lower endplate along the mid-sagittal line, RAS mm."""
    body = item.measured.body
    row = int(np.abs(body.right).argmin())
    place = (body.anterior - body.back) / (body.front - body.back)
    inner = (np.abs(place - 0.5) < 0.42) & np.isfinite(body.top[:, row]) & np.isfinite(body.bottom[:, row])
    a, bottom = body.anterior[inner], body.bottom[inner, row]
    top = body.top[inner, row]
    if expected:
        top = bottom + np.interp(place[inner], _CENTRES, item.expected.heights[::-1])
    return [body.frame.to_world(np.stack([a, np.zeros_like(a), surface], axis=1)) for surface in (top, bottom)]


def _pixel(point: Array, image: Volume) -> tuple[float, float]:
    voxel = np.linalg.inv(image.affine)[:3] @ np.append(point, 1.0)
    mm = pixel_size(image.spacing_mm, "sagittal")
    rows, columns = image.data.shape[2], image.data.shape[1]
    zoom = _zoom(image)
    return float((columns - 1 - voxel[1] + 0.5) * mm[1] * zoom), float((rows - 1 - voxel[2] + 0.5) * mm[0] * zoom)


def _zoom(image: Volume) -> float:
    mm = pixel_size(image.spacing_mm, "sagittal")
    return _LONG_SIDE / float(max(image.data.shape[2] * mm[0], image.data.shape[1] * mm[1]))


def _cropped(picture: Image.Image, middle: tuple[float, float], image: Volume) -> Image.Image:
    half = _AROUND_MM * _zoom(image)
    box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
    return picture.crop(box).resize((_PANEL, _PANEL), Image.Resampling.BICUBIC)
