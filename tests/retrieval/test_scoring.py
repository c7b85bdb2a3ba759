"""Choosing the largest of many scores."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.scoring import _top


@pytest.mark.parametrize("kind", ["distinct", "tied", "mostly zero", "mostly forbidden", "rising", "equal"])
@pytest.mark.parametrize("number", [0, 1, 50, 3000, 60_000])
def test_the_largest_come_first_and_ties_by_place(kind: str, number: int) -> None:
    draw = np.random.default_rng(number)
    values = draw.random(number, dtype=np.float32)
    if kind == "tied":
        values = np.round(values, 2)
    elif kind == "mostly zero":
        values[draw.random(number) < 0.99] = 0
    elif kind == "mostly forbidden":
        values[draw.random(number) < 0.99] = -np.inf
    elif kind == "rising":
        values = np.sort(values)
    elif kind == "equal":
        values[:] = 0.5
    for k in (1, 10, 1000):
        assert _top(values, k).tolist() == np.argsort(-values, kind="stable")[:k].tolist()
