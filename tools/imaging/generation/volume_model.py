"""A spine volume of a description: anatomy, low-resolution CT, super-resolution, each kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.errors import SettingError, TooLarge
from tools.imaging.generation.anatomy import Anatomy, build
from tools.imaging.generation.attributes import SpineAttributes
from tools.imaging.generation.facts import facts_of
from tools.imaging.generation.models import DEFAULT_LOOK, STEPS, Array, Check, Look, checked_steps, paint, shipped
from tools.imaging.generation.networks import Weights, compand, expand
from tools.imaging.generation.texture import textured
from tools.imaging.generation.train import enlarged, low_resolution
from tools.imaging.volume import Volume

SIZES = (32, 48, 64, 80, 96)
"""Low-resolution voxels across and through, 3 mm each."""
_MOST_VOXELS = 192 * 192 * 400


@dataclass(frozen=True)
class MadeVolume:
    """CT in HU and vertebra mask on one grid of 1.5 mm, the anatomy they follow, and the low-resolution CT on the way."""

    ct: Volume
    mask: Volume
    anatomy: Anatomy
    low: Array | None
    look: Look
    weights_sha256: str


def make_volume(
    attributes: SpineAttributes,
    seed: int,
    *,
    size: int = 64,
    look: Look = DEFAULT_LOOK["volume"],
    steps: int = STEPS,
    model: Weights | None = None,
    check: Check = lambda share: None,
) -> MadeVolume:
    """Draw one patient of the description and give it the look of a scan.

    Args:
        attributes: what to draw.
        seed: of the patient and of the look.
        size: low-resolution voxels across, one of `SIZES`; the box is 3 mm times this wide and deep.
        look: "learned" by the flow and the refiner, or "procedural" without them.
        steps: of the sampler.
        model: weights instead of the shipped ones.
        check: told the share done; what it raises stops the work.

    Raises:
        SettingError: the size or the steps are not allowed.
        TooLarge: the box would hold more voxels than are drawn.
        MissingRequirement: the look is "learned" and there are no weights.
    """
    if size not in SIZES:
        raise SettingError(f"size must be one of {', '.join(map(str, SIZES))} (voxels of 3 mm across), got {size}.")
    checked_steps(steps)
    anatomy = build(attributes, seed, size)
    voxels = int(np.prod(anatomy.grid.shape))
    if voxels > _MOST_VOXELS:
        raise TooLarge(
            f"This would be {voxels} voxels; at most {_MOST_VOXELS} are drawn: name fewer levels or a smaller size."
        )
    check(0.3)
    if look == "procedural":
        ct = textured(anatomy.plain, anatomy.tissue, seed)
        return MadeVolume(_volume(ct, anatomy), anatomy.mask, anatomy, None, look, "")
    model = model or shipped("volume")
    plain = compand(anatomy.plain)
    low = paint(model, low_resolution(plain), facts_of(attributes), steps, seed, lambda share: check(0.3 + 0.4 * share))
    check(0.7)
    fine = refine(model, low, plain, seed)
    return MadeVolume(_volume(expand(fine), anatomy), anatomy.mask, anatomy, expand(low), look, model.sha256)


@torch.no_grad()
def refine(model: Weights, low: Array, plain: Array, seed: int) -> Array:
    """Super-resolution by 2, on the companded scale."""
    large = enlarged(torch.from_numpy(low)[None, None])
    if model.refiner is None:
        return np.asarray(large[0, 0].numpy(), dtype=np.float32)
    noise = torch.randn(large.shape, generator=torch.Generator().manual_seed(seed + 1))
    made = model.refiner(large, torch.from_numpy(np.ascontiguousarray(plain))[None, None], noise)
    return np.asarray(made[0, 0].float().numpy(), dtype=np.float32)


def _volume(hu: Array, anatomy: Anatomy) -> Volume:
    return Volume(np.clip(np.round(hu), -1024, 3071).astype(np.int16), anatomy.grid.affine)
