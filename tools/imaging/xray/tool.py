"""`synthesize_xray`: the radiographs that a CT would give, from any side, beside those of a second CT where asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from core.errors import CallError, GateRefusal
from core.types import Artifact, Finding, NewArtifact, Timing, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec
from tools.imaging.slices import film_of, mark_of, matching_mask, volume_of
from tools.imaging.xray.geometry import Detector, parse_view

if TYPE_CHECKING:
    from tools.imaging.volume import Volume
    from tools.imaging.xray.radiograph import Box, Radiograph

_MOST_VIEWS = 4
_MARK = "Computed from a CT: a synthetic film, not an exposure of the patient and not evidence about one."
_DIFFER_HU = 60.0
_LEAST_DIFFERING = 8
"""Voxels, of every second one along each axis."""
_DETAIL_MM = 90.0
"""Half of the least side of a detail: about five vertebrae."""
_LEVEL_MM = 70.0


class XrayParams(BaseModel):
    """Which film. The set-up of a detector is for the command line and not shown to a model, whose context may be short."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="Handle of the CT volume.")
    views: list[str] = Field(
        default=["lateral"],
        min_length=1,
        max_length=_MOST_VIEWS,
        description="ap, pa, lateral (left), right lateral, oblique, lpo, rpo, lao, rao, or AZ,EL in degrees: where the "
        "source stands, from the patient's front to the left, and towards the head.",
    )
    beside: str | None = Field(
        default=None, description="Handle of a second CT on the same grid, such as the one without its fracture."
    )
    level: str | None = Field(default=None, description="Vertebra to cone the film down to, for example L1; needs a mask.")
    kvp: float = Field(default=90, description="Tube voltage, 40 to 150: low for bone contrast, high for lungs.")
    parallel: bool = Field(default=False, description="Parallel instead of cone beam.")
    rows: SkipJsonSchema[int] = Field(default=512, description="Pixels down.")
    columns: SkipJsonSchema[int] = Field(default=512, description="Pixels across.")
    pixel_mm: SkipJsonSchema[float | None] = Field(
        default=None, description="Size of a detector pixel; by default the patient fits."
    )
    source_to_detector_mm: SkipJsonSchema[float] = Field(default=1500, description="Distance of source and detector.")
    source_to_patient_mm: SkipJsonSchema[float | None] = Field(
        default=None, description="Distance of the source from the middle of the patient; by default the detector is near."
    )
    scatter: float = Field(default=0, description="Scatter-to-primary ratio, 0 to 10; 0.2 to 0.5 with a grid.")
    photons: SkipJsonSchema[float | None] = Field(
        default=None, description="Quanta per open pixel for noise, 10 to 1e9; none by default."
    )
    seed: SkipJsonSchema[int] = Field(default=0, description="Seed of the noise.")
    style: str | None = Field(
        default=None,
        description='Look of a radiograph: "drawn" (by seed), or the handle of a film whose look is taken; none by default.',
    )
    keep_table: bool = Field(default=False, description="Whether the CT table stays in the film.")
    dicom: bool = Field(default=False, description="Also make a DICOM file of each film.")


_SPEC = ToolSpec(
    name="synthesize_xray",
    version="1",
    description="Computes the radiograph (X-ray film, DRR) that a CT would give: AP, PA, lateral, oblique or any angle, "
    "cone or parallel beam, tube voltage, scatter, noise; beside the film of a second CT if asked. Never evidence.",
    params=XrayParams,
    examples=(
        "Show the lateral X-ray of this CT",
        "Make an AP radiograph from the CT",
        "What would this scan look like as a plain film?",
        "simulate a chest x-ray from ct1",
        "Render a DRR of the volume",
        "digitally reconstructed radiograph, left lateral",
        "Give me AP and lateral films of this CT",
        "an oblique x-ray view of the spine please",
        "Project the CT as an X-ray from 30 degrees to the left",
        "generate a synthetic radiograph at 60 kVp",
        "turn the CT into an x-ray",
        "x-ray of ct2 from behind",
        "compute a PA film with a parallel beam",
        "synthetic X-ray with scatter and noise",
        "I would like to see what the radiograph would show",
        "coned-down lateral film of L1 from the CT",
    ),
    card=Card(
        method="Beer-Lambert line integrals of water and cortical bone (Joseph's method) through the CT, a Kramers spectrum "
        "with NIST attenuation, dynamic range compression for viewing. Where a style is asked for, a small network sets "
        "tone curves, sharpness and grain; it paints nothing.",
        trained_on="The projection: nothing. The style: simulated looks of films of the sample CT, and one real chest film "
        "(RG1 of pydicom-data); see tools/imaging/xray/style/weights/CARD.md.",
        performance="Path lengths of a sphere, a cylinder and a wedge within 1 % of theory at ten poses; sides verified "
        "with an asymmetric phantom. Figures and command in docs/synthesis.md.",
        intended_use="To see what a plain film of this anatomy would show; teaching, positioning, data for research.",
        known_failures=(
            "No sharper than the CT: thick slices blur the film along the body.",
            "Arms, posture and breathing are those of the CT, not those of a standing film.",
            "What lies outside the CT's field of view is missing; the result warns when the body is cut.",
            "Metal is clipped at 3071 HU; contrast medium shows as it was in the scan.",
        ),
    ),
    accepts=(
        Accepts("image", ("volume",), modalities=("CT",), allow_synthetic=True, described_as="a CT volume in HU"),
        Accepts("beside", ("volume",), modalities=("CT",), allow_synthetic=True, described_as="a second CT on its grid"),
    ),
    timeout_s=120,
)  # fmt: skip


class SynthesizeXray:
    """The tool."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: XrayParams, context: ToolContext) -> ToolResult:
        """Project, mark, store."""
        image = context.store.get(params.image)
        other = context.store.get(params.beside) if params.beside else None
        shots = _shots(params, image, other, context)
        films = tuple(_film(shot, params, context) for shot in shots)
        return ToolResult(
            summary=_summary(shots, image, other),
            evidence=tuple(_finding(shot) for shot in shots),
            artifacts=(_sheet(shots, params, image, other, context), *(item for made in films for item in made)),
            warnings=(_MARK, *_told(shots)),
            timings=_timings(shots),
            provenance=ToolProvenance(
                tool=_SPEC.name,
                version=_SPEC.version,
                inputs={item.handle: item.sha256 for item in (image, other) if item},
                seed=params.seed if params.photons is not None else None,
            ),
        )


@dataclass(frozen=True)
class _Shot:
    """One film: of what, what it is called, and whether it is a detail."""

    of: Artifact
    film: Radiograph
    part: str = ""


def _shots(params: XrayParams, image: Artifact, other: Artifact | None, context: ToolContext) -> list[_Shot]:
    from tools.imaging.xray.body import check_hounsfield, find_body
    from tools.imaging.xray.film import Exposure
    from tools.imaging.xray.radiograph import Request, synthesize

    ct = volume_of(context.store, image.handle)
    second = volume_of(context.store, other.handle) if other else None
    if second is not None and not second.same_grid(ct):
        raise GateRefusal(f"{params.beside} lies on another grid than {image.handle}; films side by side need the same one.")
    detector = Detector(params.rows, params.columns, params.pixel_mm, params.source_to_detector_mm,
                        params.source_to_patient_mm, params.parallel)  # fmt: skip
    exposure = Exposure(params.scatter, params.photons, params.seed)
    bare = not params.keep_table
    requests = [Request(parse_view(text), detector, params.kvp, exposure, remove_table=bare) for text in params.views]
    for request in requests:
        request.check(ct)
    boxes = _boxes(params, image, ct, second, context)
    context.progress(0.1, "finding the patient")
    check_hounsfield(ct, image.handle)
    body = find_body(ct, remove_table=not params.keep_table)
    restyle = _restyler(params, context)
    shots: list[_Shot] = []
    number = len(requests) * len(boxes)
    for count, (part, box, request) in enumerate((p, b, r) for p, b in boxes for r in requests):
        context.progress(0.15 + 0.8 * count / number, f"{request.view.name} of {image.handle}")
        first = synthesize(ct, request, image.handle, body, context.check, box=box)
        shots.append(_Shot(image, restyle(first), part))
        if other is not None and second is not None:
            shots.append(
                _Shot(other, restyle(synthesize(second, request, other.handle, body, context.check, like=first)), part)
            )
    return shots


def _restyler(params: XrayParams, context: ToolContext) -> Callable[[Radiograph], Radiograph]:
    """What gives films the look that is asked for."""
    if params.style is None:
        return lambda film: film
    from tools.imaging.xray.style.apply import as_reference, shipped_stylist

    stylist = shipped_stylist()
    if params.style == "drawn":
        code = stylist.drawn_code(params.seed)
    else:
        reference = context.store.get(params.style)
        if reference.kind not in ("radiograph", "image"):
            raise GateRefusal(f"A style is taken from a film; {reference.handle} is a {reference.kind}.")
        code = stylist.code_of(as_reference(film_of(context.store, reference.handle)))
    return lambda film: film.with_shade(stylist.restyle(film, code, params.seed))


def _boxes(
    params: XrayParams, image: Artifact, ct: Volume, second: Volume | None, context: ToolContext
) -> list[tuple[str, Box | None]]:
    """What the films look at: the patient or a level, and where two CTs differ also the place where they do."""
    if params.level is not None:
        return [(params.level.upper(), _level_box(params.level.upper(), image, ct, context))]
    detail = _differing(ct, second) if second is not None else None
    return [("", None), *([("detail", detail)] if detail is not None else [])]


def _level_box(level: str, image: Artifact, ct: Volume, context: ToolContext) -> Box:
    from tools.imaging.labels import level_names

    handle = matching_mask(context.store, image.handle, None)
    if handle is None:
        raise CallError(f"Coning down to {level} in {image.handle} needs a vertebra mask; none belongs to it.")
    labels = np.asarray(volume_of(context.store, handle).data)
    names = level_names([int(v) for v in np.unique(labels) if v > 0])
    value = next((v for v, name in names.items() if name == level), None)
    if value is None:
        raise CallError(f"{level} is not in {image.handle}. The levels there are: {', '.join(names.values()) or 'none'}.")
    return _box_around(np.argwhere(labels == value), ct, _LEVEL_MM)


def _differing(ct: Volume, second: Volume) -> Box | None:
    step = 2
    one, two = (np.asarray(v.data[::step, ::step, ::step], dtype=np.float32) for v in (ct, second))
    where = np.argwhere(np.abs(one - two) > _DIFFER_HU) * step
    return _box_around(where, ct, _DETAIL_MM) if len(where) >= _LEAST_DIFFERING else None


def _box_around(voxels: np.ndarray[tuple[int, ...], np.dtype[np.int64]], ct: Volume, half: float) -> Box:
    """A cube (mm) about the middle of voxels."""
    low, high = np.percentile(voxels, (5, 95), axis=0)
    middle = ct.affine[:3, :3] @ ((low + high) / 2) + ct.affine[:3, 3]
    return middle - half, middle + half


def _mark(of: Artifact) -> str:
    mark = mark_of(of)
    return f"SYNTHETIC of {mark}" if mark == "SIMULATED" else "SYNTHETIC"


def _title(shot: _Shot) -> str:
    return f"{shot.of.handle}{f', {shot.part}' if shot.part else ''}"


def _film(shot: _Shot, params: XrayParams, context: ToolContext) -> tuple[Artifact, ...]:
    from tools.imaging.xray.dicom_film import dicom_film
    from tools.imaging.xray.marking import film_picture, marked_png

    camera = shot.film.camera
    new = NewArtifact(
        kind="radiograph",
        title=f"Synthetic film of {_title(shot)}, {camera.view.name}",
        media_type="image/png",
        modality="DX",
        body_part=shot.of.body_part,
        view=camera.view.dicom or camera.view.name,
        shape=(camera.rows, camera.columns),
        spacing_mm=(camera.mm_per_pixel, camera.mm_per_pixel),
        of=shot.of.handle,
        synthetic=True,
        simulated=shot.of.simulated,
        made_by=context.call_id,
        warnings=(_MARK, *shot.film.warnings),
    )
    png = marked_png(film_picture(shot.film, _title(shot), _mark(shot.of)))
    made = [context.store.add(png, new, ".png")]
    if params.dicom:
        content = dicom_film(shot.film, shot.of.body_part or "", _mark(shot.of))
        of = {"kind": "document", "media_type": "application/dicom", "title": f"{new.title} (DICOM)", "of": made[0].handle}
        made.append(context.store.add(content, new.model_copy(update=of), ".dcm"))
    return tuple(made)


def _sheet(
    shots: Sequence[_Shot], params: XrayParams, image: Artifact, other: Artifact | None, context: ToolContext
) -> Artifact:
    """All films in one picture: views side by side, or the two CTs side by side with a row per view and detail."""
    from tools.imaging.xray.marking import film_picture, marked_png, sheet

    tiles = [film_picture(shot.film, _title(shot), _mark(shot.of)) for shot in shots]
    width = 2 if other else len(params.views)
    rows = [tiles[start : start + width] for start in range(0, len(tiles), width)]
    named = f"{image.handle} and {other.handle}" if other else image.handle
    new = NewArtifact(
        kind="image",
        title=f"Synthetic {'films' if len(shots) > 1 else 'film'} of {named}",
        media_type="image/png",
        of=image.handle,
        synthetic=True,
        simulated=image.simulated,
        made_by=context.call_id,
        warnings=(_MARK,),
    )
    return context.store.add(marked_png(sheet(rows)), new, ".png")


def _finding(shot: _Shot) -> Finding:
    camera, film = shot.film.camera, shot.film
    scale = round(camera.mm_per_pixel, 2)
    mark = mark_of(shot.of).lower()
    beam = "parallel beam" if camera.parallel else f"cone beam, source {camera.source_to_detector_mm:g} mm from the detector"
    about = {"": "", "detail": ", a detail of where the two differ"}.get(shot.part, f", coned down to {shot.part}")
    return Finding(
        name="film",
        value=scale,
        unit="mm per pixel",
        where=shot.part if shot.part != "detail" else "",
        method=f"synthesize_xray {_SPEC.version}",
        artifact=shot.of.handle,
        statement=f"The synthetic film shows {shot.of.handle}{f' ({mark})' if mark else ''} in the {camera.view.name} view"
        f"{about}: {film.beam.name}, {beam}, {scale} mm per pixel in the middle of the patient.",
    )


def _summary(shots: Sequence[_Shot], image: Artifact, other: Artifact | None) -> str:
    views = ", ".join(dict.fromkeys(shot.film.camera.view.name for shot in shots))
    beside = f" beside {other.handle}" if other else ""
    return f"Computed from {image.handle}{beside}: {views}. Synthetic, not evidence."


def _told(shots: Sequence[_Shot]) -> tuple[str, ...]:
    whole = [shot for shot in shots if not shot.part]
    told = [f"{s.of.handle}, {s.film.camera.view.name}: {text}" for s in whole or shots for text in s.film.warnings]
    return tuple(dict.fromkeys(told))


def _timings(shots: Sequence[_Shot]) -> tuple[Timing, ...]:
    parts = {name: sum(shot.film.seconds[name] for shot in shots) for name in shots[0].film.seconds}
    return tuple(Timing(part=name, seconds=round(value, 3)) for name, value in parts.items())
