"""`--keep-steps`: what each step of the measurement saw, one folder per run, so that a grade can be retraced by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tools.imaging.fractures.explain import Explanation, explain
from tools.imaging.fractures.genant import Graded
from tools.imaging.fractures.loss_map import draw_map, loss_map
from tools.imaging.fractures.report import Grading


def keep_steps(grading: Grading, folder: Path) -> tuple[Explanation, ...]:
    """Write per level `LEVEL.npz` and `LEVEL_map.png`, and `explain.json` for all; returns the explanations.

    The arrays are the frame, and endplates (mm) and loss over (anterior, right).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for item in grading.graded:
        _arrays(item, folder / f"{item.level}.npz")
        (folder / f"{item.level}_map.png").write_bytes(draw_map(item))
    explained = explain_all(grading)
    text = json.dumps([entry.model_dump() for entry in explained], indent=1)
    (folder / "explain.json").write_text(text, encoding="utf-8")
    return explained


def explain_all(grading: Grading) -> tuple[Explanation, ...]:
    """An explanation of every graded level."""
    return tuple(explain(item, grading.measured) for item in grading.graded)


def _arrays(item: Graded, path: Path) -> None:
    body = item.measured.body
    np.savez_compressed(
        path,
        origin_ras_mm=body.frame.origin,
        axes_anterior_right_superior=body.frame.axes,
        anterior_mm=body.anterior,
        right_mm=body.right,
        upper_endplate_mm=body.top,
        lower_endplate_mm=body.bottom,
        loss=loss_map(item),
        back_front_mm=np.array([body.back, body.front]),
    )
