"""Where the spinal canal runs in a CT: a ring of bone around soft tissue, a body in front of it, from slice to slice.

Every axial slice is scored for each place: soft tissue within 5 mm, bone around it, something dense as wide as a vertebral
body in front, bone behind. The best chain of places from foot to head is found by dynamic programming (Viterbi), so that
slices through a foramen or a disc, where the ring is open, are bridged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import fftconvolve

from tools.imaging.volume import Volume

Array = NDArray[np.float64]
Image = NDArray[np.float32]
_STEP_MM = 2.0
_BONE_HU, _MOST_HU = 160.0, 2500.0
_SOFT_HU = (-30.0, 130.0)
_DENSE_FROM_HU, _DENSE_OVER_HU = 60.0, 140.0
_CANAL_MM, _RING_MM = 5.0, (7.0, 15.0)
_BODY_RADII_MM, _BODY_GAP_MM = (10.0, 14.0, 18.0), 9.0
_BEHIND_MM, _BEHIND_GAP_MM = 9.0, 14.0
_WEIGHT_RING, _WEIGHT_BODY, _WEIGHT_BEHIND = 0.5, 0.35, 0.4
_CHUNK = 64
_MOVES = tuple((x, y) for x in (-1, 0, 1) for y in (-2, -1, 0, 1, 2))
_MOVE_COST = 0.01
_SMOOTH_SLICES = 4.0
_KEPT_SHARE = 0.62
"""Slices scoring less than this share of the good ones end the spine: the sacrum, the skull, the edge of the image."""


@dataclass(frozen=True)
class Canal:
    """Points along the middle of the canal from foot to head, RAS mm, shape (n, 3), about 2 mm apart, with their scores."""

    points: Array
    scores: Array


def find_canal(ct: Volume) -> Canal:
    """Follow the canal through a CT in HU, RAS."""
    coarse, affine = _coarse(ct)
    path, value = _best_chain(_score(coarse))
    smooth = ndimage.gaussian_filter1d(value, 3.0)
    runs, number = ndimage.label(smooth > _KEPT_SHARE * np.percentile(smooth, 80))
    kept = max((np.flatnonzero(runs == run) for run in range(1, number + 1)), key=lambda run: float(value[run].sum()))
    voxels = np.column_stack([path[kept], kept]).astype(float)
    return Canal(voxels @ affine[:3, :3].T + affine[:3, 3], value[kept])


def _coarse(ct: Volume) -> tuple[Image, Array]:
    """Resampled to 2 mm along every axis, a little smoothed where the scan is finer; its affine."""
    spacing, size = np.array(ct.spacing_mm), np.array(ct.data.shape)
    count = np.maximum(1, np.floor((size - 1) * spacing / _STEP_MM + 1e-6).astype(int) + 1)
    ratio = _STEP_MM / spacing
    smooth = ndimage.gaussian_filter(np.asarray(ct.data, dtype=np.float32), 0.2 * np.sqrt(np.maximum(ratio**2 - 1, 0)))
    affine = ct.affine.copy()
    affine[:3, :3] *= ratio
    return ndimage.affine_transform(smooth, ratio, 0, tuple(count), order=1), affine


def _disc(radius: float, hollow: float = -1.0) -> Image:
    reach = int(np.ceil(radius / _STEP_MM))
    place = np.arange(-reach, reach + 1) * _STEP_MM
    away = np.hypot(place[:, None], place[None, :])
    inside: Image = ((away <= radius) & (away > hollow)).astype(np.float32)
    inside /= inside.sum()
    return inside


def _mean(values: Image, disc: Image) -> Image:
    found: Image = fftconvolve(values, disc[:, :, None], mode="same", axes=(0, 1))
    return found


def _from(values: Image, mm: float) -> Image:
    """What lies this far in front of (behind, when negative) each place."""
    return ndimage.shift(values, (0, -round(mm / _STEP_MM), 0), order=0, cval=0.0)


def _score(volume: Image) -> Image:
    """Of every voxel: how much it looks like the middle of a canal."""
    score = np.empty_like(volume)
    for low in range(0, volume.shape[2], _CHUNK):
        part = volume[:, :, low : low + _CHUNK]
        bone = ((part > _BONE_HU) & (part < _MOST_HU)).astype(np.float32)
        soft = ((part > _SOFT_HU[0]) & (part < _SOFT_HU[1])).astype(np.float32)
        smooth = ndimage.gaussian_filter(part, (1, 1, 0))
        dense = np.clip((smooth - _DENSE_FROM_HU) / _DENSE_OVER_HU, 0, 1)
        body = np.max([_from(_mean(dense, _disc(radius)), radius + _BODY_GAP_MM) for radius in _BODY_RADII_MM], axis=0)
        behind = _from(_mean(bone, _disc(_BEHIND_MM)), -_BEHIND_GAP_MM)
        around = _mean(bone, _disc(_RING_MM[1], _RING_MM[0]))
        score[:, :, low : low + _CHUNK] = _mean(soft, _disc(_CANAL_MM)) * (
            _WEIGHT_RING * around + _WEIGHT_BODY * body + _WEIGHT_BEHIND * behind
        )
    bridged: Image = ndimage.gaussian_filter1d(score, _SMOOTH_SLICES, axis=2)
    return bridged


def _best_chain(score: Image) -> tuple[NDArray[np.intp], Array]:
    """Voxel (x, y) for every slice, (n, 2), and the score there."""
    width, depth, count = score.shape
    total = score[:, :, 0].copy()
    came = np.zeros(score.shape, dtype=np.int8)
    for z in range(1, count):
        best = np.full((width, depth), -np.inf, dtype=np.float32)
        for number, (x, y) in enumerate(_MOVES):
            moved = np.full_like(best, -np.inf)
            to = (slice(max(0, x), width + min(0, x)), slice(max(0, y), depth + min(0, y)))
            source = (slice(max(0, -x), width + min(0, -x)), slice(max(0, -y), depth + min(0, -y)))
            moved[to] = total[source] - _MOVE_COST * (abs(x) + abs(y))
            better = moved > best
            best[better] = moved[better]
            came[:, :, z][better] = number
        total = best + score[:, :, z]
    path = np.zeros((count, 2), dtype=np.intp)
    path[-1] = np.unravel_index(int(total.argmax()), total.shape)
    for z in range(count - 1, 0, -1):
        path[z - 1] = path[z] - _MOVES[came[path[z, 0], path[z, 1], z]]
    return path, score[path[:, 0], path[:, 1], np.arange(count)].astype(float)
