"""Random changes of films that keep their anatomy: no flips, since a mirrored film puts the heart on the other side."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def augment(pictures: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """One random view of each picture (n, size, size): pose, crop, exposure, blur, noise, a covered patch.

    `strength` scales all of them; 0 gives the pictures back.
    """
    if strength == 0:
        return pictures
    views = _moved(pictures, generator, strength)
    views = _exposed(views, generator, strength)
    views = _blurred(views, generator, strength)
    views = views + 0.12 * strength * _uniform(len(views), generator, 0, 1).view(-1, 1, 1) * torch.randn(
        views.shape, generator=generator
    )
    return _covered(views, generator, strength)


def hidden_patches(count: int, size: int, generator: torch.Generator, visible: float = 0.1, patch: int = 4) -> Tensor:
    """Masks (count, size, size) of 0 and 1 that show a share of the patches.

    A tenth of the patches is the recipe for thorax films of Xiao et al. (WACV 2023): their anatomy is so regular that
    more would make the task trivial.
    """
    cells = size // patch
    number = max(round(visible * cells * cells), 1)
    order = torch.rand(count, cells * cells, generator=generator).argsort(dim=1)
    shown = torch.zeros(count, cells * cells).scatter_(1, order[:, :number], 1.0).view(count, cells, cells)
    return shown.repeat_interleave(patch, 1).repeat_interleave(patch, 2)


def _uniform(count: int, generator: torch.Generator, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _moved(pictures: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Turned by up to 12 degrees, scaled to .7 to 1.1, shifted by up to a tenth."""
    n = len(pictures)
    angle = _uniform(n, generator, -1, 1) * strength * math.radians(12)
    scale = 1 + strength * _uniform(n, generator, -0.3, 0.1)
    across, down = (strength * _uniform(n, generator, -0.2, 0.2) for _ in range(2))
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    theta = torch.stack([cos, -sin, across, sin, cos, down], dim=1).view(n, 2, 3)
    grid = nn.functional.affine_grid(theta, [n, 1, *pictures.shape[1:]], align_corners=False)
    return nn.functional.grid_sample(pictures[:, None], grid, padding_mode="border", align_corners=False)[:, 0]


def _exposed(pictures: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Another look-up table: a gamma of .5 to 2, and in half of the pictures up to .3 of the range cut off at one end.

    kVp, detectors and windows differ between films that show the same.
    """
    n = len(pictures)
    low, high = (bound(pictures, dim=(1, 2), keepdim=True) for bound in (torch.amin, torch.amax))
    shown = (pictures - low) / (high - low).clamp(min=1e-6)
    cut = (0.3 * strength * _uniform(n, generator, -1, 1)).clamp(min=0).view(-1, 1, 1)
    bottom = (torch.rand(n, generator=generator) < 0.5).view(-1, 1, 1)
    start = torch.where(bottom, cut, torch.zeros_like(cut))
    shown = ((shown - start) / (1 - cut)).clamp(0, 1)
    gamma = torch.exp(math.log(2) * strength * _uniform(n, generator, -1, 1)).view(-1, 1, 1)
    return _standard(shown.clamp(min=1e-6) ** gamma)


def _standard(pictures: Tensor) -> Tensor:
    """Mean 0 and deviation 1 each, as pictures are in use."""
    mean, deviation = pictures.mean((1, 2), keepdim=True), pictures.std((1, 2), keepdim=True)
    return (pictures - mean) / deviation.clamp(min=1e-3)


def _blurred(pictures: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """A 3 x 3 blur mixed in by up to all: films of fewer pixels look like that."""
    share = (strength * _uniform(len(pictures), generator, -0.5, 1)).clamp(0, 1).view(-1, 1, 1)
    padded = nn.functional.pad(pictures[:, None], (1, 1, 1, 1), mode="replicate")
    return (1 - share) * pictures + share * nn.functional.avg_pool2d(padded, 3, stride=1)[:, 0]


def _covered(pictures: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """A square of up to a quarter of the side greyed out in half of the pictures: markers, devices, crops."""
    n, size = len(pictures), pictures.shape[1]
    if strength < 0.5:
        return pictures
    side = (size * _uniform(n, generator, 0.1, 0.25)).view(-1, 1)
    top, left = (_uniform(n, generator, 0, size).view(-1, 1) for _ in range(2))
    at = torch.arange(size, dtype=torch.float32)[None]
    inside = ((at - top).abs() < side / 2)[:, :, None] & ((at - left).abs() < side / 2)[:, None, :]
    chosen = (torch.rand(n, generator=generator) < 0.5).view(-1, 1, 1)
    return torch.where(inside & chosen, torch.zeros_like(pictures), pictures)
