"""What is wrong with a mask or a CT is said in words, and never graded as if it were right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import FileError
from tools.imaging.fractures.heights import measure_spine
from tools.imaging.fractures.report import Grading, as_report, grade_mask
from tools.imaging.phantom import Phantom, spine_phantom
from tools.imaging.volume import Volume

LEVELS = ("T10", "T11", "T12", "L1", "L2", "L3")
T12, L1, L2 = 19, 20, 21
Mask = NDArray[np.int16]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return spine_phantom(LEVELS, spacing_mm=(1.5, 1.5, 1.5))


def changed(phantom: Phantom, change: Callable[[Mask], None]) -> Volume:
    data = np.array(phantom.mask.data)
    change(data)
    return Volume(data, phantom.mask.affine)


def warnings(grading: Grading, level: str) -> str:
    return " ".join(next(item.warnings for item in as_report(grading).levels if item.level == level))


def skipped(grading: Grading) -> dict[str, str]:
    return {item.level: item.reason for item in grading.skipped}


def relabel(data: Mask, values: dict[int, int]) -> None:
    old = data.copy()
    for value, new in values.items():
        data[old == value] = new


def test_a_sound_mask_has_nothing_to_say(phantom: Phantom) -> None:
    grading = grade_mask(phantom.mask, ct=phantom.ct)
    assert not grading.warnings
    assert not grading.skipped
    assert not [text for item in grading.graded for text in item.measured.warnings]


def test_holes_are_filled_and_said(phantom: Phantom) -> None:
    def hollow(data: Mask) -> None:
        x, y, z = np.argwhere(data == L1).mean(axis=0).astype(int)
        data[x - 6 : x + 6, y + 2 : y + 12, z - 4 : z + 4] = 0

    grading = grade_mask(changed(phantom, hollow))
    assert "has holes" in warnings(grading, "L1")
    whole = {item.level: item.heights for item in measure_spine(phantom.mask).measured}
    found = next(item for item in grading.graded if item.level == "L1")
    assert found.measured.heights == pytest.approx(whole["L1"], abs=0.5)


def test_stray_pieces_are_left_out_and_said(phantom: Phantom) -> None:
    def scatter(data: Mask) -> None:
        data[2:12, -14:-4, 4:14] = L1

    grading = grade_mask(changed(phantom, scatter))
    assert "Stray pieces" in warnings(grading, "L1")
    assert all(item.grade == 0 for item in grading.graded)


def test_labels_that_touch_are_flagged(phantom: Phantom) -> None:
    def grow(data: Mask) -> None:
        top = int(np.argwhere(data == L2)[:, 2].max())
        body = data[:, :, top - 3] == L2
        for z in range(top, top + 6):
            data[:, :, z][body & (data[:, :, z] == 0)] = L2

    grading = grade_mask(changed(phantom, grow))
    assert "touches that of L1" in warnings(grading, "L2")


def test_thick_slices_are_flagged() -> None:
    thick = spine_phantom(LEVELS, spacing_mm=(1.5, 1.5, 4.0))
    assert "thicker than 3 mm" in " ".join(grade_mask(thick.mask).warnings)
    fine = spine_phantom(LEVELS, spacing_mm=(1.5, 1.5, 3.0))
    assert not grade_mask(fine.mask).warnings


def test_a_vertebra_cut_by_the_front_edge_is_not_graded(phantom: Phantom) -> None:
    last = int(np.argwhere(np.asarray(phantom.mask.data) == L1)[:, 1].max())
    cut = Volume(np.ascontiguousarray(np.asarray(phantom.mask.data)[:, : last - 3]), phantom.mask.affine)
    assert "front edge" in skipped(grade_mask(cut))["L1"]


def test_a_process_cut_by_the_edge_takes_no_height_away(phantom: Phantom) -> None:
    data = np.asarray(phantom.mask.data)
    body = np.argwhere(data == 22)
    low = int(body[:, 2].min())
    data = np.array(data)
    hanging = data[:, : int(body[:, 1].min()) + 12, :] == 22
    data[:, : int(body[:, 1].min()) + 12, :][hanging] = 22
    x, y = int(np.median(body[:, 0])), int(body[:, 1].min())
    data[x - 1 : x + 2, y : y + 4, low - 4 : low] = 22
    cut = Volume(np.ascontiguousarray(data[:, :, low - 3 :]), phantom.mask.affine)
    assert "L3" in [item.level for item in grade_mask(cut).graded]


def test_a_vertebra_cut_by_padding_is_seen_in_the_ct(phantom: Phantom) -> None:
    where = int(np.median(np.argwhere(np.asarray(phantom.mask.data) == L1)[:, 2]))
    hu, labels = np.array(phantom.ct.data), np.array(phantom.mask.data)
    hu[:, :, :where], labels[:, :, :where] = -1024, 0
    grading = grade_mask(Volume(labels, phantom.mask.affine), ct=Volume(hu, phantom.ct.affine))
    assert "lower edge" in skipped(grading)["L1"]


def test_an_impossible_voxel_size_is_refused(phantom: Phantom) -> None:
    tenth = phantom.mask.affine.copy()
    tenth[:3, :3] /= 10
    with pytest.raises(FileError, match="voxel size"):
        grade_mask(Volume(phantom.mask.data, tenth))


def test_a_half_label_leaves_a_gap_that_is_flagged(phantom: Phantom) -> None:
    def halve(data: Mask) -> None:
        mine = data == L1
        mine[:, :, : int(np.median(np.argwhere(mine)[:, 2])) + 1] = False
        data[mine] = 0

    grading = grade_mask(changed(phantom, halve))
    assert "wide_gap" in [flag.code for flag in next(i for i in grading.graded if i.level == "L1").warnings]


def test_strays_all_over_the_image_change_nothing(phantom: Phantom) -> None:
    def scatter(data: Mask) -> None:
        rng = np.random.default_rng(3)
        data[rng.random(data.shape) < 0.001] = L1

    whole = {item.level: item.grade for item in grade_mask(phantom.mask).graded}
    assert {item.level: item.grade for item in grade_mask(changed(phantom, scatter)).graded} == whole


def test_one_neighbour_grades_with_a_wide_interval_and_says_so() -> None:
    two = spine_phantom(("T12", "L1"), spacing_mm=(1.5, 1.5, 1.5), loss={"L1": (0.4, 0.2, 0.0)})
    grades = {item.level: item for item in grade_mask(two.mask).graded}
    assert grades["L1"].grade >= 2
    assert grades["T12"].grade == 0
    assert "few_neighbours" in [flag.code for flag in grades["L1"].warnings]
    many = spine_phantom(LEVELS, spacing_mm=(1.5, 1.5, 1.5), loss={"L1": (0.4, 0.2, 0.0)})
    sure = next(item for item in grade_mask(many.mask).graded if item.level == "L1")
    assert grades["L1"].margin > 1.1 * sure.margin


def test_few_neighbours_widen_the_interval(phantom: Phantom) -> None:
    crushed = spine_phantom(LEVELS, spacing_mm=(1.5, 1.5, 1.5), loss={"L1": (0.3, 0.3, 0.3)})
    three = changed(crushed, lambda data: relabel(data, {17: 0, 18: 0, 22: 0}))
    few = next(item for item in grade_mask(three).graded if item.level == "L1")
    many = next(item for item in grade_mask(crushed.mask).graded if item.level == "L1")
    assert min(few.expected.half_width) > 1.02 * max(many.expected.half_width)
    assert "Only 2 neighbours" in " ".join(few.warnings)


def test_numbering_upside_down_is_refused(phantom: Phantom) -> None:
    values = {17: 22, 18: 21, 19: 20, 20: 19, 21: 18, 22: 17}
    with pytest.raises(FileError, match="runs against the anatomy"):
        measure_spine(changed(phantom, lambda data: relabel(data, values)))


def test_two_swapped_labels_are_not_graded(phantom: Phantom) -> None:
    long = spine_phantom(("T8", "T9", *LEVELS), spacing_mm=(1.5, 1.5, 1.5))
    grading = grade_mask(changed(long, lambda data: relabel(data, {T12: L1, L1: T12})))
    assert {"T12", "L1"} <= set(skipped(grading))
    assert "out of order" in skipped(grading)["L1"]


def test_a_skipped_number_is_noticed(phantom: Phantom) -> None:
    grading = grade_mask(changed(phantom, lambda data: relabel(data, {21: 22, 22: 23})))
    assert "the numbering skips a level" in " ".join(grading.warnings)


def test_a_vertebra_missing_from_the_mask_is_noticed(phantom: Phantom) -> None:
    grading = grade_mask(changed(phantom, lambda data: relabel(data, {20: 0, 21: 20, 22: 21})))
    assert "seems to be missing" in " ".join(grading.warnings)


def test_transitional_anatomy_is_named() -> None:
    lumbar = spine_phantom(("L1", "L2", "L3", "L4", "L5", "L6"), spacing_mm=(1.5, 1.5, 1.5))
    assert "Transitional anatomy: the mask has L6" in " ".join(grade_mask(lumbar.mask).warnings)
    thirteenth = spine_phantom(("T10", "T11", "T12", "L1", "L2", "L3"), spacing_mm=(1.5, 1.5, 1.5))
    grading = grade_mask(changed(thirteenth, lambda data: relabel(data, {20: 28, 21: 20, 22: 21})))
    assert next(item for item in grading.graded if item.level == "T13").grade == 0
    assert "the mask has T13" in " ".join(grading.warnings)


def test_metal_and_dense_marrow_are_flagged(phantom: Phantom) -> None:
    hu, labels = np.array(phantom.ct.data), np.asarray(phantom.mask.data)
    x, y, z = np.argwhere(labels == L1).mean(axis=0).astype(int)
    hu[x - 4 : x + 4, y : y + 12, z - 3 : z + 3] = 3000
    hu[labels == T12] += 500
    grading = grade_mask(phantom.mask, ct=Volume(hu, phantom.ct.affine))
    assert "Metal or cement" in warnings(grading, "L1")
    assert "unusually dense" in warnings(grading, "T12")
    assert "dense" not in warnings(grading, "L2")


def test_an_image_without_hounsfield_units_is_flagged(phantom: Phantom) -> None:
    rescaled = Volume((np.asarray(phantom.ct.data) + 1024).astype(np.int16), phantom.ct.affine)
    assert "does not look like CT in HU" in " ".join(grade_mask(phantom.mask, ct=rescaled).warnings)


def test_parts_of_a_vertebra_are_not_read_as_levels(phantom: Phantom) -> None:
    """SPINEPS numbers the parts of a vertebra 41-50; in TotalSegmentator's numbering these are T3 to C1."""
    data = np.zeros((40, 60, 40), dtype=np.int16)
    data[10:30, 30:55, 8:32] = 49
    data[12:28, 32:53, 10:30] = 50
    data[10:30, 18:30, 12:30] = 41
    data[17:23, 4:18, 10:28] = 42
    with pytest.raises(FileError, match="SPINEPS subregions"):
        measure_spine(Volume(data, np.eye(4)))


def test_the_upper_spine_in_totalsegmentators_numbering_is_still_read(phantom: Phantom) -> None:
    stacked = changed(phantom, lambda data: relabel(data, {17: 43, 18: 42, 19: 41, 20: 40, 21: 39, 22: 38}))
    assert [item.level for item in measure_spine(stacked).measured] == ["T1", "T2", "T3", "T4", "T5", "T6"]
