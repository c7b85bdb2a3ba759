"""What surrounds the spine: skin, fat, muscles, lungs, vessels, organs, ribs and pelvis, as a map of tissues.

Coarse on purpose: shapes are ellipses that follow the spine's curve, sized by one draw per patient. Distances in mm, RAS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.generation.attributes import WHOLE
from tools.imaging.generation.fields import smooth_field
from tools.imaging.generation.patient import Patient
from tools.imaging.generation.tissue import Tissue

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Axes:
    """Coordinates of a grid as open arrays: x (n, 1, 1), y (1, n, 1), z (1, 1, n)."""

    x: Array
    y: Array
    z: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        return self.x.shape[0], self.y.shape[1], self.z.shape[2]


@dataclass(frozen=True)
class _Frame:
    """The grid relative to the spine: x and y from its curve at each height, and the height of every level."""

    x: Array
    y: Array
    z: Array
    heights: dict[str, float]
    build: float
    rng: np.random.Generator


def torso(patient: Patient, axes: Axes) -> tuple[NDArray[np.uint8], Array]:
    """Tissues without the spine, and the depth in mm below the surface of ribs and pelvis (negative outside)."""
    heights = {item.level: float(item.centre[2]) for item in patient.vertebrae}
    centres = np.array([item.centre for item in patient.vertebrae])[::-1]
    z = axes.z.ravel()
    cx = np.interp(z, centres[:, 2], ndimage.gaussian_filter1d(centres[:, 0], 1, mode="nearest"))
    cy = np.interp(z, centres[:, 2], ndimage.gaussian_filter1d(centres[:, 1], 1, mode="nearest"))
    middle = float(np.mean(centres[:, 0])), float(np.mean(centres[:, 1]))
    # Skin and organs follow the curve half way only: a hump is smaller than its curve.
    fx = axes.x - (0.5 * cx + 0.5 * middle[0])[None, None, :].astype(np.float32)
    fy = axes.y - (0.75 * cy + 0.25 * middle[1])[None, None, :].astype(np.float32)
    rng = np.random.default_rng([patient.seed, 12])
    frame = _Frame(fx, fy, axes.z, heights, patient.build, rng)
    spine = _Frame(
        axes.x - cx[None, None, :].astype(np.float32),
        axes.y - cy[None, None, :].astype(np.float32),
        axes.z,
        heights,
        patient.build,
        rng,
    )
    tissue, cavity = _trunk(frame, axes.shape)
    _organs(tissue, frame, cavity < 1)
    _lungs(tissue, frame, cavity)
    _vessels(tissue, spine)
    _back_muscles(tissue, spine)
    depth = np.full(axes.shape, -5.0, dtype=np.float32)
    _ribs(tissue, depth, frame, spine, cavity)
    _pelvis(tissue, depth, patient, spine)
    return tissue, depth


def _ellipse(
    x: NDArray[np.floating], y: NDArray[np.floating], radii: tuple[float, float], power: float = 2.0
) -> NDArray[np.floating]:
    value: NDArray[np.floating] = np.abs(x / radii[0]) ** power + np.abs(y / radii[1]) ** power
    return value


def _trunk(frame: _Frame, shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], Array]:
    """Skin outline, fat, wall; also the cavity's own coordinate: below 1 inside."""
    b, rng = frame.build, frame.rng
    fat, wall = float(rng.uniform(8, 26)), float(rng.uniform(9, 14))
    half = b * float(rng.uniform(142, 168)), b * float(rng.uniform(98, 118))
    y = frame.y - (half[1] - 82 * b)
    taper = 1 - 0.06 * np.sin((frame.z - frame.heights["L3"]) / 60)
    outline = _ellipse(frame.x / taper, y, half, 2.4)
    inner = _ellipse(frame.x / taper, y, (half[0] - fat, half[1] - 0.8 * fat), 2.4)
    cavity = _ellipse(frame.x / taper, y - 6, (half[0] - fat - wall, half[1] - 0.8 * fat - wall - 6), 2.3)
    tissue = np.full(shape, int(Tissue.AIR), dtype=np.uint8)
    tissue[outline < 1] = Tissue.FAT
    tissue[inner < 1] = Tissue.MUSCLE
    tissue[cavity < 1] = Tissue.FAT
    return tissue, cavity.astype(np.float32)


def _organs(tissue: NDArray[np.uint8], frame: _Frame, inside: NDArray[np.bool_]) -> None:
    """Bowel and fat as a smooth random field, gas in front, liver, spleen, kidneys."""
    rng, b, z = frame.rng, frame.build, frame.z
    field = smooth_field(rng, tissue.shape, 9.6)
    tissue[inside & (field > -0.1)] = Tissue.SOFT
    tissue[inside & (field > 1.25) & (frame.y > 45 * b)] = Tissue.AIR
    liver = (
        ((frame.x - 70 * b) / (80 * b)) ** 2
        + ((frame.y - 45 * b) / (85 * b)) ** 2
        + ((z - frame.heights["T12"]) / (78 * b)) ** 2
    )
    spleen = (
        ((frame.x + 88 * b) / (38 * b)) ** 2 + ((frame.y - 5) / (48 * b)) ** 2 + ((z - frame.heights["T12"]) / (52 * b)) ** 2
    )
    tissue[inside & ((liver < 1) | (spleen < 1))] = Tissue.SOFT
    for side, level in ((1.0, "L2"), (-1.0, "L1")):
        away = ((frame.x - side * 64 * b) / 27) ** 2 + ((frame.y - 2) / 25) ** 2 + ((z - frame.heights[level]) / 54) ** 2
        tissue[inside & (away < 1.9)] = Tissue.FAT
        tissue[inside & (away < 1)] = Tissue.SOFT


def _lungs(tissue: NDArray[np.uint8], frame: _Frame, cavity: Array) -> None:
    b, heights = frame.build, frame.heights
    dome = heights["T12"] - 12
    hemi = ((np.abs(frame.x) - 68 * b) / (62 * b)) ** 2 + ((frame.y - 45 * b) / (80 * b)) ** 2
    floor = dome + 62 * b * np.clip(1 - hemi, 0, 1) ** 0.7
    apex = np.clip((heights["T1"] + 12 - frame.z) / 55, 0.05, 1) ** 0.5
    middle = 30 * b + 26 * b * np.clip((heights["T5"] - frame.z) / 90, 0, 1) * np.clip(frame.y / (60 * b), 0, 1)
    chest = (cavity < 1) & (frame.z > floor)
    tissue[chest] = Tissue.SOFT
    tissue[chest & (cavity < 0.93 * apex**2) & (np.abs(frame.x + 8) > np.where(frame.y < 20, 19.0 * b, middle))] = (
        Tissue.LUNG
    )


def _vessels(tissue: NDArray[np.uint8], spine: _Frame) -> None:
    b = spine.build
    above_l4 = spine.z > spine.heights["L4"]
    inside = tissue != Tissue.AIR
    tissue[inside & above_l4 & (_ellipse(spine.x + 12 * b, spine.y - 31 * b, (11 * b, 11 * b)) < 1)] = Tissue.VESSEL
    low = spine.z < spine.heights["T9"]
    tissue[inside & above_l4 & low & (_ellipse(spine.x - 16 * b, spine.y - 30 * b, (12 * b, 9 * b)) < 1)] = Tissue.VESSEL


def _back_muscles(tissue: NDArray[np.uint8], spine: _Frame) -> None:
    b = spine.build
    inside = tissue != Tissue.AIR
    lower = np.clip((spine.heights["T12"] - spine.z) / (spine.heights["T12"] - spine.heights["L5"]), 0, 1)
    side = np.abs(spine.x)
    erector = ((side - 30 * b) / (27 * b)) ** 2 + ((spine.y + 46 * b) / ((15 + 6 * lower) * b)) ** 2
    tissue[inside & (erector < 1)] = Tissue.MUSCLE
    tissue[inside & (erector >= 1) & (side < 60 * b) & (spine.y < -24 * b) & (tissue == Tissue.SOFT)] = Tissue.FAT
    radius = (6 + 18 * lower) * b
    psoas = ((side - (25 + 16 * lower) * b) / radius) ** 2 + ((spine.y + 2) / (1.15 * radius)) ** 2
    tissue[inside & (lower > 0) & (psoas < np.clip(lower * 6, 0, 1))] = Tissue.MUSCLE


def _ribs(tissue: NDArray[np.uint8], depth: Array, frame: _Frame, spine: _Frame, cavity: Array) -> None:
    """Thin bands in the chest wall that fall towards the front; the lowest two end early."""
    b = frame.build
    in_wall = (cavity > 0.9) & (cavity < 1.45)
    around = np.arctan2(np.abs(frame.x), -(frame.y - 20 * b))  # 0 behind, pi in front
    across = (np.sqrt(cavity) - 1.06) * 105 * b
    for number, level in enumerate(WHOLE[:12], 1):
        most = {11: 1.5, 12: 1.1}.get(number, 2.35)
        fall = (16 + 4.2 * min(number, 9)) * b
        here = np.abs(spine.z.ravel() - (frame.heights[level] - 0.9 * fall)) < 0.9 * fall + 14
        if not here.any():
            continue
        box = (slice(None), slice(None), _span(here))
        along = spine.z[:, :, box[2]] - (frame.heights[level] + 4 - fall * (1 - np.cos(around[box])) * 0.9)
        near = in_wall[box] & (np.abs(along) < 8) & (around[box] < most) & (around[box] > 0.25)
        inside = 1 - np.hypot(along[near] / 6.5, across[box][near] / 4.0)
        _add(tissue[box], depth[box], near, inside * 4.0, Tissue.RIB)
        up = spine.z[:, :, box[2]] - frame.heights[level] - 5
        neck = (np.abs(up) < 6) & (np.abs(np.abs(spine.x[box]) - 32 * b) < 20 * b) & (np.abs(spine.y[box] + 22 * b) < 9)
        behind = spine.y[box] + 18 * b + 0.25 * (np.abs(spine.x[box]) - 18 * b)
        inside = 4.2 - np.hypot(np.broadcast_to(up, neck.shape)[neck], np.broadcast_to(behind, neck.shape)[neck])
        _add(tissue[box], depth[box], neck, inside, Tissue.RIB)


def _span(here: NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(here)
    return slice(int(places[0]), int(places[-1]) + 1)


def _add(tissue: NDArray[np.uint8], depth: Array, where: NDArray[np.bool_], value: Array, kind: Tissue) -> None:
    better = np.maximum(depth[where], value)
    depth[where] = better
    found = tissue[where]
    found[better > 0] = kind
    tissue[where] = found


def _pelvis(tissue: NDArray[np.uint8], depth: Array, patient: Patient, spine: _Frame) -> None:
    """Sacrum below L5, tilted, and the wings of the ilium as a shell of an ellipsoid."""
    last = patient.vertebrae[-1]
    b = spine.build
    top = last.centre - last.axes[2] * (last.shape.posterior_mm / 2 + last.disc_mm)
    tilt = np.radians(38)
    up = last.axes[2] * np.cos(tilt) + last.axes[0] * np.sin(tilt)
    front = last.axes[0] * np.cos(tilt) - last.axes[2] * np.sin(tilt)
    cx, cy = last.centre[0], last.centre[1]
    here = spine.z.ravel() < last.centre[2] + 25
    if not here.any():
        return
    box = (slice(None), slice(None), here)
    # Relative to the curve again, which is constant below the last centre.
    dx, dy, dz = spine.x[box] + (cx - top[0]), spine.y[box] + (cy - top[1]), spine.z[:, :, here] - top[2]
    a = dx * front[0] + dy * front[1] + dz * front[2]
    u = dx * up[0] + dy * up[1] + dz * up[2]
    down = np.clip(-u / 95, 0, 1)
    body = np.minimum(
        np.minimum(-u, u + 95),
        np.minimum(
            15 * (1 - 0.6 * down) - np.abs(a + 14 * (1 + down)), last.shape.width_mm / 2 * (1 - 0.55 * down) - np.abs(dx)
        ),
    )
    wings = np.minimum(
        np.minimum(-u - 3, u + 60), np.minimum(13 - np.abs(a + 16), (58 - 0.5 * np.abs(u + 10)) * b - np.abs(dx))
    )
    inside = np.maximum(body, wings)
    centre_z = last.centre[2] - 62 * b
    shell = np.sqrt(
        (dx / (128 * b)) ** 2 + ((dy - 42 * b) / (88 * b)) ** 2 + ((spine.z[:, :, here] - centre_z) / (104 * b)) ** 2
    )
    ilium = np.minimum(
        4.5 - np.abs(shell - 0.93) * 100,
        np.minimum(np.abs(dx) - 38 * b - 0.3 * (last.centre[2] + 22 - spine.z[:, :, here]), 62 * b - dy),
    )
    inside = np.maximum(inside, np.minimum(ilium, last.centre[2] + 22 - spine.z[:, :, here]))
    part, below = tissue[box], depth[box]
    better = (inside > below) & (part != Tissue.AIR)
    below[better] = inside[better]
    part[better & (below > 0)] = Tissue.PELVIS
    tissue[box], depth[box] = part, below
