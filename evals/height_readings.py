"""The neighbour model against expert readings of vertebral heights: `python -m evals.height_readings FOLDER`.

FOLDER holds one JSON file per patient, `{"Annotation": {reader: [vertebra, ...]}}`, a vertebra being six points
(x, slice, y): upper and lower end of its anterior, middle and posterior height, from head to foot. Spacing is not given, so
all is relative. Nothing is fitted to these readings. Levels are not given either; the first is taken for T4.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.imaging.fractures.expected import predict, sound_neighbours
from tools.imaging.fractures.genant import most_probable_grade
from tools.imaging.labels import LEVELS

Array = NDArray[np.float64]
_NAMES = LEVELS[LEVELS.index("T4") :]
_SAME = 0.4
"""Two readers' points belong to the same vertebra when their centres are closer than this share of its height."""
_DEFORMED = 0.12
_USUAL_MM = 21.0


@dataclass(frozen=True)
class Reading:
    """One reader's spine: centres (n, 2) in pixels, heights (n, 3) scaled to about mm."""

    centres: Array
    heights: Array


def read(folder: Path) -> list[list[Reading]]:
    """All readings, by patient."""
    patients = []
    for path in sorted(folder.rglob("*.json")):
        annotation = json.loads(path.read_text(encoding="utf-8")).get("Annotation", {})
        patients.append([_reading(np.array(points, dtype=float)[: len(_NAMES)]) for points in annotation.values()])
    return patients


def _reading(points: Array) -> Reading:
    flat = points[:, :, [0, 2]]
    heights = np.linalg.norm(flat[:, 0::2] - flat[:, 1::2], axis=2)
    return Reading(flat.mean(axis=1), heights * _USUAL_MM / np.median(heights))


def disagreement(patients: list[list[Reading]]) -> Array:
    """Relative difference of two readers on the same vertebra, (n, 3); each is scaled by its own spine first."""
    found = []
    for readings in patients:
        for one, other in combinations(readings, 2):
            for centre, heights in zip(one.centres, one.heights, strict=True):
                away = np.linalg.norm(other.centres - centre, axis=1)
                near = int(away.argmin())
                if away[near] < _SAME * heights.mean():
                    found.append((heights - other.heights[near]) / ((heights + other.heights[near]) / 2))
    return np.array(found)


def model_errors(patients: list[list[Reading]], *, own: bool) -> Iterator[Array]:
    """Relative error (3,) of the expected height of every vertebra that the others do not show as deformed."""
    for readings in patients:
        for reading in readings:
            count = len(reading.heights)
            for number in range(count):
                others = [n for n in range(count) if n != number]
                levels, heights = [_NAMES[n] for n in others], reading.heights[others]
                sound = sound_neighbours(levels, heights)
                if sound.sum() < 2:
                    continue
                used = [name for name, keep in zip(levels, sound, strict=True) if keep]
                mine = reading.heights[number]
                from_others, _ = predict(used, heights[sound], _NAMES[number])
                if ((mine - from_others) / from_others).min() < -_DEFORMED:
                    continue
                expected = predict(used, heights[sound], _NAMES[number], mine)[0] if own else from_others
                yield (mine - expected) / expected


def graded(patients: list[list[Reading]]) -> Array:
    """Per reading of a vertebra its own loss (lowest against highest of its heights) and the grade it would get, (n, 2)."""
    rows = []
    for reading in (reading for readings in patients for reading in readings):
        count = len(reading.heights)
        for number in range(count):
            others = [n for n in range(count) if n != number]
            levels, heights = [_NAMES[n] for n in others], reading.heights[others]
            sound = sound_neighbours(levels, heights)
            used = [name for name, keep in zip(levels, sound, strict=True) if keep]
            mine = reading.heights[number]
            expected = predict(used, heights[sound], _NAMES[number], mine)[0]
            # The readings are Genant's six points already: nothing is continued to the rims.
            rows.append((1 - mine.min() / mine.max(), most_probable_grade(float(((expected - mine) / expected).max()))))
    return np.array(rows)


def main() -> None:
    """Print mean absolute relative differences, and the grades against each vertebra's own loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    patients = read(parser.parse_args().folder)
    readers = np.abs(disagreement(patients))
    rows = [("two readers, all vertebrae", readers)]
    for own, name in ((False, "neighbours alone, not deformed"), (True, "with the vertebra's own shape, not deformed")):
        rows.append((name, np.abs(np.array(list(model_errors(patients, own=own))))))
    print(f"{len(patients)} patients. Mean absolute relative difference, percent:")
    print(f"{'':46}{'n':>6}{'anterior':>10}{'middle':>8}{'posterior':>11}{'all':>7}")
    for name, values in rows:
        cells = 100 * values.mean(axis=0)
        print(f"{name:46}{len(values):6d}{cells[0]:10.1f}{cells[1]:8.1f}{cells[2]:11.1f}{100 * values.mean():7.1f}")
    rows_graded = graded(patients)
    print("\nGrades that the readings get, by the vertebra's own loss (lowest against highest of its three heights):")
    for low, high in pairwise((0.0, 0.1, 0.15, 0.2, 0.25, 0.4, 1.0)):
        grades = rows_graded[(rows_graded[:, 0] >= low) & (rows_graded[:, 0] < high), 1].astype(int)
        counts = " ".join(f"{n:6d}" for n in np.bincount(grades, minlength=4))
        print(f"  {100 * low:3.0f} to {100 * high:3.0f} %: {len(grades):6d} readings, grade 0 to 3: {counts}")


if __name__ == "__main__":
    main()
