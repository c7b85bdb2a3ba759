"""The before/after picture beside a grading: the deformed levels painted as they may have been."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from tools.imaging.fractures.report import Grading
from tools.imaging.healthivert.before_after import draw_before_after
from tools.imaging.healthivert.inference import HealthyPainter, Synthesis, shipped_painter
from tools.imaging.healthivert.spine import PreparedSpine, prepare_spine
from tools.imaging.labels import LEVELS
from tools.imaging.volume import Volume

MOST_LEVELS = 4
_SAMPLES = 8
_IN_VIEW = 3


@dataclass(frozen=True)
class Illustration:
    """PNG, and per level the loss of the worst third by the synthesis with the range of repeated samples."""

    picture: bytes
    losses: dict[str, tuple[float, float, float]]


def illustrate(
    ct: Volume,
    labels: Volume,
    grading: Grading,
    mark: str = "",
    check: Callable[[], None] = lambda: None,
    levels: Collection[str] | None = None,
) -> Illustration | None:
    """Paint the worst of the deformed levels; None when none is deformed or none can be painted.

    Args:
        ct: HU.
        labels: the mask that was graded.
        grading: of that mask.
        mark: of the patient's image.
        check: called between steps; raises when the call was stopped.
        levels: only these; by default every deformed one.
    """
    worst = sorted((item for item in grading.graded if item.grade > 0), key=lambda item: -max(item.loss))
    deformed = [item for item in worst if levels is None or item.level in levels][:MOST_LEVELS]
    if not deformed:
        return None
    # A crop sees three vertebrae to both sides; straightening the rest would cost seconds for nothing.
    near = {LEVELS.index(item.level) + step for item in deformed for step in range(-_IN_VIEW, _IN_VIEW + 1)}
    names = {item.value: item.level for item in grading.measured if LEVELS.index(item.level) in near}
    if len(names) < 2:
        return None
    painter = shipped_painter()
    spine = prepare_spine(ct, labels, names)
    shown: list[Synthesis] = []
    losses: dict[str, tuple[float, float, float]] = {}
    for item in sorted(deformed, key=lambda item: LEVELS.index(item.level)):
        check()
        done = painter.synthesize(spine, item.level)
        if done.rhlv is not None:
            shown.append(done)
            losses[item.level] = (max(done.rhlv.thirds), *_range(painter, spine, item.level))
    if not shown:
        return None
    captions = {
        level: f"loss {100 * loss:.0f} % (samples {100 * low:.0f}-{100 * high:.0f})"
        for level, (loss, low, high) in losses.items()
    }
    return Illustration(draw_before_after(shown, spine, mark, captions), losses)


def _range(painter: HealthyPainter, spine: PreparedSpine, level: str) -> tuple[float, float]:
    """Lowest and highest loss of the worst third over repeated samples."""
    worst = painter.sampled_loss(spine, level, _SAMPLES, seed=1).max(axis=1, initial=0.0)
    return (float(np.min(worst)), float(np.max(worst))) if len(worst) else (float("nan"), float("nan"))
