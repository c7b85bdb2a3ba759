"""A procedural spine with exact ground truth: what heights every vertebra has, and had before it was compressed.

Unlike `phantom.py`, which draws a straight spine for unit tests, every property here is drawn from a seed: size and its
change along the levels, kyphosis, lordosis, scoliosis, endplate concavity, osteophytes, posterior elements, bone density,
noise, an imperfect mask, slice thickness. The mean dimensions are written down here on their own and are not those
that the neighbour model assumes, so that testing one with the other is not circular. Sources of the orders of magnitude:
Panjabi et al., Spine 1991;16:888-901 (thoracic) and 1992;17:299-306 (lumbar).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.imaging.compression import Kind, rim_loss
from tools.imaging.labels import LEVELS, VERSE
from tools.imaging.vertebra_shape import Fracture, VertebraShape, occupancy, true_heights
from tools.imaging.volume import Volume

Array = NDArray[np.float64]
Thirds = tuple[float, float, float]
_IDS = {name: value for value, name in VERSE.items()}
_FIRST = LEVELS.index("T1")
SPACINGS_MM = ((0.8, 0.8, 0.8), (1.0, 1.0, 1.0), (0.7, 0.7, 1.25), (0.8, 0.8, 2.0), (0.7, 0.7, 2.5), (2.0, 1.0, 1.0))
"""In-plane and slice spacings that clinical spine CT comes with; the last one is a sagittal reformat."""
_SLICE_SAMPLES = 3


@dataclass(frozen=True)
class SpineTruth:
    """What is exactly known of one level: thirds are anterior, middle, posterior; heights in mm."""

    before: Thirds
    after: Thirds
    kind: Kind | None = None
    severity: float = 0.0

    @property
    def genant_loss(self) -> float:
        """The largest loss at the six points, from which Genant's grade follows."""
        return max(rim_loss(self.kind, self.severity)) if self.kind else 0.0

    @property
    def rhlv(self) -> Thirds:
        """Relative loss against the vertebra's own uncompressed height."""
        a, m, p = ((b - now) / b for b, now in zip(self.before, self.after, strict=True))
        return a, m, p


@dataclass(frozen=True)
class SimulatedSpine:
    """CT in HU, VerSe labels on its grid, and the truth of every level."""

    ct: Volume
    mask: Volume
    truth: dict[str, SpineTruth]


@dataclass(frozen=True)
class SpinePlan:
    """Everything drawn for one patient; `render` turns it into an image.

    `variation` is the standard deviation of a healthy vertebra's size around the smooth trend of its spine.
    """

    levels: tuple[str, ...]
    shapes: tuple[VertebraShape, ...]
    tilt_deg: tuple[tuple[float, float, float], ...]
    disc_mm: tuple[float, ...]
    spacing_mm: tuple[float, float, float]
    marrow_hu: float
    noise_hu: float
    mask_noise_mm: float
    seed: int
    fractures: Mapping[str, Fracture] = field(default_factory=dict)


def plan_spine(
    seed: int,
    levels: Sequence[str] = LEVELS[_FIRST + 4 : _FIRST + 17],
    fractures: Mapping[str, Fracture] | None = None,
    spacing_mm: tuple[float, float, float] | None = None,
    variation: float = 0.02,
) -> SpinePlan:
    """Draw a patient.

    Args:
        seed: the same seed gives the same patient, whatever fractures are put in.
        levels: from head to foot, T1 to L5.
        fractures: which levels are compressed, and how.
        spacing_mm: voxel size; drawn from `SPACINGS_MM` when absent.
        variation: relative standard deviation of a vertebra's size around its spine's trend.

    Raises:
        ValueError: a level is not thoracic or lumbar, or a fracture is at a level that is not drawn.
    """
    wrong = [level for level in levels if not _FIRST <= LEVELS.index(level) < _FIRST + 17]
    if wrong or set(fractures or {}) - set(levels):
        raise ValueError(f"levels must be T1 to L5 and hold every fracture, got {list(levels)} and {list(fractures or {})}")
    rng = np.random.default_rng([seed, 1])
    place = np.arange(17, dtype=float)
    size = rng.normal(1.0, 0.07)
    trend = np.exp(rng.normal(0, 0.006) * (place - 8))
    wavy = 1 + _smooth(rng, place, 3.0) * 0.015
    own = 1 + rng.normal(0, variation, 17)
    posterior = np.where(place < 12, 15.2 + 0.66 * place, 23.4 + 0.35 * (place - 12)) * size * trend * wavy * own
    ratio = np.interp(place, (0, 3, 7, 11, 13, 16), (0.98, 0.96, 0.93, 0.95, 1.0, 1.12)) + rng.normal(0, 0.02)
    ratio += 0.015 * _smooth(rng, place, 2.0) + rng.normal(0, 0.012, 17)
    depth = np.interp(place, (0, 5, 11, 14, 16), (17.5, 25, 31.5, 34.5, 34.5)) * size * rng.normal(1, 0.03)
    width = np.interp(place, (0, 3, 7, 11, 16), (27, 26, 31, 40, 50)) * size * rng.normal(1, 0.03)
    concavity = np.clip(rng.normal(0.07, 0.02) + rng.normal(0, 0.01, 17), 0.02, 0.14)
    old = float(rng.random())
    shapes = tuple(
        _shape(rng, posterior[i], ratio[i], depth[i], width[i], concavity[i], old, thoracic=i < 12) for i in range(17)
    )
    forward = np.interp(place, (0, 7, 11, 14, 16), (26, 0, -13, 0, 22)) * rng.uniform(0.5, 1.4)
    lateral = rng.uniform(0, 7) * np.sin(place / rng.uniform(1.5, 3) + rng.uniform(0, 6))
    axial = 0.5 * lateral + rng.normal(0, 1.5, 17)
    lie = rng.normal(0, 4, 3)
    discs = np.interp(place, (0, 8, 12, 16), (3.5, 4.5, 7, 10)) * rng.normal(1, 0.1) * rng.uniform(0.7, 1.2, 17)
    chosen = SPACINGS_MM[int(rng.integers(len(SPACINGS_MM)))]
    picked = [LEVELS.index(level) - _FIRST for level in levels]
    return SpinePlan(
        levels=tuple(levels),
        shapes=tuple(shapes[i] for i in picked),
        tilt_deg=tuple((forward[i] + lie[0], lateral[i] + lie[1], axial[i] + lie[2]) for i in picked),
        disc_mm=tuple(float(discs[i]) for i in picked),
        spacing_mm=spacing_mm or chosen,
        marrow_hu=float(220 - 150 * old),
        noise_hu=float(rng.uniform(10, 40)),
        mask_noise_mm=float(rng.uniform(0.1, 0.4)),
        seed=seed,
        fractures=dict(fractures or {}),
    )


def render(plan: SpinePlan, *, with_ct: bool = True) -> SimulatedSpine:
    """Draw the plan: partial volume along the slices, cortical shell, marrow texture, noise, imperfect mask.

    Without `with_ct` only the mask is drawn, the same one, in half the time; the CT is then all soft tissue.
    """
    rng, rng_ct = np.random.default_rng([plan.seed, 2]), np.random.default_rng([plan.seed, 6])
    centres, axes = _placed(plan)
    low = centres.min(axis=0) - np.array([45, 80, 40])
    high = centres.max(axis=0) + np.array([45, 40, 40])
    spacing = np.array(plan.spacing_mm)
    shape = tuple(int(n) for n in np.ceil((high - low) / spacing))
    affine = np.diag([*plan.spacing_mm, 1.0])
    affine[:3, 3] = low
    labels = np.zeros(shape, dtype=np.int16)
    hu = np.full(shape, 40.0, dtype=np.float32)
    reach = np.array([42.0, 75.0, 36.0])
    for level, body, centre, frame in zip(plan.levels, plan.shapes, centres, axes, strict=True):
        start = np.maximum(((centre - reach - low) / spacing).astype(int), 0)
        stop = np.minimum(((centre + np.array([42.0, 36.0, 36.0]) - low) / spacing).astype(int) + 1, shape)
        box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        fine, bone = _drawn(
            plan, body, plan.fractures.get(level), (centre, frame), (low, box), rng, rng_ct if with_ct else None
        )
        mine = (fine >= 0.5) & (labels[box] == 0)
        labels[box][mine] = _IDS[level]
        hu[box] = np.maximum(hu[box], 40 + bone)
    if with_ct:
        hu += rng_ct.normal(0, plan.noise_hu, shape).astype(np.float32)
    hu[[0, -1]] = -1000
    hu[:, -2:] = -1000
    truth = {level: _truth(body, plan.fractures.get(level)) for level, body in zip(plan.levels, plan.shapes, strict=True)}
    ct = np.clip(np.round(hu), -1024, 3071).astype(np.int16)
    return SimulatedSpine(Volume(ct, affine), Volume(labels, affine), truth)


def _truth(body: VertebraShape, fracture: Fracture | None) -> SpineTruth:
    before = true_heights(body, None)
    if fracture is None:
        return SpineTruth(before, before)
    return SpineTruth(before, true_heights(body, fracture), fracture.kind, fracture.severity)


def _shape(
    rng: np.random.Generator,
    posterior: float,
    ratio: float,
    depth: float,
    width: float,
    concavity: float,
    old: float,
    *,
    thoracic: bool,
) -> VertebraShape:
    spur = float(rng.uniform(1, 4)) if rng.random() < 0.35 * old else 0.0
    return VertebraShape(
        anterior_mm=float(posterior * ratio),
        posterior_mm=float(posterior),
        depth_mm=float(depth),
        width_mm=float(width),
        concavity=float(concavity),
        corner=float(rng.uniform(2.4, 3.6)),
        spur_mm=spur,
        thoracic=thoracic,
    )


def _smooth(rng: np.random.Generator, place: Array, length: float) -> Array:
    """A random curve of unit variance that changes over `length` levels."""
    covariance = np.exp(-0.5 * ((place[:, None] - place[None, :]) / length) ** 2) + 1e-6 * np.eye(len(place))
    curve: Array = np.linalg.cholesky(covariance) @ rng.normal(size=len(place))
    return curve


def _placed(plan: SpinePlan) -> tuple[Array, Array]:
    """Centre and frame (anterior, right, superior; RAS) of every vertebra, stacked along the curve."""
    axes = np.array([_axes(*angles) for angles in plan.tilt_deg])
    centres = [np.zeros(3)]
    for i in range(1, len(plan.shapes)):
        above, below = (plan.shapes[j].anterior_mm / 4 + plan.shapes[j].posterior_mm / 4 for j in (i - 1, i))
        between = (axes[i - 1, 2] + axes[i, 2]) / 2
        centres.append(centres[-1] - axes[i - 1, 2] * above - between * plan.disc_mm[i] - axes[i, 2] * below)
    return np.array(centres), axes


def _axes(forward: float, lateral: float, axial: float) -> Array:
    f, s, t = np.radians((forward, lateral, axial))
    up = np.array([np.sin(s), np.sin(f) * np.cos(s), np.cos(f) * np.cos(s)])
    front = np.array([np.sin(t), np.cos(t), 0.0])
    front -= (front @ up) * up
    front /= np.linalg.norm(front)
    return np.stack([front, np.cross(front, up), up])


def _drawn(
    plan: SpinePlan,
    body: VertebraShape,
    fracture: Fracture | None,
    pose: tuple[Array, Array],
    where: tuple[Array, tuple[slice, ...]],
    rng: np.random.Generator,
    rng_ct: np.random.Generator | None,
) -> tuple[Array, Array]:
    """Share of each voxel that the mask's idea of the vertebra fills, and HU above soft tissue of the true one."""
    centre, frame = pose
    low, box = where
    spacing = np.array(plan.spacing_mm)
    thick = int(spacing.argmax())
    index = np.stack(np.meshgrid(*[np.arange(b.start, b.stop) for b in box], indexing="ij"), axis=-1)
    shape = index.shape[:3]
    wobble = ndimage.gaussian_filter(rng.normal(size=shape), 2.5 / spacing)
    wobble *= plan.mask_noise_mm / max(float(wobble.std()), 1e-9)
    texture = np.zeros(1)
    if rng_ct:
        texture = ndimage.gaussian_filter(rng_ct.normal(size=shape), 0.8 / spacing)
        texture *= 40 / max(float(texture.std()), 1e-9)
    filled, bone = np.zeros(shape), np.zeros(shape)
    samples = _SLICE_SAMPLES if spacing[thick] > 1.1 else 1
    for part in (np.arange(samples) + 0.5) / samples - 0.5:
        shift = np.zeros(3)
        shift[thick] = part
        local = ((index + shift) * spacing + low - centre).reshape(-1, 3) @ frame.T
        depth = occupancy(body, fracture, local).reshape(shape)
        filled += (depth + wobble > 0) / samples
        if not rng_ct:
            continue
        shell = np.clip(1.3 - np.abs(depth - 0.6), 0, 1)
        inside = np.clip(depth + 0.5, 0, 1)
        bone += inside * (plan.marrow_hu - 40 + texture + 450 * shell) / samples
    return filled, bone


def random_fracture(rng: np.random.Generator, grade: int) -> Fracture:
    """A fracture whose loss at the six points falls in a Genant grade (1: 20-25 %, 2: 25-40 %, 3: 40-60 %), of any kind."""
    low, high = {1: (0.20, 0.25), 2: (0.25, 0.40), 3: (0.40, 0.60)}[grade]
    kinds: tuple[Kind, ...] = ("wedge", "biconcave", "crush")
    kind = kinds[int(rng.integers(3))]
    worst = float(rng.uniform(low, high))
    share = max(rim_loss(kind, 1.0))
    return Fracture(kind, worst / share, float(rng.choice([1.0, 1.0, 0.5])))
