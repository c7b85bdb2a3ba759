"""The picture of a computed film: SYNTHETIC burned in, side marker, edge letters, scale bar, and a mark in the file."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from tools.imaging.render import Caption, annotate, montage, write
from tools.imaging.xray.geometry import edge_letters, side_marker
from tools.imaging.xray.radiograph import Radiograph

SYNTHETIC = "SYNTHETIC"
STATEMENT = "SYNTHETIC: computed from a CT, not an exposure of a patient; not evidence about one."
_MARKER_INK = (255, 255, 255)
_GAP = 8


def film_picture(film: Radiograph, title: str = "", mark: str = SYNTHETIC) -> Image.Image:
    """The film with its marks, at its own size.

    Args:
        film: what was computed.
        title: first line at the upper left; by default the view.
        mark: upper right; must begin with SYNTHETIC.
    """
    return _marked(Image.fromarray(film.grey).convert("RGB"), film, title, mark)


def _marked(image: Image.Image, film: Radiograph, title: str, mark: str) -> Image.Image:
    view = film.camera.view
    lines = Caption(title or view.name, f"{view.name}, {film.beam.name}" if title else film.beam.name, mark)
    annotate(image, lines, edge_letters(view), 1 / film.camera.mm_per_pixel)
    _side(image, side_marker(view))
    return image


def _side(image: Image.Image, letter: str) -> None:
    """The lead letter of radiographers, at the viewer's left where the patient's right lies on frontal films."""
    draw = ImageDraw.Draw(image)
    x, y = round(0.07 * image.width), round(0.17 * image.height)
    half = 13
    draw.rectangle([x - half, y - half, x + half, y + half], outline=_MARKER_INK, width=2)
    write(draw, (x, y), letter, "mm", 20, _MARKER_INK)


def burned_in(film: Radiograph, levels: NDArray[np.uint16], mark: str = SYNTHETIC) -> NDArray[np.uint16]:
    """Grey levels of any depth with the film's marks written over them in the brightest one."""
    blank = _marked(Image.new("RGB", (film.camera.columns, film.camera.rows)), film, "", mark).convert("L")
    ink = np.asarray(blank) > 60
    out = levels.copy()
    out[ink] = levels.max(initial=1)
    return out


def sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Films side by side, a line between them; rows of equal length."""
    framed = [_framed(image) for row in rows for image in row]
    return montage(framed, len(rows[0]))


def _framed(image: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (image.width + _GAP, image.height + _GAP), (70, 70, 70))
    frame.paste(image, (_GAP // 2, _GAP // 2))
    return frame


def marked_png(image: Image.Image) -> bytes:
    """PNG whose metadata say that it is synthetic, so that it is known again when somebody attaches it."""
    about = PngInfo()
    about.add_text("Synthetic", "true")
    about.add_text("Description", STATEMENT)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1, pnginfo=about)
    return buffer.getvalue()
