"""The built-in labeller on drawn spines whose bodies are known, and on what is no spine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.errors import FileError, GateRefusal, MissingRequirement, SettingError
from core.store import SessionStore
from core.types import Finding, NewArtifact
from tools.base import ToolContext
from tools.imaging.fractures.heights import measure_spine
from tools.imaging.fractures.tool import GradeFractures, GradeParams
from tools.imaging.labelling.labeller import Labelled, label_vertebrae
from tools.imaging.labelling.levels import from_ribs, names_from
from tools.imaging.labelling.making import LevelToConfirm, make_mask
from tools.imaging.labelling.tool import Segment, SegmentParams
from tools.imaging.labels import VERSE
from tools.imaging.simulated_spine import SimulatedSpine, plan_spine, render
from tools.imaging.vertebra_shape import Fracture
from tools.imaging.volume import Volume, save_volume
from ui.cli import main

LEVELS = ("T10", "T11", "T12", "L1", "L2", "L3", "L4")
WHOLE = LEVELS[1:-1]
"""The first and last are bounded by one disc only."""
VALUES = {name: value for value, name in VERSE.items()}


@pytest.fixture(scope="module")
def spine() -> SimulatedSpine:
    plan = plan_spine(5, LEVELS, {"L1": Fracture("wedge", 0.45, 1.0)}, spacing_mm=(2.0, 2.0, 2.0))
    return render(replace(plan, noise_hu=20.0))


@pytest.fixture(scope="module")
def found(spine: SimulatedSpine) -> Labelled:
    return label_vertebrae(spine.ct, "3=L1")


def test_every_body_between_two_discs_is_found_under_its_name(spine: SimulatedSpine, found: Labelled) -> None:
    assert tuple(item.level for item in found.vertebrae) == WHOLE
    assert [item.number for item in found.vertebrae] == list(range(1, len(WHOLE) + 1))
    truth, mine = np.asarray(spine.mask.data), np.asarray(found.mask.data)
    for item in found.vertebrae:
        value = VALUES[item.level]
        under = truth[mine == value]
        assert (under == value).mean() > 0.8, item.level
        assert item.confidence > 0.5


def test_the_bodies_heights_are_the_true_ones_and_the_wedge_is_among_them(spine: SimulatedSpine, found: Labelled) -> None:
    measured = {item.level: item.heights for item in measure_spine(found.mask).measured}
    off = np.array([np.subtract(measured[level], spine.truth[level].after) for level in WHOLE])
    assert np.abs(off).max() < 2.5
    assert np.abs(off - np.median(off)).mean() < 0.8
    front, _, back = measured["L1"]
    assert front < 0.75 * back


def test_without_ribs_in_view_the_levels_are_asked_for(spine: SimulatedSpine) -> None:
    found = label_vertebrae(spine.ct)
    assert not found.levels.settled
    assert {item.level for item in found.vertebrae} == {""}
    assert sorted(np.unique(np.asarray(found.mask.data)).tolist()) == list(range(len(WHOLE) + 1))
    with pytest.raises(LevelToConfirm, match="numbered 1 to 5 from the head"):
        make_mask(spine.ct)


def test_ribs_name_the_levels_only_where_their_end_is_seen() -> None:
    told = from_ribs(np.array([0.01, 0.02, 0.09, 0.14, 0.15]))
    assert told.names == ("L2", "L1", "T12", "T11", "T10")
    assert told.settled
    doubtful = from_ribs(np.array([0.01, 0.045, 0.055, 0.15, 0.16]))
    assert not doubtful.settled
    for shares in ([0.0, 0.01, 0.0], [0.12, 0.15, 0.2], [np.nan, np.nan, np.nan]):
        assert from_ribs(np.array(shares)).names == ()
    assert not from_ribs(np.full(30, 0.2)).settled


def test_names_count_from_the_confirmed_level_and_end_at_l5() -> None:
    assert names_from(4, 1, "L5") == ("", "L5", "L4", "L3")
    assert names_from(3, 0, "T12") == ("T12", "T11", "T10")
    assert names_from(2, 0, "L6") == ("L6", "L5")


@pytest.mark.parametrize("wrong", ["L1", "3=X9", "0=L1", "9=L1", "3=L9"])
def test_a_wrong_confirmation_is_refused(spine: SimulatedSpine, wrong: str) -> None:
    with pytest.raises(SettingError):
        label_vertebrae(spine.ct, wrong)


def test_what_is_no_spine_is_refused(spine: SimulatedSpine) -> None:
    rng = np.random.default_rng(0)
    noise = Volume(np.clip(rng.normal(0, 300, (60, 60, 90)), -1000, 2000).astype(np.int16), np.diag([2.5, 2.5, 2.5, 1.0]))
    with pytest.raises(FileError, match="nothing is labelled rather than guessed"):
        label_vertebrae(noise)
    with pytest.raises(FileError, match="HU"):
        label_vertebrae(spine.mask)
    with pytest.raises(FileError, match="too thick"):
        label_vertebrae(Volume(spine.ct.data, np.diag([1.5, 1.5, 6.0, 1.0])))
    with pytest.raises(MissingRequirement, match="TotalSegmentator"):
        make_mask(noise)


def attach(store: SessionStore, ct: Volume, tmp_path: Path) -> None:
    save_volume(ct, tmp_path / "ct.nii")
    new = NewArtifact(
        kind="volume", title="CT", media_type="application/x-nifti", modality="CT", shape=ct.data.shape,
        spacing_mm=ct.spacing_mm, orientation="RAS",
    )  # fmt: skip
    store.add(tmp_path / "ct.nii", new, ".nii")


def test_in_the_chat_a_bare_ct_is_asked_about_and_then_graded(
    spine: SimulatedSpine, store: SessionStore, tmp_path: Path
) -> None:
    attach(store, spine.ct, tmp_path)
    with pytest.raises(GateRefusal, match="confirm one level"):
        GradeFractures().run(GradeParams(image="ct1"), ToolContext(store))
    asked = Segment().run(SegmentParams(image="ct1"), ToolContext(store))
    assert "confirm one level" in asked.summary
    assert [artifact.kind for artifact in asked.artifacts] == ["image"]
    done = Segment().run(SegmentParams(image="ct1", confirm="3=L1"), ToolContext(store))
    assert [artifact.kind for artifact in done.artifacts] == ["mask", "image"]
    assert done.artifacts[0].of == "ct1"
    graded = GradeFractures().run(GradeParams(image="ct1", levels=["L2"]), ToolContext(store))
    assert {item.where: item.value for item in graded.evidence if isinstance(item, Finding)} == {"L2": 0}
    assert any("built-in labeller" in warning for warning in graded.warnings)


def test_from_the_command_line(spine: SimulatedSpine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ct.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(spine.ct.data), spine.ct.affine), path)
    assert main(["fracture", "grade", str(path)]) == 3
    assert "--confirm" in capsys.readouterr().err
    out = tmp_path / "out"
    assert main(["fracture", "label", str(path), "--out", str(out), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert not report["settled"]
    assert (out / "numbered.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["fracture", "grade", str(path), "--confirm", "3=L1", "--json"]) == 0
    graded = {item["level"]: item for item in json.loads(capsys.readouterr().out)["levels"]}
    assert graded["L1"]["grade"] >= 2
    assert any("built-in labeller" in text for text in graded["L1"]["warnings"])
