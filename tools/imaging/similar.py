"""`find_similar_images`: images of other patients that look like this one, and what was known of them."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from core.errors import CallError
from core.ports import ImageSearcher, Neighbour, NeighbourOutcome
from core.types import Artifact, Finding, NewArtifact, Passage, Plane, Table, TableRow, Timing, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec
from tools.imaging.pictures import picture_of
from tools.imaging.render import Caption, film_image, montage, to_png

_TILE = 240
_FEW = 20
_AGREED = 0.8
"""From this share of one label on the neighbours are said to agree; below it, to disagree."""


class SimilarParams(BaseModel):
    """What to compare."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="Handle of the radiograph, picture or volume.")
    k: int = Field(default=5, ge=1, le=20, description="How many neighbours at most.")
    box: tuple[float, float, float, float] | None = Field(
        default=None, description="Only this part: left, top, right, bottom as shares of width and height."
    )
    plane: Plane | None = Field(default=None, description="Volumes: compare one slice of this plane, not the whole.")
    slice: int | None = Field(default=None, ge=0, description="Volumes: which slice of the plane.")


_SPEC = ToolSpec(
    name="find_similar_images",
    version="1",
    description="Finds images of other patients in the local image indexes that look like an attached one, with their "
    "labels and reports. It describes the neighbours; it never says what this patient has. No close match is an answer.",
    params=SimilarParams,
    examples=(
        "Have we seen this before?",
        "find similar images",
        "Show me cases that look like this film",
        "Which images in the archive resemble xray1?",
        "similar radiographs please",
        "nearest neighbours of this X-ray",
        "what were comparable cases labelled?",
        "Are there other films like this one in our collection?",
        "search the image index with this picture",
        "look for look-alikes of img1",
        "reverse image search in the archive",
        "compare this film with earlier cases",
        "do we have a matching case on file?",
        "what did the reports of similar images say?",
        "find cases similar to the upper left of this film",
        "retrieve the five closest images",
    ),
    card=Card(
        method="A film as a vector (masked pretraining, then contrast of views and labels), cosine search; images of the "
        "same patient or study and copies of the query are left out; the corpus' own distances tell what is close.",
        trained_on="3,882 paediatric chest films of 28 x 28 pixels of one hospital (PneumoniaMNIST, CC BY 4.0).",
        performance="docs/similar-images.md has k-NN, linear probe and retrieval figures with intervals, beside raw pixels, "
        "PCA and a random network.",
        intended_use="Finding cases to look at. The neighbours' labels are those cases' labels.",
        known_failures=(
            "It sees 32 x 32 pixels: small findings (a nodule, a line) are invisible to it.",
            "Films of adults, other body parts, CT and ultrasound were not in training; looks there are coarse.",
            "Look-alikes need not share a cause; neighbours of one image may disagree.",
        ),
    ),
    accepts=(Accepts("image", ("radiograph", "image", "volume"), min_shape=(8, 8), described_as="an image"),),
    timeout_s=60,
)  # fmt: skip


class FindSimilarImages:
    """The tool; `searcher` is the image indexes of this installation."""

    def __init__(self, searcher: ImageSearcher) -> None:
        self._searcher = searcher

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: SimilarParams, context: ToolContext) -> ToolResult:
        """Search, and state each neighbour with its similarity, label and report."""
        artifact = context.store.get(params.image)
        if params.slice is not None and params.plane is None:
            raise CallError("slice needs a plane: sagittal, coronal or axial.")
        query = picture_of(context.store, artifact, params.plane, params.slice)
        found = self._searcher.search(query, params.k, params.box)
        context.check()
        if not found.neighbours:
            return _nothing(artifact, found)
        return _result(artifact, found, _sheet(artifact, found.neighbours, context))


def _nothing(artifact: Artifact, found: NeighbourOutcome) -> ToolResult:
    if found.nearest_too_far is not None:
        reason = (
            f"The nearest picture has a cosine of {found.nearest_too_far:.3f}; 99 % of the indexed pictures have one of "
            "another patient that is nearer."
        )
        summary = f"There is no close match for {artifact.handle}. {reason}"
    else:
        summary = f"There is nothing to compare {artifact.handle} with: {_left_out(found) or 'the index is empty'}."
    return ToolResult(
        summary=summary,
        warnings=_warnings(found),
        timings=_timings(found),
        provenance=ToolProvenance(tool=_SPEC.name, version=_SPEC.version, index=found.index),
        searched=found.searched,
    )


def _result(artifact: Artifact, found: NeighbourOutcome, sheet: Artifact) -> ToolResult:
    findings = [_finding(number, neighbour, artifact, sheet) for number, neighbour in enumerate(found.neighbours, start=1)]
    reports = [_report(number, n, found.index) for number, n in enumerate(found.neighbours, start=1) if n.report.strip()]
    agreement = _agreement(found.neighbours, artifact)
    evidence = (*((agreement,) if agreement else ()), *findings, *reports)
    first = len(evidence) - len(findings) - len(reports)
    rows = tuple(
        TableRow(
            cells=(str(number), f"{n.similarity:.3f}", _share(n.closer_than), n.label or "-", n.view or "-", n.key),
            evidence=(first + number - 1,),
        )
        for number, n in enumerate(found.neighbours, start=1)
    )
    columns = ("#", "cosine", "closer than", "label", "view", "picture")
    count = len(findings)
    lead = agreement.statement if agreement else "The neighbours have no labels."
    return ToolResult(
        summary=f"{count} similar {'picture' if count == 1 else 'pictures'} of other patients, of {found.searched}. {lead}",
        evidence=evidence,
        artifacts=(sheet,),
        tables=(Table(title=f"Pictures like {artifact.handle}", columns=columns, rows=rows),),
        warnings=_warnings(found),
        timings=_timings(found),
        provenance=ToolProvenance(tool=_SPEC.name, version=_SPEC.version, index=found.index),
        searched=found.searched,
    )


def _finding(number: int, neighbour: Neighbour, artifact: Artifact, sheet: Artifact) -> Finding:
    chance = (
        f", closer than {_share(neighbour.closer_than)} of pairs of different patients there"
        if not math.isnan(neighbour.closer_than)
        else ""
    )
    label = f"; its label is {neighbour.label!r}" if neighbour.label else "; it has no label"
    return Finding(
        name="similar image",
        value=round(neighbour.similarity, 3),
        unit="cosine",
        where=f"neighbour {number}",
        method=f"find_similar_images {_SPEC.version}",
        artifact=sheet.handle,
        statement=f"Neighbour {number} of {artifact.handle} is {neighbour.key!r} with a cosine of "
        f"{neighbour.similarity:.3f}{chance}{label}.",
    )


def _agreement(neighbours: Sequence[Neighbour], artifact: Artifact) -> Finding | None:
    """How far the labelled neighbours agree; a statement about them, never about the patient."""
    labels = Counter(neighbour.label for neighbour in neighbours if neighbour.label)
    known = sum(labels.values())
    if not known:
        return None
    label, count = labels.most_common(1)[0]
    carry = "carries" if count == 1 else "carry"
    of = f"{count} of the {known} labelled neighbours of {artifact.handle} {carry} the label {label!r}"
    if count == known:
        tail = "."
    elif count / known >= _AGREED:
        tail = "; most agree."
    else:
        others = ", ".join(f"{name!r} {number}" for name, number in labels.most_common()[1:])
        tail = f"; the neighbours disagree (others: {others})."
    return Finding(
        name="label agreement",
        value=round(count / known, 3),
        where=f"k = {known}",
        method=f"find_similar_images {_SPEC.version}",
        artifact=artifact.handle,
        statement=f"{of}{tail}",
    )


def _report(number: int, neighbour: Neighbour, index: str) -> Passage:
    return Passage(
        passage_id=neighbour.key,
        document_id=neighbour.key,
        text=neighbour.report,
        span=(0, len(neighbour.report)),
        title=f"Report of neighbour {number} ({neighbour.key})",
        corpus=f"image index {index}",
        score=neighbour.similarity,
        flags=("other patient",),
    )


def _sheet(artifact: Artifact, neighbours: Sequence[Neighbour], context: ToolContext) -> Artifact:
    """The neighbours side by side, numbered; other patients' pictures, so never evidence about this one."""
    tiles = []
    for number, neighbour in enumerate(neighbours, start=1):
        with Image.open(io.BytesIO(neighbour.thumbnail)) as thumbnail:
            grey = thumbnail.convert("L").resize((_TILE, round(_TILE * thumbnail.height / thumbnail.width)))
        mark = "SYNTHETIC" if neighbour.synthetic else ""
        caption = Caption(f"{number}  {neighbour.similarity:.3f}", neighbour.label[:24], mark)
        tiles.append(film_image(np.asarray(grey), (255.0, 127.5), caption, None))
    picture = montage(tiles, min(len(tiles), 3))
    new = NewArtifact(
        kind="image",
        title=f"Pictures of other patients like {artifact.handle}",
        media_type="image/png",
        of=artifact.handle,
        made_by=context.call_id,
        synthetic=any(neighbour.synthetic for neighbour in neighbours),
        warnings=("These are other patients: nothing in them is a finding of this one.",),
    )
    return context.store.add(to_png(picture), new, ".png")


def _warnings(found: NeighbourOutcome) -> tuple[str, ...]:
    told = []
    if left := _left_out(found):
        told.append(f"Left out: {left}.")
    if found.neighbours and math.isnan(found.neighbours[0].closer_than):
        told.append(f"The index has fewer than {_FEW} patients: what counts as close cannot be told.")
    told.append("Neighbours are other patients. What they have says nothing certain about this one.")
    return tuple(told)


def _left_out(found: NeighbourOutcome) -> str:
    parts = []
    if found.same_patient:
        parts.append(f"{found.same_patient} of the same patient or study")
    if found.duplicates:
        parts.append(f"{found.duplicates} that show the same picture, with the rest of that patient")
    return " and ".join(parts)


def _timings(found: NeighbourOutcome) -> tuple[Timing, ...]:
    return tuple(Timing(part=part, seconds=round(seconds, 4)) for part, seconds in found.timings.items())


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"
