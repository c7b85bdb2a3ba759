"""TotalSegmentator's adapter against a module that has its API, its weights folders and its ways to fail."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.errors import FileError, MissingRequirement
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.segmentation import have_weights, segment_vertebrae
from tools.imaging.volume import Volume
from ui.cli import main

VERSE_TO_TOTAL = {18: 33, 19: 32, 20: 31}


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    made = spine_phantom(("T11", "T12", "L1"), spacing_mm=(2.0, 2.0, 2.0))
    hu = np.array(made.ct.data)
    hu[0] = -1000
    return Phantom(Volume(hu, made.ct.affine), made.mask, made.heights)


def answer(phantom: Phantom) -> nib.Nifti1Image:
    data = np.asarray(phantom.mask.data)
    total = np.zeros(data.shape, dtype=np.uint8)
    for value, number in VERSE_TO_TOTAL.items():
        total[data == value] = number
    total[:3, :3, :3] = 51  # heart: not a vertebra
    return nib.Nifti1Image(total, phantom.mask.affine)


def install(monkeypatch: pytest.MonkeyPatch, run: Callable[..., nib.Nifti1Image], weights: Path) -> None:
    package, api = types.ModuleType("totalsegmentator"), types.ModuleType("totalsegmentator.python_api")
    api.totalsegmentator = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "totalsegmentator", package)
    monkeypatch.setitem(sys.modules, "totalsegmentator.python_api", api)
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(weights))


def place(weights: Path) -> None:
    for name in ("Dataset292_TotalSegmentator_part2_vertebrae_1532subj", "Dataset298_TotalSegmentator_total_6mm_1559subj"):
        (weights / name).mkdir(parents=True)


def test_without_the_package_its_install_command_is_told(phantom: Phantom) -> None:
    with pytest.raises(MissingRequirement, match=r"consilium\[segment\]"):
        segment_vertebrae(phantom.ct)


def test_without_weights_the_command_that_places_them_is_told(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object, **__: object) -> nib.Nifti1Image:
        raise AssertionError("it would have fetched the weights by itself")

    install(monkeypatch, never, tmp_path / "none")
    assert not have_weights()
    with pytest.raises(MissingRequirement, match="totalseg_download_weights -t total"):
        segment_vertebrae(phantom.ct)
    with pytest.raises(MissingRequirement, match="total_fast"):
        segment_vertebrae(phantom.ct, fast=True)
    nib.save(nib.Nifti1Image(np.asarray(phantom.ct.data), phantom.ct.affine), tmp_path / "ct.nii")
    assert main(["fracture", "grade", str(tmp_path / "ct.nii")]) == 3
    assert "totalseg_download_weights" in capsys.readouterr().err


def test_its_labels_come_back_on_the_grid_without_organs(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, object] = {}

    def run(image: nib.Nifti1Image, output: None, **options: object) -> nib.Nifti1Image:
        asked.update(options, output=output, shape=image.shape)
        return answer(phantom)

    place(tmp_path)
    install(monkeypatch, run, tmp_path)
    labels = segment_vertebrae(phantom.ct)
    assert labels.same_grid(phantom.ct)
    assert set(np.unique(np.asarray(labels.data))) == {0, 31, 32, 33}
    assert asked["task"] == "total"
    assert asked["output"] is None
    assert "vertebrae_T12" in str(asked["roi_subset"])
    assert "S1" not in str(asked["roi_subset"])


def test_a_failed_fetch_an_empty_answer_and_no_ct_are_told(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(*_: object, **__: object) -> nib.Nifti1Image:
        raise ConnectionError("no route")

    place(tmp_path)
    install(monkeypatch, offline, tmp_path)
    with pytest.raises(MissingRequirement, match="ConnectionError"):
        segment_vertebrae(phantom.ct)
    empty = nib.Nifti1Image(np.zeros(phantom.ct.data.shape, np.uint8), phantom.ct.affine)
    install(monkeypatch, lambda *_, **__: empty, tmp_path)
    with pytest.raises(FileError, match="no vertebra"):
        segment_vertebrae(phantom.ct)
    with pytest.raises(FileError, match="CT in HU"):
        segment_vertebrae(phantom.mask)
