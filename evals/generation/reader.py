"""Reads a film without knowing how it was made: its view, where the vertebral bodies are, which levels, how high.

A small U-Net trained on projections of drawn patients (`reader_train`), never on what the generator paints. It is a
judge of synthetic films and nothing else: it has seen no real radiograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from tools.imaging.fractures.expected import predict, sound_neighbours
from tools.imaging.fractures.genant import rim_losses
from tools.imaging.generation.attributes import WHOLE
from tools.imaging.generation.film_model import PIXEL_MM

Array = NDArray[np.float32]
VIEW_CLASSES = ("frontal", "lateral", "left_oblique", "right_oblique")
"""AP and PA are one class: with a parallel beam they are the same picture."""
WEIGHTS = Path(__file__).parent / "weights" / "reader.safetensors"
_WIDTHS = (16, 32, 64, 96, 128)
MULTIPLE = 2 ** (len(_WIDTHS) - 1)
"""Rows and columns of what the network is given."""
_REACH_PIXELS = 2
_LEAST_PIXELS = 60
_THIRDS = ((2 / 3, 0.92), (1 / 3, 2 / 3), (0.08, 1 / 3))


class ReaderNet(nn.Module):
    """U-Net: (n, 1, rows, columns) to body logit and level (place from T1, over 16), and four view logits."""

    def __init__(self) -> None:
        super().__init__()
        ins = (1, *_WIDTHS[:-1])
        self.down = nn.ModuleList(_block(i, o) for i, o in zip(ins, _WIDTHS, strict=True))
        self.up = nn.ModuleList(_block(low + high, high) for low, high in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True))
        self.last = nn.Conv2d(_WIDTHS[0], 2, 1)
        self.views = nn.Linear(_WIDTHS[-1], len(VIEW_CLASSES))

    def forward(self, film: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns must be multiples of `MULTIPLE`."""
        kept = []
        x = film
        for number, block in enumerate(self.down):
            x = block(nn.functional.avg_pool2d(x, 2) if number else x)
            kept.append(x)
        views = self.views(x.mean(dim=(2, 3)))
        for block, skip in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([nn.functional.interpolate(x, scale_factor=2), skip], dim=1))
        return self.last(x), views


def _block(ins: int, outs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(ins, outs, 3, padding=1), nn.GroupNorm(8, outs), nn.SiLU(),
        nn.Conv2d(outs, outs, 3, padding=1), nn.GroupNorm(8, outs), nn.SiLU(),
    )  # fmt: skip


@dataclass(frozen=True)
class ReadBody:
    """One body: its level, and anterior, middle and posterior height in pixels."""

    level: str
    heights: tuple[float, float, float]


@dataclass(frozen=True)
class FilmReading:
    """View, bodies from head to foot, and the greatest loss at the six points of each level that has neighbours."""

    view: str
    bodies: tuple[ReadBody, ...]
    loss: dict[str, float]


@lru_cache(maxsize=1)
def shipped_reader() -> ReaderNet:
    """The reader with the weights in this package."""
    from safetensors.torch import load_file

    net = ReaderNet()
    net.load_state_dict({key: value.float() for key, value in load_file(WEIGHTS).items()})
    return net.eval()


@torch.no_grad()
def read_film(film: Array, net: ReaderNet | None = None) -> FilmReading:
    """Read a film of 1.5 mm pixels, grey values -1 to 1, head up, the patient's front at the viewer's left."""
    net = net or shipped_reader()
    rows, columns = (n // MULTIPLE * MULTIPLE for n in film.shape)
    maps, views = net(torch.from_numpy(np.ascontiguousarray(film[:rows, :columns]))[None, None])
    view = VIEW_CLASSES[int(views[0].argmax())]
    body, place = torch.sigmoid(maps[0, 0]).numpy(), maps[0, 1].numpy() * 16
    bodies = _bodies(body, place) if view == "lateral" else ()
    return FilmReading(view, bodies, losses(bodies))


def _bodies(body: Array, place: Array) -> tuple[ReadBody, ...]:
    """Islands of the map in order; their levels follow each other, and the median of what each says sets the first."""
    islands, count = ndimage.label(ndimage.binary_opening(body > 0.5))
    # A body's own share of the map goes a little beyond its island, where the map is between yes and no.
    away, nearest = ndimage.distance_transform_edt(islands == 0, return_indices=True)
    owner = np.where(away <= _REACH_PIXELS, islands[tuple(nearest)], 0)
    found = []
    for number in range(1, count + 1):
        inside = np.argwhere(islands == number)
        if len(inside) >= _LEAST_PIXELS and inside[:, 0].min() > 0 and inside[:, 0].max() < body.shape[0] - 1:
            points: NDArray[np.intp] = np.argwhere(owner == number)
            found.append((points.astype(np.float64), body[tuple(points.T)], float(np.median(place[islands == number]))))
    if len(found) < 3:
        return ()
    centres = [np.average(points, axis=0, weights=shares) for points, shares, _ in found]
    order = sorted(range(len(found)), key=lambda number: float(centres[number][0]))
    first = round(float(np.median([found[at][2] - number for number, at in enumerate(order)])))
    line = np.array([centres[at] for at in order])
    bodies = []
    for number, at in enumerate(order):
        places, shares, _ = found[at]
        if 0 <= first + number < len(WHOLE) and (heights := _heights(places, shares, _down(line, number))):
            bodies.append(ReadBody(WHOLE[first + number], heights))
    return tuple(bodies)


def _down(centres: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Direction along the spine at a body, from the centres of its neighbours."""
    one, two = max(number - 1, 0), min(number + 1, len(centres) - 1)
    direction: NDArray[np.float64] = (centres[two] - centres[one]) / np.linalg.norm(centres[two] - centres[one])
    return direction


def _heights(points: NDArray[np.float64], shares: Array, down: NDArray[np.float64]) -> tuple[float, float, float] | None:
    """Area of a strip over its width, for each third of the depth; the front is at the left."""
    back = np.array([-down[1], down[0]])
    along = (points - points.mean(axis=0)) @ back
    low, high = np.percentile(along[shares > 0.5], (1.0, 99.0))
    depth = high - low
    if depth < 6:
        return None
    # From the front: `along` grows towards the back, the thirds are counted from the back.
    share = (high - along) / depth
    values = [float(shares[(share >= a) & (share < b)].sum() / ((b - a) * depth)) for a, b in _THIRDS]
    return values[0], values[1], values[2]


def losses(bodies: tuple[ReadBody, ...]) -> dict[str, float]:
    """Greatest loss at the six points of every level, against what the sound ones among the others predict."""
    if len(bodies) < 3:
        return {}
    found = {}
    for item in bodies:
        others = [body for body in bodies if body is not item]
        levels = [body.level for body in others]
        heights = np.array([body.heights for body in others]) * PIXEL_MM
        sound = sound_neighbours(levels, heights)
        used = [level for level, keep in zip(levels, sound, strict=True) if keep]
        own = np.array(item.heights) * PIXEL_MM
        wanted, _ = predict(used, heights[sound], item.level, own)
        a, m, p = (float(1 - have / want) for have, want in zip(own, wanted, strict=True))
        found[item.level] = max(rim_losses((a, m, p)))
    return found
