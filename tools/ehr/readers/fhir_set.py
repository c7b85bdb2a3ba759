"""FHIR R4 of many patients as events: bundles, arrays and bulk ndjson, in a file or a folder.

The reader of one record (`tools.ehr.fhir`) keeps what a sentence needs; this one keeps only what a model needs and is
faster. Entered-in-error, refuted, planned and not-done items are no events.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from core.errors import FileError
from tools.ehr.fhir_fields import Json, obj, objects
from tools.ehr.fhir_load import load_resources
from tools.ehr.readers.fhir_quick import line_resource, quick_resources
from tools.ehr.readers.frame import COLUMNS, events_from, need_polars
from tools.ehr.readers.stays import cohort_of, in_hospital
from tools.ehr.risk.cohort import Cohort, Stay
from tools.ehr.times import read_time

SYSTEMS = {
    "http://loinc.org": "LOINC", "http://snomed.info/sct": "SNOMED", "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD10CM", "http://hl7.org/fhir/sid/icd-9-cm": "ICD9CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
}  # fmt: skip
_WRONG = {"entered-in-error", "refuted", "not-done", "cancelled", "draft", "planned", "proposed", "preparation"}
_ICU = {"305351004", "309904001"}
_ICU_UNITS = (("coronary", 1), ("cardiac surgery", 2), ("surgical", 4), ("trauma", 4), ("medical", 3))
_TIMES = {
    "Observation": ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued"),
    "Condition": ("onsetDateTime", "onsetPeriod", "recordedDate"),
    "MedicationRequest": ("authoredOn",),
    "MedicationAdministration": ("effectiveDateTime", "effectivePeriod"),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod"),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "Immunization": ("occurrenceDateTime",),
}
_CODES = {
    "MedicationRequest": "medicationCodeableConcept", "MedicationAdministration": "medicationCodeableConcept",
    "MedicationStatement": "medicationCodeableConcept", "Immunization": "vaccineCode",
}  # fmt: skip
_READ = frozenset((*_TIMES, "Patient", "Encounter"))
Row = tuple[int, datetime | None, str, float | None, str]


def is_fhir(path: Path) -> bool:
    """Whether the file, or the first JSON file of the folder, is FHIR."""
    files = _files(path)
    if not files:
        return False
    with files[0].open("rb") as file:
        return b'"resourceType"' in file.read(65536)


def read_fhir_set(path: Path) -> Cohort:
    """Events of every patient, and the stays in intensive care.

    Raises:
        FileError: a file is not FHIR.
    """
    need_polars()
    import polars as pl

    files = _files(path)
    if not files:
        raise FileError(f"{path.name!r} holds no .json or .ndjson files.")
    found = _Found()
    frames = []
    for file in files:
        for resource in _resources(file):
            found.take(resource)
        rows, found.rows = found.rows, []
        schema = dict(zip(COLUMNS, (pl.Int64, pl.Datetime("us"), pl.String, pl.Float64, pl.String), strict=True))
        if rows:
            frames.append(pl.LazyFrame(rows, schema=schema, orient="row"))
    stays = in_hospital([stay for stay, _ in found.stays], found.hospital, found.deaths)
    return cohort_of("fhir", events_from(frames), stays)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix in (".json", ".ndjson") else []
    return sorted(item for item in path.rglob("*") if item.suffix in (".json", ".ndjson"))


def _resources(path: Path) -> Iterator[Json]:
    if path.suffix != ".ndjson":
        fast = quick_resources(path, _READ)
        yield from (resource for _, resource in load_resources(path)) if fast is None else fast
        return
    with path.open("rb") as file:  # line by line: a bulk export can be larger than the memory
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield line_resource(line, f"{path.name}, line {number}")


@lru_cache(maxsize=65536)
def subject_number(name: str) -> int:
    """A number for a patient id: itself when it is one, else 62 bits of its hash."""
    if name.isdigit() and len(name) < 18:
        return int(name)
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 2


class _Found:
    """What has been read so far: rows of events, stays, hospital visits and deaths."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.stays: list[tuple[Stay, str]] = []
        self.hospital: list[tuple[int, datetime, datetime]] = []
        self.deaths: dict[int, datetime] = {}
        self._kinds: dict[str, Callable[[Json], None]] = {"Patient": self._patient, "Encounter": self._encounter}

    def take(self, resource: Json) -> None:
        """Add one resource; types that carry no event are passed over."""
        kind = str(resource.get("resourceType"))
        if kind in self._kinds:
            self._kinds[kind](resource)
        elif kind in _TIMES:
            self._event(kind, resource)

    def _patient(self, resource: Json) -> None:
        who = subject_number(str(resource.get("id") or ""))
        born = _time(resource.get("birthDate"))
        if born:
            self.rows.append((who, born, "MEDS_BIRTH", None, ""))
        if resource.get("gender") in ("male", "female"):
            self.rows.append((who, None, f"GENDER//{resource['gender']}", None, ""))
        died = _time(resource.get("deceasedDateTime"))
        if died:
            self.deaths[who] = died
            self.rows.append((who, died, "MEDS_DEATH", None, ""))

    def _encounter(self, resource: Json) -> None:
        who, period = _who(resource), obj(resource.get("period"))
        start, end = _time(period.get("start")), _time(period.get("end"))
        if who is None or start is None or _refused(resource):
            return
        types = [coding for kind in objects(resource.get("type")) for coding in objects(kind.get("coding"))]
        words = " ".join(str(obj(kind).get("text") or "") for kind in objects(resource.get("type")))
        words = (words + " " + " ".join(str(coding.get("display") or "") for coding in types)).lower()
        if any(coding.get("code") in _ICU for coding in types) or "intensive care" in words or "coronary care" in words:
            unit = next((number for word, number in _ICU_UNITS if word in words), None)
            self.stays.append((Stay(who, start, end, None, unit), ""))
        elif end is not None and obj(resource.get("class")).get("code") in ("IMP", "ACUTE", "NONAC"):
            self.hospital.append((who, start, end))

    def _event(self, kind: str, resource: Json) -> None:
        who = _who(resource)
        if who is None or _refused(resource):
            return
        time = next((moment for name in _TIMES[kind] if (moment := _time(resource.get(name)))), None)
        code = _code(obj(resource.get(_CODES.get(kind, "code"))))
        parts = list(objects(resource.get("component"))) if kind == "Observation" else []
        value, unit = _quantity(resource)
        if time is None:
            return
        if code and not (parts and value is None):
            self.rows.append((who, time, code, value, unit))
        for part in parts:
            named = _code(obj(part.get("code")))
            amount, own = _quantity(part)
            if named and amount is not None:
                self.rows.append((who, time, named, amount, own))


def _who(resource: Json) -> int | None:
    subject = obj(resource.get("subject") or resource.get("patient"))
    reference = str(subject.get("reference") or "")
    name = reference.removeprefix("urn:uuid:").rsplit("/", 1)[-1]
    return subject_number(name) if name else None


def _refused(resource: Json) -> bool:
    words = [resource.get("status"), resource.get("verificationStatus")]
    flat = {w if isinstance(w, str) else obj(next(iter(objects(obj(w).get("coding"))), {})).get("code") for w in words}
    return bool(flat & _WRONG)


def _code(concept: Json) -> str:
    codings = [c for c in objects(concept.get("coding")) if isinstance(c.get("code"), str)]
    known = next((c for c in codings if c.get("system") in SYSTEMS), None)
    if known is not None:
        return f"{SYSTEMS[str(known['system'])]}//{known['code']}"
    if codings:
        return f"{codings[0].get('system') or 'unknown'}//{codings[0]['code']}"
    text = concept.get("text")
    return f"TEXT//{text.lower()[:80]}" if isinstance(text, str) and text else ""


def _quantity(resource: Json) -> tuple[float | None, str]:
    quantity = obj(resource.get("valueQuantity"))
    value = quantity.get("value", resource.get("valueInteger"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, ""
    if quantity.get("comparator"):  # "<0.01" is a bound, not a measurement
        return None, ""
    return float(value), str(quantity.get("code") or quantity.get("unit") or "")


def _time(value: object) -> datetime | None:
    if isinstance(value, dict):
        value = value.get("start")
    return _utc(value) if isinstance(value, str) else None


@lru_cache(maxsize=65536)
def _utc(text: str) -> datetime | None:
    moment = read_time(text).time
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None
