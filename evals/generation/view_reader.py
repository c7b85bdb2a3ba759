"""Reads the view of a film: a linear classifier on the film reduced to a few hundred pixels.

Trained by `python -m evals.generation.view_reader OUT` on plain projections of drawn patients of its own seeds, which
neither the generator's training nor the benchmark uses; never on what the generator paints.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tools.imaging.generation.anatomy import voxelise
from tools.imaging.generation.captions import random_attributes
from tools.imaging.generation.dataset import body_grid, film_window, spine_column
from tools.imaging.generation.film_model import PIXEL_MM
from tools.imaging.generation.patient import draw_patient
from tools.imaging.generation.projection import develop, project

Array = NDArray[np.float32]
VIEW_CLASSES = ("frontal", "lateral", "left_oblique", "right_oblique")
"""AP and PA are one class: with a parallel beam they are the same picture."""
WEIGHTS = Path(__file__).parent / "weights" / "view.safetensors"
FIRST_SEED = 500_000
_AZIMUTHS = (0.0, 90.0, 45.0, -45.0)
_ROWS, _COLUMNS = 16, 20
_COARSE_MM = 4.0
_DISTURBED = 6
"""Disturbed copies of each training film."""


@dataclass(frozen=True)
class ViewReader:
    """Weights (classes, pixels) and offsets (classes,) on standardised, reduced films."""

    weights: NDArray[np.float64]
    offsets: NDArray[np.float64]

    def read(self, film: Array) -> str:
        """The view of a film of any size, bone bright."""
        return VIEW_CLASSES[int((self.weights @ reduced(film) + self.offsets).argmax())]


def reduced(film: Array) -> NDArray[np.float64]:
    """A film as (320,) numbers of mean 0 and deviation 1."""
    small = Image.fromarray(np.asarray(film, dtype=np.float32)).resize((_COLUMNS, _ROWS), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float64).ravel()
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-6), dtype=np.float64)


@lru_cache(maxsize=1)
def shipped_view_reader() -> ViewReader:
    """The reader with the weights in this package."""
    from safetensors.numpy import load_file

    stored = load_file(WEIGHTS)
    return ViewReader(stored["weights"].astype(np.float64), stored["offsets"].astype(np.float64))


def views_of(seed: int) -> list[Array]:
    """Films of one drawn patient at the views of `VIEW_CLASSES`, coarsely computed, each moved sideways at random."""
    attributes = random_attributes(seed, most_fractures=3)
    patient = draw_patient(attributes, seed)
    anatomy = voxelise(patient, body_grid(patient, attributes.shown_levels, _COARSE_MM))
    rng = np.random.default_rng([seed, 21])
    films = []
    for azimuth in _AZIMUTHS:
        path = ndimage.zoom(project(anatomy.plain, _COARSE_MM, azimuth), _COARSE_MM / PIXEL_MM, order=1)
        column = spine_column(anatomy.grid, patient, attributes.shown_levels, azimuth) * _COARSE_MM / PIXEL_MM
        films.append(film_window(develop(np.asarray(path, dtype=np.float32), PIXEL_MM), column + rng.uniform(-6, 6)))
    return films


def disturbed(film: Array, rng: np.random.Generator) -> Array:
    """Another part, contrast, blur, grain and uneven shade."""
    rows, columns = film.shape
    top, bottom = (int(rng.integers(0, rows // 8 + 1)) for _ in range(2))
    shift = int(rng.integers(-8, 9))
    made: NDArray[np.floating] = np.roll(film[top : rows - bottom], shift, axis=1)
    made = np.sign(made) * np.abs(made) ** rng.uniform(0.7, 1.4) * rng.uniform(0.6, 1.4) + rng.uniform(-0.2, 0.2)
    shade = ndimage.zoom(rng.normal(size=(4, 4)), (made.shape[0] / 4, columns / 4), order=1)
    made = made + rng.uniform(0, 0.15) * shade[: made.shape[0], :columns]
    return np.asarray(made + rng.uniform(0, 0.1) * rng.normal(size=made.shape), dtype=np.float32)


def train(out: Path, patients: int, seed: int, say: Callable[[str], None]) -> Path:
    """Draw the patients, fit a logistic regression, write `view.safetensors`."""
    from safetensors.numpy import save_file
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng([seed, 22])
    rows, classes = [], []
    for number in range(patients):
        for view, film in enumerate(views_of(FIRST_SEED + number)):
            rows += [reduced(film), *(reduced(disturbed(film, rng)) for _ in range(_DISTURBED))]
            classes += [view] * (1 + _DISTURBED)
        if number % 20 == 0:
            say(f"patient {number + 1} of {patients}")
    fitted = LogisticRegression(C=0.01, max_iter=500).fit(np.array(rows), np.array(classes))
    out.mkdir(parents=True, exist_ok=True)
    about = {"patients": str(patients), "seed": str(seed)}
    path = out / WEIGHTS.name
    # scikit-learn gives columns first, which safetensors would write as they lie.
    weights, offsets = (np.ascontiguousarray(part, dtype=np.float32) for part in (fitted.coef_, fitted.intercept_))
    save_file({"weights": weights, "offsets": offsets}, path, metadata=about)
    return path


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--patients", type=int, default=120)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    print(train(arguments.out, arguments.patients, arguments.seed, lambda line: print(line, flush=True)))


if __name__ == "__main__":
    main()
