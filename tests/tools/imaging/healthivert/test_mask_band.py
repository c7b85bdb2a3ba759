"""The band hides how high the vertebra was."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.imaging.healthivert.spines import box_spine
from tools.imaging.healthivert.dataset import body_column, slice_of
from tools.imaging.healthivert.mask_band import Banded, band_rows, extent, hide, painted_rows, rejoin_index

_SIZE, _BAND = (160, 64), 40


def _hidden(height: int) -> Banded:
    spine = box_spine([22, 23, height, 24, 25])
    ct, bodies = slice_of(spine, 32)
    rows = extent(bodies, 3)
    assert rows is not None
    assert rows[1] - rows[0] == height
    return hide(ct, bodies, rows, body_column(bodies, 3), _SIZE, _BAND)


@pytest.mark.parametrize("height", [9, 15, 31])
def test_the_same_neighbours_give_the_same_input_whatever_the_height_of_the_target(height: int) -> None:
    one, other = _hidden(height), _hidden(22)
    np.testing.assert_array_equal(one.ct, other.ct)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert (one.height, other.height) == (height, 22)


def test_the_band_is_empty_and_the_target_is_in_no_row() -> None:
    hidden = _hidden(20)
    assert (hidden.ct[band_rows(160, _BAND)] == 0).all()
    assert not (hidden.labels == 3).any()
    assert set(np.unique(hidden.labels)) >= {0, 2, 4}


def test_beyond_the_image_is_air() -> None:
    spine = box_spine([20, 20])
    ct, bodies = slice_of(spine, 32)
    hidden = hide(ct, bodies, extent(bodies, 1) or (0, 0), 64, _SIZE, _BAND)
    assert hidden.ct.shape == _SIZE
    assert (hidden.ct[:20] == -1).all()


@pytest.mark.parametrize("height", [1, 20, 33, 40])
def test_rejoining_keeps_every_row_outside_the_band_and_the_middle_of_it(height: int) -> None:
    index = rejoin_index(160, _BAND, height)
    kept = index[index >= 0]
    assert len(index) == 160
    outside = [row for row in range(160) if not 60 <= row < 100]
    inner = painted_rows(160, _BAND, height)
    np.testing.assert_array_equal(kept, sorted([*outside, *range(inner.start, inner.stop)]))
    assert inner.stop - inner.start == height


def test_a_label_that_is_not_in_the_slice_has_no_extent() -> None:
    assert extent(np.zeros((5, 5), dtype=np.uint8), 1) is None
