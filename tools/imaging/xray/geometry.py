"""Where source and detector stand, and how the film is turned for the viewer.

Coordinates are the patient's in mm, RAS: x to the patient's right, y to the front, z to the head. A view is where the source
stands, seen from the middle of the patient: `azimuth` in degrees from the patient's front towards the patient's left,
`elevation` in degrees towards the head. Azimuth 0 is AP, 180 PA, 90 a right lateral (the right side lies at the detector),
270 a left lateral.

Films are hung by radiological convention: head up; frontal and oblique views as if the viewer faced the patient, so the
patient's right is at the viewer's left whichever way the beam went; laterals with the patient's front at the viewer's left.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import CallError

Vector = NDArray[np.float64]
MAX_SIDE = 4096
"""Pixels along a side of the detector."""
_MIN_SIDE = 16
_GAP_MM = 50.0
"""Between the patient and the detector, where nothing else is asked for: table top and grid."""
_MARGIN = 1.03
NAMED: dict[str, tuple[float, float]] = {
    "ap": (0, 0), "pa": (180, 0), "lateral": (270, 0), "left lateral": (270, 0), "right lateral": (90, 0),
    "oblique": (45, 0), "rpo": (45, 0), "lpo": (315, 0), "rao": (135, 0), "lao": (225, 0),
}  # fmt: skip
"""Names to (azimuth, elevation). `oblique` is RPO, the right back at the detector; `lateral` is a left lateral."""
_DICOM_VIEW = {(0.0, 0.0): "AP", (180.0, 0.0): "PA", (270.0, 0.0): "LL", (90.0, 0.0): "RL"}
_OBLIQUE = {"rpo": "RPO", "lpo": "LPO", "rao": "RAO", "lao": "LAO"}
_ANGLES = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*[,;/ ]\s*(-?\d+(?:\.\d+)?)\s*$")


@dataclass(frozen=True)
class View:
    """Where the source stands, in degrees: azimuth in [0, 360), elevation in [-90, 90]."""

    azimuth: float
    elevation: float

    @property
    def name(self) -> str:
        """What radiographers call it, or its angles."""
        for name, angles in NAMED.items():
            if angles == (self.azimuth, self.elevation) and name not in ("lateral", "oblique"):
                return name.upper() if len(name) < 4 else name
        return f"azimuth {self.azimuth:g}°, elevation {self.elevation:g}°"

    @property
    def dicom(self) -> str:
        """DICOM View Position (0018,5101): AP, PA, LL, RL, the obliques, or empty."""
        if (self.azimuth, self.elevation) in _DICOM_VIEW:
            return _DICOM_VIEW[self.azimuth, self.elevation]
        return next((code for name, code in _OBLIQUE.items() if NAMED[name] == (self.azimuth, self.elevation)), "")

    @property
    def towards_source(self) -> Vector:
        """Unit vector from the patient to the source."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        return np.array([-math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e)])

    @property
    def up(self) -> Vector:
        """Unit vector towards the top of the film."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        return np.array([math.sin(a) * math.sin(e), -math.cos(a) * math.sin(e), math.cos(e)])

    @property
    def seen_from_tube(self) -> bool:
        """Whether the film is hung as seen from the source; else as seen from the detector."""
        front = math.cos(math.radians(self.azimuth))
        return front > 1e-6 or (abs(front) <= 1e-6 and self.azimuth < 180)

    @property
    def right(self) -> Vector:
        """Unit vector in the patient towards the viewer's right."""
        tube = np.cross(-self.towards_source, self.up)
        return tube if self.seen_from_tube else -tube


def parse_view(text: str) -> View:
    """A view from its name or from "AZ,EL" in degrees.

    Raises:
        CallError: it is neither, or the elevation lies beyond the poles.
    """
    name = " ".join(text.strip().lower().replace("-", " ").split()) if not _ANGLES.match(text) else ""
    if name in NAMED:
        return View(*(float(angle) for angle in NAMED[name]))
    angles = _ANGLES.match(text)
    if angles is None:
        raise CallError(
            f"A view is one of {', '.join(NAMED)}, or AZ,EL in degrees (where the source stands: from the patient's front "
            f"to the left, and towards the head); got {text!r}."
        )
    azimuth, elevation = float(angles.group(1)) % 360.0, float(angles.group(2))
    if abs(elevation) > 90:
        raise CallError(f"The elevation of a view lies between -90 and 90 degrees, got {elevation:g}.")
    return View(azimuth, elevation)


@dataclass(frozen=True)
class Detector:
    """What is asked for: pixels, their size, distances, kind of beam. None: chosen to fit the patient."""

    rows: int = 512
    columns: int = 512
    pixel_mm: float | None = None
    source_to_detector_mm: float = 1500.0
    source_to_patient_mm: float | None = None
    parallel: bool = False


@dataclass(frozen=True)
class Camera:
    """A source and a detector in the patient's coordinates (mm).

    `first` is the centre of the pixel at the top left as the film is hung; `step_right` and `step_down` lead to the next
    column and row. `isocentre` is the middle of what is imaged; `magnification` holds there.
    """

    view: View
    rows: int
    columns: int
    pixel_mm: float
    parallel: bool
    isocentre: Vector
    source: Vector
    first: Vector
    step_right: Vector
    step_down: Vector
    source_to_detector_mm: float
    source_to_patient_mm: float

    @property
    def magnification(self) -> float:
        """At the isocentre."""
        return 1.0 if self.parallel else self.source_to_detector_mm / self.source_to_patient_mm

    @property
    def mm_per_pixel(self) -> float:
        """Size of a pixel at the isocentre: what a scale bar measures."""
        return self.pixel_mm / self.magnification

    def project(self, points: Vector) -> Vector:
        """Points (n, 3) in mm to (row, column) on the film, as fractions; pixel centres are whole numbers."""
        towards = self.view.towards_source
        middle = self.first + (self.rows - 1) / 2 * self.step_down + (self.columns - 1) / 2 * self.step_right
        if self.parallel:
            hit = points
        else:
            depth = (self.source - points) @ towards
            scale = self.source_to_detector_mm / depth
            hit = self.source + (points - self.source) * scale[:, None]
        offset = hit - middle
        row = offset @ self.step_down / self.pixel_mm**2 + (self.rows - 1) / 2
        column = offset @ self.step_right / self.pixel_mm**2 + (self.columns - 1) / 2
        return np.stack([row, column], axis=1)


def place_camera(
    view: View, low: Vector, high: Vector, detector: Detector, clear_of: tuple[Vector, Vector] | None = None
) -> Camera:
    """Stand source and detector around a box.

    Args:
        view: where the source stands.
        low: least corner of the box around the patient (mm).
        high: greatest corner.
        detector: what is asked for.
        clear_of: corners of what source and detector must not stand in, where that is more than the box looked at.

    Raises:
        CallError: the geometry is impossible: the source inside the image, the detector in front of it, sizes that are
            not positive or beyond the limits; the message has the number that would do.
    """
    _check(detector)
    isocentre = (low + high) / 2
    corners = box_corners(low, high)
    towards = view.towards_source
    depth = ((corners if clear_of is None else box_corners(*clear_of)) - isocentre) @ towards
    far = float(-depth.min())
    sdd = detector.source_to_detector_mm
    sod = detector.source_to_patient_mm or sdd - far - _GAP_MM
    _check_distances(sod, sdd, far, float(depth.max()), detector.parallel)
    source = isocentre + sod * towards
    pixel = detector.pixel_mm or _fitting_pixel(view, corners, source, sdd, detector)
    centre = source - sdd * towards
    right, down = view.right * pixel, -view.up * pixel
    first = centre - (detector.columns - 1) / 2 * right - (detector.rows - 1) / 2 * down
    return Camera(view, detector.rows, detector.columns, pixel, detector.parallel, isocentre, source, first, right, down,
                  sdd, sod)  # fmt: skip


def box_corners(low: Vector, high: Vector) -> Vector:
    """The eight corners (8, 3) of a box."""
    picks = np.array(np.meshgrid((0, 1), (0, 1), (0, 1), indexing="ij")).reshape(3, -1).T
    return np.where(picks == 1, high, low)


def _check(detector: Detector) -> None:
    for what, side in (("rows", detector.rows), ("columns", detector.columns)):
        if not _MIN_SIDE <= side <= MAX_SIDE:
            raise CallError(f"A detector has {_MIN_SIDE} to {MAX_SIDE} {what}, got {side}.")
    if detector.pixel_mm is not None and not 0.02 <= detector.pixel_mm <= 20:
        raise CallError(f"A detector's pixel measures 0.02 to 20 mm, got {detector.pixel_mm:g}.")
    if not 100 <= detector.source_to_detector_mm <= 20000:
        raise CallError(f"Source and detector stand 100 to 20000 mm apart, got {detector.source_to_detector_mm:g}.")


def _check_distances(sod: float, sdd: float, far: float, near: float, parallel: bool) -> None:
    if sod + far > sdd + 1e-6:
        raise CallError(
            f"Impossible geometry: the patient reaches {sod + far:.0f} mm from the source and the detector stands at "
            f"{sdd:.0f} mm, inside the patient. source_to_detector_mm must be at least {sod + far:.0f}."
        )
    if not parallel and sod - near < 1.0:
        raise CallError(
            f"Impossible geometry: the source would stand inside the patient, whose middle is {sod:.0f} mm away and whose "
            f"near side {near:.0f} mm in front of it. source_to_detector_mm must be at least "
            f"{near + far + _GAP_MM + 1:.0f}, source_to_patient_mm at least {near + 1:.0f}."
        )


def _fitting_pixel(view: View, corners: Vector, source: Vector, sdd: float, detector: Detector) -> float:
    """The pixel size at which the corners fall on the detector."""
    offset = corners - source
    scale = np.ones(len(corners)) if detector.parallel else sdd / (-offset @ view.towards_source)
    across = np.abs(offset @ view.right * scale).max()
    along = np.abs(offset @ view.up * scale).max()
    return float(max(2 * across / detector.columns, 2 * along / detector.rows) * _MARGIN)


def edge_letters(view: View) -> tuple[str, str, str, str]:
    """Letters at the left, right, top and bottom edge: R L A P H F, two where the edge lies between two directions."""
    return _letters(-view.right), _letters(view.right), _letters(view.up), _letters(-view.up)


def _letters(direction: Vector) -> str:
    names = [("R", "L"), ("A", "P"), ("H", "F")]
    size = np.abs(direction)
    order = [int(axis) for axis in np.argsort(-size) if size[axis] > 0.3]
    return "".join(names[axis][0 if direction[axis] > 0 else 1] for axis in order[:2])


def side_marker(view: View) -> str:
    """The radiographer's marker: the patient's right on frontal and oblique views, the detector's side on laterals."""
    if abs(math.cos(math.radians(view.azimuth))) > 0.3:
        return "R"
    return "R" if view.azimuth < 180 else "L"
