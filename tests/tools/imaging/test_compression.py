from __future__ import annotations

import numpy as np
import pytest

from tools.imaging.compression import Kind, compress, loss_profile, true_loss
from tools.imaging.fractures.heights import Measured, measure_spine
from tools.imaging.phantom import Phantom, spine_phantom

LEVELS = ("T11", "T12", "L1")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return spine_phantom(LEVELS)


def _levels(phantom: Phantom) -> dict[str, Measured]:
    return {item.level: item for item in measure_spine(phantom.mask).measured}


@pytest.mark.parametrize("kind", ["wedge", "biconcave", "crush"])
@pytest.mark.parametrize("severity", [0.25, 0.45])
def test_what_is_measured_afterwards_is_what_was_done(phantom: Phantom, kind: Kind, severity: float) -> None:
    before = _levels(phantom)["T12"]
    made = compress(phantom.ct, phantom.mask, before, kind, severity)
    after = {item.level: item for item in measure_spine(made.mask).measured}["T12"]
    measured = [1 - b / a for a, b in zip(before.heights, after.heights, strict=True)]
    assert measured == pytest.approx(made.loss, abs=0.05)


def test_the_neighbours_keep_every_voxel(phantom: Phantom) -> None:
    made = compress(phantom.ct, phantom.mask, _levels(phantom)["T12"], "crush", 0.5)
    before, after = np.asarray(phantom.mask.data), np.asarray(made.mask.data)
    for value in np.unique(before[(before > 0) & (before != 19)]):
        np.testing.assert_array_equal(after == value, before == value)
    assert (after == 19).sum() < (before == 19).sum()


def test_squeezed_bone_is_denser(phantom: Phantom) -> None:
    made = compress(phantom.ct, phantom.mask, _levels(phantom)["T12"], "crush", 0.5)
    assert made.ct is not None
    inside = np.asarray(made.mask.data) == 19
    assert (
        np.asarray(made.ct.data)[inside].mean()
        > 1.5 * np.asarray(phantom.ct.data)[np.asarray(phantom.mask.data) == 19].mean()
    )


def test_no_severity_changes_nothing_but_resampling(phantom: Phantom) -> None:
    made = compress(None, phantom.mask, _levels(phantom)["T12"], "wedge", 0.0)
    assert made.ct is None
    assert made.loss == (0.0, 0.0, 0.0)
    assert (np.asarray(made.mask.data) != np.asarray(phantom.mask.data)).mean() < 1e-3


def test_shapes_lose_height_where_their_name_says() -> None:
    place = np.linspace(0, 1, 101)
    assert loss_profile("wedge", 0.4, place)[[0, -1]].tolist() == [0.0, 0.4]
    assert loss_profile("biconcave", 0.4, place).argmax() == 50
    assert np.ptp(loss_profile("crush", 0.4, place)) == 0
    anterior, middle, posterior = true_loss("wedge", 0.4)
    assert anterior > middle > posterior


@pytest.mark.parametrize("severity", [-0.1, 0.71])
def test_severities_beyond_the_method_are_refused(phantom: Phantom, severity: float) -> None:
    with pytest.raises(ValueError, match=r"within 0 to 0\.7"):
        compress(None, phantom.mask, _levels(phantom)["T12"], "wedge", severity)
