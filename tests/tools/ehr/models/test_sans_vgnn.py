from __future__ import annotations

import numpy as np
import pytest

from tools.ehr.models.sans import Sans, future_summary
from tools.ehr.models.sequences import Sequences, fit_scale
from tools.ehr.models.vgnn import Vgnn, graph_of
from tools.ehr.risk.metrics import auroc


@pytest.fixture(scope="module")
def data() -> tuple[Sequences, np.ndarray]:
    """1 where the third code's value is high; the other two are noise."""
    random = np.random.default_rng(0)
    n, length = 200, 8
    code = random.integers(1, 4, (n, length))
    code[:, 0] = np.where(random.uniform(size=n) < 0.5, 0, code[:, 0])
    y = (random.uniform(size=n) < 0.5).astype(float)
    value = random.normal(size=(n, length)).astype(np.float32)
    value = np.where(code == 3, value + 4 * y[:, None], value).astype(np.float32)
    value[code == 0] = np.nan
    hours = np.tile(np.linspace(40, 1, length, dtype=np.float32), (n, 1))
    return Sequences(code, value, hours, ("A", "B", "C")), y


def test_sansformer_learns(data: tuple[Sequences, np.ndarray]) -> None:
    records, y = data
    model = Sans(width=16)
    first = model.pretrain(records, epochs=2)
    assert first[-1] < first[0]
    model.fit(records, y, epochs=8)
    assert auroc(y, model.logits(records)[:, -1]) > 0.75


def test_the_past_does_not_move_when_the_future_does(data: tuple[Sequences, np.ndarray]) -> None:
    records, y = data
    model = Sans(width=16)
    model.fit(records, y, epochs=1)
    cut = 5
    code, value, hours = records.code.copy(), records.value.copy(), records.hours.copy()
    code[:, cut:] = code[::-1, cut:]
    value[:, cut:] = 50.0
    hours[:, cut:] = 0.5
    before = model.logits(records)
    after = model.logits(Sequences(code, value, hours, records.vocabulary))
    assert np.array_equal(before[:, :cut], after[:, :cut])
    assert not np.allclose(before[:, cut:], after[:, cut:])


def test_the_summary_is_of_the_future_window_only() -> None:
    code = np.array([[0, 1, 2, 1, 1]])
    value = np.array([[np.nan, 1.0, 5.0, 3.0, 9.0]], np.float32)
    hours = np.array([[0.0, 20, 15, 12, 1]], np.float32)
    records = Sequences(code, value, hours, ("A", "B"))
    mean, there = future_summary(records, np.nan_to_num(value), 10.0)
    assert there[0, 1].tolist() == [0, 1, 1]
    assert mean[0, 1].tolist() == [0, 3, 5]
    assert there[0, 3].tolist() == [0, 0, 0]  # the next value is 11 h away
    assert there[0, 0].sum() == 0  # padding


def test_vgnn_learns_and_ignores_codes_that_are_not_there(data: tuple[Sequences, np.ndarray]) -> None:
    records, y = data
    model = Vgnn(width=16)
    model.fit(records, y, epochs=10)
    assert auroc(y, model.logit(records)) > 0.75


def test_the_observed_codes_are_a_boolean_mask(data: tuple[Sequences, np.ndarray]) -> None:
    records, _ = data
    observed, values = graph_of(records, fit_scale(records))
    assert observed.dtype == bool
    for row in range(20):
        assert set(np.flatnonzero(observed[row]) + 1) == set(records.code[row]) - {0}
    assert np.all(values[~observed] == 0)
