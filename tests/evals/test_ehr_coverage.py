from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evals.ehr_coverage import held_out_unit, risk_coverage
from tests.tools.ehr.risk.build import small_sample, write_2012


def test_refused_rows_go_first_then_those_near_one_half() -> None:
    y = np.array([1.0, 0, 1, 0])
    p = np.array([0.9, 0.4, 0.1, 0.05])
    refused = np.array([False, False, True, False])
    curve = dict(risk_coverage(y, p, refused))
    assert curve[1.0] == pytest.approx(np.mean((y - p) ** 2))
    assert curve[0.8] == pytest.approx(np.mean((y - p)[[0, 1, 3]] ** 2))
    assert curve[0.2] == pytest.approx((y - p)[3] ** 2)


def test_a_unit_that_was_not_trained_on_gets_no_estimate(tmp_path: Path) -> None:
    found = held_out_unit(small_sample(write_2012(tmp_path / "set", stays=600)), 2)
    assert found["unknown_unit_without_estimate"] == 1.0
    assert float(str(found["known_units_without_estimate"])) < 0.1
    assert str(found["curve"]).startswith("[(1.0, ")
