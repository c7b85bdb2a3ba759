from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from tests.tools.ehr.build import Resource, bundle, concept, condition, creatinine, medicine, patient, resource, write
from tools.ehr.fhir import read_fhir
from tools.ehr.statements import patient_event, statement

DAY: JsonValue = "2024-03-02"
RANGE: JsonValue = [{"low": {"value": 0.5, "unit": "mg/dL"}, "high": {"value": 1.1, "unit": "mg/dL"}}]


def said(folder: Path, item: Resource) -> str:
    (entry,) = read_fhir(write(folder, bundle(patient(), item))).entries
    return statement(entry).rpartition(" (")[0]


def observed(**more: JsonValue) -> Resource:
    return resource("Observation", status="final", code=concept("It"), effectiveDateTime=DAY, **more)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (creatinine("a", "2024-03-02", 1.4), "On 2024-03-02 Creatinine was 1.4 mg/dL"),
        (
            creatinine("a", "2024-03", 1.4, referenceRange=RANGE, interpretation=[concept("High")]),
            "In 2024-03 Creatinine was 1.4 mg/dL, flagged High, reference range 0.5 to 1.1 mg/dL",
        ),
        (observed(valueQuantity={"value": 5, "comparator": "<", "unit": "mg/L"}), "On 2024-03-02 It was <5 mg/L"),
        (observed(valueQuantity={"value": 171.43529167, "code": "cm"}), "On 2024-03-02 It was 171.4 cm"),
        (observed(valueQuantity={"value": 5, "unit": "{score}"}), "On 2024-03-02 It was 5"),
        (observed(valueCodeableConcept=concept("Ex-smoker")), "On 2024-03-02 It was Ex-smoker"),
        (observed(valueBoolean=False), "On 2024-03-02 It was no"),
        (observed(valueInteger=3), "On 2024-03-02 It was 3"),
        (observed(valueString="turbid"), "On 2024-03-02 It was turbid"),
        (observed(valueRange={"low": {"value": 1}, "high": {"value": 2}}), "On 2024-03-02 It was 1 to 2"),
        (observed(valueRatio={"numerator": {"value": 1}, "denominator": {"value": 8}}), "On 2024-03-02 It was 1 : 8"),
        (observed(valueTime="10:15:00"), "On 2024-03-02 It was 10:15:00"),
        (observed(valueDateTime="2024-02"), "On 2024-03-02 It was 2024-02"),
        (observed(valueSampledData={}), "On 2024-03-02 It was a sampled signal, not shown"),
        (
            observed(dataAbsentReason=concept("Unknown")),
            "On 2024-03-02 It was recorded without a value; no value because: Unknown",
        ),
        (observed(valueQuantity={"value": True}), "On 2024-03-02 It was recorded without a value"),
        (condition("c", "Asthma"), "Asthma is recorded as active since 2020-01-02"),
        (
            condition("c", "Asthma", "resolved", abatementDateTime="2021"),
            "Asthma is recorded as resolved, from 2020-01-02 until 2021",
        ),
        (
            condition("c", "Asthma", verified="provisional"),
            "Asthma is recorded as not confirmed (provisional), dated 2020-01-02",
        ),
        (
            condition("c", "Asthma", clinicalStatus=None, onsetDateTime=None),
            "Asthma is recorded without a clinical status",
        ),
        (
            condition("c", "Asthma", abatementDateTime="2021"),
            "Asthma is recorded as active since 2020-01-02, although an end is given in 2021",
        ),
        (medicine("m", "Aspirin", "on-hold"), "Aspirin is recorded as on hold, ordered on 2021-05-06"),
        (
            medicine("m", "Aspirin", "unknown"),
            "Aspirin is recorded as a medicine of unknown status, ordered on 2021-05-06",
        ),
        (medicine("m", "Aspirin", "cancelled"), "Aspirin is recorded as cancelled, dated 2021-05-06"),
        (
            resource("MedicationStatement", status="not-taken", medicationCodeableConcept={"text": "Aspirin"}),
            "Aspirin is recorded as not taken",
        ),
        (
            resource("MedicationAdministration", status="not-done", medication={"concept": {"text": "Aspirin"}}),
            "On an unknown date Aspirin was not given",
        ),
        (
            resource("AllergyIntolerance", code=concept("Nuts"), verificationStatus={"coding": [{"code": "refuted"}]}),
            "Allergy to Nuts was considered and refuted: the record says that the patient does not have it",
        ),
        (
            resource("Immunization", status="not-done", vaccineCode=concept("MMR"), occurrenceDateTime=DAY),
            "Vaccination with MMR was not given on 2024-03-02",
        ),
        (
            resource("Procedure", status="not-done", code=concept("Biopsy"), performedDateTime=DAY),
            "Biopsy is recorded as a procedure with status not done, dated 2024-03-02",
        ),
        (
            resource("ServiceRequest", status="active", code=concept("MRI"), authoredOn=DAY),
            "MRI was requested on 2024-03-02 (status active)",
        ),
        (
            resource("ServiceRequest", status="active", code=concept("MRI"), authoredOn=DAY, doNotPerform=True),
            "MRI is recorded as not to be done on 2024-03-02",
        ),
        (
            resource("Encounter", status="planned", type=[concept("Visit")], period={"start": DAY}),
            "Visit is recorded with status planned, dated 2024-03-02",
        ),
        (
            resource("Device", status="active", type=concept("Pacemaker")),
            "Device of the patient: Pacemaker, status active",
        ),
        (
            resource("ImagingStudy", status="cancelled", description="CT", started=DAY),
            "The imaging study 'CT' was cancelled on 2024-03-02",
        ),
    ],
)
def test_statements(tmp_path: Path, item: Resource, expected: str) -> None:
    assert said(tmp_path, item) == expected


def test_a_structured_dose_is_put_in_words(tmp_path: Path) -> None:
    dose: JsonValue = [
        {
            "doseAndRate": [{"doseQuantity": {"value": 70, "unit": "mg"}}],
            "route": concept("oral"),
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}},
            "asNeededBoolean": True,
        }
    ]
    assert "dose: 70 mg oral 1 time(s) per 1 wk as needed" in said(tmp_path, medicine("m", "A", dosageInstruction=dose))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "female, born in 1950, aged 74 at the last dated entry of the record (2024-03-10)"),
        ({"birthDate": None}, "female"),
        ({"gender": "unknown", "birthDate": None}, "described without sex or date of birth"),
        ({"deceasedDateTime": "2023-01-01"}, "female, born in 1950, died on 2023-01-01 aged 72"),
        ({"deceasedBoolean": True}, "female, born in 1950, deceased"),
    ],
)
def test_who_it_is_about(tmp_path: Path, fields: Resource, expected: str) -> None:
    record = read_fhir(write(tmp_path, bundle(patient(**fields), creatinine("a", "2024-03-10", 1))))
    event = patient_event(record.patients[0], record.entries[-1].start)
    assert event.statement == f"The patient is recorded as {expected} (Patient/pat)."
