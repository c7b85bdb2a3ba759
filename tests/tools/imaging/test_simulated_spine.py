"""The simulated spine: its truth is what is drawn, and a seed makes it again."""

from __future__ import annotations

import numpy as np
import pytest

from tools.imaging.compression import Squeeze, compress_levels, rim_loss, true_loss
from tools.imaging.fractures.heights import measure_spine
from tools.imaging.simulated_spine import SimulatedSpine, plan_spine, random_fracture, render
from tools.imaging.vertebra_shape import Fracture, endplates, true_heights

LEVELS = ("T10", "T11", "T12", "L1", "L2")
PAIR = {"T12": Fracture("wedge", 0.5), "L1": Fracture("crush", 0.3, 0.5)}


def spine(fractures: dict[str, Fracture] | None = None, seed: int = 3) -> SimulatedSpine:
    return render(plan_spine(seed, LEVELS, fractures, spacing_mm=(1.0, 1.0, 1.0)))


@pytest.fixture(scope="module")
def fractured() -> SimulatedSpine:
    return spine(PAIR)


def test_a_seed_makes_the_same_patient_again(fractured: SimulatedSpine) -> None:
    again = spine(PAIR)
    assert np.array_equal(again.ct.data, fractured.ct.data)
    assert np.array_equal(again.mask.data, fractured.mask.data)
    assert again.truth == fractured.truth
    assert plan_spine(4, LEVELS).shapes != plan_spine(3, LEVELS).shapes


def test_a_fracture_changes_its_own_level_only(fractured: SimulatedSpine) -> None:
    healthy = plan_spine(3, LEVELS)
    for level, shape in zip(healthy.levels, healthy.shapes, strict=True):
        truth = fractured.truth[level]
        assert truth.before == true_heights(shape, None)
        assert (truth.after == truth.before) == (level not in PAIR)
    assert fractured.truth["L1"].rhlv == pytest.approx((0.3, 0.3, 0.3), abs=1e-6)


def test_what_is_drawn_has_the_heights_that_are_promised(fractured: SimulatedSpine) -> None:
    measured = {item.level: item.heights for item in measure_spine(fractured.mask).measured}
    assert set(measured) == set(LEVELS)
    for level, heights in measured.items():
        assert heights == pytest.approx(fractured.truth[level].after, abs=1.0)


def test_compressed_bone_is_inside_the_mask_and_denser_than_soft_tissue(fractured: SimulatedSpine) -> None:
    ct, mask = np.asarray(fractured.ct.data), np.asarray(fractured.mask.data)
    assert ct[mask > 0].mean() > ct[(mask == 0) & (ct > -500)].mean() + 50


@pytest.mark.parametrize("grade", [1, 2, 3])
def test_a_random_fracture_has_the_grade_it_is_asked_for(grade: int) -> None:
    shape = plan_spine(1, ("L1",)).shapes[0]
    before = true_heights(shape, None)
    low, high = {1: (0.2, 0.25), 2: (0.25, 0.4), 3: (0.4, 0.6)}[grade]
    for seed in range(20):
        fracture = random_fracture(np.random.default_rng(seed), grade)
        at_the_points = max(rim_loss(fracture.kind, fracture.severity))
        assert low <= at_the_points <= high
        after = true_heights(shape, fracture)
        worst = max(1 - now / was for was, now in zip(before, after, strict=True))
        assert 0.7 * at_the_points < worst <= at_the_points + 0.01, "a third's mean is less than its rim"


def test_endplates_never_cross_in_the_worst_fracture() -> None:
    shape = plan_spine(2, ("T6",)).shapes[0]
    a, r = np.meshgrid(np.linspace(-12, 12, 25), np.linspace(-10, 10, 21))
    top, bottom = endplates(shape, Fracture("wedge", 0.75, 0.5), a, r)
    assert (top > bottom).all()


def test_levels_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="T1 to L5"):
        plan_spine(1, ("C7", "T1"))
    with pytest.raises(ValueError, match="hold every fracture"):
        plan_spine(1, ("T11", "T12"), {"L4": Fracture("wedge", 0.3)})


def test_an_adjacent_pair_can_be_compressed_geometrically() -> None:
    healthy = spine()
    before = {item.level: item for item in measure_spine(healthy.mask).measured}
    squeezes = [Squeeze(before["T12"], "wedge", 0.5), Squeeze(before["L1"], "crush", 0.3)]
    _, mask = compress_levels(healthy.ct, healthy.mask, squeezes)
    after = {item.level: item.heights for item in measure_spine(mask).measured}
    for squeeze in squeezes:
        level = squeeze.level
        loss = true_loss(squeeze.kind, squeeze.severity)
        wanted = [height * (1 - part) for height, part in zip(level.heights, loss, strict=True)]
        assert after[level.level] == pytest.approx(wanted, abs=1.0)
    for other in ("T10", "T11", "L2"):
        assert after[other] == pytest.approx(before[other].heights, abs=0.3)
