"""SHRM: the height of the healthy vertebra, from pooled features, and the band cropped to it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.imaging.healthivert.mask_band import rejoin_index

_POOL = (8, 2)
"""Features are pooled to so many rows and columns: the head sees where along the spine they are."""


class HeightHead(nn.Module):
    """Pooled features to a height in rows, between 0 and the band's."""

    def __init__(self, channels: int, band: int) -> None:
        super().__init__()
        self.band = band
        self.inner = nn.Linear(channels * _POOL[0] * _POOL[1], 4 * channels)
        self.outer = nn.Linear(4 * channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channels, rows, columns) to (batch,) heights in rows."""
        # In full precision also where the rest is not: eight bits would leave steps of a fifth of a row.
        with torch.autocast(features.device.type, enabled=False):
            pooled = functional.adaptive_avg_pool2d(features.float(), _POOL).flatten(1)
            height: Tensor = self.band * torch.sigmoid(self.outer(functional.elu(self.inner(pooled))))[:, 0]
        return height


def restored_height(predicted: float, original: int, band: int) -> int:
    """Rows to paint: rounded up, never below what the vertebra still has, never more than the band."""
    return min(max(math.ceil(predicted), original), band)


def height_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """|h' - h| / h, mean over the batch."""
    return ((predicted - true).abs() / true).mean()


def rejoin(images: Tensor, heights: list[int], band: int, fill: float) -> Tensor:
    """Crop the band of each image to its height and move the neighbours back to it.

    Args:
        images: (batch, channels, rows, columns) with the full band.
        heights: rows that each vertebra takes.
        band: rows of the band.
        fill: value of the padding that keeps the size.
    """
    size = images.shape[2]
    index = torch.stack([torch.from_numpy(rejoin_index(size, band, height)) for height in heights]).to(images.device)
    rows = index.clamp_min(0)[:, None, :, None].expand(-1, images.shape[1], -1, images.shape[3])
    joined = images.gather(2, rows)
    return torch.where((index >= 0)[:, None, :, None], joined, torch.full_like(joined, fill))
