"""FHIR R4 files to a `Record`.

Our own tolerant reader over JSON: a field that is not as the standard says reads as absent, and what is not read is
counted. Nothing is inferred; `tools.ehr.statements` says what stands there. The patient's name is never kept, and
where it occurs in free text it is replaced by "[name]".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import FileError
from core.ports import ArtifactStore
from core.types import Artifact, NewArtifact
from tools.ehr import fhir_clinical as clinical
from tools.ehr import fhir_results as results
from tools.ehr.fhir_fields import Json, code_of, objects, when, word
from tools.ehr.fhir_load import MAX_BYTES, Found, load_resources
from tools.ehr.fhir_reader import At
from tools.ehr.record import Entry, Patient, Record, by_time

Reader = Callable[[Json, At], Iterator[Entry]]

READERS: dict[str, Reader] = {
    "AllergyIntolerance": clinical.allergy,
    "CarePlan": clinical.care_plan,
    "Condition": clinical.condition,
    "Device": clinical.device,
    "DiagnosticReport": results.diagnostic_report,
    "DocumentReference": results.document,
    "Encounter": clinical.encounter,
    "FamilyMemberHistory": clinical.family_history,
    "ImagingStudy": results.imaging_study,
    "Immunization": clinical.immunization,
    "MedicationAdministration": clinical.medication_administration,
    "MedicationOrder": clinical.medication_request,
    "MedicationRequest": clinical.medication_request,
    "MedicationStatement": clinical.medication_statement,
    "Observation": results.observation,
    "Procedure": clinical.procedure,
    "ProcedureRequest": clinical.service_request,
    "ServiceRequest": clinical.service_request,
}
_MARK = re.compile(r'"resourceType"\s*:\s*"[A-Z]')
_FHIR_XML = re.compile(r'<[A-Z]\w+[^>]*xmlns\s*=\s*"http://hl7\.org/fhir"')


def looks_like_fhir(head: bytes) -> bool:
    """Whether the first bytes of a file (a few kilobytes) are those of FHIR.

    True for FHIR in XML as well: `read_fhir` then says that JSON is needed.
    """
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    text = head.decode(encoding, "ignore").removeprefix("\ufeff").lstrip()
    if text.startswith(("{", "[")):
        return _MARK.search(text) is not None
    return text.startswith("<") and _FHIR_XML.search(text) is not None


def read_fhir(path: Path, max_bytes: int = MAX_BYTES) -> Record:
    """Read a FHIR file: a bundle of any type, an array, a single resource, or ndjson.

    Raises:
        TooLarge: the file is larger than `max_bytes`.
        FileError: not JSON, not FHIR, empty, or nothing in it belongs to a patient's record.
    """
    resources, warnings = _distinct(load_resources(path, max_bytes))
    index = _Index(resources)
    read: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    entries: list[Entry] = []
    for number, (url, resource) in enumerate(resources, start=1):
        kind = word(resource.get("resourceType"), 64)
        reader = READERS.get(kind)
        owner = index.owner(resource) if reader is not None else None
        if reader is None or owner is None:
            if kind not in ("Patient", "Medication"):
                unread[kind] += 1
            continue
        read[kind] += 1
        at = At(_source(kind, resource, number), owner, index.within(url, resource))
        entries.extend(reader(resource, at))
    patients = index.patients()
    if not patients:
        raise FileError(
            f"This FHIR file holds no patient's record: got {_counts(unread)}. Read are Patient and: {', '.join(READERS)}."
        )
    hide = _name_pattern(index.people)
    return Record(
        patients=patients,
        entries=by_time(_without_names(entry, hide) for entry in entries),
        unread=dict(sorted(unread.items())),
        read=dict(sorted(read.items())),
        warnings=(*warnings, *_warnings(entries, index, unread)),
    )


def add_fhir(path: Path, store: ArtifactStore) -> Artifact:
    """Read a file to make sure of it, store it as it is, and describe it without identifiers.

    Raises:
        FileError: see `read_fhir`.
    """
    record = read_fhir(path)
    people = "1 patient" if len(record.patients) == 1 else f"{len(record.patients)} patients"
    events = sum(entry.is_fact for entry in record.entries)
    ndjson = path.suffix.lower() == ".ndjson"
    new = NewArtifact(
        kind="record",
        title=f"FHIR record, {people}, {events} event{'' if events == 1 else 's'}",
        media_type="application/fhir+ndjson" if ndjson else "application/fhir+json",
        warnings=record.warnings,
    )
    return store.add(path, new, ".ndjson" if ndjson else ".json")


def _source(kind: str, resource: Json, number: int) -> str:
    return f"{kind}/{word(resource.get('id'), 64) or f'(no id, resource {number})'}"


def _distinct(found: Sequence[Found]) -> tuple[list[Found], list[str]]:
    """Each resource once: of several versions with one id the newest, of equal ones without an id the first."""
    kept: dict[str, Found] = {}
    twice = 0
    for position, (url, resource) in enumerate(found):
        kind, identity = resource.get("resourceType"), word(resource.get("id"), 64)
        key = f"{kind}/{identity}" if identity else url or repr(resource)
        if not identity and not url and resource.get("resourceType") == "(no resourceType)":
            key = f"{key}{position}"
        if key in kept:
            twice += 1
            if _version(resource) < _version(kept[key][1]):
                continue
        kept[key] = (url, resource)
    many = f"{twice} resource{' was' if twice == 1 else 's were'} in the file more than once; the newest is used."
    return list(kept.values()), [many] if twice else []


def _version(resource: Json) -> tuple[float, int]:
    meta = resource.get("meta")
    updated = when(meta.get("lastUpdated")) if isinstance(meta, dict) else None
    version = word(meta.get("versionId"), 20) if isinstance(meta, dict) else ""
    number = int(version) if version.isascii() and version.isdigit() else 0
    return (updated.time.timestamp() if updated and updated.time else 0.0, number)


class _Index:
    """References of one file: what they point to, and whose a resource is."""

    def __init__(self, resources: Sequence[Found]) -> None:
        self._by_key: dict[str, Json] = {}
        self._owners: dict[str, str] = {}
        self.people: list[Json] = []
        self.dangling: set[str] = set()
        for url, resource in resources:
            kind, identity = word(resource.get("resourceType"), 64), word(resource.get("id"), 64)
            if url:
                self._by_key[url] = resource
            if identity:
                self._by_key.setdefault(f"{kind}/{identity}", resource)
                self._by_key.setdefault(f"urn:uuid:{identity}", resource)
            if kind == "Patient":
                self.people.append(resource)
        for number, person in enumerate(self.people, start=1):
            self._owners[word(person.get("id"), 64) or f"(no id, patient {number})"] = f"p{number}"
        self._ids = {id(person): name for person, name in zip(self.people, self._owners, strict=False)}

    def find(self, reference: object) -> Json:
        """The resource a Reference points to, in any of the ways FHIR writes it; else an empty one."""
        text = _reference(reference)
        return self._by_key.get(text) or self._by_key.get(_tail(text)) or {}

    def within(self, url: str, resource: Json) -> Callable[[object], Json]:
        """`find`, which also sees what the resource contains."""
        contained = {f"#{word(item.get('id'), 64)}": item for item in objects(resource.get("contained"))}
        return lambda reference: contained.get(_reference(reference)) or self.find(reference)

    def owner(self, resource: Json) -> str | None:
        """Handle of the patient; None when the resource names none and there is not exactly one."""
        reference = resource.get("subject") or resource.get("patient")
        text = _reference(reference)
        if text:
            return self._owner_of(text, reference)
        return "p1" if len(self.people) == 1 or (not self.people and len(self._owners) <= 1) else None

    def _owner_of(self, text: str, reference: object) -> str | None:
        target = self.find(reference)
        if target.get("resourceType") == "Patient":
            return self._owners[self._ids.get(id(target), word(target.get("id"), 64))]
        kind, _, identity = _tail(text).rpartition("/")
        if kind not in ("", "Patient") or target:
            return None  # about a group, a location or a device
        name = word(identity.removeprefix("urn:uuid:"), 64)
        if name not in self._owners:
            self._owners[name] = f"p{len(self._owners) + 1}"
            self.dangling.add(name)
        return self._owners[name]

    def patients(self) -> tuple[Patient, ...]:
        """All patients, described without names."""
        described = {name: person for person, name in zip(self.people, self._owners, strict=False)}
        return tuple(_patient(described.get(name, {}), name, handle) for name, handle in self._owners.items())


def _reference(reference: object) -> str:
    return word(reference.get("reference"), 512) if isinstance(reference, dict) else ""


def _tail(text: str) -> str:
    """Give "Type/id" of a relative or absolute reference, without a version."""
    return "/".join(text.split("/_history")[0].split("/")[-2:])


def _patient(person: Json, name: str, handle: str) -> Patient:
    died = when(person.get("deceasedDateTime"))
    sex = code_of(person.get("gender"))
    return Patient(
        handle=handle,
        id=name,
        sex=sex if sex in ("female", "male", "other") else "",
        born=when(person.get("birthDate")),
        deceased=bool(died) or person.get("deceasedBoolean") is True,
        died=died,
    )


def _name_pattern(people: Sequence[Json]) -> re.Pattern[str] | None:
    """Matches given and family name together in either order, and a family name after a title."""
    forms = []
    for person in people:
        for name in objects(person.get("name")):
            family = re.escape(word(name.get("family"), 60))
            given = name.get("given")
            first = [re.escape(word(item, 60)) for item in given if word(item)] if isinstance(given, list) else []
            if family and first:
                either = "|".join(first)
                middle = r"(?:\s+[\w.'-]+)?\s+"
                forms += [rf"(?:{either}){middle}{family}", rf"{family},?\s+(?:{either})"]
            if family:
                forms.append(rf"(?:Mrs?|Ms|Miss|Herr|Frau|Mme|patient)\.?\s+{family}")
    return re.compile(rf"\b(?:{'|'.join(forms)})\b", re.IGNORECASE) if forms else None


def _without_names(entry: Entry, hide: re.Pattern[str] | None) -> Entry:
    texts = (entry.text, entry.value if isinstance(entry.value, str) else "", *(text for _, text in entry.details))
    if hide is None or hide.search("\n".join(texts)) is None:
        return entry
    return replace(
        entry,
        text=hide.sub("[name]", entry.text),
        value=hide.sub("[name]", entry.value) if isinstance(entry.value, str) else entry.value,
        details=tuple((label, hide.sub("[name]", text)) for label, text in entry.details),
    )


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())) or "nothing"


def _warnings(entries: Sequence[Entry], index: _Index, unread: Counter[str]) -> Iterator[str]:
    errors = sum(not entry.is_fact for entry in entries)
    undated = sum(entry.start.time is None for entry in entries if entry.is_fact)
    if errors:
        yield f"Left out because they are marked as entered in error: {errors}."
    if undated:
        yield f"Entries without a usable date: {undated}."
    if any("no zone" in entry.start.text for entry in entries):
        yield "Some times of day have no time zone; they are taken as UTC."
    if index.dangling:
        yield f"Patients that entries refer to but the file does not describe: {len(index.dangling)}."
    if unread:
        yield f"Resources not read: {_counts(unread)}."
