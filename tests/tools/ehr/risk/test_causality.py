"""What lies after the moment of prediction is never read: it is perturbed, and nothing moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tools.ehr.risk.cohort import make_rows
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.events import ANCHOR, build, from_columns
from tools.ehr.risk.features import stay_features
from tools.ehr.risk.hourly import hourly_features
from tools.ehr.risk.model import Model


def test_a_perturbed_future_moves_no_prediction(cohort_sample: Sample, trained: Model) -> None:
    events, rows = cohort_sample.cohort.events, cohort_sample.rows
    random = np.random.default_rng(1)
    extra = 4000
    later = ANCHOR + (48 * 3600 + random.integers(1, 10**6, extra)).astype("timedelta64[s]")
    code = random.integers(0, len(events.vocabulary), extra).astype(np.int32)
    changed = from_columns(
        np.concatenate([events.subject, random.choice(rows.subject, extra)]),
        np.concatenate([events.time, later]),
        np.concatenate([events.code, code]),
        np.concatenate([events.value, random.uniform(1, 15, extra)]),
        events.vocabulary,
    )
    assert len(changed) > len(events)
    before = trained.probability(stay_features(events, rows, 48), cohort_sample.age)
    after = trained.probability(stay_features(changed, rows, 48), cohort_sample.age)
    assert np.array_equal(before, after)


def test_a_perturbed_past_does_move_it(cohort_sample: Sample, trained: Model) -> None:
    events, rows = cohort_sample.cohort.events, cohort_sample.rows
    value = np.where(events.code == events.vocabulary.index("GCS"), 3.0, events.value)
    changed = from_columns(events.subject, events.time, events.code, value, events.vocabulary)
    before = trained.probability(stay_features(events, rows, 48), cohort_sample.age)
    assert trained.probability(stay_features(changed, rows, 48), cohort_sample.age).mean() > before.mean() + 0.1


def test_hourly_rows_do_not_see_later_hours() -> None:
    hours = 12
    random = np.random.default_rng(0)
    subject = np.repeat([1, 2], hours)
    moment = np.tile(ANCHOR + np.arange(hours).astype("timedelta64[h]"), 2)
    rows = make_rows(subject, moment, {})
    value = random.uniform(60, 100, 2 * hours)
    first = hourly_features(build(subject.tolist(), moment, ["HR"] * len(value), value), rows, 6).x
    cut = 7
    changed = np.where(np.tile(np.arange(hours), 2) >= cut, 200.0, value)
    second = hourly_features(build(subject.tolist(), moment, ["HR"] * len(value), changed), rows, 6).x
    early = np.tile(np.arange(hours), 2) < cut
    assert np.array_equal(first[early], second[early], equal_nan=True)
    assert not np.array_equal(first[~early], second[~early], equal_nan=True)


def test_hourly_values_stay_with_their_patient() -> None:
    subject = np.array([1, 1, 2, 2])
    moment = ANCHOR + np.array([0, 1, 0, 1]).astype("timedelta64[h]")
    events = build([1], moment[:1], ["HR"], [80.0])
    table = hourly_features(events, make_rows(subject, moment, {}), 6)
    last = table.x[:, table.names.index("HR|last")]
    assert last[:2].tolist() == [80, 80]
    assert np.isnan(last[2:]).all()


def test_the_order_of_lines_does_not_matter(cohort_sample: Sample, tmp_path: Path) -> None:
    events, rows = cohort_sample.cohort.events, cohort_sample.rows
    mix = np.random.default_rng(3).permutation(len(events))
    shuffled = from_columns(events.subject[mix], events.time[mix], events.code[mix], events.value[mix], events.vocabulary)
    a, b = stay_features(events, rows, 48), stay_features(shuffled, rows, 48)
    assert np.allclose(a.x, b.x, equal_nan=True)
