"""Contextual attention: the hidden part is built from patches of what can be seen.

Yu et al., Generative Image Inpainting with Contextual Attention, CVPR 2018, section 4.1; written anew. Features are
matched at half their size by 3 x 3 patches (cosine), and rebuilt from 4 x 4 patches at full size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ContextualAttention(nn.Module):
    """Attention of every place over the visible places of the same image."""

    def __init__(self, sharpness: float = 10.0) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, features: Tensor, hidden: Tensor) -> Tensor:
        """Rebuild features.

        Args:
            features: (batch, channels, rows, columns), rows and columns even.
            hidden: (batch, 1, rows, columns), 1 where nothing is seen.

        Returns:
            Features of the same shape, a mixture of visible patches.
        """
        batch, channels, rows, columns = features.shape
        small = functional.avg_pool2d(features, 2)
        patches = functional.unfold(small, 3, padding=1)
        unit = patches / patches.norm(dim=1, keepdim=True).clamp_min(1e-4)
        blocked = functional.unfold(functional.max_pool2d(hidden, 2), 3, padding=1).mean(dim=1) > 0.5
        scores = self.sharpness * torch.bmm(unit.transpose(1, 2), unit)
        weights = scores.masked_fill(blocked[:, None, :], -1e4).softmax(dim=2)
        raw = functional.unfold(features, 4, stride=2, padding=1)
        mixed = torch.bmm(raw, weights.transpose(1, 2))
        # Each place is covered by four overlapping patches.
        rebuilt = functional.fold(mixed, (rows, columns), 4, stride=2, padding=1) / 4
        return rebuilt.reshape(batch, channels, rows, columns)
