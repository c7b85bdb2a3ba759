"""Scores, cases and the evaluation command."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.errors import FileError
from tools.imaging.fractures.cases import compressed_cases, graded_cases, simulated_cases
from tools.imaging.fractures.evaluation import as_table, evaluate
from tools.imaging.fractures.genant import METHOD
from tools.imaging.fractures.scores import bootstrap, macro
from tools.imaging.phantom import spine_phantom
from ui.cli import main


def write_case(folder: Path, grades: dict[str, int] | None = None) -> None:
    phantom = spine_phantom(spacing_mm=(1.5, 1.5, 1.5), loss={"T12": (0.5, 0.25, 0.0), "L1": (0.35, 0.35, 0.35)})
    image = nib.Nifti1Image(np.asarray(phantom.mask.data), phantom.mask.affine)
    folder.mkdir(exist_ok=True)
    nib.save(image, folder / "sub-a_seg-vert_msk.nii.gz")
    if grades is not None:
        (folder / "grades.json").write_text(json.dumps({"test": grades}))


def test_macro_scores_are_those_counted_by_hand() -> None:
    pairs = np.array([(0, 0), (0, 0), (0, 1), (2, 2), (2, 3), (3, 3)])
    precision, recall, f1 = macro(pairs)
    assert precision == pytest.approx((1 + 1 + 0.5) / 3)
    assert recall == pytest.approx((2 / 3 + 0.5 + 1) / 3)
    assert f1 == pytest.approx((0.8 + 2 / 3 + 2 / 3) / 3)


def test_the_interval_resamples_patients_and_not_levels() -> None:
    values = np.repeat([0.0, 1.0], 50)
    two = np.repeat(["a", "b"], 50)
    many = np.array([str(n) for n in range(100)])
    wide = bootstrap(two, lambda i: float(values[i].mean()), 1)
    narrow = bootstrap(many, lambda i: float(values[i].mean()), 1)
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert narrow.low is not None
    assert narrow.low > 0.35


def test_simulated_cases_have_pairs_and_the_asked_number() -> None:
    cases = list(simulated_cases(5, seed=11))
    fractured = [(case.patient, level, item) for case in cases for level, item in case.known.items() if item.grade]
    assert len(fractured) == 5
    assert sum(item.group == "adjacent" for _, _, item in fractured) in (2, 4)
    again = list(simulated_cases(5, seed=11))
    assert all(np.array_equal(a.mask.data, b.mask.data) for a, b in zip(cases, again, strict=True))


def test_expert_grades_are_read_and_scored(tmp_path: Path) -> None:
    write_case(tmp_path, {"sub-a_16": 0, "sub-a_17": 0, "sub-a_19": 3, "sub-a_20": 2})
    result = evaluate(graded_cases(tmp_path), "a folder", seed=1)
    everything = result.groups[0]
    assert everything.levels == 4
    assert result.adjacent_pairs == 1
    ours = next(item for item in everything.methods if item.method == METHOD)
    assert ours.f1.value == 1.0
    assert ours.sensitivity_2.value == 1.0
    assert ours.rhlv_mae.value is None
    assert sum(map(sum, ours.confusion)) == 4
    assert "own ratio" in as_table(result)


def test_real_spines_can_be_compressed_for_evaluation(tmp_path: Path) -> None:
    write_case(tmp_path, {"sub-a_19": 3, "sub-a_20": 2})
    cases = list(compressed_cases(tmp_path, 3, seed=2))
    result = evaluate(cases, "compressed", seed=1)
    assert result.fractures >= 3
    assert result.groups[0].height_mae_mm.value is not None
    assert result.groups[0].height_mae_mm.value < 1.0


def test_folders_without_grades_or_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is not there"):
        list(graded_cases(tmp_path / "none"))
    write_case(tmp_path / "all", {f"sub-a_{value}": 2 for value in range(16, 23)})
    with pytest.raises(FileError, match="known to be fractured"):
        list(compressed_cases(tmp_path / "all", 2, seed=1))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="no masks"):
        list(compressed_cases(tmp_path / "empty", 2, seed=1))
    write_case(tmp_path / "bare")
    with pytest.raises(FileError, match=r"No mask in .* has expert grades"):
        list(graded_cases(tmp_path / "bare"))
    (tmp_path / "bare" / "grades.csv").write_text("subject,level,grade\nsub-a,L1,7\n")
    with pytest.raises(FileError, match="no level T1-L6 with a grade 0-3"):
        list(graded_cases(tmp_path / "bare"))


def test_the_command_prints_the_table_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_case(tmp_path, {"sub-a_18": 0, "sub-a_19": 3, "sub-a_20": 2})
    assert main(["fracture", "evaluate", str(tmp_path), "--no-synthesis", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["groups"][0]["methods"][0]["method"] == METHOD
    assert len(printed["groups"][0]["methods"]) == 4
    assert main(["fracture", "evaluate", "--json"]) == 2
    assert "--simulated N" in capsys.readouterr().err
    mask = str(tmp_path / "sub-a_seg-vert_msk.nii.gz")
    assert main(["fracture", "explain", "--mask", mask, "--level", "T12", "--json"]) == 0
    (why,) = json.loads(capsys.readouterr().out)
    assert why["left_out_as_low"] == ["L1"]
    assert main(["fracture", "grade", "--mask", mask, "--keep-steps"]) == 2
    assert "--out DIR" in capsys.readouterr().err
