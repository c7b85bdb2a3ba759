"""The sagittal picture of a vertebra as it is beside the same as it may have been; the painted side is marked SYNTHETIC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.imaging.healthivert.inference import SagittalSlice, Synthesis
from tools.imaging.healthivert.mask_band import crop_columns, extent
from tools.imaging.healthivert.spine import PreparedSpine, to_hu
from tools.imaging.render import Caption, montage, slice_image, to_png
from tools.imaging.volume import Volume

ROWS, COLUMNS = 132, 84
"""Millimetres shown, along the spine and front to back."""
_LONG_SIDE = 560
_WINDOW = (1100.0, 250.0)


def draw_before_after(
    syntheses: Sequence[Synthesis], spine: PreparedSpine, mark: str = "", captions: Mapping[str, str] | None = None
) -> bytes:
    """PNG with a row per level: the straightened slice through its middle, and that slice repainted.

    Args:
        syntheses: levels to show, at least one, each with a painted slice.
        spine: what they were painted in.
        mark: of the patient's own image (SIMULATED), burned into the left side.
        captions: level to what is written on its painted side; by default the loss.
    """
    tiles: list[Image.Image] = []
    for item in syntheses:
        middle, value = len(item.laterals) // 2, spine.levels.index(item.level) + 1
        loss = f"loss {100 * max(item.rhlv.thirds):.0f} %" if item.rhlv else ""
        loss = (captions or {}).get(item.level, loss)
        tiles.append(_tile(item.original[middle], value, Caption(f"{item.level} as it is", "straightened, 1 mm", mark)))
        tiles.append(_tile(item.painted[middle], value, Caption(f"{item.level} as painted", loss, "SYNTHETIC")))
    return to_png(montage(tiles, columns=2))


def _tile(item: SagittalSlice, value: int, caption: Caption) -> Image.Image:
    rows, columns = extent(item.bodies, value), np.flatnonzero((item.bodies == value).any(axis=0))
    middle = sum(rows) // 2 if rows else len(item.ct) // 2
    # The body lies a little in front of the middle, so that the canal is seen.
    across = int(columns.mean()) + 10 if len(columns) else item.ct.shape[1] // 2
    hu = to_hu(np.round((item.ct + 1) * 127.5).clip(0, 255).astype(np.uint8))
    picture = _as_ras(_crop(hu, middle, across, -300))
    body = _as_ras(_crop((item.bodies == value).astype(np.uint8), middle, across, 0))
    return slice_image(picture, "sagittal", 0, _WINDOW, caption, mask=body, opacity=0.25, long_side=_LONG_SIDE)


def _crop(image: NDArray[np.generic], row: int, column: int, fill: int) -> NDArray[np.generic]:
    return crop_columns(crop_columns(image.T, row, ROWS, fill).T, column, COLUMNS, fill)


def _as_ras(image: NDArray[np.generic]) -> Volume:
    """A slice (I, P) as a volume of one sagittal slice in RAS order, 1 mm."""
    return Volume(image[::-1, ::-1].T[None], np.eye(4))
