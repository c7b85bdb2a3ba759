from __future__ import annotations

import json

import numpy as np
import pytest

from tools.ehr.risk.calibrate import METHODS, Array, Calibrator, Method, choose, fit, log_loss, sigmoid
from tools.ehr.risk.metrics import by_age


def drawn(n: int, bias: tuple[float, float, float], seed: int = 0) -> tuple[Array, Array, Array]:
    """Scores that are too low by `bias` of log-odds below 50, from 50 to 69, and from 70 years."""
    random = np.random.default_rng(seed)
    z, age = random.normal(-1.5, 1.2, n), random.uniform(20, 95, n)
    shift = np.array(bias)[np.digitize(age, [50, 70])]
    return z, (random.uniform(size=n) < sigmoid(z + shift)).astype(np.float64), age


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_json_and_gives_probabilities_that_rise(method: Method) -> None:
    z, y, age = drawn(3000, (0.3, 0.0, -0.2))
    fitted = fit(method, z, y, age)
    again = Calibrator(**json.loads(json.dumps(vars(fitted))))
    grid = np.linspace(-5, 4, 50)
    p = again.probability(grid, np.full(50, 61.0))
    assert np.array_equal(p, fitted.probability(grid, np.full(50, 61.0)))
    assert (np.diff(p) >= 0).all()
    assert ((p > 0) & (p < 1)).all()
    assert np.isfinite(again.probability(grid, np.full(50, np.nan))).all()


def test_an_offset_per_band_mends_what_age_bends() -> None:
    z, y, age = drawn(80000, (0.6, -0.5, 0.4))
    plain, banded = fit("logistic", z, y, age), fit("logistic_bands", z, y, age)
    new_z, new_y, new_age = drawn(80000, (0.6, -0.5, 0.4), seed=1)
    off = {name: max(abs(v - 1) for v in by_age(new_y, c.probability(new_z, new_age), new_age).values())
           for name, c in (("plain", plain), ("banded", banded))}  # fmt: skip
    assert off["plain"] > 0.15
    assert off["banded"] < 0.06


def test_the_offset_of_a_small_band_is_shrunk() -> None:
    z, y, age = drawn(4000, (0.0, 0.0, 0.0))
    few = np.concatenate([np.flatnonzero(age < 50)[:4], np.flatnonzero(age >= 50)])
    z, age, y = z[few], age[few], y[few]
    y[:4] = 1
    assert 0 < fit("logistic_bands", z, y, age).offsets[0] < 1.2


def test_the_method_that_is_fair_in_every_band_is_chosen_and_loses_nothing() -> None:
    z, y, age = drawn(8000, (0.5, 0.0, -0.4))
    calibrator, losses = choose(z, y, age, np.arange(8000))
    assert calibrator.method in ("logistic_age", "logistic_bands", "isotonic_age")
    assert set(losses) == set(METHODS)
    new_z, new_y, new_age = drawn(8000, (0.5, 0.0, -0.4), seed=1)
    assert log_loss(new_y, calibrator.probability(new_z, new_age)) < log_loss(new_y, sigmoid(new_z))
