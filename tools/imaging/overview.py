"""What a model that reads images is shown: few pictures, chosen for the question, of limited size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from core.ports import ArtifactStore
from core.types import Artifact
from tools.imaging.labels import level_names
from tools.imaging.render import Caption, montage, pixel_size, slice_image, to_png
from tools.imaging.slices import mark_of, matching_mask, volume_of
from tools.imaging.volume import Volume
from tools.imaging.windows import window_for

_TILE = 512
_APART_MM = 12.0
"""Sagittal slices left and right of the middle one, still through the vertebral bodies."""


def overview(store: ArtifactStore, handle: str, levels: Sequence[str] = (), max_pixels: int = 802816) -> bytes:
    """PNG of an artifact for a model: a volume as three sagittal slices with level names, a flat image as it is.

    Args:
        store: the session's files.
        handle: a volume, radiograph or picture.
        levels: vertebrae that the question names; the middle slice goes through the first that is in the mask.
        max_pixels: the picture is made smaller, with its aspect kept, until it has no more.
    """
    artifact = store.get(handle)
    if artifact.kind == "volume":
        return _limited(_sagittal_montage(store, artifact, levels), max_pixels)
    with Image.open(store.path(handle)) as opened:
        return _limited(opened.convert("RGB"), max_pixels)


def _sagittal_montage(store: ArtifactStore, artifact: Artifact, levels: Sequence[str]) -> Image.Image:
    volume = volume_of(store, artifact.handle)
    mask_handle = matching_mask(store, artifact.handle, None)
    mask = volume_of(store, mask_handle) if mask_handle else None
    centres = _centres(mask) if mask is not None else {}
    named = [centres[level][0] for level in levels if level in centres]
    middle = (named or [int(np.median([c[0] for c in centres.values()]))])[0] if centres else volume.data.shape[0] // 2
    step = max(1, round(_APART_MM / volume.spacing_mm[0]))
    last = volume.data.shape[0] - 1
    tiles = []
    for index in (min(max(middle + shift * step, 0), last) for shift in (-1, 0, 1)):
        width, level, text = window_for(None, np.asarray(volume.data[index]), is_ct=artifact.modality == "CT")
        caption = Caption(text, f"{artifact.handle} sagittal {index}", mark_of(artifact))
        tile = slice_image(volume, "sagittal", index, (width, level), caption, long_side=_TILE)
        _name_levels(tile, volume, centres)
        tiles.append(tile)
    return montage(tiles, 3)


def _centres(mask: Volume) -> dict[str, tuple[int, int, int]]:
    labels = np.asarray(mask.data)
    names = level_names([int(value) for value in np.unique(labels) if value > 0])
    centres = {}
    for value, name in names.items():
        x, y, z = (int(v) for v in np.median(np.argwhere(labels == value), axis=0))
        centres[name] = (x, y, z)
    return centres


def _name_levels(tile: Image.Image, volume: Volume, centres: dict[str, tuple[int, int, int]]) -> None:
    """Names in front of the spine, so that the bodies stay free."""
    draw = ImageDraw.Draw(tile)
    mm = pixel_size(volume.spacing_mm, "sagittal")
    rows, columns = volume.data.shape[2], volume.data.shape[1]
    zoom = _TILE / max(rows * mm[0], columns * mm[1])
    for name, (_, y, z) in centres.items():
        at = ((columns - 1 - y) * mm[1] * zoom, (rows - 1 - z) * mm[0] * zoom)
        draw.text(at, name, fill=(255, 230, 120), anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0), font_size=13)


def _limited(image: Image.Image, max_pixels: int) -> bytes:
    share = (max_pixels / (image.width * image.height)) ** 0.5
    if share < 1:
        size = (max(28, int(image.width * share)), max(28, int(image.height * share)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return to_png(image)
