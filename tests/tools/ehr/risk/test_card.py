from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from core.store import SessionStore
from core.types import Finding, RecordEvent, ToolResult
from tools.base import ToolContext
from tools.ehr import fhir as fhir_module
from tools.ehr.fhir import add_fhir
from tools.ehr.predict_outcome import PredictOutcome, PredictOutcomeParams
from tools.ehr.risk.card import card_of_file, model_for
from tools.ehr.risk.datasets import age_of, features_for
from tools.ehr.risk.demo import bundle
from tools.ehr.risk.explain import contributions, drivers
from tools.ehr.risk.patient import from_text
from tools.ehr.risk.tasks import load_task

DEMO = Path(fhir_module.__file__).with_name("demo_icu_patient.json")
SAMPLE = DEMO.with_name("sample_patient.json")


def ask(store: SessionStore, path: Path) -> ToolResult:
    handle = add_fhir(path, store).handle
    return PredictOutcome().run(PredictOutcomeParams(record=handle), ToolContext(store))


def changed(tmp_path: Path, change: dict[str, object]) -> Path:
    document = json.loads(DEMO.read_text())
    for entry in document["entry"]:
        if entry["resource"]["id"] in change:
            entry["resource"].update(change[entry["resource"]["id"]])
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document))
    return path


def test_the_demo_patient_is_the_one_that_the_command_writes() -> None:
    assert json.loads(DEMO.read_text()) == bundle()


def test_the_demo_patient_gets_a_card_with_cited_events(store: SessionStore) -> None:
    result = ask(store, DEMO)
    findings = [item for item in result.evidence if isinstance(item, Finding)]
    assert [item.name for item in findings] == ["icu_death", "base rate", "observed/expected of the age group"]
    events = [item for item in result.evidence if isinstance(item, RecordEvent)]
    assert len(events) >= 6
    limit = np.datetime64("2031-03-06T06:00")
    assert all(item.time and np.datetime64(item.time.replace(tzinfo=None)) <= limit for item in events)
    for row in result.tables[0].rows:
        for position in row.evidence:
            assert isinstance(result.evidence[position], RecordEvent)


def test_every_number_of_the_summary_is_in_the_evidence(store: SessionStore) -> None:
    result = ask(store, DEMO)
    held = " ".join(item.model_dump_json() for item in result.evidence)
    numbers = re.findall(r"\d+(?:\.\d+)?", result.summary)
    assert len(numbers) > 5
    assert all(number in held for number in numbers)


def test_events_after_48_h_change_nothing(tmp_path: Path) -> None:
    late = {f"demo-9269-2-{n}": {"valueQuantity": {"value": 3, "unit": "{score}", "code": "{score}"}} for n in range(12, 15)}
    before, after = card_of_file("icu_death", DEMO), card_of_file("icu_death", changed(tmp_path, dict(late)))
    assert before == after


def test_potassium_40_is_flagged(tmp_path: Path) -> None:
    wrong = {"demo-2823-3-1": {"valueQuantity": {"value": 40, "unit": "mmol/L", "code": "mmol/L"}}}
    card = card_of_file("icu_death", changed(tmp_path, dict(wrong)))
    assert any("potassium outside 1 to 12" in warning for warning in card.warnings)


def test_a_known_unit_is_converted_and_an_unknown_one_refused(tmp_path: Path) -> None:
    same = {"demo-2160-0-0": {"valueQuantity": {"value": 174.2, "unit": "umol/L", "code": "umol/L"}}}
    odd = {"demo-2160-0-0": {"valueQuantity": {"value": 2, "unit": "stone", "code": "stone"}}}
    plain = card_of_file("icu_death", DEMO).probability
    converted = card_of_file("icu_death", changed(tmp_path, dict(same)))
    assert converted.probability == pytest.approx(plain, abs=0.03)
    assert not converted.warnings
    assert any("stone" in warning for warning in card_of_file("icu_death", changed(tmp_path, dict(odd))).warnings)


def test_a_patient_who_was_never_in_intensive_care_gets_no_estimate(store: SessionStore) -> None:
    result = ask(store, SAMPLE)
    assert "No estimate" in result.summary
    assert result.evidence == ()


def test_a_child_gets_no_estimate(tmp_path: Path) -> None:
    card = card_of_file("icu_death", changed(tmp_path, {"demo-icu": {"birthDate": "2019-01-01"}}))
    assert card.probability is None
    assert "age" in card.why


def test_five_events_are_too_few(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    path.write_text("Time,Parameter,Value\n00:00,Age,70\n00:00,Gender,1\n01:00,HR,90\n02:00,HR,95\n03:00,K,4.1\n")
    card = card_of_file("icu_death", path)
    assert card.probability is None
    assert "variables were recorded" in card.why


def test_contributions_add_up_to_the_score(folder: Path) -> None:
    task, model = load_task("icu_death"), model_for(load_task("icu_death"))
    two = [from_text(path) for path in sorted((folder / "set-z").glob("*.txt"))[:2]]
    tables = [features_for(task, record.known(), record.rows) for record in two]
    scores = [float(model.logit(table.align(model.meta.features))[0]) for table in tables]
    sums = [float(contributions(model, table).sum()) for table in tables]
    assert scores[0] - scores[1] == pytest.approx(sums[0] - sums[1], abs=1e-4)


def test_deleting_cited_events_moves_the_score_more_than_random_ones(folder: Path) -> None:
    task, model = load_task("icu_death"), model_for(load_task("icu_death"))
    random = np.random.default_rng(0)
    cited_moves, random_moves = [], []
    for path in sorted((folder / "set-z").glob("*.txt"))[:25]:
        record = from_text(path)
        known = record.known()

        def logit(keep: np.ndarray, record: object = record, known: object = known) -> float:
            part = known.where(keep)  # type: ignore[attr-defined]
            table = features_for(task, part, record.rows)  # type: ignore[attr-defined]
            assert len(age_of(part, record.rows)) == 1  # type: ignore[attr-defined]
            return float(model.logit(table.align(model.meta.features))[0])

        whole = np.ones(len(known), bool)
        base = logit(whole)
        cited = [i for driver in drivers(model, features_for(task, known, record.rows), known) for i in driver.cited]
        without = whole.copy()
        without[cited] = False
        cited_moves.append(abs(logit(without) - base))
        for _ in range(4):
            other = whole.copy()
            other[random.choice(len(known), len(cited), replace=False)] = False
            random_moves.append(abs(logit(other) - base))
    assert np.mean(cited_moves) > np.mean(random_moves)
