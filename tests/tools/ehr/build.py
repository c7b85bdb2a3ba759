"""Small FHIR resources for the tests."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import JsonValue

Resource = dict[str, JsonValue]
LOINC = "http://loinc.org"
SUBJECT: Resource = {"reference": "Patient/pat"}


def patient(identity: str = "pat", /, **more: JsonValue) -> Resource:
    return {"resourceType": "Patient", "id": identity, "gender": "female", "birthDate": "1950-03-09", **more}


def concept(text: str, code: str = "", system: str = LOINC) -> Resource:
    return {"text": text, "coding": [{"system": system, "code": code, "display": text}]} if code else {"text": text}


def resource(kind: str, identity: str = "x1", /, **more: JsonValue) -> Resource:
    return {"resourceType": kind, "id": identity, "subject": SUBJECT, **more}


def creatinine(identity: str, date: str, value: JsonValue, unit: str = "mg/dL", **more: JsonValue) -> Resource:
    quantity: Resource = {"value": value, "unit": unit}
    fields: Resource = {
        "status": "final",
        "code": concept("Creatinine", "2160-0"),
        "effectiveDateTime": date,
        "valueQuantity": quantity,
        **more,
    }
    return resource("Observation", identity, **fields)


def condition(
    identity: str, text: str, clinical: str = "active", verified: str = "confirmed", **more: JsonValue
) -> Resource:
    fields: Resource = {
        "clinicalStatus": {"coding": [{"code": clinical}]},
        "verificationStatus": {"coding": [{"code": verified}]},
        "code": concept(text),
        "onsetDateTime": "2020-01-02",
        **more,
    }
    return resource("Condition", identity, **fields)


def medicine(identity: str, text: str, status: str = "active", **more: JsonValue) -> Resource:
    fields: Resource = {
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": {"text": text},
        "authoredOn": "2021-05-06",
        **more,
    }
    return resource("MedicationRequest", identity, **fields)


def bundle(*resources: Resource, kind: str = "collection") -> Resource:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": item} for item in resources]}


def write(folder: Path, content: JsonValue, name: str = "record.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path
