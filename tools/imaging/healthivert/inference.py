"""Painting vertebrae as they were: per sagittal slice the upper neighbour, the lower neighbour, then the target.

Needs torch and safetensors alone; MONAI is for training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from core.errors import FileError
from tools.imaging.healthivert.config import WEIGHTS_NAME, GanConfig
from tools.imaging.healthivert.dataset import as_input, body_column
from tools.imaging.healthivert.health_attention import FractureClassifier
from tools.imaging.healthivert.height import restored_height
from tools.imaging.healthivert.mask_band import Banded, band_rows, extent, hide, painted_rows
from tools.imaging.healthivert.networks import Generator, Painted, bake
from tools.imaging.healthivert.rhlv import Rhlv, central_slices, relative_height_loss
from tools.imaging.healthivert.spine import PreparedSpine

_MOST_AT_ONCE = 16
"""Slices per pass through the network: bounds the memory."""


@dataclass(frozen=True)
class SagittalSlice:
    """One slice while it is repainted: CT -1..1 and bodies (rows, columns); rows grow as vertebrae regain height.

    `painted`: rows that were painted for the last target, or None.
    """

    ct: NDArray[np.float32]
    bodies: NDArray[np.uint8]
    place: float
    painted: tuple[int, int] | None = None


@dataclass(frozen=True)
class Synthesis:
    """A level as it was: its lateral slices as they are and painted, `laterals` their indices, and what it lost."""

    level: str
    laterals: tuple[int, ...]
    original: tuple[SagittalSlice, ...]
    painted: tuple[SagittalSlice, ...]
    rhlv: Rhlv | None


@dataclass(frozen=True)
class PaintedOver:
    """One hidden vertebra as painted, in the layout with the full band: CT -1..1, probability of the body, height in rows.

    `span` are the rows it had in the slice, `left` the column of the slice where the crop begins.
    """

    ct: NDArray[np.float32]
    probability: NDArray[np.float32]
    height: float
    span: tuple[int, int]
    left: int


class HealthyPainter:
    """Generator and classifier with their weights."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """Load weights as written by `consilium fracture train`.

        Raises:
            FileError: the file is not there or holds something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                self.about: dict[str, str] = file.metadata() or {}
                tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 - not a dict
            self.config = GanConfig.model_validate(json.loads(self.about["config"]))
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise FileError(f"{path.name!r} holds no weights of the synthesis: {error}.") from error
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.device = device
        self._generator = Generator(self.config.ngf, self.config.band)
        bake(self._generator)
        self._classifier = FractureClassifier(self.config.ngf)
        for name, network in (("generator", self._generator), ("classifier", self._classifier)):
            prefix = f"{name}/"
            network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
            network.to(device).eval().requires_grad_(False)

    @torch.no_grad()
    def repaint(
        self,
        slices: Sequence[SagittalSlice],
        value: int,
        rng: np.random.Generator | None = None,
        *,
        span: tuple[int, int] | None = None,
        height: int | None = None,
        keep_rows: bool = False,
    ) -> list[SagittalSlice]:
        """Repaint one body in every slice; where it is absent or higher than the band, the slice stays as it is.

        Args:
            slices: of one spine.
            value: of the body.
            rng: with it, band, column and brightness are moved a little (for repeated sampling).
            span: rows to hide in every slice instead of each slice's own.
            height: rows to paint instead of those that the network asks for.
            keep_rows: paint each slice's own number of rows, so that nothing moves.
        """
        done = list(slices)
        rows = [(span if extent(item.bodies, value) else None) if span else extent(item.bodies, value) for item in slices]
        todo = [i for i, span in enumerate(rows) if span and 3 <= span[1] - span[0] <= self.config.band]
        for first in range(0, len(todo), _MOST_AT_ONCE):
            chosen = todo[first : first + _MOST_AT_ONCE]
            part = [(slices[i], rows[i] or (0, 0)) for i in chosen]
            heights = [stop - start if keep_rows else height for _, (start, stop) in part]
            for i, item in zip(chosen, self._paint(part, value, rng, heights), strict=True):
                done[i] = item
        return done

    def _paint(
        self,
        todo: Sequence[tuple[SagittalSlice, tuple[int, int]]],
        value: int,
        rng: np.random.Generator | None,
        heights: Sequence[int | None],
    ) -> list[SagittalSlice]:
        size, band = (self.config.rows, self.config.columns), self.config.band
        banded, spans = [], []
        for item, (start, stop) in todo:
            shift, gain = (0, 1.0)
            if rng is not None:
                start, stop = start - int(rng.integers(0, 2)), stop + int(rng.integers(0, 2))
                shift, gain = int(rng.integers(-2, 3)), float(rng.uniform(0.95, 1.05))
                stop = min(stop, start + band)
            spans.append((start, stop))
            column = body_column(item.bodies, value) + shift
            banded.append(hide(((item.ct + 1) * gain - 1).clip(-1, 1), item.bodies, (start, stop), column, size, band))
        out = self._forward(banded, [item.place for item, _ in todo])
        images, masks = out.ct[:, 0].cpu().numpy(), out.target[:, 0].cpu().numpy() > 0.5
        results = []
        for i, ((item, _), entry, span) in enumerate(zip(todo, banded, spans, strict=True)):
            height = heights[i] or restored_height(float(out.height[i]), span[1] - span[0], band)
            inner = painted_rows(size[0], band, height)
            results.append(_insert(item, span, entry.column, images[i][inner], masks[i][inner], value))
        return results

    def _forward(self, banded: Sequence[Banded], places: Sequence[float]) -> Painted:
        ct = torch.from_numpy(np.stack([entry.ct for entry in banded]))[:, None].to(self.device)
        hole = torch.zeros_like(ct)
        hole[:, :, band_rows(self.config.rows, self.config.band)] = 1
        place = torch.tensor(places, device=self.device)[:, None, None, None].expand_as(ct).contiguous()
        painted: Painted = self._generator(ct, hole, place, self._classifier.healthy_attention(ct, hole))
        return painted

    @torch.no_grad()
    def paint_over(self, spine: PreparedSpine, level: str, lateral: int) -> PaintedOver | None:
        """Paint a vertebra in one slice from its neighbours as they are; None where it is higher than the band."""
        value = spine.levels.index(level) + 1
        item = slices_at(spine, [lateral], value)[0]
        span = extent(item.bodies, value)
        if span is None or span[1] - span[0] > self.config.band:
            return None
        size = (self.config.rows, self.config.columns)
        banded = hide(item.ct, item.bodies, span, body_column(item.bodies, value), size, self.config.band)
        out = self._forward([banded], [item.place])
        image, mask = out.ct[0, 0].cpu().numpy(), out.target[0, 0].cpu().numpy()
        return PaintedOver(image, mask, float(out.height[0]), span, banded.column - size[1] // 2)

    def synthesize(
        self, spine: PreparedSpine, level: str, step: int = 2, rng: np.random.Generator | None = None
    ) -> Synthesis:
        """Paint one level as it was, from repainted neighbours, and measure what it lost.

        Args:
            spine: straightened.
            level: one of its levels.
            step: every so many lateral slices of the central two fifths; 1 as published.
            rng: see `repaint`.
        """
        number = spine.levels.index(level)
        laterals = tuple(central_slices(spine.body(level))[::step])
        original = slices_at(spine, laterals, number + 1)
        work = list(original)
        for neighbour in (number - 1, number + 1):
            if 0 <= neighbour < len(spine.levels):
                work = self.repaint(work, neighbour + 1, rng)
        work = self.repaint(work, number + 1, rng)
        before, after = _volume(work, number + 1), _volume(original, number + 1)
        loss = relative_height_loss(after, before, slices=list(range(len(laterals)))) if laterals else None
        return Synthesis(level, laterals, tuple(original), tuple(work), loss)

    def sampled_loss(self, spine: PreparedSpine, level: str, times: int, seed: int) -> NDArray[np.float64]:
        """RHLV of the thirds, repeated with moved bands, columns and brightness; shape (at most `times`, 3)."""
        rng = np.random.default_rng([seed, 31])
        drawn = [self.synthesize(spine, level, step=4, rng=rng).rhlv for _ in range(times)]
        return np.array([item.thirds for item in drawn if item is not None]).reshape(-1, 3)


def slices_at(spine: PreparedSpine, laterals: Sequence[int], value: int) -> list[SagittalSlice]:
    """Slices of a spine; their place is that within the body of `value`, -1 at its right and 1 at its left side."""
    wide = np.flatnonzero((spine.bodies == value).any(axis=(0, 1)))
    span = max(int(wide[-1] - wide[0]), 1) if len(wide) else 1
    first = int(wide[0]) if len(wide) else 0
    return [
        SagittalSlice(
            as_input(spine.ct[:, :, at]), spine.bodies[:, :, at], float(np.clip(2 * (at - first) / span - 1, -1, 1))
        )
        for at in laterals
    ]


def _insert(
    item: SagittalSlice, span: tuple[int, int], column: int, image: NDArray[np.float32], mask: NDArray[np.bool_], value: int
) -> SagittalSlice:
    """Put the painted rows in the place of the old ones; beside the crop the old rows are stretched."""
    start, stop = span
    width = item.ct.shape[1]
    nearest = start + np.minimum(((np.arange(len(image)) + 0.5) / len(image) * (stop - start)).astype(int), stop - start - 1)
    nearest = np.clip(nearest, 0, len(item.ct) - 1)
    ct, bodies = item.ct[nearest].copy(), item.bodies[nearest].copy()
    left = column - image.shape[1] // 2
    inside = slice(max(left, 0), min(left + image.shape[1], width))
    within = slice(inside.start - left, inside.stop - left)
    ct[:, inside] = image[:, within]
    bodies[bodies == value] = 0
    bodies[:, inside][mask[:, within] & (bodies[:, inside] == 0)] = value
    first, last = max(start, 0), min(stop, len(item.ct))
    return replace(
        item,
        ct=np.vstack([item.ct[:first], ct, item.ct[last:]]),
        bodies=np.vstack([item.bodies[:first], bodies, item.bodies[last:]]),
        painted=(first, first + len(image)),
    )


def _volume(slices: Sequence[SagittalSlice], value: int) -> NDArray[np.bool_]:
    """The body in all slices as (I, P, L), padded to the same number of rows."""
    rows = max((len(item.bodies) for item in slices), default=0)
    pieces = [np.pad(item.bodies == value, ((0, rows - len(item.bodies)), (0, 0))) for item in slices]
    return np.stack(pieces, axis=2) if pieces else np.zeros((0, 0, 0), dtype=bool)


@lru_cache(maxsize=1)
def shipped_painter() -> HealthyPainter:
    """The weights that ship, loaded once; on the graphics card when there is one."""
    with as_file(files("tools.imaging.healthivert") / "weights" / WEIGHTS_NAME) as path:
        return HealthyPainter(path, "cuda" if torch.cuda.is_available() else "cpu")
