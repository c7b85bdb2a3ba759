"""Five invented people, written as FHIR, OMOP and MEDS: the same facts in three formats, with their own units and zones."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

ZONE = ZoneInfo("Europe/Amsterdam")
_CONCEPTS = {
    ("LOINC", "2160-0"): 3016723, ("LOINC", "8867-4"): 3027018, ("LOINC", "2823-3"): 3023103, ("LOINC", "8310-5"): 3020891,
    ("SNOMED", "44054006"): 201826, ("RxNorm", "860975"): 40163924, ("UCUM", "mg/dL"): 8840, ("UCUM", "/min"): 8541,
    ("UCUM", "umol/L"): 8749, ("UCUM", "mmol/L"): 8753, ("UCUM", "[degF]"): 9289,
}  # fmt: skip
_SYSTEMS = {
    "LOINC": "http://loinc.org", "SNOMED": "http://snomed.info/sct", "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
}  # fmt: skip


@dataclass(frozen=True)
class Fact:
    person: int
    local: datetime
    system: str
    code: str
    value: float | None = None
    unit: str = ""

    @property
    def utc(self) -> datetime:
        return self.local.replace(tzinfo=ZONE).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


PEOPLE = {101: ("male", "1950-02-03"), 102: ("female", "1961-11-30"), 103: ("male", "1980-07-07"),
          104: ("female", "1944-01-01"), 105: ("male", "1999-12-31")}  # fmt: skip


def facts() -> list[Fact]:
    random = np.random.default_rng(3)
    out = []
    for person in PEOPLE:
        for number in range(12):
            # Days on both sides of the change to summer time.
            local = datetime.fromisoformat("2024-03-25") + timedelta(
                hours=int(random.integers(0, 240)), minutes=int(random.integers(0, 60))
            )
            system, code, low, high, unit = [
                ("LOINC", "2160-0", 60, 300, "umol/L"), ("LOINC", "8867-4", 50, 140, "/min"),
                ("LOINC", "2823-3", 3, 6, "mmol/L"), ("LOINC", "8310-5", 96, 103, "[degF]"),
            ][number % 4]  # fmt: skip
            if local.day == 31 and local.hour in (1, 2):
                local += timedelta(hours=3)
            out.append(Fact(person, local, str(system), str(code), round(float(random.uniform(low, high)), 1), str(unit)))
        out.append(Fact(person, datetime.fromisoformat("2024-03-26T09:00"), "SNOMED", "44054006"))
        out.append(Fact(person, datetime.fromisoformat("2024-04-02T08:30"), "RxNorm", "860975"))
    return out


def write_fhir(folder: Path) -> Path:
    folder.mkdir()
    for person, (sex, born) in PEOPLE.items():
        lines: list[dict[str, object]] = [{"resourceType": "Patient", "id": str(person), "gender": sex, "birthDate": born}]
        for number, fact in enumerate(fact for fact in facts() if fact.person == person):
            when = fact.local.replace(tzinfo=ZONE).isoformat()
            coding = {"coding": [{"system": _SYSTEMS[fact.system], "code": fact.code}]}
            common = {"id": f"e{number}", "subject": {"reference": f"Patient/{person}"}}
            if fact.system == "LOINC":
                quantity = {"value": fact.value, "unit": fact.unit, "code": fact.unit}
                lines.append({"resourceType": "Observation", "status": "final", "code": coding, "effectiveDateTime": when,
                              "valueQuantity": quantity, **common})  # fmt: skip
            elif fact.system == "SNOMED":
                lines.append({"resourceType": "Condition", "code": coding, "onsetDateTime": when, **common})
            else:
                lines.append({"resourceType": "MedicationRequest", "status": "active", "authoredOn": when,
                              "medicationCodeableConcept": coding, **common})  # fmt: skip
        text = "\n".join(json.dumps(line) for line in reversed(lines))
        if person % 2:
            (folder / f"{person}.ndjson").write_text(text)
        else:
            bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": line} for line in lines]}
            (folder / f"{person}.json").write_text(json.dumps(bundle))
    return folder


def write_omop(folder: Path) -> Path:
    """Local times without a zone; creatinine in umol/L through the unit's concept."""
    folder.mkdir()

    def table(name: str, header: list[str], rows: list[list[object]]) -> None:
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])

    table("PERSON", ["person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth"],
          [[who, 8507 if sex == "male" else 8532, *(int(part) for part in born.split("-"))]
           for who, (sex, born) in PEOPLE.items()])  # fmt: skip
    table("CONCEPT", ["concept_id", "vocabulary_id", "concept_code"], [[n, *key] for key, n in _CONCEPTS.items()])
    kinds = {
        "LOINC": ("measurement", "measurement_concept_id", "measurement_datetime"),
        "SNOMED": ("condition_occurrence", "condition_concept_id", "condition_start_datetime"),
        "RxNorm": ("drug_exposure", "drug_concept_id", "drug_exposure_start_datetime"),
    }
    for system, (name, concept, time) in kinds.items():
        rows: list[list[object]] = [
            [fact.person, _CONCEPTS[fact.system, fact.code], fact.local.strftime("%Y-%m-%d %H:%M:%S"),
             "" if fact.value is None else fact.value, _CONCEPTS.get(("UCUM", fact.unit), "")]
            for fact in facts() if fact.system == system
        ]  # fmt: skip
        table(name, ["person_id", concept, time, "value_as_number", "unit_concept_id"], rows[::-1])
    return folder


def write_meds(folder: Path) -> Path:
    """UTC; two shards; units in a column."""
    (folder / "data").mkdir(parents=True)
    rows: list[tuple[int, datetime | None, str, float | None, str]] = []
    for who, (sex, born) in PEOPLE.items():
        rows += [(who, datetime.fromisoformat(born), "MEDS_BIRTH", None, ""), (who, None, f"GENDER//{sex}", None, "")]
    rows += [(f.person, f.utc, f"{f.system}//{f.code}", f.value, f.unit) for f in facts()]
    schema = {"subject_id": pl.Int64, "time": pl.Datetime("us"), "code": pl.String, "numeric_value": pl.Float32,
              "unit": pl.String}  # fmt: skip
    for shard in (0, 1):
        part = [row for row in rows if row[0] % 2 == shard]
        pl.DataFrame(part, schema=schema, orient="row").write_parquet(folder / "data" / f"{shard}.parquet")
    return folder
