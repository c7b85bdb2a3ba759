"""What the two chat tools share: the request of a call, marks, and how a synthetic file enters the session."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import Field

from core.errors import CallError, InputError
from core.types import Artifact, Finding, NewArtifact, Table, TableRow
from tools.base import ToolContext
from tools.imaging.generation.attributes import SpineAttributes, View
from tools.imaging.generation.captions import caption
from tools.imaging.generation.prompt import Request, read_prompt
from tools.imaging.marking import save_synthetic
from tools.imaging.volume import Volume

MARK = "Generated from words: not a picture of a patient, and not evidence about one."
PROMPT = Field(
    min_length=3,
    max_length=2000,
    description="What to draw, in words: region or levels, deformities, bone density, curves, view.",
)
ATTRIBUTES = Field(default=None, description="Instead of the words' meaning: the attributes of an earlier call, changed.")
SEED = Field(default=0, ge=0, le=2**31 - 1, description="Of the first patient; the same seed and words give the same one.")
METHOD = "spine drawn by rules from the attributes of the prompt"


def request_of(prompt: str, attributes: SpineAttributes | None, most: int, kind: str) -> tuple[Request, int]:
    """The request, and how many are drawn.

    Raises:
        CallError: it cannot be drawn, or there are too many for a conversation.
    """
    try:
        request = read_prompt(prompt)
    except InputError as error:
        raise CallError(str(error)) from error
    if attributes is not None:
        request = Request(prompt, attributes, request.views, request.count)
    if request.count > most:
        raise CallError(
            f"At most {most} are drawn in a conversation, got {request.count}; a cohort is the work of "
            f"`consilium synth {kind} --prompt TEXT --count {request.count} --out DIR`."
        )
    return request, request.count


def words_of(request: Request, views: tuple[View, ...] = ()) -> str:
    """How the prompt was understood, in words."""
    return caption(request.attributes, views)


def notes_of(request: Request) -> tuple[str, ...]:
    """What was assumed and what was passed over, as warnings."""
    notes = [f"Assumed: {line}." for line in request.assumed]
    if request.passed_over:
        notes.append(f"Not understood, passed over: {', '.join(request.passed_over)}.")
    return (MARK, *notes)


def store_volume(volume: Volume, new: NewArtifact, context: ToolContext) -> Artifact:
    """Put a marked NIfTI file into the session."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii"
        save_synthetic(volume, path)
        return context.store.add(path, new, ".nii")


def attributes_table(request: Request) -> Table:
    """What was drawn, attribute by attribute: the `attributes` of a changed call have these names."""
    rows = []
    for name, value in request.attributes:
        if name == "levels":
            shown = request.attributes.shown_levels
            told = f"{shown[0]} to {shown[-1]}"
        elif name == "fractures":
            told = (
                "; ".join(f"{wish.level} {wish.kind} {wish.percent:g} %" for wish in request.attributes.fractures) or "none"
            )
        else:
            told = "not said" if value is None else str(value)
        rows.append(TableRow(cells=(name, told)))
    return Table(title="Attributes of the synthetic patient", columns=("attribute", "value"), rows=tuple(rows))


def drawn(request: Request, handle: str, what: str, views: tuple[View, ...] = ()) -> Finding:
    """The sentence that says what a synthetic file shows, and that it is synthetic."""
    return Finding(
        name="synthetic_image",
        value=what,
        method=METHOD,
        artifact=handle,
        statement=f"{handle} is a synthetic {what}, drawn as: {words_of(request, views)}; it shows no patient.",
    )
