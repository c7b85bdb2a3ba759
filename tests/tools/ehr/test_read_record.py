from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import JsonValue

from core.errors import UnknownPatient
from core.store import SessionStore
from core.types import RecordEvent, ToolResult
from tests.tools.ehr.build import Resource, bundle, concept, condition, creatinine, medicine, patient, resource, write
from tools.base import ToolContext
from tools.ehr import fhir as fhir_module
from tools.ehr.fhir import add_fhir
from tools.ehr.query import About, Which
from tools.ehr.read_record import MAX_EVENTS, ReadRecord, ReadRecordParams
from tools.registry import Registry
from tools.runtime import CallRequest, ToolRuntime

SAMPLE = Path(fhir_module.__file__).with_name("sample_patient.json")


def ask(
    store: SessionStore, path: Path, about: About, name: str | None = None, when: Which = "all", who: str | None = None
) -> ToolResult:
    handle = add_fhir(path, store).handle
    params = ReadRecordParams(record=handle, about=about, name=name, when=when, patient=who)
    return ReadRecord().run(params, ToolContext(store))


def sources(result: ToolResult) -> list[str]:
    return [item.source.partition("/")[2] for item in result.evidence if isinstance(item, RecordEvent)]


@pytest.mark.parametrize(
    ("about", "name", "when", "expected"),
    [
        ("observations", "creatinine", "latest", ["creatinine-6"]),
        ("observations", "creatinine", "first", ["creatinine-1"]),
        ("observations", "2160-0", "latest", ["creatinine-6"]),
        ("observations", "last haemoglobin value", "latest", ["haemoglobin-3"]),
        ("observations", "hemoglobin", "latest", ["haemoglobin-3"]),
        ("observations", "kidney function", "latest", ["creatinine-6", "egfr-6"]),
        ("observations", "creatinine and eGFR", "latest", ["creatinine-6", "egfr-6"]),
        ("observations", "T-score", "latest", ["dxa-femur-2", "dxa-spine-2"]),
        ("observations", "systolic", "latest", ["bp-4"]),
        ("summary", "BMI", "latest", ["bmi-2"]),
        ("conditions", "fractures in the history", "all", ["cond-wrist-fracture", "family-mother"]),
        ("conditions", "wrist fracture", "all", ["cond-wrist-fracture"]),
        ("conditions", "S52.5", "all", ["cond-wrist-fracture"]),
        ("conditions", "diabetes", "all", ["cond-diabetes-refuted"]),
        ("conditions", "kidney disease", "all", ["cond-ckd3a"]),
        ("medications", "current", "all", ["med-paracetamol", "med-calcium-d", "med-amlodipine"]),
        ("medications", "bp meds", "all", ["med-amlodipine"]),
        ("medications", "osteoporosis", "all", ["med-calcium-d", "med-alendronate"]),
        ("medications", "bisphosphonate", "all", ["medstat-alendronate", "med-alendronate"]),
        ("medications", "penicillin", "all", ["allergy-penicillin"]),
        ("allergies", None, "all", ["allergy-penicillin"]),
        ("summary", "operations", "latest", ["proc-cataract", "img-chest-ct"]),
        ("procedures", "CT", "all", ["img-chest-ct"]),
        ("immunizations", "flu shot", "all", ["imm-flu-2024"]),
        ("encounters", "last visit", "latest", ["enc-2024-followup"]),
        ("summary", "how old", "all", None),
        ("summary", "sex", "all", ["sample-patient"]),
    ],
)
def test_the_sample_answers(
    store: SessionStore, about: About, name: str | None, when: Which, expected: list[str] | None
) -> None:
    result = ask(store, SAMPLE, about, name, when)
    if expected is not None:
        assert sources(result) == expected
    assert result.status == "done"
    assert all(item.record == "record1" for item in result.evidence if isinstance(item, RecordEvent))


def test_refuted_and_family_are_told_apart_from_the_patients_own(store: SessionStore) -> None:
    assert (
        "refuted: the record says that the patient does not have it" in ask(store, SAMPLE, "conditions", "diabetes").summary
    )
    hip = ask(store, SAMPLE, "conditions", "hip fracture")
    assert hip.summary.startswith("The record does not document hip fracture of the patient (searched 63 events from 1988")
    assert "mother with Hip fracture" in hip.summary


@pytest.mark.parametrize("about", ["conditions", "medications", "observations", "allergies", "summary", "timeline"])
def test_silence_is_said(store: SessionStore, about: About) -> None:
    result = ask(store, SAMPLE, about, "zebra fever")
    assert "does not document" in result.summary
    assert "searched 63 events from 1988 to 2024-11-05" in result.summary
    assert result.searched == "the record record1: 63 events from 1988 to 2024-11-05"
    if about != "allergies":
        assert result.evidence == ()


def test_the_wrong_lab_never_appears(store: SessionStore) -> None:
    for about in ("summary", "timeline", "observations"):
        result = ask(store, SAMPLE, about)
        assert "creatinine-error" not in result.model_dump_json()
        assert any("entered in error: 1" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    "about", ["summary", "medications", "conditions", "allergies", "observations", "procedures", "timeline"]
)
def test_every_number_of_the_summary_is_in_the_evidence(store: SessionStore, about: About) -> None:
    result = ask(store, SAMPLE, about)
    numbers = set(re.findall(r"\d+(?:\.\d+)?", result.summary))
    known = set(re.findall(r"\d+(?:\.\d+)?", " ".join(item.model_dump_json() for item in result.evidence)))
    assert numbers <= known
    for table in result.tables:
        for row in table.rows:
            event = result.evidence[row.evidence[0]]
            assert isinstance(event, RecordEvent)
            assert row.cells[-1] == event.source


def test_no_known_allergy_is_not_silence(store: SessionStore, tmp_path: Path) -> None:
    none: Resource = {"resourceType": "AllergyIntolerance", "id": "n", "patient": {"reference": "Patient/pat"}}
    none["code"] = concept("No known allergy", "716186003", "http://snomed.info/sct")
    stated = ask(store, write(tmp_path, bundle(patient(), none)), "allergies")
    assert "The record states: No known allergy" in stated.summary
    silent = ask(store, write(tmp_path, bundle(patient(), condition("c", "Asthma")), "b.json"), "allergies")
    assert "does not document allergies, nor does it state that there are none" in silent.summary
    assert silent.evidence == ()
    overview = ask(store, tmp_path / "record.json", "summary")
    assert "On allergies the record states: No known allergy." in overview.summary


def test_units_are_never_mixed_in_a_trend(store: SessionStore, tmp_path: Path) -> None:
    path = write(tmp_path, bundle(patient(), creatinine("a", "2023", 1.0), creatinine("b", "2024", 88.4, "umol/L")))
    result = ask(store, path, "observations", "creatinine")
    assert [item.kind for item in result.evidence] == ["event", "event"]
    assert "different units (mg/dL, umol/L)" in " ".join(result.warnings)


def test_a_trend_counts_a_doubled_value_once(store: SessionStore, tmp_path: Path) -> None:
    rows = [creatinine("a", "1965-01-01", 1.0), creatinine("b", "1965-01-01", 1.0), creatinine("c", "2024-02-03", 1.0)]
    result = ask(store, write(tmp_path, bundle(patient(), *rows)), "observations", "creatinine")
    assert result.evidence[0].kind == "finding"
    assert "1 mg/dL on 1965-01-01 and 1 mg/dL on 2024-02-03: the same over 2 measurements" in result.summary


def test_the_latest_has_a_value(store: SessionStore, tmp_path: Path) -> None:
    cancelled = creatinine("z", "2025-01-01", None, status="cancelled")
    urine = creatinine("u", "2025-01-01", 90, code=concept("Creatinine in urine"))
    path = write(tmp_path, bundle(patient(), creatinine("a", "2024", 1.0), cancelled, urine))
    assert sources(ask(store, path, "observations", "creatinine", "latest")) == ["a"]


def test_many_are_cut_and_counted(store: SessionStore, tmp_path: Path) -> None:
    rows = [creatinine(f"c{n}", f"20{n:02d}-01-01", n / 10) for n in range(60)]
    result = ask(store, write(tmp_path, bundle(patient(), *rows)), "observations", "creatinine")
    assert len(sources(result)) == MAX_EVENTS
    assert "60 entries match; the first 40 are shown and 20 are not. Ask by name." in result.warnings


def test_a_plan_a_forbidden_and_a_given_medicine(store: SessionStore, tmp_path: Path) -> None:
    given: Resource = resource("MedicationAdministration", "g", status="completed", effectiveDateTime="2024-05-06T07:08:00Z")
    given["medicationCodeableConcept"] = {"text": "Morphine"}
    rows = [medicine("p", "Denosumab", intent="plan"), medicine("f", "Aspirin", doNotPerform=True), given]
    said = ask(store, write(tmp_path, bundle(patient(), *rows)), "medications").summary
    assert "Denosumab is recorded as proposed, not as taken" in said
    assert "Aspirin is recorded as not to be given" in said
    assert "On 2024-05-06 at 07:08 UTC Morphine was given" in said


def test_several_patients_need_a_choice(store: SessionStore, tmp_path: Path) -> None:
    path = write(tmp_path, bundle(patient(), patient("two", gender="male"), condition("c", "Asthma")))
    with pytest.raises(UnknownPatient, match=r"2 patients.*p1 \(female, born 1950\); p2 \(male, born 1950\)"):
        ask(store, path, "conditions")
    with pytest.raises(UnknownPatient, match="no patient 'p9'"):
        ask(store, path, "conditions", who="p9")
    assert sources(ask(store, path, "conditions", who="P1")) == ["c"]
    assert "does not document" in ask(store, path, "conditions", who="Patient/two").summary


def test_through_the_runtime(store: SessionStore) -> None:
    add_fhir(SAMPLE, store)
    runtime = ToolRuntime(Registry([ReadRecord()]))
    arguments: dict[str, JsonValue] = {"record": "record1", "about": "summary"}
    result = runtime.call(CallRequest("read_record", arguments, "c1", store)).result
    assert result.status == "done"
    assert "aged 74 at the last dated entry of the record (2024-11-05)" in result.summary
    assert ToolResult.model_validate_json(result.model_dump_json()) == result
    refused = runtime.call(CallRequest("read_record", {"record": "record9"}, "c2", store)).result
    assert refused.status == "refused"
    json.dumps(result.model_dump(mode="json"))


def test_parsed_records_are_kept_for_a_few(store: SessionStore, tmp_path: Path) -> None:
    tool = ReadRecord()
    for n in range(6):
        handle = add_fhir(write(tmp_path, bundle(patient(), creatinine(str(n), "2024", n))), store).handle
        for _ in range(2):
            assert tool.run(ReadRecordParams(record=handle, about="observations"), ToolContext(store)).evidence
