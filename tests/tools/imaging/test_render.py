"""Orientation is tested with a phantom that differs along every axis and in every direction."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.types import Plane
from tools.imaging.render import Caption, film_image, montage, oriented, pixel_size, slice_image, to_png
from tools.imaging.volume import Volume

SHAPE = (9, 11, 13)
CENTRE = (4, 5, 6)
RIGHT, FRONT, HEAD = (8, 5, 6), (4, 10, 6), (4, 5, 12)


def _marked(*voxels: tuple[int, int, int]) -> np.ndarray:
    data = np.full(SHAPE, -1000, dtype=np.int16)
    for voxel in voxels:
        data[voxel] = 1000
    return data


@pytest.mark.parametrize(
    ("plane", "index", "voxel", "place"),
    [
        # Seen as (row, column): row 0 is the top, column 0 the viewer's left.
        ("sagittal", 4, FRONT, (6, 0)),
        ("sagittal", 4, HEAD, (0, 5)),
        ("coronal", 5, RIGHT, (6, 0)),
        ("coronal", 5, HEAD, (0, 4)),
        ("axial", 6, RIGHT, (5, 0)),
        ("axial", 6, FRONT, (0, 4)),
    ],
)
def test_radiological_convention(plane: Plane, index: int, voxel: tuple[int, int, int], place: tuple[int, int]) -> None:
    seen = oriented(_marked(voxel), plane, index)
    assert [tuple(int(v) for v in at) for at in np.argwhere(seen == 1000)] == [place]


def test_pixel_size_follows_the_axes() -> None:
    spacing = (0.5, 0.7, 3.0)
    assert pixel_size(spacing, "sagittal") == (3.0, 0.7)
    assert pixel_size(spacing, "coronal") == (3.0, 0.5)
    assert pixel_size(spacing, "axial") == (0.7, 0.5)


@pytest.mark.parametrize("plane", ["sagittal", "coronal", "axial"])
def test_the_aspect_is_true_for_voxels_of_any_shape(plane: Plane) -> None:
    volume = Volume(_marked(CENTRE), np.diag([0.5, 1.0, 4.0, 1.0]))
    picture = slice_image(volume, plane, 4, (1800, 400), Caption())
    extent = {"sagittal": (11 * 1.0, 13 * 4.0), "coronal": (9 * 0.5, 13 * 4.0), "axial": (9 * 0.5, 11 * 1.0)}[plane]
    assert picture.width / picture.height == pytest.approx(extent[0] / extent[1], rel=0.05)


def test_the_overlay_colours_only_the_mask() -> None:
    volume = Volume(_marked(), np.eye(4))
    labels = np.zeros(SHAPE, dtype=np.int16)
    labels[4, 5, 6] = 20
    plain = np.asarray(slice_image(volume, "axial", 6, (1800, 400), Caption(), long_side=220)).astype(int)
    mask = Volume(labels, np.eye(4))
    drawn = np.asarray(slice_image(volume, "axial", 6, (1800, 400), Caption(), mask, long_side=220)).astype(int)
    changed = np.abs(drawn - plain).sum(axis=2) > 0
    rows, columns = np.nonzero(changed)
    assert 0 < changed.mean() < 0.06
    assert rows.mean() / changed.shape[0] == pytest.approx(0.5, abs=0.06)
    assert columns.mean() / changed.shape[1] == pytest.approx(0.5, abs=0.06)


def test_the_mark_is_burned_in() -> None:
    volume = Volume(_marked(), np.eye(4))
    plain = np.asarray(slice_image(volume, "axial", 6, (1800, 400), Caption())).astype(int)
    marked = np.asarray(slice_image(volume, "axial", 6, (1800, 400), Caption(mark="SIMULATED"))).astype(int)
    rows, columns = np.nonzero(np.abs(marked - plain).sum(axis=2))
    assert len(rows) > 50
    assert rows.max() < 40
    assert columns.min() > plain.shape[1] / 2


def test_a_film_keeps_its_aspect_and_a_montage_its_tiles() -> None:
    film = film_image(np.arange(200, dtype=np.uint8).reshape(10, 20), (255, 127), Caption(), None)
    assert film.width == 2 * film.height
    assert montage([film] * 5, 3).size == (3 * film.width, 2 * film.height)
    with Image.open(io.BytesIO(to_png(film))) as read:
        assert read.size == film.size
