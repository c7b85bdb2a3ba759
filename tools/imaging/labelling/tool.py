"""`segment`: vertebral bodies of a CT outlined and named, as a mask for the other tools, or a question which is which."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.errors import FileError, GateRefusal, MissingRequirement
from core.types import Artifact, Finding, NewArtifact, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec
from tools.imaging.labelling.labeller import Labelled, label_vertebrae
from tools.imaging.labelling.making import LevelToConfirm, make_mask, note_of
from tools.imaging.labelling.picture import draw_numbered
from tools.imaging.slices import mark_of, volume_of
from tools.imaging.volume import Volume, save_volume

_METHOD = "built-in labeller (canal, discs and edges; no learned model)"


class SegmentParams(BaseModel):
    """What to outline."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="Handle of the CT volume.")
    confirm: str | None = Field(default=None, description="A level the person confirmed: '3=L1'.")


_SPEC = ToolSpec(
    name="segment",
    version="1",
    description="Makes a vertebra mask of a CT that has none, or asks which level is which.",
    params=SegmentParams,
    examples=(
        "Segment the vertebrae",
        "segment ct1",
        "make a vertebra mask of this CT",
        "label the vertebrae in this scan",
        "outline each vertebral body",
        "number 3 is L1",
        "vertebra 2 is T12",
        "the third from the head is L1",
        "create a segmentation of the spine",
        "run the segmentation",
        "I need a mask of the spine, there is none",
        "delineate the vertebral bodies",
        "find and label the vertebrae automatically",
        "confirm that number 5 is L3",
    ),
    card=Card(
        method="The canal is followed from slice to slice, the spine straightened along it, discs found by the phase of the "
        "foramina and the endplates, bodies outlined at the steepest fall of brightness. Levels are named by the lowest "
        "ribs. grade_fractures uses TotalSegmentator instead where its weights are in place.",
        trained_on="Nothing. Its constants were chosen on the three CTs that it is measured on, and on drawn spines.",
        performance="Three real CTs and drawn spines; figures and command in docs/fractures.md. No other patient was seen.",
        intended_use="A first outline for a person to look at, so that a CT without a mask can be graded.",
        known_failures=(
            "Fused or collapsed discs, metal and slices over 3 mm; the count can then be off by one.",
            "Ribs at L1, none at T12, or four or six lumbar vertebrae: names told by ribs are then wrong by one level.",
            "Where the end of the ribs is not in view a person must confirm a level.",
            "Bodies only: no arches or processes; the edges of osteophytes are cut.",
        ),
    ),
    accepts=(Accepts("image", ("volume",), modalities=("CT",), described_as="a CT volume of the spine"),),
    timeout_s=240,
)


class Segment:
    """The tool."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: SegmentParams, context: ToolContext) -> ToolResult:
        """Label, attach the mask when the levels are told, draw the numbers."""
        image = context.store.get(params.image)
        ct = volume_of(context.store, image.handle)
        found = _labelled(ct, params.confirm or "", context)
        picture = _picture(image, ct, found, context)
        provenance = ToolProvenance(tool=_SPEC.name, version=_SPEC.version, inputs={image.handle: image.sha256})
        count = len(found.vertebrae)
        if not found.levels.settled:
            text = (
                f"In {image.handle}, {count} vertebral bodies were found, but their levels cannot be named: "
                f"{found.levels.told}. "
                'Please look at the numbered picture and confirm one level, for example "number 3 is L1".'
            )
            return ToolResult(
                summary=text,
                evidence=(_finding(image, count, text),),
                artifacts=(picture,),
                provenance=provenance,
            )
        mask = attach_mask(found.mask, image, note_of(found), context)
        first, last = found.vertebrae[0].level, found.vertebrae[-1].level
        text = f"In {image.handle}, {count} vertebral bodies were outlined, {first} to {last}, named {found.levels.told}."
        return ToolResult(
            summary=f"{text} The mask is {mask.handle}.",
            evidence=(_finding(image, count, text),),
            artifacts=(mask, picture),
            warnings=(note_of(found),),
            provenance=provenance,
        )


def mask_for(image: Artifact, context: ToolContext) -> Artifact:
    """A mask made for an image that has none, attached to the session.

    Raises:
        GateRefusal: no spine could be followed, or a level must be confirmed first.
    """

    def tell(fraction: float, message: str) -> None:
        context.check()
        context.progress(0.3 * fraction, message)

    try:
        made = make_mask(volume_of(context.store, image.handle), progress=tell)
    except LevelToConfirm as open_question:
        found = open_question.found
        raise GateRefusal(
            f"{image.handle} has no vertebra mask. {len(found.vertebrae)} vertebral bodies were found in it, but their "
            f"levels cannot be named ({found.levels.told}). Ask to segment {image.handle}, look at the numbered picture, "
            'and confirm one level, for example "number 3 is L1"; or attach a mask.'
        ) from open_question
    except (FileError, MissingRequirement) as refused:
        raise GateRefusal(
            f"{image.handle} needs a vertebra mask of its own grid and has none. {refused} "
            "Attach a segmentation (VerSe or TotalSegmentator labels, NIfTI)."
        ) from refused
    return attach_mask(made.labels, image, made.note, context)


def attach_mask(labels: Volume, image: Artifact, note: str, context: ToolContext) -> Artifact:
    """Store a made mask as the image's own."""
    new = NewArtifact(
        kind="mask",
        title=f"Vertebrae of {image.handle}, labelled automatically",
        media_type="application/x-nifti",
        body_part=image.body_part,
        shape=labels.data.shape,
        spacing_mm=labels.spacing_mm,
        orientation="RAS",
        of=image.handle,
        simulated=image.simulated,
        made_by=context.call_id,
        warnings=(note,),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.nii"
        save_volume(labels, path)
        return context.store.add(path, new, ".nii")


def _labelled(ct: Volume, confirmed: str, context: ToolContext) -> Labelled:
    def tell(fraction: float, message: str) -> None:
        context.check()
        context.progress(0.9 * fraction, message)

    try:
        return label_vertebrae(ct, confirmed, tell)
    except FileError as refused:
        raise GateRefusal(str(refused)) from refused


def _picture(image: Artifact, ct: Volume, found: Labelled, context: ToolContext) -> Artifact:
    context.progress(0.95, "drawing")
    new = NewArtifact(
        kind="image",
        title=f"Vertebrae of {image.handle}, numbered from the head",
        media_type="image/png",
        of=image.handle,
        simulated=image.simulated,
        synthetic=image.synthetic,
        made_by=context.call_id,
    )
    return context.store.add(draw_numbered(ct, found, mark_of(image)), new, ".png")


def _finding(image: Artifact, count: int, text: str) -> Finding:
    return Finding(name="vertebrae_found", value=count, method=_METHOD, artifact=image.handle, statement=text)
