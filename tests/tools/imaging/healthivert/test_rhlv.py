"""RHLV of masks whose heights are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.imaging.healthivert.rhlv import central_slices, relative_height_loss

Mask = NDArray[np.bool_]


def _mask(columns: list[int], width: int = 11) -> Mask:
    """A body whose column heights, front to back, are given; the same in every slice."""
    mask = np.zeros((60, len(columns) + 6, width + 4), dtype=bool)
    for number, height in enumerate(columns):
        mask[10 : 10 + height, 3 + number, 2 : 2 + width] = True
    return mask


def test_a_wedge_loses_in_front() -> None:
    found = relative_height_loss(_mask([15] * 4 + [18] * 4 + [20] * 4), _mask([20] * 12))
    assert found is not None
    assert found.thirds == pytest.approx((0.25, 0.10, 0.0), abs=1e-6)
    assert found.all == pytest.approx(1 - (15 + 18 + 20) / 60, abs=1e-6)
    assert found.original_mm == (15, 18, 20)
    assert found.synthetic_mm == (20, 20, 20)


def test_spacing_changes_heights_and_not_losses() -> None:
    one, two = (relative_height_loss(_mask([12] * 12), _mask([20] * 12), spacing) for spacing in (1.0, 0.5))
    assert one is not None
    assert two is not None
    assert two.synthetic_mm == (10, 10, 10)
    assert one.thirds == pytest.approx(two.thirds, abs=1e-6)
    assert one.thirds == pytest.approx((0.4, 0.4, 0.4), abs=1e-6)


def test_rounded_rims_are_left_out_of_both_masks() -> None:
    found = relative_height_loss(_mask([3, *[16] * 10, 4]), _mask([5, *[20] * 10, 6]))
    assert found is not None
    assert found.thirds == pytest.approx((0.2, 0.2, 0.2), abs=1e-6)


def test_what_was_painted_is_never_lower_than_what_is_there() -> None:
    """The largest original height of the front is 24, the largest painted one 20: painted heights there count 1.2-fold."""
    found = relative_height_loss(_mask([24, 20, 20, 20] + [20] * 8), _mask([20] * 12))
    assert found is not None
    assert found.pre == pytest.approx((24 - 21) / 24, abs=1e-6)
    assert found.mid == pytest.approx(0, abs=1e-6)
    assert found.synthetic_mm[0] == pytest.approx(24)


def test_the_cuts_follow_the_painted_mask() -> None:
    """The original is one column deeper in front than the painted body: that column belongs to no third."""
    original, painted = _mask([10, *[20] * 12]), _mask([0, *[20] * 12])
    found = relative_height_loss(original, painted)
    assert found is not None
    assert found.thirds == pytest.approx((0, 0, 0), abs=1e-6)


def test_slices_are_a_fifth_of_the_width_to_both_sides_of_the_mean() -> None:
    assert central_slices(_mask([20] * 6, width=21)) == list(range(8, 17))
    assert central_slices(np.zeros((3, 3, 3), dtype=bool)) == []


def test_a_body_that_is_not_there_has_no_loss() -> None:
    empty = np.zeros((60, 18, 15), dtype=bool)
    assert relative_height_loss(empty, empty) is None
    assert relative_height_loss(_mask([20] * 12), np.zeros_like(_mask([20] * 12))) is None
