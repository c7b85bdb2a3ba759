"""Genant grade from the three height losses: standardised, linear, class-balanced support vectors, kept as JSON.

scikit-learn's `SVC` is one-against-one; its planes are written out and voted here, so that a model is readable and needs
no pickle.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError
from core.types import Frozen
from tools.imaging.healthivert.config import GRADES_NAME

Array = NDArray[np.float64]


class GradeSvm(Frozen):
    """Planes in standardised [pre, mid, post]; plane k tells the k-th pair of `classes` apart, positive for the first."""

    classes: tuple[int, ...]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    planes: tuple[tuple[float, float, float], ...]
    offsets: tuple[float, ...]
    examples: int

    def grade(self, thirds: tuple[float, float, float]) -> int:
        """The grade with the most votes; of equals the lower one, as scikit-learn does."""
        x = (np.array(thirds) - self.mean) / self.scale
        votes = dict.fromkeys(self.classes, 0)
        for (one, other), plane, offset in zip(combinations(self.classes, 2), self.planes, self.offsets, strict=True):
            votes[one if float(x @ np.array(plane)) + offset > 0 else other] += 1
        return max(self.classes, key=lambda grade: (votes[grade], -grade))


def fit_grades(losses: Array, grades: Sequence[int]) -> GradeSvm:
    """Fit on RHLV [pre, mid, post], shape (n, 3), and Genant grades.

    Raises:
        FileError: fewer than two different grades.
    """
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    if len(set(grades)) < 2:
        raise FileError(f"Grades can only be fitted on two or more of them, got {sorted(set(grades))}.")
    scaler = StandardScaler().fit(losses)
    machine = SVC(kernel="linear", class_weight="balanced", decision_function_shape="ovo").fit(
        scaler.transform(losses), grades
    )
    # With two classes scikit-learn gives one plane, positive for the second: turn it to the convention of the others.
    sign = -1.0 if len(machine.classes_) == 2 else 1.0
    return GradeSvm(
        classes=tuple(int(grade) for grade in machine.classes_),
        mean=_three(scaler.mean_),
        scale=_three(scaler.scale_),
        planes=tuple(_three(sign * plane) for plane in machine.coef_),
        offsets=tuple(float(sign * value) for value in machine.intercept_),
        examples=len(grades),
    )


def shipped_grades() -> GradeSvm | None:
    """The planes that ship with the weights; None when the weights came without."""
    with as_file(files("tools.imaging.healthivert") / "weights" / GRADES_NAME) as path:
        return load_grades(path) if path.is_file() else None


def load_grades(path: Path) -> GradeSvm:
    """Read planes that `consilium fracture train` wrote.

    Raises:
        FileError: the file is not there or is no such file.
    """
    try:
        return GradeSvm.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"The grade planes {path.name!r} cannot be read: {error}.") from error


def _three(values: Array) -> tuple[float, float, float]:
    a, m, p = (round(float(value), 6) for value in values)
    return a, m, p
