"""The labeller's benchmark on a small drawn spine, and on one that it must refuse."""

from __future__ import annotations

import numpy as np

from evals.labelling import score_labels
from tools.imaging.simulated_spine import plan_spine, render
from tools.imaging.volume import Volume


def test_bodies_are_compared_by_place_whatever_they_were_called() -> None:
    drawn = render(plan_spine(5, ("T11", "T12", "L1", "L2", "L3"), spacing_mm=(2.0, 2.0, 2.0)))
    score = score_labels("drawn", drawn.ct, drawn.mask)
    assert [item.level for item in score.found] == ["T12", "L1", "L2"]
    assert {item.proposed for item in score.found} == {""}
    assert score.missed == ()
    assert score.extra == 0
    assert not score.settled
    for item in score.found:
        assert item.dice > 0.85
        assert item.centre_mm < 1.5
        assert item.height_mm is not None
        assert max(abs(v) for v in item.height_mm) < 3


def test_a_refusal_is_a_result() -> None:
    noise = np.clip(np.random.default_rng(1).normal(0, 300, (50, 50, 60)), -1000, 2000).astype(np.int16)
    grid = np.diag([3.0, 3.0, 3.0, 1.0])
    score = score_labels("noise", Volume(noise, grid), Volume(np.zeros(noise.shape, np.int16), grid))
    assert "nothing is labelled rather than guessed" in score.refused
    assert score.found == ()
