"""Artifacts of a session as arrays, and the slices that the viewer asks for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import CallError, GateRefusal
from core.ports import ArtifactStore
from core.types import Artifact, Plane
from tools.imaging.render import AXIS, Caption, plane_of, slice_image, to_png
from tools.imaging.volume import Volume, load_volume
from tools.imaging.windows import window_for


@lru_cache(maxsize=6)
def _volume_at(path: Path) -> Volume:
    return load_volume(path)


def volume_of(store: ArtifactStore, handle: str) -> Volume:
    """The volume or mask behind a handle; voxels stay on disk until used."""
    return _volume_at(store.path(handle))


def film_of(store: ArtifactStore, handle: str) -> NDArray[np.generic]:
    """The grey values of a 2-D image, rows x columns."""
    with Image.open(store.path(handle)) as image:
        grey = image if image.mode in ("I;16", "I", "F") else image.convert("L")
        return np.asarray(grey)


def mark_of(artifact: Artifact) -> str:
    """The mark to burn into every picture of it."""
    return "SYNTHETIC" if artifact.synthetic else "SIMULATED" if artifact.simulated else ""


def matching_mask(store: ArtifactStore, image: str, mask: str | None) -> str | None:
    """The mask asked for, checked against the image's grid, or the newest mask that belongs to the image.

    Raises:
        GateRefusal: the mask lies on another grid.
    """
    if mask is None:
        return next((a.handle for a in reversed(store.list()) if a.kind == "mask" and a.of == image), None)
    if not volume_of(store, mask).same_grid(volume_of(store, image)):
        one, two = store.get(mask), store.get(image)
        raise GateRefusal(
            f"{mask} lies on another grid than {image}: it has {one.shape} voxels of {one.spacing_mm} mm, "
            f"{image} has {two.shape} of {two.spacing_mm} mm. A mask must share its image's grid."
        )
    return mask


def slice_count(store: ArtifactStore, handle: str, plane: str) -> int:
    """How many slices a volume has along the plane's normal; 1 for 2-D images."""
    artifact = store.get(handle)
    return artifact.shape[AXIS[cast(Plane, plane)]] if len(artifact.shape) == 3 else 1


def draw_slice(
    store: ArtifactStore, handle: str, plane: str, index: int, window: str | None, overlay: str | None, opacity: float
) -> bytes:
    """A slice as PNG for the viewer; 2-D images are returned as they are.

    Raises:
        CallError: the slice is outside the volume; the message has the range.
    """
    artifact = store.get(handle)
    if artifact.kind not in ("volume", "mask"):
        return store.path(handle).read_bytes()
    side = cast(Plane, plane)
    count = slice_count(store, handle, plane)
    if not 0 <= index < count:
        raise CallError(f"{handle} has {side} slices 0 to {count - 1}, got {index}.")
    volume = volume_of(store, handle)
    values = plane_of(volume.data, side, index)
    width, level, text = window_for(window, values, is_ct=artifact.modality == "CT")
    mask = volume_of(store, overlay) if overlay and matching_mask(store, handle, overlay) else None
    caption = Caption(text, f"{side} {index}", mark_of(artifact))
    return to_png(slice_image(volume, side, index, (width, level), caption, mask, opacity))
