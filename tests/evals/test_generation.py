from __future__ import annotations

import numpy as np
import pytest
import torch

from evals.generation.closed_loop import LoopRow, Measured, prompts, score, wilson
from evals.generation.ct_reading import graded_twice
from evals.generation.measures import diversity, fidelity, frechet, kid_of, memory, mode_coverage, ms_ssim
from evals.generation.reader import ReadBody, ReaderNet, losses, read_film
from evals.generation.reader_train import examples_of
from tools.imaging.fractures.expected import usual_heights
from tools.imaging.generation.attributes import SpineAttributes, Wish
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
    heights = usual_heights(levels) / 1.5
    heights[2] *= 0.6
    bodies = tuple(ReadBody(level, (float(a), float(m), float(p))) for level, (a, m, p) in zip(levels, heights, strict=True))
    found = losses(bodies)
    assert max(found, key=lambda level: found[level]) == "L1"
    assert found["L1"] == pytest.approx(0.4, abs=0.06)
    assert losses(bodies[:2]) == {}


def test_an_untrained_reader_gives_a_reading_of_any_size() -> None:
    torch.manual_seed(0)
    reading = read_film(np.zeros((100, 90), dtype=np.float32), ReaderNet().eval())
    assert reading.view in ("frontal", "lateral", "left_oblique", "right_oblique")


def test_the_readers_examples_show_bodies_on_lateral_films_only() -> None:
    plain, frontal, rich, *obliques = examples_of(500_001)
    assert plain.body is not None
    assert rich.body is not None
    assert 500 < plain.body.sum() < 8000
    assert [example.body for example in (frontal, *obliques)] == [None] * 3
    assert len({example.view for example in (plain, frontal, *obliques)}) == 4
    # Both lateral films are of one patient, moved sideways: the bodies are the same.
    assert plain.body.sum() == pytest.approx(rich.body.sum(), rel=0.02)
    assert all(np.isfinite(example.film).all() and np.abs(example.film).max() <= 1 for example in (plain, rich, *obliques))
