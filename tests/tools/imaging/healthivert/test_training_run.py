"""`consilium fracture train` on a folder in the VerSe layout, end to end at toy size; and what the sources promise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import FileError
from tools.imaging.fractures.cases import Case, Expectation
from tools.imaging.fractures.heights import measure_spine
from tools.imaging.healthivert.config import GRADES_NAME, WEIGHTS_NAME
from tools.imaging.healthivert.grade_svm import load_grades
from tools.imaging.healthivert.inference import HealthyPainter
from tools.imaging.healthivert.judge import SVM, THRESHOLDS, SynthesisRule
from tools.imaging.healthivert.sources import folder_spines, with_twins
from tools.imaging.healthivert.spine import UNKNOWN
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.volume import save_volume
from ui.cli import main


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return spine_phantom(("T11", "T12", "L1", "L2"), spacing_mm=(2.0, 1.5, 1.5))


@pytest.fixture(scope="module")
def folder(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("verse")
    save_volume(phantom.ct, place / "sub-a_ct.nii.gz")
    save_volume(phantom.mask, place / "sub-a_seg-vert_msk.nii.gz")
    (place / "grades.json").write_text(json.dumps({"sub-a_18": 0, "sub-a_19": 0, "sub-a_20": 0}))
    return place


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("run")
    assert main(["fracture", "train", "--config", "tiny", "--data", str(folder), "--out", str(out), "--json"]) == 0
    return out


def test_a_run_leaves_weights_planes_and_a_checkpoint(trained: Path) -> None:
    assert {WEIGHTS_NAME, GRADES_NAME, "checkpoint.safetensors"} <= {path.name for path in trained.iterdir()}
    assert HealthyPainter(trained / WEIGHTS_NAME).about["step"] == "2"
    assert load_grades(trained / GRADES_NAME).examples >= 4


def test_the_same_command_goes_on_and_another_configuration_is_refused(
    folder: Path, trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["fracture", "train", "--data", str(folder), "--out", str(trained), "--json"]
    assert main([*arguments, "--config", "tiny"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["done"]
    assert report["step"] == 2
    assert main([*arguments, "--config", "cpu"]) == 2
    assert "another configuration" in capsys.readouterr().err


def test_a_graphics_card_that_is_not_there_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.cuda.is_available():
        return
    assert main(["fracture", "train", "--data", str(folder), "--out", str(tmp_path), "--device", "cuda"]) == 3
    assert "CUDA" in capsys.readouterr().err


def test_levels_without_a_grade_are_unknown_where_others_have_one(folder: Path, tmp_path: Path) -> None:
    spines = list(folder_spines(folder, seed=1))
    assert spines[0].grades["L2"] == UNKNOWN
    assert spines[0].grades["L1"] == 0
    twins = spines[1:]
    assert twins
    assert all(2 <= max(g for g in twin.grades.values() if g != UNKNOWN) <= 3 for twin in twins)
    with pytest.raises(FileError, match="no subject with both"):
        list(folder_spines(tmp_path, seed=1))


def test_a_level_that_is_cut_is_never_painted_in_training(phantom: Phantom) -> None:
    data = np.array(phantom.mask.data)
    rows = np.flatnonzero((data == 21).any(axis=(0, 1)))
    cut = rows[len(rows) // 2]
    mask = type(phantom.mask)(data[:, :, cut:], phantom.mask.affine)
    ct = type(phantom.ct)(np.asarray(phantom.ct.data)[:, :, cut:], phantom.ct.affine)
    assert [item.level for item in measure_spine(mask).skipped] == ["L2"]
    assert next(with_twins(ct, mask, 1, {})).grades == {"L2": UNKNOWN}


def test_the_synthesis_is_judged_beside_the_rules(trained: Path, phantom: Phantom) -> None:
    rule = SynthesisRule(HealthyPainter(trained / WEIGHTS_NAME), load_grades(trained / GRADES_NAME))
    known = {level: Expectation(0, "healthy") for level in ("T12", "L1")}
    measured = measure_spine(phantom.mask).measured
    verdicts = rule.judge(Case("p", phantom.mask, known, phantom.ct), measured)
    assert set(verdicts) == {item.level for item in measured}
    assert set(verdicts["L1"]) == {THRESHOLDS, SVM}
    without_ct = rule.judge(Case("p", phantom.mask, known), measured)
    assert without_ct["L1"] == {THRESHOLDS: None, SVM: None}
    summary = rule.summary()
    assert summary is not None
    assert summary.levels == 2
    assert 0 <= summary.dice <= 1
    assert summary.psnr_db > 0


def test_the_table_has_the_synthesis_beside_the_baselines(
    folder: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fracture", "evaluate", str(folder), "--weights", str(trained), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    methods = [item["method"] for item in printed["groups"][0]["methods"]]
    assert methods[-2:] == [THRESHOLDS, SVM]
    assert len(methods) >= 6
    assert printed["synthesis"]["levels"] == 3
