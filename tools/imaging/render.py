"""Draws slices and films as PNG, with orientation letters, window and a scale bar.

Radiological convention: on axial and coronal slices the patient's right is at the viewer's left; on sagittal slices the
patient's front is at the viewer's left. Head up on sagittal and coronal, front up on axial slices.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.types import Plane
from tools.imaging.volume import Volume
from tools.imaging.windows import apply_window

AXIS: dict[Plane, int] = {"sagittal": 0, "coronal": 1, "axial": 2}
"""The array axis that a plane's slice index counts along."""
LETTERS: dict[Plane, tuple[str, str, str, str]] = {
    "sagittal": ("A", "P", "S", "I"),
    "coronal": ("R", "L", "S", "I"),
    "axial": ("R", "L", "A", "P"),
}
"""Letters at the left, right, top and bottom edges."""
_COLOURS = ((230, 97, 1), (94, 160, 255), (253, 184, 99), (120, 200, 140), (200, 130, 220), (240, 220, 90))
_LONG_SIDE = 640
_INK = (235, 235, 235)
_MARK = (255, 176, 60)


@dataclass(frozen=True)
class Caption:
    """What is written on a picture."""

    window: str = ""
    position: str = ""
    mark: str = ""


def plane_of(data: NDArray[np.generic], plane: Plane, index: int) -> NDArray[np.generic]:
    """One slice in array order; basic indexing, so that only its voxels are read from disk."""
    return np.asarray(data[(slice(None),) * AXIS[plane] + (index,)])


def oriented(data: NDArray[np.generic], plane: Plane, index: int) -> NDArray[np.generic]:
    """One slice of a RAS array as rows x columns in radiological convention."""
    flat = plane_of(data, plane, index)
    # The first remaining axis runs to the right (R or A), the second up (S or A): transpose, head up, and mirror.
    return flat.T[::-1, ::-1]


def pixel_size(spacing: tuple[float, float, float], plane: Plane) -> tuple[float, float]:
    """Millimetres per row and per column of an oriented slice."""
    across, up = (axis for axis in range(3) if axis != AXIS[plane])
    return spacing[up], spacing[across]


def slice_image(
    volume: Volume, plane: Plane, index: int, window: tuple[float, float], caption: Caption,
    mask: Volume | None = None, opacity: float = 0.4, long_side: int = _LONG_SIDE,
) -> Image.Image:  # fmt: skip
    """Draw a slice at true aspect; `mask` is on the same grid."""
    grey = apply_window(oriented(volume.data, plane, index), *window)
    picture = np.repeat(grey[..., None], 3, axis=2)
    if mask is not None and opacity > 0:
        picture = _blend(picture, oriented(mask.data, plane, index), opacity)
    mm = pixel_size(volume.spacing_mm, plane)
    height, width = grey.shape[0] * mm[0], grey.shape[1] * mm[1]
    zoom = long_side / max(height, width)
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    image = Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.BILINEAR)
    annotate(image, caption, LETTERS[plane], zoom)
    return image


def film_image(pixels: NDArray[np.generic], window: tuple[float, float], caption: Caption, mm: float | None) -> Image.Image:
    """Draw a 2-D image with its aspect kept; `mm` is millimetres per pixel when known."""
    image = Image.fromarray(apply_window(pixels, *window)).convert("RGB")
    zoom = _LONG_SIDE / max(image.size)
    image = image.resize((max(1, round(image.width * zoom)), max(1, round(image.height * zoom))))
    annotate(image, caption, None, zoom / mm if mm else None)
    return image


def montage(images: Sequence[Image.Image], columns: int) -> Image.Image:
    """Tiles of equal size, row by row."""
    width, height = max(i.width for i in images), max(i.height for i in images)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (width * columns, height * rows))
    for number, image in enumerate(images):
        sheet.paste(image, ((number % columns) * width, (number // columns) * height))
    return sheet


def to_png(image: Image.Image) -> bytes:
    """Encode, quickly rather than small."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _blend(picture: NDArray[np.uint8], labels: NDArray[np.generic], opacity: float) -> NDArray[np.uint8]:
    out = picture.astype(np.float32)
    for value in np.unique(labels):
        if value > 0:
            where = labels == value
            colour = np.asarray(_COLOURS[int(value) % len(_COLOURS)], dtype=np.float32)
            out[where] = (1 - opacity) * out[where] + opacity * colour
    return out.astype(np.uint8)


def annotate(image: Image.Image, caption: Caption, letters: tuple[str, str, str, str] | None, per_mm: float | None) -> None:
    """Write captions, edge letters (left, right, top, bottom) and a scale bar (`per_mm`: pixels per mm), in place."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    if letters is not None:
        left, right, top, bottom = letters
        places = ((6, height // 2, left, "lm"), (width - 6, height // 2, right, "rm"), (width // 2, 4, top, "mt"),
                  (width // 2, height - 4, bottom, "mb"))  # fmt: skip
        for x, y, letter, anchor in places:
            write(draw, (x, y), letter, anchor, 16)
    write(draw, (6, 4), caption.window, "lt", 12)
    write(draw, (6, 20), caption.position, "lt", 12)
    if caption.mark:
        write(draw, (width - 6, 4), caption.mark, "rt", 16, _MARK)
    if per_mm:
        _scale_bar(draw, width, height, per_mm)


def write_mark(image: Image.Image, mark: str) -> None:
    """Burn a mark such as SYNTHETIC into the upper right corner, in place."""
    write(ImageDraw.Draw(image), (image.width - 6, 4), mark, "rt", 16, _MARK)


def _scale_bar(draw: ImageDraw.ImageDraw, width: int, height: int, per_mm: float) -> None:
    length = next((mm for mm in (100, 50, 20, 10, 5, 2, 1) if mm * per_mm <= width / 3), 1)
    end, y = width - 10, height - 12
    draw.line([(end - length * per_mm, y), (end, y)], fill=_INK, width=2)
    write(draw, (end, y - 4), f"{length} mm", "rb", 12)


def write(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str, size: int,
    colour: tuple[int, int, int] = _INK,
) -> None:  # fmt: skip
    """Write outlined text; `anchor` as in Pillow."""
    if text:
        draw.text(at, text, fill=colour, font=_font(size), anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
