"""Heights, expected heights and grades on a spine whose dimensions are known."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.errors import FileError
from tools.imaging.compression import rim_loss, true_loss
from tools.imaging.fractures.exports import grade_files
from tools.imaging.fractures.genant import decision_limits, grade_of, grade_spine, most_probable_grade, rim_losses, shape_of
from tools.imaging.fractures.heights import measure_spine
from tools.imaging.fractures.report import grade_mask
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.volume import Volume, save_volume, to_ras

WEDGE = {"T12": (0.42, 0.18, 0.0)}


def turn(degrees: float, axis: int) -> np.ndarray:
    angle = np.radians(degrees)
    matrix = np.eye(3)
    i, j = [a for a in range(3) if a != axis]
    matrix[[i, j], [i, j]] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix


def losses(phantom: Phantom) -> dict[str, tuple[float, float, float]]:
    return {item.level: item.loss for item in grade_mask(phantom.mask).graded}


@pytest.fixture(scope="module")
def wedged() -> Phantom:
    return spine_phantom(loss=WEDGE)


@pytest.mark.parametrize(("loss", "grade"), [(0.0, 0), (0.199, 0), (0.2, 1), (0.249, 1), (0.25, 2), (0.399, 2), (0.4, 3)])
def test_grade_thresholds(loss: float, grade: int) -> None:
    assert grade_of(loss) == grade


@pytest.mark.parametrize(
    ("loss", "shape"),
    [((0.1, 0.1, 0.1), "none"), ((0.3, 0.15, 0.02), "wedge"), ((0.1, 0.3, 0.05), "biconcave"), ((0.3, 0.3, 0.28), "crush")],
)
def test_shape_follows_the_thirds(loss: tuple[float, float, float], shape: str) -> None:
    assert shape_of(loss) == shape


def test_the_decision_limits_are_those_of_bayes_rule() -> None:
    one, two, three = decision_limits()
    assert [most_probable_grade(value - 0.0005) for value in (one, two, three)] == [0, 1, 2]
    assert [most_probable_grade(value + 0.0005) for value in (one, two, three)] == [1, 2, 3]
    exact = decision_limits(error=0.001)
    assert exact == pytest.approx((0.20, 0.25, 0.40), abs=0.005)


def test_a_straight_wedge_is_read_at_its_rim() -> None:
    anterior, middle, posterior = rim_losses(true_loss("wedge", 0.4))
    assert (anterior, middle) == pytest.approx(rim_loss("wedge", 0.4)[:2], abs=0.01)
    assert posterior < 0.1
    assert rim_losses((0.3, 0.3, 0.3)) == pytest.approx((0.3, 0.3, 0.3))
    assert max(rim_losses(true_loss("biconcave", 0.4))) == pytest.approx(max(rim_loss("biconcave", 0.4)), abs=0.02)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.5)])
@pytest.mark.parametrize("bodies_only", [False, True])
def test_heights_are_those_of_the_phantom(spacing: tuple[float, float, float], bodies_only: bool) -> None:
    phantom = spine_phantom(loss=WEDGE, spacing_mm=spacing, bodies_only=bodies_only)
    measured = measure_spine(phantom.mask).measured
    assert len(measured) == 7
    # Endplates that lie exactly along the slices are only known to half a slice.
    for level in measured:
        assert level.heights == pytest.approx(phantom.heights[level.level], abs=max(1.0, 0.55 * spacing[2]))


def test_only_the_wedged_level_is_graded(wedged: Phantom) -> None:
    graded, skipped = grade_spine(measure_spine(wedged.mask))
    assert skipped == []
    assert {item.level: (item.grade, item.shape) for item in graded if item.grade} == {"T12": (2, "wedge")}


def test_expected_heights_never_use_the_level_itself(wedged: Phantom) -> None:
    for item in grade_mask(wedged.mask).graded:
        assert item.level not in item.expected.neighbours


def test_two_adjacent_fractures_are_both_found() -> None:
    phantom = spine_phantom(loss={"T12": (0.5, 0.4, 0.35), "L1": (0.5, 0.4, 0.35)})
    grades = {item.level: item.grade for item in grade_mask(phantom.mask).graded}
    assert grades["T12"] >= 2
    assert grades["L1"] >= 2
    assert all(grade == 0 for level, grade in grades.items() if level not in ("T12", "L1"))


def test_more_compression_never_lowers_the_grade() -> None:
    grades = []
    for severity in (0.0, 0.3, 0.6):
        phantom = spine_phantom(loss={"T12": (severity, severity, severity)})
        grades.append(next(i.grade for i in grade_mask(phantom.mask).graded if i.level == "T12"))
    assert grades == sorted(grades)
    assert grades[0] == 0
    assert grades[-1] == 3


@pytest.mark.parametrize("axis", [0, 1])
def test_heights_hold_however_the_patient_lies(axis: int) -> None:
    turned = spine_phantom(loss=WEDGE, rotation=turn(10, axis))
    measured = {level.level: level.heights for level in measure_spine(turned.mask).measured}
    assert len(measured) >= 5
    for level, heights in measured.items():
        assert heights == pytest.approx(turned.heights[level], abs=0.8)


def test_mirroring_left_to_right_changes_nothing(wedged: Phantom) -> None:
    flipped = Volume(np.ascontiguousarray(np.asarray(wedged.mask.data)[::-1]), wedged.mask.affine)
    straight = losses(wedged)
    for item in grade_mask(flipped).graded:
        assert item.loss == pytest.approx(straight[item.level], abs=0.02)


def test_another_storage_order_changes_nothing(wedged: Phantom) -> None:
    data = np.asarray(wedged.mask.data).transpose(2, 0, 1)[::-1]
    affine = wedged.mask.affine[:, [2, 0, 1, 3]].copy()
    affine[:3, 3] += affine[:3, 0] * (data.shape[0] - 1)
    affine[:3, 0] *= -1
    back, _ = to_ras(np.ascontiguousarray(data), affine)
    straight = losses(wedged)
    for item in grade_mask(back).graded:
        assert item.loss == pytest.approx(straight[item.level], abs=0.01)


def test_dropping_every_second_slice_keeps_heights() -> None:
    fine = spine_phantom(loss=WEDGE, spacing_mm=(1.0, 1.0, 1.25), rotation=turn(8, 0))
    affine = fine.mask.affine.copy()
    affine[:3, 2] *= 2
    coarse = Volume(np.ascontiguousarray(np.asarray(fine.mask.data)[:, :, ::2]), affine)
    before = {m.level: m.heights for m in measure_spine(fine.mask).measured}
    # At most half a slice: along straight endplates a mask knows no more.
    for level in measure_spine(coarse).measured:
        assert level.heights == pytest.approx(before[level.level], abs=1.25)


def test_a_level_cut_by_the_edge_is_not_graded(wedged: Phantom) -> None:
    where = np.argwhere(np.asarray(wedged.mask.data) == 20)
    low = int(where[:, 2].min()) + 6
    cut = Volume(np.ascontiguousarray(np.asarray(wedged.mask.data)[:, :, low:]), wedged.mask.affine)
    skipped = {item.level: item.reason for item in grade_mask(cut).skipped}
    assert "edge of the image" in skipped["L1"]


def test_one_vertebra_alone_is_declined() -> None:
    grading = grade_mask(spine_phantom(levels=("L1",)).mask)
    assert grading.graded == []
    assert "no other vertebra" in grading.skipped[0].reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data * 0, "every voxel is 0"),
        (lambda data: np.where(data > 0, 60, 0), r"no vertebra label. It has the values \[60\]"),
        (lambda data: data * 0.5 + 0.25, "whole numbers"),
    ],
)
def test_a_bad_mask_is_refused(wedged: Phantom, change: object, message: str) -> None:
    data = change(np.asarray(wedged.mask.data))  # type: ignore[operator]
    with pytest.raises(FileError, match=message):
        grade_mask(Volume(data, wedged.mask.affine))


def test_a_numbering_against_the_anatomy_is_refused(wedged: Phantom) -> None:
    upside_down = Volume(np.ascontiguousarray(np.asarray(wedged.mask.data)[:, :, ::-1]), wedged.mask.affine)
    with pytest.raises(FileError, match="runs against the anatomy"):
        grade_mask(upside_down)


def test_files_give_the_report_and_the_figure(wedged: Phantom, tmp_path: Path) -> None:
    save_volume(wedged.ct, tmp_path / "ct.nii")
    save_volume(wedged.mask, tmp_path / "seg.nii")
    report = grade_files(tmp_path / "ct.nii", tmp_path / "seg.nii", tmp_path / "out", "auto")
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written == json.loads(report.model_dump_json())
    assert set(written["levels"][0]) == {
        "level", "grade", "rhlv", "genant_loss", "interval", "grade_range", "heights_mm", "expected_mm", "shape", "method",
        "neighbours", "flags", "warnings",
    }  # fmt: skip
    assert (tmp_path / "out" / "figure.png").read_bytes()[:4] == b"\x89PNG"
    alone = grade_files(None, tmp_path / "seg.nii", tmp_path / "out", "verse")
    assert "mask alone" in alone.levels[0].warnings[-1]
    assert [level.grade for level in alone.levels] == [level.grade for level in report.levels]


def test_files_that_do_not_fit_are_refused(wedged: Phantom, tmp_path: Path) -> None:
    save_volume(wedged.ct, tmp_path / "ct.nii")
    save_volume(wedged.mask, tmp_path / "seg.nii")
    other = spine_phantom(spacing_mm=(1.0, 1.0, 2.5))
    save_volume(other.mask, tmp_path / "other.nii")
    (tmp_path / "cut.nii").write_bytes((tmp_path / "ct.nii").read_bytes()[:5000])
    resampled = grade_files(tmp_path / "ct.nii", tmp_path / "other.nii", tmp_path, "auto")
    assert "another grid than the CT" in resampled.levels[0].warnings[-1]
    away = wedged.mask.affine.copy()
    away[0, 3] += 500
    save_volume(Volume(wedged.mask.data, away), tmp_path / "away.nii")
    with pytest.raises(FileError, match="not in the same place"):
        grade_files(tmp_path / "ct.nii", tmp_path / "away.nii", tmp_path, "auto")
    with pytest.raises(FileError, match="looks like an image"):
        grade_files(None, tmp_path / "ct.nii", tmp_path, "auto")
    with pytest.raises(FileError, match="looks like a mask"):
        grade_files(tmp_path / "seg.nii", tmp_path / "seg.nii", tmp_path, "auto")
    with pytest.raises(FileError, match=r"truncated or damaged|cannot be read"):
        grade_files(tmp_path / "cut.nii", tmp_path / "seg.nii", tmp_path, "auto")
    with pytest.raises(FileError, match="is not there"):
        grade_files(None, tmp_path / "nothing.nii", tmp_path, "auto")
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 3), dtype=np.int16), np.eye(4)), tmp_path / "four.nii")
    with pytest.raises(FileError, match="one 3-D volume"):
        grade_files(None, tmp_path / "four.nii", tmp_path, "auto")
