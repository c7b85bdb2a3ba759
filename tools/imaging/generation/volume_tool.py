"""`synthesize_volume`: spine CT volumes with their masks, from words."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import SkipJsonSchema

from core.types import Artifact, Finding, NewArtifact, ToolProvenance, ToolResult
from tools.base import Card, ToolContext, ToolSpec
from tools.imaging.fractures.report import grade_mask
from tools.imaging.generation.attributes import SpineAttributes
from tools.imaging.generation.prompt import Request
from tools.imaging.generation.tool import (
    ATTRIBUTES,
    MARK,
    METHOD,
    PROMPT,
    SEED,
    attributes_table,
    drawn,
    notes_of,
    request_of,
    store_volume,
    words_of,
)

_MOST = 3


class VolumeParams(BaseModel):
    """What to draw."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = PROMPT
    # Edited attributes come from the command line; their schema would take a fifth of a small context.
    attributes: SkipJsonSchema[SpineAttributes | None] = ATTRIBUTES
    seed: int = SEED


_SPEC = ToolSpec(
    name="synthesize_volume",
    version="1",
    description="Draws a synthetic CT volume of the spine with its vertebra mask from words: region or levels, wedge, "
    "biconcave or crush deformities and their severity, bone density, scoliosis, kyphosis. Not a picture of any patient, "
    "never evidence.",
    params=VolumeParams,
    examples=(
        "Generate a CT volume of the lumbar spine with a 30 % wedge fracture of L1",
        "Make me a synthetic spine with osteoporosis and a crush fracture of T12",
        "create three spines with a moderate wedge at L2",
        "Synthesize a thoracolumbar CT with severe biconcave deformity of L3",
        "I need an artificial CT of a scoliotic spine",
        "simulate a CT scan of a spine with two adjacent fractures at T12 and L1",
        "draw a healthy lumbar spine volume of a tall man",
        "produce a synthetic volume with a mild wedge of T8 for teaching",
        "give me a made-up CT with low bone density and no fracture",
        "Generate an example volume: 45 % crush of L4, 75-year-old woman",
        "build a virtual spine with increased kyphosis",
        "invent a patient's spine CT with a grade 2 wedge fracture",
        "I want a phantom CT with a fracture of L1 to test my software",
    ),
    card=Card(
        method="The prompt is read into attributes; a procedural anatomy with exact heights follows; rules paint it as a CT "
        "of 1.5 mm (a learned look, latent flow and super-resolution, can be trained: consilium synth train volume).",
        trained_on="Nothing: anatomy and look are rules, with published dimensions and usual HU.",
        performance="Asked against measured height loss, level, look: consilium eval generation; see docs/generation.md.",
        intended_use="Teaching, software tests, training material that says that it is synthetic. Never evidence.",
        known_failures=(
            "Texture is drawn: smoother and more even than a scan's.",
            "Organs are coarse; soft tissue disease, metal and contrast medium are not drawn.",
            "Deformities are smooth compressions: no fracture lines, no retropulsion.",
        ),
    ),
    timeout_s=300,
)


class SynthesizeVolume:
    """The tool."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: VolumeParams, context: ToolContext) -> ToolResult:
        """Read the prompt, draw, measure what was drawn."""
        request, count = request_of(params.prompt, params.attributes, _MOST, "volume")
        from tools.imaging.generation.models import DEFAULT_LOOK
        from tools.imaging.generation.pictures import volume_picture
        from tools.imaging.generation.volume_model import make_volume
        from tools.imaging.marking import synthetic_png

        look = DEFAULT_LOOK["volume"]
        artifacts: list[Artifact] = []
        findings: list[Finding] = []
        sha = ""
        for number in range(count):
            context.progress(number / count, f"drawing volume {number + 1} of {count}")

            def check(share: float, number: int = number) -> None:
                context.check()
                context.progress((number + 0.9 * share) / count, f"painting volume {number + 1} of {count}")

            made = make_volume(request.attributes, params.seed + number, look=look, check=check)
            sha = made.weights_sha256
            ct = store_volume(made.ct, _described(made.ct.data.shape, made.ct.spacing_mm, context, None, request), context)
            mask = store_volume(
                made.mask, _described(made.mask.data.shape, made.mask.spacing_mm, context, ct.handle, request), context
            )
            picture = synthetic_png(volume_picture(made, ct.handle), {"prompt": params.prompt, "seed": params.seed + number})
            shown = NewArtifact(
                kind="image",
                title=f"{ct.handle} (synthetic): slices and mask",
                media_type="image/png",
                of=ct.handle,
                synthetic=True,
                made_by=context.call_id,
                warnings=(MARK,),
            )
            artifacts += [context.store.add(picture, shown, ".png"), ct, mask]
            grading = grade_mask(made.mask)
            findings.append(drawn(request, ct.handle, "CT volume"))
            findings += [
                _measured(item.level, max(item.rim_loss), request, ct)
                for item in grading.graded
                if _asked(item.level, request)
            ]
        return ToolResult(
            summary=f"Drawn, synthetic: {words_of(request)}. The same seed and words draw the same spine.",
            evidence=tuple(findings),
            artifacts=tuple(artifacts),
            tables=(attributes_table(request),),
            warnings=notes_of(request),
            provenance=ToolProvenance(
                tool=_SPEC.name,
                version=_SPEC.version,
                weights={"volume.safetensors": sha} if sha else {},
                seed=params.seed,
            ),
        )


def _asked(level: str, request: Request) -> bool:
    return any(wish.level == level for wish in request.attributes.fractures)


def _measured(level: str, loss: float, request: Request, ct: Artifact) -> Finding:
    wish = next(wish for wish in request.attributes.fractures if wish.level == level)
    percent = round(100 * loss)
    return Finding(
        name="synthetic_height_loss",
        value=percent,
        unit="%",
        where=level,
        method=METHOD,
        artifact=ct.handle,
        statement=f"In the synthetic {ct.handle}, the measured height loss of {level} is {percent} %, where "
        f"{wish.percent:g} % was asked for.",
    )


def _described(
    shape: tuple[int, ...], spacing: tuple[float, float, float], context: ToolContext, of: str | None, request: Request
) -> NewArtifact:
    return NewArtifact(
        kind="mask" if of else "volume",
        title=f"Vertebrae of {of} (synthetic)" if of else f"Synthetic CT: {words_of(request)}"[:120],
        media_type="application/x-nifti",
        modality=None if of else "CT",
        body_part=None if of else "SPINE",
        shape=shape,
        spacing_mm=spacing,
        orientation="RAS",
        labels=request.attributes.shown_levels if of else (),
        of=of,
        synthetic=True,
        made_by=context.call_id,
        warnings=(MARK,),
    )
