"""Pictures of what was made, with the mark burned in: slices of a volume, films with letters and a scale bar."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tools.imaging.generation.attributes import View
from tools.imaging.generation.film_model import PIXEL_MM, MadeFilm
from tools.imaging.generation.volume_model import MadeVolume
from tools.imaging.marking import MARK
from tools.imaging.render import Caption, montage, slice_image
from tools.imaging.render import film_image as draw_film
from tools.imaging.windows import WINDOWS

VIEW_NAMES: dict[View, str] = {
    "ap": "AP",
    "pa": "PA",
    "lateral": "lateral",
    "left_oblique": "left oblique",
    "right_oblique": "right oblique",
}
_LONG_SIDE = 512


def volume_picture(made: MadeVolume, title: str = "") -> Image.Image:
    """Sagittal through the spine, the same with the mask, coronal and axial, in the bone window."""
    labels = np.asarray(made.mask.data)
    shown = np.argwhere(labels > 0)
    x, y, z = (int(v) for v in np.median(shown, axis=0))
    y = _through_bodies(labels, z)
    tiles = [
        slice_image(made.ct, "sagittal", x, WINDOWS["bone"], Caption(title, "sagittal", MARK), long_side=_LONG_SIDE),
        slice_image(made.ct, "sagittal", x, WINDOWS["bone"], Caption("", "mask", MARK), made.mask, 0.5, _LONG_SIDE),
        slice_image(made.ct, "coronal", y, WINDOWS["bone"], Caption("", "coronal", MARK), long_side=_LONG_SIDE),
        slice_image(made.ct, "axial", z, WINDOWS["soft"], Caption("", "axial", MARK), long_side=_LONG_SIDE),
    ]
    return montage(tiles, len(tiles))


def _through_bodies(labels: np.ndarray[tuple[int, ...], np.dtype[np.int16]], z: int) -> int:
    """A coronal slice through the bodies rather than behind them: the widest bone near the middle height."""
    near = labels[:, :, max(z - 20, 0) : z + 20] > 0
    front = np.flatnonzero(near.any(axis=(0, 2)))
    return int(front[-1] - 12) if len(front) else labels.shape[1] // 2


def film_picture(made: MadeFilm, title: str = "") -> Image.Image:
    """One film: grey values as they are, view and mark written on it."""
    grey = np.round((made.film + 1) * 127.5).astype(np.uint8)
    return draw_film(grey, (255.0, 127.5), Caption(title, VIEW_NAMES[made.view], MARK), PIXEL_MM)
