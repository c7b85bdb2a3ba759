"""`show_image`: a slice or montage of a volume, or a film, as a picture with its scale and orientation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.errors import CallError
from core.types import Artifact, Finding, Location, NewArtifact, Plane, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec
from tools.imaging.labels import level_names
from tools.imaging.render import AXIS, Caption, film_image, montage, plane_of, slice_image, to_png
from tools.imaging.slices import film_of, mark_of, matching_mask, volume_of
from tools.imaging.volume import Volume
from tools.imaging.windows import window_for

_MONTAGE = 9
_AXIS_NAME = {"sagittal": "x", "coronal": "y", "axial": "z"}


class ShowParams(BaseModel):
    """What to show."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="Handle of the volume, radiograph or picture.")
    plane: Plane = Field(default="sagittal", description="Plane of the slice; volumes only.")
    level: str | None = Field(default=None, description="Vertebra to show, for example L1; needs a vertebra mask.")
    slice: int | None = Field(default=None, description="Slice index, from 0.")
    window: Literal["bone", "soft", "lung", "brain", "full"] | None = Field(default=None, description="Window preset.")
    overlay: str | None = Field(default=None, description="Handle of a mask to draw over the image.")
    montage: bool = Field(default=False, description="Several slices in one picture.")


_SPEC = ToolSpec(
    name="show_image",
    version="1",
    description="Draws a slice or montage of a volume, or a radiograph, with orientation letters, window and scale bar. "
    "Use it when someone wants to see an image; it measures nothing.",
    params=ShowParams,
    examples=(
        "Show me the CT",
        "show L1 in the bone window",
        "Let me see a sagittal slice",
        "display an axial view at T12",
        "Can I see the coronal plane?",
        "open slice 120 of ct1",
        "show the radiograph",
        "Draw the mask over the CT",
        "a montage of the spine please",
        "lung window, axial",
        "view the image with the vertebrae overlaid",
        "zoom to the level of L2 and display it",
        "pull up the scan",
        "put the middle slice on the screen",
        "what does this image look like",
        "where in the picture is T10?",
        "soft tissue window",
        "go to slice 60",
        "render a transverse cut",
        "a picture of the lower thoracic spine",
        "coronal reformat of ct2",
        "I want to look at the film",
        "overlay the labels",
    ),
    card=Card(
        method="Slices of the stored voxels at true aspect in radiological convention; nothing is interpreted.",
        trained_on="Nothing: no model is involved.",
        performance="Orientation is tested with an asymmetric phantom in every plane.",
        intended_use="Looking at what the other tools measured.",
        known_failures=(
            "Not of diagnostic quality: 8-bit, resampled to screen size.",
            "A level can only be found with a vertebra mask.",
        ),
    ),
    accepts=(
        Accepts("image", ("volume", "radiograph", "image"), allow_synthetic=True, described_as="an image"),
        Accepts("overlay", ("mask",), allow_synthetic=True, described_as="a mask on the image's grid"),
    ),
    timeout_s=30,
)  # fmt: skip


class ShowImage:
    """The tool."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: ShowParams, context: ToolContext) -> ToolResult:
        """Draw one picture and say what it shows."""
        artifact = context.store.get(params.image)
        if artifact.kind != "volume":
            return _film(params, artifact, context)
        volume = volume_of(context.store, artifact.handle)
        overlay = matching_mask(context.store, artifact.handle, params.overlay) if params.overlay else None
        index = _index(params, artifact, volume, context)
        picture, window = _draw(params, artifact, volume, index, overlay, context)
        made = _keep(picture, artifact, f"{params.plane} of {artifact.handle}", context)
        return _result(_finding(params, artifact, volume, index, overlay, window), made, ())


def _index(params: ShowParams, artifact: Artifact, volume: Volume, context: ToolContext) -> int:
    axis = AXIS[params.plane]
    count = volume.data.shape[axis]
    if params.slice is not None:
        if not 0 <= params.slice < count:
            raise CallError(f"{artifact.handle} has {params.plane} slices 0 to {count - 1}, got {params.slice}.")
        return params.slice
    if params.level is not None:
        return level_centre(params.level, artifact, params.overlay, context)[axis]
    return int(count // 2)


def level_centre(level: str, artifact: Artifact, overlay: str | None, context: ToolContext) -> tuple[int, int, int]:
    """Voxel at the centre of a vertebra.

    Raises:
        CallError: there is no mask, or the level is not in it; the message lists the levels there are.
    """
    handle = matching_mask(context.store, artifact.handle, overlay)
    if handle is None:
        raise CallError(f"Finding {level} in {artifact.handle} needs a vertebra mask; none belongs to it.")
    labels = np.asarray(volume_of(context.store, handle).data)
    names = level_names([int(v) for v in np.unique(labels) if v > 0])
    value = next((v for v, name in names.items() if name == level.upper()), None)
    if value is None:
        there = ", ".join(names.values()) or "none"
        raise CallError(f"{level.upper()} is not in the image {artifact.handle}. The levels there are: {there}.")
    where = np.argwhere(labels == value)
    x, y, z = (int(v) for v in np.median(where, axis=0))
    return x, y, z


def _draw(
    params: ShowParams, artifact: Artifact, volume: Volume, index: int, overlay: str | None, context: ToolContext
) -> tuple[bytes, str]:
    axis = AXIS[params.plane]
    values = plane_of(volume.data, params.plane, index)
    width, level, text = window_for(params.window, values, is_ct=artifact.modality == "CT")
    mask = volume_of(context.store, overlay) if overlay else None
    count = volume.data.shape[axis]
    if not params.montage:
        caption = Caption(text, f"{params.plane} {index}", mark_of(artifact))
        return to_png(slice_image(volume, params.plane, index, (width, level), caption, mask)), text
    tiles = []
    for number in np.linspace(0.1 * count, 0.9 * count, _MONTAGE).astype(int):
        context.check()
        caption = Caption(text, f"{params.plane} {number}", mark_of(artifact))
        tiles.append(slice_image(volume, params.plane, int(number), (width, level), caption, mask, long_side=320))
    return to_png(montage(tiles, 3)), text


def _finding(
    params: ShowParams, artifact: Artifact, volume: Volume, index: int, overlay: str | None, window: str
) -> Finding:
    axis = AXIS[params.plane]
    centre = np.array([n // 2 for n in volume.data.shape], dtype=float)
    centre[axis] = index
    position = float((volume.affine @ np.append(centre, 1.0))[axis])
    mark = mark_of(artifact).lower()
    what = f"{_MONTAGE} {params.plane} slices" if params.montage else f"{params.plane} slice {index}"
    at = "" if params.montage else f" at {_AXIS_NAME[params.plane]} = {position:.0f} mm"
    level = f" through {params.level.upper()}" if params.level and not params.montage else ""
    drawn = f" with {overlay} drawn over it" if overlay else ""
    return Finding(
        name="view",
        value=index,
        where=(params.level or "").upper(),
        method=f"show_image {_SPEC.version}",
        artifact=artifact.handle,
        location=Location(artifact=artifact.handle, plane=params.plane, index=index, overlay=overlay),
        statement=f"The picture shows {what} of {artifact.handle}{f' ({mark})' if mark else ''}{level}{at}, "
        f"window {window}{drawn}.",
    )


def _film(params: ShowParams, artifact: Artifact, context: ToolContext) -> ToolResult:
    pixels = film_of(context.store, artifact.handle)
    width, level, text = window_for("full" if params.window == "full" else "film", pixels, is_ct=False)
    mm = artifact.spacing_mm[0] if artifact.spacing_mm else None
    picture = to_png(film_image(pixels, (width, level), Caption(text, "", mark_of(artifact)), mm))
    made = _keep(picture, artifact, f"view of {artifact.handle}", context)
    asked = [name for name in ("level", "slice", "overlay") if getattr(params, name) is not None]
    warnings = (f"{artifact.handle} is a flat image: {', '.join(asked)} does not apply.",) if asked else ()
    finding = Finding(
        name="view",
        method=f"show_image {_SPEC.version}",
        artifact=artifact.handle,
        statement=f"The picture shows {artifact.handle}, a {artifact.kind} of {pixels.shape[1]} x {pixels.shape[0]} pixels.",
    )
    return _result(finding, made, warnings)


def _keep(picture: bytes, artifact: Artifact, title: str, context: ToolContext) -> Artifact:
    new = NewArtifact(
        kind="image",
        title=title,
        media_type="image/png",
        of=artifact.handle,
        synthetic=artifact.synthetic,
        simulated=artifact.simulated,
        made_by=context.call_id,
    )
    return context.store.add(picture, new, ".png")


def _result(finding: Finding, made: Artifact, warnings: tuple[str, ...]) -> ToolResult:
    return ToolResult(
        summary=finding.statement,
        evidence=(finding,),
        artifacts=(made,),
        warnings=warnings,
        provenance=ToolProvenance(tool=_SPEC.name, version=_SPEC.version),
    )
