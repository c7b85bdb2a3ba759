"""Training slices: a random sagittal slice of a random vertebra that is not fractured, with the band over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import FileError
from tools.imaging.healthivert.config import GanConfig
from tools.imaging.healthivert.mask_band import Banded, band_rows, crop_columns, extent, hide, painted_rows
from tools.imaging.healthivert.spine import UNKNOWN, PreparedSpine

_MOST_SHIFT = 4
_HEALTHY = 1
"""Highest Genant grade that is painted, as published."""
_FRACTURED = 2
"""Lowest grade that the classifier of the attention calls fractured."""


@dataclass(frozen=True)
class Batch:
    """Tensors (batch, 1, rows, columns) in the layout with the full band; heights in rows.

    `healthy`: bodies of neighbours that are not fractured. `true_ct` and `true_target` hold the vertebra in the central rows
    of the band. `fractured`: whether a visible vertebra is, (batch,).
    """

    ct: Tensor
    band: Tensor
    place: Tensor
    healthy: Tensor
    true_ct: Tensor
    true_target: Tensor
    heights: list[int]
    fractured: Tensor


@dataclass(frozen=True)
class _Sample:
    banded: Banded
    healthy: NDArray[np.bool_]
    true_ct: NDArray[np.float32]
    true_target: NDArray[np.bool_]
    place: float
    fractured: bool


def draw_batch(spines: Sequence[PreparedSpine], config: GanConfig, key: tuple[int, ...]) -> Batch:
    """The batch of one step; the same key gives the same batch, whatever came before: this is what makes runs resumable.

    Raises:
        FileError: no spine has a vertebra that can be painted.
    """
    rng = np.random.default_rng(key)
    samples: list[_Sample] = []
    for _ in range(200 * config.batch):
        sample = _draw(spines, config, rng)
        if sample is not None:
            samples.append(sample)
        if len(samples) == config.batch:
            return _stack(samples, config)
    raise FileError(
        f"No vertebra of grade 0 or 1 with a neighbour and at most {config.band} mm high was found in the training data."
    )


def slice_of(spine: PreparedSpine, lateral: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """One sagittal slice: CT in -1..1, and bodies."""
    return as_input(spine.ct[:, :, lateral]), spine.bodies[:, :, lateral]


def as_input(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """0..255 to -1..1."""
    scaled: NDArray[np.float32] = (values.astype(np.float32) / 127.5 - 1).astype(np.float32)
    return scaled


def _draw(spines: Sequence[PreparedSpine], config: GanConfig, rng: np.random.Generator) -> _Sample | None:
    spine = spines[int(rng.integers(len(spines)))]
    number = int(rng.integers(len(spine.levels)))
    if len(spine.levels) < 2 or spine.grades.get(spine.levels[number], 0) > _HEALTHY:
        return None
    lateral = np.flatnonzero((spine.bodies == number + 1).any(axis=(0, 1)))
    if len(lateral) < 5:
        return None
    # The central four fifths: at the sides a body is a rounded rim.
    low, high = lateral[0] + len(lateral) // 10, lateral[-1] - len(lateral) // 10
    at = int(rng.integers(low, high + 1))
    ct, bodies = slice_of(spine, at)
    rows = extent(bodies, number + 1)
    if rows is None or rows[1] - rows[0] > config.band or rows[1] - rows[0] < 6:
        return None
    gain, offset = rng.uniform(0.85, 1.15), rng.uniform(-0.08, 0.08)
    ct = np.clip((ct + 1) * gain - 1 + offset, -1, 1).astype(np.float32)
    column = body_column(bodies, number + 1) + int(rng.integers(-_MOST_SHIFT, _MOST_SHIFT + 1))
    banded = hide(ct, bodies, rows, column, (config.rows, config.columns), config.band)
    place = 2 * (at - lateral[0]) / max(len(lateral) - 1, 1) - 1
    return _with_truth(spine, number, ct, bodies, rows, banded, float(place), config)


def _with_truth(
    spine: PreparedSpine, number: int, ct: NDArray[np.float32], bodies: NDArray[np.uint8], rows: tuple[int, int],
    banded: Banded, place: float, config: GanConfig,
) -> _Sample:  # fmt: skip
    inner = painted_rows(config.rows, config.band, banded.height)
    true_ct, true_target = banded.ct.copy(), np.zeros(banded.ct.shape, dtype=bool)
    true_ct[inner] = crop_columns(ct[slice(*rows)], banded.column, config.columns, -1)
    true_target[inner] = crop_columns(bodies[slice(*rows)], banded.column, config.columns, 0) == number + 1
    grades = np.array([0, *(spine.grades.get(level, 0) for level in spine.levels)])
    seen = np.unique(banded.labels[banded.labels > 0])
    healthy = (banded.labels > 0) & (grades[banded.labels] <= _HEALTHY)
    fractured = bool(((grades[seen] >= _FRACTURED) & (grades[seen] != UNKNOWN)).any())
    return _Sample(banded, healthy, true_ct, true_target, place, fractured)


def body_column(bodies: NDArray[np.uint8], value: int) -> int:
    """Where a body lies front to back in a slice: the middle between its first and last column."""
    columns = np.flatnonzero((bodies == value).any(axis=0))
    return int(columns[0] + columns[-1] + 1) // 2


def _stack(samples: Sequence[_Sample], config: GanConfig) -> Batch:
    def images(arrays: list[NDArray[np.generic]]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32))

    shape = (len(samples), 1, config.rows, config.columns)
    band = torch.zeros(shape)
    band[:, :, band_rows(config.rows, config.band)] = 1
    place = torch.tensor([sample.place for sample in samples])[:, None, None, None].expand(shape).contiguous()
    return Batch(
        ct=images([sample.banded.ct for sample in samples]),
        band=band,
        place=place.float(),
        healthy=images([sample.healthy for sample in samples]),
        true_ct=images([sample.true_ct for sample in samples]),
        true_target=images([sample.true_target for sample in samples]),
        heights=[sample.banded.height for sample in samples],
        fractured=torch.tensor([float(sample.fractured) for sample in samples]),
    )
