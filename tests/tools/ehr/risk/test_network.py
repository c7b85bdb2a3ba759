from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import FileError
from tools.ehr.risk.metrics import auroc
from tools.ehr.risk.network import fit_network, load_network


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(900, 6)).astype(np.float32)
    y = (random.uniform(size=900) < 1 / (1 + np.exp(-4 * (np.abs(x[:, 0]) - 0.7)))).astype(float)
    x[random.uniform(size=x.shape) < 0.1] = np.nan
    x[:, 5] = 0  # a constant says nothing
    return x, y


def test_it_learns_what_a_line_cannot(data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    x, y = data
    network = fit_network(x[:600], y[:600], 1, 60, hidden=32, batch=32)
    assert auroc(y[600:], network.logit(x[600:])) > 0.7
    network.save(tmp_path / "n.safetensors")
    again = load_network(tmp_path / "n.safetensors")
    assert np.allclose(network.logit(x), again.logit(x), atol=0.02)


def test_contributions_add_up_exactly(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    network = fit_network(x, y, 2, 3, hidden=16)
    scores, sums = network.logit(x[:20]), network.contributions(x[:20]).sum(axis=1)
    assert np.allclose(scores - scores[0], sums - sums[0], atol=1e-5)
    assert np.allclose(network.contributions(x[:20])[:, 5], 0, atol=1e-6)


def test_the_same_seed_gives_the_same_network(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    assert np.array_equal(fit_network(x, y, 1, 2, hidden=8).logit(x), fit_network(x, y, 1, 2, hidden=8).logit(x))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "n.safetensors").write_bytes(b"nothing")
    with pytest.raises(FileError, match="does not hold a network"):
        load_network(tmp_path / "n.safetensors")
