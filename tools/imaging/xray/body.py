"""The patient in a CT: without the table, in a box, and where the scan cuts them off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import FileError
from tools.imaging.nifti import looks_like_ct
from tools.imaging.volume import Volume

_COARSE_MM = 4.0
_TISSUE_HU = -500.0
"""Between lung and everything else: half way between air and water, where an edge lies."""
_OPENING = 1
_RIM_MM = 6.0
_CUT_SHARE = 0.02
"""So much of a slice's border with the edge of the field of view counts as cut."""


@dataclass(frozen=True)
class Body:
    """Where the patient is.

    `region` (x, y, z) on every `step`-th voxel: patient, with lungs and a rim, without the table. `low` and `high` are the
    corners, in mm, of the box around it; `first` and `last` (exclusive) the same in voxels.
    """

    region: NDArray[np.bool_]
    step: tuple[int, int, int]
    first: tuple[int, int, int]
    last: tuple[int, int, int]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    cut_sides: tuple[str, ...]
    table_removed: bool

    def inside(self, axis: int, part: slice, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Planes of the region on the volume's own grid: (planes, later axis, earlier axis)."""
        early, late = (one for one in range(3) if one != axis)
        rows = np.arange(part.start, part.stop) // self.step[axis]
        kept, which = np.unique(np.minimum(rows, self.region.shape[axis] - 1), return_inverse=True)
        coarse = np.moveaxis(self.region, axis, 0)[kept].swapaxes(1, 2)
        fine = coarse.repeat(self.step[late], axis=1).repeat(self.step[early], axis=2)
        return np.asarray(fine[which][:, : shape[late], : shape[early]])


def check_hounsfield(volume: Volume, called: str) -> None:
    """Refuse what is not in Hounsfield units.

    Raises:
        FileError: there is no air near -1000, or values lie outside what CT numbers can be.
    """
    sample = np.asarray(volume.data[tuple(slice(None, None, max(1, n // 128)) for n in volume.data.shape)])
    if not (looks_like_ct(sample) or looks_like_ct(np.asarray(volume.data))):
        raise FileError(
            f"{called} is not calibrated in Hounsfield units: its values run from {sample.min():g} to {sample.max():g}, and "
            "a CT has air near -1000, water at 0 and bone above 100. Attenuation cannot be computed from it."
        )


def find_body(volume: Volume, *, remove_table: bool = True) -> Body:
    """Find the patient: the largest piece of tissue after thin things (table, clothes) are opened away.

    Raises:
        FileError: there is nothing but air.
    """
    spacing = volume.spacing_mm
    step = tuple(max(1, round(_COARSE_MM / mm)) for mm in spacing)
    coarse = np.asarray(volume.data[:: step[0], :: step[1], :: step[2]])
    tissue = coarse > _TISSUE_HU
    if not tissue.any():
        raise FileError("The CT holds nothing but air: no voxel is denser than -500 HU.")
    region = _patient(tissue) if remove_table else np.ones_like(tissue)
    found = _largest(tissue & region) if remove_table else tissue
    where = [np.flatnonzero(found.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    first = tuple(int(w[0]) * s for w, s in zip(where, step, strict=True))
    last = tuple(min(int(w[-1] + 1) * s, n) for w, s, n in zip(where, step, volume.data.shape, strict=True))
    corners = np.array([[a - 0.5, b - 0.5] for a, b in zip(first, last, strict=True)])
    ends = corners.T @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    rim = max(1, round(_RIM_MM / _COARSE_MM))
    grown = ndimage.binary_dilation(region, iterations=rim)
    return Body(
        grown, (step[0], step[1], step[2]), (first[0], first[1], first[2]), (last[0], last[1], last[2]),
        ends.min(axis=0), ends.max(axis=0), _cut_sides(tissue & region), bool((tissue & ~grown).any()),
    )  # fmt: skip


def _patient(tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Filled slice by slice, so that lungs and bowel gas stay."""
    flat = ndimage.generate_binary_structure(3, 1)
    flat[:, :, 0] = flat[:, :, 2] = False
    core = ndimage.binary_opening(tissue, flat, iterations=_OPENING)
    if not core.any():
        core = tissue
    main = _largest(core)
    whole = ndimage.binary_dilation(main, flat, iterations=_OPENING, mask=tissue)
    filled = np.stack([ndimage.binary_fill_holes(whole[:, :, z]) for z in range(whole.shape[2])], axis=2)
    return np.asarray(filled, dtype=bool)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def _cut_sides(body: NDArray[np.bool_]) -> tuple[str, ...]:
    """Sides on which the body runs into the edge of the image, or of its inscribed circle, rather than ending in air."""
    sides = []
    for axis, end, name in ((0, 0, "left"), (0, -1, "right"), (1, 0, "back"), (1, -1, "front")):
        face = np.take(body, end, axis=axis)
        if face.mean() > _CUT_SHARE:
            sides.append(name)
    if not sides and _cut_by_circle(body):
        sides.append("outer")
    return tuple(sides)


def _cut_by_circle(body: NDArray[np.bool_]) -> bool:
    """Round fields of view: tissue along the circle, and none beyond it."""
    nx, ny, _ = body.shape
    if min(nx, ny) < 16 or abs(nx - ny) > 2:
        return False
    x, y = np.meshgrid(np.arange(nx) - (nx - 1) / 2, np.arange(ny) - (ny - 1) / 2, indexing="ij")
    radius = np.hypot(x, y)
    edge = min(nx, ny) / 2
    rim, beyond = (radius > edge - 2.5) & (radius <= edge - 0.5), radius > edge + 0.5
    return bool(body[rim].mean() > _CUT_SHARE and body[beyond].mean() < _CUT_SHARE / 10)
