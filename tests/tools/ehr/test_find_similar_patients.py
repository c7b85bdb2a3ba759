from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from core.errors import FileError, InputError
from core.store import SessionStore
from core.types import Finding
from tests.tools.ehr.risk.build import small_sample, write_2012
from tools.base import ToolContext
from tools.ehr import fhir as fhir_module
from tools.ehr.fhir import add_fhir
from tools.ehr.find_similar_patients import FindSimilarPatients, FindSimilarPatientsParams
from tools.ehr.risk.datasets import Sample, features_for, read_folder
from tools.ehr.risk.similar import FLOOR, Reference, alike, build_reference, load_reference, microaggregate, wilson
from ui.cli import main

DEMO = Path(fhir_module.__file__).with_name("demo_icu_patient.json")
SAMPLE = DEMO.with_name("sample_patient.json")


@pytest.fixture(scope="module")
def reference(cohort_sample: Sample) -> Reference:
    return build_reference(cohort_sample, dimensions=6)


def test_every_group_has_at_least_ten_and_everyone_is_in_one() -> None:
    vectors = np.random.default_rng(0).normal(size=(237, 3)).astype(np.float32)
    group = microaggregate(vectors, 10)
    sizes = np.bincount(group)
    assert group.min() == 0
    assert sizes.min() >= 10
    assert sizes.sum() == 237


def test_groups_are_of_neighbours() -> None:
    near = np.repeat(np.array([[0.0], [100.0], [200.0]], np.float32), 10, axis=0)
    group = microaggregate(near, 10)
    assert len({int(g) for g in group}) == 3
    assert all(len(set(group[i : i + 10].tolist())) == 1 for i in (0, 10, 20))


def test_the_file_holds_no_stay_and_survives_saving(reference: Reference, cohort_sample: Sample, tmp_path: Path) -> None:
    reference.save(tmp_path / "r.safetensors")
    again = load_reference(tmp_path / "r.safetensors")
    assert len(again.vectors) == len(cohort_sample.rows) // FLOOR
    assert again.outcomes[:, 0].sum() == cohort_sample.y.sum()
    own = reference.place(cohort_sample.table)
    exact = (np.abs(own[:, None] - again.vectors[None]) < 1e-3).all(axis=2)
    assert not exact.any()


def test_a_reference_of_small_groups_is_refused(reference: Reference, tmp_path: Path) -> None:
    small = Reference(**{**vars(reference), "size": np.minimum(reference.size, 9)})
    small.save(tmp_path / "r.safetensors")
    with pytest.raises(FileError, match="a group of 9 stays; at least 10"):
        load_reference(tmp_path / "r.safetensors")


def test_the_ill_have_worse_company_than_the_well(reference: Reference, tmp_path: Path) -> None:
    fresh = small_sample(write_2012(tmp_path / "new", stays=60, first=990001, seed=9))
    rates = []
    for row in range(60):
        one = type(fresh.table)(fresh.table.x[row : row + 1], fresh.table.names, fresh.table.codes)
        try:
            rates.append((alike(reference, one).death_rate, fresh.y[row]))
        except InputError:
            continue
    rate, y = np.array(rates).T
    assert len(rates) > 45
    assert rate[y > 0].mean() > rate[y == 0].mean() + 0.1


def test_nobody_is_like_someone_far_away(reference: Reference, cohort_sample: Sample) -> None:
    far = Reference(**{**vars(reference), "vectors": reference.vectors + 1000})
    with pytest.raises(InputError, match="No similar patients: the nearest group"):
        alike(far, cohort_sample.table)


def test_wilsons_interval() -> None:
    assert wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert np.isnan(wilson(0, 0)[0])


def test_the_demo_patient_gets_outcomes_of_stays_like_it(store: SessionStore) -> None:
    handle = add_fhir(DEMO, store).handle
    result = FindSimilarPatients().run(FindSimilarPatientsParams(record=handle), ToolContext(store))
    findings = [item for item in result.evidence if isinstance(item, Finding)]
    assert [item.name for item in findings][:2] == ["stays most like this one", "death in hospital among them"]
    assert float(str(findings[0].value)) >= 100
    held = " ".join(item.model_dump_json() for item in findings)
    assert all(number in held for number in re.findall(r"\d+(?:\.\d+)?", result.summary))
    assert result.tables[0].rows


def test_a_patient_who_was_never_in_intensive_care_has_no_like(store: SessionStore) -> None:
    handle = add_fhir(SAMPLE, store).handle
    result = FindSimilarPatients().run(FindSimilarPatientsParams(record=handle), ToolContext(store))
    assert "documents no stay in intensive care" in result.summary
    assert result.evidence == ()


def test_the_command_builds_and_uses_a_reference(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "own.safetensors"
    assert main(["ehr", "similar", "--build", str(folder), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stays"] == 360
    record = next((folder / "set-z").glob("*.txt"))
    assert main(["ehr", "similar", str(record), "--reference", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["stays"] >= 100
    assert 0 <= found["death_interval"][0] <= found["death_rate"] <= found["death_interval"][1] <= 1


def test_a_small_set_is_refused(tmp_path: Path) -> None:
    part = small_sample(write_2012(tmp_path / "few", stays=120))
    with pytest.raises(InputError, match="120 stays; at least 200"):
        build_reference(part)
    assert len(features_for(part.task, read_folder(tmp_path / "few").events, part.rows).x) == 120
