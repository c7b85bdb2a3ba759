from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import FileError, InputError
from evals.images.disturb import DISTURBANCES
from evals.images.encoders import baselines
from evals.images.operating import judge, threshold_for
from evals.images.probes import (
    Split,
    auroc,
    knn_scores,
    linear_probe,
    macro_auroc,
    retrieval,
    stratified_share,
    with_interval,
)
from evals.images.run import measure, read_split
from tests.retrieval.images.build import kind_of_film


def clusters(count: int, seed: int) -> Split:
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    vectors = generator.normal(size=(count, 8)) + 3 * labels[:, None]
    return Split(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels.astype(np.int64))


def test_auroc_counts_pairs() -> None:
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.35, 0.35])
    pairs = [(p, n) for p in (0.4, 0.35) for n in (0.1, 0.35)]
    assert auroc(labels, scores) == pytest.approx(np.mean([(p > n) + 0.5 * (p == n) for p, n in pairs]))
    assert np.isnan(auroc(np.ones(3, dtype=np.int64), np.arange(3.0)))
    three = np.array([0, 1, 2, 0, 1, 2])
    assert macro_auroc(three, np.eye(3)[three], np.arange(3)) == 1


def test_separable_vectors_score_high_and_shuffled_labels_do_not() -> None:
    train, test = clusters(80, 1), clusters(60, 2)
    scores, classes = knn_scores(train, test)
    assert auroc(test.labels, scores[:, 1]) > 0.95
    assert classes.tolist() == [0, 1]
    assert auroc(test.labels, linear_probe(train, 1.0).scores(test.vectors)) > 0.95
    shuffled = Split(train.vectors, np.random.default_rng(0).permutation(train.labels))
    assert auroc(test.labels, knn_scores(shuffled, test)[0][:, 1]) < 0.8


def test_retrieval_is_perfect_where_a_class_is_a_point() -> None:
    points = Split(np.eye(2)[np.array([0, 0, 1, 1])], np.array([0, 0, 1, 1]))
    average, recalls = retrieval(points, points)
    assert average.tolist() == [1, 1, 1, 1]
    assert all((hits == 1).all() for hits in recalls.values())


def test_a_share_keeps_every_class() -> None:
    labels = np.array([0] * 500 + [1] * 20)
    rows = stratified_share(labels, 0.01, 0)
    assert (labels[rows] == 0).sum() == 5
    assert (labels[rows] == 1).sum() == 4


def test_the_interval_holds_the_value() -> None:
    values = np.random.default_rng(0).random(200)
    figure = with_interval(lambda rows: float(values[rows].mean()), 200)
    assert figure.low < figure.value < figure.high


def test_baselines_give_unit_vectors_and_disturbances_change_pictures() -> None:
    pictures = [kind_of_film(seed % 2, seed) for seed in range(70)]
    for encoder in baselines(pictures):
        vectors = encoder.encode(pictures)
        assert vectors.shape == (70, encoder.dimension)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    for disturb in DISTURBANCES.values():
        assert not np.array_equal(disturb(pictures[0], np.random.default_rng(0)), pictures[0])


@pytest.mark.parametrize("asked", [0.5, 0.8, 0.95, 0.99])
def test_a_threshold_reaches_what_was_asked_where_it_was_set(asked: float) -> None:
    generator = np.random.default_rng(3)
    truth = (generator.random(400) < 0.4).astype(np.int64)
    scores = generator.normal(size=400) + truth
    by_sensitivity = judge(truth, scores, threshold_for(truth, scores, asked, None))
    by_specificity = judge(truth, scores, threshold_for(truth, scores, None, asked))
    assert by_sensitivity.sensitivity.value >= asked
    assert by_specificity.specificity.value >= asked
    assert by_sensitivity.sensitivity.value < asked + 0.02, "no more than asked is paid for"
    assert by_specificity.specificity.value < asked + 0.02
    assert by_sensitivity.sensitivity.low < by_sensitivity.sensitivity.value <= by_sensitivity.sensitivity.high
    counted = by_sensitivity.true_positive + by_sensitivity.false_negative
    assert counted == truth.sum()


def test_a_threshold_needs_both_classes() -> None:
    with pytest.raises(InputError, match="both classes"):
        threshold_for(np.ones(5, dtype=np.int64), np.arange(5.0), 0.9, None)


def test_subgroups_are_judged_apart(tmp_path: Path) -> None:
    labels = np.arange(48) % 2
    films = np.stack([kind_of_film(int(label), number) for number, label in enumerate(labels)])
    groups = np.array(["a", "b", "b", "a", "c", "c"] * 8)
    groups[labels == 1] = np.where(groups[labels == 1] == "c", "b", groups[labels == 1])  # c has one class only
    arrays: dict[str, Any] = {
        f"{split}_{name}": value for split in ("train", "test") for name, value in (("images", films), ("labels", labels))
    }
    np.savez(tmp_path / "set.npz", **arrays, test_groups=groups)
    train, test = read_split(tmp_path, "train"), read_split(tmp_path, "test")
    row = measure(baselines(train.images)[0], train, test)
    told = [name for name in row if "group" in name]
    assert [name.split(" group ")[1][0] for name in told] == ["a", "b"]
    np.savez(tmp_path / "set.npz", **arrays, test_groups=groups[:-1])
    with pytest.raises(FileError, match="one group per picture: 48, got 47"):
        read_split(tmp_path, "test")
