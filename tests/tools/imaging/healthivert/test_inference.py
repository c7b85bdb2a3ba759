"""Painting a spine of boxes with an untrained network: the bookkeeping must hold whatever it paints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tools.imaging.healthivert.spines import TINY, box_spine
from tools.imaging.healthivert.before_after import draw_before_after
from tools.imaging.healthivert.inference import HealthyPainter, slices_at
from tools.imaging.healthivert.mask_band import extent
from tools.imaging.healthivert.steps import keep_synthesis_steps
from tools.imaging.healthivert.train import export, start


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> HealthyPainter:
    path: Path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    export(start(TINY), path, {"trained_on": "nothing"})
    return HealthyPainter(path)


def test_a_repainted_slice_grows_by_what_the_vertebra_gained(painter: HealthyPainter) -> None:
    spine = box_spine([20, 8, 22])
    before = slices_at(spine, [30, 31], 2)
    after = painter.repaint(before, 2)
    for old, new in zip(before, after, strict=True):
        assert new.painted is not None
        gained = new.painted[1] - new.painted[0] - 8
        assert gained >= 0
        assert len(new.ct) == len(new.bodies) == len(old.ct) + gained
        np.testing.assert_array_equal(new.ct[: new.painted[0]], old.ct[: new.painted[0]])
        np.testing.assert_array_equal(new.ct[new.painted[1] :], old.ct[new.painted[0] + 8 :])
        assert (extent(new.bodies, 1), extent(old.bodies, 1)) == ((40, 60), (40, 60))


def test_a_vertebra_higher_than_the_band_or_absent_stays(painter: HealthyPainter) -> None:
    spine = box_spine([20, 45, 22])
    before = slices_at(spine, [30, 0], 2)
    after = painter.repaint(before, 2)
    assert after[0] is before[0]
    assert after[1] is before[1]


def test_rows_can_be_kept_or_given(painter: HealthyPainter) -> None:
    before = slices_at(box_spine([20, 8, 22]), [30], 2)
    kept = painter.repaint(before, 2, keep_rows=True)[0]
    assert len(kept.ct) == len(before[0].ct)
    given = painter.repaint(before, 2, span=(60, 76), height=30)[0]
    assert given.painted == (60, 90)
    assert len(given.ct) == len(before[0].ct) + 14


def test_neighbours_are_repainted_before_the_target_and_losses_are_never_negative(painter: HealthyPainter) -> None:
    spine = box_spine([20, 8, 22])
    done = painter.synthesize(spine, "L2")
    assert done.laterals == (28, 30, 32, 34)  # a fifth of 19 to both sides of 31, every second
    middle = done.painted[len(done.painted) // 2]
    above = middle.bodies[: middle.painted[0]] if middle.painted else middle.bodies
    assert len(middle.ct) >= len(spine.ct)
    assert len(above) >= 66
    if done.rhlv is not None:
        assert min(done.rhlv.thirds) > -0.5
    again = painter.synthesize(spine, "L2")
    np.testing.assert_array_equal(again.painted[0].ct, done.painted[0].ct)


def test_the_order_is_upper_lower_target(painter: HealthyPainter, monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[int] = []
    repaint = HealthyPainter.repaint

    def noted(self: HealthyPainter, slices: object, value: int, *rest: object) -> object:
        painted.append(value)
        return repaint(self, slices, value)  # type: ignore[arg-type]

    monkeypatch.setattr(HealthyPainter, "repaint", noted)
    painter.synthesize(box_spine([20, 20, 20, 20]), "L2")
    assert painted == [1, 3, 2]


def test_repeated_samples_differ_and_follow_the_seed(painter: HealthyPainter) -> None:
    spine = box_spine([20, 12, 22])
    one, same = (painter.sampled_loss(spine, "L2", 3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.shape[1] == 3


def test_the_picture_shows_both_sides_and_its_mark(painter: HealthyPainter) -> None:
    import io

    from PIL import Image

    spine = box_spine([20, 8, 22])
    done = painter.synthesize(spine, "L2")
    plain = Image.open(io.BytesIO(draw_before_after([done], spine)))
    marked = Image.open(io.BytesIO(draw_before_after([done], spine, "SIMULATED")))
    assert plain.width > plain.height
    half = plain.width // 2
    orange = (np.asarray(plain.convert("RGB")).astype(int) @ [1, 0, -1]) > 120
    assert orange[:30, half:].any(), "SYNTHETIC must be burned into the painted side"
    assert not orange[:30, :half].any()
    assert ((np.asarray(marked.convert("RGB")).astype(int) @ [1, 0, -1]) > 120)[:30, :half].any()


def test_every_step_can_be_seen(painter: HealthyPainter, tmp_path: Path) -> None:
    names = keep_synthesis_steps(box_spine([20, 8, 22]), painter, tmp_path)
    levels = [f"{level}_{what}.png" for level in ("L1", "L2", "L3") for what in ("banded", "painted")]
    assert names == ("straightened.png", "bodies.png", *levels)
    assert {path.name for path in tmp_path.iterdir()} == set(names)
