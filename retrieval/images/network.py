"""The small film encoder: a residual network that reads 32 x 32 pictures, and the decoder of its masked pretraining."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (24, 48, 96, 192)
_BLOCKS = (1, 1, 2, 2)


class FilmEncoder(nn.Module):
    """Pictures (n, 32, 32) to features (n, 288).

    The second input channel says which pixels are shown: all of them, except in masked pretraining. The features are
    the mean over the picture of the last stage (192 numbers, what is there) and of the stage before (96, its texture),
    each standardised over the training pictures once training is over: else what all films share would fill every cosine.
    """

    center: Tensor
    spread: Tensor

    dimension = WIDTHS[3] + WIDTHS[2]

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, WIDTHS[0], 3, padding=1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU())
        stages = []
        before = WIDTHS[0]
        for width, blocks in zip(WIDTHS, _BLOCKS, strict=True):
            layers: list[nn.Module] = [ResidualBlock(before, width, stride=1 if before == width else 2)]
            layers += [ResidualBlock(width, width) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(*layers))
            before = width
        self.stages = nn.ModuleList(stages)
        self.register_buffer("center", torch.zeros(self.dimension))
        self.register_buffer("spread", torch.ones(self.dimension))

    def maps(self, pictures: Tensor, shown: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Feature maps of the last two stages: (n, 96, 8, 8) and (n, 192, 4, 4). `shown` is (n, 32, 32) of 0 and 1."""
        shown = torch.ones_like(pictures) if shown is None else shown
        x = self.stem(torch.stack([pictures * shown, shown], dim=1))
        for stage in self.stages[:3]:
            x = stage(x)
        return x, self.stages[3](x)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features of whole pictures."""
        texture, content = self.maps(pictures)
        features = torch.cat([content.mean((2, 3)), texture.mean((2, 3))], dim=1)
        return (features - self.center) / self.spread


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        same = before == width and stride == 1
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(before, width, 1, bias=False))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input, or halved by the stride."""
        return torch.relu(self.body(x) + self.shortcut(x))


class MaskedDecoder(nn.Module):
    """Feature maps (n, 192, 4, 4) back to pictures (n, 32, 32); used in pretraining only."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(WIDTHS[3], 256, 1), nn.PixelShuffle(2), nn.ReLU(),
            nn.Conv2d(64, 128, 3, padding=1), nn.PixelShuffle(2), nn.ReLU(),
            nn.Conv2d(32, 4, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, content: Tensor) -> Tensor:
        """Pictures as painted."""
        painted: Tensor = self.layers(content)
        return painted[:, 0]


class Projection(nn.Module):
    """Features to the space where pictures are compared in training; dropped afterwards (Chen et al., ICML 2020)."""

    def __init__(self, before: int, dimension: int = 96) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(before, 192), nn.BatchNorm1d(192), nn.ReLU(), nn.Linear(192, dimension))

    def forward(self, features: Tensor) -> Tensor:
        """Unit vectors (n, dimension)."""
        return nn.functional.normalize(self.layers(features), dim=1)
