"""A network that gives computed films the look of radiographs and cannot move what is on them.

After CT2X-GAN: content from the film computed from CT, a style code from a reference film, attention that knows the pose,
and a term that keeps the result like the computed film. What differs: nothing is painted. For a coarse grid of places the
network gives a monotone tone curve, interpolated between them (as in deep bilateral learning, Gharbi et al., ACM Trans
Graph 2017;36:118); then sharpness and grain. The curve is applied to the surroundings of a pixel, and what stands out from
them is only stretched by the curve's slope there (base and detail, as in Durand and Dorsey, ACM Trans Graph 2002;21:257):
within an edge nothing is bent, so its steepest place stays where it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CODE = 8
"""Length of a style code."""
KNOTS = 8
"""Points of a tone curve."""
GRID = 12
"""Places of tone curves along a side."""
_EVEN = 0.4
"""Share of the grey scale that is dealt out evenly: what keeps the slope of a tone curve from going to zero."""
_COARSE = 48
_SURROUNDINGS = 24
"""The surroundings of a pixel reach about this part of the film's side (one standard deviation)."""
_SECANT = 0.2
"""Half the span of grey values over which a curve's slope is taken: knots make no steps."""
_WIDTH = 24


def pose_of(azimuth: float, elevation: float) -> Tensor:
    """(4,): sine and cosine of azimuth and elevation in degrees."""
    angles = torch.deg2rad(torch.tensor([azimuth, elevation], dtype=torch.float32))
    return torch.cat([angles.sin(), angles.cos()])


class StyleEncoder(nn.Module):
    """A film (n, 1, h, w) of any size, 0 to 1, to its style code (n, CODE): statistics of features, without their places."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.ELU(), nn.Conv2d(12, 16, 3, stride=2, padding=1), nn.ELU(),
            nn.Conv2d(16, 24, 3, stride=2, padding=1), nn.ELU(),
        )  # fmt: skip
        self.bins = nn.Parameter(torch.linspace(0.02, 0.98, 12), requires_grad=False)
        self.code = nn.Sequential(nn.Linear(24 * 2 + 12 + 3, 32), nn.ELU(), nn.Linear(32, CODE))

    def forward(self, film: Tensor) -> Tensor:
        """Encode."""
        seen = self.features(film)
        flat = film.flatten(1)
        # A soft histogram and the strength of the finest details: tone, sharpness and grain, whatever is pictured.
        histogram = torch.sigmoid((self.bins[None, :, None] - flat[:, None, :]) * 25).mean(dim=2)
        fine = torch.stack(
            [(film - functional.avg_pool2d(film, k, 1, k // 2)).abs().mean(dim=(1, 2, 3)) for k in (3, 5, 9)], 1
        )
        pooled = [seen.mean(dim=(2, 3)), seen.std(dim=(2, 3)), histogram, fine * 20]
        code: Tensor = self.code(torch.cat(pooled, dim=1))
        return code


def _fine(film: Tensor, size: int) -> Tensor:
    """Mean strength (n,) of what is finer than `size` pixels."""
    return (film - functional.avg_pool2d(film, size, 1, size // 2)).abs().mean(dim=(1, 2, 3))


class PoseAttention(nn.Module):
    """Where to look, given the pose: softmax over places of a query made from pose and style, summed into one vector."""

    def __init__(self, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(4 + CODE, _WIDTH)
        self.key = nn.Conv2d(_WIDTH, _WIDTH, 1)
        self.value = nn.Conv2d(_WIDTH, _WIDTH, 1)
        self.out = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, seen: Tensor, condition: Tensor) -> Tensor:
        """Features (n, width, h, w) with what was attended to added everywhere."""
        n = len(seen)
        split = (n, self.heads, _WIDTH // self.heads, -1)
        query = self.query(condition).reshape(n, self.heads, 1, -1)
        weight = (query @ self.key(seen).reshape(split) / (_WIDTH // self.heads) ** 0.5).softmax(dim=-1)
        found = (weight @ self.value(seen).reshape(split).transpose(2, 3)).reshape(n, _WIDTH)
        attended: Tensor = seen + self.out(found)[:, :, None, None]
        return attended


class StyleNet(nn.Module):
    """Computed film (n, 1, h, w), 0 to 1, pose (n, 4) and style code (n, CODE) to a film of the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = StyleEncoder()
        self.first = nn.Conv2d(1, _WIDTH, 3, padding=1)
        self.modulate = nn.Linear(4 + CODE, 4 * _WIDTH)
        self.second = nn.Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1)
        self.attention = PoseAttention()
        self.third = nn.Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1)
        self.curves = nn.Conv2d(_WIDTH, KNOTS + 1, 1)
        self.texture = nn.Sequential(nn.Linear(4 + CODE, 24), nn.ELU(), nn.Linear(24, 4))

    def forward(self, content: Tensor, pose: Tensor, code: Tensor, grain: Tensor | None = None) -> Tensor:
        """Restyle; `grain` (n, 1, h, w) is white noise of variance 1, none leaves the film without grain."""
        condition = torch.cat([pose, code], dim=1)
        toned = toned_by(content, self._curves(content, condition))
        sharp, grain_size, grain_slope, softness = self.texture(condition).unbind(1)
        place = (-1, 1, 1, 1)
        soft = functional.avg_pool2d(toned, 3, 1, 1, count_include_pad=False)
        blurred = functional.avg_pool2d(toned, 9, 1, 4, count_include_pad=False)
        film = torch.lerp(toned, soft, torch.sigmoid(softness - 2).reshape(place))
        film = film + torch.tanh(sharp).reshape(place) * (toned - blurred)
        if grain is not None:
            size = functional.softplus(grain_size - 4).reshape(place)
            film = film + size * torch.exp(-grain_slope.clamp(-2, 2).reshape(place) * toned) * grain
        # Where the film computed nothing (open field, collimator) there is nothing to show either.
        return film.clamp(0, 1) * (content > 0)

    def _curves(self, content: Tensor, condition: Tensor) -> Tensor:
        """Increments of the tone curves (n, KNOTS, GRID, GRID), positive."""
        small = functional.adaptive_avg_pool2d(content, (_COARSE, _COARSE))
        scale1, shift1, scale2, shift2 = self.modulate(condition).chunk(4, dim=1)
        seen = functional.elu(self.first(small) * (1 + scale1[:, :, None, None]) + shift1[:, :, None, None])
        seen = self.attention(functional.elu(self.second(seen)), condition)
        seen = functional.elu(self.third(seen) * (1 + scale2[:, :, None, None]) + shift2[:, :, None, None])
        # Shares of the grey scale, the last one unused: no curve leaves the scale, and none is flat, so no edge is lost.
        shares = self.curves(seen).softmax(dim=1)
        increments: Tensor = (_EVEN / (KNOTS + 1) + (1 - _EVEN) * shares)[:, :KNOTS]
        return increments


def apply_curves(content: Tensor, increments: Tensor) -> Tensor:
    """Piecewise linear, increasing curves of coarse places (n, KNOTS, g, g), interpolated to every pixel (n, 1, h, w).

    The first increment is the value at 0; the others lead to the values at 1 / (KNOTS - 1), ... 1.
    """
    fine = functional.interpolate(increments, content.shape[2:], mode="bilinear", align_corners=False)
    value = fine[:, :1]
    for knot in range(1, fine.shape[1]):
        share = (content * (fine.shape[1] - 1) - (knot - 1)).clamp(0, 1)
        value = value + share * fine[:, knot : knot + 1]
    return value


def toned_by(content: Tensor, increments: Tensor) -> Tensor:
    """The curves of `apply_curves` on the surroundings of each pixel, and their slope on what stands out from them."""
    base = surroundings(content)
    low, high = (base - _SECANT).clamp(0, 1), (base + _SECANT).clamp(0, 1)
    slope = (apply_curves(high, increments) - apply_curves(low, increments)) / (high - low)
    return (apply_curves(base, increments) + slope * (content - base)).clamp(0, 1)


def surroundings(content: Tensor) -> Tensor:
    """A Gaussian mean (n, 1, h, w) around each pixel, of pixels where there is anything."""
    sigma = max(content.shape[2:]) / _SURROUNDINGS
    reach = min(int(2.5 * sigma), min(content.shape[2:]) - 1)
    weights = torch.exp(-torch.arange(-reach, reach + 1, dtype=torch.float32).square() / (2 * sigma * sigma))
    weights = weights / weights.sum()

    def smooth(image: Tensor) -> Tensor:
        wide = functional.conv2d(functional.pad(image, (reach, reach, 0, 0), "replicate"), weights.view(1, 1, 1, -1))
        return functional.conv2d(functional.pad(wide, (0, 0, reach, reach), "replicate"), weights.view(1, 1, -1, 1))

    there = (content > 0).to(content.dtype)
    return (smooth(content) / smooth(there).clamp(min=1e-3)).clamp(0, 1)
