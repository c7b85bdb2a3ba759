from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
from PIL import Image

from tests.tools.imaging.xray.patients import patient
from tools.imaging.volume import Volume, save_volume
from ui.cli import main


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    save_volume(patient(), tmp_path / "ct.nii")
    return tmp_path / "ct.nii"


def test_picture_dicom_and_sidecar_are_written(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "films" / "ap.png"
    given = ["synth", "xray", str(ct), "--view", "ap", "--out", str(out), "--size", "96", "128", "--kvp", "70", "--json"]
    assert main([*given, "--photons", "2000", "--seed", "5", "--style", "drawn"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["synthetic"] is True
    assert (report["rows"], report["columns"], report["beam"]) == (96, 128, "70 kVp")
    assert report["order"]["seed"] == 5
    assert len(report["style_weights_sha256"]) == 64
    assert len(report["input_sha256"]["ct.nii"]) == 64
    assert json.loads(out.with_suffix(".json").read_text()) == report
    with Image.open(out) as picture:
        assert picture.size == (128, 96)
    assert pydicom.dcmread(out.with_suffix(".dcm")).SyntheticData == "YES"


def test_angles_and_a_parallel_beam(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.png"
    given = ["synth", "xray", str(ct), "--view=-30,10", "--beam", "parallel", "--out", str(out), "--size", "64", "--json"]
    assert main([*given, "--no-dicom"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["azimuth"], report["elevation"], report["magnification"]) == (330.0, 10.0, 1.0)
    assert not out.with_suffix(".dcm").exists()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--view", "sideways"], "A view is one of"),
        (["--sdd", "110"], "Impossible geometry"),
        (["--size", "9000"], "takes 18.1 GB; at most 3 GB"),
        (["--kvp", "10"], "40 and 150"),
        (["--out", "film.jpg"], "ends with .png"),
        (["--style", "nowhere.png"], "There is no film"),
    ],
)
def test_bad_input_ends_with_2_and_says_why(
    extra: list[str], words: str, ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", "xray", str(ct), "--out", str(tmp_path / "x.png"), "--size", "64", *extra]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_what_is_not_in_hounsfield_units_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = patient()
    save_volume(Volume((whole.data // 20 + 50).astype("int16"), whole.affine), tmp_path / "grey.nii")
    assert main(["synth", "xray", str(tmp_path / "grey.nii"), "--out", str(tmp_path / "x.png")]) == 2
    assert "Hounsfield" in capsys.readouterr().err
