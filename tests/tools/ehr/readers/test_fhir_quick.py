"""The quick reader and the careful one give the same, and what the quick one cannot take it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import FileError
from tools.ehr.fhir_load import load_resources
from tools.ehr.readers.fhir_quick import FIELDS, line_resource, quick_resources
from tools.ehr.readers.fhir_set import read_fhir_set

KINDS = ("Patient", "Observation", "Encounter")
PATIENT = {"resourceType": "Patient", "id": "a", "birthDate": "1950-02-01", "gender": "male", "name": [{"family": "X"}]}
CLAIM = {"resourceType": "Claim", "id": "c", "type": {"text": "x"}, "item": [{"sequence": 1}]}
HEART = {
    "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/a"}, "note": [{"text": "n"}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, "effectiveDateTime": "2020-01-01T10:00:00Z",
    "valueQuantity": {"value": 80, "unit": "/min"},
}  # fmt: skip
ODD = {"resourceType": "Observation", "status": 7, "code": "text", "component": {"a": 1}, "subject": ["x"], "period": 3}


def bundle(*resources: object, **more: object) -> dict[str, object]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r, **more} for r in resources]}


def written(tmp_path: Path, value: object, name: str = "b.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(value))
    return path


def test_quick_and_careful_give_the_same_fields(tmp_path: Path) -> None:
    path = written(tmp_path, bundle(PATIENT, CLAIM, HEART, ODD))
    quick = quick_resources(path, KINDS)
    assert quick is not None
    careful = [{k: v for k, v in r.items() if k in FIELDS} for _, r in load_resources(path) if r["resourceType"] in KINDS]
    assert list(quick) == careful
    assert len(careful) == 3


@pytest.mark.parametrize(
    "value",
    [
        bundle(bundle(PATIENT)),
        bundle(PATIENT, request={"method": "DELETE", "url": "Patient/a"}),
        bundle(PATIENT, search={"mode": "outcome"}),
        bundle({"id": "no type"}),
        bundle(None),
        {"resourceType": "Bundle"},
        PATIENT,
        [PATIENT],
    ],
)
def test_what_is_special_is_left_to_the_careful_reader(tmp_path: Path, value: object) -> None:
    assert quick_resources(written(tmp_path, value), KINDS) is None


def test_a_deleted_observation_is_no_event(tmp_path: Path) -> None:
    value = bundle(PATIENT, {**HEART, "id": "h"})
    assert isinstance(value["entry"], list)
    value["entry"].append({"request": {"method": "DELETE", "url": "Observation/h"}})
    written(tmp_path, value)
    assert "HR" not in read_fhir_set(tmp_path).events.vocabulary


def test_broken_json_is_named_by_the_careful_reader(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(bundle(PATIENT, HEART))[:-20])
    with pytest.raises(FileError, match="Not valid JSON at line 1"):
        read_fhir_set(tmp_path)


@pytest.mark.parametrize(
    ("line", "why"), [(b"[1]", "is an object"), (b"{", "not valid JSON"), (b'{"a": "\xff"', "not valid")]
)
def test_a_bad_line_of_a_bulk_export_is_named(line: bytes, why: str) -> None:
    with pytest.raises(FileError, match=f"x.ndjson, line 4: .*{why}"):
        line_resource(line, "x.ndjson, line 4")


def test_bundle_and_lines_give_one_timeline(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    written(tmp_path / "one", bundle(PATIENT, CLAIM, HEART))
    (tmp_path / "two" / "x.ndjson").write_text("\n".join(json.dumps(r) for r in (PATIENT, CLAIM, HEART)))
    first, second = read_fhir_set(tmp_path / "one").events, read_fhir_set(tmp_path / "two").events
    assert first.value.tolist() == pytest.approx(second.value.tolist(), nan_ok=True)
    assert first.vocabulary == second.vocabulary
    assert "HR" in first.vocabulary
