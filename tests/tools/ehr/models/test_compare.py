from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from tests.tools.ehr.risk.build import small_task
from tools.ehr.models.compare import LEARNERS, compare_all, survival_of
from tools.ehr.risk.datasets import Sample
from ui.cli import main


def test_every_model_gets_the_same_figures_on_the_same_patients(cohort_sample: Sample) -> None:
    found, fitted = compare_all(cohort_sample, rounds=5, epochs=1)
    assert set(found) == set(LEARNERS)
    assert len({scores.n for scores in found.values()}) == 1
    assert 0 < fitted < len(cohort_sample.y)
    assert found["concept vectors"].auroc > 0.7
    assert found["Cox with fusion"].auroc > 0.6


def test_survival_times_of_the_two_sets() -> None:
    time, event = survival_of({"Survival": np.array([5.0, -1, -1]), "Length_of_stay": np.array([5.0, 9, -1])})
    assert time[:2].tolist() == [5, 9]
    assert np.isnan(time[2])
    assert event.tolist() == [1, 0, 0]
    with pytest.raises(InputError, match="Survival needs times"):
        survival_of({})


def test_the_command_prints_all_models(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.ehr.models.compare.LEARNERS", {"concept vectors": LEARNERS["concept vectors"]})
    task = tmp_path / "small.yaml"
    task.write_text(json.dumps(small_task().model_dump(mode="json", by_alias=True, exclude_none=True)))
    assert main(["ehr", "evaluate", "--task", str(task), "--data", str(folder), "--all-models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"default", "LightGBM, simple features", "concept vectors"} <= set(found)
    assert found["default"]["auroc"] > 0.7
