from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from tests.tools.ehr.models.test_genhpf import FIRST, records
from tools.ehr.models.concepts import code_counts, fit_binning, fit_concepts
from tools.ehr.models.fewshot import few_shot
from tools.ehr.models.genhpf import write_texts
from tools.ehr.models.ldam import Ldam
from tools.ehr.risk.events import ANCHOR, build


def two_topics() -> tuple[list[str], np.ndarray]:
    """Codes a0..a4 occur together, and b0..b4 together."""
    random = np.random.default_rng(0)
    names, visits = [], []
    for visit in range(300):
        topic = "ab"[visit % 2]
        for number in random.choice(5, 3, replace=False):
            names.append(f"{topic}{number}")
            visits.append(visit)
        names.append("common")
        visits.append(visit)
    return names, np.array(visits)


def test_similar_codes_keep_the_same_company() -> None:
    names, visits = two_topics()
    concepts = fit_concepts(names, visits, width=4)
    assert all(other.startswith("a") for other, _ in concepts.similar("a0", 3))
    assert all(other.startswith("b") for other, _ in concepts.similar("b3", 3))
    with pytest.raises(InputError, match=r"'a' is not among the 11 known\. Near: a0"):
        concepts.similar("a")


def test_the_vectors_are_the_same_at_every_run_and_records_are_sums() -> None:
    names, visits = two_topics()
    first, second = fit_concepts(names, visits, width=4), fit_concepts(names, visits, width=4)
    assert np.allclose(np.abs(first.vectors), np.abs(second.vectors), atol=1e-5)
    counts = code_counts(["a0", "a0", "b1", "unknown"], np.array([0, 0, 1, 1]), 2, first.names)
    sums = first.of_records(counts)
    assert np.allclose(sums[0], 2 * first.vectors[first.names.index("a0")], atol=1e-5)
    assert np.allclose(sums[1], first.vectors[first.names.index("b1")], atol=1e-5)


def test_values_become_quarters() -> None:
    events = build(range(100), [ANCHOR] * 100, ["K"] * 100, np.linspace(3, 6, 100))
    names = fit_binning(events).names(events)
    assert [names.count(f"K[{number}]") for number in (1, 2, 3, 4)] == [25, 25, 25, 25]


def test_the_label_attends_to_the_events_that_decide() -> None:
    part, y = records(240)
    model = Ldam(("death creatinine", "noise"), width=24)
    model.fit(write_texts(part, FIRST), np.column_stack([y, np.full(len(y), np.nan)]), epochs=12, size=16)
    other, truth = records(80, seed=2)
    texts = write_texts(other, FIRST)
    assert (((model.predict(texts)[:, 0] > 0) == (truth > 0)).mean()) > 0.85
    weight = model.attention(texts, "death creatinine")
    assert weight.sum(axis=1) == pytest.approx(np.ones(80), abs=1e-4)
    assert np.all(weight[:, :2] < 1e-6)  # padding
    creatinine = weight[:, [3, 5]].sum(axis=1)
    assert creatinine.mean() > 0.6


def test_few_shot_draws_k_of_each_class_and_never_a_test_patient() -> None:
    random = np.random.default_rng(0)
    y = (random.uniform(size=400) < 0.3).astype(float)
    test = random.uniform(size=400) < 0.5
    score = y + random.normal(size=400)
    sizes = []

    def learner(train: np.ndarray, held: np.ndarray) -> np.ndarray:
        assert not test[train].any()
        assert test[held].all()
        assert y[train].sum() * 2 == len(train)
        sizes.append(len(train))
        return np.asarray(1 / (1 + np.exp(-score[held])))

    shots = few_shot(learner, y, np.arange(400), test, shots=(1, 8, 4000), draws=2, rounds=50)
    assert [shot.k for shot in shots] == [1, 8]
    assert sizes == [2, 2, 16, 16]
    assert shots[0].auroc_ci[0] < shots[0].auroc < shots[0].auroc_ci[1]
