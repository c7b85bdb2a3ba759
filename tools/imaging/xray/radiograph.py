"""A radiograph computed from a CT, with everything that went into it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import TooLarge
from tools.imaging.volume import Volume
from tools.imaging.xray.attenuation import MAX_HU, Beam, basis_of, transmission, tube_beam
from tools.imaging.xray.body import Body, check_hounsfield, find_body
from tools.imaging.xray.film import Exposure, Viewing, density, exposed, for_viewing
from tools.imaging.xray.geometry import Camera, Detector, View, box_corners, place_camera
from tools.imaging.xray.projector import Planes, camera_rays, integrate, projection_bytes, sweep_axis

MEMORY_LIMIT = 3 * 1024**3
"""Bytes that a projection may take beside the volume itself, which is read plane by plane."""
_BLOCK = 32
Box = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Low and high corner in mm."""
_INCOMPLETE = 0.05
"""A ray that misses so much of its way through the patient, because the scan ends, is told of."""
_COLLIMATED = 0.25
"""Rows at the film's ends in which a quarter of the rays misses so much are stopped, as by a collimator."""


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    view: View
    detector: Detector = field(default_factory=Detector)
    kvp: float = 90.0
    exposure: Exposure = field(default_factory=Exposure)
    remove_table: bool = True
    compress: bool = True
    collimate: bool = True

    def check(self, ct: Volume) -> None:
        """Refuse, before anything is computed, what would not work.

        Raises:
            CallError: the tube voltage is out of range.
            TooLarge: detector and volume take more memory than `MEMORY_LIMIT`; the message has the number.
        """
        tube_beam(self.kvp)
        _check_memory(self, ct.data.shape, sweep_axis(self.view, ct.affine))


@dataclass(frozen=True)
class Radiograph:
    """A computed film.

    `paths` (2, rows, columns) are mm of water and of cortical bone along each ray, `dense` the detector's reading (minus the
    logarithm of the signal), `shade` the picture for viewing (0 to 1). `complete` tells where rays see the whole patient
    between head and foot end of the scan.
    """

    request: Request
    camera: Camera
    beam: Beam
    paths: NDArray[np.float32]
    dense: NDArray[np.float32]
    shade: NDArray[np.float32]
    viewing: Viewing
    complete: NDArray[np.bool_]
    warnings: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def grey(self) -> NDArray[np.uint8]:
        """The picture for viewing, 0 to 255."""
        return np.round(255 * self.shade).astype(np.uint8)

    def with_shade(self, shade: NDArray[np.float32]) -> Radiograph:
        """The same film with another picture for viewing."""
        return replace(self, shade=shade)


def synthesize(
    ct: Volume,
    request: Request,
    called: str = "The CT",
    body: Body | None = None,
    check: Callable[[], None] = lambda: None,
    like: Radiograph | None = None,
    box: Box | None = None,
) -> Radiograph:
    """Compute the radiograph that a CT would give.

    Args:
        ct: HU, RAS.
        request: view, detector, tube, exposure.
        called: what messages call the CT.
        body: the patient in it, where known from another view.
        check: called between steps; raises when the call was stopped.
        like: a film whose geometry and grey scale this one is to have, so that the two can be compared.
        box: low and high corner (mm) that the camera is to look at, instead of the whole patient.

    Raises:
        FileError: the CT is not in HU, or holds only air.
        CallError: the geometry is impossible.
        TooLarge: detector and volume take more memory than `MEMORY_LIMIT`; the message has the number.
    """
    started = time.perf_counter()
    shape = ct.data.shape
    request.check(ct)
    axis = sweep_axis(request.view, ct.affine)
    if body is None:
        check_hounsfield(ct, called)
        body = find_body(ct, remove_table=request.remove_table)
    found = time.perf_counter()
    camera = like.camera if like else _camera(request, body, box)
    beam = tube_beam(request.kvp)
    span = body.first[axis], body.last[axis]
    with torch.inference_mode():
        rows, columns = _shadow(camera, body)
        rays = camera_rays(camera).of(rows, columns)
        paths = torch.zeros((2, camera.rows, camera.columns))
        paths[:, rows, columns] = integrate(_basis_planes(ct, body), shape, ct.affine, rays, axis, span, check)
        primary = transmission(paths, beam).numpy()
    projected = time.perf_counter()
    dense = density(exposed(primary, camera.pixel_mm, request.exposure))
    scale = (like.viewing.low, like.viewing.high) if like else None
    shade, viewing = for_viewing(dense, camera.mm_per_pixel, compress=request.compress, window=scale)
    seen = _seen_share(camera, body, ct)
    complete = seen >= 1 - _INCOMPLETE
    if request.collimate:
        shade[_shuttered(seen, paths.numpy())] = 0
    seconds = {"body": found - started, "projection": projected - found, "film": time.perf_counter() - projected}
    return Radiograph(
        request, camera, beam, paths.numpy(), dense, shade, viewing, complete,
        _warnings(ct, body, camera, complete, paths.numpy()), seconds,
    )  # fmt: skip


def _camera(request: Request, body: Body, box: Box | None) -> Camera:
    if box is None:
        return place_camera(request.view, body.low, body.high, request.detector)
    return place_camera(request.view, *box, request.detector, clear_of=(body.low, body.high))


def _check_memory(request: Request, shape: tuple[int, ...], axis: int) -> None:
    plane = int(np.prod(shape)) // shape[axis]
    detector = request.detector
    need = projection_bytes(min(detector.rows, 1 << 16), min(detector.columns, 1 << 16), plane)
    if need > MEMORY_LIMIT:
        raise TooLarge(
            f"A film of {detector.rows} x {detector.columns} pixels of a volume with planes of {plane:,} voxels takes "
            f"{need / 1024**3:.1f} GB; at most {MEMORY_LIMIT / 1024**3:.0f} GB are used. Ask for fewer pixels."
        )


def _basis_planes(ct: Volume, body: Body) -> Planes:
    """Planes of the CT as water and bone, with everything but the patient made air."""
    shape = ct.data.shape
    held: dict[int, NDArray[np.generic]] = {}

    def block(axis: int, number: int) -> NDArray[np.generic]:
        """Several planes at once, (planes, later axis, earlier axis): files lie across them, line by line."""
        if number not in held:
            held.clear()
            pick = [slice(None)] * 3
            pick[axis] = slice(number * _BLOCK, (number + 1) * _BLOCK)
            held[number] = np.ascontiguousarray(np.moveaxis(np.asarray(ct.data[tuple(pick)]), axis, 0).swapaxes(1, 2))
        return held[number]

    def take(axis: int, part: slice) -> torch.Tensor:
        number, first = divmod(part.start, _BLOCK)
        values = block(axis, number)[first : first + part.stop - part.start]
        if len(values) < part.stop - part.start:
            beyond = block(axis, number + 1)[: part.stop - part.start - len(values)]
            values = np.concatenate([values, beyond])
        hu = torch.from_numpy(values.astype(np.float32))
        if body.table_removed:
            hu.masked_fill_(torch.from_numpy(~body.inside(axis, part, shape)), -1000.0)
        return basis_of(hu)

    return take


def _shadow(camera: Camera, body: Body) -> tuple[slice, slice]:
    """Rows and columns of the film that the patient's box can fall on: only their rays are followed."""
    corners = camera.project(box_corners(body.low, body.high))
    first, last = np.floor(corners.min(axis=0)).astype(int) - 1, np.ceil(corners.max(axis=0)).astype(int) + 2
    rows = slice(max(int(first[0]), 0), max(min(int(last[0]), camera.rows), 0))
    columns = slice(max(int(first[1]), 0), max(min(int(last[1]), camera.columns), 0))
    return rows, columns


def _seen_share(camera: Camera, body: Body, ct: Volume) -> NDArray[np.float32]:
    """Of each ray's way through the patient's box, the share that lies within the scan's head and foot end; 1 beside it."""
    rays = camera_rays(camera)
    start = np.broadcast_to(rays.start.numpy(), (camera.rows, camera.columns, 3))
    direction = rays.direction.numpy()
    ends = box_corners(np.full(3, -0.5), np.array(ct.data.shape) - 0.5) @ ct.affine[:3, :3].T + ct.affine[:3, 3]
    low, high = (np.array([-np.inf, -np.inf, end]) for end in (ends[:, 2].min(), ends[:, 2].max()))
    entry, leave = _slab(start, direction, body.low, body.high, (0, 1))
    inner, outer = _slab(start, direction, low, high, (2,))
    whole = leave - entry
    part = np.maximum(np.minimum(leave, outer) - np.maximum(entry, inner), 0)
    return np.where(whole > 1e-6, part / np.maximum(whole, 1e-6), 1.0).astype(np.float32)


def _shuttered(seen: NDArray[np.float32], paths: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Rows to black out; none where that would be more than half of the film (steep views)."""
    patient = paths.sum(axis=0) > 10
    poor = (patient & (seen < 1 - _COLLIMATED)).sum(axis=1) > _COLLIMATED * np.maximum(patient.sum(axis=1), 1)
    return poor if poor.sum() < 0.5 * patient.any(axis=1).sum() else np.zeros_like(poor)


def _slab(
    start: NDArray[np.float64], direction: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64],
    axes: tuple[int, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Shares of each ray at which it enters and leaves a box, looking at some axes only."""
    entry, leave = np.full(start.shape[:2], -np.inf), np.full(start.shape[:2], np.inf)
    for axis in axes:
        step = np.where(np.abs(direction[..., axis]) < 1e-9, 1e-9, direction[..., axis])
        one, two = (low[axis] - start[..., axis]) / step, (high[axis] - start[..., axis]) / step
        entry, leave = np.maximum(entry, np.minimum(one, two)), np.minimum(leave, np.maximum(one, two))
    return entry, leave


def _warnings(
    ct: Volume, body: Body, camera: Camera, complete: NDArray[np.bool_], paths: NDArray[np.float32]
) -> tuple[str, ...]:
    notes = []
    if body.cut_sides:
        sides = (
            "its round field of view" if body.cut_sides == ("outer",) else f"the {' and '.join(body.cut_sides)} of the image"
        )
        notes.append(f"The scan cuts the body off at {sides}: what lies beyond is missing from the film.")
    seen = paths.sum(axis=0) > 10
    rows = np.flatnonzero((seen & ~complete).sum(axis=1) > 0.25 * np.maximum(seen.sum(axis=1), 1))
    if len(rows):
        middle = camera.rows / 2
        ends = [(name, int(n)) for name, n in (("top", (rows < middle).sum()), ("bottom", (rows >= middle).sum())) if n]
        told = " and ".join(f"the {name} {n * camera.mm_per_pixel:.0f} mm" for name, n in ends)
        notes.append(f"The scan ends there: in {told} of the film rays leave it early, so densities are too low.")
    cut = _beyond_detector(camera, body)
    if cut:
        notes.append(f"The detector is smaller than the shadow of the patient: {cut} of it fall beside the film.")
    if float(np.asarray(ct.data[:: body.step[0], :: body.step[1], :: body.step[2]]).max()) > MAX_HU:
        notes.append(f"Voxels above {MAX_HU:.0f} HU (metal) are taken as {MAX_HU:.0f} HU.")
    return tuple(notes)


def _beyond_detector(camera: Camera, body: Body) -> str:
    shadow = camera.project(box_corners(body.low, body.high))
    over = [max(-float(shadow[:, n].min()) - 0.5, 0) + max(float(shadow[:, n].max()) + 0.5 - size, 0)
            for n, size in ((0, camera.rows), (1, camera.columns))]  # fmt: skip
    told = [f"{pixels * camera.mm_per_pixel:.0f} mm {way}" for pixels, way in zip(over, ("along", "across"), strict=True)
            if pixels > 1]  # fmt: skip
    return " and ".join(told)
