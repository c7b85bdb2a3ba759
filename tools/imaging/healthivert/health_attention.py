"""HGAM: attention to what is healthy, 1 - Grad-CAM++ of a small fracture classifier.

Grad-CAM++: Chattopadhay et al., WACV 2018, eq. 10-19. The classifier ends in global average pooling and one linear layer,
so the gradient of its logit is the same at every place (weight / places) and the map has a closed form; a test holds it to
autograd. The published module looks at the slice with the vertebra in it. Here the classifier sees the slice with the band
in place of the target and learns whether a vertebra that can be seen is fractured: through the attention nothing of the
target can leak.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class FractureClassifier(nn.Module):
    """Banded slice to the logit that one of the visible vertebrae is fractured."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = (2, width, 2 * width, 4 * width, 4 * width)
        self.blocks = nn.ModuleList(
            nn.Conv2d(before, after, 5 if i == 0 else 3, padding=2 if i == 0 else 1, stride=2 if i < 2 else 1)
            for i, (before, after) in enumerate(pairwise(channels))
        )
        self.last = nn.Linear(channels[-1], 1)

    def features(self, ct: Tensor, band: Tensor) -> Tensor:
        """(batch, 1, rows, columns) each, to (batch, channels, rows / 4, columns / 4)."""
        x = torch.cat([ct, band], dim=1)
        for block in self.blocks:
            x = functional.relu(block(x))
        return x

    def forward(self, ct: Tensor, band: Tensor) -> Tensor:
        """Logits of shape (batch,)."""
        logit: Tensor = self.last(self.features(ct, band).mean(dim=(2, 3)))[:, 0]
        return logit

    @torch.no_grad()
    def healthy_attention(self, ct: Tensor, band: Tensor) -> Tensor:
        """1 - Grad-CAM++, (batch, 1, rows / 4, columns / 4), weighted by how sure the classifier is.

        A map is normalised to its own maximum, so that a slice without any fracture would still light up somewhere;
        multiplied by the probability it stays near 1 (all healthy) there.
        """
        features = self.features(ct, band)
        places = features.shape[2] * features.shape[3]
        slope = (self.last.weight[0] / places)[None, :, None, None]
        spread = 2 * slope**2 + features.sum(dim=(2, 3), keepdim=True) * slope**3
        alpha = slope**2 / torch.where(spread.abs() > 1e-12, spread, torch.ones_like(spread))
        weights = (alpha * slope.clamp_min(0)).expand_as(features).sum(dim=(2, 3), keepdim=True)
        heat = (weights * features).sum(dim=1, keepdim=True).clamp_min(0)
        heat = heat / heat.amax(dim=(2, 3), keepdim=True).clamp_min(1e-8)
        logit = self.last(features.mean(dim=(2, 3)))
        return 1 - torch.sigmoid(logit)[:, :, None, None] * heat
