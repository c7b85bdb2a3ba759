"""What a model that reads images is shown: few pictures, chosen for the question, of limited size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from core.ports import ArtifactStore
from core.types import Artifact, Plane
from tools.imaging.labels import level_names
from tools.imaging.render import AXIS, Caption, montage, pixel_size, plane_of, slice_image, to_png, write_mark
from tools.imaging.slices import film_of, mark_of, matching_mask, volume_of
from tools.imaging.volume import Volume
from tools.imaging.windows import apply_window, window_for

_TILE = 512
_APART_MM = 12.0
"""Sagittal slices left and right of the middle one, still through the vertebral bodies."""
_SHARES = (0.3, 0.5, 0.7)
"""Where axial and coronal slices lie along a volume when no level is asked for."""
_MOST_LEVELS = 2
"""Levels that get an axial slice of their own."""


@dataclass(frozen=True)
class Wish:
    """What the question names: vertebral levels, a plane, a window preset."""

    levels: tuple[str, ...] = ()
    plane: Plane | None = None
    window: str | None = None


def overview(store: ArtifactStore, handle: str, wish: Wish = Wish(), max_pixels: int = 802816) -> bytes:
    """PNG of an artifact for a model, with window, orientation letters, scale bar and mark.

    A volume becomes a montage: with a vertebra mask, or when levels are asked for, three sagittal slices (the middle one
    through the first level that is asked for and there) with the levels' names, and an axial slice through each asked level;
    in the plane that is asked for, three slices of it; else the middle slice of each plane. A flat image keeps its aspect.

    Args:
        store: the session's files.
        handle: a volume, radiograph or picture.
        wish: what the question names.
        max_pixels: the picture is made smaller, with its aspect kept, until it has no more; it is never enlarged.
    """
    artifact = store.get(handle)
    if artifact.kind == "volume":
        return to_png(_limited(_montage(store, artifact, wish), max_pixels))
    return to_png(_marked(_limited(_flat(store, artifact), max_pixels), artifact))


def _flat(store: ArtifactStore, artifact: Artifact) -> Image.Image:
    """Colour pictures as they are; grey ones, often of 10 to 16 bits, through a window."""
    with Image.open(store.path(artifact.handle)) as opened:
        if opened.mode not in ("I;16", "I", "F"):
            return opened.convert("RGB")
    pixels = film_of(store, artifact.handle)
    width, level, _ = window_for("film", pixels, is_ct=False)
    return Image.fromarray(apply_window(pixels, width, level)).convert("RGB")


def _marked(image: Image.Image, artifact: Artifact) -> Image.Image:
    if mark := mark_of(artifact):
        write_mark(image, mark)
    return image


def _montage(store: ArtifactStore, artifact: Artifact, wish: Wish) -> Image.Image:
    volume = volume_of(store, artifact.handle)
    mask_handle = matching_mask(store, artifact.handle, None)
    mask = volume_of(store, mask_handle) if mask_handle else None
    centres = _centres(mask) if mask is not None else {}
    there = [level for level in wish.levels if level in centres]
    tiles = []
    for plane, index, note in _slices(volume, centres, there, wish):
        width, level, text = window_for(wish.window, plane_of(volume.data, plane, index), is_ct=artifact.modality == "CT")
        position = f"{artifact.handle} {plane} {index}{note}"
        caption = Caption(text, position, mark_of(artifact))
        tile = slice_image(volume, plane, index, (width, level), caption, long_side=_TILE)
        if plane == "sagittal":
            _name_levels(tile, volume, centres)
        tiles.append(tile)
    return montage(tiles, len(tiles) if len(tiles) <= 4 else 3)


def _slices(
    volume: Volume, centres: dict[str, tuple[int, int, int]], there: Sequence[str], wish: Wish
) -> list[tuple[Plane, int, str]]:
    """Plane, index and note of each tile."""
    count = volume.data.shape
    if wish.plane is None and not centres and not wish.levels:
        middles: list[tuple[Plane, int, str]] = [
            (plane, count[AXIS[plane]] // 2, "") for plane in ("sagittal", "coronal", "axial")
        ]
        return middles
    plane: Plane = wish.plane or "sagittal"
    axis = AXIS[plane]
    if there or (plane == "sagittal" and centres):
        middle = centres[there[0]][axis] if there else int(np.median([centre[axis] for centre in centres.values()]))
        chosen = _around(middle, volume, axis)
    elif plane == "sagittal":
        chosen = _around(count[axis] // 2, volume, axis)
    else:
        chosen = [int(share * (count[axis] - 1)) for share in _SHARES]
    tiles: list[tuple[Plane, int, str]] = [(plane, index, "") for index in chosen]
    if plane == "sagittal":
        tiles += [("axial", centres[level][AXIS["axial"]], f" ({level})") for level in there[:_MOST_LEVELS]]
    return tiles


def _around(middle: int, volume: Volume, axis: int) -> list[int]:
    step = max(1, round(_APART_MM / volume.spacing_mm[axis]))
    last = volume.data.shape[axis] - 1
    return list(dict.fromkeys(min(max(middle + shift * step, 0), last) for shift in (-1, 0, 1)))


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


def _limited(image: Image.Image, max_pixels: int) -> Image.Image:
    share = (max_pixels / (image.width * image.height)) ** 0.5
    if share >= 1:
        return image
    size = (max(1, int(image.width * share)), max(1, int(image.height * share)))
    return image.resize(size, Image.Resampling.LANCZOS)
