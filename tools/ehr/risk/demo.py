"""Writes the demo patient: an invented person in intensive care, as a FHIR bundle. `python -m tools.ehr.risk.demo OUT.json`.

Every value is drawn from made-up courses with a fixed seed; no record of a person was used.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

_TAG = {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]}
_COURSES: tuple[tuple[str, str, str, float, float, float, int], ...] = (
    ("8867-4", "Heart rate", "/min", 118, 104, 4, 2),
    ("8480-6", "Systolic blood pressure", "mmHg", 92, 104, 5, 2),
    ("8478-0", "Mean blood pressure", "mmHg", 61, 70, 4, 2),
    ("9279-1", "Respiratory rate", "/min", 27, 24, 2, 2),
    ("8310-5", "Body temperature", "Cel", 38.6, 37.9, 0.2, 4),
    ("9269-2", "Glasgow Coma Scale", "{score}", 11, 9, 0.7, 4),
    ("59408-5", "Oxygen saturation", "%", 92, 94, 1, 4),
    ("9187-6", "Urine output", "mL", 35, 25, 8, 2),
    ("2160-0", "Creatinine", "mg/dL", 1.9, 2.8, 0.1, 12),
    ("3094-0", "Urea nitrogen", "mg/dL", 42, 58, 2, 12),
    ("2823-3", "Potassium", "mmol/L", 4.6, 5.1, 0.1, 12),
    ("2951-2", "Sodium", "mmol/L", 136, 134, 1, 12),
    ("1963-8", "Bicarbonate", "mmol/L", 18, 17, 0.6, 12),
    ("32693-4", "Lactate", "mmol/L", 4.4, 3.1, 0.3, 8),
    ("6690-2", "Leukocytes", "10*3/uL", 19, 17, 1, 12),
    ("777-3", "Platelets", "10*3/uL", 148, 96, 5, 12),
    ("4544-3", "Haematocrit", "%", 31, 29, 0.6, 12),
    ("2345-7", "Glucose", "mg/dL", 162, 148, 9, 8),
    ("2744-1", "Arterial pH", "[pH]", 7.29, 7.33, 0.01, 8),
    ("2703-7", "Oxygen pressure, arterial", "mmHg", 71, 84, 4, 8),
    ("2019-8", "Carbon dioxide pressure, arterial", "mmHg", 38, 36, 1, 8),
    ("1975-2", "Bilirubin", "mg/dL", 1.4, 2.1, 0.1, 24),
    ("1751-7", "Albumin", "g/dL", 2.6, 2.4, 0.1, 24),
    ("29463-7", "Body weight", "kg", 78, 80, 0.2, 24),
)
"""(LOINC, name, UCUM unit, value at admission, value at 48 h, spread, hours between)."""


def bundle() -> dict[str, object]:
    """The FHIR bundle: patient, stay, observations of 60 h, of which the last 12 h lie after the moment of prediction."""
    random = np.random.default_rng(7)
    start = np.datetime64("2031-03-04T06:00", "m")
    resources: list[dict[str, object]] = [
        {"resourceType": "Patient", "id": "demo-icu", "meta": _TAG, "gender": "male", "birthDate": "1957-08-21"},
        {
            "resourceType": "Encounter", "id": "demo-stay", "meta": _TAG, "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "type": [{"coding": [{"system": "http://snomed.info/sct", "code": "305351004"}],
                      "text": "Admission to medical intensive care unit"}],
            "subject": {"reference": "Patient/demo-icu"}, "period": {"start": f"{start}:00Z"},
        },
    ]  # fmt: skip
    for code, name, unit, first, last, spread, step in _COURSES:
        for number, hour in enumerate(range(0, 60, step)):
            value = first + (last - first) * min(hour, 48) / 48 + random.normal(0, spread)
            digits = 2 if abs(first) < 10 else 0 if unit in ("/min", "mmHg", "mL", "{score}", "%") else 1
            resources.append({
                "resourceType": "Observation", "id": f"demo-{code}-{number}", "meta": _TAG, "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": name}], "text": name},
                "subject": {"reference": "Patient/demo-icu"},
                "effectiveDateTime": f"{start + np.timedelta64(hour * 60 + 20, 'm')}:00Z",
                "valueQuantity": {"value": round(float(value), digits), "unit": unit, "code": unit,
                                  "system": "http://unitsofmeasure.org"},
            })  # fmt: skip
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "meta": _TAG,
        "entry": [{"resource": item} for item in resources],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(bundle(), separators=(",", ":")))
