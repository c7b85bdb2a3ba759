"""The neighbour model, its explanation and the map, on heights and shapes that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tools.imaging.fractures.expected import predict, sound_neighbours, usual_heights
from tools.imaging.fractures.explain import explain
from tools.imaging.fractures.loss_map import draw_map, loss_map
from tools.imaging.fractures.own_shape import weigh
from tools.imaging.fractures.report import Grading, grade_mask
from tools.imaging.fractures.steps import keep_steps
from tools.imaging.labels import LEVELS
from tools.imaging.phantom import spine_phantom

NAMES = LEVELS[LEVELS.index("T6") : LEVELS.index("L4") + 1]


@pytest.fixture(scope="module")
def graded() -> Grading:
    loss = {"T12": (0.42, 0.18, 0.0), "L1": (0.3, 0.3, 0.3)}
    return grade_mask(spine_phantom(spacing_mm=(1.5, 1.5, 1.5), loss=loss).mask)


def test_a_larger_patient_is_expected_larger() -> None:
    heights = 1.2 * usual_heights(NAMES)
    keep = [n for n, name in enumerate(NAMES) if name != "T11"]
    mean, deviation = predict([NAMES[n] for n in keep], heights[keep], "T11")
    assert mean == pytest.approx(heights[NAMES.index("T11")], rel=0.01)
    assert (deviation < 0.05).all()


@pytest.mark.parametrize("fractured", [("T12",), ("T12", "L1"), ("L3", "L4"), ("T6", "T7"), ("T8", "T12", "L1", "L2")])
def test_fractured_neighbours_are_left_out(fractured: tuple[str, ...]) -> None:
    heights = usual_heights(NAMES)
    for name in fractured:
        heights[NAMES.index(name)] *= (0.7, 0.75, 0.8)
    sound = sound_neighbours(NAMES, heights)
    assert {name for name, keep in zip(NAMES, sound, strict=True) if not keep} == set(fractured)


def test_far_neighbours_say_less() -> None:
    heights = usual_heights(NAMES)
    near = predict(("T12", "L2"), heights[[6, 8]], "L1")[1]
    far = predict(("T6", "T7"), heights[[0, 1]], "L1")[1]
    assert (far > 1.2 * near).all()


def test_a_back_wall_that_kept_its_height_says_how_large_the_vertebra_is() -> None:
    mean, covariance = np.log(np.full(3, 20.0)), 0.04**2 * (0.8 * np.ones((3, 3)) + 0.2 * np.eye(3))
    wedge = np.log(20.0 * 1.06 * np.array([0.6, 0.8, 1.0]))
    crush = np.log(20.0 * np.array([0.7, 0.7, 0.7]))
    from_wedge, _ = weigh(mean, covariance, wedge, 0.015)
    from_crush, _ = weigh(mean, covariance, crush, 0.015)
    assert np.exp(from_wedge)[0] > 20.5
    assert np.exp(from_crush) == pytest.approx([20.0] * 3, rel=0.02)


def test_the_explanation_answers_why_and_what_if(graded: Grading) -> None:
    item = next(item for item in graded.graded if item.level == "T12")
    why = explain(item, graded.measured)
    assert why.grade == item.grade >= 2
    assert why.worst == "anterior"
    assert why.left_out_as_low == ("L1",)
    assert [entry.neighbour for entry in why.without] == list(item.expected.neighbours)
    assert "T12" not in why.neighbours
    for entry in why.without:
        assert entry.shift_mm is not None
        assert entry.rhlv_worst is not None
        assert abs(entry.shift_mm) < 1.0
        assert entry.rhlv_worst == pytest.approx(why.rhlv, abs=0.05)
    assert f"{why.expected_mm:.1f} mm" in why.text
    assert "Left out as low themselves: L1" in why.text


def test_leaving_out_a_neighbour_says_when_nothing_is_left() -> None:
    two = grade_mask(spine_phantom(("T12", "L1"), spacing_mm=(1.5, 1.5, 1.5)).mask)
    why = explain(two.graded[1], two.measured)
    assert all(entry.grade is None for entry in why.without)
    assert "could not be graded without T12" in why.text


def test_the_map_shows_the_loss_where_it_is(graded: Grading) -> None:
    item = next(item for item in graded.graded if item.level == "T12")
    body, loss = item.measured.body, loss_map(item)
    middle = np.abs(body.right) < 8
    place = (body.anterior - body.back) / (body.front - body.back)
    front = np.nanmean(loss[(place > 0.75) & (place < 0.92)][:, middle])
    back = np.nanmean(loss[(place > 0.08) & (place < 0.25)][:, middle])
    assert front > back + 0.2
    assert draw_map(item)[:4] == b"\x89PNG"


def test_the_steps_can_be_retraced(graded: Grading, tmp_path: Path) -> None:
    keep_steps(graded, tmp_path / "steps")
    item = graded.graded[0]
    with np.load(tmp_path / "steps" / f"{item.level}.npz") as arrays:
        height = arrays["upper_endplate_mm"] - arrays["lower_endplate_mm"]
        assert height.shape == (len(arrays["anterior_mm"]), len(arrays["right_mm"]))
        assert np.nanmedian(height) == pytest.approx(np.mean(item.measured.heights), abs=1.5)
    explained = json.loads((tmp_path / "steps" / "explain.json").read_text())
    assert [entry["level"] for entry in explained] == [item.level for item in graded.graded]
