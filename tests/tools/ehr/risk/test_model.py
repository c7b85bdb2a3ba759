from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from core.errors import FileError, InputError
from tests.tools.ehr.risk.build import SMALL, small_model, small_sample, write_2012
from tools.ehr.risk.calibrate import choose, sigmoid, venn_abers
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.evaluate import evaluate, held_out, predict, shipped_model
from tools.ehr.risk.fingerprint import marks_of
from tools.ehr.risk.metrics import auprc, auroc, auroc_interval, score
from tools.ehr.risk.model import Model, load_model, train
from tools.ehr.risk.population import refusals
from tools.ehr.risk.tasks import load_task, task_names
from ui.cli import main

KEYS = ["n", "auroc", "auroc_ci", "auprc", "brier", "ece", "oe", "oe_by_age", "abstained"]


def test_auroc_and_auprc_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(0)
    y = (random.uniform(size=400) < 0.3).astype(float)
    p = np.round(np.clip(0.3 * y + random.uniform(size=400) * 0.7, 0, 1), 2).astype(np.float64)
    assert auroc(y, p) == pytest.approx(roc_auc_score(y, p))
    assert auprc(y, p) == pytest.approx(average_precision_score(y, p))


def test_the_interval_is_of_patients_not_of_rows() -> None:
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(60), 20)
    y = np.repeat((random.uniform(size=60) < 0.4).astype(float), 20)
    p = np.repeat(random.uniform(size=60), 20)
    whole = auroc_interval(y, p, people, 300)
    rows = auroc_interval(y, p, np.arange(len(y)), 300)
    assert whole[0] <= auroc(y, p) <= whole[1]
    assert whole[1] - whole[0] > 2 * (rows[1] - rows[0])


def test_calibration_mends_a_biased_score() -> None:
    random = np.random.default_rng(0)
    z = random.normal(-1, 1.5, 4000)
    y = (random.uniform(size=4000) < sigmoid(z)).astype(float)
    age = random.uniform(20, 90, 4000)
    calibrator, losses = choose(2 * z + 1, y, age, np.arange(4000))
    scores = score(y, calibrator.probability(2 * z + 1, age), age, np.arange(4000), rounds=10)
    assert losses[calibrator.method] < losses["none"]
    assert scores.oe == pytest.approx(1, abs=0.05)


def test_venn_abers_pairs_are_ordered_and_rise() -> None:
    random = np.random.default_rng(0)
    z = random.normal(size=300)
    y = (random.uniform(size=300) < sigmoid(z)).astype(float)
    _, low, high = venn_abers(z, y, points=20)
    assert all(a <= b for a, b in zip(low, high, strict=True))
    assert np.all(np.diff(low) >= -1e-9)


def test_a_model_learns_and_survives_saving(cohort_sample: Sample, trained: Model, tmp_path: Path) -> None:
    assert float(str(trained.meta.cross_validated["auroc"])) > 0.75
    trained.save(tmp_path / "w")
    again = load_model(tmp_path / "w")
    p = trained.probability(cohort_sample.table, cohort_sample.age)
    assert np.allclose(p, again.probability(cohort_sample.table, cohort_sample.age))
    assert {"model.json", "trees.txt"} <= {path.name for path in (tmp_path / "w").iterdir()}


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(FileError, match="does not hold a trained model"):
        load_model(tmp_path)


def test_too_few_positives_are_refused(cohort_sample: Sample) -> None:
    y = np.zeros_like(cohort_sample.y)
    y[:12] = 1
    with pytest.raises(InputError, match="12 rows of the rarer class"):
        train("t", cohort_sample.table, y, cohort_sample.age, cohort_sample.rows.patient, SMALL)


def test_training_patients_are_never_evaluated(folder: Path, tmp_path: Path, trained: Model) -> None:
    both = write_2012(tmp_path / "both", stays=150, first=950001, seed=5)
    for path in list((folder / "set-z").glob("*.txt"))[:40]:
        (both / "set-z" / path.name).write_text(path.read_text())
    known = (folder / "Outcomes-z.txt").read_text().splitlines()[1:]
    with (both / "Outcomes-z.txt").open("a") as file:
        file.write("\n".join(known) + "\n")
    result = evaluate(small_sample(both), trained)
    assert result.scores.n + result.scores.abstained == 150
    assert "40 rows of its training patients were left out" in result.note


def test_a_split_keeps_a_patient_on_one_side() -> None:
    patient = np.repeat(np.arange(200), 3)
    held = held_out(patient)
    assert all(len(set(held[patient == person])) == 1 for person in range(200))
    assert 0.2 < held.mean() < 0.4


def test_an_icu_type_that_was_not_trained_on_gets_no_estimate(cohort_sample: Sample) -> None:
    column = cohort_sample.table.names.index("ICUType|last")
    mine = cohort_sample.table.x[:, column] != 2
    part = Sample(
        cohort_sample.task, cohort_sample.cohort, cohort_sample.rows.take(mine),
        type(cohort_sample.table)(cohort_sample.table.x[mine], cohort_sample.table.names, cohort_sample.table.codes),
        cohort_sample.y[mine], cohort_sample.age[mine],
    )  # fmt: skip
    model = small_model(part)
    p = predict(model, cohort_sample.table, cohort_sample.age)
    assert np.isnan(p[~mine]).all()
    assert np.isfinite(p[mine]).mean() > 0.97
    assert (
        "ICUType 2 was not in training"
        in refusals(model, cohort_sample.table, cohort_sample.age)[int(np.flatnonzero(~mine)[0])]
    )


@pytest.mark.parametrize("task", ["icu_death", "los_over_7d"])
def test_evaluate_prints_exactly_the_agreed_keys(folder: Path, task: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ehr", "evaluate", "--task", task, "--data", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == KEYS
    assert found["n"] + found["abstained"] == 360
    assert set(found["oe_by_age"]) == {"<50", "50-69", ">=70"}


def test_every_shipped_task_can_be_read() -> None:
    assert task_names() == ("death_180d", "hospital_death", "icu_death", "los_over_7d", "readmission_30d", "sepsis_hourly")
    for name in task_names():
        assert load_task(name).name == name
    with pytest.raises(InputError, match="There is no task 'x'"):
        load_task("x")


def test_the_shipped_models_say_who_they_were_trained_on(cohort_sample: Sample) -> None:
    for name in ("icu_death", "los_over_7d"):
        model = shipped_model(name)
        assert model is not None
        assert model.meta.patients > 7000
        assert not model.trained_on(marks_of(cohort_sample.cohort.events, cohort_sample.rows.subject)).any()
