from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from evals.generation.closed_loop import LoopRow, Measured, prompts, score, wilson
from evals.generation.ct_reading import graded_twice
from evals.generation.film_reading import ReadBody, losses, read_bodies
from evals.generation.measures import diversity, fidelity, frechet, kid_of, memory, mode_coverage, ms_ssim
from evals.generation.view_reader import VIEW_CLASSES, disturbed, shipped_view_reader, train, views_of
from tools.imaging.fractures.expected import usual_heights
from tools.imaging.generation.anatomy import Anatomy
from tools.imaging.generation.attributes import SpineAttributes, Wish
from tools.imaging.generation.dataset import spine_column
from tools.imaging.generation.film_model import make_body, make_film
from tools.imaging.generation.prompt import read_prompt
from tools.imaging.generation.volume_model import make_volume

RNG = np.random.default_rng(5)
REAL = RNG.normal(size=(60, 6))


def test_distances_are_zero_for_one_distribution_and_grow_with_the_gap() -> None:
    assert frechet(REAL, REAL) == pytest.approx(0, abs=1e-6)
    assert frechet(REAL, REAL + 2) == pytest.approx(24, rel=1e-6)
    units = REAL / np.linalg.norm(REAL, axis=1, keepdims=True)
    other = np.abs(units)
    assert kid_of(units, units[::-1], 1)[0] < kid_of(units, other, 1)[0]


def test_precision_and_recall_tell_a_lost_mode_from_a_wrong_one() -> None:
    two = np.concatenate([REAL, REAL + 30])
    lost = fidelity(two, REAL + RNG.normal(size=REAL.shape) * 0.1)
    assert lost.precision > 0.9
    assert lost.recall < 0.6
    assert mode_coverage(two, REAL, modes=2) == 0.5
    wrong = fidelity(REAL, REAL - 30)
    assert wrong.precision == wrong.recall == wrong.density == wrong.coverage == 0


def test_copies_of_training_pictures_are_found() -> None:
    held_out, training = RNG.normal(size=(40, 6)), REAL
    assert memory(training + 1e-3, training, held_out).share_nearer == 1
    assert memory(held_out, training, held_out).share_nearer <= 0.1


def test_ms_ssim() -> None:
    pictures = [RNG.normal(size=(64, 64)) for _ in range(4)]
    assert ms_ssim(pictures[0], pictures[0]) == pytest.approx(1)
    assert ms_ssim(pictures[0], pictures[1]) < 0.3
    assert diversity([pictures[0]] * 3) == pytest.approx(1)


def test_prompts_read_back_and_are_of_all_kinds() -> None:
    asked = prompts(40, 3)
    assert all(read_prompt(item.words).attributes == item.attributes for item in asked)
    assert {wish.kind for item in asked for wish in item.attributes.fractures} == {"wedge", "biconcave", "crush"}
    assert {item.view for item in asked} == {"lateral", "ap", "pa", "left_oblique", "right_oblique"}


def test_a_score_counts_what_was_not_measured_as_wrong() -> None:
    rows = [
        LoopRow(words="", levels=(Measured(level="L1", kind="wedge", asked=a, measured=m),), right=m is not None)
        for a, m in ((20, 22), (30, 29), (40, 43), (50, 50), (25, None))
    ]
    found = score(rows)
    assert found.correlation > 0.98
    assert (found.level_right, found.unmeasured, found.view_right) == (0.8, 1, None)
    assert wilson(100, 100)[0] == pytest.approx(0.963, abs=1e-3)


def test_the_ct_is_read_and_not_the_mask() -> None:
    """A CT painted without the fracture under a mask that has it must be found out."""
    asked = SpineAttributes(levels=("T11", "T12", "L1", "L2", "L3"), fractures=(Wish(level="L1", percent=45),))
    made = make_volume(asked, 4, size=48)
    by_mask, by_ct = ({item.level: max(item.rim_loss) for item in grades} for grades in graded_twice(made.ct, made.mask))
    assert by_mask["L1"] == pytest.approx(by_ct["L1"], abs=0.12)
    flat = type(made.ct)(np.full(made.ct.data.shape, 40, dtype=np.int16), made.ct.affine)
    blank = {item.level: max(item.rim_loss) for item in graded_twice(flat, made.mask)[1]}
    assert abs(blank.get("L1", 0.0) - by_mask["L1"]) > 0.1


def test_losses_of_read_bodies_need_no_mask() -> None:
    levels = ("T11", "T12", "L1", "L2", "L3")
    heights = usual_heights(levels)
    heights[2] *= 0.6
    bodies = tuple(ReadBody(level, (float(a), float(m), float(p))) for level, (a, m, p) in zip(levels, heights, strict=True))
    found = losses(bodies)
    assert max(found, key=lambda level: found[level]) == "L1"
    assert found["L1"] == pytest.approx(0.4, abs=0.06)
    assert losses(bodies[:2]) == {}


def test_a_fracture_is_seen_on_the_film_where_it_was_drawn() -> None:
    """The fracture is seen where it was drawn, and none on a film of the same spine without it."""
    asked = SpineAttributes(levels=("T12", "L1", "L2", "L3", "L4", "L5"), fractures=(Wish(level="L2", percent=40),))
    sound = asked.model_copy(update={"fractures": ()})
    body, whole = make_body(asked, 5), make_body(sound, 5)
    films = [make_film(made, asked, "lateral", 5, look="procedural").film for made in (body, whole)]

    def seen(film: np.ndarray, plan: Anatomy) -> dict[str, float]:
        column = spine_column(plan.grid, plan.patient, asked.shown_levels, 90.0)
        return losses(read_bodies(film, plan.patient, plan.grid, asked.shown_levels, column))

    drawn = seen(films[0], body)
    assert max(drawn, key=lambda level: drawn[level]) == "L2"
    assert drawn["L2"] == pytest.approx(0.4, abs=0.1)
    assert seen(films[1], whole)["L2"] < 0.12


def test_views_of_patients_it_never_saw_are_read() -> None:
    reader = shipped_view_reader()
    for view, film in zip(VIEW_CLASSES, views_of(990_001), strict=True):
        assert reader.read(film) == view
        assert reader.read(disturbed(film, np.random.default_rng(1))) == view


def test_the_view_reader_is_trained_by_its_command(tmp_path: Path) -> None:
    made = load_file(train(tmp_path, 2, 1, lambda line: None))
    assert made["weights"].shape == (4, 320)
    assert made["offsets"].shape == (4,)
