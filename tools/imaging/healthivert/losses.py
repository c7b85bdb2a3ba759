"""All terms of the generator's loss."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from monai.losses.dice import DiceLoss
from torch import Tensor

from tools.imaging.healthivert.adversaries import Adversaries
from tools.imaging.healthivert.config import GanConfig
from tools.imaging.healthivert.dataset import Batch
from tools.imaging.healthivert.edges import edge_loss
from tools.imaging.healthivert.height import height_loss, rejoin
from tools.imaging.healthivert.networks import Painted


@dataclass(frozen=True)
class Terms:
    """Weighted terms; their sum is what the generator is trained on."""

    pixels: Tensor
    target_dice: Tensor
    neighbour_dice: Tensor
    edges: Tensor
    height: Tensor
    adversarial: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return torch.stack([getattr(self, item.name) for item in fields(self)]).sum()


def generator_terms(painted: Painted, batch: Batch, adversaries: Adversaries, config: GanConfig) -> Terms:
    """Compare what was painted with what was there. Both are rejoined to the true height first, so shapes agree."""
    dice = DiceLoss()
    heights, true = batch.heights, torch.tensor(batch.heights, dtype=torch.float32, device=batch.ct.device)
    ct, target, coarse, real_ct, real_target = (
        rejoin(image, heights, config.band, fill)
        for image, fill in (
            (painted.ct, -1.0), (painted.target, 0.0), (painted.coarse_ct, -1.0), (batch.true_ct, -1.0),
            (batch.true_target, 0.0),
        )
    )  # fmt: skip
    hole = rejoin(batch.band, heights, config.band, 0.0)
    return Terms(
        pixels=config.pixel_weight * (area_scaled_l1(ct, real_ct, hole) + area_scaled_l1(coarse, real_ct, hole)),
        target_dice=config.target_dice_weight * dice(target, real_target),
        neighbour_dice=config.neighbour_dice_weight * dice(painted.neighbours, batch.healthy),
        edges=config.edge_weight * edge_loss(target, real_target),
        height=config.height_weight * (height_loss(painted.height, true) + height_loss(painted.coarse_height, true)),
        adversarial=config.adversarial_weight * adversaries.fool(ct, target),
    )


def area_scaled_l1(image: Tensor, true: Tensor, hole: Tensor) -> Tensor:
    """Mean absolute difference over the hole: a small vertebra counts as much as a large one."""
    difference = ((image - true).abs() * hole).sum(dim=(1, 2, 3))
    return (difference / hole.sum(dim=(1, 2, 3)).clamp_min(1)).mean()
