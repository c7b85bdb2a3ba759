"""Losses of the image trainer. Vectors are unit vectors; every loss is a mean over the batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def masked_error(painted: Tensor, pictures: Tensor, shown: Tensor) -> Tensor:
    """Mean squared error on the hidden pixels only (He et al., CVPR 2022)."""
    hidden = 1 - shown
    return ((painted - pictures).square() * hidden).sum() / hidden.sum().clamp(min=1)


def contrast_views(first: Tensor, second: Tensor, temperature: float = 0.2) -> Tensor:
    """NT-Xent: each view finds the other of its picture among all others (Chen et al., ICML 2020)."""
    both = torch.cat([first, second])
    logits = (both @ both.T / temperature).masked_fill(torch.eye(len(both), dtype=torch.bool), float("-inf"))
    n = len(first)
    return nn.functional.cross_entropy(logits, torch.arange(2 * n).roll(n))


def contrast_labels(vectors: Tensor, labels: Tensor, temperature: float = 0.2) -> Tensor:
    """Supervised contrast: pictures of one label find each other (Khosla et al., NeurIPS 2020, L_out).

    Pictures labelled -1 (unknown) only serve as others.
    """
    logits = vectors @ vectors.T / temperature
    self_pair = torch.eye(len(vectors), dtype=torch.bool)
    logs = logits - logits.masked_fill(self_pair, float("-inf")).logsumexp(1, keepdim=True)
    positive = (labels[:, None] == labels[None]) & (labels[:, None] >= 0) & ~self_pair
    counts = positive.sum(1)
    each = -(logs * positive).sum(1) / counts.clamp(min=1)
    return each[counts > 0].mean() if bool((counts > 0).any()) else logits.sum() * 0


def contrast_reports(pictures: Tensor, reports: Tensor, temperature: float = 0.1, weight: float = 0.75) -> Tensor:
    """ConVIRT's two-way InfoNCE of pictures (n, d) and their reports (n, d).

    `weight` is that of picture to report (Zhang et al., MLHC 2022: .75, with a temperature of .1).
    """
    logits = pictures @ reports.T / temperature
    target = torch.arange(len(pictures))
    to_report = nn.functional.cross_entropy(logits, target)
    to_picture = nn.functional.cross_entropy(logits.T, target)
    return weight * to_report + (1 - weight) * to_picture
