from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.store import SessionStore
from tools.imaging.overview import overview
from tools.imaging.phantom import spine_phantom
from tools.imaging.volume import save_volume
from tools.intake import read_files


@pytest.fixture
def spine(store: SessionStore, tmp_path: Path) -> SessionStore:
    phantom = spine_phantom(spacing_mm=(2.0, 2.0, 2.0), levels=("T11", "T12", "L1"))
    phantom.ct.data[0, 0, 0] = -1000
    save_volume(phantom.ct, tmp_path / "ct.nii")
    save_volume(phantom.mask, tmp_path / "seg.nii")
    Image.new("RGB", (400, 100), (9, 9, 9)).save(tmp_path / "film.png")
    assert read_files(sorted(tmp_path.glob("*.*")), store).problems == ()
    return store


def _size(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def test_a_volume_is_shown_as_three_slices_within_the_budget(spine: SessionStore) -> None:
    width, height = _size(overview(spine, "ct1"))
    assert width * height <= 802816
    small = _size(overview(spine, "ct1", max_pixels=50_000))
    assert small[0] * small[1] <= 50_000
    assert small[0] / small[1] == pytest.approx(width / height, rel=0.02)


def test_level_names_are_drawn_when_there_is_a_mask(spine: SessionStore, tmp_path: Path) -> None:
    bare = SessionStore(tmp_path / "bare", max_file_mb=100, max_session_mb=100)
    read_files([tmp_path / "ct.nii"], bare)
    with Image.open(io.BytesIO(overview(spine, "ct1"))) as named, Image.open(io.BytesIO(overview(bare, "ct1"))) as plain:
        with_names, without = (np.asarray(image.convert("RGB")).astype(int) for image in (named, plain))
    assert _yellow(with_names) > 100
    assert _yellow(without) == 0


def _yellow(pixels: np.ndarray) -> int:
    return int((pixels[..., :2].min(axis=2) - pixels[..., 2] > 80).sum())


def test_a_flat_image_keeps_its_aspect_and_is_never_enlarged(spine: SessionStore) -> None:
    assert _size(overview(spine, "image1")) == (400, 100)
    assert _size(overview(spine, "image1", max_pixels=10_000)) == (200, 50)
