"""Which images there are to look at, what belongs to them, and where an answer's figures can be fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from nibabel.filebasedimages import ImageFileError

from core.errors import ConsiliumError
from core.ports import ArtifactStore
from core.types import Artifact, Frozen, Turn
from tools.imaging.labels import level_names
from tools.imaging.slices import mark_of, volume_of
from tools.imaging.volume import load_volume
from tools.imaging.windows import WINDOWS

PICTURE_TYPES = ("image/png", "image/jpeg")
_ORDER = {"volume": 0, "radiograph": 1, "cine": 2, "image": 3, "mask": 4}


class Overlay(Frozen):
    """A mask that lies on an image's grid; `labels` names its values."""

    handle: str
    title: str
    labels: dict[int, str]


class Viewable(Frozen):
    """An image as the viewer needs it.

    `shape` is in voxels along the RAS axes (x, y, z), `affine` the 4 x 4 matrix from voxel to RAS mm, row by row; both
    empty for a flat picture. `twin`: an image on the same grid to compare with, for example before and after.
    """

    handle: str
    title: str
    kind: str
    flat: bool
    ct: bool
    mark: str
    shape: tuple[int, ...] = ()
    affine: tuple[float, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    twin: str = ""
    twins: tuple[str, ...] = ()


class Scene(Frozen):
    """All images of a conversation, and the window presets for CT as (width, level) in HU."""

    images: tuple[Viewable, ...]
    windows: dict[str, tuple[float, float]]


def scene_of(store: ArtifactStore) -> Scene:
    """What can be looked at, scans first; masks are overlays of their images and not images of their own."""
    artifacts = [a for a in store.list() if a.kind in _ORDER and (a.kind != "mask" or not a.of)]
    artifacts.sort(key=lambda a: _ORDER[a.kind])
    masks = [a for a in store.list() if a.kind == "mask" and a.of]
    shown = []
    for artifact in artifacts:
        try:
            shown.append(_viewable(store, artifact, masks, artifacts))
        except (
            ConsiliumError,
            ImageFileError,
            OSError,
            ValueError,
        ):  # its file is damaged or gone: the others can still be looked at
            continue
    return Scene(images=tuple(shown), windows=dict(WINDOWS))


def _viewable(store: ArtifactStore, artifact: Artifact, masks: Sequence[Artifact], others: Sequence[Artifact]) -> Viewable:
    told = {"handle": artifact.handle, "title": artifact.title, "kind": artifact.kind, "mark": mark_of(artifact)}
    if not is_volume(artifact):
        return Viewable(**told, flat=True, ct=False)
    volume = volume_of(store, artifact.handle)
    twins = [a.handle for a in others if is_volume(a) and a.handle != artifact.handle and a.shape == artifact.shape]
    twins = [name for name in twins if volume_of(store, name).same_grid(volume)]
    made = [name for name in twins if store.get(name).of == artifact.handle]
    source = [name for name in twins if artifact.of == name]
    return Viewable(
        **told,
        flat=False,
        ct=artifact.modality == "CT",
        shape=tuple(int(n) for n in volume.data.shape),
        affine=tuple(float(value) for value in volume.affine.ravel()),
        overlays=tuple(_overlay(store, a) for a in masks if a.of == artifact.handle and a.shape == artifact.shape),
        twin=(made[-1] if made else source[0] if source else ""),
        twins=tuple(twins),
    )


def _overlay(store: ArtifactStore, mask: Artifact) -> Overlay:
    return Overlay(handle=mask.handle, title=mask.title, labels=level_names(values_in(store.path(mask.handle))))


@lru_cache(maxsize=64)
def values_in(path: Path) -> tuple[int, ...]:
    """The values of a mask that are not 0; counted slice by slice, so that the voxels are never in memory at once."""
    data = load_volume(path).data
    found: set[int] = set()
    for place in range(data.shape[2]):
        found.update(int(value) for value in np.unique(np.asarray(data[:, :, place])))
    return tuple(sorted(found - {0}))


def is_volume(artifact: Artifact) -> bool:
    """Whether it has planes to choose from."""
    return artifact.kind in ("volume", "mask") and len(artifact.shape) == 3


def figure_addresses(store: ArtifactStore, turns: Sequence[Turn], key: str) -> Mapping[str, str]:
    """The figures of answers as signed addresses; what is gone or no picture is left out, and all without a key."""
    known = {artifact.handle: artifact for artifact in store.list()}
    asked = {name for turn in turns if turn.answer is not None for name in turn.answer.figures}
    return {
        handle: f"/desk/{key}/file/{handle}"
        for handle in asked
        if key and handle in known and known[handle].media_type in PICTURE_TYPES
    }
