"""Rectified flow: the training target and a few-step sampler (arXiv 2209.03003; times as in arXiv 2403.03206)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tools.imaging.generation.networks import Flow

MOST_STEPS = 50


def flow_loss(flow: Flow, image: Tensor, plain: Tensor, facts: Tensor, generator: torch.Generator) -> Tensor:
    """Mean squared error of the velocity on the straight line from noise to image, at logit-normal times."""
    noise = torch.randn(image.shape, generator=generator)
    time = torch.sigmoid(torch.randn(len(image), generator=generator))
    t = time.reshape(-1, *(1 for _ in image.shape[1:]))
    at = (1 - t) * noise + t * image
    predicted = flow(at, plain, time, facts)
    return nn.functional.mse_loss(predicted.float(), image - noise)


@torch.no_grad()
def sample(
    flow: Flow, plain: Tensor, facts: Tensor, steps: int, generator: torch.Generator, check: Callable[[float], None]
) -> Tensor:
    """Follow the flow from noise to an image in `steps` equal Euler steps; `check` is told the share done before each."""
    at = torch.randn(plain.shape, generator=generator)
    for step in range(steps):
        check(step / steps)
        time = torch.full((len(at),), step / steps)
        at = at + flow(at, plain, time, facts).float() / steps
    return at
