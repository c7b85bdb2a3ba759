"""EEM: edges of the predicted mask against those of the true one.

The published code binarises the prediction (`where(sigmoid > .5, 1, 0)`) before the Sobel filter and before the mask's
discriminator; a step has no slope, so neither term ever reached the generator. Here both get the soft mask.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sobel(mask: Tensor) -> Tensor:
    """Gradient of (batch, 1, rows, columns) along rows and columns, (batch, 2, rows, columns)."""
    kernel = torch.tensor([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]], device=mask.device) / 8
    kernels = torch.stack([kernel, kernel.T])[:, None]
    return functional.conv2d(functional.pad(mask, (1, 1, 1, 1), mode="replicate"), kernels)


def edge_loss(soft_mask: Tensor, true_mask: Tensor) -> Tensor:
    """Mean squared difference of the Sobel gradients; `soft_mask` must be probabilities, never a thresholded mask."""
    return functional.mse_loss(sobel(soft_mask), sobel(true_mask))
