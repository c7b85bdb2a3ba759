"""The slice viewer: which images there are to look at, and one slice of them as HTML."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import ConsiliumError
from core.ports import ArtifactStore
from core.types import Artifact, Finding, Location, Turn
from ui.render import text
from ui.seam import PageAssistant

PLANES = ("sagittal", "coronal", "axial")
WINDOWS = ("bone", "soft", "lung", "brain", "full")
_FLAT = ("radiograph", "image", "cine")
_PICTURE_TYPES = ("image/png", "image/jpeg")
_PICTURE_LIMIT = 8 * 1024 * 1024
NO_IMAGE = '<p class="quiet">No image. Attach a scan or an X-ray, or load the sample case, to look at it here.</p>'


@dataclass(frozen=True)
class Look:
    """What the viewer is set to. `overlay` is empty for none; `index` counts slices of the RAS array from 0."""

    handle: str = ""
    plane: str = "sagittal"
    index: int = 0
    window: str = "full"
    overlay: str = ""
    opacity: float = 0.4


def images(store: ArtifactStore) -> list[tuple[str, str]]:
    """What can be looked at, as (label, handle): scans first, masks last."""
    order = {"volume": 0, "radiograph": 1, "cine": 2, "image": 3, "mask": 4}
    shown = [artifact for artifact in store.list() if artifact.kind in order]
    shown.sort(key=lambda artifact: order[artifact.kind])
    return [(f"{artifact.handle}: {artifact.title}", artifact.handle) for artifact in shown]


def overlays(store: ArtifactStore, handle: str) -> list[str]:
    """Masks that belong on an image."""
    return [a.handle for a in store.list() if a.kind == "mask" and a.of == handle and a.handle != handle]


def is_flat(store: ArtifactStore, handle: str) -> bool:
    """Whether an image has no planes to choose from."""
    return store.get(handle).kind in _FLAT


def default_window(artifact: Artifact) -> Literal["bone", "full"]:
    """Bone for CT, the whole range for anything else."""
    return "bone" if artifact.modality == "CT" and artifact.kind == "volume" else "full"


def look_at(store: ArtifactStore, location: Location) -> Look:
    """The viewer set to where a finding was measured."""
    masks = overlays(store, location.artifact)
    overlay = location.overlay or (masks[0] if masks else "")
    window = default_window(store.get(location.artifact))
    return Look(location.artifact, location.plane, location.index, window, overlay)


def first_look(assistant: PageAssistant, owner: str, conversation: str, handle: str) -> Look:
    """The middle slice of an image."""
    store = assistant.store(owner, conversation)
    masks = overlays(store, handle)
    count = assistant.slice_count(owner, conversation, handle, "sagittal")
    return Look(handle, "sagittal", count // 2, default_window(store.get(handle)), masks[0] if masks else "")


def slice_html(assistant: PageAssistant, owner: str, conversation: str, look: Look) -> str:
    """One slice as a picture with a caption; a message when it cannot be drawn."""
    if not look.handle:
        return NO_IMAGE
    try:
        count = max(assistant.slice_count(owner, conversation, look.handle, look.plane), 1)
        index = min(max(look.index, 0), count - 1)
        picture = assistant.draw_slice(
            owner, conversation, look.handle, look.plane, index, look.window, look.overlay or None, look.opacity
        )
    except ConsiliumError as error:
        return f'<p class="notice error">{text(error)}</p>'
    caption = f"{look.handle}, {look.plane} slice {index} (0 to {count - 1})" if count > 1 else look.handle
    shown = f" with {look.overlay}" if look.overlay else ""
    return (
        f'<figure class="slice"><img src="{data_uri(picture, "image/png")}" alt="{text(caption)}{text(shown)}">'
        f"<figcaption>{text(caption)}{text(shown)}</figcaption></figure>"
    )


def data_uri(content: bytes, media_type: str) -> str:
    """Bytes as an address that needs no request."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def pictures(store: ArtifactStore, turns: Sequence[Turn]) -> Mapping[str, str]:
    """The figures of answers as data URIs; what is gone, too large or no picture is left out."""
    known = {artifact.handle: artifact for artifact in store.list()}
    found: dict[str, str] = {}
    for handle in {name for turn in turns if turn.answer is not None for name in turn.answer.figures}:
        artifact = known.get(handle)
        if artifact is None or artifact.media_type not in _PICTURE_TYPES or artifact.bytes > _PICTURE_LIMIT:
            continue
        found[handle] = data_uri(store.path(handle).read_bytes(), artifact.media_type)
    return found


def located(turn: Turn | None, evidence: str) -> Finding | None:
    """The finding of that number, when it can be seen in an image."""
    for item in () if turn is None else turn.evidence:
        if isinstance(item, Finding) and item.id == evidence:
            return item
    return None
