"""Measures, differences between indexes, splits, and the figures of a small scale run."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import FileError
from evals import development
from evals.collections import collections
from evals.retrieval import METRICS, measures, rank_fusion
from evals.retrieval_diff import differences
from evals.retrieval_scale import measure
from retrieval.corpus import Document
from retrieval.index import Index
from retrieval.search import HybridSearch
from tests.fakes import WordEncoder


def test_measures_of_a_ranking_by_hand() -> None:
    values = dict(zip(METRICS, measures(["x", "a", "y", "b"], frozenset({"a", "b", "c"})), strict=True))
    ideal = 1 + 1 / 1.5849625 + 0.5
    assert values["nDCG@10"] == pytest.approx((1 / 1.5849625 + 1 / 2.3219281) / ideal)
    assert values["R@10"] == pytest.approx(2 / 3)
    assert [values[name] for name in ("MRR", "hit@1", "hit@10")] == [0.5, 0.0, 1.0]
    assert measures([], frozenset({"a"})) == (0.0,) * len(METRICS)


def test_plain_fusion() -> None:
    assert rank_fusion([["a", "b"], ["b", "c"]]) == ["b", "a", "c"]


def test_what_changed_between_two_generations_is_told_for_each_question(tmp_path: Path) -> None:
    index = Index(tmp_path / "papers", WordEncoder())
    index.add([Document(id="a", text="heart rate"), Document(id="b", text="bone mass")])
    index.add([Document(id="c", text="heart rate beats heart rate")])
    index.remove(["b"])
    queries = [("1", "heart rate beats"), ("2", "nothing of it")]
    before, after = HybridSearch(index, "000002"), HybridSearch(index)
    found = {one.id: one for one in differences(before, after, queries, {"1": frozenset({"c"})})}
    assert (found["1"].came, found["1"].left) == ((), ("b",))
    assert found["1"].before == found["1"].after == 1.0
    assert found["2"].before is None
    same = differences(after, HybridSearch(index), queries, {})
    assert all(one.same for one in same)


def test_unknown_collections_and_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="'x'; known: medlars"):
        list(collections(tmp_path, ["x"], -1, 0))
    with pytest.raises(FileError, match="'medlars' cannot be read"):
        list(collections(tmp_path, ["medlars"], -1, 0))


def test_every_second_article_is_for_testing() -> None:
    numbers = ["1", "2", "3"]
    assert [development.is_test_article(number, numbers) for number in numbers] == [False, True, False]


def test_a_scale_run_measures_recall_and_time(tmp_path: Path) -> None:
    outcome = measure(tmp_path, passages=400, questions=14)
    assert outcome.recall_at_10 == 1.0
    assert set(outcome.filtered_recall.values()) == {1.0}
    assert 0 < outcome.p50 <= outcome.p95
