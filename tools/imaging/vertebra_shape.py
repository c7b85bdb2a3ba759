"""The analytic shape of one simulated vertebra: body between two endplates, and posterior elements.

Local axes are (anterior, right, superior) in mm with the origin at the centre of the uncompressed body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.imaging.compression import Kind, loss_profile

Array = NDArray[np.float64]
Thirds = tuple[float, float, float]
_ROUND_MM = 1.5
"""Radius of the rounded rim."""
_OUTSIDE = -5.0
"""Depth given to points that are clearly outside, mm."""


@dataclass(frozen=True)
class Fracture:
    """Which thirds lose height, the largest loss, and the part of it that the upper endplate takes (the rest: lower)."""

    kind: Kind
    severity: float
    upper_share: float = 1.0


@dataclass(frozen=True)
class VertebraShape:
    """Dimensions in mm; `concavity` is the dip of both endplates together, relative to the height.

    `corner` is the exponent of the superellipse seen from above, `spur_mm` the length of an anterior osteophyte.
    """

    anterior_mm: float
    posterior_mm: float
    depth_mm: float
    width_mm: float
    concavity: float
    corner: float
    spur_mm: float
    thoracic: bool


def endplates(body: VertebraShape, fracture: Fracture | None, a: Array, r: Array) -> tuple[Array, Array]:
    """Upper and lower endplate in mm above the centre, at places (a, r)."""
    place = np.clip(a / body.depth_mm + 0.5, 0, 1)
    across = np.clip(r / (body.width_mm / 2), -1, 1)
    height = body.posterior_mm + (body.anterior_mm - body.posterior_mm) * place
    dip = body.concavity * height * 4 * place * (1 - place) * (1 - across**2)
    top, bottom = height / 2 - 0.45 * dip, -height / 2 + 0.55 * dip
    if fracture is not None:
        lost = loss_profile(fracture.kind, fracture.severity, place) * (top - bottom)
        top = top - fracture.upper_share * lost
        bottom = bottom + (1 - fracture.upper_share) * lost
    return top, bottom


def true_heights(body: VertebraShape, fracture: Fracture | None) -> Thirds:
    """Mean endplate distance in mm of the anterior, middle and posterior third, over the central two fifths of the width.

    The outer 8 % of the depth at front and back are rounded rim and belong to no third.
    """
    across = np.linspace(-0.2, 0.2, 21) * body.width_mm
    thirds = []
    for low, high in ((2 / 3, 0.92), (1 / 3, 2 / 3), (0.08, 1 / 3)):
        a, r = np.meshgrid((np.linspace(low, high, 61) - 0.5) * body.depth_mm, across, indexing="ij")
        top, bottom = endplates(body, fracture, a, r)
        thirds.append(float((top - bottom).mean()))
    return thirds[0], thirds[1], thirds[2]


def occupancy(body: VertebraShape, fracture: Fracture | None, local: Array) -> Array:
    """Approximate depth below the surface in mm of points (n, 3), negative outside."""
    a, r, u = local.T
    inside = np.full(len(local), _OUTSIDE)
    spur = body.spur_mm + 2
    near = (np.abs(a) < body.depth_mm / 2 + spur) & (np.abs(r) < body.width_mm / 2 + 2) & (np.abs(u) < body.posterior_mm)
    here = (a[near], r[near], u[near])
    inside[near] = _body(body, fracture, *here)
    if body.spur_mm:
        inside[near] = np.maximum(inside[near], _spur(body, fracture, *here))
    behind = (a < 4 - body.depth_mm / 2) & (a > -body.depth_mm / 2 - 48) & (np.abs(u) < 34)
    inside[behind] = np.maximum(inside[behind], _processes(body, a[behind], r[behind], u[behind]))
    return inside


def _rim(body: VertebraShape, a: Array, r: Array) -> Array:
    """Distance in mm to the outline seen from above, positive inside; the back is slightly hollow."""
    hollow = np.where(a < 0, 1.5 * np.clip(1 - (r / 8) ** 2, 0, 1), 0.0)
    n = body.corner
    norm = (np.abs(a / (body.depth_mm / 2)) ** n + np.abs(r / (body.width_mm / 2)) ** n) ** (1 / n)
    away = np.hypot(a, r) / np.maximum(norm, 1e-6) - np.hypot(a, r)
    return np.where(norm < 1e-6, body.depth_mm / 2, away) - np.where(a < -body.depth_mm / 4, hollow, 0.0)


def _body(body: VertebraShape, fracture: Fracture | None, a: Array, r: Array, u: Array) -> Array:
    top, bottom = endplates(body, fracture, a, r)
    rim = _rim(body, a, r)
    over = np.clip(_ROUND_MM - rim, 0, _ROUND_MM)
    drop = _ROUND_MM - np.sqrt(np.maximum(_ROUND_MM**2 - over**2, 0))
    solid: Array = np.minimum(np.minimum(top - drop - u, u - bottom - drop), rim)
    return solid


def _spur(body: VertebraShape, fracture: Fracture | None, a: Array, r: Array, u: Array) -> Array:
    """A beak at the anterior upper rim."""
    top, _ = endplates(body, fracture, np.full_like(a, body.depth_mm / 2), r)
    ahead = a - (body.depth_mm / 2 - 3)
    thick = 2.5 * (1 - ahead / (body.spur_mm + 3))
    beak: Array = np.minimum(np.minimum(ahead, thick - np.abs(u - top + 2)), body.width_mm / 4 - np.abs(r))
    return beak


def _processes(body: VertebraShape, a: Array, r: Array, u: Array) -> Array:
    """Pedicles, arch with articular processes, transverse and spinous process."""
    height = body.posterior_mm
    back = -body.depth_mm / 2
    side = max(0.27 * body.width_mm, 9.0)
    pedicle = np.minimum(4.0 - np.hypot(np.abs(r) - side, (u - 0.2 * height) * 0.6), np.minimum(a - back + 16, back + 3 - a))
    arch = np.minimum(np.minimum(side + 3 - np.abs(r), 0.45 * height - np.abs(u)), 3 - np.abs(a - back + 17))
    joints = 5 - np.hypot(np.abs(r) - side, a - back + 14)
    joints = np.minimum(joints, 0.62 * height - np.abs(u))
    drop = 0.7 if body.thoracic else 0.15
    along = back - 18 - a
    spine = np.minimum(3.0 - np.abs(r), 5 - np.abs(u + 0.1 * height + drop * along) * 0.8)
    spine = np.minimum(spine, np.minimum(along, 26 - along))
    wing = np.minimum(3.5 - np.hypot(a - back + 10, u - 0.15 * height), np.minimum(np.abs(r) - side, side + 16 - np.abs(r)))
    parts: Array = np.maximum.reduce([pedicle, arch, joints, spine, wing])
    return parts
