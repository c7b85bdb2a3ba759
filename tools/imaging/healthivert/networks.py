"""The generator: coarse stage, then a fine stage with a dilated and a contextual-attention branch.

After HealthiVert-GAN (arXiv 2503.05990) and the inpainting network it stands on (Yu et al., CVPR 2018): spectral norm,
ELU, two downsamplings, dilations 2, 4, 8, 16.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from tools.imaging.healthivert.attention import ContextualAttention
from tools.imaging.healthivert.height import HeightHead

_DILATIONS = (2, 4, 8, 16)


@dataclass(frozen=True)
class Painted:
    """What one pass gives. Images are (batch, 1, rows, columns) with the full band; heights (batch,) in rows.

    `neighbours` and `target` are probabilities.
    """

    coarse_ct: Tensor
    neighbours: Tensor
    coarse_height: Tensor
    ct: Tensor
    target: Tensor
    height: Tensor


class _Conv(nn.Module):
    def __init__(self, before: int, after: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel - 1) // 2
        self.conv = spectral_norm(nn.Conv2d(before, after, kernel, stride, padding, dilation))

    def forward(self, x: Tensor) -> Tensor:
        return functional.elu(self.conv(x))


class _Encoder(nn.Sequential):
    """To a quarter of the size and four times the channels."""

    def __init__(self, before: int, ngf: int) -> None:
        super().__init__(
            _Conv(before, ngf, 5), _Conv(ngf, 2 * ngf, stride=2), _Conv(2 * ngf, 2 * ngf),
            _Conv(2 * ngf, 4 * ngf, stride=2), _Conv(4 * ngf, 4 * ngf),
        )  # fmt: skip


class _Dilated(nn.Sequential):
    def __init__(self, channels: int) -> None:
        super().__init__(*(_Conv(channels, channels, dilation=d) for d in _DILATIONS), _Conv(channels, channels))


class _Decoder(nn.Module):
    """Back to full size: an image in -1..1 and a mask as logits. `extra` channels of attention join at every size."""

    def __init__(self, before: int, ngf: int, extra: int = 0) -> None:
        super().__init__()
        self.low = _Conv(before + extra, 4 * ngf)
        self.middle = _Conv(4 * ngf + extra, 2 * ngf)
        self.high = _Conv(2 * ngf + extra, ngf)
        self.last = _Conv(ngf, max(ngf // 2, 4))
        self.out = nn.Conv2d(max(ngf // 2, 4), 2, 3, padding=1)

    def forward(self, x: Tensor, attention: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = self.low(_joined(x, attention))
        x = self.middle(_joined(functional.interpolate(x, scale_factor=2.0), attention))
        x = self.high(_joined(functional.interpolate(x, scale_factor=2.0), attention))
        image, mask = self.out(self.last(x)).chunk(2, dim=1)
        return torch.tanh(image), torch.sigmoid(mask)


class Generator(nn.Module):
    """Both stages. Input sizes are multiples of 16."""

    def __init__(self, ngf: int, band: int) -> None:
        super().__init__()
        self.coarse_encoder = _Encoder(3, ngf)
        self.coarse_body = _Dilated(4 * ngf)
        self.coarse_height = HeightHead(4 * ngf, band)
        self.coarse_decoder = _Decoder(4 * ngf, ngf, extra=1)
        self.fine_encoder = _Encoder(4, ngf)
        self.fine_body = _Dilated(4 * ngf)
        self.attention_encoder = _Encoder(4, ngf)
        self.attention = ContextualAttention()
        self.attention_body = _Conv(4 * ngf, 4 * ngf)
        self.fine_height = HeightHead(8 * ngf, band)
        self.fine_decoder = _Decoder(8 * ngf, ngf)

    def forward(self, ct: Tensor, band: Tensor, place: Tensor, attention: Tensor) -> Painted:
        """Paint.

        Args:
            ct: -1..1, 0 in the band; (batch, 1, rows, columns).
            band: 1 in the band.
            place: lateral position of the slice in the vertebra, -1..1, constant over each image.
            attention: 1 where the spine is healthy, (batch, 1, rows / 4, columns / 4).
        """
        coarse = self.coarse_body(self.coarse_encoder(torch.cat([ct, band, place], dim=1)))
        coarse_ct, neighbours = self.coarse_decoder(coarse, attention)
        filled = torch.cat([torch.where(band > 0, coarse_ct, ct), band, neighbours, place], dim=1)
        plain = self.fine_body(self.fine_encoder(filled))
        seen = self.attention_encoder(filled)
        hidden = functional.interpolate(band, size=seen.shape[2:])
        matched = self.attention_body(self.attention(seen, hidden))
        both = torch.cat([plain, matched], dim=1)
        fine_ct, target = self.fine_decoder(both)
        return Painted(
            coarse_ct,
            neighbours,
            self.coarse_height(coarse),
            torch.where(band > 0, fine_ct, ct),
            target,
            self.fine_height(both),
        )


def bake(network: nn.Module) -> None:
    """Write the spectral norms into the weights: what is saved for inference are plain convolutions."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def _joined(x: Tensor, attention: Tensor | None) -> Tensor:
    if attention is None:
        return x
    return torch.cat([x, functional.interpolate(attention, size=x.shape[2:], mode="bilinear", align_corners=False)], dim=1)
