from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import InputError
from tests.tools.ehr.risk.build import SMALL
from tools.ehr.risk.audit import equalised_odds, fairness, groups_of, leakage_audit, leaks, shared
from tools.ehr.risk.counterfactual import sensitivities
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.features import Table
from tools.ehr.risk.fingerprint import marks_of
from tools.ehr.risk.model import Model, folds_of, train


def with_column(part: Sample, name: str, column: np.ndarray) -> Sample:
    table = part.table
    x = np.column_stack([table.x, column]).astype(np.float32)
    return replace(part, table=type(table)(x, (*table.names, name), (*table.codes, (name,))))


def test_a_feature_that_is_the_outcome_is_found_and_training_refused(cohort_sample: Sample) -> None:
    assert leaks(cohort_sample.table, cohort_sample.y) == []
    noisy = cohort_sample.y + np.random.default_rng(0).normal(0, 0.2, len(cohort_sample.y))
    leaky = with_column(cohort_sample, "discharge code|last", noisy)
    assert "discharge code|last alone tells the outcome" in leaks(leaky.table, leaky.y)[0]
    with pytest.raises(InputError, match="looks as if its label leaks: discharge code"):
        train("t", leaky.table, leaky.y, leaky.age, leaky.rows.patient, SMALL)


def test_an_outcome_by_name_is_found(cohort_sample: Sample) -> None:
    named = with_column(cohort_sample, "Survival|last", np.zeros(len(cohort_sample.y)))
    assert leaks(named.table, named.y, ("Survival",)) == ["the outcome 'Survival' is among the features"]


def test_records_on_both_sides_of_a_split_are_counted(cohort_sample: Sample) -> None:
    marks = marks_of(cohort_sample.cohort.events, cohort_sample.rows.subject)
    assert shared(marks[:100], marks[100:]) == 0
    assert shared(marks[:100], marks[90:]) == 10


def test_subgroups_have_their_own_figures(cohort_sample: Sample) -> None:
    groups = groups_of(cohort_sample.table, cohort_sample.age)
    assert {"female", "male", "age <50", "coronary unit"} <= set(groups)
    random = np.random.default_rng(0)
    y = cohort_sample.y
    p = np.where(groups["female"], 0.3, np.clip(0.2 + 0.5 * y + random.normal(0, 0.05, len(y)), 0.01, 0.99))
    found = {group.name: group for group in fairness(y, p, groups, cohort_sample.rows.patient, rounds=30)}
    assert found["male"].auroc > 0.95
    assert found["female"].auroc == 0.5
    assert found["female"].oe_ci[0] < found["female"].oe < found["female"].oe_ci[1]
    gap = equalised_odds(y, p, groups, cohort_sample.rows.patient, rounds=50)["sex"]
    assert gap.true_positive_rate > 0.2
    assert gap.true_positive_rate_ci[0] <= gap.true_positive_rate <= gap.true_positive_rate_ci[1]
    assert equalised_odds(y, p, {"male": groups["male"]}, cohort_sample.rows.patient, rounds=5) == {}


def test_the_audit_tells_what_counts_and_the_clock_give_away() -> None:
    random = np.random.default_rng(0)
    n = 1500
    y = (random.uniform(size=n) < 0.3).astype(float)
    patient = np.arange(n)
    x = np.column_stack([random.poisson(3 + 4 * y), random.normal(size=n), random.normal(size=n) + 0.5 * y]).astype(
        np.float32
    )
    table = Table(x, ("a|count", "hours in intensive care|clock", "b|last"), (("a",), ("t",), ("b",)))
    marks = patient.astype(np.uint32)
    marks[1] = marks[0]
    found = leakage_audit(table, y, patient, folds_of(patient), marks)
    assert found.strongest == "a|count"
    assert found.counts_only is not None
    assert found.counts_only > 0.85
    assert found.clock_only is not None
    assert abs(found.clock_only - 0.5) < 0.07
    assert found.twins == 2
    assert ("records with the content of another patient's", "2") in found.rows()
    assert leakage_audit(Table(x[:, 2:], ("b|last",), (("b",),)), y, patient, folds_of(patient), None).clock_only is None


def test_a_subgroup_of_few_is_not_told(cohort_sample: Sample) -> None:
    y, p = cohort_sample.y, np.full(len(cohort_sample.y), 0.3)
    few = np.zeros(len(y), bool)
    few[:20] = True
    assert fairness(y, p, {"few": few}, cohort_sample.rows.patient) == []


def test_what_the_model_would_say_stays_within_what_the_patient_had(cohort_sample: Sample, trained: Model) -> None:
    events = cohort_sample.cohort.events
    told = 0
    for row in np.flatnonzero(cohort_sample.y)[:8]:
        rows = cohort_sample.rows.take(np.array([row]))
        known = events.of(int(rows.subject[0]))
        before = trained.probability(
            type(cohort_sample.table)(cohort_sample.table.x[[row]], cohort_sample.table.names, cohort_sample.table.codes),
            cohort_sample.age[[row]],
        )[0]
        for change in sensitivities(cohort_sample.task, trained, known, rows):
            own = known.value[known.code == known.vocabulary.index(change.code)]
            assert own.min() - 0.01 <= change.value <= own.max() + 0.01
            assert change.before == pytest.approx(before, abs=1e-5)
            assert change.after < change.before
            assert change.variable != "age"
            told += 1
    assert told > 0
