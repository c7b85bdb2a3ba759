"""The tool `read_record`: answers from the events of an attached FHIR record, and says what is not documented."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.types import Evidence, Table, TableRow, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec
from tools.ehr.fhir import read_fhir
from tools.ehr.query import About, Reply, Which, answer, settle
from tools.ehr.record import Entry, Patient, Record
from tools.ehr.statements import as_event, patient_event, value_text
from tools.ehr.summary import overview
from tools.ehr.timeline import choose_patient, facts_of, last_time, searched

MAX_EVENTS = 40
"""Events in one result: what a person reads and a language model can hold; the rest is counted in a warning."""

_CACHED_RECORDS = 4
_PERSON = {"age", "aged", "sex", "gender", "birth", "born", "birthday", "birthdate", "demographics", "date", "year"}
"""Words that ask for the person described, not for an entry."""


class ReadRecordParams(BaseModel):
    """What to read from a record."""

    model_config = ConfigDict(extra="forbid")

    record: str = Field(description="Handle of the health record, for example record1.")
    about: About = Field(default="summary", description="Which part of the record is asked for.")
    name: str | None = Field(
        default=None,
        max_length=200,
        description="What is asked for within it, in the person's words or as a code: creatinine, fracture, 2160-0.",
    )
    when: Which = Field(default="all", description="All matching entries, only the latest, or only the first.")
    patient: str | None = Field(
        default=None, max_length=200, description="Which patient, for example p2, when the record holds several."
    )


SPEC = ToolSpec(
    name="read_record",
    version="1",
    description=(
        "Reads the attached health record (FHIR): medicines, conditions, allergies, laboratory values and vital signs "
        "over time, procedures, visits, vaccinations. Answers with the record's own entries, dated and sourced, or "
        "says that the record does not document it. It does not interpret or predict."
    ),
    params=ReadRecordParams,
    examples=(
        "what medicines is she on",
        "what was the last creatinine",
        "any fractures in the history",
        "is the patient allergic to anything",
        "show me the patient's timeline",
        "how has her kidney function developed",
        "does he have diabetes according to the record",
        "when was alendronate stopped and why",
        "what is the blood pressure trend",
        "summarise the patient's medical record",
        "has the patient had a bone density scan",
        "which vaccinations are documented",
        "what operations has the patient had",
        "does the patient smoke",
        "when was the last visit",
        "what drugs does he take",
        "current medication list",
        "Has he been admitted to hospital before?",
        "most recent haemoglobin",
        "how old is she",
        "latest potassium",
        "her diagnoses",
        "which lab values are abnormal",
        "was she ever treated for osteoporosis",
        "Did he break a bone in the past according to the notes?",
        "is she anticoagulated",
        "weight and BMI of the patient",
        "what happened to the patient last year",
    ),
    accepts=(Accepts(parameter="record", kinds=("record",), allow_synthetic=True, described_as="a health record (FHIR)"),),
    card=Card(
        method=(
            "Reads FHIR R4 JSON field by field and selects entries by code (LOINC, SNOMED CT, ICD-10) and by word. "
            "No model takes part and nothing is inferred."
        ),
        trained_on="Nothing is trained.",
        performance="Deterministic; the tests hold every resource type it reads.",
        intended_use="Finding and quoting what a record says, with its source, for a person to check.",
        known_failures=(
            "A term that neither its table of concepts nor the entry's own words contain is not found.",
            "Free text is searched by word: 'no fracture' in a report is quoted as it stands, not understood.",
            "Medicines that are marked active in the source are reported as current, however old the order is.",
            "Scanned attachments (PDF, images) are not read.",
        ),
    ),
    timeout_s=60.0,
)


class ReadRecord:
    """The tool. Parsed records are kept by content hash, the four last used, for follow-up questions."""

    def __init__(self) -> None:
        self._cache: OrderedDict[str, Record] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return SPEC

    def run(self, params: ReadRecordParams, context: ToolContext) -> ToolResult:
        """Answer from the record.

        Raises:
            UnknownHandle: there is no such artifact.
            UnknownPatient: the record holds several patients and none of them, or an unknown one, is named.
            FileError: the stored file cannot be read as FHIR.
        """
        artifact = context.store.get(params.record)
        record = self._read(artifact.sha256, context.store.path(params.record))
        context.check()
        patient = choose_patient(record, params.patient)
        facts = facts_of(record, patient)
        name = (params.name or "").strip()
        about, ask = settle(params.about, name)
        if ask.words and set(ask.words) <= _PERSON and not ask.concepts:
            return _result(Reply(""), record, patient, facts, artifact.handle, True)
        whole = about == "summary" and ask.empty
        reply = overview(facts) if whole else answer(facts, about, name, params.when, artifact.handle)
        return _result(reply, record, patient, facts, artifact.handle, whole)

    def _read(self, sha256: str, path: Path) -> Record:
        with self._lock:
            if sha256 in self._cache:
                self._cache.move_to_end(sha256)
                return self._cache[sha256]
        record = read_fhir(path)
        with self._lock:
            self._cache[sha256] = record
            while len(self._cache) > _CACHED_RECORDS:
                self._cache.popitem(last=False)
        return record


def _result(
    reply: Reply, record: Record, patient: Patient, facts: Sequence[Entry], handle: str, about_patient: bool
) -> ToolResult:
    shown = reply.entries[:MAX_EVENTS]
    lead = [patient_event(patient, last_time(facts), handle)] if about_patient else []
    evidence: list[Evidence] = [*lead, *reply.trends, *(as_event(entry, handle) for entry in shown)]
    summary = " ".join([*(item.statement for item in lead), reply.summary]).strip()
    offset = len(evidence) - len(shown)
    return ToolResult(
        summary=summary,
        evidence=tuple(evidence),
        tables=(_table(shown, offset),) if shown else (),
        warnings=(*record.warnings, *reply.notes, *_cut(len(reply.entries))),
        provenance=ToolProvenance(tool=SPEC.name, version=SPEC.version),
        searched=f"the record {handle}: {searched(facts)}",
    )


def _cut(total: int) -> tuple[str, ...]:
    if total <= MAX_EVENTS:
        return ()
    return (f"{total} entries match; the first {MAX_EVENTS} are shown and {total - MAX_EVENTS} are not. Ask by name.",)


def _table(shown: Sequence[Entry], offset: int) -> Table:
    rows = tuple(
        TableRow(
            cells=(
                entry.start.text or "undated",
                entry.category,
                entry.text,
                value_text(entry) if entry.category == "observation" else entry.detail("dose"),
                entry.status,
                entry.source,
            ),
            evidence=(offset + position,),
        )
        for position, entry in enumerate(shown)
    )
    return Table(title="From the record", columns=("Date", "Kind", "Entry", "Value", "Status", "Source"), rows=rows)
