from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evals.ehr_coverage import UNITS, by_unit, measures, rises, risk_coverage
from tests.tools.ehr.risk.build import small_sample, write_2012


def test_rows_of_most_doubt_go_first() -> None:
    y = np.array([1.0, 0, 1, 0])
    p = np.array([0.9, 0.4, 0.1, 0.05])
    curve = dict(risk_coverage(y, p, np.array([0.1, 0.2, 0.9, 0.05])))
    assert curve[1.0] == pytest.approx(np.mean((y - p) ** 2))
    assert curve[0.8] == pytest.approx(np.mean((y - p)[[0, 1, 3]] ** 2))
    assert curve[0.2] == pytest.approx((y - p)[3] ** 2)


def test_a_rise_is_counted_where_leaving_out_makes_it_worse() -> None:
    assert rises([(1.0, 0.3), (0.5, 0.2), (0.3, 0.25), (0.1, 0.1)]) == 1
    assert rises([(1.0, 0.3), (0.5, 0.3)]) == 0


def test_distance_draws_the_doubt_towards_the_base_rate() -> None:
    p, far = np.array([0.02, 0.02]), np.array([0.0, 1.0])
    refused = np.array([False, True])
    found = measures(p, p, p, far, refused, 0.3)
    drawn = found["expected loss, drawn to the base rate by distance"]
    assert drawn[0] == pytest.approx(0.02 * 0.98)
    assert drawn[1] > drawn[0]
    assert found["refused first, then expected loss"][1] > 1
    assert found["expected loss"][0] == found["expected loss"][1]


def test_each_unit_is_judged_by_a_measure_that_it_did_not_choose(tmp_path: Path) -> None:
    found = by_unit(small_sample(write_2012(tmp_path / "set", stays=500)), 30)
    assert set(found) == set(UNITS.values())
    for row in found.values():
        assert isinstance(row, dict)
        assert row["chosen"] in row["rises and area by measure"]
        assert row["of the unseen unit"] == 125
        assert len(row["curve"]) == 10
