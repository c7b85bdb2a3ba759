from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.synthesis import synthesize
from ui.cli import main


def test_a_synthetic_cohort_teaches_what_the_real_one_does(cohort_sample: Sample) -> None:
    table, y, report = synthesize(cohort_sample, 400)
    assert len(table.x) == len(y) == report.rows == 400
    assert report.auroc_synthetic > 0.65
    assert report.ks < 0.35
    assert report.copies == 0
    assert 0.3 < report.membership_auroc < 0.7
    assert abs(y.mean() - cohort_sample.y.mean()) < 0.15


def test_density_weights_bring_small_subgroups_up(cohort_sample: Sample) -> None:
    as_is = synthesize(cohort_sample, 600, weight=0.0)[2]
    even = synthesize(cohort_sample, 600, weight=1.0)[2]
    assert even.share_smallest_synthetic > as_is.share_smallest_synthetic
    assert even.share_smallest_synthetic == pytest.approx(1 / 6, abs=0.05)


def test_a_seed_gives_the_same_cohort(cohort_sample: Sample) -> None:
    first, second = synthesize(cohort_sample, 100, seed=4)[0], synthesize(cohort_sample, 100, seed=4)[0]
    assert np.array_equal(first.x, second.x, equal_nan=True)
    assert not np.array_equal(first.x, synthesize(cohort_sample, 100, seed=5)[0].x, equal_nan=True)


def test_no_value_lies_outside_what_was_seen(cohort_sample: Sample) -> None:
    table, _, _ = synthesize(cohort_sample, 300)
    for index, name in enumerate(table.names):
        real = cohort_sample.table.x[:, cohort_sample.table.names.index(name)]
        there = table.x[~np.isnan(table.x[:, index]), index]
        if len(there):
            assert there.min() >= np.nanmin(real) - 1e-4
            assert there.max() <= np.nanmax(real) + 1e-4


def test_too_few_to_learn_from_are_refused(cohort_sample: Sample) -> None:
    y = np.zeros_like(cohort_sample.y)
    y[:20] = 1
    with pytest.raises(InputError, match="rows of the rarer class to learn from"):
        synthesize(replace(cohort_sample, y=y), 100)


def test_the_command_writes_rows_marked_as_synthetic(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made.csv"
    command = [
        "ehr",
        "synthesize",
        "--task",
        "icu_death",
        "--data",
        str(folder),
        "--rows",
        "50",
        "--out",
        str(out),
        "--json",
    ]
    assert main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"ks", "auroc_real", "auroc_synthetic", "too_near", "gap_real", "gap_synthetic"} <= set(report)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50
    assert all(row["synthetic"] == "1" for row in rows)
