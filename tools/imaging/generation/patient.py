"""One patient of a description: sizes, curves and densities drawn from a seed, and where every vertebra lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tools.imaging.compression import loss_profile
from tools.imaging.generation.attributes import WHOLE, SpineAttributes
from tools.imaging.simulated_spine import SpineTruth, plan_spine
from tools.imaging.vertebra_shape import Fracture, VertebraShape, true_heights

Array = NDArray[np.float64]
_MARROW_HU = {"normal": (165.0, 215.0), "osteopenia": (115.0, 150.0), "osteoporosis": (55.0, 105.0)}
"""Trabecular HU at L1: above 160 osteoporosis is unlikely, below 110 likely (Pickhardt, Ann Intern Med 2013;158:588-595)."""
_SIZES = {"small": 0.93, "average": 1.0, "large": 1.07}
_SEXES = {"unspecified": 1.0, "female": 0.955, "male": 1.045}
_KYPHOSIS_DEG = {"normal": (30.0, 45.0), "increased": (55.0, 70.0), "reduced": (10.0, 20.0)}
"""T1 to T12 and T12 to L5; usual thoracic kyphosis is 20 to 45 degrees, more than 50 is called increased."""
_LORDOSIS_DEG = {"normal": (28.0, 42.0), "increased": (48.0, 60.0), "reduced": (5.0, 15.0)}
_LAST_THORACIC = WHOLE.index("T12")


@dataclass(frozen=True)
class Vertebra:
    """A level, its shape, its fracture, its centre (RAS, mm), and its axes as rows (anterior, right, superior; RAS)."""

    level: str
    shape: VertebraShape
    fracture: Fracture | None
    centre: Array
    axes: Array
    disc_mm: float


@dataclass(frozen=True)
class Patient:
    """All of T1 to L5, whatever is shown; `marrow_hu` of the vertebrae, `build` the size of the torso relative to usual."""

    vertebrae: tuple[Vertebra, ...]
    marrow_hu: float
    build: float
    seed: int

    def truth(self) -> dict[str, SpineTruth]:
        """Exact heights before and after, for every level."""
        known = {}
        for item in self.vertebrae:
            before, now = true_heights(item.shape, None), true_heights(item.shape, item.fracture)
            bent = item.fracture
            known[item.level] = SpineTruth(before, now, bent.kind, bent.severity) if bent else SpineTruth(before, now)
        return known


def draw_patient(attributes: SpineAttributes, seed: int) -> Patient:
    """Draw one patient; the same seed and attributes give the same one."""
    rng = np.random.default_rng([seed, 11])
    share = {wish.level: float(rng.choice([1.0, 1.0, 0.6])) for wish in attributes.fractures}
    fractures = {wish.level: wish.fracture(share[wish.level]) for wish in attributes.fractures}
    plan = plan_spine(seed, WHOLE, fractures)
    scale = _SIZES[attributes.size] * _SEXES[attributes.sex] * float(rng.normal(1.0, 0.015))
    old = 0.5 if attributes.age is None else float(np.clip((attributes.age - 35) / 45, 0, 1))
    shapes = [_aged(_scaled(shape, scale), old, rng) for shape in plan.shapes]
    tilts = _tilts(attributes, rng)
    discs = [value * scale * (1.1 - 0.25 * old) for value in plan.disc_mm]
    low, high = _MARROW_HU[attributes.density]
    return Patient(
        vertebrae=_placed(shapes, [fractures.get(level) for level in WHOLE], tilts, discs),
        marrow_hu=float(rng.uniform(low, high)),
        build=scale * float(rng.uniform(0.93, 1.1)),
        seed=seed,
    )


def _scaled(shape: VertebraShape, scale: float) -> VertebraShape:
    return replace(
        shape,
        anterior_mm=shape.anterior_mm * scale,
        posterior_mm=shape.posterior_mm * scale,
        depth_mm=shape.depth_mm * scale,
        width_mm=shape.width_mm * scale,
    )


def _aged(shape: VertebraShape, old: float, rng: np.random.Generator) -> VertebraShape:
    spur = float(rng.uniform(1, 4)) if rng.random() < 0.4 * old else 0.0
    return replace(shape, spur_mm=spur)


def _tilts(attributes: SpineAttributes, rng: np.random.Generator) -> Array:
    """Forward, lateral and axial tilt of every level in degrees, shape (17, 3)."""
    place = np.arange(len(WHOLE), dtype=float)
    kyphosis = rng.uniform(*_KYPHOSIS_DEG[attributes.kyphosis])
    lordosis = rng.uniform(*_LORDOSIS_DEG[attributes.lordosis])
    at_t12 = -kyphosis / 3
    # Most of the lordosis lies in the two lowest levels, hence the power.
    low = np.clip((place - _LAST_THORACIC) / 5, 0, 1)
    forward = at_t12 + kyphosis * np.clip(1 - place / _LAST_THORACIC, 0, 1) + lordosis * low**1.4
    shown = [WHOLE.index(level) for level in attributes.shown_levels]
    apex = (shown[0] + shown[-1]) / 2 + rng.uniform(-1, 1)
    turned = float(rng.choice([-1.0, 1.0]))
    cobb = attributes.cobb_deg or float(rng.uniform(0, 4))
    away = (place - apex) / max(4.0, (shown[-1] - shown[0]) / 2)
    lateral = turned * cobb / 2 * np.sin(np.pi * np.clip(away, -1.5, 1.5) / 1.2)
    axial = turned * 0.35 * cobb * np.exp(-2 * away**2) + rng.normal(0, 0.8, len(WHOLE))
    return np.stack([forward + rng.normal(0, 2), lateral, axial], axis=1)


def _placed(
    shapes: list[VertebraShape], fractures: list[Fracture | None], tilts: Array, discs: list[float]
) -> tuple[Vertebra, ...]:
    """Stack from the middle up and down; what lies above a collapsed body sinks and leans forward with it."""
    lean = np.zeros(len(shapes))
    for i, (shape, fracture) in enumerate(zip(shapes, fractures, strict=True)):
        if fracture is not None:
            ends = loss_profile(fracture.kind, fracture.severity, np.array([0.1, 0.9])) * shape.posterior_mm
            lean[:i] += np.degrees(np.arctan2(ends[1] - ends[0], shape.depth_mm)) * 0.5
    axes = np.array([_axes(f + more, s, t) for (f, s, t), more in zip(tilts, lean, strict=True)])
    centres = [np.zeros(3)]
    for i in range(1, len(shapes)):
        above = (shapes[i - 1].anterior_mm + shapes[i - 1].posterior_mm) / 4 - _lost(
            shapes[i - 1], fractures[i - 1], upper=False
        )
        below = (shapes[i].anterior_mm + shapes[i].posterior_mm) / 4 - _lost(shapes[i], fractures[i], upper=True)
        between = (axes[i - 1, 2] + axes[i, 2]) / 2
        centres.append(centres[-1] - axes[i - 1, 2] * above - between * discs[i] - axes[i, 2] * below)
    middle = centres[_LAST_THORACIC + 1]
    return tuple(
        Vertebra(level, shape, fracture, centre - middle, frame, disc)
        for level, shape, fracture, centre, frame, disc in zip(WHOLE, shapes, fractures, centres, axes, discs, strict=True)
    )


def _lost(shape: VertebraShape, fracture: Fracture | None, *, upper: bool) -> float:
    """How far an endplate has moved towards the centre, mm, as the mean along the depth."""
    if fracture is None:
        return 0.0
    share = fracture.upper_share if upper else 1 - fracture.upper_share
    mean = float(loss_profile(fracture.kind, fracture.severity, np.linspace(0.05, 0.95, 19)).mean())
    return 0.9 * share * mean * shape.posterior_mm


def _axes(forward: float, lateral: float, axial: float) -> Array:
    f, s, t = np.radians((forward, lateral, axial))
    up = np.array([np.sin(s), np.sin(f) * np.cos(s), np.cos(f) * np.cos(s)])
    front = np.array([np.sin(t), np.cos(t), 0.0])
    front -= (front @ up) * up
    front /= np.linalg.norm(front)
    return np.stack([front, np.cross(front, up), up])
