"""`grade_fractures`: heights, expected heights, loss and Genant grade of every vertebra, with a figure."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from core.errors import CallError
from core.types import Artifact, Finding, Location, NewArtifact, Table, TableRow, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec
from tools.imaging.fractures.explain import explain
from tools.imaging.fractures.figure import draw_figure
from tools.imaging.fractures.genant import METHOD, Graded
from tools.imaging.fractures.heights import Unmeasured
from tools.imaging.fractures.report import MASK_ONLY, Grading, grade_mask
from tools.imaging.labelling.tool import mask_for
from tools.imaging.numbering import resolve
from tools.imaging.slices import mark_of, matching_mask, volume_of

_SEVERITY = {1: "mild", 2: "moderate", 3: "severe"}
_MOST_EXPLAINED = 4
_THIRDS = ("anterior", "middle", "posterior")


class GradeParams(BaseModel):
    """What to grade."""

    model_config = ConfigDict(extra="forbid")

    image: str | None = Field(default=None, description="Handle of the CT volume.")
    mask: str | None = Field(default=None, description="Handle of the vertebra mask; by default the image's own.")
    levels: list[str] | None = Field(default=None, description="Only these levels, for example ['L1']; default all.")
    explain: bool = Field(
        default=False, description="Also say what each grade rests on and how it moves without each neighbour."
    )


_SPEC = ToolSpec(
    name="grade_fractures",
    version="1",
    description="Measures anterior, middle and posterior height of each vertebral body in a CT with a vertebra mask, "
    "compares them with what the neighbouring vertebrae predict, and gives relative height loss and Genant grade.",
    params=GradeParams,
    examples=(
        "Is any vertebra fractured?",
        "Which vertebrae are fractured and how badly?",
        "Grade the fractures in this CT",
        "Does the spine show compression fractures?",
        "How much height has L1 lost?",
        "Give me the Genant grade of every vertebra",
        "Are there wedge deformities in this scan?",
        "measure the vertebral heights",
        "check T12 for a collapse",
        "What is the height loss at each level?",
        "Is L2 compressed?",
        "assess this spine for osteoporotic fractures",
        "Any vertebral compression here?",
        "do you see a VCF",
        "Is the body of T9 deformed or flattened?",
        "What grade is L2?",
        "posterior height of T10",
        "calculate the RHLV of this CT",
        "which level is the worst",
        "Did anything in the back break?",
        "Are all the lumbar bodies normal in shape?",
        "rate every vertebra of ct1 from 0 to 3",
        "how severe is the fracture at T11",
        "run the grading on the second scan",
        "compare the body heights with those of the neighbours",
        "Is this spine intact?",
        "Why is T12 grade 2?",
        "explain the grade of L1",
        "which neighbours does the expected height rest on",
    ),
    card=Card(
        method="Heights between the endplates of the mask in each vertebra's own frame; expected heights from a Gaussian "
        "process over all other vertebrae, low ones left out, and the parts of the vertebra that kept their height; grade "
        "by the largest loss at the points that Genant reads (rims and deepest place).",
        trained_on="Nothing: published mean dimensions and spreads written down by hand; the limits between grades use the "
        "frequencies of the grades in the training part of VerSe 2019.",
        performance="Checked on drawn spines and on simulated compressions of real vertebrae; figures and command in "
        "docs/fractures.md. Not evaluated against expert grades of fractured patients.",
        intended_use="Measured deformity for a radiologist to confirm. A height loss is not by itself a fracture.",
        known_failures=(
            "The mask is trusted: an error of the segmentation is an error of the height.",
            "When most neighbours are deformed too, the loss is underestimated.",
            "Levels at the end of the mask are extrapolated.",
            "Normal variants, Schmorl nodes and degenerative wedging can look like a loss of height.",
        ),
    ),
    accepts=(
        Accepts("image", ("volume",), modalities=("CT",), described_as="a CT volume of the spine"),
        Accepts("mask", ("mask",), described_as="a vertebra mask"),
    ),
    timeout_s=180,
)


class GradeFractures:
    """The tool."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: GradeParams, context: ToolContext) -> ToolResult:
        """Measure, grade, draw."""
        image, mask = _inputs(params, context)
        labels = volume_of(context.store, mask.handle)

        def report(fraction: float, message: str) -> None:
            context.check()
            context.progress(0.9 * fraction, message)

        grading = grade_mask(
            labels, resolve(labels).names, progress=report, ct=volume_of(context.store, image.handle) if image else None
        )
        chosen = _chosen(grading, params.levels, image or mask)
        seen = image or mask
        context.progress(0.95, "drawing")
        findings = [_finding(item, seen, mask) for item in chosen]
        left_out = [_not_graded(item, seen) for item in _asked(grading.skipped, params.levels)]
        reasons = [_explanation(item, grading, seen) for item in _to_explain(chosen)] if params.explain else []
        figure = _figure(grading, seen, mask, image is not None, context) if grading.graded else ()
        figure += _before_after(grading, [item.level for item in chosen], image, mask, context)
        return ToolResult(
            summary=_summary(chosen, grading, seen),
            evidence=(*findings, *left_out, *reasons),
            artifacts=figure,
            tables=(_table(chosen, seen),) if chosen else (),
            warnings=_warnings(grading, params.levels, seen, image, mask),
            provenance=ToolProvenance(
                tool=_SPEC.name, version=_SPEC.version, inputs={a.handle: a.sha256 for a in (seen, mask)}
            ),
        )


def _inputs(params: GradeParams, context: ToolContext) -> tuple[Artifact | None, Artifact]:
    """The CT (if any) and its mask, made when there is none. Raises `GateRefusal`: on another grid, or none can be made."""
    store = context.store
    if params.image is None and params.mask is None:
        raise CallError("grade_fractures needs image (a CT volume) or mask (a vertebra mask), got neither.")
    image = store.get(params.image) if params.image else None
    if params.mask is not None:
        mask = store.get(params.mask)
        if image is not None:
            matching_mask(store, image.handle, mask.handle)
        elif mask.of is not None:
            image = store.get(mask.of)
        return image, mask
    own = [a for a in store.list() if a.kind == "mask" and image is not None and a.of == image.handle]
    if image is not None and not own:
        return image, mask_for(image, context)
    return image, own[-1]


def _chosen(grading: Grading, levels: list[str] | None, seen: Artifact) -> list[Graded]:
    if levels is None:
        return grading.graded
    wanted = [level.strip().upper() for level in levels]
    known = {item.level for item in grading.graded} | {item.level for item in grading.skipped}
    unknown = [level for level in wanted if level not in known]
    if unknown:
        there = ", ".join(item.level for item in grading.graded)
        raise CallError(f"{', '.join(unknown)} is not in {seen.handle}. The levels that can be graded there are: {there}.")
    return [item for item in grading.graded if item.level in wanted]


def _asked(skipped: list[Unmeasured], levels: list[str] | None) -> list[Unmeasured]:
    """Levels that were asked for by name and cannot be graded: their reason is an answer."""
    wanted = {level.strip().upper() for level in levels or ()}
    return [item for item in skipped if item.level in wanted]


def _not_graded(item: Unmeasured, seen: Artifact) -> Finding:
    return Finding(
        name="not_graded",
        where=item.level,
        method=METHOD,
        artifact=seen.handle,
        statement=f"In {_called(seen)}, {item.level} was not graded: {item.reason}.",
    )


def _to_explain(chosen: list[Graded]) -> list[Graded]:
    """The deformed levels, or, where one level was asked for, that one."""
    return chosen if len(chosen) == 1 else [item for item in chosen if item.grade > 0][:_MOST_EXPLAINED]


def _explanation(item: Graded, grading: Grading, seen: Artifact) -> Finding:
    known = explain(item, grading.measured)
    return Finding(
        name="explanation",
        value=item.grade,
        interval=known.interval_mm,
        unit="mm",
        method=METHOD,
        artifact=seen.handle,
        statement=f"In {_called(seen)}, {known.text}",
    )


def _called(seen: Artifact) -> str:
    """The handle, and that it is simulated when it is: a sentence may be quoted without its surroundings."""
    return f"{seen.handle} (simulated)" if seen.simulated else seen.handle


def _finding(item: Graded, seen: Artifact, mask: Artifact) -> Finding:
    worst = max(range(3), key=lambda third: item.loss[third])
    return Finding(
        name="genant_grade",
        value=item.grade,
        where=item.level,
        interval=(round(100 * (item.loss[worst] - item.margin), 1), round(100 * (item.loss[worst] + item.margin), 1)),
        method=METHOD,
        artifact=seen.handle,
        location=Location(artifact=seen.handle, plane="sagittal", index=item.measured.centre[0], overlay=mask.handle),
        statement=_statement(item, _called(seen), worst),
    )


def _statement(item: Graded, image: str, worst: int) -> str:
    have, want = item.measured.heights[worst], item.expected.heights[worst]
    neighbours = item.expected.neighbours
    listed = f"{', '.join(neighbours[:-1])} and {neighbours[-1]}" if len(neighbours) > 1 else neighbours[0]
    measure = f"{_THIRDS[worst]} height {have:.1f} mm against {want:.1f} mm expected from {listed}"
    percent = round(100 * item.loss[worst])
    if item.grade == 0:
        gap = f"{percent} % lower" if percent >= 0 else f"{-percent} % higher"
        return f"In {image}, {item.level} is Genant grade 0, with a height loss below 20 %: {measure}, {gap}."
    shape = f"{_SEVERITY[item.grade]} {item.shape} deformity"
    rim = round(100 * max(item.rim_loss))
    at = f", {rim} % at the points that Genant reads" if rim != percent else ""
    return f"In {image}, {item.level} has a Genant grade {item.grade} ({shape}): {measure}, a loss of {percent} %{at}."


def _table(chosen: list[Graded], seen: Artifact) -> Table:
    rows = []
    for position, item in enumerate(chosen):
        rows.append(
            TableRow(
                cells=(
                    item.level,
                    str(item.grade),
                    item.shape,
                    *(" / ".join(f"{v:.1f}" for v in values) for values in (item.measured.heights, item.expected.heights)),
                    " / ".join(str(round(100 * v)) for v in item.loss),
                ),
                evidence=(position,),
            )
        )
    columns = ("Level", "Grade", "Shape", "Height a/m/p (mm)", "Expected a/m/p (mm)", "Loss a/m/p (%)")
    return Table(title=f"Vertebral heights in {_called(seen)}", columns=columns, rows=tuple(rows))


def _summary(chosen: list[Graded], grading: Grading, seen: Artifact) -> str:
    deformed = [item for item in chosen if item.grade > 0]
    skipped = f" Not graded: {', '.join(item.level for item in grading.skipped)}." if grading.skipped else ""
    if not chosen:
        return f"No level that was asked for could be graded in {seen.handle}."
    if not deformed:
        return f"No graded level of {seen.handle} is deformed: all are Genant grade 0.{skipped}"
    listed = ", ".join(f"{item.level} (grade {item.grade}, {item.shape})" for item in deformed)
    return f"{seen.handle}: deformed by loss of height at {listed}.{skipped}"


def _warnings(
    grading: Grading, levels: list[str] | None, seen: Artifact, image: Artifact | None, mask: Artifact
) -> tuple[str, ...]:
    wanted = {level.upper() for level in levels} if levels else None
    by_reason: dict[str, list[str]] = {}
    for item in grading.skipped:
        if wanted is None:  # a level asked for by name has its reason in the answer
            by_reason.setdefault(item.reason, []).append(item.level)
    lines = [f"{seen.handle}, not graded: {', '.join(names)} ({reason})." for reason, names in by_reason.items()]
    lines += [
        f"{seen.handle}, {item.level}: {text}"
        for item in grading.graded
        for text in item.warnings
        if item.grade > 0 and (wanted is None or item.level in wanted)
    ]
    if image is None:
        lines.append(f"{seen.handle} was {MASK_ONLY}.")
    return (*lines, *mask.warnings, *grading.warnings)


def _figure(grading: Grading, seen: Artifact, mask: Artifact, is_ct: bool, context: ToolContext) -> tuple[Artifact, ...]:
    picture = draw_figure(
        volume_of(context.store, seen.handle),
        volume_of(context.store, mask.handle),
        grading.graded,
        is_ct=is_ct,
        mark=mark_of(seen),
    )
    new = NewArtifact(
        kind="image",
        title=f"Graded levels of {seen.handle}",
        media_type="image/png",
        of=seen.handle,
        simulated=seen.simulated,
        synthetic=seen.synthetic,
        made_by=context.call_id,
    )
    return (context.store.add(picture, new, ".png"),)


def _before_after(
    grading: Grading, levels: list[str], image: Artifact | None, mask: Artifact, context: ToolContext
) -> tuple[Artifact, ...]:
    """The deformed levels as they are and as a generator paints them healthy: an illustration; no grade rests on it."""
    if image is None or not any(item.grade > 0 for item in grading.graded):
        return ()
    from tools.imaging.healthivert.illustrate import illustrate

    context.progress(0.97, "painting the deformed levels as they were")
    labels = volume_of(context.store, mask.handle)
    made = illustrate(volume_of(context.store, image.handle), labels, grading, mark_of(image), context.check, levels)
    if made is None:
        return ()
    new = NewArtifact(
        kind="image",
        title=f"Deformed levels of {image.handle} as they are and as they may have been (synthetic)",
        media_type="image/png",
        of=image.handle,
        simulated=image.simulated,
        synthetic=True,
        made_by=context.call_id,
    )
    return (context.store.add(made.picture, new, ".png"),)
