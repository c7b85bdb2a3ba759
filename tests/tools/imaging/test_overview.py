from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from core.store import SessionStore
from core.types import NewArtifact
from tools.imaging.overview import Wish, overview
from tools.imaging.phantom import spine_phantom
from tools.imaging.render import slice_image
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


def _captions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written on the tiles, in order."""
    written: list[str] = []
    draw = slice_image

    def noting(*given: Any, **more: Any) -> Image.Image:
        written.append(f"{given[4].position} | {given[4].window}")
        return draw(*given, **more)

    monkeypatch.setattr("tools.imaging.overview.slice_image", noting)
    return written


def test_the_asked_level_is_cut_through_in_two_planes(spine: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    written = _captions(monkeypatch)
    overview(spine, "ct1", Wish(levels=("L5", "T12")))
    assert [line.split()[1] for line in written] == ["sagittal"] * 3 + ["axial"]
    assert "(T12)" in written[3]
    assert "L5" not in written[3], "a level that is not there gets no slice"
    mask = np.asarray(nib.load(spine.path("mask1")).dataobj)
    assert mask[..., int(written[3].split()[2])].any()


def test_the_asked_plane_and_window_are_taken(spine: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    written = _captions(monkeypatch)
    overview(spine, "ct1", Wish(plane="axial", window="lung"))
    assert [line.split()[1] for line in written] == ["axial"] * 3
    assert all("W 1500 L -600 HU" in line for line in written)


def test_a_volume_of_which_nothing_is_known_is_shown_in_all_planes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = SessionStore(tmp_path / "bare", max_file_mb=100, max_session_mb=100)
    save_volume(spine_phantom(spacing_mm=(3.0, 3.0, 3.0), levels=("L1",)).ct, tmp_path / "any.nii")
    (taken,) = read_files([tmp_path / "any.nii"], bare).artifacts
    written = _captions(monkeypatch)
    overview(bare, taken.handle)
    assert [line.split()[1] for line in written] == ["sagittal", "coronal", "axial"]


def test_a_film_of_sixteen_bits_is_windowed_not_white(store: SessionStore) -> None:
    ramp = np.linspace(1000, 9000, 64 * 32).reshape(64, 32).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(ramp).save(buffer, format="PNG")
    film = NewArtifact(kind="radiograph", title="film", media_type="image/png", modality="DX", simulated=True)
    handle = store.add(buffer.getvalue(), film, ".png").handle
    with Image.open(io.BytesIO(overview(store, handle))) as shown:
        grey = np.asarray(shown.convert("L")).astype(int)
        assert shown.size == (32, 64)
    assert grey[-1, 0] > 200
    assert grey[40, 0] > grey[30, 0]
    with Image.open(io.BytesIO(overview(store, handle))) as shown:
        pixels = np.asarray(shown.convert("RGB")).astype(int)
    assert (abs(pixels[..., 0] - pixels[..., 2]) > 60).any(), "its mark is burned in"
